"""Further source kernels: significance, excess and limits under them, from the products of a finished loop."""

import re

import numpy as np
import pytest
import yaml
from astropy.io import fits
from conftest import KERNELS, field_with_source, snakemake, write_config, write_map

from skymask import adaptive_ring, compute_further_significance, compute_products, disk, gaussian, maps, ring
from skymask.errors import MapError
from skymask.kernels import off_kernel, shared_pixels
from skymask.limits import compute_limits
from skymask.pixel_kernels import to_pixels
from skymask.significance import cash, wstat

#: Sums are exact; alpha is divided and multiplied again.
EXACT = 1e-12

SHAPE = (31, 33)
RANDOM = np.random.default_rng(4)
COUNTS = RANDOM.poisson(2, SHAPE)
MASK = RANDOM.random(SHAPE) < 0.8


def further(kernel, background_kernel, *, acceptance, statistic="wstat", counts=COUNTS, mask=MASK, **options):
    counts = counts * (acceptance > 0)
    products = compute_products(counts, acceptance, mask, disk(1), background_kernel, statistic=statistic, **options)
    return compute_further_significance(
        counts,
        acceptance,
        products.maps(),
        disk(1),
        kernel,
        background_kernel,
        statistic=statistic,
        **options,
    )


def test_measured_background_is_that_of_the_ring_and_alpha_that_of_the_further_kernel():
    # Three counts in every pixel, five more in the middle; the disk of radius 2 has 13 pixels.
    counts = np.full((21, 21), 3)
    counts[10, 10] += 5
    everything = np.ones(counts.shape, dtype=bool)
    background_kernel = ring(4, 2)
    made = further(disk(2), background_kernel, acceptance=np.ones((21, 21)), counts=counts, mask=everything)
    n_ring = np.count_nonzero(background_kernel)
    assert made["alpha"][10, 10] == pytest.approx(13 / n_ring, rel=EXACT)
    assert made["excess"][10, 10] == pytest.approx(5, rel=EXACT)
    expected = wstat(13 * 3 + 5, 3 * n_ring, 13 / n_ring)
    assert made["significance"][10, 10] == pytest.approx(expected, rel=EXACT)


def test_known_background_is_summed_under_the_further_kernel_even_into_the_ring():
    counts = np.full((21, 21), 3)
    counts[10, 10] += 5
    everything = np.ones(counts.shape, dtype=bool)
    # The ring of radii 4 and 6 finds the 5 counts at no pixel nearer than 4 to them.
    made = further(disk(3), ring(4, 2), acceptance=np.ones((21, 21)), counts=counts, mask=everything, statistic="cash")
    n = np.count_nonzero(disk(3))
    assert made["excess"][10, 10] == pytest.approx(5, rel=EXACT)
    assert made["significance"][10, 10] == pytest.approx(cash(3 * n + 5, 3 * n), rel=EXACT)
    further(disk(5), ring(4, 2), acceptance=np.ones((21, 21)), statistic="cash", counts=counts, mask=everything)


@pytest.mark.parametrize("statistic", ["wstat", "cash"])
@pytest.mark.parametrize("systematic", [0, 0.1])
@pytest.mark.parametrize("kernel", [disk(0), disk(1), disk(3), gaussian(0.7)], ids=["pixel", "same", "disk", "gauss"])
def test_further_kernel_gives_what_it_gives_as_the_source_kernel(statistic, systematic, kernel):
    # No kernel touches the ring, so that the off counts of a loop with it would be the same.
    acceptance = np.linspace(1, 2, SHAPE[1]) + np.zeros(SHAPE)
    acceptance[:, :4] = 0
    options = {"statistic": statistic, "background_systematic": systematic}
    made = further(kernel, ring(5, 3), acceptance=acceptance, **options)
    counts = COUNTS * (acceptance > 0)
    products = compute_products(counts, acceptance, MASK, kernel, ring(5, 3), **options)
    limits = compute_limits(counts, acceptance, products.maps(), kernel, **options)
    for name, expected in (products.maps() | limits._asdict()).items():
        if name in made:
            # Differences of nearly equal numbers: counts are of the order of ten.
            np.testing.assert_allclose(made[name], expected, rtol=1e-10, atol=1e-10, err_msg=name)
    assert set(made) == {"alpha", "significance", "excess", *limits._fields}


def test_starved_pixels_stay_starved():
    mask = np.zeros(SHAPE, dtype=bool)
    mask[:, :5] = True
    made = further(disk(2), ring(4, 2), acceptance=np.ones(SHAPE), mask=mask)
    # The ring reaches 6 pixels far, and nothing is used from column 5 on.
    for name, image in made.items():
        assert np.isnan(image[:, 11:]).all(), name
        assert not np.isnan(image[:, :5]).any(), name


