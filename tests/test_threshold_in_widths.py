"""Thresholds in units of the measured off-source width."""

import json

import numpy as np
import pytest
from conftest import KERNELS, field_with_source, snakemake, write_config, write_map
from hypothesis import given, settings
from hypothesis import strategies as st

from skymask import disk, field_of_view, iterate, ring
from skymask.core.exclusion import check_shaping, update_exclusion_mask
from skymask.core.quality import assess_quality, in_widths
from skymask.io import maps
from skymask.sky.configured_kernels import dilation_kernel, to_pixels

SHAPE = (80, 80)
EVERYWHERE = np.ones(SHAPE, dtype=bool)


def normal(mean, width, seed=0):
    return np.random.default_rng(seed).normal(mean, width, SHAPE)


def update(significance, **changes):
    """Return mask and decision for a threshold of 4 off-source widths and no dilation, with nothing excluded before."""
    options = {"threshold": 4.0, "threshold_in_widths": True, "dilation_kernel": disk(0), "user_mask": EVERYWHERE}
    options |= {"previous_mask": EVERYWHERE, "previous_decision": EVERYWHERE, "coverage": EVERYWHERE}
    options |= {"mask_update": "replace", "starved_pixels": "keep"}
    return update_exclusion_mask(significance, **options | changes)


@pytest.mark.parametrize(("mean", "width"), [(0.0, 1.5), (0.4, 1.2), (-0.5, 2.0)])
def test_scaled_significance_is_a_standard_normal_distribution(mean, width):
    scaled = in_widths(normal(mean, width), EVERYWHERE, 5.0)
    # Standard errors of 6400 values, with the part of them above the cut missing for the widest: below 0.02.
    assert scaled.mean() == pytest.approx(0, abs=0.06)
    assert scaled.std() == pytest.approx(1, abs=0.06)


def test_sources_above_the_threshold_and_excluded_pixels_change_nothing():
    significance = normal(0.0, 1.5)
    bright, used = significance.copy(), EVERYWHERE.copy()
    bright[:2] = 50
    used[:2] = False
    scaled = in_widths(significance, used, 5.0)
    np.testing.assert_array_equal(in_widths(bright, used, 5.0)[2:], scaled[2:])
    np.testing.assert_array_equal(in_widths(bright, EVERYWHERE, 5.0)[2:], scaled[2:])


def test_width_below_one_is_no_reason_to_exclude_more():
    significance = normal(0.0, 0.5)
    significance -= significance.mean()
    np.testing.assert_allclose(in_widths(significance, EVERYWHERE, 5.0), significance, atol=1e-6)


@pytest.mark.parametrize("values", [np.full(SHAPE, np.nan), np.zeros(SHAPE), np.full(SHAPE, 9.0)])
def test_map_without_a_distribution_stays_as_it_is(values):
    np.testing.assert_array_equal(in_widths(values, EVERYWHERE, 5.0), values)


def test_pixel_is_excluded_at_so_many_widths_above_the_mean():
    significance = normal(0.5, 1.5)
    # Fitted mean and width are near 0.5 and 1.5: the threshold of 4 stands for a significance near 6.5.
    significance[40, 40:42] = 6.0, 7.0
    mask, _ = update(significance)
    assert mask[40, 40:42].tolist() == [True, False]
    assert update(significance, threshold_in_widths=False)[0][40, 40:42].tolist() == [False, False]


def test_lower_threshold_counts_in_widths_too():
    significance = np.clip(normal(0.0, 1.5), -5, 3.5)
    significance[40, 40:43] = 9.0, 5.0, 4.0
    # At 3 widths, 4.5 and somewhat less for the clip, the neighbour of the seed ends the region.
    mask, _ = update(significance, threshold_low=3.0)
    assert mask[40, 40:43].tolist() == [False, False, True]


@given(st.integers(0, 2**32), st.sampled_from(["replace", "grow"]))
@settings(max_examples=50, deadline=None)
def test_same_significance_and_mask_give_the_same_mask_again(seed, mask_update):
    # What makes an unchanged mask a fixed point; see skymask.core.convergence.assess.
    rng = np.random.default_rng(seed)
    mask, decision, user_mask = rng.random((3, *SHAPE)) > 0.2
    significance = np.where(rng.random(SHAPE) < 0.9, rng.normal(0, 2, SHAPE), np.nan)
    options = {"threshold": 2.0, "mask_update": mask_update, "user_mask": user_mask}
    first = update(significance, previous_mask=mask, previous_decision=decision, **options)
    second = update(significance, previous_mask=mask, previous_decision=first[1], **options)
    assert np.array_equal(first[0], second[0])


def deep_field(seed=5):
    """Return Poisson counts of 100 per pixel times waves of 3 per cent, and a source of 60 per pixel in the middle."""
    y, x = np.mgrid[:120, :120]
    expected = 100 * (1 + 0.03 * np.sin(x / 9) * np.sin(y / 9))
    expected += 60 * np.exp(-((y - 60) ** 2 + (x - 60) ** 2) / (2 * 3**2))
    return np.random.default_rng(seed).poisson(expected)


