"""The benchmark measures what it says."""

import sys

import numpy as np
import pytest
from conftest import REPOSITORY

import skymask


@pytest.fixture
def benchmarks(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(REPOSITORY / "benchmarks"), *sys.path])
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(variable, "1")
    import compare_loops

    return compare_loops


@pytest.fixture
def performance_page(benchmarks):
    import performance_page

    return performance_page


def test_field_is_the_same_every_time(benchmarks):
    first, number = benchmarks.field("300x200")
    assert first.shape == (200, 300)
    assert first.dtype == np.int32
    assert number == 2  # 0.1 per square degree on 6 x 4 of them
    np.testing.assert_array_equal(benchmarks.field("300x200")[0], first)


@pytest.mark.parametrize("statistic", ["cash", "wstat"])
def test_every_stage_takes_time_and_the_result_is_that_of_the_loop(benchmarks, statistic):
    counts, _ = benchmarks.field("300x300")
    seconds, profiled = benchmarks.stages.profile(lambda: benchmarks.iterate(counts, statistic))
    assert min(seconds.values()) > 0
    np.testing.assert_array_equal(profiled.exclusion_mask, benchmarks.iterate(counts, statistic).exclusion_mask)
    assert skymask.loop.iteration.prepare is skymask.core.inputs.prepare


def test_costs_of_many_maps_are_those_of_each_beside_the_further_ones_of_the_script(performance_page):
    now, script, first = ({"cpu": cpu, "maps": maps} for cpu, maps in ((100, 50), (60, 21), (20, 1)))
    measured = {"now": now, "script": script, "script, one map": first}
    assert performance_page.relative_cost(measured, "cpu", "script") == 1
    assert performance_page.relative_cost({"now": {"cpu": 3}, "before": {"cpu": 12}}, "cpu", "before") == 0.25
    assert performance_page.relative_cost({"now": now}, "cpu", "script") is None


@pytest.mark.parametrize(("value", "text"), [(0.25, "1/4"), (0.3, "1/3.33"), (1.5, "1.5"), (None, "")])
def test_a_ratio_below_a_half_is_shown_as_a_part(performance_page, value, text):
    assert performance_page.fraction(value) == text


def test_final_mask_is_that_of_the_original_algorithm(benchmarks):
    counts, _ = benchmarks.field("300x300")
    ours = benchmarks.iterate(counts, "cash")
    assert not ours.exclusion_mask.all()
    np.testing.assert_array_equal(benchmarks.original(counts, ours.iterations)[0], ours.exclusion_mask)
