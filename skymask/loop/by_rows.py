"""The steps of the loop as jobs do them: some rows of a map at a time, as far as that gives the same bits.

Images are whatever has a `shape`, a `dtype` and rows `image[a:b]`: arrays, or images in files that are read when their
rows are asked for. A strip is computed by the functions for whole maps, from its rows and those around it that it
depends on. Sums of integers are exact, and those of floating-point numbers under small kernels have an order of their
own, so a map does not depend on where it is cut. Where sums do, or where a step looks at the whole map, there is one
strip.
"""

from typing import NamedTuple

import numpy as np

from skymask.core import convolution, kernels, tiling
from skymask.core.background import Background, estimate_background, full_map_reason, mean_of_rows, row_sums
from skymask.core.bitmask import PackedMask
from skymask.core.exclusion import exclude, needs_significance, starved_under_any
from skymask.core.further_kernels import compute_further_significance
from skymask.core.limits import compute_limits
from skymask.core.significance import compute_significance
from skymask.loop.iteration import compute_products

#: Pixels of a strip, without the rows around it.
STRIP = 2**21

#: Pixels that are read at a time where a pixel depends on no other.
READ = 2**20

#: A strip has at least so many times the rows that are needed on either side of it.
ROWS_PER_HALO = 8

#: Strips begin with a byte of a mask's bits.
BITS = 8


class RowsOf:
    """An image that a function makes of the rows that are asked for.

    Parameters
    ----------
    shape : (int, int)
    function : callable
        Takes a slice and returns an array of these rows.
    dtype : numpy.dtype
    """

    def __init__(self, shape, function, dtype=bool):
        self.shape, self.dtype, self._function = shape, np.dtype(dtype), function

    def __getitem__(self, rows):
        return self._function(rows)


def ones(image):
    """Return where an image of a mask is 1, as an image of bool."""
    return RowsOf(image.shape, lambda rows: image[rows] == 1)


def positive(image):
    """Return where an image is above zero, as an image of bool: of an acceptance, the coverage."""
    return RowsOf(image.shape, lambda rows: image[rows] > 0)


def packed(*images):
    """Return where all of some images of bool are True, as a `PackedMask`."""
    result = PackedMask.zeros(images[0].shape)
    for rows, _ in tiling.strips(result.shape, READ):
        result.put(rows, np.logical_and.reduce([image[rows] for image in images]))
    return result


class Measured(NamedTuple):
    """Images of counts, acceptance and, if there is one, a known additive background, as in `skymask.core.inputs`."""

    counts: object
    acceptance: object
    additive_background: object = None

    def part(self, rows):
        """Return rows of all of them."""
        return Measured(*(None if image is None else image[rows] for image in self))


