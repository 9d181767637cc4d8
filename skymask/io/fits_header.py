"""How many pixels a dataset's map has, from its FITS header or its configuration, before any job has run.

Planning asks this of every dataset at every start, so nothing here needs numpy or astropy, and of a file only headers
are read.
"""

import bz2
import gzip
import lzma
import math
import re
import zlib
from contextlib import suppress

from skymask.io.file_names import split_name
from skymask.io.hdu_names import identify, wanted_hdu
from skymask.units import angle_in_degrees

#: FITS files are made of blocks of so many bytes, headers of cards of so many.
BLOCK, CARD = 2880, 80

#: A header of more blocks is none.
MAX_HEADER_BLOCKS = 1000

#: How compressed files begin, and what reads them.
_COMPRESSIONS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}

#: Numbers of axes and columns in a header, which the standard limits; a reader may count up to what they claim.
COUNTED, MAX_COUNTED = ("NAXIS", "ZNAXIS", "TFIELDS"), 999

_STRING = re.compile(r"\s*'((?:[^']|'')*)'")


def pixels_of_dataset(entry):
    """Return the number of pixels of a dataset's map, all of its energy bins together, None if it cannot be told.

    That of runs is the number of pixels of their common grid.

    Parameters
    ----------
    entry : dict
        Its settings, as from `skymask.config.configuration.dataset_settings`.
    """
    if "field" in entry:
        return math.prod(entry["field"]["shape"])
    field = entry.get("simulate") or entry.get("geometry")
    if not field:
        pixels = _pixels_of_runs(entry["runs"]) if "runs" in entry else pixels_of_file(entry["counts"])
        return pixels and pixels // (number_of_planes(entry) if "energy_bin" in entry else 1)
    if "as" in field:
        axes = image_axes(field["as"])
        return axes and math.prod(axes[:2])
    size = angle_in_degrees(field["pixel_size"])
    planes = entry["observations"]["energy_bins"] if "observations" in entry else 1
    return planes * math.prod(max(1, round(angle_in_degrees(extent) / size)) for extent in field["width"])


def voxels_of_observations(entry, pixels):
    """Return the number of pixels of the footprint of a run at most, times the parts into which energies are divided.

    Parameters
    ----------
    entry : dict
        Settings of a dataset of observations.
    pixels : int
        Of its map, all energy bins together.
    """
    observations, geometry = entry["observations"], entry["geometry"]
    if "pixel_size" in geometry:
        side = 2 * angle_in_degrees(observations["offset_max"]) / angle_in_degrees(geometry["pixel_size"])
        pixels = min(pixels, math.ceil(side) ** 2 * observations["energy_bins"])
    return pixels * observations["energy_oversampling"]


def number_of_energies(entry):
    """Return how many energy bins of its counts a dataset takes; 1 without an energy axis, or if it cannot be told."""
    return 1 if "energy_bin" in entry else number_of_planes(entry)


def number_of_planes(entry):
    """Return how many energy bins a dataset's counts have; 1 without an energy axis, or if it cannot be told."""
    if "observations" in entry:
        return entry["observations"]["energy_bins"]
    name = entry["runs"][0]["counts"] if "runs" in entry else entry.get("counts")
    axes = image_axes(name) if name else None
    return math.prod(axes[2:]) if axes else 1


def pixels_of_file(name):
    """Return the number of pixels of an image in a FITS file, None if it cannot be told; see `image_axes`."""
    axes = image_axes(name)
    return axes and math.prod(axes)


def image_axes(name):
    """Return the lengths of the axes of an image in a FITS file, x first, None if they cannot be told.

    Parameters
    ----------
    name : str
        Path of the file, followed by [HDU name] if it holds several images; the first image counts if there is none.
    """
    header = _header_of_image(name)
    return header and _image_axes(header)


def pixels_of_all_runs(entry):
    """Return the number of pixels of the maps of all runs of a dataset together, 0 where it cannot be told."""
    return sum(pixels_of_file(run["counts"]) or 0 for run in entry.get("runs", ()))


