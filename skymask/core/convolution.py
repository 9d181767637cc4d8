"""Sums of an image under a kernel, exact wherever the numbers allow it.

Under a kernel of zeros and ones every sum of integers is an integer: an empty ring is exactly empty, and neither the
order of additions nor the size of the blocks in which a map is worked on can matter. Small disks are summed by adding
shifted rows, everything else by Fourier transforms of blocks, rounded to integers because the error of the transform
is known to be too small to matter. Floating-point images are split into integers for that. Kernels with weights need a
Fourier transform without rounding.
"""

from functools import lru_cache

import numpy as np

from skymask.core import tiling
from skymask.core.tiling import CELL

#: Bits of a 64-bit integer that a sum may use, sign and one bit of safety apart.
SUM_BITS = 62

#: Parts into which a floating-point image is split at most; what is left then is below 2**-100 of its maximum.
MAX_PARTS = 8

#: Up to so many additions of shifted rows, they are faster than a transform.
FEW_ADDITIONS = 64

#: Sides of the tiles in which shifted rows are added, of floating-point numbers and of the integers, which are shorter.
FLOAT_SIDES, INTEGER_SIDES = (80, 512), (256, 512)

#: Cells in which sums at some pixels are made at a time: with a small kernel around each they stay in the cache.
CELLS = 256

#: A transform's result is rounded to integers if its error is known to stay below this.
ROUNDING_MARGIN = 0.45

#: What calling for a block costs, in pixels of a transform, and for a single pixel.
CALL_COST, CALL_COST_OF_PIXEL = 5000, 700

#: So many pixels of a kernel are added in the time of one pixel's transform.
ADDITIONS = 12

#: Tiles for transforms have about so many pixels a side: more, and buffers leave the cache and are fresh memory.
TRANSFORM_SIDES = (256, 512)


def convolve(image, kernel, *, smallest=np.int32, empty=np.empty, largest=None):
    """Return the convolution of `image` with `kernel`, zero outside the image, same shape.

    Parameters
    ----------
    image : ndarray of bool, int or float, shape (ny, nx)
        Finite everywhere.
    kernel : ndarray, shape (2 my + 1, 2 mx + 1)
        Boolean, or floating-point weights.
    smallest : numpy.dtype
        Integers are returned in a type at least as large.
    empty : callable
        What makes the array of sums, `numpy.empty` or that of a `memory.Memory`; weighted sums, and those of
        floating-point numbers under large kernels, come from numpy.
    largest : float, optional
        The largest absolute value of the image that this one is a part of: sums of floating-point numbers under a
        boolean kernel are then those of the whole to the bit.

    Returns
    -------
    sums : ndarray, shape (ny, nx)
        Signed integers, and exact, for integers under a boolean kernel; float64 otherwise, to about one unit in the
        last place (one per addition for small disks) under a boolean kernel, and to about 1e-15 of the largest sum
        under one with weights.

    Raises
    ------
    ValueError
        If the sums do not fit into 62 bits.
    """
    if kernel.dtype != bool:
        return _weighted_sums(image, np.asarray(kernel, dtype=float))
    if is_local(kernel):
        return _shifted_sums(image, centred_rows(kernel), _sum_type(image, kernel, smallest), empty)
    if image.dtype.kind in "bui":
        return _integer_sums(image, kernel, smallest, empty)
    return _split_float(image, kernel, largest)


def is_local(kernel):
    """Return whether sums of floating-point numbers under a boolean kernel are the same in every part of a map."""
    rows = centred_rows(kernel)
    return rows is not None and _additions(rows) <= FEW_ADDITIONS


