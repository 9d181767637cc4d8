"""The exclusion regions of the configuration: circles, ellipses, region files and catalogues as one mask."""

import hashlib
import json
from typing import NamedTuple

import numpy as np

from skymask.errors import MapError
from skymask.io import file_names
from skymask.io.fits_files import is_fits
from skymask.io.maps import file_digest
from skymask.sky import sky_shapes
from skymask.sky.geometry import (
    celestial_frame,
    coordinates_of,
    direction_along,
    directions,
    directions_in,
    sky_projection,
)
from skymask.units import angle_in_degrees

#: Frame of coordinates for which none is given.
DEFAULT_FRAME = "icrs"

#: So many regions that miss the map are named in a warning.
NAMED = 5


class Entry(NamedTuple):
    """One entry of the configuration.

    Attributes
    ----------
    title : str
        What it is, for messages.
    area : sky_shapes.Area
    names : list of str
        Names of the area's shapes.
    kind : str
        What the shapes are called, "regions" or "rows"; empty if there is but one, the entry itself.
    warnings : list of str
    """

    title: str
    area: sky_shapes.Area
    names: list
    kind: str
    warnings: list


def region_mask(header, shape, regions):
    """Return the mask of exclusion regions: True where the centre of a pixel lies in none of them.

    Parameters
    ----------
    header : Header
        Header of the map.
    shape : (int, int)
        Shape (ny, nx) of the map.
    regions : list of dict
        As in the configuration.

    Returns
    -------
    mask : ndarray of bool, shape (ny, nx)
    warnings : list of str
        Which regions have no pixel of the map, and what was left out.

    Raises
    ------
    MapError
        If a file cannot be read or does not say where its regions are.
    """
    if not regions:
        return np.ones(shape, dtype=bool), []
    frame = celestial_frame(header)
    entries = [_entry(f"exclusion_regions.{number}", region, frame) for number, region in enumerate(regions)]
    wcs = sky_projection(header)
    inside, touched = sky_shapes.pixels_in([entry.area for entry in entries], lambda xy: directions(wcs, xy), shape)
    warnings = []
    for entry, flags in zip(entries, touched, strict=True):
        warnings += [f"{entry.title}: {warning}" for warning in entry.warnings]
        missing = [name for name, touches in zip(entry.names, flags, strict=True) if not touches]
        if missing and entry.kind:
            count = f"{len(missing)} of {len(flags)} {entry.kind} cover no pixel of the map"
            warnings.append(f"{entry.title}: {count} ({_some(missing)})")
        elif missing:
            warnings.append(f"{entry.title} covers no pixel of the map")
    return ~inside, warnings


def digest(regions):
    """Return the SHA-256 of exclusion regions: of their entries as sorted JSON, with files by their own SHA-256."""

    def content(key, value):
        if key not in file_names.REGION_FILES:
            return value
        return [file_digest(value), file_names.split_name(value)[1]]

    entries = [{key: content(key, value) for key, value in region.items()} for region in regions]
    return hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()


def file_digests(regions):
    """Return the SHA-256 of every file of exclusion regions by its path, in their order."""
    names = file_names.region_names({"exclusion_regions": regions}).values()
    paths = (file_names.split_name(name)[0] for name in names)
    return {path: file_digest(path) for path in dict.fromkeys(paths)}


def _entry(where, region, frame):
    directions_of = directions_in(frame)
    if "file" in region and is_fits(file_names.split_name(region["file"])[0]):
        return Entry(f"{where} {region['file']}", sky_shapes.Area([_moc(region["file"], frame)], []), [""], "", [])
    if "file" in region:
        from skymask.sky.ds9 import read_regions

        found = read_regions(region["file"], directions_of)
        warnings = []
        if found.left_out:
            kinds = ", ".join(sorted(set(found.left_out)))
            warnings.append(f"{len(found.left_out)} regions without an area are left out ({kinds})")
        if not found.names:
            warnings.append("the file holds no region with an area")
        return Entry(f"{where} {region['file']}", found.area, found.names, "regions", warnings)
    if "table" in region:
        from skymask.io.position_tables import read_catalogue

        found = read_catalogue(**region)
        warnings = []
        if found.left_out:
            warnings.append(f"{len(found.left_out)} rows have no position or radius ({_some(found.left_out)})")
        if not found.names:
            warnings.append("the table holds no position")
        centers = directions_of(_coordinates(found.longitude, found.latitude, region))
        shapes = [sky_shapes.circle(*each) for each in zip(centers, np.radians(found.radius), strict=True)]
        return Entry(f"{where} {region['table']}", sky_shapes.Area(shapes, []), found.names, "rows", warnings)
    position = _coordinates(*map(angle_in_degrees, region["center"]), region)
    center = directions_of(position)
    if region["shape"] == "circle":
        shape = sky_shapes.circle(center, np.radians(angle_in_degrees(region["radius"])))
    else:
        along = direction_along(position, angle_in_degrees(region["position_angle"]), directions_of)
        shape = sky_shapes.ellipse(
            center, along, [np.radians(angle_in_degrees(length)) for length in region["semi_axes"]]
        )
    return Entry(f"{where} {region['shape']}", sky_shapes.Area([shape], []), [""], "", [])


def _moc(name, frame):
    """The shape of what lies in a MOC; other FITS files hold no regions that could be taken."""
    from skymask.io.healpix_files import Moc, read_on_sky
    from skymask.sky.reprojection import in_moc

    moc = read_on_sky(name)
    if not isinstance(moc, Moc):
        raise MapError(
            f"{name} is a FITS file and no MOC: save its regions as DS9 regions in sky coordinates, name a mask by the "
            "key exclusion_mask, or a catalogue by the key table"
        )
    to_moc = directions_in(moc.frame)
    return sky_shapes.everywhere(lambda points: in_moc(moc, to_moc(coordinates_of(points, frame))))


def _coordinates(longitude, latitude, region):
    from astropy.coordinates import SkyCoord

    return SkyCoord(longitude, latitude, unit="deg", frame=region.get("frame", DEFAULT_FRAME))


def _some(names):
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
