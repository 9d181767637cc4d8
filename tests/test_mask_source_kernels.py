"""Several source kernels that look for sources in every iteration: the mask excludes what any of them excludes."""

import numpy as np
import pytest
from conftest import KERNELS, field_with_source, snakemake, write_config, write_map
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skymask import disk, gaussian, iterate, ring
from skymask.core.background import estimate_background
from skymask.core.exclusion import excluded_pixels, update_exclusion_mask
from skymask.core.inputs import prepare
from skymask.core.kernels import off_kernel, under_any
from skymask.core.significance import compute_significance
from skymask.datasets.reading import check_kernels
from skymask.errors import MapError
from skymask.io import maps
from skymask.sky.configured_kernels import background_kernel, dilation_kernel, to_pixels

SHAPE = (41, 43)


def update(significance, further, **changes):
    """Return mask and decision for a threshold of 5 and no dilation, with nothing excluded before."""
    used = np.ones(significance.shape, dtype=bool)
    options = {"threshold": 5.0, "dilation_kernel": disk(0), "user_mask": used, "previous_mask": used}
    options |= {"coverage": used, "previous_decision": used}
    options |= {"mask_update": "replace", "starved_pixels": "keep"}
    return update_exclusion_mask(significance, **options | changes, further=further)


def row(*values):
    return np.array([values], dtype=float)


def test_pixels_under_any_kernel_are_those_under_the_largest_of_concentric_disks():
    assert np.array_equal(under_any([disk(1), disk(3), gaussian(0.5)]), disk(3))
    assert np.array_equal(under_any([np.ones((1, 3)), np.ones((3, 1))]), disk(1))


def test_pixel_is_excluded_if_any_map_says_so():
    mask, decision = update(row(9, 0, 0, 0), [row(0, 0, 6, 0), row(0, 5, 0, 4.9)])
    assert mask.tolist() == decision.tolist() == [[False, False, False, True]]


def test_hysteresis_connects_within_each_map_alone():
    # The second map has no seed of its own beside the low pixel.
    mask, _ = update(row(9, 3, 0, 0), [row(0, 0, 3, 0)], threshold_low=3)
    assert mask.tolist() == [[False, False, True, True]]


def test_smallest_size_counts_within_each_map_alone():
    mask, _ = update(row(9, 0, 0, 0, 9, 9), [row(0, 9, 0, 0, 0, 0)], min_pixels=2)
    assert mask.tolist() == [[True, True, True, True, False, False]]


def test_pixel_that_is_starved_under_one_kernel_keeps_its_decision_unless_another_excludes_it():
    nan = np.nan
    before = np.array([[True, False, True, False, False]])
    mask, _ = update(row(0, 0, 9, 9, 0), [row(nan, nan, nan, nan, 0)], previous_decision=before)
    assert mask.tolist() == [[True, False, False, False, True]]


def test_peak_that_a_region_grows_by_is_the_highest_under_any_kernel():
    size = 15
    low, high = np.zeros((size, size)), np.zeros((size, size))
    low[7, 7], high[7, 7] = 5, 500
    law = {"law": "king", "sigma": 1, "gamma": 2, "level": 1, "max_radius": 9}
    assert np.array_equal(update(low, [high], region_growth=law)[0], update(high, [low], region_growth=law)[0])
    assert (~update(low, [high], region_growth=law)[0]).sum() > (~update(low, [low], region_growth=law)[0]).sum()


small_maps = hnp.arrays(float, (2, 6, 5), elements=st.sampled_from([0, 1, 2, np.nan]))


