"""Shapes on the sky, and which pixels of a map lie in them.

Everything happens on the sphere: directions are unit vectors, lengths are angles, and no projection enters. A pixel
lies in a shape if its centre does.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from skymask.core.kernels import RADIUS_TOLERANCE

#: Side in pixels of the squares in which a map is gone through.
TILE = 128

#: A polygon may reach this far from its middle, in degrees: beyond 90, inside and outside would be arbitrary.
LARGEST_POLYGON = 85.0


class Shape(NamedTuple):
    """A shape on the sphere.

    Attributes
    ----------
    center : ndarray, shape (3,)
        Direction of its middle.
    reach : float
        Largest distance of its points from the middle, in radians.
    contains : callable
        Takes directions of shape (n, 3), returns n booleans.
    """

    center: np.ndarray
    reach: float
    contains: Callable


class Area(NamedTuple):
    """What lies in any of some shapes and in none of others."""

    shapes: list
    without: list


def circle(center, radius):
    """Return the shape of all points within `radius` (radians) of a direction."""
    largest = (2 * np.sin(min(radius, np.pi) / 2)) ** 2 * (1 + RADIUS_TOLERANCE)
    return Shape(center, radius, lambda points: ((points - center) ** 2).sum(axis=1) <= largest)


def everywhere(contains):
    """Return the shape of which it is only known whether points lie in it; see `Shape.contains`."""
    return Shape(np.array([1.0, 0.0, 0.0]), np.pi, contains)


def ellipse(center, along, semi_axes):
    """Return the shape of an ellipse: distance and position angle of its points are those of an ellipse in the plane.

    Parameters
    ----------
    center, along : ndarray, shape (3,)
        Direction of the middle, and the one that is reached by going 90 degrees along the first axis.
    semi_axes : (float, float)
        Along the first axis and across it, in radians.
    """
    across = np.cross(center, along)

    def contains(points):
        x, y = points @ along, points @ across
        distance = 2 * np.arcsin(np.minimum(np.linalg.norm(points - center, axis=1) / 2, 1))
        # Where x and y are both 0 lies the middle, or the point opposite to it.
        scale = distance / np.maximum(np.hypot(x, y), np.finfo(float).tiny)
        return (x * scale / semi_axes[0]) ** 2 + (y * scale / semi_axes[1]) ** 2 <= 1 + RADIUS_TOLERANCE

    return Shape(center, max(semi_axes), contains)


def box(center, along, sides):
    """Return the shape of a box: longitude and latitude, measured from its middle along `along`, within half a side.

    Parameters
    ----------
    center, along : ndarray, shape (3,)
        As for `ellipse`.
    sides : (float, float)
        Lengths along and across, in radians.
    """
    across = np.cross(center, along)
    half = np.array(sides) / 2 * (1 + RADIUS_TOLERANCE)

    def contains(points):
        longitude = np.arctan2(points @ along, points @ center)
        return (np.abs(longitude) <= half[0]) & (np.abs(np.arcsin(np.clip(points @ across, -1, 1))) <= half[1])

    return Shape(center, min(float(np.hypot(*sides)) / 2, np.pi), contains)


def polygon(vertices):
    """Return the shape of a polygon whose sides are arcs of great circles.

    Parameters
    ----------
    vertices : ndarray, shape (n, 3)

    Raises
    ------
    ValueError
        If it has fewer than three vertices, or reaches around half of the sky.
    """
    if len(vertices) < 3:
        raise ValueError(f"a polygon needs three vertices, got {len(vertices)}")
    center = vertices.mean(axis=0)
    center /= max(np.linalg.norm(center), np.finfo(float).tiny)
    reach = np.arccos(np.clip((vertices @ center).min(), -1, 1))
    if reach > np.radians(LARGEST_POLYGON):
        raise ValueError(f"a polygon may reach at most {LARGEST_POLYGON:g} deg from its middle")
    # Arcs of great circles are straight lines on the plane that touches the sphere in the middle.
    axes = np.linalg.svd(center[None])[2][1:].T
    corners = vertices @ axes / (vertices @ center)[:, None]

    def contains(points):
        towards = points @ center
        before = towards > 0
        x, y = (points[before] @ axes / towards[before, None]).T
        odd = np.zeros(len(x), dtype=bool)
        for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            if y1 != y2:
                odd ^= ((y1 > y) != (y2 > y)) & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
        inside = np.zeros(len(points), dtype=bool)
        inside[before] = odd
        return inside

    return Shape(center, float(reach), contains)


def difference(outer, inner):
    """Return the shape of what lies in one shape and not in another."""
    return Shape(outer.center, outer.reach, lambda points: outer.contains(points) & ~inner.contains(points))


def pixels_in(areas, directions, shape):
    """Return which pixels of a map lie in any of some areas, and which shapes have a pixel at all.

    Parameters
    ----------
    areas : list of Area
    directions : callable
        Takes pixel coordinates x, y of shape (n, 2), returns their directions of shape (n, 3), NaN off the sky.
    shape : (int, int)
        Shape (ny, nx) of the map.

    Returns
    -------
    inside : ndarray of bool, shape (ny, nx)
    touched : list of list of bool
        For every area, whether its shapes, and after them those that it is without, have a pixel.
    """
    inside = np.zeros(shape, dtype=bool)
    touched = [np.zeros(len(area.shapes) + len(area.without), dtype=bool) for area in areas]
    every = [shape for area in areas for shape in (*area.shapes, *area.without)]
    if not every:
        return inside, [flags.tolist() for flags in touched]
    centers, reaches = np.array([shape.center for shape in every]), np.array([shape.reach for shape in every])
    starts = np.cumsum([0, *map(len, touched)])
    for y0 in range(0, shape[0], TILE):
        for x0 in range(0, shape[1], TILE):
            tile = inside[y0 : y0 + TILE, x0 : x0 + TILE]
            y, x = np.indices(tile.shape)
            points = directions(np.column_stack([x.ravel() + x0, y.ravel() + y0]).astype(float))
            near = _near(points, centers, reaches)
            flat = np.zeros(tile.size, dtype=bool)
            for area, flags, start in zip(areas, touched, starts, strict=False):
                within, without = np.zeros((2, tile.size), dtype=bool)
                for number in np.flatnonzero(near[start : start + len(flags)]):
                    found = every[start + number].contains(points)
                    flags[number] |= found.any()
                    target = within if number < len(area.shapes) else without
                    target |= found
                flat |= within & ~without
            tile[:] = flat.reshape(tile.shape)
    return inside, [flags.tolist() for flags in touched]


def _near(points, centers, reaches):
    """Which shapes may have one of some points: those not too far from the middle of them."""
    points = points[~np.isnan(points).any(axis=1)]
    middle = points.sum(axis=0)
    if not middle.any():
        return np.zeros(len(centers), dtype=bool)
    middle /= np.linalg.norm(middle)
    radius = _distance(points - middle).max()
    return _distance(centers - middle) <= reaches * (1 + RADIUS_TOLERANCE) + radius + 1e-9


def _distance(differences):
    return 2 * np.arcsin(np.minimum(np.linalg.norm(differences, axis=1) / 2, 1))
