"""The figures of the page, in colours that all eyes tell apart (Okabe & Ito 2008)."""

import itertools

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from validation import clip, convergence, coverage, injection, null, stacks
from validation.claims import mean_and_error, width_and_error

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def draw(results, folder):
    """Write one figure for every study that has one."""
    for study, figure in FIGURES.items():
        figure(results[study]).savefig(folder / f"{study}.png", dpi=150, metadata={"Software": None})


def panels(columns, *, height=3.6, zero="horizontal"):
    """Return a figure and its axes, side by side, each with a line at zero."""
    figure = Figure(figsize=(3.8 * columns, height), layout="constrained")
    return figure, [style(axes, zero) for axes in figure.subplots(1, columns, squeeze=False)[0]]


def style(axes, zero):
    """Return axes with ticks inside and small type."""
    axes.tick_params(direction="in", which="both", top=True, right=True, labelsize=8)
    line = {"horizontal": axes.axhline, "vertical": axes.axvline}[zero]
    line(0, color="#999999", linewidth=0.7, zorder=0)
    return axes


def points(axes, x, values, errors, number, label, **options):
    """Draw points with errors in the colour and marker of a number."""
    options = {"linestyle": "none", "markersize": 4, "capsize": 2, "linewidth": 1} | options
    axes.errorbar(x, values, errors, color=COLOURS[number], marker=MARKERS[number], label=label, **options)


def label(axes, x, y, **legend):
    """Name the axes and show the legend."""
    axes.set_xlabel(x, fontsize=9)
    axes.set_ylabel(y, fontsize=9)
    axes.legend(fontsize=7, frameon=False, **legend)


def of_null(results):
    """Return mean and width of the significance over counts."""
    figure, (means, widths, biases) = panels(3)
    for number, acceptance in enumerate(null.ACCEPTANCES):
        x = np.array(null.COUNTS_ON) * 1.04**number
        exact = np.array([null.expected(acceptance, counts_on) for counts_on in null.COUNTS_ON])
        cases = [results[f"{acceptance}-{counts_on}"] for counts_on in null.COUNTS_ON]
        mean = np.array([mean_and_error(case["wstat"][:, 0]) for case in cases]).T
        width = np.array([width_and_error(case["wstat"]) for case in cases]).T
        points(means, x, *mean, number, f"{acceptance}, simulated")
        points(widths, x, *width, number, f"{acceptance}, wstat")
        means.plot(x, exact[:, 0], color=COLOURS[number], linewidth=1, label=f"{acceptance}, exact")
        widths.plot(x, np.sqrt(exact[:, 1] - exact[:, 0] ** 2), color=COLOURS[number], linewidth=1)
        if acceptance == "flat":
            known = np.array([width_and_error(case["cash"]) for case in cases]).T
            points(widths, x, *known, 2, "flat, cash")
        for which, threshold in enumerate(null.LOOP_THRESHOLDS):
            bias = 100 * np.array([mean_and_error(case["bias"][:, which]) for case in cases]).T
            points(biases, x, *bias, number + 2 * which, f"{acceptance}, threshold {threshold}")
    widths.axhline(np.sqrt(1 + null.SOURCE.sum() / null.RING.sum()), color=COLOURS[2], linestyle=":", linewidth=1)
    widths.set_ylim(0.4, 1.1)
    for axes in (means, widths, biases):
        axes.set_xscale("log")
    counts = "Expected counts under the source kernel"
    label(means, counts, "Off-source mean [σ]", loc="lower right")
    label(widths, counts, "Off-source width [σ]", loc="lower right")
    label(biases, counts, "Bias of the background after the loop [%]", loc="lower right")
    return figure


