"""Figures of maps by matplotlib: for papers, for HEALPix maps and for the documentation; and the figure of a scan.

The figures of a dataset's page are drawn by `skymask.products.figures`, with the same scales and ticks.
"""

from textwrap import fill

import numpy as np
from matplotlib.colors import FuncNorm, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Polygon
from matplotlib.patheffects import Normal, Stroke
from matplotlib.transforms import ScaledTranslation

from skymask.io.atomic import written_whole
from skymask.products.blocks import in_blocks
from skymask.products.colour_scales import scale_of
from skymask.products.numbers import tick_texts
from skymask.products.pictures import INKS
from skymask.products.sky_ticks import pixels_of, sky_ticks
from skymask.registry import MAPS
from skymask.sky.geometry import frame_name

#: Colours that remain apart for colour-blind readers (Okabe & Ito 2008).
BLUE, ORANGE, GREEN, GREY = (INKS[ink] for ink in ("blue", "orange", "green", "grey"))

#: How pixels without a value look.
NO_DATA = {"facecolor": "#E0E0E0", "edgecolor": "#A8A8A8", "hatch": "////", "linewidth": 0}

#: Maps are drawn in at most so many pixels a side, more than any figure has room for.
MAX_SIDE = 2048

#: What is about the image of a panel, across and along, and the width of a character, in inches.
AROUND, CHARACTER = (1.35, 0.75), 0.07

_STYLE = {"fontsize": 9}


def sky_maps(images, header, exclusion_mask, *, significance_limits=(-5, 15)):
    """Return the figure of maps of the whole sky or of a large part of it, one above the other, with a graticule.

    Parameters
    ----------
    images : dict of str to ndarray, shape (ny, nx)
        By their names, as for `map_panel`; NaN where there is no data.
    header : Header
        Of `skymask.sky.healpix.picture_grid`: projections AIT (the whole sky) or ZEA (a part of it).
    exclusion_mask, significance_limits
        As for `map_panel`.
    """
    aspect = exclusion_mask.shape[0] / exclusion_mask.shape[1]
    whole = header["CTYPE1"].endswith("AIT")
    width = 9 if whole else 7.2
    figure = Figure(figsize=(width, len(images) * (0.9 + 0.8 * width * aspect)), layout="constrained")
    for number, (name, image) in enumerate(images.items(), start=1):
        coordinates = f", {frame_name(header)} coordinates" if whole else ""
        title = f"{header['DATASET']}: {name}{coordinates}"
        axes = map_panel(
            figure,
            (len(images), 1, number),
            name,
            image,
            header,
            exclusion_mask,
            title=title,
            significance_limits=significance_limits,
        )
        _draw_graticule(axes, header, whole)
    return figure


def _draw_graticule(axes, header, whole):
    """Lines of longitude and latitude; on the whole sky within the ellipse of the projection, with their numbers."""
    (low_x, high_x), (low_y, high_y) = axes.get_xlim(), axes.get_ylim()
    around, across = np.linspace(0, 360, 721), np.linspace(-90, 90, 361)
    if whole:
        longitudes, latitudes = np.arange(-120, 180, 60), np.arange(-60, 90, 30)
        # The rim of the plane belongs to one side or the other.
        rim = 180 - 1e-6
        around = np.linspace(-rim, rim, 721)
        x, y = pixels_of(header, np.repeat([-rim, rim], across.size), np.append(across, across[::-1]))
        axes.set_axis_off()
        axes.add_patch(Polygon(np.column_stack([x, y]), **NO_DATA, zorder=0))
        axes.add_patch(Polygon(np.column_stack([x, y]), facecolor="none", edgecolor="black", linewidth=0.8))
    else:
        below, left = sky_ticks(header, (round(high_y - low_y), round(high_x - low_x)))
        longitudes, latitudes = below.values, left.values
    style = {"color": "black", "alpha": 0.35, "linewidth": 0.6, "linestyle": ":", "scalex": False, "scaley": False}
    for longitude in longitudes:
        axes.plot(*pixels_of(header, longitude, across), **style)
    for latitude in latitudes:
        axes.plot(*pixels_of(header, around, latitude), **style)
    if whole:
        effect = [Stroke(linewidth=2.5, foreground="white"), Normal()]
        for longitude in longitudes:
            x, y = pixels_of(header, longitude, 0)
            axes.text(x[0], y[0], f"{longitude % 360}°", size=8, ha="center", va="center", path_effects=effect)
        for latitude in latitudes:
            x, y = pixels_of(header, rim, latitude)
            axes.text(x[0], y[0], f"{latitude}°  ".replace("-", "−"), size=8, ha="right", va="center")


