"""The loop in memory: the same steps as the workflow's jobs, in the same order, with the same results."""

from functools import cached_property, partial
from typing import NamedTuple

import numpy as np

from skymask import convergence, kernels
from skymask.background import background_error, estimate_background
from skymask.errors import ConvergenceError
from skymask.exclusion import Dilation, check_shaping, exclude, needs_significance
from skymask.inputs import prepare
from skymask.running import running_estimate, stacked_estimate
from skymask.significance import compute_significance
from skymask.stacking import estimate_stack, stack_inputs

#: Values of the options that are words.
OPTIONS = {
    "statistic": ("wstat", "cash"),
    "stacking": ("variance", "counts_off"),
    "mask_update": ("replace", "grow"),
    "starved_pixels": ("keep", "use"),
    "on_cycle": ("union", "last", "fail"),
    "on_max_iterations": ("last", "fail"),
}


class Products:
    """Maps that belong to one exclusion mask, all of shape (ny, nx), NaN where undefined; each made when asked for.

    Parameters
    ----------
    counts, acceptance : ndarray, shape (ny, nx)
        Those of `skymask.inputs.Inputs`.
    estimate : Background
    source_kernel : ndarray
    statistic : {"wstat", "cash"}
    background_systematic, additive_background : float, ndarray or None
        See `iterate`.
    on, significance : (ndarray, ndarray), ndarray, optional
        Of `skymask.significance.sums_on`, and the map of the significance, if known already.
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
        names = ("background", "background_error", "counts_off", "alpha", "significance", "excess")
        names += ("ring_radius", "counts_on", "runs")
        maps = {name: getattr(self, name) for name in names}
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
        One per iteration, that of iteration 0 first; see `skymask.convergence.record`.
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
    statistic="wstat",
    background_systematic=0,
    threshold=5.0,
    threshold_low=None,
    threshold_in_widths=False,
    min_pixels=1,
    max_hole_pixels=0,
    region_growth=None,
    mask_update="replace",
    starved_pixels="keep",
    max_iterations=50,
    changed_pixels=0,
    on_cycle="union",
    on_max_iterations="last",
    max_excluded_fraction=0.9,
):
    """Return background, exclusion mask and significance of a counts map, iterated until the mask stops changing.

    Parameters
    ----------
    counts : array_like, shape (ny, nx)
        Counts per pixel, NaN where there is no coverage.
    source_kernel, background_kernel, dilation_kernel : ndarray
        Kernels of `skymask.kernels`: under which counts are summed, from which the background comes (an array, an
        adaptive ring or the field of view), and by which excluded regions grow.
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
    statistic : {"wstat", "cash"}
        Background measured from the same map (Li & Ma 1983, eq. 17), or taken as known.
    background_systematic : float
        Relative systematic error of the background, folded into the significance; see
        `skymask.significance.with_systematic`.
    threshold : float
        Significance at and above which a pixel is excluded.
    threshold_in_widths : bool
        Whether the significance counts from the off-source mean, in units of the off-source width, as each mask leaves
        them; see `skymask.quality.in_widths`.
    threshold_low, min_pixels, max_hole_pixels : float or None, int, int
        Hysteresis, smallest region, and largest hole that is filled; see `skymask.exclusion`.
    region_growth : dict, optional
        By how much a region grows, depending on its peak or its size: `law` and parameters of
        `skymask.exclusion.grow_regions`, as in {"law": "size", "factor": 0.5, "max_radius": 20}.
    mask_update : {"replace", "grow"}
        Whether a pixel once excluded may be used again.
    starved_pixels : {"keep", "use"}
        What becomes of pixels whose background is undefined: the last decision, or use.
    max_iterations, changed_pixels, max_excluded_fraction : int, int, float
        See `skymask.convergence.assess`.
    on_cycle : {"union", "last", "fail"}
        Final mask of a limit cycle: exclude what any of its masks excludes, or the last mask, or an error.
    on_max_iterations : {"last", "fail"}
        The last mask, or an error.

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
    _check_options(statistic=statistic)
    source_kernel = kernels.from_array(source_kernel)
    mask_source_kernels = [kernels.from_array(kernel) for kernel in mask_source_kernels]
    background_kernel = _background_kernel(background_kernel, [source_kernel, *mask_source_kernels], statistic)
    inputs = prepare(
        counts,
        acceptance=acceptance,
        exclusion_mask=exclusion_mask,
        background=background,
        additive_background=additive_background,
    )
    return _iterate(
        inputs,
        partial(running_estimate, background_kernel=background_kernel),
        source_kernel,
        dilation_kernel,
        mask_source_kernels=mask_source_kernels,
        statistic=statistic,
        background_systematic=background_systematic,
        threshold=threshold,
        threshold_low=threshold_low,
        threshold_in_widths=threshold_in_widths,
        min_pixels=min_pixels,
        max_hole_pixels=max_hole_pixels,
        region_growth=region_growth,
        mask_update=mask_update,
        starved_pixels=starved_pixels,
        max_iterations=max_iterations,
        changed_pixels=changed_pixels,
        on_cycle=on_cycle,
        on_max_iterations=on_max_iterations,
        max_excluded_fraction=max_excluded_fraction,
    )


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
    statistic="wstat",
    **options,
):
    """Return background, common exclusion mask and significance of a stack of runs, iterated as by `iterate`.

    In every iteration each run, and each energy bin of it, is estimated by itself with the common mask; the next mask
    comes from the stack.

    Parameters
    ----------
    runs : iterable of skymask.stacking.Run
        Gone through once in every iteration, and before the first.
    shape : (int, int)
        Of the common grid, (ny, nx).
    source_kernel, background_kernel : ndarray, or list of them
        As for `iterate`; a list has one for every energy bin.
    dilation_kernel, exclusion_mask, background, mask_source_kernels, statistic, **options
        As for `iterate`; mask and background are on the common grid.
    stacking : {"variance", "counts_off"}
        What the stack conserves beside the background; see `skymask.stacking.Sums.estimate`.

    Returns
    -------
    result : Result
        Of the stack.

    Raises
    ------
    MapError, ValueError, ConvergenceError
        As by `iterate`.
    """
    _check_options(statistic=statistic, stacking=stacking)
    planes = len(next(iter(runs)).counts)
    source_kernels, background_kernels = (
        kernel if isinstance(kernel, list) else [kernel] * planes for kernel in (source_kernel, background_kernel)
    )
    source_kernels = [kernels.from_array(kernel) for kernel in source_kernels]
    mask_source_kernels = [kernels.from_array(kernel) for kernel in mask_source_kernels]
    background_kernels = [
        _background_kernel(kernel, [source, *mask_source_kernels], statistic)
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
            statistic=statistic,
            stacking=stacking,
        )

    return _iterate(
        inputs,
        partial(stacked_estimate, estimate_of=estimate_of),
        source_kernels[0],
        dilation_kernel,
        mask_source_kernels=mask_source_kernels,
        statistic=statistic,
        **options,
    )


