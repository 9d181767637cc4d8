"""What the map viewer of the report shows, encoded for a page that opens from disk.

A browser reads no other file for such a page, so maps stand in it: as whole numbers of 16 bits with a step, or as bits,
compressed by zlib and in base64. `skymask/products/pages/viewer.js` decodes them.
"""

import base64
import zlib

import numpy as np

from skymask.registry import MAPS
from skymask.sky.geometry import directions, sky_projection

#: Maps have at most this many pixels in the viewer; larger ones are shown in blocks of n x n pixels.
MAX_PIXELS = 2**20

#: Sky coordinates in the viewer are off by at most this fraction of a pixel.
MAX_SKY_ERROR = 0.01

#: At so many points along each side of a cell are interpolated sky coordinates compared with true ones.
PARTS = 4

#: Codes of values that are no finite numbers; those of finite numbers begin with 1.
NAN, NEGATIVE, POSITIVE = 0, 65534, 65535
STEPS = 65532

#: What a block of pixels shows where a map has too many of them.
_OF_BLOCK = {"mean": np.nanmean, "max": np.nanmax}


def encode(image):
    """Return an image as compressed whole numbers, with the value of the first one and their step.

    Parameters
    ----------
    image : ndarray, shape (ny, nx)

    Returns
    -------
    encoded : dict
        `data` in base64, `offset` and `step`: a value is offset + step (code - 1). Whole numbers that span less than
        65533 are exact, others within half a step.
    """
    values = np.asarray(image, dtype=float)
    finite = np.isfinite(values)
    low, high = (float(values[finite].min()), float(values[finite].max())) if finite.any() else (0.0, 0.0)
    whole = high - low <= STEPS and np.array_equal(values[finite], np.round(values[finite]))
    step = 1.0 if whole or high == low else (high - low) / STEPS
    codes = np.zeros(values.shape, dtype="<u2")
    codes[finite] = np.round((values[finite] - low) / step) + 1
    codes[values == -np.inf], codes[values == np.inf] = NEGATIVE, POSITIVE
    # Low bytes after high ones compress better than by turns.
    planes = np.concatenate([codes.ravel() >> 8, codes.ravel() & 255]).astype(np.uint8)
    return {"data": _packed(planes), "offset": low, "step": step}


def mask(exclusion_mask, block=1):
    """Return a mask for the viewer: its bits, row by row without gaps, the first pixel in the highest one.

    A block with an excluded pixel is excluded.
    """
    return _packed(np.packbits(in_blocks(exclusion_mask, block, np.nanmin) == 1))


def layer(name, image, limits=None, block=1):
    """Return a map for the viewer.

    Parameters
    ----------
    name : str
        Of a map of `skymask.registry.MAPS` that has a look.
    image : ndarray, shape (ny, nx)
    limits : (float, float), optional
        Ends of the colour scale; those of the image if not given.
    block : int
        As of `block_size`.
    """
    look = MAPS[name].look
    shown = in_blocks(image, block, _OF_BLOCK[look.of_block])
    limits = limits or _limits(name, shown)
    return {"name": name, "colours": look.colours, "stretch": look.stretch, "limits": list(limits), **encode(shown)}


