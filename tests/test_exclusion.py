"""The exclusion mask: threshold, dilation, starved pixels, the user's mask."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from skymask.exclusion import Dilation, update_exclusion_mask
from skymask.kernels import disk

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
    assert np.array_equal(Dilation(kernel)(region), binary_dilation(region, kernel))


def test_dilation_by_an_asymmetric_kernel_is_that_of_scipy():
    region = np.random.default_rng(2).random(SHAPE) > 0.9
    kernel = np.array([[True, False, False], [False, True, True], [False, False, False]])
    assert np.array_equal(Dilation(kernel)(region), binary_dilation(region, kernel))


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
