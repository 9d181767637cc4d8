"""What counts, acceptance, mask and background may be, and what is said of those that are not."""

import numpy as np
import pytest

from skymask.core.inputs import prepare
from skymask.errors import MapError

NAN, INF = np.nan, np.inf
COUNTS = np.array([[1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int64, np.float32, np.float64, ">i4", ">f4"])
def test_whole_numbers_of_any_type_are_counts(dtype):
    inputs = prepare(COUNTS.astype(dtype))
    assert inputs.counts.tolist() == COUNTS.tolist()
    assert inputs.counts.dtype == np.int32


def test_events_as_booleans_are_counts():
    assert prepare([[True, False]]).counts.tolist() == [[1, 0]]


def test_acceptance_is_one_if_none_is_given():
    inputs = prepare([[1.0, NAN, 3.0]])
    assert inputs.acceptance.tolist() == [[1, 0, 1]]


def test_undefined_counts_are_no_coverage_and_no_counts():
    inputs = prepare([[1.0, NAN, 3.0]], acceptance=[[1.0, 2.0, 3.0]])
    assert inputs.coverage.tolist() == [[True, False, True]]
    assert inputs.counts.tolist() == [[1, 0, 3]]
    assert inputs.acceptance.tolist() == [[1, 0, 3]]


@pytest.mark.parametrize("outside", [0.0, NAN])
def test_zero_or_undefined_acceptance_is_no_coverage(outside):
    inputs = prepare(COUNTS, acceptance=[[1.0, outside, 1.0], [1.0, 1.0, 1.0]])
    assert inputs.coverage.tolist() == [[True, False, True], [True, True, True]]
    assert inputs.acceptance[0, 1] == 0
    assert inputs.counts[0, 1] == 0


def test_counts_without_acceptance_are_left_out_with_a_warning():
    (warning,) = prepare(COUNTS, acceptance=[[1, 0, 1], [1, 0, 1]]).warnings
    assert warning.startswith("7 counts lie where the acceptance is zero or undefined")


def test_no_counts_without_acceptance_are_no_warning():
    assert prepare([[1, 0]], acceptance=[[1, 0]]).warnings == []


def test_acceptance_of_whole_numbers_stays_whole():
    assert prepare(COUNTS, acceptance=np.full((2, 3), 7, dtype=np.int16)).acceptance.dtype == np.int64


def test_pixels_without_coverage_are_not_excluded_by_the_user():
    inputs = prepare([[1.0, NAN, 3.0]], exclusion_mask=[[0, 0, 1]])
    assert inputs.exclusion_mask.tolist() == [[False, True, True]]


@pytest.mark.parametrize("dtype", [bool, np.uint8, float])
def test_mask_of_ones_and_zeros_uses_the_ones(dtype):
    mask = np.array([[1, 0, 1], [1, 1, 1]], dtype=dtype)
    assert prepare(COUNTS, exclusion_mask=mask).exclusion_mask.tolist() == mask.astype(bool).tolist()


def test_every_pixel_may_be_used_if_no_mask_is_given():
    assert prepare(COUNTS).exclusion_mask.all()


def test_given_background_is_undefined_without_coverage():
    background = prepare([[1.0, NAN, 3.0]], background=[[2.0, 2.0, NAN]]).background
    assert background[0, 0] == 2
    assert np.isnan(background[0, 1:]).all()


def test_inputs_are_left_untouched():
    counts = np.array([[1.0, NAN, 3.0]])
    given = {name: np.array([[1.0, 1.0, NAN]]) for name in ("acceptance", "background")}
    given["exclusion_mask"] = np.array([[True, False, False]])
    copies = {name: array.copy() for name, array in given.items()}
    prepare(counts, **given)
    assert np.array_equal(counts, [[1.0, NAN, 3.0]], equal_nan=True)
    for name, copy in copies.items():
        assert np.array_equal(given[name], copy, equal_nan=True)


@pytest.mark.parametrize("counts", [[1, 2], [[[1]]], 5, np.empty((0, 3))])
def test_counts_that_are_no_map_are_refused(counts):
    with pytest.raises(MapError, match="counts must be a two-dimensional map, got the shape"):
        prepare(counts)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([[1.0, INF]], r"counts are infinite in 1 pixels \(first at x = 1, y = 0: inf\)"),
        ([[1, 2], [-3, -1]], r"counts are negative in 2 pixels \(first at x = 0, y = 1: -3\)"),
        ([[0.0, 1e17]], r"counts are too large to be counts in 1 pixels \(first at x = 1, y = 0: 1e\+17\)"),
        ([[0.0, NAN, 1.5]], r"counts are no whole numbers in 1 pixels \(first at x = 2, y = 0: 1\.5\).*not rates"),
        ([["a"]], "counts must hold numbers"),
        ([[1j]], "counts must hold numbers, got complex128"),
        ([[NAN, NAN]], "no coverage at all"),
    ],
)
def test_counts_that_are_none_are_refused_with_their_place_and_value(counts, message):
    with pytest.raises(MapError, match=message):
        prepare(counts)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"acceptance": [[1.0, INF]]}, r"acceptance is infinite in 1 pixels \(first at x = 1, y = 0"),
        ({"acceptance": [[-1.0, 1.0]]}, r"acceptance is negative in 1 pixels \(first at x = 0, y = 0: -1\)"),
        ({"acceptance": [[0, 0]]}, "no coverage at all"),
        ({"exclusion_mask": [[0, 2]]}, r"exclusion_mask must hold 1 \(used\) and 0 \(excluded\).*x = 1, y = 0: 2"),
        ({"exclusion_mask": [[NAN, 1.0]]}, "exclusion_mask must hold 1"),
        ({"exclusion_mask": [[0, 0]]}, "exclusion_mask excludes every covered pixel"),
        ({"background": [[1.0, INF]]}, "background is infinite in 1 pixels"),
        ({"background": [[1.0, -0.5]]}, r"background is negative in 1 pixels \(first at x = 1, y = 0: -0\.5\)"),
        ({"background": [[NAN, NAN]]}, "background is undefined in every covered pixel"),
    ],
)
def test_other_maps_that_cannot_be_are_refused_by_name(given, message):
    with pytest.raises(MapError, match=message):
        prepare([[1, 2]], **given)


