"""Maps for the viewer: what is decoded from the page is what was in the map, and lies where it lay."""

import base64
import zlib

import numpy as np
import pytest
from conftest import sky_header

from skymask.products import viewer
from skymask.sky.geometry import directions, pixel_size, sky_projection

EXACT = 1e-12


def decoded(encoded, shape):
    """Return the values of an encoded image, as the browser does."""
    high, low = np.frombuffer(zlib.decompress(base64.b64decode(encoded["data"])), np.uint8).reshape(2, -1).astype(int)
    codes = (256 * high + low).reshape(shape)
    values = encoded["offset"] + encoded["step"] * (codes - 1.0)
    special = {viewer.NAN: np.nan, viewer.NEGATIVE: -np.inf, viewer.POSITIVE: np.inf}
    for code, value in special.items():
        values[codes == code] = value
    return values


@pytest.mark.parametrize("image", [np.arange(12.0), np.full(12, 7.0), np.linspace(-4, 65528, 12).round()])
def test_whole_numbers_are_exact(image):
    image = image.reshape(3, 4)
    np.testing.assert_array_equal(decoded(viewer.encode(image), (3, 4)), image)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e12])
def test_other_numbers_are_within_half_a_step(scale):
    image = scale * np.random.default_rng(0).normal(size=(30, 40))
    encoded = viewer.encode(image)
    assert np.abs(decoded(encoded, image.shape) - image).max() <= encoded["step"] / 2 * (1 + 1e-6)
    assert encoded["step"] == pytest.approx(np.ptp(image) / viewer.STEPS, rel=EXACT)


def test_what_is_no_finite_number_stays_so():
    image = np.array([[np.nan, -np.inf, np.inf, 0.25]])
    np.testing.assert_array_equal(decoded(viewer.encode(image), (1, 4)), image)


def test_an_undefined_image_can_be_shown():
    image = np.full((2, 3), np.nan)
    assert np.isnan(decoded(viewer.layer("background", image), (2, 3))).all()


def test_masks_are_bits_with_the_first_pixel_in_the_highest():
    mask = np.array([[True, False, False], [False, False, False], [False, True, True]])
    assert zlib.decompress(base64.b64decode(viewer.mask(mask))) == bytes([0b10000001, 0b10000000])


def interpolated(grid, shape, x, y):
    """Return unit vectors towards pixels, interpolated as the browser does."""
    rows, columns = grid["nodes"]
    vectors = np.frombuffer(base64.b64decode(grid["vectors"]), "<f8").reshape(rows, columns, 3)
    v, u = (y + 0.5) / shape[0] * (rows - 1), (x + 0.5) / shape[1] * (columns - 1)
    i, j = np.minimum(v.astype(int), rows - 2), np.minimum(u.astype(int), columns - 2)
    v, u = (v - i)[:, None], (u - j)[:, None]
    near = (1 - u) * vectors[i, j] + u * vectors[i, j + 1]
    far = (1 - u) * vectors[i + 1, j] + u * vectors[i + 1, j + 1]
    found = (1 - v) * near + v * far
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("ctype", "center"),
    [
        (("RA---TAN", "DEC--TAN"), (83.6, 22.0)),
        (("RA---TAN", "DEC--TAN"), (10.0, 89.5)),
        (("GLON-CAR", "GLAT-CAR"), (0.0, 0.0)),
        (("GLON-AIT", "GLAT-AIT"), (0.0, 0.0)),
        (("RA---SIN", "DEC--SIN"), (359.9, -60.0)),
    ],
)
def test_sky_positions_are_within_a_hundredth_of_a_pixel_of_those_of_the_header(ctype, center):
    shape = (90, 150)
    header = sky_header(shape, ctype=ctype, center=center)
    grid = viewer.sky_grid(header, shape, pixel_size(header))
    assert grid["error"] <= 0.01 * 0.05
    x, y = (np.random.default_rng(seed).uniform(-0.5, size - 0.5, 500) for seed, size in enumerate(shape[::-1]))
    true = directions(sky_projection(header), np.column_stack([x, y]))
    error = np.degrees(np.linalg.norm(interpolated(grid, shape, x, y) - true, axis=1))
    # The largest error may lie between the points where it is measured, but not be much larger there.
    assert error.max() <= 1.1 * grid["error"] + 1e-12


def test_a_map_of_one_pixel_has_sky_positions():
    grid = viewer.sky_grid(sky_header((1, 1)), (1, 1), (0.05, 0.05))
    assert grid["nodes"] == [2, 2]
