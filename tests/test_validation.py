"""A part of the validation, with its own seeds: what docs/validation.md claims, on few simulations.

Deviations are compared with the scatter of the simulations themselves: four standard errors, which chance exceeds once
in 16,000 times. Seeds are fixed, so that a test that passes once passes always.
"""

import re
from math import exp, factorial, log, sqrt

import numpy as np
import pytest
from conftest import REPOSITORY

import validation
from skymask.core.significance import wstat
from validation import clip, convergence, coverage, injection, null, stacks
from validation.claims import mean_and_error, width_and_error
from validation.exact import expectation, moments_and_tails


def li_ma(n_on, n_off, alpha):
    """Return eq. 17 of Li & Ma (1983) as it is printed, with its limits where a count is zero."""
    total = n_on + n_off
    on = n_on * log((1 + alpha) / alpha * n_on / total) if n_on else 0
    off = n_off * log((1 + alpha) * n_off / total) if n_off else 0
    return (1 if n_on > alpha * n_off else -1) * sqrt(2 * max(on + off, 0))


def test_exact_moments_are_those_of_a_plain_double_sum():
    mu_on, mu_off, alpha = 1.3, 5.2, 0.25
    terms = [
        (exp(-mu_on - mu_off) * mu_on**i * mu_off**j / factorial(i) / factorial(j), li_ma(i, j, alpha))
        for i in range(25)
        for j in range(40)
    ]
    expected = [sum(p * s for p, s in terms), sum(p * s**2 for p, s in terms), sum(p for p, s in terms if s >= 2)]
    values = moments_and_tails(lambda n_on, n_off: wstat(n_on, n_off, alpha), mu_on, mu_off, [2])
    np.testing.assert_allclose(values, expected, rtol=1e-10)


def test_expectation_of_a_product_is_that_of_independent_numbers():
    assert expectation(lambda n_on, n_off: n_on * n_off**2, 3, 70) == pytest.approx(3 * (70**2 + 70), rel=1e-10)


@pytest.mark.parametrize("case", ["flat-1", "graded-10"])
def test_off_source_moments_and_tail_are_the_exact_ones(case):
    figures = validation.run("null", case, 0, 8)
    exact = null.expected(**null.CASES[case])
    mean, error = mean_and_error(figures["wstat"][:, 0])
    assert abs(mean - exact[0]) < 4 * error < 0.025
    width, error = width_and_error(figures["wstat"])
    assert abs(width - np.sqrt(exact[1] - exact[0] ** 2)) < 4 * error < 0.05
    tail, error = mean_and_error(figures["tails"][:, 0])
    assert abs(tail - exact[2]) < 4 * error < exact[2]


def test_known_background_is_wider_than_a_measured_one():
    figures = validation.run("null", "flat-30", 0, 4)
    known, measured = (width_and_error(figures[name])[0] for name in ("cash", "wstat"))
    assert measured + 0.02 < known < np.sqrt(1 + null.SOURCE.sum() / null.RING.sum()) + 0.02


@pytest.mark.parametrize("case", ["runs-of-unlike-rates-100", "cube-of-runs-10"])
def test_off_source_moments_of_stacks_are_the_expected_ones(case, monkeypatch):
    monkeypatch.setattr(stacks, "PLACES", (slice(22, 144, 12),) * 2)
    stacks.expected.cache_clear()
    figures, settings = validation.run("stacks", case, 0, 3), stacks.CASES[case]
    exact = stacks.expected(**settings)
    stacks.expected.cache_clear()
    for number in range(len(stacks.METHODS)):
        moments = figures["moments"][:, number]
        mean, error = mean_and_error(moments[:, 0])
        assert abs(mean - exact[number, 0]) < 4 * error + 0.005
        width, error = width_and_error(moments)
        assert abs(width - np.sqrt(exact[number, 1] - exact[number, 0] ** 2)) < 4 * error + 0.005


def test_expected_moments_of_one_run_are_the_exact_ones(monkeypatch):
    monkeypatch.setattr(stacks, "STACKS", {"one": ((("0", "0"),), (1,), None)})
    monkeypatch.setattr(stacks, "PLACES", (slice(46, 120, 12),) * 2)
    exact = stacks.expected("one", 7)
    # By 196,000 draws, and by the sum over both numbers.
    np.testing.assert_allclose(exact[0], exact[2], atol=0.008)
    np.testing.assert_allclose(exact[1], exact[2], atol=0.008)


def test_cut_distribution_is_the_exact_one_and_dilation_lowers_it():
    figures = validation.run("clip", "threshold-3", 0, 6)
    exact_mean, exact_width = clip.expected(3)
    means, errors = mean_and_error(figures["cut"][:, :, 0])
    assert abs(means[0] - exact_mean) < 4 * errors[0] < 0.02
    width, error = width_and_error(figures["cut"][:, 0])
    assert abs(width - exact_width) < 4 * error < 0.04
    assert (np.diff(means[:3]) < 0).all()


