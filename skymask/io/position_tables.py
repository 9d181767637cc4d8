"""Tables of positions and radii: star and source catalogues in ECSV, FITS or CSV."""

import re
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skymask.errors import MapError, listed
from skymask.io import tables as fits_tables
from skymask.io.file_names import split_name
from skymask.io.row_filter import rows_that_pass
from skymask.units import angle_in_degrees, is_angle

#: Columns in which longitude and latitude are looked for, in this order and whatever their case.
POSITION_COLUMNS = {
    "icrs": (
        ("ra", "dec"),
        ("raj2000", "dej2000"),
        ("raj2000", "decj2000"),
        ("ra_icrs", "de_icrs"),
        ("raicrs", "deicrs"),
        ("_raj2000", "_dej2000"),
        ("_ra.icrs", "_de.icrs"),
        ("_ra", "_de"),
        ("ra_j2000", "dec_j2000"),
        ("ra_deg", "dec_deg"),
        ("radeg", "dedeg"),
        ("sc_ra", "sc_dec"),
    ),
    "galactic": (("glon", "glat"), ("l", "b"), ("_glon", "_glat"), ("lii", "bii")),
}

#: Columns in which names are looked for.
NAME_COLUMNS = (
    "name",
    "source_name",
    "common_name",
    "main_id",
    "designation",
    "psr_name",
    "iauname",
    "iau_name",
)

#: Formats of tables in text by the ending of their names.
_TEXT_FORMATS = {".ecsv": "ascii.ecsv", ".csv": "ascii.csv"}
_FITS_ENDINGS = (".fits", ".fit", ".fits.gz", ".fit.gz")


class Catalogue(NamedTuple):
    """Circles of a table.

    Attributes
    ----------
    longitude, latitude, radius : ndarray, shape (n,)
        In degrees.
    names : list of str
        Number of the row, counted from 1, and name.
    left_out : list of str
        Names of the rows without position or radius, which are not among the circles.
    """

    longitude: np.ndarray
    latitude: np.ndarray
    radius: np.ndarray
    names: list
    left_out: list


def read_catalogue(table, *, radius, longitude=None, latitude=None, name=None, frame="icrs", where=None):
    """Return the circles of a table.

    Parameters
    ----------
    table : str
        Path of a file whose name ends in .ecsv, .csv or .fits; with several tables in it, followed by [HDU name].
    radius : str
        An angle with its unit, for all rows, or the name of a column. Columns without units are in degrees.
    longitude, latitude : str, optional
        Names of columns; without them, those of `POSITION_COLUMNS` for the frame.
    name : str, optional
        Name of the column of names; without it, the first of `NAME_COLUMNS`, if there is one.
    frame : str
        "icrs" or "galactic".
    where : str, optional
        Condition that rows must pass, all others are not there; see `skymask.io.row_filter`.

    Raises
    ------
    MapError
        If the table cannot be read, lacks a column, or holds what is no position or radius.
    """
    rows = _read(table)
    if (longitude is None) != (latitude is None):
        raise MapError(f"{table}: longitude and latitude must be named both or neither")
    if longitude is None:
        longitude, latitude = _position_columns(rows, table, frame)
    numbers = {"longitude": _degrees(rows, longitude), "latitude": _degrees(rows, latitude)}
    numbers["radius"] = np.full(len(rows), angle_in_degrees(radius)) if is_angle(radius) else _degrees(rows, radius)
    names = _names(rows, name)
    kept = np.ones(len(rows), dtype=bool) if where is None else rows_that_pass(rows, where)
    defined = np.isfinite(list(numbers.values())).all(axis=0) & kept
    for key, wrong in {
        "latitude": np.abs(numbers["latitude"]) > 90,
        "radius": numbers["radius"] < 0,
    }.items():
        if (wrong & defined).any():
            row = np.flatnonzero(wrong & defined)[0]
            raise MapError(f"{table}: row {names[row]} has the {key} {numbers[key][row]:g} deg, which is none")
    return Catalogue(
        **{key: values[defined] for key, values in numbers.items()},
        names=[names[row] for row in np.flatnonzero(defined)],
        left_out=[names[row] for row in np.flatnonzero(kept & ~defined)],
    )


