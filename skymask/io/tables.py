"""Tables of FITS files, of which only the columns that are asked for are converted, and numbers from what is stored.

Whether a value stands for none (TNULL, BLANK) is decided on the stored one, before scale and zero point, as the FITS
standard has it; astropy's tables compare the scaled one, and convert every column.
"""

import re
from typing import NamedTuple

import numpy as np
from astropy.io import fits

from skymask.errors import MapError, listed
from skymask.io.file_names import split_name
from skymask.io.fits_files import is_table, open_fits
from skymask.io.hdu_names import find_hdu, hdus_of_name
from skymask.io.header_cards import NUMBER, card_number

#: Columns of binary tables that hold one number in a row: bytes, integers and floating-point numbers, by their TFORM.
_ONE_NUMBER = re.compile(r"1?[BIJKED]")


#: Zero points of integers of the other sign, by the type that is stored.
_ZEROS = {"u1": -128, "i2": 2**15, "i4": 2**31, "i8": 2**63}


class FitsTable(NamedTuple):
    """A table as it is stored.

    Attributes
    ----------
    name : str
        Path, with what stands in brackets behind it.
    header : Header
    columns : ColDefs
    stored : ndarray
        Its rows, a structured array.
    """

    name: str
    header: fits.Header
    columns: fits.ColDefs
    stored: np.ndarray

    @property
    def names(self):
        """Names of the columns."""
        return self.columns.names

    def __len__(self):
        return len(self.stored)

    def unit(self, column):
        """The unit of a column as text, None without one."""
        return self.columns[column].unit or None

    def numbers(self, column):
        """A column as floating-point numbers, of shape (n,), NaN where there is none.

        Raises
        ------
        MapError
            If it does not hold one number in each row.
        """
        of_column, stored = self.columns[column], self.stored[column]
        if of_column.ascii:
            return _numbers_of_texts(stored, of_column, f"{self.name}: the column {column}")
        check_one_number(of_column, f"{self.name}: the column {column}")
        return numbers_of(stored, of_column.null, of_column.bscale, of_column.bzero)

    def values(self, column):
        """A column as it is, of shape (n,) or (n, m): integers where it can be, NaN where there is none.

        Raises
        ------
        MapError
            If it does not hold numbers.
        """
        of_column = self.columns[column]
        if not re.fullmatch(r"[0-9]*[BIJKED]", str(of_column.format).strip()):
            raise MapError(f"{self.name}: the column {column} holds no numbers")
        stored = self.stored[column]
        stored = stored.astype(stored.dtype.newbyteorder("="))
        null, plain = of_column.null, (of_column.bscale or 1, of_column.bzero or 0) == (1, 0)
        if plain and (stored.dtype.kind == "f" or null is None or not (stored == null).any()):
            return stored
        return numbers_of(stored, null, of_column.bscale, of_column.bzero)

    def texts(self, column):
        """A column as a list of texts without blanks around them."""
        stored = self.stored[column]
        if stored.dtype.kind == "S":
            return [text.decode("latin-1").split("\0")[0].strip() for text in stored.tolist()]
        return [f"{value:.15g}" if np.isfinite(value) else "" for value in self.numbers(column)]


def read_table(name, *, default=None):
    """Return a table of a FITS file as it is stored.

    Parameters
    ----------
    name : str
        Path of the file, followed by [HDU] if it holds several tables.
    default : str, optional
        Name of the table where none is given.

    Raises
    ------
    MapError
        If there is no such file, it is not FITS, is damaged, or holds no single table of that kind.
    """
    path, wanted = split_name(str(name))
    with open_fits(path) as hdus:
        return table_of(find_hdu(hdus, wanted, path, accept=is_table, what="table", default=default), str(name))


def read_tables_of_detectors(name, *, default, numbered):
    """Return the tables of a file that hold the same of several detectors, by the number of the detector.

    Parameters
    ----------
    name : str
        Path of the file, followed by [HDU] where one table is meant.
    default : str
        Name of the tables where none is given; the number is their version (EXTVER).
    numbered : str
        Pattern of other names, of which the first group is the number.

    Returns
    -------
    tables : dict of int to FitsTable
        Empty if a table is named, or there are not several.
    """
    path, wanted = split_name(str(name))
    if wanted is not None:
        return {}
    with open_fits(path) as hdus:
        found = {version: hdu for _, version, hdu in hdus_of_name(hdus, default, accept=is_table)}
        if not found:
            found = {int(match[1]): hdu for match, _, hdu in hdus_of_name(hdus, numbered, accept=is_table)}
        if len(found) < 2:
            return {}
        return {number: table_of(hdu, f"{path}[{hdu.name},{hdu.ver}]") for number, hdu in found.items()}