def of_stacks(results):
    """Return measured less expected mean and width of every stack."""
    figure, axes = panels(2, zero="vertical")
    names = [f"{case['stack']},\n{case['counts_on']} counts" for case in stacks.CASES.values()]
    for number, method in enumerate(stacks.METHODS):
        exact = np.array([stacks.expected(**case)[number] for case in stacks.CASES.values()])
        measured = [figures["moments"][:, number] for figures in results.values()]
        mean = np.array([mean_and_error(moments[:, 0]) for moments in measured]).T
        width = np.array([width_and_error(moments) for moments in measured]).T
        y = np.arange(len(names)) + 0.2 * (1 - number)
        for axis, values, expected in (
            (axes[0], mean, exact[:, 0]),
            (axes[1], width, np.sqrt(exact[:, 1] - exact[:, 0] ** 2)),
        ):
            label_of = {"variance": "run by run, variance", "counts_off": "run by run, counts_off"}.get(method, method)
            points(axis, values[0] - expected, y, None, number, label_of, xerr=values[1])
    for axis, what in zip(axes, ("mean", "width"), strict=True):
        axis.axvspan(-0.01, 0.01, color="#eeeeee", zorder=0)
        axis.set_yticks(range(len(names)), labels=names, fontsize=7)
        axis.set_ylim(-0.6, len(names) - 0.4)
        axis.set_xlabel(f"Measured - expected {what} [σ]", fontsize=9)
        axis.xaxis.set_major_locator(MaxNLocator(5))
    figure.legend(*axes[0].get_legend_handles_labels(), fontsize=7, frameon=False, loc="outside upper center", ncols=3)
    return figure


def of_clip(results):
    """Return moments and background bias over the threshold."""
    figure, (means, widths, biases) = panels(3)
    thresholds = np.array([case["threshold"] for case in clip.CASES.values()])
    for number, dilation in enumerate(clip.DILATIONS):
        cut = [figures["cut"][:, number] for figures in results.values()]
        x = thresholds + 0.03 * (number - 1.5)
        mean = np.array([mean_and_error(moments[:, 0]) for moments in cut]).T
        width = np.array([width_and_error(moments) for moments in cut]).T
        bias = 100 * np.array([mean_and_error(figures["bias"][:, number]) for figures in results.values()]).T
        for axes, values in ((means, mean), (widths, width), (biases, bias)):
            points(axes, x, *values, number, f"dilation {dilation} px")
    exact = np.array([clip.expected(threshold) for threshold in thresholds])
    means.plot(thresholds, exact[:, 0], color="black", linewidth=1, label="exact, no dilation")
    widths.plot(thresholds, exact[:, 1], color="black", linewidth=1, label="exact, no dilation")
    widths.set_ylim(0.85, 1.03)
    threshold = "Threshold [σ]"
    label(means, threshold, "Mean of used pixels [σ]", loc="lower right")
    label(widths, threshold, "Width of used pixels [σ]", loc="lower right")
    label(biases, threshold, "Bias of the background after the loop [%]", loc="lower right")
    return figure


def of_injection(results):
    """Return bias of background and excess over the extent, and completeness over the significance."""
    figure, axes = panels(3)
    for which, (axis, name, factor) in enumerate(zip(axes[:2], ("outside", "excess"), (100, 100), strict=True)):
        for number, method in enumerate(injection.METHODS):
            values = np.array(
                [mean_and_error(results[f"extent-{extent}"][name][:, -1, number]) for extent in injection.EXTENTS]
            ).T
            x = np.array(injection.EXTENTS) + 0.008 * (number - 1.5)
            points(axis, x, factor * (values[0] - which), factor * values[1], number, f"mask: {method}")
    axes[0].set_yscale("symlog", linthresh=1)
    axes[0].axhspan(-0.5, 0.5, color="#dddddd", zorder=0)
    extent = "Extent (standard deviation) [deg]"
    label(axes[0], extent, "Bias of the background, used pixels [%]", loc="upper left")
    label(axes[1], extent, "Bias of the excess at the source [%]", loc="lower left")
    method = injection.METHODS.index("converged")
    for number, extent in enumerate(injection.EXTENTS):
        share = mean_and_error(results[f"extent-{extent}"]["found"][..., method])
        points(axes[2], injection.SIGNIFICANCES, *share, number, f"{extent}°", linestyle="-")
    axes[2].set_xscale("log")
    axes[2].set_xticks([2, 3, 5, 10, 20, 50], labels=["2", "3", "5", "10", "20", "50"])
    axes[2].xaxis.set_minor_formatter(NullFormatter())
    axes[2].axvline(injection.THRESHOLD, color="#999999", linestyle=":", linewidth=1)
    label(axes[2], "Expected significance of the centre [σ]", "Fraction of sources found", loc="lower right")
    return figure


