"""When the loop has ended, and how: decided from the records of its masks."""

import hashlib
from functools import partial

import numpy as np
import pytest

from skymask.core import convergence
from skymask.core.bitmask import PackedMask
from skymask.core.convergence import State
from skymask.loop.options import Options

SHAPE = (4, 6)

assess = partial(convergence.assess, **Options().limits)
failure = partial(convergence.failure, on_cycle="union", on_max_iterations="last")

COVERAGE = np.ones(SHAPE, dtype=bool)
SETTINGS = {
    "max_iterations": 50,
    "changed_pixels": 0,
    "max_excluded_fraction": 0.9,
    "starved_pixels": "keep",
    "background_given": False,
    "on_cycle": "union",
    "on_max_iterations": "last",
}


def mask_of(*excluded):
    """Return a mask that excludes the pixels with these numbers."""
    mask = COVERAGE.copy()
    mask.flat[list(excluded)] = False
    return mask


def history(*masks, decisions=None, starved=None, user_mask=COVERAGE, coverage=COVERAGE):
    """Return the records of iterations with these masks; decisions equal masks and no pixel is starved by default."""
    records = []
    for iteration in range(len(masks)):
        significance = np.where(coverage, 1.5, np.nan)
        significance.flat[: starved[iteration] if starved and iteration else 0] = np.nan
        decision = COVERAGE if iteration == 0 else decisions[iteration] if decisions else masks[iteration]
        previous = masks[max(iteration - 1, 0)]
        records.append(
            convergence.record(
                iteration,
                *map(np.packbits, (masks[iteration], previous, decision, coverage, user_mask)),
                **convergence.figures(significance, coverage),
            )
        )
    return records


A, B, C = mask_of(), mask_of(1), mask_of(1, 2)


def test_digest_is_the_sha256_of_the_mask_as_bits():
    mask = np.array([[True, False, False], [True, True, True], [False, False, True]])
    assert convergence.digest(mask) == hashlib.sha256(bytes([0b10011100, 0b10000000])).hexdigest()


def test_digest_does_not_depend_on_the_layout_in_memory():
    mask = mask_of(3, 7, 8)
    assert convergence.digest(np.asfortranarray(mask)) == convergence.digest(mask)


def test_masks_with_as_many_excluded_pixels_have_different_digests():
    assert convergence.digest(mask_of(1)) != convergence.digest(mask_of(2))


def test_first_record_is_that_of_the_users_mask_and_of_a_decision_that_uses_every_pixel():
    packed = map(np.packbits, (B, B, COVERAGE, COVERAGE, B))
    assert convergence.first_record(PackedMask.of(B), PackedMask.of(COVERAGE)) == convergence.record(0, *packed)


def test_record_counts_added_released_and_changed_pixels():
    record = history(mask_of(1, 2, 3), mask_of(3, 4))[-1]
    assert (record["excluded"], record["added"], record["released"], record["changed"]) == (2, 1, 2, 3)


def test_record_counts_fractions_of_the_covered_pixels_and_of_those_the_user_left():
    coverage, user_mask = mask_of(*range(8)), mask_of(*range(8, 16))
    record = history(user_mask, user_mask & mask_of(16, 17), user_mask=user_mask, coverage=coverage)[-1]
    assert record["covered"] == 16
    assert record["excluded_fraction"] == 10 / 16
    assert record["loop_excluded_fraction"] == 2 / 8


def test_record_holds_starved_pixels_and_the_highest_significance():
    significance = np.arange(24.0).reshape(SHAPE)
    significance[0, :5] = np.nan
    figures = convergence.figures(significance, COVERAGE)
    record = convergence.record(1, *map(np.packbits, (A, A, A, COVERAGE, COVERAGE)), **figures)
    assert record["starved"] == 5
    assert record["highest_significance"] == 23


def test_record_of_undefined_significance_has_no_highest():
    assert convergence.figures(np.full(SHAPE, np.nan), COVERAGE) == {"starved": 24, "highest_significance": None}


def test_record_of_an_unchanged_mask_has_the_digest_that_its_pixels_have():
    first = convergence.record(1, *map(np.packbits, (B, A, B, COVERAGE, COVERAGE)))
    second = convergence.record(2, *map(np.packbits, (B, B, B, COVERAGE, COVERAGE)), previous_record=first)
    assert second["digest"] == convergence.digest(B)


def test_loop_runs_before_its_first_iteration():
    assert assess(history(A)) == State("running")


def test_equal_successive_masks_are_a_fixed_point():
    assert assess(history(A, B, B)) == State("converged", 1)


def test_first_mask_equal_to_the_users_is_a_fixed_point():
    assert assess(history(B, B, user_mask=B)) == State("converged", 1)


@pytest.mark.parametrize(("masks", "state"), [([A, A], "running"), ([A, A, A], "converged"), ([A, B, B], "converged")])
def test_given_background_needs_two_iterations(masks, state):
    assert assess(history(*masks), background_given=True).name == state


def test_first_mask_of_a_given_background_starts_no_cycle():
    assert assess(history(A, B, A), background_given=True).name == "running"
    assert assess(history(A, B, A, B), background_given=True) == State("cycle", 2)


@pytest.mark.parametrize("period", [2, 3, 4, 7, 20])
@pytest.mark.parametrize("before", [0, 1, 5])
def test_returning_mask_is_a_cycle_of_any_period(period, before):
    masks = [mask_of(23, number) for number in range(before)]
    masks += [mask_of(22, number) for number in range(period)]
    masks.append(masks[before])
    assert assess(history(*masks)) == State("cycle", period)
    assert assess(history(*masks[:-1])) == State("running")


