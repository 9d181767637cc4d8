"""Maps of bits against arrays of bool."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skymask.core.bitmask import PackedMask
from skymask.core.convergence import digest, digest_of_bits

#: Widths that end with an integer of 64 bits, with a byte, and within one.
SHAPES = st.tuples(st.integers(1, 20), st.sampled_from([1, 7, 8, 9, 61, 64, 65, 120, 128, 150]))


def images(shape):
    return hnp.arrays(bool, shape)


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_operations_are_those_of_arrays_of_bool(data):
    shape = data.draw(SHAPES)
    a, b = data.draw(images(shape)), data.draw(images(shape))
    bits_a, bits_b = PackedMask.of(a), PackedMask.of(b)
    for image, expected in {
        bits_a: a,
        bits_a & bits_b: a & b,
        bits_a | bits_b: a | b,
        bits_a ^ bits_b: a ^ b,
        ~bits_a: ~a,
    }.items():
        assert np.array_equal(image.array(), expected)
        assert image.count() == np.count_nonzero(expected)
        assert image.any() == expected.any()
        assert image.all() == expected.all()
        assert digest_of_bits(image.flat()) == digest(expected)
    y, x = (data.draw(st.tuples(st.integers(0, n), st.integers(0, n)).map(sorted)) for n in shape)
    block = slice(*y), slice(*x)
    assert np.array_equal(bits_a[block], a[block])


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_pixels_are_set_and_whole_cells_cleared(data):
    shape = data.draw(SHAPES)
    image = data.draw(images(shape))
    bits, marked = PackedMask.of(image), data.draw(images(shape))
    bits.set(np.flatnonzero(marked))
    assert np.array_equal(bits.array(), image | marked)
    expected = image | marked
    y = sorted(data.draw(st.tuples(st.integers(0, shape[0]), st.integers(0, shape[0]))))
    first, last = sorted(data.draw(st.tuples(*[st.integers(0, -(-shape[1] // 8))] * 2)))
    block = slice(*y), slice(8 * first, min(8 * last, shape[1]))
    bits.clear(block)
    expected[block] = False
    assert np.array_equal(bits.array(), expected)


@pytest.mark.parametrize("shape", [(16, 64), (17, 65), (3, 5), (40, 100)])
def test_cell_is_marked_where_any_of_its_pixels_is(shape):
    image = np.random.default_rng(1).random(shape) > 0.99
    cells = PackedMask.of(image).cells()
    assert cells.shape == tuple(-(-n // 8) for n in shape)
    for y, x in np.ndindex(cells.shape):
        assert cells[y, x] == image[8 * y : 8 * y + 8, 8 * x : 8 * x + 8].any()
