"""The loops that skymask is compared with, written as their users would write them."""

import numpy as np
from scipy.ndimage import binary_erosion
from scipy.signal import fftconvolve


def original(counts, source_kernel, background_kernel, dilation_kernel, *, threshold, max_iterations=50):
    """Return mask, background and significance by the algorithm of `KernelBackgroundEstimator`, really iterating.

    Fourier convolutions of whole maps in double precision, the background taken as known, a brute-force erosion.
    """
    source_kernel, background_kernel = source_kernel.astype(float), background_kernel.astype(float)
    counts = counts.astype(float)

    def estimate_background(mask):
        off = fftconvolve(counts * mask, background_kernel, mode="same")
        return off / fftconvolve(mask.astype(float), background_kernel, mode="same")

    def compute_significance(background):
        n_on = fftconvolve(counts, source_kernel, mode="same")
        mu = fftconvolve(background, source_kernel, mode="same")
        n_on = np.where(n_on > 0.5, n_on, np.nan)
        return np.sign(n_on - mu) * np.sqrt(2 * np.maximum(n_on * np.log(n_on / mu) - n_on + mu, 0))

    mask = np.ones(counts.shape, dtype=bool)
    background = estimate_background(mask)
    with np.errstate(divide="ignore", invalid="ignore"):
        for _ in range(max_iterations):
            significance = compute_significance(background)
            updated = binary_erosion(~(significance >= threshold), structure=dilation_kernel, border_value=1)
            background = estimate_background(updated)
            if np.array_equal(updated, mask):
                break
            mask = updated
        return mask, background, compute_significance(background)


def gammapy_loop(
    counts,
    geom,
    *,
    source_radius,
    inner_radius,
    width,
    dilation_radius,
    threshold,
    max_iterations=50,
    exclusion_mask=None,
):
    """Return mask, background and significance by the loop that a user of gammapy 2.1 would write.

    RingBackgroundMaker, ExcessMapEstimator and `binary_dilate`, until the mask does not change.

    Parameters
    ----------
    counts : ndarray, shape (ny, nx)
    geom : gammapy.maps.WcsGeom
        With an energy axis of one bin.
    source_radius, inner_radius, width, dilation_radius : Quantity
    exclusion_mask : ndarray of bool, shape (ny, nx), optional
        To start with; with one iteration, background and significance are those of this mask.
    """
    from gammapy.datasets import MapDataset, MapDatasetOnOff
    from gammapy.estimators import ExcessMapEstimator
    from gammapy.makers import RingBackgroundMaker
    from gammapy.maps import Map, WcsNDMap

    dataset = MapDataset(
        counts=WcsNDMap(geom, counts[None].astype("float32")),
        background=WcsNDMap(geom, np.ones((1, *counts.shape), dtype="float32")),
        mask_safe=Map.from_geom(geom, data=True, dtype=bool),
        name="benchmark",
    )
    estimator = ExcessMapEstimator(source_radius, selection_optional=None, correlate_off=False)
    mask = Map.from_geom(geom.squash("energy"), data=True, dtype=bool)
    if exclusion_mask is not None:
        mask.data[0] = exclusion_mask
    for _ in range(max_iterations):
        maker = RingBackgroundMaker(r_in=inner_radius, width=width, exclusion_mask=mask)
        on_off = maker.run(dataset)
        assert isinstance(on_off, MapDatasetOnOff)
        significance = estimator.run(on_off)["sqrt_ts"].sum_over_axes(keepdims=True)
        excluded = Map.from_geom(mask.geom, data=significance.data >= threshold)
        updated = ~excluded.binary_dilate(dilation_radius, use_fft=False)
        if np.array_equal(updated.data.squeeze(), mask.data.squeeze()):
            break
        mask = updated
    background = on_off.background.data[0]
    return mask.data[0], background, significance.data[0]


def floor(counts):
    """Read counts once, and write background, significance and mask once: what the memory alone costs."""
    background = np.empty(counts.shape)
    significance = np.empty(counts.shape)
    mask = np.empty(counts.shape, dtype=bool)
    np.copyto(background, counts)
    np.copyto(significance, background)
    np.greater(counts, 0, out=mask)
    return mask, background, significance
