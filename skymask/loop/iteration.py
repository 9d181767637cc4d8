"""The loop in memory: the same steps as the workflow's jobs, in the same order, with the same results."""

import warnings
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np

from skymask.core import convergence, kernels
from skymask.core.background import background_error, estimate_background
from skymask.core.bitmask import PackedMask
from skymask.core.exclusion import exclude, needs_significance
from skymask.core.inputs import prepare
from skymask.core.plain_arrays import check_plain
from skymask.core.quality import NO_BACKGROUND_ANYWHERE, without_background_text
from skymask.core.significance import compute_significance
from skymask.core.stacking import estimate_stack, stack_inputs
from skymask.errors import ConvergenceWarning
from skymask.loop.incremental import first_estimate, stacked_estimate
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
    """
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
    estimate_with = partial(first_estimate, background_kernel=background_kernel)
    return _iterate(inputs, estimate_with, source_kernel, dilation_kernel, mask_source_kernels, options)


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

    def estimate_of(mask):
        return estimate_stack(
            runs,
            mask,
            source_kernels,
            background_kernels,
            mask_source_kernels=mask_source_kernels,
            statistic=options.statistic,
            stacking=stacking,
        )

    estimate_with = partial(stacked_estimate, estimate_of=estimate_of)
    return _iterate(inputs, estimate_with, source_kernels[0], dilation_kernel, mask_source_kernels, options)


def _iterate(inputs, estimate_with, source_kernel, dilation_kernel, mask_source_kernels, options):
    """The loop, and what belongs to its end; `estimate_with` makes what it starts with, see `incremental`."""
    dilation_kernel = kernels.from_array(dilation_kernel) > 0
    estimate = estimate_with(
        inputs,
        source_kernel,
        statistic=options.statistic,
        threshold=options.threshold,
        background_systematic=options.background_systematic,
        mask_source_kernels=mask_source_kernels,
        whole=needs_significance(**options.shaping),
    )
    state, masks, records = _until_it_ends(inputs, estimate, dilation_kernel, options)
    mask = _final_mask(state, masks, inputs.counts.shape, estimate, options)
    warn_of_lost_backgrounds(estimate.mean_background(), estimate.without_background)
    estimate.forget()
    products = Products(
        inputs.counts,
        inputs.acceptance,
        estimate.estimate(),
        source_kernel,
        statistic=options.statistic,
        background_systematic=options.background_systematic,
        additive_background=inputs.additive_background,
        on=estimate.on,
        significance=estimate.significance(),
    )
    return Result(state.name, state.period, len(records) - 1, mask, products, records)


def warn_of_lost_backgrounds(mean_background, names=(), *, stacklevel=4):
    """Warn if the final background of a loop is undefined everywhere, and of runs of a stack that have none."""
    texts = [NO_BACKGROUND_ANYWHERE] if mean_background is None else []
    for text in [*texts, *([without_background_text(names)] if names else [])]:
        warnings.warn(text, ConvergenceWarning, stacklevel=stacklevel)


def _until_it_ends(inputs, estimate, dilation_kernel, options):
    """Return how the loop ended, all masks (packed, that of iteration 0 first) and records; updates the estimate."""
    user_mask, coverage, shaping = PackedMask.of(inputs.exclusion_mask), PackedMask.of(inputs.coverage), options.shaping
    mask, decision = user_mask, ~PackedMask.zeros(user_mask.shape)
    masks, flat_coverage = [mask.flat()], coverage.flat()
    records = [convergence.first_record(user_mask, coverage)]
    state = convergence.RUNNING
    while state == convergence.RUNNING:
        previous_mask, starved, highest = mask, estimate.starved.count(), estimate.highest()
        mask, decision = exclude(
            estimate.reached,
            estimate.starved,
            estimate.significance() if needs_significance(**shaping) else None,
            further=estimate.further,
            coverage=coverage,
            **shaping,
            dilation_kernel=dilation_kernel,
            user_mask=user_mask,
            previous_mask=previous_mask,
            previous_decision=decision,
            mask_update=options.mask_update,
            starved_pixels=options.starved_pixels,
        )
        masks.append(mask.flat())
        records.append(
            convergence.record(
                len(records),
                masks[-1],
                masks[-2],
                decision.flat(),
                flat_coverage,
                masks[0],
                starved=starved,
                highest_significance=highest,
                previous_record=records[-1],
            )
        )
        estimate.update(mask)
        records[-1]["mean_background"] = estimate.mean_background()
        state = convergence.assess(
            records,
            **options.limits,
            background_given=inputs.background is not None,
        )
    return state, masks, records


def _final_mask(state, masks, shape, estimate, options):
    """Return the mask that belongs to the end of a loop; brings the estimate to it."""
    final = options.iterations_of_final_mask(state, len(masks) - 1)
    packed = np.bitwise_and.reduce([masks[i] for i in final])
    mask = np.unpackbits(packed, count=shape[0] * shape[1]).view(bool).reshape(shape)
    if len(final) > 1:
        estimate.update(PackedMask.of(mask))
    return mask


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
