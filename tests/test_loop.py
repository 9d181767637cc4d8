"""The loop as a whole: that it iterates, ends where it says, and returns what belongs together."""

import numpy as np
import pytest

from skymask import adaptive_ring, compute_products, disk, gaussian, iterate, ring
from skymask.core.background import estimate_background
from skymask.core.exclusion import update_exclusion_mask
from skymask.core.kernels import without
from skymask.core.quality import assess_quality
from skymask.core.significance import compute_significance
from skymask.errors import ConvergenceError, MapError

POINT = disk(0)


def everywhere(shape):
    return np.ones(shape, dtype=bool)


def hidden_source():
    """Return counts and kernels whose answer is known: a flat background of 4, a bright and a hidden source.

    The ring of the pixel (10, 13) holds the bright source at (10, 10), which hides its own 30 counts at first. Once
    the bright one is excluded, both rings hold nothing but fours.
    """
    counts = np.full((21, 25), 4)
    counts[10, 10] = 2000
    counts[10, 13] = 30
    kernels = {"source_kernel": POINT, "background_kernel": ring(2, 2), "dilation_kernel": POINT}
    return counts, kernels


CROWDED = {"source_kernel": disk(1), "background_kernel": ring(3, 2), "dilation_kernel": disk(1), "threshold": 2.0}


def crowded(seed=1):
    """Return Poisson counts that cycle with a period of 2 for seed 1, as `test_built_map_alternates...` derives."""
    return np.random.default_rng(seed).poisson(3, (20, 24))


def step(counts, mask, previous, decision, *, source_kernel, background_kernel, dilation_kernel, threshold):
    """Return the next mask and decision, by hand from the public functions."""
    acceptance = np.ones(counts.shape)
    estimate = estimate_background(counts, acceptance, mask, background_kernel)
    significance = compute_significance(counts, acceptance, estimate, source_kernel).significance
    return update_exclusion_mask(
        significance,
        everywhere(counts.shape),
        threshold=threshold,
        dilation_kernel=dilation_kernel,
        user_mask=everywhere(counts.shape),
        previous_mask=previous,
        previous_decision=decision,
        mask_update="replace",
        starved_pixels="keep",
    )


def masks_by_hand(counts, iterations, **settings):
    """Return the masks of iterations 0 to `iterations`, by hand from the public functions."""
    masks, decision = [everywhere(counts.shape)], everywhere(counts.shape)
    for _ in range(iterations):
        mask, decision = step(counts, masks[-1], masks[-1], decision, **settings)
        masks.append(mask)
    return masks


# What the original class got wrong.


def test_second_iteration_starts_from_the_first_ones_background():
    counts, kernels = hidden_source()
    result = iterate(counts, **kernels)
    assert [record["excluded"] for record in result.records] == [0, 1, 2, 2]
    assert np.argwhere(~result.exclusion_mask).tolist() == [[10, 10], [10, 13]]


def test_change_that_does_not_touch_the_border_is_not_convergence():
    counts, kernels = hidden_source()
    result = iterate(counts, **kernels, max_iterations=1)
    assert result.records[1]["changed"] == 1
    assert result.state == "max_iterations"


def test_returned_maps_belong_to_the_returned_mask():
    counts, kernels = hidden_source()
    result = iterate(counts, **kernels, max_iterations=1)
    estimate = estimate_background(counts, np.ones(counts.shape), result.exclusion_mask, kernels["background_kernel"])
    significance = compute_significance(counts, np.ones(counts.shape), estimate, POINT).significance
    assert np.array_equal(result.products.background, estimate.background)
    assert np.array_equal(result.products.significance, significance)
    # Behind the bright source the other one had no significance; in the returned map it has.
    assert result.exclusion_mask[10, 13]
    assert result.products.significance[10, 13] > 5


