"""Kernels on the pixel grid: arrays with odd sides, centred, peak 1.

A kernel is the image of a single count, as in `scipy.ndimage.convolve` and astropy's `convolve`: with its centre at
`kernel[cy, cx]`, a count in pixel (y, x) adds `kernel[cy + dy, cx + dx]` to the sum of pixel (y + dy, x + dx). The sum
of a pixel thus takes that weight times the counts of the pixel at (-dy, -dx) from it. The same holds for the dilation:
an excluded pixel excludes those under the kernel that is centred on it. Only arrays may be asymmetric.

A radius is compared with the distance between pixel centres, squared, with a relative tolerance: 0.3 deg over
0.05 deg is 5.999999999999999 in floating point, and must still reach the sixth pixel.

Lengths are numbers of pixels, numbers in the unit of `pixel_size`, or Quantities where `pixel_size` is one too, as in
`disk(0.1 * u.deg, pixel_size=0.02 * u.deg)`.
"""

from typing import NamedTuple

import numpy as np

from skymask.units import GAUSSIAN_TRUNCATION

#: Relative tolerance on squared radii.
RADIUS_TOLERANCE = 1e-9

#: An adaptive ring with more steps must have a mistake in one of its lengths.
MAX_RINGS = 1000

#: Values of the option `keep` of an adaptive ring.
KEEP = ("width", "inner_radius")


class AdaptiveRing(NamedTuple):
    """Rings, of which every pixel of a map takes the smallest that suffices; see `adaptive_ring`.

    Attributes
    ----------
    rings : tuple of ndarray of bool
        In the order in which they are tried.
    outer_radii : tuple of float
        Of every ring.
    alpha_max : float
        Largest ratio of on to off acceptance with which a ring suffices.
    excluded_fraction_max : float
        Largest fraction of excluded pixels, among its covered pixels on the map, with which a ring suffices.
    """

    rings: tuple
    outer_radii: tuple
    alpha_max: float
    excluded_fraction_max: float


class FieldOfView(NamedTuple):
    """All used pixels of a map, from which every pixel's background comes; see `field_of_view`.

    Attributes
    ----------
    tilt : bool
        Whether the norm may change across the map.
    """

    tilt: bool = False


def disk(radius, *, pixel_size=1.0):
    """Return the pixels no farther than `radius` from the centre.

    Parameters
    ----------
    radius : float or Quantity
        Radius, in the unit of `pixel_size`; below one pixel the kernel is a single pixel.
    pixel_size : float, (float, float) or Quantity
        Size of a pixel along y and x. With the default, `radius` is in pixels.

    Returns
    -------
    kernel : ndarray of bool, shape (2 ny + 1, 2 nx + 1)

    Raises
    ------
    ValueError
        If `radius` is negative or not finite.

    Examples
    --------
    >>> import skymask
    >>> skymask.disk(1).astype(int)
    array([[0, 1, 0],
           [1, 1, 1],
           [0, 1, 0]])
    """
    (radius,), pixel_size = _in_one_unit({"radius": radius}, pixel_size)
    _check_not_negative(radius=radius)
    return _distance_squared(radius, pixel_size) <= radius**2 * (1 + RADIUS_TOLERANCE)


def ring(inner_radius, width, *, pixel_size=1.0):
    """Return the pixels between `inner_radius` and `inner_radius + width`, both included.

    Parameters
    ----------
    inner_radius, width : float
        In the unit of `pixel_size`.
    pixel_size : float or (float, float)
        Size of a pixel along y and x. With the default, radii are in pixels.

    Returns
    -------
    kernel : ndarray of bool, shape (2 ny + 1, 2 nx + 1)

    Raises
    ------
    ValueError
        If a radius is negative or not finite, or the ring holds no pixel centre.

    Examples
    --------
    >>> import skymask
    >>> skymask.ring(1, 1).astype(int)
    array([[0, 0, 1, 0, 0],
           [0, 1, 1, 1, 0],
           [1, 1, 0, 1, 1],
           [0, 1, 1, 1, 0],
           [0, 0, 1, 0, 0]])
    """
    (inner_radius, width), pixel_size = _in_one_unit({"inner_radius": inner_radius, "width": width}, pixel_size)
    _check_not_negative(inner_radius=inner_radius, width=width)
    outer_radius = inner_radius + width
    distance_squared = _distance_squared(outer_radius, pixel_size)
    kernel = (distance_squared >= inner_radius**2 * (1 - RADIUS_TOLERANCE)) & (
        distance_squared <= outer_radius**2 * (1 + RADIUS_TOLERANCE)
    )
    if not kernel.any():
        raise ValueError(f"a ring from {inner_radius:g} to {outer_radius:g} holds no pixel centre")
    return kernel


