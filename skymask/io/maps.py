"""FITS maps: the one module that reads and writes them.

Files are written under a temporary name in the same folder and renamed when they are whole, so that whatever has a
file's name is complete. They hold no dates: the same maps give the same bytes.
"""

import hashlib
import re
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from skymask import __version__
from skymask.errors import MapError
from skymask.io.atomic import written_whole
from skymask.io.energy_axes import BANDS, EnergyAxis, EnergyNodes, bands_table, read_axis, read_nodes
from skymask.io.file_names import split_name
from skymask.io.fits_files import DAMAGE, is_healpix, is_image, is_table, open_fits
from skymask.io.hdu_names import find_hdu, has_hdu
from skymask.io.header_cards import copied_cards
from skymask.io.image_rows import ImageWriter, append_table, stored_images
from skymask.io.sky_cards import checked_header, sky_cards
from skymask.io.tables import pixels_of
from skymask.registry import MAPS

#: Cards of the counts' header that say where it comes from.
ORIGIN_KEYS = (
    "ORIGIN",
    "ATTRIB",
    "TELESCOP",
    "INSTRUME",
    "OBSERVER",
    "OBJECT",
    "OBS_ID",
    "DATE-OBS",
    "TIME-OBS",
    "DATE-END",
    "TIME-END",
    "EXPOSURE",
)

#: Table in which gammapy says of what a dataset was made.
META_TABLE = "META_TABLE"

#: Cards by which counts that were made of events name them; see `skymask.datasets.events`.
EVENT_CARDS = re.compile(r"NEV(READ|SEL|OUT|UNDEF|FILES)|CUT(ENER|TIME|ZEN|OFFS|GTI)|(FIL|SHA)EVT[S1-9]|SHAGTI")

#: Card of the mean of a background map.
MEAN_CARD = "MEANBKG"


class SkyMap(NamedTuple):
    """An image, the header cards that place it on the sky, and the energies of its planes if it is a cube.

    `lossy` says whether its pixels were rounded when they were compressed.
    """

    data: np.ndarray
    header: fits.Header
    energies: EnergyAxis | EnergyNodes | None = None
    lossy: bool = False


class Layout(NamedTuple):
    """Header, shape (ny, nx) and energies (None if it is no cube) of an image whose pixels are not read."""

    header: fits.Header
    shape: tuple
    energies: EnergyAxis | None


def read(name, *, dimensions=2):
    """Return one image of a FITS file.

    Parameters
    ----------
    name : str or Path
        Path of the file, followed by [HDU name] if it holds several images. Compression is transparent.
    dimensions : int
        Dimensions that the image must have; further axes of length 1 are dropped.

    Returns
    -------
    sky_map : SkyMap
        Data in native byte order.

    Raises
    ------
    MapError
        If there is no such file, it is not FITS, is damaged, or holds no single image of that kind.
    """
    with _image_hdu(name) as (_, hdu, path):
        return _image(hdu, path, dimensions)


def read_cube(name, *, energy_bin=None):
    """Return one image of a FITS file with the energies of its planes; an image without an energy axis has one plane.

    Parameters
    ----------
    name : str or Path
        As for `read`.
    energy_bin : int, optional
        The only plane wanted of a cube, counted from 0.

    Returns
    -------
    sky_map : SkyMap
        Data of shape (n, ny, nx); no energies if n is 1.

    Raises
    ------
    MapError
        As by `read`, and if the file does not say which energies the planes have.
    """
    with _image_hdu(name) as (hdus, hdu, path):
        return _cube(hdus, hdu, path, energy_bin)


#: Maps that hold whole numbers.
WHOLE = ("counts", "coverage", "exclusion_mask", "inverse_exclusion_mask")