def test_converged_maps_are_those_of_the_true_background():
    counts, kernels = hidden_source()
    products = iterate(counts, **kernels).products
    np.testing.assert_allclose(products.background, 4, rtol=1e-12)
    np.testing.assert_allclose(products.excess, counts - 4, rtol=1e-12, atol=1e-12)
    # The root of a difference that is nearly zero keeps half the digits.
    np.testing.assert_allclose(products.significance[counts == 4], 0, atol=1e-6)


@pytest.mark.parametrize("background", [None, np.full((21, 25), 3.0)], ids=["estimated", "given"])
def test_users_mask_is_kept_in_every_iteration(background):
    counts, kernels = hidden_source()
    user_mask = everywhere(counts.shape)
    user_mask[:3, :4] = False
    for limit in (1, 2, 3, 50):
        result = iterate(counts, **kernels, exclusion_mask=user_mask, background=background, max_iterations=limit)
        assert not result.exclusion_mask[:3, :4].any()


@pytest.mark.parametrize(("limit", "state"), [(1, "max_iterations"), (2, "max_iterations"), (3, "converged")])
def test_reaching_the_largest_number_of_iterations_is_said(limit, state):
    counts, kernels = hidden_source()
    result = iterate(counts, **kernels, max_iterations=limit)
    assert (result.state, result.iterations) == (state, limit)


def test_inputs_are_not_modified():
    counts, kernels = hidden_source()
    counts = counts.astype(float)
    counts[0, 0] = np.nan
    given = {
        "acceptance": np.where(np.isnan(counts), np.nan, 2.0),
        "exclusion_mask": counts < 1000,
        "background": np.where(np.isnan(counts), np.nan, 4.0),
    }
    arrays = {"counts": counts, **given, **kernels}
    copies = {name: array.copy() for name, array in arrays.items()}
    iterate(**arrays)
    for name, copy in copies.items():
        assert np.array_equal(arrays[name], copy, equal_nan=copy.dtype.kind == "f"), name


# How it ends.


@pytest.mark.parametrize("seed", [0, 2, 4, 6])
def test_converged_mask_is_a_fixed_point(seed):
    counts = crowded(seed)
    result = iterate(counts, **CROWDED)
    assert result.state == "converged"
    assert not result.exclusion_mask.all()
    mask, _ = step(counts, result.exclusion_mask, result.exclusion_mask, everywhere(counts.shape), **CROWDED)
    assert np.array_equal(mask, result.exclusion_mask)


def test_converged_mask_leaves_no_used_pixel_above_the_threshold():
    result = iterate(crowded(0), **CROWDED)
    figures = assess_quality(
        result.products.significance,
        result.exclusion_mask,
        everywhere((20, 24)),
        result.products.counts_off,
        threshold=2,
    )
    assert figures["unexcluded_above_threshold"] == 0


def test_built_map_alternates_between_two_masks():
    masks = masks_by_hand(crowded(), 9, **CROWDED)
    assert not np.array_equal(masks[3], masks[4])
    for number in range(3, 8):
        assert np.array_equal(masks[number], masks[number + 2])
    # No mask repeats before: iteration 5 is the first whose mask was there.
    assert len({mask.tobytes() for mask in masks[:5]}) == 5


def test_two_alternating_masks_are_a_cycle_of_two():
    result = iterate(crowded(), **CROWDED)
    assert (result.state, result.period, result.iterations) == ("cycle", 2, 5)


def test_union_of_a_cycle_excludes_what_any_of_its_masks_excludes():
    masks = masks_by_hand(crowded(), 5, **CROWDED)
    result = iterate(crowded(), **CROWDED, on_cycle="union")
    assert np.array_equal(~result.exclusion_mask, ~masks[4] | ~masks[5])


def test_last_mask_of_a_cycle_is_that_of_the_last_iteration():
    masks = masks_by_hand(crowded(), 5, **CROWDED)
    assert np.array_equal(iterate(crowded(), **CROWDED, on_cycle="last").exclusion_mask, masks[5])