def table_of(hdu, name):
    """Return the table in an HDU as it is stored; `name` is what messages call it."""
    stored = np.zeros(0, hdu.columns.dtype) if hdu.data is None else np.asarray(hdu.data).view(np.ndarray)
    return FitsTable(name, hdu.header.copy(), hdu.columns, stored)


def find_column(names, *wanted):
    """Return the first of these columns that is there, as spelt or in another case if that is unique; or None."""
    for name in wanted:
        if name in names:
            return name
        if len(found := [other for other in names if other.upper() == name.upper()]) == 1:
            return found[0]
    return None


def needed_column(table, *wanted, why):
    """Return one of these columns of a table.

    Raises
    ------
    MapError
        If it has none of them; `why` says what for.
    """
    if (column := find_column(table.names, *wanted)) is None:
        raise MapError(f"{table.name} has no column {' or '.join(wanted)}, {why}, only {listed(table.names)}")
    return column


def holds_one_number(column):
    """Whether a column of a binary table holds one number in every row."""
    return _ONE_NUMBER.fullmatch(str(column.format).strip()) is not None


def check_one_number(column, where):
    """Raise a MapError if a column of a binary table does not hold one number in each row."""
    if not holds_one_number(column):
        raise MapError(f"{where} must hold one number in each row")


def numbers_of(stored, null, scale, zero):
    """Return stored numbers as physical ones in double precision, NaN where an integer stands for none."""
    values = stored.astype(float)
    if isinstance(null, int) and stored.dtype.kind in "iu":
        values[stored == null] = np.nan
    if scale not in (None, "", 1):
        values *= scale
    if zero not in (None, "", 0):
        values += zero
    return values


def pixels_of(stored, header, name):
    """Return the pixels of an image as the header scales them, NaN where an integer stands for none (BLANK).

    Parameters
    ----------
    stored : ndarray
        As they stand in the file.
    header : Header
    name : str
        What messages call the file.

    Returns
    -------
    pixels : ndarray
        Integers where that is what they are, floating-point numbers otherwise.
    """
    stored = stored.astype(stored.dtype.newbyteorder("="), copy=False)
    scale, zero = card_number(header, "BSCALE", name, 1), card_number(header, "BZERO", name, 0)
    blank = card_number(header, "BLANK", name) if stored.dtype.kind in "iu" else None
    undefined = None if blank is None else stored == blank
    if undefined is not None and not undefined.any():
        undefined = None
    if (scale, zero) == (1, 0):
        return stored if undefined is None else np.where(undefined, np.nan, stored)
    if undefined is None and (scale, zero) == (1, _ZEROS.get(stored.dtype.str[1:])):
        # Integers of the other sign, which FITS has no type for: the highest bit counts the other way around.
        other = {"i": "u", "u": "i"}[stored.dtype.kind]
        bit = np.array(1 << (8 * stored.dtype.itemsize - 1), f"u{stored.dtype.itemsize}")
        return (stored.view(bit.dtype) ^ bit).view(f"{other}{stored.dtype.itemsize}")
    with np.errstate(all="ignore"):
        # What a header scales beyond all numbers becomes infinite, and is told as such.
        pixels = stored * np.float64(scale) + np.float64(zero)
    return pixels if undefined is None else np.where(undefined, np.nan, pixels)


def _numbers_of_texts(stored, column, where):
    """A column of a table in text as numbers."""
    null, values = str(column.null or "").strip(), np.full(len(stored), np.nan)
    for row, text in enumerate(stored.tolist()):
        word = text.decode("latin-1").strip()
        if not word or (null and word == null):
            continue
        if not NUMBER.fullmatch(word):
            raise MapError(f"{where} must hold one number in each row: row {row + 1} has {word!r}")
        values[row] = float(re.sub("[Dd]", "e", word))
    return numbers_of(values, None, column.bscale, column.bzero)
