"""Masks as bits, 64 pixels to an integer: what takes a pass over the map takes an eighth of it, or less."""

import numpy as np

from skymask import blocks, sums

#: Pixels of an integer.
WORD = 64

#: Pixels of a strip: their bits and some more arrays of that size stay in the cache.
STRIP = 2**20


def count(packed):
    """Return how many bits are set in an array of uint8, such as that of `numpy.packbits`."""
    whole = packed.size // 8 * 8
    number = np.bitwise_count(packed[:whole].view(np.uint64)).sum(dtype=np.int64)
    return int(number) + int(np.bitwise_count(packed[whole:]).sum(dtype=np.int64))


def spread(region, kernel):
    """Return the pixels that have a pixel of a region under a kernel: where the convolution is above zero.

    Parameters
    ----------
    region : ndarray of bool, shape (ny, nx)
    kernel : ndarray of bool, shape (2 my + 1, 2 mx + 1)

    Returns
    -------
    spread : ndarray of bool, shape (ny, nx)
        Nothing comes in across the border of the map.
    """
    rows = sums.centred_rows(kernel)
    if rows is None:
        return sums.convolve(region, kernel) > 0
    half, (n_y, n_x) = len(rows) - 1, region.shape
    packed = _packed(region)
    result = np.zeros_like(packed)
    for strip in blocks.cut(slice(0, n_y), max(STRIP // n_x, 4 * half, 1)):
        outer = slice(max(0, strip.start - half), min(strip.stop, n_y) + half)
        part = packed[outer]
        if part.any():
            result[strip] = _spread_rows(part, rows)[strip.start - outer.start :][: len(result[strip])]
    return np.unpackbits(result.view(np.uint8), axis=1, count=n_x, bitorder="little").view(bool)


def _packed(region):
    """The rows of a region as integers, the first pixel in the lowest bit; zeros fill the last one."""
    packed = np.packbits(region, axis=1, bitorder="little")
    missing = -packed.shape[1] % (WORD // 8)
    return (np.pad(packed, ((0, 0), (0, missing))) if missing else packed).view("<u8")


def _spread_rows(wide, rows):
    """Widen rows of bits, more and more, and put each kernel row's width where it belongs."""
    total = np.zeros_like(wide)
    width = 0
    for dy in sorted(range(len(rows)), key=rows.__getitem__):
        while width < rows[dy]:
            # Not further than the width: what falls off the map's edge on the way would be missing.
            step = min(rows[dy] - width, width + 1, WORD - 1)
            wide = _widened(wide, step)
            width += step
        total[dy:] |= wide[: max(len(wide) - dy, 0)]
        total[: max(len(wide) - dy, 0)] |= wide[dy:]
    return total


def _widened(rows, step):
    """Rows of bits, each bit set also up to `step` to the left and to the right if nearer ones are."""
    wider = rows << step
    wider |= rows
    wider |= rows >> step
    wider[:, 1:] |= rows[:, :-1] >> (WORD - step)
    wider[:, :-1] |= rows[:, 1:] << (WORD - step)
    return wider
