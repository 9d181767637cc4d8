"""Write docs/public-data.md: published numbers beside ours, and how loops end on public maps."""

import itertools

import numpy as np

from skymask.io.atomic import written_whole
from validation.page import table
from validation.public_data import FERMI_CANDIDATES, FERMI_RADII
from validation.public_loops import ANALYSES, NEAR, THRESHOLDS, TWINS, UPDATES

GAUSS = "README of the data set"
TUTORIAL = "[ring background](https://docs.gammapy.org/2.0/tutorials/analysis-2d/ring_background.html), gammapy 2.0"
DETECTION = "[source detection](https://docs.gammapy.org/2.0/tutorials/analysis-2d/detect.html), gammapy 2.0"
AHARONIAN = "[Aharonian et al. 2005](https://doi.org/10.1051/0004-6361:200500105), abstract"
NIGRO = "[Nigro et al. 2019](https://doi.org/10.1051/0004-6361/201834938), table of the data sets"
CATALOGUE = "[Ajello et al. 2017](https://doi.org/10.3847/1538-4365/aa8221), abstract"

#: Published numbers: field, quantity, what was published, where, ours as a format, and what differs.
PUBLISHED = (
    (
        "gauss",
        "background, true value [ct per pixel]",
        "1",
        GAUSS,
        "{background:.4f} ± {background_error:.4f}",
        "counts of the used pixels",
    ),
    (
        "gauss",
        "background, fit [ct per pixel]",
        "0.9975 ± 0.0050",
        GAUSS,
        "{background:.4f} ± {background_error:.4f}",
        "a fit of source and background with Sherpa; same counts",
    ),
    (
        "gauss",
        "source, true value [ct]",
        "1000",
        GAUSS,
        "{excess:.0f} ± {excess_error:.0f}",
        "counts within 3 standard deviations of the true centre, over their share of 98.9 %",
    ),
    (
        "gauss",
        "source, fit [ct]",
        "986 ± 44",
        GAUSS,
        "{excess:.0f} ± {excess_error:.0f}",
        "a fit with Sherpa, of the width too",
    ),
    ("msh1552", "sum of the acceptance [ct]", "44,755", TUTORIAL, "{acceptance:,.3f}", "the same"),
    ("msh1552", "sum of the off counts", "87,621,184", TUTORIAL, "{counts_off:,.0f}", "theirs in single precision"),
    (
        "msh1552",
        "sum of the off acceptance",
        "96,374,320",
        TUTORIAL,
        "{acceptance_off:,.0f}",
        "theirs in single precision",
    ),
    (
        "msh1552",
        "position",
        "15h14m07s -59d09m27s, ± 21″ ± 11″, systematic 20″ each",
        f"{AHARONIAN[:-10]}, as in gamma-cat",
        "{position}: {separation:.2f}′ ± {separation_error:.2f}′ away",
        "centroid of the excess in the mask; 20 of their runs, other events above 0.5 TeV",
    ),
    (
        "msh1552",
        "significance [σ]",
        "25 in 22.1 h",
        AHARONIAN,
        "{significance:.1f} in {hours:.1f} h",
        "at their position within 0.2 deg; other cuts, region and reconstruction",
    ),
    ("crab", "live time [h]", "1.75", NIGRO, "{hours:.2f}", "the same"),
    (
        "crab",
        "counts within 0.11 deg",
        "459",
        NIGRO,
        "{counts:.0f}",
        "same runs, position, and thresholds in 20 bins per decade; pixels of 0.01 deg for a circle",
    ),
    (
        "crab",
        "background [ct]",
        "27.5",
        NIGRO,
        "{background:.1f}",
        "reflected regions beside a ring of 0.5 to 0.8 deg under the loop's mask",
    ),
    ("crab", "excess [ct]", "431.5", NIGRO, "{excess:.1f}", "as above"),
)

#: Places of the updates among those of the loops.
FIRST, LAST, GROWN = (list(UPDATES).index(update) for update in ("replace", "replace, last", "grow"))

NAMES = {
    "gauss": "simulated Gaussian",
    "fermi": "3FHL Galactic centre",
    "msh1552": "MSH 15-52, 20 runs",
    "crab": "Crab nebula, 4 runs",
}

TERMS = """The simulated Gaussian (`poisson_stats_image`) and the Fermi-LAT 3FHL Galactic centre are data of
gammapy-data, CC BY-NC-SA 4.0 (Gammapy Coordination Committee 2020; photons: NASA). This work made use of data from
the H.E.S.S. DL3 public test data release 1 (HESS DL3 DR1, H.E.S.S. collaboration, 2018), from which no claims about
the sources may be derived: numbers here test software. None of the data, and no picture of them, is in this
repository."""


def write(fields, loops, page):
    """Write the page.

    Parameters
    ----------
    fields, loops : dict of str to dict
        What `validation.public_data.measure` and `validation.public_loops.measure` return, by field.
    page : path-like
    """
    with written_whole(page) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write(_introduction(fields) + _fermi(fields["fermi"]) + _loops(loops))


