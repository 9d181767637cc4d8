"""The kernels of the configuration, whose radii are angles, as arrays on the pixels of a map."""

import math

from skymask.core import kernels
from skymask.errors import MapError
from skymask.io.maps import read
from skymask.units import in_words, kernel_lengths, parse_length

#: What makes the kernel of a shape of its lengths, and of its other keys, by name.
_SHAPES = {
    "disk": kernels.disk,
    "ring": kernels.ring,
    "gaussian": kernels.gaussian,
    "adaptive_ring": kernels.adaptive_ring,
}


def to_pixels(kernel, pixel_size):
    """Return a kernel of the configuration as an array, or as an adaptive ring.

    Parameters
    ----------
    kernel : dict
        {shape: disk, radius}, {shape: ring, inner_radius, width}, {shape: gaussian, sigma}, {shape: array, path},
        {shape: adaptive_ring, inner_radius, width, step, max_outer_radius, alpha_max, excluded_fraction_max, keep} or
        {shape: field_of_view, tilt}.
    pixel_size : (float, float)
        Size of a pixel along y and x, in degrees.

    Returns
    -------
    kernel : ndarray, skymask.core.kernels.AdaptiveRing or skymask.core.kernels.FieldOfView
        The outer radii of an adaptive ring are in degrees; those given in pixels are taken times the geometric mean of
        the pixel's sides.

    Raises
    ------
    MapError
        If there is no such kernel on these pixels.
    """
    try:
        if kernel["shape"] == "array":
            return kernels.from_array(read(kernel["path"]).data)
        if kernel["shape"] == "field_of_view":
            return kernels.field_of_view(tilt=kernel.get("tilt", False))
        lengths = kernel_lengths(kernel)
        numbers = _in_numbers(lengths, pixel_size)
        others = {key: value for key, value in kernel.items() if key not in ("shape", *lengths)}
        pixels = _SHAPES[kernel["shape"]](**numbers, **others)
        if kernels.is_adaptive(pixels) and numbers["pixel_size"] == 1.0:
            unit = math.sqrt(pixel_size[0] * pixel_size[1])
            pixels = pixels._replace(outer_radii=tuple(radius * unit for radius in pixels.outer_radii))
        return pixels
    except ValueError as error:
        raise MapError(f"kernel {describe(kernel)}: {error}") from error


def background_kernel(pixel_size, *, source_kernel, background_kernel, statistic, mask_source_kernels=()):
    """Return the background kernel of the configuration on pixels, as the statistic allows it."""
    return _off_kernel(
        pixel_size,
        source_kernel=source_kernel,
        background_kernel=background_kernel,
        statistic=statistic,
        mask_source_kernels=mask_source_kernels,
    )


def _off_kernel(pixel_size, *, source_kernel, background_kernel, statistic, mask_source_kernels):
    sources = [to_pixels(kernel, pixel_size) for kernel in (source_kernel, *mask_source_kernels)]
    return kernels.off_kernel(to_pixels(background_kernel, pixel_size), kernels.under_any(sources), statistic)


def kernels_of_bins(
    pixel_size, planes, *, source_kernel, background_kernel, statistic, mask_source_kernels=(), energy_kernels=()
):
    """Return source and background kernels of the configuration on pixels, one of each for every energy bin.

    Parameters
    ----------
    pixel_size : (float, float)
        Size of a pixel along y and x, in degrees.
    planes : int
        Number of energy bins.
    source_kernel, background_kernel, statistic, mask_source_kernels : dict, dict, str, list of dict
        For all bins.
    energy_kernels : list of dict
        Kernels of single bins, in their order, by the same two keys; what one lacks is that for all bins.
    """
    common = {"source_kernel": source_kernel, "background_kernel": background_kernel}
    pairs = []
    for own in energy_kernels or [{}]:
        pair = {**common, **own}
        off = _off_kernel(pixel_size, statistic=statistic, mask_source_kernels=mask_source_kernels, **pair)
        pairs.append((to_pixels(pair["source_kernel"], pixel_size), off))
    sources, backgrounds = zip(*(pairs if energy_kernels else pairs * planes), strict=True)
    return list(sources), list(backgrounds)


def dilation_kernel(radius, pixel_size):
    """Return the disk of the configuration's dilation radius as an array."""
    return to_pixels({"shape": "disk", "radius": radius}, pixel_size)


def region_growth(growth, pixel_size):
    """Return the configuration's growth of regions in the numbers that `exclusion` takes, None for None."""
    if growth is None:
        return None
    lengths = {key: growth[key] for key in ("sigma", "max_radius") if key in growth}
    return {**growth, **_in_numbers(lengths, pixel_size)}


def length_in_pixels(length, pixel_size):
    """Return a length of the configuration in pixels along y and x."""
    value, unit = parse_length(length)
    return (value, value) if unit == "px" else tuple(value / size for size in pixel_size)


def describe(kernel, *, kind="shape"):
    """Return a kernel of the configuration, or whatever is of one kind among several, in a few words."""
    if kernel is None:
        return "none"
    return " ".join([kernel[kind], *(f"{key}={value}" for key, value in in_words(kernel).items() if key != kind)])


def _in_numbers(lengths, pixel_size):
    """Lengths of the configuration as numbers, and beside them the size of a pixel in the same unit."""
    parsed = {key: parse_length(value) for key, value in lengths.items()}
    in_pixels = any(unit == "px" for _, unit in parsed.values())
    numbers = {key: value for key, (value, _) in parsed.items()}
    return {**numbers, "pixel_size": 1.0 if in_pixels else pixel_size}
