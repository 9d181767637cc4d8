"""Whether maps are on one grid: frames and equinoxes count, whole turns of longitude do not."""

import numpy as np
import pytest
from astropy.io import fits
from conftest import sky_header
from hypothesis import given, settings
from hypothesis import strategies as st

from skymask.datasets.runs import RunFiles, common_grid
from skymask.errors import MapError
from skymask.sky import geometry

SHAPE = (40, 60)


def framed(**cards):
    """The header of one map, in a frame."""
    header = sky_header(SHAPE)
    header.remove("RADESYS", ignore_missing=True)
    header.update(cards)
    return header


def difference(other, counts=None):
    return geometry.grid_difference(counts or framed(RADESYS="ICRS"), other, SHAPE, "acc.fits")


@pytest.mark.parametrize("frame", [{"RADESYS": "FK5"}, {"RADESYS": "FK5", "EQUINOX": 2000.0}, {"EQUINOX": 2000.0}, {}])
def test_frames_that_agree_to_a_hundredth_of_a_pixel_are_one_grid(frame):
    assert difference(framed(**frame)) is None


# The equinox moves by 50.3 arcsec in a year: 0.35 degrees in 25 years, 0.70 in 50.
@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"RADESYS": "FK5", "EQUINOX": 1975.0}, "by up to 0.349 deg, RA, DEC in FK5 1975 and not RA, DEC in ICRS"),
        ({"RADESYS": "FK4", "EQUINOX": 1950.0}, "by up to 0.698 deg, RA, DEC in FK4 1950 and not RA, DEC in ICRS"),
    ],
)
def test_the_same_numbers_in_another_frame_are_another_grid(frame, message):
    found = difference(framed(**frame))
    assert found.startswith("acc.fits lies elsewhere on the sky than counts")
    assert message in found
    with pytest.raises(MapError, match=r"acc\.fits is not made of pixels of the common grid"):
        geometry.offset(framed(RADESYS="ICRS"), framed(**frame), SHAPE, "acc.fits")


def test_a_frame_that_is_unknown_is_the_same_as_itself_alone():
    unknown = framed(RADESYS="J2000")
    assert difference(unknown, unknown.copy()) is None
    with pytest.raises(MapError, match=r"acc\.fits has RADESYS 'J2000' in its header"):
        difference(unknown)


def plate_carree(crval, first, pixel=0.1, **cards):
    """The header of a CAR map whose first pixel has the longitude `first`, seen from a reference longitude."""
    return fits.Header(
        {
            "CTYPE1": "GLON-CAR",
            "CTYPE2": "GLAT-CAR",
            "CRVAL1": crval,
            "CRVAL2": 0.0,
            "CDELT1": -pixel,
            "CDELT2": pixel,
            "CRPIX1": 1 + (first - crval) / pixel,
            "CRPIX2": 20.5,
            "CUNIT1": "deg",
            "CUNIT2": "deg",
            **cards,
        }
    )


def written(folder, **headers):
    """Write maps of 60 x 40 pixels, and return them as runs."""
    for number, (name, header) in enumerate(headers.items()):
        data = np.random.default_rng(number).poisson(3, SHAPE).astype("i4")
        fits.writeto(folder / f"{name}.fits", data, header, overwrite=True)
    return [{"run": name, "counts": str(folder / f"{name}.fits")} for name in headers]


@settings(max_examples=15, deadline=None)
@given(st.sampled_from([0, 37, 180, 210, 300, 359]), st.integers(-2, 2), st.booleans())
def test_runs_of_one_place_are_on_one_grid_whatever_their_reference_longitude(tmp_path_factory, crval, turns, swap):
    folder = tmp_path_factory.mktemp("runs")
    headers = {"a": plate_carree(0.0, 216.0), "b": plate_carree(crval, 216.0 + 360 * turns)}
    runs = written(folder, **dict(reversed(headers.items()) if swap else headers))
    grid = common_grid(runs)
    assert grid.shape == SHAPE
    stack = RunFiles(runs, grid.header, grid.shape)
    assert [run.block for run in stack] == [(slice(0, 40), slice(0, 60))] * 2
    assert stack.warnings == []


def test_runs_on_both_sides_of_the_turn_are_as_wide_as_they_are_on_the_sky(tmp_path):
    runs = written(tmp_path, a=plate_carree(0.0, 175.0), b=plate_carree(0.0, -179.0))
    # From 169.1 to 181 degrees in steps of 0.1.
    assert common_grid(runs).shape == (40, 120)


def test_a_run_is_put_on_a_given_grid_by_whole_turns(tmp_path):
    grid = (plate_carree(0.0, 218.0), (40, 100))
    runs = written(tmp_path, a=plate_carree(210.0, 216.0))
    (run,) = RunFiles(runs, *grid)
    assert run.block == (slice(0, 40), slice(20, 80))


def test_a_run_that_would_be_cut_in_two_is_refused(tmp_path):
    # All of the turn but 2 degrees, which the run reaches over.
    grid = (plate_carree(0.0, 179.0), (40, 3580))
    runs = written(tmp_path, a=plate_carree(180.0, 183.0))
    with pytest.raises(MapError, match=r"run a: .*a\.fits reaches over both ends of the common grid"):
        list(RunFiles(runs, *grid))


@pytest.mark.parametrize("crval", [0.0, 40.0, 216.0])
def test_a_cut_of_a_figure_is_found_whatever_the_reference_longitude(crval):
    rows, columns = geometry.box_of(plate_carree(crval, 216.0), SHAPE, (214.0, 0.0), (1.05, 1.05))
    # Longitudes 214.5 to 213.5 are pixels 15 to 25, latitudes -0.5 to 0.5 rows 15 to 24, which lie half a pixel off.
    assert (rows, columns) == (slice(15, 25), slice(15, 26))
