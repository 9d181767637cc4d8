"""Errors and upper limits of the excess: closed forms, the definition itself, gammapy, and coverage."""

import doctest
import os
from decimal import Decimal, localcontext

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import xlogy

import skymask.limits
from skymask.core.kernels import disk, gaussian, ring
from skymask.core.limits import cash_limits, compute_limits, number_of_sigma, wstat_limits
from skymask.loop.iteration import compute_products

#: One-sided confidence level of two standard deviations: the limit is where the fit statistic has risen by 4.
TWO_SIGMA = 0.9772498680518208

NAN = np.nan


@pytest.fixture(scope="module")
def gammapy_stats():
    if os.environ.get("SKYMASK_REQUIRE_GAMMAPY"):
        import gammapy.stats

        return gammapy.stats
    return pytest.importorskip("gammapy.stats")


def close(limits, expected):
    np.testing.assert_allclose(np.array(limits), np.array(expected, dtype=float), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("level", "expected"), [(TWO_SIGMA, 2), (0.95, 1.6448536269514722), (0.99, 2.3263478740408408)]
)
def test_confidence_level_is_one_sided(level, expected):
    assert number_of_sigma(level) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("level", [0.5, 1, 95, NAN])
def test_confidence_level_that_is_none_is_refused(level):
    with pytest.raises(ValueError, match=r"confidence_level must be between 0\.5 and 1"):
        wstat_limits(1, 1, 1, confidence_level=level)


def test_no_counts_over_a_known_background_have_the_limit_of_a_linear_statistic():
    # The statistic is 2 (s + mu): it rises by 1 at s + mu = 1/2, by 4 at 2, and nothing lies below s = -mu.
    close(cash_limits(0, 0.7, confidence_level=TWO_SIGMA), [0, 0.5, 2 - 0.7])


def test_no_counts_at_all_have_limits_of_linear_statistics():
    # On its own each expectation costs twice its size: s upwards, or the background b = -s downwards at 2 b / alpha.
    close(wstat_limits(0, 0, 0.3, confidence_level=TWO_SIGMA), [0.3 * 0.5, 0.5, 2])


def test_no_on_counts_have_the_limit_beyond_the_kink():
    # Up to the kink the on expectation is zero and the background falls from alpha n_off to alpha n_off / (1 + alpha).
    n_off, alpha = 2, 0.5
    kink = 2 * n_off * (np.log(1.5) - 0.5 / 1.5)
    limit = -alpha * n_off / 1.5 + (4 - kink) / 2
    assert wstat_limits(0, n_off, alpha, confidence_level=TWO_SIGMA).excess_upper_limit == pytest.approx(
        limit, rel=1e-12
    )


def test_no_off_counts_upwards_are_counts_over_no_background():
    n_on = np.array([1, 3, 40])
    wstat, cash = wstat_limits(n_on, 0, 0.2), cash_limits(n_on, 0)
    close([wstat.excess_errp, wstat.excess_upper_limit], [cash.excess_errp, cash.excess_upper_limit])


def test_no_off_counts_have_the_error_downwards_beyond_the_kink():
    # Down to the kink the background is zero and the on expectation falls to alpha n_on / (1 + alpha); beyond it the
    # background grows at a cost of 2 b / alpha. With one count, alpha = 2: the kink is at 2 (ln 1.5 - 1/3) = 0.144.
    kink = 2 * (np.log(1.5) - 1 / 3)
    background = 2 * (1 - kink) / 2
    assert wstat_limits(1, 0, 2.0).excess_errn == pytest.approx(1 - (2 / 3 - background), rel=1e-12)


def test_equal_exposures_have_errors_that_swap_with_on_and_off():
    on, off = np.meshgrid(np.arange(12), np.arange(12))
    close(wstat_limits(on, off, 1.0).excess_errn, wstat_limits(off, on, 1.0).excess_errp)


def test_background_measured_ever_better_tends_to_a_known_one():
    n_on, mu, alpha = np.array([1, 5, 12, 40, 1000]), 6.0, 1e-7
    # The next term of the expansion is alpha times a number of order one.
    for image, known in zip(wstat_limits(n_on, mu / alpha, alpha), cash_limits(n_on, mu), strict=True):
        np.testing.assert_allclose(image, known, rtol=1e-5)


def test_many_counts_have_gaussian_errors_and_limits():
    n_on, n_off, alpha = 1e8, 4e8, 0.2
    sigma = np.sqrt(n_on + alpha**2 * n_off)
    limits = wstat_limits(n_on, n_off, alpha, confidence_level=TWO_SIGMA)
    # The third derivative of the likelihood shifts them by about one count.
    np.testing.assert_allclose(limits, [sigma, sigma, n_on - alpha * n_off + 2 * sigma], rtol=0, atol=2)


