"""The background under every pixel, estimated from the pixels around it that no source touches."""

from typing import NamedTuple

import numpy as np

from skymask import kernels, sums

#: A weighted kernel needs at least this fraction of its weight on usable pixels; rounding in the Fourier transform
#: would show below it.
MIN_WEIGHT_FRACTION = 1e-6


class Background(NamedTuple):
    """A background estimate, and the off counts and acceptance behind it (None where it was given, not estimated).

    Attributes
    ----------
    background : ndarray of float, shape (ny, nx)
        Expected background counts per pixel; NaN where undefined or without coverage.
    counts_off, acceptance_off : ndarray of float, shape (ny, nx), or None
        Off counts and their acceptance, effective ones for kernels with weights.
    """

    background: np.ndarray
    counts_off: np.ndarray | None = None
    acceptance_off: np.ndarray | None = None

    def maps(self):
        """Return the maps that there are, by name."""
        return {name: image for name, image in self._asdict().items() if image is not None}


def estimate_background(counts, acceptance, exclusion_mask, kernel):
    r"""Return the background estimated from the used pixels under `kernel`.

    .. math:: B = A \, n_{off} / a_{off}, \quad n_{off} = (C M) * K, \quad a_{off} = (A M) * K

    (Berge, Funk & Hinton 2007, A&A 466, 1219, doi:10.1051/0004-6361:20066674, sect. 3.1). For a kernel with weights
    the counts and acceptance returned are the effective ones, which give the estimate's own variance:
    :math:`n_{off} = (CM * K)^2 / (CM * K^2)` and :math:`a_{off} = (AM * K)(CM * K) / (CM * K^2)`.

    Parameters
    ----------
    counts : ndarray of int, shape (ny, nx)
        Counts per pixel, zero where there is no coverage.
    acceptance : ndarray, shape (ny, nx)
        Expected background per pixel up to one factor; zero where there is no coverage.
    exclusion_mask : ndarray of bool, shape (ny, nx)
        True where the pixel is used for the background.
    kernel : ndarray, shape (2 my + 1, 2 mx + 1)
        Background kernel, boolean or with weights.

    Returns
    -------
    estimate : Background
        NaN background, and zero `acceptance_off`, where the kernel finds no usable pixel.
    """
    usable_counts = counts * exclusion_mask
    usable_acceptance = acceptance * exclusion_mask
    if kernels.is_weighted(kernel):
        counts_off, acceptance_off = _effective_off(usable_counts, usable_acceptance, kernel)
    else:
        counts_off = sums.convolve(usable_counts, kernel).astype(float)
        acceptance_off = sums.convolve(usable_acceptance, kernel).astype(float)
    defined = (acceptance_off > 0) & (acceptance > 0)
    background = np.full(counts.shape, np.nan)
    np.divide(acceptance * counts_off, acceptance_off, out=background, where=defined)
    return Background(background, counts_off, acceptance_off)


def background_error(acceptance, estimate):
    r"""Return the standard error of an estimated background, per pixel: :math:`A \sqrt{n_{off}} / a_{off}`.

    Neighbouring pixels share most of their off counts: their errors do not add in quadrature.
    """
    error = np.full(acceptance.shape, np.nan)
    defined = (estimate.acceptance_off > 0) & (acceptance > 0)
    return np.divide(acceptance * np.sqrt(estimate.counts_off), estimate.acceptance_off, out=error, where=defined)


def _effective_off(counts, acceptance, kernel):
    """Off counts and acceptance of a Poisson measurement with the weighted estimate's mean and variance."""
    weighted_counts = np.maximum(sums.convolve(counts, kernel), 0)
    weighted_acceptance = np.maximum(sums.convolve(acceptance, kernel), 0)
    usable_weight = sums.convolve(acceptance > 0, kernel)
    starved = usable_weight < MIN_WEIGHT_FRACTION * kernel.sum()
    weighted_acceptance[starved] = 0

    squared_counts = np.maximum(sums.convolve(counts, kernel**2), 0)
    squared_acceptance = np.maximum(sums.convolve(acceptance, kernel**2), 0)
    seen = (weighted_counts > 0) & (squared_counts > 0) & ~starved
    # Without any counts under the kernel the variance is that of the acceptance.
    scale = np.zeros(counts.shape)
    np.divide(weighted_acceptance, squared_acceptance, out=scale, where=~seen & (squared_acceptance > 0))
    np.divide(weighted_counts, squared_counts, out=scale, where=seen)
    return np.where(seen, weighted_counts * scale, 0.0), weighted_acceptance * scale
