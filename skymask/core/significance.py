"""How significant the counts under the source kernel are, given the background."""

from typing import NamedTuple

import numpy as np

from skymask.core import bitmask, convolution, kernels, tiling

#: The smallest number whose logarithm is taken, or by which is divided.
TINY = 1e-100

#: As the logarithm of arrays gives it.
LOG_OF_TWO = np.log(np.array([2.0]))[0]

#: A smaller relative error of a known background changes no significance of fewer than 1e15 counts.
SMALLEST_SYSTEMATIC = 1e-9


class Significance(NamedTuple):
    """Significance, and the correlated excess and on/off ratio behind it.

    Attributes
    ----------
    significance : ndarray of float, shape (ny, nx)
        NaN without coverage, and where the background is undefined (starved pixels).
    excess : ndarray of float, shape (ny, nx)
        Counts above background, summed under the source kernel.
    alpha : ndarray of float, shape (ny, nx), or None
        Ratio of on to off acceptance; None where the background was given. Over an additive background an effective
        one; see `with_additive`.
    counts_off : ndarray, shape (ny, nx), or None
        (Effective) off counts that go with `alpha`.
    """

    significance: np.ndarray
    excess: np.ndarray
    alpha: np.ndarray | None
    counts_off: np.ndarray | None


class OnAndOff(NamedTuple):
    """Counts under the source kernel, the background expected among them, and the off counts and alpha it comes from.

    All of shape (ny, nx); `counts_off` and `alpha` are None where the background was given. NaN where undefined.
    """

    counts_on: np.ndarray
    background_on: np.ndarray
    counts_off: np.ndarray | None
    alpha: np.ndarray | None


def cash(n_on, mu):
    r"""Return the significance of `n_on` counts over a known background `mu`.

    .. math:: S = \mathrm{sign}(n - \mu) \sqrt{2 (n \ln(n / \mu) - n + \mu)}

    (Cash 1979, ApJ 228, 939, doi:10.1086/156922). n = 0 gives :math:`-\sqrt{2\mu}`; n > 0 over :math:`\mu = 0` gives
    infinity; both zero give 0; an undefined `mu` gives NaN.
    """
    n_on, mu = np.asarray(n_on, dtype=float), np.asarray(mu, dtype=float)
    difference = n_on - mu
    # A tiny number more changes no count, and makes the logarithm times no counts zero, its limit.
    statistic = _log(np.asarray((n_on + TINY) / (mu + TINY)))
    statistic *= n_on
    statistic -= difference
    significance = _signed_root(statistic, difference)
    without = mu == 0
    return np.where(without & (n_on > 0), np.inf, significance) if without.any() else significance


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
    if not (alpha.min(initial=1) > 0 and alpha.max(initial=1) < np.inf):
        alpha = np.where((alpha > 0) & (alpha < np.inf), alpha, np.nan)
    # A tiny number more changes no count, and makes the logarithm times no counts zero, its limit.
    scale = (1 + alpha) / (n_on + n_off + TINY)
    off_term = np.asarray((n_off + TINY) * scale)
    np.log(off_term, out=off_term)
    off_term *= n_off
    statistic = _log(np.asarray((n_on + TINY) * (scale / alpha)))
    statistic *= n_on
    statistic += off_term
    return _signed_root(statistic, n_on - alpha * n_off)


def _log(ratio):
    """The logarithm of ratios that scatter around one, in their memory.

    Close to one, the logarithm of the C library goes another way, and processors wait when they cannot foresee which:
    twice the ratio is seldom close to one.
    """
    ratio *= 2
    np.log(ratio, out=ratio)
    ratio -= LOG_OF_TWO
    return ratio


def _signed_root(statistic, difference):
    """The root of twice a log-likelihood ratio, whose memory it takes, with the sign of the difference."""
    statistic *= 2
    np.maximum(statistic, 0, out=statistic)
    np.sqrt(statistic, out=statistic)
    statistic *= np.sign(difference)
    return statistic[()]


def with_systematic(n_off, alpha, background_systematic):
    r"""Return the off counts and alpha of a Poisson measurement with the variance of a systematic error added.

    .. math:: n_{off}' = n_{off} / (1 + \sigma^2 n_{off}), \quad \alpha' = \alpha (1 + \sigma^2 n_{off})

    have the same background :math:`\alpha n_{off}`, and its relative variance is :math:`1 / n_{off} + \sigma^2` (the
    correspondence of Linnemann 2003, arXiv:physics/0312059, and Cousins, Linnemann & Tucker 2008, NIM A 595, 480,
    doi:10.1016/j.nima.2008.07.086, sect. 4; for the effect on eq. 17, Spengler 2015, Astropart. Phys. 67, 70,
    doi:10.1016/j.astropartphys.2015.02.002).

    Parameters
    ----------
    n_off, alpha : array_like
        As for `wstat`.
    background_systematic : float
        Relative standard deviation of the systematic error of the background; 0 changes nothing.
    """
    if background_systematic == 0:
        return n_off, alpha
    factor = 1 + background_systematic**2 * np.asarray(n_off, dtype=float)
    return n_off / factor, alpha * factor


