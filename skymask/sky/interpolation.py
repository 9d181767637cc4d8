"""Smooth maps on other grids, such as exposures, at the pixels of the counts map, and the solid angle of these."""

import numpy as np

from skymask.errors import MapError
from skymask.sky.geometry import celestial_frame, directions, pixels_of, sky_projection, turn
from skymask.sky.reprojection import pixel_directions

#: A position this close to a pixel centre, in pixels, is there.
TIE = 1e-6

#: Solid angles are computed at so many places along each side of a map, and interpolated between.
PLACES = 33


def bilinear(planes, header_there, header, shape, *, name):
    """Return maps at the pixel centres of another grid, interpolated linearly between the four pixels around each.

    Parameters
    ----------
    planes : ndarray, shape (n, my, mx)
    header_there : Header
        Sky coordinates of the planes.
    header : Header
        Those of the other grid.
    shape : (int, int)
        Shape (ny, nx) of the other grid.
    name : str
        Name of the map for messages.

    Returns
    -------
    values : ndarray of float, shape (n, ny, nx)
        NaN where the map has no pixel. Between the outermost pixel centres and the edge, the value is that of the
        outermost pixel.

    Raises
    ------
    MapError
        If a position cannot be looked up in the map.
    """
    there = sky_projection(header_there, name)
    if there.has_distortion:
        raise MapError(f"{name} has distorted pixels (SIP): reproject it to the grid of the counts first")
    my, mx = planes.shape[1:]
    around = turn(there)
    # Along which side, x or y, the map closes in itself: there is no edge between its last pixel and its first one.
    closed = [around is not None and around[0] == axis and abs(around[1] - n) < 0.5 for axis, n in enumerate((mx, my))]
    flat = planes.reshape(len(planes), -1)
    values = np.full((len(planes), shape[0] * shape[1]), np.nan)
    for pixels, towards in pixel_directions(header, shape, celestial_frame(header_there, name)):
        x, y = _without_rounding(pixels_of(there, towards, ((mx - 1) / 2, (my - 1) / 2))).T
        x, y = (np.mod(place, n) if whole else place for place, n, whole in zip((x, y), (mx, my), closed, strict=True))
        within = _within(x, mx, closed[0]) & _within(y, my, closed[1])
        x, y, pixels = x[within], y[within], pixels[within]
        total = np.zeros((len(planes), len(pixels)))
        for columns, weights_x in _neighbours(x, mx, closed[0]):
            for rows, weights_y in _neighbours(y, my, closed[1]):
                weights = weights_x * weights_y
                # A pixel that does not count may be undefined.
                total += np.where(weights > 0, weights * flat[:, rows * mx + columns], 0)
        values[:, pixels] = total
    return values.reshape(len(planes), *shape)


def relative_solid_angle(header, shape):
    """Return the solid angle of the pixels of a map over that of a pixel at its middle, shape (ny, nx)."""
    from scipy.interpolate import RegularGridInterpolator

    wcs = sky_projection(header)
    places = [np.linspace(0, n - 1, min(n, PLACES)) for n in shape]
    y, x = (grid.ravel() for grid in np.meshgrid(*places, indexing="ij"))
    middle = np.array([[(shape[1] - 1) / 2, (shape[0] - 1) / 2]])
    areas = _solid_angles(wcs, np.column_stack([x, y])) / _solid_angles(wcs, middle)
    areas = areas.reshape([len(one) for one in places])
    # Along a side of a single pixel nothing is interpolated.
    for axis, n in enumerate(shape):
        if n > 1:
            areas = RegularGridInterpolator((places[axis],), np.moveaxis(areas, axis, 0))(np.arange(n))
            areas = np.moveaxis(areas, 0, axis)
    return areas


def _solid_angles(wcs, pixels):
    """Solid angles of pixels up to one factor, from the directions towards the middles of their sides."""
    halves = np.diag([0.5, 0.5])
    sides = [directions(wcs, pixels + half) - directions(wcs, pixels - half) for half in halves]
    return np.linalg.norm(np.cross(*sides), axis=1)


def _without_rounding(positions):
    """Positions that are pixel centres but for the rounding of their coordinates, as these centres."""
    centres = np.rint(positions)
    return np.where(np.abs(positions - centres) < TIE, centres, positions)


def _within(position, n, is_closed):
    """Whether a pixel coordinate lies on a side of n pixels."""
    return np.isfinite(position) if is_closed else (position >= -0.5) & (position < n - 0.5)


def _neighbours(position, n, is_closed):
    """The two pixels around positions along one side, with their weights."""
    lower = np.floor(position).astype(np.intp)
    fraction = position - lower
    for number, weight in ((lower, 1 - fraction), (lower + 1, fraction)):
        yield number % n if is_closed else np.clip(number, 0, n - 1), weight
