"""Kernels: which pixels they hold, on square and other pixels, and what they refuse."""

import numpy as np
import pytest
from astropy.convolution import Ring2DKernel, Tophat2DKernel

from skymask import compute_products, iterate, iterate_strips
from skymask.core import kernels
from skymask.core.background import estimate_background
from skymask.core.convolution import convolve


def test_disk_of_radius_one_is_a_plus():
    assert kernels.disk(1).tolist() == [[False, True, False], [True, True, True], [False, True, False]]


@pytest.mark.parametrize("radius", [0, 0.5, 0.999])
def test_disk_below_one_pixel_is_a_single_pixel(radius):
    assert kernels.disk(radius).tolist() == [[True]]


def test_radius_lost_to_rounding_still_reaches_its_last_pixel():
    assert 0.3 / 0.05 < 6
    assert np.array_equal(kernels.disk(0.3, pixel_size=0.05), kernels.disk(6))


def test_ring_radii_lost_to_rounding_still_reach_their_last_pixels():
    assert np.array_equal(kernels.ring(0.3, 0.3, pixel_size=0.05), kernels.ring(6, 6))


def test_radius_short_by_more_than_rounding_loses_its_last_pixels():
    assert kernels.disk(6 * (1 - 1e-6)).sum() == kernels.disk(6).sum() - 4


@pytest.mark.parametrize("radius", [1, 2, 2.5, 3, 5, 7.3, 10])
def test_disk_holds_the_pixels_of_astropys_tophat(radius):
    assert pixel_set(kernels.disk(radius)) == pixel_set(Tophat2DKernel(radius).array)


@pytest.mark.parametrize(("inner", "width"), [(1, 1), (2, 3), (3.5, 2), (5, 3), (10, 6)])
def test_ring_holds_the_pixels_of_astropys_ring(inner, width):
    assert pixel_set(kernels.ring(inner, width)) == pixel_set(Ring2DKernel(inner, width).array)


def pixel_set(kernel):
    """Offsets from the centre of the pixels that a kernel holds."""
    centre = np.array(kernel.shape) // 2
    return {tuple(int(i) for i in offset) for offset in np.argwhere(kernel > 0) - centre}


def test_ring_includes_both_of_its_radii():
    assert kernels.ring(1, 2)[3].tolist() == [True, True, True, False, True, True, True]


def test_ring_and_the_open_disk_inside_make_a_disk():
    inside = np.pad(kernels.disk(4 * (1 - 1e-6)), 4)
    assert np.array_equal(kernels.ring(4, 3) | inside, kernels.disk(7))


def test_disk_on_oblong_pixels_is_an_ellipse():
    # Pixels twice as tall as wide: radius 2 reaches 1 pixel along y and 2 along x; (dy, dx) = (1, 1) is at sqrt(5).
    expected = [[0, 0, 1, 0, 0], [1, 1, 1, 1, 1], [0, 0, 1, 0, 0]]
    assert kernels.disk(2, pixel_size=(2, 1)).astype(int).tolist() == expected


def test_swapped_pixel_sides_transpose_the_kernel():
    assert np.array_equal(kernels.ring(3, 2, pixel_size=(0.7, 1.1)), kernels.ring(3, 2, pixel_size=(1.1, 0.7)).T)


@pytest.mark.parametrize("factor", [0.02, 1 / 3, 1e-6])
def test_kernel_depends_on_the_ratio_of_radius_and_pixel_size_only(factor):
    assert np.array_equal(kernels.disk(7 * factor, pixel_size=factor), kernels.disk(7))


@pytest.mark.parametrize("kernel", [kernels.disk(3.3), kernels.ring(2, 1.5), kernels.gaussian(1.3)])
def test_kernel_is_the_same_flipped_and_transposed(kernel):
    for moved in (kernel[::-1], kernel[:, ::-1], kernel.T):
        assert np.array_equal(moved, kernel)


def test_gaussian_has_peak_one_and_falls_to_exp_minus_one_half_at_sigma():
    kernel = kernels.gaussian(2)
    assert kernel[8, 8] == 1
    assert kernel[8, 10] == pytest.approx(np.exp(-0.5), rel=1e-12)


def test_gaussian_ends_at_four_standard_deviations():
    kernel = kernels.gaussian(2)
    assert kernel.shape == (17, 17)
    assert kernel[8, 0] == pytest.approx(np.exp(-8), rel=1e-12)
    assert kernel[7, 0] == 0


def test_array_of_one_value_becomes_boolean():
    assert kernels.from_array([[0, 3, 0]]).tolist() == [[False, True, False]]


def test_array_of_weights_is_scaled_to_peak_one():
    assert kernels.from_array([[1.0, 4.0, 2.0]]).tolist() == [[0.25, 1.0, 0.5]]


@pytest.mark.parametrize("array", [np.ones((2, 3)), np.ones((3, 4)), np.ones(3), np.ones((3, 3, 3)), np.ones((0, 1))])
def test_array_without_a_central_pixel_is_refused(array):
    with pytest.raises(ValueError, match="two-dimensional with odd sides"):
        kernels.from_array(array)


