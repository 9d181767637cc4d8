"""The exclusion mask: threshold, shape of regions, dilation, starved pixels, the user's mask."""

import subprocess
import sys

import numpy as np
import pytest
from conftest import REPOSITORY
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import binary_dilation

from skymask.core.bitmask import dilate
from skymask.core.exclusion import (
    check_shaping,
    excluded_pixels,
    fill_holes,
    grow_regions,
    king_radius,
    update_exclusion_mask,
)
from skymask.core.kernels import disk

SHAPE = (9, 11)


def everywhere(shape=SHAPE):
    return np.ones(shape, dtype=bool)


def update(significance, **changes):
    """Return mask and decision for a threshold of 5 and no dilation, with nothing excluded before."""
    settings = {
        "coverage": everywhere(significance.shape),
        "threshold": 5.0,
        "dilation_kernel": disk(0),
        "user_mask": everywhere(significance.shape),
        "previous_mask": everywhere(significance.shape),
        "previous_decision": everywhere(significance.shape),
        "mask_update": "replace",
        "starved_pixels": "keep",
    }
    return update_exclusion_mask(significance, **{**settings, **changes})


def block(rows, columns):
    """Return a mask that excludes a block."""
    mask = everywhere()
    mask[rows, columns] = False
    return mask


@pytest.mark.parametrize(("value", "used"), [(4.999, True), (5.0, False), (np.inf, False), (-9.0, True)])
def test_pixel_is_excluded_at_and_above_the_threshold(value, used):
    mask, decision = update(np.full((1, 1), value))
    assert mask[0, 0] == used
    assert decision[0, 0] == used


@pytest.mark.parametrize("kernel", [disk(0), disk(1), disk(2.5), disk(4), disk(20), disk(2, pixel_size=(1, 0.6))])
def test_dilation_is_that_of_scipy(kernel):
    region = np.random.default_rng(2).random(SHAPE) > 0.95
    region[0, 0] = True
    assert np.array_equal(dilate(region, kernel), binary_dilation(region, kernel))


def test_dilation_by_an_asymmetric_kernel_is_that_of_scipy():
    region = np.random.default_rng(2).random(SHAPE) > 0.9
    kernel = np.array([[True, False, False], [False, True, True], [False, False, False]])
    assert np.array_equal(dilate(region, kernel), binary_dilation(region, kernel))


def test_excluded_pixel_excludes_the_disk_around_it_and_only_the_decision_stays_small():
    significance = np.zeros(SHAPE)
    significance[4, 5] = 6
    mask, decision = update(significance, dilation_kernel=disk(1))
    assert sorted(map(tuple, np.argwhere(~mask).tolist())) == [(3, 5), (4, 4), (4, 5), (4, 6), (5, 5)]
    assert np.argwhere(~decision).tolist() == [[4, 5]]


def test_mask_after_dilation_by_a_single_pixel_is_the_decision():
    significance = np.random.default_rng(3).normal(4, 2, SHAPE)
    mask, decision = update(significance)
    assert np.array_equal(mask, significance < 5)
    assert np.array_equal(decision, significance < 5)


def test_starved_pixels_keep_their_decision_from_before_dilation():
    significance = np.zeros(SHAPE)
    significance[3:6, 4:7] = np.nan
    decision = block(slice(4, 5), slice(5, 6))
    wide = block(slice(2, 7), slice(3, 8))
    mask, kept = update(significance, previous_decision=decision, previous_mask=wide, dilation_kernel=disk(1))
    assert np.array_equal(kept, decision)
    # Dilated once from the decision, and not once more from the last mask.
    assert np.array_equal(~mask, binary_dilation(~decision, disk(1)))


def test_starved_pixels_are_used_if_that_is_asked_for():
    significance = np.full(SHAPE, np.nan)
    mask, decision = update(significance, previous_decision=~everywhere(), starved_pixels="use")
    assert mask.all()
    assert decision.all()


def test_defined_pixels_forget_their_last_decision():
    mask, decision = update(np.zeros(SHAPE), previous_decision=~everywhere(), previous_mask=~everywhere())
    assert mask.all()
    assert decision.all()


def test_users_mask_is_kept_and_not_dilated():
    user_mask = block(slice(2, 4), slice(2, 4))
    mask, decision = update(np.zeros(SHAPE), user_mask=user_mask, dilation_kernel=disk(3))
    assert np.array_equal(mask, user_mask)
    assert decision.all()


