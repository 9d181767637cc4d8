"""Significances against published formulas, tables and limits, and what is summed to get there."""

import numpy as np
import pytest

from skymask.core.background import Background, estimate_background
from skymask.core.kernels import disk, gaussian, ring
from skymask.core.significance import cash, cash_with_systematic, compute_significance, with_systematic, wstat

# Sums of a few dozen are exact to 1e-14; the root of a difference that is nearly zero keeps half the digits.
NEAR_ZERO = 1e-6


# The cases of design/method.md with all their digits; the limits are derived from the formula.
@pytest.mark.parametrize(
    ("n_on", "mu", "expected"),
    [(10, 4.2, 2.3979181291475453), (0, 4.2, -np.sqrt(8.4)), (0, 0, 0), (7, 7, 0), (3, 0, np.inf)],
)
def test_cash_has_the_value_of_the_table(n_on, mu, expected):
    assert cash(n_on, mu) == pytest.approx(expected, rel=1e-12)


def test_cash_has_the_value_of_the_table_to_the_digits_printed():
    assert cash(10, 2) == pytest.approx(4.0235256, abs=1e-7)


@pytest.mark.parametrize(
    ("n_on", "n_off", "alpha", "expected"),
    [
        (10, 20, 0.1, 3.6850322319420274),
        (0, 20, 0.1, -np.sqrt(40 * np.log(1.1))),
        (10, 0, 0.1, np.sqrt(20 * np.log(11))),
        (0, 0, 0.1, 0),
        (0, 0, 3, 0),
    ],
)
def test_wstat_has_the_value_of_the_table(n_on, n_off, alpha, expected):
    assert wstat(n_on, n_off, alpha) == pytest.approx(expected, rel=1e-12)


def test_wstat_has_the_value_of_the_table_to_the_digits_printed():
    assert wstat(130, 400, 0.25) == pytest.approx(2.5396, abs=5e-5)


@pytest.mark.parametrize("mu", [0, 4.2])
def test_cash_of_an_undefined_count_or_background_is_undefined(mu):
    assert np.isnan(cash([3, 0], np.nan)).all()
    assert np.isnan(cash(np.nan, mu))


@pytest.mark.parametrize("alpha", [0, -0.1, np.nan, np.inf])
def test_wstat_without_a_usable_alpha_is_undefined(alpha):
    assert np.isnan(wstat([0, 10], [0, 20], alpha)).all()


def test_wstat_of_equal_exposures_is_antisymmetric():
    on, off = np.meshgrid(np.arange(20), np.arange(20))
    np.testing.assert_allclose(wstat(on, off, 1.0), -wstat(off, on, 1.0), rtol=0, atol=NEAR_ZERO)


def test_wstat_tends_to_cash_when_the_background_is_measured_ever_better():
    n_on, mu, alpha = np.array([0, 1, 5, 12, 40]), 6.0, 1e-6
    # The next term of the expansion is alpha times a number of order n; the logarithms round at n / alpha times 1e-16.
    np.testing.assert_allclose(wstat(n_on, mu / alpha, alpha), cash(n_on, mu), rtol=1e-4)


@pytest.mark.parametrize("statistic", [lambda n: cash(n, 10.0), lambda n: wstat(n, 40, 0.25)], ids=["cash", "wstat"])
def test_significance_has_the_sign_of_the_excess_and_grows_with_the_counts(statistic):
    significance = statistic(np.arange(30))
    assert (np.sign(significance) == np.sign(np.arange(30) - 10)).all()
    assert (np.diff(significance) > 0).all()


@pytest.mark.parametrize("n_on", [2**40, 10**12])
def test_rounding_of_large_equal_numbers_gives_no_undefined_root(n_on):
    assert cash(n_on, float(n_on)) == 0
    # The two terms, each of order n_on, cancel to 1e-16 n_on at worst.
    assert abs(wstat(n_on, 3 * n_on, 1 / 3)) < np.sqrt(1e-15 * n_on)


# Systematic errors of the background.


def test_without_systematic_error_nothing_changes():
    n_on, n_off, alpha = np.meshgrid(np.arange(6), np.arange(6), [0.1, 1 / 3])
    assert with_systematic(n_off, alpha, 0)[0] is n_off
    assert with_systematic(n_off, alpha, 0)[1] is alpha
    assert np.array_equal(cash_with_systematic(n_on, alpha, 0), cash(n_on, alpha))