def strips(shape, halo, *, whole=False):
    """Return the strips in which a step goes through a map, see `skymask.core.tiling.strips_with_halo`.

    Parameters
    ----------
    shape : (int, int)
    halo : int
        Rows on either side on which a row depends.
    whole : bool
        Whether there may be only one.
    """
    rows = -(-max(STRIP // shape[1], ROWS_PER_HALO * halo, 1) // BITS) * BITS
    return tiling.strips_with_halo(shape, halo, max(shape[0], 1) if whole else rows)


def whole_background_reason(background_kernel, *, additive=False):
    """Return why a background is estimated from the whole map at once, or None if it can be strip by strip.

    Parameters
    ----------
    background_kernel : ndarray, skymask.core.kernels.AdaptiveRing or skymask.core.kernels.FieldOfView
    additive : bool
        Whether there is an additive background.
    """
    if additive:
        return "sums of an additive background are rounded for the whole map"
    return full_map_reason(np.ones((1, 1), dtype=bool), background_kernel)


def whole_significance_reason(source_kernels, *, known, acceptance_kind, additive=False):
    """Return why a significance is computed of the whole map at once, or None if it can be strip by strip.

    Parameters
    ----------
    source_kernels : sequence of ndarray
    known : bool
        Whether the background is taken as known, so that it is summed under the source kernel.
    acceptance_kind : str
        "f" of an acceptance of floating-point numbers, as `numpy.dtype.kind`.
    additive : bool
        Whether there is an additive background.
    """
    if additive:
        return "sums of an additive background are rounded for the whole map"
    if any(map(kernels.is_weighted, source_kernels)):
        return "sums under kernels with weights are rounded, which depends on the whole map"
    if (known or acceptance_kind == "f") and not all(map(convolution.is_local, source_kernels)):
        return "sums of floating-point numbers under so large a source kernel are rounded for the whole map"
    return None


def of_whole_map(measured, parts):
    """Return what the parts of a map must know of the whole, see `skymask.core.off_sums.OffSums`.

    The map is looked through once for it, unless there is only one part.
    """
    if len(parts) == 1:
        return {}
    counts = sum(int(measured.counts[strip.rows].sum(dtype=np.int64)) for strip in parts)
    return {"total_counts": counts, "largest_acceptance": largest_acceptance(measured.acceptance, parts)}


def largest_acceptance(acceptance, parts):
    """Return the largest acceptance of a map that is cut into parts, None if they need not know it."""
    if len(parts) == 1 or acceptance.dtype.kind != "f":
        return None
    return max(float(acceptance[strip.rows].max()) for strip in parts)


def estimate_in_strips(measured, exclusion_mask, background_kernel, source_kernel):
    """Give the background estimate of one strip after the other.

    Parameters
    ----------
    measured : Measured
    exclusion_mask : image of bool
        True where the pixel is used.
    background_kernel, source_kernel
        As for `skymask.core.background.estimate_background`.

    Yields
    ------
    rows : slice
    estimate : Background
        Of these rows.
    """
    whole = whole_background_reason(background_kernel, additive=measured.additive_background is not None)
    parts = strips(measured.counts.shape, 0 if whole else len(background_kernel) // 2, whole=bool(whole))
    known = of_whole_map(measured, parts)
    for strip in parts:
        counts, acceptance, additive_background = measured.part(strip.outer)
        estimate = estimate_background(
            counts,
            acceptance,
            exclusion_mask[strip.outer],
            background_kernel,
            source_kernel=source_kernel,
            additive_background=additive_background,
            **known,
        )
        yield strip.rows, estimate.rows(strip.inside)


class MeanBackground:
    """The mean of a background whose rows are handed over one strip after the other."""

    def __init__(self):
        self._sums, self._defined = [], []

    def add(self, background):
        """Add the next rows."""
        sums, defined = row_sums(background)
        self._sums.append(sums)
        self._defined.append(defined)

    def mean(self):
        """Return the mean, None if the background is nowhere defined."""
        if not self._sums:
            return None
        return mean_of_rows(np.concatenate(self._sums), np.concatenate(self._defined))


def significance_in_strips(measured, estimate, source_kernels, *, statistic, background_systematic):
    """Give the significance under every source kernel, one strip after the other.

    Parameters
    ----------
    measured : Measured
    estimate : dict of str to image
        The maps of the `Background`.
    source_kernels : sequence of ndarray
    statistic, background_systematic
        As for `skymask.core.significance.compute_significance`.

    Yields
    ------
    rows : slice
    images : dict of str to ndarray
        `significance`, `significance_1`, ... of these rows.
    """
    whole = whole_significance_reason(
        source_kernels,
        known=statistic == "cash" or "acceptance_off" not in estimate,
        acceptance_kind=measured.acceptance.dtype.kind,
        additive=measured.additive_background is not None,
    )
    halo = max(len(kernel) // 2 for kernel in source_kernels)
    for strip in strips(measured.counts.shape, halo, whole=bool(whole)):
        counts, acceptance, additive_background = measured.part(strip.outer)
        background = Background.of_maps({name: image[strip.outer] for name, image in estimate.items()})
        images = {}
        for number, kernel in enumerate(source_kernels):
            result = compute_significance(
                counts,
                acceptance,
                background.under(number),
                kernel,
                statistic=statistic,
                background_systematic=background_systematic,
                additive_background=additive_background,
            )
            name = f"significance_{number}" if number else "significance"
            images[name] = result.significance[strip.inside]
        yield strip.rows, images


def update_mask(
    significances,
    coverage,
    *,
    user_mask,
    previous_mask,
    previous_decision,
    **options,
):
    """Return the exclusion mask that images of the significance ask for, and what there is to say of them.

    Parameters
    ----------
    significances : sequence of image of float
        Under the source kernel, and under further ones.
    coverage, user_mask, previous_mask, previous_decision : PackedMask
    **options
        Further arguments of `skymask.core.exclusion.exclude`.

    Returns
    -------
    exclusion_mask, decision : PackedMask
    figures : dict
        Those of `skymask.core.convergence.figures`.
    """
    first = significances[0]
    whole = needs_significance(**options)
    # What any kernel excludes is excluded, once its regions are known.
    at_once = [first] if whole or options["min_pixels"] > 1 else significances
    reached, starved, highest = PackedMask.zeros(first.shape), PackedMask.zeros(first.shape), np.nan
    for rows, _ in tiling.strips(first.shape, READ):
        images = [image[rows] for image in significances]
        reached.put(rows, np.logical_or.reduce([image >= options["threshold"] for image in images[: len(at_once)]]))
        starved.put(rows, starved_under_any(images, coverage[rows]))
        highest = np.fmax(highest, np.fmax.reduce(images[0], axis=None))
    mask, decision = exclude(
        reached,
        starved,
        first[:] if whole else None,
        further=[image[:] for image in significances[len(at_once) :]],
        coverage=coverage,
        user_mask=user_mask,
        previous_mask=previous_mask,
        previous_decision=previous_decision,
        **options,
    )
    highest = None if np.isnan(highest) else float(highest)
    return mask, decision, {"starved": starved.count(), "highest_significance": highest}


def products_in_strips(
    measured, exclusion_mask, source_kernel, background_kernel, *, statistic, background_systematic, limits=None
):
    """Give the maps that belong to a final mask, one strip after the other.

    Parameters
    ----------
    measured, exclusion_mask, source_kernel, background_kernel
        As for `estimate_in_strips`; the background kernel is that of the configuration.
    statistic, background_systematic
        As for `skymask.core.significance.compute_significance`.
    limits : dict, optional
        Options of `skymask.core.limits.compute_limits`; without them there are no limits among the maps.

    Yields
    ------
    rows : slice
    images : dict of str to ndarray
        The maps of `skymask.loop.iteration.Products` of these rows, and those of `skymask.core.limits.Limits`.
    """
    options = {"statistic": statistic, "background_systematic": background_systematic}
    additive = measured.additive_background is not None
    parts = strips_of_products(measured.acceptance, source_kernel, background_kernel, statistic, additive=additive)
    known = of_whole_map(measured, parts)
    for strip in parts:
        counts, acceptance, additive_background = measured.part(strip.outer)
        result = compute_products(
            counts,
            acceptance,
            exclusion_mask[strip.outer],
            source_kernel,
            background_kernel,
            additive_background=additive_background,
            **options,
            **known,
        )
        images = {name: image[strip.inside] for name, image in result.maps().items()}
        if limits is not None:
            n_on = convolution.convolve(counts, source_kernel)[strip.inside]
            acceptance = acceptance[strip.inside]
            images |= compute_limits(
                None, acceptance, images, source_kernel, counts_on=n_on, **limits, **options
            )._asdict()
        yield strip.rows, images


def strips_of_products(acceptance, source_kernel, background_kernel, statistic, *, additive=False):
    """Return the strips in which the maps of a mask are computed: the background, and from it the significance."""
    whole = whole_background_reason(background_kernel, additive=additive)
    whole = whole or whole_significance_reason(
        [source_kernel], known=statistic == "cash", acceptance_kind=acceptance.dtype.kind
    )
    halo = 0 if whole else len(background_kernel) // 2 + len(source_kernel) // 2
    return strips(acceptance.shape, halo, whole=bool(whole))


def further_in_strips(measured, products, source_kernel, further_kernel, background_kernel, **options):
    """Give the maps under a further source kernel, one strip after the other.

    Parameters
    ----------
    measured : Measured
    products : dict of str to image
        Those of `skymask.core.further_kernels.compute_further_significance`, which has the other parameters, too.

    Yields
    ------
    rows : slice
    images : dict of str to ndarray
    """
    pair = [source_kernel, further_kernel]
    whole = whole_significance_reason(
        pair,
        known=options["statistic"] == "cash",
        acceptance_kind=measured.acceptance.dtype.kind,
        additive=measured.additive_background is not None,
    )
    halo = max(len(kernel) // 2 for kernel in pair)
    for strip in strips(measured.counts.shape, halo, whole=bool(whole)):
        counts, acceptance, additive_background = measured.part(strip.outer)
        images = compute_further_significance(
            counts,
            acceptance,
            {name: image[strip.outer] for name, image in products.items()},
            *pair,
            background_kernel,
            additive_background=additive_background,
            **options,
        )
        yield strip.rows, {name: image[strip.inside] for name, image in images.items()}
