"""An additive background: known, not following the acceptance, with the estimate on top of it."""

import json

import numpy as np
import pytest
from astropy.io import fits
from conftest import KERNELS, snakemake, write_config, write_map

from skymask import adaptive_ring, compute_further_significance, compute_products, disk, gaussian, iterate, ring
from skymask.core.background import background_error, estimate_background
from skymask.core.inputs import prepare
from skymask.core.limits import compute_limits
from skymask.core.significance import with_additive, wstat
from skymask.errors import MapError
from skymask.io import maps
from skymask.loop.null_simulations import simulate_null
from skymask.sky.configured_kernels import background_kernel, dilation_kernel, to_pixels

#: Exact algebra.
EXACT = 1e-12
#: Sums by Fourier transforms.
FOURIER = 1e-9

SHAPE = (25, 30)
COLUMN = np.arange(SHAPE[1]) + np.zeros(SHAPE)
EVERYWHERE = np.ones(SHAPE, dtype=bool)
KERNELS_OF_ALL_KINDS = {
    "ring": ring(4, 2),
    "gaussian": gaussian(2),
    "adaptive": adaptive_ring(4, 2, step=1, max_outer_radius=8, alpha_max=1),
}


@pytest.mark.parametrize("kind", KERNELS_OF_ALL_KINDS)
def test_counts_on_top_of_a_slope_are_found_at_the_edges_too(kind):
    # Three counts per pixel on a slope: without it, a ring that ends at the map's edge is wrong.
    random = np.random.default_rng(0)
    mask = random.random(SHAPE) < 0.7
    counts = (3 + COLUMN).astype(int)
    estimate = estimate_background(
        counts, np.ones(SHAPE), mask, KERNELS_OF_ALL_KINDS[kind], source_kernel=disk(1), additive_background=COLUMN
    )
    np.testing.assert_allclose(estimate.background, 3 + COLUMN, rtol=FOURIER)


def test_acceptance_scales_what_comes_on_top_and_nothing_else():
    # One row; the background kernel is the two neighbours.
    counts, acceptance = np.array([[10, 8, 7]]), np.array([[1.0, 2.0, 4.0]])
    additive = np.array([[4.0, 1.5, 3.0]])
    estimate = estimate_background(
        counts,
        acceptance,
        np.ones((1, 3), dtype=bool),
        np.array([[True, False, True]]),
        additive_background=additive,
    )
    assert estimate.counts_off.tolist() == [[8, 17, 8]]
    assert estimate.additive_off.tolist() == [[1.5, 7, 1.5]]
    expected = [1 * 6.5 / 2 + 4, 2 * 10 / 5 + 1.5, 4 * 6.5 / 2 + 3]
    np.testing.assert_allclose(estimate.background, [expected], rtol=EXACT)
    error = [[1 * np.sqrt(8) / 2, 2 * np.sqrt(17) / 5, 4 * np.sqrt(8) / 2]]
    np.testing.assert_allclose(background_error(acceptance, estimate), error, rtol=EXACT)


def test_estimate_on_top_is_never_negative():
    counts, additive = np.full(SHAPE, 5), np.full(SHAPE, 7.0)
    estimate = estimate_background(counts, np.ones(SHAPE), EVERYWHERE, ring(3, 1), additive_background=additive)
    assert (estimate.background == 7).all()


def test_starved_pixels_have_no_background_whatever_is_known():
    estimate = estimate_background(
        np.ones(SHAPE, dtype=int), np.ones(SHAPE), ~EVERYWHERE, ring(3, 1), additive_background=COLUMN
    )
    assert np.isnan(estimate.background).all()


def test_excluded_pixels_do_not_enter():
    mask = EVERYWHERE.copy()
    mask[12, 15] = False
    counts, additive = np.full(SHAPE, 4), np.ones(SHAPE)
    before = estimate_background(counts, np.ones(SHAPE), mask, ring(3, 1), additive_background=additive)
    counts[12, 15], more = 1000, additive.copy()
    more[12, 15] = 300
    after = estimate_background(counts, np.ones(SHAPE), mask, ring(3, 1), additive_background=more)
    np.testing.assert_array_equal(after.background[mask], before.background[mask])


