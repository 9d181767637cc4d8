"""The background under every pixel, estimated from the pixels around it that no source touches."""

from typing import NamedTuple

import numpy as np

from skymask.core import convolution, kernels, tiling, tilt
from skymask.core.bitmask import PackedMask

#: A weighted kernel needs at least this fraction of its weight on usable pixels; rounding in the Fourier transform
#: would show below it.
MIN_WEIGHT_FRACTION = 1e-6


#: What a stack knows that depends on the source kernel.
UNDER_SOURCE_KERNEL = ("counts_on", "background_on", "counts_off", "alpha")


class Background(NamedTuple):
    """A background estimate, and the off counts and acceptance behind it (None where it was given, not estimated).

    Attributes
    ----------
    background : ndarray of float, shape (ny, nx)
        Expected background counts per pixel; NaN where undefined or without coverage.
    counts_off, acceptance_off : ndarray, shape (ny, nx), or None
        Off counts and their acceptance; effective ones, not integer, for kernels with weights.
    ring_radius : ndarray of float, shape (ny, nx), or None
        Outer radius of the ring used, if the kernel is an adaptive ring; NaN where none sufficed or without coverage.
    additive_off : ndarray of float, shape (ny, nx), or None
        What an additive background contributes to the off counts, if there is one.
    background_error, counts_on, background_on, alpha, runs : ndarray, shape (ny, nx), or None
        What only a stack knows: the standard error per pixel, counts under the source kernel, background among them,
        effective ratio of on to off acceptance, and number of runs. See `skymask.core.stacking`.
    without_background : tuple of str
        Of a stack, the runs (and energy bins) that have no background anywhere and so contribute nothing.
    further : tuple of Background
        The same stack under each further source kernel of the mask.
    """

    background: np.ndarray
    counts_off: np.ndarray | None = None
    acceptance_off: np.ndarray | None = None
    ring_radius: np.ndarray | None = None
    additive_off: np.ndarray | None = None
    background_error: np.ndarray | None = None
    counts_on: np.ndarray | None = None
    background_on: np.ndarray | None = None
    alpha: np.ndarray | None = None
    runs: np.ndarray | None = None
    without_background: tuple = ()
    further: tuple = ()

    def maps(self):
        """Return the maps that there are, by name; those of further source kernels are numbered."""
        own = {name: image for name, image in self._asdict().items() if isinstance(image, np.ndarray)}
        for number, other in enumerate(self.further, start=1):
            own |= {f"{name}_{number}": getattr(other, name) for name in UNDER_SOURCE_KERNEL}
        return own

    @classmethod
    def of_maps(cls, maps):
        """Return the estimate whose `maps()` these are."""
        own = {name: image for name, image in maps.items() if name in cls._fields}
        further, number = [], 1
        while f"alpha_{number}" in maps:
            further.append(cls(**own)._replace(**{name: maps[f"{name}_{number}"] for name in UNDER_SOURCE_KERNEL}))
            number += 1
        return cls(**own, further=tuple(further))

    def rows(self, rows):
        """Return the estimate of some rows; not of a stack."""
        return self._replace(**{name: image[rows] for name, image in self.maps().items()})

    def under(self, number):
        """Return what the estimate is under one of several source kernels, the main one first."""
        return self.further[number - 1] if self.further and number else self


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
        self._exponent = _exponent(acceptance, convolution.fixed_point_bits(kernel), largest_acceptance)
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
        return _background(self._acceptance[block], counts_off, acceptance_off, out)

    def estimate(self, background=None):
        """Return the background estimate of the whole map, whose `background` may be known already."""
        whole = tuple(slice(0, n) for n in self._counts.shape)
        if background is None:
            background = np.empty(self._counts.shape)
            for strip in tiling.strips(self._counts.shape):
                self.background_at(strip, out=background[strip])
        return Background(background, *self.at(whole))

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
        images = self._counts[box] * weight, _multiples(self._acceptance[box], self._exponent) * weight
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
        acceptance = _multiples(acceptance, self._exponent)
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


