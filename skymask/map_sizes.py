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

from skymask.configuration import angle_in_degrees, split_name

#: FITS files are made of blocks of so many bytes, headers of cards of so many.
BLOCK, CARD = 2880, 80

#: A header of more blocks is none.
MAX_HEADER_BLOCKS = 1000

#: How compressed files begin, and what reads them.
_COMPRESSIONS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}

_STRING = re.compile(r"\s*'((?:[^']|'')*)'")


def pixels_of_dataset(entry):
    """Return the number of pixels of a dataset's counts map, None if it cannot be told.

    Parameters
    ----------
    entry : dict
        Its settings, as from `skymask.configuration.dataset_settings`.
    """
    if "field" in entry:
        return math.prod(entry["field"]["shape"])
    field = entry.get("simulate") or entry.get("geometry")
    if not field:
        return pixels_of_file(entry["counts"])
    if "as" in field:
        return pixels_of_file(field["as"])
    size = angle_in_degrees(field["pixel_size"])
    return math.prod(max(1, round(angle_in_degrees(extent) / size)) for extent in field["width"])


def pixels_of_file(name):
    """Return the number of pixels of an image in a FITS file, None if it cannot be told.

    Parameters
    ----------
    name : str
        Path of the file, followed by [HDU name] if it holds several images; the first image counts if there is none.
    """
    path, hdu_name = split_name(str(name))
    try:
        with _opened(path) as file:
            for header in _headers(file):
                axes = _image_axes(header)
                name = header.get("EXTNAME") or ("PRIMARY" if "SIMPLE" in header else "")
                if axes and (hdu_name is None or name.upper() == hdu_name.upper()):
                    return math.prod(axes)
    except (OSError, EOFError, ValueError, KeyError, zlib.error, lzma.LZMAError):
        # Whatever is wrong with the file, the rule check_dataset says it in words.
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
                cards.setdefault(keyword, text[1].rstrip() if text else card[10:].split("/")[0].strip())
    return None


def _image_axes(header):
    """The lengths of an image's axes, also of one compressed in a table; empty for what is no image."""
    if header.get("ZIMAGE") == "T":
        return _axes(header, "ZNAXIS")
    return _axes(header, "NAXIS") if header.get("XTENSION", "IMAGE") == "IMAGE" else []


def _axes(header, keyword):
    return [int(header[f"{keyword}{number}"]) for number in range(1, int(header[keyword]) + 1)]
