"""Further source kernels: significance, excess and limits under them, from the products of a finished loop.

In the workflow: see test_workflow.py.
"""

import numpy as np
import pytest

from skymask import adaptive_ring, compute_further_significance, compute_products, disk, gaussian, ring
from skymask.core.kernels import off_kernel, shared_pixels
from skymask.core.limits import compute_limits
from skymask.core.significance import cash, wstat
from skymask.errors import MapError

#: Sums are exact; alpha is divided and multiplied again.
EXACT = 1e-12

SHAPE = (31, 33)
RANDOM = np.random.default_rng(4)
COUNTS = RANDOM.poisson(2, SHAPE)
MASK = RANDOM.random(SHAPE) < 0.8


def further(kernel, background_kernel, *, acceptance, statistic="wstat", counts=COUNTS, mask=MASK, **options):
    counts = counts * (acceptance > 0)
    products = compute_products(counts, acceptance, mask, disk(1), background_kernel, statistic=statistic, **options)
    return compute_further_significance(
        counts,
        acceptance,
        products.maps(),
        disk(1),
        kernel,
        background_kernel,
        statistic=statistic,
        **options,
    )


def test_measured_background_is_that_of_the_ring_and_alpha_that_of_the_further_kernel():
    # Three counts in every pixel, five more in the middle; the disk of radius 2 has 13 pixels.
    counts = np.full((21, 21), 3)
    counts[10, 10] += 5
    everything = np.ones(counts.shape, dtype=bool)
    background_kernel = ring(4, 2)
    made = further(disk(2), background_kernel, acceptance=np.ones((21, 21)), counts=counts, mask=everything)
    n_ring = np.count_nonzero(background_kernel)
    assert made["alpha"][10, 10] == pytest.approx(13 / n_ring, rel=EXACT)
    assert made["excess"][10, 10] == pytest.approx(5, rel=EXACT)
    expected = wstat(13 * 3 + 5, 3 * n_ring, 13 / n_ring)
    assert made["significance"][10, 10] == pytest.approx(expected, rel=EXACT)


def test_known_background_is_summed_under_the_further_kernel_even_into_the_ring():
    counts = np.full((21, 21), 3)
    counts[10, 10] += 5
    everything = np.ones(counts.shape, dtype=bool)
    # The ring of radii 4 and 6 finds the 5 counts at no pixel nearer than 4 to them.
    made = further(disk(3), ring(4, 2), acceptance=np.ones((21, 21)), counts=counts, mask=everything, statistic="cash")
    n = np.count_nonzero(disk(3))
    assert made["excess"][10, 10] == pytest.approx(5, rel=EXACT)
    assert made["significance"][10, 10] == pytest.approx(cash(3 * n + 5, 3 * n), rel=EXACT)
    further(disk(5), ring(4, 2), acceptance=np.ones((21, 21)), statistic="cash", counts=counts, mask=everything)


@pytest.mark.parametrize("statistic", ["wstat", "cash"])
@pytest.mark.parametrize("systematic", [0, 0.1])
@pytest.mark.parametrize("kernel", [disk(0), disk(1), disk(3), gaussian(0.7)], ids=["pixel", "same", "disk", "gauss"])
def test_further_kernel_gives_what_it_gives_as_the_source_kernel(statistic, systematic, kernel):
    # No kernel touches the ring, so that the off counts of a loop with it would be the same.
    acceptance = np.linspace(1, 2, SHAPE[1]) + np.zeros(SHAPE)
    acceptance[:, :4] = 0
    options = {"statistic": statistic, "background_systematic": systematic}
    made = further(kernel, ring(5, 3), acceptance=acceptance, **options)
    counts = COUNTS * (acceptance > 0)
    products = compute_products(counts, acceptance, MASK, kernel, ring(5, 3), **options)
    limits = compute_limits(counts, acceptance, products.maps(), kernel, **options)
    for name, expected in (products.maps() | limits._asdict()).items():
        if name in made:
            # Differences of nearly equal numbers: counts are of the order of ten.
            np.testing.assert_allclose(made[name], expected, rtol=1e-10, atol=1e-10, err_msg=name)
    assert set(made) == {"alpha", "significance", "excess", *limits._fields}


def test_starved_pixels_stay_starved():
    mask = np.zeros(SHAPE, dtype=bool)
    mask[:, :5] = True
    made = further(disk(2), ring(4, 2), acceptance=np.ones(SHAPE), mask=mask)
    # The ring reaches 6 pixels far, and nothing is used from column 5 on.
    for name, image in made.items():
        assert np.isnan(image[:, 11:]).all(), name
        assert not np.isnan(image[:, :5]).any(), name


def test_pixels_under_two_kernels_are_counted():
    # A ring from 2 to 3 has 4 pixels at the distance 2.
    assert shared_pixels(ring(2, 1), disk(2)) == 4
    assert shared_pixels(ring(2, 1), disk(1)) == 0
    rings = adaptive_ring(2, 1, step=1, max_outer_radius=4)
    assert shared_pixels(rings, disk(2)) == 4


@pytest.mark.parametrize(
    "background_kernel", [ring(2, 2), gaussian(3), adaptive_ring(2, 2, step=1, max_outer_radius=6, alpha_max=2)]
)
def test_on_region_that_reaches_into_the_off_region_is_refused(background_kernel):
    shared = shared_pixels(off_kernel(background_kernel, disk(1), "wstat"), disk(2))
    with pytest.raises(MapError, match=f"it shares {shared} pixels with background_kernel"):
        further(disk(2), background_kernel, acceptance=np.ones(SHAPE))
