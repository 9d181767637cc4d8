"""The excluded regions, one by one: what they hold, where they are, and their outlines on the sky."""

from itertools import pairwise

import numpy as np

from skymask.core import convolution, tiling, tilt
from skymask.core.background import estimate_background
from skymask.core.exclusion import first_exclusion
from skymask.core.kernels import AdaptiveRing, FieldOfView, is_weighted
from skymask.io.atomic import written_whole
from skymask.io.ecsv import read_rows
from skymask.sky.geometry import axis_names, frame_name, sky_positions

#: Pixels of the rows that are read at a time.
READ = 2**20

#: Unit and meaning of every column of the catalogue, in order.
COLUMNS = {
    "region": ("", "number of the region, in decreasing order of its peak significance"),
    "longitude": ("deg", "mean position of its pixels"),
    "latitude": ("deg", "mean position of its pixels"),
    "extent": ("deg", "largest distance of a pixel's centre from the mean position"),
    "pixels": ("", "number of pixels"),
    "starved": ("", "number of pixels without a background"),
    "peak_significance": ("", "highest significance, in standard deviations"),
    "peak_longitude": ("deg", "position of the pixel of highest significance"),
    "peak_latitude": ("deg", "position of the pixel of highest significance"),
    "peak_x": ("", "pixel of highest significance, counted from 0"),
    "peak_y": ("", "pixel of highest significance, counted from 0"),
    "counts": ("ct", "counts in its pixels"),
    "background": ("ct", "background in its pixels"),
    "background_error": ("ct", "standard error of the background; pixels that share off counts are correlated"),
    "excess": ("ct", "counts above background in its pixels"),
    "excess_error": ("ct", "standard error of the excess"),
    "iteration": ("", "iteration that first excluded a pixel of it that the user had not; 0 if there is none"),
    "user_pixels": ("", "number of pixels that the user excluded; all of them: nothing was found there"),
}

#: Names of the frames of DS9 by those of astropy; positions in any other are written as pixels.
DS9_FRAMES = {"icrs": "icrs", "fk5": "fk5", "fk4": "fk4", "galactic": "galactic"}


def label_regions(exclusion_mask, coverage):
    """Return the number of the excluded region that each pixel belongs to, 0 for none, and how many there are.

    Pixels that touch at a side or at a corner belong to the same region; pixels without coverage belong to none.
    """
    return _label(coverage & ~exclusion_mask)


def _label(excluded):
    from scipy.ndimage import label

    return label(excluded, structure=np.ones((3, 3), dtype=int))


def catalogue_regions(counts, coverage, masks, exclusion_mask, background, significance, parts):
    r"""Return the excluded regions as rows, and the number of the row that each pixel belongs to.

    The background of a region is a sum over the counts of all used pixels, in which a pixel near the region counts
    many times. With the acceptance :math:`A`, the background kernel :math:`K`, the exclusion mask :math:`M` and
    :math:`a_{off} = (A M) * K`, its variance is

    .. math:: \sum_j c_j M_j \left[ \sum_{i \in R} \frac{A_i}{a_{off,i}} K(i - j) \right]^2,

    because the counts :math:`c_j` are independent; the variances of the parts of a stack add. The sum in quadrature of
    the errors of the region's pixels is far smaller. The counts of the region itself are excluded from it, so their own
    variance is added for the excess.

    Parameters
    ----------
    counts : image of int, shape (ny, nx)
        Counts per pixel, zero where there is no coverage. All images are arrays or have, like them, rows `image[a:b]`.
    coverage : image of bool, shape (ny, nx)
        True where there is data.
    masks : sequence of image of bool, shape (ny, nx)
        Exclusion masks of iterations 0 (the user's), 1, ...: True where the pixel is used.
    exclusion_mask : image of bool, shape (ny, nx)
        The final mask.
    background, significance : image of float, shape (ny, nx)
        Final maps, NaN where undefined.
    parts : iterable of skymask.core.measured.Part
        What the background was estimated from.

    Returns
    -------
    rows : list of dict
        In decreasing order of peak significance. Positions are pixels (`x`, `y`, `peak_x`, `peak_y`), counted from 0;
        `peak_x` and `peak_y` are -1, and the peak significance NaN, where the significance is nowhere defined.
        Background and excess are NaN in regions with starved pixels.
    labels : ndarray of int, shape (ny, nx)
        1 for the first row, 2 for the second, ..., 0 for none.
    """
    from scipy.ndimage import find_objects

    shape = exclusion_mask.shape
    excluded = np.empty(shape, dtype=bool)
    for rows, _ in tiling.strips(shape, READ):
        excluded[rows] = coverage[rows] & ~exclusion_mask[rows]
    found, _ = _label(excluded)
    del excluded
    boxes = find_objects(found)
    variances = np.zeros(len(boxes))
    for part in parts:
        variances += _variances(found, boxes, exclusion_mask, part)
    regions = []
    for rows, numbers in _windows(boxes, shape):
        # 0 for what the user excludes, and for what nothing does.
        first = np.nan_to_num(first_exclusion([mask[rows] for mask in masks])).astype(int)
        images = [image[rows] for image in (found, significance, background, counts, masks[0])]
        for number in numbers:
            region = _region(number + 1, boxes[number], rows.start, variances[number], first, *images)
            regions.append(region | {"found": number + 1})
    regions.sort(key=lambda row: (-np.nan_to_num(row["peak_significance"], nan=-np.inf), row["found"]))
    order = np.zeros(len(regions) + 1, dtype=found.dtype)
    for number, row in enumerate(regions, start=1):
        row["region"] = number
        order[row.pop("found")] = number
    for rows, _ in tiling.strips(shape, READ):
        found[rows] = order[found[rows]]
    return regions, found


