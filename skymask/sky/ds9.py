"""DS9 region files as areas on the sky."""

import re
import warnings
from bisect import bisect_left
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skymask.errors import MapError
from skymask.sky import sky_shapes
from skymask.sky.geometry import direction_along

#: What `regions` says of a region's looks, which are none of our business.
_LOOKS = ("Found duplicate metadata", "DS9 ", "dashed lines are unsupported", "facecolor and edgecolor")

#: What is said where `regions` gives no reason.
NOT_UNDERSTOOD = "not understood as a DS9 region: are all its numbers there, and its brackets closed?"

_CIRCLE = re.compile(r"[+-]?\s*circle[\s(]+(?P<numbers>[^)|]*)")


class Regions(NamedTuple):
    """What a region file holds.

    Attributes
    ----------
    area : sky_shapes.Area
    names : list of str
        Number, counted from 1, and text of every region of the area: those within, then those without.
    left_out : list of str
        Kinds of the regions that have no area: points, lines and texts.
    """

    area: sky_shapes.Area
    names: list
    left_out: list


def read_regions(path, directions_of):
    """Return the area of a DS9 region file: what lies in any of its regions, and in none with a minus sign.

    Parameters
    ----------
    path : str
    directions_of : callable
        Takes astropy sky coordinates, returns unit vectors of shape (..., 3) in the frame of the map.

    Raises
    ------
    MapError
        If the file cannot be read, or holds what cannot be placed on the sky. The line is in the message.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise MapError(f"{path} cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise MapError(f"{path} is not a DS9 region file: it is no text") from error
    try:
        regions = _parse(lines)
    except ValueError as error:
        # The first line without which all goes well.
        number = bisect_left(range(1, len(lines) + 1), True, key=lambda end: _mistake(lines[:end]) is not None) + 1
        raise MapError(f"{path}, line {number}: {_mistake(lines[:number])}") from error
    shapes, names, left_out = ([], []), ([], []), []
    for number, region in enumerate(regions, start=1):
        if (shape := _shape(region, directions_of)) is None:
            left_out.append(_kind(region))
            continue
        minus = not region.meta.get("include", True)
        shapes[minus].append(shape)
        names[minus].append(" ".join([str(number), str(region.meta.get("text", ""))]).strip())
    if shapes[1] and not shapes[0]:
        raise MapError(
            f"{path} holds only regions with a minus sign, and nothing that they could be taken from: "
            "every region of the file is excluded, so write them without the sign"
        )
    return Regions(sky_shapes.Area(*shapes), names[0] + names[1], left_out)


def _parse(lines):
    """The regions in lines of a file; a ValueError if a line is not understood, or dropped, or not on the sky."""
    import regions

    for line in lines:
        _check_line(line)
    with warnings.catch_warnings():
        # Whatever is left out is an error here.
        warnings.simplefilter("error")
        for looks in _LOOKS:
            warnings.filterwarnings("ignore", looks)
        try:
            parsed = list(regions.Regions.parse("\n".join(lines), format="ds9"))
        except Exception as error:
            text = " ".join(str(error).split()) if isinstance(error, ValueError | Warning) else NOT_UNDERSTOOD
            raise ValueError(text.removesuffix(", skipping.")) from error
    for region in parsed:
        if isinstance(region, regions.PixelRegion):
            raise ValueError(
                "its coordinates are pixels, which belong to one image: save the regions in sky coordinates (fk5, icrs "
                "or galactic)"
            )
        if not _is_finite(region):
            raise ValueError("a number is not finite")
        if _kind(region) == "polygon":
            # Only whether it is one; the frame does not matter.
            sky_shapes.polygon(region.vertices.cartesian.xyz.value.T)
    return parsed


def _check_line(line):
    """Raise a ValueError where `regions` would drop a part of a line without a word."""
    before, bars, after = line.split("#")[0].lower().partition("||")
    if bars and after.strip():
        raise ValueError("what follows || would be lost: write one region on a line")
    for part in before.split(";"):
        circle = _CIRCLE.match(part.strip())
        if circle and len(circle["numbers"].replace(",", " ").split()) > 3:
            raise ValueError("a circle has three numbers, longitude, latitude and radius (12:34:56 without spaces)")


def _mistake(lines):
    """What is wrong with lines of a file; None if nothing is."""
    try:
        _parse(lines)
    except ValueError as error:
        return str(error)
    return None


def _is_finite(region):
    for name in region._params:
        value = getattr(region, name)
        if hasattr(value, "spherical"):
            value = np.stack([value.spherical.lon.deg, value.spherical.lat.deg])
        elif not hasattr(value, "unit"):
            continue
        if not np.isfinite(value).all():
            return False
    return True


def _kind(region):
    """The kind of a region in lower case, as in "ellipseannulus"."""
    return type(region).__name__.removesuffix("SkyRegion").lower()


def _shape(region, directions_of):
    """The shape of a region; None if it has no area.

    `regions` itself goes by the pixels of a map, with one size for both their sides; these shapes go by the sky.
    """
    kind = _kind(region)
    if kind in ("point", "line", "text"):
        return None
    if kind == "polygon":
        return sky_shapes.polygon(directions_of(region.vertices))
    center = directions_of(region.center)
    if kind == "circle":
        return sky_shapes.circle(center, _radians(region.radius))
    if kind == "circleannulus":
        return sky_shapes.difference(
            *(sky_shapes.circle(center, _radians(radius)) for radius in (region.outer_radius, region.inner_radius))
        )
    # DS9 counts angles from where longitude falls, towards north.
    along = direction_along(region.center, region.angle.to_value("deg") - 90, directions_of)

    def of_size(width, height):
        sides = _radians(width), _radians(height)
        if kind.startswith("ellipse"):
            return sky_shapes.ellipse(center, along, (sides[0] / 2, sides[1] / 2))
        return sky_shapes.box(center, along, sides)

    if kind in ("ellipse", "rectangle"):
        return of_size(region.width, region.height)
    outer = of_size(region.outer_width, region.outer_height)
    return sky_shapes.difference(outer, of_size(region.inner_width, region.inner_height))


def _radians(angle):
    return float(angle.to_value("rad"))
