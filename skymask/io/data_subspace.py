"""What was selected already when a file was made, as its header says: the data subspace keywords (DSTYP1, DSVAL1, ...).

Fermi-LAT and CTA event lists and counts maps have them: a circle on the sky, energies, zenith angles, times (the NASA
HEASARC convention "Data Sub-Space Keywords").
"""

import re
from typing import NamedTuple

from skymask.errors import MapError
from skymask.io.header_cards import card_text

#: Header cards by which counts of events say their energies, in GeV.
ENERGY_CARDS = ("E_MIN", "E_MAX")

#: Names of the quantities whose limits are known here, by the key of the configuration's cuts.
QUANTITIES = {"energy": "ENERGY", "zenith": "ZENITH_ANGLE", "time": "TIME"}

#: Units where the header has none.
UNITS = {"energy": "MeV", "zenith": "deg", "time": "s"}

#: Units that headers have; others, such as DIMENSIONLESS, say nothing.
_KNOWN_UNITS = ("eV", "keV", "MeV", "GeV", "TeV", "PeV", "deg", "rad", "s")

#: Names of positions on the sky.
_POSITIONS = ("POS(RA,DEC)", "POS(RA_OBJ,DEC_OBJ)")

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d+)?"
_RANGE = re.compile(rf"\s*({_NUMBER})?\s*:\s*({_NUMBER})?\s*")
_CIRCLE = re.compile(rf"\s*CIRCLE\s*\(\s*({_NUMBER})\s*,\s*({_NUMBER})\s*,\s*({_NUMBER})\s*\)\s*", re.IGNORECASE)


class Range(NamedTuple):
    """Limits of a quantity, None where there is none, and their unit."""

    low: float | None
    high: float | None
    unit: str


class Circle(NamedTuple):
    """A circle in right ascension and declination, in degrees."""

    ra: float
    dec: float
    radius: float


def selected_range(header, quantity, name):
    """Return the limits that a header gives of a quantity; None if it gives none.

    Parameters
    ----------
    header : Header
    quantity : str
        A key of `QUANTITIES`.
    name : str
        What messages call the file.

    Returns
    -------
    limits : Range or None
        Of several ranges that must all hold, what they have in common.

    Raises
    ------
    MapError
        If the header holds what is no range.
    """
    low, high, unit = None, None, None
    for kind, text, its_unit, number in _keywords(header, name):
        if kind != QUANTITIES[quantity]:
            continue
        if quantity == "time" and not _RANGE.fullmatch(text):
            # Good time intervals are in a table.
            continue
        if (match := _RANGE.fullmatch(text)) is None:
            raise MapError(f"{name}: DSVAL{number} in the header is no range of {kind}: {text!r}")
        here = its_unit or UNITS[quantity]
        if unit not in (None, here):
            raise MapError(f"{name}: the header has ranges of {kind} in {unit} and in {here}")
        unit = here
        ends = [None if end is None else float(re.sub("[dD]", "e", end)) for end in match.groups()]
        low = max((end for end in (low, ends[0]) if end is not None), default=None)
        high = min((end for end in (high, ends[1]) if end is not None), default=None)
    return None if unit is None else Range(low, high, unit)


def selected_circles(header, name):
    """Return the circles on the sky that a header says events were taken from; all of them must hold.

    Raises
    ------
    MapError
        If a position is selected by anything else than a circle.
    """
    circles = []
    for kind, text, _, number in _keywords(header, name):
        if kind not in _POSITIONS:
            continue
        if (match := _CIRCLE.fullmatch(text)) is None:
            raise MapError(f"{name}: DSVAL{number} in the header is no circle: {text!r}")
        circles.append(Circle(*(float(value) for value in match.groups())))
    return circles


def _keywords(header, name):
    """What is selected, by which values, in which unit, and the number of the keywords."""
    for number in range(1, 100):
        if f"DSTYP{number}" not in header:
            return
        kind, unit, values = (card_text(header, f"{key}{number}", name) for key in ("DSTYP", "DSUNI", "DSVAL"))
        yield re.sub(r"\s", "", kind).upper(), values, unit if unit in _KNOWN_UNITS else "", number
