"""HEALPix maps in FITS: tables with one row, or one element of a row, per pixel of the sky."""

from typing import NamedTuple

import numpy as np
from astropy.io import fits
from astropy_healpix.core import nested_to_ring, ring_to_nested

from skymask import __version__
from skymask.errors import MapError
from skymask.io.atomic import written_whole
from skymask.io.energy_axes import EnergyNodes, read_nodes
from skymask.io.file_names import split_name
from skymask.io.fits_files import is_healpix, is_image, is_moc, open_fits
from skymask.io.hdu_names import find_hdu, has_hdu
from skymask.io.header_cards import card_number, card_text
from skymask.io.tables import table_of
from skymask.registry import MAPS

#: What the keyword COORDSYS calls the frames of the configuration.
FRAMES = {
    "icrs": ("C", "CEL", "CELESTIAL", "EQU", "EQUATORIAL", "ICRS", "RADEC", "FK5"),
    "galactic": ("G", "GAL", "GALACTIC"),
}

#: Names of the column of pixel numbers in a map of a part of the sky.
PIXEL_COLUMNS = ("PIXEL", "PIX", "PIXELS", "HPX_INDEX", "IPIX")

#: Order of the pixels by which a MOC is told, NSIDE 2^29.
MOC_ORDER = 29

#: Values at and below this one stand for no data, whose usual number is -1.6375e30.
UNSEEN = -1e30


class HealpixMap(NamedTuple):
    """Values of n pixels of the sky.

    Attributes
    ----------
    values : ndarray, shape (n,)
        NaN where there is no data, if they are floating-point numbers.
    pixels : ndarray of int64, shape (n,)
        Numbers of the pixels in the order NESTED, whatever the file has; each stands there once.
    nside : int
    frame : {"icrs", "galactic"}
    nested : bool
        Whether the file has the order NESTED, not RING.
    explicit : bool
        Whether the file has a column of pixel numbers.
    """

    values: np.ndarray
    pixels: np.ndarray
    nside: int
    frame: str
    nested: bool = False
    explicit: bool = False


class HealpixPlanes(NamedTuple):
    """Values of n pixels of the sky, of shape (m, n), as `HealpixMap`, and the energies of the m planes, if any."""

    values: np.ndarray
    pixels: np.ndarray
    nside: int
    frame: str
    energies: EnergyNodes | None


class Moc(NamedTuple):
    """A part of the sky.

    Attributes
    ----------
    ranges : ndarray of int64, shape (n, 2)
        First pixels, and those after the last ones, in the order NESTED at `MOC_ORDER`; apart and rising.
    frame : {"icrs", "galactic"}
    """

    ranges: np.ndarray
    frame: str


def read_on_sky(name):
    """Return what a file holds of the whole sky, or of a part of it whose pixels are no image.

    Parameters
    ----------
    name : str
        Path, followed by [HDU name] if it holds several.

    Returns
    -------
    found : Moc, HealpixPlanes or None
        None if it is none of them.

    Raises
    ------
    MapError
        If it is one, and damaged, or its order, NSIDE or frame are not known.
    """
    path, wanted = split_name(str(name))
    with open_fits(path) as hdus:
        kinds = [hdu for hdu in hdus if is_healpix(hdu) or is_moc(hdu)]
        if not kinds or (any(map(is_image, hdus)) and (wanted is None or has_hdu(hdus, wanted, accept=is_image))):
            return None
        hdu = find_hdu(hdus, wanted, path, accept=lambda hdu: hdu in kinds, what="HEALPix map")
        if is_moc(hdu):
            return _moc(table_of(hdu, name))
        return _planes(table_of(hdu, name), hdus, path)


