"""Maps on other grids, brought to the pixels of the counts map."""

import numpy as np
from astropy import units
from astropy.coordinates import SkyCoord, UnitSphericalRepresentation

from skymask.errors import MapError
from skymask.sky.geometry import celestial_frame, directions, directions_in, pixels_of, sky_projection

#: Pixels that are looked up at a time.
CHUNK = 2**18

#: A position this close to the border of two pixels, in pixels, belongs to the upper one, whatever the rounding.
TIE = 1e-6


def nearest(sky_map, header, shape, *, name, outside):
    """Return the values of a map at the pixels of another grid, each that of the pixel in which its centre lies.

    Parameters
    ----------
    sky_map : maps.SkyMap
        The map.
    header : Header
        Header of the other grid.
    shape : (int, int)
        Shape (ny, nx) of the other grid.
    name : str
        Name of the map for messages.
    outside : number
        Value of pixels that lie outside the map.

    Returns
    -------
    values : ndarray, shape (ny, nx)
    within : ndarray of bool, shape (ny, nx)
        True where the map has a pixel.

    Raises
    ------
    MapError
        If a position cannot be looked up in the map.
    """
    there = sky_projection(sky_map.header, name)
    if there.has_distortion:
        raise MapError(f"{name} has distorted pixels (SIP): reproject it to the grid of the counts first")
    values, within = np.full(np.prod(shape), outside, dtype=sky_map.data.dtype), np.zeros(np.prod(shape), dtype=bool)
    for pixels, towards in pixel_directions(header, shape, celestial_frame(sky_map.header, name)):
        column, row = _pixels(there, towards, sky_map.data.shape)
        found = (column >= 0) & (column < sky_map.data.shape[1]) & (row >= 0) & (row < sky_map.data.shape[0])
        within[pixels[found]] = True
        values[pixels[found]] = sky_map.data[row[found], column[found]]
    return values.reshape(shape), within.reshape(shape)


def pixel_directions(header, shape, frame):
    """Yield numbers y * nx + x of the pixels of a grid that are on the sky, and unit vectors towards them in a frame.

    Parameters
    ----------
    header : Header
    shape : (int, int)
        Of the grid, (ny, nx).
    frame : astropy frame

    Yields
    ------
    pixels : ndarray of int, shape (n,)
    towards : ndarray, shape (n, 3)
    """
    here, own_frame = sky_projection(header), celestial_frame(header)
    directions_there = directions_in(frame)
    for start in range(0, shape[0] * shape[1], CHUNK):
        pixels = np.arange(start, min(start + CHUNK, shape[0] * shape[1]))
        y, x = np.divmod(pixels, shape[1])
        towards = directions(here, np.column_stack([x, y]).astype(float))
        on_sky = ~np.isnan(towards).any(axis=1)
        positions = SkyCoord(_spherical(towards[on_sky]), frame=own_frame)
        yield pixels[on_sky], directions_there(positions)


def _pixels(wcs, towards, shape):
    """Column and row of the pixels in which directions lie; -1 where there is none."""
    pixels = pixels_of(wcs, towards, np.subtract(shape[::-1], 1) / 2, tie=TIE)
    column, row = np.floor(np.nan_to_num(pixels, nan=-1) + 0.5 + TIE).T
    return column.astype(int), row.astype(int)


def _spherical(towards):
    longitude = np.arctan2(towards[:, 1], towards[:, 0])
    latitude = np.arcsin(np.clip(towards[:, 2], -1, 1))
    return UnitSphericalRepresentation(longitude * units.rad, latitude * units.rad)
