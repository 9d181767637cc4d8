"""Datasets: files that belong together, and kernels that make sense on their pixels."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from skymask.core.inputs import prepare
from skymask.datasets.reading import check_kernels, named_files, origin_cards, read_dataset, short_name
from skymask.errors import MapError

SHAPE = (20, 30)


def header_of(**cards):
    header = fits.Header(
        {
            "CTYPE1": "RA---TAN",
            "CTYPE2": "DEC--TAN",
            "CRVAL1": 83.6,
            "CRVAL2": 22.0,
            "CDELT1": -0.05,
            "CDELT2": 0.05,
            "CRPIX1": 15.5,
            "CRPIX2": 10.5,
        }
    )
    header.update(cards)
    return header


def write(path, data, **cards):
    fits.writeto(path, data, header_of(**cards))
    return str(path)


@pytest.fixture
def files(tmp_path):
    mask = np.ones(SHAPE, dtype=np.uint8)
    mask[:2] = 0
    return {
        "counts": write(tmp_path / "counts.fits", np.full(SHAPE, 3, dtype=np.int32)),
        "acceptance": write(tmp_path / "acceptance.fits", np.full(SHAPE, 0.5)),
        "exclusion_mask": write(tmp_path / "mask.fits", mask),
        "background": write(tmp_path / "background.fits", np.full(SHAPE, 2.5)),
    }


def test_files_become_the_arrays_of_their_names(files):
    inputs = read_dataset(**files).inputs
    assert (inputs.counts == 3).all()
    assert (inputs.acceptance == 0.5).all()
    assert (inputs.background == 2.5).all()
    assert not inputs.exclusion_mask[:2].any()
    assert inputs.exclusion_mask[2:].all()


def test_counts_alone_make_a_dataset(files):
    inputs = read_dataset(files["counts"]).inputs
    assert inputs.coverage.all()
    assert inputs.background is None


def test_header_is_that_of_the_counts(files):
    assert read_dataset(**files).header["CRVAL1"] == 83.6


def test_digests_are_those_of_the_files(files):
    digests = read_dataset(**files).digests
    assert digests == {key: hashlib.sha256(Path(path).read_bytes()).hexdigest() for key, path in files.items()}


def test_images_of_one_file_are_read_by_name(tmp_path):
    path = tmp_path / "all.fits"
    images = {"COUNTS": np.full(SHAPE, 3), "ACCEPTANCE": np.full(SHAPE, 0.5)}
    hdus = [fits.ImageHDU(image, header_of(), name=name) for name, image in images.items()]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    inputs = read_dataset(f"{path}[COUNTS]", acceptance=f"{path}[ACCEPTANCE]").inputs
    assert (inputs.acceptance == 0.5).all()


@pytest.mark.parametrize("key", ["acceptance", "coverage", "background"])
def test_file_of_another_shape_is_refused_by_name(files, tmp_path, key):
    files[key] = write(tmp_path / "other.fits", np.ones((20, 29)))
    with pytest.raises(MapError, match=rf"{key} .*other\.fits has the shape \(20, 29\), counts \(20, 30\)"):
        read_dataset(**files)


@pytest.mark.parametrize("key", ["acceptance", "coverage", "background"])
def test_file_of_another_place_is_refused_by_name(files, tmp_path, key):
    files[key] = write(tmp_path / "other.fits", np.ones(SHAPE), CRPIX1=16.5)
    with pytest.raises(MapError, match=rf"{key} .*other\.fits lies elsewhere on the sky"):
        read_dataset(**files)


def test_mask_on_another_grid_is_brought_to_that_of_the_counts(files, tmp_path):
    # Two rows and one column further: its first row lies on the third of the counts.
    other = np.ones(SHAPE, dtype=np.uint8)
    other[0, 3] = 0
    files["exclusion_mask"] = write(tmp_path / "other.fits", other, CRPIX1=14.5, CRPIX2=8.5)
    inputs = read_dataset(**files).inputs
    assert np.argwhere(~inputs.exclusion_mask).tolist() == [[2, 4]]
    (warning,) = inputs.warnings
    # Two rows of 30 and one column of the 18 rows that are left.
    assert warning.endswith("other.fits does not cover 78 pixels of the map: it excludes none of them")


def test_mask_on_the_same_grid_in_other_words_is_taken_as_it_is(files, tmp_path):
    mask = np.ones(SHAPE, dtype=np.uint8)
    mask[5, 7] = 0
    files["exclusion_mask"] = write(tmp_path / "turned.fits", mask, CRVAL1=83.6 - 360)
    inputs = read_dataset(**files).inputs
    assert np.argwhere(~inputs.exclusion_mask).tolist() == [[5, 7]]
    assert inputs.warnings == []


def test_mask_elsewhere_on_the_sky_excludes_nothing_with_a_warning(files, tmp_path):
    files["exclusion_mask"] = write(tmp_path / "other.fits", np.zeros((5, 5)), CRVAL1=120)
    inputs = read_dataset(**files).inputs
    assert inputs.exclusion_mask.all()
    (warning,) = inputs.warnings
    assert warning.endswith("other.fits lies elsewhere on the sky than counts: it excludes nothing")


def test_mask_without_sky_coordinates_is_refused_by_name(files, tmp_path):
    fits.writeto(tmp_path / "plain.fits", np.ones((5, 5)))
    with pytest.raises(MapError, match=r"exclusion_mask .*plain\.fits has no sky coordinates"):
        read_dataset(files["counts"], exclusion_mask=str(tmp_path / "plain.fits"))


def test_mask_on_another_grid_with_other_values_is_refused(files, tmp_path):
    files["exclusion_mask"] = write(tmp_path / "other.fits", np.full((50, 50), 0.5))
    with pytest.raises(MapError, match=r"exclusion_mask must hold 1 \(used\) and 0 \(excluded\) only"):
        read_dataset(**files)


REGION = {"shape": "circle", "center": ["83.6 deg", "22 deg"], "radius": "0.1 deg"}


def test_regions_are_excluded_besides_the_mask(files):
    plain, more = (read_dataset(**files, exclusion_regions=regions).inputs for regions in ([], [REGION]))
    # The middle lies between pixels of 0.05 deg: 12 centres are within two pixels of it.
    assert np.count_nonzero(plain.exclusion_mask & ~more.exclusion_mask) == 12
    assert not (~plain.exclusion_mask & more.exclusion_mask).any()


def test_regions_that_cover_no_pixel_are_a_warning(files):
    away = REGION | {"center": ["90 deg", "22 deg"]}
    inputs = read_dataset(**files, exclusion_regions=[REGION, away]).inputs
    assert inputs.warnings == ["exclusion_regions.1 circle covers no pixel of the map"]


def test_coverage_and_least_acceptance_are_read(files, tmp_path):
    coverage = np.ones(SHAPE, dtype=np.uint8)
    coverage[:, 0] = 0
    acceptance = np.full(SHAPE, 2.0)
    acceptance[:, 1] = 0.5
    files["coverage"] = write(tmp_path / "coverage.fits", coverage)
    files["acceptance"] = write(tmp_path / "falling.fits", acceptance)
    inputs = read_dataset(**files, min_acceptance_fraction=0.3).inputs
    assert np.array_equal(inputs.coverage, np.broadcast_to(np.arange(30) > 1, SHAPE))


def test_map_that_goes_all_around_is_refused(tmp_path):
    cards = {"CTYPE1": "GLON-CAR", "CTYPE2": "GLAT-CAR", "CRVAL1": 0, "CRVAL2": 0, "CDELT1": -12.0, "CDELT2": 0.5}
    with pytest.raises(MapError, match=r"goes all around .* cut in two, .* cut it into maps that overlap"):
        read_dataset(write(tmp_path / "around.fits", np.ones(SHAPE), **cards))


def test_counts_without_sky_coordinates_are_refused_by_name(tmp_path):
    fits.writeto(tmp_path / "plain.fits", np.ones(SHAPE))
    with pytest.raises(MapError, match=r"plain\.fits has no sky coordinates"):
        read_dataset(str(tmp_path / "plain.fits"))


def test_distorted_counts_are_refused(tmp_path):
    counts = write(tmp_path / "wide.fits", np.ones(SHAPE), CDELT1=-3.0, CDELT2=3.0)
    with pytest.raises(MapError, match="pixel sizes differ"):
        read_dataset(counts)


def test_counts_that_are_none_are_refused(tmp_path):
    with pytest.raises(MapError, match="no whole numbers"):
        read_dataset(write(tmp_path / "flux.fits", np.full(SHAPE, 0.5)))


def test_missing_file_is_refused_by_name(files):
    with pytest.raises(MapError, match=r"none\.fits does not exist"):
        read_dataset(files["counts"], acceptance="none.fits")


def test_names_of_files_carry_their_image_if_they_have_one():
    files = {"counts": "a.fits", "acceptance": "b.fits", "library": "c"}
    assert named_files(files, {"counts": "COUNTS", "acceptance": None}) == {
        "counts": "a.fits[COUNTS]",
        "acceptance": "b.fits",
    }


def test_origin_cards_name_every_file_and_what_the_counts_say_of_themselves(files):
    with fits.open(files["counts"], mode="update") as hdus:
        hdus[0].header["TELESCOP"] = ("HESS", "a telescope")
    dataset = read_dataset(**files)
    cards = {key: value for key, value, _ in origin_cards(dataset)}
    assert cards.pop("TELESCOP") == "HESS"
    words = {"counts": "CNTS", "acceptance": "ACC", "exclusion_mask": "EXCL", "background": "BKG"}
    expected = {f"FIL{words[key]}": Path(path).name for key, path in files.items()}
    expected |= {f"SHA{words[key]}": dataset.digests[key] for key in files}
    assert cards == expected


def test_origin_cards_name_the_files_of_regions(files, tmp_path):
    (tmp_path / "étoiles.csv").write_text("ra,dec\n83.6,22\n")
    table = {"table": str(tmp_path / "étoiles.csv"), "radius": "0.1 deg"}
    dataset = read_dataset(files["counts"], exclusion_regions=[REGION, table, table | {"radius": "0.2 deg"}])
    cards = {key: value for key, value, _ in origin_cards(dataset) if "REG" in key}
    sha256 = hashlib.sha256((tmp_path / "étoiles.csv").read_bytes()).hexdigest()
    assert set(cards) == {"SHAREGS", "FILREG1", "SHAREG1"}
    assert cards["FILREG1"] == r"\xe9toiles.csv"
    assert cards["SHAREG1"] == sha256
    # Without the file, whoever wants to check the number needs no more than the configuration.
    content = [REGION, {"table": [sha256, None], "radius": "0.1 deg"}, {"table": [sha256, None], "radius": "0.2 deg"}]
    assert cards["SHAREGS"] == hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def test_origin_cards_are_bounded(files, tmp_path):
    tables = [tmp_path / f"{number}.csv" for number in range(12)]
    for path in tables:
        path.write_text("ra,dec\n83.6,22\n")
    regions = [{"table": str(path), "radius": "0.05 deg"} for path in tables]
    keys = [key for key, *_ in origin_cards(read_dataset(files["counts"], exclusion_regions=regions))]
    assert [key for key in keys if key.startswith("FILREG")] == [f"FILREG{number}" for number in range(1, 10)]


KERNELS = {
    "source_kernel": {"shape": "disk", "radius": "0.1 deg"},
    "background_kernel": {"shape": "ring", "inner_radius": "0.3 deg", "width": "0.1 deg"},
    "dilation_radius": "0.1 deg",
    "statistic": "wstat",
}
PIXEL_SIZE = (0.05, 0.05)


def ring(inner_radius, width):
    return {"shape": "ring", "inner_radius": inner_radius, "width": width}


def adaptive_ring(**changes):
    limits = {"step": "0.1 deg", "max_outer_radius": "0.7 deg", "alpha_max": 1, "excluded_fraction_max": 0.5}
    return {**ring("0.3 deg", "0.1 deg"), "shape": "adaptive_ring", **limits, **changes}


def check(inputs=None, **changes):
    return check_kernels(inputs or prepare(np.ones(SHAPE)), PIXEL_SIZE, **{**KERNELS, **changes})


def test_kernels_that_make_sense_give_no_warning():
    assert check() == []


def test_overlap_with_the_source_kernel_is_left_out_with_a_warning_if_the_background_is_measured():
    # The disk reaches two pixels; of the ring from two to four, the four pixels on the axes lie under it.
    (warning,) = check(background_kernel=ring("0.1 deg", "0.1 deg"))
    assert "the 4 pixels they share are left out of it" in warning


def test_overlap_of_a_ring_with_the_source_kernel_is_a_warning_if_the_background_is_known():
    (warning,) = check(background_kernel=ring("0.1 deg", "0.1 deg"), statistic="cash")
    assert "they share 4 pixels" in warning


def test_overlap_of_a_gaussian_with_the_source_kernel_is_no_warning_if_the_background_is_known():
    assert check(background_kernel={"shape": "gaussian", "sigma": "0.2 deg"}, statistic="cash") == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source_kernel": {"shape": "disk", "radius": "10 deg"}}, r"source_kernel\.radius 10 deg is 200 pixels"),
        ({"background_kernel": ring("10 deg", "1 deg")}, r"background_kernel\.inner_radius 10 deg is 200 pixels"),
        ({"background_kernel": ring("1 deg", "10 deg")}, r"background_kernel\.width 10 deg is 200 pixels"),
        ({"background_kernel": {"shape": "gaussian", "sigma": "61 px"}}, r"background_kernel\.sigma 61 px is 61 pix"),
        ({"dilation_radius": "600 arcmin"}, r"dilation_radius 600 arcmin is 200 pixels, and the map has 30 x 20"),
        (
            {"background_kernel": ring("0.3 deg", "0.04 deg")},
            r"width 0\.04 deg is 0\.8 pixels: a ring must be at least",
        ),
        ({"background_kernel": {"shape": "disk", "radius": "0.1 deg"}}, "lies under source_kernel as a whole"),
        ({"background_kernel": ring("2 deg", "0.1 deg")}, r"every pixel is starved.*\(85 x 85 pixels\) .*\(30 x 20"),
    ],
)
def test_kernel_that_makes_no_sense_is_refused_with_its_numbers(changes, message):
    with pytest.raises(MapError, match=message):
        check(**changes)


def test_ring_one_pixel_wide_but_for_rounding_is_wide_enough():
    # 0.3 - 0.25 is 0.04999999999999999 in floating point.
    assert check(background_kernel=ring("0.3 deg", "0.04999999999999999 deg")) == []


def test_adaptive_ring_that_makes_sense_gives_no_warning():
    assert check(background_kernel=adaptive_ring()) == []


def test_overlap_of_an_adaptive_ring_is_that_of_its_smallest():
    overlapping = adaptive_ring(inner_radius="0.1 deg")
    (warning,) = check(background_kernel=overlapping)
    assert "the 4 pixels they share are left out of it" in warning
    (warning,) = check(background_kernel=overlapping, statistic="cash")
    assert "they share 4 pixels" in warning


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_outer_radius": "10 deg"}, r"background_kernel\.max_outer_radius 10 deg is 200 pixels"),
        ({"step": "10 deg"}, r"background_kernel\.step 10 deg is 200 pixels"),
        ({"width": "0.04 deg"}, r"width 0\.04 deg is 0\.8 pixels: a ring must be at least"),
        ({"inner_radius": "2 deg", "max_outer_radius": "2.1 deg"}, r"no used pixel lies under .*\(85 x 85 pixels\)"),
        ({"alpha_max": 0.01}, r"every pixel is starved: no ring of background_kernel \(29 x 29 pixels\) suffices"),
    ],
)
def test_adaptive_ring_that_makes_no_sense_is_refused_with_its_numbers(changes, message):
    with pytest.raises(MapError, match=message):
        check(background_kernel=adaptive_ring(**changes))


def test_mask_that_starves_every_pixel_is_refused():
    mask = np.zeros(SHAPE, dtype=bool)
    mask[0, 0] = True
    counts = np.full(SHAPE, np.nan)
    counts[:3, :3] = 1
    with pytest.raises(MapError, match="every pixel is starved"):
        check(prepare(counts, exclusion_mask=mask), background_kernel=ring("0.2 deg", "0.1 deg"))


def test_a_name_with_a_line_end_goes_into_a_header():
    fits.Header()["ORIGIN"] = short_name("a\nb \u00e9.fits")
    assert short_name("a\nb \u00e9.fits") == r"a\nb \xe9.fits"
