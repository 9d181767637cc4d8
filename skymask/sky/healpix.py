"""The sky in HEALPix pixels, divided into fields on stereographic planes, and put together again.

A field is a HEALPix pixel of a low resolution, `field_nside`, and an overlap around it, on a plane of its own whose
square pixels are larger than those of the sky. Every HEALPix pixel goes as a whole to the pixel of the field in which
its centre lies: counts and acceptance are sums over the same HEALPix pixels, so that counts are conserved and ratios
are right. In the result every HEALPix pixel has the values of the field whose low-resolution pixel holds it.
"""

from math import ceil
from typing import NamedTuple

import numpy as np
from astropy import units
from astropy.io import fits
from astropy.wcs import WCS
from astropy_healpix import HEALPix, boundaries_lonlat, healpix_to_lonlat

from skymask.core import kernels
from skymask.core.inputs import MAX_COUNT
from skymask.errors import MapError
from skymask.io.healpix_files import read_healpix
from skymask.sky import configured_kernels, geometry
from skymask.sky.reprojection import TIE
from skymask.units import angle_in_degrees, in_words

#: A pixel of a field is this many times as wide as a HEALPix pixel: with less, some would hold no centre.
WIDTH_OF_PIXELS = 1.5

#: Without a key that says it, fields overlap by what so many iterations reach.
ITERATIONS_OF_OVERLAP = 2

#: Circles stay circles in this projection, and grow by less than 10 % up to 36 degrees from the centre.
PROJECTION = "STG"

#: Shape of an image of the whole sky, and the size of its pixels in degrees.
IMAGE, IMAGE_PIXEL = (326, 650), 0.5

#: Data within so many degrees of their middle are shown alone, on an image of so many pixels at most on a side.
PART, PART_SIDE = 60, 600

#: Points on each side of a low-resolution pixel, by which its extent in a field is found.
POINTS = 16


class Sky(NamedTuple):
    """Counts and acceptance of those HEALPix pixels that have data.

    Attributes
    ----------
    counts : HealpixMap
        As in the file.
    rows : ndarray of int, shape (n,)
        Rows of the pixels that have data.
    acceptance : ndarray, shape (n,)
        Acceptance of these pixels, more than 0.
    warnings : list of str
    """

    counts: object
    rows: np.ndarray
    acceptance: np.ndarray
    warnings: list

    @property
    def pixels(self):
        """Numbers of the pixels that have data, in the order NESTED."""
        return self.counts.pixels[self.rows]


class Field(NamedTuple):
    """Number, header and shape (ny, nx) of a field."""

    number: int
    header: fits.Header
    shape: tuple


def read_sky(counts, *, acceptance=None, counts_column=None, acceptance_column=None, frame=None):
    """Return counts and acceptance of the pixels that have data: finite counts, and an acceptance above 0.

    Parameters
    ----------
    counts, acceptance : str
        Paths of FITS files with HEALPix maps, followed by [HDU name] where they hold several. Without an acceptance
        it is 1 in every pixel.
    counts_column, acceptance_column : str, optional
        Columns of the values; counts of several columns are summed if none is named.
    frame : {"icrs", "galactic"}, optional
        Frame of maps whose header has no COORDSYS.

    Raises
    ------
    MapError
        If a file is no HEALPix map, the two do not go together, or their values are not what they should be.
    """
    sky = read_healpix(counts, column=counts_column, frame=frame, several=True)
    _check_values(sky, f"counts {counts}", whole=True)
    expected, warnings = np.ones(len(sky.values), dtype=np.uint8), []
    if acceptance is not None:
        other = read_healpix(acceptance, column=acceptance_column, frame=frame)
        if (other.nside, other.frame) != (sky.nside, sky.frame):
            raise MapError(
                f"acceptance {acceptance} has NSIDE {other.nside} in the frame {other.frame}, counts NSIDE {sky.nside} "
                f"in {sky.frame}: they must agree"
            )
        _check_values(other, f"acceptance {acceptance}")
        expected = _values_at(other, sky.pixels)
    covered = (expected > 0) & ~np.isnan(sky.values)
    if not covered.any():
        raise MapError(f"{counts}: no pixel has both finite counts and an acceptance above zero")
    if lost := int(np.nansum(sky.values[~covered])):
        warnings.append(f"{lost} counts lie where the acceptance is zero or undefined; they are left out")
    rows = np.flatnonzero(covered)
    return Sky(sky, rows, expected[rows], warnings)


