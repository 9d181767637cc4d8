"""Stacks: runs and energy bins that are estimated one by one and added with the variance right."""

import numpy as np
import pytest

from skymask.core import kernels, tiling
from skymask.core.background import Background
from skymask.core.significance import OnAndOff, wstat
from skymask.core.stacking import Plane, Run, Sums, estimate_bins, estimate_stack, stack_inputs
from skymask.errors import MapError
from skymask.loop.iteration import iterate, iterate_runs

SHAPE = (48, 56)
SOURCE, RING = kernels.disk(2), kernels.ring(5, 3)
WHOLE = (slice(0, 48), slice(0, 56))


def run(seed, block=WHOLE, bins=1, mean=2.0):
    """A run with an acceptance that falls from its own centre, and Poisson counts."""
    random = np.random.default_rng(seed)
    shape = [part.stop - part.start for part in block]
    y, x = np.indices(shape)
    acceptance = np.exp(-(((y - shape[0] / 2) / 30) ** 2) - ((x - shape[1] / 2) / 40) ** 2)
    cube = np.stack([acceptance / (number + 1) for number in range(bins)])
    return Run(random.poisson(mean * cube).astype(np.int32), cube, block)


def one_plane(n_on, n_off, alpha):
    """One pixel with these numbers."""
    part = OnAndOff(*(np.array([[value]], dtype=float) for value in (n_on, alpha * n_off, n_off, alpha)))
    ones = np.ones((1, 1))
    estimate = Background(ones, counts_off=ones * n_off, acceptance_off=ones)
    return Plane((slice(0, 1), slice(0, 1)), ones, ones, estimate, part)


@pytest.mark.parametrize(("stacking", "significance"), [("variance", 4.19), ("counts_off", 4.47)])
def test_two_runs_with_different_alpha_have_the_cited_significance(stacking, significance):
    # method.md, stacking: n_on 50 in all, n_off 400 and 40, alpha 0.03 and 0.3.
    total = Sums((1, 1))
    for n_on, n_off, alpha in ((30, 400, 0.03), (20, 40, 0.3)):
        total.runs += total.add(one_plane(n_on, n_off, alpha))
    stack = total.estimate(stacking=stacking)
    assert stack.background_on[0, 0] == pytest.approx(0.03 * 400 + 0.3 * 40)
    assert wstat(stack.counts_on, stack.counts_off, stack.alpha)[0, 0] == pytest.approx(significance, abs=0.005)


def test_without_off_counts_alpha_is_that_of_all_acceptance():
    total = Sums((1, 1))
    for alpha in (0.1, 0.4):
        total.runs += total.add(one_plane(3, 0, alpha))
    stack = total.estimate()
    # On acceptance 1 in both, off acceptances 10 and 2.5.
    assert stack.alpha[0, 0] == pytest.approx(2 / 12.5)
    assert stack.counts_off[0, 0] == 0


@pytest.mark.parametrize("statistic", ["wstat", "cash"])
def test_stack_of_one_run_is_the_run(statistic):
    alone = run(1)
    counts = alone.counts[0].copy()
    counts[20:24, 30:34] += 20
    alone = alone._replace(counts=counts[None])
    options = {"dilation_kernel": kernels.disk(1), "statistic": statistic, "threshold": 4}
    stacked = iterate_runs([alone], SHAPE, source_kernel=SOURCE, background_kernel=RING, **options)
    single = iterate(counts, acceptance=alone.acceptance[0], source_kernel=SOURCE, background_kernel=RING, **options)
    assert (stacked.exclusion_mask == single.exclusion_mask).all()
    assert stacked.iterations == single.iterations > 1
    for name, image in single.products.maps().items():
        np.testing.assert_allclose(getattr(stacked.products, name), image, rtol=1e-9, atol=1e-9, err_msg=name)


def test_every_run_is_estimated_by_itself():
    blocks_of_runs = [WHOLE, (slice(0, 30), slice(10, 56)), (slice(12, 48), slice(0, 33))]
    runs = [run(seed, block) for seed, block in enumerate(blocks_of_runs)]
    mask = np.ones(SHAPE, dtype=bool)
    mask[18:26, 20:30] = False
    stack = estimate_stack(runs, mask, [SOURCE], [RING])
    expected = {name: np.zeros(SHAPE) for name in ("counts_on", "background_on", "variance", "background", "runs")}
    for one in runs:
        counts, acceptance = np.zeros(SHAPE), np.zeros(SHAPE)
        counts[one.block], acceptance[one.block] = one.counts[0], one.acceptance[0]
        for y, x in np.ndindex(SHAPE):
            n_on, a_on = (_under(SOURCE, image, y, x) for image in (counts, acceptance))
            n_off, a_off = (_under(RING, image * mask, y, x) for image in (counts, acceptance))
            if a_on > 0 and a_off > 0:
                expected["counts_on"][y, x] += n_on
                expected["background_on"][y, x] += a_on / a_off * n_off
                expected["variance"][y, x] += (a_on / a_off) ** 2 * n_off
                expected["background"][y, x] += acceptance[y, x] / a_off * n_off
                expected["runs"][y, x] += 1
    for name in ("counts_on", "background_on", "background", "runs"):
        np.testing.assert_allclose(getattr(stack, name), expected[name], rtol=1e-9, err_msg=name)
    np.testing.assert_allclose(stack.alpha**2 * stack.counts_off, expected["variance"], rtol=1e-9)