def block_size(shape, max_pixels=MAX_PIXELS):
    """Return the smallest n with which a map has at most so many blocks of n x n pixels."""
    n = 1
    while -(-shape[0] // n) * -(-shape[1] // n) > max_pixels:
        n += 1
    return n


def in_blocks(image, n, of_block):
    """Return an image of which every pixel stands for n x n pixels; blocks at the far edges may be cut.

    Parameters
    ----------
    image : ndarray, shape (ny, nx)
    n : int
    of_block : callable
        Makes one value of many along an axis, NaN left out, as `numpy.nanmax` does.
    """
    if n == 1:
        return image
    height, width = (-(-size // n) * n for size in image.shape)
    padded = np.full((height, width), np.nan)
    padded[: image.shape[0], : image.shape[1]] = image
    pixels = padded.reshape(height // n, n, width // n, n).swapaxes(1, 2).reshape(height // n, width // n, n * n)
    empty = np.isnan(pixels).all(axis=-1)
    # What has no value needs one for a moment, or numpy warns.
    pixels[empty] = 0
    return np.where(empty, np.nan, of_block(pixels, axis=-1))


def sky_grid(header, shape, pixel_size):
    """Return unit vectors towards pixels on a coarse grid, between which the viewer interpolates linearly.

    The grid is refined until, at `PARTS` x `PARTS` points of every cell, interpolated positions are within
    `MAX_SKY_ERROR` pixels.

    Parameters
    ----------
    header : Header
    shape : (int, int)
        Shape (ny, nx) of the map.
    pixel_size : (float, float)
        In degrees.

    Returns
    -------
    grid : dict
        `nodes` along y and x; `vectors` in base64, little-endian numbers of 64 bits; `error`, the largest at
        these points, in degrees.
    """
    wcs = sky_projection(header)
    nodes = [max(2, min(size, 5)) for size in shape]
    while True:
        # From edge to edge: pixels have their centres at whole numbers.
        y, x = (np.linspace(-0.5, size - 0.5, number) for size, number in zip(shape, nodes, strict=True))
        vectors = _vectors(wcs, y, x)
        error = _interpolation_error(wcs, y, x, vectors)
        if error <= MAX_SKY_ERROR * min(pixel_size) or all(n >= size for n, size in zip(nodes, shape, strict=True)):
            data = base64.b64encode(vectors.astype("<f8").tobytes()).decode()
            return {"nodes": nodes, "vectors": data, "error": error}
        nodes = [max(number, min(2 * number - 1, size)) for number, size in zip(nodes, shape, strict=True)]


def _vectors(wcs, y, x):
    grid_y, grid_x = np.meshgrid(y, x, indexing="ij")
    return directions(wcs, np.column_stack([grid_x.ravel(), grid_y.ravel()])).reshape(y.size, x.size, 3)


def _interpolation_error(wcs, y, x, vectors):
    """The largest error, in degrees, at `PARTS` points along each side of every cell."""
    parts = np.arange(PARTS) / PARTS
    for axis in (0, 1):
        vectors = np.moveaxis(vectors, axis, 0)
        steps = parts[:, None, None] * np.diff(vectors, axis=0)[:, None]
        between = (vectors[:-1, None] + steps).reshape(-1, *vectors.shape[1:])
        vectors = np.moveaxis(between, 0, axis)
    y, x = ((nodes[:-1, None] + parts * np.diff(nodes)[:, None]).ravel() for nodes in (y, x))
    vectors = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return float(np.degrees(np.linalg.norm(vectors - _vectors(wcs, y, x), axis=-1).max()))


def background_limits(finite):
    """Return the ends of the colour scale of a background, which is smooth: from zero on, most would have one colour.

    Parameters
    ----------
    finite : ndarray
        What is defined of the map.

    Returns
    -------
    limits : (float, float) or None
        None if it is the same everywhere.
    """
    low, high = np.percentile(finite, [0.5, 99.5]) if finite.size else (0.0, 0.0)
    return (float(low), float(high)) if high > low else None


def _limits(name, image):
    """Ends of a colour scale: those of the map, but for the brightest pixels; the same on both sides of zero."""
    look = MAPS[name].look
    finite = image[np.isfinite(image)]
    if not finite.size:
        return 0.0, 1.0
    if look.colours == "signed":
        limit = float(np.percentile(np.abs(finite), 99.5)) or 1.0
        return -limit, limit
    if name == "background" and (limits := background_limits(finite)):
        return limits
    if look.colours == "viridis":
        return float(finite.min()), float(finite.max())
    high = float(np.percentile(finite, 99.9)) if look.stretch == "square root" else float(finite.max())
    return 0.0, high or 1.0


def _packed(content):
    return base64.b64encode(zlib.compress(content.tobytes(), 6)).decode()
