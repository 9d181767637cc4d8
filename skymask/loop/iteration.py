"""The loop in memory: the same steps as the workflow's jobs, in the same order, with the same results."""

import warnings
from functools import cached_property
from typing import NamedTuple

import numpy as np

from skymask.core import convergence, kernels
from skymask.core.background import background_error, estimate_background
from skymask.core.bitmask import PackedMask
from skymask.core.exclusion import exclude, needs_significance
from skymask.core.inputs import prepare
from skymask.core.measured import OneMap, Stack
from skymask.core.plain_arrays import check_plain
from skymask.core.quality import NO_BACKGROUND_ANYWHERE, without_background_text
from skymask.core.significance import compute_significance
from skymask.core.stacking import stack_inputs
from skymask.errors import ConvergenceWarning
from skymask.loop.incremental import first_estimate
from skymask.loop.options import Options, check_choice
from skymask.registry import MAPS


class Products:
    """Maps that belong to one exclusion mask, all of shape (ny, nx), NaN where undefined; each made when asked for.

    Parameters
    ----------
    counts, acceptance : ndarray, shape (ny, nx)
        Those of `skymask.core.inputs.Inputs`.
    estimate : Background
    source_kernel : ndarray
    statistic : {"wstat", "cash"}
    background_systematic, additive_background : float, ndarray or None
        See `iterate`.
    on, significance : (ndarray, ndarray), ndarray, optional
        Of `skymask.core.significance.sums_on`, and the map of the significance, if known already.
    """

    def __init__(
        self,
        counts,
        acceptance,
        estimate,
        source_kernel,
        *,
        statistic,
        background_systematic=0,
        additive_background=None,
        on=None,
        significance=None,
    ):
        self._counts, self._acceptance, self._estimate = counts, acceptance, estimate
        self._source_kernel, self._statistic, self._on = source_kernel, statistic, on
        self._systematic, self._additive = background_systematic, additive_background
        self._significance = significance

    @property
    def background(self):
        """Background in counts per pixel."""
        return self._estimate.background

    @cached_property
    def background_error(self):
        """Standard error of the background, in counts per pixel."""
        return background_error(self._acceptance, self._estimate)

    @cached_property
    def counts_off(self):
        """Off counts, effective ones for kernels with weights and over an additive background."""
        counts_off = self._estimate.counts_off if self._additive is None else self._result.counts_off
        return np.where(self._acceptance > 0, counts_off, np.nan)

    @property
    def alpha(self):
        """Ratio of on to off acceptance."""
        return self._result.alpha

    @property
    def significance(self):
        """Significance in standard deviations."""
        return self._result.significance if self._significance is None else self._significance

    @property
    def excess(self):
        """Counts above background under the source kernel."""
        return self._result.excess

    @cached_property
    def _result(self):
        return compute_significance(
            self._counts,
            self._acceptance,
            self._estimate,
            self._source_kernel,
            statistic=self._statistic,
            background_systematic=self._systematic,
            additive_background=self._additive,
            on=self._on,
        )

    @property
    def ring_radius(self):
        """Outer radius of the ring used, NaN where none sufficed; None if the kernel is no adaptive ring."""
        return self._estimate.ring_radius

    @property
    def counts_on(self):
        """Counts under the source kernel, those of runs that have a background there; None but for a stack."""
        counts_on = self._estimate.counts_on
        return None if counts_on is None else np.where(self._acceptance > 0, counts_on, np.nan)

    @property
    def runs(self):
        """Number of runs that contribute, zero without coverage; None but for a stack."""
        runs = self._estimate.runs
        return None if runs is None else np.where(self._acceptance > 0, runs, 0)

    def maps(self):
        """Return all maps that there are, by name."""
        maps = {name: getattr(self, name) for name in MAPS if hasattr(type(self), name)}
        return {name: image for name, image in maps.items() if image is not None}


class Result(NamedTuple):
    """How the loop ended, and what belongs to its final mask.

    Attributes
    ----------
    state : str
        "converged", "cycle", "max_iterations" or "runaway".
    period : int
        Period of a cycle, 1 for a fixed point, 0 otherwise.
    iterations : int
        Number of iterations, the confirming one included.
    exclusion_mask : ndarray of bool, shape (ny, nx)
        True where the pixel is used for the background.
    products : Products
        Maps that belong to `exclusion_mask`.
    records : list of dict
        One per iteration, that of iteration 0 first; see `skymask.core.convergence.record`.
    """

    state: str
    period: int
    iterations: int
    exclusion_mask: np.ndarray
    products: Products
    records: list


