"""Sums of counts and acceptance under a background kernel, kept exactly from one exclusion mask to the next."""

import numpy as np

from skymask.core import convolution, tiling
from skymask.core.bitmask import PackedMask


class OffSums:
    """Counts and acceptance under a boolean background kernel, for one exclusion mask after another.

    All sums are kept as integers, so what is added and taken away again leaves no trace: the sums are the same whatever
    masks came before.

    Parameters
    ----------
    counts : ndarray of int, shape (ny, nx)
        Zero where there is no coverage.
    acceptance : ndarray, shape (ny, nx)
        Zero where there is no coverage. Floating-point values are taken as multiples of a power of two, about
        2**-50 of the largest for a kernel of 4000 pixels.
    kernel : ndarray of bool
    exclusion_mask : skymask.core.bitmask.PackedMask
        True where the pixel is used.
    largest_acceptance, total_counts : float, int, optional
        Those of the whole map, if this is a part of it.
    empty : callable, optional
        What makes the arrays of sums, `numpy.empty` or that of a `skymask.core.memory.Memory`.
    """

    def __init__(
        self,
        counts,
        acceptance,
        kernel,
        exclusion_mask,
        *,
        largest_acceptance=None,
        total_counts=None,
        empty=np.empty,
    ):
        self._counts, self._acceptance = counts, acceptance
        self._sums = convolution.BlockSums(kernel)
        self._mask = exclusion_mask
        # Coverage alone is summed together with the counts, in the low bits of the same integers.
        self._low_bits = int(kernel.sum()).bit_length() + 1
        if acceptance.dtype != np.uint8 or int(counts.max()) >= 2 ** (52 - self._low_bits):
            self._low_bits = 0
        self._exponent = exponent_of(acceptance, convolution.fixed_point_bits(kernel), largest_acceptance)
        kind = np.int64
        if acceptance.dtype == np.uint8:
            kind = convolution.integer_type(int(kernel.sum()), smallest=np.int16)
        total = int(counts.sum(dtype=np.int64)) if total_counts is None else total_counts
        self._counts_off = empty(counts.shape, convolution.integer_type(total))
        self._acceptance_off = empty(counts.shape, kind)
        self._cost_of_map = sum(self._sums.cost(*tile) for tile in self._tiles())
        self._sum_whole_map()

    def update(self, exclusion_mask):
        """Take the sums for another mask, and return the rows of the map where they may have changed, in whole cells.

        Parameters
        ----------
        exclusion_mask : skymask.core.bitmask.PackedMask

        Returns
        -------
        rows : ndarray of bool, shape (ny,)
            True where they may have changed.
        """
        shape, half = exclusion_mask.shape, self._sums.half
        before, self._mask = self._mask, exclusion_mask
        changed = before ^ exclusion_mask
        boxes = tiling.around(changed.cells(), shape, side=max(256, *half))
        touched = [tiling.grown(box, half, shape) for box in boxes]
        rows = np.zeros(shape[0], dtype=bool)
        for y, _ in touched:
            rows[tiling.in_cells(y, shape[0])] = True
        areas = [(box, tiling.inside(outer, box)) for box, outer in zip(boxes, touched, strict=True)]
        costs = [(changed.count(box) * self._sums.cost_of_pixel, self._sums.cost(box, out)) for box, out in areas]
        if sum(map(min, costs)) > self._cost_of_map:
            self._sum_whole_map()
            return rows
        for (box, out), (by_pixels, by_transform) in zip(areas, costs, strict=True):
            change = changed[box] * (2 * exclusion_mask[box].view(np.int8) - 1)
            # Boxes may overlap; a change counts once.
            changed.clear(box)
            if by_pixels < by_transform:
                self._add_pixels(box, change)
            else:
                self._sum(box, change, out, add=True)
        return rows

    def forget(self):
        """Give back the memory in which sums are made, until the next `update`."""
        self._sums = convolution.BlockSums(self._sums.kernel)

    def starved(self):
        """Return the pixels under whose kernel there is no acceptance, as a `skymask.core.bitmask.PackedMask`."""
        if self._acceptance_off.min() > 0:
            return PackedMask.zeros(self._counts.shape)
        return PackedMask.of_strips(self._counts.shape, lambda strip: self._acceptance_off[strip] == 0)

    def at(self, block):
        """Return off counts and acceptance of a block of the map, as in `Background`."""
        return self._counts_off[block], self._in_units(self._acceptance_off[block])

    def of(self, pixels):
        """Return off counts and acceptance of some pixels, counted from the map's first."""
        return self._counts_off.reshape(-1).take(pixels), self._in_units(self._acceptance_off.reshape(-1).take(pixels))

    def _in_units(self, acceptance_off):
        """Sums of multiples of a power of two, if they are that, in units of the acceptance."""
        if self._acceptance.dtype.kind == "f":
            return np.ldexp(acceptance_off.astype(float), -self._exponent)
        return acceptance_off

    def background_at(self, block, out=None):
        """Return the background of a block of the map, NaN where it is undefined or without coverage."""
        counts_off, acceptance_off = self.at(block)
        return background_of(self._acceptance[block], counts_off, acceptance_off, out)

    def maps(self, background=None):
        """Return background, off counts and off acceptance of the whole map; the `background` may be known already."""
        whole = tuple(slice(0, n) for n in self._counts.shape)
        if background is None:
            background = np.empty(self._counts.shape)
            for strip in tiling.strips(self._counts.shape):
                self.background_at(strip, out=background[strip])
        return background, *self.at(whole)

    def _tiles(self):
        """The parts of the map that contribute to a tile's sums, and the tile in them."""
        shape = self._counts.shape
        tiles = self._sums.tiles(shape)
        outer = [tiling.grown(tile, self._sums.half, shape) for tile in tiles]
        return [(whole, tiling.inside(tile, whole)) for tile, whole in zip(tiles, outer, strict=True)]

    def _sum_whole_map(self):
        if self._low_bits and self._mask.all() and self._acceptance.all():
            self._sums.sums_of_map(self._counts, self._counts_off)
            convolution.sums_of_ones(self._counts.shape, self._sums.kernel, out=self._acceptance_off)
            return
        for outer, out in self._tiles():
            self._sum(outer, self._mask[outer], out, add=False)

    def _add_pixels(self, box, weight):
        """Add what few pixels of a box contribute, times a small integer weight, one after the other."""
        pixels = np.nonzero(weight)
        images = self._counts[box] * weight, multiples(self._acceptance[box], self._exponent) * weight
        half_y, half_x = self._sums.half
        for target, image in zip((self._counts_off, self._acceptance_off), images, strict=True):
            kernel = self._sums.kernel.astype(target.dtype)
            for y, x, value in zip(*(i.tolist() for i in pixels), image[pixels].astype(target.dtype), strict=True):
                if value == 0:
                    continue
                top, left = box[0].start + y - half_y, box[1].start + x - half_x
                part = target[max(top, 0) : top + len(kernel), max(left, 0) : left + kernel.shape[1]]
                # Beyond the border of the map there is nothing to add to.
                first_y, first_x = max(-top, 0), max(-left, 0)
                part += kernel[first_y : first_y + part.shape[0], first_x : first_x + part.shape[1]] * value

    def _sum(self, block, weight, out, *, add):
        """Put the sums of a block times a small integer weight where they belong, or add them to what is there."""
        there = tuple(
            slice(start.start + part.start, start.start + part.stop) for start, part in zip(block, out, strict=True)
        )
        counts, acceptance = self._counts[block], self._acceptance[block]
        packed = self._packed_sums(counts, acceptance, weight, out) if self._low_bits else None
        if packed is not None:
            acceptance_off, counts_off = self._sums.split(packed, self._low_bits)
            _put(self._counts_off[there], counts_off, add)
            _put(self._acceptance_off[there], acceptance_off, add)
            return
        acceptance = multiples(acceptance, self._exponent)
        for target, image in ((self._counts_off, counts), (self._acceptance_off, acceptance)):
            _put(target[there], self._sums.sums(image * weight, out), add)

    def _packed_sums(self, counts, coverage, weight, out):
        """Sums of counts in the high bits and of coverage in the low bits of one number, None if there is no room."""
        values = self._sums.values(counts.shape, out)
        # Operations on numbers of different types take three times as long.
        values[...] = counts
        values *= float(1 << self._low_bits)
        values += 1.0 if coverage.all() else coverage
        if not (weight.dtype == bool and weight.all()):
            values *= weight
        return self._sums.sums_of_values(counts.shape, out)


def _put(target, values, add):
    if add:
        # One conversion and one sum of like with like are faster than a sum of integers and floats.
        target += values.astype(target.dtype)
    else:
        target[...] = values


def exponent_of(image, bits, largest=None):
    """The exponent with which the `multiples` of an image have so many bits; 0 for integers."""
    if image.dtype.kind != "f":
        return 0
    return bits - int(np.frexp(image.max() if largest is None else largest)[1])


def multiples(image, exponent):
    """Values as whole multiples of 2**-exponent; integers as they are."""
    return np.rint(np.ldexp(image, exponent)).astype(np.int64) if image.dtype.kind == "f" else image


def background_of(acceptance, counts_off, acceptance_off, out=None):
    """Background from off counts, NaN where there is no acceptance, on or off."""
    background = np.empty(acceptance.shape) if out is None else out
    with np.errstate(divide="ignore", invalid="ignore"):
        np.divide(counts_off, acceptance_off, out=background)
    if not acceptance.all() or acceptance_off.min(initial=1) <= 0:
        background[(acceptance <= 0) | (acceptance_off <= 0)] = np.nan
    if acceptance.dtype != np.uint8:
        background *= acceptance
    return background