@pytest.mark.parametrize("name", ["acceptance", "exclusion_mask", "background"])
def test_map_of_another_shape_is_refused_by_name(name):
    with pytest.raises(MapError, match=rf"{name} has the shape \(3, 2\), counts \(2, 3\)"):
        prepare(COUNTS, **{name: np.ones((3, 2))})


@pytest.mark.parametrize("name", ["acceptance", "exclusion_mask", "background"])
def test_map_of_text_is_refused_by_name(name):
    with pytest.raises(MapError, match=f"{name} must hold numbers"):
        prepare(COUNTS, **{name: np.full((2, 3), "1")})


def test_background_defined_only_outside_the_coverage_is_refused():
    with pytest.raises(MapError, match="undefined in every covered pixel"):
        prepare([[1.0, NAN]], background=[[NAN, 2.0]])


def test_mask_that_uses_only_pixels_without_coverage_is_refused():
    with pytest.raises(MapError, match="excludes every covered pixel"):
        prepare([[1.0, NAN]], exclusion_mask=[[0, 1]])


def test_a_mask_that_excludes_most_of_the_map_may_be_inverted():
    mask = np.zeros((4, 5), dtype=bool)
    mask[0] = True
    (warning,) = prepare(np.ones((4, 5), dtype=int), exclusion_mask=mask).warnings
    assert "excludes 75% of the map" in warning


def test_a_map_without_counts_is_warned_of():
    assert prepare(np.zeros((4, 5), dtype=int)).warnings == ["there is not a single count in the map"]


# Coverage, least acceptance and regions.


def test_pixels_where_the_coverage_is_zero_are_without_coverage():
    inputs = prepare([[1.0, 0.0, NAN]], coverage=[[1, 0, 1]], exclusion_mask=[[1, 0, 0]])
    assert inputs.coverage.tolist() == [[True, False, False]]
    assert inputs.exclusion_mask.all()
    assert inputs.warnings == []


def test_coverage_and_acceptance_must_both_be_there():
    inputs = prepare([[1, 0, 0]], coverage=[[1, 1, 0]], acceptance=[[2.0, 0.0, 2.0]])
    assert inputs.acceptance.tolist() == [[2, 0, 0]]


def test_counts_without_coverage_are_left_out_with_a_warning():
    inputs = prepare(COUNTS, coverage=[[1, 0, 1], [1, 0, 1]])
    assert inputs.warnings == ["7 counts lie where the coverage is 0; they are left out"]
    assert inputs.counts.sum() == 14


