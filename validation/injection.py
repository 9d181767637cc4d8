"""One source in the middle of a field: whether it is found, and what it does to background and excess."""

from functools import cache

import numpy as np
from scipy.optimize import brentq

import skymask
from skymask.core.convolution import convolve
from skymask.core.limits import wstat_limits
from skymask.core.significance import wstat
from skymask.datasets.simulation import expected_sky
from skymask.loop.iteration import compute_products

SIMULATIONS, PER_JOB = 60, 30

#: Field of 160 x 160 pixels, one count per pixel, with kernels like those of the configuration's demonstration.
FIELD = {"width": ("3.2 deg", "3.2 deg"), "pixel_size": "0.02 deg", "background": 1}
SOURCE, RING, DILATION = skymask.disk(5), skymask.ring(25, 15), skymask.disk(15)
THRESHOLD = 5

#: Pixel at the source's centre.
CENTRE = (80, 80)

#: Standard deviations of Gaussian sources in degrees, 0 for a point, and significances of their centres.
EXTENTS = (0, 0.1, 0.2, 0.3, 0.4, 0.6, 1.0)
SIGNIFICANCES = (2, 4, 5, 6, 8, 20, 50)

#: A mask contains a source that adds no more than this to the expected counts outside, which is the limit of the bias.
CONTAINED = 0.005

#: A user's mask of 0.4 deg around the source.
FIXED_RADIUS = 20

#: The masks compared.
METHODS = ("none", "fixed", "one step", "converged")

CASES = {f"extent-{extent}": {"extent": extent} for extent in EXTENTS}


@cache
def truth(extent, significance):
    """Return the expected background and source counts of a case.

    The expected counts under the source kernel at the centre have the wanted significance over the true background,
    measured with the alpha of the kernels.
    """
    offset = ("-0.01 deg", "0.01 deg")
    source = {"shape": "point", "offset": offset, "counts": 1}
    if extent:
        source = {"offset": offset, "counts": 1, "sigma": (f"{extent} deg",) * 2}
    sky = expected_sky(sources=[source], **FIELD)
    mu, alpha = SOURCE.sum() * FIELD["background"], SOURCE.sum() / RING.sum()
    excess = brentq(lambda s: wstat(mu + s, mu / alpha, alpha) - significance, 0, 1e5)
    contained = convolve(sky.expected_sources, SOURCE)[CENTRE]
    return sky.expected_background, sky.expected_sources * excess / contained


def measure(random, *, extent):
    """Return the figures of one simulation, for every one of SIGNIFICANCES and METHODS.

    `outside` and `inside` are the relative bias of the mean background over used and excluded pixels (NaN without any),
    `centre` that at the source. `excess` is the excess at the source over the true one; `pull` its deviation in units
    of the error on the side of the truth; `above_limit` is 1 where the truth is above the upper limit. `found` says
    whether the source's centre is excluded, `escaped` by which fraction it adds to the expected background of the used
    pixels.
    """
    of_all = [_measure_one(random, extent, significance) for significance in SIGNIFICANCES]
    return {name: [figures[name] for figures in of_all] for name in of_all[0]}


def _measure_one(random, extent, significance):
    """The figures of one source, for every one of METHODS."""
    background, sources = truth(extent, significance)
    counts = random.poisson(background + sources)
    true_excess = convolve(sources, SOURCE)[CENTRE]
    names = ("outside", "inside", "centre", "excess", "pull", "above_limit", "found", "excluded", "escaped")
    figures = {name: [] for name in names}
    for method in METHODS:
        mask, products = analysed(counts, method)
        ratio = products.background / background
        excess, alpha, n_off = (image[CENTRE] for image in (products.excess, products.alpha, products.counts_off))
        limits = wstat_limits(excess + alpha * n_off, n_off, alpha)
        error = limits.excess_errp if excess < true_excess else limits.excess_errn
        values = (
            ratio[mask].mean() - 1,
            ratio[~mask & np.isfinite(ratio)].mean() - 1 if np.isfinite(ratio[~mask]).any() else np.nan,
            ratio[CENTRE] - 1,
            excess / true_excess,
            (excess - true_excess) / error,
            true_excess > limits.excess_upper_limit,
            not mask[CENTRE],
            1 - mask.mean(),
            sources[mask].sum() / background[mask].sum() if mask.any() else np.nan,
        )
        for name, value in zip(names, values, strict=True):
            figures[name].append(value)
    return figures


def analysed(counts, method):
    """Return the exclusion mask and its products by one of METHODS.

    "one step" is the mask that the class of gammapy 0.16 ended with: that of the first iteration, with the background
    taken as known. Products are computed with the on/off statistic for all of them.
    """
    y, x = np.indices(counts.shape)
    mask = np.ones(counts.shape, dtype=bool)
    if method == "fixed":
        mask = (y - CENTRE[0]) ** 2 + (x - CENTRE[1]) ** 2 > FIXED_RADIUS**2
    elif method != "none":
        options = {"statistic": "cash", "max_iterations": 1} if method == "one step" else {}
        result = skymask.iterate(
            counts,
            source_kernel=SOURCE,
            background_kernel=RING,
            dilation_kernel=DILATION,
            threshold=THRESHOLD,
            **options,
        )
        mask = result.exclusion_mask
        if method == "converged":
            return mask, result.products
    return mask, compute_products(counts, np.ones(counts.shape, dtype=np.uint8), mask, SOURCE, RING, statistic="wstat")
