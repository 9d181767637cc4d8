"""The maps beside plain loops: on small random fields, every pixel as the formulae are printed, and nothing else.

Sums, the adaptive ring, hysteresis, holes and growth are compared so in the files of their modules.
"""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import brentq

from skymask.core import bitmask, kernels, tiling, tilt
from skymask.core.background import background_error, estimate_background
from skymask.core.bitmask import PackedMask
from skymask.core.limits import cash_limits, wstat_limits
from skymask.core.off_sums import OffSums
from skymask.core.quality import fit_off_source
from skymask.core.significance import cash, compute_significance, wstat
from skymask.core.stacking import Run, estimate_stack

quick = settings(deadline=None, max_examples=40)

#: Sums of floating-point numbers, and of Fourier transforms of some hundred counts.
EXACT, FOURIER = 1e-9, 1e-7

SIDES = st.integers(1, 8)
ODD_SHAPES = st.tuples(st.integers(0, 3), st.integers(0, 3)).map(lambda half: (2 * half[0] + 1, 2 * half[1] + 1))
WEIGHTS = st.sampled_from([0.0, 0.25, 0.5, 1.0])


@st.composite
def fields(draw):
    """Draw counts, acceptance with holes, mask and additive background of a small map."""
    shape = draw(st.tuples(SIDES, SIDES))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    coverage = random.random(shape) < draw(st.sampled_from([0.6, 1.0]))
    assume(coverage.any())
    acceptance = random.uniform(0.2, 3, shape) * coverage
    counts = random.poisson(draw(st.sampled_from([0.3, 5])) * acceptance)
    mask = random.random(shape) < draw(st.sampled_from([0.3, 0.8, 1.0]))
    additive = random.uniform(0, 2, shape) * coverage if draw(st.booleans()) else None
    return counts, acceptance, mask, additive


@st.composite
def arrays(draw, weighted):
    """Draw a kernel of ones or of weights, its largest 1."""
    kernel = draw(hnp.arrays(float, ODD_SHAPES, elements=WEIGHTS if weighted else st.sampled_from([0.0, 1.0])))
    kernel[draw(st.integers(0, kernel.shape[0] - 1)), draw(st.integers(0, kernel.shape[1] - 1))] = 1
    if weighted:
        assume(((kernel > 0) & (kernel < 1)).any())
    return kernel if weighted else kernel > 0


def under(kernel, shape, y, x):
    """Return pixels and weights under a kernel at a pixel: kernel pixel k takes the image at minus its offset."""
    half_y, half_x = (n // 2 for n in kernel.shape)
    places = [(y - j + half_y, x - i + half_x, float(kernel[j, i])) for j, i in np.argwhere(kernel)]
    return [((j, i), weight) for j, i, weight in places if 0 <= j < shape[0] and 0 <= i < shape[1]]


def total(terms):
    return math.fsum(terms)


def estimated(field, kernel, y, x):
    """Return background and error of a pixel, and the measurement n_off, a_off and d_off behind it, by plain sums."""
    counts, acceptance, mask, additive = field
    known = np.zeros(counts.shape) if additive is None else additive
    places = under(kernel, counts.shape, y, x) if isinstance(kernel, np.ndarray) else everywhere(counts.shape)
    used = [(pixel, weight) for pixel, weight in places if mask[pixel] and acceptance[pixel] > 0]
    n, a, d = (total(w * image[p] for p, w in used) for image in (counts, acceptance, known))
    if not a or not acceptance[y, x]:
        return None
    squared_n, squared_a = (total(w**2 * image[p] for p, w in used) for image in (counts, acceptance))
    scale = n / squared_n if n else a / squared_a
    background = acceptance[y, x] * max(n - d, 0) / a + (known[y, x] if additive is not None else 0)
    error = acceptance[y, x] * math.sqrt(max(n, d) * scale) / (a * scale)
    return background, error, n * scale, a * scale, d * scale


def everywhere(shape):
    return [(pixel, 1.0) for pixel in np.ndindex(*shape)]


KERNELS = st.one_of(arrays(False), arrays(True), st.just(kernels.field_of_view()))


@quick
@given(fields(), KERNELS)
def test_background_and_its_error_are_those_of_plain_sums(field, kernel):
    counts, acceptance, mask, additive = field
    estimate = estimate_background(counts, acceptance, mask, kernel, additive_background=additive)
    error = background_error(acceptance, estimate)
    for y, x in np.ndindex(*counts.shape):
        expected = estimated(field, kernel, y, x)
        if expected is None:
            assert np.isnan(estimate.background[y, x])
            assert np.isnan(error[y, x])
        else:
            found = (estimate.background[y, x], error[y, x])
            np.testing.assert_allclose(found, expected[:2], rtol=FOURIER, atol=FOURIER)


def li_ma(n_on, n_off, alpha):
    """Return eq. 17 of Li & Ma (1983) as it is printed, with its limits where a count is zero."""
    both = n_on + n_off
    on = n_on * math.log((1 + alpha) / alpha * n_on / both) if n_on else 0
    off = n_off * math.log((1 + alpha) * n_off / both) if n_off else 0
    return math.copysign(math.sqrt(2 * max(on + off, 0)), n_on - alpha * n_off)


def over_known(n_on, mu):
    """Return the significance over a known background (Cash 1979) as it is printed, with its limits."""
    if not mu:
        return math.inf if n_on else 0.0
    on = n_on * math.log(n_on / mu) if n_on else 0
    return math.copysign(math.sqrt(2 * max(on - n_on + mu, 0)), n_on - mu)


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 500), st.one_of(st.just(0.0), st.floats(1e-6, 500)), st.floats(1e-3, 10))
def test_significances_are_those_of_the_printed_formulae(n_on, off, alpha):
    # Near zero they are the root of a difference of numbers of some thousand, known to 1e-12.
    np.testing.assert_allclose(wstat(n_on, off, alpha), li_ma(n_on, off, alpha), rtol=1e-9, atol=3e-6)
    np.testing.assert_allclose(cash(n_on, off), over_known(n_on, off), rtol=1e-9, atol=3e-6)


