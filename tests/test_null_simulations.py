"""Simulations of the background alone: what they find is what went in, and trials have the chances of arithmetic."""

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from skymask.core.kernels import disk, gaussian, ring
from skymask.loop import null_simulations as null

SHAPE = (40, 50)
ONES = np.ones(SHAPE, dtype=np.uint8)
EVERYTHING = ONES > 0
NAN = np.nan


def simulate(background=None, acceptance=ONES, mask=EVERYTHING, number=3, **options):
    background = np.full(SHAPE, 5.0) if background is None else background
    return null.simulate_null(background, acceptance, mask, disk(2), ring(6, 3), number=number, **options)


def test_same_seed_gives_the_same_and_another_seed_another():
    first, again, other = simulate(seed=1), simulate(seed=1), simulate(seed=2)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.isin(other.highest, first.highest).any()


def test_first_simulations_do_not_depend_on_their_number():
    assert np.array_equal(simulate(number=5).means[:2], simulate(number=2).means)


@pytest.mark.parametrize("acceptance", [ONES, 0.5 + np.arange(50) / 50 + np.zeros(SHAPE)], ids=["flat", "gradient"])
def test_off_source_distribution_without_sources_is_standard_normal(acceptance):
    simulations = simulate(30.0 * acceptance, acceptance, number=30)
    for values, expected in ((simulations.means, 0), (simulations.widths, 1)):
        # Four standard errors of the mean of 30, and a skewness of about one over the root of the on counts of 390.
        assert abs(values.mean() - expected) < 4 * values.std() / np.sqrt(30) + 0.01


def test_excluded_pixels_and_those_without_coverage_are_in_no_off_source_distribution():
    acceptance = ONES.copy()
    acceptance[:, 40:] = 0
    mask = EVERYTHING.copy()
    mask[:, :10] = False
    background = np.where(acceptance > 0, np.where(mask, 5.0, 500.0), NAN)
    # The excluded part is a hundred times as bright as its neighbours: a look at it would give hundreds of sigma.
    simulations = simulate(background, acceptance, mask)
    assert np.all(np.abs(simulations.means) < 0.5)
    assert np.all(simulations.highest > 50)


def test_starved_pixels_are_simulated_like_the_others():
    background = np.full(SHAPE, 5.0)
    background[10:20, 10:20] = NAN
    np.testing.assert_array_equal(null._everywhere(background, ONES)[:], np.full(SHAPE, 5.0))


def test_no_simulations_are_no_numbers():
    simulations = simulate(number=0)
    assert [values.size for values in simulations] == [0, 0, 0]


def test_number_of_trials_is_that_of_the_highest_of_independent_variables():
    n, trials = 4000, 500
    # The highest of N uniform chances is distributed like a chance to the power of 1 / N.
    highest = ndtri(np.random.default_rng(2).random(n) ** (1 / trials))
    assert null.number_of_trials(highest) == pytest.approx(trials, rel=4 / np.sqrt(n))


def test_number_of_trials_of_a_single_simulation_is_the_inverse_of_its_chance():
    # -ln(1 - p) with p = 1 / 2 is ln 2.
    assert null.number_of_trials(np.array([0.0])) == pytest.approx(1 / np.log(2), rel=1e-12)


@pytest.mark.parametrize("highest", [[], [NAN], [np.inf]])
def test_number_of_trials_of_nothing_is_undefined(highest):
    assert np.isnan(null.number_of_trials(np.array(highest)))


@pytest.mark.parametrize("significance", [-3.0, 0.0, 2.5, 5.0, 12.0, 36.0, 40.0, 200.0])
def test_one_trial_changes_no_significance(significance):
    assert null.post_trial_significance(significance, 1.0) == pytest.approx(significance, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("significance", "trials"), [(5.0, 14000), (3.0, 100), (4.0, 2.5)])
def test_chance_after_trials_is_that_of_any_of_them(significance, trials):
    chance = 1 - (1 - ndtr(-significance)) ** trials
    # The difference of 1 and a number near it keeps ten digits of the smallest chance here.
    assert null.post_trial_significance(significance, trials) == pytest.approx(ndtri(1 - chance), abs=1e-9)


def test_highest_pixel_of_a_field_of_noise_is_not_significant():
    # Half of all fields have a higher one.
    trials = 10000
    median = -ndtri(1 - 0.5 ** (1 / trials))
    assert null.post_trial_significance(median, trials) == pytest.approx(0, abs=1e-9)
    assert null.post_trial_significance(median - 1.5, trials) < -5


def test_trials_of_extreme_significances_go_on_smoothly():
    # Around 37 the chance itself can no longer be written as a number.
    significances = np.arange(36.5, 38.5, 0.01)
    after = [null.post_trial_significance(value, 1e4) for value in significances]
    np.testing.assert_allclose(np.diff(after), 0.01, rtol=0.01)


