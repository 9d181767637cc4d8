"""Figures of maps on the sky and of the loop, in colours that colour-blind people can tell apart."""

import numpy as np
from astropy import units
from astropy.visualization.wcsaxes import WCSAxes  # noqa: F401 - registers the projection of sky maps
from astropy.visualization.wcsaxes.frame import EllipticalFrame, RectangularFrame
from matplotlib import colormaps
from matplotlib.colorbar import make_axes
from matplotlib.colors import AsinhNorm, BoundaryNorm, LinearSegmentedColormap, Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import Normal, Stroke
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox

from skymask.core import convolution
from skymask.core.exclusion import first_exclusion
from skymask.io.atomic import written_whole
from skymask.products.summary import state_text
from skymask.products.viewer import background_limits
from skymask.registry import MAPS
from skymask.sky.geometry import frame_name, sky_projection

#: Colours that remain apart for colour-blind readers (Okabe & Ito 2008).
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#8A8A8A"

#: What has no data on a map of the sky.
NO_DATA = "#D0D0D0"

#: What a colour bar says of the stretch of its scale.
_STRETCHES = {"linear": "", "sqrt": " (square-root scale)", "log": " (logarithmic scale)"}

_AXES = {"GLON": "Galactic longitude", "GLAT": "Galactic latitude", "RA": "Right ascension", "DEC": "Declination"}

_STYLE = {"fontsize": 9}


def sky_map(name, data, header, exclusion_mask, *, significance_limits=(-5, 15)):
    """Return the figure of a map with the contour of the exclusion mask.

    Parameters
    ----------
    name : str
        Of `skymask.registry.FIGURES`.
    data : ndarray, shape (ny, nx)
        NaN is left blank.
    header : Header
        Of the product: sky coordinates and the dataset's name.
    exclusion_mask : ndarray of bool, shape (ny, nx)
        True where the pixel is used.
    significance_limits : (float, float)
        Ends of the colour scale of significances.
    """
    figure = _sky_figure(data.shape)
    title = f"{header['DATASET']}: {name}"
    map_panel(figure, 111, name, data, header, exclusion_mask, title=title, significance_limits=significance_limits)
    return figure


def thumbnail(significance, exclusion_mask, *, significance_limits=(-5, 15)):
    """Return the figure of a significance map in a few pixels, without axes, for a table of datasets.

    Parameters
    ----------
    significance : ndarray of float, shape (ny, nx)
    exclusion_mask : ndarray of bool, shape (ny, nx)
        True where the pixel is used.
    significance_limits : (float, float)
        Ends of the colour scale.
    """
    figure = Figure(figsize=(1.6, 1.6 * np.clip(significance.shape[0] / significance.shape[1], 0.3, 1)))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    norm = _norm("significance", significance, significance_limits)
    axes.imshow(significance, origin="lower", cmap=_white_at_zero(norm), norm=norm, interpolation="antialiased")
    _mask_contour(axes, exclusion_mask)
    return figure


def sky_maps(images, header, exclusion_mask, *, significance_limits=(-5, 15)):
    """Return the figure of maps of the whole sky or of a large part of it, one above the other, with a graticule.

    Parameters
    ----------
    images : dict of str to ndarray, shape (ny, nx)
        By their names, as for `sky_map`; NaN, where there is no data, is grey.
    header : Header
        Of `skymask.sky.healpix.picture_grid`: projections AIT (the whole sky) or ZEA (a part of it).
    exclusion_mask, significance_limits
        As for `sky_map`.
    """
    aspect = exclusion_mask.shape[0] / exclusion_mask.shape[1]
    whole = header["CTYPE1"].endswith("AIT")
    width = 9 if whole else 7.2
    figure = Figure(figsize=(width, len(images) * (0.9 + 0.8 * width * aspect)), layout="constrained")
    for number, (name, image) in enumerate(images.items(), start=1):
        coordinates = f", {frame_name(header)} coordinates" if whole else ""
        title = f"{header['DATASET']}: {name}{coordinates}"
        place = (len(images), 1, number)
        axes = map_panel(
            figure,
            place,
            name,
            image,
            header,
            exclusion_mask,
            title=title,
            significance_limits=significance_limits,
            frame_class=EllipticalFrame if whole else RectangularFrame,
        )
        axes.set_facecolor(NO_DATA)
        _graticule(axes, whole)
        no_data = Patch(facecolor=NO_DATA, edgecolor="#808080", linewidth=0.5, label="no data")
        _legend(axes, [mask_line(), no_data])
    return figure


