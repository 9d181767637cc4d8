"""Runs and cubes in files, through the workflow: what an analyst of many observations does."""

import csv
import os

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from conftest import KERNELS, field_with_source, sky_header, snakemake, write_config, write_map

from skymask.config import configuration
from skymask.core.measured import Part
from skymask.core.stacking import Run
from skymask.datasets.reading import inspect
from skymask.datasets.runs import RunFiles, common_grid
from skymask.errors import ConfigurationError, MapError
from skymask.io import file_names, maps
from skymask.loop.iteration import iterate, iterate_runs
from skymask.sky.configured_kernels import background_kernel, dilation_kernel, to_pixels
from skymask.sky.geometry import shifted
from skymask.sky.region_catalogue import catalogue_regions

SHAPE = (60, 64)
SIZE = (0.05, 0.05)
#: Rows and columns of the common grid that each run covers.
BLOCKS = [(slice(0, 48), slice(0, 64)), (slice(10, 60), slice(0, 50)), (slice(6, 56), slice(12, 64))]
EDGES = np.array([0.5, 1.0, 3.0, 10.0])


def runs():
    """Three runs of a source, each with an acceptance that falls from its own pointing."""
    made = []
    for seed, block in enumerate(BLOCKS):
        random = np.random.default_rng(seed)
        shape = [part.stop - part.start for part in block]
        y, x = np.indices(shape)
        acceptance = np.exp(-(((y - shape[0] / 2) ** 2 + (x - shape[1] / 2) ** 2) / 2 / 25**2))
        counts = random.poisson(1.5 * acceptance)
        counts[30 - block[0].start, 32 - block[1].start] += 40
        made.append(Run(counts[None].astype(np.int32), acceptance[None], block))
    return made


def write_cube(path, cube, header=None, *, unit="TeV", table="EBOUNDS"):
    """A cube with its energies in a table, as Fermi-LAT's tools write it."""
    edges = [
        fits.Column(name, "D", unit=unit, array=EDGES[first : first + len(cube)])
        for first, name in enumerate(("E_MIN", "E_MAX"))
    ]
    hdus = fits.HDUList([fits.PrimaryHDU(cube, header or sky_header(cube.shape[1:]))])
    if table:
        hdus.append(fits.BinTableHDU.from_columns(edges, name=table))
    hdus.writeto(path, overwrite=True)
    return str(path)


