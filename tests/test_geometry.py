"""Where pixels lie on the sky, how large they are, and when a map is refused for it."""

import pytest
from astropy.io import fits

from skymask.errors import MapError
from skymask.geometry import check_distortion, check_same_grid, pixel_size, sky_position, sky_projection

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
    ],
    ids=["TAN", "longitude to the right", "CAR at 360", "pole", "AIT near its centre", "latitude first"],
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
    ],
    ids=["CAR far from its equator", "wide TAN"],
)
def test_map_whose_pixels_differ_in_size_is_refused(header, shape):
    with pytest.raises(MapError, match=r"pixel sizes differ by \d+% over the map \(at most 10%\)"):
        check_distortion(header, shape)


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
