"""Header cards as numbers and as text: the one place that reads them.

Files of the field have numbers in quotes, blanks for what is not known, and equinoxes with a letter; all else that is
no number is an error that names file and card.
"""

import math
import re

from skymask.errors import MapError

#: A number as FITS, Fortran and people write it.
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([EeDd][+-]?[0-9]+)?")

#: Cards that may hold an epoch, such as J2000.
_EPOCHS = ("EQUINOX", "EPOCH")


def card_number(header, key, name, default=None):
    """Return a card as a number, `default` if it is absent or blank.

    Parameters
    ----------
    header : Header
    key : str
    name : str
        What messages call the file.
    default : number, optional

    Raises
    ------
    MapError
        If the card holds anything else.
    """
    value = _value(header, key, name)
    if isinstance(value, str):
        value = _number_of_text(value.strip(), key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise MapError(f"{name}: the header card {key} must be a number, and is {_value(header, key, name)!r}")
    return value


def card_text(header, key, name, default=""):
    """Return a card as text without blanks around it, `default` if it is absent or blank.

    Raises
    ------
    MapError
        If the card cannot be read.
    """
    value = _value(header, key, name)
    value = "" if value is None else str(value).strip()
    return value or default


def first_card_text(header, keys, name, default=""):
    """Return the first of several cards that is there and not blank, as text; see `card_text`."""
    return next((value for key in keys if (value := card_text(header, key, name))), default)


def is_number_card(header, key):
    """Whether a card holds a number, and not the text of one."""
    return isinstance(header.get(key), int | float)


def copied_cards(header, keys, name):
    """Return those of several cards that are there and not blank, as (key, value, comment)."""
    values = {key: _value(header, key, name) for key in keys}
    return [(key, value, header.comments[key]) for key, value in values.items() if str(value or "").strip()]


def shared_cards(headers, keys):
    """Return those of several cards on which all headers agree, as (key, value, comment).

    Parameters
    ----------
    headers : dict of str to Header
        By what messages call their files.
    keys : sequence of str
    """
    first, *others = (copied_cards(header, keys, name) for name, header in headers.items())
    values = [{key: str(value).strip() for key, value, _ in cards} for cards in others]
    return [card for card in first if all(one.get(card[0]) == str(card[1]).strip() for one in values)]


def _value(header, key, name):
    """What stands in a card; None if there is none, or no value in it."""
    try:
        value = header.get(key)
    except Exception as error:
        # Whatever astropy says of a card that it cannot parse.
        raise MapError(f"{name}: the header card {key} cannot be read; FITS wants text in quotes") from error
    return None if type(value).__name__ == "Undefined" else value


def _number_of_text(content, key):
    """The number that a text is; None for a blank, the text itself if it is none."""
    if not content:
        return None
    if key in _EPOCHS and content[0] in "JjBb":
        content = content[1:].strip()
    if not NUMBER.fullmatch(content):
        return content
    return int(content) if re.fullmatch(r"[+-]?[0-9]+", content) else float(re.sub("[Dd]", "e", content))
