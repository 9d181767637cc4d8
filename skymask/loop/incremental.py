"""Background and significance of a loop, computed again only where a changed exclusion mask touches them."""

import numpy as np

from skymask.core import convolution, tiling
from skymask.core.background import Background, mean_background, mean_of_rows, row_sums
from skymask.core.bitmask import PackedMask
from skymask.core.exclusion import starved_under_any
from skymask.core.measured import OneMap
from skymask.core.memory import Memory
from skymask.core.off_sums import OffSums
from skymask.core.significance import (
    cash,
    compute_significance,
    correlated_background,
    fewest_counts,
    ratio_of_acceptances,
    sums_on,
    wstat,
)
from skymask.core.tiling import CELL

#: If more than this fraction of a strip's pixels may reach the threshold, the background under the source kernel is
#: computed for all of it.
MANY_CANDIDATES = 1 / 16

#: Bytes per pixel of sums under both kernels, as far as they are of the smallest types.
BYTES_OF_SUMS = 10

#: Bytes of memory asked for at least, touched or not. After a piece of up to 32 MB has been freed, the C library of
#: Linux keeps twice as much of what a process frees, and the next map does not pay for its pages again.
LEAST_MEMORY = 2**25 - 2**16

#: Pixels of the strips in which candidates are looked for, and sums made.
STRIP = 2**18


def first_estimate(measured, inputs, *, threshold, background_systematic=0, whole=False):
    """Return the estimate with which a loop starts: from the initial background, or from the user's mask.

    Parameters
    ----------
    measured : skymask.core.measured.OneMap or skymask.core.measured.Stack
    inputs : skymask.core.inputs.Inputs
    threshold, background_systematic : float
        See `skymask.loop.iteration.iterate`.
    whole : bool
        Whether the significance of the whole map is wanted for every mask, and not only where it reaches the threshold.

    Returns
    -------
    estimate : IncrementalEstimate or FullMapEstimate
        `reached` and `starved`, each a `PackedMask` of where the significance reaches the threshold and of covered
        pixels without one; `further`, the significance under each further source kernel of the mask; `highest()`, the
        highest significance; `mean_background()`; `update(exclusion_mask)`, which takes all of this for another mask, a
        `PackedMask`; the maps that products are made of, `on`, `estimate()` and `significance()`.
    """
    whole = whole or background_systematic or measured.full_map_reason
    if whole or (measured.statistic == "cash" and not convolution.is_local(measured.source_kernel)):
        return FullMapEstimate(measured, inputs, threshold=threshold, background_systematic=background_systematic)
    of_kernels = (measured.source_kernel, measured.background_kernel)
    return IncrementalEstimate(inputs, *of_kernels, statistic=measured.statistic, threshold=threshold)


class FullMapEstimate:
    """The whole map computed again for every mask, as the workflow's jobs do; see `first_estimate`."""

    def __init__(self, measured, inputs, *, threshold, background_systematic=0):
        self._measured, self._coverage = measured, inputs.coverage
        self._threshold, self._systematic = threshold, background_systematic
        self._kernels = (measured.source_kernel, *measured.mask_source_kernels)
        self._on = [sums_on(measured.counts, measured.acceptance, kernel) for kernel in self._kernels]
        self.on = self._on[0]
        given = inputs.background is not None
        self._take(Background(inputs.background) if given else measured.estimate(inputs.exclusion_mask))

    def update(self, exclusion_mask):
        """Estimate the background from the pixels that another mask leaves."""
        self._take(self._measured.estimate(exclusion_mask.array()))

    def _take(self, estimate):
        self._estimate, measured = estimate, self._measured
        significances = [
            compute_significance(
                measured.counts,
                measured.acceptance,
                estimate.under(number),
                kernel,
                statistic=measured.statistic,
                background_systematic=self._systematic,
                additive_background=measured.additive_background,
                on=on,
            ).significance
            for number, (kernel, on) in enumerate(zip(self._kernels, self._on, strict=True))
        ]
        significance, *self.further = significances
        self._significance = significance
        self.reached = PackedMask.of(significance >= self._threshold)
        self.starved = PackedMask.of(starved_under_any(significances, self._coverage))
        highest = np.fmax.reduce(significance, axis=None)
        self._highest = None if np.isnan(highest) else float(highest)

    def forget(self):
        """Give back the memory that only the next `update` would need."""
        self.reached = self.starved = None
        self.further = ()

    def highest(self):
        """Return the highest significance of the map, or None if it is nowhere defined."""
        return self._highest

    def mean_background(self):
        """Return the mean background, or None if it is nowhere defined."""
        return mean_background(self._estimate.background)

    @property
    def without_background(self):
        """Names of the runs of a stack without a background."""
        return self._estimate.without_background

    def estimate(self):
        """Return the background estimate."""
        return self._estimate

    def significance(self):
        """Return the map of the significance."""
        return self._significance