def _pixels_of_runs(runs):
    """Pixels of the grid that holds all runs, which differ in their reference pixels and sizes."""
    edges = []
    for run in runs:
        header = _header_of_image(run["counts"])
        if header is None:
            return None
        axes = _image_axes(header)
        try:
            first = [1 - round(float(header.get(f"CRPIX{number}", 0))) for number in (1, 2)]
        except (ValueError, OverflowError):
            # The job that reads the map says what is wrong with it.
            return None
        edges.append((*first, *(start + n for start, n in zip(first, axes, strict=False)), math.prod(axes[2:])))
    x0, y0, x1, y1, planes = zip(*edges, strict=True)
    return (max(x1) - min(x0)) * (max(y1) - min(y0)) * max(planes)


def _header_of_image(name):
    """Header of the image that a name means, None if there is none that can be read."""
    path, wanted = split_name(str(name))
    try:
        with _opened(path) as file:
            for number, header in enumerate(_headers(file)):
                known = identify(number, header.get("EXTNAME"), header.get("EXTVER"))
                if _image_axes(header) and (wanted is None or wanted_hdu(wanted).matches(number, *known)):
                    return header
    except (OSError, EOFError, ValueError, KeyError, OverflowError, zlib.error, lzma.LZMAError):
        # Whatever is wrong with the file, the rule prepare_dataset says it in words.
        pass
    return None


def _opened(path):
    with open(path, "rb") as file:
        begin = file.read(6)
    for magic, opener in _COMPRESSIONS.items():
        if begin.startswith(magic):
            return opener(path, "rb")
    return open(path, "rb")


def _headers(file):
    """The headers of a FITS file, one after the other; data are skipped."""
    while (header := _header(file)) is not None:
        yield header
        axes = _axes(header, "NAXIS")
        values = int(header.get("PCOUNT", 0)) + math.prod(axes) if axes else 0
        size = abs(int(header["BITPIX"])) // 8 * int(header.get("GCOUNT", 1)) * values
        if size < 0:
            raise ValueError("data of less than nothing")
        file.seek(-(-size // BLOCK) * BLOCK, 1)


def _header(file):
    """The next header's cards, values as text, or None at the end of the file."""
    cards = {}
    for _ in range(MAX_HEADER_BLOCKS):
        block = file.read(BLOCK).decode("ascii", "replace")
        if len(block) < BLOCK or not (cards or block.startswith(("SIMPLE", "XTENSION"))):
            return None
        for start in range(0, BLOCK, CARD):
            card = block[start : start + CARD]
            keyword = card[:8].rstrip()
            if keyword == "END":
                return cards
            if card[8:10] == "= ":
                text = _STRING.match(card, 10)
                value = text[1].rstrip() if text else card[10:].split("/")[0].strip()
                if keyword in COUNTED:
                    _check_number(keyword, value, cards)
                cards.setdefault(keyword, value)
    return None


def _image_axes(header):
    """The lengths of an image's axes, also of one compressed in a table; empty for what is no image."""
    if header.get("ZIMAGE") == "T":
        return _axes(header, "ZNAXIS")
    return _axes(header, "NAXIS") if header.get("XTENSION", "IMAGE") == "IMAGE" else []


def check_numbers(file):
    """Raise an OverflowError if a header of an open FITS file claims more axes or columns than there can be."""
    # Whatever else is wrong, whoever reads the file finds it.
    with suppress(ValueError, KeyError):
        for _ in _headers(file):
            pass


def _check_number(keyword, value, cards):
    """Raise an OverflowError if a number of axes or columns is too large, or stands among the cards already."""
    if keyword in cards:
        raise OverflowError(f"{keyword} stands in a header twice")
    if int(value) > MAX_COUNTED:
        raise OverflowError(f"{keyword} is {value}, and at most {MAX_COUNTED} is possible")


def _axes(header, keyword):
    return [int(header[f"{keyword}{number}"]) for number in range(1, int(header[keyword]) + 1)]
