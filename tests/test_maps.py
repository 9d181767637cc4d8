"""FITS maps: read as they were written, written whole and the same twice, refused when damaged."""

import gzip
import hashlib
import os
import re
import warnings

import numpy as np
import pytest
from astropy.io import fits

from skymask.errors import MapError, SkymaskError
from skymask.io import maps
from skymask.io.fits_header import image_axes

SKY_CARDS = {
    "CTYPE1": "GLON-CAR",
    "CTYPE2": "GLAT-CAR",
    "CRPIX1": 3.5,
    "CRPIX2": 2.5,
    "CRVAL1": 359.123456789012,
    "CRVAL2": 0.0,
    "CDELT1": -0.02,
    "CDELT2": 0.02,
    "CUNIT1": "deg",
    "CUNIT2": "deg",
    "LONPOLE": 0.0,
    "LATPOLE": 90.0,
    "RADESYS": "ICRS",
    "EQUINOX": 2000.0,
    "PC1_1": 0.8,
    "PC1_2": -0.6,
    "PC2_1": 0.6,
    "PC2_2": 0.8,
    "PV2_1": 0.25,
}
SKY = fits.Header(SKY_CARDS)
IMAGE = np.arange(24.0).reshape(4, 6)


def written(path, **images):
    """Write images by the library and return the path."""
    maps.write(path, images or {"counts": IMAGE}, sky=SKY, cards=[("DATASET", "crab", "name of the dataset")])
    return path


def foreign(path, *hdus):
    """Write HDUs as somebody else would and return the path."""
    fits.HDUList(list(hdus)).writeto(path)
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64])
def test_image_comes_back_with_its_type_and_values(tmp_path, dtype):
    data = maps.read(written(tmp_path / "a.fits", counts=IMAGE.astype(dtype))).data
    assert data.dtype == np.dtype(dtype)
    assert data.dtype.isnative
    assert np.array_equal(data, IMAGE)


@pytest.mark.parametrize(
    ("largest", "dtype"), [(2**31 - 1, np.int32), (-(2**31), np.int32), (2**31, np.int64), (-(2**31) - 1, np.int64)]
)
def test_integers_are_written_in_32_bits_where_they_fit(tmp_path, largest, dtype):
    image = IMAGE.astype(np.int64)
    image[1, 2] = largest
    data = maps.read(written(tmp_path / "a.fits", counts=image)).data
    assert data.dtype == dtype
    np.testing.assert_array_equal(data, image)


@pytest.mark.parametrize("mean", [None, 0.0, 2.5, 0.1 + 0.2, 1.2345678901234567e-05, 123456.78901234567, 5e-324])
def test_mean_of_a_background_comes_back_bit_for_bit_from_its_header(tmp_path, mean):
    maps.write(
        tmp_path / "a.fits",
        {"background": np.ones((3, 4)), "counts_off": IMAGE},
        sky=SKY,
        cards=maps.mean_background_cards(mean),
    )
    assert maps.mean_background(tmp_path / "a.fits") == mean
    assert fits.getheader(tmp_path / "a.fits")["MEANBKG"] == (None if mean is None else pytest.approx(mean))
    assert set(maps.read_product(tmp_path / "a.fits")) == {"background", "counts_off"}


@pytest.mark.parametrize("content", [b"", b"SIMPLE  =", b"x" * 5760])
def test_header_of_a_damaged_product_is_refused_by_name(tmp_path, content):
    (tmp_path / "a.fits").write_bytes(content)
    with pytest.raises(MapError, match=r"a\.fits is .*: remove it and run again"):
        maps.read_header(tmp_path / "a.fits")


def test_header_of_a_file_of_others_is_refused(tmp_path):
    fits.writeto(tmp_path / "a.fits", IMAGE)
    with pytest.raises(MapError, match="was not written by skymask"):
        maps.read_header(tmp_path / "a.fits")


def test_mask_is_written_as_ones_where_used(tmp_path):
    path = written(tmp_path / "a.fits", exclusion_mask=IMAGE > 20)
    data = maps.read(path).data
    assert data.dtype == np.uint8
    assert data.tolist() == (IMAGE > 20).astype(int).tolist()


def test_undefined_and_infinite_values_come_back(tmp_path):
    image = np.array([[np.nan, np.inf, -np.inf, 1.0]])
    assert np.array_equal(maps.read(written(tmp_path / "a.fits", significance=image)).data, image, equal_nan=True)


def test_sky_cards_come_back_as_they_were(tmp_path):
    header = maps.read(written(tmp_path / "a.fits")).header
    assert {key: header[key] for key in SKY_CARDS} == SKY_CARDS


