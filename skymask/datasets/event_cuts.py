"""Cuts on events: in energy, time, zenith angle and offset from the pointing, and to good time intervals."""

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.time import Time

from skymask.datasets.event_columns import event_energies
from skymask.errors import MapError, listed
from skymask.io.file_names import split_name
from skymask.io.header_cards import card_number, card_text
from skymask.io.tables import find_column, read_table, read_tables_of_detectors
from skymask.units import in_words, parse_length, split_unit

#: Scales of time that a header may name (TIMESYS).
TIME_SCALES = ("utc", "tt", "tai", "tdb", "ut1", "tcb", "tcg")

#: Header cards that say which cuts were made, by key of the configuration.
CARDS = {
    "energy": ("CUTENER", "cut in energy, upper end excluded"),
    "time": ("CUTTIME", "cut in time (UTC), upper end excluded"),
    "zenith": ("CUTZEN", "cut in zenith angle, upper end excluded"),
    "offset": ("CUTOFFS", "largest offset from the pointing"),
    "good_time_intervals": ("CUTGTI", "file of good time intervals"),
}


#: Columns of the numbers of detectors, which may have good time intervals of their own: Chandra, XMM-Newton.
DETECTORS = ("CCD_ID", "CCDNR")


class Cut(NamedTuple):
    """A cut for the events of one file.

    Attributes
    ----------
    columns : list of str
        What it needs of the file.
    passes : callable
        Takes a dict of these columns, and returns a boolean array: True where the event is kept.
    """

    columns: list
    passes: callable


def cuts_for(events, positions, cuts):
    """Return the cuts of the configuration as they apply to one file.

    Parameters
    ----------
    events : skymask.io.event_files.EventFile
    positions : skymask.datasets.event_columns.Positions
        Where its events are.
    cuts : dict
        As in the configuration.

    Returns
    -------
    cuts : list of Cut

    Raises
    ------
    MapError
        If the file lacks a column, a unit or a header card that a cut needs.
    """
    make = {
        "energy": lambda limits: _energy(events, limits),
        "time": lambda limits: _time(events, limits),
        "zenith": lambda limits: _zenith(events, limits),
        "offset": lambda largest: _offset(events, largest, positions),
        "good_time_intervals": lambda name: _intervals(events, name),
    }
    return [make[key](value) for key, value in sorted(cuts.items())]


def card_values(cuts):
    """Return the header cards that say which cuts were made."""
    values = {key: _text(value) for key, value in cuts.items()}
    if "good_time_intervals" in cuts:
        path, table = split_name(cuts["good_time_intervals"])
        values["good_time_intervals"] = Path(path).name + (f"[{table}]" if table else "")
    return [(CARDS[key][0], values[key], CARDS[key][1]) for key in CARDS if key in values]


def describe(cuts):
    """Return cuts in a few words."""
    return ", ".join(f"{key} {_text(in_words(cuts[key]))}" for key in CARDS if key in cuts)


def _text(value):
    """A pair of limits, or one, in words."""
    if not isinstance(value, list):
        return str(value)
    low, high = value
    if low is None or high is None:
        return f"below {high}" if low is None else f"from {low}"
    return f"{low} to {high}"


def _column(events, *names):
    """One of these columns, or a MapError that names them."""
    if (column := events.column(*names)) is None:
        raise MapError(
            f"{events.name} has no column {' or '.join(names)}, which a cut needs, only {listed(events.columns.names)}"
        )
    return column


def _energy(events, limits):
    energies = event_energies(events)
    cut = _within(events, limits, energies.column, energies.unit)
    return Cut(cut.columns, lambda rows: cut.passes({energies.column: energies.values(rows)}))


def _within(events, limits, column, unit, *, stored=None):
    """The cut to low <= value < high; limits are energies as texts, angles, or None."""
    try:
        low, high = (
            default if limit is None else units.Quantity(*_parsed(limit)).to_value(unit)
            for limit, default in zip(limits, (-np.inf, np.inf), strict=True)
        )
    except units.UnitConversionError as error:
        raise MapError(f"{events.name}: the column {column} is in {unit}: no cut {limits} can be made") from error
    low, high = (as_stored(limit, stored or events.columns[column]) for limit in (low, high))
    return Cut([column], lambda rows: (rows[column] >= low) & (rows[column] < high))


def as_stored(limit, column):
    """Return a limit as a column of a file holds it, so that what is stored of the limit itself is not below it.

    Single precision has 0.7 as 0.69999999, and a change of units may move a number by the last digit of its double.

    Parameters
    ----------
    limit : float
    column : astropy.io.fits.Column
    """
    precision = np.finfo(np.float32 if str(column.format).strip().endswith("E") else np.float64).eps
    return limit - 2 * precision * abs(limit) if np.isfinite(limit) else limit


def _parsed(limit):
    """Number and unit of an angle or an energy."""
    return split_unit(limit) if isinstance(limit, str) else limit


def _zenith(events, limits):
    column = _column(events, "ZENITH_ANGLE", "ALT")
    unit = events.unit(column, "deg")
    if column.upper() != "ALT":
        return _within(events, limits, column, unit)
    cut = _within(events, limits, "ZENITH_ANGLE", units.deg, stored=events.columns[column])
    return Cut([column], lambda rows: cut.passes({"ZENITH_ANGLE": 90 - rows[column] * unit.to("deg")}))