@pytest.mark.parametrize(("n_off", "sigma"), [(0, 0.1), (1, 0.5), (400, 0.05), (10**8, 0.01)])
def test_systematic_error_keeps_the_background_and_adds_to_its_relative_variance(n_off, sigma):
    effective, alpha = with_systematic(n_off, 0.2, sigma)
    assert alpha * effective == pytest.approx(0.2 * n_off, rel=1e-12)
    if n_off:
        # The relative variance of a number of counts is one over it.
        assert 1 / effective == pytest.approx(1 / n_off + sigma**2, rel=1e-12)


@pytest.mark.parametrize("sigma", [0.02, 0.3, 1])
def test_known_background_with_a_systematic_error_is_a_measured_one(sigma):
    n_on, mu = np.meshgrid(np.arange(30), [0.5, 4.2, 20])
    measured = wstat(n_on, sigma**-2, mu * sigma**2)
    np.testing.assert_allclose(cash_with_systematic(n_on, mu, sigma), measured, rtol=1e-9, atol=NEAR_ZERO)


@pytest.mark.parametrize("sigma", [1e-12, 1e-8, 1e-5])
def test_small_systematic_error_tends_to_none(sigma):
    n_on, mu = np.meshgrid(np.arange(30), [0.5, 4.2, 20])
    # The variance grows by sigma^2 mu of itself, the next term of the logarithm is of order n^2 sigma^2.
    np.testing.assert_allclose(cash_with_systematic(n_on, mu, sigma), cash(n_on, mu), rtol=1e-7, atol=NEAR_ZERO)
    off = with_systematic(80, mu / 80, sigma)
    np.testing.assert_allclose(wstat(n_on, *off), wstat(n_on, 80, mu / 80), rtol=1e-7, atol=NEAR_ZERO)


@pytest.mark.parametrize("sigma", [0.003, 0.01])
def test_in_a_deep_field_the_excess_is_compared_with_the_systematic_error_alone(sigma):
    # A thousandth of the background, and Poisson errors of 1e-5 of it.
    mu = 1e10
    excess = 1e-3 * mu
    expected = excess / (sigma * mu)
    assert cash_with_systematic(mu + excess, mu, sigma) == pytest.approx(expected, rel=1e-3)
    assert wstat(mu + excess, *with_systematic(10 * mu, 0.1, sigma)) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    "statistic",
    [lambda sigma: cash_with_systematic(30, 12.0, sigma), lambda sigma: wstat(30, *with_systematic(48, 0.25, sigma))],
    ids=["cash", "wstat"],
)
def test_significance_falls_with_the_systematic_error(statistic):
    assert (np.diff([statistic(sigma) for sigma in (0, 0.01, 0.1, 0.3, 1)]) < 0).all()


def test_known_background_of_nothing_has_no_relative_error():
    assert cash_with_systematic([0, 3], 0.0, 0.1).tolist() == [0, np.inf]
    assert np.isnan(cash_with_systematic(3, np.nan, 0.1))


@pytest.mark.parametrize("source_kernel", [disk(1), gaussian(0.8)])
def test_systematic_error_changes_the_significance_and_no_other_map(source_kernel):
    counts, acceptance = flat(9)
    counts[5, 6] = 40
    estimate = estimate_background(counts, acceptance, everywhere(), ring(3, 1))
    plain = compute_significance(counts, acceptance, estimate, source_kernel)
    wide = compute_significance(counts, acceptance, estimate, source_kernel, background_systematic=0.1)
    assert 0 < wide.significance[5, 6] < plain.significance[5, 6]
    assert np.array_equal(wide.excess, plain.excess)
    assert np.array_equal(wide.alpha, plain.alpha)


def test_systematic_error_of_a_map_is_that_of_its_pixels():
    counts, acceptance = flat(2)
    counts[5, 6] = 12
    estimate = estimate_background(counts, acceptance, everywhere(), ring(3, 1))
    n_ring = int(ring(3, 1).sum())
    measured = compute_significance(counts, acceptance, estimate, disk(1), background_systematic=0.2)
    known = compute_significance(
        counts, acceptance, Background(np.full(counts.shape, 2.0)), disk(1), background_systematic=0.2
    )
    expected = wstat(20, *with_systematic(2 * n_ring, 5 / n_ring, 0.2))
    assert measured.significance[5, 6] == pytest.approx(expected, rel=1e-12)
    assert known.significance[5, 6] == pytest.approx(cash_with_systematic(20, 10, 0.2), rel=1e-12)


def flat(value, shape=(11, 13)):
    return np.full(shape, value), np.ones(shape)