def test_sky_cards_are_all_and_nothing_but_those_of_the_sky():
    header = SKY.copy()
    header.update(OBSERVER="me", WCSAXES=2, CTYPE3="FREQ", NAXIS1=6, CD3_1=1.0, DATE="2020-01-01", BUNIT="ct")
    assert dict(maps.sky_cards(header)) == SKY_CARDS


def test_cards_unit_and_meaning_are_in_every_header(tmp_path):
    path = written(tmp_path / "a.fits", background=IMAGE, significance=IMAGE)
    with fits.open(path) as hdus:
        for hdu, name, unit in zip(hdus, ("BACKGROUND", "SIGNIFICANCE"), ("ct", ""), strict=True):
            assert (hdu.name, hdu.header["BUNIT"], hdu.header["DATASET"]) == (name, unit, "crab")


def test_long_value_comes_back_whole(tmp_path):
    maps.write(tmp_path / "a.fits", {"counts": IMAGE}, sky=SKY, cards=[("DATASET", "x" * 100, "name of the dataset")])
    assert maps.read(tmp_path / "a.fits").header["DATASET"] == "x" * 100


def test_same_maps_give_the_same_bytes(tmp_path):
    first, second = (
        written(tmp_path / name, counts=IMAGE, exclusion_mask=IMAGE > 3).read_bytes() for name in ("a.fits", "b.fits")
    )
    assert first == second


def test_no_header_and_no_comment_holds_a_date(tmp_path):
    with fits.open(written(tmp_path / "a.fits", counts=IMAGE, exclusion_mask=IMAGE > 3)) as hdus:
        for hdu in hdus:
            assert "DATE" not in hdu.header
            for card in hdu.header.cards:
                assert not re.search(r"\d{4}-\d{2}-\d{2}|\d{2}:\d{2}", f"{card.value} {card.comment}"), card


def test_product_comes_back_by_names_in_lower_case(tmp_path):
    path = written(tmp_path / "a.fits", background=IMAGE, counts_off=2 * IMAGE)
    product = maps.read_product(path)
    assert list(product) == ["background", "counts_off"]
    assert np.array_equal(product["counts_off"].data, 2 * IMAGE)


def test_pixel_size_comes_back(tmp_path):
    maps.write(tmp_path / "a.fits", {"counts": IMAGE}, sky=SKY, cards=maps.pixel_size_cards((0.02, 1 / 30)))
    assert maps.pixel_size(maps.read(tmp_path / "a.fits").header) == (0.02, 1 / 30)


def test_file_is_replaced(tmp_path):
    path = written(tmp_path / "a.fits", counts=IMAGE)
    assert np.array_equal(maps.read(written(path, counts=IMAGE + 1)).data, IMAGE + 1)


# Compression.


def test_gzipped_map_is_read(tmp_path):
    path = tmp_path / "a.fits.gz"
    path.write_bytes(gzip.compress(written(tmp_path / "a.fits").read_bytes()))
    assert np.array_equal(maps.read(path).data, IMAGE)


def test_plain_file_named_as_compressed_is_read(tmp_path):
    # As it comes from a server that calls the compression an encoding of the transfer.
    assert np.array_equal(maps.read(written(tmp_path / "a.fits").rename(tmp_path / "a.fits.gz")).data, IMAGE)


def test_tile_compressed_map_is_read(tmp_path):
    compressed = fits.CompImageHDU(IMAGE.astype(np.int32), SKY, name="COUNTS")
    path = foreign(tmp_path / "a.fits", fits.PrimaryHDU(), compressed)
    sky_map = maps.read(path)
    assert np.array_equal(sky_map.data, IMAGE)
    assert dict(maps.sky_cards(sky_map.header)) == SKY_CARDS


# Several images.


@pytest.fixture
def several(tmp_path):
    return foreign(
        tmp_path / "several.fits",
        fits.PrimaryHDU(),
        fits.ImageHDU(IMAGE, name="COUNTS"),
        fits.ImageHDU(-IMAGE, name="BACKGROUND"),
    )


@pytest.mark.parametrize(("name", "sign"), [("COUNTS", 1), ("BACKGROUND", -1), ("background", -1)])
def test_named_image_is_read(several, name, sign):
    assert np.array_equal(maps.read(f"{several}[{name}]").data, sign * IMAGE)


def test_one_image_after_an_empty_primary_needs_no_name(tmp_path):
    path = foreign(tmp_path / "a.fits", fits.PrimaryHDU(), fits.ImageHDU(IMAGE))
    assert np.array_equal(maps.read(path).data, IMAGE)


def test_several_images_without_a_name_are_refused(several):
    with pytest.raises(MapError, match=r"holds several images \(COUNTS, BACKGROUND\): name one, as in .*\[COUNTS\]"):
        maps.read(several)


