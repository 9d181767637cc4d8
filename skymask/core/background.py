"""The background under every pixel, estimated from the pixels around it that no source touches."""

from typing import NamedTuple

import numpy as np

from skymask.core import convolution, kernels, tiling, tilt
from skymask.core.bitmask import PackedMask
from skymask.core.off_sums import OffSums, background_of, exponent_of, multiples

#: A weighted kernel needs at least this fraction of its weight on usable pixels; rounding in the Fourier transform
#: would show below it.
MIN_WEIGHT_FRACTION = 1e-6

#: Why sums under kernels with weights cannot be brought up to date.
WEIGHTED = "sums under kernels with weights are rounded, which depends on the whole map"

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
    return method_of(kernel).estimate(
        counts,
        acceptance,
        exclusion_mask,
        source_kernel=source_kernel,
        additive_background=additive_background,
        **of_whole_map,
    )


def full_map_reason(source_kernel, background_kernel):
    """Return why the whole map must be computed for every mask with these kernels, or None if parts of it may be."""
    reason = method_of(background_kernel).full_map_reason
    return reason or (WEIGHTED if kernels.is_weighted(source_kernel) else None)


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


class KernelBackground:
    """The background from the used pixels under one kernel: a ring, a disk, or any array, with or without weights.

    This and the other methods take a kernel of their kind; `METHODS` has all of them.
    """

    def __init__(self, kernel):
        self.kernel = kernel

    @property
    def full_map_reason(self):
        """Why the whole map is estimated for every mask, or None if only what a changed mask touches may be."""
        return WEIGHTED if kernels.is_weighted(self.kernel) else None

    def estimate(
        self,
        counts,
        acceptance,
        exclusion_mask,
        *,
        source_kernel=None,
        additive_background=None,
        **of_whole_map,
    ):
        """Return the `Background`; see `estimate_background`."""
        kernel, scale = self.kernel, 1.0
        if kernels.is_weighted(kernel):
            counts_off, acceptance_off, scale = _effective_off(
                counts * exclusion_mask, acceptance * exclusion_mask, kernel
            )
            estimate = Background(background_of(acceptance, counts_off, acceptance_off), counts_off, acceptance_off)
        else:
            sums = OffSums(counts, acceptance, kernel, PackedMask.of(exclusion_mask), **of_whole_map)
            estimate = Background(*sums.maps())
        if additive_background is None:
            return estimate
        additive_off = scale * np.maximum(convolution.convolve(additive_background * exclusion_mask, kernel), 0)
        return _on_top_of(additive_background, additive_off, acceptance, estimate)


class AdaptiveRingBackground:
    """The background of every pixel from the first of several rings that suffices."""

    full_map_reason = "an adaptive ring is not kept from mask to mask"

    def __init__(self, kernel):
        self.kernel = kernel

    def estimate(
        self,
        counts,
        acceptance,
        exclusion_mask,
        *,
        source_kernel=None,
        additive_background=None,
        **of_whole_map,
    ):
        """Return the background of every pixel from the first ring that suffices.

        One ring at a time, and only around pixels that have none yet. All sums are integers, so it does not matter
        where the map is cut.
        """
        if source_kernel is None:
            raise ValueError("an adaptive ring needs the source kernel")
        coverage = acceptance > 0
        usable = coverage & exclusion_mask
        acceptance_on = convolution.convolve(acceptance, source_kernel)
        bits = min(map(convolution.fixed_point_bits, self.kernel.rings))
        exponent = exponent_of(acceptance, bits)
        images = [counts * exclusion_mask, multiples(acceptance, exponent) * exclusion_mask, usable, coverage]
        additive_off = None
        if additive_background is not None:
            additive_off = np.zeros(counts.shape)
            additive_exponent = exponent_of(additive_background, bits)
            images.append(multiples(additive_background, additive_exponent) * exclusion_mask)

        counts_off = np.zeros(counts.shape, dtype=np.int64)
        acceptance_off = np.zeros(counts.shape)
        ring_radius = np.full(counts.shape, np.nan)
        pending = coverage.copy()
        for ring, radius in zip(self.kernel.rings, self.kernel.outer_radii, strict=True):
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
                    suffices = acceptance_on[box] / a_off <= self.kernel.alpha_max
                    suffices &= (covered - used) / covered <= self.kernel.excluded_fraction_max
                suffices &= pending[box]
                np.copyto(counts_off[box], n_off, where=suffices)
                np.copyto(acceptance_off[box], a_off, where=suffices)
                if additive_off is not None:
                    np.copyto(additive_off[box], np.ldexp(d_off[0].astype(float), -additive_exponent), where=suffices)
                ring_radius[box][suffices] = radius
                pending[box] &= ~suffices
            if not pending.any():
                break
        background = background_of(acceptance, counts_off, acceptance_off)
        estimate = Background(background, counts_off, acceptance_off, ring_radius)
        if additive_background is None:
            return estimate
        return _on_top_of(additive_background, additive_off, acceptance, estimate)


class FieldOfViewBackground:
    """The background from all used pixels of the map, the same norm or a linear one for every pixel."""

    full_map_reason = "the field of view is the whole map"

    def __init__(self, kernel):
        self.kernel = kernel

    def estimate(
        self,
        counts,
        acceptance,
        exclusion_mask,
        *,
        source_kernel=None,
        additive_background=None,
        **of_whole_map,
    ):
        """Return the `Background`; see `estimate_background`."""
        of_field = self._tilted if self.kernel.tilt else self._flat
        return of_field(counts, acceptance, exclusion_mask, additive_background)

    def _flat(self, counts, acceptance, exclusion_mask, additive_background):
        """The acceptance, normalised to the counts of all used pixels."""
        used = exclusion_mask & (acceptance > 0)
        counts_off = np.full(counts.shape, counts[used].sum(dtype=np.int64))
        acceptance_off = np.full(counts.shape, acceptance[used].sum(dtype=float))
        estimate = Background(background_of(acceptance, counts_off, acceptance_off), counts_off, acceptance_off)
        if additive_background is None:
            return estimate
        additive_off = np.full(counts.shape, additive_background[used].sum())
        return _on_top_of(additive_background, additive_off, acceptance, estimate)

    def _tilted(self, counts, acceptance, exclusion_mask, additive_background):
        """The acceptance, times a norm that is linear in the position, and the Poisson measurement with its variance.

        At each pixel the norm r and its variance v are those of n_off counts over an acceptance a_off: r^2 / v over
        r / v without an additive background. With its mean ratio d to the acceptance, (r + d)^2 / v over (r + d) / v,
        of which d times the latter are additive, as they are for one norm.
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


#: Methods by the kind of their kernel.
METHODS = {
    np.ndarray: KernelBackground,
    kernels.AdaptiveRing: AdaptiveRingBackground,
    kernels.FieldOfView: FieldOfViewBackground,
}


def method_of(kernel):
    """Return the method that estimates the background from a kernel."""
    return next(method for kind, method in METHODS.items() if isinstance(kernel, kind))(kernel)


def _on_top_of(additive_background, additive_off, acceptance, estimate):
    """The estimate of all that there is, from one that knows of no additive background."""
    more = np.maximum(estimate.counts_off - additive_off, 0)
    background = background_of(acceptance, more, estimate.acceptance_off) + additive_background
    return estimate._replace(background=background, additive_off=additive_off)


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