def _iterate(
    inputs,
    estimate_with,
    source_kernel,
    dilation_kernel,
    *,
    mask_source_kernels=(),
    statistic,
    background_systematic=0,
    threshold=5.0,
    threshold_low=None,
    threshold_in_widths=False,
    min_pixels=1,
    max_hole_pixels=0,
    region_growth=None,
    mask_update="replace",
    starved_pixels="keep",
    max_iterations=50,
    changed_pixels=0,
    on_cycle="union",
    on_max_iterations="last",
    max_excluded_fraction=0.9,
):
    """The loop itself; `estimate_with` makes the estimate with which it starts, see `skymask.running`."""
    _check_options(
        statistic=statistic,
        mask_update=mask_update,
        starved_pixels=starved_pixels,
        on_cycle=on_cycle,
        on_max_iterations=on_max_iterations,
    )
    if not threshold > 0:
        raise ValueError(f"threshold must be positive, got {threshold}")
    if not 0 <= background_systematic <= 1:
        raise ValueError(f"background_systematic must be zero to one, got {background_systematic}")
    shaping = check_shaping(
        threshold=threshold,
        threshold_low=threshold_low,
        threshold_in_widths=threshold_in_widths,
        min_pixels=min_pixels,
        max_hole_pixels=max_hole_pixels,
        region_growth=region_growth,
    )
    dilation_kernel = kernels.from_array(dilation_kernel) > 0
    user_mask, coverage = inputs.exclusion_mask, inputs.coverage
    mask, decision = user_mask, np.ones_like(user_mask)
    whole = needs_significance(**shaping)
    estimate = estimate_with(
        inputs,
        source_kernel,
        statistic=statistic,
        threshold=threshold,
        background_systematic=background_systematic,
        mask_source_kernels=mask_source_kernels,
        whole=whole,
    )
    dilate = Dilation(dilation_kernel)
    masks = [np.packbits(mask)]
    records = [convergence.first_record(mask, coverage, user_mask)]
    state = convergence.RUNNING
    while state == convergence.RUNNING:
        previous_mask, starved, highest = mask, np.count_nonzero(estimate.starved), estimate.highest()
        mask, decision = exclude(
            estimate.reached,
            estimate.starved,
            estimate.significance() if whole else None,
            further=estimate.further,
            coverage=coverage,
            **shaping,
            dilate=dilate,
            user_mask=user_mask,
            previous_mask=previous_mask,
            previous_decision=decision,
            mask_update=mask_update,
            starved_pixels=starved_pixels,
        )
        records.append(
            convergence.record(
                len(masks),
                mask,
                previous_mask,
                decision,
                coverage,
                user_mask,
                starved=starved,
                highest_significance=highest,
                previous_record=records[-1],
            )
        )
        masks.append(np.packbits(mask))
        estimate.update(mask)
        records[-1]["mean_background"] = estimate.mean_background()
        state = convergence.assess(
            records,
            max_iterations=max_iterations,
            changed_pixels=changed_pixels,
            max_excluded_fraction=max_excluded_fraction,
            starved_pixels=starved_pixels,
            background_given=inputs.background is not None,
        )
    iterations = len(records) - 1
    reason = convergence.failure(state, iterations, on_cycle=on_cycle, on_max_iterations=on_max_iterations)
    if reason:
        raise ConvergenceError(reason)
    final = convergence.iterations_of_final_mask(state, iterations, on_cycle=on_cycle)
    if len(final) > 1:
        union = np.bitwise_and.reduce([masks[i] for i in final])
        mask = np.unpackbits(union, count=mask.size).view(bool).reshape(mask.shape)
        estimate.update(mask)
    estimate.forget()
    del dilate, decision, previous_mask, coverage
    products = Products(
        inputs.counts,
        inputs.acceptance,
        estimate.estimate(),
        source_kernel,
        statistic=statistic,
        background_systematic=background_systematic,
        additive_background=inputs.additive_background,
        on=estimate.on,
        significance=estimate.significance(),
    )
    return Result(state.name, state.period, iterations, mask, products, records)


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
):
    """Return every map that belongs to `exclusion_mask`, computed from the counts alone.

    The arrays are those of `skymask.inputs.Inputs`; `on` holds the sums of `skymask.significance.sums_on`, if known.
    """
    background_kernel = kernels.off_kernel(background_kernel, source_kernel, statistic)
    estimate = estimate_background(
        counts,
        acceptance,
        exclusion_mask,
        background_kernel,
        source_kernel=source_kernel,
        additive_background=additive_background,
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


def _background_kernel(background_kernel, source_kernels, statistic):
    if not (kernels.is_adaptive(background_kernel) or kernels.is_field_of_view(background_kernel)):
        background_kernel = kernels.from_array(background_kernel)
    return kernels.off_kernel(background_kernel, kernels.under_any(source_kernels), statistic)


def _check_options(**options):
    for name, value in options.items():
        if value not in OPTIONS[name]:
            raise ValueError(f"{name} must be one of {', '.join(OPTIONS[name])}, got {value!r}")
