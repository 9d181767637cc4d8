"""How often errors and limits cover the truth, beside how often they must for Poisson numbers.

Point sources stand on a grid so wide that no ring is shared, each under a mask of its own: every one is an independent
on/off measurement whose exact coverage is a sum over two Poisson numbers.
"""

from functools import cache

import numpy as np

import skymask
from skymask.core.convolution import convolve
from skymask.core.limits import wstat_limits
from skymask.loop.iteration import compute_products
from validation.exact import expectation

SIMULATIONS, PER_JOB = 600, 600

SHAPE = (200, 200)
SOURCE, RING = skymask.disk(3), skymask.ring(9, 4)
ALPHA = SOURCE.sum() / RING.sum()

#: Rows and columns of the sources, 28 pixels apart; a ring reaches 13 pixels.
PLACES = np.ix_(range(16, 190, 28), range(16, 190, 28))

#: Which figure is what, and how often it is to cover the truth if numbers were normal.
COVERAGES = {
    "excess, 1 σ errors": 0.6827,
    "excess, 1.96 times the errors": 0.95,
    "upper limit at 95 %": 0.95,
    "background, 1 error": 0.6827,
    "background, 1.96 errors": 0.95,
}

CASES = {
    f"background-{background}-excess-{excess}": {"background": background, "excess": excess}
    for background in (0.1, 1, 3, 10, 100)
    for excess in (0, 3, 30)
}


def measure(random, *, background, excess):
    """Return how many of the sources of one simulation each of COVERAGES covers, as fractions."""
    expected = np.full(SHAPE, background / SOURCE.sum())
    expected[PLACES] += excess
    counts = random.poisson(expected)
    mask = mask_around_places()
    products = compute_products(counts, np.ones(SHAPE, dtype=np.uint8), mask, SOURCE, RING, statistic="wstat")
    n_off, alpha = products.counts_off[PLACES], products.alpha[PLACES]
    n_on = products.excess[PLACES] + alpha * n_off
    per_pixel = (products.background[PLACES], products.background_error[PLACES])
    covers = covered(n_on, n_off, alpha, background, excess, background_per_pixel=per_pixel)
    return {"covered": covers.mean(axis=(1, 2))}


def mask_around_places():
    """Return the mask without the disks around all sources."""
    places = np.zeros(SHAPE, dtype=np.uint8)
    places[PLACES] = 1
    return convolve(places, SOURCE) == 0


def covered(n_on, n_off, alpha, background, excess, *, background_per_pixel=None):
    """Return where each of COVERAGES covers the true background and excess under the source kernel.

    Background and error are those of pixels, if given, and otherwise what follows from the counts.
    """
    shape = np.broadcast_shapes(np.shape(n_on), np.shape(n_off))
    n_on, n_off = (np.broadcast_to(np.asarray(number, dtype=float), shape) for number in (n_on, n_off))
    limits = wstat_limits(n_on, n_off, alpha)
    deviation = n_on - alpha * n_off - excess
    error = np.where(deviation < 0, limits.excess_errp, limits.excess_errn)
    estimate, scatter = background_per_pixel or (alpha * n_off / SOURCE.sum(), alpha * np.sqrt(n_off) / SOURCE.sum())
    off_by = np.abs(estimate - background / SOURCE.sum())
    return np.stack(
        [
            np.abs(deviation) <= error,
            np.abs(deviation) <= 1.96 * error,
            excess <= limits.excess_upper_limit,
            off_by <= scatter,
            off_by <= 1.96 * scatter,
        ]
    )


@cache
def expected(background, excess):
    """Return the exact coverages, the sum over all counts."""

    def of_counts(n_on, n_off):
        return covered(n_on, n_off, ALPHA, background, excess)

    return expectation(of_counts, background + excess, background / ALPHA)
