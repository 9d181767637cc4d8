"""Every file that a dataset leaves behind, in one place: whatever makes, shows, joins or documents them asks here.

A dataset may be several things: its ring adapts, it is a stack of runs or energy bins, its bins have maps of their own,
its truth is known, or its settings are scanned. By these words it has files besides those of every dataset.
"""

from typing import NamedTuple

#: What a dataset may be.
EVERY, ADAPTIVE, STACK, CUBE, SIMULATION, SCAN = "every dataset", "adaptive ring", "stack", "cube", "simulation", "scan"
TRAITS = (ADAPTIVE, STACK, CUBE, SIMULATION, SCAN)

#: Where a map is made besides: of every energy bin under a common mask, or under masks of their own, under further
#: source kernels, and on the pixels of a HEALPix map.
ENERGY, BINS, FURTHER, SKY = "energy", "bins", "further", "sky"


class Look(NamedTuple):
    """How a map is shown: on the pages, and if its colour bar has a label, in figures.

    Attributes
    ----------
    colours : str
        Of `COLOURS`.
    label : str
        Of the colour bar, with the unit.
    stretch : {"linear", "square root"}
    of_block : {"mean", "max"}
        What is shown of many pixels where there is place for one.
    """

    colours: str
    label: str = ""
    stretch: str = "linear"
    of_block: str = "max"


class Map(NamedTuple):
    """A kind of map.

    Attributes
    ----------
    unit, meaning : str
        In its header, as BUNIT and beside EXTNAME.
    of : str
        Which datasets have it among their products; empty if it belongs to a step on the way.
    scopes : tuple of str
        Where it is made besides.
    look : Look, optional
        How it is shown, if it is.
    content : str
        What the documentation says of it, if that is more than its meaning.
    """

    unit: str
    meaning: str
    of: str = ""
    scopes: tuple = ()
    look: Look | None = None
    content: str = ""


class File(NamedTuple):
    """A file that is no map: what is in it, and which datasets have it."""

    content: str
    of: str = EVERY


#: Colours at equal distances, between which they change linearly; those of signed maps are white in the middle.
COLOURS = {
    "cividis": "00224e 083370 35456c 4f576c 666970 7d7c78 948e77 aea371 c8b866 e5cf52 fee838",
    "viridis": "440154 482475 414487 355f8d 2a788e 21918c 22a884 44bf70 7ad151 bddf26 fde725",
    "signed": "053061 2065ab 4393c3 90c4dd d1e5f0 ffffff fddbc7 f3a481 d6604d b1182b 67001f",
    "deviation": "2d004b 532687 8073ac b1aad1 d8daeb ffffff fee0b6 fcb761 e08214 b25706 7f3b08",
}

#: Maps by their names; product files are called after them.
MAPS = {
    "exclusion_mask": Map(
        "",
        "1: used for the background, 0: excluded",
        EVERY,
        (BINS, SKY),
        content="**1 where the pixel is used for the background, 0 where it is excluded**",
    ),
    "counts": Map(
        "ct",
        "counts per pixel",
        EVERY,
        (ENERGY, BINS, SKY),
        Look("cividis", "Counts per pixel", "square root", "mean"),
    ),
    "background": Map(
        "ct",
        "background counts per pixel",
        EVERY,
        (ENERGY, BINS, SKY),
        Look("cividis", "Background counts per pixel", of_block="mean"),
    ),
    "background_error": Map("ct", "standard error of the background per pixel", EVERY, (ENERGY, BINS, SKY)),
    "significance": Map(
        "",
        "significance in standard deviations",
        EVERY,
        (ENERGY, BINS, FURTHER, SKY),
        Look("signed", "Significance [σ]"),
        "significance of the counts under the source kernel, in standard deviations",
    ),
    "excess": Map(
        "ct",
        "counts above background under the source kernel",
        EVERY,
        (ENERGY, BINS, FURTHER, SKY),
        Look("signed", "Excess counts under the source kernel"),
        "counts above background under the source kernel: neighbouring pixels share counts",
    ),
    "excess_errn": Map(
        "ct",
        "error of the excess downwards",
        EVERY,
        (FURTHER, SKY),
        content="error of the excess downwards, from the profile likelihood",
    ),
    "excess_errp": Map("ct", "error of the excess upwards", EVERY, (FURTHER, SKY)),
    "excess_upper_limit": Map(
        "ct",
        "upper limit of the excess",
        EVERY,
        (FURTHER, SKY),
        content="upper limit of the excess, one-sided, at the confidence level in the header `CONFLEV`",
    ),
    "counts_off": Map(
        "ct",
        "(effective) counts under the background kernel",
        EVERY,
        (ENERGY, BINS, SKY),
        content="(effective) counts under the background kernel; 0 also where nothing under it is used",
    ),
    "alpha": Map("", "ratio of on to off acceptance", EVERY, (ENERGY, BINS, FURTHER, SKY)),
    "coverage": Map("", "1: there is data, 0: there is none", EVERY, (SKY,), Look("cividis")),
    "exclusion_mask_inverse": Map(
        "",
        "1: excluded, 0: used for the background",
        EVERY,
        (SKY,),
        content="the opposite convention, as of ctools: 1 where the pixel is excluded, 0 where it is used",
    ),
    "ring_radius": Map("deg", "outer radius of the ring, NaN: none sufficed", ADAPTIVE, look=Look("viridis")),
    "counts_on": Map(
        "ct",
        "counts under the source kernel",
        STACK,
        content="counts under the source kernel, of those runs that have a background there",
    ),
    "runs": Map("", "number of runs with a background there", STACK),
    "acceptance": Map("", "expected background per pixel, up to a factor"),
    "acceptance_off": Map("", "(effective) acceptance of counts_off"),
    "additive_background": Map("ct", "known background per pixel, not estimated"),
    "additive_off": Map("ct", "known background under the background kernel"),
    "background_on": Map("ct", "background under the source kernel"),
    "decision": Map("", "exclusion mask before it grows, 1: used"),
    "first_excluded": Map("", "iteration that first excluded it, NaN: none"),
    "expected_background": Map("ct", "true background per pixel of a simulation"),
    "expected_sources": Map("ct", "true source counts per pixel of a simulation"),
}