@pytest.mark.parametrize(
    ("n_off", "alpha", "additive_off", "additive_on", "expected"),
    [
        # b = 0.1 * 80 + 4 = 12, V = 0.01 * 100 = 1.
        (100, 0.1, 20, 4, (144, 1 / 12)),
        # Nothing additive.
        (100, 0.1, 0, 0, (100, 0.1)),
        # What follows the acceptance changes nothing: 0.1 * 60 + 4 = 0.1 * 100.
        (100, 0.1, 40, 4, (100, 0.1)),
        # Fewer counts than expected: b = 4, V = 0.01 * 200.
        (100, 0.1, 200, 4, (8, 0.5)),
        # No variance at all, no background at all.
        (0, 0.1, 0, 4, (40, 0.1)),
        (0, 0.1, 0, 0, (0, 0.1)),
    ],
)
def test_matched_measurement_has_the_background_and_its_variance(n_off, alpha, additive_off, additive_on, expected):
    np.testing.assert_allclose(with_additive(n_off, alpha, additive_off, additive_on), expected, rtol=EXACT)


def test_undefined_alpha_stays_undefined():
    assert np.isnan(with_additive(np.array([5]), np.array([np.nan]), np.array([1.0]), np.array([1.0]))).all()


SOURCE_KERNEL, RING = disk(1), ring(4, 2)


def products_of(counts, kernel=SOURCE_KERNEL, background_kernel=RING, *, additive, acceptance=None, **options):
    acceptance = np.ones(counts.shape) if acceptance is None else acceptance
    options = {"statistic": "wstat", **options}
    everywhere = np.ones(counts.shape, dtype=bool)
    return compute_products(
        counts, acceptance, everywhere, kernel, background_kernel, additive_background=additive, **options
    )