def sums_at(image, kernel, pixels):
    """Return the sums of floating-point numbers at some pixels, to the bit those of `convolve`.

    Parameters
    ----------
    image : ndarray of float, shape (ny + 2 my, nx + 2 mx)
        With half the kernel more than the pixels on every side.
    kernel : ndarray of bool, shape (2 my + 1, 2 mx + 1)
        One for which sums are local, see `is_local`.
    pixels : (ndarray of int, ndarray of int)
        Their y and x, counted from the first pixel on which the whole kernel lies.
    """
    rows, stride = centred_rows(kernel), image.shape[1]
    sides = [CELL + n - 1 for n in kernel.shape]
    # Pixels lie close together: all sums of the cells that they lie in are made.
    y, x = (i // CELL for i in pixels)
    first_row = y.min(initial=image.shape[0])
    y -= first_row
    marked = np.zeros((y.max(initial=0) + 1, image.shape[1] // CELL + 1), dtype=bool)
    marked[y, x] = True
    cells = np.nonzero(marked)
    number = np.zeros(marked.shape, dtype=int)
    number[cells] = np.arange(cells[0].size)
    number = number[y, x]
    cells = cells[0] + first_row, cells[1]
    sums = np.empty((CELL, CELL, cells[0].size))
    for part in tiling.cut(slice(0, cells[0].size), CELLS):
        # Rows, columns, cells; what lies beyond the image belongs to pixels that nobody asks for.
        at_y, at_x = (i[part] * CELL + np.arange(side)[:, None] for i, side in zip(cells, sides, strict=True))
        run = image.reshape(-1).take((at_y * stride)[:, None] + at_x[None], mode="clip").reshape(-1)
        length = sides[1] * at_x.shape[1]
        total = _add_shifted(run, np.empty_like(run), np.empty(CELL * length), rows, length, step=at_x.shape[1])
        first = (kernel.shape[1] // 2) * at_x.shape[1]
        sums[..., part] = total.reshape(CELL, length)[:, first : first + CELL * at_x.shape[1]].reshape(CELL, CELL, -1)
    return sums[pixels[0] % CELL, pixels[1] % CELL, number]


def sums_of_ones(shape, kernel, *, out=None, empty=np.empty):
    """Return the convolution of an image of ones with a boolean kernel: the part of it that lies on the map.

    The sums are put into `out`, if given, or else into an array that `empty` makes.
    """
    corners = np.zeros((kernel.shape[0] + 1, kernel.shape[1] + 1), dtype=integer_type(int(kernel.sum())))
    corners[1:, 1:] = kernel.cumsum(axis=0).cumsum(axis=1)

    def ends(n, m):
        # Pixel i takes the kernel's pixels k with 0 <= i - (k - m // 2) < n.
        i = np.arange(n) + m // 2
        return np.clip(i - n + 1, 0, m), np.clip(i + 1, 0, m)

    (top, bottom), (left, right) = (ends(n, m) for n, m in zip(shape, kernel.shape, strict=True))
    rows = (corners[bottom] - corners[top]).astype(integer_type(int(kernel.sum()), smallest=np.int16))
    sums = empty(shape, rows.dtype) if out is None else out
    # Most pixels take whole rows of the kernel.
    edge = min(kernel.shape[1] // 2, shape[1])
    sums[:, edge:] = rows[:, -1:]
    for part in (slice(0, edge), slice(max(shape[1] - edge, 0), None)):
        sums[:, part] = rows.take(right[part], axis=1) - rows.take(left[part], axis=1)
    return sums


class BlockSums:
    """Exact sums of blocks of integers under one boolean kernel, with buffers that blocks of one size share.

    Parameters
    ----------
    kernel : ndarray of bool, shape (2 my + 1, 2 mx + 1)
    """

    def __init__(self, kernel):
        self.kernel = kernel
        self.half = (kernel.shape[0] // 2, kernel.shape[1] // 2)
        self._norm = float(np.sqrt(np.count_nonzero(kernel)))
        self._transforms = {}
        self._memory, self._size, self._largest = np.empty(0), 0, None

    def __reduce__(self):
        return BlockSums, (self.kernel,)

    def tiles(self, shape):
        """Return the tiles in which the sums of a whole map are cheapest, as pairs of slices."""
        return tiling.tiles(shape, [_cheapest_side(n, half) for n, half in zip(shape, self.half, strict=True)])

    def cost(self, block, out):
        """Return what the sums of a block cost, see `sums`, in about the time of one pixel's transform."""
        n_y, n_x = self._padded_shape([part.stop - part.start for part in block], out)
        return n_y * n_x + CALL_COST

    @property
    def cost_of_pixel(self):
        """What it costs to add a single pixel to all sums that it contributes to, without a transform."""
        return self.kernel.size / ADDITIONS + CALL_COST_OF_PIXEL

    def sums_of_map(self, image, sums):
        """Put the sums of a whole map of integers into an array of its shape.

        Two tiles share a transform if there is room for their sums in one number.
        """
        tiles = self.tiles(image.shape)
        low_bits = _largest_sum(image, self.kernel).bit_length() + 1
        if image.min(initial=0) >= 0 and 2 * low_bits < np.finfo(float).nmant:
            while len(tiles) > 1 and (pair := self._sums_of_two(image, tiles[-2:], low_bits)):
                for sums_of_tile in pair:
                    tile = tiles.pop()
                    sums[tile] = sums_of_tile[tuple(slice(0, part.stop - part.start) for part in tile)]
        for tile in tiles:
            outer = tiling.grown(tile, self.half, image.shape)
            sums[tile] = self.sums(image[outer], tiling.inside(tile, outer))

    def _sums_of_two(self, image, tiles, low_bits):
        """The sums of the last and the first of two tiles, or None if one transform cannot tell them apart."""
        sides = [max(part.stop - part.start for part in parts) for parts in zip(*tiles, strict=True)]
        block_shape = [side + 2 * half for side, half in zip(sides, self.half, strict=True)]
        out = tuple(slice(half, half + side) for side, half in zip(sides, self.half, strict=True))
        values = self.values(block_shape, out)
        values[...] = 0
        high, low = (tiling.grown(tile, self.half, image.shape) for tile in tiles)
        in_high, in_low = (
            tiling.inside(outer, [slice(part.start - half, None) for part, half in zip(tile, self.half, strict=True)])
            for outer, tile in zip((high, low), tiles, strict=True)
        )
        values[in_high] = image[high]
        values[in_high] *= float(1 << low_bits)
        # Operations on numbers of different types take three times as long.
        floats = self._buffer(1, image[low].shape)
        floats[...] = image[low]
        values[in_low] += floats
        packed = self.sums_of_values(block_shape, out)
        return None if packed is None else self.split(packed, low_bits)

    def split(self, packed, low_bits):
        """Return the sums in the low and those in the high bits, in buffers that the next sums use again.

        Those in the low bits are below half of what there is room for.
        """
        unit = float(1 << low_bits)
        # The transform that the sums come from is not needed any more.
        high = np.multiply(packed, 1 / unit, out=self._buffer(1, packed.shape))
        np.rint(high, out=high)
        high *= unit
        packed -= high
        high *= 1 / unit
        return packed, high

    def sums(self, block, out):
        """Return the sums to which a block of integers contributes.

        Parameters
        ----------
        block : ndarray of int, shape (by, bx)
        out : (slice, slice)
            The sums wanted, counted from the block's first pixel; half the kernel more than the block on every side
            are not zero.

        Returns
        -------
        sums : ndarray of float or int64
            Integers; in a buffer that the next call uses again.
        """
        values = self.values(block.shape, out)
        values[...] = block
        sums = self.sums_of_values(block.shape, out)
        return self._sums_of_parts(block, out) if sums is None else sums

    def values(self, block_shape, out):
        """Return the array in which `sums_of_values` expects the block of integers; see `sums`."""
        n_y, n_x = self._padded_shape(block_shape, out)
        if self._size < n_y * (n_x + 2):
            # In one piece: fresh memory costs as much as the arithmetic, and less in large pages.
            self._size, self._largest = n_y * (n_x + 2), (n_y, n_x)
            self._memory = np.empty(3 * self._size)
            self._transforms = {}
        values = self._buffer(0, (block_shape[0], n_x))
        values[:, block_shape[1] :] = 0
        return values[:, : block_shape[1]]

    def sums_of_values(self, block_shape, out):
        """Return the sums of the block in `values`, or None if they cannot be had exactly with one transform."""
        shape = self._padded_shape(block_shape, out)
        values = self._buffer(0, (block_shape[0], shape[1]))
        norm = np.sqrt(np.einsum("ij,ij->", values, values))
        return self._convolved(values, shape, out) if self._error(shape) * norm < ROUNDING_MARGIN else None

    def _padded_shape(self, block_shape, out):
        """The size of transforms in which what wraps around falls beyond what is wanted."""
        return tuple(
            _fast_length(max(n + half - min(part.start, n - part.stop, half), 2 * half + 1, part.stop + half))
            for n, half, part in zip(block_shape, self.half, out, strict=True)
        )

    def _error(self, shape):
        """Bound on the error of any sum, in units of the 2-norm of the block.

        Each of three transforms has a relative error in the 2-norm of at most 3.4 rounding units times log2(size)
        (Higham 2002, Accuracy and Stability of Numerical Algorithms, theorem 24.2), and no element of the result
        exceeds the product of the 2-norms.
        """
        return (10.2 * np.log2(shape[0] * shape[1]) + 4) * float(np.finfo(float).eps) * self._norm

    def _sums_of_parts(self, block, out):
        """The sums of integers so large that their high and low bits need a transform each."""
        block = block.astype(np.int64)
        error = self._error(self._padded_shape(block.shape, out)) * np.sqrt(block.size)
        low_bits = int(np.log2(ROUNDING_MARGIN / error))
        high = self.sums(block >> low_bits, out).astype(np.int64) << low_bits
        return high + self.sums(block & ((1 << low_bits) - 1), out).astype(np.int64)

    def _convolved(self, values, shape, out):
        rows = values.shape[0]
        transform = self._buffer(1, (shape[0], shape[1] + 2)).view(complex)
        np.fft.rfft(values, axis=1, out=transform[:rows])
        transform[rows:] = 0
        np.fft.fft(transform, axis=0, out=transform)
        transform *= self._kernel_transform(shape)
        np.fft.ifft(transform, axis=0, out=transform)
        first, rows = out[0].start + self.half[0], out[0].stop - out[0].start
        # The block itself has been transformed, and its memory is free.
        result = np.fft.irfft(transform[first : first + rows], shape[1], axis=1, out=self._buffer(0, (rows, shape[1])))
        wanted = result[:, out[1].start + self.half[1] : out[1].stop + self.half[1]]
        return np.rint(wanted, out=wanted)

    def _kernel_transform(self, shape):
        if shape not in self._transforms:
            size = shape[0], shape[1] + 2
            transform = (self._buffer(2, size) if shape == self._largest else np.empty(size)).view(complex)
            rows = self.kernel.shape[0]
            np.fft.rfft(self.kernel, shape[1], axis=1, out=transform[:rows])
            transform[rows:] = 0
            self._transforms[shape] = np.fft.fft(transform, axis=0, out=transform)
        return self._transforms[shape]

    def _buffer(self, number, shape):
        """Return an array in memory used before: for the block and its sums, for its transform, for the kernel's."""
        start = number * self._size
        return self._memory[start : start + shape[0] * shape[1]].reshape(shape)


def _integer_sums(image, kernel, smallest=np.int32, empty=np.empty):
    """Sum integers under a boolean kernel, exactly, tile by tile."""
    sums = empty(image.shape, _sum_type(image, kernel, smallest))
    BlockSums(kernel).sums_of_map(image, sums)
    return sums


def _sum_type(image, kernel, smallest):
    """The type that holds the sums of an image under a boolean kernel."""
    if image.dtype.kind == "f":
        return np.float64
    if (largest := _largest_sum(image, kernel)) >= 2**SUM_BITS:
        raise ValueError("the image's values are too large to be summed exactly")
    return integer_type(largest, smallest=smallest)


def _largest_sum(image, kernel):
    """What no sum of integers under a boolean kernel exceeds."""
    return max(-int(image.min(initial=0)), int(image.max(initial=0))) * int(kernel.sum())


def integer_type(largest, *, smallest=np.int32):
    """Return the smallest signed type, of `smallest` and those above, that holds integers up to `largest`."""
    kinds = [kind for kind in (np.int16, np.int32, np.int64) if np.can_cast(smallest, kind)]
    return next(kind for kind in kinds if largest <= np.iinfo(kind).max)


@lru_cache(maxsize=16)
def _rows_of(content, shape):
    kernel = np.frombuffer(content, dtype=bool).reshape(shape)
    if not np.array_equal(kernel, kernel[::-1, ::-1]):
        return None
    widths = kernel.sum(axis=1)
    centred = np.abs(np.arange(shape[1]) - shape[1] // 2)
    if not np.array_equal(kernel, 2 * centred[None, :] < widths[:, None]) or (widths[shape[0] // 2 :] == 0).any():
        return None
    return tuple(int(width) // 2 for width in widths[shape[0] // 2 :])


def centred_rows(kernel):
    """Half the width of every row of a kernel from its middle up, or None if its rows are no centred runs of ones."""
    return _rows_of(kernel.tobytes(), kernel.shape)


def _additions(rows):
    return 2 * max(rows) + 2 * len(rows)


def _shifted_sums(image, rows, dtype, empty=np.empty):
    """Add shifted rows: first along x, wider and wider, then along y every kernel row of that width."""
    half_y, half_x = len(rows) - 1, max(rows)
    sums = empty(image.shape, dtype)
    pixels = 2 * sum(2 * row + 1 for row in rows)
    buffers = {}
    for tile in tiling.tiles(image.shape, FLOAT_SIDES if dtype == np.float64 else INTEGER_SIDES):
        outer = tiling.grown(tile, (half_y, half_x), image.shape)
        part = image[outer]
        n_y, n_x = (edge.stop - edge.start for edge in tile)
        # Half the bytes are twice the speed.
        narrow = dtype != np.float64 and max(-int(part.min()), int(part.max())) * pixels < 2**15
        kind = np.int16 if narrow else dtype
        # Numbers in one run are added twice as fast as rows of an array: what wraps around ends in the margins.
        shape = n_y + 2 * half_y, n_x + 2 * half_x
        if (shape, kind) not in buffers:
            buffers[shape, kind] = [
                np.empty(shape, kind),
                np.empty(shape[0] * shape[1], kind),
                np.empty(n_y * shape[1], kind),
            ]
        padded, wide, total = buffers[shape, kind]
        place = tiling.inside(outer, (slice(tile[0].start - half_y, None), slice(tile[1].start - half_x, None)))
        if part.shape != shape:
            padded[...] = 0
        padded[place] = part
        _add_shifted(padded.reshape(-1), wide, total, rows, shape[1])
        sums[tile] = total.reshape(n_y, shape[1])[:, half_x : half_x + n_x]
    return sums


def _add_shifted(run, wide, total, rows, length, step=1):
    """Return the sums of rows in one run under a kernel, in `total`; `wide` is memory that may be used.

    Parameters
    ----------
    run, wide, total : ndarray of one dimension
        The rows one after the other with half the kernel more on every side; as large; without rows above and below.
    rows : tuple of int
        Of `centred_rows`.
    length, step : int
        From one row to the next, and from one pixel to the next.
    """
    half_y, half_x = len(rows) - 1, max(rows)
    inner = wide[half_x * step : wide.size - half_x * step]
    wide[...] = run
    total[...] = 0
    for width in range(half_x + 1):
        if width:
            for left in (half_x - width, half_x + width):
                np.add(inner, run[left * step : left * step + inner.size], out=inner)
        for dy, row in enumerate(rows):
            if row == width:
                for sign in {-dy, dy}:
                    top = (half_y + sign) * length
                    np.add(total, wide[top : top + total.size], out=total)
    return total


def _split_float(image, kernel, largest=None):
    """Sum floating-point numbers as integers: multiples of one power of two, then what is left of a smaller one."""
    largest = float(np.abs(image).max(initial=0.0)) if largest is None else largest
    sums = np.zeros(image.shape)
    if largest == 0:
        return sums
    bits = fixed_point_bits(kernel)
    exponent = int(np.frexp(largest)[1])
    rest = np.asarray(image, dtype=float)
    parts = []
    for _ in range(MAX_PARTS):
        exponent -= bits
        # Exact: scaling by a power of two, taking the integer part, and the difference round nothing.
        whole = np.trunc(np.ldexp(rest, -exponent))
        parts.append(np.ldexp(_integer_sums(whole.astype(np.int64), kernel).astype(float), exponent))
        rest = rest - np.ldexp(whole, exponent)
        if not rest.any():
            break
    for part in reversed(parts):
        sums += part
    return sums


def fixed_point_bits(kernel):
    """Return how many bits an image's values may have so that their sums under a boolean kernel fit."""
    return SUM_BITS - int(kernel.sum()).bit_length()


def _weighted_sums(image, kernel):
    """Convolve with weights; where no pixel of the image lies under the kernel the sum is exactly zero."""
    shape = tuple(_fast_length(max(n + m // 2, m)) for n, m in zip(image.shape, kernel.shape, strict=True))
    transform = np.fft.rfft2(kernel, shape)
    full = np.fft.irfft2(np.fft.rfft2(image, shape) * transform, shape)
    cut = tuple(slice(m // 2, m // 2 + n) for n, m in zip(image.shape, kernel.shape, strict=True))
    return np.where(convolve(image != 0, kernel != 0) > 0, full[cut], 0.0)


@lru_cache
def _cheapest_side(n, half):
    """The side of equal tiles of `n` pixels for which their transforms, `half` more on either side, are cheapest."""
    smallest, largest = TRANSFORM_SIDES
    counts = range(-(-n // max(largest, 8 * half)), -(-n // smallest) + 1)

    def cost(count):
        # Longer transforms cost a little more per pixel, and leave the cache.
        return count * _fast_length(-(-n // count) + 2 * half) ** 1.05

    return -(-n // min(counts, key=cost))


@lru_cache
def _fast_length(length):
    """The smallest even number of prime factors 2, 3 and 5 that is not below `length`.

    As `scipy.fft.next_fast_len`, whose import would cost a job more than its transforms.
    """
    powers = range(length.bit_length())
    products = [3**three * 5**five for three in powers for five in powers if 3**three * 5**five < 2 * length]
    # Each with the smallest power of two, from the first on, that makes it long enough.
    return min(product << max((-(-length // product) - 1).bit_length(), 1) for product in products)
