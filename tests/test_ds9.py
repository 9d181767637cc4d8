"""DS9 region files: what lies in them, and the line that is named when they cannot be understood."""

import numpy as np
import pytest
import regions
from astropy.coordinates import SkyCoord
from astropy.units import deg
from astropy.wcs import WCS
from conftest import sky_header

from skymask.errors import MapError
from skymask.sky.ds9 import read_regions
from skymask.sky.geometry import directions, directions_in, sky_projection
from skymask.sky.sky_shapes import pixels_in

SHAPE = (60, 60)


def write(tmp_path, text):
    path = tmp_path / "regions.reg"
    path.write_text(text)
    return str(path)


def read(tmp_path, text, frame="icrs"):
    return read_regions(write(tmp_path, text), directions_in(SkyCoord(0, 0, unit="deg", frame=frame).frame))


def pixels_of(found, header, shape=SHAPE):
    wcs = sky_projection(header)
    return pixels_in([found.area], lambda pixels: directions(wcs, pixels), shape)[0]


def contains(found, longitude, latitude):
    """Whether the area has a position in degrees."""
    point = directions_in("icrs")(SkyCoord([longitude], [latitude], unit="deg", frame="icrs"))
    shapes, without = found.area
    return any(shape.contains(point)[0] for shape in shapes) and not any(shape.contains(point)[0] for shape in without)


REGIONS = {
    "circle": "circle(83.6,22,0.5)",
    "circle in hours": 'circle(5:34:24,+22:00:00,1800")',
    "ellipse": "ellipse(83.6,22.1,60',20',30)",
    "box": "box(83.5,22,1.7,0.4,-20)",
    "polygon": "polygon(83.1,21.5,84.3,21.6,83.7,22.8)",
    "annulus": "annulus(83.6,22,0.3,0.8)",
    "ellipse annulus": "ellipse(83.6,22,0.2,0.4,0.5,1.0,30)",
    "box annulus": "box(83.6,22,0.4,0.6,1.2,1.8,10)",
}


@pytest.mark.parametrize("line", REGIONS.values(), ids=REGIONS)
def test_region_has_the_pixels_that_regions_itself_gives_it(tmp_path, line):
    # On a small map of square pixels with north up, its approximation is good to 1e-3 of a region's size.
    header = sky_header(SHAPE)
    text = f"fk5\n{line}\n"
    ours = pixels_of(read(tmp_path, text), header)
    wcs = WCS(header)
    (theirs,) = regions.Regions.parse(text, format="ds9")
    expected = theirs.to_pixel(wcs).contains(regions.PixCoord(*np.indices(SHAPE)[::-1]))
    assert 50 < expected.sum() < 3000
    assert np.count_nonzero(ours != expected) <= 4


def test_region_is_the_same_sky_on_mirrored_and_oblong_pixels(tmp_path):
    found = read(tmp_path, "icrs\nellipse(83.6,22,1,0.3,30)\n")
    plain = pixels_of(found, sky_header(SHAPE))
    mirrored = sky_header(SHAPE)
    mirrored["CDELT1"] *= -1
    assert np.array_equal(pixels_of(found, mirrored), plain[:, ::-1])
    # Every third row of a map is a map with pixels three times as high.
    oblong = sky_header(SHAPE)
    oblong["CDELT2"] *= 3
    oblong["CRPIX2"] = (oblong["CRPIX2"] - 1) / 3 + 1
    assert np.array_equal(pixels_of(found, oblong, (20, 60)), plain[::3])


def test_angle_counts_from_where_longitude_falls_towards_north(tmp_path):
    # At 90 degrees the first axis runs north; at 45 degrees north-west, where right ascension is smaller.
    assert contains(read(tmp_path, "icrs;ellipse(80,0,2,0.1,90)"), 80, 1.9)
    assert contains(read(tmp_path, "icrs;ellipse(80,0,2,0.1,45)"), 79, 1)
    assert not contains(read(tmp_path, "icrs;ellipse(80,0,2,0.1,45)"), 81, 1)


def test_angle_is_that_of_the_regions_own_frame(tmp_path):
    center = SkyCoord(80, 1, unit="deg", frame="galactic")
    end = center.directional_offset_by(45 * deg, 1.9 * deg).icrs
    found = read(tmp_path, "galactic\nellipse(80,1,2,0.1,135)\n")
    assert contains(found, end.ra.deg, end.dec.deg)


