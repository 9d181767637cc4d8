"""Tables and pixels as they are stored: what stands for none is decided there, before scale and zero point."""

import warnings

import numpy as np
import pytest
from astropy.io import fits
from conftest import sky_header
from hypothesis import given, settings
from hypothesis import strategies as st

from skymask.datasets.reading import read_dataset
from skymask.errors import MapError
from skymask.io import maps
from skymask.io.healpix_files import read_healpix
from skymask.io.position_tables import read_catalogue
from skymask.io.tables import find_column, pixels_of, read_table


def table_file(path, *columns, name="SOURCES", cards=()):
    """Write a table and return its path as text."""
    table = fits.BinTableHDU.from_columns(columns, name=name)
    table.header.update(dict(cards))
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path, overwrite=True)
    return str(path)


def image_file(path, stored, **cards):
    """Write an image whose header scales it, and return its path as text."""
    hdu = fits.PrimaryHDU(stored)
    hdu.header.update(cards)
    hdu.writeto(path, overwrite=True)
    return str(path)


def column(name, form, values):
    return fits.Column(name, form, array=np.array(values))


@pytest.mark.parametrize(("null", "radii"), [(99, [10.0, np.nan]), (10, [10.0, 9.9])])
def test_an_empty_value_of_a_scaled_column_is_the_stored_one(tmp_path, null, radii):
    path = table_file(tmp_path / "t.fits", column("R", "I", [100, 99]), cards={"TSCAL1": 0.1, "TNULL1": null})
    assert np.allclose(read_table(path).numbers("R"), radii, equal_nan=True)


def test_an_empty_row_of_a_scaled_catalogue_is_left_out(tmp_path):
    columns = column("RA", "D", [10.0, 20.0]), column("DEC", "D", [0.0, 0.0]), column("R", "I", [100, 99])
    path = table_file(tmp_path / "t.fits", *columns, cards={"TSCAL3": 0.1, "TNULL3": 99})
    found = read_catalogue(path, radius="r")
    assert (found.radius.tolist(), found.left_out) == ([10.0], ["2"])


def test_a_column_that_nobody_needs_may_be_what_astropy_cannot_convert(tmp_path):
    columns = column("RA", "D", [10.0]), column("DEC", "D", [0.0]), column("FLAG", "B", [1])
    path = table_file(tmp_path / "t.fits", *columns, cards={"TNULL3": -99})
    assert read_catalogue(path, radius="1 deg").longitude.tolist() == [10.0]


@pytest.mark.parametrize("form", ["L", "2D", "3A", "C", "PD()"])
def test_what_is_not_one_number_in_a_row_is_refused(tmp_path, form):
    values = {"L": [True], "2D": [[1.0, 2.0]], "3A": ["abc"], "C": [1j], "PD()": np.array([[1.0, 2.0]], dtype=object)}
    path = table_file(tmp_path / "t.fits", fits.Column("R", form, array=values[form]))
    with pytest.raises(MapError, match=r"t\.fits: the column R must hold one number in each row"):
        read_table(path).numbers("R")


def test_a_table_in_text_is_read_with_its_blanks(tmp_path):
    columns = [
        fits.Column("A", "E8.1", ascii=True, array=[1.5, 2.5]),
        fits.Column("N", "A3", ascii=True, array=["a", "b"]),
    ]
    table = fits.TableHDU.from_columns(columns)
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "t.fits")
    content = (tmp_path / "t.fits").read_bytes()
    (tmp_path / "t.fits").write_bytes(content.replace(b" 2.5E+00", b"        "))
    read = read_table(tmp_path / "t.fits")
    assert np.array_equal(read.numbers("A"), [1.5, np.nan], equal_nan=True)
    assert read.texts("N") == ["a", "b"]


numbers = st.one_of(
    st.tuples(st.just("B"), st.lists(st.integers(0, 255), min_size=1, max_size=5)),
    st.tuples(st.just("I"), st.lists(st.integers(-(2**15), 2**15 - 1), min_size=1, max_size=5)),
    st.tuples(st.just("J"), st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=5)),
    st.tuples(st.just("D"), st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=5)),
)


@settings(max_examples=50, deadline=None)
@given(numbers, st.sampled_from([None, 0.1, 2.0]), st.sampled_from([None, 32768.0, -3.0]), st.booleans())
def test_numbers_are_scaled_where_they_do_not_stand_for_none(tmp_path_factory, stored, scale, zero, has_null):
    form, values = stored
    null = values[0] if has_null and form != "D" else None
    cards = {"TSCAL1": scale, "TZERO1": zero, "TNULL1": null}
    cards = {key: value for key, value in cards.items() if value is not None}
    path = table_file(tmp_path_factory.mktemp("t") / "t.fits", column("A", form, values), cards=cards)
    want = [np.nan if value == null else value * (scale or 1) + (zero or 0) for value in values]
    assert np.allclose(read_table(path).numbers("A"), want, rtol=1e-15, atol=0, equal_nan=True)