def map_panel(
    figure, place, name, data, header, exclusion_mask, *, title, significance_limits=(-5, 15), stretch=None, label=None
):
    """Draw a map with the contour of the exclusion mask into a figure, and return its axes.

    Parameters
    ----------
    figure : Figure
    place : int or (int, int, int)
        Where in the figure, as for `Figure.add_subplot`.
    name : str
        Of `skymask.registry.FIGURES`.
    data : ndarray, shape (ny, nx)
        NaN is hatched.
    header : Header
        Sky coordinates.
    exclusion_mask : ndarray of bool, shape (ny, nx)
        True where the pixel is used.
    title : str
    significance_limits, stretch, label
        As for `skymask.products.colour_scales.scale_of`.
    """
    scale = scale_of(name, data, significance_limits=significance_limits, stretch=stretch, label=label)
    return image_panel(figure, place, data, header, exclusion_mask, title=title, scale=scale, **look_of(name))


def look_of(name):
    """Return how `image_panel` is to show a map beside its scale: what stands for blocks, and which ticks there are."""
    return {"of_block": MAPS[name].look.of_block, "whole": name == "counts"}


def image_panel(
    figure,
    place,
    data,
    header,
    exclusion_mask,
    *,
    title,
    scale=None,
    label=None,
    colours=None,
    norm=None,
    of_block="mean",
    whole=False,
):
    """Draw any image with the contour of the exclusion mask into a figure, and return its axes.

    Parameters
    ----------
    figure, place, data, header, exclusion_mask, title
        As for `map_panel`.
    scale : skymask.products.colour_scales.Scale, optional
        The colour scale and its label; or else these are given:
    label : str
        Of the colour bar, with the unit.
    colours : str or Colormap
    norm : matplotlib.colors.Normalize
    of_block : {"mean", "max"}
        What is shown of several pixels of a map that has more than any figure.
    whole : bool
        Whether ticks of the colour bar are whole numbers.
    """
    axes = sky_axes(figure, place, header, data.shape)
    if scale:
        colours, norm, label = ListedColormap(scale.table(256) / 255), norm_of(scale), scale.label
    n = block_of(data.shape)
    shown = in_blocks(data, n, of_block)
    image = show(axes, shown, n, cmap=colours, norm=norm)
    mask_contour(axes, exclusion_mask, n)
    bar = colour_bar(figure, axes, image, label, _extend(shown, norm))
    if scale:
        ticks = scale.ticks(whole)
        bar.set_ticks(ticks, labels=tick_texts(ticks))
        bar.minorticks_off()
    axes.set_title(title, fontsize=10, loc="left")
    handles = [mask_line(), *([no_data()] if np.isnan(shown).any() else [])]
    _legend(axes, handles)
    return axes


def norm_of(scale):
    """Return a scale as matplotlib has it."""
    if scale.low == scale.high:
        return Normalize(scale.low - (abs(scale.low) or 1), scale.high + (abs(scale.high) or 1))
    if scale.stretch == "linear":
        return Normalize(scale.low, scale.high)
    return FuncNorm((scale.stretched, scale.unstretched), scale.low, scale.high)


