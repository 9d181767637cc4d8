"""Images by rows: the same file however they were cut, plain or packed, as astropy reads it."""

import numpy as np
import pytest
from astropy.io import fits
from conftest import sky_header

from skymask.errors import MapError
from skymask.io import maps

#: Neither side is divided by the strips or by the bytes of a word.
SHAPE = (37, 51)

SKY = sky_header(SHAPE)


def images(seed=1):
    """Images of every type that maps have, by the name of a product."""
    random = np.random.default_rng(seed)
    significance = random.normal(size=SHAPE)
    significance[3:5, 7:20] = np.nan
    significance[9, 9] = np.inf
    return {
        "exclusion_mask": random.random(SHAPE) > 0.1,
        "counts": random.poisson(3.0, SHAPE).astype(np.int32),
        "acceptance_off": random.poisson(2000.0, SHAPE).astype(np.int16),
        "counts_off": random.poisson(2000.0, SHAPE).astype(np.int64),
        "significance": significance,
    }


def write_in(path, images, rows, *, packed=(), cards=()):
    """Write images in strips of so many rows, and return the path."""
    with maps.written_in_rows(path, SHAPE, sky=SKY, cards=cards, packed=packed) as file:
        for start in range(0, SHAPE[0], rows):
            file.append({name: image[start : start + rows] for name, image in images.items()})
    return path


@pytest.mark.parametrize("rows", [8, 36])
@pytest.mark.parametrize("packed", [(), tuple(images())], ids=["plain", "packed"])
def test_file_is_the_same_however_it_was_cut(tmp_path, rows, packed):
    whole = write_in(tmp_path / "whole.fits", images(), SHAPE[0], packed=packed)
    parts = write_in(tmp_path / "parts.fits", images(), rows, packed=packed)
    assert parts.read_bytes() == whole.read_bytes()


def test_write_writes_the_file_of_one_strip(tmp_path):
    maps.write(tmp_path / "a.fits", images(), sky=SKY)
    assert (tmp_path / "a.fits").read_bytes() == write_in(tmp_path / "b.fits", images(), 5).read_bytes()


@pytest.mark.parametrize("packed", [(), tuple(images()), ("counts_off", "significance")])
def test_astropy_reads_what_was_written_and_finds_its_checksums_right(tmp_path, recwarn, packed):
    with fits.open(write_in(tmp_path / "a.fits", images(), 8, packed=packed), checksum=True) as hdus:
        for name, image in images().items():
            assert np.array_equal(hdus[name].data, image, equal_nan=name == "significance"), name
            assert hdus[name].data.dtype.itemsize == {"counts_off": 4, "exclusion_mask": 1}.get(name, image.itemsize)
    assert not recwarn.list


@pytest.mark.parametrize("packed", [(), tuple(images())], ids=["plain", "packed"])
def test_rows_come_back_in_the_order_of_bytes_of_the_machine(tmp_path, packed):
    stored = maps.open_product(write_in(tmp_path / "a.fits", images(), 8, packed=packed))
    for name, image in images().items():
        part = stored[name][5:23]
        assert part.dtype.isnative
        assert np.array_equal(part, image[5:23], equal_nan=name == "significance"), name
        assert stored[name][7:7].shape == (0, SHAPE[1])


def test_packed_image_has_the_cards_of_the_plain_one(tmp_path):
    cards = [("DATASET", "crab", "name of the dataset")]
    plain, packed = (
        maps.read_product(write_in(tmp_path / f"{number}.fits", images(), 8, packed=names, cards=cards))
        for number, names in enumerate([(), tuple(images())])
    )
    structure = {"SIMPLE", "XTENSION", "EXTEND", "PCOUNT", "GCOUNT", "CHECKSUM", "DATASUM"}
    for name in images():
        ours, theirs = (
            {card.keyword: card.value for card in product[name].header.cards if card.keyword not in structure}
            for product in (packed, plain)
        )
        assert ours == theirs


@pytest.mark.parametrize("packed", [(), ("counts",)], ids=["plain", "packed"])
def test_header_of_the_first_image_is_read_without_its_pixels(tmp_path, packed):
    path = write_in(tmp_path / "a.fits", {"counts": images()["counts"]}, 8, packed=packed)
    header = maps.read_header(path)
    assert (header["EXTNAME"], header["NAXIS1"], header["NAXIS2"]) == ("COUNTS", SHAPE[1], SHAPE[0])


def test_packed_masks_and_counts_take_a_fraction_of_the_bytes(tmp_path):
    counts = np.random.default_rng(1).poisson(1.0, (400, 1000)).astype(np.int32)
    images = {"counts": counts, "exclusion_mask": counts < 6}
    with maps.written_in_rows(tmp_path / "a.fits", counts.shape, sky=SKY, packed=images) as file:
        file.append(images)
    assert (tmp_path / "a.fits").stat().st_size < 0.6 * counts.size


@pytest.mark.parametrize("largest", [2**31 - 1, 2**31])
@pytest.mark.parametrize("packed", [(), ("counts",)], ids=["plain", "packed"])
def test_integers_that_fit_only_in_the_last_strip_are_written_as_if_the_whole_were_known(tmp_path, largest, packed):
    counts = np.ones(SHAPE, dtype=np.int64)
    counts[-1, -1] = largest
    both = {"counts": counts, "exclusion_mask": counts == 1}
    whole = write_in(tmp_path / "whole.fits", both, SHAPE[0], packed=packed)
    parts = write_in(tmp_path / "parts.fits", both, 8, packed=packed)
    assert parts.read_bytes() == whole.read_bytes()
    assert maps.open_product(parts)["counts"].dtype == (np.int32 if largest < 2**31 else np.int64)


def test_cards_that_are_known_at_the_end_are_in_the_header(tmp_path):
    known = {"excluded": 0}
    with maps.written_in_rows(
        tmp_path / "a.fits", SHAPE, sky=SKY, cards=lambda: [("NEXCL", known["excluded"], "excluded pixels")]
    ) as file:
        file.append({"counts": images()["counts"]})
        known["excluded"] = 12345
    assert maps.open_product(tmp_path / "a.fits")["counts"].header["NEXCL"] == 12345


def test_rows_that_are_missing_leave_no_file(tmp_path):
    with (
        pytest.raises(ValueError, match="8 rows were written, and the image has 37"),
        maps.written_in_rows(tmp_path / "a.fits", SHAPE, sky=SKY) as file,
    ):
        file.append({"counts": images()["counts"][:8]})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("packed", [(), ("counts",)], ids=["plain", "packed"])
def test_every_flipped_byte_is_found(tmp_path, packed):
    path = write_in(tmp_path / "a.fits", {"counts": images()["counts"]}, 8, packed=packed)
    content = path.read_bytes()
    for position in np.random.default_rng(1).integers(0, len(content), 60):
        damaged = bytearray(content)
        damaged[position] ^= 16
        path.write_bytes(damaged)
        with pytest.raises(MapError, match=r"a\.fits .*: remove it and run again"):
            maps.open_product(path)