class IncrementalEstimate:
    """Sums kept as integers and brought up to date where a mask changed; see `first_estimate`.

    The significance is computed only at candidates, pixels where a cheap bound allows it to reach the threshold.

    Parameters
    ----------
    inputs, source_kernel, background_kernel, statistic, threshold
        See `first_estimate`.
    rows : slice, optional
        The rows that are asked for, if the others are only there because these depend on them.
    """

    #: Other kernels would need the significance under them of the whole map.
    further = ()
    #: It is no stack.
    without_background = ()

    def __init__(self, inputs, source_kernel, background_kernel, *, statistic, threshold, rows=slice(None)):
        self._rows = slice(*rows.indices(len(inputs.counts))[:2])
        self._inputs, self._source_kernel, self._background_kernel = inputs, source_kernel, background_kernel
        self._statistic, self._threshold = statistic, threshold
        shape, self._half = inputs.counts.shape, tuple(n // 2 for n in source_kernel.shape)
        memory = Memory(max(BYTES_OF_SUMS * inputs.counts.size, LEAST_MEMORY))
        self._empty = memory.empty
        self.on = sums_on(inputs.counts, inputs.acceptance, source_kernel, smallest=np.int16, empty=memory.empty)
        self._full = bool(inputs.acceptance.all())
        self._coverage = None if self._full else PackedMask.of(inputs.coverage)
        # A source kernel may lack its centre.
        without_on = statistic == "wstat" and not self._full and self.on[1].min() <= 0
        self._without_on = PackedMask.of(self.on[1] <= 0) if without_on else None
        self._off = None
        self._row_sums, self._row_defined = np.zeros(shape[0]), np.zeros(shape[0], dtype=int)
        # The map, from the time it is asked for until a mask changes it.
        self._significance = None
        self._highest_in_rows = np.full(shape[0], -np.inf)
        self.reached = PackedMask.zeros(shape)
        self._area_or_acceptance = self.on[1]
        if statistic == "cash":
            # With half the source kernel beside the map; zero there, and where there is no coverage.
            (half_y, half_x), (n_y, n_x) = self._half, shape
            self._padded = np.empty((n_y + 2 * half_y, n_x + 2 * half_x))
            for beside in (slice(0, half_y), slice(half_y + n_y, None)):
                self._padded[beside] = 0
            for beside in (slice(0, half_x), slice(half_x + n_x, None)):
                self._padded[:, beside] = 0
            if inputs.acceptance.dtype != np.uint8:
                self._area_or_acceptance = convolution.convolve(inputs.coverage, source_kernel)
        # No off acceptance is larger than that of a whole kernel of the largest acceptance.
        largest = inputs.acceptance.max() if inputs.largest_acceptance is None else inputs.largest_acceptance
        self._alpha_of_one = 0 if statistic == "cash" else 1 / (float(largest) * np.count_nonzero(background_kernel))
        self._lowest_on = _lowest_in_cells(self._area_or_acceptance)
        self._lowest = np.full(self._lowest_on.shape, np.nan)
        if inputs.background is None:
            self.update(PackedMask.of(inputs.exclusion_mask))
        else:
            known = OneMap(inputs.counts, inputs.acceptance, source_kernel, background_kernel, statistic=statistic)
            first = FullMapEstimate(known, inputs, threshold=threshold)
            self.reached, self.starved = first.reached, first.starved
            highest = np.fmax.reduce(first.significance()[self._rows], axis=None)
            self._highest = None if np.isnan(highest) else float(highest)

    def update(self, exclusion_mask):
        """Estimate the background from the pixels that another mask leaves."""
        shape = exclusion_mask.shape
        if self._off is None:
            inputs = self._inputs
            self._off = OffSums(
                inputs.counts,
                inputs.acceptance,
                self._background_kernel,
                exclusion_mask,
                largest_acceptance=inputs.largest_acceptance,
                empty=self._empty,
            )
            rows = np.ones(shape[0], dtype=bool)
        else:
            rows = self._off.update(exclusion_mask)
            if not rows.any():
                return
        self._significance = None
        self._sum_rows(rows)
        self.starved = self._starved_pixels()
        self._find_reached(rows)

    def _sum_rows(self, rows):
        """Sum the background along rows, for its mean; keep its lowest values, and itself where it is needed."""
        n_x = self._inputs.counts.shape[1]
        for run in tiling.runs(rows):
            for y in tiling.cut(run, max(CELL, tiling.BLOCK // n_x // CELL * CELL)):
                block = y, slice(0, n_x)
                kept = self._background()[block] if self._statistic == "cash" else None
                background = self._off.background_at(block, out=kept)
                self._row_sums[y], self._row_defined[y] = row_sums(background)
                acceptance = self._inputs.acceptance[block]
                if self._statistic != "cash" and acceptance.dtype != np.uint8:
                    with np.errstate(invalid="ignore"):
                        background /= acceptance
                self._lowest[y.start // CELL : -(-y.stop // CELL)] = _lowest_in_cells(background)
                if self._statistic == "cash" and not self._full:
                    background[acceptance == 0] = 0

    def _starved_pixels(self):
        """The covered pixels without a significance."""
        starved = self._off.starved()
        if self._without_on is not None:
            starved |= self._without_on
        if not self._full:
            starved &= self._coverage
        if self._statistic == "cash" and starved.any():
            starved = starved.dilate(self._source_kernel)
            if not self._full:
                starved &= self._coverage
        return starved

    def _find_reached(self, rows):
        """Find the pixels that reach the threshold, where some rows of the background have changed.

        The background under the source kernel is at least the lowest around times the kernel's area or, if it is
        measured, the lowest ratio of off counts to off acceptance times the acceptance under the kernel. First, cells
        are looked at with the lowest area or acceptance in them, then single pixels with their own.
        """
        n_x = self._inputs.counts.shape[1]
        lowest = self._lowest
        if self._statistic == "cash":
            reach = [-(-half // CELL) for half in self._half]
            lowest, changed, rows = _lowest_around(lowest, reach), rows, rows.copy()
            for run in tiling.runs(changed):
                rows[max(0, run.start - reach[0] * CELL) : run.stop + reach[0] * CELL] = True
        limit = fewest_counts(self._threshold, lowest * self._lowest_on, self._lowest_on * self._alpha_of_one)
        # Numbers of one type are compared faster.
        n_on = self.on[0]
        limit = np.minimum(limit, np.int64(np.iinfo(n_on.dtype).max)).astype(n_on.dtype)
        limit = np.repeat(limit, CELL, axis=1)[:, :n_x]
        found = [np.empty(0, dtype=int)]
        for run in tiling.runs(rows):
            self.reached.clear((run, slice(0, n_x)))
            self._highest_in_rows[run] = -np.inf
            found += [self._candidates(part, limit) for part in tiling.cut(run, max(CELL, STRIP // n_x // CELL * CELL))]
        found = np.concatenate(found)
        n_cells, lowest = lowest.shape[1], lowest.reshape(-1)
        for part in tiling.cut(slice(0, found.size), tiling.BLOCK):
            pixels = found[part]
            y = pixels // n_x
            on = self._area_or_acceptance.reshape(-1).take(pixels)
            mu = lowest.take(y // CELL * n_cells + (pixels - y * n_x) // CELL) * on
            left = n_on.reshape(-1).take(pixels) >= fewest_counts(self._threshold, mu, on * self._alpha_of_one)
            pixels, y = pixels[left], y[left]
            significance = self._significance_of(pixels)
            self.reached.set(pixels[significance >= self._threshold])
            np.fmax.at(self._highest_in_rows, y, significance)

    def _candidates(self, rows, limit):
        """The pixels of some rows, whole cells, with as many counts as the limit of their cell."""
        n_on, n_x = self.on[0][rows], self.on[0].shape[1]
        limit = limit[rows.start // CELL : -(-rows.stop // CELL)]
        candidates = np.empty(n_on.shape, dtype=bool)
        whole = len(n_on) // CELL
        in_cells = (whole, CELL, n_x)
        np.greater_equal(
            n_on[: whole * CELL].reshape(in_cells),
            limit[:whole, None],
            out=candidates[: whole * CELL].reshape(in_cells),
        )
        np.greater_equal(n_on[whole * CELL :], limit[whole:], out=candidates[whole * CELL :])
        # Other rows are not asked for.
        candidates[: max(self._rows.start - rows.start, 0)] = False
        candidates[max(self._rows.stop - rows.start, 0) :] = False
        if not self._full:
            candidates &= self._inputs.acceptance[rows] > 0
        if self._statistic == "cash" and np.count_nonzero(candidates) > MANY_CANDIDATES * candidates.size:
            candidates &= n_on >= fewest_counts(self._threshold, self._background_on(rows))
        return np.flatnonzero(candidates) + rows.start * n_x

    def _background_on(self, rows):
        """The known background under the source kernel in some rows; NaN where any covered pixel under it has none."""
        half_y, half_x = self._half
        # With the margin, which is zero, as is what has no coverage.
        mu = correlated_background(self._padded[rows.start : rows.stop + 2 * half_y], True, self._source_kernel)
        return mu[half_y : len(mu) - half_y, half_x : mu.shape[1] - half_x]

    def _background(self):
        """The background kept for sums under the source kernel, a view of what has a margin."""
        return self._padded[
            tuple(slice(half, n - half) for half, n in zip(self._half, self._padded.shape, strict=True))
        ]

    def _significance_of(self, pixels):
        """The significance of some pixels, counted from the map's first; NaN where it is undefined."""
        n_on = self.on[0].reshape(-1).take(pixels)
        if self._statistic == "cash":
            at = np.divmod(pixels, self._inputs.counts.shape[1])
            return cash(n_on, convolution.sums_at(self._padded, self._source_kernel, at))
        counts_off, acceptance_off = self._off.of(pixels)
        return wstat(n_on, counts_off, ratio_of_acceptances(self.on[1].reshape(-1).take(pixels), acceptance_off))

    def highest(self):
        """Return the highest significance of the map, or None if it is nowhere defined."""
        if self._off is None:
            return self._highest
        highest = self._highest_in_rows.max()
        if highest < self._threshold:
            highest = np.fmax.reduce(self.significance()[self._rows], axis=None)
        return None if np.isnan(highest) else float(highest)

    def significance(self):
        """Return the map of the significance."""
        if self._significance is None:
            self._significance = self._whole_significance()
        return self._significance

    def _whole_significance(self):
        shape = self._inputs.counts.shape
        significance = np.empty(shape)
        if self._statistic == "cash":
            for strip in tiling.strips(shape, STRIP):
                significance[strip] = self._background_on(strip[0])
        for strip in tiling.strips(shape):
            if self._statistic == "cash":
                significance[strip] = cash(self.on[0][strip], significance[strip])
            else:
                counts_off, acceptance_off = self._off.at(strip)
                alpha = ratio_of_acceptances(self.on[1][strip], acceptance_off)
                significance[strip] = wstat(self.on[0][strip], counts_off, alpha)
            if not self._full:
                significance[strip][self._inputs.acceptance[strip] == 0] = np.nan
        return significance

    def forget(self):
        """Give back the memory that only the next `update` would need."""
        self.reached = self.starved = None
        if self._off is not None:
            self._off.forget()

    def mean_background(self):
        """Return the mean background, or None if it is nowhere defined."""
        return mean_of_rows(*self.row_sums())

    def row_sums(self):
        """Return sum and number of the background's defined pixels in each of the rows that are asked for."""
        return self._row_sums[self._rows], self._row_defined[self._rows]

    def estimate(self):
        """Return the background estimate; its maps are good until the next `update`."""
        if self._statistic != "cash":
            return Background(*self._off.maps())
        background = self._background()
        return Background(
            *self._off.maps(background if self._full else np.where(self._inputs.coverage, background, np.nan))
        )


def _lowest_in_cells(values):
    """The lowest defined value in every cell of `CELL` pixels a side."""
    (n_y, n_x), whole = values.shape, values.shape[0] // CELL * CELL
    lowest = np.full((-(-n_y // CELL), -(-n_x // CELL) * CELL), np.nan)
    np.fmin.reduce(values[:whole].reshape(-1, CELL, n_x), axis=1, out=lowest[: whole // CELL, :n_x])
    if whole < n_y:
        np.fmin.reduce(values[whole:], axis=0, out=lowest[-1, :n_x])
    # Halves and halves again are faster than runs of `CELL`.
    while lowest.shape[1] > -(-n_x // CELL):
        lowest = np.fmin(lowest[:, ::2], lowest[:, 1::2])
    return lowest


def _lowest_around(values, reach):
    """The lowest defined value within `reach` = (rows, columns) of every element."""
    for axis, steps in enumerate(reach):
        values = np.moveaxis(values, axis, 0)
        lowest = values.copy()
        for step in range(1, min(steps, len(values) - 1) + 1):
            np.fmin(lowest[step:], values[:-step], out=lowest[step:])
            np.fmin(lowest[:-step], values[step:], out=lowest[:-step])
        values = np.moveaxis(lowest, 0, axis)
    return values
