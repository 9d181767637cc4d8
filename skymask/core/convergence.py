"""Whether the loop goes on: decided from records of every iteration, by comparing masks with all earlier masks.

This module needs nothing but the standard library until a record is made, so that deciding costs no import.
"""

import hashlib
from typing import NamedTuple


class State(NamedTuple):
    """How the loop stands: "running", "converged", "cycle" (of `period` iterations), "max_iterations", "runaway"."""

    name: str
    period: int = 0


RUNNING = State("running")


def digest(mask):
    """Return the SHA-256 of a mask's pixels as bits, eight to a byte, the first one highest (`numpy.packbits`)."""
    from numpy import packbits

    return digest_of_bits(packbits(mask))


def digest_of_bits(packed):
    """Return the `digest` of a mask that is packed."""
    return hashlib.sha256(packed).hexdigest()


def figures(significance, coverage, further=()):
    """Return the highest significance of a map, None if it is nowhere defined, and the number of `starved` pixels.

    Starved is what has no significance in it, or in any of the `further` maps of other source kernels.
    """
    from numpy import count_nonzero, fmax, isnan

    from skymask.core.exclusion import starved_under_any

    highest = fmax.reduce(significance, axis=None)
    return {
        "starved": int(count_nonzero(starved_under_any((significance, *further), coverage))),
        "highest_significance": None if isnan(highest) else float(highest),
    }


def first_record(user_mask, coverage):
    """Return the `record` of iteration 0, whose mask is the user's and whose decision uses every pixel.

    Parameters
    ----------
    user_mask, coverage : skymask.core.bitmask.PackedMask
        True where the pixel may be used, and where there is data.
    """
    from skymask.core.bitmask import PackedMask

    mask, decision = user_mask.flat(), ~PackedMask.zeros(user_mask.shape)
    return record(0, mask, mask, decision.flat(), coverage.flat(), mask)


def record(
    iteration,
    exclusion_mask,
    previous_mask,
    decision,
    coverage,
    user_mask,
    *,
    starved=0,
    highest_significance=None,
    previous_record=None,
):
    """Return what there is to know of an iteration, as numbers and digests.

    Parameters
    ----------
    iteration : int
        1 for the first.
    exclusion_mask, previous_mask, decision, coverage, user_mask : ndarray of uint8
        This iteration's mask, the last one, the decision that this one grew from, where there is data, and the user's
        mask: true where the pixel is used, or covered, and without coverage. All packed by `numpy.packbits`.
    starved, highest_significance : int, float or None
        The `figures` of the significance that led to the mask.
    previous_record : dict, optional
        The last iteration's record, whose digest an unchanged mask has.

    Returns
    -------
    record : dict
        Counts of excluded, added, released, changed and starved pixels, the excluded fraction of the covered pixels
        and of those that the user left (`loop_excluded_fraction`), the highest significance, and the digests of the
        mask and of the decision.
    """
    pixels = tally(exclusion_mask, previous_mask, coverage, user_mask)
    same = previous_record is not None and not pixels.changed
    return record_of(
        iteration,
        pixels,
        starved=starved,
        highest_significance=highest_significance,
        mask_digest=previous_record["digest"] if same else digest_of_bits(exclusion_mask),
        decision_digest=digest_of_bits(decision),
    )


class Tally(NamedTuple):
    """Numbers of pixels that a `record` is made of; those of the parts of a map add up to those of the whole.

    Pixels that are covered, excluded, changed, and used again; covered ones that the user left, and those excluded.
    """

    covered: int
    excluded: int
    changed: int
    released: int
    left: int
    left_and_excluded: int


def tally(exclusion_mask, previous_mask, coverage, user_mask):
    """Return the `Tally` of a map or of a part of one; the arrays are those of `record`."""
    from skymask.core.bitmask import count

    covered, left_mask = count(coverage), coverage & user_mask
    changed_mask, left = exclusion_mask ^ previous_mask, count(left_mask)
    return Tally(
        covered=covered,
        excluded=covered - count(coverage & exclusion_mask),
        changed=count(changed_mask),
        released=count(changed_mask & exclusion_mask),
        left=left,
        left_and_excluded=left - count(left_mask & exclusion_mask),
    )


def record_of(iteration, pixels, *, starved, highest_significance, mask_digest, decision_digest):
    """Return the `record` of an iteration from the `Tally` of its pixels and the digests of its masks."""
    return {
        "iteration": iteration,
        "covered": pixels.covered,
        "excluded": pixels.excluded,
        "excluded_fraction": float(pixels.excluded / pixels.covered),
        "loop_excluded_fraction": float(pixels.left_and_excluded / max(pixels.left, 1)),
        "added": pixels.changed - pixels.released,
        "released": pixels.released,
        "changed": pixels.changed,
        "starved": int(starved),
        "highest_significance": highest_significance,
        "digest": mask_digest,
        "decision_digest": decision_digest,
    }