def test_growing_mask_keeps_what_was_excluded():
    significance = np.zeros(SHAPE)
    significance[0, 0] = 9
    previous = block(slice(4, 5), slice(5, 6))
    mask, _ = update(significance, previous_mask=previous, mask_update="grow")
    assert np.argwhere(~mask).tolist() == [[0, 0], [4, 5]]


def test_pixels_without_coverage_are_not_excluded():
    coverage = block(slice(3, 6), slice(4, 7))
    significance = np.where(coverage, 0.0, np.nan)
    significance[4, 3] = 9
    mask, decision = update(significance, coverage=coverage, dilation_kernel=disk(2), previous_decision=~everywhere())
    assert mask[~coverage].all()
    assert not mask[4, 1]
    assert np.argwhere(~decision).tolist() == [[4, 3]]


def test_previous_masks_are_left_untouched():
    significance = np.full(SHAPE, np.nan)
    significance[0] = 9
    given = {
        name: np.random.default_rng(seed).random(SHAPE) > 0.5
        for seed, name in enumerate(["user_mask", "previous_mask", "previous_decision"])
    }
    copies = {name: mask.copy() for name, mask in given.items()}
    update(significance, mask_update="grow", dilation_kernel=disk(1), **given)
    for name, copy in copies.items():
        assert np.array_equal(given[name], copy)


# Regions: hysteresis, minimum size, holes, growth.

CROSS = ((-1, 0), (0, -1), (0, 1), (1, 0))
SQUARE = (*CROSS, (-1, -1), (-1, 1), (1, -1), (1, 1))

SHAPING = {"threshold_low": 1.0, "min_pixels": 2, "max_hole_pixels": 3}
GROWTH = {"law": "king", "sigma": 1.0, "gamma": 2.0, "level": 0.5, "max_radius": 3.0}

small_maps = hnp.arrays(
    float, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=st.sampled_from([0, 1, 2, np.nan])
)


def picture(text):
    """Return a picture of digits as an array; a dot is NaN."""
    return np.array([[np.nan if c == "." else float(c) for c in line] for line in text.split()])


def regions_of(pixels, steps):
    """Return the connected regions of a mask as sets of pixels, by walking from pixel to pixel."""
    left = set(map(tuple, np.argwhere(pixels).tolist()))
    regions = []
    while left:
        region, border = set(), [left.pop()]
        while border:
            y, x = border.pop()
            region.add((y, x))
            near = {(y + dy, x + dx) for dy, dx in steps} & left
            left -= near
            border += near
        regions.append(region)
    return regions


def of_regions(regions, shape):
    mask = np.zeros(shape, dtype=bool)
    for region in regions:
        for pixel in region:
            mask[pixel] = True
    return mask


def test_hysteresis_excludes_what_is_connected_with_a_seed():
    significance = picture("""
        30500
        03030
        00000
        33033
        30.50
    """)
    expected = picture("""
        10100
        01010
        00000
        00011
        00010
    """)
    assert np.array_equal(excluded_pixels(significance, threshold=5, threshold_low=3), expected == 1)


def test_undefined_pixel_connects_nothing():
    significance = picture("53.35")
    significance[0, 4] = 0
    assert excluded_pixels(significance, threshold=5, threshold_low=3).tolist() == [[True, True, False, False, False]]


def test_lower_threshold_equal_to_the_threshold_is_no_hysteresis():
    significance = np.random.default_rng(1).normal(4, 2, SHAPE)
    assert np.array_equal(excluded_pixels(significance, threshold=5, threshold_low=5), significance >= 5)


def test_region_of_too_few_pixels_is_not_excluded_and_corners_connect():
    significance = picture("""
        50005
        05000
        00500
        00000
        55000
    """)
    expected = picture("""
        10000
        01000
        00100
        00000
        00000
    """)
    assert np.array_equal(excluded_pixels(significance, threshold=5, min_pixels=3), expected == 1)


def test_size_counts_after_the_hysteresis():
    significance = picture("35300")
    assert excluded_pixels(significance, threshold=5, threshold_low=3, min_pixels=3).sum() == 3
    assert excluded_pixels(significance, threshold=5, min_pixels=3).sum() == 0


@pytest.mark.parametrize(("largest", "filled"), [(1, 1), (2, 3), (3, 3)])
def test_holes_up_to_a_size_are_filled(largest, filled):
    excluded = picture("""
        1111111
        1010011
        1111111
    """)
    result = fill_holes(excluded == 1, np.ones(excluded.shape, dtype=bool), max_hole_pixels=largest)
    assert result.sum() - (excluded == 1).sum() == filled


