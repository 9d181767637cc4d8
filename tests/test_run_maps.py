"""Maps of single runs: of a hand-made store against numbers derived by hand, of real ones against gammapy's chain."""

import json
import re
import sys

import numpy as np
import pytest
import yaml
from astropy.io import fits
from conftest import REPOSITORY, code_blocks
from stores import ONTIME, POINTINGS, RATE, write_store

from skymask.config.configuration import dataset_settings, load_schema
from skymask.core.quality import fit_off_source, off_source_values
from skymask.core.significance import wstat
from skymask.core.stacking import Run, estimate_stack, stack_inputs
from skymask.datasets import run_maps
from skymask.datasets.observation_store import select_runs
from skymask.errors import MapError, SkymaskError
from skymask.io import maps
from skymask.loop.iteration import iterate, iterate_runs
from skymask.sky.configured_kernels import dilation_kernel, kernels_of_bins
from skymask.sky.exclusion_regions import region_mask
from skymask.sky.geometry import grid, pixel_size

sys.path.insert(0, str(REPOSITORY / "scripts"))
from make_run_maps import write_run_maps

# What gammapy and what it imports warn of is none of ours.
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.usefixtures("gammapy")]

#: A field around the hand-made runs.
GEOMETRY = {"center": ["83.6 deg", "22 deg"], "width": ["2 deg", "2 deg"], "pixel_size": "0.1 deg"}
HEADER, SHAPE = grid(GEOMETRY)

#: What is made of every run unless a test says otherwise; the safe energies of the hand-made runs are 1 to 100 TeV.
OPTIONS = {
    "energy": ["1 TeV", "10 TeV"],
    "energy_bins": 1,
    "energy_oversampling": 1,
    "offset_max": "5 deg",
    "safe_mask": {"methods": ["aeff-default"], "aeff_percent": 10, "bias_percent": 10, "fixed_offset": "0 deg"},
}

#: The grid of the tutorial, and what it makes of every run.
TUTORIAL = {
    "center": ["228.32 deg", "-59.08 deg"],
    "width": ["3 deg", "3 deg"],
    "pixel_size": "0.02 deg",
    "projection": "CAR",
}
OF_TUTORIAL = OPTIONS | {"energy": ["0.5 TeV", "10 TeV"], "energy_oversampling": 10, "offset_max": "3 deg"}


def runs_of(store, methods=("aeff-default",), **selection):
    return select_runs({"store": str(store), "safe_mask": {"methods": list(methods)}, **selection})


def made(store, name="13", header=HEADER, shape=SHAPE, **options):
    """The maps of a run of the hand-made store."""
    options = OPTIONS | options
    run = runs_of(store, options["safe_mask"]["methods"])[name]
    return run_maps.make_run_maps(run, header, shape, **options)