@quick
@given(fields(), arrays(False), arrays(False), st.sampled_from([0, 0.1]))
def test_on_off_significance_is_that_of_plain_sums(field, source, ring, systematic):
    counts, acceptance, mask, additive = field
    estimate = estimate_background(counts, acceptance, mask, ring, additive_background=additive)
    result = compute_significance(
        counts, acceptance, estimate, source, background_systematic=systematic, additive_background=additive
    )
    for y, x in np.ndindex(*counts.shape):
        measured = estimated(field, ring, y, x)
        a_on = total(acceptance[p] for p, _ in under(source, counts.shape, y, x))
        if measured is None or not a_on:
            assert np.isnan(result.significance[y, x])
            continue
        _, _, n_off, a_off, d_off = measured
        n_on, alpha = total(counts[p] for p, _ in under(source, counts.shape, y, x)), a_on / a_off
        if additive is not None:
            d_on = total(additive[p] for p, _ in under(source, counts.shape, y, x))
            mean, variance = alpha * max(n_off - d_off, 0) + d_on, alpha**2 * max(n_off, d_off)
            if mean and variance:
                n_off, alpha = mean**2 / variance, variance / mean
        excess = n_on - alpha * n_off
        n_off, alpha = n_off / (1 + systematic**2 * n_off), alpha * (1 + systematic**2 * n_off)
        np.testing.assert_allclose(result.excess[y, x], excess, rtol=EXACT, atol=EXACT)
        np.testing.assert_allclose(result.significance[y, x], li_ma(n_on, n_off, alpha), rtol=EXACT, atol=1e-6)


@quick
@given(fields(), st.booleans().flatmap(arrays), arrays(False))
def test_significance_over_a_known_background_is_that_of_plain_sums(field, source, ring):
    counts, acceptance, mask, _ = field
    estimate = estimate_background(counts, acceptance, mask, ring)
    result = compute_significance(counts, acceptance, estimate, source, statistic="cash")
    for y, x in np.ndindex(*counts.shape):
        places = [(p, w) for p, w in under(source, counts.shape, y, x) if acceptance[p] > 0]
        background = [estimate.background[p] for p, _ in places]
        if not acceptance[y, x] or any(np.isnan(background)):
            assert np.isnan(result.significance[y, x])
            continue
        n_on = total(w * counts[p] for p, w in places)
        mu, squared = (total(w**power * estimate.background[p] for p, w in places) for power in (1, 2))
        # Weights: counts and background over the ratio of variance to mean.
        a, squared_a = (total(w**power * acceptance[p] for p, w in places) for power in (1, 2))
        scale = squared / mu if mu > 0 else (squared_a / a if a else 1)
        np.testing.assert_allclose(result.excess[y, x], n_on - mu, rtol=FOURIER, atol=FOURIER)
        if mu > 0 or not kernels.is_weighted(source):
            expected = over_known(n_on / scale, mu / scale)
            np.testing.assert_allclose(result.significance[y, x], expected, rtol=FOURIER, atol=1e-5)