#: Maps that have figures of their own, with a label at their colour bar.
FIGURES = tuple(name for name, entry in MAPS.items() if entry.look and entry.look.label)

#: Files that are no maps.
FILES = {
    "regions.ecsv": File(
        "catalogue of the excluded regions: position, extent, peak, counts, background, excess and error, iteration"
    ),
    "regions.reg": File("their outlines for DS9"),
    "convergence.csv": File(
        "one row per iteration: excluded, added, released, changed pixels, digest of the mask, state"
    ),
    "quality.json": File("off-source mean and width, hottest pixel, pixels with few off counts"),
    "null.json": File(
        "simulations without sources: errors of the off-source mean and width, significance of the hottest pixel after "
        "trials"
    ),
    "plots/thumbnail.png": File("the significance, small"),
    **{f"plots/{name}.png": File(f"figure of the {name}") for name in FIGURES},
    "plots/mask_growth.png": File("figure of the iteration that first excluded each pixel"),
    "plots/convergence.png": File("figure of the iterations"),
    "plots/off_source.png": File("figure of the off-source distribution of the significance"),
    "plots/truth.png": File("figure of the background against the true one", SIMULATION),
    "plots/ring_radius.png": File("figure of the radius of the rings", ADAPTIVE),
    "scan.html": File("page that compares the settings of the scan", SCAN),
    "scan.ecsv": File("its numbers", SCAN),
    "plots/scan.png": File("its figure", SCAN),
}


def maps_in(scope):
    """Return the names of the maps that are made in a scope."""
    return tuple(name for name, entry in MAPS.items() if scope in entry.scopes)


def maps_of(traits=()):
    """Return the names of the maps among the products of a dataset that is what `traits` say, as for `files_of`."""
    return tuple(name for name, entry in MAPS.items() if entry.of in (EVERY, *traits))


def shown_maps(traits=()):
    """Return the names of the maps that the page of a dataset shows."""
    return tuple(name for name in maps_of(traits) if MAPS[name].look)


def files_of(traits=(), further_kernels=()):
    """Return the paths of the products and figures of a dataset, in its folder.

    Parameters
    ----------
    traits : iterable of str
        What the dataset is: of `TRAITS`.
    further_kernels : iterable of str
        Names of its further source kernels.
    """
    files = [f"{name}.fits" for name in maps_of(traits)]
    files += [name for name, entry in FILES.items() if entry.of in (EVERY, *traits)]
    if CUBE in traits:
        files += [f"energy/{name}.fits" for name in maps_in(ENERGY)]
    return files + [f"further/{kernel}/{name}.fits" for kernel in further_kernels for name in maps_in(FURTHER)]


def plots_of(traits=()):
    """Return the paths of the figures of a dataset, but for those that compare the settings of a scan."""
    return [name for name, entry in FILES.items() if name.startswith("plots/") and entry.of in (EVERY, *traits)]


def only(trait, folder=""):
    """Return the paths of the files that a dataset has because of one trait, in a folder of its own folder."""
    names = [f"{name}.fits" for name, entry in MAPS.items() if entry.of == trait]
    names += [name for name, entry in FILES.items() if entry.of == trait]
    return tuple(name for name in names if name.startswith(folder))
