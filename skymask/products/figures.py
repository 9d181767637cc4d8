"""The figures of a dataset, for its page and for Snakemake's report; see `draw_figures`.

A pixel of a map is a square of the figure's pixels, or one of the figure's stands for a square of the map's: nothing is
interpolated. What stands for several pixels is told below the map.
"""

from typing import NamedTuple

import numpy as np

from skymask.core import convolution
from skymask.core.exclusion import first_exclusion
from skymask.products.blocks import PIECE, in_blocks
from skymask.products.charts import Chart
from skymask.products.colour_scales import Scale, round_values, scale_of
from skymask.products.numbers import number_text, tick_texts
from skymask.products.pictures import FULL, LEVELS, SMALL, TITLE, WHITE, Picture
from skymask.products.sky_pictures import (
    HATCH,
    LINE,
    MASK,
    NO_BACKGROUND,
    RELEASED,
    SIDE,
    coded,
    enlarged,
    outline,
    picture_on_sky,
)
from skymask.products.summary import state_text
from skymask.registry import FIGURES, MAPS

#: Up to so many iterations that excluded something have a colour each, and more a colour bar.
FEW_COLOURS = 6

#: Up to so many iterations stand in a table, which tells more than curves would.
FEW_ITERATIONS = 5

#: Largest size of the small picture in the table of datasets, in pixels.
THUMBNAIL = 160

#: Bins of a significance distribution, in standard deviations.
BIN_WIDTH = 0.25

#: The colours of few values.
_VIRIDIS = Scale("viridis", 0.0, 1.0)


class Truth(NamedTuple):
    """How a background compares with the true one of a simulation; see `compare_with_truth`.

    Attributes
    ----------
    deviation : ndarray of float
        Estimated over true background, minus 1, in blocks.
    sources : ndarray of bool
        Where true sources are as strong as the noise, in blocks.
    pulls : dict of str to (ndarray, float, float)
        Numbers of used and of excluded pixels in `PULL_EDGES`, and mean and standard deviation of their pulls.
    """

    deviation: np.ndarray
    sources: np.ndarray
    pulls: dict


#: Bins of pulls.
PULL_EDGES = np.linspace(-5, 5, 51)


