"""Figures for a paper, drawn from products alone: maps, distributions and curves in the widths of journals."""

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse, Patch
from matplotlib.patheffects import Normal, Stroke
from matplotlib.ticker import MaxNLocator

from skymask.core.exclusion import first_exclusion
from skymask.errors import MapError
from skymask.io.atomic import written_whole
from skymask.products import plots
from skymask.products.blocks import in_blocks
from skymask.products.colour_scales import scale_of
from skymask.products.figures import BIN_WIDTH, FEW_COLOURS, expected
from skymask.products.numbers import number_text
from skymask.sky.geometry import (
    box_of,
    celestial_frame,
    directions_in,
    pixel_size,
    pixels_of,
    shifted,
    sky_projection,
)
from skymask.units import angle_in_degrees, in_words, kernel_lengths, parse_length

#: Widths of a column and of a page, in inches.
WIDTHS = {"column": 3.5, "page": 7.2}

#: Largest height of a figure, in inches: a page's.
HEIGHT = 9.5

#: Height of the legend below all panels, in inches.
LEGEND = 0.3

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
}

#: Scales of counts, by what the configuration calls them.
STRETCHES = {"linear": "linear", "sqrt": "square root", "log": "asinh"}


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
    height = LEGEND + rows * (plots.AROUND[1] + aspect * (width / columns - plots.AROUND[0]))
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
            stretch=STRETCHES[settings["stretch"]],
            label=_label(name, source_kernel),
        )
        _contours(axes, images["significance"], settings["contours"])
        if labels:
            # Names in one panel, as those of the others stand at the same places.
            _source_labels(axes, header, mask.shape, labels, names=number == 0)
        if number == 0:
            _scale_bar(axes, header, mask.shape)
            _kernel(axes, header, mask.shape, source_kernel)
        axes.get_legend().remove()
    undefined = any(np.isnan(images[name]).any() for name in layers)
    _legend_below(figure, _reached(images["significance"], settings["contours"]), undefined)
    return figure


def strips(images, header, settings, *, source_kernel, significance_limits, labels=None):
    """Return the figure of one wide map, such as that of a survey, in strips one above the other, from left to right.

    The parameters are those of `map_panels`; the only layer is shown in `settings["strips"]` strips.
    """
    (name,) = settings["layers"]
    shape = images[name].shape
    rows, width = settings["strips"], WIDTHS[settings["width"]]
    aspect = np.clip(shape[0] / (shape[1] / rows), 0.05, 2.0)
    height = min(LEGEND + rows * (plots.AROUND[1] + aspect * (width - plots.AROUND[0])), HEIGHT)
    figure = Figure(figsize=(width, height), layout="constrained")
    look = plots.look_of(name) | {
        "scale": scale_of(
            name,
            images[name],
            significance_limits=significance_limits,
            stretch=STRETCHES[settings["stretch"]],
            label=_label(name, source_kernel),
        )
    }
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
            axes.set_xlabel("")
    undefined = np.isnan(images[name]).any()
    _legend_below(figure, _reached(images["significance"], settings["contours"]), undefined)
    return figure


