"""How the loop ends, and what the ways to update the mask do to background and completeness."""

import numpy as np

import skymask
from skymask.core.convolution import convolve
from skymask.core.significance import wstat

SIMULATIONS, PER_JOB = 30, 30

#: Pixels of 0.02 deg and one count each, if one thinks of the demonstration's kernels.
SHAPE = (200, 200)
SOURCE, RING = skymask.disk(5), skymask.ring(25, 15)

#: Number of sources: standard deviations of 2 to 5 pixels, 50 to 2000 counts, even in the logarithm.
FIELDS = {"empty": 0, "crowded": 10}
THRESHOLDS = (3, 4, 5, 6)
DILATIONS = (0, 15)

#: The ways to update the mask: options of `skymask.iterate`.
UPDATES = {
    "replace": {},
    "replace, last": {"on_cycle": "last"},
    "hysteresis": {"low": 1},
    "grow": {"mask_update": "grow"},
}
STATES = ("converged", "cycle", "max_iterations", "runaway")

#: A pixel this close to the threshold is one that a small change of the background may flip.
NEAR = 0.1

CASES = {
    f"{field}-{threshold}-{dilation}": {"field": field, "threshold": threshold, "dilation": dilation}
    for field in FIELDS
    for threshold in THRESHOLDS
    for dilation in DILATIONS
}


def measure(random, *, field, threshold, dilation):
    """Return the figures of one simulation for every one of UPDATES.

    `state` is the place among STATES; `bias` the relative bias of the mean background over used pixels; `complete` the
    fraction of the sources that the expected counts put above the threshold whose centres are excluded (NaN without
    any); `near` the number of pixels within 0.1 of the threshold in the end, and `above` that of used pixels above it.
    """
    expected_sources, centres = sources(random, FIELDS[field])
    counts = random.poisson(1 + expected_sources)
    alpha = SOURCE.sum() / RING.sum()
    expected = wstat(SOURCE.sum() + convolve(expected_sources, SOURCE), SOURCE.sum() / alpha, alpha)
    detectable = [centre for centre in centres if expected[centre] >= threshold]
    names = ("state", "period", "iterations", "excluded", "bias", "complete", "near", "above")
    figures = {name: [] for name in names}
    for options in UPDATES.values():
        options = dict(options)
        if "low" in options:
            options["threshold_low"] = threshold - options.pop("low")
        result = skymask.iterate(
            counts,
            source_kernel=SOURCE,
            background_kernel=RING,
            dilation_kernel=skymask.disk(dilation),
            threshold=threshold,
            **options,
        )
        mask, significance = result.exclusion_mask, result.products.significance
        values = (
            STATES.index(result.state),
            result.period,
            result.iterations,
            1 - mask.mean(),
            np.nanmean(result.products.background[mask]) - 1 if mask.any() else np.nan,
            np.mean([not mask[centre] for centre in detectable]) if detectable else np.nan,
            np.sum(np.abs(significance - threshold) < NEAR),
            np.sum(mask & (significance >= threshold)),
        )
        for name, value in zip(names, values, strict=True):
            figures[name].append(value)
    return figures


def sources(random, number):
    """Return the expected counts of random Gaussian sources, and the pixels of their centres."""
    y, x = np.indices(SHAPE)
    image, centres = np.zeros(SHAPE), []
    for _ in range(number):
        centre = tuple(int(value) for value in random.integers(0, SHAPE[0], 2))
        sigma, total = random.uniform(2, 5), np.exp(random.uniform(np.log(50), np.log(2000)))
        distance_squared = (y - centre[0]) ** 2 + (x - centre[1]) ** 2
        image += total / (2 * np.pi * sigma**2) * np.exp(-0.5 * distance_squared / sigma**2)
        centres.append(centre)
    return image, centres