def test_maps_of_a_union_belong_to_the_union():
    counts = crowded()
    result = iterate(counts, **CROWDED, on_cycle="union")
    expected = compute_products(
        counts, np.ones(counts.shape), result.exclusion_mask, disk(1), ring(3, 2), statistic="wstat"
    )
    for image, other in zip(result.products.maps().values(), expected.maps().values(), strict=True):
        np.testing.assert_allclose(image, other, rtol=1e-12)


def test_cycle_is_an_error_if_asked_for():
    with pytest.raises(ConvergenceError, match=r"cycles with period 2 \(iteration 5\)"):
        iterate(crowded(), **CROWDED, on_cycle="fail")


def test_reaching_the_largest_number_is_an_error_if_asked_for():
    with pytest.raises(ConvergenceError, match="still changes after 3 iterations"):
        iterate(crowded(), **CROWDED, max_iterations=3, on_max_iterations="fail")


def test_growing_mask_never_releases_a_pixel_and_converges():
    result = iterate(crowded(), **CROWDED, mask_update="grow")
    assert result.state == "converged"
    assert not any(record["released"] for record in result.records)


def test_tolerance_ends_the_alternation():
    changed = [record["changed"] for record in iterate(crowded(), **CROWDED).records]
    result = iterate(crowded(), **CROWDED, changed_pixels=changed[-1])
    assert result.state == "converged"
    assert result.records[-1]["changed"] <= changed[-1]


def test_mask_that_excludes_nearly_everything_has_run_away():
    result = iterate(crowded(), **{**CROWDED, "dilation_kernel": disk(12)}, max_excluded_fraction=0.5)
    assert result.state == "runaway"
    assert result.records[-1]["loop_excluded_fraction"] > 0.5


def test_records_are_those_of_masks_made_by_hand():
    masks = masks_by_hand(crowded(), 5, **CROWDED)
    records = iterate(crowded(), **CROWDED).records
    assert [record["excluded"] for record in records] == [int((~mask).sum()) for mask in masks]


# A given background.


def test_given_background_is_taken_as_known_in_the_first_iteration():
    counts, kernels = hidden_source()
    result = iterate(counts, **kernels, background=np.full(counts.shape, 4.0))
    # Nothing hides behind a background that was not estimated: both sources go at once, the next iteration confirms.
    assert [record["excluded"] for record in result.records] == [0, 2, 2]
    # Cash: 2 (n ln(n / mu) - n + mu).
    expected = np.sqrt(2 * (2000 * np.log(500) - 1996))
    assert result.records[1]["highest_significance"] == pytest.approx(expected, rel=1e-12)


def test_given_background_needs_two_iterations_even_if_nothing_is_excluded():
    _, kernels = hidden_source()
    result = iterate(np.full((9, 9), 4), **kernels, background=np.full((9, 9), 4.0))
    assert (result.state, result.iterations) == ("converged", 2)


def test_given_background_does_not_enter_the_final_maps():
    counts, kernels = hidden_source()
    plain = iterate(counts, **kernels)
    given = iterate(counts, **kernels, background=np.full(counts.shape, 3.0))
    for image, other in zip(given.products.maps().values(), plain.products.maps().values(), strict=True):
        assert np.array_equal(image, other)


# A systematic error of the background.


@pytest.mark.parametrize("statistic", ["wstat", "cash"])
def test_systematic_error_in_every_iteration_and_in_the_final_maps(statistic):
    counts, kernels = hidden_source()
    result = iterate(counts, **kernels, statistic=statistic, background_systematic=1)
    estimate = estimate_background(counts, np.ones(counts.shape), result.exclusion_mask, kernels["background_kernel"])
    expected = compute_significance(
        counts, np.ones(counts.shape), estimate, POINT, statistic=statistic, background_systematic=1
    )
    assert np.array_equal(result.products.significance, expected.significance)
    # An excess of 26 over a background of 4 +- 4 is not excluded; without the error it is.
    assert result.exclusion_mask[10, 13]
    assert not iterate(counts, **kernels, statistic=statistic).exclusion_mask[10, 13]