@pytest.mark.parametrize(
    ("coverage", "message"),
    [
        (
            [[1, 2, 1], [1, 1, 1]],
            r"coverage must hold 1 \(data\) and 0 \(none\) only, not in 1 pixels \(first at x = 1",
        ),
        ([[1.0, NAN, 1], [1, 1, 1]], "coverage must hold 1"),
        ([[1, 1, 1]], "coverage has the shape"),
        (np.zeros((2, 3)), "no coverage at all: .* above zero where the coverage is 1"),
    ],
)
def test_coverage_that_is_none_is_refused(coverage, message):
    with pytest.raises(MapError, match=message):
        prepare(COUNTS, coverage=coverage)


def test_pixels_below_the_least_acceptance_are_without_coverage():
    acceptance = [[10.0, 1.0, 0.99], [5.0, 0.0, NAN]]
    inputs = prepare(np.ones((2, 3)), acceptance=acceptance, min_acceptance_fraction=0.1)
    assert inputs.coverage.tolist() == [[True, True, False], [True, False, False]]
    assert inputs.counts.tolist() == [[1, 1, 0], [1, 0, 0]]


def test_largest_acceptance_is_that_of_pixels_with_coverage():
    inputs = prepare([[NAN, 1.0, 1.0]], acceptance=[[1000.0, 10.0, 2.0]], min_acceptance_fraction=0.15)
    assert inputs.coverage.tolist() == [[False, True, True]]


@pytest.mark.parametrize("dtype", [np.int16, np.uint8])
def test_acceptance_cut_keeps_whole_numbers(dtype):
    inputs = prepare([[1, 1]], acceptance=np.array([[9, 1]], dtype=dtype), min_acceptance_fraction=0.5)
    assert inputs.acceptance.tolist() == [[9, 0]]
    assert inputs.acceptance.dtype == np.int64


def test_pixels_of_regions_are_excluded_besides_those_of_the_mask():
    inputs = prepare([[1.0, 1.0, 1.0, NAN]], exclusion_mask=[[0, 1, 1, 1]], region_mask=[[True, False, True, False]])
    assert inputs.exclusion_mask.tolist() == [[False, False, True, True]]


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (None, "^exclusion_regions exclude every covered pixel"),
        ([[0, 1]], "^exclusion_mask and exclusion_regions together exclude every covered pixel"),
    ],
)
def test_regions_that_leave_nothing_are_refused(mask, message):
    regions = [[False, False]] if mask is None else [[True, False]]
    with pytest.raises(MapError, match=message):
        prepare([[1, 1]], exclusion_mask=mask, region_mask=regions)


def test_regions_that_leave_little_are_a_warning():
    inputs = prepare([[1, 1, 1]], region_mask=[[False, False, True]])
    assert inputs.warnings == ["exclusion_regions exclude 67% of the map"]


def test_coverage_comes_first_whatever_stands_elsewhere():
    inputs = prepare(
        [[5.0, -1.0, NAN, 3.0]],
        acceptance=[[1.0, INF, -7.0, 2.0]],
        coverage=[[1, 0, 0, 1]],
        exclusion_mask=[[1, NAN, 17, 0]],
        background=[[1.0, -3.0, INF, 2.0]],
        additive_background=[[0.5, -2.0, INF, 0.0]],
    )
    assert inputs.coverage.tolist() == [[True, False, False, True]]
    assert inputs.counts.tolist() == [[5, 0, 0, 3]]
    assert inputs.acceptance.tolist() == [[1, 0, 0, 2]]
    assert inputs.exclusion_mask.tolist() == [[True, True, True, False]]
    assert inputs.additive_background.tolist() == [[0.5, 0, 0, 0]]


def test_counts_without_coverage_are_told_by_their_number():
    (warning,) = prepare([[5, 2, 7]], coverage=[[1, 0, 0]]).warnings
    assert warning == "9 counts lie where the coverage is 0; they are left out"


@pytest.mark.parametrize("key", ["acceptance", "background", "additive_background"])
def test_rounding_below_zero_is_zero(key):
    values = np.array([[1.0, -8e-18, 2.0]])
    assert getattr(prepare([[1, 2, 3]], **{key: values}), key)[0, 1] == 0
    with pytest.raises(MapError, match=rf"{key} is negative in 1 pixels \(first at x = 1, y = 0: -0.001\)"):
        prepare([[1, 2, 3]], **{key: np.where(values < 0, -1e-3, values)})