def _under(kernel, image, y, x):
    half_y, half_x = (n // 2 for n in kernel.shape)
    padded = np.pad(image, [(half_y, half_y), (half_x, half_x)])
    return (padded[y : y + 2 * half_y + 1, x : x + 2 * half_x + 1] * kernel).sum()


def test_run_without_a_background_at_a_pixel_leaves_its_counts_out_there():
    wide, narrow = run(1), run(2, (slice(16, 28), slice(16, 28)))
    mask = np.ones(SHAPE, dtype=bool)
    # All of the narrow run is excluded: nowhere has it a background.
    mask[narrow.block] = False
    stack = estimate_stack([wide, narrow], mask, [SOURCE], [RING])
    alone = estimate_stack([wide], mask, [SOURCE], [RING])
    assert stack.runs.max() == 1
    for name in ("counts_on", "background_on", "background", "alpha"):
        np.testing.assert_array_equal(getattr(stack, name), getattr(alone, name), err_msg=name)


def test_background_error_is_the_scatter_of_the_background():
    runs = [run(0), run(0, (slice(8, 48), slice(8, 56)))]
    mask = np.ones(SHAPE, dtype=bool)
    random = np.random.default_rng(3)
    backgrounds, errors = [], []
    for _ in range(200):
        simulated = [one._replace(counts=random.poisson(2 * one.acceptance)) for one in runs]
        stack = estimate_stack(simulated, mask, [SOURCE], [RING])
        backgrounds.append(stack.background[20:30, 20:30])
        errors.append(stack.background_error[20:30, 20:30])
    # The standard deviation of 200 values is known to 5 %, and neighbouring pixels are no independent ones.
    assert np.std(backgrounds, axis=0).mean() == pytest.approx(np.mean(errors), rel=0.06)


def test_sum_over_energy_is_the_sum_of_the_bins():
    cube = run(4, bins=3)
    mask = np.ones(SHAPE, dtype=bool)
    mask[10:20, 10:20] = False
    rings = [RING, kernels.ring(5, 4), kernels.ring(6, 3)]
    total = estimate_stack([cube], mask, [SOURCE] * 3, rings)
    bins = estimate_bins([cube], mask, [SOURCE] * 3, rings)
    assert len(bins) == 3
    for name in ("background", "background_on", "counts_on"):
        np.testing.assert_allclose(getattr(total, name), sum(getattr(one, name) for one in bins), rtol=1e-12)
    np.testing.assert_allclose(total.background_error**2, sum(one.background_error**2 for one in bins), rtol=1e-12)
    assert total.runs.max() == 1


def test_stack_holds_the_counts_of_all_runs():
    runs = [run(1, bins=2), run(2, (slice(0, 20), slice(0, 20)), bins=2)]
    inputs = stack_inputs(runs, SHAPE)
    expected = runs[0].counts.sum(axis=0)
    expected[:20, :20] += runs[1].counts.sum(axis=0)
    assert (inputs.counts == expected).all()


def test_stack_without_coverage_is_refused():
    empty = Run(np.zeros((1, *SHAPE), dtype=np.int32), np.zeros((1, *SHAPE)), WHOLE)
    with pytest.raises(MapError, match="no coverage at all"):
        stack_inputs([empty], SHAPE)


FIELD = (78, 76)


def pointed_runs(seed):
    """Twelve runs, whose backgrounds are 40 % less or more than their acceptances say, and the true background."""
    random = np.random.default_rng(seed)
    runs, truth = [], np.zeros(FIELD)
    y, x = np.indices((60, 60)) - 29.5
    acceptance = 2 * np.exp(-(y**2 + x**2) / 2 / 18**2)
    for number in range(12):
        y0, x0 = 6 * (number % 4), 8 * (number // 4)
        block = (slice(y0, y0 + 60), slice(x0, x0 + 60))
        background = (0.6 if number % 4 < 2 else 1.4) * acceptance
        truth[block] += background
        runs.append(Run(random.poisson(background)[None], acceptance[None], block))
    return runs, truth


def stacked(runs, *, first):
    """The products of runs estimated one by one, or stacked first."""
    options = {"source_kernel": kernels.disk(3), "background_kernel": kernels.ring(8, 6)}
    options["dilation_kernel"] = kernels.disk(2)
    if not first:
        return iterate_runs(runs, FIELD, **options).products
    inputs = stack_inputs(runs, FIELD)
    return iterate(inputs.counts, acceptance=inputs.acceptance, **options).products


def test_run_by_run_stays_right_where_stacking_first_is_biased():
    # The acceptance of a run is known up to a factor: run by run that cancels, in a sum it is a gradient.
    deviations, widths = {True: [], False: []}, {True: [], False: []}
    for seed in range(8):
        runs, truth = pointed_runs(seed)
        for first in (True, False):
            products = stacked(runs, first=first)
            deviations[first].append((products.background - truth) / products.background_error)
            widths[first].append(np.nanstd(products.significance))
    # Deviations in standard errors; of maps like these one has itself a scatter of about 0.1.
    assert np.sqrt(np.nanmean(np.square(deviations[False]))) == pytest.approx(1, abs=0.1)
    assert np.sqrt(np.nanmean(np.square(deviations[True]))) > 2.5
    assert np.mean(widths[False]) == pytest.approx(1, abs=0.04)
    assert np.mean(widths[True]) > 1.1


def test_blocks_that_touch_the_edge_are_grown_as_far_as_the_grid_goes():
    corner = run(5, (slice(40, 48), slice(50, 56)))
    stack = estimate_stack([corner], np.ones(SHAPE, dtype=bool), [SOURCE], [kernels.disk(4)])
    outer = tiling.grown(corner.block, (2, 2), SHAPE)
    assert np.isnan(stack.background_on[: outer[0].start]).all()
