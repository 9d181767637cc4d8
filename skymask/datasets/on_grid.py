"""The maps of a dataset on the pixels of its counts.

Acceptance, coverage and additive background are on them already. Masks on other grids, HEALPix masks and MOCs are
looked up pixel by pixel; exposures and HEALPix acceptances are smooth, and interpolated.
"""

import numpy as np

from skymask.datasets.exposures import acceptance_of_exposure, is_exposure
from skymask.errors import MapError
from skymask.io import healpix_files, maps
from skymask.io.energy_axes import EnergyNodes, same_axis
from skymask.sky import geometry, reprojection

#: Maps that must have a plane for every energy bin of the counts if these have several.
OF_BINS = ("additive_background",)


def planes_on_grid(key, name, counts, options, *, energy_bin=None):
    """Return what a map is to the counts, and its planes on their pixels.

    Parameters
    ----------
    key : str
        What the map is called: "acceptance", "exposure", "coverage" or "additive_background".
    name : str
        Path, followed by [HDU] where the file holds several.
    counts : skymask.io.maps.Layout
        Of the counts that are read: if they are one energy bin, its energies alone.
    options : skymask.datasets.exposures.ExposureOptions
    energy_bin : int, optional
        The only energy bin that is read.

    Returns
    -------
    key : str
        As given; an exposure has become an "acceptance".
    planes : ndarray, shape (n or 1, ny, nx)

    Raises
    ------
    MapError
        If the map cannot be read, or does not go with the counts.
    """
    where = f"{key} {name}"
    if (sky := healpix_files.read_on_sky(name)) is not None:
        return _of_sky(key, sky, counts, options, where)
    cube = maps.read_expected(name, energy_bin=energy_bin)
    maps.check_whole(cube, key, name)
    if key in ("acceptance", "exposure") and is_exposure(key, cube):
        return "acceptance", acceptance_of_exposure(cube, counts, options, name=where)
    if isinstance(cube.energies, EnergyNodes):
        raise MapError(f"{where} has planes at energies, and not in the energy bins of counts")
    if cube.data.shape[1:] != counts.shape:
        hint = "" if key != "acceptance" else "; if it is an exposure, name it by the key exposure"
        raise MapError(f"{where} has the shape {cube.data.shape[1:]}, counts {counts.shape}: they must agree{hint}")
    bins = 1 if counts.energies is None else len(counts.energies.lower)
    if cube.energies and not (counts.energies and same_axis(counts.energies, cube.energies)):
        raise MapError(f"{where} has other energy bins than counts")
    if bins > 1 and not cube.energies and key in OF_BINS:
        raise MapError(f"{where} has no energy bins, and counts have {bins}")
    geometry.check_same_grid(counts.header, cube.header, counts.shape, where)
    return key, cube.data


def mask_on_grid(key, name, header, shape, *, energy_bin=None):
    """Return a user's mask on the pixels of the counts, and warnings about it.

    Parameters
    ----------
    key : str
        "exclusion_mask", of which 1 means used, or "inverse_exclusion_mask", of which 1 means excluded.
    name : str
        Path, followed by [HDU] where the file holds several: an image on any grid, a HEALPix map, or a MOC, of which
        what lies in it is 1.
    header : Header
    shape : (int, int)
        Of the counts, (ny, nx).
    energy_bin : int, optional
        The only energy bin that is read.

    Returns
    -------
    mask : ndarray, shape (ny, nx)
        1 where the pixel may be used; that of pixels which the mask does not have.
    warnings : list of str

    Raises
    ------
    MapError
        If the mask cannot be read or placed on the sky.
    """
    where, used = f"{key} {name}", 0 if key.startswith("inverse") else 1
    sky = healpix_files.read_on_sky(name)
    if isinstance(sky, healpix_files.Moc):
        mask, within = reprojection.within_moc(sky, header, shape), np.ones(shape, dtype=bool)
    elif sky is not None:
        mask, within = reprojection.healpix_nearest(_only(sky, where), header, shape, outside=used)
    else:
        image = _plane(name, energy_bin)
        maps.check_whole(image, key, name)
        geometry.sky_projection(image.header, where)
        if image.data.shape == shape and not geometry.grid_difference(header, image.header, shape, where):
            mask, within = image.data, np.ones(shape, dtype=bool)
        else:
            mask, within = reprojection.nearest(image, header, shape, name=where, outside=used)
    warnings = []
    if not within.any():
        warnings.append(f"{where} lies elsewhere on the sky than counts: it excludes nothing")
    elif not within.all():
        missing = np.count_nonzero(~within)
        warnings.append(f"{where} does not cover {missing} pixels of the map: it excludes none of them")
    return (mask if used else _inverse(mask, where)), warnings


def only_plane(planes, name):
    """Return the only plane of a map.

    Raises
    ------
    MapError
        If it has several.
    """
    if len(planes) > 1:
        raise MapError(f"{name} has {len(planes)} energy bins, and counts have none: give energy_bin, or one map")
    return planes[0]


def _plane(name, energy_bin):
    """The only plane of an image, or that of an energy bin."""
    if energy_bin is None:
        return maps.read(name)
    cube = maps.read_cube(name, energy_bin=energy_bin)
    return cube._replace(data=only_plane(cube.data, name))


def _inverse(mask, where):
    """A mask of which 0 and 1 change places; what is neither is told as the mask has it."""
    bad = ~((mask == 0) | (mask == 1))
    if bad.any():
        y, x = np.argwhere(bad)[0]
        raise MapError(f"{where} must hold 1 (excluded) and 0 (used) only, not {mask[y, x]:g} at x = {x}, y = {y}")
    return mask == 0


def _of_sky(key, sky, counts, options, where):
    """What a HEALPix map or a MOC is to the counts, and its planes on their pixels."""
    if key == "coverage":
        if isinstance(sky, healpix_files.Moc):
            return key, reprojection.within_moc(sky, counts.header, counts.shape)[None]
        values, _ = reprojection.healpix_nearest(_only(sky, where), counts.header, counts.shape, outside=0)
        return key, values[None]
    kind = "MOC" if isinstance(sky, healpix_files.Moc) else "HEALPix map"
    if kind == "MOC" or key not in ("acceptance", "exposure"):
        raise MapError(f"{where} is a {kind}: an image is needed")
    return "acceptance", acceptance_of_exposure(sky, counts, options, name=where)


def _only(sky, where):
    """A HEALPix map with one plane."""
    if len(sky.values) > 1:
        raise MapError(f"{where} has {len(sky.values)} planes, and one is needed")
    return sky
