"""Background and significance of a loop, computed again only where a changed exclusion mask touches them."""

import numpy as np

from skymask import blocks, kernels, sums
from skymask.background import Background, OffSums, estimate_background, mean_background, row_sums
from skymask.significance import (
    cash,
    cash_at_least,
    compute_significance,
    correlated_background,
    sums_on,
    wstat,
    wstat_at_least,
)


def running_estimate(inputs, source_kernel, background_kernel, *, statistic, threshold, background_systematic=0):
    """Return the estimate with which a loop starts: from the initial background, or from the user's mask.

    Parameters
    ----------
    inputs : skymask.inputs.Inputs
    source_kernel : ndarray
    background_kernel : ndarray or skymask.kernels.AdaptiveRing
    statistic : {"wstat", "cash"}
    threshold, background_systematic : float
        See `skymask.loop.iterate`.

    Returns
    -------
    estimate : RunningEstimate or WholeEstimate
        `reached` and `starved`, maps of where the significance reaches the threshold and of covered pixels without
        one; `highest()`, the highest significance; `mean_background()`; `update(exclusion_mask)`, which takes all of
        this for another mask; the maps that products are made of, `on`, `estimate()` and `significance()`.
    """
    weighted = kernels.is_weighted(source_kernel) or kernels.is_weighted(background_kernel)
    # With a large source kernel, a known background is summed by transforms, whose rounding knows of the whole map.
    local = statistic == "wstat" or sums.is_local(source_kernel)
    by_blocks = local and not weighted and not kernels.is_adaptive(background_kernel) and background_systematic == 0
    if by_blocks:
        return RunningEstimate(inputs, source_kernel, background_kernel, statistic=statistic, threshold=threshold)
    return WholeEstimate(
        inputs,
        source_kernel,
        background_kernel,
        statistic=statistic,
        threshold=threshold,
        background_systematic=background_systematic,
    )