def with_additive(n_off, alpha, additive_off, additive_on):
    r"""Return the off counts and alpha of a Poisson measurement of the background together with an additive one.

    With the known additive background :math:`d_{on}`, :math:`d_{off}` under on and off region, the background and its
    variance are

    .. math:: b = \alpha \max(n_{off} - d_{off}, 0) + d_{on}, \quad V = \alpha^2 \max(n_{off}, d_{off}),

    because only the off counts vary, and no fewer than :math:`d_{off}` are expected. The measurement with this mean and
    variance has :math:`\alpha' = V / b` and :math:`n_{off}' = b^2 / V` (the correspondence of Cousins, Linnemann &
    Tucker 2008, NIM A 595, 480, doi:10.1016/j.nima.2008.07.086, sect. 4). Without background or variance alpha stays
    as it is.

    Parameters
    ----------
    n_off, alpha : array_like
        As for `wstat`; the off counts as measured, all components together.
    additive_off, additive_on : array_like
        Expected counts of the additive background under the background kernel and under the source kernel.
    """
    background = alpha * np.maximum(n_off - additive_off, 0) + additive_on
    return matched_measurement(background, alpha**2 * np.maximum(n_off, additive_off), alpha)


def matched_measurement(background, variance, alpha):
    """Return off counts and alpha with this background and variance, with the alpha given where either is zero."""
    matched = (background > 0) & (variance > 0)
    alpha = np.divide(variance, background, out=np.array(alpha, dtype=float), where=matched)
    # Without on acceptance, alpha is zero.
    with np.errstate(divide="ignore", invalid="ignore"):
        return background / alpha, alpha


def cash_with_systematic(n_on, mu, background_systematic):
    r"""Return the significance of `n_on` counts over a background `mu` known but for a systematic error.

    .. math:: S = \mathrm{sign}(n - \mu) \sqrt{2} \left\{ n \ln \frac{n}{\mu}
        + (n + \sigma^{-2}) \ln \left[ 1 + \frac{\mu - n}{n + \sigma^{-2}} \right] \right\}^{1/2}

    which is `wstat` for :math:`n_{off} = \sigma^{-2}` and :math:`\alpha = \mu \sigma^2` (see `with_systematic`),
    written so that no large numbers cancel. Without error, or where there is no background for it to be relative to,
    that of `cash`.
    """
    if background_systematic < SMALLEST_SYSTEMATIC:
        return cash(n_on, mu)
    n_on, mu = np.broadcast_arrays(np.asarray(n_on, dtype=float), np.asarray(mu, dtype=float))
    total = n_on + background_systematic**-2
    statistic = 2 * (n_on * np.log((n_on + TINY) / (mu + TINY)) + total * np.log1p((mu - n_on) / total))
    significance = np.sign(n_on - mu) * np.sqrt(np.maximum(statistic, 0))
    without = mu == 0
    return np.where(without, cash(n_on, mu), significance) if without.any() else significance


def fewest_counts(threshold, mu, alpha=0):
    r"""Return how many counts at least it takes to reach a positive threshold over a background of at least `mu`.

    A few less, to be on the safe side. For an excess :math:`d = n - \mu > 0` over a known background
    :math:`S^2 \le d^2 / \mu`, because :math:`\ln x \le x - 1`, and over a measured one

    .. math:: S^2 \le \frac{d^2}{(1 + \alpha) \mu}, \quad \mu = \alpha n_{off},

    because :math:`S^2 / 2N`, N = n_on + n_off, is the Kullback-Leibler divergence of two Bernoulli distributions,
    :math:`\int_q^p (p - t) / (t (1 - t)) \, dt` with p = n_on / N and q = alpha / (1 + alpha), and in it
    :math:`t (1 - t) \ge q (1 - p)`.

    Parameters
    ----------
    threshold : float
    mu : ndarray of float
        Background under the source kernel; NaN where there is none.
    alpha : float or ndarray of float
        At most the ratio of on to off acceptance if the background is measured; 0 if it is known.

    Returns
    -------
    counts : ndarray of int32
        At most 2**31 - 1, also where there is no background.
    """
    counts = mu + 0.99 * threshold * np.sqrt((1 + alpha) * mu)
    np.fmin(np.floor(counts), 2**31 - 1, out=counts)
    return np.fmax(counts, 1, out=counts).astype(np.int32)


def sums_on(counts, acceptance, source_kernel, *, smallest=np.int32, empty=np.empty):
    """Return counts and acceptance summed under the source kernel: what no iteration changes.

    Counts are of the type `smallest`, or of a larger one if they need it; `empty` is that of `convolution.convolve`.
    """
    n_on = convolution.convolve(counts, source_kernel, smallest=smallest, empty=empty)
    if acceptance.dtype == np.uint8 and not kernels.is_weighted(source_kernel) and acceptance.all():
        return n_on, convolution.sums_of_ones(acceptance.shape, source_kernel, empty=empty)
    return n_on, convolution.convolve(acceptance, source_kernel, empty=empty)