def draw_figures(output, field, *, rows, quality, distribution, threshold, settings, truth=None):
    """Draw figures of a dataset: those for which there is a path.

    Called once in the job that writes the page, with what that has read anyway: the maps in as many pixels as the page
    shows (`in_blocks`), and the numbers that need all pixels (`distribution_of`, `compare_with_truth`).

    Parameters
    ----------
    output : dict of str to str
        Where the PNG files are to be, by the names of figures: `counts`, `background`, `significance`, `excess`,
        `thumbnail`, `mask_growth`, `convergence`, `off_source`, `ring_radius` and `truth`. Others are passed over.
    field : Field
    rows : list of dict
        Of `skymask.products.products.read_convergence_table`.
    quality : dict
        Of `skymask.core.quality.assess_quality`, with `skymask.loop.null_simulations.summarize`.
    distribution : dict
        Of `distribution_of`, of all pixels of the significance.
    threshold : float
        Where the distribution was cut for its fit.
    settings : dict
        The key `plots` of the configuration: `dpi` and `significance_limits`.
    truth : Truth, optional
        Of a simulation.
    """
    dpi, limits = settings["dpi"], settings["significance_limits"]
    dataset = field.header["DATASET"]
    small = field
    if (n := -(-max(field.coverage.shape) // int(SIDE * dpi))) > 1:
        field = field.in_blocks(n)
    drawn = {name: lambda name=name: sky_map(name, field, limits, dpi) for name in FIGURES}
    drawn |= {
        "mask_growth": lambda: mask_growth(field, dpi),
        "ring_radius": lambda: ring_radius(field, dpi),
        "convergence": lambda: convergence(dataset, rows, field.header["PERIOD"], dpi),
        "off_source": lambda: off_source(dataset, distribution, quality, threshold, dpi),
        "truth": lambda: truth_figure(field, truth, n, dpi),
        "thumbnail": lambda: thumbnail(small, limits),
    }
    for name, draw in drawn.items():
        if name in output:
            picture, colours = draw()
            picture.save(output[name], colours)


def sky_map(name, field, significance_limits, dpi):
    """Return the picture of a map with the outline of the exclusion mask, and its colours."""
    image = field.images[name]
    label = excess_label(field.header) if name == "excess" else None
    scale = scale_of(name, image, significance_limits=significance_limits, label=label)
    codes = coded(scale, image)
    codes[np.isnan(image) & field.coverage] = NO_BACKGROUND
    legend = [MASK]
    if (codes == NO_BACKGROUND).any():
        legend.append((NO_BACKGROUND, "no background"))
    if field.block > 1:
        kind = {"mean": "mean", "max": "highest"}[MAPS[name].look.of_block]
        legend.append((None, f"each point: {kind} of {field.block} × {field.block} pixels"))
    title = f"{field.header['DATASET']}: {name}"
    picture, _ = picture_on_sky(field, codes, title, legend, dpi, scale=scale, whole=name == "counts")
    return picture, scale.table(LEVELS)


def excess_label(header):
    """Return the label of an excess, which names the kernel under which counts are summed."""
    words = kernel_words(header)
    return f"Excess counts under the source kernel, {words}" if words else MAPS["excess"].look.label


def kernel_words(header):
    """Return the source kernel of a product in words, as in "disk radius 0.1 deg"; nothing if its header has none."""
    return str(header.get("SRCKERN", "")).replace("=", " ")


def mask_growth(field, dpi):
    """Return the picture of the iteration that first excluded every pixel of the final mask, and its colours."""
    first = first_exclusion(field.masks)
    excluded = ~np.isnan(first) & ~field.exclusion_mask & field.coverage
    codes, legend, scale = _in_few_colours(
        np.where(excluded, first, np.nan), "First excluded in iteration", {0: "0 (user)"}, whole=True
    )
    if (released := ~np.isnan(first) & field.exclusion_mask).any():
        codes[released] = RELEASED
        legend.append((RELEASED, "excluded for a while"))
    title = f"{field.header['DATASET']}: growth of the mask"
    picture, _ = picture_on_sky(field, codes, title, [MASK, *legend], dpi, scale=scale, whole=True)
    return picture, _VIRIDIS.table(LEVELS)


def ring_radius(field, dpi):
    """Return the picture of the outer radius of the adaptive ring at every pixel, and its colours."""
    radius = field.images["ring_radius"]
    codes, legend, scale = _in_few_colours(radius, "Outer radius of the ring [deg]")
    if (without := np.isnan(radius) & field.coverage).any():
        codes[without] = NO_BACKGROUND
        legend.append((NO_BACKGROUND, "no ring sufficed"))
    if field.block > 1:
        legend.append((None, f"each point: largest of {field.block} × {field.block} pixels"))
    title = f"{field.header['DATASET']}: radius of the adaptive ring"
    picture, _ = picture_on_sky(field, codes, title, [MASK, *legend], dpi, scale=scale)
    return picture, _VIRIDIS.table(LEVELS)


def _in_few_colours(image, label, names=None, *, whole=False):
    """Codes of an image of few different values, white where it is NaN, and the legend or the scale that tells them."""
    defined = ~np.isnan(image)
    values, numbers = np.unique(image[defined], return_inverse=True)
    codes = np.full(image.shape, WHITE, dtype=np.uint8)
    if len(values) > FEW_COLOURS:
        scale = Scale("viridis", float(values[0]), float(values[-1]), label=label)
        codes[defined] = coded(scale, values)[numbers]
        return codes, [], scale
    colours = coded(_VIRIDIS, np.linspace(0.1, 0.9, len(values)))
    codes[defined] = colours[numbers]
    texts = tick_texts(values)
    for value, name in (names or {}).items():
        texts = [name if value == other else text for other, text in zip(values, texts, strict=True)]
    legend = list(zip(colours.tolist(), texts, strict=True))
    return codes, [(None, f"{label}:"), *legend] if legend else [], None


def thumbnail(field, significance_limits):
    """Return the picture of a significance map in few pixels, without axes, and its colours."""
    if (n := -(-max(field.coverage.shape) // THUMBNAIL)) > 1:
        field = field.in_blocks(n)
    scale = Scale("signed", *map(float, significance_limits))
    codes = np.where(field.coverage, coded(scale, field.images["significance"]), HATCH[0])
    codes = enlarged(codes, max(1, THUMBNAIL // max(field.coverage.shape)))
    picture = Picture(codes.shape[::-1], 72)
    picture.put(codes, 0, 0)
    outline(picture, field.exclusion_mask, (0, 0, *codes.shape[::-1]), FULL["black"])
    return picture, scale.table(LEVELS)


def convergence(dataset, rows, period, dpi):
    """Return the picture of how a loop went: a table of few iterations, curves of many; it needs no colours.

    Parameters
    ----------
    dataset : str
    rows : list of dict
        Of `skymask.products.products.read_convergence_table`.
    period : int
        Period of the final masks, 1 for a fixed point.
    dpi : float
    """
    last = int(rows[-1]["iteration"])
    iterations = f"{last} iteration{'s' if last != 1 else ''}"
    title = f"{dataset}: {state_text(rows[-1]['state'], period)} after {iterations}"
    draw = _table_of_iterations if len(rows) <= FEW_ITERATIONS else _curves_of_iterations
    return draw(title, rows, dpi), None


#: Columns of the table and panels of the curves of iterations: name with unit, form of numbers, ink.
_OF_ITERATIONS = {
    "excluded": ("Excluded pixels", "%d", "blue"),
    "changed": ("Changed pixels", "%d", "orange"),
    "highest_significance": ("Highest significance [σ]", "%.2f", "green"),
    "mean_background": ("Mean background [counts per pixel]", "%#.5g", "black"),
}


def _table_of_iterations(title, rows, dpi):
    unit = dpi / 72
    columns = [["Iteration", *(f"{row['iteration']:.0f}" for row in rows)]]
    for key, (name, form, _) in _OF_ITERATIONS.items():
        columns.append([name, *("" if row[key] is None else number_text(row[key], form) for row in rows)])
    measure = Picture((1, 1), dpi)
    widths = [max(measure.text_width(text, SMALL) for text in column) + 14 * unit for column in columns]
    width = max(sum(widths) + 10 * unit, measure.text_width(title, TITLE) + 20 * unit)
    picture = Picture((width, (len(rows) + 1) * LINE * unit + 32 * unit), dpi)
    picture.text(8 * unit, 12 * unit, title, size=TITLE)
    right = 4 * unit
    for column, column_width in zip(columns, widths, strict=True):
        right += column_width
        for number, text in enumerate(column):
            picture.text(right, (30 + LINE * number) * unit, text, anchor="rm")
    below = (30 + LINE / 2) * unit
    picture.line((8 * unit, below), (right, below), width=0.6)
    return picture


def _curves_of_iterations(title, rows, dpi):
    unit = dpi / 72
    picture = Picture((7.2 * dpi, 5.0 * dpi), dpi)
    picture.text(picture.width / 2, 12 * unit, title, size=TITLE, anchor="mm")
    iterations = np.array([row["iteration"] for row in rows])
    for number, (key, (name, _, ink)) in enumerate(_OF_ITERATIONS.items()):
        values = np.array([np.nan if row[key] is None else row[key] for row in rows])
        left, top = (60 + number % 2 * 258) * unit, (28 + number // 2 * 164) * unit
        box = (left, top, left + 190 * unit, top + 126 * unit)
        known = values[np.isfinite(values)]
        low, high = (known.min(), known.max()) if known.size else (0.0, 1.0)
        log = key == "changed"
        if log:
            low, high = -0.15, np.log10(high + 1) * 1.05 + 0.1
            values = np.log10(values + 1)
        else:
            room = 0.06 * (high - low) or 0.5 * (abs(high) or 1)
            low, high = low - room, high + room
        chart = Chart(picture, box, (iterations[0] - 0.5, iterations[-1] + 0.5), (low, high))
        if log:
            # The logarithm of one more, so that there is room for none.
            steps = [0, *(10**power for power in range(int(high) + 1))]
            places = [(float(np.log10(step + 1)), str(step)) for step in steps]
            places = [place for place in places if place[0] <= high]
        else:
            ticks = round_values(low, high, 5, whole=key == "excluded")
            places = list(zip(ticks, tick_texts(ticks), strict=True))
        along = round_values(*chart.x_range, 7, whole=True)
        chart.axes(list(zip(along, tick_texts(along), strict=True)), places, "Iteration" if number > 1 else "", name)
        chart.curve(iterations, values, ink=ink)
        picture.disks(*chart.place(iterations[np.isfinite(values)], values[np.isfinite(values)]), ink=ink)
    return picture


def distribution_of(significance, exclusion_mask):
    """Return the significance distribution as columns: edges of bins, and pixels in all and in the used ones.

    Parameters
    ----------
    significance : ndarray of float, shape (ny, nx)
        Or anything of which rows can be had, as for `in_blocks`; so may be the mask.
    exclusion_mask : ndarray of bool, shape (ny, nx)
        True where the pixel is used.
    """
    numbers = {}
    step = max(1, PIECE // significance.shape[1])
    for start in range(0, significance.shape[0], step):
        rows = significance[start : start + step]
        finite = np.isfinite(rows)
        bins = np.floor(rows[finite] / BIN_WIDTH).astype(int)
        used = np.asarray(exclusion_mask[start : start + step], dtype=bool)[finite]
        if not bins.size:
            continue
        first = int(bins.min())
        bins -= first
        for kind, chosen in (("pixels", bins), ("used_pixels", bins[used])):
            for number, pixels in enumerate(np.bincount(chosen, minlength=1).tolist(), start=first):
                numbers.setdefault(number, dict.fromkeys(("pixels", "used_pixels"), 0))[kind] += pixels
    first, last = min(numbers, default=0), max(numbers, default=0)
    columns = {
        kind: np.array([numbers.get(number, {}).get(kind, 0) for number in range(first, last + 1)])
        for kind in ("pixels", "used_pixels")
    }
    low = BIN_WIDTH * np.arange(first, last + 1)
    return {"low": low, "high": low + BIN_WIDTH, **columns}


def off_source(dataset, distribution, quality, threshold, dpi):
    """Return the picture of the significance distribution of the used pixels, with its fit and the expected one.

    Parameters
    ----------
    dataset : str
    distribution : dict
        Of `distribution_of`.
    quality : dict
        Of `skymask.core.quality.assess_quality`; with what null simulations say, if known.
    threshold : float
        Where the distribution was cut for its fit.
    dpi : float
    """
    edges = [*distribution["low"], distribution["high"][-1]]
    in_force = quality["effective_threshold"]
    low, high = min(-5.0, np.floor(edges[0])), max(in_force + 1, 6.0, min(15.0, np.ceil(edges[-1])))
    beyond = distribution["pixels"][distribution["low"] >= high].sum()
    used = distribution["used_pixels"].sum()
    most = max(10.0, 3 * distribution["pixels"].max(initial=1))
    unit = dpi / 72
    entries = [
        ("pale", False, f"all pixels ({beyond} beyond {number_text(high)} σ)" if beyond else "all pixels"),
        ("blue", False, "used for the background"),
    ]
    curves = []
    if used:
        mean, width, source = expected(quality)
        curves.append(("black", True, mean, width, high))
        entries.append(("black", True, f"{source}: mean {number_text(mean, '%.3f')}, width {width:.3f}"))
    if quality["off_source_mean"] is not None:
        curves.append(("orange", False, quality["off_source_mean"], quality["off_source_width"], threshold))
        mean, width = (_with_error(quality, key) for key in ("off_source_mean", "off_source_width"))
        entries.append(("orange", False, f"fit below {number_text(threshold)} σ: mean {mean}, width {width}"))
    entries.append(("grey", True, f"threshold: {number_text(in_force, '%.4g')} σ"))
    picture = Picture((5.6 * dpi, 3.6 * dpi + (len(entries) + 1) * LINE * unit), dpi)
    picture.text(picture.width / 2, 12 * unit, f"{dataset}: off-source significance", size=TITLE, anchor="mm")
    chart = Chart(
        picture, (52 * unit, 26 * unit, picture.width - 12 * unit, 3.1 * dpi), (low, high), (0.5, most), log=True
    )
    along = round_values(low, high, 8, whole=True)
    up = [
        (10**power, str(10**power) if power < 4 else f"10{_RAISED[power]}") for power in range(int(np.log10(most)) + 1)
    ]
    chart.axes(list(zip(along, tick_texts(along), strict=True)), up, "Significance [σ]", f"Pixels per {BIN_WIDTH:g} σ")
    chart.steps(edges, distribution["pixels"], ink="pale", filled=True)
    chart.steps(edges, distribution["used_pixels"], ink="blue")
    for ink, dashed, mean, width, end in curves:
        grid = np.linspace(low, min(high, end), 400)
        peak = used * BIN_WIDTH / np.sqrt(2 * np.pi) / width
        chart.curve(grid, peak * np.exp(-0.5 * ((grid - mean) / width) ** 2), ink=ink, dashed=dashed)
    chart.curve([in_force, in_force], [0.5, most], ink="grey", dashed=True)
    for number, (ink, dashed, text) in enumerate(entries):
        y = 3.1 * dpi + (42 + LINE * number) * unit
        if ink == "pale":
            picture.fill(52 * unit, y - 4 * unit, 76 * unit, y + 4 * unit, ink)
        else:
            picture.curve([52 * unit, 76 * unit], [y, y], ink=ink, width=1.6, dashed=dashed)
        picture.text(82 * unit, y, text)
    return picture, None


_RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹"


def expected(quality):
    """Return mean and width that the off-source distribution has without sources, and who says so.

    They are those of null simulations where there are any, and 0 and 1 else.
    """
    mean, width = quality.get("null_off_source_mean"), quality.get("null_off_source_width")
    if width is None:
        return 0.0, 1.0, "expected"
    return mean, width, "expected (simulations)"


def _with_error(quality, key):
    """A quality figure with its error, if that is known."""
    value, error = number_text(quality[key], "%.3f"), quality.get(f"{key}_error")
    return value if error is None else f"{value} ± {error:.3f}"


def compare_with_truth(background, error, expected_background, expected_sources, exclusion_mask, source_kernel, block):
    """Return how an estimated background compares with the true one; all maps have the shape (ny, nx).

    Parameters
    ----------
    background, error, expected_background, expected_sources : ndarray of float
        Estimated background and its error, true background and true source counts, per pixel; or anything of which rows
        can be had, as for `in_blocks`.
    exclusion_mask : ndarray of bool
        True where the pixel is used.
    source_kernel : ndarray
        Under it, sources are compared with the noise of the background.
    block : int
        As for `Field`.
    """
    shape, half = background.shape, source_kernel.shape[0] // 2
    step = block * max(1, PIECE // (block * shape[1]))
    deviations, sources = [], []
    numbers = {used: np.zeros(PULL_EDGES.size - 1, dtype=int) for used in (True, False)}
    sums = {used: np.zeros(3) for used in (True, False)}
    for start in range(0, shape[0], step):
        part = slice(start, start + step)
        estimated, true, mask = background[part], expected_background[part], exclusion_mask[part]
        wide = slice(max(start - half, 0), start + step + half)
        signal, noise = (
            convolution.convolve(image[wide], source_kernel) for image in (expected_sources, expected_background)
        )
        inner = slice(start - wide.start, start - wide.start + len(true))
        sources.append(in_blocks((signal > np.sqrt(np.maximum(noise, 0)))[inner], block, "max"))
        known = np.where(np.isnan(estimated), np.nan, true)
        with np.errstate(divide="ignore", invalid="ignore"):
            deviation = in_blocks(estimated, block, "mean") / in_blocks(known, block, "mean") - 1
            deviations.append(np.where(np.isfinite(deviation), deviation, np.nan))
            pull = (estimated - true) / error[part]
        for used in (True, False):
            values = pull[(mask == used) & np.isfinite(pull)]
            numbers[used] += np.histogram(values, PULL_EDGES)[0]
            sums[used] += values.size, values.sum(), (values**2).sum()
    pulls = {}
    for used, kind in ((True, "used pixels"), (False, "excluded pixels")):
        number, total, squares = sums[used]
        if number:
            mean = total / number
            pulls[kind] = numbers[used] / number, mean, np.sqrt(max(squares / number - mean**2, 0))
    return Truth(np.concatenate(deviations), np.concatenate(sources), pulls)


def truth_figure(field, truth, n, dpi):
    """Return the picture of an estimated background and mask against the truth of a simulation, and its colours.

    `n` is by how much the truth has more pixels a side than the field. Sources are outlined where their expected counts
    under the source kernel equal the standard deviation of the background there.
    """
    deviation = 100 * in_blocks(truth.deviation, n, "mean")
    finite = np.abs(deviation[np.isfinite(deviation)])
    limit = max(0.1, float(finite.max())) if finite.size else 1.0
    scale = Scale("deviation", -limit, limit, label="Background, estimated over true, minus 1 [%]")
    codes = coded(scale, deviation)
    codes[np.isnan(deviation) & field.coverage] = NO_BACKGROUND
    legend = [MASK, ("green", "true excess of 1 σ")]
    unit, width = dpi / 72, 230
    title = f"{field.header['DATASET']}: background and mask against the truth"
    sources = in_blocks(truth.sources, n, "max")
    picture, box = picture_on_sky(field, codes, title, legend, dpi, scale=scale, sources=sources, right=width + 30)
    left = picture.width - (width + 4) * unit
    highest = 1.5 * max([0.4, *(numbers.max() / 0.2 for numbers, _, _ in truth.pulls.values())])
    chart_box = (left + 40 * unit, box[1], picture.width - 8 * unit, max(box[3], box[1] + 120 * unit))
    chart = Chart(picture, chart_box, (-5, 5), (0, highest))
    up = round_values(0, highest, 5)
    along = [(value, number_text(value)) for value in (-4, -2, 0, 2, 4)]
    across = list(zip(up, tick_texts(up), strict=True))
    chart.axes(along, across, "Background: (estimated − true) / error", "Probability density")
    entries = []
    for ink, (kind, (numbers, mean, deviation)) in zip(("blue", "orange"), truth.pulls.items(), strict=False):
        chart.steps(PULL_EDGES, numbers / 0.2, ink=ink)
        entries.append((ink, f"{kind}: mean {number_text(mean, '%.2f')}, std {deviation:.2f}"))
    grid = np.linspace(-5, 5, 200)
    chart.curve(grid, np.exp(-0.5 * grid**2) / np.sqrt(2 * np.pi), ink="black", dashed=True)
    for number, (ink, text) in enumerate([*entries, ("black", "standard normal distribution")]):
        y = chart_box[1] + (9 + 11 * number) * unit
        picture.curve([chart_box[0] + 6 * unit, chart_box[0] + 20 * unit], [y, y], ink=ink, dashed=ink == "black")
        picture.text(chart_box[0] + 24 * unit, y, text, size=SMALL - 1)
    return picture, scale.table(LEVELS)