def statistic_of_excess(n_on, n_off, alpha, excess):
    """Return the fit statistic of an excess at the most likely background, the root of its derivative."""

    def slope(background):
        return 1 + 1 / alpha - n_on / (excess + background) - n_off / background

    low, high = max(0.0, -excess), max(0.0, -excess) + alpha * n_off + n_on + abs(excess) + 1
    background = brentq(slope, low + 1e-12 * high, high, xtol=1e-13 * high)
    on, off = excess + background, background / alpha
    return 2 * (on - n_on * math.log(on) + off - n_off * math.log(off))


@quick
@given(st.integers(1, 300), st.integers(1, 300), st.floats(0.02, 5))
def test_fit_statistic_rises_by_one_at_the_errors(n_on, n_off, alpha):
    limits = wstat_limits(n_on, n_off, alpha)
    excess = n_on - alpha * n_off
    best = statistic_of_excess(n_on, n_off, alpha, excess)
    for place in (excess - limits.excess_errn, excess + limits.excess_errp):
        assert statistic_of_excess(n_on, n_off, alpha, float(place)) - best == pytest.approx(1, abs=1e-6)


@quick
@given(st.integers(1, 10**4), st.floats(0, 10**4))
def test_fit_statistic_over_a_known_background_rises_by_one_at_the_errors(n_on, mu):
    limits = cash_limits(n_on, mu)
    for mean in (n_on - float(limits.excess_errn), n_on + float(limits.excess_errp)):
        risen = 2 * (mean - n_on - n_on * math.log(mean / n_on))
        # The logarithm of the ratio of numbers that differ by one part in a hundred, times ten thousand.
        assert risen == pytest.approx(1, abs=1e-7)


@quick
@given(hnp.arrays(bool, (7, 9)), arrays(False))
def test_dilation_is_that_of_a_double_loop(region, kernel):
    expected = [any(region[p] for p, _ in under(kernel, region.shape, *pixel)) for pixel in pixels(7, 9)]
    np.testing.assert_array_equal(bitmask.dilate(region, kernel).ravel(), expected)


def pixels(rows, columns):
    return list(np.ndindex(rows, columns))


@quick
@given(fields(), st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=4), arrays(False))
def test_off_sums_of_one_mask_after_another_are_those_of_plain_sums(field, seeds, kernel):
    counts, acceptance, mask, _ = field
    off = OffSums(counts, acceptance, kernel, PackedMask.of(mask))
    for seed in seeds:
        mask = np.random.default_rng(seed).random(counts.shape) < 0.6
        off.update(PackedMask.of(mask))
    _, counts_off, acceptance_off = off.maps()
    for y, x in np.ndindex(*counts.shape):
        used = [p for p, _ in under(kernel, counts.shape, y, x) if mask[p]]
        assert counts_off[y, x] == sum(counts[p] for p in used)
        np.testing.assert_allclose(acceptance_off[y, x], total(acceptance[p] for p in used), rtol=EXACT, atol=0)


