"""Rectangles of a map: blocks that fit into a processor's cache, and the parts that a change touches."""

from itertools import product
from typing import NamedTuple

import numpy as np

#: Pixels worked on at a time, so that intermediate results stay in the cache.
BLOCK = 2**16

#: Cells of a map have so many pixels a side; the bits of a byte. Marked pixels in touching cells belong together.
CELL = 8


def strips(shape, pixels=BLOCK):
    """Return the map cut into strips of whole rows, about `pixels` each, as pairs of slices."""
    rows = max(1, pixels // max(shape[1], 1))
    return [(slice(y, min(y + rows, shape[0])), slice(0, shape[1])) for y in range(0, shape[0], rows)]


class Strip(NamedTuple):
    """Rows of a map, the rows with those around that they depend on, and where the former are in the latter."""

    number: int
    rows: slice
    outer: slice
    inside: slice


def strips_with_halo(shape, halo, rows):
    """Return the map cut into strips of so many whole rows, with `halo` more on either side as far as the map goes.

    Parameters
    ----------
    shape : (int, int)
    halo, rows : int

    Returns
    -------
    strips : list of Strip
    """
    strips = []
    for number, start in enumerate(range(0, shape[0], rows)):
        own = slice(start, min(start + rows, shape[0]))
        outer = slice(max(0, own.start - halo), min(shape[0], own.stop + halo))
        strips.append(Strip(number, own, outer, slice(own.start - outer.start, own.stop - outer.start)))
    return strips


def tiles(shape, sides):
    """Return the map cut into equal tiles of at most `sides` = (rows, columns), as pairs of slices."""
    edges = [np.linspace(0, n, -(-n // side) + 1).astype(int) for n, side in zip(shape, sides, strict=True)]
    return [
        (slice(int(y0), int(y1)), slice(int(x0), int(x1)))
        for y0, y1 in zip(edges[0][:-1], edges[0][1:], strict=True)
        for x0, x1 in zip(edges[1][:-1], edges[1][1:], strict=True)
    ]


def grown(block, half, shape):
    """Return a block with `half` = (rows, columns) more on every side, as far as the map goes."""
    return tuple(
        slice(max(0, part.start - more), min(n, part.stop + more))
        for part, more, n in zip(block, half, shape, strict=True)
    )


def inside(block, outer):
    """Return a block's slices within the array that `outer` cuts out."""
    return tuple(
        slice(part.start - whole.start, part.stop - whole.start) for part, whole in zip(block, outer, strict=True)
    )


def around(cells, shape, side):
    """Return boxes that hold all marked cells: one for each group of touching ones, cut where larger than `side`.

    Parameters
    ----------
    cells : ndarray of bool
        One for every cell of the map.
    shape : (int, int)
        Of the map, in pixels.
    side : int
        Largest side of a box, in pixels, one cell at least.
    """
    if not cells.any():
        return []
    from scipy import ndimage

    groups, _ = ndimage.label(cells, structure=np.ones((3, 3)))
    limit = max(side // CELL, 1)
    boxes = []
    for group in ndimage.find_objects(groups):
        for parts in product(*(_evenly(part, limit) for part in group)):
            boxes.append(tuple(slice(p.start * CELL, min(p.stop * CELL, n)) for p, n in zip(parts, shape, strict=True)))
    return boxes


def in_cells(part, length):
    """Return a slice of an axis widened to whole cells."""
    return slice(part.start // CELL * CELL, min(-(-part.stop // CELL) * CELL, length))


def cut(part, size):
    """Return a slice of an axis cut into slices of `size` each, the last one shorter."""
    return [slice(start, min(start + size, part.stop)) for start in range(part.start, part.stop, size)]


def _evenly(part, limit):
    """A slice of an axis cut into as few slices as it takes, of at most `limit` each and about the same size."""
    length = part.stop - part.start
    return cut(part, -(-length // -(-length // limit)))


def runs(marked):
    """Return the runs of True in a row as slices."""
    ends = np.flatnonzero(np.diff(marked, prepend=False, append=False)).tolist()
    return [slice(first, last) for first, last in zip(ends[::2], ends[1::2], strict=True)]
