"""Colour scales of maps: from values to colours, so that neither the brightest source nor the faintest is lost.

What has a sign is white at zero, with equal steps of colour on both sides. A map whose brightest pixels lie far beyond
the rest has a scale that is linear for the rest and logarithmic beyond (the inverse hyperbolic sine of Lupton, Gunn &
Szalay 1999, AJ 118, 1406, doi:10.1086/301004): no pixel is beyond its end.
"""

import math
from typing import NamedTuple

import numpy as np

from skymask.registry import COLOURS, MAPS

#: Those that have a sign.
SIGNED = ("signed", "deviation")

#: How labels call the stretches of a scale.
STRETCHES = {"linear": "", "square root": "square-root scale", "asinh": "asinh scale"}

#: A map is the same everywhere if its values differ by less than this fraction.
FLAT = 1e-6

#: Up to so many standard deviations, a scale of the inverse hyperbolic sine is about linear.
LINEAR = 5.0

#: An excess beyond this multiple of that needs such a scale, and counts beyond this multiple of what 99.5 % of the
#: pixels stay below.
FAR, FAR_COUNTS = 3, 25

#: Of so many pixels at most are percentiles taken.
SAMPLE = 2**16


class Scale(NamedTuple):
    """From values to parts of a colour table.

    Attributes
    ----------
    colours : str
        Of `skymask.registry.COLOURS`.
    low, high : float
        Values at its ends.
    stretch : {"linear", "square root", "asinh"}
    width : float
        Of asinh: up to about this value, on both sides of zero, it is linear.
    open_ends : (bool, bool)
        Whether values lie beyond the lower and the upper end.
    label : str
        Of the colour bar.
    """

    colours: str
    low: float
    high: float
    stretch: str = "linear"
    width: float = 1.0
    open_ends: tuple = (False, False)
    label: str = ""

    def stretched(self, values):
        """Return values as they are spaced on the scale."""
        if self.stretch == "square root":
            return np.sqrt(np.maximum(values, 0))
        return np.arcsinh(np.divide(values, self.width)) if self.stretch == "asinh" else np.asarray(values)

    def unstretched(self, values):
        """Return the values that `stretched` gives these for."""
        if self.stretch == "square root":
            return np.square(values)
        return np.sinh(values) * self.width if self.stretch == "asinh" else np.asarray(values)

    def parts(self, values):
        """Return where values lie between the ends, from 0 to 1; NaN where they are."""
        low, high = self.stretched(self.low), self.stretched(self.high)
        if low == high:
            return np.where(np.isnan(values), np.nan, 0.5)
        return np.clip((self.stretched(values) - low) / (high - low), 0, 1)

    def table(self, number):
        """Return the colours of so many equal parts of the scale, of shape (number, 3), from 0 to 255."""
        parts = np.linspace(0, 1, number)
        if self.colours in SIGNED:
            low, high = self.stretched(self.low), self.stretched(self.high)
            parts = 0.5 + 0.5 * (low + parts * (high - low)) / (max(abs(low), abs(high)) or 1)
        anchors = np.array([[int(text[i : i + 2], 16) for i in (0, 2, 4)] for text in COLOURS[self.colours].split()])
        at = np.linspace(0, 1, len(anchors))
        return np.rint(np.transpose([np.interp(parts, at, channel) for channel in anchors.T])).astype(np.uint8)

    def ticks(self, whole=False, apart=0.075):
        """Return values to be told beside the scale: round ones, not too close to each other.

        Parameters
        ----------
        whole : bool
            Whether only whole numbers are told.
        apart : float
            Their least distance, in parts of the scale.
        """
        if self.low == self.high:
            return [self.low]
        chosen = []
        for value in self._wanted(whole, 4 * apart):
            place = self.parts(value)
            if self.low <= value <= self.high and all(abs(place - other) >= apart for other, _ in chosen):
                chosen.append((place, value))
        return sorted(value for _, value in chosen)

    def _wanted(self, whole, apart):
        """Round values, the ones that tell most first."""
        if self.stretch == "linear":
            return round_values(self.low, self.high, round(2 / apart), whole)
        largest = math.floor(math.log10(max(abs(self.low), abs(self.high))))
        powers = [10.0**power for power in range(largest, largest - 6, -1) if not whole or power >= 0]
        return [0.0, self.high, *(factor * power for factor in (1, -1, 5, -5, 2, -2) for power in powers)]


def scale_of(name, image, *, significance_limits=(-5, 15), stretch=None, label=None):
    """Return the scale of a map.

    Parameters
    ----------
    name : str
        Of a map of `skymask.registry.MAPS` that has a look.
    image : ndarray
        NaN where undefined.
    significance_limits : (float, float)
        Ends of the scale of significances; where a map goes beyond them, so does its scale.
    stretch : {"linear", "square root", "asinh"}, optional
        Of counts; by default a square root, unless few pixels are far above all others.
    label : str, optional
        Of the colour bar; that of the registry by default.
    """
    look = MAPS[name].look
    finite = image[np.isfinite(image)].ravel()
    sample = finite[:: 1 + finite.size // SAMPLE]
    lowest, highest = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if look.colours == "signed":
        scale = _signed(sample, lowest, highest, significance_limits if name == "significance" else None)
    elif look.stretch == "square root":
        scale = _of_counts(sample, highest, stretch)
    else:
        scale = _of_smooth(sample, lowest, highest)
    beyond = bool((image < scale.low).any()), bool((image > scale.high).any())
    notes = [note for note in (scale.label, STRETCHES[scale.stretch]) if note]
    label = look.label if label is None else label
    label = f"{label} ({', '.join(notes)})" if notes else label
    return scale._replace(colours=look.colours, open_ends=beyond, label=label)


def _signed(sample, lowest, highest, limits):
    """The scale of a map with a sign: linear, and logarithmic beyond where a source is far above the rest."""
    if limits is None:
        # As if half of what lies between these percentiles were a standard deviation.
        width = LINEAR * float(np.ptp(np.percentile(sample, [16, 84]))) / 2 if sample.size else 0.0
        low, high, far = min(lowest, 0.0), max(highest, 0.0), FAR * width
    else:
        (low, far), width = map(float, limits), LINEAR
        low, high = min(low, lowest), max(far, highest)
    return Scale("", low, high, "asinh" if highest > far > 0 else "linear", width)


def _of_counts(sample, highest, stretch):
    """The scale of counts, from zero on: a square root, or logarithmic where few pixels are far above the others."""
    middle, most = np.percentile(sample, [50, 99.5]) if sample.size else (0.0, 1.0)
    stretch = stretch or ("asinh" if highest > FAR_COUNTS * max(most, 1.0) else "square root")
    return Scale("", 0.0, max(highest, 1.0), stretch, max(1.0, float(middle)))


def _of_smooth(sample, lowest, highest):
    """The scale of a background, which is smooth: from zero on, most of it would have one colour."""
    if not sample.size:
        return Scale("", lowest, highest)
    if highest - lowest <= FLAT * abs(highest):
        return Scale("", highest, highest, label="the same everywhere")
    low, high = (float(end) for end in np.percentile(sample, [0.5, 99.5]))
    return Scale("", low, high) if high > low else Scale("", lowest, highest)


def round_values(low, high, most, whole=False):
    """Return the multiples of 1, 2 or 5 times a power of ten between two values, about `most` of them.

    With `whole`, only whole numbers are among them.
    """
    least = (high - low) / most
    power = 10.0 ** math.floor(math.log10(least))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))
    step = max(step, 1.0) if whole else step
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]