def adaptive_ring(
    inner_radius,
    width,
    *,
    step,
    max_outer_radius,
    alpha_max=0.25,
    excluded_fraction_max=0.5,
    keep="width",
    pixel_size=1.0,
):
    """Return rings that grow from `inner_radius` and `width` by `step`, as far as `max_outer_radius` allows.

    A pixel takes the first ring whose alpha is at most `alpha_max` and of which at most `excluded_fraction_max` is
    excluded, and has no background if there is none (H.E.S.S. collaboration 2018, A&A 612, A1,
    doi:10.1051/0004-6361/201732098, sect. 3.2.3).

    Parameters
    ----------
    inner_radius, width : float
        Of the smallest ring, in the unit of `pixel_size`.
    step, max_outer_radius : float
        By how much the outer radius grows from ring to ring, and how large it may become, in the unit of `pixel_size`.
    alpha_max : float
        Largest ratio of the acceptance under the source kernel to that of the used pixels of the ring.
    excluded_fraction_max : float
        Largest fraction of excluded pixels; pixels outside the map or without coverage count neither way.
    keep : {"width", "inner_radius"}
        What stays as it is while the ring grows.
    pixel_size : float or (float, float)
        Size of a pixel along y and x. With the default, radii are in pixels.

    Returns
    -------
    rings : AdaptiveRing

    Raises
    ------
    ValueError
        If a radius is none, the smallest ring is larger than the largest, a limit is none, or a ring holds no pixel
        centre.

    Examples
    --------
    >>> import skymask
    >>> skymask.adaptive_ring(3, 2, step=1, max_outer_radius=7).outer_radii
    (5, 6, 7)
    """
    lengths = {"inner_radius": inner_radius, "width": width, "step": step, "max_outer_radius": max_outer_radius}
    (inner_radius, width, step, max_outer_radius), pixel_size = _in_one_unit(lengths, pixel_size)
    _check_not_negative(inner_radius=inner_radius, width=width, max_outer_radius=max_outer_radius)
    for name, value in {"step": step, "alpha_max": alpha_max}.items():
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be a finite number, more than zero, got {value}")
    if not 0 <= excluded_fraction_max <= 1:
        raise ValueError(f"excluded_fraction_max must be zero to one, got {excluded_fraction_max}")
    if keep not in KEEP:
        raise ValueError(f"keep must be one of {', '.join(KEEP)}, got {keep!r}")
    steps = (max_outer_radius - inner_radius - width) / step
    steps_within = np.floor(steps + RADIUS_TOLERANCE * max(1, max_outer_radius / step))
    if steps_within < 0:
        raise ValueError(
            f"max_outer_radius must be at least inner_radius + width = {inner_radius + width:g}, got {max_outer_radius}"
        )
    if steps_within >= MAX_RINGS:
        raise ValueError(f"step {step:g} makes {steps_within + 1:.4g} rings, and {MAX_RINGS} are allowed")
    growth = [number * step for number in range(int(steps_within) + 1)]
    if keep == "width":
        rings = [ring(inner_radius + more, width, pixel_size=pixel_size) for more in growth]
    else:
        rings = [ring(inner_radius, width + more, pixel_size=pixel_size) for more in growth]
    outer_radii = tuple(inner_radius + width + more for more in growth)
    return AdaptiveRing(tuple(rings), outer_radii, alpha_max, excluded_fraction_max)


def field_of_view(*, tilt=False):
    """Return what stands for all used pixels of a map: the background is the acceptance times one norm.

    This is the field-of-view method (Berge, Funk & Hinton 2007, A&A 466, 1219, doi:10.1051/0004-6361:20066674, sect.
    3.4).

    Parameters
    ----------
    tilt : bool
        Whether the norm is a linear function of the position, fitted to all used pixels; see `skymask.core.tilt`.

    Returns
    -------
    kernel : FieldOfView

    Examples
    --------
    >>> import numpy as np
    >>> import skymask
    >>> result = skymask.iterate(
    ...     np.full((40, 40), 2),
    ...     source_kernel=skymask.disk(2),
    ...     background_kernel=skymask.field_of_view(),
    ...     dilation_kernel=skymask.disk(1),
    ... )
    >>> print(result.products.background[0, 0])
    2.0
    """
    return FieldOfView(tilt)