def test_deep_field_does_not_exclude_the_errors_of_its_acceptance():
    # The true background is two per cent off from the acceptance along one stripe, and there are 1e5 counts per pixel.
    error = np.ones((40, 40))
    error[:, 18:22] = 1.02
    counts = np.random.default_rng(0).poisson(1e5 * error)
    kernels = {"source_kernel": disk(1), "background_kernel": ring(6, 4), "dilation_kernel": disk(1)}
    assert not iterate(counts, **kernels).exclusion_mask.all()
    assert iterate(counts, **kernels, background_systematic=0.01).exclusion_mask.all()


@pytest.mark.parametrize("sigma", [-0.1, 1.5, np.nan])
def test_systematic_error_that_is_none_is_refused(sigma):
    with pytest.raises(ValueError, match="background_systematic must be zero to one"):
        iterate(np.ones((5, 5)), **CROWDED, background_systematic=sigma)


# Symmetries and limits.


@pytest.mark.parametrize("statistic", ["wstat", "cash"])
def test_map_without_counts_has_background_and_significance_zero(statistic):
    result = iterate(np.zeros((15, 17)), **{**CROWDED, "statistic": statistic})
    assert result.state == "converged"
    assert result.exclusion_mask.all()
    assert not result.products.background.any()
    assert not result.products.significance.any()


MOVES = {"up-down": lambda a: a[::-1], "left-right": lambda a: a[:, ::-1], "transposed": lambda a: a.T}


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
@pytest.mark.parametrize("seed", [0, 1, 5])
def test_moving_the_counts_moves_mask_and_maps(move, seed):
    counts = crowded(seed)
    plain, moved = iterate(counts, **CROWDED), iterate(move(counts), **CROWDED)
    assert (moved.state, moved.period, moved.iterations) == (plain.state, plain.period, plain.iterations)
    assert np.array_equal(moved.exclusion_mask, move(plain.exclusion_mask))
    for image, other in zip(moved.products.maps().values(), plain.products.maps().values(), strict=True):
        assert np.array_equal(image, move(other), equal_nan=True)


def test_unit_of_the_acceptance_does_not_matter():
    counts = crowded()
    slope = np.broadcast_to(np.linspace(1, 2, 24), counts.shape)
    plain = iterate(counts, **CROWDED, acceptance=slope)
    scaled = iterate(counts, **CROWDED, acceptance=slope * 2.0**40)
    assert np.array_equal(plain.exclusion_mask, scaled.exclusion_mask)
    np.testing.assert_allclose(scaled.products.background, plain.products.background, rtol=1e-12)


def test_undefined_counts_do_not_spread():
    counts, kernels = hidden_source()
    with_hole = counts.astype(float)
    with_hole[3:5, 18:22] = np.nan
    result = iterate(with_hole, **kernels)
    hole = np.isnan(with_hole)
    for image in result.products.maps().values():
        assert np.array_equal(np.isnan(image), hole)
    np.testing.assert_allclose(result.products.background[~hole], 4, rtol=1e-12)
    assert result.exclusion_mask[hole].all()


def test_starved_hole_of_the_user_is_neither_excluded_by_the_loop_nor_dilated():
    counts = np.full((41, 41), 4)
    user_mask = np.hypot(*np.mgrid[-20:21, -20:21]) > 12
    result = iterate(
        counts, source_kernel=disk(1), background_kernel=ring(3, 2), dilation_kernel=disk(3), exclusion_mask=user_mask
    )
    assert result.records[-1]["starved"] > 0
    assert np.array_equal(result.exclusion_mask, user_mask)
    assert np.isnan(result.products.background[20, 20])


def test_map_with_starved_pixels_converges():
    # A source wider than the ring starves its own middle as soon as it is excluded.
    y, x = np.mgrid[-30:31, -30:31]
    expected = 2 + 60 * np.exp(-(y**2 + x**2) / (2 * 5**2))
    counts = np.random.default_rng(1).poisson(expected)
    result = iterate(counts, source_kernel=disk(2), background_kernel=ring(5, 3), dilation_kernel=disk(2))
    assert result.state == "converged"
    assert result.records[-1]["starved"] > 0
    assert not result.exclusion_mask[np.hypot(y, x) < 8].any()


