"""The exclusion mask: True where a pixel is used for the background, False where a source may be.

In order: threshold, hysteresis, minimum size, under each source kernel by itself; what any of them excludes; the last
decision for starved pixels; holes, growth of regions, dilation; what the last mask and the user exclude. Regions are
8-connected, holes 4-connected, as the complement of the former.
"""

import numpy as np

from skymask.core import bitmask, kernels
from skymask.core.bitmask import PackedMask
from skymask.core.quality import in_widths

#: Pixels that touch at a corner belong together.
EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=bool)


def first_exclusion(masks):
    """Return the first iteration that excluded each pixel.

    Parameters
    ----------
    masks : sequence of ndarray of bool, shape (ny, nx)
        Exclusion masks of iterations 0 (the user's), 1, ...: True where the pixel is used.

    Returns
    -------
    first : ndarray of float, shape (ny, nx)
        NaN where none excluded it.
    """
    first = np.full(masks[0].shape, np.nan)
    for iteration in reversed(range(len(masks))):
        first[~masks[iteration]] = iteration
    return first


def update_exclusion_mask(
    significance,
    coverage,
    *,
    threshold,
    dilation_kernel,
    user_mask,
    previous_mask,
    previous_decision,
    further=(),
    **options,
):
    """Return the exclusion mask that a significance map asks for, and the decision that it was shaped from.

    Parameters
    ----------
    significance : ndarray of float, shape (ny, nx)
        NaN where there is no coverage and where the background is undefined.
    coverage : ndarray of bool, shape (ny, nx)
        True where there is data.
    threshold : float
        Pixels at or above it are excluded.
    dilation_kernel : ndarray of bool
        Every excluded pixel excludes the pixels under this kernel too.
    further : sequence of ndarray of float, shape (ny, nx)
        Significance under further source kernels; a pixel is excluded if any of the maps excludes it.
    user_mask, previous_mask, previous_decision : ndarray of bool, shape (ny, nx)
        Those of `exclude`, as arrays.
    **options
        Further arguments of `exclude`.

    Returns
    -------
    exclusion_mask, decision : ndarray of bool, shape (ny, nx)
    """
    reached, starved = significance >= threshold, starved_under_any((significance, *further), coverage)
    mask, decision = exclude(
        PackedMask.of(reached),
        PackedMask.of(starved),
        significance,
        coverage=PackedMask.of(coverage),
        user_mask=PackedMask.of(user_mask),
        previous_mask=PackedMask.of(previous_mask),
        previous_decision=PackedMask.of(previous_decision),
        threshold=threshold,
        dilation_kernel=dilation_kernel,
        further=further,
        **options,
    )
    return mask.array(), decision.array()


def starved_under_any(significances, coverage):
    """Return the covered pixels whose significance is undefined in any of several maps."""
    return coverage & np.logical_or.reduce([np.isnan(significance) for significance in significances])


def exclude(
    reached,
    starved,
    significance=None,
    *,
    coverage,
    threshold,
    dilation_kernel,
    user_mask,
    previous_mask,
    previous_decision,
    further=(),
    threshold_low=None,
    threshold_in_widths=False,
    min_pixels=1,
    max_hole_pixels=0,
    region_growth=None,
    mask_update,
    starved_pixels,
):
    """Return the exclusion mask for the pixels that reach the threshold, and the decision that it was shaped from.

    The decision is what threshold, hysteresis and minimum size exclude under any source kernel, and what starved pixels
    keep. Holes, growth and dilation are made from it anew each time, and never from the last mask: what starved pixels
    keep does not grow.
    Whatever significance and decision are, so is the mask; see `skymask.core.convergence.assess` for why that matters.

    Parameters
    ----------
    reached, starved : PackedMask
        True where the significance is at or above the threshold, and where it is undefined, under any source kernel,
        though there is data.
    significance : ndarray of float, shape (ny, nx), optional
        Needed only where `needs_significance` says so.
    coverage : PackedMask
        True where there is data.
    threshold, threshold_low, min_pixels : float, float or None, int
        Of `excluded_pixels`.
    threshold_in_widths : bool
        Whether every significance counts in off-source widths, as measured with the last mask; see
        `skymask.core.quality.in_widths`.
    dilation_kernel : ndarray of bool
        Every excluded pixel excludes the pixels under this kernel too.
    user_mask, previous_mask, previous_decision : PackedMask
        True where the pixel is used: by the user's own mask, by the last mask, and by the last decision (all True at
        the start).
    further : sequence of ndarray of float, shape (ny, nx)
        Significance under further source kernels.
    max_hole_pixels : int
        Of `fill_holes`.
    region_growth : dict or None
        Law and parameters of `grow_regions`.
    mask_update : {"replace", "grow"}
        "grow" keeps every pixel excluded that once was.
    starved_pixels : {"keep", "use"}
        What becomes of covered pixels whose significance is undefined: the last decision, unless a source kernel under
        which it is defined excludes them, or use.

    Returns
    -------
    exclusion_mask, decision : PackedMask
        True where the pixel is used, after and before holes, growth and dilation. Pixels without coverage are not
        excluded: that is what coverage is for.
    """
    if threshold_in_widths:
        used = (previous_mask & coverage).array()
        significance, *further = (in_widths(image, used, threshold) for image in (significance, *further))
        reached = PackedMask.of(significance >= threshold)
    if threshold_low is not None or min_pixels > 1:
        low = None if threshold_low is None else significance >= threshold_low
        reached = PackedMask.of(connected_pixels(reached.array(), low, min_pixels=min_pixels))
    for image in further:
        reached |= PackedMask.of(
            excluded_pixels(image, threshold=threshold, threshold_low=threshold_low, min_pixels=min_pixels)
        )
    decision = ~reached
    if starved_pixels == "keep" and starved.any():
        decision &= previous_decision | ~starved
    excluded = ~decision
    if max_hole_pixels:
        excluded = PackedMask.of(fill_holes(excluded.array(), coverage.array(), max_hole_pixels=max_hole_pixels))
    if region_growth:
        edge = threshold if threshold_low is None else threshold_low
        if needs_significance(region_growth=region_growth):
            significance = np.fmax.reduce([significance, *further])
        excluded = PackedMask.of(
            grow_regions(excluded.array(), significance, threshold=threshold, edge=edge, **region_growth)
        )
    exclusion_mask = ~excluded.dilate(dilation_kernel) & user_mask
    if mask_update == "grow":
        exclusion_mask &= previous_mask
    return exclusion_mask | ~coverage, decision


