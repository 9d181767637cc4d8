"""The exclusion mask: True where a pixel is used for the background, False where a source may be."""

import numpy as np

from skymask import blocks, sums


def update_exclusion_mask(significance, coverage, *, threshold, dilation_kernel, **options):
    """Return the exclusion mask that a significance map asks for, and the decision before dilation.

    Parameters
    ----------
    significance : ndarray of float, shape (ny, nx)
        NaN where there is no coverage and where the background is undefined.
    coverage : ndarray of bool, shape (ny, nx)
        True where there is data.
    threshold : float
        Pixels at or above it are excluded.
    dilation_kernel : ndarray of bool
        Every excluded pixel excludes the pixels under this kernel too.
    **options
        Further arguments of `exclude`.

    Returns
    -------
    exclusion_mask, decision : ndarray of bool, shape (ny, nx)
    """
    starved = coverage & np.isnan(significance)
    return exclude(significance >= threshold, starved, coverage=coverage, dilate=Dilation(dilation_kernel), **options)


def exclude(
    reached,
    starved,
    *,
    coverage,
    dilate,
    user_mask,
    previous_mask,
    previous_decision,
    mask_update="replace",
    starved_pixels="keep",
):
    """Return the exclusion mask for the pixels that reach the threshold, and the decision before dilation.

    Parameters
    ----------
    reached, starved : ndarray of bool, shape (ny, nx)
        True where the significance is at or above the threshold, and where it is undefined though there is data.
    coverage : ndarray of bool, shape (ny, nx)
        True where there is data.
    dilate : Dilation
        Every excluded pixel excludes the pixels under its kernel too.
    user_mask, previous_mask, previous_decision : ndarray of bool, shape (ny, nx)
        True where the pixel is used: by the user's own mask, by the last mask, and by the last decision before
        dilation (all True at the start).
    mask_update : {"replace", "grow"}
        "grow" keeps every pixel excluded that once was.
    starved_pixels : {"keep", "use"}
        What becomes of covered pixels whose significance is undefined: the last decision, or use.

    Returns
    -------
    exclusion_mask, decision : ndarray of bool, shape (ny, nx)
        True where the pixel is used, after and before dilation. Pixels without coverage are not excluded: that is
        what coverage is for.
    """
    decision = ~reached
    if starved_pixels == "keep" and starved.any():
        decision[starved] = previous_decision[starved]
    exclusion_mask = ~dilate(~decision)
    exclusion_mask &= user_mask
    if mask_update == "grow":
        exclusion_mask &= previous_mask
    exclusion_mask |= ~coverage
    return exclusion_mask, decision


class Dilation:
    """Dilation by one kernel, which computes again only what has changed since it was last called.

    Parameters
    ----------
    kernel : ndarray of bool, shape (2 my + 1, 2 mx + 1)
    """

    def __init__(self, kernel):
        self._kernel = kernel
        self._region = self._dilated = None

    def __call__(self, region):
        """Return the pixels that have a pixel of `region` under the kernel; nothing comes in across the border."""
        if self._region is None:
            self._region, self._dilated = region, sums.spread(region, self._kernel)
            return self._dilated
        half = [n // 2 for n in self._kernel.shape]
        dilated = self._dilated.copy()
        for box in blocks.around(self._region ^ region, side=max(256, *half)):
            touched = blocks.grown(box, half, region.shape)
            outer = blocks.grown(touched, half, region.shape)
            dilated[touched] = sums.spread(region[outer], self._kernel)[blocks.inside(touched, outer)]
        self._region, self._dilated = region, dilated
        return dilated
