"""Products: their images, the cards that say what was done, the convergence table."""

import numpy as np
import pytest
from astropy.io import fits

from skymask import registry
from skymask.io import maps
from skymask.products import products

SHAPE = (3, 4)
NAMES = ("background", "background_error", "counts_off", "alpha", "significance", "excess")
RESULT = {name: np.full(SHAPE, float(number)) for number, name in enumerate(NAMES)}
COUNTS = np.arange(12).reshape(SHAPE)
MASK = COUNTS < 9
LOOP = {"state": "cycle", "period": 2, "iteration": 7}
QUALITY = {"excluded": 3, "unexcluded_above_threshold": 1, "starved": 2, "mask_sha256": "ab" * 32}
QUALITY |= {"effective_threshold": 5.75}
SETTINGS = {
    "statistic": "wstat",
    "background_systematic": 0.01,
    "threshold": 5,
    "threshold_low": None,
    "threshold_in_widths": True,
    "min_pixels": 4,
    "max_hole_pixels": 9,
    "region_growth": {"law": "size", "factor": 0.5, "max_radius": "1 deg"},
    "source_kernel": {"shape": "disk", "radius": "0.1 deg"},
    "mask_source_kernels": [{"shape": "disk", "radius": "0.2 deg"}, {"shape": "gaussian", "sigma": "3 px"}],
    "background_kernel": {"shape": "ring", "inner_radius": "0.5 deg", "width": "0.3 deg"},
    "dilation_radius": "0.3 deg",
    "mask_update": "replace",
    "starved_pixels": "keep",
    "min_acceptance_fraction": 0.1,
    "max_iterations": 50,
    "changed_pixels": 0,
    "max_excluded_fraction": 0.9,
    "on_cycle": "union",
    "on_max_iterations": "last",
}
HEADER = fits.Header(
    {
        "CTYPE1": "GLON-CAR",
        "CTYPE2": "GLAT-CAR",
        "CRVAL1": 20.0,
        "CRVAL2": 0.0,
        "CRPIX1": 1.0,
        "CRPIX2": 1.0,
        "CDELT1": -0.1,
        "CDELT2": 0.1,
        "SHACNTS": "cd" * 32,
        "SHAACC": "ef" * 32,
    }
)


def test_images_are_those_of_the_result_and_of_what_they_belong_to():
    images = products.images(COUNTS, COUNTS >= 0, MASK, RESULT)
    assert set(images) == {"counts", "coverage", "exclusion_mask", *NAMES}
    assert images["exclusion_mask"] is MASK
    assert images["excess"] is RESULT["excess"]


def test_every_image_has_a_unit_and_a_meaning():
    assert set(products.images(COUNTS, COUNTS >= 0, MASK, RESULT)) <= set(registry.MAPS)


def test_counts_of_a_map_that_is_covered_are_whole_numbers():
    counts = products.images(COUNTS, COUNTS >= 0, MASK, RESULT)["counts"]
    assert counts.dtype == np.int32
    assert np.array_equal(counts, COUNTS)


def test_counts_without_coverage_are_undefined():
    counts = products.images(COUNTS, COUNTS > 2, MASK, RESULT)["counts"]
    assert np.array_equal(np.isnan(counts), COUNTS <= 2)
    assert np.array_equal(counts[COUNTS > 2], COUNTS[COUNTS > 2])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("DATASET", "crab"),
        ("STATE", "cycle"),
        ("PERIOD", 2),
        ("NITER", 7),
        ("NEXCL", 3),
        ("NABOVE", 1),
        ("NSTARVED", 2),
        ("MASKDEF", "1 used, 0 excluded"),
        ("STATIST", "wstat"),
        ("BKGSYST", 0.01),
        ("MINACC", 0.1),
        ("THRESH", 5),
        ("THRLOW", 5),
        ("THRWIDTH", True),
        ("THREFF", 5.75),
        ("MINPIX", 4),
        ("MAXHOLE", 9),
        ("GROWTH", "size factor=0.5 max_radius=1 deg"),
        ("SRCKERN", "disk radius=0.1 deg"),
        ("MASKKERN", "disk radius=0.2 deg, gaussian sigma=3 px"),
        ("BKGKERN", "ring inner_radius=0.5 deg width=0.3 deg"),
        ("DILATION", "0.3 deg"),
        ("ONCYCLE", "union"),
        ("SHAMASK", "ab" * 32),
        ("SHACNTS", "cd" * 32),
        ("SHAACC", "ef" * 32),
    ],
)
def test_card_says_what_was_done(key, value):
    cards = {card[0]: card[1] for card in products.cards(HEADER, "crab", LOOP, QUALITY, SETTINGS)}
    assert cards[key] == value