def needs_significance(*, threshold_low=None, threshold_in_widths=False, region_growth=None, **options):
    """Whether a mask is made from more than where the significance reaches the threshold."""
    of_peaks = region_growth is not None and region_growth["law"] == "king"
    return threshold_low is not None or threshold_in_widths or of_peaks


def excluded_pixels(significance, *, threshold, threshold_low=None, min_pixels=1):
    """Return the pixels that one significance map excludes, before anything grows.

    Parameters
    ----------
    significance : ndarray of float, shape (ny, nx)
        Undefined pixels are not excluded and connect nothing.
    threshold : float
        Pixels at or above it are excluded.
    threshold_low : float, optional
        Hysteresis: pixels at or above it are excluded if others of the same kind connect them with one at or above
        `threshold`. None for no hysteresis.
    min_pixels : int
        Connected regions of fewer pixels are not excluded.

    Returns
    -------
    excluded : ndarray of bool, shape (ny, nx)
    """
    low = None if threshold_low is None else significance >= threshold_low
    return connected_pixels(significance >= threshold, low, min_pixels=min_pixels)


def connected_pixels(reached, reached_low=None, *, min_pixels=1):
    """Return the pixels that reach a threshold and those of the lower one connected with them, in regions large enough.

    Parameters
    ----------
    reached, reached_low : ndarray of bool, shape (ny, nx)
        True where the significance reaches the threshold, and the lower one, if there is one.
    min_pixels : int
        Regions of fewer pixels are left out.
    """
    if reached_low is not None:
        regions, number = _label(reached_low | reached)
        has_seed = np.zeros(number + 1, dtype=bool)
        has_seed[regions[reached]] = True
        reached = has_seed[regions]
    if min_pixels > 1:
        regions, _ = _label(reached)
        reached = reached & (np.bincount(regions.ravel()) >= min_pixels)[regions]
    return reached


def fill_holes(excluded, coverage, *, max_hole_pixels):
    """Return the excluded pixels and the holes in them.

    A hole is a 4-connected region of used pixels that excluded ones surround on all sides. What touches the border of
    the map, or a pixel without coverage, is open and no hole: nobody knows what lies beyond.

    Parameters
    ----------
    excluded, coverage : ndarray of bool, shape (ny, nx)
        True where the pixel is excluded, and where there is data.
    max_hole_pixels : int
        Larger holes stay.
    """
    from scipy import ndimage

    rest, _ = ndimage.label(~excluded)
    is_hole = np.bincount(rest.ravel()) <= max_hole_pixels
    for open_end in (rest[[0, -1]], rest[:, [0, -1]], rest[~coverage]):
        is_hole[open_end.ravel()] = False
    is_hole[0] = False
    return excluded | is_hole[rest]