def scan(dataset, along, keys, rows):
    """Return the figure of excluded fraction, off-source width and overlap of masks over the values of a scan.

    Parameters
    ----------
    dataset : str
    along : str
        Key whose values stand on the axis.
    keys : list of str
        All keys of the scan.
    rows : list of dict
        Of `skymask.config.scan.compare`; that with the settings of the dataset itself is marked.
    """
    lines = {}
    for row in rows:
        lines.setdefault(tuple((key, row[key]) for key in keys if key != along), []).append(row)
    ticks = list(dict.fromkeys(row[along] for row in rows))
    quantities = (
        ("excluded_fraction", "Excluded fraction"),
        ("off_source_width", "Off-source width [σ]"),
        (f"overlap_{along}", f"Overlap of the mask with those\nof the values beside ({along})"),
    )
    figure = Figure(figsize=(7.2, 7.6 + 0.22 * len(lines)), layout="constrained")
    panels = figure.subplots(3, 1, sharex=True)
    colours = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9", "black", GREY)
    styles = ("-", "--", ":", "-.")
    for number, (others, line) in enumerate(lines.items()):
        colour, style = colours[number % len(colours)], styles[number // len(colours) % len(styles)]
        label = ", ".join(f"{key} {text}" for key, text in others) or "all"
        # Several lines may lie on each other: they stand a little apart.
        x = [ticks.index(row[along]) + 0.04 * (number - (len(lines) - 1) / 2) / max(1, len(lines) / 4) for row in line]
        for axes, (key, _) in zip(panels, quantities, strict=True):
            y = [np.nan if row[key] is None else float(row[key]) for row in line]
            axes.plot(x, y, style, marker="o", markersize=4, linewidth=1.2, color=colour, label=label)
            for state, marker, size in (("cycle", "x", 9), ("runaway", "^", 9), ("max_iterations", "s", 9)):
                place = [k for k, row in enumerate(line) if row["state"] == state]
                points = [x[k] for k in place], [y[k] for k in place]
                axes.plot(*points, marker, markersize=size, markerfacecolor="none", markeredgecolor="black")
            place = [k for k, row in enumerate(line) if row["own"]]
            axes.plot([x[k] for k in place], [y[k] for k in place], "o", markersize=13, mfc="none", mec="black")
    for axes, (key, label) in zip(panels, quantities, strict=True):
        axes.set_ylabel(label, **_STYLE)
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.3)
        if key == "off_source_width":
            axes.axhline(1, color="black", linewidth=0.8, linestyle="--")
    panels[-1].set_xticks(range(len(ticks)), ticks)
    panels[-1].set_xlabel(along, **_STYLE)
    panels[-1].set_ylim(top=1.03)
    figure.suptitle(f"{dataset}: what the mask depends on", fontsize=10)
    handles = panels[0].get_legend_handles_labels()[0] if len(lines) > 1 else []
    figure.legend(
        handles=[*handles, *_scan_marks(rows)], fontsize=7.5, loc="outside lower center", ncols=2, frameon=False
    )
    return figure


def _scan_marks(rows):
    """What the marks of a scan mean, in a legend."""
    black = {"color": "none", "markerfacecolor": "none", "markeredgecolor": "black"}
    handles = [Line2D([], [], marker="o", markersize=10, label="settings of the dataset", **black)]
    for state, marker in (("cycle", "x"), ("runaway", "^"), ("max_iterations", "s")):
        if any(row["state"] == state for row in rows):
            handles.append(Line2D([], [], marker=marker, label=f"ended as {state.replace('_', ' ')}", **black))
    return handles


def save(figure, path, settings):
    """Write a figure as PNG, in one piece and without a date."""
    with written_whole(path) as temporary:
        figure.savefig(temporary, format="png", dpi=settings["dpi"], metadata={"Software": None})


def mask_line():
    """Return what stands for the exclusion mask in a legend."""
    return Line2D([], [], color="black", linewidth=1.0, label="exclusion mask")


def no_data():
    """Return what stands for pixels without a value in a legend."""
    return Patch(**NO_DATA, label="no data")


