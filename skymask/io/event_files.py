"""Event lists in FITS, read a few rows at a time, so that their size in memory does not grow with the number of events.

They are tables EVENTS of the open gamma-ray format (GADF), of Fermi-LAT (FT1), or like these.
"""

import gzip
import zlib
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from astropy import units
from astropy.io import fits

from skymask.errors import MapError
from skymask.io.file_names import split_name
from skymask.io.fits_files import open_fits
from skymask.io.hdu_names import find_hdu
from skymask.io.tables import check_one_number, numbers_of

#: Name of the table, where none is given.
TABLE = "EVENTS"

#: Bytes that are read at a time.
CHUNK = 2**24

#: First bytes of a gzip file.
_GZIP = b"\x1f\x8b"


class EventFile(NamedTuple):
    """An event list that has not been read yet.

    Attributes
    ----------
    name : str
        Path, with the name of the table where one was given.
    header : Header
        That of the table.
    rows : int
        Number of events.
    columns : ColDefs
    offset : int
        Where the rows begin, in bytes after decompression.
    """

    name: str
    header: fits.Header
    rows: int
    columns: fits.ColDefs
    offset: int

    def column(self, *names):
        """Return the name of the first of these columns that the table has, in either case, or None.

        Where it has one in both cases, as RA in degrees beside ra in radians, that in upper case counts.
        """
        present = {name.upper(): name for name in self.columns.names} | {name: name for name in self.columns.names}
        return next((present[name] for name in names if name in present), None)

    def unit(self, column, default=None):
        """Return the unit of a column.

        Raises
        ------
        MapError
            If it has none that is known, and there is no default.
        """
        text = self.columns[column].unit
        if not text and default is None:
            raise MapError(f"{self.name}: the column {column} has no unit (TUNIT in the header): it must say which")
        try:
            return units.Unit(text or default)
        except ValueError as error:
            raise MapError(f"{self.name}: the column {column} has the unknown unit {text!r}") from error


def open_events(name):
    """Return the event list `name`: a path, followed by [table name] if the table is not called EVENTS.

    Raises
    ------
    MapError
        If there is no such file, it is not FITS, is damaged, or holds no such table.
    """
    path, wanted = split_name(str(name))
    with open_fits(path) as hdus:
        try:
            hdu = find_hdu(hdus, wanted, path, accept=_is_binary_table, what="table", default=TABLE)
        except MapError:
            # Of a truncated file, the tables that are whole seem to be all there are.
            _read_through(path)
            raise
        header, columns = hdu.header.copy(), hdu.columns
        if columns.dtype.itemsize != header["NAXIS1"]:
            raise MapError(f"{path} is damaged: its columns do not add up to the {header['NAXIS1']} bytes of a row")
        return EventFile(str(name), header, header["NAXIS2"], columns, hdu.fileinfo()["datLoc"])


def read_chunks(events, columns):
    """Yield columns of an event list as arrays of double precision, a few rows at a time.

    Parameters
    ----------
    events : EventFile
    columns : list of str

    Yields
    ------
    rows : dict of str to ndarray of float
        Columns by name; what the header says of scale and zero point is applied.

    Raises
    ------
    MapError
        If the file ends before its last row, or a column does not hold one number per row.
    """
    dtype = events.columns.dtype.newbyteorder(">")
    for name in columns:
        check_one_number(events.columns[name], f"{events.name}: the column {name}")
    for content in stored_chunks(events):
        table = np.frombuffer(content, dtype)
        yield {name: _numbers(table[name], events.columns[name]) for name in columns}


def stored_chunks(events):
    """Yield the rows of an event list as they are stored, in bytes, a few at a time.

    Raises
    ------
    MapError
        If the file ends before its last row.
    """
    dtype = events.columns.dtype
    rows = max(1, CHUNK // dtype.itemsize)
    with _stream(split_name(events.name)[0], events.offset) as stream:
        for start in range(0, events.rows, rows):
            number = min(rows, events.rows - start)
            content = stream.read(number * dtype.itemsize)
            if len(content) < number * dtype.itemsize:
                missing = events.rows - start - len(content) // dtype.itemsize
                raise MapError(f"{events.name} is truncated: {missing} of its {events.rows} events are missing")
            yield content


def _is_binary_table(hdu):
    return isinstance(hdu, fits.BinTableHDU)


def _read_through(path):
    """Raise a MapError if a file is damaged: of a truncated gzip file, astropy shows the tables that are whole."""
    with _stream(path, 0) as stream:
        while stream.read(CHUNK):
            pass


def _numbers(stored, column):
    return numbers_of(stored, column.null, column.bscale, column.bzero)


@contextmanager
def _stream(path, offset):
    """Open a file, compressed with gzip or not, at an offset; damage becomes a MapError."""
    try:
        with open(path, "rb") as file:
            compressed = file.read(2) == _GZIP
            file.seek(0)
            with gzip.open(file) if compressed else file as stream:
                stream.seek(offset)
                yield stream
    except (OSError, EOFError, zlib.error) as error:
        raise MapError(f"{path} is damaged or cannot be read ({error})") from error
