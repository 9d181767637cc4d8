"""Colour scales: no source saturates, zero is white, and what is told beside a colour is true of it."""

import numpy as np
import pytest

from skymask.products.colour_scales import STRETCHES, Scale, scale_of
from skymask.products.numbers import number_text, tick_texts

NOISE = np.random.default_rng(0).normal(size=10_000)
COUNTS = np.random.default_rng(0).poisson(1, 10_000)


@pytest.mark.parametrize("name", ["significance", "excess", "counts"])
@pytest.mark.parametrize("peak", [6, 57.8, 1e5])
def test_the_brightest_source_is_within_the_scale_and_apart_from_half_of_it(name, peak):
    image = np.append(COUNTS if name == "counts" else NOISE, [peak / 2, peak])
    scale = scale_of(name, image)
    assert scale.open_ends == (False, False)
    half, whole = scale.parts(image[-2:])
    assert half < whole - 0.05
    # The noise has more than a twentieth of the scale.
    assert np.ptp(scale.parts(np.percentile(image, [2, 98]))) > 0.05


def test_a_significance_within_its_limits_has_a_linear_scale_between_them():
    scale = scale_of("significance", NOISE, significance_limits=(-5, 15))
    assert (scale.low, scale.high, scale.stretch) == (-5, 15, "linear")
    assert scale.label == "Significance [σ]"


@pytest.mark.parametrize("stretch", STRETCHES)
def test_a_scale_that_is_not_linear_says_so(stretch):
    label = scale_of("counts", COUNTS, stretch=stretch).label
    assert label == "Counts per pixel" + (f" ({STRETCHES[stretch]})" if STRETCHES[stretch] else "")


@pytest.mark.parametrize("peak", [3.0, 600.0])
def test_zero_is_white_and_the_same_distance_on_both_sides_as_strong(peak):
    scale = scale_of("excess", np.append(np.clip(NOISE, -3, 3), [-peak, peak]))
    table = scale.table(1001).astype(int)
    assert table[500].tolist() == [255, 255, 255]
    # Blue is as far from the blue end as red is from the red one.
    assert scale.parts(-1.0) == pytest.approx(1 - scale.parts(1.0), abs=1e-9)


@pytest.mark.parametrize("stretch", STRETCHES)
def test_unstretched_undoes_stretched(stretch):
    values = np.array([0.0, 0.5, 3.0, 40.0])
    scale = Scale("cividis", 0.0, 50.0, stretch, 2.0)
    np.testing.assert_allclose(scale.unstretched(scale.stretched(values)), values, rtol=1e-14)


@pytest.mark.parametrize("peak", [1, 3, 17, 300])
def test_counts_are_told_in_whole_numbers(peak):
    ticks = scale_of("counts", np.append(np.zeros(999, dtype=int), peak)).ticks(whole=True)
    assert len(ticks) > 1
    assert all(tick == round(tick) for tick in ticks)


def test_a_background_that_is_the_same_everywhere_is_told_as_its_value():
    scale = scale_of("background", np.full(99, 0.065))
    assert scale.label == "Background counts per pixel (the same everywhere)"
    assert tick_texts(scale.ticks()) == ["0.065"]
    np.testing.assert_array_equal(scale.parts(np.array([0.065, np.nan])), [0.5, np.nan])


@pytest.mark.parametrize("stretch", STRETCHES)
def test_ticks_are_not_too_close_to_each_other(stretch):
    scale = Scale("cividis", 0.0, 1234.0, stretch, 5.0)
    assert np.diff(scale.parts(np.array(scale.ticks()))).min() >= 0.075


@pytest.mark.parametrize("image", [np.full(9, np.nan), np.array([np.inf, -np.inf, 0.0]), np.zeros(9)])
@pytest.mark.parametrize("name", ["counts", "background", "significance", "excess"])
def test_every_map_has_a_scale(name, image):
    scale = scale_of(name, image)
    assert len(scale.table(100)) == 100
    assert scale.ticks()
    parts = scale.parts(image)
    assert np.isnan(parts).sum() == np.isnan(image).sum()
    assert scale.open_ends == (bool((image == -np.inf).any()), bool((image == np.inf).any()))


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (-0.0004, "%.3f", "0.000"),
        (-0.0004, "%+.3f", "0.000"),
        (-0.02, "%.2f", "−0.02"),
        (0.5, "%+.1f", "+0.5"),
        ("-inf", "%.2f", "−inf"),
        ("inf", "%+.3f", "inf"),
    ],
)
def test_a_number_in_print_has_a_minus_sign_and_zero_has_none(value, form, text):
    assert number_text(value, form) == text


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.94, 0.96, 0.98, 1.0], ["0.94", "0.96", "0.98", "1.00"]),
        ([-5, 0, 5, 10, 36.754], ["−5", "0", "5", "10", "36.8"]),
        ([1000, 2000, 5000, 123456], ["1000", "2000", "5000", "123456"]),
        ([0, 200000, 400000], ["0", "200000", "400000"]),
        ([0.0648, 0.065], ["0.0648", "0.0650"]),
        ([], []),
    ],
)
def test_numbers_at_an_axis_have_the_digits_that_they_need(values, texts):
    assert tick_texts(values) == texts