def iterate(
    counts,
    *,
    source_kernel,
    background_kernel,
    dilation_kernel,
    mask_source_kernels=(),
    acceptance=None,
    exclusion_mask=None,
    background=None,
    additive_background=None,
    **options,
):
    """Return background, exclusion mask and significance of a counts map, iterated until the mask stops changing.

    Parameters
    ----------
    counts : array_like, shape (ny, nx)
        Counts per pixel, NaN where there is no coverage. This and the other maps may be a masked array, a Quantity,
        NDData or CCDData, or a gammapy Map with one energy bin: masked pixels (where numpy's and astropy's masks are
        True) have no coverage, units must be those of counts where counts are meant, and coordinates must agree. What
        comes back are plain arrays.
    source_kernel, background_kernel, dilation_kernel : ndarray
        Kernels of `skymask.core.kernels`: under which counts are summed, from which the background comes (an array, an
        adaptive ring or the field of view), and by which excluded regions grow. An asymmetric array is the image of a
        single count.
    mask_source_kernels : sequence of ndarray
        Further source kernels for the mask: a pixel is excluded if the significance under any of them says so. The
        background is the same for all, and the maps returned are those of `source_kernel`.
    acceptance : array_like, shape (ny, nx), optional
        Expected background per pixel up to one factor.
    exclusion_mask : array_like, shape (ny, nx), optional
        True where the pixel may be used. What it excludes stays excluded.
    background : array_like, shape (ny, nx), optional
        Initial background, taken as known in the first iteration.
    additive_background : array_like, shape (ny, nx), optional
        Known counts per pixel of a component that does not follow the acceptance, zero or more; what is estimated comes
        on top of it.
    **options
        How the loop behaves: those of `skymask.loop.options.Options`, by name.

    Returns
    -------
    result : Result

    Raises
    ------
    MapError
        If an input array cannot be used.
    ValueError
        If an option or a kernel is none.
    ConvergenceError
        If the loop ended in a way that is to fail.

    Examples
    --------
    >>> import numpy as np
    >>> import skymask
    >>> counts = np.full((40, 40), 2)
    >>> counts[19:22, 19:22] = 12
    >>> result = skymask.iterate(
    ...     counts, source_kernel=skymask.disk(2), background_kernel=skymask.ring(6, 3), dilation_kernel=skymask.disk(1)
    ... )
    >>> print(result.state, result.iterations, np.count_nonzero(~result.exclusion_mask))
    converged 2 25
    >>> print(f"{result.products.significance[20, 20]:.2f} {result.products.excess[20, 20]:.1f}")
    11.97 90.0
    """
    loop = loop_of_map(
        counts,
        source_kernel=source_kernel,
        background_kernel=background_kernel,
        dilation_kernel=dilation_kernel,
        mask_source_kernels=mask_source_kernels,
        acceptance=acceptance,
        exclusion_mask=exclusion_mask,
        background=background,
        additive_background=additive_background,
        **options,
    )
    return loop.result()


def loop_of_map(
    counts,
    *,
    source_kernel,
    background_kernel,
    dilation_kernel,
    mask_source_kernels=(),
    start=None,
    whole=False,
    acceptance=None,
    exclusion_mask=None,
    background=None,
    additive_background=None,
    **options,
):
    """Return the loop of `iterate` before its first iteration; `start` and `whole` are those of `MemoryLoop`."""
    options = Options(**options)
    source_kernel = kernels.from_array(source_kernel)
    mask_source_kernels = [kernels.from_array(kernel) for kernel in mask_source_kernels]
    background_kernel = kernels.background_kernel(
        background_kernel, [source_kernel, *mask_source_kernels], options.statistic
    )
    inputs = prepare(
        counts,
        acceptance=acceptance,
        exclusion_mask=exclusion_mask,
        background=background,
        additive_background=additive_background,
    )
    measured = OneMap(
        inputs.counts,
        inputs.acceptance,
        source_kernel,
        background_kernel,
        tuple(mask_source_kernels),
        options.statistic,
        inputs.additive_background,
    )
    return MemoryLoop(measured, inputs, dilation_kernel, options, start=start, whole=whole)


