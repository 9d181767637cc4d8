"""HEALPix maps in FITS: tables with one row, or one element of a row, per pixel of the sky."""

from typing import NamedTuple

import numpy as np
from astropy.io import fits
from astropy_healpix.core import nested_to_ring, ring_to_nested

from skymask import __version__
from skymask.errors import MapError
from skymask.io.atomic import written_whole
from skymask.io.file_names import split_name
from skymask.io.fits_files import is_healpix, open_fits
from skymask.io.hdu_names import find_hdu
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
    numbers = np.arange(len(values)) if index is None else table.values(index).reshape(-1)
    if not np.isfinite(numbers).all():
        raise MapError(f"{name}: the column {index} holds pixel numbers that are undefined")
    numbers = numbers.astype(np.int64)
    system = _frame(table.header, frame, name)
    _check_numbers(numbers, len(values), nside, index, name)
    pixels = numbers if nested else ring_to_nested(numbers, nside)
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


def _frame(header, frame, name):
    system = card_text(header, "COORDSYS", name).upper()
    known = next((key for key, words in FRAMES.items() if system in words), None)
    if known is None and system:
        raise MapError(f"{name} has the COORDSYS {system}: it must be G (galactic) or C (equatorial)")
    if known and frame and known != frame:
        raise MapError(f"{name} has the COORDSYS {system} in its header, and healpix.frame says {frame}")
    if known is None and frame is None:
        raise MapError(f"{name} has no COORDSYS in its header: say healpix.frame: galactic, or icrs")
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
