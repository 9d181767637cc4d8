"""Lengths and energies of the configuration: numbers with their units, without the import of a library for it."""

import math
import re

#: Units of angles, in degrees.
ANGLES = {"deg": 1, "arcmin": 1 / 60, "arcsec": 1 / 3600, "rad": math.degrees(1)}

#: Units of energies in electronvolts.
ENERGIES = {"eV": 1, "keV": 1e3, "MeV": 1e6, "GeV": 1e9, "TeV": 1e12, "PeV": 1e15}

LENGTH = re.compile(r"\s*(?P<value>[-+]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)\s*(?P<unit>[^\d\s]*)\s*")

#: A Gaussian kernel ends at this many standard deviations.
GAUSSIAN_TRUNCATION = 4.0


def parse_length(text):
    """Return value and unit of a length such as "0.3 deg"."""
    match = LENGTH.fullmatch(text)
    return float(match["value"]), match["unit"]


def angle_in_degrees(length):
    """Return an angle of the configuration in degrees, without the import of a library for it."""
    value, unit = parse_length(length)
    return value * ANGLES[unit]


def is_angle(text):
    """Whether a text is an angle with its unit, and not the name of a column."""
    match = LENGTH.fullmatch(text)
    return match is not None and match["unit"] in ANGLES
