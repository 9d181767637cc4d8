"""Header cards that place an image on the sky: those that are kept, and whether they say all that the header says."""

import re
import warnings
from functools import lru_cache

import numpy as np
from astropy.io import fits
from astropy.wcs import WcsError, Wcsprm

from skymask.errors import MapError
from skymask.io.header_cards import card_number, card_text

#: Cards with numbers that place an image on the sky.
_NUMBERS = re.compile(
    r"(CRPIX|CRVAL|CDELT|CROTA)[12]|(PC|CD)[12]_[12]|PV[12]_\d+|LONPOLE|LATPOLE|EQUINOX|[AB]P?_(ORDER|DMAX|[0-9]_[0-9])"
)

#: The same with text.
_TEXTS = re.compile(r"(CTYPE|CUNIT)[12]|PS[12]_\d+|RADESYS")

#: Cards of older headers, and what they are called today.
_OLD_CARDS = {"RADECSYS": "RADESYS", "EPOCH": "EQUINOX"}

#: A matrix as older headers have it, and the parameters of the projection.
_OLD_MATRIX, _OLD_PARAMETER = re.compile(r"(PC|CD)00([12])00([12])"), re.compile(r"PROJP(\d+)")

#: Tables of distortions, which no card of an image replaces.
_DISTORTIONS = re.compile(r"(CPDIS|CQDIS|D2IMDIS)[12]")

#: Types of axes: of the sky, and of latitude.
_CELESTIAL, _LATITUDE = re.compile(r"(RA|DEC|.LON|.LAT|..LN|..LT)-"), re.compile(r"(DEC|.LAT|..LT)-")

#: Positions that agree to this fraction of a pixel are the same.
SAME_PIXEL = 0.01


def sky_cards(header, name="the map"):
    """Return the cards of a header that place an image on the sky, by their names of today, numbers as numbers.

    Parameters
    ----------
    header : Header
    name : str
        What messages call the file.

    Raises
    ------
    MapError
        If a card that must hold a number holds anything else.
    """
    cards = {}
    for card in header.cards:
        key, today = card.keyword, _name_of_today(card.keyword, header)
        # Of two names for one thing, that of today counts.
        if today is None or (today != key and today in header):
            continue
        if (value := _value(header, key, today, name)) is not None:
            cards[today] = card if today == key and _same(value, card.value) else fits.Card(today, value, card.comment)
    return fits.Header(cards.values())


def checked_header(header, name):
    """Return a copy of the header of an image in which the cards that place it on the sky are those of `sky_cards`.

    Raises
    ------
    MapError
        If a card that must hold a number holds anything else, or the header as a whole places the image elsewhere than
        these cards, because of others that are not known here.
    """
    header, kept = header.copy(), sky_cards(header, name)
    ours = {key: today for key in header if (today := _name_of_today(key, header))}
    for key, today in ours.items():
        # What wcslib would not take for a number, or a name of a frame, and leave out without a word.
        if today in kept and not _same(kept[today], header[key]):
            header[key] = kept[today]
    _check_placement(header, kept, name)
    if ours.keys() != kept.keys():
        for key in ours:
            header.remove(key, remove_all=True)
        header.extend(kept)
    return header


def _name_of_today(key, header):
    """What a card that places an image on the sky is called today; None for other cards."""
    today = _today(key)
    if today == "PROJP":
        # They belong to the axis of latitude.
        axis = 1 if _LATITUDE.match(str(header.get("CTYPE1", ""))) else 2
        return f"PV{axis}_{_OLD_PARAMETER.fullmatch(key)[1]}"
    return today


@lru_cache(maxsize=4096)
def _today(key):
    """The same as far as the keyword alone says it."""
    key = _OLD_CARDS.get(key, key)
    if _NUMBERS.fullmatch(key) or _TEXTS.fullmatch(key):
        return key
    if matrix := _OLD_MATRIX.fullmatch(key):
        return f"{matrix[1]}{matrix[2]}_{matrix[3]}"
    return "PROJP" if _OLD_PARAMETER.fullmatch(key) else None


def _value(header, key, today, name):
    """What stands in a card that places an image on the sky; None if it is blank."""
    if _NUMBERS.fullmatch(today):
        return card_number(header, key, name)
    value = card_text(header, key, name) or None
    return value.upper() if value and today == "RADESYS" else value


def _same(value, other):
    return type(value) is type(other) and value == other


def _check_placement(header, kept, name):
    """Raise a MapError if a header places corners or middle of its image elsewhere than the cards kept of it."""
    if not all(_CELESTIAL.match(kept.get(f"CTYPE{axis}", "")) for axis in (1, 2)):
        return
    if table := next((key for key in header if _DISTORTIONS.fullmatch(key)), None):
        raise MapError(f"{name} has pixels distorted by a table ({table}): reproject it to pixels without distortion")
    far = [max(float(card_number(header, key, name, 1)) - 1, 0) for key in ("NAXIS1", "NAXIS2")]
    pixels = np.array([(0, 0), (far[0], 0), (0, far[1]), far, np.divide(far, 2)])
    beside = np.vstack([np.add(pixels, step) for step in ((0, 0), (1, 0), (0, 1))])
    try:
        ours, right, up = np.split(_directions(kept, beside), 3)
    except (WcsError, ValueError):
        # Whoever needs these cards says what is wrong with them.
        return
    size = np.fmin(*(np.linalg.norm(step - ours, axis=1) for step in (right, up)))
    try:
        away = np.linalg.norm(_directions(header, pixels) - ours, axis=1)
    except (WcsError, ValueError) as error:
        raise MapError(f"{name} has unusable sky coordinates: {' '.join(str(error).split())}") from error
    if (np.isnan(away) != np.isnan(ours).any(axis=1)).any() or (away > SAME_PIXEL * size).any():
        raise MapError(
            f"{name} has cards in its header that place it on the sky in a way that is not read: astropy sees its "
            f"corners up to {np.degrees(np.nanmax(away)):.3g} deg away; reproject it, or write its WCS anew"
        )


def _directions(header, pixels):
    """Unit vectors towards pixels, of shape (n, 3), from the first two axes of a header; NaN off the sky."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wcs = Wcsprm(header.tostring().encode("ascii", "replace"), relax=True)
        wcs = wcs.sub([1, 2]) if wcs.naxis > 2 else wcs
        wcs.fix()
        world = wcs.p2s(pixels, 0)["world"]
        longitude, latitude = np.radians(world[:, [wcs.lng, wcs.lat]]).T
    across = np.cos(latitude)
    return np.column_stack([across * np.cos(longitude), across * np.sin(longitude), np.sin(latitude)])