def of_coverage(results):
    """Return measured over exact coverage."""
    figure, (axes,) = panels(1)
    for number, what in enumerate(coverage.COVERAGES):
        exact = [coverage.expected(**coverage.CASES[case])[number] for case in results]
        measured = np.array([mean_and_error(figures["covered"][:, number]) for figures in results.values()]).T
        points(axes, exact, 100 * (measured[0] - exact), 100 * measured[1], number, what)
    axes.axhspan(-1, 1, color="#eeeeee", zorder=0)
    axes.set_ylim(-1.6, 1.6)
    label(axes, "Exact coverage", "Measured - exact coverage [%]", loc="lower left")
    return figure


def of_convergence(results):
    """Return how many loops converge, how biased the background is, and what pixels near the threshold do."""
    figure, axes = panels(3)
    thresholds = np.array(convergence.THRESHOLDS)
    for number, update in enumerate(convergence.UPDATES):
        for which, dilation in enumerate(convergence.DILATIONS):
            options = {"linestyle": ("--", "-")[which], "fillstyle": ("none", "full")[which]}
            options["label"] = f"{update}, dilation {dilation} px"
            groups = [_joined(results, threshold=threshold, dilation=dilation) for threshold in thresholds]
            x = thresholds + 0.06 * (number - 1.5)
            if update != "replace, last":
                converged = [(figures["state"][:, number] == 0).astype(float) for figures in groups]
                points(axes[0], x, *np.array([mean_and_error(v) for v in converged]).T, number, **options)
            bias = [100 * mean_and_error(figures["bias"][:, number])[0] for figures in groups]
            error = [100 * mean_and_error(figures["bias"][:, number])[1] for figures in groups]
            points(axes[1], x, bias, error, number, **options)
    edges = np.array([-0.5, 0.5, 8, 16, 32, 64, 128, 512])
    for which, dilation in enumerate(convergence.DILATIONS):
        figures = _joined(results, dilation=dilation)
        near, converged = figures["near"][:, 0], (figures["state"][:, 0] == 0).astype(float)
        inside = [(near >= low) & (near < high) for low, high in itertools.pairwise(edges)]
        inside = [chosen for chosen in inside if chosen.sum() > 5]
        values = np.array([mean_and_error(converged[chosen]) for chosen in inside]).T
        x = [1 + near[chosen].mean() for chosen in inside]
        points(axes[2], x, *values, which, f"dilation {dilation} px", linestyle="-")
    axes[2].set_xscale("log")
    axes[0].set_ylim(-0.02, 1.05)
    axes[2].set_ylim(-0.02, 1.05)
    label(axes[0], "Threshold [σ]", "Fraction of loops that converge", loc="lower right")
    label(axes[1], "Threshold [σ]", "Bias of the background, used pixels [%]", loc="best")
    pixels = f"1 + pixels within {convergence.NEAR} σ of the threshold"
    label(axes[2], pixels, "Fraction of loops that converge, replace", loc="lower left")
    return figure


def _joined(results, **wanted):
    """The figures of all cases with these settings, one after the other."""
    cases = [
        figures
        for case, figures in results.items()
        if all(convergence.CASES[case][key] == value for key, value in wanted.items())
    ]
    return {name: np.concatenate([figures[name] for figures in cases]) for name in cases[0]}


FIGURES = {
    "null": of_null,
    "stacks": of_stacks,
    "clip": of_clip,
    "injection": of_injection,
    "coverage": of_coverage,
    "convergence": of_convergence,
}
