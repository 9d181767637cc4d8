r"""Stacks: runs and energy bins that share one exclusion mask, each with a background of its own.

Every run, and every energy bin of it, is estimated by itself from the pixels that the common mask leaves, and the
results are added. With the counts :math:`n_{on,r}`, :math:`n_{off,r}` and the ratio :math:`\alpha_r` of one of them,

.. math:: n_{on} = \sum_r n_{on,r}, \quad b = \sum_r \alpha_r n_{off,r}, \quad V = \sum_r \alpha_r^2 n_{off,r},

and the stack counts as the one measurement with this background and this variance, :math:`\alpha = V / b` and
:math:`n_{off} = b / \alpha` (the correspondence of Cousins, Linnemann & Tucker 2008, NIM A 595, 480,
doi:10.1016/j.nima.2008.07.086, sect. 4), of which the significance is that of Li & Ma (1983), eq. 17. Adding the off
counts, as gammapy does, conserves b, but not V where the runs' ratios differ.

A run contributes to a pixel wherever it sees something under the source kernel and has a background there. Where its
background is undefined neither its counts nor its background are in the sums. Runs without a background anywhere are
named in the estimate.
"""

from typing import NamedTuple

import numpy as np

from skymask.core import tiling
from skymask.core.background import Background, background_error, estimate_background
from skymask.core.inputs import MAX_COUNT, Data, with_users_maps
from skymask.core.plain_arrays import check_plain
from skymask.core.significance import OnAndOff, on_and_off, sums_on
from skymask.errors import MapError


class Run(NamedTuple):
    """Maps of one run on the part of the common grid that it covers, one plane for every energy bin.

    Attributes
    ----------
    counts : ndarray of int, shape (n, ny, nx)
        Zero where there is no coverage.
    acceptance : ndarray, shape (n, ny, nx)
        Expected background per pixel up to one factor for every plane; zero where there is no coverage.
    block : (slice, slice)
        Its rows and columns of the common grid.
    additive_background : ndarray of float, shape (n, ny, nx), or None
    name : str
        By which messages name it.

    Examples
    --------
    >>> import numpy as np
    >>> import skymask
    >>> run = skymask.Run(np.ones((1, 5, 4), dtype=int), np.ones((1, 5, 4)), (slice(10, 15), slice(0, 4)), name="run 7")
    >>> run.counts.shape, run.block[0]
    ((1, 5, 4), slice(10, 15, None))
    """

    counts: np.ndarray
    acceptance: np.ndarray
    block: tuple
    additive_background: np.ndarray | None = None
    name: str = ""


