"""What the map viewer of the report shows, encoded for a page that opens from disk.

A browser reads no other file for such a page, so maps stand in it: as whole numbers of 16 bits with a step, or as bits,
compressed by zlib and in base64. `skymask/products/pages/viewer.js` decodes them.
"""

import base64
import zlib

import numpy as np

from skymask.products.colour_scales import SAMPLE
from skymask.registry import MAPS
from skymask.sky.geometry import directions, pixel_size, sky_projection

#: Sky coordinates in the viewer are off by at most this fraction of a pixel.
MAX_SKY_ERROR = 0.01

#: At so many points along each side of a cell are interpolated sky coordinates compared with true ones.
PARTS = 4

#: Codes of values that are no finite numbers; those of finite numbers begin with 1.
NAN, NEGATIVE, POSITIVE = 0, 65534, 65535
STEPS = 65532


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
    finite = np.isfinite(image) if image.dtype.kind == "f" else None
    every = finite is None or finite.all()
    values = image if every else image[finite]
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    whole = high - low <= STEPS and (finite is None or np.array_equal(values, np.rint(values)))
    step = 1.0 if whole or high == low else (high - low) / STEPS
    codes = np.rint(np.subtract(values, low, dtype=float) / step).astype("<u2") + np.uint16(1)
    if not every:
        inner = codes
        codes = np.zeros(image.shape, dtype="<u2")
        codes[finite] = inner
        codes[image == -np.inf], codes[image == np.inf] = NEGATIVE, POSITIVE
    # Low bytes after high ones compress better than by turns.
    return {"data": _packed(codes.reshape(-1, 1).view(np.uint8).T[::-1]), "offset": low, "step": step}


def mask(exclusion_mask):
    """Return a mask for the viewer: its bits, row by row without gaps, the first pixel in the highest one."""
    return _packed(np.packbits(exclusion_mask))


def layer(name, image, limits=None):
    """Return a map for the viewer.

    Parameters
    ----------
    name : str
        Of a map of `skymask.registry.MAPS` that has a look.
    image : ndarray, shape (ny, nx)
        With as many pixels as the viewer is to show, see `skymask.products.blocks`.
    limits : (float, float), optional
        Ends of the colour scale; those of the image if not given.
    """
    look = MAPS[name].look
    limits = limits or _limits(name, image)
    shown = {"name": name, "unit": MAPS[name].unit, "colours": look.colours, "stretch": look.stretch}
    return {**shown, "limits": list(limits), **encode(image)}


def view_of(field, significance_limits):
    """Return everything that the viewer shows of a dataset.

    Parameters
    ----------
    field : skymask.products.field.Field
    significance_limits : (float, float)
        Ends of the colour scale of the significance.
    """
    limits = {"significance": significance_limits}
    images = field.images | {"coverage": field.coverage}
    return {
        "layers": [layer(name, images[name], limits.get(name)) for name in MAPS if name in images],
        "masks": [mask(one) for one in (*field.masks, field.exclusion_mask)],
        "sky": sky_grid(field.header, field.shape, pixel_size(field.header)),
        "shape": list(field.coverage.shape),
        "full_shape": list(field.shape),
        "block": field.block,
    }


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


def _limits(name, image):
    """Ends of a colour scale: those of the map, but for the brightest pixels; the same on both sides of zero."""
    look = MAPS[name].look
    finite = image[np.isfinite(image)]
    if not finite.size:
        return 0.0, 1.0
    lowest, highest = float(finite.min()), float(finite.max())
    sample = finite[:: 1 + finite.size // SAMPLE]
    if look.colours == "signed":
        limit = float(np.percentile(np.abs(sample), 99.5)) or 1.0
        return -limit, limit
    if name == "background":
        # It is smooth: from zero on, most of it would have one colour.
        low, high = (float(end) for end in np.percentile(sample, [0.5, 99.5]))
        return (low, high) if high > low else (0.0, highest or 1.0)
    if look.colours == "viridis":
        return lowest, highest
    high = float(np.percentile(sample, 99.9)) if look.stretch == "square root" else highest
    return 0.0, high or 1.0


def _packed(content):
    """Bytes, compressed by runs: a quarter of the time of zlib's own strategy, and as small for maps of noise."""
    compressor = zlib.compressobj(6, strategy=zlib.Z_RLE)
    return base64.b64encode(compressor.compress(np.ascontiguousarray(content)) + compressor.flush()).decode()