def test_infinite_significance_stays_infinite():
    assert null.post_trial_significance("inf", 100) == np.inf


def test_area_of_a_kernel_is_its_pixels_or_their_effective_number():
    assert null.kernel_area(disk(3)) == disk(3).sum()
    # The integral of a Gaussian squared over that of its square: 4 pi sigma^2.
    assert null.kernel_area(gaussian(3.0)) == pytest.approx(4 * np.pi * 9, rel=2e-3)


SIMULATIONS = null.NullSimulations(
    np.array([0.1, 0.3]), np.array([1.0, 1.4]), -ndtri(-np.expm1(np.array([-0.02, -0.01])))
)


def summary(highest=5.0, simulations=SIMULATIONS, number=2):
    return null.summarize(simulations, highest, pixels=1000, kernel_areas=20.0, number=number, seed=0)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("off_source_mean_error", np.sqrt(2) * 0.1),
        ("off_source_width_error", np.sqrt(2) * 0.2),
        ("null_off_source_mean", 0.2),
        ("null_off_source_width", 1.2),
        ("trials", 1 / 0.015),
        ("trials_error", 1 / 0.015 / np.sqrt(2)),
        ("post_trial_significance", null.post_trial_significance(5.0, 1 / 0.015)),
        ("post_trial_significance_min", null.post_trial_significance(5.0, 1000)),
        ("post_trial_significance_max", null.post_trial_significance(5.0, 20)),
    ],
)
def test_summary_has_the_number_derived_by_hand(key, expected):
    assert summary()[key] == pytest.approx(expected, rel=1e-9)


def test_error_of_the_significance_after_trials_is_that_of_their_number():
    low, high = (null.post_trial_significance(5.0, 1 / 0.015 * np.exp(sign / np.sqrt(2))) for sign in (1, -1))
    assert summary()["post_trial_significance_error"] == pytest.approx((high - low) / 2, rel=1e-9)


def test_without_simulations_there_are_bounds_and_no_errors():
    bounds = summary(simulations=null.NullSimulations(*np.empty((3, 0))), number=0)
    for key in ("off_source_mean_error", "trials", "post_trial_significance", "post_trial_significance_error"):
        assert bounds[key] is None
    assert bounds["post_trial_significance_min"] < bounds["post_trial_significance_max"] < 5


def highest_of(*chances):
    """Simulations whose highest pixels have these chances."""
    return null.NullSimulations(np.zeros(len(chances)), np.ones(len(chances)), -ndtri(np.array(chances)))


def test_few_simulations_never_give_more_trials_than_pixels_nor_fewer_than_kernels():
    many = summary(simulations=highest_of(1e-9, 1e-9))
    assert many["trials"] == 1000
    assert many["post_trial_significance"] == many["post_trial_significance_min"]
    assert many["null_notes"] == ["2 simulations give 1e+09 trials, and there are no more pixels than 1000"]
    few = summary(simulations=highest_of(0.4, 0.4))
    assert (few["trials"], few["post_trial_significance"]) == (20, few["post_trial_significance_max"])
    assert summary()["null_notes"] == []


def test_field_without_counts_has_no_significance_after_trials_and_says_why():
    empty = summary(highest=0.0, simulations=null.NullSimulations(*np.zeros((3, 2))))
    assert (empty["trials"], empty["post_trial_significance_min"]) == (None, None)
    assert empty["null_notes"] == [
        "no simulation has an excess: the number of trials is not known",
        "no pixel has an excess: there is no significance after trials",
    ]


def test_a_map_without_a_hottest_pixel_has_no_significance_after_trials():
    undefined = summary(highest=None)
    assert {undefined[key] for key in undefined if key.startswith("post_trial")} == {None}


def test_an_infinite_highest_significance_is_infinite_after_trials_without_an_error():
    infinite = summary(highest="inf")
    assert (infinite["post_trial_significance"], infinite["post_trial_significance_error"]) == (np.inf, 0.0)


@pytest.mark.parametrize("systematic", [0, 0.1])
@pytest.mark.parametrize(
    "acceptance", [ONES, np.where(np.arange(50) < 45, 0.5 + np.arange(50) / 50, 0) + np.zeros(SHAPE)]
)
def test_what_all_simulations_share_changes_no_bit(acceptance, systematic, monkeypatch):
    mask = EVERYTHING.copy()
    mask[10:18, 12:22] = False
    # Next to nothing is left for the background in a corner.
    mask[:14, :14] = False
    options = {"background_systematic": systematic, "mask": mask, "acceptance": acceptance}
    shared = simulate(2.0 * acceptance, **options)
    monkeypatch.setattr(null, "KEPT", 0)
    one_by_one = simulate(2.0 * acceptance, **options)
    for values, others in zip(shared, one_by_one, strict=True):
        np.testing.assert_array_equal(values, others)