def everywhere(shape=(11, 13)):
    return np.ones(shape, dtype=bool)


@pytest.mark.parametrize("statistic", ["cash", "wstat"])
@pytest.mark.parametrize("source_kernel", [disk(0), disk(2), gaussian(0.8)])
def test_counts_equal_to_the_background_have_no_significance_at_the_edges_either(statistic, source_kernel):
    counts, acceptance = flat(9)
    estimate = estimate_background(counts, acceptance, everywhere(), ring(3, 1))
    result = compute_significance(counts, acceptance, estimate, source_kernel, statistic=statistic)
    np.testing.assert_allclose(result.significance, 0, atol=NEAR_ZERO)
    np.testing.assert_allclose(result.excess, 0, atol=1e-9)


def test_off_counts_are_not_correlated_a_second_time():
    counts, acceptance = flat(2)
    counts[5, 6] = 12
    estimate = estimate_background(counts, acceptance, everywhere(), ring(3, 1))
    result = compute_significance(counts, acceptance, estimate, disk(1))
    n_ring = int(ring(3, 1).sum())
    # On: four pixels of 2 and one of 12; off: the ring of twos.
    assert result.significance[5, 6] == pytest.approx(wstat(20, 2 * n_ring, 5 / n_ring), rel=1e-12)
    assert result.alpha[5, 6] == pytest.approx(5 / n_ring, rel=1e-12)
    assert result.excess[5, 6] == pytest.approx(10, rel=1e-12)


def test_cash_sums_counts_and_background_under_the_source_kernel():
    counts = np.arange(9).reshape(3, 3)
    background = Background(np.linspace(1, 9, 9).reshape(3, 3))
    result = compute_significance(counts, np.ones((3, 3)), background, disk(1), statistic="cash")
    # Centre: 1 + 3 + 4 + 5 + 7 over one more in each of five pixels; corner: 0 + 1 + 3 over 1 + 2 + 4.
    assert result.significance[1, 1] == pytest.approx(cash(20, 25), rel=1e-12)
    assert result.significance[0, 0] == pytest.approx(cash(4, 7), rel=1e-12)
    assert result.excess[1, 1] == pytest.approx(-5, rel=1e-12)


@pytest.mark.parametrize("statistic", ["cash", "wstat"])
def test_given_background_counts_as_known_whatever_the_statistic(statistic):
    counts, acceptance = flat(2)
    result = compute_significance(counts, acceptance, Background(np.full((11, 13), 1.5)), disk(1), statistic=statistic)
    assert result.significance[5, 5] == pytest.approx(cash(10, 7.5), rel=1e-12)
    assert result.alpha is None


def test_background_sum_is_undefined_if_that_of_any_covered_pixel_is():
    counts, acceptance = flat(2)
    background = np.full((11, 13), 2.0)
    background[5, 6] = np.nan
    result = compute_significance(counts, acceptance, Background(background), disk(1), statistic="cash")
    undefined = np.zeros((11, 13), dtype=bool)
    for dy, dx in [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)]:
        undefined[5 + dy, 6 + dx] = True
    assert np.array_equal(np.isnan(result.significance), undefined)
    assert np.array_equal(np.isnan(result.excess), undefined)


@pytest.mark.parametrize("statistic", ["cash", "wstat"])
@pytest.mark.parametrize("source_kernel", [disk(1), gaussian(0.5)])
def test_pixels_without_coverage_leave_counts_and_background_alike(statistic, source_kernel):
    coverage = everywhere()
    coverage[4:7, 5:8] = False
    counts, acceptance = 4 * coverage.astype(int), coverage.astype(float)
    estimate = estimate_background(counts, acceptance, everywhere(), ring(3, 1))
    result = compute_significance(counts, acceptance, estimate, source_kernel, statistic=statistic)
    np.testing.assert_allclose(result.significance[coverage], 0, atol=NEAR_ZERO)


@pytest.mark.parametrize("statistic", ["cash", "wstat"])
def test_pixels_without_coverage_are_undefined_in_every_map(statistic):
    coverage = everywhere()
    coverage[4:7, 5:8] = False
    counts, acceptance = 4 * coverage.astype(int), coverage.astype(float)
    estimate = estimate_background(counts, acceptance, everywhere(), ring(3, 1))
    for image in compute_significance(counts, acceptance, estimate, disk(1), statistic=statistic):
        assert np.array_equal(np.isnan(image), ~coverage)


