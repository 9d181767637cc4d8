"""In which columns of an event list positions and energies are, and how they become degrees and electronvolts.

Gamma-ray lists have right ascension, declination and energy of every event. Those of X-ray telescopes have pixels of a
plane, X and Y, whose sky coordinates are in the header (TCTYP, TCRVL, TCDLT, TCRPX of these columns), and pulse
invariants, PI, for energies.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from astropy import units
from astropy.io import fits

from skymask.errors import MapError, listed
from skymask.io.header_cards import card_number, card_text, first_card_text
from skymask.sky.geometry import celestial_frame, sky_positions, sky_projection

#: Cards of a column's sky coordinates, of pixel lists (FITS standard 4.0, table 22), and what an image calls them.
_OF_COLUMNS = {
    "TCTYP": "CTYPE",
    "TCUNI": "CUNIT",
    "TCRVL": "CRVAL",
    "TCRPX": "CRPIX",
    "TCDLT": "CDELT",
    "TCROT": "CROTA",
}

#: The same of XMM-Newton and eROSITA, for their columns X and Y.
_REFERENCE = {"CTYP": "CTYPE", "CUNI": "CUNIT", "CRVL": "CRVAL", "CRPX": "CRPIX", "CDLT": "CDELT"}

#: Columns of energies, and of what stands for them.
ENERGY, PULSE_INVARIANT = "ENERGY", "PI"

#: Energy of a pulse invariant, in keV: for each channel, and that of channel 0. By the beginning of TELESCOP, or of
#: TELESCOP and INSTRUME with a blank between, letters and digits alone.
PULSE_INVARIANTS = {
    # NuSTAR Data Analysis Software Guide, sect. 5.
    "NUSTAR": (0.04, 1.6),
    # The Swift XRT Data Reduction Guide, sect. 2.
    "SWIFT XRT": (0.01, 0.0),
    # XMM-Newton SAS, evlist: PI is in eV; so it is for eROSITA.
    "XMM": (0.001, 0.0),
    "EROSITA": (0.001, 0.0),
    "SRG": (0.001, 0.0),
    # ROSAT User's Handbook: PSPC channels of about 10 eV.
    "ROSAT PSPC": (0.01, 0.0),
    # CIAO: channels of ACIS, from 1 on, have 14.6 eV; their lower end is taken.
    "CHANDRA ACIS": (0.0146, -0.0146),
    # NICER Mission Guide.
    "NICER": (0.01, 0.0),
    # The Suzaku Data Reduction Guide, ch. 6, XIS.
    "SUZAKU XIS": (0.00365, 0.0),
    # IXPE: channels of 40 eV.
    "IXPE": (0.04, 0.0),
}


class Positions(NamedTuple):
    """Where events are.

    Attributes
    ----------
    columns : list of str
        What is needed of the file.
    frame : str or astropy frame
    degrees : callable
        Takes a dict of these columns, and returns longitudes and latitudes in degrees, NaN where there are none.
    """

    columns: list
    frame: object
    degrees: Callable


class Energies(NamedTuple):
    """The energies of events: those of a column, times a slope, plus an offset, in a unit."""

    column: str
    unit: units.Unit
    slope: float = 1.0
    offset: float = 0.0

    def values(self, rows):
        """Return the energies of events from a dict of their columns."""
        values = rows[self.column]
        return values if (self.slope, self.offset) == (1, 0) else self.slope * values + self.offset

    def describe(self):
        """Return in words what stands for the energies, None if they are a column of energies."""
        if (self.slope, self.offset) == (1, 0):
            return None if self.column.upper() == ENERGY else f"{self.column}, in {self.unit}"
        plus = f" {'+' if self.offset > 0 else '-'} {abs(self.offset):g} {self.unit}" if self.offset else ""
        return f"{self.slope:g} {self.unit} x {self.column}{plus}"


def event_positions(events):
    """Return where the events of a list are.

    Parameters
    ----------
    events : skymask.io.event_files.EventFile

    Returns
    -------
    positions : Positions

    Raises
    ------
    MapError
        If the list has no positions, or they are in a frame that is not known.
    """
    names = [events.column(name) for name in ("RA", "DEC")]
    if None in names and (header := _plane(events)) is not None:
        return _positions_on_plane(events, *header)
    missing = [name for name, column in zip(("RA", "DEC"), names, strict=True) if column is None]
    if missing:
        has_pixels = events.column("X") and events.column("Y")
        pixels = ", and no TCTYP and TCRVL in its header say where X and Y are" if has_pixels else ""
        raise MapError(
            f"{events.name} has no column {' and '.join(missing)}, only {listed(events.columns.names)}{pixels}"
        )
    kinds = [events.unit(name, "deg") for name in names]
    for name, unit in zip(names, kinds, strict=True):
        if unit.physical_type != "angle":
            raise MapError(f"{events.name}: the column {name} is in {unit}, which is no angle")
    factors = [unit.to("deg") for unit in kinds]

    def degrees(rows):
        return tuple(rows[name] * factor for name, factor in zip(names, factors, strict=True))

    return Positions(names, _frame(events), degrees)


def event_energies(events):
    """Return in which column of a list the energies of events are, and how they become energies.

    Parameters
    ----------
    events : skymask.io.event_files.EventFile

    Returns
    -------
    energies : Energies

    Raises
    ------
    MapError
        If there are none, or their unit is not known.
    """
    if column := events.column(ENERGY):
        unit = events.unit(column, card_text(events.header, "EUNIT", events.name) or None)
        return Energies(column, unit)
    column = events.column(PULSE_INVARIANT)
    if column is None:
        raise MapError(
            f"{events.name} has no column {ENERGY} or {PULSE_INVARIANT}, which a cut needs, only "
            f"{listed(events.columns.names)}"
        )
    unit = units.Unit(events.columns[column].unit or "", parse_strict="silent")
    if unit.physical_type == "energy":
        return Energies(column, unit)
    words = [card_text(events.header, key, events.name).upper() for key in ("TELESCOP", "INSTRUME")]
    words = [re.sub("[^A-Z0-9]", "", word) for word in words]
    for begin, (slope, offset) in PULSE_INVARIANTS.items():
        if all(word.startswith(part) for word, part in zip(words, begin.split(), strict=False)):
            return Energies(column, units.keV, slope, offset)
    raise MapError(
        f"{events.name}: the column {column} has no unit of energies, and how it becomes one is not known for "
        f"TELESCOP {words[0] or 'without a name'}, INSTRUME {words[1] or 'without a name'}: write a column {ENERGY}"
    )


def _frame(events):
    """The name of the frame of RA and DEC: "icrs", or "fk5" if the header says so."""
    header, name = events.header, events.name
    system = first_card_text(header, ("RADESYS", "RADECSYS"), name, "ICRS").upper()
    if system not in ("ICRS", "FK5"):
        raise MapError(f"{name} has positions in {system} (RADESYS in the header): ICRS or FK5 2000 is needed")
    equinox = card_number(header, "EQUINOX", name, 2000)
    if system == "FK5" and equinox != 2000:
        raise MapError(f"{name} has positions in FK5 of the EQUINOX {equinox}: ICRS or FK5 2000 is needed")
    return system.lower()


def _plane(events):
    """Columns of the pixels of a plane and the header of an image with these pixels; None if there are none."""
    of_columns = {}
    for number, column in enumerate(events.columns.names, start=1):
        kind = card_text(events.header, f"TCTYP{number}", events.name)
        if re.match(r"RA--|DEC-|GLON|GLAT|[EH]L(ON|AT)", kind):
            of_columns[column] = number
    x, y = events.column("X"), events.column("Y")
    pairs = [(x, y)] if x in of_columns and y in of_columns else []
    if not pairs and len(of_columns) == 2:
        pairs = [tuple(of_columns)]
    header = fits.Header()
    if pairs:
        for axis, column in enumerate(pairs[0], start=1):
            number = of_columns[column]
            _copy_cards(events, header, axis, {f"{key}{number}": word for key, word in _OF_COLUMNS.items()})
    elif x and y and card_text(events.header, "REFXCTYP", events.name):
        pairs = [(x, y)]
        for axis, letter in enumerate("XY", start=1):
            _copy_cards(events, header, axis, {f"REF{letter}{key}": word for key, word in _REFERENCE.items()})
    else:
        return None
    # The standard's cards are those of a column (RADE, EQUI and its number); most lists have those of an image instead.
    numbers = [of_columns[column] for column in pairs[0] if column in of_columns]
    systems = [f"RADE{number}" for number in numbers] + ["RADESYS", "RADECSYS"]
    if system := first_card_text(events.header, systems, events.name):
        header["RADESYS"] = system.upper()
    for key in [f"EQUI{number}" for number in numbers] + ["EQUINOX"]:
        if (equinox := card_number(events.header, key, events.name)) is not None:
            header["EQUINOX"] = float(equinox)
            break
    return list(pairs[0]), header


def _copy_cards(events, header, axis, cards):
    """Copy cards of an event list's header into that of an image, by the words that they have there."""
    for key, word in cards.items():
        if word in ("CTYPE", "CUNIT"):
            value = card_text(events.header, key, events.name) or None
        else:
            value = card_number(events.header, key, events.name)
        if value is not None:
            header[f"{word}{axis}"] = value if isinstance(value, str) else float(value)
    header.setdefault(f"CUNIT{axis}", "deg")


def _positions_on_plane(events, names, header):
    """Where events are that have pixels of a plane."""
    sky_projection(header, events.name)
    numbers = [events.columns.names.index(name) + 1 for name in names]
    limits = [
        [card_number(events.header, f"{key}{number}", events.name) for key in ("TLMIN", "TLMAX")] for number in numbers
    ]

    def degrees(rows):
        pixels = []
        for name, (low, high) in zip(names, limits, strict=True):
            values = rows[name]
            # Numbers beyond those that there are stand for events without a position.
            beyond = np.zeros(len(values), dtype=bool)
            beyond |= False if low is None else values < low
            beyond |= False if high is None else values > high
            pixels.append(np.where(beyond, np.nan, values))
        defined = np.isfinite(pixels).all(axis=0)
        found = np.full((len(defined), 2), np.nan)
        # A pixel of the list is what it is called, from 1 on; those of maps here are counted from 0.
        found[defined] = sky_positions(header, *(values[defined] - 1 for values in pixels))
        return found[:, 0], found[:, 1]

    return Positions(names, celestial_frame(header, events.name), degrees)