def with_methods(*methods, **options):
    return OPTIONS["safe_mask"] | {"methods": list(methods)} | options


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Run 13 has events in the middle, at the border, outside, and with energies outside the range."""
    events = [(83.6, 22.0, 2.0), (83.6, 22.85, 5.0), (83.6, 23.5, 5.0), (83.6, 22.0, 0.5), (83.6, 22.0, 20.0)]
    return write_store(tmp_path_factory.mktemp("dl3") / "store", run_13=events)


def test_acceptance_is_rate_times_solid_angle_energy_and_time(store):
    acceptance = made(store).acceptance[0]
    # The pixels in the middle of a tangent plane have 0.1 x 0.1 degrees.
    expected = RATE * np.radians(0.1) ** 2 * 9 * ONTIME
    assert acceptance[9:11, 9:11] == pytest.approx(expected, rel=1e-5)


def test_counts_are_the_events_in_range(store):
    result = made(store)
    row, column = np.nonzero(result.counts[0])
    # 0.85 degrees are 8.5 pixels north of the middle between rows 9 and 10.
    assert sorted(row) == [10, 18] or sorted(row) == [9, 18]
    assert set(column) <= {9, 10}
    assert result.counts.dtype == np.int32


@pytest.mark.parametrize(("energies", "counts"), [([1.3, 2.0], 2), ([1.2999, 2.0], 1), ([2.0, 10.0], 1)])
def test_an_energy_at_an_edge_is_at_it_whatever_its_precision(tmp_path, energies, counts):
    # Single precision has 1.3 as 1.29999995.
    store = write_store(tmp_path, (13,), run_13=[(*POINTINGS[13], energy) for energy in energies])
    with fits.open(store / "run_13.fits") as hdus:
        events = hdus["EVENTS"]
        single = fits.Column("ENERGY", "E", "TeV", array=events.data["ENERGY"])
        columns = [single if column.name == "ENERGY" else column for column in events.columns]
        hdus["EVENTS"] = fits.BinTableHDU.from_columns(columns, header=events.header)
        hdus.writeto(store / "new.fits")
    (store / "new.fits").rename(store / "run_13.fits")
    assert made(store, energy=["1.3 TeV", "10 TeV"]).counts.sum() == counts


def test_every_event_is_accounted_for(store):
    assert made(store).events == {
        "read": 5,
        "in_bad_times": 0,
        "in_energy_range": 3,
        "outside": 1,
        "counted": 2,
        "unsafe": 0,
    }
    smaller = made(store, offset_max="0.5 deg").events
    assert smaller == {"read": 5, "in_bad_times": 0, "in_energy_range": 3, "outside": 1, "counted": 1, "unsafe": 1}


def test_live_time_is_that_of_the_intervals_less_dead_time(store):
    assert made(store).seconds == pytest.approx({"ontime": ONTIME, "livetime": 0.9 * ONTIME})


def store_with_intervals(folder, start, stop):
    """A store of run 13 with three events, after 1, 500 and 999 s, and these good time intervals."""
    store = write_store(folder / "store", obs_ids=(13,), run_13=[(83.6, 22.0, 2.0)] * 3)
    with fits.open(store / "run_13.fits", mode="update") as hdus:
        columns = [fits.Column(name, "D", "s", array=value) for name, value in (("START", start), ("STOP", stop))]
        hdus["GTI"] = fits.BinTableHDU.from_columns(columns, header=hdus["GTI"].header)
    return store


def test_events_outside_the_good_time_intervals_are_left_out_with_a_warning(tmp_path):
    result = made(store_with_intervals(tmp_path, [0, 600], [400, 1000]))
    assert result.counts.sum() == 2
    assert result.seconds["ontime"] == pytest.approx(800)
    assert result.events["in_bad_times"] == 1
    assert result.warnings == ["run 13: 1 of its 3 events lie outside its good time intervals: they are left out"]


def test_an_interval_that_ends_before_it_begins_is_refused(tmp_path):
    with pytest.raises(MapError, match="run 13: one of its good time intervals does not end after it begins"):
        made(store_with_intervals(tmp_path, [0, 600], [1000, 500]))


def test_a_grid_whose_equinox_gammapy_would_lose_is_refused(store):
    header = HEADER.copy()
    header.update(RADESYS="FK5", EQUINOX=1950.0)
    with pytest.raises(MapError, match=r"equinox 1950.0, which gammapy does not keep"):
        made(store, header=header)


def test_energy_bins_add_up_to_one(store):
    one, three = made(store, energy_oversampling=6), made(store, energy_bins=3, energy_oversampling=2)
    np.testing.assert_array_equal(three.counts.sum(axis=0), one.counts[0])
    np.testing.assert_allclose(three.acceptance.sum(axis=0), one.acceptance[0], rtol=1e-12)
    np.testing.assert_allclose(three.energies.lower, 10 ** (np.arange(3) / 3), rtol=1e-12)
    # A flat rate: as much as the bin is wide.
    widths = three.acceptance[:, 10, 10] / one.acceptance[0, 10, 10]
    np.testing.assert_allclose(widths, (three.energies.upper - three.energies.lower) / 9, rtol=1e-6)


def test_unsafe_energies_have_no_acceptance_and_no_counts(store):
    # From 0.1 to 10 TeV in two bins, of which the header of the effective area calls the upper one safe.
    result = made(store, energy=["0.1 TeV", "10 TeV"], energy_bins=2)
    assert not result.acceptance[0].any()
    assert not result.counts[0].any()
    assert result.counts[1].sum() == 2
    everything = made(store, energy=["0.1 TeV", "10 TeV"], energy_bins=2, safe_mask=with_methods())
    assert everything.counts[0].sum() == 1


def test_footprint_is_the_box_of_the_pixels_near_the_pointing(store):
    whole, part = made(store, name="11"), made(store, name="11", offset_max="0.5 deg")
    # The pointing is 0.4 degrees north of the middle, and the offset 0.5 degrees: 5 pixels to every side.
    assert part.counts.shape == (1, 10, 10)
    assert part.header["CRPIX1"] == HEADER["CRPIX1"] - 5
    assert part.header["CRPIX2"] == HEADER["CRPIX2"] - 9
    inside = part.acceptance[0] > 0
    np.testing.assert_allclose(part.acceptance[0][inside], whole.acceptance[0, 9:19, 5:15][inside], rtol=1e-12)
    # Corners are farther away than the offset.
    assert not inside[0, 0]
    assert inside.sum() < inside.size


def test_a_run_outside_the_field_contributes_nothing_and_says_so(store):
    result = made(store, name="11", offset_max="0.1 deg", header=elsewhere())
    assert result.counts.shape == (1, 1, 1)
    assert not result.acceptance.any()
    assert result.warnings == ["run 11: it has no coverage: it contributes nothing"]


def elsewhere():
    header, _ = grid(GEOMETRY | {"center": ["20 deg", "-40 deg"]})
    return header


def test_a_run_without_events_in_the_field_has_its_acceptance_and_says_so(tmp_path):
    store = write_store(tmp_path / "store", obs_ids=(13,), run_13=[(83.6, 25.0, 2.0)])
    result = made(store)
    assert result.acceptance.all()
    assert result.warnings == ["run 13: no event lies in the field, within its offsets and safe energies"]


def test_galactic_fields_are_served(store):
    header, shape = grid(GEOMETRY | {"center": ["184.555 deg", "-5.812 deg"], "frame": "galactic"})
    result = made(store, header=header, shape=shape)
    assert result.counts[0, 9:11, 9:11].sum() == 1
    assert result.acceptance[0, 9:11, 9:11] == pytest.approx(made(store).acceptance[0, 10, 10], rel=1e-5)


def test_tables_that_gammapy_cannot_use_are_told_in_one_line(tmp_path):
    store = write_store(tmp_path / "store", obs_ids=(13,))
    with fits.open(store / "run_13.fits", mode="update") as hdus:
        hdus["BKG"].columns.change_name("BKG", "RATE")
    with pytest.raises(MapError, match=r"^run 13: gammapy cannot use its tables \(\w+: .*BKG.*\)$"):
        made(store)


def test_without_gammapy_one_line_says_what_to_install(store, monkeypatch):
    monkeypatch.setitem(sys.modules, "gammapy", None)
    with pytest.raises(SkymaskError, match=r'^observations need gammapy, .*: pip install "gammapy==2.1.\*", or let '):
        made(store)


def written(folder, store, name="13", **options):
    """The file and the notes that the script writes of a run."""
    output, notes = folder / f"{name}.fits", folder / f"{name}.json"
    write_run_maps(run=runs_of(store)[name], geometry=GEOMETRY, options=OPTIONS | options, output=output, notes=notes)
    return output, json.loads(notes.read_text())


def test_maps_are_written_with_what_they_are_made_of(store, tmp_path):
    output, notes = written(tmp_path, store)
    counts, acceptance = (maps.read(f"{output}[{name}]") for name in ("COUNTS", "ACCEPTANCE"))
    assert (counts.data.shape, counts.data.dtype, acceptance.data.dtype) == (SHAPE, np.int32, np.float64)
    assert notes["reason"] is None
    assert notes["events"]["counted"] == counts.data.sum() == 2
    header = counts.header
    assert (header["OBS_ID"], header["NEVREAD"], header["LIVETIME"]) == (13, 5, pytest.approx(900))
    assert (header["CUTENER"], header["TELESCOP"], header["FILEVT1"]) == ("1 TeV to 10 TeV", "HESS", "run_13.fits")
    assert header["SHATMPL"] == maps.file_digest(store / "run_13.fits")
    assert not [key for key in header if key.startswith("DATE")]


def test_gammapy_reads_maps_with_an_axis_of_energies(store, tmp_path):
    from gammapy.maps import Map

    output, _ = written(tmp_path, store, energy_bins=3)
    expected = made(store, energy_bins=3)
    for name in ("counts", "acceptance"):
        read = Map.read(output, hdu=name.upper())
        np.testing.assert_array_equal(read.data, getattr(expected, name))
        axis = read.geom.axes["energy"]
        np.testing.assert_allclose(axis.edges_min.to_value("TeV"), expected.energies.lower, rtol=1e-12)
        assert axis.interp == "log"


def test_the_same_run_gives_the_same_bytes(store, tmp_path):
    first, _ = written(tmp_path, store)
    content = first.read_bytes()
    again, _ = written(tmp_path, store)
    assert again.read_bytes() == content


def test_a_run_that_cannot_be_used_leaves_its_reason(tmp_path):
    store = write_store(tmp_path / "store", obs_ids=(13,))
    (store / "run_13.fits").unlink()
    output, notes = written(tmp_path, store)
    assert output.read_bytes() == b""
    assert re.fullmatch(r"run 13: .*run_13.fits does not exist, though the hdu-index of .* names it", notes["reason"])


def of_gammapy(observation, geom, offset_max, methods, **options):
    """Counts and background of a run as gammapy's makers make them on the whole field, summed over energies."""
    from gammapy.datasets import MapDataset
    from gammapy.makers import MapDatasetMaker, SafeMaskMaker
    from gammapy.maps import MapAxis

    axis = MapAxis.from_energy_bounds("0.1 TeV", "120 TeV", nbin=20, name="energy_true")
    dataset = MapDataset.create(geom, energy_axis_true=axis)
    selection = ["counts", "background", "exposure", "edisp"]
    dataset = MapDatasetMaker(selection=selection).run(dataset, observation)
    safe = SafeMaskMaker(methods=["offset-max", *methods], offset_max=offset_max, **options)
    image = safe.run(dataset, observation).to_image()
    return image.counts.data[0], image.npred_background().data[0]


