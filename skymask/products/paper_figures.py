"""Figures for a paper, drawn from products alone: maps, distributions and curves in the widths of journals."""

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse
from matplotlib.patheffects import Normal, Stroke
from matplotlib.ticker import MaxNLocator

from skymask.errors import MapError
from skymask.io.atomic import written_whole
from skymask.products import plots
from skymask.sky.geometry import (
    box_of,
    celestial_frame,
    directions_in,
    pixel_size,
    pixels_of,
    shifted,
    sky_projection,
)
from skymask.units import angle_in_degrees, kernel_lengths, parse_length

#: Widths of a column and of a page, in inches.
WIDTHS = {"column": 3.5, "page": 7.2}

#: Largest height of a figure, in inches: a page's.
HEIGHT = 9.5

#: What is about the image of a panel, across and along, and the legend below all panels, in inches.
AROUND, LEGEND = (1.35, 0.75), 0.3

#: Text is text, in fonts that come with the file.
STYLE = {"pdf.fonttype": 42, "font.size": 8, "svg.hashsalt": "skymask"}

#: Lengths that a scale bar may have, in degrees, and how they are told.
BARS = {
    **{n / 3600: f"{n}''" for n in (1, 2, 5, 10, 20, 30)},
    **{n / 60: f"{n}'" for n in (1, 2, 5, 10, 20, 30)},
    **{n: f"{n}°" for n in (1, 2, 5, 10, 20)},
}

#: Labels of colour bars, which stand beside small panels; the caption says the rest.
LABELS = {
    "counts": "Counts",
    "background": "Background [ct]",
    "significance": "Significance [σ]",
    "excess": "Excess [ct]",
}

#: How a colour bar of counts says that its scale is no linear one.
STRETCHES = {"linear": "", "sqrt": " (√ scale)", "log": " (log scale)"}

#: Bins of a significance distribution, in standard deviations.
BIN_WIDTH = 0.25


def cut(images, header, settings):
    """Return the part of maps that a figure shows, and its header.

    Parameters
    ----------
    images : dict of str to ndarray, shape (ny, nx)
    header : Header
    settings : dict or None
        Center and width in longitude and latitude, as in the configuration; None for the whole maps.

    Raises
    ------
    MapError
        If no pixel lies there.
    """
    if settings is None:
        return images, header
    shape = next(iter(images.values())).shape
    center, width = ([angle_in_degrees(value) for value in settings[key]] for key in ("center", "width"))
    rows, columns = box_of(header, shape, center, width)
    header = header.copy()
    header["CRPIX1"] -= columns.start
    header["CRPIX2"] -= rows.start
    return {name: image[rows, columns] for name, image in images.items()}, header