@given(small_maps, st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_same_significances_give_the_same_mask_again(significances, seed):
    # What makes an unchanged mask a fixed point; see skymask.core.convergence.assess.
    coverage, user_mask, kept = np.random.default_rng(seed).random((3, 6, 5)) > 0.2
    significance, further = np.where(coverage, significances, np.nan)
    options = {"coverage": coverage, "threshold": 2, "threshold_low": 1, "min_pixels": 2, "user_mask": user_mask}
    first = update(significance, [further], previous_decision=kept | ~coverage, **options)
    second = update(significance, [further], previous_mask=first[0], previous_decision=first[1], **options)
    assert np.array_equal(first[1], second[1])
    assert np.array_equal(first[0], second[0])


def faint_disk():
    """Return counts of 4 per pixel with 2 more within 5 pixels of the middle, which no single pixel shows."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return 4 + 2 * ((y - 20) ** 2 + (x - 21) ** 2 <= 25)


LOOP = {"source_kernel": disk(0), "background_kernel": ring(8, 3), "dilation_kernel": disk(0)}


def test_wide_kernel_finds_what_the_source_kernel_misses_and_maps_are_those_of_the_source_kernel():
    counts = faint_disk()
    assert iterate(counts, **LOOP).exclusion_mask.all()
    result = iterate(counts, **LOOP, mask_source_kernels=[disk(4)])
    assert not result.exclusion_mask[20, 21]
    # Under one pixel: 6 counts over 4 that are expected of as many off counts as the ring has pixels times 4.
    assert result.products.excess[20, 21] == pytest.approx(2, rel=1e-12)
    assert result.records[-1]["highest_significance"] < 5


@pytest.mark.parametrize("statistic", ["wstat", "cash"])
def test_mask_is_that_of_the_steps_by_hand(statistic):
    # Poisson counts, and kernels that reach into the ring: what wstat takes out of it is taken out for all.
    counts = np.random.default_rng(3).poisson(3 + faint_disk())
    sources = [disk(1), disk(4), gaussian(2)]
    options = LOOP | {"source_kernel": sources[0], "background_kernel": ring(3, 6), "threshold": 3.5}
    result = iterate(counts, **options, statistic=statistic, mask_source_kernels=sources[1:], max_iterations=2)
    off = off_kernel(ring(3, 6), under_any(sources), statistic)
    mask, acceptance = np.ones(SHAPE, dtype=bool), np.ones(SHAPE, dtype=np.uint8)
    for _ in range(2):
        estimate = estimate_background(counts, acceptance, mask, off)
        excluded = np.zeros(SHAPE, dtype=bool)
        for kernel in sources:
            significance = compute_significance(counts, acceptance, estimate, kernel, statistic=statistic).significance
            excluded |= excluded_pixels(significance, threshold=3.5)
        mask = ~excluded
    assert excluded.any()
    assert np.array_equal(result.exclusion_mask, mask)


def test_off_pixels_are_clear_of_every_kernel():
    alpha = iterate(
        faint_disk(), **LOOP | {"background_kernel": ring(3, 8)}, mask_source_kernels=[disk(5)]
    ).products.alpha
    off_pixels = np.count_nonzero(ring(3, 8)) - np.count_nonzero(ring(3, 8)[6:17, 6:17] & disk(5))
    assert alpha[20, 5] > 1 / off_pixels
    assert np.nanmin(iterate(np.full(SHAPE, 4), **LOOP | {"background_kernel": ring(3, 8)}).products.alpha) < (
        1 / off_pixels
    )


@pytest.mark.parametrize("seed", range(4))
def test_converged_mask_is_a_fixed_point_where_pixels_are_starved(seed):
    # A source wider than the ring.
    y, x = np.mgrid[-20:21, -24:25]
    counts = np.random.default_rng(seed).poisson(3 + 30 * np.exp(-(y**2 + x**2) / (2 * 4**2)))
    options = {"source_kernel": disk(1), "background_kernel": ring(5, 2), "dilation_kernel": disk(1), "threshold": 4}
    options |= {"mask_source_kernels": [disk(3)], "statistic": "cash"}
    result = iterate(counts, **options)
    longer = iterate(counts, **options, max_iterations=result.iterations + 3, changed_pixels=-1)
    assert (result.state, result.records[-1]["starved"] > 0) == ("converged", True)
    assert {record["digest"] for record in longer.records[result.iterations :]} == {result.records[-1]["digest"]}


def test_kernels_that_cover_the_whole_ring_are_refused():
    settings = {key: KERNELS[key] for key in ("source_kernel", "background_kernel", "dilation_radius")}
    inputs, wide = prepare(np.ones((60, 60))), {"shape": "disk", "radius": "0.65 deg"}
    assert check_kernels(inputs, (0.05, 0.05), **settings, statistic="wstat") == []
    with pytest.raises(MapError, match="background_kernel lies under source_kernel and mask_source_kernels as a whole"):
        check_kernels(inputs, (0.05, 0.05), **settings, statistic="wstat", mask_source_kernels=[wide])


def test_kernel_beyond_all_sense_is_refused():
    settings = {key: KERNELS[key] for key in ("source_kernel", "background_kernel", "dilation_radius")}
    with pytest.raises(MapError, match=r"mask_source_kernels.0.radius 999 deg is 1.998e\+04 pixels"):
        check_kernels(
            prepare(np.ones((60, 60))),
            (0.05, 0.05),
            **settings,
            statistic="wstat",
            mask_source_kernels=[{"shape": "disk", "radius": "999 deg"}],
        )


# In the workflow.

MASK_KERNELS = [{"shape": "disk", "radius": "0.3 deg"}, {"shape": "array", "path": "kernel.fits"}]
SHAPING = {"threshold": 4, "threshold_low": 2.5, "min_pixels": 3}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a run")
    counts = field_with_source() + np.random.default_rng(1).poisson(np.where(faint_wide(), 1.0, 0.0))
    write_map(folder / "counts.fits", counts)
    write_map(folder / "kernel.fits", gaussian(3))
    datasets = {"field": {"counts": "counts.fits", **SHAPING}}
    write_config(
        folder / "config.yaml", datasets=datasets, mask_source_kernels=MASK_KERNELS, null_simulations={"number": 2}
    )
    targets = ("significance", "exclusion_mask", "background", "alpha")
    process = snakemake(*(f"results/field/{name}.fits" for name in targets), "results/field/null.json", folder=folder)
    assert process.returncode == 0, process.stdout
    return folder, counts


def faint_wide():
    """Return a disk in the lower left of the map of 60 x 60 pixels."""
    y, x = np.mgrid[:60, :60]
    return (y - 15) ** 2 + (x - 15) ** 2 <= 36


def test_workflow_and_iterate_agree_bit_for_bit(run):
    folder, counts = run
    size = (0.05, 0.05)
    result = iterate(
        counts,
        source_kernel=to_pixels(KERNELS["source_kernel"], size),
        background_kernel=to_pixels(KERNELS["background_kernel"], size),
        dilation_kernel=dilation_kernel(KERNELS["dilation_radius"], size),
        mask_source_kernels=[to_pixels(MASK_KERNELS[0], size), gaussian(3)],
        **SHAPING,
    )
    assert result.state == "converged"
    for name, image in {"exclusion_mask": result.exclusion_mask, **result.products.maps()}.items():
        written = maps.read_product(folder / f"results/field/{name}.fits")[name]
        np.testing.assert_array_equal(written.data, image, err_msg=name)
    assert written.header["MASKKERN"] == "disk radius=0.3 deg, array path=kernel.fits"
    assert not result.exclusion_mask[15, 15]


def test_every_iteration_keeps_the_significance_under_every_kernel(run):
    folder, _ = run
    images = maps.read_product(folder / "results/field/iteration-1/significance.fits")
    assert list(images) == ["significance", "significance_1", "significance_2"]
    assert len({image.data.tobytes() for image in images.values()}) == 3


def test_kernel_of_the_configuration_is_clear_of_every_source_kernel():
    settings = {"source_kernel": KERNELS["source_kernel"], "background_kernel": {"shape": "disk", "radius": "9 px"}}
    pixels = background_kernel(
        (0.05, 0.05), **settings, statistic="wstat", mask_source_kernels=[{"shape": "disk", "radius": "4 px"}]
    )
    assert np.count_nonzero(pixels) == np.count_nonzero(disk(9)) - np.count_nonzero(disk(4))