def check_whole(sky_map, key, name):
    """Raise a MapError if a map that must hold whole numbers does not, because compression rounded it.

    Parameters
    ----------
    sky_map : SkyMap
    key, name : str
        What messages call the map and its file.
    """
    if key not in WHOLE or not sky_map.lossy:
        return
    fractional = np.isfinite(sky_map.data) & (sky_map.data != np.floor(sky_map.data))
    if fractional.any():
        raise MapError(
            f"{key} {name} holds whole numbers no more in {fractional.sum()} pixels: its floating-point pixels were "
            "compressed with loss (quantized); compress integers, or without loss (quantize_level=0, fpack -q 0)"
        )


def read_layout(name):
    """Return where the image of a FITS file lies, and the energies of its planes, without reading its pixels.

    Parameters and errors are those of `read_cube`.

    Returns
    -------
    layout : Layout
    """
    with _image_hdu(name) as (hdus, hdu, path):
        shape, energies = _planes(hdus, hdu, path)
        return Layout(checked_header(hdu.header, path), tuple(shape[-2:]), energies)


def layout_of(counts, name, *, energy_bin=None):
    """Return where counts that were read lie, with the energies of their planes, also of a single one.

    Parameters
    ----------
    counts : SkyMap
        As from `read_cube`.
    name : str
        Of their file.
    energy_bin : int, optional
        The only energy bin that was read.
    """
    energies = counts.energies
    if energy_bin is not None and (axis := read_layout(name).energies):
        energies = EnergyAxis(axis.lower[[energy_bin]], axis.upper[[energy_bin]], axis.unit)
    return Layout(counts.header, tuple(counts.data.shape[-2:]), energies)


def read_expected(name, *, energy_bin=None):
    """Return an acceptance or exposure: as `read_cube`, or with planes that are given at energies and not in bins.

    Returns
    -------
    sky_map : SkyMap
        Data of shape (n, ny, nx). Its energies are `EnergyNodes` where the planes are given at energies, which are then
        all there, whatever `energy_bin` is.

    Raises
    ------
    MapError
        As by `read_cube`.
    """
    with _image_hdu(name) as (hdus, hdu, path):
        nodes = read_nodes(hdus, hdu.header, hdu.shape[0], path) if len(hdu.shape) == 3 else None
        if nodes is not None:
            sky_map = _image(hdu, path, 2 if len(nodes.values) == 1 else 3)
            return SkyMap(sky_map.data.reshape(hdu.shape), sky_map.header, nodes)
        return _cube(hdus, hdu, path, energy_bin)


def read_grid(name):
    """Return header and shape (ny, nx) of an image or a cube, whatever its further axes are; its pixels are not read.

    Raises
    ------
    MapError
        As by `read`.
    """
    with _image_hdu(name) as (_, hdu, path):
        if len(hdu.shape) < 2:
            raise MapError(f"{path}: the image {hdu.name} has {len(hdu.shape)} dimensions, expected 2 or more")
        return checked_header(hdu.header, path), tuple(hdu.shape[-2:])


@contextmanager
def _image_hdu(name):
    """All HDUs of a file, the one that a name means, and the file's path."""
    path, wanted = split_name(str(name))
    with open_fits(path) as hdus:
        if wanted is None and not any(map(is_image, hdus)) and any(map(is_healpix, hdus)):
            raise MapError(f"{path} holds no image, but a HEALPix map: name it by the key healpix")
        hdu = find_hdu(hdus, wanted, path, accept=is_image, what="image")
        _add_origin(hdu.header, hdus, path)
        yield hdus, hdu, path


def _add_origin(header, hdus, path):
    """Add to the header of an image what the file says of its origin elsewhere: in the first header, or in a table."""
    found = {key: (value, comment) for key, value, comment in copied_cards(hdus[0].header, ORIGIN_KEYS, path)}
    if has_hdu(hdus, META_TABLE, accept=is_table):
        table = next(hdu for hdu in hdus if is_table(hdu) and hdu.name.upper() == META_TABLE)
        for key in set(ORIGIN_KEYS) & set(table.columns.names):
            values = set(np.asarray(table.data[key]).ravel().tolist())
            if len(values) == 1:
                found.setdefault(key, (values.pop(), ""))
    for key, card in found.items():
        if key not in header:
            header[key] = card