def gaussian(sigma, *, pixel_size=1.0):
    """Return a Gaussian of peak 1, cut at `GAUSSIAN_TRUNCATION` standard deviations.

    Parameters
    ----------
    sigma : float
        Standard deviation, in the unit of `pixel_size`.
    pixel_size : float or (float, float)
        Size of a pixel along y and x. With the default, `sigma` is in pixels.

    Returns
    -------
    kernel : ndarray of float, shape (2 ny + 1, 2 nx + 1)

    Raises
    ------
    ValueError
        If `sigma` is not positive.

    Examples
    --------
    >>> import skymask
    >>> kernel = skymask.gaussian(1)
    >>> print(kernel.shape, f"{kernel[4, 5]:.3f}")
    (9, 9) 0.607
    """
    (sigma,), pixel_size = _in_one_unit({"sigma": sigma}, pixel_size)
    if not sigma > 0:
        raise ValueError(f"sigma must be positive, got {sigma}")
    radius = GAUSSIAN_TRUNCATION * sigma
    distance_squared = _distance_squared(radius, pixel_size)
    kernel = np.exp(-0.5 * distance_squared / sigma**2)
    return np.where(distance_squared <= radius**2 * (1 + RADIUS_TOLERANCE), kernel, 0.0)


def from_array(array):
    """Return `array` as a kernel of peak 1, boolean if it holds nothing but one value and zeros.

    An asymmetric array is the image of a single count, see above: `array[::-1, ::-1]` sums the counts under it as it
    lies.

    Raises
    ------
    ValueError
        If the array is not two-dimensional with odd sides, finite, not negative, and somewhere positive.

    Examples
    --------
    >>> import skymask
    >>> skymask.from_array([[0, 2, 0], [2, 2, 2], [0, 2, 0]])
    array([[False,  True, False],
           [ True,  True,  True],
           [False,  True, False]])
    """
    if np.any(getattr(array, "mask", False)):
        raise ValueError("a kernel has no masked pixels: fill them")
    array = np.asarray(array)
    if array.ndim != 2 or array.shape[0] % 2 == 0 or array.shape[1] % 2 == 0:
        raise ValueError(f"a kernel must be two-dimensional with odd sides, got the shape {array.shape}")
    if not np.isfinite(array).all() or (array < 0).any() or not (array > 0).any():
        raise ValueError("a kernel must be finite, nowhere negative and somewhere positive")
    kernel = array / array.max()
    return kernel > 0 if ((kernel == 0) | (kernel == 1)).all() else kernel