def test_several_images_that_have_no_names_are_refused(tmp_path):
    path = foreign(tmp_path / "a.fits", fits.PrimaryHDU(IMAGE), fits.ImageHDU(-IMAGE))
    with pytest.raises(MapError, match="holds several images"):
        maps.read(path)


def test_several_images_of_the_same_name_are_refused(tmp_path):
    images = [fits.ImageHDU(IMAGE, name="COUNTS"), fits.ImageHDU(-IMAGE, name="COUNTS")]
    path = foreign(tmp_path / "a.fits", fits.PrimaryHDU(), *images)
    with pytest.raises(MapError, match="holds several images"):
        maps.read(f"{path}[COUNTS]")


def test_unknown_image_is_refused_with_the_known_ones(several):
    with pytest.raises(MapError, match="holds no image EXCESS, only COUNTS, BACKGROUND"):
        maps.read(f"{several}[EXCESS]")


def test_file_without_an_image_is_refused(tmp_path):
    table = fits.BinTableHDU.from_columns([fits.Column("x", "E", array=np.ones(3))])
    with pytest.raises(MapError, match="holds no image"):
        maps.read(foreign(tmp_path / "a.fits", fits.PrimaryHDU(), table))


@pytest.mark.parametrize("shape", [(2, 2, 6), (24,)])
def test_image_of_other_dimensions_is_refused(tmp_path, shape):
    path = foreign(tmp_path / "a.fits", fits.PrimaryHDU(IMAGE.reshape(shape)))
    with pytest.raises(MapError, match=rf"has {len(shape)} dimensions .*, expected 2"):
        maps.read(path)


def test_axes_of_length_one_are_dropped(tmp_path):
    path = foreign(tmp_path / "a.fits", fits.PrimaryHDU(IMAGE.reshape(1, 1, 4, 6)))
    np.testing.assert_array_equal(maps.read(path).data, IMAGE)


def test_cube_is_read_if_asked_for(tmp_path):
    path = foreign(tmp_path / "a.fits", fits.PrimaryHDU(IMAGE.reshape(2, 2, 6)))
    assert maps.read(path, dimensions=3).data.shape == (2, 2, 6)


# Damage.


def test_missing_file_is_named(tmp_path):
    with pytest.raises(MapError, match=r"none\.fits does not exist"):
        maps.read(tmp_path / "none.fits")