def _graticule(axes, whole):
    """Lines of longitude and latitude; on the whole sky every 60 and 30 degrees, longitudes told along the equator."""
    axes.coords.grid(color="black", alpha=0.35, linewidth=0.6, linestyle=":")
    if not whole:
        return
    longitude, latitude = axes.coords
    longitude.set_ticks(np.arange(-120, 180, 60) * units.deg)
    latitude.set_ticks(np.arange(-60, 90, 30) * units.deg)
    longitude.set_ticklabel_position("h")
    longitude.set_major_formatter("d")
    longitude.set_ticklabel(size=8, path_effects=[Stroke(linewidth=2.5, foreground="white"), Normal()])
    for coordinate in axes.coords:
        coordinate.set_axislabel("")
        coordinate.set_ticks_visible(False)
    latitude.set_ticklabel_visible(False)
    # Along the rim astropy finds no place for them.
    for degrees in range(-60, 90, 30):
        axes.text(
            179.9, degrees, f"{degrees}°  ", size=8, ha="right", va="center", transform=axes.get_transform("world")
        )


def map_panel(
    figure,
    place,
    name,
    data,
    header,
    exclusion_mask,
    *,
    title,
    significance_limits=(-5, 15),
    stretch="sqrt",
    frame_class=RectangularFrame,
):
    """Draw a map with the contour of the exclusion mask into a figure, and return its axes.

    Parameters
    ----------
    figure : Figure
    place : int or (int, int, int)
        Where in the figure, as for `Figure.add_subplot`.
    name, data, header, exclusion_mask, significance_limits
        As for `sky_map`.
    title : str
    stretch : {"linear", "sqrt", "log"}
        Of the colour scale of counts.
    frame_class : type
        Outline of the panel, of `astropy.visualization.wcsaxes`.
    """
    look = look_of(name, data, significance_limits=significance_limits, stretch=stretch)
    return image_panel(figure, place, data, header, exclusion_mask, title=title, **look, frame_class=frame_class)


def look_of(name, data, *, significance_limits=(-5, 15), stretch="sqrt"):
    """Return colours, colour scale and label of a map, by the names that `image_panel` has for them.

    The parameters are those of `map_panel`.
    """
    colours, label = MAPS[name].look[:2]
    norm = _norm(name, data, significance_limits, stretch)
    if name == "counts":
        label += _STRETCHES[stretch]
    if colours == "signed":
        colours = _white_at_zero(norm)
    return {"colours": colours, "label": label, "norm": norm}


def image_panel(
    figure,
    place,
    data,
    header,
    exclusion_mask,
    *,
    title,
    label,
    colours,
    norm,
    frame_class=RectangularFrame,
):
    """Draw any image with the contour of the exclusion mask into a figure, and return its axes.

    Parameters
    ----------
    figure, place, header, exclusion_mask, title, frame_class
        As for `map_panel`.
    data : ndarray, shape (ny, nx)
        NaN is left blank.
    label : str
        Of the colour bar, with the unit.
    colours : str or Colormap
    norm : matplotlib.colors.Normalize
        The colour scale.
    """
    axes = _sky_axes(figure, place, header, frame_class)
    image = axes.imshow(data, origin="lower", cmap=colours, norm=norm, interpolation="nearest")
    _mask_contour(axes, exclusion_mask)
    _colour_bar(figure, axes, image, label, extend=_extend(data, norm))
    axes.set_title(title, fontsize=10, loc="left")
    _legend(axes, [mask_line()])
    return axes