def iterate_runs(
    runs,
    shape,
    *,
    source_kernel,
    background_kernel,
    dilation_kernel,
    exclusion_mask=None,
    background=None,
    mask_source_kernels=(),
    stacking="variance",
    **options,
):
    """Return background, common exclusion mask and significance of a stack of runs, iterated as by `iterate`.

    In every iteration each run, and each energy bin of it, is estimated by itself with the common mask; the next mask
    comes from the stack.

    Parameters
    ----------
    runs : iterable of skymask.core.stacking.Run
        Gone through once in every iteration, and before the first.
    shape : (int, int)
        Of the common grid, (ny, nx).
    source_kernel, background_kernel : ndarray, or list of them
        As for `iterate`; a list has one for every energy bin.
    dilation_kernel, exclusion_mask, background, mask_source_kernels, **options
        As for `iterate`; mask and background are on the common grid.
    stacking : {"variance", "counts_off"}
        What the stack conserves beside the background; see `skymask.core.stacking.Sums.estimate`.

    Returns
    -------
    result : Result
        Of the stack.

    Raises
    ------
    MapError, ValueError, ConvergenceError
        As by `iterate`.

    Examples
    --------
    Two runs, of which one covers the left half only:

    >>> import numpy as np
    >>> import skymask
    >>> counts = np.full((40, 40), 2)
    >>> counts[19:22, 19:22] = 12
    >>> whole = skymask.Run(counts[None], np.ones((1, 40, 40)), (slice(0, 40), slice(0, 40)))
    >>> half = skymask.Run(counts[None, :, :20], np.ones((1, 40, 20)), (slice(0, 40), slice(0, 20)))
    >>> result = skymask.iterate_runs(
    ...     [whole, half],
    ...     (40, 40),
    ...     source_kernel=skymask.disk(2),
    ...     background_kernel=skymask.ring(6, 3),
    ...     dilation_kernel=skymask.disk(1),
    ... )
    >>> print(result.state, result.products.runs[20, 5], result.products.runs[20, 35])
    converged 2 1
    """
    options = Options(**options)
    check_choice("stacking", stacking)
    planes = len(next(iter(runs)).counts)
    source_kernels, background_kernels = (
        kernel if isinstance(kernel, list) else [kernel] * planes for kernel in (source_kernel, background_kernel)
    )
    source_kernels = [kernels.from_array(kernel) for kernel in source_kernels]
    mask_source_kernels = [kernels.from_array(kernel) for kernel in mask_source_kernels]
    background_kernels = [
        kernels.background_kernel(kernel, [source, *mask_source_kernels], options.statistic)
        for kernel, source in zip(background_kernels, source_kernels, strict=True)
    ]
    inputs = stack_inputs(runs, shape, exclusion_mask=exclusion_mask, background=background)
    measured = Stack(
        runs,
        inputs.counts,
        inputs.acceptance,
        source_kernels,
        background_kernels,
        tuple(mask_source_kernels),
        options.statistic,
        stacking,
    )
    return MemoryLoop(measured, inputs, dilation_kernel, options).result()


class Loop:
    """A loop: the generator of its iterations, and how it ended.

    What is kept between iterations, and where, is up to `MemoryLoop` and its sibling that keeps it in files: they have
    `first_record()` and `next_record()`, which makes the next mask, and estimates the background that it leaves.

    Attributes
    ----------
    state : skymask.core.convergence.State
    records : list of dict
        One per iteration, that of iteration 0 first; see `skymask.core.convergence.record`.
    """

    def __init__(self, options, *, background_given):
        self.options, self._background_given = options, background_given
        self.state, self.records = convergence.RUNNING, []

    def __iter__(self):
        """Yield the loop after each iteration, until it ends."""
        self.records, self.state = [self.first_record()], convergence.RUNNING
        while self.state == convergence.RUNNING:
            self.records.append(self.next_record())
            self.state = convergence.assess(
                self.records, **self.options.limits, background_given=self._background_given
            )
            yield self

    def iterations_of_final_mask(self):
        """Go through what is left of the loop, and return which masks, put together, are the final one."""
        if self.state == convergence.RUNNING:
            for _ in self:
                pass
        return self.options.iterations_of_final_mask(self.state, len(self.records) - 1)