def test_folder_is_no_file(tmp_path):
    with pytest.raises(MapError, match="is not a file"):
        maps.read(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_that_may_not_be_read_is_named(tmp_path):
    path = written(tmp_path / "a.fits")
    path.chmod(0)
    with pytest.raises(MapError, match=r"a\.fits cannot be read: permission denied"):
        maps.read(path)


@pytest.mark.parametrize("content", [b"", b"counts\n1 2 3\n", b"\x89PNG\r\n\x1a\n" + bytes(3000)])
@pytest.mark.parametrize("read", [maps.read, maps.read_product])
def test_file_that_is_not_fits_is_refused(tmp_path, content, read):
    path = tmp_path / "a.fits"
    path.write_bytes(content)
    with pytest.raises(MapError, match=r"a\.fits is .*not a FITS file"):
        read(path)


@pytest.mark.parametrize("read", [maps.read, maps.read_product])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_truncated_file_is_refused(tmp_path, read, kept):
    image = np.random.default_rng(1).poisson(5.0, (60, 60))
    path = written(tmp_path / "a.fits", counts=image)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(MapError, match=r"a\.fits is damaged"):
        read(path)


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_truncated_gzipped_file_is_refused(tmp_path, kept):
    image = np.random.default_rng(1).poisson(5.0, (60, 60))
    content = gzip.compress(written(tmp_path / "a.fits", counts=image).read_bytes())
    path = tmp_path / "a.fits.gz"
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(MapError, match=r"a\.fits\.gz is damaged"):
        maps.read(path)


def test_flipped_bit_in_a_gzipped_file_is_refused(tmp_path):
    image = np.random.default_rng(1).poisson(5.0, (60, 60))
    content = bytearray(gzip.compress(written(tmp_path / "a.fits", counts=image).read_bytes()))
    content[len(content) // 2] ^= 4
    path = tmp_path / "a.fits.gz"
    path.write_bytes(content)
    with pytest.raises(MapError, match=r"a\.fits\.gz is damaged"):
        maps.read(path)


@pytest.mark.parametrize("where", [b"ct      ", np.array([7.0]).astype(">f8").tobytes()], ids=["header", "data"])
def test_flipped_bit_in_a_product_is_refused(tmp_path, where):
    path = written(tmp_path / "a.fits")
    content = bytearray(path.read_bytes())
    content[content.index(where)] ^= 1
    path.write_bytes(content)
    with pytest.raises(MapError, match=r"a\.fits is damaged .*verification failed"):
        maps.read_product(path)


def test_file_of_somebody_else_is_no_product(tmp_path):
    with pytest.raises(MapError, match="was not written by skymask"):
        maps.read_product(foreign(tmp_path / "a.fits", fits.PrimaryHDU(IMAGE)))


def test_a_scale_beyond_all_numbers_makes_infinities_without_a_warning(tmp_path):
    fits.PrimaryHDU(np.full((3, 3), 100, dtype=np.int16)).writeto(tmp_path / "map.fits")
    content = (tmp_path / "map.fits").read_bytes()
    card = "BSCALE  =                1E307".ljust(80).encode()
    (tmp_path / "map.fits").write_bytes(
        content.replace(b"END".ljust(80), card + b"END".ljust(80), 1)[:2880] + content[2880:]
    )
    assert np.isinf(maps.read(tmp_path / "map.fits").data).all()


def test_oddities_of_foreign_headers_are_no_damage(tmp_path):
    path = foreign(tmp_path / "a.fits", fits.PrimaryHDU(IMAGE))
    content = path.read_bytes()
    # A card that is against the standard, in lower case, in place of a blank one.
    end = content.index(b"END" + b" " * 77)
    card = b"lower   = 'odd'".ljust(80)
    path.write_bytes(content[:end] + card + b"END" + b" " * 77 + content[end + 160 :])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(maps.read(path).data, IMAGE)


# Files that are whole or not there.


def test_writing_into_no_folder_is_refused_by_name(tmp_path):
    with pytest.raises(SkymaskError, match=r"a\.fits cannot be written: No such file or directory"):
        written(tmp_path / "none" / "a.fits")


def test_failed_rename_leaves_nothing_but_what_was_there(tmp_path):
    (tmp_path / "a.fits").mkdir()
    with pytest.raises(SkymaskError, match=r"a\.fits cannot be written: Is a directory"):
        written(tmp_path / "a.fits")
    assert [path.name for path in tmp_path.iterdir()] == ["a.fits"]
    assert list((tmp_path / "a.fits").iterdir()) == []


def test_image_that_cannot_be_written_leaves_no_file(tmp_path):
    with pytest.raises(KeyError, match="complex128"):
        written(tmp_path / "a.fits", counts=IMAGE.astype(complex))
    assert list(tmp_path.iterdir()) == []


def test_failed_write_leaves_the_last_file_as_it_was(tmp_path):
    path = written(tmp_path / "a.fits")
    before = path.read_bytes()
    with pytest.raises(KeyError, match="no_such_map"):
        written(path, no_such_map=IMAGE)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_digest_is_that_of_the_file_whatever_image_is_named(tmp_path):
    path = written(tmp_path / "a.fits")
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    assert maps.file_digest(path) == expected
    assert maps.file_digest(f"{path}[COUNTS]") == expected


def test_old_names_of_the_frame_become_todays():
    cards = maps.sky_cards(fits.Header({"CTYPE1": "RA---TAN", "RADECSYS": "FK4", "EPOCH": 1950.0}))
    assert (cards["RADESYS"], cards["EQUINOX"]) == ("FK4", 1950.0)


def write_with_card(path, card, replaced, compress=bytes):
    """Write a map with another card in the place of one."""
    fits.writeto(path, np.ones((4, 6)))
    content = path.read_bytes()
    at = content.index(f"{replaced:<8}=".encode())
    path.write_bytes(compress(content[:at] + card.ljust(80).encode() + content[at + 80 :]))


@pytest.mark.parametrize("keyword", ["NAXIS", "ZNAXIS", "TFIELDS"])
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_a_header_that_claims_more_axes_or_columns_than_there_can_be_is_refused_at_once(tmp_path, keyword, compress):
    """Readers count up to what the header says, which takes them minutes and all memory."""
    path = tmp_path / "counts.fits"
    card = f"{keyword:<8}=        1000000000000"
    write_with_card(path, card, "NAXIS" if keyword == "NAXIS" else "EXTEND", compress)
    with pytest.raises(MapError, match=rf"{keyword} is 1000000000000, and at most 999 is possible"):
        maps.read(path)


def test_a_header_with_two_numbers_of_axes_is_refused_at_once(tmp_path):
    """The second one counts for astropy."""
    path = tmp_path / "counts.fits"
    write_with_card(path, "NAXIS   =        1000000000000", "EXTEND")
    with pytest.raises(MapError, match="NAXIS stands in a header twice"):
        maps.read(path)
    assert image_axes(path) is None


def test_a_header_whose_data_are_less_than_nothing_ends_the_search_for_images(tmp_path):
    path = tmp_path / "counts.fits"
    write_with_card(path, "PCOUNT  =             -1000000", "EXTEND")
    assert image_axes(f"{path}[MISSING]") is None