def mask_evolution(masks, final_mask, header, settings, labels=None):
    """Return the figure of the iteration at which every pixel of the final mask was first excluded.

    Parameters
    ----------
    masks : sequence of ndarray of bool, shape (ny, nx)
        Masks of iterations 0, 1, ...: True where the pixel is used.
    final_mask : ndarray of bool, shape (ny, nx)
    header : Header
    settings : dict
        Of the figure.
    labels : (SkyCoord, list of str), optional
        As for `map_panels`.
    """
    n = plots.block_of(final_mask.shape)
    first = first_exclusion([in_blocks(mask, n, "min") for mask in masks])
    used = in_blocks(final_mask, n, "min")
    width, aspect = WIDTHS[settings["width"]], np.clip(final_mask.shape[0] / final_mask.shape[1], 0.3, 2.0)
    figure = Figure(figsize=(width, 1.1 + 0.75 * width * aspect), layout="constrained")
    axes = plots.sky_axes(figure, 111, header, final_mask.shape)
    axes.patch.set(facecolor="white", hatch=None)
    handles = [plots.mask_line()]
    # Colours stand only for iterations that excluded something.
    values = np.unique(first[~used & ~np.isnan(first)])
    if values.size:
        few = values.size <= FEW_COLOURS
        ends = (0.1, 0.9) if few else (0, 1)
        colours = colormaps["viridis"](np.linspace(*ends, values.size))
        numbers = np.where(used, np.nan, np.searchsorted(values, np.nan_to_num(first)))
        look = {"cmap": ListedColormap(colours), "norm": Normalize(-0.5, values.size - 0.5)}
        image = plots.show(axes, numbers, n, **look)
        texts = [f"{value:.0f}" + (" (user)" if value == 0 else "") for value in values]
        if few:
            pairs = zip(colours, texts, strict=True)
            handles += [Patch(color=colour, label=f"iteration {text}") for colour, text in pairs]
        else:
            bar = plots.colour_bar(figure, axes, image, "Iteration of first exclusion")
            step = -(-values.size // 12)
            bar.set_ticks(range(0, values.size, step), labels=texts[::step])
            bar.minorticks_off()
    if (released := ~np.isnan(first) & used).any():
        plots.show(axes, np.where(released, 1.0, np.nan), n, cmap="Greys", norm=Normalize(0, 3))
        handles.append(Patch(color="#C0C0C0", label="excluded for a while"))
    plots.mask_contour(axes, final_mask, n)
    if labels:
        _source_labels(axes, header, final_mask.shape, labels)
    figure.legend(handles=handles, fontsize=7, frameon=False, ncols=2 if width < 5 else 4, loc="outside lower center")
    return figure


def significance_distribution(columns, quality, settings):
    """Return the figure of a significance distribution with the expected one and the fit of the off-source part.

    Parameters
    ----------
    columns : dict
        Of `skymask.products.figures.distribution_of`.
    quality : dict
        Of the dataset: the off-source mean and width, those of null simulations, and the threshold in force.
    settings : dict
        Of the figure.
    """
    width = WIDTHS[settings["width"]]
    figure = Figure(figsize=(width, 3.2), layout="constrained")
    axes = figure.subplots()
    edges = [*columns["low"], columns["high"][-1]]
    axes.stairs(columns["pixels"], edges, fill=True, color="#D9D9D9", label="all pixels")
    axes.stairs(columns["used_pixels"], edges, color=plots.BLUE, linewidth=1.4, label="used for the background")
    grid = np.linspace(-5, 5, 400)
    scale = columns["used_pixels"].sum() * BIN_WIDTH / np.sqrt(2 * np.pi)
    mean, sigma, source = expected(quality)
    label = f"{source}: mean {number_text(mean, '%.3f')}, width {sigma:.3f}"
    curve = scale / sigma * np.exp(-0.5 * ((grid - mean) / sigma) ** 2)
    axes.plot(grid, curve, "--", color="black", linewidth=1, label=label)
    mean, sigma = quality["off_source_mean"], quality["off_source_width"]
    if mean is not None:
        label = f"fit: mean {number_text(mean, '%.3f')}, width {sigma:.3f}"
        axes.plot(
            grid, scale / sigma * np.exp(-0.5 * ((grid - mean) / sigma) ** 2), color=plots.ORANGE, lw=1.2, label=label
        )
    axes.axvline(quality["effective_threshold"], color=plots.GREY, linestyle=":", label="threshold")
    axes.set_yscale("log")
    axes.set_ylim(0.5, 3 * max(10, columns["pixels"].max(initial=0)))
    axes.set_xlim(min(-5, edges[0]), max(edges[-1], 6))
    axes.set_xlabel("Significance [σ]")
    axes.set_ylabel(f"Pixels per {BIN_WIDTH} σ")
    # Within the axes it would lie over the curves or the threshold.
    figure.legend(fontsize=7, frameon=False, loc="outside lower center", ncols=1 if width < 5 else 2)
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


def _label(name, source_kernel):
    """The label of a map's colour bar; that of an excess names the kernel under which counts are summed."""
    if name != "excess":
        return LABELS[name]
    length = next(iter(kernel_lengths(in_words(source_kernel)).values()), "").replace(" deg", "°")
    shapes = {"disk": f"Excess within {length} [ct]", "gaussian": f"Excess, Gaussian of {length} [ct]"}
    return shapes.get(source_kernel["shape"], "Excess under the source kernel [ct]")


def _reached(significance, levels):
    """Those levels of contours that are somewhere on a map."""
    finite = significance[np.isfinite(significance)]
    return [level for level in levels or () if finite.size and finite.min() < level <= finite.max()]


def _contours(axes, significance, levels):
    """Contours of the significance."""
    if levels := _reached(significance, levels):
        axes.contour(significance, levels=levels, colors=plots.GREEN, linewidths=0.8)


def _legend_below(figure, contours, undefined):
    """One legend for all panels, below them, where no title is in its way."""
    handles = [plots.mask_line(), *([plots.no_data()] if undefined else [])]
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
                text,
                (x, y),
                textcoords="offset points",
                fontsize=6,
                path_effects=effect,
                annotation_clip=True,
                parse_math=False,
                **side,
            )


def refuse_failed(name, status):
    """Raise a MapError if the dataset of a figure has no products."""
    if status["state"] == "failed":
        raise MapError(f"figures.{name}: the dataset {status['dataset']} failed ({status['reason']}): name another one")