def _introduction(fields):
    rows = [
        (NAMES[field], quantity, published, source, ours.format(**fields[field]), why)
        for field, quantity, published, source, ours, why in PUBLISHED
    ]
    ends = {values["state"] for values in fields.values()}
    return f"""# Public data

What the library makes of four public fields, beside what others published of the same data. `make validation` writes
this page where it finds the data in `../shared/data`, or in a folder given by `ARGS="--config data=FOLDER"`; the
layout is that of `validation/public_data.py`.

{TERMS}

## Published numbers

Ours are those of the loop with threshold 5 (which ends as {" or ".join(sorted(ends))} on all four), but for the sums
of the tutorial on MSH 15-52, which has one fixed circle. Errors are one standard deviation.

{table(("field", "quantity", "published", "where", "ours", "what differs"), rows)}
[Observation stores](observations.md) compares every pixel of the tutorial with gammapy 2.1. gammapy's tutorials on
these runs are no publications of sources, but numbers that others can check; of the papers, what their abstracts and
released tables say is compared. Their maps and the 3FHL catalogue itself were not at hand.

"""


def _fermi(values):
    rows, ratios = [], {radius: [] for radius in FERMI_RADII}
    for number, (x, y, root_ts, flux) in enumerate(FERMI_CANDIDATES):
        for radius in FERMI_RADII:
            ratios[radius].append(values[f"flux_{radius}"][number] / flux)
        rows.append(
            (
                f"{x}, {y}",
                f"{root_ts:.2f}",
                f"{values['significance'][number]:.2f}",
                "yes" if values["excluded"][number] else "no",
                f"{flux:.2e}",
                *(f"{ratios[radius][number]:.2f}" for radius in FERMI_RADII),
            )
        )
    head = ("pixel", "√TS, published", "ours [σ]", "excluded", "flux, published [cm⁻² s⁻¹]")
    head += tuple(f"ours over it, {0.05 * radius:.2f} deg" for radius in FERMI_RADII)
    excluded, fluxes = np.array(values["excluded"]), np.array([flux for *_, flux in FERMI_CANDIDATES])
    bright = fluxes >= 9.5e-11
    return f"""### Sources of the Galactic centre above 10 GeV

The {len(rows)} candidates that {DETECTION}, finds in the same counts above √TS = 5, with fluxes between 10 and 500
GeV. Ours is the significance under a disk of 0.15 deg at the same pixel, background from a ring of 1 to 2 deg times
the diffuse model, and the excess under disks over what the point spread function has in them and the exposure.

{table(head, rows)}
The loop's mask ({values["regions"]} regions) excludes {excluded.sum()} of the {len(rows)}, and
{(bright & excluded).sum()} of the {bright.sum()} above 9.5 × 10⁻¹¹ cm⁻² s⁻¹, the sensitivity of the 3FHL catalogue in
the Galactic plane ({CATALOGUE}). Those that it misses have √TS below 6. TSMapEstimator fits the shape of the
point spread function to a background taken as known; a disk counts, and its background has an error, which costs
{100 * (1 - np.median(np.array(values["significance"]) / [row[2] for row in FERMI_CANDIDATES])):.0f} % of the
significance (median). The median of the flux ratios is {np.median(ratios[3]):.2f} under 0.15 deg and
{np.median(ratios[4]):.2f} under 0.2 deg. Where it grows from 0.7 to nearly 1 between the disks, the source is wider
than the point spread function, of which the published flux is the scale.

"""


def _loops(loops):
    figures = {
        name: np.array([value for values in loops.values() for value in values[name]])
        for name in next(iter(loops.values()))
    }
    converged = figures["state"] == "converged"
    rows = []
    for statistic, threshold in itertools.product(ANALYSES, THRESHOLDS):
        chosen = (figures["statistic"] == statistic) & (figures["threshold"] == threshold)
        real, twins = (chosen & ((figures["twin"] > 0) == of_twins) for of_twins in (False, True))
        shares = [
            ", ".join(_percent(converged[which & (figures["dilation"] == dilation), FIRST]) for which in (real, twins))
            for dilation in range(3)
        ]
        rows.append(
            (
                statistic,
                threshold,
                *shares,
                _percent(converged[real, FIRST]),
                int(figures["period"][real, FIRST].max()),
                _percent(converged[chosen, GROWN]),
                _range(figures["background"][real, GROWN]),
                _range(figures["background"][real, LAST]),
                f"{100 * (figures['excluded'][real, GROWN] - figures['excluded'][real, FIRST]).max():.1f}",
            )
        )
    head = ("statistic", "threshold", "no dilation", "small", "large", "all, map", "longest period")
    head += ("converge, grow [%]", "background, grow [%]", "background, last [%]", "excluded more, grow, most [%]")
    number = int(np.sum(figures["twin"] == 0))
    return f"""## How loops end on these maps

Every map with two source kernels, two rings and three dilations (0, 0.1 and 0.3 deg): {number} loops with each update
of the mask, `wstat` with the acceptance and `cash` without one, as gammapy's old class. The first columns say how
many of them converge with `replace` [%], on the maps and, after the comma, on {TWINS} twins of each: Poisson maps of
the background found in it, without sources. The background is the mean over all pixels relative to that with
`replace` and the union of a cycle's masks: lowest and highest of all maps.

{table(head, rows)}
{_near(figures, converged[:, FIRST])}
{_explanation(figures, converged[:, FIRST])}

{_recommendation(figures)}
"""


