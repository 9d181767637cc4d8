"""How significant the counts under the source kernel are, given the background."""

from typing import NamedTuple

import numpy as np

from skymask import blocks, kernels, sums

#: The smallest number whose logarithm is taken, or by which is divided.
TINY = 1e-100


class Significance(NamedTuple):
    """Significance, and the correlated excess and on/off ratio behind it.

    Attributes
    ----------
    significance : ndarray of float, shape (ny, nx)
        NaN without coverage, and where the background is undefined (starved pixels).
    excess : ndarray of float, shape (ny, nx)
        Counts above background, summed under the source kernel.
    alpha : ndarray of float, shape (ny, nx), or None
        Ratio of on to off acceptance; None where the background was given.
    """

    significance: np.ndarray
    excess: np.ndarray
    alpha: np.ndarray | None


def cash(n_on, mu):
    r"""Return the significance of `n_on` counts over a known background `mu`.

    .. math:: S = \mathrm{sign}(n - \mu) \sqrt{2 (n \ln(n / \mu) - n + \mu)}

    (Cash 1979, ApJ 228, 939, doi:10.1086/156922). n = 0 gives :math:`-\sqrt{2\mu}`; n > 0 over :math:`\mu = 0` gives
    infinity; both zero give 0; an undefined `mu` gives NaN.
    """
    n_on, mu = np.broadcast_arrays(np.asarray(n_on, dtype=float), np.asarray(mu, dtype=float))
    difference = n_on - mu
    # The logarithm of a tiny number times no counts is zero, its limit.
    ratio = np.maximum(n_on, TINY) / np.maximum(mu, TINY)
    statistic = 2 * (n_on * np.log(ratio) - difference)
    significance = np.sign(difference) * np.sqrt(np.maximum(statistic, 0))
    return np.where((n_on > 0) & (mu == 0), np.inf, significance)


def wstat(n_on, n_off, alpha):
    r"""Return the significance of `n_on` counts when the background is measured by `n_off`.

    .. math:: S = \mathrm{sign}(n_{on} - \alpha n_{off}) \sqrt{2} \left\{
        n_{on} \ln \left[ \frac{1 + \alpha}{\alpha} \frac{n_{on}}{n_{on} + n_{off}} \right]
        + n_{off} \ln \left[ (1 + \alpha) \frac{n_{off}}{n_{on} + n_{off}} \right] \right\}^{1/2}

    (Li & Ma 1983, ApJ 272, 317, eq. 17, doi:10.1086/161295), with its limits where a count is zero; both zero give 0;
    an `alpha` that is not positive and finite gives NaN.
    """
    arrays = (np.asarray(value, dtype=float) for value in (n_on, n_off, alpha))
    n_on, n_off, alpha = np.broadcast_arrays(*arrays)
    alpha = np.where((alpha > 0) & (alpha < np.inf), alpha, np.nan)
    scale = (1 + alpha) / np.maximum(n_on + n_off, TINY)
    # The logarithm of a tiny number times no counts is zero, its limit.
    on_term = n_on * np.log(np.maximum(n_on * (scale / alpha), TINY))
    off_term = n_off * np.log(np.maximum(n_off * scale, TINY))
    statistic = 2 * (on_term + off_term)
    return np.sign(n_on - alpha * n_off) * np.sqrt(np.maximum(statistic, 0))


def wstat_at_least(threshold, n_on, acceptance_on, n_off, acceptance_off):
    r"""Return where `wstat` reaches a positive threshold.

    The significance itself is computed only where a bound allows it to reach the threshold: with N = n_on + n_off,

    .. math:: S^2 \le \frac{2 (n_{on} - \alpha n_{off})^2}{\alpha N},

    because :math:`S^2 / 2N` is the Kullback-Leibler divergence of two Bernoulli distributions, which does not exceed
    their :math:`\chi^2` divergence (Gibbs & Su 2002, Int. Stat. Rev. 70, 419, doi:10.1111/j.1751-5823.2002.tb00178.x).

    Parameters
    ----------
    threshold : float
    n_on, acceptance_on, n_off, acceptance_off : ndarray of int or float, of one shape
        Counts and acceptances, whose ratio is alpha.

    Returns
    -------
    reached : ndarray of bool
    """
    on = n_on.astype(np.float32)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        alpha = acceptance_on.astype(np.float32) / acceptance_off.astype(np.float32)
        mu = alpha * n_off.astype(np.float32)
        possible = _may_reach(threshold, on - mu, mu, 0.5 * (on * alpha + mu))

    def significance(where):
        return wstat(n_on[where], n_off[where], acceptance_on[where] / acceptance_off[where])

    return _reached(threshold, possible, significance)