@pytest.mark.parametrize("array", [[[1.0, -0.1, 1.0]], [[np.nan, 1.0, 1.0]], [[np.inf, 1.0, 1.0]], [[0.0]]])
def test_array_that_is_no_weight_is_refused(array):
    with pytest.raises(ValueError, match="finite, nowhere negative and somewhere positive"):
        kernels.from_array(array)


@pytest.mark.parametrize("radius", [-1, np.nan, np.inf])
def test_impossible_disk_radius_is_refused_by_name(radius):
    with pytest.raises(ValueError, match="radius must be a finite number, zero or more"):
        kernels.disk(radius)


@pytest.mark.parametrize(("inner", "width", "name"), [(-1, 1, "inner_radius"), (1, -1, "width"), (1, np.nan, "width")])
def test_impossible_ring_radius_is_refused_by_name(inner, width, name):
    with pytest.raises(ValueError, match=f"{name} must be a finite number"):
        kernels.ring(inner, width)


def test_ring_between_pixel_centres_is_refused():
    with pytest.raises(ValueError, match=r"ring from 1\.1 to 1\.2 holds no pixel centre"):
        kernels.ring(1.1, 0.1)


@pytest.mark.parametrize("sigma", [0, -1, np.nan])
def test_impossible_sigma_is_refused(sigma):
    with pytest.raises(ValueError, match="sigma must be positive"):
        kernels.gaussian(sigma)


@pytest.mark.parametrize("cut", [0, 2, 4, 9])
def test_disk_without_a_disk_keeps_what_lies_farther_out(cut):
    far = np.hypot(*np.mgrid[-6:7, -6:7]) > cut
    assert np.array_equal(kernels.without(kernels.disk(6), kernels.disk(cut)), kernels.disk(6) & far)


def test_taking_out_a_kernel_leaves_the_original_untouched():
    kernel = kernels.gaussian(1)
    before = kernel.copy()
    assert kernels.without(kernel, kernels.disk(1))[4, 4] == 0
    assert np.array_equal(kernel, before)


@pytest.mark.parametrize(("kernel", "weighted"), [(kernels.disk(2), False), (kernels.gaussian(1), True)])
def test_only_kernels_of_weights_are_weighted(kernel, weighted):
    assert kernels.is_weighted(kernel) is weighted


#: Looks up and to the right only, and one pixel of it counts double.
ASYMMETRIC = np.zeros((5, 7))
ASYMMETRIC[3, 4:], ASYMMETRIC[4, 6] = 1, 2


@pytest.mark.parametrize("weight", [1, 2], ids=["boolean", "weighted"])
def test_kernel_is_the_image_of_one_count(weight):
    kernel = kernels.from_array(np.minimum(ASYMMETRIC, weight))
    counts = np.zeros((9, 11), dtype=int)
    counts[4, 5] = 1
    result = compute_products(counts, np.ones(counts.shape), counts == 0, kernel, kernels.disk(2), statistic="cash")
    on = result.excess + convolve(np.nan_to_num(result.background), kernel)
    # With its centre on the count: what is above and to the right of the centre sees a count below and to the left.
    np.testing.assert_allclose(on[2:7, 2:9], kernel, atol=1e-12)


@pytest.mark.parametrize("weight", [1, 2], ids=["boolean", "weighted"])
def test_background_kernel_is_the_image_of_one_off_count(weight):
    kernel = kernels.from_array(np.minimum(ASYMMETRIC, weight))
    counts = np.zeros((9, 11), dtype=int)
    counts[4, 5] = 1
    flat = np.ones(counts.shape)
    background = estimate_background(counts, flat, flat > 0, kernel).background
    np.testing.assert_allclose(background[2:7, 2:9], kernel / kernel.sum(), atol=1e-12)


def test_dilation_kernel_is_the_image_of_one_excluded_pixel():
    kernel = ASYMMETRIC > 0
    counts = np.ones((9, 11), dtype=int)
    counts[4, 5] = 1000
    options = {"source_kernel": kernels.disk(0), "background_kernel": kernels.ring(1, 3)}
    mask = iterate(counts, dilation_kernel=kernel, max_iterations=1, **options).exclusion_mask
    np.testing.assert_array_equal(~mask[2:7, 2:9], kernel)


def test_asymmetric_kernels_give_the_same_in_parts_as_at_once(tmp_path):
    random = np.random.default_rng(6)
    counts = random.poisson(3, (60, 50))
    counts[20:24, 30:34] += 20
    options = {
        "source_kernel": ASYMMETRIC > 0,
        "background_kernel": np.pad(np.eye(9, 11), ((0, 4), (2, 0)))[::-1] > 0,
        "dilation_kernel": ASYMMETRIC > 0,
        "threshold": 4.0,
    }
    at_once = iterate(counts, **options)
    in_strips = iterate_strips(counts, folder=tmp_path, rows=16, **options)
    assert not at_once.exclusion_mask.all()
    np.testing.assert_array_equal(in_strips.exclusion_mask[:], at_once.exclusion_mask)
    # From the map at once, without any of the loop's sums.
    whole = compute_products(
        counts,
        np.ones(counts.shape, dtype=np.uint8),
        at_once.exclusion_mask,
        options["source_kernel"],
        options["background_kernel"],
        statistic="wstat",
    )
    np.testing.assert_array_equal(whole.significance, at_once.products.significance)