def geom_of_tutorial(bins=10):
    from gammapy.maps import MapAxis, WcsGeom

    axis = MapAxis.from_energy_bounds("0.5 TeV", "10 TeV", nbin=bins)
    return WcsGeom.create(skydir=(228.32, -59.08), width=3, binsz=0.02, frame="icrs", axes=[axis])


# Every row: a run, the largest offset, methods of the safe mask, and how gammapy is asked for the same.
CHAINS = {
    "as the tutorial": (20136, "3 deg", ["aeff-default"], {}),
    "smaller offset": (20137, "1 deg", [], {}),
    "effective area": (20282, "2 deg", ["aeff-max"], {"irfs": "DL3", "aeff_percent": 50}),
    "energy bias": (20283, "2 deg", ["edisp-bias"], {"irfs": "DL3", "bias_percent": 5}),
    "background peak": (20301, "3 deg", ["bkg-peak"], {}),
}


@pytest.mark.parametrize(("obs_id", "offset_max", "methods", "options"), CHAINS.values(), ids=CHAINS)
def test_maps_of_a_real_run_are_those_of_gammapys_makers(shared, obs_id, offset_max, methods, options):
    from gammapy.data import DataStore

    folder = shared / "data/hess-dl3-dr1"
    header, shape = grid(TUTORIAL)
    percent = {key: value for key, value in options.items() if key != "irfs"}
    ours = run_maps.make_run_maps(
        runs_of(folder, methods)[str(obs_id)],
        header,
        shape,
        **OF_TUTORIAL | {"offset_max": offset_max, "safe_mask": with_methods(*methods, **percent)},
    )
    expected = of_gammapy(DataStore.from_dir(folder).obs(obs_id), geom_of_tutorial(), offset_max, methods, **options)
    corner = [int(header[key] - ours.header[key]) for key in ("CRPIX2", "CRPIX1")]
    counts, acceptance = np.zeros(shape), np.zeros(shape)
    block = tuple(slice(start, start + size) for start, size in zip(corner, ours.counts.shape[1:], strict=True))
    counts[block], acceptance[block] = ours.counts[0], ours.acceptance[0]
    np.testing.assert_array_equal(counts, expected[0])
    np.testing.assert_allclose(acceptance, expected[1], rtol=1e-9, atol=0)