def read_product(path):
    """Return the images of a file that skymask wrote, by name in lower case, after checking its checksums.

    Raises
    ------
    MapError
        If the file is missing, damaged, or not one of skymask's.
    """
    return {name: SkyMap(image[:], image.header) for name, image in open_product(path).items()}


def open_product(path, *, verify=True):
    """Return the images of a file that skymask wrote as `StoredImage`, which are read by rows; else as `read_product`.

    The file is read once, to check its checksums, unless it is known that they are right.
    """
    try:
        if not Path(path).is_file():
            raise MapError(f"{path} is not a file" if Path(path).exists() else f"{path} does not exist")
        with warnings.catch_warnings():
            warnings.simplefilter("error", AstropyWarning)
            return stored_images(path, verify=verify)
    except (MapError, AstropyWarning, *DAMAGE) as error:
        reason = error if isinstance(error, MapError) else f"{path} is damaged ({error})"
        raise MapError(f"{reason}: remove it and run again, and it is made anew") from error


def read_acceptance(path):
    """Return the acceptance of iteration 0, and the data of the additive background beside it, None if there is none.

    Raises
    ------
    MapError
        As `read_product` does.
    """
    images = read_product(path)
    additive = images.get("additive_background")
    return images["acceptance"], None if additive is None else additive.data


def open_acceptance(path):
    """Return the acceptance that all steps read, and the additive background beside it, or None, as `open_product`."""
    images = open_product(path)
    return images["acceptance"], images.get("additive_background")


def read_header(path):
    """Return the header of the first image of a file that skymask wrote; its pixels are not read.

    Raises
    ------
    MapError
        If the file is missing, damaged, or not one of skymask's.
    """
    try:
        return next(iter(stored_images(path, verify=False).values())).header
    except (MapError, StopIteration, *DAMAGE) as error:
        reason = error if isinstance(error, MapError) else f"{path} is missing or damaged ({error})"
        raise MapError(f"{reason}: remove it and run again, and it is made anew") from error


def mean_background_cards(mean):
    """Return the header card of a background's mean, from which `mean_background` reads the same number again.

    astropy would cut numbers longer than 20 characters.
    """
    value = "" if mean is None else repr(float(mean)).upper()
    return [fits.Card.fromstring(f"{MEAN_CARD} = {value:>20} / [ct] mean background per pixel")]


def mean_background(path):
    """Return the mean of a background that a file of ours holds, from its header; None if it is nowhere defined."""
    match = re.match(rf"{MEAN_CARD} = +([^ ]+) ", read_header(path).cards[MEAN_CARD].image)
    return None if match[1] == "/" else float(match[1])


def pixel_size_cards(pixel_size):
    """Return the header cards from which `pixel_size` reads what the sky coordinates were asked once."""
    return [
        ("PIXSIZEY", pixel_size[0], "[deg] size of a pixel along y"),
        ("PIXSIZEX", pixel_size[1], "[deg] size of a pixel along x"),
    ]


def pixel_size(header):
    """Return the size of a pixel along y and x in degrees, from the header of a map of iteration 0."""
    return header["PIXSIZEY"], header["PIXSIZEX"]


def write(path, images, *, sky, cards=(), energies=None):
    """Write images to one FITS file, with checksums, in one piece.

    Parameters
    ----------
    path : str or Path
        Where; replaced if it exists.
    images : dict of str to ndarray
        By their names in `skymask.registry.MAPS`; the first one becomes the primary HDU.
    sky : Header
        Header whose sky coordinates the images have.
    cards : iterable of (str, object, str) or Card
        Further header cards: key, value, comment. Those that are cards already are written as they stand.
    energies : EnergyAxis, optional
        Of images that are cubes, of shape (n, ny, nx).

    Raises
    ------
    SkymaskError
        If the file cannot be written.
    """
    shape = next(iter(images.values())).shape
    with written_in_rows(path, shape, sky=sky, cards=cards, energies=energies) as file:
        file.append(images)