def block_of(shape):
    """Return of how many pixels a side one is shown of a map."""
    return -(-max(shape) // MAX_SIDE)


def show(axes, shown, n, **look):
    """Show an image whose pixels stand for n x n of a map on axes in the map's pixels, and return it."""
    edges = (-0.5, n * shown.shape[1] - 0.5, -0.5, n * shown.shape[0] - 0.5)
    limits = axes.get_xlim(), axes.get_ylim()
    image = axes.imshow(shown, origin="lower", extent=edges, interpolation="nearest", **look)
    axes.set(xlim=limits[0], ylim=limits[1])
    return image


def sky_axes(figure, place, header, shape):
    """Return axes in the pixels of a map, with ticks of its sky coordinates; `place` as for `map_panel`."""
    axes = figure.add_subplot(*(place if isinstance(place, tuple) else (place,)))
    axes.set(xlim=(-0.5, shape[1] - 0.5), ylim=(-0.5, shape[0] - 0.5), aspect="equal")
    width, height = _panel_size(axes, shape)
    below, left = sky_ticks(header, shape, (max(1, int(width / 0.65)), max(2, int(height / 0.5))))
    axes.set_xticks(below.positions, labels=below.labels)
    axes.set_yticks(left.positions, labels=left.labels)
    axes.set_xlabel(below.name, **_STYLE)
    axes.set_ylabel(left.name, **_STYLE)
    axes.tick_params(labelsize=8)
    axes.patch.set(**NO_DATA)
    return axes


def colour_bar(figure, axes, image, label, extend="neither"):
    """Return a colour bar beside a panel, as high as it and labelled in the size of its axes."""
    place = axes.inset_axes((1.02, 0, 0.04, 1))
    bar = figure.colorbar(image, cax=place, extend=extend)
    # A label longer than the panel would take the panel's room.
    _, height = _panel_size(axes, (np.ptp(axes.get_ylim()), np.ptp(axes.get_xlim())))
    room = max(12, int(height / CHARACTER))
    parts = label.replace(" (", "\n(").split("\n") if len(label) > room else [label]
    bar.set_label("\n".join(fill(part, room, break_on_hyphens=False) for part in parts), **_STYLE)
    bar.ax.tick_params(labelsize=8)
    return bar


def mask_contour(axes, exclusion_mask, n=1):
    """Draw the border of the exclusion mask: dark, with light edges that keep it visible on any colour."""
    mask = in_blocks(exclusion_mask, n, "min")
    if mask.any() and not mask.all():
        y, x = (n * np.arange(size) + (n - 1) / 2 for size in mask.shape)
        contour = axes.contour(x, y, mask.astype(float), levels=[0.5], colors="black", linewidths=1.0)
        contour.set_path_effects([Stroke(linewidth=2.4, foreground="white"), Normal()])


def _panel_size(axes, shape):
    """About the width and height of the image of a map in a panel, in inches."""
    rows, columns = axes.get_gridspec().get_geometry()
    width, height = axes.figure.get_size_inches()
    width, height = max(width / columns - AROUND[0], 0.5), max(height / rows - AROUND[1], 0.5)
    return min(width, height * shape[1] / shape[0]), min(height, width * shape[0] / shape[1])


def _legend(axes, handles):
    """A legend above the panel beside its title, or below if it is longer: it hides nothing."""
    place = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderaxespad": 0.2}
    if len(handles) > 1 and axes.get_title(loc="left"):
        below = axes.transAxes + ScaledTranslation(0, -38 / 72, axes.figure.dpi_scale_trans)
        place = {"loc": "upper right", "bbox_to_anchor": (1, 0), "bbox_transform": below, "borderaxespad": 0}
    axes.legend(handles=handles, fontsize=7.5, frameon=False, ncols=len(handles), **place)


def _extend(data, norm):
    """On which ends values lie beyond the colour scale."""
    below, above = bool((data < norm.vmin).any()), bool((data > norm.vmax).any())
    return {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[below, above]
