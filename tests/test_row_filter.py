"""Conditions on the rows of tables."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from conftest import field_with_source, write_config, write_map

from skymask.cli.check import forecast
from skymask.errors import MapError
from skymask.io.position_tables import read_catalogue, read_labels
from skymask.io.row_filter import Condition, parse


@pytest.fixture(params=["fits", "csv"])
def stars(request, tmp_path):
    """Five stars, of which one has no magnitude, with a column that has a blank in its name."""
    table = Table(
        {
            "RAJ2000": [10.0, 11.0, 12.0, 13.0, 14.0],
            "DECJ2000": [1.0, 2.0, 3.0, 4.0, 5.0],
            "Vmag": MaskedColumn([5.5, 6.0, 3.1, 0.0, 7.2], mask=[False, False, False, True, False]),
            "Class": ["star", "star", "galaxy", "star", "star"],
            "B - V": [0.1, 0.2, 0.9, 0.4, -0.1],
            "Name": ["a", "b", "c", "d", "e"],
        }
    )
    path = tmp_path / f"stars.{request.param}"
    if request.param == "fits":
        # As catalogues have it: NaN for what is not known.
        table["Vmag"] = table["Vmag"].filled(np.nan)
    table.write(path, overwrite=True)
    return str(path)


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("Vmag < 6", "ac"),
        ("Vmag <= 6.0", "abc"),
        ("vmag>=6", "be"),
        ("Vmag != 3.1", "abe"),
        ("Class == 'star'", "abde"),
        ('Class != "star"', "c"),
        ("Vmag < 6e0 and Class = 'star'", "a"),
        ("Class == 'star' & `B - V` > -.05 AND RAJ2000 < 13", "ab"),
    ],
)
def test_rows_that_pass_are_the_catalogue(stars, condition, names):
    found = read_catalogue(stars, radius="0.1 deg", where=condition)
    assert [name.split()[1] for name in found.names] == list(names)
    assert found.left_out == []
    assert read_labels(stars, where=condition)[1] == list(names)


def test_a_row_keeps_its_number(stars):
    assert read_catalogue(stars, radius="0.1 deg", where="Vmag > 7").names == ["5 e"]


def test_a_column_that_is_not_there_is_told(stars):
    with pytest.raises(MapError, match=r"has no column mag, which where names, only RAJ2000, DECJ2000, Vmag"):
        read_catalogue(stars, radius="0.1 deg", where="mag < 6")


def test_a_comparison_of_texts_with_a_number_is_told(stars):
    with pytest.raises(MapError, match=r"the column Class must hold one number in each row"):
        read_catalogue(stars, radius="0.1 deg", where="Class < 6")


def test_conditions_are_parsed():
    assert parse(" a<1 and `b c` == 'x' ") == [Condition("a", "<", 1.0), Condition("b c", "==", "x")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Vmag", "'Vmag' is no condition such as Vmag < 6"),
        ("Vmag < bright", "is no condition"),
        ("Vmag < 6 or Class == 'star'", "conditions are joined by and"),
        ("Vmag < 6 and", "is no condition"),
        ("Class < 'star'", "texts are equal or not"),
        ("__import__('os')", "is no condition"),
    ],
)
def test_what_is_no_condition_is_told(text, words):
    with pytest.raises(ValueError, match=words):
        parse(text)


def test_a_condition_is_checked_with_the_configuration(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_map("c.fits", field_with_source())
    table = fits.BinTableHDU.from_columns([fits.Column("RA", "D", array=[83.6]), fits.Column("DEC", "D", array=[22.0])])
    fits.HDUList([fits.PrimaryHDU(), table]).writeto("stars.fits")
    region = {"table": "stars.fits", "radius": "0.2 deg"}
    write_config("mine.yaml", datasets={"a": {"counts": "c.fits", "exclusion_regions": [region | {"where": "RA > 0"}]}})
    assert forecast("mine.yaml")[1] == []
    write_config("mine.yaml", datasets={"a": {"counts": "c.fits", "exclusion_regions": [region | {"where": "RA"}]}})
    (mistake,) = forecast("mine.yaml")[1]
    assert mistake.startswith("datasets.a.exclusion_regions.0.where: 'RA' is no condition such as Vmag < 6")