def mask_growth(masks, final_mask, header):
    """Return the figure of the iteration at which every pixel of the final mask was first excluded.

    Parameters
    ----------
    masks : sequence of ndarray of bool, shape (ny, nx)
        Masks of iterations 0, 1, ...: True where the pixel is used.
    final_mask : ndarray of bool, shape (ny, nx)
    header : Header
    """
    first = first_exclusion(masks)
    released = ~np.isnan(first) & final_mask
    figure = _sky_figure(final_mask.shape)
    axes = _sky_axes(figure, 111, header)
    axes.imshow(
        np.where(released, 1.0, np.nan), origin="lower", cmap="Greys", vmin=0, vmax=2.5, interpolation="nearest"
    )
    begin = int(np.nanmin(first)) if not np.isnan(first).all() else 0
    edges = np.arange(begin, len(masks) + 1) - 0.5
    image = axes.imshow(
        np.where(final_mask, np.nan, first),
        origin="lower",
        cmap="viridis",
        norm=BoundaryNorm(edges, 256),
        interpolation="nearest",
    )
    label = "Iteration of first exclusion" + (" (0: user)" if begin == 0 else "")
    bar = _colour_bar(figure, axes, image, label)
    bar.set_ticks(np.unique(np.linspace(begin, len(masks) - 1, 11).astype(int)))
    bar.minorticks_off()
    _mask_contour(axes, final_mask)
    axes.set_title(f"{header['DATASET']}: growth of the mask", fontsize=10, loc="left")
    handles = [mask_line()]
    if released.any():
        handles.append(Line2D([], [], marker="s", color="none", markerfacecolor="#C0C0C0", label="released again"))
    _legend(axes, handles)
    return figure


