"""Rectangles of a map: blocks that fit into a processor's cache, and the parts that a change touches."""

import numpy as np

#: Pixels worked on at a time, so that intermediate results stay in the cache.
BLOCK = 2**16

#: Cells of a map have so many pixels a side; the bytes of an integer. Marked pixels in touching cells belong together.
CELL = 8


def strips(shape, pixels=BLOCK):
    """Return the map cut into strips of whole rows, about `pixels` each, as pairs of slices."""
    rows = max(1, pixels // max(shape[1], 1))
    return [(slice(y, min(y + rows, shape[0])), slice(0, shape[1])) for y in range(0, shape[0], rows)]


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


def area(block):
    """Return the number of pixels of a block."""
    return (block[0].stop - block[0].start) * (block[1].stop - block[1].start)


def inside(block, outer):
    """Return a block's slices within the array that `outer` cuts out."""
    return tuple(
        slice(part.start - whole.start, part.stop - whole.start) for part, whole in zip(block, outer, strict=True)
    )


def around(marked, side):
    """Return boxes that hold all marked pixels: one for each group of touching cells, cut where larger than `side`.

    Parameters
    ----------
    marked : ndarray of bool, shape (ny, nx)
    side : int
        Largest side of a box, in pixels.
    """
    if not marked.any():
        return []
    from scipy import ndimage

    groups, _ = ndimage.label(_marked_cells(marked), structure=np.ones((3, 3)))
    boxes = []
    for group in ndimage.find_objects(groups):
        y, x = box = _pixels(group, marked.shape, CELL)
        if max(y.stop - y.start, x.stop - x.start) <= side:
            boxes.append(box)
            continue
        boxes += [
            tuple(slice(edge.start + part.start, edge.start + part.stop) for edge, part in zip(box, tile, strict=True))
            for tile in tiles([edge.stop - edge.start for edge in box], (side, side))
        ]
    return boxes


def in_cells(part, length):
    """Return a slice of an axis widened to whole cells."""
    return slice(part.start // CELL * CELL, min(-(-part.stop // CELL) * CELL, length))


def cut(part, size):
    """Return a slice of an axis cut into slices of `size` each, the last one shorter."""
    return [slice(start, min(start + size, part.stop)) for start in range(part.start, part.stop, size)]


def runs(marked):
    """Return the runs of True in a row as slices."""
    ends = np.flatnonzero(np.diff(marked, prepend=False, append=False)).tolist()
    return [slice(first, last) for first, last in zip(ends[::2], ends[1::2], strict=True)]


def _marked_cells(marked):
    """Whether each cell of `CELL` pixels a side holds a marked pixel."""
    n_y, n_x = (-(-n // CELL) for n in marked.shape)
    rows = np.zeros((n_y, n_x * CELL), dtype=bool)
    whole = marked.shape[0] // CELL * CELL
    rows[: whole // CELL, : marked.shape[1]] = marked[:whole].reshape(-1, CELL, marked.shape[1]).any(axis=1)
    if whole < marked.shape[0]:
        rows[-1, : marked.shape[1]] = marked[whole:].any(axis=0)
    # Eight booleans are a 64-bit integer.
    return rows.view(np.uint64) != 0


def _pixels(cells, shape, side):
    """The pixels of a rectangle of cells."""
    return tuple(slice(part.start * side, min(part.stop * side, n)) for part, n in zip(cells, shape, strict=True))