@pytest.mark.parametrize("source_kernel", [disk(1), gaussian(0.5)])
@pytest.mark.parametrize("statistic", ["cash", "wstat"])
def test_starved_pixels_are_undefined_and_warn_of_nothing(statistic, source_kernel):
    counts, acceptance = flat(5)
    mask = np.zeros((11, 13), dtype=bool)
    mask[:, :3] = True
    estimate = estimate_background(counts, acceptance, mask, ring(3, 1))
    result = compute_significance(counts, acceptance, estimate, source_kernel, statistic=statistic)
    # Used pixels end at x = 2, the ring at 4 pixels: nothing reaches beyond x = 6.
    assert np.isnan(result.significance[:, 7:]).all()
    assert not np.isnan(result.significance[:, :3]).any()


def test_counts_over_a_background_of_zero_are_infinitely_significant_with_cash():
    counts, acceptance = flat(0)
    counts[5, 6] = 1
    estimate = estimate_background(counts, acceptance, everywhere(), ring(3, 1))
    result = compute_significance(counts, acceptance, estimate, disk(0), statistic="cash")
    assert result.significance[5, 6] == np.inf
    assert result.significance[0, 0] == 0


WEIGHTS = np.array([[0.5, 1.0, 0.5]])


def test_weighted_sums_over_a_known_background_are_divided_by_variance_over_mean():
    counts = np.array([[2, 7, 4]])
    background = Background(np.array([[1.0, 3.0, 2.0]]))
    result = compute_significance(counts, np.ones((1, 3)), background, WEIGHTS, statistic="cash")
    n, mu, variance = 1 + 7 + 2, 0.5 + 3 + 1, 0.25 + 3 + 0.5
    f = variance / mu
    assert result.significance[0, 1] == pytest.approx(cash(n / f, mu / f), rel=1e-9)
    assert result.excess[0, 1] == pytest.approx(n - mu, rel=1e-9)


def test_weighted_sums_over_a_measured_background_are_divided_by_variance_over_mean():
    counts = np.array([[2, 7, 4]])
    estimate = Background(np.array([[1.0, 1.0, 1.0]]), np.full((1, 3), 30.0), np.full((1, 3), 30.0))
    result = compute_significance(counts, np.ones((1, 3)), estimate, WEIGHTS)
    # f = (0.25 + 1 + 0.25) / 2 and alpha = 2 / 30: the on counts become n / f with the expectation alpha n_off / f.
    assert result.significance[0, 1] == pytest.approx(wstat(10 / 0.75, 30, 2 / 30 / 0.75), rel=1e-9)


@pytest.mark.parametrize("statistic", ["cash", "wstat"])
def test_kernel_of_equal_weights_gives_the_significance_of_the_plain_kernel(statistic):
    counts = np.random.default_rng(4).poisson(3, (11, 13))
    estimate = estimate_background(counts, np.ones((11, 13)), everywhere(), ring(4, 1))
    plain, weighted = (
        compute_significance(counts, np.ones((11, 13)), estimate, kernel, statistic=statistic).significance
        for kernel in (disk(2), disk(2).astype(float))
    )
    # The root of a small difference keeps half the digits that the transform leaves.
    np.testing.assert_allclose(weighted, plain, rtol=1e-9, atol=NEAR_ZERO)


@pytest.mark.parametrize("source_kernel", [disk(3), gaussian(1.5)], ids=["disk", "gaussian"])
def test_known_background_gives_a_standard_normal_distribution(source_kernel):
    shape, mean = (150, 150), 5.0
    counts = np.random.default_rng(8).poisson(mean, shape)
    background = Background(np.full(shape, mean))
    significance = compute_significance(counts, np.ones(shape), background, source_kernel).significance
    # Independent pixels: the area over that of a kernel, (sum K)^2 / sum K^2; four standard errors each.
    n = counts.size * (source_kernel.astype(float) ** 2).sum() / source_kernel.sum() ** 2
    assert abs(significance.mean()) < 4 / np.sqrt(n)
    assert abs(significance.std() - 1) < 4 / np.sqrt(2 * n)


def test_inputs_are_left_untouched():
    counts, acceptance = flat(3)
    acceptance[2, 2] = counts[2, 2] = 0
    estimate = estimate_background(counts, acceptance, everywhere(), ring(3, 1))
    inputs = (counts, acceptance, *estimate.maps().values())
    copies = [array.copy() for array in inputs]
    for statistic in ("cash", "wstat"):
        compute_significance(counts, acceptance, estimate, gaussian(1), statistic=statistic)
    for array, copy in zip(inputs, copies, strict=True):
        assert np.array_equal(array, copy, equal_nan=True)