def test_only_the_loop_follows_a_source_beyond_the_fixed_mask():
    contained, wide = (validation.run("injection", f"extent-{extent}", 0, 3) for extent in (0.1, 0.4))
    methods = {method: number for number, method in enumerate(injection.METHODS)}
    # Of sources of 50 standard deviations; the mean over a field of 25,600 counts has an error of 0.6 %.
    bias = mean_and_error(contained["outside"][:, -1])[0]
    assert abs(bias[methods["converged"]]) < 0.012
    assert bias[methods["none"]] > 0.05
    bias = mean_and_error(wide["outside"][:, -1])[0]
    assert bias[methods["fixed"]] > 2 * bias[methods["one step"]] > 4 * bias[methods["converged"]]
    escaped = [figures["escaped"][:, -1, methods["converged"]].mean() for figures in (contained, wide)]
    assert escaped[0] < injection.CONTAINED < escaped[1]


def test_bright_sources_are_found_and_faint_ones_are_not():
    found = validation.run("injection", "extent-0", 1, 3)["found"].mean(axis=0)[:, injection.METHODS.index("converged")]
    assert (found[np.array(injection.SIGNIFICANCES) >= 8] == 1).all()
    assert found[0] == 0


@pytest.mark.parametrize("case", ["background-1-excess-3", "background-10-excess-30"])
def test_errors_and_limits_cover_as_often_as_they_must(case):
    figures = validation.run("coverage", case, 0, 40)["covered"]
    exact = coverage.expected(**coverage.CASES[case])
    number = 40 * 49
    assert (np.abs(figures.mean(axis=0) - exact) < 4 * np.sqrt(exact * (1 - exact) / number)).all()


def test_growing_masks_always_converge_and_others_mostly_at_high_thresholds():
    updates = list(convergence.UPDATES)
    low, high = (validation.run("convergence", f"crowded-{threshold}-15", 0, 4)["state"] for threshold in (3, 6))
    converged = convergence.STATES.index("converged")
    assert (low[:, updates.index("grow")] == converged).all()
    assert (low[:, updates.index("replace")] != converged).any()
    assert (high[:, updates.index("replace")] == converged).all()


def test_growing_masks_leave_the_background_of_the_default_at_a_threshold_of_four():
    figures = validation.run("convergence", "crowded-4-15", 0, 4)
    update = list(convergence.UPDATES).index("grow")
    difference = figures["bias"][:, update] - figures["bias"][:, 0]
    assert np.abs(difference).max() < 0.005
    assert (figures["complete"][:, update] >= figures["complete"][:, 0]).all()


@pytest.mark.filterwarnings("default")
def test_random_steps_are_those_of_gammapy(gammapy):
    figures = validation.run("steps", "random", 7, 5)
    assert figures["background"].max() < 1e-6
    assert figures["significance"].max() < 1e-3
    assert figures["highest"].max() > 5


def test_a_job_is_the_same_whenever_it_runs():
    first, again = (validation.run("coverage", "background-1-excess-0", job, 2) for job in (3, 3))
    other = validation.run("coverage", "background-1-excess-0", 4, 2)
    assert np.array_equal(first["covered"], again["covered"])
    assert not np.array_equal(first["covered"], other["covered"])


def test_page_states_every_claim_with_its_limit(tmp_path, monkeypatch):
    from validation import claims, page

    monkeypatch.setattr(null, "ACCEPTANCES", {"flat": {}})
    monkeypatch.setattr(null, "CASES", {name: case for name, case in null.CASES.items() if name.startswith("flat")})
    monkeypatch.setattr(stacks, "expected", lambda **_: np.array([[0.0, 1.0]] * 3))
    results = {}
    for study in validation.STUDIES[:-1]:
        # The same two simulations stand for every case: the page is what is tested here.
        first = list(validation.study(study).CASES)[-1]
        figures = validation.run(study, first, 0, 2)
        results[study] = dict.fromkeys(validation.study(study).CASES, figures)
    results["steps"] = {
        "random": {name: np.full(2, 1e-7) for name in ("background", "significance", "pixels", "left_out")}
    }
    page.write(results, tmp_path / "validation.md", tmp_path / "images")
    text = (tmp_path / "validation.md").read_text(encoding="utf-8")
    made = claims.of(results)
    assert {claim.study for claim in made} == set(validation.STUDIES)
    assert all(f"| {claim.text} | " in text and f"| {claim.limit} | " in text for claim in made)
    for image in re.findall(r"\]\(images/validation/(\w+\.png)\)", text):
        assert (tmp_path / "images" / image).is_file()


def test_page_of_the_repository_names_figures_that_there_are():
    text = (REPOSITORY / "docs/validation.md").read_text(encoding="utf-8")
    named = re.findall(r"\]\((images/validation/\w+\.png)\)", text)
    assert len(named) == 6
    assert all((REPOSITORY / "docs" / name).is_file() for name in named)