def decimal_errors(n):
    """Return the errors of n counts over a known background, from the definition and with fifty digits."""
    with localcontext(prec=50):
        n = Decimal(n)

        def mean_at(start):
            # Newton's method for m - n - n ln(m / n) = 1/2.
            mean = n + start
            for _ in range(40):
                mean -= (mean - n - n * (mean / n).ln() - Decimal(1) / 2) / (1 - n / mean)
            return mean

        root = n.sqrt()
        return float(n - mean_at(-root)), float(mean_at(root) - n)


@pytest.mark.parametrize("n", [100, 999, 1001, 10**6, 10**8, 270_000_001, 2 * 10**9])
def test_errors_of_many_counts_over_a_known_background_are_right_to_many_digits(n):
    limits = cash_limits(n, n / 2)
    np.testing.assert_allclose((limits.excess_errn, limits.excess_errp), decimal_errors(n), rtol=1e-9)
    # Over a background known to one in 1e18, they are those of an on/off measurement.
    other = wstat_limits(n, 1e18, n / 2 * 1e-18)
    np.testing.assert_allclose(limits, other, rtol=1e-6)


def on_off_statistic(n_on, n_off, alpha, excess):
    """Minus twice the logarithm of the likelihood, up to a constant, with the background found by minimisation."""

    def statistic(background):
        on, off = excess + background, background / alpha
        return 2 * (on - xlogy(n_on, on) + off - xlogy(n_off, off))

    low = max(0.0, -excess)
    high = low + alpha * n_off + n_on + 20 * alpha
    return minimize_scalar(statistic, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).fun


@pytest.mark.parametrize("alpha", [0.04, 0.5, 3.0])
@pytest.mark.parametrize("n_off", [1, 7, 200])
@pytest.mark.parametrize("n_on", [0, 1, 6, 90])
def test_fit_statistic_rises_by_what_defines_the_limits(n_on, n_off, alpha):
    limits = wstat_limits(n_on, n_off, alpha, confidence_level=TWO_SIGMA)
    excess = n_on - alpha * n_off
    best = 2 * (n_on - xlogy(n_on, n_on) + n_off - xlogy(n_off, n_off))
    places = (excess - limits.excess_errn, excess + limits.excess_errp, limits.excess_upper_limit)
    risen = [on_off_statistic(n_on, n_off, alpha, place) - best for place in places]
    # The search inside bounds ends a fraction of 1.5e-8 beside a minimum on the bound, where the slope is
    # 2 + 2 / alpha: 2e-5 for backgrounds of up to 600.
    np.testing.assert_allclose(risen, [1, 1, 4], rtol=0, atol=1e-4)


@pytest.mark.parametrize("alpha", [0, -0.1, NAN, np.inf])
def test_limits_without_a_usable_alpha_are_undefined(alpha):
    assert np.isnan(wstat_limits([0, 10], [0, 20], alpha)).all()


def test_limits_of_undefined_counts_or_background_are_undefined():
    assert np.isnan(wstat_limits([NAN, 1], [1, NAN], 0.1)).all()
    assert np.isnan(cash_limits([NAN, 1], [1, NAN])).all()


def test_on_off_limits_are_those_of_gammapy(gammapy_stats):
    random = np.random.default_rng(1)
    n = 60
    n_on = 1 + random.poisson(random.choice([1, 5, 30, 1000], n))
    n_off = 1 + random.poisson(random.choice([3, 50, 2000], n))
    alpha = 10 ** random.uniform(-2.5, 0.5, n)
    theirs = gammapy_stats.WStatCountsStatistic(n_on, n_off, alpha)
    expected = (theirs.compute_errn(), theirs.compute_errp(), theirs.compute_upper_limit(2))
    for image, known in zip(wstat_limits(n_on, n_off, alpha, confidence_level=TWO_SIGMA), expected, strict=True):
        # gammapy's search ends within 2e-12 of the excess, relative.
        np.testing.assert_allclose(image, known, rtol=1e-9, atol=1e-9)


def test_limits_over_a_known_background_are_those_of_gammapy(gammapy_stats):
    n_on = np.array([0, 1, 2, 5, 17, 130, 4000])
    theirs = gammapy_stats.CashCountsStatistic(n_on, np.full(n_on.shape, 4.2))
    expected = [theirs.compute_errn(), theirs.compute_errp(), theirs.compute_upper_limit(2)]
    expected[2][0] -= 4.2  # gammapy 2.1 leaves the background in its limit where there are no counts.
    close(cash_limits(n_on, 4.2, confidence_level=TWO_SIGMA), expected)


