"""Maps on other grids, brought to the pixels of the counts map."""

import numpy as np
from astropy import units
from astropy.coordinates import SkyCoord, UnitSphericalRepresentation
from astropy_healpix.core import bilinear_interpolation_weights, lonlat_to_healpix

from skymask.errors import MapError
from skymask.io.healpix_files import MOC_ORDER
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


def healpix_nearest(sky, header, shape, *, outside):
    """Return the values of a HEALPix map at the pixels of a grid, each that of the HEALPix pixel its centre lies in.

    Parameters
    ----------
    sky : skymask.io.healpix_files.HealpixPlanes
        With one plane.
    header : Header
    shape : (int, int)
        Of the grid, (ny, nx).
    outside : number
        Value of pixels that the map does not have.

    Returns
    -------
    values : ndarray, shape (ny, nx)
    within : ndarray of bool, shape (ny, nx)
        True where the map has a pixel.
    """
    find = _pixels_among(sky.pixels)
    values = np.full(np.prod(shape), outside, dtype=np.result_type(sky.values.dtype, type(outside)))
    within = np.zeros(np.prod(shape), dtype=bool)
    for pixels, towards in pixel_directions(header, shape, sky.frame):
        rows, found = find(lonlat_to_healpix(*_angles(towards), sky.nside, order="nested"))
        within[pixels[found]] = True
        values[pixels[found]] = sky.values[0, rows[found]]
    return values.reshape(shape), within.reshape(shape)


def healpix_bilinear(planes, sky, header, shape):
    """Return planes of values of HEALPix pixels at the pixel centres of a grid, interpolated between the four around.

    Parameters
    ----------
    planes : ndarray, shape (m, n)
        Values of the n pixels of a HEALPix map.
    sky : skymask.io.healpix_files.HealpixPlanes
        Which these are.
    header : Header
    shape : (int, int)
        Of the grid, (ny, nx).

    Returns
    -------
    values : ndarray of float, shape (m, ny, nx)
        NaN where one of the four is not there or undefined.
    """
    find = _pixels_among(sky.pixels)
    values = np.full((len(planes), np.prod(shape)), np.nan)
    for pixels, towards in pixel_directions(header, shape, sky.frame):
        around, weights = bilinear_interpolation_weights(*_angles(towards), sky.nside, order="nested")
        rows, found = find(around)
        terms = np.where(found, planes[:, rows], np.nan)
        values[:, pixels] = np.where(weights > 0, weights * terms, 0).sum(axis=1)
    return values.reshape(len(planes), *shape)


def within_moc(moc, header, shape):
    """Return the pixels of a grid whose centres lie in a MOC, as booleans of shape (ny, nx).

    Parameters
    ----------
    moc : skymask.io.healpix_files.Moc
    header : Header
    shape : (int, int)
        Of the grid, (ny, nx).
    """
    inside = np.zeros(np.prod(shape), dtype=bool)
    for pixels, towards in pixel_directions(header, shape, moc.frame):
        inside[pixels] = in_moc(moc, towards)
    return inside.reshape(shape)


def in_moc(moc, towards):
    """Return which directions, unit vectors of shape (n, 3) in the frame of a MOC, lie in it; none that is NaN."""
    inside, defined = np.zeros(len(towards), dtype=bool), np.isfinite(towards).all(axis=1)
    if len(moc.ranges):
        numbers = lonlat_to_healpix(*_angles(towards[defined]), 2**MOC_ORDER, order="nested")
        last = np.searchsorted(moc.ranges[:, 0], numbers, side="right") - 1
        inside[defined] = (last >= 0) & (numbers < moc.ranges[np.maximum(last, 0), 1])
    return inside


def _pixels_among(pixels):
    """A function that finds in which places of `pixels` some numbers are, and whether they are there at all."""
    order = np.argsort(pixels, kind="stable")
    ordered = pixels[order]

    def find(numbers):
        places = np.minimum(np.searchsorted(ordered, numbers), len(ordered) - 1)
        return order[places], ordered[places] == numbers

    return find


def _angles(towards):
    position = _spherical(towards)
    return position.lon, position.lat


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