def map_panels(images, header, settings, *, source_kernel, significance_limits, labels=None):
    """Return the figure of maps side by side, with contours, a scale bar and the size of the source kernel.

    Parameters
    ----------
    images : dict of str to ndarray, shape (ny, nx)
        The maps of the key `layers`, and the exclusion mask: True where the pixel is used.
    header : Header
    settings : dict
        Of the figure.
    source_kernel : dict
        As in the configuration.
    significance_limits : (float, float)
    labels : (SkyCoord, list of str), optional
        Of `skymask.io.position_tables.read_labels`.
    """
    mask, layers = images["exclusion_mask"], settings["layers"]
    columns = 1 if settings["width"] == "column" or len(layers) == 1 else 2
    rows = -(-len(layers) // columns)
    width = WIDTHS[settings["width"]]
    aspect = np.clip(mask.shape[0] / mask.shape[1], 0.1, 2.0)
    height = LEGEND + rows * (AROUND[1] + aspect * (width / columns - AROUND[0]))
    figure = Figure(figsize=(width, height), layout="constrained")
    for number, name in enumerate(layers):
        axes = plots.map_panel(
            figure,
            (rows, columns, number + 1),
            name,
            images[name],
            header,
            mask,
            title=f"({chr(ord('a') + number)}) {name}" if len(layers) > 1 else "",
            significance_limits=significance_limits,
            stretch=settings["stretch"],
        )
        axes.images[0].colorbar.set_label(_label(name, settings["stretch"]))
        _contours(axes, images["significance"], settings["contours"])
        if labels:
            # Names in one panel, as those of the others stand at the same places.
            _source_labels(axes, header, mask.shape, labels, names=number == 0)
        if number == 0:
            _scale_bar(axes, header, mask.shape)
            _kernel(axes, header, mask.shape, source_kernel)
        axes.get_legend().remove()
    _legend_below(figure, _reached(images["significance"], settings["contours"]))
    return figure


def strips(images, header, settings, *, source_kernel, significance_limits, labels=None):
    """Return the figure of one wide map, such as that of a survey, in strips one above the other, from left to right.

    The parameters are those of `map_panels`; the only layer is shown in `settings["strips"]` strips.
    """
    (name,) = settings["layers"]
    shape = images[name].shape
    rows, width = settings["strips"], WIDTHS[settings["width"]]
    aspect = np.clip(shape[0] / (shape[1] / rows), 0.05, 2.0)
    height = min(LEGEND + rows * (AROUND[1] + aspect * (width - AROUND[0])), HEIGHT)
    figure = Figure(figsize=(width, height), layout="constrained")
    limits = {"significance_limits": significance_limits, "stretch": settings["stretch"]}
    look = plots.look_of(name, images[name], **limits) | {"label": _label(name, settings["stretch"])}
    edges = np.linspace(0, shape[1], rows + 1).round().astype(int)
    for number, columns in enumerate(map(slice, edges[:-1].tolist(), edges[1:].tolist())):
        part = {key: image[:, columns] for key, image in images.items()}
        mask, of_part = part["exclusion_mask"], shifted(header, (0, columns.start))
        axes = plots.image_panel(figure, (rows, 1, number + 1), part[name], of_part, mask, title="", **look)
        _contours(axes, part["significance"], settings["contours"])
        if labels:
            _source_labels(axes, of_part, mask.shape, labels)
        if number == 0:
            _scale_bar(axes, of_part, mask.shape)
            _kernel(axes, of_part, mask.shape, source_kernel)
        axes.get_legend().remove()
        if number < rows - 1:
            axes.coords[axes.wcs.wcs.lng].set_axislabel("")
    _legend_below(figure, _reached(images["significance"], settings["contours"]))
    return figure


def mask_evolution(masks, final_mask, header, settings, labels=None):
    """Return the figure of the iteration at which every pixel was first excluded; see `plots.mask_growth`."""
    figure = plots.mask_growth(masks, final_mask, header)
    if labels:
        _source_labels(figure.axes[0], header, final_mask.shape, labels)
    aspect = np.clip(final_mask.shape[0] / final_mask.shape[1], 0.3, 2.0)
    width = WIDTHS[settings["width"]]
    figure.set_size_inches(width, 0.9 + 0.75 * width * aspect)
    figure.axes[0].set_title("", loc="left")
    return figure


def distribution(significance, exclusion_mask):
    """Return the significance distribution as columns: edges of bins, and pixels in all and in the used ones.

    Parameters
    ----------
    significance : ndarray of float, shape (ny, nx)
    exclusion_mask : ndarray of bool, shape (ny, nx)
        True where the pixel is used.
    """
    finite = np.isfinite(significance)
    low, high = (significance[finite].min(), significance[finite].max()) if finite.any() else (0, 0)
    edges = BIN_WIDTH * np.arange(np.floor(low / BIN_WIDTH), np.floor(high / BIN_WIDTH) + 2)
    everything, used = (np.histogram(significance[chosen], edges)[0] for chosen in (finite, finite & exclusion_mask))
    return {"low": edges[:-1], "high": edges[1:], "pixels": everything, "used_pixels": used}


def significance_distribution(columns, quality, settings):
    """Return the figure of a significance distribution with the expected one and the fit of the off-source part.

    Parameters
    ----------
    columns : dict
        Of `distribution`.
    quality : dict
        Of the dataset: the off-source mean and width, those of null simulations, and the threshold in force.
    settings : dict
        Of the figure.
    """
    width = WIDTHS[settings["width"]]
    figure = Figure(figsize=(width, 2.6), layout="constrained")
    axes = figure.subplots()
    edges = [*columns["low"], columns["high"][-1]]
    axes.stairs(columns["pixels"], edges, fill=True, color="#D9D9D9", label="all pixels")
    axes.stairs(columns["used_pixels"], edges, color=plots.BLUE, linewidth=1.4, label="used for the background")
    grid = np.linspace(-5, 5, 400)
    scale = columns["used_pixels"].sum() * BIN_WIDTH / np.sqrt(2 * np.pi)
    mean, sigma, label = plots.expected(quality)
    curve = scale / sigma * np.exp(-0.5 * ((grid - mean) / sigma) ** 2)
    axes.plot(grid, curve, "--", color="black", linewidth=1, label=label)
    mean, sigma = quality["off_source_mean"], quality["off_source_width"]
    if mean is not None:
        label = f"fit: mean {mean:.3f}, width {sigma:.3f}"
        axes.plot(
            grid, scale / sigma * np.exp(-0.5 * ((grid - mean) / sigma) ** 2), color=plots.ORANGE, lw=1.2, label=label
        )
    axes.axvline(quality["effective_threshold"], color=plots.GREY, linestyle=":", label="threshold")
    axes.set_yscale("log")
    axes.set_ylim(0.5, 3 * max(10, columns["pixels"].max(initial=0)))
    axes.set_xlim(min(-5, edges[0]), max(edges[-1], 6))
    axes.set_xlabel("Significance [σ]")
    axes.set_ylabel(f"Pixels per {BIN_WIDTH} σ")
    axes.legend(fontsize=7, frameon=False)
    return figure


def convergence_curves(columns, settings):
    """Return the figure of excluded pixels and of pixels that changed, by iteration.

    Parameters
    ----------
    columns : dict
        `iteration`, `excluded` and `changed`.
    settings : dict
        Of the figure.
    """
    figure = Figure(figsize=(WIDTHS[settings["width"]], 2.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, name, colour in ((left, "excluded", plots.BLUE), (right, "changed", plots.ORANGE)):
        axes.plot(columns["iteration"], columns[name], "o-", color=colour, markersize=3.5, linewidth=1.2)
        axes.set_xlabel("Iteration")
        axes.set_ylabel(f"{name.capitalize()} pixels")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.ticklabel_format(axis="y", useOffset=False)
    right.set_yscale("symlog", linthresh=1)
    right.set_ylim(bottom=-0.2)
    return figure


def save(figure, paths, dpi):
    """Write a figure as PDF and PNG, each in one piece and without a date.

    Parameters
    ----------
    figure : Figure
    paths : dict of str to str
        By "pdf" and "png".
    dpi : int
        Of the PNG.
    """
    metadata = {"pdf": {"CreationDate": None, "Creator": "skymask"}, "png": {"Software": None}}
    for kind, about in metadata.items():
        with written_whole(paths[kind]) as temporary, rc_context(STYLE):
            figure.savefig(temporary, format=kind, dpi=dpi, metadata=about)


def write_columns(path, columns, about):
    """Write the numbers behind a figure as an ECSV table, without a date."""
    from astropy.table import Table

    with written_whole(path) as temporary:
        Table(columns, meta=about).write(temporary, format="ascii.ecsv", overwrite=True)


def _scale_bar(axes, header, shape):
    """A bar of a round length, at most a third of the map, in the lower left corner."""
    size = pixel_size(header)[1]
    lengths = [length for length in BARS if length <= shape[1] * size / 3] or [min(BARS)]
    pixels, effect = lengths[-1] / size, [Stroke(linewidth=4, foreground="white"), Normal()]
    x, y = 0.05 * shape[1], 0.07 * shape[0]
    line = {"color": "black", "linewidth": 2, "solid_capstyle": "butt", "path_effects": effect}
    axes.plot([x, x + pixels], [y, y], scalex=False, scaley=False, **line)
    effect = [Stroke(linewidth=2.5, foreground="white"), Normal()]
    text = {"ha": "center", "va": "bottom", "fontsize": 7, "path_effects": effect}
    axes.text(x + pixels / 2, y + 0.02 * shape[0], BARS[lengths[-1]], **text)


def _kernel(axes, header, shape, source_kernel):
    """The source kernel, if one length describes it, in the lower right corner: its radius, or standard deviation."""
    lengths = list(kernel_lengths(source_kernel).values())
    if len(lengths) != 1:
        return
    (length,) = lengths
    value, unit = parse_length(length)
    height, width = (2 * (value if unit == "px" else value / size) for size in pixel_size(header))
    place = (shape[1] * 0.95 - width / 2, shape[0] * 0.05 + height / 2)
    effect = [Stroke(linewidth=3, foreground="white"), Normal()]
    axes.add_patch(Ellipse(place, width, height, fill=False, color="black", linewidth=1.2, path_effects=effect))


def _label(name, stretch):
    """The label of a map's colour bar, with how that of counts is stretched."""
    return LABELS[name] + (STRETCHES[stretch] if name == "counts" else "")


def _reached(significance, levels):
    """Those levels of contours that are somewhere on a map."""
    finite = significance[np.isfinite(significance)]
    return [level for level in levels or () if finite.size and finite.min() < level <= finite.max()]


def _contours(axes, significance, levels):
    """Contours of the significance."""
    if levels := _reached(significance, levels):
        axes.contour(significance, levels=levels, colors=plots.GREEN, linewidths=0.8)


def _legend_below(figure, contours):
    """One legend for all panels, below them, where no title is in its way."""
    handles = [plots.mask_line()]
    if contours:
        levels = ", ".join(f"{level:g}" for level in contours)
        handles.append(Line2D([], [], color=plots.GREEN, linewidth=0.8, label=f"significance of {levels} σ"))
    figure.legend(handles=handles, fontsize=7, loc="outside lower center", ncols=2, frameon=False)


def _source_labels(axes, header, shape, labels, names=True):
    """Crosses at those positions that lie on the map, and their names beside them."""
    positions, texts = labels
    effect = [Stroke(linewidth=2, foreground="white"), Normal()]
    towards = directions_in(celestial_frame(header))(positions)
    pixels = pixels_of(sky_projection(header), towards, np.subtract(shape[::-1], 1) / 2)
    for (x, y), text in zip(pixels, texts, strict=True):
        if -0.5 <= x <= shape[1] - 0.5 and -0.5 <= y <= shape[0] - 0.5:
            axes.plot([x], [y], "x", color="black", markersize=4, path_effects=effect, scalex=False, scaley=False)
            if not names:
                continue
            # Towards the middle, where there is room.
            side = {"ha": "left", "xytext": (4, 3)} if x < 0.75 * shape[1] else {"ha": "right", "xytext": (-4, 3)}
            axes.annotate(
                text, (x, y), textcoords="offset points", fontsize=6, path_effects=effect, annotation_clip=True, **side
            )


def refuse_failed(name, status):
    """Raise a MapError if the dataset of a figure has no products."""
    if status["state"] == "failed":
        raise MapError(f"figures.{name}: the dataset {status['dataset']} failed ({status['reason']}): name another one")
