"""Significance, excess and limits under further source kernels, from the products of a finished loop."""

import numpy as np

from skymask import kernels, sums
from skymask.background import Background
from skymask.errors import MapError
from skymask.limits import compute_limits
from skymask.significance import compute_significance


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
    confidence_level=0.95,
):
    r"""Return what the products of a loop give under another source kernel, with the same background and mask.

    The off counts are those of the loop, and with the on acceptances :math:`a`, :math:`a'` under the source kernel and
    the further one :math:`\alpha' = \alpha a' / a`.

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
    background_kernel : ndarray or skymask.kernels.AdaptiveRing
        Background kernel of the loop.
    statistic : {"wstat", "cash"}
        Of the loop.
    background_systematic, confidence_level : float
        See `skymask.limits.compute_limits`.

    Returns
    -------
    maps : dict of str to ndarray
        `alpha`, `significance`, `excess`, `excess_errn`, `excess_errp` and `excess_upper_limit`, NaN where undefined.

    Raises
    ------
    MapError
        If on and off counts would not be independent, as "wstat" needs them: the further kernel reaches into the
        background kernel.
    """
    if statistic == "wstat":
        shared = kernels.shared_pixels(kernels.off_kernel(background_kernel, source_kernel, statistic), further_kernel)
        if shared:
            raise MapError(
                f"it shares {shared} pixels with background_kernel, and counts of wstat must be on or off, not both: "
                "take a smaller one, a larger background_kernel, or the statistic cash"
            )
    # Where no source kernel finds acceptance there is no alpha, and none is found again.
    with np.errstate(divide="ignore", invalid="ignore"):
        acceptance_off = sums.convolve(acceptance, source_kernel) / products["alpha"]
    acceptance_off = np.nan_to_num(acceptance_off, nan=0.0, posinf=0.0)
    estimate = Background(products["background"], products["counts_off"], acceptance_off)
    options = {"statistic": statistic, "background_systematic": background_systematic}
    result = compute_significance(counts, acceptance, estimate, further_kernel, **options)
    maps = {"alpha": result.alpha, "significance": result.significance, "excess": result.excess}
    limits = compute_limits(
        counts, acceptance, {**products, **maps}, further_kernel, **options, confidence_level=confidence_level
    )
    return maps | limits._asdict()
