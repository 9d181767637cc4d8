"""Header cards: one place reads them as numbers, and says which is none."""

import ast

import pytest
from astropy.io import fits
from conftest import REPOSITORY
from hypothesis import given
from hypothesis import strategies as st

from skymask.errors import MapError
from skymask.io.header_cards import card_number, card_text

#: Cards of our own products, which hold what we wrote.
OURS = {"PIXSIZEY", "PIXSIZEX", "DATASET", "PERIOD", "BUNIT", "SRCKERN"}
OURS |= {"CTYPE1", "CRPIX1", "CRPIX2", "NAXIS1", "NAXIS2"}


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (2000, 2000),
        (51910.5, 51910.5),
        ("51910", 51910),
        (" -1.5e3 ", -1500.0),
        ("1.0D+02", 100.0),
        (".5", 0.5),
        ("", None),
        ("   ", None),
        (None, None),
    ],
)
def test_the_text_of_a_number_is_that_number_and_a_blank_is_none(value, number):
    assert card_number(fits.Header({"MJDREFI": value}), "MJDREFI", "e.fits") == number


def test_a_card_that_is_absent_has_its_default():
    assert card_number(fits.Header(), "TIMEZERO", "e.fits", 0.0) == 0.0


@pytest.mark.parametrize(("value", "number"), [("J2000", 2000), ("J2000.0", 2000), ("B1950", 1950), ("2000.0", 2000)])
def test_an_equinox_may_have_its_letter(value, number):
    assert card_number(fits.Header({"EQUINOX": value}), "EQUINOX", "e.fits") == number


@pytest.mark.parametrize("value", ["x", "J2000", "1 2", "nan", "inf", "1_000", "0x10", "1e", True, 1j])
def test_what_is_no_number_is_told_with_its_file_and_card(value):
    with pytest.raises(MapError, match=r"^e\.fits: the header card MJDREFI must be a number, and is "):
        card_number(fits.Header({"MJDREFI": value}), "MJDREFI", "e.fits")


def test_a_card_that_astropy_cannot_parse_is_named():
    header = fits.Header.fromstring("EQUINOX = J2000".ljust(80) + "END".ljust(80))
    with pytest.raises(MapError, match=r"^e\.fits: the header card EQUINOX cannot be read"):
        card_number(header, "EQUINOX", "e.fits")


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**15), 10**15))
def test_a_number_in_quotes_is_the_number(value):
    assert card_number(fits.Header({"KEY": repr(value)}), "KEY", "e.fits") == value


def test_text_has_no_blanks_around_it():
    header = fits.Header({"TIMESYS": " tt ", "EMPTY": "  ", "VERSION": 0.2})
    assert [card_text(header, key, "e.fits", "utc") for key in header] == ["tt", "utc", "0.2"]


# fits_header.py finds sizes for planning, in the bytes of a file, and takes what it does not understand for unknown;
# image_rows.py reads files of our own.
def test_no_other_place_reads_a_card_of_a_users_file():
    found = []
    for path in sorted((REPOSITORY / "skymask").rglob("*.py")):
        if path.name in ("header_cards.py", "hdu_names.py", "sky_cards.py", "fits_header.py", "image_rows.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (key := _read_card(node)) is not None and key not in OURS:
                found.append(f"{path.relative_to(REPOSITORY)}:{node.lineno}: {key}")
    assert found == []


def _read_card(node):
    """The card that a node of a program reads from a header by itself, "a variable" if it is one; None without one."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and _is_header(node.value):
        key = node.slice
    elif (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("get", "pop")
        and _is_header(node.func.value)
    ):
        key = node.args[0]
    else:
        return None
    return key.value if isinstance(key, ast.Constant) else "a variable"


def _is_header(node):
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name == "header"
