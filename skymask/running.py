"""Background and significance of a loop, computed again only where a changed exclusion mask touches them."""

import numpy as np

from skymask import blocks, kernels, sums
from skymask.background import Background, OffSums, estimate_background, mean_background, mean_of_rows, row_sums
from skymask.exclusion import starved_under_any
from skymask.significance import (
    cash,
    cash_candidates,
    compute_significance,
    correlated_background,
    ratio_of_acceptances,
    sums_on,
    wstat,
    wstat_candidates,
)

#: Stands for the background where there is none, when the lowest one is looked for.
NO_LIMIT = 1e30


def running_estimate(
    inputs,
    source_kernel,
    *,
    background_kernel,
    statistic,
    threshold,
    background_systematic=0,
    mask_source_kernels=(),
    whole=False,
):
    """Return the estimate with which a loop starts: from the initial background, or from the user's mask.

    Parameters
    ----------
    inputs : skymask.inputs.Inputs
    source_kernel : ndarray
    background_kernel : ndarray or skymask.kernels.AdaptiveRing
    statistic : {"wstat", "cash"}
    threshold, background_systematic, mask_source_kernels : float, float, sequence of ndarray
        See `skymask.loop.iterate`.
    whole : bool
        Whether the significance of the whole map is wanted for every mask, and not only where it reaches the threshold.

    Returns
    -------
    estimate : RunningEstimate or WholeEstimate
        `reached` and `starved`, maps of where the significance reaches the threshold and of covered pixels without
        one; `further`, the significance under each of `mask_source_kernels`; `highest()`, the highest significance;
        `mean_background()`; `update(exclusion_mask)`, which takes all of this for another mask; the maps that products
        are made of, `on`, `estimate()` and `significance()`.
    """
    large = statistic == "cash" and not sums.is_local(source_kernel)
    further = background_systematic or mask_source_kernels or inputs.additive_background is not None
    if not (why_whole(source_kernel, background_kernel) or large or further or whole):
        return RunningEstimate(inputs, source_kernel, background_kernel, statistic=statistic, threshold=threshold)

    def estimate_of(exclusion_mask):
        return estimate_background(
            inputs.counts,
            inputs.acceptance,
            exclusion_mask,
            background_kernel,
            source_kernel=source_kernel,
            additive_background=inputs.additive_background,
        )

    return WholeEstimate(
        inputs,
        source_kernel,
        estimate_of,
        statistic=statistic,
        threshold=threshold,
        background_systematic=background_systematic,
        mask_source_kernels=mask_source_kernels,
    )


def why_whole(source_kernel, background_kernel):
    """Return why the whole map must be computed for every mask with these kernels, or None if parts of it may be."""
    if kernels.is_field_of_view(background_kernel):
        return "the field of view is the whole map"
    if kernels.is_adaptive(background_kernel):
        return "an adaptive ring is not kept from mask to mask"
    if kernels.is_weighted(source_kernel) or kernels.is_weighted(background_kernel):
        return "sums under kernels with weights are rounded, which depends on the whole map"
    return None


def stacked_estimate(inputs, source_kernel, *, estimate_of, whole=False, **options):
    """Return the estimate with which the loop of a stack starts.

    Parameters
    ----------
    inputs : skymask.inputs.Inputs
        Of the stack.
    source_kernel : ndarray
    estimate_of : callable
        Returns the estimate of the stack for an exclusion mask.
    whole, **options
        See `running_estimate`; the significance of a stack is that of the whole map anyway.
    """
    return WholeEstimate(inputs, source_kernel, estimate_of, **options)


class WholeEstimate:
    """The whole map computed again for every mask, as the workflow's jobs do; see `running_estimate`."""

    def __init__(
        self,
        inputs,
        source_kernel,
        estimate_of,
        *,
        statistic,
        threshold,
        background_systematic=0,
        mask_source_kernels=(),
    ):
        self._inputs, self._source_kernel, self._estimate_of = inputs, source_kernel, estimate_of
        self._statistic, self._threshold, self._systematic = statistic, threshold, background_systematic
        self._kernels = (source_kernel, *mask_source_kernels)
        self._on = [sums_on(inputs.counts, inputs.acceptance, kernel) for kernel in self._kernels]
        self.on = self._on[0]
        if inputs.background is None:
            self.update(inputs.exclusion_mask)
        else:
            self._take(Background(inputs.background))

    def update(self, exclusion_mask):
        """Estimate the background from the pixels that another mask leaves."""
        self._take(self._estimate_of(exclusion_mask))

    def _take(self, estimate):
        self._estimate = estimate
        significances = [
            compute_significance(
                self._inputs.counts,
                self._inputs.acceptance,
                estimate.under(number),
                kernel,
                statistic=self._statistic,
                background_systematic=self._systematic,
                additive_background=self._inputs.additive_background,
                on=on,
            ).significance
            for number, (kernel, on) in enumerate(zip(self._kernels, self._on, strict=True))
        ]
        significance, *self.further = significances
        self._significance = significance
        self.reached = significance >= self._threshold
        self.starved = starved_under_any(significances, self._inputs.coverage)
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

    def estimate(self):
        """Return the background estimate."""
        return self._estimate

    def significance(self):
        """Return the map of the significance."""
        return self._significance