def estimate_background(
    counts, acceptance, exclusion_mask, kernel, *, source_kernel=None, additive_background=None, **of_whole_map
):
    r"""Return the background estimated from the used pixels under `kernel`.

    .. math:: B = A \, n_{off} / a_{off}, \quad n_{off} = (C M) * K, \quad a_{off} = (A M) * K

    (Berge, Funk & Hinton 2007, A&A 466, 1219, doi:10.1051/0004-6361:20066674, sect. 3.1). For a kernel with weights
    the counts and acceptance returned are the effective ones, which give the estimate's own variance:
    :math:`n_{off} = (CM * K)^2 / (CM * K^2)` and :math:`a_{off} = (AM * K)(CM * K) / (CM * K^2)`.

    With an additive background :math:`D`, which is known, the estimate is of what comes on top of it:

    .. math:: B = A \max(n_{off} - d_{off}, 0) / a_{off} + D, \quad d_{off} = (D M) * K

    Parameters
    ----------
    counts : ndarray of int, shape (ny, nx)
        Counts per pixel, zero where there is no coverage.
    acceptance : ndarray, shape (ny, nx)
        Expected background per pixel up to one factor; zero where there is no coverage.
    exclusion_mask : ndarray of bool, shape (ny, nx)
        True where the pixel is used for the background.
    kernel : ndarray, shape (2 my + 1, 2 mx + 1), or skymask.core.kernels.AdaptiveRing or FieldOfView
        Background kernel, boolean or with weights, or rings of which every pixel takes the first that suffices, or all
        used pixels for every one.
    source_kernel : ndarray, optional
        The on region, whose acceptance an adaptive ring, and nothing else, needs to know.
    additive_background : ndarray of float, shape (ny, nx), optional
        Known counts per pixel of a component that does not follow the acceptance.
    **of_whole_map
        `largest_acceptance` and `total_counts`, if this is a part of a map: see `OffSums`.

    Returns
    -------
    estimate : Background
        NaN background, and zero `acceptance_off`, where the kernel finds no usable pixel, or no ring suffices.

    Raises
    ------
    ValueError
        If the kernel is an adaptive ring and there is no source kernel.
    """
    if kernels.is_adaptive(kernel):
        if source_kernel is None:
            raise ValueError("an adaptive ring needs the source kernel")
        return _adaptive_estimate(
            counts, acceptance, exclusion_mask, kernel, source_kernel, additive_background=additive_background
        )
    if kernels.is_field_of_view(kernel):
        of_field = _tilted_estimate if kernel.tilt else _field_of_view_estimate
        return of_field(counts, acceptance, exclusion_mask, additive_background=additive_background)
    if not kernels.is_weighted(kernel):
        estimate = OffSums(counts, acceptance, kernel, PackedMask.of(exclusion_mask), **of_whole_map).estimate()
        scale = 1.0
    else:
        counts_off, acceptance_off, scale = _effective_off(counts * exclusion_mask, acceptance * exclusion_mask, kernel)
        estimate = Background(_background(acceptance, counts_off, acceptance_off), counts_off, acceptance_off)
    if additive_background is None:
        return estimate
    additive_off = scale * np.maximum(convolution.convolve(additive_background * exclusion_mask, kernel), 0)
    return _on_top_of(additive_background, additive_off, acceptance, estimate)


def mean_background(background):
    """Return the mean of a background map where it is defined, or None where it is nowhere."""
    return mean_of_rows(*row_sums(background))


def mean_of_rows(sums_of_rows, defined):
    """Return the mean of a background from its `row_sums`, or None if it is nowhere defined."""
    return float(sums_of_rows.sum() / defined.sum()) if defined.any() else None


def row_sums(background):
    """Return sum and number of the defined pixels in every row of a background map: its mean in pieces."""
    totals = background.sum(axis=1)
    defined = np.full(totals.shape, background.shape[1])
    rows = np.isnan(totals)
    if rows.any():
        undefined = np.isnan(background[rows])
        totals[rows] = np.where(undefined, 0.0, background[rows]).sum(axis=1)
        defined[rows] -= np.count_nonzero(undefined, axis=1)
    return totals, defined