def read_labels(table, *, name=None, longitude=None, latitude=None, frame="icrs", where=None):
    """Return the positions of a table and what is to be written there: names, or numbers of rows without one.

    Parameters
    ----------
    table, name, longitude, latitude, frame, where : str
        As for `read_catalogue`.

    Returns
    -------
    positions : SkyCoord, shape (n,)
    texts : list of str

    Raises
    ------
    MapError
        As by `read_catalogue`.
    """
    from astropy.coordinates import SkyCoord

    options = {"longitude": longitude, "latitude": latitude, "name": name, "frame": frame, "where": where}
    found = read_catalogue(table, radius="0 deg", **options)
    numbered = (entry.partition(" ") for entry in found.names)
    return SkyCoord(found.longitude, found.latitude, unit="deg", frame=frame), [
        text or number for number, _, text in numbered
    ]


def _read(name):
    path, hdu = split_name(name)
    ending = next((ending for ending in (*_TEXT_FORMATS, *_FITS_ENDINGS) if path.lower().endswith(ending)), None)
    if ending is None:
        raise MapError(f"{path}: the name of a table must end in .ecsv, .csv or .fits")
    if ending in _FITS_ENDINGS:
        return fits_tables.read_table(name)
    if hdu is not None:
        raise MapError(f"{name}: a table in text has no name within its file; only one in FITS has")
    from astropy.table import Table

    lines = []
    try:
        lines += Path(path).read_text(encoding="utf-8-sig").splitlines()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rows = Table.read(lines, format=_TEXT_FORMATS[ending], guess=False)
    except Exception as error:
        # Whatever a damaged table makes the readers raise; what they raise themselves is text for people.
        text = str(error).strip() if isinstance(error, ValueError | OSError) else ""
        reason = _with_line(text.splitlines()[0], lines) if text else "it is empty or damaged"
        raise MapError(f"{path} cannot be read as {ending[1:].upper()}: {reason}") from error
    if not rows.colnames:
        raise MapError(f"{path} cannot be read as {ending[1:].upper()}: it is empty")
    return _TextTable(name, rows)


class _TextTable:
    """A table in text, with the names of `skymask.io.tables.FitsTable`."""

    def __init__(self, name, rows):
        self.name, self.names, self._rows = name, rows.colnames, rows

    def __len__(self):
        return len(self._rows)

    def unit(self, column):
        unit = self._rows[column].unit
        return None if unit is None else str(unit)

    def numbers(self, column):
        values = self._rows[column]
        if values.dtype.kind not in "iuf" or values.ndim != 1:
            raise MapError(f"{self.name}: the column {column} must hold one number in each row")
        return np.asarray(np.ma.filled(np.ma.asarray(values, dtype=float), np.nan))

    def texts(self, column):
        return [str(text) for text in self._rows[column]]


def _with_line(reason, lines):
    """A reason of astropy with the line of the file, where it counts lines of data, from 0."""
    match = re.search(r"data line (\d+)", reason)
    content = [number for number, line in enumerate(lines, start=1) if line.strip() and not line.startswith("#")]
    if match is None or len(content) <= int(match[1]) + 1:
        return reason
    # The first line of content is the header.
    return reason.replace(match[0], f"line {content[int(match[1]) + 1]}")


def _position_columns(rows, table, frame):
    columns = {name.lower(): name for name in rows.names}
    for pair in POSITION_COLUMNS[frame]:
        if set(pair) <= set(columns):
            return [columns[name] for name in pair]
    looked_for = "; ".join(", ".join(pair) for pair in POSITION_COLUMNS[frame])
    raise MapError(
        f"{table} has no columns of {frame} positions (looked for {looked_for}), only {listed(rows.names)}: "
        "name them with longitude and latitude"
    )


def _degrees(rows, name):
    """A column in degrees, NaN where it is empty."""
    if (column := fits_tables.find_column(rows.names, name)) is None:
        hint = ": an angle needs its unit" if name.strip().replace(".", "", 1).isdigit() else ""
        raise MapError(f"{rows.name} has no column {name}, only {listed(rows.names)}{hint}")
    try:
        values, unit = rows.numbers(column), rows.unit(column)
    except MapError as error:
        raise MapError(f"{error}, in degrees or with a unit") from error
    if unit is None:
        return values
    from astropy.units import Quantity, UnitConversionError

    try:
        return Quantity(values, unit).to_value("deg")
    except (UnitConversionError, TypeError, ValueError) as error:
        raise MapError(f"{rows.name}: the column {name} is in {unit}, which is no unit of angles") from error


def _names(rows, wanted):
    if wanted is None:
        column = next((name for name in rows.names if name.lower() in NAME_COLUMNS), None)
    elif (column := fits_tables.find_column(rows.names, wanted)) is None:
        raise MapError(f"{rows.name} has no column {wanted}, only {listed(rows.names)}")
    if column is None:
        return [str(number) for number in range(1, len(rows) + 1)]
    return [f"{number} {name}".strip() for number, name in enumerate(rows.texts(column), start=1)]