@contextmanager
def written_in_rows(path, shape, *, sky, cards=(), energies=None, packed=False):
    """Give an `ImageWriter`, which is handed images a few rows at a time and never has them in memory.

    Parameters
    ----------
    path, sky, energies
        As for `write`.
    shape : (int, int)
        Of the whole images, (ny, nx).
    cards : iterable, or callable that returns one
        As for `write`. A callable is asked when the images begin and again at the end, for cards whose values are known
        only then.
    packed : bool or container of str
        Whether images are compressed without loss, or the names of those that are.

    Yields
    ------
    file : skymask.io.image_rows.ImageWriter
        Its `append` takes the next rows of all images.
    """

    def describe(header, name):
        _describe(header, name, sky, cards() if callable(cards) else cards)
        if energies:
            # As gammapy has it: two axes are of the sky, and a table is about the third.
            header["WCSAXES"] = (2, "axes on the sky")
            header[BANDS] = (f"{name.upper()}_BANDS", "table of the energy bins")

    with written_whole(path) as temporary:
        with ImageWriter(temporary, shape, describe, packed=packed, anew=callable(cards)) as file:
            yield file
        for name in file.names if energies else ():
            append_table(temporary, bands_table(energies, name))


def _describe(header, name, sky, cards):
    """Put into the header of an image what it is, where it lies, and further cards."""
    header.extend(sky_cards(sky), update=True)
    # Of several images of a kind, all but the first are numbered.
    unit, meaning = MAPS[re.sub(r"_[0-9]+$", "", name)][:2]
    header["EXTNAME"] = (name.upper(), meaning)
    header["BUNIT"] = (unit, "unit of the pixel values")
    header["CREATOR"] = (f"skymask {__version__}", "what wrote this file")
    for card in cards:
        if isinstance(card, fits.Card):
            header.append(card)
            continue
        key, value, comment = card
        # A long value leaves no room for its comment.
        header[key] = value if isinstance(value, str) and len(value) + len(comment) > 60 else (value, comment)


def file_digest(name):
    """Return the SHA-256 of a file's bytes; an HDU name is left off first."""
    with open(split_name(str(name))[0], "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _planes(hdus, hdu, path):
    """The shape of an image without axes of length 1 before the sky's, and the energies of its planes."""
    shape = _without_short_axes(hdu.shape)
    if len(shape) > 3:
        raise MapError(f"{path}: the image {hdu.name} has {len(shape)} dimensions {shape}, expected 2 or 3")
    return shape, read_axis(hdus, hdu, path) if len(shape) == 3 else None


def _cube(hdus, hdu, path, energy_bin):
    """An image as `read_cube` returns it."""
    shape, energies = _planes(hdus, hdu, path)
    sky_map = _image(hdu, path, min(len(shape), 3))
    if energy_bin is not None and energies is not None:
        if energy_bin >= len(sky_map.data):
            raise MapError(f"{path}: there is no energy bin {energy_bin}, only 0 to {len(sky_map.data) - 1}")
        return SkyMap(sky_map.data[energy_bin : energy_bin + 1].copy(), sky_map.header, lossy=sky_map.lossy)
    return SkyMap(sky_map.data.reshape((-1, *shape[-2:])), sky_map.header, energies, sky_map.lossy)


def _without_short_axes(shape):
    # A map with a single energy bin, say, or a single class of events.
    return (*(length for length in shape[:-2] if length != 1), *shape[-2:])


def _image(hdu, path, dimensions):
    shape = _without_short_axes(hdu.shape)
    if len(shape) != dimensions:
        raise MapError(
            f"{path}: the image {hdu.name} has {len(hdu.shape)} dimensions {hdu.shape}, expected {dimensions}"
        )
    data = pixels_of(hdu.data.reshape(shape), hdu.header, path)
    return SkyMap(data, checked_header(hdu.header, path), lossy=_is_lossy(hdu, data))


def _is_lossy(hdu, stored):
    """Whether floating-point pixels were rounded when they were compressed, as astropy does unless told not to."""
    return isinstance(hdu, fits.CompImageHDU) and stored.dtype.kind == "f" and hdu.quantize_level != 0
