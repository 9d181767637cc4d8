"""No sources: how the significance is distributed, and what the loop excludes for nothing."""

from functools import cache

import numpy as np
from scipy import ndimage

import skymask
from skymask.core.convolution import convolve
from skymask.core.exclusion import EIGHT_NEIGHBOURS
from skymask.core.significance import ratio_of_acceptances, wstat
from skymask.datasets.simulation import expected_sky
from skymask.loop.iteration import compute_products
from validation.exact import moments_and_tails

SIMULATIONS, PER_JOB = 80, 80

#: Expected counts under the source kernel where the acceptance is 1.
COUNTS_ON = (0.1, 0.3, 1, 3, 10, 30, 100)

#: Field of 200 x 200 pixels.
FIELD = {"width": ("4 deg", "4 deg"), "pixel_size": "0.02 deg"}
ACCEPTANCES = {"flat": {}, "graded": {"acceptance_sigma": "1.5 deg", "acceptance_gradient": (0.3, 0.15)}}

SOURCE, RING, DILATION = skymask.disk(3), skymask.ring(9, 4), skymask.disk(9)

#: Thresholds of the chance exceedances in one step, and of the loops.
THRESHOLDS, LOOP_THRESHOLDS = (3, 4), (3, 5)

#: The pixels looked at: away from the edges, where off counts end; and the middles of blocks of 12 x 12 of them.
INNER = (slice(16, 184), slice(16, 184))
MIDDLES = (slice(22, 184, 12), slice(22, 184, 12))

CASES = {
    f"{acceptance}-{counts_on}": {"acceptance": acceptance, "counts_on": counts_on}
    for acceptance in ACCEPTANCES
    for counts_on in COUNTS_ON
}


@cache
def truth(acceptance, counts_on):
    """Return the expected background and the acceptance of a case."""
    sky = expected_sky(background=counts_on / SOURCE.sum(), **FIELD, **ACCEPTANCES[acceptance])
    return sky.expected_background, sky.acceptance


def measure(random, *, acceptance, counts_on):
    """Return the figures of one simulation.

    Moments are those of the significance over the inner pixels: in one step without a mask, as on/off measurement
    and with the background taken as known, and over the used pixels after loops with several thresholds. `tails` are
    the fractions of inner pixels that reach the thresholds in one step, `excluded` and `regions` what the loops
    exclude, `bias` by how much the mean background of used pixels then differs from that of one step without a mask.
    """
    background, acceptance = truth(acceptance, counts_on)
    counts = random.poisson(background)
    mask = np.ones(counts.shape, dtype=bool)
    one_step = {
        statistic: compute_products(counts, acceptance, mask, SOURCE, RING, statistic=statistic)
        for statistic in ("wstat", "cash")
    }
    figures = {name: moments(products.significance[INNER]) for name, products in one_step.items()}
    figures["tails"] = [np.mean(one_step["wstat"].significance[INNER] >= threshold) for threshold in THRESHOLDS]
    unbiased = one_step["wstat"].background[INNER].sum() / background[INNER].sum()
    figures |= {"loop": [], "excluded": [], "regions": [], "bias": []}
    for threshold in LOOP_THRESHOLDS:
        result = skymask.iterate(
            counts,
            acceptance=acceptance,
            source_kernel=SOURCE,
            background_kernel=RING,
            dilation_kernel=DILATION,
            threshold=threshold,
        )
        used = result.exclusion_mask[INNER]
        figures["loop"].append(moments(result.products.significance[INNER][used]))
        figures["excluded"].append(1 - used.mean())
        figures["regions"].append(ndimage.label(~used, EIGHT_NEIGHBOURS)[1])
        ratio = result.products.background[INNER][used].sum() / background[INNER][used].sum()
        figures["bias"].append(ratio / unbiased - 1)
    return figures


def moments(values):
    """Return the mean of values and of their squares; NaN if any is infinite, as over no background at all."""
    return [values.mean(), (values**2).mean()] if np.isfinite(values).all() else [np.nan, np.nan]


@cache
def expected(acceptance, counts_on):
    """Return the exact moments and tails of the on/off significance without a mask, the mean over the inner pixels.

    The sums are done at the middle of every block of 12 x 12 pixels; with a flat acceptance all are the same.
    """
    background, acceptance_map = truth(acceptance, counts_on)
    acceptance_on, acceptance_off = (convolve(acceptance_map, kernel) for kernel in (SOURCE, RING))
    alpha = ratio_of_acceptances(acceptance_on, acceptance_off)[MIDDLES].ravel()
    mu_on, mu_off = (convolve(background, kernel)[MIDDLES].ravel() for kernel in (SOURCE, RING))
    if acceptance == "flat":
        alpha, mu_on, mu_off = alpha[:1], mu_on[:1], mu_off[:1]
    pixels = [
        moments_and_tails(lambda n_on, n_off, a=a: wstat(n_on, n_off, a), on, off, THRESHOLDS)
        for on, off, a in zip(mu_on, mu_off, alpha, strict=True)
    ]
    return np.mean(pixels, axis=0)
