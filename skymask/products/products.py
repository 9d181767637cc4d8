"""The products of a dataset: their images, the header cards that say what was done, the convergence table."""

import csv

import numpy as np

from skymask.io.atomic import written_whole
from skymask.io.maps import EVENT_CARDS, ORIGIN_KEYS
from skymask.sky.configured_kernels import describe
from skymask.units import in_words

#: Columns of the convergence table, in order.
CONVERGENCE_COLUMNS = (
    "iteration",
    "excluded",
    "excluded_fraction",
    "added",
    "released",
    "changed",
    "highest_significance",
    "mean_background",
    "starved",
    "digest",
    "state",
)

#: Header cards of the keys by which an adaptive ring grows.
RING_KEYS = {
    "step": ("RINGSTEP", "step of the ring's outer radius"),
    "max_outer_radius": ("RINGMAX", "largest outer radius of the ring"),
    "keep": ("RINGKEEP", "what stays while the ring grows"),
    "alpha_max": ("ALPHAMAX", "largest alpha with which a ring suffices"),
    "excluded_fraction_max": ("RINGEXCL", "largest excluded fraction of a ring"),
}


def images(counts, coverage, exclusion_mask, result):
    """Return the product images by name, from the final mask and the maps of `iteration.Products` for it."""
    return {
        "counts": counts.astype(np.int32) if coverage.all() else np.where(coverage, counts, np.nan),
        "coverage": coverage,
        "exclusion_mask": exclusion_mask,
        **result,
    }


def cards(counts_header, dataset, loop, quality, settings):
    """Return the header cards of a dataset's products: what was done, to what, and how it ended.

    Parameters
    ----------
    counts_header : Header
        Header with the cards of `skymask.datasets.reading.origin_cards`.
    dataset : str
    loop : dict
        State, period and iteration at which the loop ended.
    quality : dict
        Figures of `skymask.core.quality.assess_quality`, and the digest of the mask.
    settings : dict
        Analysis settings.
    """
    origin = [
        card
        for card in counts_header.cards
        if card.keyword.startswith(("SHA", "FIL", "NRUNS"))
        or card.keyword in ORIGIN_KEYS
        or EVENT_CARDS.fullmatch(card.keyword)
    ]
    return [
        ("DATASET", dataset, "name of the dataset"),
        ("STATE", loop["state"], "how the loop ended"),
        ("PERIOD", loop["period"], "period of the final masks, 1 for a fixed point"),
        ("NITER", loop["iteration"], "iterations, the confirming one included"),
        ("NEXCL", quality["excluded"], "excluded pixels"),
        ("NABOVE", quality["unexcluded_above_threshold"], "used pixels at or above the threshold"),
        ("NSTARVED", quality["starved"], "covered pixels without a background"),
        ("MASKDEF", "1 used, 0 excluded", "convention of the exclusion mask"),
        ("STATIST", settings["statistic"], "statistic of the significance"),
        ("BKGSYST", settings["background_systematic"], "relative systematic error of the background"),
        ("THRESH", settings["threshold"], "threshold of the exclusion, in sigma"),
        ("THRWIDTH", settings["threshold_in_widths"], "whether thresholds count in off-source widths"),
        ("THREFF", quality["effective_threshold"], "significance that the threshold stands for"),
        ("THRLOW", settings["threshold_low"] or settings["threshold"], "lower threshold of the hysteresis, in sigma"),
        ("MINPIX", settings["min_pixels"], "smallest number of connected pixels excluded"),
        ("MAXHOLE", settings["max_hole_pixels"], "largest hole filled, in pixels"),
        ("GROWTH", describe(settings["region_growth"], kind="law"), "growth of regions"),
        ("SRCKERN", describe(settings["source_kernel"]), "source kernel"),
        *_kernels_of_bins(settings.get("energy_kernels", ())),
        ("MASKKERN", _kernels(settings["mask_source_kernels"]), "further source kernels of the mask"),
        *_background_kernel_cards(settings["background_kernel"], quality),
        *(
            [("STACKING", settings["stacking"], "what the stack conserves beside the background")]
            if "stacking" in settings
            else []
        ),
        ("DILATION", in_words(settings["dilation_radius"]), "dilation radius"),
        ("MASKUPD", settings["mask_update"], "mask update"),
        ("STARVPIX", settings["starved_pixels"], "what starved pixels do"),
        ("MINACC", settings["min_acceptance_fraction"], "least acceptance, as a fraction of the largest"),
        ("MAXITER", settings["max_iterations"], "largest number of iterations"),
        ("MAXCHANG", settings["changed_pixels"], "changed pixels that count as converged"),
        ("MAXEXCL", settings["max_excluded_fraction"], "excluded fraction that counts as runaway"),
        ("ONCYCLE", settings["on_cycle"], "final mask of a cycle"),
        ("ONMAXIT", settings["on_max_iterations"], "what happens at the largest number"),
        ("SHAMASK", quality["mask_sha256"], "SHA-256 of the final mask"),
        *[(card.keyword, card.value, card.comment) for card in origin],
    ]