class RunningEstimate:
    """Sums kept as integers and brought up to date where a mask changed; see `running_estimate`.

    The significance is computed only at candidates, pixels where a cheap bound allows it to reach the threshold.

    Parameters
    ----------
    inputs, source_kernel, background_kernel, statistic, threshold
        See `running_estimate`.
    rows : slice, optional
        The rows that are asked for, if the others are only there because these depend on them.
    """

    #: Other kernels would need the significance under them of the whole map.
    further = ()

    def __init__(self, inputs, source_kernel, background_kernel, *, statistic, threshold, rows=slice(None)):
        self._rows = slice(*rows.indices(len(inputs.counts))[:2])
        self._inputs, self._source_kernel, self._background_kernel = inputs, source_kernel, background_kernel
        self._statistic, self._threshold = statistic, threshold
        self.on = sums_on(inputs.counts, inputs.acceptance, source_kernel)
        shape = inputs.counts.shape
        self._full = bool(inputs.acceptance.all())
        self._off = None
        self._half = tuple(n // 2 for n in source_kernel.shape)
        self._row_sums, self._row_defined = np.zeros(shape[0]), np.zeros(shape[0], dtype=int)
        self._candidates, self.starved = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
        if statistic == "cash":
            # With half the source kernel beside the map; zero there, and where there is no coverage.
            self._padded = np.zeros([n + 2 * half for n, half in zip(shape, self._half, strict=True)])
            plain = inputs.acceptance.dtype == np.uint8
            self._area = self.on[1] if plain else sums.convolve(inputs.coverage, source_kernel)
        if inputs.background is None:
            self.update(inputs.exclusion_mask)
        else:
            first = WholeEstimate(inputs, source_kernel, None, statistic=statistic, threshold=threshold)
            self.reached, self.starved = first.reached, first.starved
            highest = np.fmax.reduce(first.significance()[self._rows], axis=None)
            self._highest = None if np.isnan(highest) else float(highest)

    def update(self, exclusion_mask):
        """Estimate the background from the pixels that another mask leaves."""
        shape = exclusion_mask.shape
        if self._off is None:
            inputs = self._inputs
            self.starved = np.zeros(shape, dtype=bool)
            self._off = OffSums(
                inputs.counts,
                inputs.acceptance,
                self._background_kernel,
                exclusion_mask,
                largest_acceptance=inputs.largest_acceptance,
            )
            touched = blocks.strips(shape)
        else:
            touched = self._off.update(exclusion_mask)
            if not touched:
                return
        self._sum_rows(touched)
        if self._statistic == "wstat":
            for block in touched:
                self._screen_measured(block)
        else:
            for block in blocks.cover([blocks.grown(block, self._half, shape) for block in touched], shape):
                self._screen_known(block)
        self._candidates[: self._rows.start] = self._candidates[self._rows.stop :] = False
        pixels = np.divmod(np.flatnonzero(self._candidates), shape[1])
        significance = self._significance_at(pixels)
        self.reached = np.zeros(shape, dtype=bool)
        self.reached[pixels] = significance >= self._threshold
        self._highest = np.fmax.reduce(significance, initial=-np.inf)

    def _screen_measured(self, block):
        """Find the candidates of a block, and its starved pixels, over a measured background."""
        counts_off, acceptance_off = self._off.at(block)
        n_on, acceptance_on = (on[block] for on in self.on)
        self._candidates[block] = wstat_candidates(self._threshold, n_on, acceptance_on, counts_off, acceptance_off)
        self.starved[block] = acceptance_off == 0
        self._leave_uncovered(block)

    def _screen_known(self, block):
        """Find the candidates of a block, and its starved pixels, over a background taken as known.

        Its sum under the source kernel is at least its lowest value around the pixel times the kernel's area.
        """
        outer = blocks.grown(block, self._half, self.starved.shape)
        background = self._background()[outer]
        margin = (part.stop - part.start + 2 * half for part, half in zip(block, self._half, strict=True))
        lowest = np.full(tuple(margin), NO_LIMIT, dtype=np.float32)
        corner = tuple(slice(part.start - half, None) for part, half in zip(block, self._half, strict=True))
        inner = lowest[blocks.inside(outer, corner)]
        inner[...] = background
        undefined = np.isnan(inner)
        starved = undefined.any()
        if starved:
            inner[undefined] = 0
        if not self._full:
            inner[self._inputs.acceptance[outer] == 0] = NO_LIMIT
        mu = _lowest_around(lowest, self._half) * self._area[block]
        self._candidates[block] = cash_candidates(self._threshold, self.on[0][block], mu)
        self.starved[block] = False
        if starved:
            self.starved[block] = sums.spread(undefined, self._source_kernel)[blocks.inside(block, outer)]
        self._leave_uncovered(block)

    def _leave_uncovered(self, block):
        if not self._full:
            covered = self._inputs.acceptance[block] > 0
            self._candidates[block] &= covered
            self.starved[block] &= covered

    def _sum_rows(self, touched):
        """Sum the background along the rows of these blocks, for its mean, and keep it where it is needed."""
        rows = np.zeros(self.starved.shape[0], dtype=bool)
        for y, _ in touched:
            rows[y] = True
        for run in blocks.runs(rows):
            for y, x in blocks.strips((run.stop - run.start, self.starved.shape[1])):
                y = slice(run.start + y.start, run.start + y.stop)
                background = self._off.background_at((y, x))
                self._row_sums[y], self._row_defined[y] = row_sums(background)
                if self._statistic == "cash":
                    if not self._full:
                        background[self._inputs.acceptance[y, x] == 0] = 0
                    self._background()[y, x] = background

    def _background(self):
        """The background kept for sums under the source kernel, a view of what has a margin."""
        return self._padded[
            tuple(slice(half, n - half) for half, n in zip(self._half, self._padded.shape, strict=True))
        ]

    def _significance_at(self, pixels):
        """The significance of some pixels, or of a block, of the map; NaN where it is undefined."""
        n_on = self.on[0][pixels]
        if self._statistic == "cash":
            at = tuple(y_or_x + half for y_or_x, half in zip(pixels, self._half, strict=True))
            return cash(n_on, sums.sums_at(self._padded, self._source_kernel, at))
        counts_off, acceptance_off = self._off.at(pixels)
        return wstat(n_on, counts_off, ratio_of_acceptances(self.on[1][pixels], acceptance_off))

    def highest(self):
        """Return the highest significance of the map, or None if it is nowhere defined."""
        if self._off is not None and self._highest < self._threshold:
            highest = np.fmax.reduce(self.significance()[self._rows], axis=None)
            self._highest = None if np.isnan(highest) else float(highest)
        return self._highest

    def significance(self):
        """Return the map of the significance."""
        shape = self._inputs.counts.shape
        significance = np.empty(shape)
        for strip in blocks.strips(shape):
            if self._statistic == "cash":
                outer = blocks.grown(strip, self._half, shape)
                covered = self._inputs.acceptance[outer] > 0
                mu = correlated_background(self._off.background_at(outer), covered, self._source_kernel)
                significance[strip] = cash(self.on[0][strip], mu[blocks.inside(strip, outer)])
            else:
                significance[strip] = self._significance_at(strip)
        if not self._full:
            significance[~self._inputs.coverage] = np.nan
        return significance

    def forget(self):
        """Give back the memory that only the next `update` would need."""
        self.reached = self.starved = self._candidates = self._padded = None

    def mean_background(self):
        """Return the mean background, or None if it is nowhere defined."""
        return mean_of_rows(*self.row_sums())

    def row_sums(self):
        """Return sum and number of the background's defined pixels in each of the rows that are asked for."""
        return self._row_sums[self._rows], self._row_defined[self._rows]

    def estimate(self):
        """Return the background estimate."""
        return self._off.estimate()


def _lowest_around(values, half):
    """The lowest value within `half` = (rows, columns) of every pixel that is so far from the edges."""
    for axis, reach in enumerate(half):
        values = np.moveaxis(values, axis, 0)
        span = 1
        while span < 2 * reach + 1:
            step = min(span, 2 * reach + 1 - span)
            values = np.minimum(values[:-step], values[step:])
            span += step
        values = np.moveaxis(values, 0, axis)
    return values