@pytest.fixture(scope="module")
def entry(shared):
    """Settings of the tutorial, from the configuration of the documentation alone."""
    observations, tutorial = code_blocks("docs/observations.md", "yaml")
    config = yaml.safe_load(observations) | yaml.safe_load(tutorial)
    config["datasets"]["msh1552"]["observations"]["store"] = str(shared / "data/hess-dl3-dr1")
    return dataset_settings(config, load_schema())["msh1552"]


@pytest.fixture(scope="module")
def tutorial(entry):
    """The maps of the 20 runs of the tutorial."""
    header, shape = grid(entry["geometry"])
    options = {key: entry["observations"][key] for key in OPTIONS}
    runs = select_runs(entry["observations"])
    return {name: run_maps.make_run_maps(run, header, shape, **options) for name, run in runs.items()}


@pytest.fixture(scope="module")
def published(shared):
    """Numbers that gammapy 2.1 gives for the tutorial, and the folder with its maps."""
    folder = shared / "data/hess-maps/msh1552_tutorial"
    return json.loads((folder / "reference_gammapy21/numbers.json").read_text()), folder


def test_the_tutorials_runs_have_its_41803_counts(tutorial, published):
    numbers, folder = published
    assert sum(int(run.counts.sum()) for run in tutorial.values()) == 41803
    assert {name: run.counts.sum() for name, run in tutorial.items()} == {
        run["obs"]: run["counts"] for run in numbers["obs"]
    }
    total = sum(run.counts[0] for run in tutorial.values())
    np.testing.assert_array_equal(total, maps.read(folder / "counts.fits.gz").data)


