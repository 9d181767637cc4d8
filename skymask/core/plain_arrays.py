"""What scripts hand over as maps, as plain arrays: masks, units and axes of other packages are honoured or refused.

They are numpy's and astropy's masked arrays, Quantities, NDData and CCDData of astropy, and Maps of gammapy. None of
these packages is imported for it.
"""

import numpy as np

from skymask.errors import MapError

#: Units that a map may have, by its name; those of all others do not matter.
UNITS = {
    "counts": ("ct", "ph", ""),
    "background": ("ct", "ph", ""),
    "additive_background": ("ct", "ph", ""),
    "coverage": ("",),
    "exclusion_mask": ("",),
    "region_mask": ("",),
}

#: Two maps are on the same grid if their corners agree to this fraction of a pixel.
SAME_GRID = 0.01


def plain(given, name):
    """Return a map as a plain array.

    Parameters
    ----------
    given : array_like, masked array, Quantity, NDData or gammapy Map
        Masked pixels (True in the mask of numpy and astropy) are undefined. A Map may have one energy bin.
    name : str
        As in `skymask.core.inputs.prepare`.

    Returns
    -------
    values : ndarray
        Without masked pixels the very array that was given; with them, numbers of double precision and NaN.

    Raises
    ------
    MapError
        If its unit is none of a map of this name, or a Map is no image of the sky.
    """
    values, mask, unit = _parts(given, name)
    values = np.asarray(values)
    if values.dtype.kind == "O":
        raise MapError(f"{name} must be an array, got {type(given).__name__}")
    if unit is not None and (factor := _factor(unit, name)) != 1:
        values = values * factor
    if mask is None or not np.any(mask):
        return values
    return np.where(np.broadcast_to(mask, values.shape), np.nan, values)


def check_plain(**given):
    """Raise a MapError if maps of an inner function have a mask or a unit, which only `skymask.iterate` heeds."""
    for name, one in given.items():
        if type(one) is not np.ndarray and any(part is not None for part in _parts(one, name)[1:]):
            raise MapError(f"{name} must be a plain array here, got {type(one).__name__}: give its values")


def check_same_sky(counts, **others):
    """Raise a MapError if maps that know where they are on the sky lie elsewhere than the counts.

    Parameters
    ----------
    counts, **others : array_like, NDData or gammapy Map
        None, and what has no coordinates, is not compared.
    """
    reference = _sky(counts)
    for name, other in others.items():
        there = _sky(other)
        if reference is None or there is None or np.shape(other.data)[-2:] != np.shape(counts.data)[-2:]:
            continue
        # The check needs astropy, which whoever gives such maps has imported.
        from astropy.wcs.utils import pixel_to_skycoord, proj_plane_pixel_scales

        height, width = np.shape(counts.data)[-2:]
        corners = np.array([(0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1)]).T
        apart = pixel_to_skycoord(*corners, reference).separation(pixel_to_skycoord(*corners, there)).deg
        if np.nanmax([0, *apart]) > SAME_GRID * min(proj_plane_pixel_scales(reference)):
            raise MapError(f"{name} lies elsewhere on the sky than counts (by up to {np.nanmax(apart):.3g} deg)")


def _parts(given, name):
    """Values, mask (True where undefined) and unit of what stands for a map; None for those that it has not."""
    if isinstance(given, np.ma.MaskedArray):
        return given.data, np.ma.getmask(given) if given.mask is not np.ma.nomask else None, None
    if hasattr(given, "geom"):
        return _image(given, name), None, given.unit
    if hasattr(given, "uncertainty"):
        return given.data, given.mask, given.unit
    mask = given.mask if hasattr(given, "unmasked") else None
    given = getattr(given, "unmasked", given)
    if hasattr(given, "to_value"):
        return given.value, mask, given.unit
    return given, mask, None


def _image(sky_map, name):
    """The two-dimensional array of a gammapy Map."""
    if sky_map.geom.is_hpx or sky_map.geom.is_region:
        raise MapError(f"{name} is a {type(sky_map).__name__}: a map with pixels of a plane is needed (WcsNDMap)")
    shape = sky_map.data.shape
    if sky_map.data.size != shape[-1] * shape[-2]:
        raise MapError(
            f"{name} has the axes {', '.join(sky_map.geom.axes.names)} of lengths {shape[-3::-1]}: take one bin of it, "
            "sum them (sum_over_axes), or give the bins to skymask.iterate_runs"
        )
    return sky_map.data.reshape(shape[-2:])


def _factor(unit, name):
    """The number by which values in a unit are multiplied."""
    if name not in UNITS or str(unit) == "":
        return 1
    from astropy.units import Unit

    for known in UNITS[name]:
        if Unit(unit).is_equivalent(known):
            return Unit(unit).to(known)
    wanted = "counts of events (ct)" if "ct" in UNITS[name] else "numbers without a unit"
    raise MapError(f"{name} is in {unit}: {wanted} must be given")


def _sky(given):
    """The celestial WCS of a Map or of NDData, None if there is none."""
    wcs = given.geom.wcs if hasattr(given, "geom") else getattr(given, "wcs", None)
    if not getattr(wcs, "has_celestial", False):
        return None
    return wcs.celestial
