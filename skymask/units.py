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


#: The lengths that each shape of a kernel has; its other keys are none.
KERNEL_LENGTHS = {
    "disk": ("radius",),
    "ring": ("inner_radius", "width"),
    "gaussian": ("sigma",),
    "adaptive_ring": ("inner_radius", "width", "step", "max_outer_radius"),
    "array": (),
    "field_of_view": (),
}


def kernel_lengths(kernel):
    """Return the lengths of a kernel of the configuration by their keys."""
    return {key: kernel[key] for key in KERNEL_LENGTHS[kernel["shape"]] if key in kernel}


def outer_radius(shape, sizes):
    """Return how far a kernel of a shape reaches, from the sizes of its lengths; for rings that adapt the smallest."""
    if shape == "gaussian":
        return sizes["sigma"] * GAUSSIAN_TRUNCATION
    if shape == "adaptive_ring":
        return sizes["inner_radius"] + sizes["width"]
    return sum(sizes.values())


def split_unit(text):
    """Return value and unit of a text such as "0.5 TeV"."""
    match = LENGTH.fullmatch(text)
    return float(match["value"]), match["unit"]


def parse_length(length):
    """Return a length as a number of degrees, or of pixels, and which of both: (0.15, "deg") for "9 arcmin".

    Parameters
    ----------
    length : str or (float, str)
        A text, or what this function returned. Other units than degrees are rounded to 12 digits, so that what is the
        same angle is the same number.
    """
    value, unit = split_unit(length) if isinstance(length, str) else length
    return (value, unit) if unit in ("deg", "px") else (float(f"{value * ANGLES[unit]:.12g}"), "deg")


def angle_in_degrees(length):
    """Return an angle of the configuration in degrees."""
    return parse_length(length)[0]


def in_words(value):
    """Return settings with their lengths as texts, such as "0.15 deg"."""
    if isinstance(value, dict):
        return {key: in_words(item) for key, item in value.items()}
    if not isinstance(value, list | tuple):
        return value
    if len(value) == 2 and value[1] in ("deg", "px") and not isinstance(value[0], str):
        return _text(*value)
    return [in_words(item) for item in value]


def _text(value, unit):
    """A length in degrees, or in the next smaller unit in which it is a number of few digits, or in pixels."""
    for smaller, factor in (("deg", 1), ("arcmin", 60), ("arcsec", 3600)) if unit == "deg" else ():
        short = f"{value * factor:.6g}"
        if math.isclose(value * factor, float(short), rel_tol=1e-11):
            return f"{short} {smaller}"
    return f"{value:.15g} {unit}"


def is_length(text):
    """Whether a text is an angle with its unit, or a number of pixels."""
    match = LENGTH.fullmatch(text)
    return match is not None and match["unit"] in (*ANGLES, "px")


def is_angle(length):
    """Whether a length or a text is an angle with its unit, and not the name of a column."""
    return not isinstance(length, str) or (is_length(length) and parse_length(length)[1] == "deg")


def length_text(degrees, *, digits=4):
    """Return an angle in the unit in which its number is easily read."""
    for unit, factor in (("deg", 1), ("arcmin", 60), ("arcsec", 3600)):
        if degrees * factor >= (0.0099 if unit == "deg" else 0.1) or unit == "arcsec":
            return f"{degrees * factor:.{digits}g} {unit}"
    return None


def energy_text(energy):
    """Return an energy in GeV in the unit in which its number is easily read."""
    value = float(f"{energy * 1e9:.3g}")
    unit = next((unit for unit in ("TeV", "GeV", "MeV", "keV") if value >= ENERGIES[unit]), "eV")
    return f"{value / ENERGIES[unit]:.3g} {unit}"