def write_runs(folder):
    """The runs in files, each on its own part of the common grid, and a table of them."""
    header = sky_header(SHAPE)
    rows = []
    for number, run in enumerate(runs()):
        own = shifted(header, (run.block[0].start, run.block[1].start))
        write_map(folder / f"counts-{number}.fits", run.counts[0], own)
        write_map(folder / f"acceptance-{number}.fits", run.acceptance[0], own)
        rows.append(
            {"run": f"2026-{number}", "counts": f"counts-{number}.fits", "acceptance": f"acceptance-{number}.fits"}
        )
    with open(folder / "runs.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return rows


def cube_with_source():
    return np.stack([field_with_source(seed, SHAPE) for seed in range(3)]).astype(np.int32)


WIDE = {"shape": "disk", "radius": "0.22 deg"}
ENERGY_KERNELS = [
    {"source_kernel": {"shape": "disk", "radius": "0.16 deg"}},
    {},
    {"background_kernel": {"shape": "ring", "inner_radius": "0.35 deg", "width": "0.3 deg"}},
]
KERNELS_OF_TWO = [own for own in ENERGY_KERNELS if own]


#: All products of stacks of runs and of energies, but figures of one of them only: they take the longest, and are made
#: of the same maps. Of the others what differs.
TARGETS = (
    *(f"results/{name}/status.json" for name in ("rings", "cube", "bins.bin-0")),
    *(f"results/{name}/excess_upper_limit.fits" for name in ("known", "rings", "cube")),
    *(f"results/{name}/further/small/excess.fits" for name in ("survey", "rings", "cube")),
    "results/survey/regions.ecsv",
    *(f"results/rings/plots/{figure}.png" for figure in ("counts", "off_source", "ring_radius")),
    *(f"results/{name}/energy/excess.fits" for name in ("cube", "bins")),
)

#: The loops of two stacks go on until they converge; for what is tested of the others, one iteration is enough.
SHORT = {"convergence": {"max_iterations": 1}}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished workflow: a stack of runs, with the statistics wstat and cash, and a cube."""
    folder = tmp_path_factory.mktemp("stacks")
    write_runs(folder)
    write_cube(folder / "cube.fits", cube_with_source())
    write_cube(folder / "two.fits", cube_with_source()[:2])
    write_config(
        folder / "config.yaml",
        datasets={
            "survey": {"runs": "runs.csv"},
            "known": {"runs": "runs.csv", "statistic": "cash", "mask_source_kernels": [WIDE]},
            "rings": {
                "runs": "runs.csv",
                "background_kernel": {
                    "shape": "adaptive_ring",
                    **{key: KERNELS["background_kernel"][key] for key in ("inner_radius", "width")},
                },
                **SHORT,
            },
            "cube": {"counts": "cube.fits", "energy_kernels": ENERGY_KERNELS, **SHORT},
            "bins": {"counts": "two.fits", "energy_kernels": KERNELS_OF_TWO, "energy_masks": "each", **SHORT},
        },
        further_source_kernels={"small": {"shape": "disk", "radius": "0.06 deg"}},
        null_simulations={"number": 2},
    )
    process = snakemake(*TARGETS, folder=folder)
    assert process.returncode == 0, process.stdout
    return folder


def read(folder, dataset, name):
    return maps.read_product(folder / f"results/{dataset}/{name}.fits")[name.rsplit("/", 1)[-1]]


@pytest.mark.parametrize(("dataset", "statistic"), [("survey", "wstat"), ("known", "cash")])
def test_workflow_and_iterate_agree_bit_for_bit_on_a_stack(run, dataset, statistic):
    kernels = {key: KERNELS[key] for key in ("source_kernel", "background_kernel")}
    further = [WIDE] if dataset == "known" else []
    result = iterate_runs(
        runs(),
        SHAPE,
        source_kernel=to_pixels(kernels["source_kernel"], SIZE),
        mask_source_kernels=[to_pixels(kernel, SIZE) for kernel in further],
        background_kernel=background_kernel(SIZE, **kernels, statistic=statistic),
        dilation_kernel=dilation_kernel(KERNELS["dilation_radius"], SIZE),
        statistic=statistic,
    )
    header = read(run, dataset, "excess").header
    assert (header["STATE"], header["NITER"]) == ("converged", result.iterations)
    assert result.iterations > 1
    for name, image in {"exclusion_mask": result.exclusion_mask, **result.products.maps()}.items():
        np.testing.assert_array_equal(read(run, dataset, name).data, image, err_msg=name)


def test_stack_lies_on_the_grid_that_holds_all_runs(run):
    counts = read(run, "survey", "counts")
    expected, covered = np.zeros(SHAPE), np.zeros(SHAPE, dtype=bool)
    for one in runs():
        expected[one.block] += one.counts[0]
        covered[one.block] = True
    expected[~covered] = np.nan
    np.testing.assert_array_equal(counts.data, expected)
    assert {key: counts.header[key] for key in ("CRPIX1", "CRPIX2", "CRVAL1")} == {
        key: sky_header(SHAPE)[key] for key in ("CRPIX1", "CRPIX2", "CRVAL1")
    }
    assert (counts.header["NRUNS"], counts.header["STACKING"]) == (3, "variance")


def test_nothing_of_a_stack_is_told_without_coverage(run):
    uncovered = read(run, "survey", "coverage").data == 0
    assert uncovered.any()
    assert np.isnan(read(run, "survey", "counts_on").data[uncovered]).all()
    assert not read(run, "survey", "runs").data[uncovered].any()


def test_number_of_runs_is_a_map(run):
    number = read(run, "survey", "runs").data
    assert number[20, 20] == 3
    assert number[0, 0] == 1


def test_region_of_a_stack_has_the_error_of_all_its_runs(run):
    (row,) = Table.read(run / "results/survey/regions.ecsv")
    mask = read(run, "survey", "exclusion_mask").data == 1
    kernels = {key: KERNELS[key] for key in ("source_kernel", "background_kernel")}
    ring = background_kernel(SIZE, **kernels, statistic="wstat")
    variance = 0.0
    for one in runs():
        own, ones = mask[one.block], np.ones(one.counts[0].shape)
        part = Part(one.counts[0], one.acceptance[0], ring)
        (alone,), _ = catalogue_regions(one.counts[0], ones > 0, [own], own, ones, ones, [part])
        variance += alone["background_error"] ** 2
    assert row["background_error"] == pytest.approx(np.sqrt(variance), rel=1e-9)


def test_further_kernel_of_a_stack_is_summed_run_by_run(run):
    n_on = read(run, "survey", "counts_on").data
    excess = read(run, "survey", "further/small/excess").data
    alpha = read(run, "survey", "further/small/alpha").data
    covered = read(run, "survey", "runs").data > 0
    np.testing.assert_array_equal(np.isfinite(excess), covered)
    # A disk of 5 pixels in one of 21.
    assert (alpha < read(run, "survey", "alpha").data)[covered].all()
    assert excess[30, 32] < n_on[30, 32]


def test_adaptive_rings_of_a_stack_have_a_mean_radius(run):
    radius = read(run, "rings", "ring_radius").data
    assert np.nanmin(radius) >= 0.65 - 1e-9


def test_cube_gives_the_maps_of_its_sum(run):
    np.testing.assert_array_equal(read(run, "cube", "counts").data, cube_with_source().sum(axis=0))


def test_energy_bins_add_up_to_the_sum(run):
    for name in ("counts", "background", "excess"):
        bins = maps.read_cube(run / f"results/cube/energy/{name}.fits")
        np.testing.assert_allclose(bins.data.sum(axis=0), read(run, "cube", name).data, rtol=1e-9, atol=1e-9)
        assert bins.energies.lower.tolist() == EDGES[:3].tolist()


def test_kernels_of_an_energy_bin_are_its_own(run):
    alphas = maps.read_cube(run / "results/cube/energy/alpha.fits").data[:, 30, 5]
    sources = [to_pixels(own.get("source_kernel", KERNELS["source_kernel"]), SIZE) for own in ENERGY_KERNELS]
    rings = [to_pixels(own.get("background_kernel", KERNELS["background_kernel"]), SIZE) for own in ENERGY_KERNELS]
    mask = read(run, "cube", "exclusion_mask").data
    for alpha, source, ring in zip(alphas, sources, rings, strict=True):
        half = ring.shape[0] // 2
        padded = np.pad(mask, half)[30 : 31 + 2 * half, 5 : 6 + 2 * half]
        assert alpha == pytest.approx(source.sum() / (padded * ring).sum())


def test_header_names_the_kernels_of_the_bins(run):
    header = read(run, "cube", "significance").header
    assert header["SRCKERN"] == "disk radius=0.12 deg"
    assert header["SRCKER0"] == "disk radius=0.16 deg"
    assert header["BKGKER2"] == "ring inner_radius=0.35 deg width=0.3 deg"
    assert not {"SRCKER1", "BKGKER0", "BKGKER1", "SRCKER2"} & set(header)
    assert fits.getheader(run / "results/cube/energy/excess.fits")["SRCKER0"] == "disk radius=0.16 deg"


def test_gammapy_reads_the_energy_bins(run):
    gammapy_maps = pytest.importorskip("gammapy.maps")
    cube = gammapy_maps.Map.read(run / "results/cube/energy/background.fits")
    axis = cube.geom.axes["energy"]
    assert axis.edges.to_value("TeV") == pytest.approx(EDGES)
    np.testing.assert_array_equal(cube.data, maps.read_cube(run / "results/cube/energy/background.fits").data)
    center = cube.geom.center_skydir.icrs
    assert (center.ra.deg, center.dec.deg) == pytest.approx((83.6, 22.0))


def test_bins_with_masks_of_their_own_are_datasets(run):
    cube = cube_with_source()
    for number, own in enumerate(KERNELS_OF_TWO):
        kernels = {key: own.get(key, KERNELS[key]) for key in ("source_kernel", "background_kernel")}
        result = iterate(
            cube[number],
            source_kernel=to_pixels(kernels["source_kernel"], SIZE),
            background_kernel=background_kernel(SIZE, **kernels, statistic="wstat"),
            dilation_kernel=dilation_kernel(KERNELS["dilation_radius"], SIZE),
            **SHORT["convergence"],
        )
        assert not result.exclusion_mask.all()
        joined = {
            name: maps.read_cube(run / f"results/bins/energy/{name}.fits") for name in ("excess", "exclusion_mask")
        }
        np.testing.assert_array_equal(joined["excess"].data[number], result.products.excess)
        np.testing.assert_array_equal(joined["exclusion_mask"].data[number], result.exclusion_mask)
        assert joined["excess"].energies.upper.tolist() == EDGES[1:3].tolist()
        assert (run / f"results/bins.bin-{number}/excess.fits").is_file()
    assert (run / "results/bins.bin-0/status.json").is_file()


def test_finished_stack_needs_nothing_more(run):
    process = snakemake(*TARGETS, "--dry-run", folder=run)
    assert "Nothing to be done" in process.stdout


def test_run_that_changes_reruns_the_stack_alone(run):
    os.utime(run / "counts-1.fits")
    process = snakemake(*TARGETS, "--dry-run", "--quiet", "host", folder=run)
    assert "of survey" in process.stdout
    assert "of cube" not in process.stdout


# Reading runs


def entries(folder, number=3):
    return [{"run": f"r{n}", "counts": str(folder / f"counts-{n}.fits")} for n in range(number)]


def test_common_grid_can_be_given(tmp_path):
    write_runs(tmp_path)
    grid = (shifted(sky_header(SHAPE), (20, 20)), (30, 30))
    files = RunFiles(entries(tmp_path), *grid)
    np.testing.assert_array_equal(sum(_on(grid[1], one) for one in files), _total()[20:50, 20:50])


def _on(shape, run):
    image = np.zeros(shape, dtype=int)
    image[run.block] += run.counts[0]
    return image


def _total():
    return sum(_on(SHAPE, one) for one in runs())


def test_run_outside_the_grid_is_told(tmp_path):
    write_runs(tmp_path)
    files = RunFiles(entries(tmp_path), shifted(sky_header(SHAPE), (-200, 0)), (20, 20))
    assert list(files) == []
    assert files.warnings[0] == "run r0: it lies outside the map: it contributes nothing"


def test_run_between_the_pixels_is_refused(tmp_path):
    write_runs(tmp_path)
    write_map(tmp_path / "counts-1.fits", np.ones((9, 9)), shifted(sky_header(SHAPE), (0.5, 0)))
    with pytest.raises(MapError, match=r"run r1: .*counts-1.fits is not made of pixels of the common grid: reproject"):
        common_grid(entries(tmp_path))


def test_runs_with_other_energies_are_refused(tmp_path):
    write_runs(tmp_path)
    write_cube(tmp_path / "counts-2.fits", cube_with_source())
    with pytest.raises(MapError, match=r"run r2: .*counts-2.fits has other energy bins than the first run"):
        common_grid(entries(tmp_path))


def test_cube_without_energies_is_refused(tmp_path):
    path = write_cube(tmp_path / "cube.fits", cube_with_source(), table=None)
    with pytest.raises(MapError, match="has 3 planes, and no table EBOUNDS"):
        maps.read_cube(path)


def test_energies_without_a_unit_are_refused(tmp_path):
    path = write_cube(tmp_path / "cube.fits", cube_with_source(), unit=None)
    with pytest.raises(MapError, match="EBOUNDS: the column E_MIN has no unit"):
        maps.read_cube(path)


def test_energies_in_other_units_are_the_same(tmp_path):
    write_cube(tmp_path / "counts.fits", cube_with_source())
    acceptance = cube_with_source() * 0.5 + 1
    path = write_cube(tmp_path / "acceptance.fits", acceptance)
    with fits.open(path, mode="update") as hdus:
        for name in ("E_MIN", "E_MAX"):
            hdus[1].data[name] *= 1e9
            hdus[1].columns[name].unit = "keV"
    entry = {"counts": str(tmp_path / "counts.fits"), "acceptance": path}
    (only,) = RunFiles([entry], sky_header(SHAPE), SHAPE)
    np.testing.assert_array_equal(only.acceptance, acceptance)


def test_coverage_of_a_run_leaves_its_counts_out(tmp_path):
    write_runs(tmp_path)
    covered = np.ones((48, 64))
    covered[:, :10] = 0
    path = write_map(tmp_path / "coverage.fits", covered, shifted(sky_header(SHAPE), (0, 0)))
    (one,) = RunFiles([entries(tmp_path)[0] | {"coverage": path}], sky_header(SHAPE), SHAPE)
    assert not one.acceptance[:, :, :10].any()
    assert not one.counts[:, :, :10].any()


MISTAKES = {
    "kernels of too few bins": (
        {"counts": "cube.fits", "energy_kernels": [{}, {}]},
        "energy_kernels has 2 items, and counts have 3 energy bins",
    ),
    "kernels of bins without energies": (
        {"counts": "counts-0.fits", "energy_kernels": [{}, {}]},
        "energy_kernels has 2 items, and counts have no energy axis",
    ),
    "a bin that is not there": (
        {"counts": "cube.fits", "energy_bin": 3},
        "cube.fits: there is no energy bin 3, only 0 to 2",
    ),
    "a bin of a map without energies": (
        {"counts": "counts-0.fits", "energy_bin": 0},
        "energy_bin is 0, and counts counts-0.fits have no energy axis",
    ),
    "acceptance of another shape": (
        {"runs": [{"counts": "counts-0.fits", "acceptance": "acceptance-1.fits"}]},
        "run counts-0: acceptance acceptance-1.fits has the shape (50, 50), counts (48, 64): they must agree",
    ),
    "counts that are none": (
        {"runs": [{"counts": "acceptance-0.fits"}]},
        "run acceptance-0: counts are no whole numbers in ",
    ),
    "radius of a bin without sense": (
        {"counts": "cube.fits", "energy_kernels": [{}, {"source_kernel": {"shape": "disk", "radius": "80 deg"}}, {}]},
        "energy_kernels.1: source_kernel.radius 80 deg is 1600 pixels",
    ),
}


@pytest.mark.parametrize(("entry", "line"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_a_stack_is_one_line(tmp_path, monkeypatch, entry, line):
    monkeypatch.chdir(tmp_path)
    write_runs(tmp_path)
    write_cube("cube.fits", cube_with_source())
    config = {**KERNELS, "datasets": {"stack": entry}}
    settings = configuration.dataset_settings(config, configuration.load_schema())["stack"]
    files = file_names.data_names(settings)
    runs = {key: settings[key] for key in configuration.RUN_KEYS if key in settings}
    kernels = {key: settings[key] for key in (*KERNELS, "statistic", "energy_kernels")}
    with pytest.raises(MapError) as error:
        inspect(files, runs, {}, kernels)
    assert str(error.value).startswith(line)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ({"counts": "counts-0.fits"}, "datasets.a: energy_masks is each, and counts have no energy axis"),
        (
            {"counts": "cube.fits", "energy_kernels": [{}]},
            "datasets.a: energy_kernels has 1 items, and counts have 3 energy bins",
        ),
        (
            {"counts": "cube.fits", "energy_bin": 1},
            "datasets.a: energy_masks is each, and energy_bin leaves one bin: take one of the keys",
        ),
    ],
)
def test_masks_for_each_bin_need_bins(tmp_path, monkeypatch, entry, line):
    monkeypatch.chdir(tmp_path)
    write_runs(tmp_path)
    write_cube("cube.fits", cube_with_source())
    config = {**KERNELS, "datasets": {"a": {**entry, "energy_masks": "each"}}}
    with pytest.raises(ConfigurationError) as error:
        configuration.dataset_settings(config, configuration.load_schema())
    assert str(error.value) == line


def test_name_of_a_bin_may_be_no_other_datasets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_cube("cube.fits", cube_with_source())
    entries = {"a": {"counts": "cube.fits", "energy_masks": "each"}, "a.bin-1": {"counts": "cube.fits"}}
    with pytest.raises(ConfigurationError, match=r"datasets\.a\.bin-1 is the name of an energy bin of a"):
        configuration.dataset_settings({**KERNELS, "datasets": entries}, configuration.load_schema())
