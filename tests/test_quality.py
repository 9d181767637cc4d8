"""Quality figures: the fit of a cut distribution, and counts of pixels on maps small enough to count by eye."""

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from skymask.core.quality import assess_quality, expected_after_cut, fit_off_source, quality_warnings, verdict


def cut_normal(mean, width, threshold, n=20001):
    """Return the n evenly spaced quantiles of a normal distribution cut at the threshold."""
    below = ndtr((threshold - mean) / width)
    return mean + width * ndtri((np.arange(n) + 0.5) / n * below)


@pytest.mark.parametrize("threshold", [2, 3, 5])
@pytest.mark.parametrize(("mean", "width"), [(0, 1), (0.3, 1.2), (-0.2, 0.9)])
def test_fit_recovers_the_distribution_before_the_cut(mean, width, threshold):
    # Moments of n even quantiles differ from the distribution's by about 1 / n in their tails.
    fitted = fit_off_source(cut_normal(mean, width, threshold), threshold)
    assert fitted == pytest.approx((mean, width), abs=2e-3)


def test_plain_moments_are_biased_where_the_fit_is_not():
    # Mean and width of a standard normal distribution cut at 2 are -0.0552 and 0.9415 (design/method.md).
    values = cut_normal(0, 1, 2)
    assert (values.mean(), values.std()) == pytest.approx((-0.0552, 0.9415), abs=2e-3)


@pytest.mark.parametrize(
    ("threshold", "mean", "width"), [(2, -0.0552, 0.9415), (3, -0.0044, 0.9933), (5, -1.5e-6, 1.0)]
)
def test_expectation_after_the_cut_has_the_published_value(threshold, mean, width):
    # design/method.md, to the digits printed.
    assert expected_after_cut(threshold) == pytest.approx((mean, width), abs=5e-5)


def test_expectation_after_a_cut_at_zero_is_that_of_half_a_normal_distribution():
    # Mean -sqrt(2 / pi), variance 1 - 2 / pi.
    assert expected_after_cut(0) == pytest.approx((-np.sqrt(2 / np.pi), np.sqrt(1 - 2 / np.pi)), rel=1e-12)


def test_expectation_after_the_cut_is_the_integral_of_the_cut_distribution():
    assert expected_after_cut(1.3) == pytest.approx(
        (cut_normal(0, 1, 1.3).mean(), cut_normal(0, 1, 1.3).std()), abs=1e-3
    )


def test_fit_recovers_a_random_sample_within_its_error():
    n = 20000
    values = np.random.default_rng(6).normal(0.3, 1.2, 2 * n)
    fitted = fit_off_source(values[values < 1.5][:n], 1.5)
    # Cut one sigma above the mean, the errors are about twice those of the whole sample; four times that.
    assert fitted == pytest.approx((0.3, 1.2), abs=4 * 2 * 1.2 / np.sqrt(n))


def test_fit_far_below_the_threshold_is_the_plain_mean_and_width():
    values = np.random.default_rng(7).normal(1, 2, 500)
    # The minimiser stops at 1e-9 of its parameters; a likelihood flat to 1e-13 places them to its root.
    assert fit_off_source(values, 1000.0) == pytest.approx((values.mean(), values.std()), abs=2e-6)


def test_fit_drops_values_at_and_above_the_threshold():
    values = cut_normal(0, 1, 3, n=500)
    assert fit_off_source(np.append(values, [3.0, 50.0, 1e6]), 3.0) == fit_off_source(values, 3.0)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 1.0, 1.0], [7.0, 9.0]])
def test_fit_of_fewer_than_two_different_values_is_undefined(values):
    assert np.isnan(fit_off_source(np.array(values), 5.0)).all()


NAN = np.nan
SIGNIFICANCE = np.array([[0.0, 1.0, -1.0, 6.0], [NAN, 7.0, 5.0, NAN]])
MASK = np.array([[True, True, True, False], [True, False, True, True]])
COVERAGE = np.array([[True, True, True, True], [True, True, True, False]])
COUNTS_OFF = np.array([[3.0, 10.0, 9.9, 50.0], [0.0, 20.0, 30.0, NAN]])


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        ("covered", 7),
        ("excluded", 2),
        ("excluded_fraction", 2 / 7),
        ("starved", 1),
        ("few_counts_off", 2),
        ("unexcluded_above_threshold", 1),
        ("highest_significance", 7.0),
        ("highest_x", 1),
        ("highest_y", 1),
        ("off_source_pixels", 4),
        ("clipped_mean", 0.0),
        ("clipped_width", np.sqrt(2 / 3)),
    ],
)
def test_figure_of_a_small_map_is_the_one_counted_by_eye(figure, expected):
    figures = assess_quality(SIGNIFICANCE, MASK, COVERAGE, COUNTS_OFF, threshold=5)
    assert figures[figure] == pytest.approx(expected, rel=1e-12)