class MemoryLoop(Loop):
    """The loop of a map or of a stack in memory.

    Parameters
    ----------
    measured : skymask.core.measured.OneMap or skymask.core.measured.Stack
    inputs : skymask.core.inputs.Inputs
        Of the same; its mask is in force in every iteration.
    dilation_kernel : ndarray
    options : Options
    start : (ndarray of bool, ndarray of bool), optional
        Mask and decision of an earlier iteration from which to go on.
    whole : bool
        Whether the significance of the whole map is wanted in every iteration.

    Attributes
    ----------
    user_mask, mask, decision : skymask.core.bitmask.PackedMask
        True where the pixel is used: by the user's own mask, by the last mask, and by the last decision.
    estimate : IncrementalEstimate or FullMapEstimate
        What the mask leaves.
    """

    def __init__(self, measured, inputs, dilation_kernel, options, *, start=None, whole=False):
        super().__init__(options, background_given=inputs.background is not None)
        self._measured, self._dilation_kernel = measured, kernels.from_array(dilation_kernel) > 0
        self.user_mask, self._coverage = PackedMask.of(inputs.exclusion_mask), PackedMask.of(inputs.coverage)
        self.mask, self.decision = self.user_mask, ~PackedMask.zeros(self.user_mask.shape)
        if start is not None:
            self.mask, self.decision = map(PackedMask.of, start)
            inputs = inputs._replace(exclusion_mask=start[0])
        self.estimate = first_estimate(
            measured,
            inputs,
            threshold=options.threshold,
            background_systematic=options.background_systematic,
            whole=whole or needs_significance(**options.shaping),
        )
        # Of all iterations, as bits.
        self._masks, self._flat_coverage = [self.mask.flat()], self._coverage.flat()

    def first_record(self):
        """Return the record of iteration 0."""
        return convergence.first_record(self.user_mask, self._coverage)

    def next_record(self):
        """Make the next mask and its estimate, and return the record of the iteration."""
        options, estimate = self.options, self.estimate
        starved, highest = estimate.starved.count(), estimate.highest()
        self.mask, self.decision = exclude(
            estimate.reached,
            estimate.starved,
            estimate.significance() if needs_significance(**options.shaping) else None,
            further=estimate.further,
            coverage=self._coverage,
            **options.shaping,
            dilation_kernel=self._dilation_kernel,
            user_mask=self.user_mask,
            previous_mask=self.mask,
            previous_decision=self.decision,
            mask_update=options.mask_update,
            starved_pixels=options.starved_pixels,
        )
        self._masks.append(self.mask.flat())
        record = convergence.record(
            len(self.records),
            self._masks[-1],
            self._masks[-2],
            self.decision.flat(),
            self._flat_coverage,
            self._masks[0],
            starved=starved,
            highest_significance=highest,
            previous_record=self.records[-1],
        )
        estimate.update(self.mask)
        return record | {"mean_background": estimate.mean_background()}

    def result(self):
        """Go through the loop, and return its `Result`."""
        final = self.iterations_of_final_mask()
        shape, estimate = self.mask.shape, self.estimate
        packed = np.bitwise_and.reduce([self._masks[number] for number in final])
        mask = np.unpackbits(packed, count=shape[0] * shape[1]).view(bool).reshape(shape)
        if len(final) > 1:
            estimate.update(PackedMask.of(mask))
        warn_of_lost_backgrounds(estimate.mean_background(), estimate.without_background)
        estimate.forget()
        measured = self._measured
        products = Products(
            measured.counts,
            measured.acceptance,
            estimate.estimate(),
            measured.source_kernel,
            statistic=measured.statistic,
            background_systematic=self.options.background_systematic,
            additive_background=measured.additive_background,
            on=estimate.on,
            significance=estimate.significance(),
        )
        return Result(self.state.name, self.state.period, len(self.records) - 1, mask, products, self.records)


def warn_of_lost_backgrounds(mean_background, names=(), *, stacklevel=4):
    """Warn if the final background of a loop is undefined everywhere, and of runs of a stack that have none."""
    texts = [NO_BACKGROUND_ANYWHERE] if mean_background is None else []
    for text in [*texts, *([without_background_text(names)] if names else [])]:
        warnings.warn(text, ConvergenceWarning, stacklevel=stacklevel)


def compute_products(
    counts,
    acceptance,
    exclusion_mask,
    source_kernel,
    background_kernel,
    *,
    statistic,
    background_systematic=0,
    additive_background=None,
    on=None,
    **of_whole_map,
):
    """Return every map that belongs to `exclusion_mask`, computed from the counts alone.

    The arrays are those of `inputs.Inputs`; `on` holds the sums of `skymask.core.significance.sums_on`, if known;
    `of_whole_map` is that of `skymask.core.background.estimate_background`.

    Examples
    --------
    >>> import numpy as np
    >>> import skymask
    >>> counts = np.full((40, 40), 2)
    >>> counts[19:22, 19:22] = 12
    >>> mask = counts < 12
    >>> products = skymask.compute_products(
    ...     counts, np.ones((40, 40)), mask, skymask.disk(2), skymask.ring(6, 3), statistic="wstat"
    ... )
    >>> print(f"{products.background[20, 20]:.1f} {products.significance[20, 20]:.2f}")
    2.0 11.97
    """
    check_plain(
        counts=counts,
        acceptance=acceptance,
        exclusion_mask=exclusion_mask,
        additive_background=additive_background,
    )
    background_kernel = kernels.off_kernel(background_kernel, source_kernel, statistic)
    estimate = estimate_background(
        counts,
        acceptance,
        exclusion_mask,
        background_kernel,
        source_kernel=source_kernel,
        additive_background=additive_background,
        **of_whole_map,
    )
    return Products(
        counts,
        acceptance,
        estimate,
        source_kernel,
        statistic=statistic,
        background_systematic=background_systematic,
        additive_background=additive_background,
        on=on,
    )