def cash_at_least(threshold, n_on, mu):
    r"""Return where `cash` reaches a positive threshold; see `wstat_at_least`.

    For :math:`n \ge \mu`, :math:`S^2 \le (n - \mu)^2 / \mu`, because :math:`\ln x \le x - 1`.
    """
    expected = mu.astype(np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        possible = _may_reach(threshold, n_on.astype(np.float32) - expected, expected, expected)
    return _reached(threshold, possible, lambda where: cash(n_on[where], mu[where]))


def _may_reach(threshold, difference, mu, variance):
    """Whether a positive difference may reach the threshold, in single precision and with room for its rounding."""
    difference += 1e-6 * mu
    variance *= 0.99 * threshold**2
    possible = difference > 0
    possible &= difference * difference >= variance
    return possible


def _reached(threshold, possible, significance):
    """Where a significance reaches the threshold, looked at only where that is possible."""
    # On two dimensions, `nonzero` takes several times as long.
    where = np.unravel_index(np.flatnonzero(possible), possible.shape)
    possible[where] = significance(where) >= threshold
    return possible


def sums_on(counts, acceptance, source_kernel):
    """Return counts and acceptance summed under the source kernel: what no iteration changes."""
    return sums.convolve(counts, source_kernel), sums.convolve(acceptance, source_kernel)


def compute_significance(counts, acceptance, estimate, source_kernel, *, statistic="wstat", on=None):
    """Return significance, excess and alpha of every pixel.

    Parameters
    ----------
    counts : ndarray of int, shape (ny, nx)
        Counts per pixel, zero where there is no coverage.
    acceptance : ndarray, shape (ny, nx)
        Expected background per pixel up to one factor; zero where there is no coverage.
    estimate : Background
        The background. One that was given and not estimated has no off counts and counts as known.
    source_kernel : ndarray, shape (2 my + 1, 2 mx + 1)
        Peak 1. With weights, counts and background are divided by sum(S^2 B) / sum(S B), which restores the
        variance of a Poisson sum.
    statistic : {"wstat", "cash"}
        "wstat" takes the background's own error into account, "cash" takes it as known.
    on : (ndarray, ndarray), optional
        Of `sums_on`, if known already.

    Returns
    -------
    result : Significance
    """
    coverage = acceptance > 0
    n_on, acceptance_on = on or sums_on(counts, acceptance, source_kernel)
    alpha = None
    if estimate.acceptance_off is not None:
        alpha = ratio_of_acceptances(acceptance_on, estimate.acceptance_off)
    measured = statistic == "wstat" and alpha is not None
    if measured:
        mu = alpha * estimate.counts_off
    else:
        mu = correlated_background(estimate.background, coverage, source_kernel)
    scale = 1.0
    if kernels.is_weighted(source_kernel):
        scale = _poisson_scale(estimate.background, acceptance, source_kernel)
        n_on = np.maximum(n_on, 0)
    significance = np.empty(counts.shape)
    for strip in blocks.strips(counts.shape):
        part = scale if np.isscalar(scale) else scale[strip]
        if measured:
            significance[strip] = wstat(n_on[strip] / part, estimate.counts_off[strip], alpha[strip] / part)
        else:
            significance[strip] = cash(n_on[strip] / part, mu[strip] / part)
    excess = n_on - mu
    outside = ~coverage
    if outside.any():
        for image in (significance, excess, alpha):
            if image is not None:
                image[outside] = np.nan
    return Significance(significance, excess, alpha)


def ratio_of_acceptances(acceptance_on, acceptance_off):
    """Return alpha, the ratio of on to off acceptance, NaN where there is no off acceptance."""
    with np.errstate(divide="ignore", invalid="ignore"):
        alpha = acceptance_on / acceptance_off
    alpha[acceptance_off <= 0] = np.nan
    return alpha


def correlated_background(background, coverage, source_kernel):
    """Return the background under the source kernel; NaN where any covered pixel under it has none.

    Parameters
    ----------
    background : ndarray of float, shape (ny, nx)
    coverage : ndarray of bool, shape (ny, nx)
        True where there is data; pixels without are left out.
    source_kernel : ndarray
    """
    known = background
    undefined = np.isnan(background)
    if undefined.any():
        known = np.where(undefined, 0.0, background)
        undefined &= coverage
    mu = np.maximum(sums.convolve(known, source_kernel), 0)
    if undefined.any():
        mu[sums.spread(undefined, source_kernel > 0)] = np.nan
    return mu


def _poisson_scale(background, acceptance, source_kernel):
    """Variance over mean of a weighted background sum, from the acceptance where there is no background."""

    def ratio(image):
        squared = sums.convolve(image, source_kernel**2)
        plain = sums.convolve(image, source_kernel)
        return _ratio(squared, plain, (squared > 0) & (plain > 0))

    known = np.nan_to_num(background, nan=0.0, posinf=0.0, neginf=0.0)
    return np.where(sums.convolve(known > 0, source_kernel > 0) > 0, ratio(known), ratio(acceptance.astype(float)))


def _ratio(numerator, denominator, where):
    """The ratio where asked for, and 1 elsewhere."""
    return np.divide(numerator, denominator, out=np.ones(np.shape(numerator)), where=where)
