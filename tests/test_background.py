"""The ring background against answers known beforehand."""

import numpy as np
import pytest

from skymask.core.background import Background, background_error, estimate_background
from skymask.core.kernels import disk, gaussian, ring, without

KERNELS = {
    "ring": ring(2, 2),
    "ring of weights": ring(2, 2).astype(float),
    "oblong ring": ring(2, 2, pixel_size=(1, 0.7)),
    "gaussian without its middle": without(gaussian(1.5), disk(2)),
}
MOVES = {"up-down": lambda a: a[::-1], "left-right": lambda a: a[:, ::-1], "transposed": lambda a: a.T}

# Exact sums leave the rounding of one product and one quotient; a Fourier transform rounds more.
EXACT, FOURIER = 1e-12, 1e-9


def tolerance(kernel):
    return EXACT if kernel.dtype == bool else FOURIER


@pytest.fixture(params=KERNELS.values(), ids=KERNELS)
def kernel(request):
    return request.param


def everywhere(shape):
    return np.ones(shape, dtype=bool)


def test_constant_counts_give_that_background_at_the_edges_too(kernel):
    counts = np.full((13, 17), 7)
    background = estimate_background(counts, np.ones((13, 17)), everywhere((13, 17)), kernel).background
    np.testing.assert_allclose(background, 7, rtol=tolerance(kernel))


def test_constant_counts_give_that_background_beside_a_hole_in_the_coverage(kernel):
    coverage = everywhere((13, 17))
    coverage[4:7, 5:11] = False
    background = estimate_background(7 * coverage, coverage.astype(float), everywhere((13, 17)), kernel).background
    np.testing.assert_allclose(background[coverage], 7, rtol=tolerance(kernel))
    assert np.isnan(background[~coverage]).all()


def test_background_follows_a_linear_acceptance(kernel):
    acceptance = np.broadcast_to(np.arange(1.0, 18.0), (13, 17))
    background = estimate_background((3 * acceptance).astype(int), acceptance, everywhere((13, 17)), kernel).background
    np.testing.assert_allclose(background, 3 * acceptance, rtol=tolerance(kernel))


def test_counts_and_acceptance_times_k_give_the_background_times_k(kernel):
    counts, acceptance, mask = field()
    plain = estimate_background(counts, acceptance, mask, kernel).background
    scaled = estimate_background(3 * counts, 3 * acceptance, mask, kernel).background
    np.testing.assert_allclose(scaled, 3 * plain, rtol=tolerance(kernel))


def test_unit_of_the_acceptance_does_not_matter(kernel):
    counts, acceptance, mask = field()
    plain = estimate_background(counts, acceptance, mask, kernel).background
    scaled = estimate_background(counts, 1e13 * acceptance, mask, kernel).background
    np.testing.assert_allclose(scaled, plain, rtol=tolerance(kernel))


def test_source_inside_the_mask_moves_the_background_not_at_all(kernel):
    counts, acceptance, mask = field()
    with_source = counts + 10**6 * ~mask
    before = estimate_background(counts, acceptance, mask, kernel)
    after = estimate_background(with_source, acceptance, mask, kernel)
    for name, image in before.maps().items():
        assert np.array_equal(image, after.maps()[name], equal_nan=True)


def test_source_outside_the_mask_raises_the_background_around_it():
    counts, acceptance = np.ones((9, 9), dtype=int), np.ones((9, 9))
    counts[4, 4] = 13
    kernel = ring(2, 0)
    background = estimate_background(counts, acceptance, everywhere((9, 9)), kernel).background
    # Four pixels lie at a distance of two: three ones and the source.
    assert background[4, 2] == (3 + 13) / 4
    assert background[4, 4] == 1


@pytest.mark.parametrize("other", [0, 10**8])
def test_empty_ring_gives_nan_whatever_the_other_pixels_hold(kernel, other):
    counts = np.zeros((25, 25), dtype=int)
    mask = np.hypot(*np.mgrid[-12:13, -12:13]) > 10
    counts[0, :] = other
    estimate = estimate_background(counts, np.ones((25, 25)), mask, kernel)
    assert np.isnan(estimate.background[12, 12])
    assert estimate.acceptance_off[12, 12] == 0
    assert estimate.counts_off[12, 12] == 0


@pytest.mark.parametrize("other", [1, 10**8])
def test_ring_of_used_pixels_without_counts_gives_zero(kernel, other):
    counts = np.zeros((25, 25), dtype=int)
    counts[0, :] = other
    estimate = estimate_background(counts, np.ones((25, 25)), everywhere((25, 25)), kernel)
    assert estimate.background[12, 12] == 0


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_moving_the_maps_moves_the_background(kernel, move):
    counts, acceptance, mask = field()
    plain = estimate_background(counts, acceptance, mask, kernel).background
    moved = estimate_background(move(counts), move(acceptance), move(mask), move(kernel)).background
    np.testing.assert_allclose(moved, move(plain), rtol=tolerance(kernel))


def field():
    """Poisson counts on a sloping acceptance with a hole in the coverage, and a mask with an excluded block."""
    random = np.random.default_rng(11)
    acceptance = np.linspace(0.5, 2, 12)[:, None] * np.linspace(1, 1.7, 15)[None, :]
    acceptance[9:11, 1:3] = 0
    mask = everywhere((12, 15))
    mask[5:8, 6:9] = False
    return random.poisson(6 * acceptance), acceptance, mask