def test_columns_are_found_in_another_case_if_that_is_unique():
    assert find_column(["Ra", "dec", "DEC"], "RA") == "Ra"
    assert find_column(["Ra", "dec", "DEC"], "Dec") is None
    assert find_column(["Ra", "dec", "DEC"], "dec") == "dec"


# Unsigned integers, of which the stored 32767 is 65535; signed bytes; scaled ones; plain ones.
@pytest.mark.parametrize(
    ("stored", "cards", "pixels"),
    [
        (np.array([[-32768, 32767]], "i2"), {"BZERO": 32768}, np.array([[0, 65535]], "u2")),
        (np.array([[-32768, 32767]], "i2"), {"BZERO": 32768, "BLANK": 32767}, [[0, np.nan]]),
        (np.array([[-32768, 3]], "i2"), {"BZERO": 32768, "BLANK": 32767}, np.array([[0, 32771]], "u2")),
        (np.array([[128, 0]], "u1"), {"BZERO": -128}, np.array([[0, -128]], "i1")),
        (np.array([[128, 0]], "u1"), {"BZERO": -128, "BLANK": 0}, [[0, np.nan]]),
        (np.array([[-(2**31), 7]], "i4"), {"BZERO": 2**31}, np.array([[0, 2**31 + 7]], "u4")),
        (np.array([[5, -1]], "i4"), {"BLANK": -1}, [[5, np.nan]]),
        (np.array([[5, -1]], "i4"), {}, np.array([[5, -1]], "i4")),
        (np.array([[50, -1]], "i2"), {"BSCALE": 0.1, "BZERO": 1.0, "BLANK": -1}, [[6, np.nan]]),
        (np.array([[5, 2]], "i2"), {"BZERO": -32768}, [[-32763, -32766]]),
    ],
)
def test_pixels_are_scaled_and_blank_ones_are_undefined(tmp_path, stored, cards, pixels):
    read = maps.read(image_file(tmp_path / "a.fits", stored, **cards)).data
    assert np.allclose(read, pixels, rtol=1e-15, equal_nan=True)
    if isinstance(pixels, np.ndarray):
        assert read.dtype == pixels.dtype


def test_floating_point_pixels_have_no_blank():
    assert pixels_of(np.array([[1.5, -1.0]], "f4"), fits.Header({"BLANK": -1}), "a.fits").tolist() == [[1.5, -1.0]]


def test_a_scale_in_quotes_is_that_scale():
    assert pixels_of(np.array([[2]], ">i2"), fits.Header({"BSCALE": "0.5"}), "a.fits").tolist() == [[1.0]]


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from(["u1", "i2", "i4", "i8", "f4", "f8"]),
    st.sampled_from([{}, {"BZERO": 32768}, {"BSCALE": 0.25}, {"BSCALE": 2.0, "BZERO": -3.0}, {"BZERO": -128}]),
)
def test_without_blanks_pixels_are_those_of_astropy(tmp_path_factory, dtype, cards):
    path = image_file(tmp_path_factory.mktemp("a") / "a.fits", np.arange(6, dtype=dtype).reshape(2, 3), **cards)
    with warnings.catch_warnings(), fits.open(path) as hdus:
        assert np.array_equal(maps.read(path).data, hdus[0].data)


def compressed(path, data, **options):
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(data, **options)]).writeto(path)
    return str(path)


def test_counts_that_compression_rounded_are_said_to_be(tmp_path):
    counts = np.random.default_rng(0).poisson(5, (40, 40)).astype("f4")
    path = compressed(tmp_path / "c.fits", counts, header=sky_header((40, 40)))
    with pytest.raises(MapError, match=r"^counts .*c\.fits holds whole numbers no more in .* compressed with loss"):
        read_dataset(path)


@pytest.mark.parametrize("options", [{"quantize_level": 0, "compression_type": "GZIP_2"}, {}])
def test_counts_that_compression_kept_are_taken(tmp_path, options):
    counts = np.random.default_rng(0).poisson(5, (40, 40)).astype("f4" if options else "i4")
    path = compressed(tmp_path / "c.fits", counts, header=sky_header((40, 40)), **options)
    assert read_dataset(path).inputs.counts.sum() == counts.sum()


def healpix(path, *columns, **cards):
    known = {"PIXTYPE": "HEALPIX", "ORDERING": "RING", "NSIDE": 1, "COORDSYS": "G"}
    return table_file(path, *columns, name="MAP", cards=known | cards)


def test_integers_of_a_healpix_map_that_stand_for_none_are_undefined(tmp_path):
    path = healpix(tmp_path / "h.fits", column("C", "I", np.arange(12)), TNULL1=3)
    values = read_healpix(path).values
    assert np.isnan(values).sum() == 1
    assert np.nansum(values) == 66 - 3


def test_small_integers_of_several_columns_do_not_overflow(tmp_path):
    path = healpix(tmp_path / "h.fits", *(column(name, "B", [200] * 12) for name in "AB"))
    assert read_healpix(path, several=True).values.tolist() == [400] * 12
