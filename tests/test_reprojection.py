"""Maps on other grids at the pixels of the counts."""

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.io import fits
from conftest import sky_header

from skymask.errors import MapError
from skymask.io.maps import SkyMap
from skymask.sky.reprojection import nearest

GALACTIC = ("GLON-CAR", "GLAT-CAR")


def header_of(shape, pixel_size, center, ctype=GALACTIC, crval=None, step=-1):
    """Return the header of a plate carree whose middle lies at a position, with its reference point elsewhere."""
    crval = (0.0, 0.0) if crval is None else crval
    header = fits.Header({"CTYPE1": ctype[0], "CTYPE2": ctype[1], "CDELT1": step * pixel_size, "CDELT2": pixel_size})
    header.update(CRVAL1=crval[0], CRVAL2=crval[1])
    header["CRPIX1"] = (shape[1] + 1) / 2 - (center[0] - crval[0]) / (step * pixel_size)
    header["CRPIX2"] = (shape[0] + 1) / 2 - (center[1] - crval[1]) / pixel_size
    return header


def numbered(shape, header):
    return SkyMap(np.arange(np.prod(shape), dtype=float).reshape(shape), header)


def lookup(sky_map, header, shape):
    return nearest(sky_map, header, shape, name="mask.fits", outside=-1)


def test_map_on_the_same_grid_is_itself():
    header = sky_header((7, 5))
    sky_map = numbered((7, 5), header)
    values, within = lookup(sky_map, header, (7, 5))
    assert np.array_equal(values, sky_map.data)
    assert within.all()


def test_smaller_map_leaves_the_rest_outside():
    # The small map has the middle 3 x 3 pixels of the large one.
    values, within = lookup(numbered((3, 3), sky_header((3, 3))), sky_header((5, 5)), (5, 5))
    expected = np.full((5, 5), -1.0)
    expected[1:4, 1:4] = np.arange(9).reshape(3, 3)
    assert np.array_equal(values, expected)
    assert np.array_equal(within, expected >= 0)


def test_pixels_take_the_value_of_the_coarser_pixel_they_lie_in():
    # Pixels of 0.5 deg in pixels of 1.5 deg with the same middle: three by three have the same value.
    coarse = numbered((3, 3), header_of((3, 3), 1.5, (0, 0)))
    values, _ = lookup(coarse, header_of((9, 9), 0.5, (0, 0)), (9, 9))
    assert np.array_equal(values, np.kron(coarse.data, np.ones((3, 3))))


def test_pixels_take_the_value_of_the_finer_pixel_at_their_centre():
    fine = numbered((9, 9), header_of((9, 9), 0.5, (0, 0)))
    values, _ = lookup(fine, header_of((3, 3), 1.5, (0, 0)), (3, 3))
    assert np.array_equal(values, fine.data[1::3, 1::3])


def test_centre_on_the_border_of_two_pixels_belongs_to_the_upper_one():
    # Every centre of the coarse pixels is a corner of the fine ones.
    fine = numbered((8, 8), header_of((8, 8), 0.1, (33.3, 0)))
    values, _ = lookup(fine, header_of((4, 4), 0.2, (33.3, 0)), (4, 4))
    assert np.array_equal(values, fine.data[1::2, 1::2])


def test_other_frame_is_looked_up_at_the_same_place_on_the_sky():
    center = SkyCoord(83.6, 22.0, unit="deg").galactic
    sky_map = numbered((40, 40), header_of((40, 40), 0.1, (center.l.deg, center.b.deg)))
    values, within = lookup(sky_map, sky_header((11, 11), 0.1), (11, 11))
    assert within.all()
    for y, x in ((0, 0), (5, 5), (10, 3)):
        row, column = divmod(int(values[y, x]), 40)
        # Around 0 in latitude of the reference point, the plate carree has its degrees along both axes.
        longitude, latitude = center.l.deg - (column - 19.5) * 0.1, center.b.deg + (row - 19.5) * 0.1
        there = SkyCoord(longitude, latitude, unit="deg", frame="galactic")
        wanted = SkyCoord(83.6, 22.0, unit="deg").spherical_offsets_by(
            -(x - 5) * 0.1 * units.deg, (y - 5) * 0.1 * units.deg
        )
        assert there.separation(wanted).deg < 0.075


@pytest.mark.parametrize("center", [0, 180, 360, -180, 90])
@pytest.mark.parametrize("step", [-1, 1])
@pytest.mark.parametrize("crval", [0, 180, 360])
def test_all_sky_map_covers_every_longitude_whatever_its_reference_point(center, step, crval):
    # Pixels of 10 degrees; each holds the longitude of its centre.
    header = header_of((3, 36), 10.0, (center, 0), crval=(crval, 0.0), step=step)
    longitude = (center + step * (np.arange(36) - 17.5) * 10) % 360
    sky_map = SkyMap(np.broadcast_to(longitude, (3, 36)).copy(), header)
    for middle in (0, 100, 177, 183, 270):
        values, within = lookup(sky_map, header_of((1, 5), 1.0, (middle, 0), crval=(middle, 0.0)), (1, 5))
        expected = (middle - (np.arange(5) - 2)) % 360
        assert within.all()
        assert (np.abs((values[0] - expected + 180) % 360 - 180) <= 5 + 1e-9).all()


def test_map_on_the_other_side_of_the_sky_has_no_pixel():
    header = sky_header((5, 5), center=(263.6, -22.0))
    values, within = lookup(numbered((5, 5), header), sky_header((4, 4)), (4, 4))
    assert (values == -1).all()
    assert not within.any()


def test_values_keep_their_type():
    header = sky_header((3, 3))
    sky_map = SkyMap(np.ones((3, 3), dtype=np.uint8), header)
    assert nearest(sky_map, sky_header((5, 5)), (5, 5), name="m", outside=1)[0].dtype == np.uint8


def test_map_with_distorted_pixels_is_refused():
    header = sky_header((5, 5), ctype=("RA---TAN-SIP", "DEC--TAN-SIP"))
    header.update(A_ORDER=2, B_ORDER=2, A_2_0=1e-3, B_0_2=1e-3)
    with pytest.raises(MapError, match=r"mask\.fits has distorted pixels \(SIP\)"):
        lookup(numbered((5, 5), header), sky_header((4, 4)), (4, 4))


@pytest.mark.parametrize("axes", [("HLON-TAN", "HLAT-TAN"), ("ELON-TAN", "ELAT-TAN")])
def test_map_of_an_unknown_frame_is_refused(axes):
    sky_map = numbered((5, 5), sky_header((5, 5), ctype=axes))
    with pytest.raises(MapError, match=rf"mask\.fits has the axes {axes[0]}, {axes[1]}: regions and masks need RA"):
        lookup(sky_map, sky_header((4, 4)), (4, 4))