def test_limits_of_an_adaptive_ring_have_cards_of_their_own():
    ring = {
        "shape": "adaptive_ring",
        "inner_radius": "0.7 deg",
        "width": "0.44 deg",
        "step": "0.08 deg",
        "max_outer_radius": "1.7 deg",
        "alpha_max": 0.25,
        "excluded_fraction_max": 0.5,
        "keep": "width",
    }
    settings = SETTINGS | {"background_kernel": ring}
    made = products.cards(HEADER, "crab", LOOP, QUALITY | {"without_ring": 12}, settings)
    cards = {card[0]: card[1] for card in made}
    assert cards["BKGKERN"] == "adaptive_ring inner_radius=0.7 deg width=0.44 deg"
    assert (cards["RINGSTEP"], cards["RINGMAX"], cards["RINGKEEP"]) == ("0.08 deg", "1.7 deg", "width")
    assert (cards["ALPHAMAX"], cards["RINGEXCL"], cards["NNORING"]) == (0.25, 0.5, 12)


def test_card_says_that_there_is_hysteresis_and_no_growth():
    settings = SETTINGS | {"threshold_low": 3, "region_growth": None}
    cards = {card[0]: card[1] for card in products.cards(HEADER, "crab", LOOP, QUALITY, settings)}
    assert (cards["THRLOW"], cards["GROWTH"]) == (3, "none")


def test_cards_come_back_from_a_file(tmp_path):
    cards = products.cards(HEADER, "crab-" + "x" * 90, LOOP, QUALITY, SETTINGS)
    maps.write(tmp_path / "a.fits", {"exclusion_mask": MASK}, sky=HEADER, cards=cards)
    header = maps.read_product(tmp_path / "a.fits")["exclusion_mask"].header
    assert {card[0]: header[card[0]] for card in cards} == {card[0]: card[1] for card in cards}


def test_a_kernel_of_many_words_stands_in_the_header_as_a_whole(tmp_path):
    path = f"{'kernels/' * 12}line.fits"
    settings = SETTINGS | {"source_kernel": {"shape": "array", "path": path}}
    cards = products.cards(HEADER, "crab", LOOP, QUALITY, settings)
    maps.write(tmp_path / "a.fits", {"excess": RESULT["excess"]}, sky=HEADER, cards=cards)
    assert maps.read_product(tmp_path / "a.fits")["excess"].header["SRCKERN"] == f"array path={path}"


def test_maps_made_of_a_product_inherit_what_was_done(tmp_path):
    cards = products.cards(HEADER, "crab", LOOP, QUALITY, SETTINGS)
    maps.write(tmp_path / "a.fits", {"excess": RESULT["excess"]}, sky=HEADER, cards=cards)
    header = maps.read_product(tmp_path / "a.fits")["excess"].header
    assert [card[:2] for card in products.inherited_cards(header)] == [card[:2] for card in cards]


def test_counts_of_a_product_are_whole_numbers_and_zero_without_coverage():
    counts = products.counts_of(np.array([[3.0, np.nan]]))
    assert counts.dtype.kind == "i"
    assert counts.tolist() == [[3, 0]]


def test_hottest_pixel_has_its_place_on_the_sky():
    quality = products.with_position({"highest_x": 2, "highest_y": 3}, HEADER)
    # Two pixels of 0.1 degrees from 20 degrees towards smaller longitude, three up from the equator.
    assert quality["highest_longitude"] == pytest.approx(19.8, rel=1e-12)
    assert quality["highest_latitude"] == pytest.approx(0.3, rel=1e-12)


def test_no_hottest_pixel_has_no_place():
    quality = products.with_position({"highest_x": None, "highest_y": None}, HEADER)
    assert (quality["highest_longitude"], quality["highest_latitude"]) == (None, None)


def record(iteration, **changes):
    return {
        "iteration": iteration,
        "excluded": 10 * iteration,
        "excluded_fraction": 0.1 * iteration,
        "added": 2,
        "released": 1,
        "changed": 3,
        "highest_significance": 5.123456789012345,
        "mean_background": 0.1 + 0.2,
        "starved": 0,
        "digest": f"{iteration:064d}",
        "decision_digest": "not in the table",
        **changes,
    }


@pytest.fixture
def rows(tmp_path):
    records = [record(0, highest_significance=None), record(1), record(2, highest_significance="inf")]
    products.write_convergence_table(tmp_path / "a.csv", records, "converged")
    return products.read_convergence_table(tmp_path / "a.csv")


def test_table_has_a_row_per_iteration_and_its_columns(rows):
    assert [row["iteration"] for row in rows] == [0, 1, 2]
    assert tuple(rows[0]) == products.CONVERGENCE_COLUMNS


def test_only_the_last_row_of_the_table_has_the_end_state(rows):
    assert [row["state"] for row in rows] == ["running", "running", "converged"]


def test_numbers_of_the_table_come_back_with_every_digit(rows):
    assert rows[1]["highest_significance"] == 5.123456789012345
    assert rows[1]["mean_background"] == 0.1 + 0.2


def test_digest_of_the_table_stays_text(rows):
    assert rows[1]["digest"] == f"{1:064d}"


@pytest.mark.parametrize(("row", "expected"), [(0, None), (2, float("inf"))])
def test_number_that_is_none_or_infinite_comes_back(rows, row, expected):
    assert rows[row]["highest_significance"] == expected
