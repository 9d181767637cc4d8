"""How loops end on public maps, beside maps simulated after them.

Every map is analysed with several kernels, dilations and thresholds, as an on/off measurement with its acceptance and,
as gammapy's old class did it, with the background taken as known and no acceptance. Its twins are Poisson maps of a
background that the loop finds in it, without any source, analysed in the same way.
"""

from itertools import product
from pathlib import Path

import numpy as np

import skymask
from skymask.core.kernels import disk, ring
from skymask.io import maps
from validation.public_data import FILES

THRESHOLDS = (3, 4, 5, 6)

#: Ways to update the mask: options of `skymask.iterate`.
UPDATES = {"replace": {}, "replace, last": {"on_cycle": "last"}, "grow": {"mask_update": "grow"}}

#: Ways to analyse a map: the statistic, and whether its acceptance is used.
ANALYSES = {"wstat": True, "cash": False}

MAX_ITERATIONS = 200

#: Twins of each map.
TWINS = 3

#: A pixel this close to the threshold is one that a small change of the background may flip.
NEAR = 0.1

#: Maps of the fields, and in their pixels radii of the source kernel, rings (inner radius, width) and dilations.
HESS_KERNELS = ((2, 5), ((25, 15), (35, 22)), (0, 5, 15))
FIELDS = {
    "gauss": ((FILES["gauss"], None), *HESS_KERNELS),
    "fermi": (
        tuple(FILES["fermi"].format(name) for name in ("counts", "background")),
        (2, 4),
        ((14, 8), (20, 20)),
        (0, 2, 6),
    ),
    **{
        field: (tuple(FILES[field].format(name) for name in ("counts", "acceptance")), *HESS_KERNELS)
        for field in ("msh1552", "crab")
    },
}


def measure(field, folder, random):
    """Return the figures of all loops of a field, by name, one value for every loop.

    Parameters
    ----------
    field : str
    folder : path-like
        Where the data are.
    random : numpy.random.Generator
        Of the twins.

    Returns
    -------
    figures : dict of str to list
        `twin` is 0 for the map itself; `dilation` the place among those of the field; of every one of UPDATES the
        `state`, the `period`, the fraction `excluded` and the mean `background` of all pixels, relative to that of
        "replace" (NaN without any); `near` the number of pixels within 0.1 of the threshold in the end, with "replace".
    """
    names, radii, rings, dilations = FIELDS[field]
    counts, acceptance = (name and maps.read(Path(folder) / name).data for name in names)
    acceptance = np.ones(counts.shape) if acceptance is None else acceptance
    twins = [random.poisson(expected_of(counts, acceptance, field)) for _ in range(TWINS)]
    rows = []
    for statistic, threshold, radius, (inner, width), dilation in product(
        ANALYSES, THRESHOLDS, radii, rings, range(len(dilations))
    ):
        options = {
            "acceptance": acceptance if ANALYSES[statistic] else None,
            "statistic": statistic,
            "threshold": threshold,
            "source_kernel": disk(radius),
            "background_kernel": ring(inner, width),
            "dilation_kernel": disk(dilations[dilation]),
        }
        for twin, image in enumerate([counts, *twins]):
            settings = {"statistic": statistic, "threshold": threshold, "dilation": dilation, "twin": twin}
            rows.append(settings | _measure_loops(image, options))
    return {name: [row[name] for row in rows] for name in rows[0]}


def expected_of(counts, acceptance, field):
    """Return the background that a loop with threshold 5 finds, as the expectation of the twins."""
    _, radii, rings, dilations = FIELDS[field]
    result = skymask.iterate(
        counts,
        acceptance=acceptance,
        source_kernel=disk(radii[-1]),
        background_kernel=ring(*rings[-1]),
        dilation_kernel=disk(dilations[1]),
        max_iterations=MAX_ITERATIONS,
    )
    background = result.products.background
    ratio = np.nanmean(background[acceptance > 0]) / acceptance[acceptance > 0].mean()
    return np.where(np.isnan(background), ratio * acceptance, background)


def _measure_loops(counts, options):
    """The figures of one map and one set of options of the loop."""
    figures = {name: [] for name in ("state", "period", "excluded", "background")}
    backgrounds = []
    for update in UPDATES.values():
        result = skymask.iterate(counts, max_iterations=MAX_ITERATIONS, **options, **update)
        backgrounds.append(result.products.background)
        if not figures["state"]:
            near = int(np.sum(np.abs(result.products.significance - options["threshold"]) < NEAR))
        figures["state"].append(result.state)
        figures["period"].append(result.period)
        figures["excluded"].append(float(1 - result.exclusion_mask.mean()))
    defined = np.isfinite(backgrounds).all(axis=0)
    for background in backgrounds:
        ratio = background[defined].sum() / backgrounds[0][defined].sum() if defined.any() else np.nan
        figures["background"].append(float(ratio))
    return figures | {"near": near}