@st.composite
def stacks(draw):
    """Draw runs on parts of a common grid, with one or two energy bins."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    bins, runs = draw(st.integers(1, 2)), []
    for _ in range(draw(st.integers(1, 3))):
        first = random.integers(0, 4, 2)
        block = tuple(
            slice(int(start), int(start + size)) for start, size in zip(first, random.integers(3, 6, 2), strict=True)
        )
        shape = (bins, *(part.stop - part.start for part in block))
        acceptance = random.uniform(0.3, 2, shape) * (random.random(shape) < 0.9)
        runs.append(Run(random.poisson(3 * acceptance).astype(np.int32), acceptance, block))
    return runs, random.random((9, 9)) < 0.8


@settings(deadline=None, max_examples=15)
@given(stacks(), st.sampled_from(["variance", "counts_off"]))
def test_stack_is_that_of_plain_sums_over_runs_and_bins(stack, stacking):
    runs, mask = stack
    source, ring = kernels.disk(1), kernels.ring(2, 1)
    bins = len(runs[0].counts)
    found = estimate_stack(runs, mask, [source] * bins, [ring] * bins, stacking=stacking)
    for y, x in pixels(9, 9):
        on, b, v, off, background, error = (0.0,) * 6
        for run, number in ((run, number) for run in runs for number in range(bins)):
            counts, acceptance = np.zeros((9, 9)), np.zeros((9, 9))
            counts[run.block], acceptance[run.block] = run.counts[number], run.acceptance[number]
            a_on, n_on = (total(i[p] for p, _ in under(source, (9, 9), y, x)) for i in (acceptance, counts))
            a_off, n_off = (total(i[p] for p, _ in under(ring, (9, 9), y, x) if mask[p]) for i in (acceptance, counts))
            if a_off and a_on:
                alpha = a_on / a_off
                on, b, v, off = on + n_on, b + alpha * n_off, v + alpha**2 * n_off, off + n_off
            if a_off and acceptance[y, x]:
                background += acceptance[y, x] / a_off * n_off
                error += (acceptance[y, x] / a_off) ** 2 * n_off
        assert found.counts_on[y, x] == on
        if b:
            alpha = v / b if stacking == "variance" else b / off
            np.testing.assert_allclose(found.alpha[y, x], alpha, rtol=EXACT)
            np.testing.assert_allclose(found.counts_off[y, x], b / alpha, rtol=EXACT)
        if not np.isnan(found.background[y, x]):
            np.testing.assert_allclose(found.background[y, x], background, rtol=EXACT, atol=EXACT)
            np.testing.assert_allclose(found.background_error[y, x], math.sqrt(error), rtol=EXACT, atol=EXACT)
        else:
            assert background == 0


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(-0.4, 0.4), st.floats(-0.4, 0.4))
def test_fitted_tilt_has_no_slope_and_the_inverse_of_plain_sums(seed, slope_x, slope_y):
    random = np.random.default_rng(seed)
    y, x = np.mgrid[-1:1:7j, -1:1:9j]
    acceptance, used = random.uniform(0.5, 2, y.shape), random.random(y.shape) < 0.8
    counts = random.poisson(30 * acceptance * (1 + slope_x * x + slope_y * y))
    norms = tilt.fit_tilt(counts, acceptance, used)
    assume(norms is not None)
    gradient, fisher = np.zeros(3), np.zeros((3, 3))
    background = np.zeros(y.shape)
    for pixel in pixels(*y.shape):
        position = np.array([1, x[pixel], y[pixel]])
        background[pixel] = acceptance[pixel] * norms @ position
        if used[pixel]:
            gradient += acceptance[pixel] * position * (counts[pixel] / background[pixel] - 1)
            fisher += acceptance[pixel] ** 2 / background[pixel] * np.outer(position, position)
    covariance = tilt.covariance(acceptance, background, used)
    np.testing.assert_allclose(covariance @ fisher, np.eye(3), atol=1e-8)
    # Beside the maximum by a millionth of a standard error at most.
    assert gradient @ covariance @ gradient < 1e-12


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.floats(-0.5, 0.5), st.floats(0.7, 1.5), st.sampled_from([2.0, 3.0, 5.0]))
def test_off_source_fit_is_the_most_likely_one(seed, mean, width, threshold):
    values = np.random.default_rng(seed).normal(mean, width, 300)
    values = values[values < threshold]

    def likelihood(mu, sigma):
        below = 0.5 * math.erfc(-(threshold - mu) / sigma / math.sqrt(2))
        return total(-0.5 * ((v - mu) / sigma) ** 2 - math.log(sigma) - math.log(below) for v in values.tolist())

    mu, sigma = fit_off_source(values, threshold)
    best = likelihood(mu, sigma)
    for step in (0.01, -0.01):
        assert likelihood(mu + step, sigma) < best
        assert likelihood(mu, sigma + step) < best


@quick
@given(hnp.arrays(bool, (30, 43)), st.integers(1, 40))
def test_boxes_around_marked_pixels_hold_them_all(marked, side):
    covered = np.zeros(marked.shape, dtype=bool)
    for box in tiling.around(PackedMask.of(marked).cells(), marked.shape, side):
        assert max(part.stop - part.start for part in box) <= max(side, tiling.CELL)
        covered[box] = True
    assert covered[marked].all()