@pytest.mark.parametrize("frame", ["fk5", "icrs", "j2000", "galactic", "fk4", "b1950", "ecliptic"])
def test_frames_of_the_sky_are_understood(tmp_path, frame):
    name = {"j2000": "fk5", "b1950": "fk4", "ecliptic": "barycentricmeanecliptic"}.get(frame, frame)
    middle = SkyCoord(80, 1, unit="deg", frame=name).icrs
    found = read(tmp_path, f'{frame}\ncircle(80,1,1")\n')
    assert contains(found, middle.ra.deg, middle.dec.deg)


def test_minus_sign_takes_a_region_from_the_others_wherever_it_stands(tmp_path):
    found = read(tmp_path, "icrs\n-circle(80,0,0.5)\ncircle(80,0,1)\ncircle(82,0,0.1) # text={Little; star}\n")
    assert [contains(found, *position) for position in ((80, 0), (80, 0.7), (82, 0))] == [False, True, True]
    assert found.names == ["2", "3 Little; star", "1"]


def test_looks_and_comments_are_none_of_our_business(tmp_path):
    text = (
        "# Region file format: DS9 version 4.1\n"
        'global color=green dashlist=8 3 width=1 font="helvetica 10 normal roman" select=1 point=sun include=1\n'
        "fk5\n"
        "circle(83.6,22,0.3) # color=red color=blue dash=2 text={Crab}\n"
        "# vector(83,22,1,0) vector=1\n"
    )
    assert read(tmp_path, text).names == ["1 Crab"]


def test_regions_of_a_composite_are_read(tmp_path):
    text = "fk5\n# composite(83,22,0) || composite=1\ncircle(83,22,0.1) ||\ncircle(84,22,0.1)\n"
    assert read(tmp_path, text).names == ["1", "2"]


def test_regions_without_an_area_are_left_out(tmp_path):
    found = read(tmp_path, "fk5\n# text(83,22) text={a label}\npoint(83,22)\nline(83,22,84,22)\ncircle(83,22,1)\n")
    assert found.names == ["4"]
    assert found.left_out == ["text", "point", "line"]


def test_empty_file_has_no_region(tmp_path):
    found = read(tmp_path, "")
    assert found.names == found.left_out == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fk5\ncircle(83.6,22)\n", "line 2: not understood"),
        ("fk5\n\ncircle(83.6,22,abc)\n", "line 3: not understood"),
        ("fk5\ncircle(83.6,22,-1)\n", "line 2: 'radius' must be strictly positive"),
        ("fk5\ncircle(83.6,22,0)\n", "line 2: 'radius' must be strictly positive"),
        ("fk5\ncircle(83.6,95,1)\n", "line 2: Latitude"),
        ("fk5\ncircle(nan,22,1)\n", "line 2: a number is not finite"),
        ("fk5\ncircle(83.6,22,5p)\n", "line 2: Cannot parse sky region"),
        ("fk5\ncircle(05 34 31 22 00 52 300)\n", "line 2: a circle has three numbers"),
        ("fk5\npolygon(1,2,3,4)\n", "line 2: a polygon needs three vertices"),
        ("fk5\npolygon(0,0,120,0,240,0)\n", "line 2: a polygon may reach at most 85 deg"),
        ("fk5\ncircle(1,2,3)\npanda(1,2,0,90,1,0,1,1)\n", 'line 3: "panda" .* is not supported'),
        ("fk5\ncircle(1,2,3)\ncircle(1,2)\nhello\n", "line 3: not understood"),
        ("hello world\n", 'line 1: "hello" frame or shape is not a valid'),
        ("circle(1,2,3)\n", "line 1: A coordinate frame was not found"),
        ("physical\ncircle(1,2,3)\n", 'line 1: "physical" frame or shape is not supported'),
        ("image\ncircle(1,2,3)\n", "line 2: its coordinates are pixels, which belong to one image"),
        ("fk5\ncircle(1,2,3) || circle(2,2,3)\n", r"line 2: what follows \|\| would be lost"),
        ("fk5\n!circle(1,2,3)\n", "line 2: Unable to parse"),
        ("fk5\n-circle(1,2,3)\n", "holds only regions with a minus sign"),
    ],
)
def test_line_that_cannot_be_understood_is_named(tmp_path, text, message):
    with pytest.raises(MapError, match=rf"regions\.reg(, | ){message}") as error:
        read(tmp_path, text)
    assert "\n" not in str(error.value)


def test_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "regions.reg").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(MapError, match=r"regions\.reg is not a DS9 region file"):
        read_regions(str(tmp_path / "regions.reg"), directions_in("icrs"))


def test_missing_file_is_refused():
    with pytest.raises(MapError, match=r"none\.reg cannot be read \(No such file"):
        read_regions("none.reg", directions_in("icrs"))
