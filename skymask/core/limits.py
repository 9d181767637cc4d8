r"""Errors and upper limits of the excess, from the profile likelihood, for whole maps at once.

The excess is varied, the background fitted anew for each, until the fit statistic has risen by the square of the
wanted number of standard deviations (Rolke, Lopez & Conrad 2005, Nucl. Instrum. Meth. A 551, 493,
doi:10.1016/j.nima.2005.05.068). No likelihood is fitted for it. With the on and off expectations
:math:`\mu_{on} = s + b` and :math:`b / \alpha`, the fitted background of every excess :math:`s` obeys

.. math:: \lambda = 1 - \frac{n_{on}}{\mu_{on}} = \frac{n_{off}}{b} - \frac{1}{\alpha},

so that one number :math:`\lambda` gives the excess, and in closed form how far the fit statistic has risen:

.. math:: s = \frac{n_{on}}{1 - \lambda} - \frac{\alpha n_{off}}{1 + \alpha \lambda}, \quad
    \Delta = 2 n_{on} \left[ \frac{\lambda}{1 - \lambda} + \ln(1 - \lambda) \right]
    + 2 n_{off} \left[ \ln(1 + \alpha \lambda) - \frac{\alpha \lambda}{1 + \alpha \lambda} \right].

What is left is the root of one monotonic function per pixel. Swapping on and off, with :math:`1 / \alpha`, swaps the
signs of :math:`s` and :math:`\lambda`, so the error downwards is :math:`\alpha` times an error upwards.
"""

from typing import NamedTuple

import numpy as np

from skymask.core import convolution, kernels, tiling
from skymask.core.significance import poisson_scale, with_systematic

#: One-sided confidence level of upper limits where none is asked for.
CONFIDENCE_LEVEL = 0.95

#: The root is found when a step of Newton's method changes it by less than this fraction: the next step's would be of
#: the order of its square, which is nothing.
RELATIVE_TOLERANCE = 1e-9

#: Bisection alone needs about 60 steps; Newton's method rarely more than 6.
MAX_STEPS = 100

#: Beyond this many counts, in units of the squared number of standard deviations, Lambert's function is taken from its
#: series about the branch point, which rounding hides: :math:`-W(-e^{-1 - t^2 / 2}) - 1 = t + t^2 / 3 + ...` (NIST
#: Digital Library of Mathematical Functions, 4.13.6, https://dlmf.nist.gov/4.13.E6), of t, from its highest power.
MANY_COUNTS = 1000
BRANCH_POINT_SERIES = (1 / 4320, -1 / 270, 1 / 36, 1 / 3, 1, 0)

#: Pixels that are solved together: few enough for their arrays to stay in the processor's cache.
CHUNK = 16384

#: Without on counts, the root is sought below this; 1 - lambda is then 4e-18.
LARGEST_ROOT = 40.0


class Limits(NamedTuple):
    """Errors of the excess downwards and upwards, and its upper limit, in counts; NaN where undefined."""

    excess_errn: np.ndarray
    excess_errp: np.ndarray
    excess_upper_limit: np.ndarray


def number_of_sigma(confidence_level):
    """Return how many standard deviations above the best fit an upper limit of this one-sided confidence level is.

    0.95 is 1.645, and gammapy's `n_sigma_ul=2` is 0.97725.

    Raises
    ------
    ValueError
        If the confidence level is not between 0.5 and 1.
    """
    if not 0.5 < confidence_level < 1:
        raise ValueError(f"confidence_level must be between 0.5 and 1, got {confidence_level}")
    from scipy.special import ndtri

    return float(ndtri(confidence_level))


def compute_limits(
    counts,
    acceptance,
    products,
    source_kernel,
    *,
    counts_on=None,
    statistic="wstat",
    background_systematic=0,
    confidence_level=CONFIDENCE_LEVEL,
):
    """Return errors and upper limit of the excess of every pixel, summed under the source kernel as the excess is.

    Parameters
    ----------
    counts : ndarray of int, shape (ny, nx)
        Counts per pixel, zero where there is no coverage.
    acceptance : ndarray, shape (ny, nx)
        Expected background per pixel up to one factor; zero where there is no coverage.
    products : dict of str to ndarray
        The maps `background`, `counts_off`, `alpha` and `excess` that belong to the final exclusion mask.
    source_kernel : ndarray, shape (2 my + 1, 2 mx + 1)
        Peak 1. With weights, all counts are scaled to the variance of a Poisson sum, as for the significance.
    counts_on : ndarray, shape (ny, nx), optional
        Counts under the source kernel, which of a stack only the stack knows.
    statistic : {"wstat", "cash"}
        "wstat" takes the background's own error into account, "cash" takes it as known.
    background_systematic : float
        Relative systematic error of the background, in whose place stands an off measurement with that error.
    confidence_level : float
        Of the upper limit, one-sided.

    Returns
    -------
    limits : Limits
        In counts; NaN where the excess is.
    """
    n_on = convolution.convolve(counts, source_kernel) if counts_on is None else counts_on
    scale = 1.0
    if kernels.is_weighted(source_kernel):
        scale = poisson_scale(products["background"], acceptance, source_kernel)
        n_on = np.maximum(n_on, 0)
    limits = Limits(*(np.empty(n_on.shape) for _ in Limits._fields))
    options = {"statistic": statistic, "background_systematic": background_systematic}
    for strip in tiling.strips(n_on.shape):
        part = {name: products[name][strip] for name in ("counts_off", "alpha", "excess") if name in products}
        found = _scaled_limits(
            n_on[strip],
            part,
            scale if np.isscalar(scale) else scale[strip],
            confidence_level=confidence_level,
            **options,
        )
        for image, values in zip(limits, found, strict=True):
            image[strip] = values
    return limits


