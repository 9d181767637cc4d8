"""Sums under a kernel against a plain double loop, and the exactness that everything else rests on."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skymask.core import convolution, kernels

IMAGE_SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 6))
# Up to three times the image's sides, so that kernels larger than the image are common.
KERNEL_SHAPES = st.tuples(st.integers(0, 5), st.integers(0, 6)).map(lambda half: (2 * half[0] + 1, 2 * half[1] + 1))
BOOLEAN_KERNELS = hnp.arrays(bool, KERNEL_SHAPES)
# Zero, or within twelve decades: far from underflow, and within what four parts of a number hold.
NOT_NEGATIVE = st.one_of(st.just(0.0), st.floats(1e-6, 1e6))


def double_loop(image, kernel):
    """Return the exact sums: kernel pixel (ky, kx) takes the image pixel at minus its offset from the centre."""
    n_y, n_x = image.shape
    half_y, half_x = kernel.shape[0] // 2, kernel.shape[1] // 2
    total = np.zeros(image.shape)
    for y in range(n_y):
        for x in range(n_x):
            terms = [
                float(image[y - ky + half_y, x - kx + half_x]) * float(kernel[ky, kx])
                for ky in range(kernel.shape[0])
                for kx in range(kernel.shape[1])
                if 0 <= y - ky + half_y < n_y and 0 <= x - kx + half_x < n_x
            ]
            total[y, x] = math.fsum(terms)
    return total


@settings(deadline=None, max_examples=120)
@given(hnp.arrays(bool, IMAGE_SHAPES), BOOLEAN_KERNELS)
def test_sums_of_booleans_are_those_of_a_double_loop(image, kernel):
    assert np.array_equal(convolution.convolve(image, kernel), double_loop(image, kernel))


@settings(deadline=None, max_examples=120)
@given(hnp.arrays(np.int64, IMAGE_SHAPES, elements=st.integers(-(10**9), 10**9)), BOOLEAN_KERNELS)
def test_sums_of_integers_are_exactly_those_of_a_double_loop(image, kernel):
    assert np.array_equal(convolution.convolve(image, kernel), double_loop(image, kernel))


@settings(deadline=None, max_examples=60)
@given(hnp.arrays(np.uint8, IMAGE_SHAPES), BOOLEAN_KERNELS)
def test_sums_of_small_integers_do_not_overflow_their_type(image, kernel):
    assert np.array_equal(convolution.convolve(image, kernel), double_loop(image, kernel))


@settings(deadline=None, max_examples=120)
@given(hnp.arrays(float, IMAGE_SHAPES, elements=NOT_NEGATIVE), BOOLEAN_KERNELS)
def test_sums_of_numbers_are_those_of_a_double_loop_to_the_last_places(image, kernel):
    # Two roundings of one unit in the last place each, 2.2e-16; one per addition for small disks, 143 at most here.
    rtol = 143 * 1.2e-16 if convolution.is_local(kernel) else 5e-16
    np.testing.assert_allclose(convolution.convolve(image, kernel), double_loop(image, kernel), rtol=rtol, atol=0)


@settings(deadline=None, max_examples=120)
@given(
    hnp.arrays(float, IMAGE_SHAPES, elements=NOT_NEGATIVE),
    hnp.arrays(float, KERNEL_SHAPES, elements=st.one_of(st.just(0.0), st.floats(1e-3, 1))),
)
def test_weighted_sums_are_those_of_a_double_loop(image, kernel):
    expected = double_loop(image, kernel)
    # A Fourier transform rounds in proportion to everything that is in it.
    np.testing.assert_allclose(convolution.convolve(image, kernel), expected, rtol=0, atol=1e-9 * image.sum())


@pytest.mark.parametrize("dtype", [bool, float])
def test_single_one_reproduces_an_asymmetric_kernel_unmirrored(dtype):
    kernel = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0]], dtype=dtype)
    image = np.zeros((5, 5))
    image[2, 2] = 1
    expected = np.zeros((5, 5))
    expected[1:4, 1:4] = kernel
    # The transform of numbers of order one rounds at 1e-16 times a few.
    np.testing.assert_allclose(convolution.convolve(image, kernel), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kernel", [kernels.disk(3), kernels.gaussian(1)])
def test_nothing_wraps_around_the_border(kernel):
    image = np.zeros((20, 20))
    image[0, 0] = 1
    total = convolution.convolve(image, kernel)
    assert not total[10:].any()
    assert not total[:, 10:].any()


@pytest.mark.parametrize("kernel", [kernels.disk(3), kernels.disk(3).astype(float), kernels.gaussian(0.75)])
@pytest.mark.parametrize("dtype", [np.int64, float])
def test_empty_kernel_sums_to_exactly_zero_beside_a_huge_value(kernel, dtype):
    image = np.zeros((30, 30), dtype=dtype)
    image[15, 15] = 10**8
    far = np.hypot(*np.mgrid[-15:15, -15:15]) > 3
    total = convolution.convolve(image, kernel)
    assert not total[far].any()
    assert total[15, 15] > 0


def test_sums_of_integers_too_large_for_floats_are_exact():
    image = np.array([[2**53, 1, 1]])
    assert convolution.convolve(image, np.ones((1, 3), dtype=bool)).tolist() == [[2**53 + 1, 2**53 + 2, 2]]


def test_order_of_additions_does_not_matter():
    # Added from left to right in floating point, 1e16 swallows every one: the exact sum keeps them.
    image = np.array([[1e16] + [1.0] * 16])
    assert convolution.convolve(image, np.ones((1, 33), dtype=bool))[0, 8] == 1e16 + 16


def test_sums_of_integers_are_integers():
    assert convolution.convolve(np.ones((3, 3), dtype=np.uint8), kernels.disk(1)).dtype.kind == "i"


def test_image_of_zeros_sums_to_zero():
    assert not convolution.convolve(np.zeros((3, 4)), kernels.disk(1)).any()


def test_sums_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="too large to be summed exactly"):
        convolution.convolve(np.full((3, 3), 2**60), kernels.disk(1))


MOVES = {"up-down": lambda a: a[::-1], "left-right": lambda a: a[:, ::-1], "transposed": lambda a: a.T}


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
@pytest.mark.parametrize("weights", [False, True])
def test_moving_image_and_kernel_moves_the_sums(move, weights):
    random = np.random.default_rng(3)
    image = random.poisson(4, (7, 10))
    kernel = random.random((5, 3)) if weights else random.random((5, 3)) > 0.5
    moved = convolution.convolve(move(image), move(kernel))
    # Exact for integers; the transform of sums below 100 rounds below 1e-12.
    np.testing.assert_allclose(moved, move(convolution.convolve(image, kernel)), rtol=0, atol=1e-9 if weights else 0)


def test_sums_leave_image_and_kernel_untouched():
    image, kernel = np.arange(12.0).reshape(3, 4), kernels.gaussian(0.5)
    copies = image.copy(), kernel.copy()
    convolution.convolve(image, kernel)
    assert np.array_equal(image, copies[0])
    assert np.array_equal(kernel, copies[1])


@pytest.mark.parametrize("brightest", [1, 10**8, 2**40])
def test_sums_under_a_large_kernel_are_exactly_those_of_a_double_loop(brightest):
    # Large enough for the Fourier transform, whose rounding may not show, and for counts that it cannot do exactly.
    image = np.random.default_rng(0).poisson(2.0, (40, 36))
    image[11, 7] = brightest
    kernel = kernels.ring(9, 6)
    expected = np.zeros_like(image)
    half = kernel.shape[0] // 2
    for y, x in np.ndindex(*image.shape):
        for dy, dx in np.argwhere(kernel) - half:
            if 0 <= y - dy < 40 and 0 <= x - dx < 36:
                expected[y, x] += image[y - dy, x - dx]
    found = convolution.convolve(image, kernel)
    assert found.dtype.kind == "i"
    np.testing.assert_array_equal(found, expected)


def test_floating_point_sums_under_a_large_kernel_are_rounded_once():
    image = np.random.default_rng(0).lognormal(0, 4, (40, 36))
    kernel = kernels.ring(9, 6)
    padded = np.pad(image, 15)
    expected = [math.fsum(padded[y : y + 31, x : x + 31][kernel]) for y, x in np.ndindex(40, 36)]
    # The ring is its own mirror image; a sum of parts is rounded once for each part.
    np.testing.assert_allclose(convolution.convolve(image, kernel).ravel(), expected, rtol=1e-15)


def test_blocks_whose_transforms_have_one_size_and_other_sides_share_no_memory():
    work = convolution.BlockSums(np.ones((3, 3), dtype=bool))
    # Padded to 12 x 16 and 18 x 10 pixels; with two more columns, both are 216.
    for shape in ((10, 14), (16, 8), (10, 14)):
        block = np.random.default_rng(1).integers(0, 9, shape)
        found = work.sums(block, tuple(slice(0, n) for n in shape))
        assert np.array_equal(found, plain_sums(block))


def plain_sums(block):
    """Sums over every pixel and its eight neighbours."""
    padded = np.pad(block, 1)
    return sum(padded[dy : dy + len(block), dx : dx + block.shape[1]] for dy in range(3) for dx in range(3))


@pytest.mark.parametrize("empty_columns", [0, 2])
@pytest.mark.parametrize("radius", [0, 0.5, 1, 3.2, 5])
@pytest.mark.parametrize("shape", [(1, 1), (40, 61), (180, 600)])
def test_sums_of_parts_and_of_pixels_are_those_of_the_map_to_the_bit(radius, shape, empty_columns):
    kernel = np.pad(kernels.disk(radius) > 0, ((0, 0), (empty_columns, empty_columns)))
    half_y, half_x = (n // 2 for n in kernel.shape)
    generator = np.random.default_rng(1)
    image = generator.lognormal(sigma=5, size=[n + 2 * half for n, half in zip(shape, (half_y, half_x), strict=True)])
    expected = convolution.convolve(image, kernel)[half_y : half_y + shape[0], half_x : half_x + shape[1]]
    half_map = slice(0, shape[0] // 2 + 2 * half_y)
    part = convolution.convolve(image[half_map], kernel)[half_y : half_y + shape[0] // 2, half_x : half_x + shape[1]]
    assert np.array_equal(part, expected[: shape[0] // 2])
    # None, a few, and pixels in more cells than are looked at together.
    for number in (0, 3, shape[0] * shape[1]):
        pixels = np.divmod(generator.permutation(shape[0] * shape[1])[:number], shape[1])
        assert np.array_equal(convolution.sums_at(image, kernel, pixels), expected[pixels])


def test_transforms_have_the_smallest_length_of_small_prime_factors():
    def smooth(length):
        for factor in (2, 3, 5):
            while length % factor == 0:
                length //= factor
        return length == 1

    for length in range(1, 700):
        expected = next(n for n in range(length, 2 * length + 2) if n % 2 == 0 and smooth(n))
        assert convolution._fast_length(length) == expected
