"""Maps in blocks: every value counts once, NaN not at all, and rows are read piece by piece."""

import numpy as np
import pytest

from skymask.products import blocks
from skymask.products.blocks import block_size, in_blocks

EXACT = 1e-14


@pytest.mark.parametrize(
    ("shape", "block"), [((1000, 1000), 1), ((1024, 1024), 1), ((1025, 1024), 2), ((4000, 3000), 4)]
)
def test_blocks_are_as_small_as_the_largest_number_of_pixels_allows(shape, block):
    assert block_size(shape) == block


@pytest.mark.parametrize(
    ("of_block", "expected"),
    [("mean", [[4, np.nan], [3, 6]]), ("max", [[8, np.nan], [4, 6]]), ("min", [[1, np.nan], [2, 6]])],
)
def test_blocks_leave_out_nan_and_are_nan_without_any_value(of_block, expected):
    image = np.array([[1.0, 3.0, np.nan], [np.nan, 8.0, np.nan], [2.0, 4.0, 6.0]])
    np.testing.assert_allclose(in_blocks(image, 2, of_block), expected, rtol=EXACT)


@pytest.mark.parametrize("shape", [(12, 12), (13, 10), (1, 5), (2, 1)])
@pytest.mark.parametrize("kind", [np.int32, bool])
def test_blocks_of_whole_numbers_are_those_of_the_same_numbers_as_floats(shape, kind):
    image = np.random.default_rng(0).poisson(1, shape).astype(kind)
    for of_block in ("mean", "max", "min"):
        whole, floats = in_blocks(image, 4, of_block), in_blocks(image.astype(float), 4, of_block)
        np.testing.assert_allclose(whole, floats, rtol=EXACT)


def test_a_block_with_an_excluded_pixel_is_excluded():
    mask = np.ones((4, 4), dtype=bool)
    mask[0, 3] = False
    np.testing.assert_array_equal(in_blocks(mask, 2, "min"), [[True, False], [True, True]])


def test_a_map_is_read_some_rows_at_a_time_and_the_blocks_are_the_same(monkeypatch):
    image = np.random.default_rng(0).normal(size=(37, 20))
    whole = in_blocks(image, 3, "mean")
    monkeypatch.setattr(blocks, "PIECE", 200)

    class Rows:
        shape, most = image.shape, 0

        def __getitem__(self, rows):
            self.most = max(self.most, len(image[rows]))
            return image[rows]

    rows = Rows()
    np.testing.assert_array_equal(in_blocks(rows, 3, "mean"), whole)
    assert rows.most == 9