def _scaled_limits(n_on, products, scale, *, statistic, background_systematic, confidence_level):
    """Limits of some pixels, from their products and the scale of their counts."""
    n_on = n_on / scale
    if statistic == "wstat":
        n_off, alpha = with_systematic(products["counts_off"], products["alpha"] / scale, background_systematic)
        limits = wstat_limits(n_on, n_off, alpha, confidence_level=confidence_level)
    else:
        mu = n_on - products["excess"] / scale
        if background_systematic:
            n_off = np.where(np.isnan(mu), np.nan, background_systematic**-2)
            limits = wstat_limits(n_on, n_off, mu * background_systematic**2, confidence_level=confidence_level)
        else:
            limits = cash_limits(n_on, mu, confidence_level=confidence_level)
    return Limits(*(scale * image for image in limits))


def wstat_limits(n_on, n_off, alpha, *, confidence_level=CONFIDENCE_LEVEL):
    """Return errors and upper limit of the excess when the background is measured by `n_off`.

    The background is fitted anew for every excess, which may be negative. The limit is one-sided and counted from the
    best fit, as by `gammapy.stats.WStatCountsStatistic.compute_upper_limit`: without a source, a fraction
    `confidence_level` of the limits lies above zero, and the others below.

    Parameters
    ----------
    n_on, n_off : array_like
        Counts on and off, zero or more; effective ones need not be whole numbers.
    alpha : array_like
        Ratio of on to off acceptance; NaN gives NaN, as does what is not positive.
    confidence_level : float
        Of the upper limit.

    Returns
    -------
    limits : Limits
        Errors are the distances from `n_on - alpha * n_off` at which the fit statistic has risen by 1.

    Examples
    --------
    >>> from skymask.limits import wstat_limits
    >>> limits = wstat_limits(n_on=10, n_off=20, alpha=0.1)
    >>> print(f"{limits.excess_errn:.2f} {limits.excess_errp:.2f} {limits.excess_upper_limit:.2f}")
    2.88 3.53 14.18
    """
    arrays = (np.asarray(value, dtype=float) for value in (n_on, n_off, alpha))
    n_on, n_off, alpha = np.broadcast_arrays(*arrays)
    n_sigma = number_of_sigma(confidence_level)
    defined = np.isfinite(n_on) & np.isfinite(n_off) & np.isfinite(alpha) & (alpha > 0)
    on, off, ratio = n_on[defined], n_off[defined], alpha[defined]
    return Limits(
        _filled(defined, ratio * _distance_upwards(off, on, 1 / ratio, 1.0)),
        _filled(defined, _distance_upwards(on, off, ratio, 1.0)),
        _filled(defined, on - ratio * off + _distance_upwards(on, off, ratio, n_sigma)),
    )


def cash_limits(n_on, mu, *, confidence_level=CONFIDENCE_LEVEL):
    r"""Return errors and upper limit of the excess over a known background `mu`.

    The fit statistic has risen by :math:`k^2` at the total counts :math:`-n W(-e^{-1 - k^2 / 2 n})`, with both branches
    of Lambert's function W (Corless et al. 1996, Adv. Comput. Math. 5, 329, doi:10.1007/BF02124750).

    Parameters
    ----------
    n_on, mu : array_like
        Counts and their expectation without a source; an undefined one gives NaN.
    confidence_level : float
        Of the upper limit, as for `wstat_limits`.

    Returns
    -------
    limits : Limits

    Examples
    --------
    >>> from skymask.limits import cash_limits
    >>> print(f"{cash_limits(n_on=10, mu=4.2).excess_upper_limit:.2f}")
    11.94
    """
    n_on, mu = np.broadcast_arrays(np.asarray(n_on, dtype=float), np.asarray(mu, dtype=float))
    n_sigma = number_of_sigma(confidence_level)
    defined = np.isfinite(n_on) & np.isfinite(mu)
    on = n_on[defined]
    return Limits(
        _filled(defined, on - _poisson_mean(on, 1.0, branch=0)),
        _filled(defined, _poisson_mean(on, 1.0, branch=-1) - on),
        _filled(defined, _poisson_mean(on, n_sigma, branch=-1) - mu[defined]),
    )