def ring_radius(radius, coverage, exclusion_mask, header):
    """Return the figure of the outer radius of the adaptive ring at every pixel.

    Parameters
    ----------
    radius : ndarray of float, shape (ny, nx)
        In degrees, NaN where no ring sufficed or without coverage.
    coverage, exclusion_mask : ndarray of bool, shape (ny, nx)
        True where there is data, and where the pixel is used.
    header : Header
    """
    figure = _sky_figure(radius.shape)
    axes = _sky_axes(figure, 111, header)
    radii = np.unique(radius[np.isfinite(radius)])
    handles = [mask_line()]
    if radii.size:
        half_steps = np.diff(radii) / 2 if radii.size > 1 else np.full(1, 0.05 * radii[0])
        edges = [radii[0] - half_steps[0], *(radii[:-1] + half_steps[: radii.size - 1]), radii[-1] + half_steps[-1]]
        norm = BoundaryNorm(edges, 256)
        image = axes.imshow(radius, origin="lower", cmap="viridis", norm=norm, interpolation="nearest")
        bar = _colour_bar(figure, axes, image, "Outer radius of the ring [deg]")
        bar.set_ticks(radii[:: -(-radii.size // 12)], labels=[f"{r:.3g}" for r in radii[:: -(-radii.size // 12)]])
        bar.minorticks_off()
    if (without := coverage & np.isnan(radius)).any():
        colour = LinearSegmentedColormap.from_list("without ring", [ORANGE, ORANGE])
        axes.imshow(np.where(without, 1.0, np.nan), origin="lower", cmap=colour, interpolation="nearest")
        handles.append(Line2D([], [], marker="s", color="none", markerfacecolor=ORANGE, label="no ring sufficed"))
    _mask_contour(axes, exclusion_mask)
    axes.set_title(f"{header['DATASET']}: radius of the adaptive ring", fontsize=10, loc="left")
    _legend(axes, handles)
    return figure


def convergence(dataset, rows, period):
    """Return the figure of excluded and changed pixels, highest significance and mean background by iteration.

    Parameters
    ----------
    dataset : str
    rows : list of dict
        Of `skymask.products.products.read_convergence_table`.
    period : int
        Period of the final masks, 1 for a fixed point.
    """
    iterations = [row["iteration"] for row in rows]
    figure = Figure(figsize=(7.2, 5.0), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True).ravel()
    quantities = (
        ("excluded", "Excluded pixels", BLUE),
        ("changed", "Changed pixels", ORANGE),
        ("highest_significance", "Highest significance [σ]", GREEN),
        ("mean_background", "Mean background\n[counts per pixel]", "black"),
    )
    for axes, (key, label, colour) in zip(panels, quantities, strict=True):
        values = [np.nan if row[key] is None else row[key] for row in rows]
        axes.plot(iterations, values, "o-", color=colour, markersize=4, linewidth=1.2)
        axes.set_ylabel(label, **_STYLE)
        axes.tick_params(labelsize=8)
        axes.ticklabel_format(axis="y", useOffset=False)
        axes.grid(alpha=0.3)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    panels[0].yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    panels[1].set_yscale("symlog", linthresh=1)
    panels[1].set_ylim(bottom=-0.2)
    for axes in panels[2:]:
        axes.set_xlabel("Iteration", **_STYLE)
    figure.suptitle(
        f"{dataset}: {state_text(rows[-1]['state'], period)} after {int(iterations[-1])} iterations", fontsize=10
    )
    return figure


def off_source(dataset, significance, exclusion_mask, quality, threshold):
    """Return the figure of the significance distribution of the used pixels, with its fit and with N(0, 1).

    Parameters
    ----------
    dataset : str
    significance : ndarray of float, shape (ny, nx)
    exclusion_mask : ndarray of bool, shape (ny, nx)
        True where the pixel is used.
    quality : dict
        Of `quality.assess_quality`; with the errors of `skymask.loop.null_simulations.summarize`, if known.
    threshold : float
        Where the distribution was cut for its fit.
    """
    everything = significance[np.isfinite(significance)]
    used = significance[np.isfinite(significance) & exclusion_mask]
    figure = Figure(figsize=(5.6, 4.2), layout="constrained")
    axes = figure.subplots()
    low = min(-5.0, np.floor(everything.min(initial=0.0)))
    in_force = quality["effective_threshold"]
    high = max(in_force + 1, 6.0, min(15.0, np.ceil(everything.max(initial=0.0))))
    edges = np.arange(low, high + 0.125, 0.25)
    grid = np.linspace(low, high, 400)
    beyond = np.count_nonzero(everything > high)
    label = f"all pixels ({beyond} beyond {high:g})" if beyond else "all pixels"
    axes.hist(everything, edges, histtype="stepfilled", color="#D9D9D9", label=label)
    axes.hist(used, edges, histtype="step", color=BLUE, linewidth=1.6, label="used for the background")
    scale = used.size * 0.25 / np.sqrt(2 * np.pi)
    if used.size:
        expected_mean, expected_width, label = expected(quality)
        curve = scale / expected_width * np.exp(-0.5 * ((grid - expected_mean) / expected_width) ** 2)
        axes.plot(grid, curve, "--", color="black", linewidth=1.2, label=label)
    mean, width = quality["off_source_mean"], quality["off_source_width"]
    if mean is not None:
        below = grid[grid <= threshold]
        mean_text, width_text = (_with_error(quality, key) for key in ("off_source_mean", "off_source_width"))
        label = f"fit below {threshold:g}:\nmean {mean_text}, width {width_text}"
        fit = scale / width * np.exp(-0.5 * ((below - mean) / width) ** 2)
        axes.plot(below, fit, color=ORANGE, linewidth=1.6, label=label)
    axes.axvline(in_force, color=GREY, linestyle=":", label=f"threshold {in_force:.4g}")
    axes.set_ylim(0.5, max(10.0, 4 * np.histogram(everything, edges)[0].max(initial=1)))
    axes.set_yscale("log")
    axes.set_xlim(low, high)
    axes.set_xlabel("Significance [σ]", **_STYLE)
    axes.set_ylabel("Pixels per 0.25 σ", **_STYLE)
    axes.tick_params(labelsize=8)
    axes.set_title(f"{dataset}: off-source significance", fontsize=10)
    figure.legend(fontsize=7.5, loc="outside lower center", ncols=2, frameon=False)
    return figure


def expected(quality):
    """Return mean and width that the off-source distribution has without sources, and a label for the curve.

    They are those of null simulations where there are any, and 0 and 1 else.
    """
    mean, width = quality.get("null_off_source_mean"), quality.get("null_off_source_width")
    if width is None:
        return 0.0, 1.0, "expected N(0, 1)"
    return mean, width, f"expected (simulations):\nmean {mean:.3f}, width {width:.3f}"


def _with_error(quality, key):
    """A quality figure with its error, if that is known."""
    error = quality.get(f"{key}_error")
    return f"{quality[key]:.3f}" if error is None else f"{quality[key]:.3f} ± {error:.3f}"


def truth(background, error, expected_background, expected_sources, exclusion_mask, header, source_kernel):
    """Return the figure of an estimated background and mask against the truth of a simulation.

    All arrays have the shape (ny, nx). The true sources are outlined where their expected counts under the source
    kernel equal the standard deviation of the background there.
    """
    deviation = np.full(background.shape, np.nan)
    np.divide(background - expected_background, expected_background, out=deviation, where=expected_background > 0)
    pull = np.full(background.shape, np.nan)
    np.divide(background - expected_background, error, out=pull, where=error > 0)
    figure = Figure(figsize=(10.4, 4.2), layout="constrained")
    grid = figure.add_gridspec(1, 2, width_ratios=(1.6, 1))
    axes = _sky_axes(figure, grid[0], header)
    limit = 100 * max(0.01, float(np.nanpercentile(np.abs(deviation), 99.5)) if np.isfinite(deviation).any() else 0.01)
    image = axes.imshow(100 * deviation, origin="lower", cmap="PuOr", vmin=-limit, vmax=limit, interpolation="nearest")
    _colour_bar(figure, axes, image, "Background, estimated over true, minus 1 [%]", extend="both")
    _mask_contour(axes, exclusion_mask)
    signal = convolution.convolve(expected_sources, source_kernel)
    noise = np.sqrt(np.maximum(convolution.convolve(expected_background, source_kernel), 0))
    if (signal > noise).any():
        axes.contour(signal - noise, levels=[0], colors=GREEN, linewidths=1.4)
    figure.suptitle(f"{header['DATASET']}: background and mask against the truth", fontsize=10)
    _legend(axes, [mask_line(), Line2D([], [], color=GREEN, label="true excess of 1 σ")])

    right = figure.add_subplot(grid[1])
    edges = np.linspace(-5, 5, 51)
    for mask, colour, label in ((exclusion_mask, BLUE, "used pixels"), (~exclusion_mask, ORANGE, "excluded pixels")):
        values = pull[mask & np.isfinite(pull)]
        if values.size:
            label = f"{label}: mean {values.mean():+.2f}, std {values.std():.2f}"
            right.hist(values, edges, histtype="step", density=True, color=colour, linewidth=1.6, label=label)
    centre = np.linspace(-5, 5, 300)
    right.plot(
        centre, np.exp(-0.5 * centre**2) / np.sqrt(2 * np.pi), "--", color="black", linewidth=1.2, label="N(0, 1)"
    )
    right.set_xlabel("(Estimated - true background) / error", **_STYLE)
    right.set_ylabel("Probability density", **_STYLE)
    right.set_ylim(0, right.get_ylim()[1] * 1.35)
    right.tick_params(labelsize=8)
    right.legend(fontsize=7.5, loc="upper right", frameon=False)
    right.set_title("Pull (neighbouring pixels share off counts)", fontsize=9)
    return figure


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


def _sky_figure(shape):
    """A figure shaped like the map that it is for."""
    aspect = np.clip(shape[0] / shape[1], 0.3, 2.0)
    return Figure(figsize=(7.2, 1.2 + 5.0 * aspect), layout="constrained")


def _sky_axes(figure, place, header, frame_class=RectangularFrame):
    """A panel in sky coordinates, its axes labelled."""
    where = place if isinstance(place, tuple) else (place,)
    axes = figure.add_subplot(*where, projection=sky_projection(header), frame_class=frame_class)
    longitude = axes.wcs.wcs.lng
    along_x = np.argmax(abs(axes.wcs.pixel_scale_matrix[longitude])) == 0
    for number, (coordinate, ctype) in enumerate(zip(axes.coords, axes.wcs.wcs.ctype, strict=True)):
        name = ctype.split("-")[0]
        coordinate.set_axislabel(_AXES.get(name, name), **_STYLE)
        coordinate.set_ticklabel(size=8, exclude_overlapping=True)
        if frame_class is EllipticalFrame:
            continue
        # Left to itself, astropy labels the upper edge of curved planes, where the title and the legend are.
        side = "b" if (number == longitude) == along_x else "l"
        coordinate.set_ticklabel_position(side)
        coordinate.set_axislabel_position(side)
        if name in ("GLON", "GLAT"):
            coordinate.set_major_formatter("d.d")
    axes.set_facecolor("#F2F2F2")
    return axes


def _colour_bar(figure, axes, image, label, extend="neither"):
    """A colour bar beside a panel, as high as it and labelled in the size of its axes."""
    place, options = make_axes(axes, pad=0.02)
    place.set_box_aspect(None)

    def beside_panel(_, __):
        # The panel keeps the shape of the map and so is smaller than the room that the layout gives it.
        panel = axes.get_position()
        thickness = 0.05 * min(panel.width, panel.height)
        return Bbox.from_extents(panel.x1 + 0.01, panel.y0, panel.x1 + 0.01 + thickness, panel.y1)

    place.set_axes_locator(beside_panel)
    bar = figure.colorbar(image, cax=place, extend=extend, **options)
    bar.set_label(label, **_STYLE)
    bar.ax.tick_params(labelsize=8)
    return bar


def _mask_contour(axes, exclusion_mask):
    """The border of the exclusion mask: dark, with light edges that keep it visible on any colour."""
    if exclusion_mask.any() and not exclusion_mask.all():
        contour = axes.contour(exclusion_mask.astype(float), levels=[0.5], colors="black", linewidths=1.0)
        contour.set_path_effects([Stroke(linewidth=2.4, foreground="white"), Normal()])


def mask_line():
    """Return what stands for the exclusion mask in a legend."""
    return Line2D([], [], color="black", linewidth=1.0, label="exclusion mask")


def _legend(axes, handles):
    """A legend above the panel, where it hides nothing."""
    place = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderaxespad": 0.2}
    axes.legend(handles=handles, fontsize=7.5, frameon=False, ncols=len(handles), **place)


def _extend(data, norm):
    """On which ends values lie beyond the colour scale."""
    below, above = bool((data < norm.vmin).any()), bool((data > norm.vmax).any())
    return {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[below, above]


def _white_at_zero(norm):
    """The part of a diverging colour map that a scale shows, with white at zero and equal steps on both sides."""
    limit = max(abs(norm.vmin), abs(norm.vmax))
    part = np.linspace(0.5 + 0.5 * norm.vmin / limit, 0.5 + 0.5 * norm.vmax / limit, 256)
    return LinearSegmentedColormap.from_list("white at zero", colormaps["RdBu_r"](part))


def _norm(name, data, significance_limits, stretch="sqrt"):
    """The colour scale of a map: white at zero for signed maps, the faint end stretched for counts."""
    finite = data[np.isfinite(data)]
    if name == "significance":
        return Normalize(*significance_limits)
    if name == "excess":
        limit = max(1e-6, float(np.percentile(np.abs(finite), 99.5)) if finite.size else 1.0)
        return Normalize(-limit, limit)
    if name == "counts":
        high = max(1.0, float(np.percentile(finite, 99.9)) if finite.size else 1.0)
        # Linear below one count, where there is no logarithm of nothing.
        stretches = {"linear": Normalize(0, high), "sqrt": PowerNorm(0.5, 0, high), "log": AsinhNorm(1, 0, high)}
        return stretches[stretch]
    if name == "background" and (limits := background_limits(finite)):
        return Normalize(*limits)
    return Normalize(0, max(1e-6, float(finite.max(initial=0.0))))
