"""Where pixels lie on the sky, how large they are, and when a map is refused for it."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from conftest import sky_header, write_map

from skymask.errors import MapError
from skymask.sky.geometry import (
    celestial_frame,
    check_distortion,
    check_same_grid,
    direction_along,
    directions,
    directions_in,
    grid,
    pixel_size,
    seam_gap,
    sky_position,
    sky_projection,
)

SHAPE = (100, 120)


def header_of(projection="TAN", center=(83.6, 22.0), size=(0.02, 0.02), frame=("RA--", "DEC-"), **cards):
    """Return a header whose reference point is the central pixel of `SHAPE`."""
    header = fits.Header()
    for axis, name, value, step, pixel in zip((1, 2), frame, center, (-size[0], size[1]), (60.5, 50.5), strict=True):
        header[f"CTYPE{axis}"] = f"{name}-{projection}"
        header[f"CRVAL{axis}"] = value
        header[f"CDELT{axis}"] = step
        header[f"CRPIX{axis}"] = pixel
    header.update(cards)
    return header


def test_pixel_size_is_along_y_and_x_in_degrees():
    assert pixel_size(header_of(size=(0.02, 0.05))) == pytest.approx((0.05, 0.02), rel=1e-12)


@pytest.mark.parametrize("unit", ["arcmin", "arcsec"])
def test_pixel_size_is_in_degrees_whatever_the_unit_of_the_header(unit):
    factor = {"arcmin": 60, "arcsec": 3600}[unit]
    header = header_of(center=(0, 0), size=(0.02 * factor, 0.05 * factor), CUNIT1=unit, CUNIT2=unit)
    assert pixel_size(header) == pytest.approx((0.05, 0.02), rel=1e-12)


def test_pixel_size_is_that_of_the_pixels_axes_if_the_map_is_rotated():
    # A quarter turn: the pixel axis x runs along declination, y along right ascension.
    header = header_of()
    for card in ("CDELT1", "CDELT2"):
        del header[card]
    header.update(CD1_1=0.0, CD1_2=0.05, CD2_1=0.02, CD2_2=0.0)
    assert pixel_size(header) == pytest.approx((0.05, 0.02), rel=1e-12)


def test_pixel_size_is_not_negative_if_longitude_grows_to_the_right():
    assert pixel_size(header_of(size=(-0.02, 0.02))) == pytest.approx((0.02, 0.02), rel=1e-12)


def test_reference_pixel_lies_at_the_reference_position():
    assert sky_position(header_of(), 59.5, 49.5) == pytest.approx((83.6, 22.0), rel=1e-12)


def test_position_is_longitude_before_latitude_if_latitude_is_the_first_axis():
    header = header_of(center=(22.0, 83.6), frame=("DEC-", "RA--"))
    assert sky_position(header, 59.5, 49.5) == pytest.approx((83.6, 22.0), rel=1e-12)


@pytest.mark.parametrize("header", [fits.Header(), fits.Header({"CTYPE1": "X", "CTYPE2": "Y"})])
def test_header_without_sky_coordinates_is_refused_by_name(header):
    with pytest.raises(MapError, match=r"counts\.fits has no sky coordinates"):
        sky_projection(header, "counts.fits")


def test_header_with_broken_sky_coordinates_is_refused_by_name():
    with pytest.raises(MapError, match=r"counts\.fits has unusable sky coordinates"):
        sky_projection(header_of(CUNIT1="m", CUNIT2="m"), "counts.fits")


@pytest.mark.parametrize(
    "header",
    [
        header_of(),
        header_of(size=(-0.02, 0.02)),
        header_of(center=(360.0, 0.0), frame=("GLON", "GLAT"), projection="CAR"),
        header_of(center=(0.0, 89.9)),
        header_of(center=(0.0, 0.0), frame=("GLON", "GLAT"), projection="AIT"),
        header_of(center=(22.0, 83.6), frame=("DEC-", "RA--")),
        header_of(size=(0.02, 0.05)),
        header_of(center=(130.0, 60.0), projection="CAR"),
        header_of(center=(0.0, 0.0), frame=("GLON", "GLAT"), projection="CAR", CRPIX1=-9939.5),
        header_of(center=(0.0, 0.0), frame=("GLON", "GLAT"), projection="CAR", size=(3.0, 0.1)),
        header_of(center=(0.0, 0.0), frame=("GLON", "GLAT"), projection="CAR", size=(-3.0, 0.1), CRPIX1=0.5),
    ],
    ids=[
        "TAN",
        "longitude to the right",
        "CAR at 360",
        "pole",
        "AIT near its centre",
        "latitude first",
        "oblong",
        "oblique CAR",
        "CAR 200 degrees from its reference",
        "all around",
        "from 0 to 360",
    ],
)
def test_small_field_at_its_reference_point_is_not_distorted(header):
    check_distortion(header, SHAPE)


@pytest.mark.parametrize(
    ("header", "shape"),
    [
        # Longitude steps shrink by cos(60 deg) = 1/2 far from the equator of a plate carree.
        (header_of(center=(0.0, 0.0), frame=("GLON", "GLAT"), projection="CAR", CRPIX2=-3000.0), SHAPE),
        # A tangent plane stretches by 1 / cos(theta)^2: by a third at 30 degrees from its centre.
        (header_of(size=(0.5, 0.5)), SHAPE),
        # An oblique plate carree has its equator through the reference point, and shrinks 60 degrees above it.
        (header_of(center=(130.0, 60.0), projection="CAR", CRPIX2=-3000.0), SHAPE),
        # At latitude 0, x is proportional to sin(longitude / 4): its steps shrink by cos(30 deg) at 120 degrees.
        (header_of(center=(0.0, 0.0), frame=("GLON", "GLAT"), projection="AIT", CRPIX1=5500.0), SHAPE),
        # Half of the whole sky.
        (header_of(center=(0.0, 0.0), frame=("GLON", "GLAT"), projection="CAR", size=(1.0, 1.0)), SHAPE),
    ],
    ids=["CAR far from its equator", "wide TAN", "oblique CAR far from its equator", "AIT far out", "wide CAR"],
)
def test_map_whose_pixels_differ_in_size_is_refused(header, shape):
    with pytest.raises(MapError, match=r"pixel sizes differ by \d+% over the map \(at most 10%\)"):
        check_distortion(header, shape)


def test_map_that_is_skewed_by_its_projection_is_refused():
    # In a sinusoidal projection x = l cos(b): at l = 90 and b = 15 degrees meridians lean by l sin(b) = 0.41 in x per
    # step in y, and the sides meet at arctan(1 / 0.41) = 68 degrees, while a step along y is no longer than 1.08.
    header = header_of(
        center=(0.0, 0.0), frame=("GLON", "GLAT"), projection="SFL", CRPIX1=4397.0, CRPIX2=-699.5, size=(0.02, 0.02)
    )
    with pytest.raises(MapError, match=r"their sides meet at \d\d degrees in a part of the map"):
        check_distortion(header, (100, 120))


def test_map_that_goes_around_more_than_once_is_refused():
    header = header_of(center=(0.0, 0.0), frame=("GLON", "GLAT"), projection="CAR", size=(3.0, 0.1))
    with pytest.raises(MapError, match="the map is 124 pixels wide in longitude and a full turn has 120"):
        check_distortion(header, (100, 124))


@pytest.mark.parametrize(
    ("pixels", "gap"),
    [(120, 0.0), (119, 3.0), (118, None), (60, None)],
    ids=["full", "a pixel less", "two less", "half"],
)
def test_ends_of_a_map_that_goes_all_around_are_near_each_other(pixels, gap):
    header = header_of(center=(0.0, 0.0), frame=("GLON", "GLAT"), projection="CAR", size=(3.0, 0.1))
    assert seam_gap(header, (100, pixels)) == (None if gap is None else pytest.approx(gap, rel=1e-3, abs=1e-6))


def test_ends_are_found_along_the_axis_of_longitude():
    header = header_of(center=(0.0, 0.0), frame=("GLAT", "GLON"), projection="CAR", size=(0.1, 3.0))
    assert seam_gap(header, (120, 100)) == pytest.approx(0, abs=1e-6)


def test_small_map_has_no_ends_that_meet():
    assert seam_gap(header_of(), SHAPE) is None


def test_directions_are_unit_vectors_in_the_maps_frame():
    (towards,) = directions(sky_projection(header_of(center=(90.0, 30.0))), np.array([[59.5, 49.5]]))
    assert towards == pytest.approx([0, np.sqrt(3) / 2, 0.5], abs=1e-12)


def test_directions_of_sky_coordinates_are_in_the_frame_asked_for():
    pole = SkyCoord(0, 90, unit="deg", frame="galactic")
    assert directions_in("galactic")(pole) == pytest.approx([0, 0, 1], abs=1e-12)
    # The north galactic pole of the IAU (1958), for J2000: 12h 51m 26.28s, +27d 07m 41.7s.
    ra, dec = np.radians([192.8595, 27.1283])
    expected = [np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)]
    assert directions_in("icrs")(pole) == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize(("angle", "expected"), [(0, [0, 0, 1]), (90, [0, 1, 0]), (180, [0, 0, -1])])
def test_direction_along_a_position_angle_is_a_quarter_turn_away(angle, expected):
    center = SkyCoord(0, 0, unit="deg", frame="icrs")
    assert direction_along(center, angle, directions_in("icrs")) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("axes", "frame"), [(("RA--", "DEC-"), "icrs"), (("GLON", "GLAT"), "galactic")])
def test_frame_is_that_of_the_axes(axes, frame):
    assert celestial_frame(header_of(frame=axes)).name == frame


def test_equinox_makes_the_frame_fk5():
    assert celestial_frame(header_of(RADESYS="FK5", EQUINOX=2000.0)).name == "fk5"


def test_frame_that_is_neither_equatorial_nor_galactic_is_refused():
    with pytest.raises(
        MapError, match="the map has the axes ELON-TAN, ELAT-TAN: regions and masks need RA, DEC or GLON"
    ):
        celestial_frame(header_of(frame=("ELON", "ELAT")))


def test_map_with_corners_off_the_sky_is_refused():
    header = header_of(center=(0.0, 0.0), size=(3.5, 2.0), frame=("GLON", "GLAT"), projection="AIT")
    with pytest.raises(MapError, match="leaves parts of the map off the sky"):
        check_distortion(header, SHAPE)


@pytest.mark.parametrize("center", [(0.0, 0.0), (360.0, 0.0), (-360.0, 0.0)])
def test_same_grid_is_the_same_whatever_turn_its_longitude_is_on(center):
    first = header_of(center=(0.0, 0.0), frame=("GLON", "GLAT"))
    check_same_grid(first, header_of(center=center, frame=("GLON", "GLAT")), SHAPE, "acceptance")


def test_same_grid_may_be_written_with_another_reference_point():
    # In a plate carree whose reference lies on the equator, moving it along the equator changes nothing.
    first = header_of(center=(10.0, 0.0), frame=("GLON", "GLAT"), projection="CAR")
    second = header_of(center=(10.2, 0.0), frame=("GLON", "GLAT"), projection="CAR", CRPIX1=50.5)
    check_same_grid(first, second, SHAPE, "acceptance")


@pytest.mark.parametrize(
    "other",
    [
        header_of(CRPIX1=61.0),
        header_of(CRPIX2=50.6),
        header_of(size=(0.0201, 0.02)),
        header_of(size=(-0.02, 0.02)),
    ],
    ids=["half a pixel along x", "a tenth along y", "other pixels", "mirrored"],
)
def test_grid_elsewhere_is_refused_by_name(other):
    with pytest.raises(MapError, match=r"acceptance a\.fits lies elsewhere on the sky than counts \(by up to"):
        check_same_grid(header_of(), other, SHAPE, "acceptance a.fits")


@pytest.mark.parametrize("other", [header_of(projection="SIN"), header_of(frame=("GLON", "GLAT"))])
def test_grid_of_another_projection_or_frame_is_refused(other):
    with pytest.raises(MapError, match=r"acceptance has the axes .*, counts RA---TAN, DEC--TAN"):
        check_same_grid(header_of(), other, SHAPE, "acceptance")


def test_grid_without_sky_coordinates_is_refused_by_name():
    with pytest.raises(MapError, match="acceptance has no sky coordinates"):
        check_same_grid(header_of(), fits.Header(), SHAPE, "acceptance")


def test_shift_is_told_in_degrees():
    first, second = (header_of(center=(83.6, 0.0), CRPIX1=pixel) for pixel in (60.5, 60.52))
    with pytest.raises(MapError, match=r"by up to 0\.0004 deg"):
        check_same_grid(first, second, SHAPE, "acceptance")


def test_shift_of_less_than_a_hundredth_of_a_pixel_is_no_shift():
    check_same_grid(header_of(), header_of(CRPIX1=60.509), SHAPE, "acceptance")


def test_skewed_pixels_are_refused():
    header = fits.Header(
        {
            "CTYPE1": "RA---TAN",
            "CTYPE2": "DEC--TAN",
            "CRPIX1": 30.5,
            "CRPIX2": 30.5,
            "CRVAL1": 83.6,
            "CRVAL2": 22.0,
            "CD1_1": -0.05,
            "CD1_2": 0.045,
            "CD2_1": 0.0,
            "CD2_2": 0.05,
        }
    )
    # The sides point along (-1, 0) and (0.9, 1): their angle has the cosine 0.9 / sqrt(1.81) = 0.669, or 48 degrees.
    with pytest.raises(MapError, match="their sides meet at 48 degrees"):
        check_distortion(header, (60, 60))


def test_pixels_of_a_cube_are_a_grid(tmp_path):
    write_map(tmp_path / "cube.fits", np.zeros((3, 4, 5)), sky_header((4, 5)))
    assert grid({"as": str(tmp_path / "cube.fits")})[1] == (4, 5)