def _filled(defined, values):
    """A map with `values` where it is defined and NaN elsewhere."""
    image = np.full(defined.shape, np.nan)
    image[defined] = values
    return image


def _poisson_mean(n, n_sigma, *, branch):
    """The mean, below (branch 0) or above n (branch -1), that n counts are `n_sigma` standard deviations away from."""
    from scipy.special import lambertw

    # Without counts the statistic is twice the mean, and no mean lies below.
    mean = np.full(n.shape, n_sigma**2 / 2 if branch else 0.0)
    many = n > MANY_COUNTS * n_sigma**2
    few = (n > 0) & ~many
    mean[few] = -n[few] * lambertw(-np.exp(-1 - n_sigma**2 / (2 * n[few])), branch).real
    relative = (n_sigma if branch else -n_sigma) / np.sqrt(n[many])
    mean[many] = n[many] + n[many] * np.polyval(BRANCH_POINT_SERIES, relative)
    return mean


def _distance_upwards(n_on, n_off, alpha, n_sigma):
    """How far above the best fit the excess is `n_sigma` standard deviations away from it; arrays of one dimension."""
    distance = np.empty(n_on.shape)
    for start in range(0, n_on.size, CHUNK):
        part = slice(start, start + CHUNK)
        distance[part] = _distance_of_chunk(n_on[part], n_off[part], alpha[part], n_sigma)
    return distance


def _distance_of_chunk(n_on, n_off, alpha, n_sigma):
    half = n_sigma**2 / 2
    # Without on counts the on expectation stays zero until lambda reaches 1; from there on it grows, and costs its own
    # size, while the background stays where it is.
    rest = half - n_off * (np.log1p(alpha) - alpha / (1 + alpha))
    beyond = (n_on == 0) & (rest >= 0)
    distance = rest + alpha * n_off * alpha / (1 + alpha)
    sought = np.flatnonzero(~beyond)
    on, off, ratio = n_on[sought], n_off[sought], alpha[sought]
    root = _root(on, off, ratio, n_sigma)
    step = -ratio * np.expm1(-root)
    distance[sought] = on * np.expm1(root) + ratio * off * step / (1 + step)
    return distance


def _root(n_on, n_off, alpha, n_sigma):
    """The t = -ln(1 - lambda) > 0 at which the fit statistic has risen by `n_sigma` squared.

    Newton's method on the root of the fit statistic, which is nearly linear, kept inside a shrinking bracket.
    """
    root, low, high = _start(n_on, n_off, alpha, n_sigma)
    active = np.arange(root.size)
    for _ in range(MAX_STEPS):
        t, on, off, ratio = root[active], n_on[active], n_off[active], alpha[active]
        deviation, slope = _deviation(t, on, off, ratio)
        below = deviation < n_sigma
        low[active[below]] = t[below]
        high[active[~below]] = t[~below]
        lower, upper = low[active], high[active]
        new = t - (deviation - n_sigma) / slope
        outside = ~((new >= lower) & (new <= upper))
        new[outside] = 0.5 * (lower + upper)[outside]
        root[active] = new
        active = active[np.abs(new - t) > RELATIVE_TOLERANCE * new]
        if not active.size:
            break
    return root


def _start(n_on, n_off, alpha, n_sigma):
    """A first guess from the expansion of the fit statistic to third order, and a bracket of the root.

    exp(t) - 1 - t exceeds both t^2 / 2 and exp(t) / 2 - 1, so that the on counts alone bound the root.
    """
    with np.errstate(divide="ignore"):
        high = np.minimum(n_sigma / np.sqrt(n_on), np.log(2 + n_sigma**2 / n_on))
    high = np.where(n_on > 0, high, LARGEST_ROOT)
    second = n_on + alpha**2 * n_off
    third = (n_on - alpha**3 * n_off) * 2 / 3 - second / 2
    first = n_sigma / np.sqrt(second)
    guess = first / (1 + np.maximum(first * third / second, -0.5))
    return np.clip(guess, 0.01 * high, high), np.zeros(n_on.shape), high


def _deviation(t, n_on, n_off, alpha):
    """Root of the rise of the fit statistic, and its derivative with respect to t."""
    risen = np.expm1(t)
    step = -alpha * np.expm1(-t)
    deviation = np.sqrt(2 * (n_on * (risen - t) + n_off * (np.log1p(step) - step / (1 + step))))
    # The statistic's derivative with respect to the excess is twice lambda; that of lambda to t is exp(-t).
    excess_slope = n_on * (1 + risen) + n_off * alpha**2 / (1 + risen) / (1 + step) ** 2
    return deviation, risen / (1 + risen) * excess_slope / deviation