def _moc(table):
    """The part of the sky in a table of a MOC (IVOA MOC 2.0)."""
    name = table.name
    if (dimension := card_text(table.header, "MOCDIM", name, "SPACE").upper()) != "SPACE":
        raise MapError(f"{name} is a MOC of {dimension}: one of space is needed")
    numbers = table.values(table.names[0]).reshape(-1)
    if numbers.dtype.kind not in "iu":
        raise MapError(f"{name}: the column {table.names[0]} of the MOC holds no whole numbers")
    if card_text(table.header, "ORDERING", name).upper() == "RANGE":
        if len(numbers) % 2:
            raise MapError(f"{name}: the MOC has {len(numbers)} ends of ranges, and they must come in pairs")
        ranges = numbers.astype(np.int64).reshape(-1, 2)
    else:
        if (numbers < 4).any():
            raise MapError(f"{name}: the column {table.names[0]} of the MOC holds numbers below 4")
        order = np.floor(np.log2(numbers.astype(float)) / 2 - 1).astype(np.int64)
        # The logarithm of a large number may be rounded up to the next order.
        order -= numbers < 4 ** (order + 1)
        step = 4 ** (MOC_ORDER - order)
        first = (numbers.astype(np.int64) - 4 ** (order + 1)) * step
        ranges = np.column_stack([first, first + step])
    ranges = ranges[np.argsort(ranges[:, 0], kind="stable")]
    apart = (ranges[1:, 0] >= ranges[:-1, 1]).all() and (ranges[:, 0] < ranges[:, 1]).all()
    if len(ranges) and not (apart and ranges[0, 0] >= 0 and ranges[-1, 1] <= 12 * 4**MOC_ORDER):
        raise MapError(f"{name}: the MOC holds pixels that there are not, or pixels twice")
    return Moc(ranges, _frame(table.header, None, name, hint=", and a MOC is in C"))


def _planes(table, hdus, path):
    """All columns of a HEALPix map."""
    name = table.name
    nside, nested = _nside(table.header, name), _nested(table.header, name)
    index = _index_column(table, name)
    columns = [column for column in table.names if column != index]
    energies = read_nodes(hdus, table.header, len(columns), path)
    if len(columns) > 1 and energies is None:
        raise MapError(f"{name} has several columns ({', '.join(columns)}), and one is needed")
    values = np.stack([_values(table, columns, column, False) for column in columns])
    pixels = _pixel_numbers(table, index, values.shape[1], nside, nested)
    frame = _frame(table.header, None, name, hint=": write G (galactic) or C (equatorial) there")
    return HealpixPlanes(values, pixels, nside, frame, energies)


def read_healpix(name, *, column=None, frame=None, several=False):
    """Return the HEALPix map in a FITS file.

    Parameters
    ----------
    name : str
        Path, followed by [HDU name] if the file holds several HEALPix maps.
    column : str, optional
        Column of the values; may be left out where there is one.
    frame : {"icrs", "galactic"}, optional
        Frame of a map whose header has no COORDSYS.
    several : bool
        Whether several columns, such as energy channels, are summed if none is named.

    Raises
    ------
    MapError
        If there is no such file, it is damaged, or holds no HEALPix map whose order, NSIDE and frame are known.
    """
    path, wanted = split_name(str(name))
    with open_fits(path) as hdus:
        if wanted is None and not any(map(is_healpix, hdus)):
            raise MapError(f"{path} holds no HEALPix map (no table with PIXTYPE HEALPIX in its header)")
        hdu = find_hdu(hdus, wanted, path, accept=is_healpix, what="HEALPix map")
        table = table_of(hdu, name)
    nside, nested = _nside(table.header, name), _nested(table.header, name)
    index = _index_column(table, name)
    values = _values(table, [c for c in table.names if c != index], column, several)
    pixels = _pixel_numbers(table, index, len(values), nside, nested)
    system = _frame(table.header, frame, name)
    return HealpixMap(values, pixels, nside, system, nested, index is not None)


def write_healpix(path, name, values, like, *, cards=()):
    """Write a HEALPix map, in one piece and with checksums.

    Parameters
    ----------
    path : str or Path
        Where; replaced if it exists.
    name : str
        Name of the map in `skymask.registry.MAPS`.
    values : ndarray, shape (n,)
        In the order of the pixels of `like`.
    like : HealpixMap
        Its pixels, NSIDE, order, indexing and frame are those of the file.
    cards : iterable of (str, object, str)
        Further header cards.
    """
    numbers = like.pixels if like.nested else nested_to_ring(like.pixels, like.nside)
    unit, meaning = MAPS[name][:2]
    code = {"f": "D", "i": "J", "b": "B"}[values.dtype.kind]
    columns = [fits.Column(name.upper(), code, unit or None, array=values.astype(np.uint8) if code == "B" else values)]
    if like.explicit:
        columns.insert(0, fits.Column("PIXEL", "K", array=numbers))
    table = fits.BinTableHDU.from_columns(columns, name=name.upper())
    table.header.comments["EXTNAME"] = meaning
    for key, value, comment in (
        ("PIXTYPE", "HEALPIX", "pixels of equal area"),
        ("ORDERING", "NESTED" if like.nested else "RING", "order of the pixels"),
        ("NSIDE", like.nside, "resolution"),
        ("INDXSCHM", "EXPLICIT" if like.explicit else "IMPLICIT", "whether there is a column of pixel numbers"),
        ("COORDSYS", "C" if like.frame == "icrs" else "G", "C: ICRS, G: galactic"),
        ("CREATOR", f"skymask {__version__}", "what wrote this file"),
        *cards,
    ):
        table.header[key] = (value, comment)
    hdus = fits.HDUList([fits.PrimaryHDU(), table])
    for hdu in hdus:
        hdu.add_checksum(when="of the header and data")
    with written_whole(path) as temporary:
        hdus.writeto(temporary, overwrite=True)