def test_covered_pixels_without_a_ring_are_counted_if_the_ring_is_adaptive():
    ring_radius = np.where(COVERAGE, 0.5, NAN)
    ring_radius[0, :2] = NAN
    figures = assess_quality(SIGNIFICANCE, MASK, COVERAGE, COUNTS_OFF, threshold=5, ring_radius=ring_radius)
    assert figures["without_ring"] == np.count_nonzero(COVERAGE[0, :2])
    assert "without_ring" not in assess_quality(SIGNIFICANCE, MASK, COVERAGE, COUNTS_OFF, threshold=5)


def test_off_source_fit_is_of_the_used_pixels_below_the_threshold():
    figures = assess_quality(SIGNIFICANCE, MASK, COVERAGE, COUNTS_OFF, threshold=5)
    fitted = fit_off_source(np.array([0.0, 1.0, -1.0]), 5)
    assert (figures["off_source_mean"], figures["off_source_width"]) == fitted


def test_infinite_significance_is_the_highest_and_in_no_fit():
    significance = SIGNIFICANCE.copy()
    significance[0, 0] = np.inf
    figures = assess_quality(significance, MASK, COVERAGE, COUNTS_OFF, threshold=5)
    assert (figures["highest_significance"], figures["highest_x"], figures["highest_y"]) == (np.inf, 0, 0)
    assert figures["off_source_pixels"] == 3


def test_undefined_significance_has_no_highest_pixel_and_no_fit():
    figures = assess_quality(np.full((2, 4), NAN), MASK, COVERAGE, COUNTS_OFF, threshold=5)
    for key in ("highest_significance", "highest_x", "highest_y", "off_source_mean", "off_source_width"):
        assert figures[key] is None
    assert (figures["clipped_mean"], figures["clipped_width"]) == (None, None)


GOOD = {
    "covered": 100,
    "starved": 0,
    "few_counts_off": 0,
    "off_source_mean": 0.02,
    "off_source_width": 1.04,
}

THRESHOLDS = {
    "off_source_mean": 0.2,
    "off_source_width": 0.2,
    "starved_fraction": 0.1,
    "few_counts_off_fraction": 0.1,
}


def test_a_good_result_raises_no_doubts():
    assert quality_warnings(GOOD, "converged", THRESHOLDS) == []


@pytest.mark.parametrize(
    ("key", "value", "changes"),
    [
        ("off_source_mean", 0.01, {}),
        ("off_source_width", 0.03, {}),
        ("starved_fraction", 0.0, {"starved": 1}),
        ("few_counts_off_fraction", 0.02, {"few_counts_off": 3}),
    ],
)
def test_a_stricter_threshold_raises_a_doubt(key, value, changes):
    assert quality_warnings(GOOD | changes, "converged", THRESHOLDS) == []
    assert len(quality_warnings(GOOD | changes, "converged", THRESHOLDS | {key: value})) == 1


def test_a_threshold_that_is_just_met_raises_no_doubt():
    assert quality_warnings(GOOD | {"starved": 10, "off_source_mean": -0.2}, "converged", THRESHOLDS) == []


@pytest.mark.parametrize(("raised", "expected"), [([], "pass"), (["something"], "warn")])
def test_verdict_is_that_of_the_doubts(raised, expected):
    assert verdict(raised) == expected


@pytest.mark.parametrize(
    ("changes", "state", "words"),
    [
        ({"starved": 60}, "converged", "60% of the pixels have no background"),
        ({"few_counts_off": 30}, "converged", "30% of the pixels have fewer than 10 off counts"),
        ({"off_source_width": 1.54}, "converged", "width 1.540 are far from 0 and 1"),
        ({"off_source_mean": -0.3}, "converged", "mean -0.300"),
        (
            {"off_source_width": 1.54, "null_off_source_mean": -0.0012, "null_off_source_width": 1.012},
            "converged",
            "far from 0 and 1 (simulations without sources have -0.001 and 1.012)",
        ),
        ({}, "runaway", "ran away"),
    ],
)
def test_a_doubtful_result_is_warned_of(changes, state, words):
    (warning,) = quality_warnings(GOOD | changes, state, THRESHOLDS)
    assert words in warning
