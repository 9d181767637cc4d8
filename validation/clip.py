"""What exclusion above a threshold does to a field without sources: to the significance, and to the background."""

import numpy as np

import skymask
from skymask.core.significance import wstat
from skymask.loop.iteration import compute_products
from validation.exact import expectation

SIMULATIONS, PER_JOB = 60, 30

#: Counts per pixel; 290 under the source kernel, so that the significance is normal but for the cut.
BACKGROUND = 10
SHAPE = (200, 200)
SOURCE, RING = skymask.disk(3), skymask.ring(9, 4)
INNER = (slice(16, 184), slice(16, 184))

#: Pixels.
DILATIONS = (0, 2, 4, 8)
CASES = {f"threshold-{threshold}": {"threshold": threshold} for threshold in (2.5, 3, 3.5, 4, 5)}


def measure(random, *, threshold):
    """Return mean and mean square of the used pixels' significance, and the bias of the background, for every dilation.

    `cut` are moments of the significance that the first mask comes from, under this mask, `final` those after the loop,
    with the final background. The biases, after one step and after the loop, are those of the mean background of all
    inner pixels with respect to the estimate without a mask.
    """
    counts = random.poisson(BACKGROUND, SHAPE)
    everything = np.ones(SHAPE, dtype=bool)
    products = compute_products(counts, everything.astype(np.uint8), everything, SOURCE, RING, statistic="wstat")
    first, unbiased = products.significance[INNER], products.background[INNER].mean()
    figures = {name: [] for name in ("cut", "final", "first_bias", "bias", "used", "converged")}
    for radius in DILATIONS:
        kernels = {"source_kernel": SOURCE, "background_kernel": RING, "dilation_kernel": skymask.disk(radius)}
        one, loop = (skymask.iterate(counts, **kernels, threshold=threshold, max_iterations=n) for n in (1, 50))
        for name, values, mask in (
            ("cut", first, one.exclusion_mask),
            ("final", loop.products.significance[INNER], loop.exclusion_mask),
        ):
            used = values[mask[INNER]]
            figures[name].append([used.mean(), (used**2).mean()])
        for name, result in (("first_bias", one), ("bias", loop)):
            figures[name].append(np.nanmean(result.products.background[INNER]) / unbiased - 1)
        figures["used"].append(loop.exclusion_mask[INNER].mean())
        figures["converged"].append(loop.state == "converged")
    return figures


def expected(threshold):
    """Return the exact mean and width of the significance of a pixel, if it is below the threshold."""
    alpha = SOURCE.sum() / RING.sum()
    mu = BACKGROUND * SOURCE.sum()

    def of_counts(n_on, n_off):
        significance = wstat(n_on, n_off, alpha)
        below = significance < threshold
        return np.stack([below, below * significance, below * significance**2])

    chance, first, second = expectation(of_counts, mu, mu / alpha)
    return first / chance, np.sqrt(second / chance - (first / chance) ** 2)