def background_error(acceptance, estimate):
    r"""Return the standard error of an estimated background, per pixel: :math:`A \sqrt{n_{off}} / a_{off}`.

    Neighbouring pixels share most of their off counts: their errors do not add in quadrature. An additive background
    has no error of its own, but the off counts are expected to be no fewer than its part of them. A stack brings the
    errors of its runs, added in quadrature.
    """
    if estimate.background_error is not None:
        return estimate.background_error
    counts_off = estimate.counts_off
    if estimate.additive_off is not None:
        counts_off = np.maximum(counts_off, estimate.additive_off)
    error = np.full(acceptance.shape, np.nan)
    defined = (estimate.acceptance_off > 0) & (acceptance > 0)
    return np.divide(acceptance * np.sqrt(counts_off), estimate.acceptance_off, out=error, where=defined)


def _field_of_view_estimate(counts, acceptance, exclusion_mask, *, additive_background=None):
    """The acceptance, normalised to the counts of all used pixels."""
    used = exclusion_mask & (acceptance > 0)
    counts_off = np.full(counts.shape, counts[used].sum(dtype=np.int64))
    acceptance_off = np.full(counts.shape, acceptance[used].sum(dtype=float))
    estimate = Background(_background(acceptance, counts_off, acceptance_off), counts_off, acceptance_off)
    if additive_background is None:
        return estimate
    additive_off = np.full(counts.shape, additive_background[used].sum())
    return _on_top_of(additive_background, additive_off, acceptance, estimate)


def _tilted_estimate(counts, acceptance, exclusion_mask, *, additive_background=None):
    """The acceptance, times a norm that is linear in the position, and the Poisson measurement with its variance.

    At each pixel the norm r and its variance v are those of n_off counts over an acceptance a_off: r^2 / v over r / v
    without an additive background. With its mean ratio d to the acceptance, (r + d)^2 / v over (r + d) / v, of which d
    times the latter are additive, as they are for one norm.
    """
    used = exclusion_mask & (acceptance > 0)
    shape = counts.shape
    norms = tilt.fit_tilt(counts, acceptance, used, additive_background) if used.any() else None
    if norms is None:
        return Background(np.full(shape, np.nan), np.zeros(shape), np.zeros(shape))
    where = tilt.positions(shape)
    norm = sum(one * position for one, position in zip(norms, where, strict=True))
    known, ratio = 0.0, 0.0
    if additive_background is not None:
        known, ratio = additive_background, additive_background[used].sum() / acceptance[used].sum(dtype=float)
    covered = acceptance > 0
    background = np.where(covered, acceptance * norm + known, np.nan)
    covariance = tilt.covariance(acceptance, background, used)
    if covariance is None or not norm[covered].min() > 0:
        return Background(np.full(shape, np.nan), np.zeros(shape), np.zeros(shape))
    # Outside the coverage, where the norm may be anything, nothing is made of it.
    acceptance_off = np.where(covered, (norm + ratio) / tilt.variance(covariance, where), 1.0)
    estimate = Background(background, acceptance_off * np.where(covered, norm + ratio, 0.0), acceptance_off)
    return estimate if additive_background is None else estimate._replace(additive_off=acceptance_off * ratio)


def _on_top_of(additive_background, additive_off, acceptance, estimate):
    """The estimate of all that there is, from one that knows of no additive background."""
    more = np.maximum(estimate.counts_off - additive_off, 0)
    background = _background(acceptance, more, estimate.acceptance_off) + additive_background
    return estimate._replace(background=background, additive_off=additive_off)