@pytest.mark.parametrize(
    ("source_kernel", "background_kernel"),
    [(disk(3), ring(8, 4)), (gaussian(1.5), ring(8, 4))],
    ids=["disk", "gaussian"],
)
def test_off_source_distribution_of_a_null_simulation_is_standard_normal(source_kernel, background_kernel):
    shape = (160, 160)
    counts = np.random.default_rng(12).poisson(5, shape)
    result = iterate(counts, source_kernel=source_kernel, background_kernel=background_kernel, dilation_kernel=disk(3))
    figures = assess_quality(
        result.products.significance, result.exclusion_mask, everywhere(shape), result.products.counts_off, threshold=5
    )
    # Independent pixels: the area over that of a kernel, (sum K)^2 / sum K^2; four standard errors each. Neighbours
    # of a bright pixel lose what it adds, so the mean scatters less than that.
    n = counts.size * (source_kernel.astype(float) ** 2).sum() / source_kernel.sum() ** 2
    assert abs(figures["off_source_mean"]) < 4 / np.sqrt(n)
    assert abs(figures["off_source_width"] - 1) < 4 / np.sqrt(2 * n)


def test_wstat_takes_no_off_counts_from_under_the_source_kernel():
    # On and off counts must not share pixels: a Gaussian of 10 pixels with a disk of 5 left in it has a width of 0.87.
    counts = np.random.default_rng(12).poisson(5, (60, 60))
    shared = {"source_kernel": disk(5), "dilation_kernel": disk(3)}
    overlapping = iterate(counts, background_kernel=gaussian(10), **shared)
    apart = iterate(counts, background_kernel=without(gaussian(10), disk(5)), **shared)
    # The two kernels differ by a factor, which cancels up to the rounding of the Fourier transform: about 1e-12 in the
    # square of the significance.
    np.testing.assert_allclose(overlapping.products.significance, apart.products.significance, rtol=0, atol=1e-6)


def test_source_is_found_at_its_place_and_its_counts_with_it():
    shape = (60, 80)
    expected = np.full(shape, 3.0)
    expected[28:31, 50:53] += 30
    counts = np.random.default_rng(2).poisson(expected)
    result = iterate(counts, source_kernel=disk(3), background_kernel=ring(9, 4), dilation_kernel=disk(4))
    assert result.state == "converged"
    y, x = np.unravel_index(np.argmax(result.products.significance), shape)
    assert np.hypot(y - 29, x - 51) <= 3
    # 270 source counts over 87 of background under the disk: four standard errors.
    assert result.products.excess[29, 51] == pytest.approx(270, abs=4 * np.sqrt(270 + 87))


def test_impossible_counts_are_refused():
    with pytest.raises(MapError, match="no whole numbers"):
        iterate(np.full((5, 5), 0.5), **CROWDED)


def test_products_of_pixels_without_coverage_are_undefined():
    coverage = everywhere((12, 12))
    coverage[:, :2] = False
    products = compute_products(
        3 * coverage, coverage.astype(float), everywhere((12, 12)), disk(1), ring(3, 1), statistic="cash"
    )
    for image in products.maps().values():
        assert np.isnan(image[:, :2]).all()
        assert not np.isnan(image[:, 2:]).any()


def test_given_background_leaves_the_final_maps_their_errors():
    counts, kernels = hidden_source()
    result = iterate(counts, **kernels, background=np.full(counts.shape, 4.0))
    n = ring(2, 2).sum()
    assert result.products.background_error[10, 10] == pytest.approx(np.sqrt(4 * (n - 1)) / (n - 1), rel=1e-12)


SHAPING = {
    "threshold_low": 1.5,
    "min_pixels": 3,
    "max_hole_pixels": 5,
    "region_growth": {"law": "king", "sigma": 2, "gamma": 2, "level": 1, "max_radius": 3},
}


