"""Shapes on the sphere, and the pixels of a map that lie in them."""

import numpy as np
import pytest

from skymask.sky import sky_shapes
from skymask.sky.sky_shapes import Area, box, circle, difference, ellipse, pixels_in, polygon


def towards(longitude, latitude):
    """Return unit vectors towards positions in degrees."""
    longitude, latitude = np.radians(np.broadcast_arrays(longitude, latitude))
    return np.stack(
        [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)], axis=-1
    ).astype(float)


ORIGIN = towards(0, 0)
EAST, NORTH = towards(90, 0), towards(0, 90)


def contained(shape, *positions):
    return shape.contains(towards(*np.array(positions, dtype=float).T)).tolist()


def test_circle_reaches_as_far_as_its_radius_in_all_directions():
    shape = circle(towards(0, 60), np.radians(2))
    # At a latitude of 60 degrees, 3.9 degrees of longitude are less than 2 on the sky, and 4.1 are more.
    assert contained(shape, (0, 61.9), (0, 62.1), (3.9, 60), (4.1, 60), (0, 58.1), (356.1, 60)) == [
        *(True, False, True, False, True, True)
    ]


def test_circle_has_the_points_at_its_radius_whatever_the_rounding():
    for start in np.arange(0, 360, 0.7):
        assert contained(circle(towards(start, 0), np.radians(0.3)), (start + 0.3, 0), (start - 0.3, 0)) == [True, True]


def test_circle_of_half_a_turn_is_the_whole_sky():
    assert all(contained(circle(ORIGIN, np.pi), (0, 0), (180, 0), (77, -80)))


def test_ellipse_has_its_first_axis_along_the_direction_given():
    shape = ellipse(ORIGIN, EAST, np.radians([3, 1]))
    assert contained(shape, (2.9, 0), (3.1, 0), (0, 0.9), (0, 1.1), (0, 0)) == [True, False, True, False, True]
    turned = ellipse(ORIGIN, NORTH, np.radians([3, 1]))
    assert contained(turned, (0, 2.9), (0, 3.1), (0.9, 0), (1.1, 0)) == [True, False, True, False]


def test_ellipse_has_no_point_on_the_other_side_of_the_sky():
    assert contained(ellipse(ORIGIN, EAST, np.radians([3, 1])), (180, 0)) == [False]


def test_box_along_the_equator_is_a_strip_between_parallels():
    shape = box(ORIGIN, EAST, np.radians([200, 4]))
    assert contained(shape, (99, 1.9), (101, 0), (50, 2.1), (260.5, -1.9), (180, 0)) == [
        *(True, False, False, True, False)
    ]


def test_polygon_has_its_inside():
    # A square with a notch that reaches its middle from above.
    shape = polygon(towards(*np.array([(-1, -1), (1, -1), (1, 1), (0, 0), (-1, 1)], dtype=float).T))
    assert contained(shape, (0, -0.5), (0, 0.5), (0.9, 0.5), (-0.9, 0.5), (1.1, 0), (180, 0.5)) == [
        *(True, False, True, True, False, False)
    ]


def test_sides_of_a_polygon_are_great_circles():
    # Through latitude 10 at longitudes -20 and 20, it passes the middle at tan(b) = tan(10) / cos(20): at 10.63.
    shape = polygon(towards(*np.array([(-20, 0), (20, 0), (20, 10), (-20, 10)], dtype=float).T))
    assert contained(shape, (0, 10.6), (0, 10.66)) == [True, False]


@pytest.mark.parametrize(
    ("vertices", "message"),
    [
        ([(0, 0), (1, 1)], "a polygon needs three vertices, got 2"),
        ([(0, 0), (120, 0), (240, 0)], "may reach at most 85 deg"),
        ([(-86, 0), (86, 0), (0, 20)], "may reach at most 85 deg"),
    ],
)
def test_polygon_without_an_inside_is_refused(vertices, message):
    with pytest.raises(ValueError, match=message):
        polygon(towards(*np.array(vertices, dtype=float).T))


def test_difference_of_circles_is_an_annulus():
    shape = difference(circle(ORIGIN, np.radians(2)), circle(ORIGIN, np.radians(1)))
    assert contained(shape, (0, 0), (0, 0.9), (0, 1.1), (0, 2.1)) == [False, False, True, False]


def grid(step):
    """Return a function for the directions of pixels that lie `step` degrees apart around (0, 0)."""
    return lambda pixels: towards(pixels[:, 0] * step, pixels[:, 1] * step)


def test_pixels_are_those_whose_centres_lie_in_any_area():
    areas = [Area([circle(ORIGIN, np.radians(1.5)), circle(towards(4, 0), np.radians(0.5))], [])]
    inside, touched = pixels_in(areas, grid(1), (3, 5))
    assert inside.astype(int).tolist() == [[1, 1, 0, 0, 1], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]]
    assert touched == [[True, True]]


def test_what_an_area_is_without_is_taken_from_that_area_alone():
    large, small = circle(ORIGIN, np.radians(5)), circle(ORIGIN, np.radians(1.2))
    assert pixels_in([Area([large], [small])], grid(1), (2, 3))[0].tolist() == [
        [False, False, True],
        [False, True, True],
    ]
    assert pixels_in([Area([large], [small]), Area([small], [])], grid(1), (2, 3))[0].all()


def test_sky_shapes_without_a_pixel_are_told():
    away, between = circle(towards(90, 0), 0.1), circle(towards(0.5, 0.5), np.radians(0.1))
    areas = [Area([away], []), Area([circle(ORIGIN, 0.001), between], [away])]
    assert pixels_in(areas, grid(1), (2, 2))[1] == [[False], [True, False, False]]


def test_no_areas_have_no_pixels():
    inside, touched = pixels_in([], grid(1), (2, 2))
    assert not inside.any()
    assert touched == []


def test_pixels_off_the_sky_lie_in_no_area():
    def half(pixels):
        return np.where(pixels[:, :1] < 2, grid(1)(pixels), np.nan)

    inside, _ = pixels_in([Area([circle(ORIGIN, 1)], [])], half, (2, 4))
    assert inside.tolist() == [[True, True, False, False]] * 2
    assert not pixels_in([Area([circle(ORIGIN, 1)], [])], lambda pixels: np.full((len(pixels), 3), np.nan), (2, 2))[
        0
    ].any()


def test_tiles_leave_no_trace(monkeypatch):
    rng = np.random.default_rng(1)
    shapes = [circle(towards(*position), 0.02) for position in rng.uniform(0, 4, (30, 2))]
    areas = [Area(shapes[:20], shapes[20:])]
    whole = pixels_in(areas, grid(0.1), (40, 37))
    monkeypatch.setattr(sky_shapes, "TILE", 7)
    tiled = pixels_in(areas, grid(0.1), (40, 37))
    assert 0 < whole[0].sum() < whole[0].size
    assert np.array_equal(whole[0], tiled[0])
    assert whole[1] == tiled[1]