def counts_of(image):
    """Return the counts of the product as whole numbers, zero where there is no coverage."""
    return np.nan_to_num(image).astype(np.int64)


def inherited_cards(header):
    """Return the cards by which a product says what was done, for maps that are made of it."""
    cards = list(header.cards)
    begin = list(header).index("DATASET")
    return [
        (card.keyword, card.value, card.comment)
        for card in cards[begin:]
        if card.keyword not in ("CHECKSUM", "DATASUM")
    ]


def cards_of_further_kernel(header, name, kernel):
    """Return the cards of a map under a further source kernel, from the header of a product and the kernel's name."""
    cards = inherited_cards(header)
    (loop,) = (value for key, value, _ in cards if key == "SRCKERN")
    return [
        *((key, describe(kernel) if key == "SRCKERN" else value, comment) for key, value, comment in cards),
        ("LOOPKERN", loop, "source kernel of the loop"),
        ("FURTHER", name, "name of the further source kernel"),
    ]


def _kernels(kernels):
    """Several kernels in a few words."""
    return ", ".join(map(describe, kernels)) or "none"


def _kernels_of_bins(energy_kernels):
    """Cards of the kernels that single energy bins have in the place of the common ones, by the bin's number."""
    keys = {"source_kernel": "SRCKER", "background_kernel": "BKGKER"}
    return [
        (f"{card}{number}", describe(own[key]), f"{key.replace('_', ' ')} of energy bin {number}")
        for number, own in enumerate(energy_kernels)
        for key, card in keys.items()
        if key in own
    ]


def _background_kernel_cards(kernel, quality):
    """The background kernel; limits of an adaptive ring have cards of their own, and so has what they left out."""
    start = {key: value for key, value in kernel.items() if key not in RING_KEYS}
    cards = [("BKGKERN", describe(start), "background kernel")]
    cards += [(card, in_words(kernel[key]), meaning) for key, (card, meaning) in RING_KEYS.items() if key in kernel]
    if "without_ring" in quality:
        cards.append(("NNORING", quality["without_ring"], "covered pixels for which no ring sufficed"))
    return cards


def with_position(quality, header):
    """Return quality figures with the sky position of the hottest pixel, in degrees in the map's own frame.

    `axes` names the frame's longitude and latitude, as in ["RA", "DEC"].
    """
    from skymask.sky.geometry import axis_names, sky_position

    longitude, latitude = None, None
    if quality["highest_x"] is not None:
        longitude, latitude = sky_position(header, quality["highest_x"], quality["highest_y"])
    return {**quality, "highest_longitude": longitude, "highest_latitude": latitude, "axes": axis_names(header)}


def write_convergence_table(path, records, state):
    """Write one row per iteration; only the last one carries the end state."""
    with written_whole(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, CONVERGENCE_COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for number, record in enumerate(records, start=1):
            writer.writerow({**record, "state": state if number == len(records) else "running"})


def read_convergence_table(path):
    """Return the rows of a convergence table, numbers as numbers, None where there is none."""
    with open(path, newline="", encoding="utf-8") as file:
        return [
            {
                key: value if key in ("digest", "state") else float(value) if value else None
                for key, value in row.items()
            }
            for row in csv.DictReader(file)
        ]