def _offset(events, largest, positions):
    """The cut in distance from the pointing; Fermi-LAT gives it in a column, others the pointing in the header."""
    limit = units.Quantity(*parse_length(largest)).to_value("rad")
    if (center := pointing(events)) is None:
        column = events.column("THETA")
        if column is None:
            raise MapError(f"{events.name} has no pointing (RA_PNT, DEC_PNT) and no column THETA: no cut in offset")
        to_radians = events.unit(column, "deg").to("rad")
        return Cut([column], lambda rows: rows[column] * to_radians <= limit)
    # The pointing is in right ascension and declination, as are most lists.
    frame = positions.frame if isinstance(positions.frame, str) else "icrs"
    middle = SkyCoord(*center, unit="deg", frame=frame).transform_to(positions.frame).cartesian.xyz.value

    def passes(rows):
        towards = directions_of(*np.radians(positions.degrees(rows)))
        # Chords, not cosines: those lose the small angles.
        return np.linalg.norm(towards - middle, axis=1) <= 2 * np.sin(limit / 2)

    return Cut(positions.columns, passes)


def pointing(events):
    """Return right ascension and declination of the pointing of an event list, in degrees; None without one.

    Raises
    ------
    MapError
        If its header says what is no position.
    """
    longitude, latitude = (card_number(events.header, key, events.name) for key in ("RA_PNT", "DEC_PNT"))
    if longitude is None or latitude is None:
        return None
    if abs(latitude) > 90:
        raise MapError(f"{events.name}: the header card DEC_PNT is {latitude}, which is no declination")
    return longitude, latitude


def directions_of(longitude, latitude):
    """Return unit vectors, of shape (n, 3), towards positions in radians."""
    across = np.cos(latitude)
    return np.column_stack([across * np.cos(longitude), across * np.sin(longitude), np.sin(latitude)])


def _time(events, limits):
    column = _column(events, "TIME")
    reference = _reference(events.name, events.header)
    unit = _time_unit(events, column)
    low, high = (
        default if limit is None else (_moment(limit) - reference).to_value(unit)
        for limit, default in zip(limits, (-np.inf, np.inf), strict=True)
    )
    return Cut([column], lambda rows: (rows[column] >= low) & (rows[column] < high))


def _moment(limit):
    """A time of the configuration: a modified Julian date, or a date with or without a time of day, in UTC."""
    with warnings.catch_warnings():
        # Leap seconds of the future are not known, and do not matter here.
        warnings.simplefilter("ignore")
        if isinstance(limit, int | float):
            return Time(limit, format="mjd", scale="utc").tt
        return Time(limit, scale="utc").tt


def _reference(name, header):
    """The moment from which the times of a table count."""
    scale = card_text(header, "TIMESYS", name, "utc").lower()
    if scale not in TIME_SCALES:
        raise MapError(f"{name} has the unknown time scale TIMESYS = {scale.upper()!r}")
    whole = card_number(header, "MJDREFI", name)
    whole = card_number(header, "MJDREF", name) if whole is None else whole
    if whole is None:
        raise MapError(f"{name} does not say from when its times count (MJDREFI and MJDREFF, or MJDREF)")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = Time(whole, card_number(header, "MJDREFF", name, 0.0), format="mjd", scale=scale)
        return (start + card_number(header, "TIMEZERO", name, 0.0) * units.s).tt


def _time_unit(events, column):
    """The unit of the times of a table: that of their column, or TIMEUNIT, or seconds."""
    of_column = events.columns[column].unit
    word = of_column or card_text(events.header, "TIMEUNIT", events.name, "s")
    unit = units.Unit(word, parse_strict="silent")
    if unit.physical_type != "time":
        where = f"the column {column} is in {word!r}" if of_column else f"TIMEUNIT in its header is {word!r}"
        raise MapError(f"{events.name}: {where}, which is no unit of time that is known, as s and d are")
    return unit


def _intervals(events, name):
    """The cut to good time intervals, those of each detector where there is a table for every one."""
    detector = events.column(*DETECTORS)
    tables = read_tables_of_detectors(name, default="GTI", numbered=r"STDGTI0*([0-9]+)") if detector else {}
    if not tables:
        return _in_intervals(events, read_table(name, default="GTI"))
    cuts = {number: _in_intervals(events, table) for number, table in tables.items()}

    def passes(rows):
        numbers = rows[detector]
        if not np.isin(numbers, list(cuts)).all():
            missing = sorted(set(numbers.tolist()) - set(cuts))
            raise MapError(
                f"{name} has no good time intervals of {detector} {missing[0]:g}, and {events.name} has events of it"
            )
        kept = np.zeros(len(numbers), dtype=bool)
        for number, cut in cuts.items():
            kept |= (numbers == number) & cut.passes(rows)
        return kept

    return Cut([detector, *next(iter(cuts.values())).columns], passes)


def _in_intervals(events, table):
    """The cut to the intervals of a table with columns START and STOP, both ends included."""
    name = table.name
    ends = [find_column(table.names, key) for key in ("START", "STOP")]
    if None in ends or not len(table):
        raise MapError(f"{name} holds no good time intervals: a table with columns START and STOP is needed")
    column = _column(events, "TIME")
    unit = _time_unit(events, column)
    shift = (_reference(name, table.header) - _reference(events.name, events.header)).to_value(unit)
    start, stop = (table.numbers(column) * _time_unit(table, column).to(unit) + shift for column in ends)
    if (wrong := ~(np.isfinite(start) & np.isfinite(stop) & (start <= stop))).any():
        row = int(np.argmax(wrong))
        raise MapError(
            f"{name}: row {row + 1} of the good time intervals reaches from {start[row] - shift:.12g} to "
            f"{stop[row] - shift:.12g}: remove it or correct it"
        )
    order = np.argsort(start, kind="stable")
    # Intervals may overlap: an event is in one if any of those that began before it has not ended.
    start, stop = start[order], np.maximum.accumulate(stop[order])

    def passes(rows):
        time = rows[column]
        last = np.searchsorted(start, time, side="right") - 1
        return (last >= 0) & (time <= stop[np.maximum(last, 0)])

    return Cut([column], passes)