def test_significance_is_that_of_the_matched_measurement():
    # A hot pixel; the disk of radius 1 has 5 pixels. Three counts on top of two.
    counts = np.full((21, 21), 5)
    counts[10, 10] += 20
    products = products_of(counts, additive=np.full((21, 21), 2.0))
    n_ring = np.count_nonzero(ring(4, 2))
    background, variance = 5 * 5, (5 / n_ring) ** 2 * 5 * n_ring
    expected = wstat(45, background**2 / variance, variance / background)
    assert products.significance[10, 10] == pytest.approx(expected, rel=EXACT)
    assert products.excess[10, 10] == pytest.approx(20, rel=EXACT)
    # A constant follows the constant acceptance: all is as if it were not there.
    without = products_of(counts, additive=None)
    for name, image in without.maps().items():
        # Where there is no excess, the significance is the root of what rounding left of zero.
        np.testing.assert_allclose(getattr(products, name), image, rtol=EXACT, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("statistic", ["wstat", "cash"])
def test_products_belong_together(statistic):
    counts = np.random.default_rng(1).poisson(2 + COLUMN / 5)
    products = products_of(counts, additive=COLUMN / 5, statistic=statistic)
    n_on = counts[12, 15] + counts[11, 15] + counts[13, 15] + counts[12, 14] + counts[12, 16]
    if statistic == "wstat":
        mu = products.alpha[12, 15] * products.counts_off[12, 15]
        assert products.significance[12, 15] == pytest.approx(
            wstat(n_on, products.counts_off[12, 15], products.alpha[12, 15]), rel=EXACT
        )
    else:
        background = products.background
        mu = sum(background[y, x] for y, x in ((12, 15), (11, 15), (13, 15), (12, 14), (12, 16)))
    assert products.excess[12, 15] == pytest.approx(n_on - mu, rel=1e-9)


def test_significance_is_normal_over_a_steep_additive_background():
    # Mostly additive, twenty times more at one end than at the other; the estimate is of a tenth of it.
    shape = (200, 200)
    additive = np.linspace(0.5, 10, 200) + np.zeros(shape)
    counts = np.random.default_rng(2).poisson(0.5 + additive)
    significance = products_of(counts, disk(3), ring(10, 8), additive=additive).significance
    # As many independent pixels as disks (29 pixels) fit in, about 1380: errors of 0.027 and 0.019; three of them.
    assert abs(significance.mean()) < 0.08
    assert abs(significance.std() - 1) < 0.06
    blind = products_of(counts, disk(3), ring(10, 8), additive=None).significance
    assert abs(blind[:, :5].mean()) > 1


def test_errors_of_the_excess_are_those_of_the_matched_measurement():
    # Many counts: the variance of the excess is that of the on counts and of alpha n_off.
    counts, additive = np.full((31, 31), 500), np.full((31, 31), 300.0)
    additive[:, :15] = 200
    products = products_of(counts, additive=additive)
    limits = compute_limits(counts, np.ones((31, 31)), products.maps(), disk(1))
    n_ring = np.count_nonzero(ring(4, 2))
    sigma = np.sqrt(5 * 500 + (5 / n_ring) ** 2 * 500 * n_ring)
    assert limits.excess_errp[15, 15] == pytest.approx(sigma, rel=0.01)
    assert limits.excess_errn[15, 15] == pytest.approx(sigma, rel=0.01)


@pytest.mark.parametrize("statistic", ["wstat", "cash"])
def test_further_kernel_gives_what_it_gives_as_the_source_kernel(statistic):
    additive, acceptance = 1 + COLUMN / 10, 1 + COLUMN[:, ::-1] / 20
    counts = np.random.default_rng(3).poisson(2 * acceptance + additive)
    options = {"acceptance": acceptance, "statistic": statistic, "additive": additive}
    of_loop = products_of(counts, **options).maps()
    expected = products_of(counts, disk(3), **options).maps()
    made = compute_further_significance(
        counts,
        acceptance,
        of_loop,
        disk(1),
        disk(3),
        ring(4, 2),
        statistic=statistic,
        additive_background=additive,
    )
    for name in ("alpha", "significance", "excess"):
        np.testing.assert_allclose(made[name], expected[name], rtol=1e-10, atol=1e-10, err_msg=name)


def test_null_simulations_know_of_it():
    additive = np.linspace(0, 30, 60) + np.zeros((60, 60))
    acceptance, mask = np.ones((60, 60)), np.ones((60, 60), dtype=bool)
    options = {"number": 20, "seed": 1}
    null = simulate_null(1 + additive, acceptance, mask, disk(1), ring(8, 4), additive_background=additive, **options)
    blind = simulate_null(1 + additive, acceptance, mask, disk(1), ring(8, 4), **options)
    # Without it, the slope of the background is taken for sources and widens the distribution.
    assert abs(null.widths.mean() - 1) < 0.05 < blind.widths.mean() - 1


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "additive_background is undefined in 1 pixels .first at x = 2, y = 1: nan"),
        (np.inf, "additive_background is infinite in 1 pixels"),
        (-0.5, "additive_background is negative in 1 pixels .first at x = 2, y = 1: -0.5"),
    ],
)
def test_map_that_is_no_additive_background_is_refused(value, message):
    additive = np.zeros(SHAPE)
    additive[1, 2] = value
    with pytest.raises(MapError, match=message):
        prepare(np.ones(SHAPE), additive_background=additive)


def test_without_coverage_anything_may_stand():
    counts, additive = np.ones(SHAPE), np.full(SHAPE, 0.5)
    counts[1, 2:5] = np.nan
    additive[1, 2:5] = [np.nan, -1, np.inf]
    inputs = prepare(counts, additive_background=additive)
    assert inputs.additive_background[1, 2:5].tolist() == [0, 0, 0]
    assert inputs.warnings == []


def test_more_expected_than_seen_is_a_warning():
    (warning,) = prepare(np.ones(SHAPE), additive_background=np.full(SHAPE, 2)).warnings
    assert warning.startswith("additive_background expects 1500 counts in the used pixels, and there are 750")