def test_off_counts_and_acceptance_are_sums_over_the_used_pixels():
    counts = np.array([[1, 2, 4, 8, 16]])
    acceptance = np.array([[1.0, 1.0, 2.0, 3.0, 5.0]])
    mask = np.array([[True, True, True, True, False]])
    estimate = estimate_background(counts, acceptance, mask, np.array([[True, True, False, True, True]]))
    assert estimate.counts_off[0].tolist() == [2 + 4, 1 + 4 + 8, 1 + 2 + 8, 2 + 4, 4 + 8]
    assert estimate.acceptance_off[0].tolist() == [3, 1 + 2 + 3, 1 + 1 + 3, 1 + 2, 2 + 3]
    np.testing.assert_allclose(estimate.background[0], [6 / 3, 13 / 6, 2 * 11 / 5, 3 * 6 / 3, 5 * 12 / 5], rtol=EXACT)


def test_kernel_of_equal_weights_gives_the_off_counts_of_the_plain_kernel():
    counts, acceptance, mask = field()
    plain = estimate_background(counts, acceptance, mask, ring(2, 2))
    weighted = estimate_background(counts, acceptance, mask, ring(2, 2).astype(float))
    for name, image in plain.maps().items():
        np.testing.assert_allclose(weighted.maps()[name], image, rtol=FOURIER)


def test_weights_give_effective_off_counts():
    # Around the middle pixel: 2 counts of weight 1 and 4 of weight 1/2. Sum w c = 4, sum w^2 c = 3, sum w A = 3/2.
    estimate = estimate_background(
        np.array([[4, 9, 2]]), np.ones((1, 3)), everywhere((1, 3)), np.array([[1.0, 0.0, 0.5]])
    )
    assert estimate.counts_off[0, 1] == pytest.approx(4**2 / 3, rel=FOURIER)
    assert estimate.acceptance_off[0, 1] == pytest.approx(1.5 * 4 / 3, rel=FOURIER)
    assert estimate.background[0, 1] == pytest.approx(4 / 1.5, rel=FOURIER)


def test_weights_without_counts_give_the_effective_acceptance():
    estimate = estimate_background(
        np.zeros((1, 3), dtype=int), np.ones((1, 3)), everywhere((1, 3)), np.array([[1.0, 0.0, 0.5]])
    )
    # (sum w A)^2 / sum w^2 A.
    assert estimate.acceptance_off[0, 1] == pytest.approx(1.5**2 / 1.25, rel=FOURIER)
    assert estimate.counts_off[0, 1] == 0


def test_error_is_that_of_the_weighted_sum():
    acceptance = np.array([[1.0, 3.0, 1.0]])
    estimate = estimate_background(np.array([[4, 9, 2]]), acceptance, everywhere((1, 3)), np.array([[1.0, 0.0, 0.5]]))
    # A sqrt(sum w^2 c) / sum w A.
    assert background_error(acceptance, estimate)[0, 1] == pytest.approx(3 * np.sqrt(3) / 1.5, rel=FOURIER)


def test_error_of_a_plain_ring_is_that_of_its_counts():
    counts, acceptance = np.full((9, 9), 4), np.ones((9, 9))
    estimate = estimate_background(counts, acceptance, everywhere((9, 9)), ring(2, 1))
    n = ring(2, 1).sum()
    assert background_error(acceptance, estimate)[4, 4] == pytest.approx(np.sqrt(4 * n) / n, rel=EXACT)


@pytest.mark.parametrize("name", ["ring", "gaussian without its middle"])
def test_error_is_the_scatter_of_the_background(name):
    random = np.random.default_rng(5)
    acceptance = np.ones((13, 13))
    n = 200
    estimates = [
        estimate_background(random.poisson(5, (13, 13)), acceptance, everywhere((13, 13)), KERNELS[name])
        for _ in range(n)
    ]
    scatter = np.std([estimate.background[6, 6] for estimate in estimates])
    error = np.mean([background_error(acceptance, estimate)[6, 6] for estimate in estimates])
    # A standard deviation from n values is known to 1 / sqrt(2 n); four times that.
    assert scatter == pytest.approx(error, rel=4 / np.sqrt(2 * n))


def test_error_is_undefined_where_the_background_is():
    counts, acceptance, mask = field()
    mask[:, :8] = False
    estimate = estimate_background(counts, acceptance, mask, ring(2, 1))
    undefined = np.isnan(estimate.background)
    assert undefined.any()
    assert np.array_equal(np.isnan(background_error(acceptance, estimate)), undefined)


def test_given_background_has_no_off_maps():
    assert list(Background(np.ones((2, 2))).maps()) == ["background"]


def test_estimated_background_has_its_off_maps():
    estimate = estimate_background(np.ones((3, 3), dtype=int), np.ones((3, 3)), everywhere((3, 3)), ring(1, 0))
    assert list(estimate.maps()) == ["background", "counts_off", "acceptance_off"]


def test_estimate_leaves_its_inputs_untouched(kernel):
    inputs = (*field(), kernel)
    copies = [array.copy() for array in inputs]
    estimate_background(*inputs)
    for array, copy in zip(inputs, copies, strict=True):
        assert np.array_equal(array, copy)


@pytest.mark.parametrize(("weight", "starved"), [(1e-3, False), (1e-9, True)])
def test_kernel_with_hardly_any_weight_on_used_pixels_is_starved(weight, starved):
    # The only used pixel lies under the small weight; a millionth of the kernel is the least that counts.
    estimate = estimate_background(
        np.array([[5, 5, 5]]), np.ones((1, 3)), np.array([[False, False, True]]), np.array([[weight, 0.0, 1.0]])
    )
    assert np.isnan(estimate.background[0, 1]) == starved
    assert (estimate.acceptance_off[0, 1] == 0) == starved