DEEP = {"source_kernel": disk(4), "background_kernel": field_of_view(), "dilation_kernel": disk(6), "threshold": 4.0}


def test_deep_field_does_not_mask_the_errors_of_its_acceptance():
    # The waves of 3 per cent are 2.1 standard deviations of the 4900 counts under the kernel at their crests.
    plain = iterate(deep_field(), **DEEP)
    scaled = iterate(deep_field(), **DEEP, threshold_in_widths=True)
    assert not scaled.exclusion_mask[60, 60]
    from scipy.ndimage import label

    regions = [label(~result.exclusion_mask)[1] for result in (plain, scaled)]
    assert regions[0] > 3
    assert regions[1] == 1


def test_converged_mask_is_a_fixed_point_and_no_used_pixel_is_above_the_effective_threshold():
    result = iterate(deep_field(), **DEEP, threshold_in_widths=True)
    longer = iterate(
        deep_field(), **DEEP, threshold_in_widths=True, max_iterations=result.iterations + 3, changed_pixels=-1
    )
    assert result.state == "converged"
    assert {record["digest"] for record in longer.records[result.iterations :]} == {result.records[-1]["digest"]}
    quality = assess_quality(
        result.products.significance,
        result.exclusion_mask,
        np.ones((120, 120), dtype=bool),
        result.products.counts_off,
        threshold=4.0,
        threshold_in_widths=True,
    )
    assert quality["unexcluded_above_threshold"] == 0
    expected = quality["off_source_mean"] + 4 * quality["off_source_width"]
    assert quality["effective_threshold"] == pytest.approx(expected, rel=1e-12)
    assert quality["effective_threshold"] > 5


def test_each_source_kernel_has_a_width_of_its_own():
    narrow, wide = normal(0.0, 1.0), normal(0.0, 2.0, seed=1)
    narrow[40, 40:42] = 6.0, 0.0
    wide[40, 40:42] = 0.0, 6.0
    mask, _ = update(narrow, further=[wide])
    assert mask[40, 40:42].tolist() == [False, True]


def test_anything_but_a_truth_value_is_refused():
    shaping = {"threshold": 5, "threshold_low": None, "min_pixels": 1, "max_hole_pixels": 0, "region_growth": None}
    with pytest.raises(ValueError, match="threshold_in_widths must be True or False, got 2"):
        check_shaping(**shaping, threshold_in_widths=2)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a run")
    write_map(folder / "counts.fits", field_with_source())
    # A slope of the acceptance that is not there in the counts.
    write_map(folder / "acceptance.fits", np.linspace(0.8, 1.2, 60) + np.zeros((60, 60)))
    dataset = {
        "counts": "counts.fits",
        "acceptance": "acceptance.fits",
        "background_kernel": {"shape": "field_of_view"},
    }
    options = {"threshold_in_widths": True, "threshold_low": 3, "null_simulations": {"number": 2}}
    write_config(folder / "config.yaml", datasets={"field": dataset}, **options)
    process = snakemake("results/field/status.json", folder=folder)
    assert process.returncode == 0, process.stdout
    return folder


def test_workflow_and_iterate_agree_bit_for_bit(run):
    size = (0.05, 0.05)
    result = iterate(
        field_with_source(),
        acceptance=np.linspace(0.8, 1.2, 60) + np.zeros((60, 60)),
        source_kernel=to_pixels(KERNELS["source_kernel"], size),
        background_kernel=field_of_view(),
        dilation_kernel=dilation_kernel(KERNELS["dilation_radius"], size),
        threshold_in_widths=True,
        threshold_low=3.0,
    )
    assert result.state == "converged"
    for name, image in {"exclusion_mask": result.exclusion_mask, **result.products.maps()}.items():
        written = maps.read_product(run / f"results/field/{name}.fits")[name]
        np.testing.assert_array_equal(written.data, image, err_msg=name)
    assert written.header["BKGKERN"] == "field_of_view tilt=False"


def test_header_and_status_say_what_the_threshold_stands_for(run):
    header = maps.read_product(run / "results/field/exclusion_mask.fits")["exclusion_mask"].header
    status = json.loads((run / "results/field/status.json").read_text())
    expected = status["off_source_mean"] + 5 * max(status["off_source_width"], 1)
    assert (header["THRESH"], header["THRWIDTH"]) == (5, True)
    assert header["THREFF"] == pytest.approx(expected, rel=1e-9)
    assert status["effective_threshold"] == pytest.approx(expected, rel=1e-12)


def test_ring_without_errors_of_the_acceptance_gives_nearly_the_same_mask():
    counts = np.random.default_rng(2).poisson(3, SHAPE)
    counts[38:42, 38:42] += 12
    options = {"source_kernel": disk(2), "background_kernel": ring(8, 4), "dilation_kernel": disk(2)}
    masks = [iterate(counts, **options, threshold_in_widths=choice).exclusion_mask for choice in (False, True)]
    assert np.count_nonzero(masks[0] ^ masks[1]) <= 0.1 * np.count_nonzero(~masks[0])
