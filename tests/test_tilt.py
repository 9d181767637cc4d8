"""The field of view with a tilt: a norm that is linear in the position, fitted outside the mask."""

import json
import warnings

import numpy as np
import pytest
from conftest import KERNELS, field_with_source, snakemake, write_config, write_map
from scipy.optimize import minimize

from skymask import Run, compute_products, disk, field_of_view, iterate, iterate_runs
from skymask.core import tilt
from skymask.core.background import background_error, estimate_background
from skymask.core.inputs import prepare
from skymask.core.measured import Part
from skymask.core.quality import fit_off_source
from skymask.datasets.reading import check_kernels
from skymask.errors import ConvergenceWarning, MapError
from skymask.io import maps
from skymask.sky.configured_kernels import dilation_kernel, to_pixels
from skymask.sky.region_catalogue import catalogue_regions

#: Exact algebra, and the end of a fit at 1e-8 standard errors.
EXACT, FITTED = 1e-10, 1e-8

SHAPE = (21, 31)
TILTED = field_of_view(tilt=True)
Y, X = np.mgrid[-10:11, -15:16]
ACCEPTANCE = np.where(abs(X) > 13, 0.0, 1.0 + (Y > 0))
EVERYWHERE = np.ones(SHAPE, dtype=bool)


def slope():
    """Return whole numbers that are the acceptance times a linear function: 80 in the middle, and a tilt."""
    return (ACCEPTANCE * (80 + X - 2 * Y)).astype(int)


def estimate(counts, mask=EVERYWHERE, acceptance=ACCEPTANCE, **options):
    return estimate_background(counts, acceptance, mask, TILTED, **options)


def test_linear_norm_is_recovered_and_excluded_sources_leave_no_trace():
    expected = np.where(ACCEPTANCE > 0, slope(), np.nan)
    np.testing.assert_allclose(estimate(slope()).background, expected, rtol=EXACT)
    source = (X - 5) ** 2 + Y**2 < 9
    np.testing.assert_allclose(estimate(slope() + 500 * source, ~source).background, expected, rtol=EXACT)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("additive", [None, 3.0 + 2.0 * (X > 0)], ids=["alone", "over a known one"])
def test_fit_is_that_of_a_general_minimiser(seed, additive):
    rng = np.random.default_rng(seed)
    used = (rng.random(SHAPE) < 0.8) & (ACCEPTANCE > 0)
    known = 0 if additive is None else additive
    counts = rng.poisson(slope() / 10 + known)
    positions = tilt.positions(SHAPE)

    def minus_likelihood(norms):
        mu = (ACCEPTANCE * sum(norms[i] * positions[i] for i in range(3)) + known)[used]
        return (mu - counts[used] * np.log(mu)).sum()

    best = minimize(
        minus_likelihood,
        [8, 0, 0],
        bounds=[(6, 10), (-3, 3), (-3, 3)],
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-12},
    )
    # The minimiser sees differences of the likelihood, of order 1e3, down to its last digits: norms to half as many.
    np.testing.assert_allclose(tilt.fit_tilt(counts, ACCEPTANCE, used, additive), best.x, atol=1e-5)


def test_error_is_the_scatter_of_the_background():
    rng = np.random.default_rng(2)
    mask = X < 9
    truth = slope() / 10
    fitted = [estimate(rng.poisson(truth), mask).background for _ in range(300)]
    with np.errstate(invalid="ignore"):
        scatter = np.std(fitted, axis=0)
    error = background_error(ACCEPTANCE, estimate(slope(), mask)) / np.sqrt(10)
    # The scatter of 300 has a relative error of 4 per cent, and neighbours share it.
    np.testing.assert_allclose(scatter / error, np.where(ACCEPTANCE > 0, 1, np.nan), atol=0.16)


