"""Figures of maps on the sky and of the loop, in colours that colour-blind people can tell apart."""

import numpy as np
from astropy.visualization.wcsaxes import WCSAxes  # noqa: F401 - registers the projection of sky maps
from matplotlib.colors import BoundaryNorm, Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from skymask import sums
from skymask.files import written_whole
from skymask.geometry import sky_projection
from skymask.summary import state_text

#: Colours that remain apart for colour-blind readers (Okabe & Ito 2008).
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#8A8A8A"

#: Colour map and colour-bar label of every map.
_MAPS = {
    "counts": ("cividis", "Counts per pixel"),
    "background": ("cividis", "Background counts per pixel"),
    "significance": ("RdBu_r", "Significance [σ]"),
    "excess": ("RdBu_r", "Excess counts under the source kernel"),
}

_AXES = {"GLON": "Galactic longitude", "GLAT": "Galactic latitude", "RA": "Right ascension", "DEC": "Declination"}

_STYLE = {"fontsize": 9}


def sky_map(name, data, header, exclusion_mask, *, significance_limits=(-5, 15)):
    """Return the figure of a map with the contour of the exclusion mask.

    Parameters
    ----------
    name : {"counts", "background", "significance", "excess"}
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


def map_panel(figure, place, name, data, header, exclusion_mask, *, title, significance_limits=(-5, 15)):
    """Draw a map with the contour of the exclusion mask into a figure.

    Parameters
    ----------
    figure : Figure
    place : int or (int, int, int)
        Where in the figure, as for `Figure.add_subplot`.
    name, data, header, exclusion_mask, significance_limits
        As for `sky_map`.
    title : str
    """
    colours, label = _MAPS[name]
    norm = _norm(name, data, significance_limits)
    axes = _sky_axes(figure, place, header)
    image = axes.imshow(data, origin="lower", cmap=colours, norm=norm, interpolation="nearest")
    line = "black" if colours == "RdBu_r" else "white"
    _mask_contour(axes, exclusion_mask, line)
    bar = figure.colorbar(image, ax=axes, label=label, shrink=0.9, pad=0.02)
    bar.ax.tick_params(labelsize=8)
    if name == "significance":
        bar.ax.set_ylim(*significance_limits)
    axes.set_title(title, fontsize=10)
    _legend(axes, [Line2D([], [], color=line if line == "black" else GREY, label="exclusion mask")])


def mask_growth(masks, final_mask, header):
    """Return the figure of the iteration at which every pixel of the final mask was first excluded.

    Parameters
    ----------
    masks : sequence of ndarray of bool, shape (ny, nx)
        Masks of iterations 0, 1, ...: True where the pixel is used.
    final_mask : ndarray of bool, shape (ny, nx)
    header : Header
    """
    first = np.full(final_mask.shape, np.nan)
    for iteration in reversed(range(len(masks))):
        first[~masks[iteration]] = iteration
    released = ~np.isnan(first) & final_mask
    figure = _sky_figure(final_mask.shape)
    axes = _sky_axes(figure, 111, header)
    axes.imshow(
        np.where(released, 1.0, np.nan), origin="lower", cmap="Greys", vmin=0, vmax=2.5, interpolation="nearest"
    )
    edges = np.arange(len(masks) + 1) - 0.5
    image = axes.imshow(
        np.where(final_mask, np.nan, first),
        origin="lower",
        cmap="viridis",
        norm=BoundaryNorm(edges, 256),
        interpolation="nearest",
    )
    bar = figure.colorbar(image, ax=axes, label="Iteration of first exclusion (0: user)", shrink=0.9, pad=0.02)
    bar.set_ticks(np.unique(np.linspace(0, len(masks) - 1, min(len(masks), 11)).astype(int)))
    bar.minorticks_off()
    _mask_contour(axes, final_mask, "black")
    axes.set_title(f"{header['DATASET']}: growth of the exclusion mask", fontsize=10)
    handles = [Line2D([], [], color="black", label="final exclusion mask")]
    if released.any():
        handles.append(Line2D([], [], marker="s", color="none", markerfacecolor="#C0C0C0", label="released again"))
    _legend(axes, handles)
    return figure


def convergence(dataset, rows, period):
    """Return the figure of excluded and changed pixels, highest significance and mean background by iteration.

    Parameters
    ----------
    dataset : str
    rows : list of dict
        Of `skymask.products.read_convergence_table`.
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
        Of `skymask.quality.assess_quality`.
    threshold : float
    """
    everything = significance[np.isfinite(significance)]
    used = significance[np.isfinite(significance) & exclusion_mask]
    figure = Figure(figsize=(5.6, 4.2), layout="constrained")
    axes = figure.subplots()
    low = min(-5.0, np.floor(everything.min(initial=0.0)))
    high = max(threshold + 1, 6.0, min(15.0, np.ceil(everything.max(initial=0.0))))
    edges = np.arange(low, high + 0.125, 0.25)
    grid = np.linspace(low, high, 400)
    axes.hist(everything, edges, histtype="stepfilled", color="#D9D9D9", label="all pixels")
    axes.hist(used, edges, histtype="step", color=BLUE, linewidth=1.6, label="used for the background")
    scale = used.size * 0.25 / np.sqrt(2 * np.pi)
    if used.size:
        axes.plot(grid, scale * np.exp(-0.5 * grid**2), "--", color="black", linewidth=1.2, label="expected N(0, 1)")
    mean, width = quality["off_source_mean"], quality["off_source_width"]
    if mean is not None:
        below = grid[grid <= threshold]
        label = f"fit below threshold: mean {mean:.3f}, width {width:.3f}"
        fit = scale / width * np.exp(-0.5 * ((below - mean) / width) ** 2)
        axes.plot(below, fit, color=ORANGE, linewidth=1.6, label=label)
    axes.axvline(threshold, color=GREY, linestyle=":", label=f"threshold {threshold:g}")
    axes.set_yscale("log")
    axes.set_ylim(0.5, max(10.0, 4 * np.histogram(everything, edges)[0].max(initial=1)))
    axes.set_xlim(low, high)
    axes.set_xlabel("Significance [σ]", **_STYLE)
    axes.set_ylabel("Pixels per 0.25 σ", **_STYLE)
    axes.tick_params(labelsize=8)
    axes.legend(fontsize=7.5, loc="upper right", frameon=False)
    axes.set_title(f"{dataset}: off-source significance", fontsize=10)
    return figure


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
    figure.colorbar(image, ax=axes, label="Background, estimated over true, minus 1 [%]", extend="both", shrink=0.85)
    _mask_contour(axes, exclusion_mask, "black")
    signal = sums.convolve(expected_sources, source_kernel)
    noise = np.sqrt(np.maximum(sums.convolve(expected_background, source_kernel), 0))
    if (signal > noise).any():
        axes.contour(signal - noise, levels=[0], colors=GREEN, linewidths=1.4)
    axes.set_title(f"{header['DATASET']}: background and mask against the truth", fontsize=10)
    handles = [
        Line2D([], [], color="black", label="exclusion mask"),
        Line2D([], [], color=GREEN, label=r"true sources (1 $\sigma$)"),
    ]
    _legend(axes, handles)

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
    right.set_title("Pull (neighbouring pixels share off counts)", fontsize=10)
    return figure


def save(figure, path, settings):
    """Write a figure as PNG, in one piece and without a date."""
    with written_whole(path) as temporary:
        figure.savefig(temporary, format="png", dpi=settings["dpi"], metadata={"Software": None})


def _sky_figure(shape):
    """A figure shaped like the map that it is for."""
    aspect = np.clip(shape[0] / shape[1], 0.3, 2.0)
    return Figure(figsize=(7.2, 1.2 + 5.0 * aspect), layout="constrained")


def _sky_axes(figure, place, header):
    """A panel in sky coordinates, its axes labelled."""
    where = place if isinstance(place, tuple) else (place,)
    axes = figure.add_subplot(*where, projection=sky_projection(header))
    for coordinate, ctype in zip(axes.coords, axes.wcs.wcs.ctype, strict=True):
        name = ctype.split("-")[0]
        coordinate.set_axislabel(_AXES.get(name, name), **_STYLE)
        coordinate.set_ticklabel(size=8, exclude_overlapping=True)
        if name in ("GLON", "GLAT"):
            coordinate.set_major_formatter("d.d")
    axes.set_facecolor("#F2F2F2")
    return axes


def _mask_contour(axes, exclusion_mask, colour):
    if exclusion_mask.any() and not exclusion_mask.all():
        axes.contour(exclusion_mask.astype(float), levels=[0.5], colors=colour, linewidths=0.9)


def _legend(axes, handles):
    axes.legend(handles=handles, fontsize=7.5, loc="upper right", framealpha=0.85)


def _norm(name, data, significance_limits):
    """The colour scale of a map: white at zero for signed maps, the faint end stretched for counts."""
    finite = data[np.isfinite(data)]
    if name == "significance":
        limit = max(abs(value) for value in significance_limits)
        return Normalize(-limit, limit)
    if name == "excess":
        limit = max(1e-6, float(np.percentile(np.abs(finite), 99.5)) if finite.size else 1.0)
        return Normalize(-limit, limit)
    if name == "counts":
        return PowerNorm(0.5, 0, max(1.0, float(np.percentile(finite, 99.9)) if finite.size else 1.0))
    return Normalize(0, max(1e-6, float(finite.max(initial=0.0))))