def test_hole_is_closed_by_pixels_that_touch_at_a_corner():
    excluded = picture("""
        00100
        01010
        00100
        00000
    """)
    result = fill_holes(excluded == 1, np.ones(excluded.shape, dtype=bool), max_hole_pixels=20)
    assert np.argwhere(result & (excluded == 0)).tolist() == [[1, 2]]


@pytest.mark.parametrize(("y", "x"), [(0, 2), (2, 0), (4, 2), (2, 4)])
def test_what_touches_the_border_is_no_hole(y, x):
    excluded = np.ones((5, 5), dtype=bool)
    excluded[y, x] = False
    assert np.array_equal(fill_holes(excluded, np.ones((5, 5), dtype=bool), max_hole_pixels=9), excluded)


def test_pixels_without_coverage_and_what_touches_them_are_no_holes():
    excluded = picture("""
        1111111
        1001101
        1111111
    """)
    coverage = np.ones(excluded.shape, dtype=bool)
    coverage[1, 1] = False
    result = fill_holes(excluded == 1, coverage, max_hole_pixels=9)
    assert np.argwhere(result & (excluded == 0)).tolist() == [[1, 5]]


def test_king_radius_is_the_distance_of_two_isophotes():
    # far: 3 sqrt(4 (sqrt(100 / 4) - 1)) = 12; near: 3 sqrt(4 (sqrt(100 / 25) - 1)) = 6.
    assert king_radius(np.array([100.0]), edge=25, sigma=3, gamma=2, level=4)[0] == pytest.approx(6, rel=1e-14)


def test_king_radius_of_the_faintest_region_is_all_beyond_its_peak():
    assert king_radius(np.array([9.0]), edge=9, sigma=1, gamma=2, level=1)[0] == pytest.approx(np.sqrt(8), rel=1e-14)


def test_king_radius_of_bright_sources_grows_with_the_peak_and_without_end():
    # Fainter ones, whose core is like a Gaussian, grow about the same.
    radii = king_radius(np.array([50, 5e3, 5e8, np.inf]), edge=5, sigma=0.1, gamma=1.8, level=1)
    assert (np.diff(radii) > 0).all()
    assert radii[-1] == np.inf