def test_error_in_the_middle_of_a_flat_field_is_that_of_one_norm_and_grows_outwards():
    counts, flat = np.full(SHAPE, 4), np.ones(SHAPE)
    error = background_error(flat, estimate(counts, acceptance=flat))
    assert error[10, 15] == pytest.approx(np.sqrt(counts.sum()) / counts.size, rel=EXACT)
    # The variance of x^2 over 31 positions is 32 / 90, of y^2 over 21 positions 22 / 60.
    at_corner = error[10, 15] * np.sqrt(1 + 90 / 32 + 60 / 22)
    np.testing.assert_allclose(error[[0, 0, -1, -1], [0, -1, 0, -1]], at_corner, rtol=EXACT)


def test_known_background_that_follows_the_acceptance_changes_nothing():
    rng = np.random.default_rng(3)
    counts = rng.poisson(slope() / 10)
    plain = compute_products(counts, ACCEPTANCE, EVERYWHERE, disk(2), TILTED, statistic="wstat")
    over = compute_products(
        counts, ACCEPTANCE, EVERYWHERE, disk(2), TILTED, statistic="wstat", additive_background=0.5 * ACCEPTANCE
    )
    for name in ("background", "background_error", "significance", "alpha", "counts_off"):
        np.testing.assert_allclose(getattr(over, name), getattr(plain, name), rtol=1e-6, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("flip", [(slice(None, None, -1), slice(None)), (slice(None), slice(None, None, -1))])
def test_flipped_counts_give_the_flipped_background(flip):
    counts = np.random.default_rng(4).poisson(slope() / 10)
    flipped = estimate(counts[flip], acceptance=ACCEPTANCE[flip]).background
    np.testing.assert_allclose(flipped, estimate(counts).background[flip], rtol=FITTED)


def test_off_source_distribution_of_a_tilted_field_is_standard_normal():
    y, x = np.mgrid[-1:1:90j, -1:1:100j]
    counts = np.random.default_rng(5).poisson(8 * (1 + 0.3 * x - 0.2 * y))
    everywhere, flat = np.ones(counts.shape, dtype=bool), np.ones(counts.shape)
    fits = {
        kernel: fit_off_source(
            compute_products(counts, flat, everywhere, disk(3), kernel, statistic="wstat").significance.ravel(), 5
        )
        for kernel in (TILTED, field_of_view())
    }
    # 9000 pixels are about 300 disks: errors of 0.06 and 0.04.
    assert fits[TILTED] == pytest.approx((0, 1), abs=0.2)
    assert fits[field_of_view()][1] > 2


def test_counts_of_a_region_have_the_error_of_their_norms():
    region = (abs(X) < 3) & (abs(Y) < 2)
    mask = ~region
    background = estimate(slope(), mask).background
    significance = np.zeros(SHAPE)
    (row,), _ = catalogue_regions(
        slope(),
        ACCEPTANCE > 0,
        [mask, mask],
        mask,
        background,
        significance,
        [Part(slope(), ACCEPTANCE, TILTED)],
    )
    used = mask & (ACCEPTANCE > 0)
    fisher, vector = np.zeros((3, 3)), np.zeros(3)
    for y, x in np.ndindex(SHAPE):
        position = np.array([1, X[y, x] / 15, Y[y, x] / 10])
        if used[y, x]:
            fisher += ACCEPTANCE[y, x] ** 2 / background[y, x] * np.outer(position, position)
        if region[y, x]:
            vector += ACCEPTANCE[y, x] * position
    assert row["background_error"] == pytest.approx(np.sqrt(vector @ np.linalg.inv(fisher) @ vector), rel=1e-9)


ONE_COLUMN = X == 3
STEEP = (ACCEPTANCE * (30 - 8 * (X + 8))).clip(0).astype(int)
UNDETERMINED = {
    "used pixels in one column": (slope(), ONE_COLUMN),
    "no counts": (np.zeros(SHAPE, dtype=int), EVERYWHERE),
    "no used pixel": (slope(), ~EVERYWHERE),
    "counts in a corner, and a tilt that goes below zero": (slope() * ((X < -8) & (Y > 5)), EVERYWHERE),
    "a norm that is negative where nothing is used": (STEEP, X < -7),
}


@pytest.mark.parametrize(("counts", "mask"), UNDETERMINED.values(), ids=UNDETERMINED)
def test_tilt_that_is_not_determined_gives_no_background_anywhere(counts, mask):
    assert np.isnan(estimate(counts, mask).background).all()


def independent_norms(counts, acceptance, used, additive_background=None):
    """Return the most likely norms by Newton's method with short steps alone, None where it ends nowhere."""
    known = np.zeros(counts.shape) if additive_background is None else additive_background
    slopes = np.stack([acceptance * position for position in tilt.positions(counts.shape)])[:, used].T
    seen, known = counts[used], known[used]
    there = seen > 0
    norms = np.array([seen.sum() / slopes[:, 0].sum(), 0, 0])
    for _ in range(500):
        mu = slopes @ norms + known
        weighted = slopes[there] * (seen[there] / mu[there])[:, None]
        gradient = weighted.sum(axis=0) - slopes.sum(axis=0)
        step = np.linalg.lstsq(weighted.T @ (weighted / seen[there, None]), gradient)[0]
        length = np.sqrt(max(gradient @ step, 0))
        if length < 1e-9:
            return norms if mu.min() > 0 else None
        norms = norms + step / (1 + length if length > 0.2 else 1)
    return None


def bright_field(seed):
    """Return counts with a gradient and a source that outshines the field, few or many."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[-1:1:25j, -1:1:31j]
    slope_y, slope_x = random.uniform(-0.6, 0.6, 2)
    level, source = 10 ** random.uniform(-0.5, 1), 10 ** random.uniform(1, 4.5)
    y_0, x_0 = random.uniform(-0.8, 0.8, 2)
    shape = np.exp(-((y - y_0) ** 2 + (x - x_0) ** 2) / 0.02)
    return random.poisson(level * (1 + slope_y * y + slope_x * x).clip(0.05) + source * shape / shape.sum())


def test_maximum_of_one_bright_pixel_is_found():
    counts = np.ones((5, 5), dtype=int)
    counts[1, 1] = 51
    norms = tilt.fit_tilt(counts, np.ones((5, 5)), np.ones((5, 5), dtype=bool))
    np.testing.assert_allclose(norms, [3.0, -1.3706, -1.3706], atol=5e-5)
    background = estimate_background(counts, np.ones((5, 5)), np.ones((5, 5), dtype=bool), TILTED).background
    assert background.min() == pytest.approx(3 - 2 * 1.3706, abs=1e-4)


def test_bright_extended_source_is_excluded_and_the_loop_converges():
    y, x = np.mgrid[:60, :60] - 29.5
    source = np.exp(-(x**2 + y**2) / 18)
    counts = np.random.default_rng(0).poisson(1 + 30_000 * source / source.sum())
    result = iterate(counts, source_kernel=disk(2), background_kernel=TILTED, dilation_kernel=disk(2))
    assert result.state == "converged"
    assert not result.exclusion_mask[30, 30]


@pytest.mark.parametrize("seed", range(40))
def test_loop_in_random_fields_ends_as_with_an_independent_solver(seed, monkeypatch):
    options = {"source_kernel": disk(2), "background_kernel": TILTED, "dilation_kernel": disk(1), "max_iterations": 15}
    ends = []
    for solver in (tilt.fit_tilt, independent_norms):
        monkeypatch.setattr(tilt, "fit_tilt", solver)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            ends.append(iterate(bright_field(seed), **options))
    ours, other = ends
    assert (ours.state, ours.iterations) == (other.state, other.iterations)
    np.testing.assert_array_equal(ours.exclusion_mask, other.exclusion_mask)


def test_maximum_beyond_positive_norms_is_none():
    # Counts in one half alone: the most likely norm would be negative in the other.
    counts = np.where(X > 0, 5, 0)
    assert tilt.fit_tilt(counts, np.ones(SHAPE), EVERYWHERE) is None
    assert independent_norms(counts, np.ones(SHAPE), EVERYWHERE) is None


def test_no_background_anywhere_is_said_in_python():
    with pytest.warns(ConvergenceWarning, match="no pixel has a background with the final mask"):
        result = iterate(
            slope(), exclusion_mask=ONE_COLUMN, source_kernel=disk(1), background_kernel=TILTED, dilation_kernel=disk(1)
        )
    assert result.state == "runaway"


def test_run_of_a_stack_without_a_norm_is_named():
    block = tuple(slice(0, n) for n in SHAPE)
    good, bad = slope(), np.where(X > 0, 5, 0)
    runs = [Run(counts[None], np.ones((1, *SHAPE)), block, name=name) for counts, name in ((good, ""), (bad, "run b"))]
    with pytest.warns(ConvergenceWarning, match="no background could be estimated with the final mask for run b: no"):
        iterate_runs(
            runs, SHAPE, source_kernel=disk(1), background_kernel=TILTED, dilation_kernel=disk(1), threshold=60
        )


def test_both_runs_of_a_stack_with_a_source_count():
    y, x = np.mgrid[:20, :20] - 9.5
    source = np.exp(-(x**2 + y**2) / 4)
    runs = [
        Run(
            np.random.default_rng(n).poisson(0.5 + n * source / source.sum())[None],
            np.ones((1, 20, 20)),
            (slice(0, 20),) * 2,
        )
        for n in (1000, 300)
    ]
    result = iterate_runs(
        runs, (20, 20), source_kernel=disk(1), background_kernel=TILTED, dilation_kernel=disk(1), threshold=60
    )
    assert (result.products.runs == 2).all()


SETTINGS = {
    "source_kernel": KERNELS["source_kernel"],
    "background_kernel": {"shape": "field_of_view", "tilt": True},
    "dilation_radius": KERNELS["dilation_radius"],
    "statistic": "wstat",
}


def test_tilt_that_cannot_be_fitted_at_the_start_is_refused_in_one_line():
    assert check_kernels(prepare(slope(), acceptance=ACCEPTANCE), (0.05, 0.05), **SETTINGS) == []
    with pytest.raises(MapError, match=r"background_kernel.tilt cannot be fitted: .* take tilt: false$"):
        check_kernels(prepare(slope(), exclusion_mask=ONE_COLUMN), (0.05, 0.05), **SETTINGS)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a run")
    counts = field_with_source() + np.random.default_rng(1).poisson(np.linspace(0, 2, 60) + np.zeros((60, 60)))
    write_map(folder / "counts.fits", counts)
    write_map(folder / "mask.fits", (np.arange(60) + np.zeros((60, 60)) == 30).astype(np.uint8))
    kernel = {"shape": "field_of_view", "tilt": True}
    datasets = {"field": {"counts": "counts.fits"}, "column": {"counts": "counts.fits", "exclusion_mask": "mask.fits"}}
    write_config(folder / "config.yaml", datasets=datasets, background_kernel=kernel, null_simulations={"number": 2})
    targets = [f"results/field/{name}" for name in ("significance.fits", "regions.ecsv", "null.json")]
    process = snakemake(*targets, "results/column/status.json", folder=folder)
    assert process.returncode == 0, process.stdout
    return folder, counts


def test_workflow_and_iterate_agree_bit_for_bit(run):
    folder, counts = run
    size = (0.05, 0.05)
    result = iterate(
        counts,
        source_kernel=to_pixels(KERNELS["source_kernel"], size),
        background_kernel=TILTED,
        dilation_kernel=dilation_kernel(KERNELS["dilation_radius"], size),
    )
    assert result.state == "converged"
    assert not result.exclusion_mask[30, 30]
    for name, image in {"exclusion_mask": result.exclusion_mask, **result.products.maps()}.items():
        written = maps.read_product(folder / f"results/field/{name}.fits")[name]
        np.testing.assert_array_equal(written.data, image, err_msg=name)
    assert written.header["BKGKERN"] == "field_of_view tilt=True"


def test_dataset_whose_tilt_cannot_be_fitted_ends_alone_and_says_why(run):
    status = json.loads((run[0] / "results/column/status.json").read_text())
    assert status["state"] == "failed"
    assert status["reason"].startswith("background_kernel.tilt cannot be fitted")