class Sums:
    """Sums over runs and energy bins, pixel by pixel, of what makes a stack.

    Parameters
    ----------
    shape : (int, int)
        Of the common grid.
    """

    def __init__(self, shape):
        names = ("background", "variance", "background_on", "measured_on", "variance_on", "counts_on", "counts_off")
        self._sums = {name: np.zeros(shape) for name in (*names, "acceptance_on", "acceptance_off", "ring_radius")}
        self._defined = np.zeros(shape, dtype=np.int32)
        self._has_rings = False
        #: How many runs contribute to each pixel.
        self.runs = np.zeros(shape, dtype=np.int32)

    def add(self, plane):
        """Add an energy bin of a run, and return where it contributes."""
        part, estimate = plane.on_and_off, plane.estimate
        used = (plane.acceptance_on > 0) & ~np.isnan(part.background_on)
        measured = used & (part.alpha > 0)
        defined = ~np.isnan(estimate.background)
        with np.errstate(divide="ignore", invalid="ignore"):
            acceptance_off = plane.acceptance_on / part.alpha
        terms = {
            "counts_on": (part.counts_on, used),
            "background_on": (part.background_on, used),
            # With the statistic cash, the background on is the sum of that of the pixels and not this.
            "measured_on": (part.alpha * part.counts_off, measured),
            "variance_on": (part.alpha**2 * part.counts_off, measured),
            "counts_off": (part.counts_off, measured),
            "acceptance_on": (plane.acceptance_on, measured),
            "acceptance_off": (acceptance_off, measured),
            "background": (estimate.background, defined),
            "variance": (background_error(plane.acceptance, estimate) ** 2, defined),
        }
        if estimate.ring_radius is not None:
            self._has_rings = True
            terms["ring_radius"] = (estimate.ring_radius, defined)
        everywhere = {id(where): where.all() for _, where in terms.values()}
        for name, (image, where) in terms.items():
            self._sums[name][plane.block] += image if everywhere[id(where)] else np.where(where, image, 0)
        self._defined[plane.block] += defined
        return used

    def estimate(self, *, stacking="variance"):
        """Return the stack as one estimate, NaN where nothing contributes.

        Parameters
        ----------
        stacking : {"variance", "counts_off"}
            What the one measurement has, beside the background, from its parts: the variance, or the sum of the off
            counts, as in gammapy.

        Returns
        -------
        estimate : Background
            The ring's radius, if there is one, is the mean over all parts.
        """
        sums, used = self._sums, self.runs > 0
        measured_on = sums["measured_on"]
        with np.errstate(divide="ignore", invalid="ignore"):
            # Without any off counts, the ratio is that of all acceptances together.
            alpha = sums["acceptance_on"] / sums["acceptance_off"]
            if stacking == "variance":
                effective = sums["variance_on"] / measured_on
            else:
                effective = measured_on / sums["counts_off"]
            known = (measured_on > 0) & (effective > 0)
            alpha[known] = effective[known]
            counts_off = measured_on / alpha
            ring_radius = sums["ring_radius"] / self._defined if self._has_rings else None
        defined = self._defined > 0
        return Background(
            background=np.where(defined, sums["background"], np.nan),
            background_error=np.where(defined, np.sqrt(sums["variance"]), np.nan),
            counts_on=sums["counts_on"],
            background_on=np.where(used, sums["background_on"], np.nan),
            counts_off=np.where(used, counts_off, np.nan),
            alpha=np.where(used, alpha, np.nan),
            ring_radius=ring_radius,
            runs=self.runs,
        )


def stack_inputs(runs, shape, *, exclusion_mask=None, region_mask=None, background=None, warnings=()):
    """Return the stacked maps of all runs in the form in which `inputs.prepare` returns those of a single map.

    Parameters
    ----------
    runs : iterable of Run
    shape : (int, int)
        Of the common grid.
    exclusion_mask, region_mask, background : array_like, shape (ny, nx), optional
        See `skymask.core.inputs.prepare`.
    warnings : iterable of str
        What else is odd.

    Returns
    -------
    inputs : skymask.core.inputs.Inputs
        Counts and acceptances of all runs and energy bins together.

    Raises
    ------
    MapError
        If there is nothing to work with.
    """
    counts = np.zeros(shape, dtype=np.int64)
    acceptance = np.zeros(shape)
    for run in runs:
        check_plain(counts=run.counts, acceptance=run.acceptance, additive_background=run.additive_background)
        counts[run.block] += run.counts.sum(axis=0, dtype=np.int64)
        acceptance[run.block] += run.acceptance.sum(axis=0)
    if not acceptance.any():
        raise MapError("no coverage at all: no run has a pixel with finite counts and an acceptance above zero")
    if counts.max() > MAX_COUNT:
        raise MapError(f"the runs have {counts.max()} counts in one pixel: too many to be counts")
    return with_users_maps(
        Data(counts.astype(np.int32), acceptance, None, list(warnings)),
        exclusion_mask=exclusion_mask,
        region_mask=region_mask,
        background=background,
    )


def estimate_stack(
    runs,
    exclusion_mask,
    source_kernels,
    background_kernels,
    *,
    mask_source_kernels=(),
    statistic="wstat",
    stacking="variance",
):
    """Return the background of all runs and energy bins together, each estimated by itself.

    Parameters
    ----------
    runs : iterable of Run
        Taken one after the other: only one needs to be in memory at a time.
    exclusion_mask : ndarray of bool, shape (ny, nx)
        The common mask, True where the pixel is used.
    source_kernels, background_kernels : sequence
        One for every energy bin; see `skymask.loop.iteration.iterate`.
    mask_source_kernels : sequence of ndarray
        Further source kernels, each for all energy bins.
    statistic : {"wstat", "cash"}
    stacking : {"variance", "counts_off"}
        See `Sums.estimate`.

    Returns
    -------
    estimate : Background
        With one more in `further` for each further source kernel.
    """
    totals = [Sums(exclusion_mask.shape) for _ in (None, *mask_source_kernels)]
    without_background = []
    for order, run in enumerate(runs):
        contributes = [False] * len(totals)
        of_run = _planes(
            run, exclusion_mask, source_kernels, background_kernels, statistic, mask_source_kernels=mask_source_kernels
        )
        for number, planes in enumerate(of_run):
            if planes[0].is_without_background():
                without_background.append(_name_of_plane(run, order, number))
            contributes = [
                once | total.add(plane) for once, total, plane in zip(contributes, totals, planes, strict=True)
            ]
        for total, where in zip(totals, contributes, strict=True):
            total.runs[planes[0].block] += where
    main, *further = (total.estimate(stacking=stacking) for total in totals)
    return main._replace(further=tuple(further), without_background=tuple(without_background))