def test_pixels_under_two_kernels_are_counted():
    # A ring from 2 to 3 has 4 pixels at the distance 2.
    assert shared_pixels(ring(2, 1), disk(2)) == 4
    assert shared_pixels(ring(2, 1), disk(1)) == 0
    rings = adaptive_ring(2, 1, step=1, max_outer_radius=4)
    assert shared_pixels(rings, disk(2)) == 4


@pytest.mark.parametrize(
    "background_kernel", [ring(2, 2), gaussian(3), adaptive_ring(2, 2, step=1, max_outer_radius=6, alpha_max=2)]
)
def test_on_region_that_reaches_into_the_off_region_is_refused(background_kernel):
    shared = shared_pixels(off_kernel(background_kernel, disk(1), "wstat"), disk(2))
    with pytest.raises(MapError, match=f"it shares {shared} pixels with background_kernel"):
        further(disk(2), background_kernel, acceptance=np.ones(SHAPE))


# In the workflow.

FURTHER = {"small": {"shape": "disk", "radius": "0.05 deg"}, "smooth": {"shape": "gaussian", "sigma": "1 px"}}
NAMES = ("alpha", "significance", "excess", "excess_errn", "excess_errp", "excess_upper_limit")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a run")
    write_map(folder / "counts.fits", field_with_source())
    write_map(folder / "kernel.fits", disk(3).astype(float))
    own = {"own": {"shape": "array", "path": "kernel.fits"}}
    datasets = {"field": {"counts": "counts.fits", "further_source_kernels": own}}
    write_config(folder / "config.yaml", datasets=datasets, further_source_kernels=FURTHER)
    process = snakemake(folder=folder)
    assert process.returncode == 0, process.stdout
    return folder


@pytest.mark.parametrize("name", ["small", "smooth", "own"])
def test_workflow_and_function_agree_bit_for_bit(run, name):
    folder = run / "results/field"
    read = {
        product: maps.read_product(folder / f"{product}.fits")[product].data
        for product in ("counts", "background", "counts_off", "alpha")
    }
    acceptance = maps.read_product(folder / "iteration-0/acceptance.fits")["acceptance"].data
    size = (0.05, 0.05)
    kernel = disk(3) if name == "own" else to_pixels(FURTHER[name], size)
    made = compute_further_significance(
        read["counts"],
        acceptance,
        read,
        to_pixels(KERNELS["source_kernel"], size),
        kernel,
        to_pixels(KERNELS["background_kernel"], size),
    )
    for product in NAMES:
        written = maps.read_product(folder / f"further/{name}/{product}.fits")[product].data
        np.testing.assert_array_equal(written, made[product], err_msg=product)


def test_header_names_both_kernels(run):
    header = fits.getheader(run / "results/field/further/small/excess_upper_limit.fits")
    assert (header["FURTHER"], header["SRCKERN"]) == ("small", "disk radius=0.05 deg")
    assert (header["LOOPKERN"], header["CONFLEV"]) == ("disk radius=0.12 deg", 0.95)
    assert header["STATE"] == "converged"


def test_another_kernel_reruns_nothing_of_the_loop(run):
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["further_source_kernels"]["new"] = {"shape": "disk", "radius": "0.2 deg"}
    (run / "changed.yaml").write_text(yaml.safe_dump(config))
    output = snakemake("--dry-run", "--quiet", "host", "--configfile", "changed.yaml", folder=run).stdout
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", output, flags=re.MULTILINE))
    recorded = {"record_status", "summarize_datasets", "render_page", "render_report", "all"}
    assert set(jobs) - {"total"} == {"compute_further_significance"} | recorded
    assert jobs["compute_further_significance"] == "1"


def test_maps_do_not_outlive_their_kernel(run, tmp_path):
    (tmp_path / "counts.fits").write_bytes((run / "counts.fits").read_bytes())
    stale = tmp_path / "results/field/further/gone/excess.fits"
    stale.parent.mkdir(parents=True)
    stale.touch()
    write_config(tmp_path / "config.yaml", datasets={"field": {"counts": "counts.fits"}})
    process = snakemake("results/field/status.json", folder=tmp_path)
    assert process.returncode == 0, process.stdout
    assert not stale.exists()


def test_array_that_reaches_into_the_ring_ends_in_one_line(run):
    write_map(run / "wide.fits", disk(9).astype(float))
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["further_source_kernels"] = {"wide": {"shape": "array", "path": "wide.fits"}}
    (run / "wide.yaml").write_text(yaml.safe_dump(config))
    target = "results/field/further/wide/excess.fits"
    process = snakemake("--configfile", "wide.yaml", "--", target, folder=run)
    assert process.returncode != 0
    assert "compute_further_significance field wide: further_source_kernels.wide: it shares" in process.stdout