def test_different_masks_with_as_many_excluded_pixels_are_no_fixed_point():
    assert assess(history(A, mask_of(1), mask_of(2))).name == "running"


def test_cycle_is_not_claimed_while_starved_pixels_remember_different_decisions():
    # Mask B returns after two iterations; under it two pixels were starved, and their decisions differed.
    records = history(A, B, C, B, decisions=[A, mask_of(1), C, mask_of(1, 0)], starved=[0, 0, 2, 2])
    assert assess(records).name == "running"


def test_cycle_is_claimed_when_mask_and_decision_return():
    records = history(A, B, C, B, decisions=[A, mask_of(1), C, mask_of(1)], starved=[0, 0, 2, 2])
    assert assess(records) == State("cycle", 2)


def test_decisions_do_not_matter_where_no_pixel_is_starved_under_the_mask():
    # Two pixels were starved under A, which plays no part; none under B.
    records = history(A, B, C, B, decisions=[A, mask_of(1), C, mask_of(1, 0)], starved=[0, 2, 0, 0])
    assert assess(records) == State("cycle", 2)


def test_decisions_do_not_matter_if_starved_pixels_are_used():
    records = history(A, B, C, B, decisions=[A, mask_of(1), C, mask_of(1, 0)], starved=[0, 0, 2, 2])
    assert assess(records, starved_pixels="use") == State("cycle", 2)


@pytest.mark.parametrize(("tolerance", "state"), [(0, "running"), (1, "running"), (2, "converged"), (3, "converged")])
def test_difference_within_the_tolerance_counts_as_converged(tolerance, state):
    # One pixel added, one released.
    assert assess(history(A, B, mask_of(2)), changed_pixels=tolerance).name == state


@pytest.mark.parametrize(("excluded", "state"), [(12, "running"), (13, "runaway")])
def test_excluding_more_than_the_largest_fraction_is_running_away(excluded, state):
    assert assess(history(A, mask_of(*range(excluded))), max_excluded_fraction=0.5).name == state


def test_what_the_user_excluded_is_not_running_away():
    user_mask = mask_of(*range(23))
    assert assess(history(user_mask, user_mask, user_mask=user_mask)).name == "converged"


def test_loop_whose_every_pixel_is_starved_has_run_away():
    assert assess(history(A, B, starved=[0, 24])) == State("runaway")


@pytest.mark.parametrize(("limit", "state"), [(3, "running"), (2, "max_iterations"), (1, "max_iterations")])
def test_loop_ends_at_its_largest_number_of_iterations(limit, state):
    assert assess(history(A, B, C), max_iterations=limit).name == state


@pytest.mark.parametrize(("masks", "state"), [([A, B, B], State("converged", 1)), ([A, B, A], State("cycle", 2))])
def test_an_end_in_the_last_iteration_is_not_reported_as_its_number(masks, state):
    assert assess(history(*masks), max_iterations=2) == state


def test_final_mask_of_a_union_is_made_of_the_last_period():
    assert convergence.iterations_of_final_mask(State("cycle", 3), 7, on_cycle="union") == [5, 6, 7]


@pytest.mark.parametrize(
    ("state", "on_cycle"), [(State("cycle", 3), "last"), (State("converged", 1), "union"), (State("runaway"), "union")]
)
def test_final_mask_is_the_last_one_otherwise(state, on_cycle):
    assert convergence.iterations_of_final_mask(state, 7, on_cycle=on_cycle) == [7]


def test_cycle_is_a_failure_only_if_asked_for():
    state = State("cycle", 4)
    assert "cycles with period 4 (iteration 9)" in failure(state, 9, on_cycle="fail")
    assert failure(state, 9, on_cycle="last", on_max_iterations="fail") is None


def test_reaching_the_largest_number_is_a_failure_only_if_asked_for():
    state = State("max_iterations")
    assert "still changes after 9 iterations" in failure(state, 9, on_max_iterations="fail")
    assert failure(state, 9, on_cycle="fail") is None


def decide_all(masks, **changes):
    decision = None
    for record in history(*masks):
        decision = convergence.decide(decision, {"record": record, "reason": None}, {**SETTINGS, **changes})
    return decision


def test_decision_carries_all_records():
    decision = decide_all([A, B, C])
    assert [record["iteration"] for record in decision["records"]] == [0, 1, 2]
    assert (decision["state"], decision["iteration"]) == ("running", 2)


def test_decision_on_a_cycle_names_the_iterations_of_the_final_mask():
    decision = decide_all([A, B, C, B])
    assert (decision["state"], decision["period"], decision["final_mask_of_iterations"]) == ("cycle", 2, [2, 3])


def test_decision_on_a_cycle_that_is_to_fail_says_why_and_has_no_mask():
    decision = decide_all([A, B, C, B], on_cycle="fail")
    assert (decision["state"], decision["final_mask_of_iterations"]) == ("failed", [])
    assert "cycles with period 2" in decision["reason"]


def test_dataset_that_cannot_be_used_fails_with_its_reason():
    decision = convergence.decide(None, {"record": None, "reason": "no coverage"}, SETTINGS)
    assert (decision["state"], decision["reason"], decision["records"]) == ("failed", "no coverage", [])


def test_decision_does_not_modify_the_last_one():
    first = convergence.decide(None, {"record": history(A)[0], "reason": None}, SETTINGS)
    convergence.decide(first, {"record": history(A, B)[1], "reason": None}, SETTINGS)
    assert len(first["records"]) == 1