def test_king_radius_of_a_large_gamma_is_that_of_a_gaussian():
    # r(s) = sigma sqrt(2 ln(peak / s)); the two profiles differ by about ln(peak)^2 / gamma.
    expected = 2 * (np.sqrt(2 * np.log(40 / 0.5)) - np.sqrt(2 * np.log(40 / 5)))
    assert king_radius(np.array([40.0]), edge=5, sigma=2, gamma=1e8, level=0.5)[0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("peak", [6, 60, 600])
def test_region_of_a_point_source_grows_to_its_isophote(peak):
    sigma, gamma, level = 4.0, 2.5, 1.0
    y, x = np.mgrid[-70:71, -70:71]
    significance = peak * (1 + (y**2 + x**2) / (2 * gamma * sigma**2)) ** -gamma
    law = {"law": "king", "sigma": sigma, "gamma": gamma, "level": level, "max_radius": 99}
    grown = grow_regions(significance >= 5, significance, threshold=5, edge=5, **law)
    # A region ends at the last pixel centre within the isophote, up to a pixel's diagonal short of it, and so does the
    # disk that it grows by.
    distance = np.hypot(y, x)
    isophote = sigma * np.sqrt(2 * gamma * ((peak / level) ** (1 / gamma) - 1))
    assert not grown[distance > isophote].any()
    assert grown[distance < isophote - 2 * np.sqrt(2)].all()


def test_growth_by_size_is_a_part_of_the_radius_of_the_disk_of_the_regions_area():
    excluded = np.zeros((21, 41), dtype=bool)
    excluded[10, 10] = True
    excluded[8:13, 28:33] = True
    # Radii of areas 1 and 25 are 0.564 and 2.821: times 1.8 that is 1.02, which reaches the next pixel, and 5.08.
    grown = grow_regions(excluded, np.zeros(excluded.shape), law="size", factor=1.8, max_radius=9, threshold=5, edge=5)
    alone = [excluded & (np.arange(41) < 20), excluded & (np.arange(41) > 20)]
    assert np.array_equal(grown, binary_dilation(alone[0], disk(1)) | binary_dilation(alone[1], disk(5)))


def test_growth_ends_at_the_largest_radius():
    excluded = np.zeros(SHAPE, dtype=bool)
    excluded[4, 5] = True
    significance = np.where(excluded, np.inf, 0)
    grown = grow_regions(excluded, significance, threshold=5, edge=5, **GROWTH | {"max_radius": 2})
    assert np.array_equal(grown, binary_dilation(excluded, disk(2)))


def test_region_without_a_defined_pixel_counts_as_peaking_at_the_threshold():
    excluded = np.zeros(SHAPE, dtype=bool)
    excluded[4, 5] = True
    starved = grow_regions(excluded, np.full(SHAPE, np.nan), threshold=5, edge=2, **GROWTH)
    at_threshold = grow_regions(excluded, np.full(SHAPE, 5.0), threshold=5, edge=2, **GROWTH)
    assert np.array_equal(starved, at_threshold)
    assert starved.sum() > 1


def test_growth_on_oblong_pixels_is_an_ellipse():
    excluded = np.zeros((21, 21), dtype=bool)
    excluded[10, 10] = True
    # The area of the pixel is 0.5, its disk's radius 0.399: ten times that is 3.99.
    grown = grow_regions(
        excluded, np.zeros((21, 21)), law="size", factor=10, max_radius=9, threshold=5, edge=5, pixel_size=(1, 0.5)
    )
    assert np.array_equal(grown, binary_dilation(excluded, disk(3.99, pixel_size=(1, 0.5))))


def test_neighbouring_regions_grow_each_by_its_own_radius():
    significance = np.zeros((15, 30))
    significance[7, 4], significance[7, 14] = 5, 500
    law = {"law": "king", "sigma": 1, "gamma": 2, "level": 1, "max_radius": 9}
    grown = grow_regions(significance >= 5, significance, threshold=5, edge=5, **law)
    # 2 sqrt(sqrt(5) - 1) = 2.22 for the first; 2 sqrt(sqrt(500) - 1) - 2 sqrt(sqrt(100) - 1) = 3.24 for the second.
    first, second = significance == 5, significance == 500
    assert np.array_equal(grown, binary_dilation(first, disk(2.22)) | binary_dilation(second, disk(3.24)))


@given(small_maps, st.sampled_from([None, 1, 2]), st.integers(1, 5))
@settings(max_examples=200, deadline=None)
def test_excluded_pixels_are_those_found_by_walking(significance, threshold_low, min_pixels):
    regions = regions_of(significance >= (threshold_low or 2), SQUARE)
    with_seed = [region for region in regions if any(significance[pixel] >= 2 for pixel in region)]
    expected = of_regions([region for region in with_seed if len(region) >= min_pixels], significance.shape)
    result = excluded_pixels(significance, threshold=2, threshold_low=threshold_low, min_pixels=min_pixels)
    assert np.array_equal(result, expected)


@given(small_maps, st.integers(1, 6))
@settings(max_examples=200, deadline=None)
def test_holes_are_those_found_by_walking(image, max_hole_pixels):
    coverage, excluded = ~np.isnan(image), image >= 1
    last_y, last_x = image.shape[0] - 1, image.shape[1] - 1
    holes = [
        region
        for region in regions_of(~excluded, CROSS)
        if len(region) <= max_hole_pixels
        and all(0 < y < last_y and 0 < x < last_x and coverage[y, x] for y, x in region)
    ]
    result = fill_holes(excluded, coverage, max_hole_pixels=max_hole_pixels)
    assert np.array_equal(result, excluded | of_regions(holes, image.shape))


@given(small_maps, st.sampled_from(["king", "size"]))
@settings(max_examples=100, deadline=None)
def test_growth_is_that_of_each_region_by_distance(significance, law):
    excluded = significance >= 1
    y, x = np.indices(excluded.shape)
    expected = excluded.copy()
    options = GROWTH if law == "king" else {"law": "size", "factor": 1.1, "max_radius": 2.5}
    for region in regions_of(excluded, SQUARE):
        if law == "king":
            peak = max(max(significance[pixel] for pixel in region), 2)
            radius = min(2 * np.sqrt(np.sqrt(peak / 0.5) - 1) - 2 * np.sqrt(np.sqrt(peak) - 1), 3)
        else:
            radius = min(1.1 * np.sqrt(len(region) / np.pi), 2.5)
        for pixel in region:
            expected |= np.hypot(y - pixel[0], x - pixel[1]) <= radius
    assert np.array_equal(grow_regions(excluded, significance, threshold=2, edge=1, **options), expected)


def test_order_is_size_then_kept_decisions_then_holes_then_growth_then_dilation():
    significance = np.zeros((15, 21))
    # A ring of eight pixels with a starved hole; a starved pixel that was excluded; one that stands alone.
    significance[6:9, 4:7] = 9
    significance[7, 5] = np.nan
    significance[7, 15] = np.nan
    significance[2, 18] = 9
    kept = everywhere(significance.shape)
    kept[7, 15] = False
    options = {"min_pixels": 2, "max_hole_pixels": 1, "dilation_kernel": disk(1)}
    options["region_growth"] = {"law": "size", "factor": 1, "max_radius": 9}
    mask, decision = update(significance, previous_decision=kept, **options)
    expected = significance >= 9
    expected[2, 18], expected[7, 15] = False, True
    assert np.array_equal(~decision, expected)
    # Nine pixels have the disk of radius 1.69, one has that of 0.56, which reaches no neighbour.
    nine, one = expected & (np.arange(21) < 10), expected & (np.arange(21) > 10)
    nine[7, 5] = True
    assert np.array_equal(~mask, binary_dilation(binary_dilation(nine, disk(1.69)) | one, disk(1)))


def test_covered_pixels_alone_are_shaped():
    coverage = everywhere()
    coverage[3:6, 4:7] = False
    significance = np.where(coverage, 9.0, np.nan)
    mask, decision = update(significance, coverage=coverage, region_growth=GROWTH, **SHAPING)
    assert np.array_equal(mask, ~coverage)
    assert np.array_equal(decision, ~coverage)


@given(small_maps, st.integers(0, 2**32), st.sampled_from(["replace", "grow"]), st.sampled_from([GROWTH, None]))
@settings(max_examples=100, deadline=None)
def test_same_significance_gives_the_same_mask_again(significance, seed, mask_update, region_growth):
    # What makes an unchanged mask a fixed point: its significance is the same again, so the rest must be.
    rng = np.random.default_rng(seed)
    coverage, user_mask, kept = rng.random((3, *significance.shape)) > 0.2
    significance = np.where(coverage, significance, np.nan)
    options = {
        "coverage": coverage,
        "threshold": 2,
        "dilation_kernel": disk(1),
        "user_mask": user_mask,
        "mask_update": mask_update,
        "region_growth": region_growth,
        **SHAPING,
    }
    first = update(significance, previous_decision=kept | ~coverage, **options)
    second = update(significance, previous_mask=first[0], previous_decision=first[1], **options)
    assert np.array_equal(first[1], second[1])
    assert np.array_equal(first[0], second[0])


@given(small_maps)
@settings(max_examples=50, deadline=None)
def test_margin_without_coverage_changes_nothing(significance):
    coverage = ~np.isnan(significance)
    options = {"threshold": 2, "dilation_kernel": disk(1), "region_growth": GROWTH, **SHAPING}
    mask, _ = update(significance, coverage=coverage, **options)
    wide, _ = update(np.pad(significance, 2, constant_values=np.nan), coverage=np.pad(coverage, 2), **options)
    assert np.array_equal(wide[2:-2, 2:-2], mask)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"threshold_low": 6}, "threshold_low must be more than 0, and at most the threshold 5, got 6"),
        ({"threshold_low": 0}, "threshold_low must be more than 0"),
        ({"min_pixels": 0}, "min_pixels must be a whole number, 1 or more, got 0"),
        ({"min_pixels": 1.5}, "min_pixels must be a whole number"),
        ({"max_hole_pixels": -1}, "max_hole_pixels must be a whole number, 0 or more, got -1"),
        ({"region_growth": GROWTH | {"law": "gauss"}}, "law must be one of king, size, got 'gauss'"),
        ({"region_growth": GROWTH | {"factor": 1}}, "the law king needs gamma, level, sigma, got factor, gamma"),
        ({"region_growth": GROWTH | {"sigma": 0}}, "sigma must be positive and finite, got 0"),
        ({"region_growth": GROWTH | {"max_radius": np.inf}}, "max_radius must be positive and finite, got inf"),
        ({"region_growth": GROWTH | {"gamma": 1}}, "gamma must be more than 1, got 1"),
        ({"region_growth": GROWTH | {"level": 3.5}, "threshold_low": 3}, "level must be at most the significance 3"),
    ],
)
def test_option_that_makes_no_sense_is_refused(option, message):
    options = {"threshold": 5, "threshold_low": None, "min_pixels": 1, "max_hole_pixels": 0, "region_growth": None}
    options |= {"threshold_in_widths": False}
    check_shaping(**options)
    with pytest.raises(ValueError, match=message):
        check_shaping(**options | option)


def test_default_options_import_no_scipy():
    code = """
import sys, numpy, skymask
skymask.iterate(numpy.ones((9, 9), int), source_kernel=skymask.disk(1), background_kernel=skymask.ring(2, 1),
                dilation_kernel=skymask.disk(1))
assert "scipy" not in sys.modules and "gammapy" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)