def _windows(boxes, shape, *, halo=0, whole=False):
    """Rows of a map and the numbers of the regions that lie in them, until every region has been there once.

    Parameters
    ----------
    boxes : list of (slice, slice)
        Around each region.
    shape : (int, int)
    halo : int
        Rows around a region that are needed, too, as far as the map goes.
    whole : bool
        Whether all rows are needed at once.
    """
    at_once = max(READ // shape[1], 4 * halo)
    left = sorted(range(len(boxes)), key=lambda number: boxes[number][0].start)
    if whole or at_once >= shape[0]:
        yield slice(0, shape[0]), left
        return
    while left:
        begin, end = boxes[left[0]][0].start, boxes[left[0]][0].stop
        end = max(end, begin + at_once)
        yield (
            slice(max(begin - halo, 0), min(end + halo, shape[0])),
            [number for number in left if boxes[number][0].stop <= end],
        )
        left = [number for number in left if boxes[number][0].stop > end]


def _region(number, box, first_row, variance, first, found, significance, background, counts, user_mask):
    """A row of the catalogue, from some rows of the maps of which the first one is that of the map with that number."""
    window = slice(box[0].start - first_row, box[0].stop - first_row), box[1]
    inside = found[window] == number
    row = _shape_and_peak(inside, box, significance[window])
    row |= _iteration(inside, first[window], user_mask[window])
    row["starved"] = int(np.isnan(background[window][inside]).sum())
    row["counts"] = int(counts[window][inside].sum())
    row["background"] = float(background[window][inside].sum())
    if row["starved"]:
        variance = np.nan
    row["background_error"] = float(np.sqrt(variance))
    row["excess"] = row["counts"] - row["background"]
    row["excess_error"] = float(np.sqrt(row["counts"] + variance))
    return row


def with_positions(rows, header, pixel_size):
    """Return rows of `catalogue_regions` with sky positions and extents in degrees, and the columns of the catalogue.

    Parameters
    ----------
    rows : list of dict
    header : Header
    pixel_size : (float, float)
        Size of a pixel along y and x, in degrees.
    """
    placed = []
    for row in rows:
        (longitude, latitude), (peak_longitude, peak_latitude) = sky_positions(
            header, [row["x"], row["peak_x"]], [row["y"], row["peak_y"]]
        )
        if row["peak_x"] < 0:
            peak_longitude = peak_latitude = np.nan
        dy, dx = (np.subtract(row["pixel_positions"][axis], row["yx"[axis]]) * pixel_size[axis] for axis in (0, 1))
        values = row | {
            "longitude": float(longitude),
            "latitude": float(latitude),
            "peak_longitude": float(peak_longitude),
            "peak_latitude": float(peak_latitude),
            "extent": float(np.hypot(dy, dx).max()),
        }
        placed.append({name: values[name] for name in COLUMNS})
    return placed


def write_catalogue(path, rows, header, *, dataset):
    """Write rows of `with_positions` as an ECSV table (Enhanced Character-Separated Values), without a date."""
    from astropy.table import Column, Table

    kinds = {"region": int, "pixels": int, "starved": int, "peak_x": int, "peak_y": int, "counts": int}
    kinds |= {"iteration": int, "user_pixels": int}
    table = Table(
        [
            Column([row[name] for row in rows], name, kinds.get(name, float), unit=unit or None, description=meaning)
            for name, (unit, meaning) in COLUMNS.items()
        ],
        meta={"dataset": dataset, "frame": frame_name(header), "axes": axis_names(header)},
    )
    with written_whole(path) as temporary:
        table.write(temporary, format="ascii.ecsv", overwrite=True)


def read_catalogue(path):
    """Return the rows of a catalogue; numbers that are none are None, infinite ones text, as in the status files."""

    def number(text):
        if text in ("inf", "-inf"):
            return text
        return None if text in ("", "nan") else float(text) if not text.lstrip("-").isdigit() else int(text)

    return [{name: number(value) for name, value in row.items()} for row in read_rows(path)]


def write_ds9_regions(path, labels, header):
    """Write the outlines of all regions as polygons in the format of DS9, one per region, in order.

    The polygons follow the sides of the pixels: whatever rasterises them gets the excluded pixels back. A hole in a
    region is reached from its outline by a slit without width, along sides of pixels. Positions are in the map's own
    frame, or in pixels where DS9 has no such frame.
    """
    from scipy.ndimage import find_objects

    frame = DS9_FRAMES.get(frame_name(header))
    lines = ["# Region file format: DS9 version 4.1", "global color=green", frame or "image"]
    for number, box in enumerate(find_objects(labels), start=1):
        x, y = np.transpose(outline(labels[box] == number))
        x, y = x + box[1].start, y + box[0].start
        # DS9 counts pixels from 1.
        vertices = sky_positions(header, x, y) if frame else np.column_stack([x + 1, y + 1])
        coordinates = ",".join(f"{value:.8f}" for value in np.ravel(vertices))
        lines.append(f"polygon({coordinates}) # text={{{number}}}")
    with written_whole(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def outline(region):
    """Return the vertices (x, y) of one polygon around the pixels of a connected region, holes left out.

    Parameters
    ----------
    region : ndarray of bool, shape (ny, nx)
        One region, connected at sides or corners. The centre of its first pixel is at (0, 0).

    Returns
    -------
    vertices : list of (float, float)
        The polygon closes from the last to the first. Holes are reached along the sides of pixels and back.
    """
    outer, *holes = sorted(_loops(region), key=_signed_area, reverse=True)
    polygon = list(outer)
    for hole in holes:
        polygon = _joined(polygon, hole)
    return [(x - 0.5, y - 0.5) for x, y in polygon]


def _shape_and_peak(inside, box, significance):
    """Pixels, mean position and peak of a region that is True in its bounding box.

    Of `pixel_positions` there are the first and the last pixel of every row, one of which is the farthest.
    """
    positions = [index + cut.start for index, cut in zip(np.nonzero(inside), box, strict=True)]
    row = {"pixels": positions[0].size, "pixel_positions": _ends_of_rows(*positions)}
    row |= {axis: float(index.mean()) for axis, index in zip("yx", positions, strict=True)}
    values = significance[inside]
    if np.isnan(values).all():
        return row | {"peak_significance": np.nan, "peak_x": -1, "peak_y": -1}
    peak = int(np.nanargmax(values))
    peak_y, peak_x = (int(index[peak]) for index in positions)
    return row | {"peak_significance": float(values[peak]), "peak_x": peak_x, "peak_y": peak_y}


def _ends_of_rows(y, x):
    """The first and the last of pixels in every row, which come row by row."""
    begins = np.flatnonzero(np.diff(y, prepend=-1))
    ends = np.append(begins[1:], y.size) - 1
    return [np.concatenate([index[begins], index[ends]]) for index in (y, x)]


def _iteration(inside, first, user_mask):
    """When a region appeared, and how much of it is the user's."""
    seen = first[inside & (first > 0)]
    return {
        "iteration": int(seen.min()) if seen.size else 0,
        "user_pixels": int(np.count_nonzero(inside & ~user_mask)),
    }


def _variances(found, boxes, exclusion_mask, part):
    """What a part of the background contributes to the variance of that of every region."""
    whole = tuple(slice(*cut.indices(n)[:2]) for cut, n in zip(part.block, found.shape, strict=True))
    shape, variances = tuple(cut.stop - cut.start for cut in whole), np.zeros(len(boxes))
    there = {number: common for number, box in enumerate(boxes) if (common := _common(box, whole))}
    kernel = part.background_kernel
    in_rows = isinstance(kernel, np.ndarray) and not is_weighted(kernel)
    windows = _windows(
        [tiling.inside(common, whole) for common in there.values()],
        shape,
        halo=len(kernel) // 2 if in_rows else 0,
        whole=not in_rows,
    )
    largest = _largest_used(part, exclusion_mask, whole) if in_rows and part.acceptance.dtype.kind == "f" else None
    numbers = list(there)
    for rows, places in windows if numbers else ():
        window = slice(whole[0].start + rows.start, whole[0].start + rows.stop), whole[1]
        mask = exclusion_mask[window[0]][:, whole[1]]
        counts, acceptance = part.counts[rows], part.acceptance[rows]
        usable, responses = np.where(mask, counts, 0), _responses(part, counts, acceptance, mask, largest)
        labels = found[window]
        for number in (numbers[place] for place in places):
            common = tiling.inside(there[number], window)
            inside = labels[common] == number + 1
            variances[number] = _background_variance(inside, common, usable, responses)
    return variances


def _common(box, block):
    """What two rectangles have in common, None if nothing."""
    common = tuple(
        slice(max(cut.start, edge.start), min(cut.stop, edge.stop)) for cut, edge in zip(box, block, strict=True)
    )
    return None if any(cut.start >= cut.stop for cut in common) else common


def _largest_used(part, exclusion_mask, block):
    """The largest acceptance of a used pixel of a part."""
    largest = 0.0
    for rows, _ in tiling.strips(part.acceptance.shape, READ):
        mask = exclusion_mask[block[0].start + rows.start : block[0].start + rows.stop][:, block[1]]
        largest = max(largest, float((part.acceptance[rows] * mask).max()))
    return largest


def _responses(part, counts, acceptance, exclusion_mask, largest):
    """Kernels, and for each the share of an off count in the background of the pixels that it serves, 0 elsewhere.

    For a tilted field of view the covariance of its norms, and what each adds to the background of every pixel. Counts,
    acceptance and mask may be those of some rows, with the largest acceptance of all used pixels.
    """
    kernel = part.background_kernel
    if isinstance(kernel, FieldOfView) and kernel.tilt:
        background = estimate_background(
            counts, acceptance, exclusion_mask, kernel, additive_background=part.additive_background
        ).background
        used = exclusion_mask & (acceptance > 0) & ~np.isnan(background)
        shares = [acceptance * position for position in tilt.positions(acceptance.shape)]
        return [(kernel, (tilt.covariance(acceptance, background, used), shares))]
    if isinstance(kernel, FieldOfView):
        estimate = estimate_background(counts, acceptance, exclusion_mask, kernel)
        return [(kernel, _share(acceptance, estimate.acceptance_off, estimate.acceptance_off > 0))]
    if not isinstance(kernel, AdaptiveRing):
        acceptance_off = np.maximum(convolution.convolve(acceptance * exclusion_mask, kernel, largest=largest), 0)
        return [(kernel, _share(acceptance, acceptance_off, acceptance_off > 0))]
    estimate = estimate_background(counts, acceptance, exclusion_mask, kernel, source_kernel=part.source_kernel)
    return [
        (ring, _share(acceptance, estimate.acceptance_off, estimate.ring_radius == radius))
        for ring, radius in zip(kernel.rings, kernel.outer_radii, strict=True)
    ]


def _share(acceptance, acceptance_off, where):
    return np.divide(acceptance, acceptance_off, out=np.zeros(acceptance.shape), where=where)


def _background_variance(inside, box, usable_counts, responses):
    """Variance of the background summed over a region, from the counts of the used pixels within the kernels' reach."""
    if isinstance(responses[0][0], FieldOfView):
        ((kernel, share),) = responses
        if kernel.tilt:
            covariance, shares = share
            return float(tilt.variance(covariance, [image[box][inside].sum() for image in shares]))
        # Every used count has the same share in the whole region.
        return float(usable_counts.sum() * share[box][inside].sum() ** 2)
    half = [max(kernel.shape[axis] // 2 for kernel, _ in responses) for axis in (0, 1)]
    wide = tiling.grown(box, half, usable_counts.shape)
    weight = np.zeros(usable_counts[wide].shape)
    for kernel, share in responses:
        shares = np.zeros(weight.shape)
        shares[tiling.inside(box, wide)] = np.where(inside, share[box], 0)
        if shares.any():
            # The off counts of pixel i sum K(i - j) c_j over j; the share of pixel j is a sum over i, with the kernel
            # mirrored.
            weight += convolution.convolve(shares, kernel[::-1, ::-1].astype(float))
    return float((usable_counts[wide] * weight**2).sum())


def _loops(region):
    """The boundaries of a region as closed lists of corners, the region on their left: outline first or not.

    Corner (x, y) is the lower left one of pixel (x, y). Where two pixels of the region touch at a corner only, the
    outline passes from one to the other, so that there is one outline.
    """
    padded = np.pad(region, 1)
    sides = {}
    for (dy, dx), start, end in (
        ((-1, 0), (0, 0), (1, 0)),
        ((0, 1), (1, 0), (1, 1)),
        ((1, 0), (1, 1), (0, 1)),
        ((0, -1), (0, 1), (0, 0)),
    ):
        beside = padded[1 + dy : padded.shape[0] - 1 + dy, 1 + dx : padded.shape[1] - 1 + dx]
        for y, x in np.argwhere(region & ~beside).tolist():
            sides.setdefault((x + start[0], y + start[1]), []).append((x + end[0], y + end[1]))
    loops = []
    while sides:
        begin = min(sides)
        loops.append(_without_straight_corners(_walk(sides, begin)))
    return loops


def _walk(sides, begin):
    """Follow sides from the leftmost corner back to it, taking them out; at a corner with two ways, turn right."""
    corner, loop, direction = begin, [], (0, 0)
    while not loop or corner != begin:
        ways = sides[corner]
        ways.sort(key=lambda end: _cross(direction, (end[0] - corner[0], end[1] - corner[1])))
        end = ways.pop(0)
        if not ways:
            del sides[corner]
        loop.append(corner)
        direction = (end[0] - corner[0], end[1] - corner[1])
        corner = end
    return loop


def _cross(first, second):
    return first[0] * second[1] - first[1] * second[0]


def _without_straight_corners(loop):
    """A loop without the corners at which it goes straight on."""
    kept = []
    for before, corner, after in zip([loop[-1], *loop[:-1]], loop, [*loop[1:], loop[0]], strict=True):
        straight = (corner[0] - before[0], corner[1] - before[1]), (after[0] - corner[0], after[1] - corner[1])
        if _cross(*straight) != 0:
            kept.append(corner)
    return kept


def _signed_area(loop):
    """The area inside a loop, positive if it lies on the left."""
    return 0.5 * sum(_cross(corner, after) for corner, after in pairwise([*loop, loop[0]]))


def _joined(polygon, hole):
    """A polygon with a hole, reached along a line and a column of corners from the nearest vertex, and back."""
    distances = np.abs(np.array(polygon)[:, None] - np.array(hole)[None]).sum(axis=2)
    at, into = np.unravel_index(np.argmin(distances), distances.shape)
    start, entry = polygon[at], hole[into]
    bend = (entry[0], start[1])
    return [*polygon[: at + 1], bend, *hole[into:], *hole[: into + 1], bend, *polygon[at:]]