def field_entries(name, entry):
    """Return the settings of the fields of a HEALPix map, each a dataset of its own, by name.

    Parameters
    ----------
    name : str
        Name of the map's dataset, with which those of its fields begin.
    entry : dict
        Its settings.

    Returns
    -------
    entries : dict of str to dict
        The same settings with a key `field`: the dataset of the map (`sky`), the field's number, the size of its pixels
        and the overlap in degrees, and its shape.

    Raises
    ------
    MapError
        If the map cannot be used, or its fields would be too small or too large.
    """
    options = entry["healpix"]
    sky = read_sky(**files_and_columns(options))
    nside, field_nside = sky.counts.nside, options["field_nside"]
    size = pixel_size(nside, options.get("pixel_size"))
    keys = ("source_kernel", "mask_source_kernels", "background_kernel", "dilation_radius", "region_growth")
    overlap = overlap_of_fields(options.get("overlap"), reach(size, **{key: entry[key] for key in keys}))
    digits = len(str(12 * field_nside**2 - 1))
    entries = {}
    for number in fields_with_data(sky.pixels, nside, field_nside):
        found = field(number, field_nside, size=size, overlap=overlap, frame=sky.counts.frame)
        about = {
            "number": number,
            "overlap": overlap,
            "pixel_size": size,
            "shape": list(found.shape),
            "sky": name,
            "sky_pixels": 12 * nside**2,
        }
        entries[f"{name}.field-{number:0{digits}d}"] = {**entry, "field": about}
    return entries


def files_and_columns(options):
    """Return those keys of a HEALPix map in the configuration that `read_sky` takes."""
    keys = ("counts", "acceptance", "counts_column", "acceptance_column", "frame")
    return {key: options[key] for key in keys if key in options}


def field_of_entry(about, field_nside, frame):
    """Return the field that the key `field` of its settings describes."""
    size, overlap = about["pixel_size"], about["overlap"]
    return field(about["number"], field_nside, size=size, overlap=overlap, frame=frame)


def pixel_side(nside):
    """Return the side of a square with the area of a HEALPix pixel, in degrees."""
    return float(np.degrees(np.sqrt(np.pi / 3) / nside))


def pixel_size(nside, wanted=None):
    """Return the size of the pixels of fields, in degrees: `wanted` as an angle of the configuration, or by NSIDE.

    Raises
    ------
    MapError
        If it is smaller than a HEALPix pixel.
    """
    side = pixel_side(nside)
    if wanted is None:
        return WIDTH_OF_PIXELS * side
    size = angle_in_degrees(wanted)
    if size < side:
        smallest = f"a pixel of NSIDE {nside} ({side:.4g} deg)"
        raise MapError(f"healpix.pixel_size {in_words(wanted)} is smaller than {smallest}")
    return size