def without(kernel, other):
    """Return `kernel` with the pixels under `other` set to zero; both are centred on the same pixel."""
    kernel = kernel.copy()
    half = [min(a // 2, b // 2) for a, b in zip(kernel.shape, other.shape, strict=True)]
    centre = tuple(slice(n // 2 - h, n // 2 + h + 1) for n, h in zip(kernel.shape, half, strict=True))
    cut = tuple(slice(n // 2 - h, n // 2 + h + 1) for n, h in zip(other.shape, half, strict=True))
    kernel[centre] = np.where(other[cut] > 0, 0, kernel[centre])
    return kernel


def under_any(kernels):
    """Return the pixels under any of several kernels, all centred on the same pixel, as a boolean kernel."""
    half_y, half_x = np.max([kernel.shape for kernel in kernels], axis=0) // 2
    pixels = np.zeros((2 * half_y + 1, 2 * half_x + 1), dtype=bool)
    for kernel in kernels:
        y, x = (n // 2 for n in kernel.shape)
        pixels[half_y - y : half_y + y + 1, half_x - x : half_x + x + 1] |= kernel > 0
    return pixels


def shared_pixels(kernel, other):
    """Return how many pixels lie under both kernels, of an adaptive ring under the ring that shares most.

    A field of view, whose pixels are no neighbours of another, counts as sharing none.
    """
    shared = (np.count_nonzero(ring) - np.count_nonzero(without(ring, other)) for ring in arrays_of(kernel))
    return max(shared, default=0)


def background_kernel(kernel, source_kernels, statistic):
    """Return a background kernel, an array or another, as loops use it; see `off_kernel`.

    Raises
    ------
    ValueError
        If no pixel is left.
    """
    kernel = kernel if is_adaptive(kernel) or is_field_of_view(kernel) else from_array(kernel)
    kernel = off_kernel(kernel, under_any(source_kernels), statistic)
    if not is_field_of_view(kernel) and not any(ring.any() for ring in arrays_of(kernel)):
        raise ValueError("background_kernel lies under the source kernels as a whole: nothing is left to estimate from")
    return kernel


def off_kernel(background_kernel, source_kernel, statistic):
    """Return the background kernel that a statistic allows.

    With "wstat" on and off counts must be independent, so the pixels under the source kernel are taken out: a Gaussian
    of 10 pixels with a disk of 5 would otherwise narrow the off-source distribution to a width of 0.87. A field of view
    stays as it is: it narrows the distribution by alpha, which is next to nothing.
    """
    if is_field_of_view(background_kernel):
        return background_kernel
    if is_adaptive(background_kernel):
        rings = tuple(off_kernel(one, source_kernel, statistic) for one in background_kernel.rings)
        return background_kernel._replace(rings=rings)
    return without(background_kernel, source_kernel) if statistic == "wstat" else background_kernel


def arrays_of(kernel):
    """Return the arrays that a background kernel is made of: itself, all rings, or none if it is a field of view."""
    if is_field_of_view(kernel):
        return ()
    return kernel.rings if is_adaptive(kernel) else (kernel,)


def is_adaptive(kernel):
    """Whether the kernel is an `AdaptiveRing`, and no array."""
    return isinstance(kernel, AdaptiveRing)


def is_field_of_view(kernel):
    """Whether the kernel is a `FieldOfView`, and no array."""
    return isinstance(kernel, FieldOfView)


def is_weighted(kernel):
    """Whether the kernel's pixels have different weights, so that sums under it are not Poisson."""
    return not (is_adaptive(kernel) or is_field_of_view(kernel)) and kernel.dtype != bool


def _distance_squared(radius, pixel_size):
    """Squared distances from the centre, on the smallest grid that holds `radius`."""
    size_y, size_x = np.broadcast_to(pixel_size, 2)
    half_y = int(radius / size_y * (1 + RADIUS_TOLERANCE))
    half_x = int(radius / size_x * (1 + RADIUS_TOLERANCE))
    y = np.arange(-half_y, half_y + 1) * size_y
    x = np.arange(-half_x, half_x + 1) * size_x
    return y[:, None] ** 2 + x[None, :] ** 2


def _in_one_unit(lengths, pixel_size):
    """Lengths, by name, and the size of a pixel, all in the unit of the first length, as plain numbers.

    A size of pixels with a unit may be that of an angle, or of an angle per pixel.
    """
    given = [*lengths.values(), pixel_size]
    if not any(hasattr(value, "to_value") for value in given):
        return tuple(lengths.values()), pixel_size
    from astropy.units import UnitConversionError, pix

    if getattr(pixel_size, "unit", None) is not None and pix in pixel_size.unit.bases:
        pixel_size = pixel_size * pix
    unit = pix if not hasattr(pixel_size, "to_value") else pixel_size.unit
    if unit == pix and np.any(np.asarray(pixel_size) != 1):
        raise ValueError(f"pixel_size {pixel_size} needs a unit, as in 0.02 * u.deg, where lengths have one")
    values = []
    for name, length in lengths.items():
        try:
            values.append(length.to_value(unit))
        except AttributeError:
            raise ValueError(f"{name} must have a unit where others have one, got {length}") from None
        except UnitConversionError:
            hint = "say how large a pixel is: pixel_size=0.02 * u.deg" if unit == pix else f"pixel_size is in {unit}"
            raise ValueError(f"{name} is {length}: {hint}") from None
    return tuple(values), getattr(pixel_size, "value", pixel_size)


def _check_not_negative(**values):
    for name, value in values.items():
        if isinstance(value, str):
            raise ValueError(f"{name} must be a number of pixels, or a Quantity as in 0.1 * u.deg, got {value!r}")
        if not (np.isfinite(value) and value >= 0):
            raise ValueError(f"{name} must be a finite number, zero or more, got {value}")
