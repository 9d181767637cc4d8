"""Names of HDUs: without case, with a version, or by number, for every kind of file and before any job."""

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from skymask.errors import MapError
from skymask.io import maps
from skymask.io.event_files import open_events
from skymask.io.fits_header import image_axes
from skymask.io.hdu_names import find_hdu, identify, wanted_hdu
from skymask.io.healpix_files import read_healpix
from skymask.io.tables import read_table


def image(value, name=None, version=None):
    """An image of 2 x 3 pixels of one value."""
    hdu = fits.ImageHDU(np.full((2, 3), value, np.int16))
    hdu.header.update({key: card for key, card in (("EXTNAME", name), ("EXTVER", version)) if card is not None})
    return hdu


def file_of(path, *hdus):
    """Write HDUs behind an empty primary one and return the path as text."""
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    return str(path)


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """A file with names in mixed case, two versions of one name, and two images without a name."""
    path = tmp_path_factory.mktemp("hdus") / "several.fits"
    hdus = [image(1, "Counts"), image(2, "SCI"), image(3, "sci", 2), image(4), image(5)]
    return file_of(path, *hdus)


@pytest.mark.parametrize(
    ("name", "value"), [("counts", 1), ("COUNTS", 1), ("SCI,1", 2), ("sci, 2", 3), ("4", 4), ("5", 5), ("1", 1)]
)
def test_an_image_has_its_name_in_any_case_its_version_or_its_number(several, name, value):
    assert (maps.read(f"{several}[{name}]").data == value).all()
    assert image_axes(f"{several}[{name}]") == [3, 2]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", r"holds several images \(COUNTS, SCI,1, SCI,2, 4, 5\): name one, as in .*several\.fits\[COUNTS\]"),
        ("[sci]", r"holds several images sci \(SCI,1, SCI,2\): name one, as in .*several\.fits\[SCI,1\]"),
        ("[SCI,3]", r"holds no image SCI,3, only COUNTS, SCI,1, SCI,2, 4, 5"),
        ("[0]", "holds no image 0, only COUNTS"),
        ("[6]", "holds no image 6, only COUNTS"),
    ],
)
def test_what_names_none_or_several_is_told_with_names_that_do(several, name, message):
    with pytest.raises(MapError, match=message):
        maps.read(several + name)


def test_the_first_image_is_primary_without_a_name(tmp_path):
    fits.HDUList([fits.PrimaryHDU(np.ones((2, 3))), image(2, "B")]).writeto(tmp_path / "a.fits")
    assert (maps.read(f"{tmp_path}/a.fits[primary]").data == 1).all()


names = st.none() | st.sampled_from(["A", "a", "B", "1", "PRIMARY", "A,2", "x]"])


@given(st.lists(st.tuples(names, st.none() | st.integers(1, 3)), min_size=1, max_size=6))
def test_every_name_that_a_message_offers_is_one_that_works(cards):
    hdus = fits.HDUList([fits.PrimaryHDU(), *(image(0, *card) for card in cards)])

    def find(wanted):
        return find_hdu(hdus, wanted, "a.fits", accept=lambda hdu: hdu is not hdus[0], what="image")

    if len(cards) == 1:
        assert find(None) is hdus[1]
        return
    with pytest.raises(MapError) as caught:
        find(None)
    offered = str(caught.value).split("(")[1].split("): name")[0]
    # Versions stand behind a comma without a blank.
    assert [find(label) for label in offered.split(", ")] == hdus[1:]


def test_a_number_counts_as_astropy_counts(several):
    with fits.open(several) as hdus:
        for number in range(1, len(hdus)):
            assert (maps.read(f"{several}[{number}]").data == hdus[number].data).all()


def test_events_and_tables_have_names_in_any_case(tmp_path):
    table = fits.BinTableHDU.from_columns([fits.Column("RA", "D", array=[1.0, 2.0])])
    table.header["EXTNAME"] = "Events"
    path = file_of(tmp_path / "e.fits", table)
    assert [open_events(path + name).rows for name in ("", "[events]", "[1]")] == [2, 2, 2]
    assert len(read_table(f"{path}[eVents]")) == 2


def test_a_healpix_map_has_a_name_in_any_case(tmp_path):
    table = fits.BinTableHDU.from_columns([fits.Column("COUNTS", "D", array=np.arange(12.0))])
    table.header.update(EXTNAME="skymap", PIXTYPE="HEALPIX", ORDERING="RING", NSIDE=1, COORDSYS="G")
    path = file_of(tmp_path / "h.fits", table)
    assert [len(read_healpix(path + name).values) for name in ("", "[SKYMAP]", "[1]")] == [12, 12, 12]


def test_a_name_with_a_comma_is_a_name():
    assert wanted_hdu("A,B").name == "A,B"


def test_a_version_may_be_zero():
    # As the good time intervals of the first detector of Chandra.
    assert identify(3, "GTI", 0) == ("GTI", 0)
    assert identify(3, "GTI", None) == ("GTI", 1)
