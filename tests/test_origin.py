"""What files say of their origin is carried into products: of cubes, of stacks, and wherever in a file it stands."""

import numpy as np
import pytest
from astropy.io import fits
from conftest import sky_header, write_map

from skymask.datasets.reading import origin_cards, read_dataset
from skymask.io import maps

ORIGIN = {
    "TELESCOP": "GLAST",
    "OBSERVER": "Someone",
    "OBS_ID": 17,
    "DATE-OBS": "2020-01-01T00:00:00",
    "EXPOSURE": 99.5,
    "ATTRIB": "(c) nobody",
}


def cards_of(dataset):
    return {key: value for key, value, _ in origin_cards(dataset)}


def write_cube(path, **cards):
    edges = {"E_MIN": [1.0, 2.0], "E_MAX": [2.0, 5.0]}
    columns = [fits.Column(key, "D", "TeV", array=values) for key, values in edges.items()]
    table = fits.BinTableHDU.from_columns(columns, name="EBOUNDS")
    image = fits.PrimaryHDU(np.ones((2, 60, 60), dtype=np.int32), sky_header())
    image.header.update(cards)
    fits.HDUList([image, table]).writeto(path)
    return str(path)


def test_the_origin_of_a_map_is_carried(tmp_path):
    header = sky_header()
    header.update(ORIGIN)
    dataset = read_dataset(write_map(tmp_path / "c.fits", np.ones((60, 60)), header))
    assert cards_of(dataset).items() >= ORIGIN.items()


def test_the_origin_of_a_cube_is_carried(tmp_path):
    assert cards_of(read_dataset(write_cube(tmp_path / "c.fits", **ORIGIN))).items() >= ORIGIN.items()


@pytest.mark.parametrize("geometry", [None, {"as": "a.fits"}])
def test_of_a_stack_that_is_carried_on_which_runs_agree(tmp_path, monkeypatch, geometry):
    monkeypatch.chdir(tmp_path)
    for name, obs_id in (("a", 1), ("b", 2)):
        header = sky_header()
        header.update(ORIGIN | {"OBS_ID": obs_id})
        write_map(f"{name}.fits", np.random.default_rng(obs_id).poisson(2.0, (60, 60)), header)
    runs = [{"run": name, "counts": f"{name}.fits"} for name in "ab"]
    cards = cards_of(read_dataset(runs=runs, geometry=geometry))
    assert "OBS_ID" not in cards
    assert cards.items() >= {key: value for key, value in ORIGIN.items() if key != "OBS_ID"}.items()


def test_the_first_header_speaks_for_its_images(tmp_path):
    image = fits.ImageHDU(np.ones((60, 60)), sky_header(), name="COUNTS")
    image.header["TELESCOP"] = "HESS"
    first = fits.PrimaryHDU()
    first.header.update({"TELESCOP": "something else", "OBSERVER": "Someone", "OBJECT": ""})
    fits.HDUList([first, image]).writeto(tmp_path / "c.fits")
    header = maps.read(tmp_path / "c.fits").header
    assert (header["TELESCOP"], header["OBSERVER"], "OBJECT" in header) == ("HESS", "Someone", False)


def test_gammapy_says_it_in_a_table(tmp_path):
    columns = [
        fits.Column("TELESCOP", "4A", array=["HAWC", "HAWC"]),
        fits.Column("OBS_ID", "K", array=[1, 2]),
    ]
    table = fits.BinTableHDU.from_columns(columns, name="META_TABLE")
    image = fits.ImageHDU(np.ones((60, 60)), sky_header(), name="COUNTS")
    fits.HDUList([fits.PrimaryHDU(), image, table]).writeto(tmp_path / "c.fits")
    header = maps.read_layout(tmp_path / "c.fits").header
    assert header["TELESCOP"] == "HAWC"
    assert "OBS_ID" not in header, "its rows do not agree on it"
