"""Maps in fewer pixels, of which each stands for a block of the map's: for pages and figures without room for all."""

import numpy as np

#: Pages show at most this many pixels of a map; of larger ones, blocks of n x n pixels.
MAX_PIXELS = 2**20

#: About so many pixels are read at a time.
PIECE = 2**20

#: What one number is made of several, NaN left out, by its name.
_JOINED = {"max": np.fmax, "min": np.fmin, "mean": np.add}


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
    image : ndarray, shape (ny, nx), or `skymask.io.image_rows.StoredImage`
        Anything with a shape of which `image[a:b]` are rows: no more than some of them are in memory.
    n : int
    of_block : {"mean", "max", "min"}
        Which number stands for a block, NaN left out.

    Returns
    -------
    blocks : ndarray, shape (-(-ny // n), -(-nx // n))
        NaN where the whole block is; means are floating-point numbers.
    """
    if n == 1:
        return image[:]
    step = n * max(1, PIECE // (n * image.shape[1]))
    pieces = [_joined(image[start : start + step], n, of_block) for start in range(0, image.shape[0], step)]
    return np.concatenate(pieces)


def _joined(rows, n, of_block):
    if of_block != "mean":
        return _reduced(rows, n, _JOINED[of_block])
    floats = rows.dtype.kind == "f"
    undefined = np.isnan(rows) if floats else None
    if floats and undefined.any():
        rows, number = np.where(undefined, 0, rows), _reduced((~undefined).astype(np.int32), n, np.add)
    else:
        # Blocks at the far edges are smaller.
        height, width = (np.minimum(n, size - n * np.arange(-(-size // n))) for size in rows.shape)
        number = np.outer(height, width)
    total = _reduced(rows if floats else rows.astype(np.int64), n, np.add)
    with np.errstate(invalid="ignore"):
        return total / number


def _reduced(rows, n, join):
    """Rows with n x n values joined to one."""
    whole = len(rows) // n * n
    parts = [join.reduce(rows[:whole].reshape(-1, n, rows.shape[1]), axis=1)]
    if whole < len(rows):
        parts.append(join.reduce(rows[whole:], axis=0)[None])
    tall = np.concatenate(parts)
    reduced = tall[:, ::n].copy()
    for start in range(1, n):
        others = tall[:, start::n]
        part = reduced[:, : others.shape[1]]
        join(part, others, out=part)
    return reduced