def test_limits_over_a_known_background_grow_with_the_counts():
    assert (np.diff(cash_limits(np.arange(30), 5.0, confidence_level=TWO_SIGMA).excess_upper_limit) > 0).all()


def test_limits_lie_above_the_truth_as_often_as_their_confidence_level_says():
    random = np.random.default_rng(3)
    n, excess, background, alpha = 20000, 15.0, 40.0, 0.1
    n_on, n_off = random.poisson(excess + background, n), random.poisson(background / alpha, n)
    above = wstat_limits(n_on, n_off, alpha, confidence_level=0.95).excess_upper_limit > excess
    # Four standard errors of the fraction, and half a percent for counts being whole numbers.
    assert abs(above.mean() - 0.95) < 4 * np.sqrt(0.95 * 0.05 / n) + 0.005


COUNTS = np.random.default_rng(2).poisson(1.5, (25, 30))
ACCEPTANCE = np.ones(COUNTS.shape)


@pytest.fixture(scope="module", params=["wstat", "cash"])
def statistic(request):
    return request.param


def limits_of(counts, acceptance, mask, kernel, statistic):
    products = compute_products(counts, acceptance, mask, kernel, ring(6, 2), statistic=statistic)
    return products, compute_limits(counts, acceptance, products.maps(), kernel, statistic=statistic)


def test_limits_of_a_map_are_those_of_its_sums(statistic):
    products, limits = limits_of(COUNTS, ACCEPTANCE, ACCEPTANCE > 0, disk(1), statistic)
    n_on = COUNTS[12, 15] + COUNTS[11, 15] + COUNTS[13, 15] + COUNTS[12, 14] + COUNTS[12, 16]
    if statistic == "wstat":
        expected = wstat_limits(n_on, products.counts_off[12, 15], products.alpha[12, 15])
    else:
        expected = cash_limits(n_on, n_on - products.excess[12, 15])
    close([image[12, 15] for image in limits], expected)


def test_limits_are_undefined_where_the_excess_is(statistic):
    acceptance = ACCEPTANCE.copy()
    acceptance[:, 20:] = 0
    mask = np.zeros(COUNTS.shape, dtype=bool)
    mask[:, :5] = True
    products, limits = limits_of(COUNTS * (acceptance > 0), acceptance, mask, disk(1), statistic)
    for image in limits:
        assert np.array_equal(np.isnan(image), np.isnan(products.excess))


def test_kernel_of_equal_weights_gives_the_limits_of_the_plain_kernel(statistic):
    _, plain = limits_of(COUNTS, ACCEPTANCE, ACCEPTANCE > 0, disk(2), statistic)
    _, weighted = limits_of(COUNTS, ACCEPTANCE, ACCEPTANCE > 0, disk(2).astype(float), statistic)
    for image, other in zip(plain, weighted, strict=True):
        np.testing.assert_allclose(other, image, rtol=1e-9)


def test_weighted_sums_have_errors_of_their_own_variance():
    counts, kernel = np.full((41, 41), 400), gaussian(1.5)
    _, limits = limits_of(counts, np.ones((41, 41)), np.ones((41, 41), dtype=bool), kernel, "cash")
    # Many counts: the variance of a sum with weights is the sum of the squared weights times the counts.
    sigma = np.sqrt(400 * (kernel**2).sum())
    assert limits.excess_errp[20, 20] == pytest.approx(sigma, rel=0.01)
    assert limits.excess_errn[20, 20] == pytest.approx(sigma, rel=0.01)


@pytest.mark.parametrize("sigma", [0.01, 0.3])
def test_systematic_error_widens_errors_and_limits(statistic, sigma):
    mask = np.ones(COUNTS.shape, dtype=bool)
    maps = compute_products(COUNTS, ACCEPTANCE, mask, disk(2), ring(6, 2), statistic=statistic).maps()
    plain, with_error = (
        compute_limits(COUNTS, ACCEPTANCE, maps, disk(2), statistic=statistic, background_systematic=value)
        for value in (0, sigma)
    )
    for image, wider in zip(plain, with_error, strict=True):
        assert (wider[~np.isnan(wider)] > image[~np.isnan(wider)]).all()


def test_examples_of_the_public_module_are_right():
    assert doctest.testmod(skymask.limits).failed == 0