def test_the_tutorials_runs_have_its_acceptance(tutorial, published):
    numbers, folder = published
    total = sum(run.acceptance[0] for run in tutorial.values())
    assert total.sum() == pytest.approx(numbers["acceptance_all"], rel=1e-12)
    # Published in single precision.
    np.testing.assert_allclose(total, maps.read(folder / "acceptance.fits.gz").data, rtol=1e-6)


@pytest.fixture(scope="module")
def stack(entry, tutorial):
    """The 20 runs, stacked with the tutorial's exclusion and radii in gammapy's way; significance and mask."""
    header, shape = grid(entry["geometry"])
    exclusion_mask, _ = region_mask(header, shape, entry["exclusion_regions"])
    keys = ("source_kernel", "background_kernel", "statistic")
    sources, backgrounds = kernels_of_bins(
        pixel_size(header), 1, energy_kernels=[], **{key: entry[key] for key in keys}
    )
    runs = [Run(run.counts, run.acceptance, (slice(0, 150), slice(0, 150))) for run in tutorial.values()]
    stack = estimate_stack(runs, exclusion_mask, sources, backgrounds, stacking=entry["stacking"])
    return stack, wstat(stack.counts_on, stack.counts_off, stack.alpha), exclusion_mask


def test_the_tutorials_exclusion_comes_out(stack, published):
    np.testing.assert_array_equal(stack[2], maps.read(published[1] / "exclusion.fits.gz").data == 1)


def test_the_tutorials_background_comes_out(stack, published):
    numbers, folder = published
    assert stack[0].background.sum() == pytest.approx(numbers["background_sum"], rel=1e-7)
    background = maps.read(folder / "reference_gammapy21/background.fits.gz").data
    # gammapy convolves in single precision.
    np.testing.assert_allclose(stack[0].background, background, rtol=1e-6)


def test_the_tutorials_significance_comes_out(stack, published):
    numbers, folder = published
    _, significance, exclusion_mask = stack
    assert significance.max() == pytest.approx(numbers["max_significance"], abs=1e-5)
    assert list(np.unravel_index(significance.argmax(), significance.shape)) == numbers["argmax_yx"]
    off = significance[exclusion_mask]
    # Mean and width in double precision; single precision of off counts of some 6000 costs the rest at the edges.
    assert len(off) == numbers["off_n"]
    assert off.mean() == pytest.approx(numbers["off_plain_mu"], abs=5e-5)
    assert off.std() == pytest.approx(numbers["off_plain_sigma"], abs=1e-5)
    theirs = maps.read(folder / "reference_gammapy21/significance.fits.gz").data
    np.testing.assert_allclose(significance, theirs, rtol=0, atol=2e-3)


def test_the_tutorials_runs_reach_a_fixed_point_run_by_run_and_stacked_first(entry, tutorial):
    header, shape = grid(entry["geometry"])
    keys = ("source_kernel", "background_kernel", "statistic")
    (source,), (background,) = kernels_of_bins(pixel_size(header), 1, **{key: entry[key] for key in keys})
    options = {"source_kernel": source, "background_kernel": background, "threshold": 5}
    options["dilation_kernel"] = dilation_kernel("0.3 deg", pixel_size(header))
    runs = [Run(run.counts, run.acceptance, (slice(0, 150), slice(0, 150))) for run in tutorial.values()]
    inputs = stack_inputs(runs, shape)
    results = {
        "run by run": iterate_runs(runs, shape, **options),
        "stacked first": iterate(inputs.counts, acceptance=inputs.acceptance, **options),
    }
    off = {
        name: fit_off_source(off_source_values(result.products.significance, result.exclusion_mask), 5)
        for name, result in results.items()
    }
    assert {name: result.state for name, result in results.items()} == dict.fromkeys(results, "converged")
    # Of docs/stacking.md, whose errors are 0.006 and 0.013: the runs have like acceptances, and agree.
    np.testing.assert_allclose(off["run by run"], [0, 1], atol=0.02)
    np.testing.assert_allclose(off["stacked first"], off["run by run"], atol=0.006)
