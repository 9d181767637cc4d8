"""Kernels of the configuration on the pixels of a map."""

import numpy as np
import pytest
from astropy.io import fits

from skymask import units
from skymask.config import configuration
from skymask.core import kernels
from skymask.errors import MapError
from skymask.sky import configured_kernels

SQUARE = (0.05, 0.05)


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        ({"shape": "disk", "radius": "0.3 deg"}, kernels.disk(6)),
        ({"shape": "disk", "radius": "18 arcmin"}, kernels.disk(6)),
        ({"shape": "disk", "radius": "1080arcsec"}, kernels.disk(6)),
        ({"shape": "disk", "radius": "0.005235987755982988 rad"}, kernels.disk(6)),
        ({"shape": "disk", "radius": "6 px"}, kernels.disk(6)),
        ({"shape": "ring", "inner_radius": "0.5 deg", "width": "0.3 deg"}, kernels.ring(10, 6)),
        ({"shape": "ring", "inner_radius": "30 arcmin", "width": "0.3 deg"}, kernels.ring(10, 6)),
        ({"shape": "ring", "inner_radius": "10 px", "width": "6 px"}, kernels.ring(10, 6)),
    ],
)
def test_angles_become_the_pixels_they_cover(kernel, expected):
    assert np.array_equal(configured_kernels.to_pixels(kernel, SQUARE), expected)


#: A kernel of every shape of the schema, on maps with pixels of 0.05 deg.
OF_SHAPES = {
    "disk": {"radius": "0.3 deg"},
    "ring": {"inner_radius": "0.5 deg", "width": "0.3 deg"},
    "gaussian": {"sigma": "0.1 deg"},
    "adaptive_ring": {"inner_radius": "0.5 deg", "width": "0.3 deg", "step": "0.05 deg", "max_outer_radius": "1 deg"},
    "array": {"path": "kernel.fits"},
    "field_of_view": {},
}


def test_every_shape_of_the_schema_is_known_with_its_lengths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fits.writeto("kernel.fits", np.ones((3, 3)))
    schema = configuration.load_schema()["properties"]
    shapes = schema["background_kernel"]["properties"]["shape"]["enum"]
    assert set(shapes) == set(units.KERNEL_LENGTHS) == set(OF_SHAPES)
    for branch in schema["background_kernel"]["allOf"]:
        properties = branch["then"]["properties"]
        angles = {
            key for key, entry in properties.items() if entry is not True and "arcmin" in entry.get("pattern", "")
        }
        shape = branch["if"]["properties"]["shape"]["const"]
        assert angles == set(units.KERNEL_LENGTHS[shape])
        configured_kernels.to_pixels({"shape": shape, **OF_SHAPES[shape]}, SQUARE)


@pytest.mark.parametrize("shape", ["disk", "ring", "gaussian"])
def test_kernel_reaches_as_far_as_is_said(shape):
    kernel = {"shape": shape, **OF_SHAPES[shape]}
    sizes = {key: units.angle_in_degrees(length) for key, length in units.kernel_lengths(kernel).items()}
    half = configured_kernels.to_pixels(kernel, SQUARE).shape[0] // 2
    assert half == round(units.outer_radius(shape, sizes) / SQUARE[0])


def test_gaussian_of_an_angle_is_that_of_its_pixels():
    kernel = configured_kernels.to_pixels({"shape": "gaussian", "sigma": "0.1 deg"}, SQUARE)
    np.testing.assert_allclose(kernel, kernels.gaussian(2), rtol=1e-12)


def test_angle_on_oblong_pixels_is_an_ellipse():
    kernel = configured_kernels.to_pixels({"shape": "disk", "radius": "0.4 deg"}, (0.1, 0.05))
    assert kernel.shape == (9, 17)
    assert np.array_equal(kernel, kernels.disk(4, pixel_size=(1, 0.5)))


def test_radius_in_pixels_is_round_on_oblong_pixels():
    assert configured_kernels.to_pixels({"shape": "disk", "radius": "4 px"}, (0.1, 0.05)).shape == (9, 9)


def test_array_of_a_file_is_scaled_to_peak_one(tmp_path):
    fits.writeto(tmp_path / "kernel.fits", np.array([[1.0, 4.0, 2.0]]))
    kernel = configured_kernels.to_pixels({"shape": "array", "path": str(tmp_path / "kernel.fits")}, SQUARE)
    assert kernel.tolist() == [[0.25, 1.0, 0.5]]


def test_array_with_even_sides_is_refused_with_its_path(tmp_path):
    fits.writeto(tmp_path / "kernel.fits", np.ones((4, 4)))
    with pytest.raises(MapError, match=r"kernel array path=.*kernel\.fits: a kernel must be two-dimensional with odd"):
        configured_kernels.to_pixels({"shape": "array", "path": str(tmp_path / "kernel.fits")}, SQUARE)


def test_ring_between_pixels_is_refused_with_its_lengths():
    kernel = {"shape": "ring", "inner_radius": "0.01 deg", "width": "0.01 deg"}
    with pytest.raises(MapError, match=r"kernel ring inner_radius=0\.01 deg width=0\.01 deg: .* no pixel centre"):
        configured_kernels.to_pixels(kernel, SQUARE)


