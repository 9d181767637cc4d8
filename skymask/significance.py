"""How significant the counts under the source kernel are, given the background."""

from typing import NamedTuple

import numpy as np

from skymask import kernels, sums


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
    seen = (n_on > 0) & (mu > 0)
    log_term = n_on * np.log(_ratio(n_on, mu, seen))
    statistic = 2 * (log_term - n_on + mu)
    significance = np.sign(n_on - mu) * np.sqrt(np.maximum(statistic, 0))
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
    defined = np.isfinite(alpha) & (alpha > 0)
    ratio = np.where(defined, alpha, 1.0)
    total = n_on + n_off
    on_term = n_on * np.log((1 + ratio) / ratio * _ratio(n_on, total, n_on > 0))
    off_term = n_off * np.log((1 + ratio) * _ratio(n_off, total, n_off > 0))
    # Without counts a term's limit is zero, which multiplying the logarithm of 1 + ratio by zero gives.
    statistic = 2 * (on_term + off_term)
    significance = np.sign(n_on - ratio * n_off) * np.sqrt(np.maximum(statistic, 0))
    return np.where(defined, significance, np.nan)


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
        alpha = np.full(counts.shape, np.nan)
        np.divide(acceptance_on, estimate.acceptance_off, out=alpha, where=estimate.acceptance_off > 0)
    if statistic == "wstat" and alpha is not None:
        mu = alpha * estimate.counts_off
    else:
        mu = _correlated_background(estimate.background, coverage, source_kernel)

    scale = 1.0
    if kernels.is_weighted(source_kernel):
        scale = _poisson_scale(estimate.background, acceptance, source_kernel)
        n_on = np.maximum(n_on, 0)
    if statistic == "wstat" and alpha is not None:
        significance = wstat(n_on / scale, estimate.counts_off, alpha / scale)
    else:
        significance = cash(n_on / scale, mu / scale)
    outside = ~coverage
    excess = n_on - mu
    for image in (significance, excess, alpha):
        if image is not None:
            image[outside] = np.nan
    return Significance(significance, excess, alpha)


def _correlated_background(background, coverage, source_kernel):
    """Background under the source kernel; NaN where any covered pixel under it has none."""
    undefined = coverage & np.isnan(background)
    known = np.where(coverage & ~undefined, background, 0.0)
    mu = sums.convolve(known, source_kernel).astype(float)
    mu = np.maximum(mu, 0)
    mu[sums.convolve(undefined, source_kernel > 0) > 0] = np.nan
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