def _explanation(figures, converged):
    """What the table shows of cycles."""
    wide = (figures["dilation"] == 2) & (figures["statistic"] == "wstat")
    near = {
        (threshold, twins): np.median(
            figures["near"][wide & (figures["threshold"] == threshold) & ((figures["twin"] > 0) == twins)]
        )
        for threshold in (3, 5)
        for twins in (False, True)
    }
    shares = {
        (statistic, threshold): _percent(converged[_maps(figures, (threshold,), statistic)])
        for statistic in ANALYSES
        for threshold in (3, 5)
    }
    return f"""A flip of one pixel takes a dilation kernel with it, and changes the background in the rings around, by
little; what it flips next must be close to the threshold. Chance alone leaves many pixels there at 3 and none at 5:
in the median of the loops with `wstat` and large dilation, {near[3, True]:.0f} and {near[5, True]:.0f} of a twin's,
{near[3, False]:.0f} and {near[5, False]:.0f} of a map's, in which edges of sources add some at every threshold. Where
there are few, or where nothing is dilated, loops converge. Taking the background as known makes it worse: its error
widens the distribution, most at the edges of the map, where rings end, and structure that a plain ring does not
follow adds to it. Over all dilations, {shares["cash", 3]} % converge with
`cash` at a threshold of 3 and {shares["cash", 5]} % at 5, with `wstat` {shares["wstat", 3]} and
{shares["wstat", 5]} %. (An earlier study, mostly with `cash`, had 62 and 92 %.)"""


def _recommendation(figures):
    """What always ends, and what it costs."""
    states = figures["state"][:, GROWN]
    runaway = states == "runaway"
    low = runaway & (figures["statistic"] == "cash") & (figures["threshold"] == 3)
    high = [f"{_most(figures, update, (4, 5, 6), 'wstat'):.2f}" for update in (GROWN, LAST)]
    three = [f"{_most(figures, update, (3,), 'wstat'):.2f}" for update in (GROWN, LAST)]
    return f"""What always ends, and what it costs: `grow` never cycled, in {len(states)} loops. {runaway.sum()} of them
ended as `runaway`, with nearly all excluded, {low.sum()} of these with `cash` at a threshold of 3: there its union of
all chance peaks of all iterations grows over the map, and the background is that of a few pixels. With `wstat` and a
threshold of 4 or more it costs nothing to speak of: the background on the maps is within {high[0]} % of that of
`replace`, and at 3 within {three[0]} %. The last mask of a cycle instead of the union of its masks (the default)
makes {high[1]} % and {three[1]} % at most. So: `wstat`, a threshold of 4 or more, and the default, which ends in a
fixed point or in a cycle that is named; `grow` where a fixed point is a must. What either biases with respect to the
truth only simulations tell: see [Validation](validation.md#how-the-loop-ends)."""


def _maps(figures, thresholds, statistic):
    """Which loops are those of the maps themselves."""
    return np.isin(figures["threshold"], thresholds) & (figures["twin"] == 0) & (figures["statistic"] == statistic)


def _percent(values):
    return f"{100 * np.mean(values):.0f}"


def _range(ratios):
    low, high = 100 * (np.nanmin(ratios) - 1), 100 * (np.nanmax(ratios) - 1)
    return f"{low:+.2f} to {high:+.2f}"


def _most(figures, update, thresholds, statistic):
    chosen = _maps(figures, thresholds, statistic)
    return 100 * np.nanmax(np.abs(figures["background"][chosen, update] - 1))


def _near(figures, converged):
    """Table of how many loops converge, over the number of pixels near the threshold."""
    edges = (0, 1, 4, 16, 64, 256, np.inf)
    rows = []
    for name, twins in (("maps", False), ("twins", True)):
        dilated = (figures["dilation"] > 0) & ((figures["twin"] > 0) == twins)
        groups = [
            converged[dilated & (figures["near"] >= low) & (figures["near"] < high)]
            for low, high in itertools.pairwise(edges)
        ]
        rows.append((name, *(f"{_percent(group)} of {len(group)}" if len(group) else "none" for group in groups)))
    head = ("converge [%]", "0 pixels", "1 to 3", "4 to 15", "16 to 63", "64 to 255", "more")
    return f"""Loops with dilation, by the number of pixels within {NEAR} σ of the threshold in the end:

{table(head, rows)}"""
