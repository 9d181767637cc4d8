"""What the data subspace keywords of a header say was selected already."""

import pytest
from astropy.io import fits

from skymask.errors import MapError
from skymask.io.data_subspace import Circle, Range, selected_circles, selected_range


def header(*selections):
    """A header with data subspace keywords: pairs of type and value, or triples with the unit."""
    cards = fits.Header()
    for number, (kind, value, *unit) in enumerate(selections, start=1):
        cards[f"DSTYP{number}"], cards[f"DSVAL{number}"] = kind, value
        if unit:
            cards[f"DSUNI{number}"] = unit[0]
    return cards


#: As in a file of Fermi-LAT photons.
FT1 = header(
    ("BIT_MASK(EVENT_CLASS,128,P8R3)", "1:1", "DIMENSIONLESS"),
    ("POS(RA,DEC)", "CIRCLE(83.6331,22.0145,7.5)", "deg"),
    ("TIME", "TABLE", "s"),
    ("ENERGY", "100:10000", "MeV"),
    ("ZENITH_ANGLE", "0:100", "deg"),
)


def test_what_was_selected_is_read():
    assert selected_range(FT1, "energy", "a.fits") == Range(100, 10000, "MeV")
    assert selected_range(FT1, "zenith", "a.fits") == Range(0, 100, "deg")
    assert selected_circles(FT1, "a.fits") == [Circle(83.6331, 22.0145, 7.5)]


def test_good_time_intervals_in_a_table_are_no_range():
    assert selected_range(FT1, "time", "a.fits") is None
    assert selected_range(header(("TIME", "10:20", "s")), "time", "a.fits") == Range(10, 20, "s")


def test_nothing_is_known_without_keywords():
    assert selected_range(fits.Header(), "energy", "a.fits") is None
    assert selected_circles(fits.Header(), "a.fits") == []


def test_ranges_that_all_hold_are_what_they_have_in_common():
    cards = header(("ENERGY", "0.1:100", "TeV"), ("ENERGY", "1:", "TeV"), ("ENERGY", ":50D0", "TeV"))
    assert selected_range(cards, "energy", "a.fits") == Range(1, 50, "TeV")


def test_energies_without_a_unit_are_in_mev():
    assert selected_range(header(("ENERGY", "100:")), "energy", "a.fits") == Range(100, None, "MeV")


@pytest.mark.parametrize("value", ["100", "100:200,300:400", "much"])
def test_what_is_no_range_is_refused(value):
    with pytest.raises(MapError, match=rf"a.fits: DSVAL1 in the header is no range of ENERGY: '{value}'"):
        selected_range(header(("ENERGY", value)), "energy", "a.fits")


def test_ranges_in_different_units_are_refused():
    with pytest.raises(MapError, match=r"a.fits: the header has ranges of ENERGY in MeV and in TeV"):
        selected_range(header(("ENERGY", "1:2", "MeV"), ("ENERGY", "1:2", "TeV")), "energy", "a.fits")


def test_a_position_that_is_no_circle_is_refused():
    with pytest.raises(MapError, match=r"a.fits: DSVAL1 in the header is no circle: 'BOX\(1,2,3,4,0\)'"):
        selected_circles(header(("POS(RA,DEC)", "BOX(1,2,3,4,0)")), "a.fits")