class WholeEstimate:
    """The whole map computed again for every mask, as the workflow's jobs do; see `running_estimate`."""

    def __init__(self, inputs, source_kernel, background_kernel, *, statistic, threshold, background_systematic=0):
        self._inputs, self._source_kernel, self._background_kernel = inputs, source_kernel, background_kernel
        self._statistic, self._threshold, self._systematic = statistic, threshold, background_systematic
        self.on = sums_on(inputs.counts, inputs.acceptance, source_kernel)
        if inputs.background is None:
            self.update(inputs.exclusion_mask)
        else:
            self._take(Background(inputs.background))

    def update(self, exclusion_mask):
        """Estimate the background from the pixels that another mask leaves."""
        self._take(
            estimate_background(
                self._inputs.counts,
                self._inputs.acceptance,
                exclusion_mask,
                self._background_kernel,
                source_kernel=self._source_kernel,
            )
        )

    def _take(self, estimate):
        self._estimate = estimate
        significance = compute_significance(
            self._inputs.counts,
            self._inputs.acceptance,
            estimate,
            self._source_kernel,
            statistic=self._statistic,
            background_systematic=self._systematic,
            on=self.on,
        ).significance
        self._significance = significance
        self.reached = significance >= self._threshold
        self.starved = self._inputs.coverage & np.isnan(significance)
        highest = np.fmax.reduce(significance, axis=None)
        self._highest = None if np.isnan(highest) else float(highest)

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
    """Sums kept as integers and brought up to date where a mask changed; see `running_estimate`."""

    def __init__(self, inputs, source_kernel, background_kernel, *, statistic, threshold):
        self._inputs, self._source_kernel, self._background_kernel = inputs, source_kernel, background_kernel
        self._statistic, self._threshold = statistic, threshold
        self.on = sums_on(inputs.counts, inputs.acceptance, source_kernel)
        shape = inputs.counts.shape
        self._full = bool(inputs.acceptance.all())
        self._off = None
        self._mu = np.empty(shape) if statistic == "cash" else None
        self._row_sums, self._row_defined = np.zeros(shape[0]), np.zeros(shape[0], dtype=int)
        self.reached, self.starved = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
        if inputs.background is None:
            self.update(inputs.exclusion_mask)
        else:
            first = WholeEstimate(inputs, source_kernel, background_kernel, statistic=statistic, threshold=threshold)
            self.reached, self.starved, self.highest = first.reached, first.starved, first.highest

    def update(self, exclusion_mask):
        """Estimate the background from the pixels that another mask leaves."""
        if self._off is None:
            inputs = self._inputs
            self.__dict__.pop("highest", None)
            self._off = OffSums(inputs.counts, inputs.acceptance, self._background_kernel, exclusion_mask)
            touched = blocks.strips(exclusion_mask.shape)
        else:
            touched = self._off.update(exclusion_mask)
        self._sum_rows(touched)
        if self._statistic == "wstat":
            for block in touched:
                self._measured(block)
        else:
            half = tuple(n // 2 for n in self._source_kernel.shape)
            for block in blocks.cover(
                [blocks.grown(b, half, exclusion_mask.shape) for b in touched], exclusion_mask.shape
            ):
                self._known(block, half)

    def _measured(self, block):
        """Where the significance over a measured background reaches the threshold."""
        counts_off, acceptance_off = self._off.at(block)
        n_on, acceptance_on = (on[block] for on in self.on)
        reached = wstat_at_least(self._threshold, n_on, acceptance_on, counts_off, acceptance_off)
        self._take(block, reached, acceptance_off == 0)

    def _known(self, block, half):
        """Where the significance over a known background reaches the threshold."""
        outer = blocks.grown(block, half, self.reached.shape)
        covered = self._inputs.acceptance[outer] > 0
        mu = correlated_background(self._off.background_at(outer), covered, self._source_kernel)
        mu = mu[blocks.inside(block, outer)]
        self._mu[block] = mu
        self._take(block, cash_at_least(self._threshold, self.on[0][block], mu), np.isnan(mu))

    def _take(self, block, reached, undefined):
        if not self._full:
            covered = self._inputs.acceptance[block] > 0
            reached &= covered
            undefined &= covered
        self.reached[block], self.starved[block] = reached, undefined

    def _sum_rows(self, touched):
        """Sum the background along the rows of these blocks, for its mean."""
        rows = np.zeros(self.reached.shape[0], dtype=bool)
        for y, _ in touched:
            rows[y] = True
        ends = np.flatnonzero(np.diff(rows, prepend=False, append=False))
        n_x = self.reached.shape[1]
        for first, last in zip(ends[::2], ends[1::2], strict=True):
            for y, x in blocks.strips((last - first, n_x)):
                y = slice(first + y.start, first + y.stop)
                self._row_sums[y], self._row_defined[y] = row_sums(self._off.background_at((y, x)))

    def highest(self):
        """Return the highest significance of the map, or None if it is nowhere defined."""
        pixels = np.divmod(np.flatnonzero(self.reached), self.reached.shape[1])
        if pixels[0].size:
            return float(self._significance(pixels).max())
        strips = blocks.strips(self.reached.shape)
        highest = np.fmax.reduce([np.fmax.reduce(self._significance(strip), axis=None) for strip in strips])
        return None if np.isnan(highest) else float(highest)

    def significance(self):
        """Return the map of the significance."""
        significance = np.empty(self.reached.shape)
        for strip in blocks.strips(self.reached.shape):
            significance[strip] = self._significance(strip)
        return significance

    def _significance(self, where):
        """The significance of a block or of pixels of the map, NaN where it is undefined."""
        n_on, acceptance_on = (on[where] for on in self.on)
        if self._statistic == "cash":
            significance = cash(n_on, self._mu[where])
        else:
            counts_off, acceptance_off = self._off.at(where)
            with np.errstate(divide="ignore", invalid="ignore"):
                significance = wstat(n_on, counts_off, acceptance_on / acceptance_off)
        if not self._full:
            significance[~(self._inputs.acceptance[where] > 0)] = np.nan
        return significance

    def mean_background(self):
        """Return the mean background, or None if it is nowhere defined."""
        defined = self._row_defined.sum()
        return float(self._row_sums.sum() / defined) if defined else None

    def estimate(self):
        """Return the background estimate."""
        return self._off.estimate()
