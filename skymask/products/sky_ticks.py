"""Ticks of sky coordinates along the sides of a map: where round longitudes and latitudes meet them, with labels."""

from typing import NamedTuple

import numpy as np

from skymask.sky.geometry import sky_projection

#: Points of a side at which its coordinates are computed; between them they are taken as linear.
POINTS = 513

#: What coordinates are called.
NAMES = {"GLON": "Galactic longitude", "GLAT": "Galactic latitude", "RA": "Right ascension", "DEC": "Declination"}

#: Round parts of hours and degrees, in seconds of time and of arc.
_PARTS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800)


class Ticks(NamedTuple):
    """Ticks along a side of a map.

    Attributes
    ----------
    positions : list of float
        In pixels, from the centre of the first.
    values : list of float
        The coordinate, in degrees.
    labels : list of str
    name : str
        Of the coordinate, with its frame where one name means several.
    """

    positions: list
    values: list
    labels: list
    name: str


class _Units(NamedTuple):
    """In which units a coordinate is told: how many make a degree, and which whole numbers of them are round steps."""

    in_degree: int
    steps: tuple


_DEGREES = _Units(1, (1, 2, 5, 10, 15, 30, 45, 60, 90))
_SECONDS = _Units(240, (*_PARTS, *(3600 * hours for hours in (1, 2, 3, 6))))
_ARCSECONDS = _Units(3600, (*_PARTS, *(3600 * degrees for degrees in _DEGREES.steps)))


def sky_ticks(header, shape, most=(6, 6)):
    """Return the ticks of the lower and of the left side of a map.

    Along each runs that of longitude and latitude which changes more there. Right ascension is told in hours, minutes
    and seconds, declination in degrees, minutes and seconds of arc, anything else in degrees.

    Parameters
    ----------
    header : Header
        With the map's sky coordinates.
    shape : (int, int)
        Of the map, (ny, nx).
    most : (int, int)
        For how many ticks of right ascension and declination there is room below and at the left; there may be one
        more. Of degrees, which are shorter, half as many again find room below.

    Returns
    -------
    below, left : Ticks
    """
    wcs = sky_projection(header)
    longitude = wcs.wcs.lng
    below = longitude if longitude_side(wcs) == 0 else 1 - longitude
    return _ticks(wcs, shape, 0, below, most[0]), _ticks(wcs, shape, 1, 1 - below, most[1])


def pixels_of(header, longitudes, latitudes):
    """Return the pixels x and y, counted from 0, of positions in degrees in a map's own frame; NaN off the plane."""
    wcs = sky_projection(header)
    positions = np.empty((np.broadcast(longitudes, latitudes).size, 2))
    positions[:, wcs.wcs.lng], positions[:, wcs.wcs.lat] = longitudes, latitudes
    return wcs.wcs_world2pix(positions, 0).T


def longitude_side(wcs):
    """Return 0 if longitude runs along x, and 1 if it runs along y."""
    return int(np.argmax(np.abs(wcs.pixel_scale_matrix[wcs.wcs.lng])))


def _ticks(wcs, shape, side, axis, most):
    """The ticks of the lower (0) or left (1) side of a map, of a world axis."""
    kind = wcs.wcs.ctype[axis].split("-")[0]
    units = {"RA": _SECONDS, "DEC": _ARCSECONDS}.get(kind, _DEGREES)
    along = np.linspace(-0.5, shape[1 - side] - 0.5, POINTS)
    pixels = np.full((POINTS, 2), -0.5)
    pixels[:, side] = along
    values = wcs.all_pix2world(pixels, 0)[:, axis]
    # Off the sky there is nothing to tell.
    along, values = along[np.isfinite(values)], values[np.isfinite(values)]
    if not values.size:
        return Ticks([], [], [], _name(wcs, axis))
    if side == 0 and units is _DEGREES:
        most = 3 * most / 2
    is_longitude = axis == wcs.wcs.lng
    if is_longitude:
        values = np.unwrap(values, period=360)
    step, decimals = _step(np.ptp(values) * units.in_degree / most, units)
    positions, numbers = _crossings(along, values * units.in_degree / step * 10.0**decimals)
    turn = 360 * units.in_degree * 10**decimals
    sought = [number * step % turn if is_longitude else number * step for number in numbers]
    form = {"RA": _in_hours, "DEC": _in_degrees}.get(kind, _decimal)
    degrees = [value / 10**decimals / units.in_degree for value in sought]
    return Ticks(positions, degrees, [form(value, step, decimals) for value in sought], _name(wcs, axis))


def _step(least, units):
    """The smallest round step of at least so many units: a whole number, and the power of ten that it is divided by."""
    for decimals in range(12, 0, -1):
        for step in (1, 2, 5):
            if step >= least * 10.0**decimals:
                return step, decimals
    return next((step for step in units.steps if step >= least), units.steps[-1]), 0


def _crossings(along, values):
    """Where values along a side are whole numbers, and which."""
    low, high = np.minimum(values[:-1], values[1:]), np.maximum(values[:-1], values[1:])
    positions, numbers = [], []
    for k in np.flatnonzero(np.floor(high) >= np.ceil(low)):
        change = values[k + 1] - values[k]
        for number in range(int(np.ceil(low[k])), int(np.floor(high[k])) + 1):
            part = (number - values[k]) / change if change else 0.0
            # What lies on a point, both of its neighbours see.
            if part > 0 or k == 0 or not numbers or numbers[-1] != number:
                positions.append(float(along[k] + part * (along[k + 1] - along[k])))
                numbers.append(number)
    return positions, numbers


def _name(wcs, axis):
    """What a coordinate is called; equatorial ones with their frame."""
    kind = wcs.wcs.ctype[axis].split("-")[0]
    name = NAMES.get(kind, kind)
    if kind not in ("RA", "DEC"):
        return name
    frame, equinox = wcs.wcs.radesys.strip(), wcs.wcs.equinox
    epoch = {"FK5": f"J{equinox:g}", "FK4": f"B{equinox:g}"}.get(frame, frame)
    return f"{name} ({epoch})" if epoch and "nan" not in epoch else name


def _decimal(value, step, decimals):
    """Degrees, told in as many decimals as the step has."""
    return f"{value / 10**decimals:.{decimals}f}°".replace("-", "−")


def _in_hours(value, step, decimals):
    return _in_parts(value, step, decimals, "ʰᵐˢ")


def _in_degrees(value, step, decimals):
    return ("−" if value < 0 else "+" if value else "") + _in_parts(abs(value), step, decimals, "°′″")


def _in_parts(value, step, decimals, signs):
    """Seconds in parts of 3600, 60 and 1, the later ones only as far as the step needs them."""
    seconds, rest = divmod(value, 10**decimals)
    first, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    text = f"{first}{signs[0]}"
    if decimals or step % 3600:
        text += f"{minutes:02d}{signs[1]}"
    if decimals or step % 60:
        text += f"{seconds:02d}" + (f".{rest:0{decimals}d}" if decimals else "") + signs[2]
    return text
