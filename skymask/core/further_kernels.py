"""Significance, excess and limits under further source kernels, from the products of a finished loop."""

import numpy as np

from skymask.core import convolution, kernels
from skymask.core.background import Background
from skymask.core.limits import CONFIDENCE_LEVEL, compute_limits
from skymask.core.plain_arrays import check_plain
from skymask.core.significance import compute_significance, matched_measurement
from skymask.errors import MapError


def compute_further_significance(
    counts,
    acceptance,
    products,
    source_kernel,
    further_kernel,
    background_kernel,
    *,
    statistic="wstat",
    background_systematic=0,
    additive_background=None,
    confidence_level=CONFIDENCE_LEVEL,
):
    r"""Return what the products of a loop give under another source kernel, with the same background and mask.

    The off counts are those of the loop, and with the on acceptances :math:`a`, :math:`a'` under the source kernel and
    the further one :math:`\alpha' = \alpha a' / a`. Over an additive background it is what comes on top of it, and the
    variance, that :math:`a' / a` scales.

    Parameters
    ----------
    counts : ndarray of int, shape (ny, nx)
        Counts per pixel, zero where there is no coverage.
    acceptance : ndarray, shape (ny, nx)
        Expected background per pixel up to one factor; zero where there is no coverage.
    products : dict of str to ndarray
        The maps `background`, `counts_off` and `alpha` of the loop's final mask.
    source_kernel : ndarray
        Source kernel of the loop.
    further_kernel : ndarray
        Peak 1; counts are summed under it.
    background_kernel : ndarray or skymask.core.kernels.AdaptiveRing
        Background kernel of the loop.
    statistic : {"wstat", "cash"}
        Of the loop.
    background_systematic, confidence_level : float
        See `skymask.core.limits.compute_limits`.
    additive_background : ndarray of float, shape (ny, nx), optional
        That of the loop.

    Returns
    -------
    maps : dict of str to ndarray
        `alpha`, `significance`, `excess`, `excess_errn`, `excess_errp` and `excess_upper_limit`, NaN where undefined.

    Raises
    ------
    MapError
        If on and off counts would not be independent, as "wstat" needs them: the further kernel reaches into the
        background kernel.

    Examples
    --------
    >>> import numpy as np
    >>> import skymask
    >>> counts = np.full((40, 40), 2)
    >>> counts[19:22, 19:22] = 12
    >>> result = skymask.iterate(
    ...     counts, source_kernel=skymask.disk(2), background_kernel=skymask.ring(6, 3), dilation_kernel=skymask.disk(1)
    ... )
    >>> maps = skymask.compute_further_significance(
    ...     counts, np.ones((40, 40)), result.products.maps(), skymask.disk(2), skymask.disk(1), skymask.ring(6, 3)
    ... )
    >>> print(f"{maps['significance'][20, 20]:.2f} {maps['excess_upper_limit'][20, 20]:.1f}")
    10.35 63.7
    """
    check_plain(**products | {"counts": counts, "acceptance": acceptance, "additive_background": additive_background})
    if statistic == "wstat":
        check_apart(further_kernel, kernels.off_kernel(background_kernel, source_kernel, statistic))
    counts_off, alpha = products["counts_off"], products["alpha"]
    acceptance_on = convolution.convolve(acceptance, source_kernel)
    # Where the source kernel finds no acceptance there is no alpha, and none is found again.
    with np.errstate(divide="ignore", invalid="ignore"):
        if additive_background is not None:
            loop, further = (convolution.convolve(additive_background, one) for one in (source_kernel, further_kernel))
            further_on = convolution.convolve(acceptance, further_kernel)
            ratio = further_on / acceptance_on
            background = ratio * np.maximum(alpha * counts_off - loop, 0) + np.maximum(further, 0)
            variance = (ratio * alpha) ** 2 * counts_off
            counts_off, alpha = matched_measurement(background, variance, ratio * alpha)
            acceptance_on = further_on
        acceptance_off = np.nan_to_num(acceptance_on / alpha, nan=0.0, posinf=0.0)
    estimate = Background(products["background"], counts_off, acceptance_off)
    return maps_under_kernel(
        counts,
        acceptance,
        estimate,
        further_kernel,
        statistic=statistic,
        background_systematic=background_systematic,
        confidence_level=confidence_level,
    )


def check_apart(further_kernel, background_kernel):
    """Raise a MapError if a further source kernel shares pixels with the kernel of the off counts."""
    if shared := kernels.shared_pixels(background_kernel, further_kernel):
        raise MapError(
            f"it shares {shared} pixels with background_kernel, and counts of wstat must be on or off, not both: "
            "take a smaller one, a larger background_kernel, or the statistic cash"
        )


def maps_under_kernel(
    counts,
    acceptance,
    estimate,
    source_kernel,
    *,
    statistic="wstat",
    background_systematic=0,
    confidence_level=CONFIDENCE_LEVEL,
):
    """Return what an estimate of the background gives under a source kernel.

    The parameters are those of `compute_further_significance`, with the estimate in place of the products; that of a
    stack must be for this source kernel.

    Returns
    -------
    maps : dict of str to ndarray
    """
    options = {"statistic": statistic, "background_systematic": background_systematic}
    result = compute_significance(counts, acceptance, estimate, source_kernel, **options)
    maps = {"alpha": result.alpha, "significance": result.significance, "excess": result.excess}
    limits = compute_limits(
        counts,
        acceptance,
        {"background": estimate.background, "counts_off": result.counts_off, **maps},
        source_kernel,
        counts_on=estimate.counts_on,
        **options,
        confidence_level=confidence_level,
    )
    return maps | limits._asdict()
