"""Maps of True and False as bits, 64 pixels to an integer: what takes a pass over the map takes an eighth of it."""

import numpy as np

from skymask.core import convolution, tiling
from skymask.core.tiling import CELL

#: Pixels of an integer.
WORD = 64

#: Pixels of a strip: their bits and some more arrays of that size stay in the cache.
STRIP = 2**20


class PackedMask:
    """A map of True and False, one bit per pixel; `&`, `|`, `^` and `~` are those of arrays of bool.

    Attributes
    ----------
    packed : ndarray of uint8, shape (ny, nb)
        Rows of `numpy.packbits`, the first pixel in the highest bit; zeros fill the last integer of 64 bits.
    shape : (int, int)
    """

    def __init__(self, packed, shape):
        self.packed, self.shape = packed, shape

    @classmethod
    def zeros(cls, shape):
        """Return a map that is False everywhere."""
        return cls(np.zeros((shape[0], -(-shape[1] // WORD) * (WORD // 8)), dtype=np.uint8), shape)

    @classmethod
    def of(cls, image):
        """Return the map of an array of bool."""
        return cls.of_strips(image.shape, image.__getitem__)

    @classmethod
    def of_strips(cls, shape, strip_of):
        """Return the map of which `strip_of` returns strips, pairs of slices, as arrays of bool."""
        result = cls.zeros(shape)
        for strip in tiling.strips(shape):
            result.put(strip[0], strip_of(strip))
        return result

    def put(self, rows, image):
        """Make rows those of an array of bool."""
        self.packed[rows, : -(-self.shape[1] // 8)] = np.packbits(image, axis=1)

    def __and__(self, other):
        return PackedMask(self.packed & other.packed, self.shape)

    def __or__(self, other):
        return PackedMask(self.packed | other.packed, self.shape)

    def __xor__(self, other):
        return PackedMask(self.packed ^ other.packed, self.shape)

    def __invert__(self):
        return PackedMask(~self.packed, self.shape)._ended()

    def __getitem__(self, block):
        """Return a block, a pair of slices or one for whole rows, as an array of bool."""
        block = block if isinstance(block, tuple) else (block, slice(None))
        (top, bottom, _), (left, right, _) = (part.indices(n) for part, n in zip(block, self.shape, strict=True))
        unpacked = np.unpackbits(self.packed[top:bottom, left // 8 : -(-right // 8)], axis=1).view(bool)
        return unpacked[:, left % 8 : left % 8 + right - left]

    def array(self):
        """Return the map as an array of bool."""
        return np.unpackbits(self.packed, axis=1, count=self.shape[1]).view(bool)

    def flat(self):
        """Return all pixels as bits one after the other, `numpy.packbits` of the whole array."""
        n_y, n_x = self.shape
        if n_x % 8 == 0:
            return self.packed[:, : n_x // 8].flatten()
        # So many rows begin and end with a byte.
        rows = tiling.cut(slice(0, n_y), 8 * -(-tiling.BLOCK // (8 * n_x)))
        return np.concatenate([np.packbits(self[part, :]) for part in rows])

    def any(self):
        """Whether any pixel is True."""
        return bool(self.packed.view(np.uint64).any())

    def all(self):
        """Whether every pixel is True."""
        return self.count() == self.shape[0] * self.shape[1]

    def count(self, block=None):
        """Return the number of pixels that are True, of a block whose columns are those of whole cells or of all."""
        return count(self.packed if block is None else self.packed[_in_bytes(block)])

    def cells(self):
        """Return whether there is a True pixel in each cell of `tiling.CELL` pixels a side, which is a byte."""
        words = self.packed.view(np.uint64)
        rows = np.bitwise_or.reduceat(words, np.arange(0, len(words), CELL), axis=0)
        return rows.view(np.uint8)[:, : -(-self.shape[1] // CELL)] != 0

    def clear(self, block):
        """Make a block False, whose columns are those of whole cells."""
        self.packed[_in_bytes(block)] = 0

    def set(self, pixels):
        """Make some pixels True, counted from the map's first."""
        y = pixels // self.shape[1]
        x = pixels - y * self.shape[1]
        bits = np.right_shift(0x80, x % 8).astype(np.uint8)
        np.bitwise_or.at(self.packed.reshape(-1), y * self.packed.shape[1] + x // 8, bits)

    def dilate(self, kernel):
        """Return the pixels that have a True one under a kernel: where the convolution is above zero.

        Parameters
        ----------
        kernel : ndarray of bool, shape (2 my + 1, 2 mx + 1)

        Returns
        -------
        spread : PackedMask
            Nothing comes in across the border of the map.
        """
        rows = convolution.centred_rows(kernel)
        if rows is None:
            return PackedMask.of(convolution.convolve(self.array(), kernel) > 0)
        half, (n_y, n_x) = len(rows) - 1, self.shape
        result = PackedMask.zeros(self.shape)
        for strip in tiling.cut(slice(0, n_y), max(STRIP // n_x, 4 * half, 1)):
            outer = slice(max(0, strip.start - half), min(strip.stop, n_y) + half)
            # The first pixel in the highest bit of an integer, whatever the order of bytes in it.
            part = self.packed[outer].view(">u8").astype(np.uint64)
            if part.any():
                spread = _spread_rows(part, rows)[strip.start - outer.start :][: strip.stop - strip.start]
                result.packed[strip] = spread.astype(">u8").view(np.uint8)
        return result._ended()

    def _ended(self):
        """The map itself, after zeros have been put behind the last pixel of each row."""
        whole, rest = divmod(self.shape[1], 8)
        if rest:
            self.packed[:, whole] &= 0xFF00 >> rest & 0xFF
        self.packed[:, whole + (rest > 0) :] = 0
        return self


def _in_bytes(block):
    """A block whose columns are those of whole cells, in packed rows."""
    rows, columns = block
    return rows, slice(columns.start // 8, -(-columns.stop // 8))


def count(packed):
    """Return how many bits are set in an array of uint8, such as that of `numpy.packbits`."""
    if not packed.flags.c_contiguous:
        return int(np.bitwise_count(packed).sum(dtype=np.int64))
    packed = packed.reshape(-1)
    whole = packed.size // 8 * 8
    number = np.bitwise_count(packed[:whole].view(np.uint64)).sum(dtype=np.int64)
    return int(number) + int(np.bitwise_count(packed[whole:]).sum(dtype=np.int64))


def dilate(region, kernel):
    """Return the pixels of an array of bool that have one of a region under a kernel, see `PackedMask.spread`."""
    return PackedMask.of(region).dilate(kernel).array()


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
    wider[:, 1:] |= rows[:, :-1] << (WORD - step)
    wider[:, :-1] |= rows[:, 1:] >> (WORD - step)
    return wider