ADAPTIVE = {
    "shape": "adaptive_ring",
    "inner_radius": "0.5 deg",
    "width": "0.3 deg",
    "step": "6 arcmin",
    "max_outer_radius": "1 deg",
    "alpha_max": 0.1,
    "excluded_fraction_max": 0.4,
    "keep": "inner_radius",
}


def test_adaptive_ring_covers_its_pixels_and_keeps_its_radii_in_degrees():
    rings = configured_kernels.to_pixels(ADAPTIVE, SQUARE)
    expected = kernels.adaptive_ring(10, 6, step=2, max_outer_radius=20, keep="inner_radius")
    for kernel, other in zip(rings.rings, expected.rings, strict=True):
        assert np.array_equal(kernel, other)
    assert rings.outer_radii == pytest.approx((0.8, 0.9, 1.0), rel=1e-12)
    assert (rings.alpha_max, rings.excluded_fraction_max) == (0.1, 0.4)


def test_adaptive_ring_in_pixels_has_its_radii_in_degrees():
    in_pixels = ADAPTIVE | {"inner_radius": "2 px", "width": "1 px", "step": "1 px", "max_outer_radius": "4 px"}
    rings = configured_kernels.to_pixels(in_pixels, (0.2, 0.05))
    # The root of 0.2 * 0.05 is 0.1.
    assert rings.outer_radii == pytest.approx((0.3, 0.4), rel=1e-12)
    assert np.array_equal(rings.rings[1], kernels.ring(2, 2))


def test_adaptive_ring_with_too_many_steps_is_refused_with_its_keys():
    with pytest.raises(MapError, match=r"kernel adaptive_ring .*step=1e-9 deg.*: step 1e-09 makes 2e\+08 rings"):
        configured_kernels.to_pixels(ADAPTIVE | {"step": "1e-9 deg"}, SQUARE)


OVERLAPPING = {
    "source_kernel": {"shape": "disk", "radius": "2 px"},
    "background_kernel": {"shape": "disk", "radius": "5 px"},
}


def test_measured_background_leaves_out_the_pixels_under_the_source_kernel():
    kernel = configured_kernels.background_kernel(SQUARE, **OVERLAPPING, statistic="wstat")
    assert np.array_equal(kernel, kernels.without(kernels.disk(5), kernels.disk(2)))


def test_known_background_keeps_the_pixels_under_the_source_kernel():
    kernel = configured_kernels.background_kernel(SQUARE, **OVERLAPPING, statistic="cash")
    assert np.array_equal(kernel, kernels.disk(5))


def test_measured_background_leaves_the_source_kernel_out_of_every_ring():
    kernel = ADAPTIVE | {"inner_radius": "0 deg"}
    rings = configured_kernels.background_kernel(
        SQUARE, source_kernel=OVERLAPPING["source_kernel"], background_kernel=kernel, statistic="wstat"
    )
    for number, used in enumerate(rings.rings):
        assert np.array_equal(used, kernels.without(kernels.disk(6 + 2 * number), kernels.disk(2)))


def test_dilation_kernel_is_a_disk():
    assert np.array_equal(configured_kernels.dilation_kernel("0.3 deg", SQUARE), kernels.disk(6))


@pytest.mark.parametrize(
    ("length", "pixels"), [("0.2 deg", (2, 4)), ("12 arcmin", (2, 4)), ("3 px", (3, 3)), ("0 deg", (0, 0))]
)
def test_length_in_pixels_is_that_along_each_side(length, pixels):
    assert configured_kernels.length_in_pixels(length, (0.1, 0.05)) == pytest.approx(pixels, rel=1e-12)


@pytest.mark.parametrize(
    ("value", "unit", "expected"), [(90, "arcmin", 1.5), (3600, "arcsec", 1), (np.pi, "rad", 180), (2, "deg", 2)]
)
def test_angles_are_converted_to_degrees(value, unit, expected):
    assert units.angle_in_degrees(f"{value} {unit}") == pytest.approx(expected, rel=1e-12)


def test_description_names_shape_and_lengths():
    kernel = {"shape": "ring", "inner_radius": "0.5 deg", "width": "0.3 deg"}
    assert configured_kernels.describe(kernel) == "ring inner_radius=0.5 deg width=0.3 deg"


def test_growth_becomes_degrees_on_the_pixels_of_the_map():
    growth = {"law": "king", "sigma": "6 arcmin", "gamma": 2, "level": 1, "max_radius": "1 deg"}
    expected = growth | {"sigma": pytest.approx(0.1, rel=1e-15), "max_radius": 1, "pixel_size": (0.1, 0.05)}
    assert configured_kernels.region_growth(growth, (0.1, 0.05)) == expected


def test_growth_in_pixels_knows_no_pixel_size():
    growth = {"law": "size", "factor": 0.5, "max_radius": "7 px"}
    assert configured_kernels.region_growth(growth, (0.1, 0.05)) == {**growth, "max_radius": 7, "pixel_size": 1}


def test_no_growth_is_none():
    assert configured_kernels.region_growth(None, SQUARE) is None