@pytest.mark.parametrize("seed", range(6))
def test_converged_mask_is_a_fixed_point_with_regions_shaped(seed):
    # A source wider than the ring, so that starved pixels keep their decision.
    y, x = np.mgrid[-20:21, -24:25]
    counts = np.random.default_rng(seed).poisson(3 + 30 * np.exp(-(y**2 + x**2) / (2 * 4**2)))
    options = {"source_kernel": disk(1), "background_kernel": ring(4, 2), "dilation_kernel": disk(1), "threshold": 3}
    result = iterate(counts, **options, **SHAPING)
    longer = iterate(counts, **options, **SHAPING, max_iterations=result.iterations + 3, changed_pixels=-1)
    assert result.state == "converged"
    assert result.records[-1]["starved"] > 0
    assert {record["digest"] for record in longer.records[result.iterations :]} == {result.records[-1]["digest"]}


@pytest.mark.parametrize("name", SHAPING)
def test_every_option_that_shapes_regions_is_used(name):
    counts = crowded()
    # A square frame, whose middle the source kernel leaves alone.
    counts[5:10, 5:10] += 40
    counts[6:9, 6:9] = 3
    options = CROWDED | {"dilation_kernel": POINT, "max_iterations": 1}
    changed = iterate(counts, **options, **{name: SHAPING[name]}).exclusion_mask
    assert not np.array_equal(changed, iterate(counts, **options).exclusion_mask)


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_moving_the_counts_moves_a_mask_of_shaped_regions(move):
    counts = crowded()
    plain, moved = iterate(counts, **CROWDED, **SHAPING), iterate(move(counts), **CROWDED, **SHAPING)
    assert np.array_equal(moved.exclusion_mask, move(plain.exclusion_mask))


def test_regions_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="threshold_low must be more than 0, and at most the threshold"):
        iterate(crowded(), **CROWDED, threshold_low=3)


@pytest.mark.parametrize("statistic", ["wstat", "cash"])
@pytest.mark.parametrize("source_kernel", [disk(2), disk(16), gaussian(1.5)], ids=["disk", "large disk", "gaussian"])
@pytest.mark.parametrize("background_kernel", [ring(18, 6), gaussian(9)], ids=["ring", "gaussian"])
def test_every_kernel_goes_with_every_statistic(statistic, source_kernel, background_kernel):
    counts = np.random.default_rng(3).poisson(1.0, (90, 110))
    counts[40:44, 50:54] += 60
    kernels = {"source_kernel": source_kernel, "background_kernel": background_kernel, "dilation_kernel": disk(3)}
    result = iterate(counts, statistic=statistic, threshold=6, **kernels)
    assert not result.exclusion_mask[40:44, 50:54].any()
    assert result.exclusion_mask[:, 85:].all()


@pytest.mark.parametrize("statistic", ["wstat", "cash"])
@pytest.mark.parametrize("scale", [1, 10**4, 5 * 10**7], ids=["16 bits", "32 bits", "64 bits"])
def test_counts_may_be_of_any_size(statistic, scale):
    counts = np.full((60, 70), 4) * scale
    counts[30, 30] *= 8
    shared = {"source_kernel": disk(1.5), "background_kernel": ring(5, 4), "dilation_kernel": disk(1)}
    result = iterate(counts, statistic=statistic, threshold=4, **shared)
    expected = np.ones(counts.shape, dtype=bool)
    assert result.state == "converged"
    assert not result.exclusion_mask[30, 30]
    expected[27:34, 27:34] = False
    assert result.exclusion_mask[expected].all()


@pytest.mark.parametrize("background_kernel", [ring(3, 2), adaptive_ring(3, 1, step=1, max_outer_radius=6)])
def test_background_kernel_of_which_the_source_kernel_leaves_nothing_is_refused(background_kernel):
    shared = {"source_kernel": disk(9), "background_kernel": background_kernel, "dilation_kernel": disk(2)}
    with pytest.raises(ValueError, match="nothing is left to estimate from"):
        iterate(np.ones((40, 40), dtype=int), statistic="wstat", threshold=5, **shared)