def compute_significance(
    counts,
    acceptance,
    estimate,
    source_kernel,
    *,
    statistic="wstat",
    background_systematic=0,
    additive_background=None,
    on=None,
):
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
    background_systematic : float
        Relative systematic error of the background, folded into the significance; not into excess, alpha or off counts.
    additive_background : ndarray of float, shape (ny, nx), optional
        That of the estimate.
    on : (ndarray, ndarray), optional
        Of `sums_on`, if known already.

    Returns
    -------
    result : Significance
    """
    coverage = acceptance > 0
    n_on, mu, counts_off, alpha = on_and_off(
        counts,
        acceptance,
        estimate,
        source_kernel,
        statistic=statistic,
        additive_background=additive_background,
        on=on,
    )
    measured = statistic == "wstat" and alpha is not None
    scale = 1.0
    if kernels.is_weighted(source_kernel):
        scale = poisson_scale(estimate.background, acceptance, source_kernel)
    significance = np.empty(acceptance.shape)
    for strip in tiling.strips(acceptance.shape):
        part = scale if np.isscalar(scale) else scale[strip]
        if measured:
            off = with_systematic(counts_off[strip], alpha[strip] / part, background_systematic)
            significance[strip] = wstat(n_on[strip] / part, *off)
        else:
            significance[strip] = cash_with_systematic(n_on[strip] / part, mu[strip] / part, background_systematic)
    excess = n_on - mu
    outside = ~coverage
    if outside.any():
        for image in (significance, excess, alpha):
            if image is not None:
                image[outside] = np.nan
        if counts_off is not None:
            counts_off = np.where(coverage, counts_off, np.nan)
    return Significance(significance, excess, alpha, counts_off)


def on_and_off(counts, acceptance, estimate, source_kernel, *, statistic="wstat", additive_background=None, on=None):
    """Return counts on, the background among them, and the measurement it comes from.

    The arguments are those of `compute_significance`. An estimate of a stack knows them all already.

    Returns
    -------
    on_and_off : OnAndOff
    """
    if estimate.counts_on is not None:
        return OnAndOff(estimate.counts_on, estimate.background_on, estimate.counts_off, estimate.alpha)
    n_on, acceptance_on = on or sums_on(counts, acceptance, source_kernel)
    alpha, counts_off = None, estimate.counts_off
    if estimate.acceptance_off is not None:
        alpha = ratio_of_acceptances(acceptance_on, estimate.acceptance_off)
    if estimate.additive_off is not None:
        additive_on = np.maximum(convolution.convolve(additive_background, source_kernel), 0)
        counts_off, alpha = with_additive(counts_off, alpha, estimate.additive_off, additive_on)
    if statistic == "wstat" and alpha is not None:
        mu = alpha * counts_off
    else:
        mu = correlated_background(estimate.background, acceptance > 0, source_kernel)
    if kernels.is_weighted(source_kernel):
        n_on = np.maximum(n_on, 0)
    return OnAndOff(n_on, mu, counts_off, alpha)


def ratio_of_acceptances(acceptance_on, acceptance_off):
    """Return alpha, the ratio of on to off acceptance, NaN where there is no off acceptance."""
    with np.errstate(divide="ignore", invalid="ignore"):
        # Of short integers, the ratio would be in single precision.
        alpha = np.divide(acceptance_on, acceptance_off, dtype=float)
    if acceptance_off.min(initial=1) <= 0:
        alpha[acceptance_off <= 0] = np.nan
    return alpha


def correlated_background(background, coverage, source_kernel):
    """Return the background under the source kernel; NaN where any covered pixel under it has none.

    Parameters
    ----------
    background : ndarray of float, shape (ny, nx)
    coverage : ndarray of bool, shape (ny, nx), or bool
        True where there is data; pixels without are left out.
    source_kernel : ndarray
    """
    known = background
    undefined = np.isnan(background)
    if undefined.any():
        known = np.where(undefined, 0.0, background)
        undefined &= coverage
    mu = convolution.convolve(known, source_kernel)
    np.maximum(mu, 0, out=mu)
    if undefined.any():
        mu[bitmask.dilate(undefined, source_kernel > 0)] = np.nan
    return mu


def poisson_scale(background, acceptance, source_kernel):
    """Return variance over mean of a weighted background sum, from the acceptance where there is no background."""

    def ratio(image):
        squared = convolution.convolve(image, source_kernel**2)
        plain = convolution.convolve(image, source_kernel)
        return _ratio(squared, plain, (squared > 0) & (plain > 0))

    known = np.nan_to_num(background, nan=0.0, posinf=0.0, neginf=0.0)
    return np.where(
        convolution.convolve(known > 0, source_kernel > 0) > 0, ratio(known), ratio(acceptance.astype(float))
    )


def _ratio(numerator, denominator, where):
    """The ratio where asked for, and 1 elsewhere."""
    return np.divide(numerator, denominator, out=np.ones(np.shape(numerator)), where=where)