def grow_regions(excluded, significance, *, law, threshold, edge, max_radius, pixel_size=1.0, **parameters):
    """Return the excluded pixels and those within a radius around each region, which a law gives for it.

    Parameters
    ----------
    excluded : ndarray of bool, shape (ny, nx)
        True where the pixel is excluded.
    significance : ndarray of float, shape (ny, nx), or None
        A region's peak is the highest significance in it, under any source kernel, and `threshold` at least: starved
        pixels have none. The size needs none.
    law : {"king", "size"}
        By the peak: `king_radius` with `sigma`, `gamma` and `level`. By the size: the radius of the disk of the
        region's area times `factor`.
    threshold, edge : float
        Significance that a region has at its peak at least, and at its edge.
    max_radius : float
        Radii end here.
    pixel_size : float or (float, float)
        Size of a pixel along y and x, in the unit of `sigma` and `max_radius`. With the default, these are in pixels.

    Returns
    -------
    grown : ndarray of bool, shape (ny, nx)
    """
    from scipy import ndimage

    regions, number = _label(excluded)
    if law == "king":
        peaks = np.full(number + 1, float(threshold))
        defined = excluded & ~np.isnan(significance)
        np.maximum.at(peaks, regions[defined], significance[defined])
        radii = king_radius(peaks, edge=edge, **parameters)
    else:
        areas = np.bincount(regions.ravel()) * np.prod(np.broadcast_to(pixel_size, 2))
        radii = parameters["factor"] * np.sqrt(areas / np.pi)
    grown = excluded.copy()
    for region, window in enumerate(ndimage.find_objects(regions), start=1):
        kernel = kernels.disk(min(radii[region], max_radius), pixel_size=pixel_size)
        reach = [side // 2 for side in kernel.shape]
        around = tuple(slice(max(s.start - n, 0), s.stop + n) for s, n in zip(window, reach, strict=True))
        grown[around] |= bitmask.dilate(regions[around] == region, kernel)
    return grown


def king_radius(peak, *, edge, sigma, gamma, level):
    r"""Return how far beyond the edge of its region a point source still stands out by `level`.

    The profile of a point source is a King function,
    :math:`S(r) = S_{peak} [1 + r^2 / (2 \gamma \sigma^2)]^{-\gamma}` (Ackermann et al. 2013, ApJ 765, 54,
    doi:10.1088/0004-637X/765/1/54), which falls to a significance :math:`s` at

    .. math:: r(s) = \sigma \sqrt{2 \gamma [(S_{peak} / s)^{1 / \gamma} - 1]}.

    A region ends where its source falls to the threshold, so the rest of the source reaches :math:`r(level) - r(edge)`
    beyond it. To cut sources where they fall below a given brightness is what XMM-Newton's `esplinemap` does for its
    background maps, too (parameter `scut`). That the significance follows the profile holds where the background
    dominates; elsewhere a source is wider than this.

    Parameters
    ----------
    peak : ndarray of float
        Highest significance of each region, at or above `edge`; infinity gives an infinite radius.
    edge, level : float
        Significance at the region's edge, and down to which a source is to be excluded; `level` is the lower one.
    sigma, gamma : float
        Of the profile in the significance map, to which the source kernel adds its own width. The smaller `gamma`
        (above 1), the longer the tails, and the more a bright source grows; for a large one, a Gaussian, it grows the
        less.

    Returns
    -------
    radius : ndarray of float
        In the unit of `sigma`.
    """
    finite = np.where(np.isinf(peak), edge, peak)
    far, near = (sigma * np.sqrt(2 * gamma * ((finite / s) ** (1 / gamma) - 1)) for s in (level, edge))
    return np.where(np.isinf(peak), np.inf, far - near)


def check_shaping(*, threshold, threshold_low, threshold_in_widths, min_pixels, max_hole_pixels, region_growth):
    """Raise a ValueError that names option, rule and value if one that shapes a mask makes no sense."""
    if threshold_low is not None and not 0 < threshold_low <= threshold:
        raise ValueError(
            f"threshold_low must be more than 0, and at most the threshold {threshold}, got {threshold_low}"
        )
    for name, value, lowest in (("min_pixels", min_pixels, 1), ("max_hole_pixels", max_hole_pixels, 0)):
        if value != int(value) or value < lowest:
            raise ValueError(f"{name} must be a whole number, {lowest} or more, got {value}")
    if not isinstance(threshold_in_widths, bool):
        raise ValueError(f"threshold_in_widths must be True or False, got {threshold_in_widths}")
    if region_growth is not None:
        _check_growth(threshold if threshold_low is None else threshold_low, **region_growth)


def _check_growth(edge, *, law, max_radius, pixel_size=1.0, **parameters):
    expected = {"king": {"sigma", "gamma", "level"}, "size": {"factor"}}
    if law not in expected:
        raise ValueError(f"region_growth: law must be one of {', '.join(expected)}, got {law!r}")
    if set(parameters) != expected[law]:
        wanted = ", ".join(sorted(expected[law]))
        raise ValueError(f"region_growth: the law {law} needs {wanted}, got {', '.join(sorted(parameters)) or 'none'}")
    for name, value in {"max_radius": max_radius, "pixel_size": np.min(pixel_size), **parameters}.items():
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"region_growth: {name} must be positive and finite, got {value}")
    if law == "king" and not parameters["gamma"] > 1:
        raise ValueError(f"region_growth: gamma must be more than 1, got {parameters['gamma']}")
    if law == "king" and not parameters["level"] <= edge:
        raise ValueError(
            f"region_growth: level must be at most the significance {edge} at the edge of regions, "
            f"got {parameters['level']}"
        )


def _label(pixels):
    """Numbers of 8-connected regions, 0 elsewhere, and how many there are."""
    from scipy import ndimage

    return ndimage.label(pixels, EIGHT_NEIGHBOURS)