def assess(
    records,
    *,
    max_iterations,
    changed_pixels,
    max_excluded_fraction,
    starved_pixels,
    background_given=False,
):
    """Return the state of the loop after the last of `records`.

    Equal masks in two successive iterations are a fixed point: they give the same significance, so the pixels that keep
    their decision are the same and keep the same, and from significance and decision all else follows (that is why
    hysteresis and minimum size look at the significance alone, before anything is kept, and why holes and growth are
    not part of the decision). A mask that returns after two or more iterations is a limit cycle if nothing else is
    remembered: if no pixel was starved under it, or the decisions are equal too.

    Parameters
    ----------
    records : sequence of dict
        One of `first_record`, then one of `record` per iteration.
    max_iterations : int
        The loop ends after this many.
    changed_pixels : int
        Largest difference from the last mask that counts as converged.
    max_excluded_fraction : float
        The loop has run away if it excludes more of the pixels that the user left to it.
    starved_pixels : {"keep", "use"}
        As for `skymask.core.exclusion.update_exclusion_mask`.
    background_given : bool
        Whether iteration 1 took its background from the user; its mask then cannot be compared with the first.

    Returns
    -------
    state : State
    """
    last = records[-1]
    iteration = len(records) - 1
    earliest = 1 if background_given else 0
    if iteration == 0:
        return RUNNING
    if last["loop_excluded_fraction"] > max_excluded_fraction or last["starved"] == last["covered"]:
        return State("runaway")
    if iteration > earliest and last["changed"] <= changed_pixels:
        return State("converged", 1)
    for earlier in range(iteration - 2, earliest - 1, -1):
        same_mask = records[earlier]["digest"] == last["digest"]
        remembers = starved_pixels == "keep" and records[earlier + 1]["starved"] > 0
        same_decision = records[earlier]["decision_digest"] == last["decision_digest"]
        if same_mask and (same_decision or not remembers):
            return State("cycle", iteration - earlier)
    if iteration >= max_iterations:
        return State("max_iterations")
    return RUNNING


def iterations_of_final_mask(state, iteration, *, on_cycle):
    """Return the iterations whose masks, all in force together, are the final mask."""
    if state.name == "cycle" and on_cycle == "union":
        return list(range(iteration - state.period + 1, iteration + 1))
    return [iteration]


def failure(state, iteration, *, on_cycle, on_max_iterations):
    """Return why this end of the loop counts as a failure, or None if it does not."""
    if state.name == "cycle" and on_cycle == "fail":
        return f"the mask cycles with period {state.period} (iteration {iteration}), and convergence.on_cycle is fail"
    if state.name == "max_iterations" and on_max_iterations == "fail":
        return f"the mask still changes after {iteration} iterations, and convergence.on_max_iterations is fail"
    return None


def decide(before, inspected, settings):
    """Return what the checkpoint decides on a dataset.

    Parameters
    ----------
    before : dict or None
        Its last decision; None at iteration 0.
    inspected : dict
        Its latest `record`; at iteration 0 also the `reason` why it cannot be used, or None.
    settings : dict
        Its convergence settings, `starved_pixels` and `background_given`.

    Returns
    -------
    decision : dict
        `state` ("running", "failed", or the end state), `period`, `iteration`, `reason` of a failure, the iterations
        whose masks make the final mask, and the records so far: all of them while running, then the last.
    """
    if inspected.get("reason"):
        return _decision(State("failed"), 0, [], [], inspected["reason"])
    records = [*(before["records"] if before else []), inspected["record"]]
    iteration = len(records) - 1
    policies = {key: settings[key] for key in ("on_cycle", "on_max_iterations")}
    state = assess(records, **{key: value for key, value in settings.items() if key not in policies})
    reason = failure(state, iteration, **policies)
    if reason:
        return _decision(State("failed", state.period), iteration, [], records[-1:], reason)
    if state == RUNNING:
        return _decision(state, iteration, [], records, None)
    final = iterations_of_final_mask(state, iteration, on_cycle=settings["on_cycle"])
    return _decision(state, iteration, final, records[-1:], None)


def _decision(state, iteration, final, records, reason):
    return {
        "state": state.name,
        "period": state.period,
        "iteration": iteration,
        "reason": reason,
        "final_mask_of_iterations": final,
        "records": records,
    }
