"""The field of view as a background kernel: the acceptance, normalised outside the mask."""

import numpy as np
import pytest
from conftest import KERNELS, field_with_source

from skymask import compute_products, disk, field_of_view, iterate, ring
from skymask.core.background import background_error, estimate_background
from skymask.core.kernels import is_weighted, off_kernel, shared_pixels
from skymask.core.measured import Part
from skymask.core.significance import wstat
from skymask.sky.configured_kernels import dilation_kernel, to_pixels
from skymask.sky.region_catalogue import catalogue_regions

#: Exact algebra.
EXACT = 1e-12

# The used pixels have 2 + 3 + 5 = 10 counts and an acceptance of 1 + 2 + 1 = 4: the norm is 2.5.
COUNTS = np.array([[2, 3, 90], [5, 0, 7]])
ACCEPTANCE = np.array([[1.0, 2.0, 4.0], [1.0, 0.0, 3.0]])
MASK = np.array([[True, True, False], [True, True, False]])


def test_background_is_the_acceptance_times_one_norm():
    estimate = estimate_background(COUNTS, ACCEPTANCE, MASK, field_of_view())
    np.testing.assert_allclose(estimate.background, [[2.5, 5, 10], [2.5, np.nan, 7.5]], rtol=EXACT)
    assert (estimate.counts_off == 10).all()
    assert (estimate.acceptance_off == 4).all()
    error = background_error(ACCEPTANCE, estimate)
    np.testing.assert_allclose(error, np.where(ACCEPTANCE > 0, ACCEPTANCE * np.sqrt(10) / 4, np.nan), rtol=EXACT)


def test_additive_background_is_taken_off_before_the_norm():
    additive = np.array([[1.0, 0.5, 3.0], [0.5, 0.0, 0.0]])
    estimate = estimate_background(COUNTS, ACCEPTANCE, MASK, field_of_view(), additive_background=additive)
    # 10 counts, 2 of them additive: the norm is 2.
    np.testing.assert_allclose(estimate.background, [[3, 4.5, 11], [2.5, np.nan, 6]], rtol=EXACT)


def test_nothing_is_known_where_every_pixel_is_excluded():
    estimate = estimate_background(COUNTS, ACCEPTANCE, ~MASK & (ACCEPTANCE > 9), field_of_view())
    assert np.isnan(estimate.background).all()


def test_significance_is_that_of_the_sums():
    products = compute_products(COUNTS, ACCEPTANCE, MASK, disk(0), field_of_view(), statistic="wstat")
    np.testing.assert_allclose(products.significance[0, 2], wstat(90, 10, 4 / 4), rtol=EXACT)
    np.testing.assert_allclose(products.alpha[0], [1 / 4, 2 / 4, 4 / 4], rtol=EXACT)
    np.testing.assert_allclose(products.excess[0], [2 - 2.5, 3 - 5, 90 - 10], rtol=EXACT)


def test_it_is_no_array_and_shares_no_pixels():
    kernel = field_of_view()
    assert off_kernel(kernel, disk(3), "wstat") is kernel
    assert shared_pixels(kernel, disk(3)) == 0
    assert not is_weighted(kernel)
    assert to_pixels({"shape": "field_of_view"}, (1, 1)) == kernel
    assert is_weighted(ring(2, 1).astype(float))


def test_error_of_a_region_adds_up_linearly():
    significance = np.zeros(COUNTS.shape)
    background = np.array([[2.5, 5, 10], [2.5, np.nan, 7.5]])
    part = Part(COUNTS, ACCEPTANCE, field_of_view())
    (row,), _ = catalogue_regions(COUNTS, ACCEPTANCE > 0, [MASK, MASK], MASK, background, significance, [part])
    # The region's acceptance is 7, and its background 7 / 4 of the 10 off counts.
    assert row["background_error"] == pytest.approx(7 / 4 * np.sqrt(10), rel=EXACT)


def test_background_is_flat_where_every_pixel_was_seen_alike():
    # That the workflow and `iterate` agree: see test_threshold_in_widths.py.
    size = (0.05, 0.05)
    result = iterate(
        field_with_source(),
        source_kernel=to_pixels(KERNELS["source_kernel"], size),
        background_kernel=field_of_view(),
        dilation_kernel=dilation_kernel(KERNELS["dilation_radius"], size),
    )
    assert result.state == "converged"
    assert np.ptp(result.products.background) == 0
