"""The running estimate against the whole map computed again: the same maps, whatever masks came before."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skymask import disk, ring
from skymask.core.bitmask import PackedMask
from skymask.core.inputs import prepare
from skymask.core.measured import OneMap
from skymask.core.off_sums import OffSums
from skymask.core.significance import cash, fewest_counts, wstat
from skymask.loop.incremental import MANY_CANDIDATES, IncrementalEstimate, first_estimate

SHAPE = (150, 210)
SOURCE, BACKGROUND = disk(2), ring(5, 4)


def field(seed, *, holes=False, acceptance=None):
    """Return inputs with a few bright sources, perhaps without coverage here and there."""
    generator = np.random.default_rng(seed)
    expected = np.full(SHAPE, 0.4)
    for y, x, brightness in zip(
        generator.integers(0, 150, 9), generator.integers(0, 210, 9), generator.uniform(1, 30, 9), strict=True
    ):
        expected[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3] += brightness
    counts = generator.poisson(expected).astype(float)
    if holes:
        counts[60:90, 40:44] = np.nan
        counts[:, 200:] = np.nan
    if acceptance == "graded":
        y, x = np.indices(SHAPE)
        acceptance = np.exp(-((y - 70) ** 2 + (x - 100) ** 2) / 2 / 60**2)
    elif acceptance == "in units that need no scaling":
        # Below 2**54, what sums of 62 bits under the 184 pixels of the ring leave room for: the power of two is 1.
        acceptance = generator.uniform(0.5, 0.99, SHAPE) * 2.0**54
    elif acceptance == "whole numbers":
        acceptance = generator.integers(1, 1000, SHAPE)
    return prepare(counts, acceptance=acceptance)


def masks(seed):
    """Return masks that follow each other: large and small changes, none, and a hole too large for the ring."""
    generator = np.random.default_rng(seed)
    mask = np.ones(SHAPE, dtype=bool)
    mask[40:80, 100:140] = False
    yield mask.copy()
    for _ in range(3):
        y, x = generator.integers(0, 130), generator.integers(0, 190)
        mask[y : y + 12, x : x + 15] ^= True
        yield mask.copy()
    mask[3, 5] ^= True
    yield mask.copy()
    yield mask.copy()
    yield generator.random(SHAPE) > 0.5


CASES = [
    {"holes": holes, "acceptance": acceptance}
    for holes in (False, True)
    for acceptance in (None, "graded", "in units that need no scaling", "whole numbers")
]


def estimates(inputs, *, statistic, threshold, source_kernel=SOURCE):
    """The estimate brought up to date where a mask changed, and that computed again."""
    measured = OneMap(inputs.counts, inputs.acceptance, source_kernel, BACKGROUND, statistic=statistic)
    running, whole = (first_estimate(measured, inputs, threshold=threshold, whole=whole) for whole in (False, True))
    assert isinstance(running, IncrementalEstimate)
    return running, whole


@pytest.mark.parametrize("statistic", ["wstat", "cash"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_running_estimate_is_that_of_the_whole_map(statistic, case):
    inputs = field(3, **case)
    options = {"statistic": statistic, "threshold": 4.0}
    running, whole = estimates(inputs, **options)
    for mask in masks(3):
        running.update(PackedMask.of(mask))
        whole.update(PackedMask.of(mask))
        assert whole.reached.any()
        assert np.array_equal(running.reached.packed, whole.reached.packed)
        assert np.array_equal(running.starved.packed, whole.starved.packed)
        assert running.highest() == whole.highest()
        assert running.mean_background() == whole.mean_background()
        assert np.array_equal(running.significance(), whole.significance(), equal_nan=True)
        expected = whole.estimate().maps()
        for name, image in running.estimate().maps().items():
            assert np.array_equal(image, expected[name], equal_nan=True)


def test_highest_below_the_threshold_is_that_of_the_whole_map():
    inputs = field(3)
    running, whole = estimates(inputs, statistic="wstat", threshold=1e3)
    assert not running.reached.any()
    assert running.highest() == whole.highest()


@pytest.mark.parametrize("holes", [False, True])
def test_many_pixels_that_may_reach_the_threshold_are_those_of_the_whole_map(holes):
    inputs = field(3, holes=holes)
    running, whole = estimates(inputs, statistic="cash", threshold=0.1)
    for mask in masks(3):
        running.update(PackedMask.of(mask))
        whole.update(PackedMask.of(mask))
        assert whole.reached.array().mean() > MANY_CANDIDATES
        assert np.array_equal(running.reached.packed, whole.reached.packed)
        assert running.highest() == whole.highest()


@pytest.mark.parametrize("brightest", [1, 2**30])
@pytest.mark.parametrize("acceptance", [None, "graded"])
def test_sums_do_not_remember_earlier_masks(acceptance, brightest):
    inputs = field(1, acceptance=acceptance)
    inputs.counts[75, 100] = brightest
    first = np.ones(SHAPE, dtype=bool)
    sums = OffSums(inputs.counts, inputs.acceptance, BACKGROUND, PackedMask.of(first))
    before = [image.copy() for image in sums.maps()]
    for mask in masks(1):
        sums.update(PackedMask.of(mask))
    sums.update(PackedMask.of(first))
    for image, kept in zip(sums.maps(), before, strict=True):
        assert np.array_equal(image, kept, equal_nan=True)


COUNTS = st.one_of(st.integers(0, 50), st.integers(0, 10**7))


@settings(deadline=None, max_examples=300)
@given(COUNTS, st.integers(1, 10**6), COUNTS, st.integers(0, 10**7), st.floats(0.5, 30))
def test_no_pixel_that_reaches_the_threshold_is_missed(n_on, acceptance_on, n_off, acceptance_off, threshold):
    if acceptance_off and wstat(n_on, n_off, acceptance_on / acceptance_off) >= threshold:
        mu, alpha = n_off / acceptance_off * acceptance_on, acceptance_on / acceptance_off
        assert n_on >= fewest_counts(threshold, np.array([mu]), alpha)
        assert n_on >= fewest_counts(threshold, np.array([mu]), 0.3 * alpha)


@settings(deadline=None, max_examples=300)
@given(COUNTS, st.floats(0, 1e6), st.floats(0, 1), st.floats(0.5, 30))
def test_no_pixel_above_a_known_background_is_missed(n_on, mu, fraction, threshold):
    if cash(n_on, mu) >= threshold:
        assert n_on >= fewest_counts(threshold, np.array([mu * fraction]))


def test_map_without_any_background_has_no_highest_significance_however_often_asked():
    inputs = field(3)
    nothing_used = PackedMask.zeros(SHAPE)
    for estimate in estimates(inputs, statistic="wstat", threshold=4.0):
        estimate.update(nothing_used)
        estimate.update(nothing_used)
        assert [estimate.highest(), estimate.highest(), estimate.mean_background()] == [None] * 3


def test_pixel_without_acceptance_under_a_source_kernel_without_its_centre_is_starved():
    acceptance = np.ones(SHAPE)
    acceptance[60, [40, 42]] = 0
    inputs = prepare(np.ones(SHAPE, dtype=int), acceptance=acceptance)
    beside = np.array([[True, False, True]])
    running, whole = estimates(inputs, statistic="wstat", threshold=5.0, source_kernel=beside)
    assert whole.starved[60:61, 41:42].all()
    assert running.starved.count() == whole.starved.count() == 1
