"""Exclusion regions of the configuration as a mask, and what is said of those that miss the map."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import Table
from conftest import sky_header

from skymask.config.configuration import load_schema
from skymask.io.maps import file_digest
from skymask.sky import exclusion_regions
from skymask.sky.exclusion_regions import file_digests, region_mask

SHAPE = (21, 21)
HEADER = sky_header(SHAPE, pixel_size=0.1, center=(83.6, 0.0))


def circle(longitude, latitude, radius, **more):
    return {"shape": "circle", "center": [f"{longitude} deg", f"{latitude} deg"], "radius": radius, **more}


def excluded_by(*regions, header=HEADER):
    mask, warnings = region_mask(header, SHAPE, list(regions))
    assert warnings == []
    return ~mask


def test_no_regions_exclude_nothing():
    mask, warnings = region_mask(HEADER, SHAPE, [])
    assert mask.all()
    assert warnings == []


def test_circle_excludes_the_pixels_whose_centres_lie_in_it():
    # Two pixels around the central one. In a tangent plane, pixels are somewhat smaller away from the reference point:
    # the four that are just two pixels away lie within.
    y, x = np.indices(SHAPE) - 10
    assert np.array_equal(excluded_by(circle(83.6, 0, "12 arcmin")), x**2 + y**2 <= 4)


def test_circle_has_its_radius_on_the_sky_at_any_latitude():
    header = sky_header(SHAPE, pixel_size=0.1, center=(83.6, 70.0))
    y, x = np.indices(SHAPE) - 10
    assert np.array_equal(excluded_by(circle(83.6, 70, "0.55 deg"), header=header), x**2 + y**2 <= 5.5**2)


def test_oblong_pixels_make_an_ellipse_of_a_circle():
    header = sky_header(SHAPE, pixel_size=0.1, center=(83.6, 0.0))
    header["CDELT2"] = 0.2
    y, x = np.indices(SHAPE) - 10
    assert np.array_equal(excluded_by(circle(83.6, 0, "0.5001 deg"), header=header), x**2 + (2 * y) ** 2 <= 25)


def test_positions_may_be_galactic():
    there = SkyCoord(83.6, 0.0, unit="deg").galactic
    region = circle(there.l.deg, there.b.deg, "0.3 deg", frame="galactic")
    assert np.array_equal(excluded_by(region), excluded_by(circle(83.6, 0, "0.3 deg")))


def test_frame_is_that_of_the_schema_if_none_is_given():
    circle, *_ = load_schema()["properties"]["exclusion_regions"]["items"]["allOf"]
    assert circle["then"]["properties"]["frame"]["default"] == exclusion_regions.DEFAULT_FRAME == "icrs"


@pytest.mark.parametrize(("angle", "step"), [(0, (1, 0)), (90, (0, -1)), (45, (1, -1)), (135, (1, 1))])
def test_position_angle_of_an_ellipse_counts_from_north_through_east(angle, step):
    region = {
        "shape": "ellipse",
        "center": ["83.6 deg", "0 deg"],
        "semi_axes": ["0.62 deg", "0.05 deg"],
        "position_angle": f"{angle} deg",
    }
    # East is at lower x. Only pixels on the first axis lie in so thin an ellipse: six of them on either side along an
    # axis of the map, four along a diagonal.
    side = 6 if 0 in step else 4
    expected = np.zeros(SHAPE, dtype=bool)
    for number in range(-side, side + 1):
        expected[10 + number * step[0], 10 + number * step[1]] = True
    assert np.array_equal(excluded_by(region), expected)


def test_regions_of_several_kinds_add_up(tmp_path):
    (tmp_path / "a.reg").write_text("icrs\ncircle(83.1,0.5,0.15)\n-circle(83.1,0.5,0.05)\n")
    Table({"ra": [84.1, 84.2], "dec": [0.5, -0.5], "size": [0.15, 0.25]}).write(tmp_path / "b.ecsv")
    regions = [
        circle(83.6, 0, "0.3 deg"),
        {"file": str(tmp_path / "a.reg")},
        {"table": str(tmp_path / "b.ecsv"), "radius": "size"},
    ]
    expected = np.logical_or.reduce([excluded_by(region) for region in regions])
    assert np.array_equal(excluded_by(*regions), expected)
    # North is up and east left: 0.5 deg are five pixels. A hole takes the central pixel of the region alone.
    assert [int(expected[y, x]) for y, x in ((10, 10), (15, 15), (15, 16), (15, 5), (5, 4))] == [1, 0, 1, 1, 1]


def test_what_a_file_takes_out_stays_excluded_by_another_entry(tmp_path):
    (tmp_path / "a.reg").write_text("icrs\ncircle(83.6,0,0.3)\n-circle(83.6,0,0.1)\n")
    hole = {"file": str(tmp_path / "a.reg")}
    assert not excluded_by(hole)[10, 10]
    assert excluded_by(hole, circle(83.6, 0, "0.01 deg"))[10, 10]


def warnings_of(*regions):
    return region_mask(HEADER, SHAPE, list(regions))[1]


def test_region_that_misses_the_map_is_told():
    assert warnings_of(circle(83.6, 0, "1 deg"), circle(90, 0, "1 deg")) == [
        "exclusion_regions.1 circle covers no pixel of the map"
    ]


def test_region_between_the_centres_of_pixels_is_told():
    assert warnings_of(circle(83.65, 0.05, "0.01 deg")) == ["exclusion_regions.0 circle covers no pixel of the map"]


def test_regions_of_a_file_that_miss_the_map_are_named(tmp_path):
    path = tmp_path / "a.reg"
    path.write_text("icrs\ncircle(83.6,0,0.3)\ncircle(90,0,1) # text={Orion}\n-circle(91,0,1)\npoint(83.6,0)\n")
    assert warnings_of({"file": str(path)}) == [
        f"exclusion_regions.0 {path}: 1 regions without an area are left out (point)",
        f"exclusion_regions.0 {path}: 2 of 3 regions cover no pixel of the map (2 Orion, 3)",
    ]


def test_rows_of_a_table_that_miss_the_map_are_named_up_to_a_number(tmp_path):
    path = tmp_path / "a.ecsv"
    Table({"ra": [83.6, *range(100, 107), np.nan], "dec": np.zeros(9)}).write(path)
    assert warnings_of({"table": str(path), "radius": "1 deg"}) == [
        f"exclusion_regions.0 {path}: 1 rows have no position or radius (9)",
        f"exclusion_regions.0 {path}: 7 of 8 rows cover no pixel of the map (2, 3, 4, 5, 6, ...)",
    ]


def test_file_and_table_without_anything_are_told(tmp_path):
    (tmp_path / "a.reg").write_text("# nothing\n")
    (tmp_path / "b.csv").write_text("ra,dec\n")
    regions = {"file": str(tmp_path / "a.reg")}, {"table": str(tmp_path / "b.csv"), "radius": "1 deg"}
    assert [warning.split(": ")[1] for warning in warnings_of(*regions)] == [
        "the file holds no region with an area",
        "the table holds no position",
    ]


def test_digests_are_those_of_each_file_once(tmp_path):
    for name in ("a.reg", "b.csv"):
        (tmp_path / name).write_text(name)
    a, b = str(tmp_path / "a.reg"), str(tmp_path / "b.csv")
    assert file_digests([{"file": a}, {"table": b}, circle(0, 0, "1 deg"), {"file": a}]) == {
        a: file_digest(a),
        b: file_digest(b),
    }
