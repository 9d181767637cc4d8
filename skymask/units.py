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