def reach(size, *, source_kernel, background_kernel, dilation_radius, mask_source_kernels=(), region_growth=None):
    """Return how far, in degrees, the counts lie that decide on a pixel within one iteration.

    A pixel is excluded for one within the dilation radius (and the largest growth of a region), whose significance has
    the background of pixels under the (largest) source kernel, which comes from counts under the background kernel.

    Raises
    ------
    MapError
        If a kernel reaches over the whole field, or makes no sense on pixels of this size.
    """
    pixel = (size, size)
    background = configured_kernels.to_pixels(background_kernel, pixel)
    if kernels.is_field_of_view(background):
        raise MapError(
            "background_kernel: the shape field_of_view is one norm per field, and would leave seams in the sky"
        )
    sources = [configured_kernels.to_pixels(kernel, pixel) for kernel in (source_kernel, *mask_source_kernels)]
    used = [
        max(sources, key=lambda kernel: max(kernel.shape)),
        kernels.arrays_of(background)[-1],
        configured_kernels.dilation_kernel(dilation_radius, pixel),
    ]
    grown = ceil(max(configured_kernels.length_in_pixels(region_growth["max_radius"], pixel))) if region_growth else 0
    return float(size * (grown + sum(max(kernel.shape) // 2 for kernel in used)))


def overlap_of_fields(wanted, one_iteration):
    """Return by how much fields overlap, in degrees: `wanted` as an angle of the configuration, or what is needed.

    Raises
    ------
    MapError
        If it is less than what one iteration reaches.
    """
    if wanted is None:
        return ITERATIONS_OF_OVERLAP * one_iteration
    overlap = angle_in_degrees(wanted)
    if overlap < one_iteration * (1 - 1e-9):
        raise MapError(
            f"healpix.overlap {in_words(wanted)} is less than the {one_iteration:.4g} deg that the kernels reach in "
            "one iteration: fields would be too small for them"
        )
    return overlap


def fields_with_data(pixels, nside, field_nside):
    """Return the numbers of the fields in which pixels, in the order NESTED, lie.

    Raises
    ------
    MapError
        If the fields are not larger than the pixels.
    """
    if field_nside >= nside:
        raise MapError(f"healpix.field_nside {field_nside} must be less than NSIDE {nside} of the map")
    return np.unique(field_of(pixels, nside, field_nside)).tolist()


def field_of(pixels, nside, field_nside):
    """Return the numbers of the fields that pixels, in the order NESTED, belong to."""
    return pixels // (nside // field_nside) ** 2


def field(number, field_nside, *, size, overlap, frame):
    """Return a field: a low-resolution pixel in the order NESTED and what is around it.

    Parameters
    ----------
    number, field_nside : int
    size : float
        Of a pixel, in degrees.
    overlap : float
        By how much it is larger than its low-resolution pixel on each side, in degrees.
    frame : {"icrs", "galactic"}

    Raises
    ------
    MapError
        If it is too large for one plane.
    """
    center = [float(angle.deg) for angle in healpix_to_lonlat(number, field_nside, order="nested")]
    header, _ = geometry.field(center, (size, size), size, frame=frame, projection=PROJECTION)
    longitude, latitude = (
        angle.deg.ravel() for angle in boundaries_lonlat(number, POINTS, field_nside, order="nested")
    )
    edge = geometry.sky_projection(header).wcs_world2pix(np.column_stack([longitude, latitude]), 0)
    margin = overlap / size
    # Whole pixels around the reference point, whatever the rounding of the edge.
    before, after = (np.ceil(side + margin - TIE).astype(int) for side in (-edge.min(axis=0), edge.max(axis=0)))
    header["CRPIX1"], header["CRPIX2"] = (float(n + 1) for n in before)
    shape = tuple(int(n) for n in reversed(before + after + 1))
    try:
        geometry.check_distortion(header, shape)
    except MapError as error:
        raise MapError(
            f"a field of field_nside {field_nside} with an overlap of {overlap:.4g} deg is {shape[1] * size:.3g} x "
            f"{shape[0] * size:.3g} deg, too large for a plane: choose a larger healpix.field_nside, or a smaller "
            "healpix.overlap (at least what the kernels reach in one iteration, half of the default)"
        ) from error
    return Field(int(number), header, shape)


def pixels_of_field(pixels, nside, field):
    """Return which HEALPix pixels have their centres in a field, and in which of its pixels.

    Parameters
    ----------
    pixels : ndarray of int, shape (n,)
        In the order NESTED.
    nside : int
    field : Field

    Returns
    -------
    found : ndarray of int, shape (m,)
        Positions in `pixels`.
    places : ndarray of int, shape (m,)
        Pixels of the field, counted along its rows.
    """
    wcs, shape = geometry.sky_projection(field.header), field.shape
    corners = np.array([[x, y] for x in (-0.5, shape[1] - 0.5) for y in (-0.5, shape[0] - 0.5)])
    center = wcs.wcs.crval
    towards = geometry.directions(wcs, np.vstack([corners, wcs.wcs.crpix - 1]))
    radius = np.degrees(np.arccos(np.clip((towards[:4] @ towards[4]).min(), -1, 1)))
    near = np.zeros(12 * nside**2, dtype=bool)
    sky = HEALPix(nside, "nested")
    near[sky.cone_search_lonlat(*(center * units.deg), radius * units.deg)] = True
    found = np.flatnonzero(near[pixels])
    longitude, latitude = (angle.deg for angle in sky.healpix_to_lonlat(pixels[found]))
    x, y = np.floor(wcs.wcs_world2pix(np.column_stack([longitude, latitude]), 0).T + 0.5 + TIE).astype(np.int64)
    inside = (x >= 0) & (x < shape[1]) & (y >= 0) & (y < shape[0])
    return found[inside], y[inside] * shape[1] + x[inside]


def cut_field(sky, field):
    """Return counts and acceptance of a field, each the sum over the HEALPix pixels in every pixel.

    Parameters
    ----------
    sky : Sky
    field : Field

    Returns
    -------
    counts : ndarray of int64, shape (ny, nx)
    acceptance : ndarray of int64 or float, shape (ny, nx)
        0 where there is no data; numbers of HEALPix pixels if the sky came without an acceptance.
    """
    found, places = pixels_of_field(sky.pixels, sky.counts.nside, field)
    size = field.shape[0] * field.shape[1]
    counts, acceptance = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.result_type(sky.acceptance, np.int64))
    np.add.at(counts, places, sky.counts.values[sky.rows[found]].astype(np.int64))
    np.add.at(acceptance, places, sky.acceptance[found])
    return counts.reshape(field.shape), acceptance.reshape(field.shape)


def own_pixels(sky, field, field_nside):
    """Return the HEALPix pixels that have their values from a field, and in which of its pixels.

    Returns
    -------
    found, places : ndarray of int
        As of `pixels_of_field`.
    """
    found, places = pixels_of_field(sky.pixels, sky.counts.nside, field)
    own = field_of(sky.pixels[found], sky.counts.nside, field_nside) == field.number
    return found[own], places[own]


def joined(name, sky, fields, field_nside, read):
    """Return a product on the HEALPix pixels of the sky.

    Parameters
    ----------
    name : str
        Name of the product in `skymask.registry.MAPS`.
    sky : Sky
    fields : list of Field
    field_nside : int
    read : callable
        Called with the number of a field and the name of a map; gives its image, or None if the field failed.

    Returns
    -------
    values : ndarray, shape (n,)
        In the order of the pixels in the file of the counts. The background and its error are shared among the HEALPix
        pixels of a field's pixel by their acceptance; the other values are those of the field's pixel. Undefined are
        NaN, or where there are none 1 in exclusion masks and 0 in others.
    """
    number = len(sky.counts.values)
    if name in ("exclusion_mask", "exclusion_mask_inverse", "coverage"):
        values = np.full(number, name == "exclusion_mask", dtype=bool)
    else:
        values = np.full(number, np.nan)
    for one in fields:
        image = read(one.number, name)
        if image is None:
            continue
        found, places = own_pixels(sky, one, field_nside)
        rows, of_field = sky.rows[found], image.reshape(-1)[places]
        if name == "counts":
            # Only where the field has coverage: a least acceptance may have left pixels out.
            of_field = np.where(np.isnan(of_field), np.nan, sky.counts.values[rows])
        elif name in ("background", "background_error"):
            whole = read(one.number, "acceptance").reshape(-1)[places]
            with np.errstate(divide="ignore", invalid="ignore"):
                of_field = of_field * (sky.acceptance[found] / whole)
        values[rows] = of_field
    return values.astype(np.int32) if name == "counts" and not np.isnan(values).any() else values


def hottest(significance, like):
    """Return the highest significance of a sky, its pixel in the order NESTED and where that is; None if undefined."""
    if np.isnan(significance).all():
        return dict.fromkeys(("significance", "pixel", "longitude", "latitude"))
    row = int(np.nanargmax(significance))
    pixel = int(like.pixels[row])
    longitude, latitude = (float(angle.deg) for angle in healpix_to_lonlat(pixel, like.nside, order="nested"))
    return {"significance": float(significance[row]), "pixel": pixel, "longitude": longitude, "latitude": latitude}


def picture_grid(sky_map):
    """Return header and shape of an image that shows where a HEALPix map has data.

    A map whose data lie within `PART` of their middle is shown in the zenithal equal-area projection around it, larger
    ones on the whole sky in that of Hammer and Aitoff.

    Returns
    -------
    header : Header
    shape : (int, int)
        Shape (ny, nx).
    """
    pixels = sky_map.pixels[np.isfinite(sky_map.values)]
    x, y, z = HEALPix(sky_map.nside, "nested").healpix_to_xyz(pixels)
    middle = np.array([x.sum(), y.sum(), z.sum()])
    length = np.linalg.norm(middle)
    nearest = np.column_stack([x, y, z]) @ middle / length if length > 0 else np.full(1, -1.0)
    if nearest.min(initial=1) < np.cos(np.radians(PART)):
        return _picture_header(sky_map.frame, "AIT", (0, 0), IMAGE, IMAGE_PIXEL), IMAGE
    center = np.degrees([np.arctan2(middle[1], middle[0]), np.arcsin(middle[2] / length)])
    header = _picture_header(sky_map.frame, "ZEA", center, (1, 1), 1.0)
    place = WCS(header).wcs_world2pix(np.degrees(np.column_stack([np.arctan2(y, x), np.arcsin(z)])), 0)
    resolution = np.degrees(np.sqrt(np.pi / 3) / sky_map.nside)
    half = np.abs(place).max(axis=0) + resolution
    size = max(2 * half.max() / PART_SIDE, resolution / 4)
    shape = tuple(int(2 * np.ceil(extent / size)) for extent in half[::-1])
    return _picture_header(sky_map.frame, "ZEA", center, shape, size), shape


def _picture_header(frame, projection, center, shape, size):
    """The header of an image around a centre."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = [f"{axis:-<5}{projection}" for axis in geometry.AXES[frame]]
    wcs.wcs.crpix = [(n + 1) / 2 for n in reversed(shape)]
    wcs.wcs.cdelt = [-size, size]
    wcs.wcs.crval = center
    if frame == "icrs":
        wcs.wcs.radesys = "ICRS"
    return wcs.to_header()


def picture(sky_map, header, shape):
    """Return an image of a HEALPix map: the value at the centre of every pixel, NaN without data or off the sky."""
    y, x = np.indices(shape).reshape(2, -1)
    longitude, latitude = WCS(header).wcs_pix2world(np.column_stack([x, y]), 0).T
    on_sky = np.isfinite(longitude)
    whole = np.full(12 * sky_map.nside**2, np.nan)
    whole[sky_map.pixels] = sky_map.values
    image = np.full(x.size, np.nan)
    places = HEALPix(sky_map.nside, "nested").lonlat_to_healpix(
        longitude[on_sky] * units.deg, latitude[on_sky] * units.deg
    )
    image[on_sky] = whole[places]
    return image.reshape(shape)


def _values_at(sky_map, pixels):
    """The values of a map at pixels, 0 where it has none."""
    order = np.argsort(sky_map.pixels)
    place = np.minimum(np.searchsorted(sky_map.pixels, pixels, sorter=order), len(order) - 1)
    found = sky_map.pixels[order[place]] == pixels
    return np.where(found, np.nan_to_num(sky_map.values[order[place]]), 0)


def _check_values(sky_map, name, whole=False):
    values = sky_map.values
    problems = {"infinite": np.isinf(values), "negative": values < 0}
    if whole:
        problems |= {
            "too large to be counts": values > MAX_COUNT,
            "no whole numbers": (values != np.floor(values)) & ~np.isnan(values),
        }
    for problem, bad in problems.items():
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise MapError(
                f"{name}: values are {problem} in {np.count_nonzero(bad)} pixels (first in row {row}: {values[row]:g})"
            )