# In the workflow.

FURTHER = {"large": {"shape": "disk", "radius": "0.25 deg"}}


def field():
    """Counts of a source on a slope that does not follow the acceptance, the slope, and the acceptance."""
    y, x = np.mgrid[-30:30, -30:30]
    additive = 1.0 + (x + 30) / 15
    acceptance = np.exp(-(y**2 + x**2) / (2 * 30.0**2))
    source = 6 * np.exp(-(y**2 + x**2) / (2 * 3.0**2))
    return np.random.default_rng(1).poisson(2 * acceptance + additive + source), additive, acceptance


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a run")
    for name, image in zip(("counts", "additive", "acceptance"), field(), strict=True):
        write_map(folder / f"{name}.fits", image)
    files = {"counts": "counts.fits", "acceptance": "acceptance.fits", "additive_background": "additive.fits"}
    negative = field()[1]
    negative[3, 4] = -1
    write_map(folder / "negative.fits", negative)
    datasets = {
        "field": files,
        "known": {**files, "statistic": "cash"},
        "bad": {"counts": "counts.fits", "additive_background": "negative.fits"},
    }
    write_config(folder / "config.yaml", datasets=datasets, further_source_kernels=FURTHER, checkpoint_groups=1)
    products = ("excess_upper_limit.fits", "further/large/excess.fits")
    process = snakemake(
        *(f"results/{dataset}/status.json" for dataset in ("field", "bad")),
        *(f"results/{dataset}/{name}" for dataset in ("field", "known") for name in products),
        folder=folder,
    )
    assert process.returncode == 0, process.stdout
    return folder


@pytest.mark.parametrize(("dataset", "statistic"), [("field", "wstat"), ("known", "cash")])
def test_workflow_and_iterate_agree_bit_for_bit(run, dataset, statistic):
    size = (0.05, 0.05)
    counts, additive, acceptance = field()
    kernels = {key: KERNELS[key] for key in ("source_kernel", "background_kernel")}
    source_kernel, ring_kernel = (
        to_pixels(kernels["source_kernel"], size),
        to_pixels(kernels["background_kernel"], size),
    )
    result = iterate(
        counts,
        acceptance=acceptance,
        additive_background=additive,
        source_kernel=source_kernel,
        background_kernel=background_kernel(size, **kernels, statistic=statistic),
        dilation_kernel=dilation_kernel(KERNELS["dilation_radius"], size),
        statistic=statistic,
    )
    made = result.products.maps()
    for name, image in {"exclusion_mask": result.exclusion_mask, **made}.items():
        written = maps.read_product(run / f"results/{dataset}/{name}.fits")[name].data
        np.testing.assert_array_equal(written, image, err_msg=name)
    assert fits.getheader(run / f"results/{dataset}/excess.fits")["NITER"] == result.iterations > 1
    further = compute_further_significance(
        counts,
        acceptance,
        made,
        source_kernel,
        to_pixels(FURTHER["large"], size),
        ring_kernel,
        statistic=statistic,
        additive_background=additive,
    )
    for name, image in further.items():
        written = maps.read_product(run / f"results/{dataset}/further/large/{name}.fits")[name].data
        np.testing.assert_array_equal(written, image, err_msg=name)


def test_header_names_the_file(run):
    header = fits.getheader(run / "results/field/background.fits")
    assert header["FILADD"] == "additive.fits"
    assert len(header["SHAADD"]) == 64


def test_field_is_normal_off_its_source(run):
    status = json.loads((run / "results/field/status.json").read_text())
    # Errors by simulations of the same field.
    assert abs(status["off_source_mean"]) < 4 * status["off_source_mean_error"]
    assert abs(status["off_source_width"] - 1) < 4 * status["off_source_width_error"]


def test_bad_map_ends_its_dataset_alone(run):
    status = json.loads((run / "results/bad/status.json").read_text())
    assert status["state"] == "failed"
    assert status["reason"].startswith("additive_background is negative in 1 pixels (first at x = 4, y = 3: -1)")