def estimate_bins(runs, exclusion_mask, source_kernels, background_kernels, *, statistic="wstat", stacking="variance"):
    """Return the background of all runs together, one for every energy bin.

    The parameters are those of `estimate_stack`.

    Returns
    -------
    estimates : list of Background
    """
    totals = [Sums(exclusion_mask.shape) for _ in source_kernels]
    for run in runs:
        planes = _planes(run, exclusion_mask, source_kernels, background_kernels, statistic)
        for total, (plane,) in zip(totals, planes, strict=True):
            total.runs[plane.block] += total.add(plane)
    return [total.estimate(stacking=stacking) for total in totals]


def backgrounds_of(run, exclusion_mask, source_kernels, background_kernels, *, statistic="wstat"):
    """Return the background of every energy bin of a run on its own block, shape (n, ny, nx); NaN where undefined."""
    planes = _planes(run, exclusion_mask, source_kernels, background_kernels, statistic)
    return np.stack([plane.estimate.background[tiling.inside(run.block, plane.block)] for (plane,) in planes])


class Plane(NamedTuple):
    """One energy bin of a run, where it is on the common grid, and what was estimated of it under a source kernel."""

    block: tuple
    acceptance: np.ndarray
    acceptance_on: np.ndarray
    estimate: Background
    on_and_off: OnAndOff

    def is_without_background(self):
        """Whether it has data, and a background nowhere."""
        return bool(self.acceptance.any()) and bool(np.isnan(self.estimate.background).all())


def _planes(run, exclusion_mask, source_kernels, background_kernels, statistic, *, mask_source_kernels=()):
    """Every energy bin of a run, estimated: a list with one plane for its own source kernel and each further one.

    With so much of the map around it as these kernels reach.
    """
    half = np.max([np.shape(kernel) for kernel in (*source_kernels, *mask_source_kernels)], axis=0) // 2
    block = tiling.grown(run.block, half, exclusion_mask.shape)
    run = _on_block(run, block)
    for number, (source_kernel, background_kernel) in enumerate(zip(source_kernels, background_kernels, strict=True)):
        counts, acceptance = run.counts[number], run.acceptance[number]
        additive = None if run.additive_background is None else run.additive_background[number]
        estimate = estimate_background(
            counts,
            acceptance,
            exclusion_mask[block],
            background_kernel,
            source_kernel=source_kernel,
            additive_background=additive,
        )
        planes = []
        for kernel in (source_kernel, *mask_source_kernels):
            on = sums_on(counts, acceptance, kernel)
            part = on_and_off(
                counts, acceptance, estimate, kernel, statistic=statistic, additive_background=additive, on=on
            )
            planes.append(Plane(block, acceptance, on[1], estimate, part))
        yield planes


def _name_of_plane(run, order, number):
    """What messages call an energy bin of a run."""
    name = run.name or f"run {order}"
    return name if len(run.counts) == 1 else f"{name}, energy bin {number}"


def _on_block(run, block):
    """The run on a larger block, without coverage around it."""
    if block == run.block:
        return run
    margins = [(0, 0)] + [
        (part.start - whole.start, whole.stop - part.stop) for part, whole in zip(run.block, block, strict=True)
    ]
    maps = [
        None if cube is None else np.pad(cube, margins)
        for cube in (run.counts, run.acceptance, run.additive_background)
    ]
    return Run(maps[0], maps[1], block, maps[2], run.name)