def _adaptive_estimate(counts, acceptance, exclusion_mask, adaptive_ring, source_kernel, *, additive_background=None):
    """The background of every pixel from the first ring that suffices.

    One ring at a time, and only around pixels that have none yet. All sums are integers, so it does not matter where
    the map is cut.
    """
    coverage = acceptance > 0
    usable = coverage & exclusion_mask
    acceptance_on = convolution.convolve(acceptance, source_kernel)
    bits = min(map(convolution.fixed_point_bits, adaptive_ring.rings))
    exponent = _exponent(acceptance, bits)
    images = [counts * exclusion_mask, _multiples(acceptance, exponent) * exclusion_mask, usable, coverage]
    additive_off = None
    if additive_background is not None:
        additive_off = np.zeros(counts.shape)
        additive_exponent = _exponent(additive_background, bits)
        images.append(_multiples(additive_background, additive_exponent) * exclusion_mask)

    counts_off = np.zeros(counts.shape, dtype=np.int64)
    acceptance_off = np.zeros(counts.shape)
    ring_radius = np.full(counts.shape, np.nan)
    pending = coverage.copy()
    for ring, radius in zip(adaptive_ring.rings, adaptive_ring.outer_radii, strict=True):
        ring_sums = convolution.BlockSums(ring)
        for box in tiling.around(PackedMask.of(pending).cells(), pending.shape, side=max(256, *ring.shape)):
            outer = tiling.grown(box, ring_sums.half, counts.shape)
            out = tiling.inside(box, outer)
            # As integers, in which there is no zero with a minus sign.
            n_off, a_off, used, covered, *d_off = (
                ring_sums.sums(image[outer], out).astype(np.int64) for image in images
            )
            a_off = np.ldexp(a_off.astype(float), -exponent)
            with np.errstate(divide="ignore", invalid="ignore"):
                suffices = acceptance_on[box] / a_off <= adaptive_ring.alpha_max
                suffices &= (covered - used) / covered <= adaptive_ring.excluded_fraction_max
            suffices &= pending[box]
            np.copyto(counts_off[box], n_off, where=suffices)
            np.copyto(acceptance_off[box], a_off, where=suffices)
            if additive_off is not None:
                np.copyto(additive_off[box], np.ldexp(d_off[0].astype(float), -additive_exponent), where=suffices)
            ring_radius[box][suffices] = radius
            pending[box] &= ~suffices
        if not pending.any():
            break
    background = _background(acceptance, counts_off, acceptance_off)
    estimate = Background(background, counts_off, acceptance_off, ring_radius)
    if additive_background is None:
        return estimate
    return _on_top_of(additive_background, additive_off, acceptance, estimate)


def _exponent(image, bits, largest=None):
    """The exponent with which the `_multiples` of an image have so many bits; 0 for integers."""
    if image.dtype.kind != "f":
        return 0
    return bits - int(np.frexp(image.max() if largest is None else largest)[1])


def _multiples(image, exponent):
    """Values as whole multiples of 2**-exponent; integers as they are."""
    return np.rint(np.ldexp(image, exponent)).astype(np.int64) if image.dtype.kind == "f" else image


def _background(acceptance, counts_off, acceptance_off, out=None):
    """Background from off counts, NaN where there is no acceptance, on or off."""
    background = np.empty(acceptance.shape) if out is None else out
    with np.errstate(divide="ignore", invalid="ignore"):
        np.divide(counts_off, acceptance_off, out=background)
    if not acceptance.all() or acceptance_off.min(initial=1) <= 0:
        background[(acceptance <= 0) | (acceptance_off <= 0)] = np.nan
    if acceptance.dtype != np.uint8:
        background *= acceptance
    return background


def _effective_off(counts, acceptance, kernel):
    """Off counts and acceptance of a Poisson measurement with the weighted estimate's mean and variance.

    The third map is what it takes to turn a weighted sum into one of that measurement.
    """
    weighted_counts = np.maximum(convolution.convolve(counts, kernel), 0)
    weighted_acceptance = np.maximum(convolution.convolve(acceptance, kernel), 0)
    usable_weight = convolution.convolve(acceptance > 0, kernel)
    starved = usable_weight < MIN_WEIGHT_FRACTION * kernel.sum()
    weighted_acceptance[starved] = 0

    squared_counts = np.maximum(convolution.convolve(counts, kernel**2), 0)
    squared_acceptance = np.maximum(convolution.convolve(acceptance, kernel**2), 0)
    seen = (weighted_counts > 0) & (squared_counts > 0) & ~starved
    # Without any counts under the kernel the variance is that of the acceptance.
    scale = np.zeros(counts.shape)
    np.divide(weighted_acceptance, squared_acceptance, out=scale, where=~seen & (squared_acceptance > 0))
    np.divide(weighted_counts, squared_counts, out=scale, where=seen)
    return np.where(seen, weighted_counts * scale, 0.0), weighted_acceptance * scale, scale