def _nside(header, name):
    nside = card_number(header, "NSIDE", name)
    if nside is None or nside != int(nside):
        raise MapError(f"{name} has no whole number NSIDE in its header")
    nside = int(nside)
    if nside < 1 or nside & (nside - 1):
        raise MapError(f"{name} has NSIDE {nside}: it must be a power of two")
    return nside


def _nested(header, name):
    order = card_text(header, "ORDERING", name).upper()
    if order not in ("RING", "NEST", "NESTED"):
        raise MapError(f"{name} has the ORDERING {order or 'of nothing'} in its header: it must be RING or NESTED")
    return order != "RING"


def _pixel_numbers(table, index, number, nside, nested):
    """The numbers of a map's pixels in the order NESTED."""
    numbers = np.arange(number) if index is None else table.values(index).reshape(-1)
    if not np.isfinite(numbers).all():
        raise MapError(f"{table.name}: the column {index} holds pixel numbers that are undefined")
    numbers = numbers.astype(np.int64)
    _check_numbers(numbers, number, nside, index, table.name)
    return numbers if nested else ring_to_nested(numbers, nside)


def _frame(header, frame, name, hint=": say healpix.frame: galactic, or icrs"):
    system = card_text(header, "COORDSYS", name).upper()
    known = next((key for key, words in FRAMES.items() if system in words), None)
    if known is None and system:
        raise MapError(f"{name} has the COORDSYS {system}: it must be G (galactic) or C (equatorial)")
    if known and frame and known != frame:
        raise MapError(f"{name} has the COORDSYS {system} in its header, and healpix.frame says {frame}")
    if known is None and frame is None:
        raise MapError(f"{name} has no COORDSYS in its header{hint}")
    return known or frame


def _index_column(table, name):
    """The name of the column of pixel numbers, None if all pixels stand there in their order."""
    scheme = card_text(table.header, "INDXSCHM", name).upper()
    if scheme not in ("", "IMPLICIT", "EXPLICIT"):
        raise MapError(f"{name} has the INDXSCHM {scheme}: it must be IMPLICIT or EXPLICIT")
    found = next((column for column in table.names if column.upper() in PIXEL_COLUMNS), None)
    if scheme == "EXPLICIT" and found is None:
        raise MapError(f"{name} has no column of pixel numbers ({' or '.join(PIXEL_COLUMNS[:2])})")
    return None if scheme == "IMPLICIT" else found


def _values(table, columns, column, several):
    """The values of a column, or of all summed, NaN where there is no data."""
    chosen = columns if column is None else [c for c in columns if c.upper() == column.upper()]
    if not chosen:
        raise MapError(f"{table.name} has no column {column}, only {', '.join(columns)}")
    if len(chosen) > 1 and not several:
        raise MapError(f"{table.name} has several columns ({', '.join(chosen)}): say which is meant")
    total = None
    for one in chosen:
        values = table.values(one).reshape(-1)
        if values.dtype.kind == "f":
            values = np.where(values <= UNSEEN, np.nan, values)
        # A sum of small integers needs larger ones.
        total = values if total is None else np.add(total, values, dtype=np.result_type(total, values, np.int64))
    return total


def _check_numbers(numbers, values, nside, index, name):
    whole = 12 * nside**2
    if index is None and values != whole:
        raise MapError(
            f"{name} has {values} pixels, and NSIDE {nside} has {whole}: it is damaged, or a part of the sky"
        )
    if len(numbers) != values:
        raise MapError(f"{name} has {len(numbers)} pixel numbers for {values} values")
    if index is not None:
        if values and not (numbers.min() >= 0 and numbers.max() < whole):
            raise MapError(f"{name}: the column {index} holds numbers that NSIDE {nside} does not have")
        if len(np.unique(numbers)) != values:
            raise MapError(f"{name}: the column {index} holds a pixel twice")
