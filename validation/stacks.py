"""No sources in runs with pointings of their own, and in energy bins: estimated run by run, and stacked first."""

from functools import cache, partial
from zlib import crc32

import numpy as np

import skymask
from skymask.core.convolution import convolve
from skymask.core.significance import ratio_of_acceptances, wstat
from skymask.core.stacking import estimate_stack, stack_inputs
from skymask.datasets.simulation import simulate_runs
from skymask.loop.iteration import compute_products
from validation import SEED
from validation.exact import moments_and_tails
from validation.null import moments

SIMULATIONS, PER_JOB = 60, 30

#: Field of 160 x 160 pixels; a run sees what is nearer than the radius of its view.
FIELD = {
    "width": ("3.2 deg", "3.2 deg"),
    "pixel_size": "0.02 deg",
    "background": 1,
    "acceptance_sigma": "0.8 deg",
    "view_radius": "1.6 deg",
}
SHAPE = (160, 160)
SOURCE, RING, DILATION = skymask.disk(3), skymask.ring(9, 4), skymask.disk(9)

#: The pixels looked at, away from the edges, and those of them where the expectation is computed.
INNER = (slice(16, 144), slice(16, 144))
PLACES = (slice(16, 144, 4), slice(16, 144, 4))

#: Draws at each place.
DRAWS = 4000

FOUR, TWO = (("0.7", "0"), ("-0.7", "0"), ("0", "0.7"), ("0", "-0.7")), (("0.7", "0"), ("-0.7", "0"))
THREE_BINS = {"edges": (0.5, 1, 3, 10), "background_index": 2.7, "source_index": 2.3}

#: Pointings [deg], rates of the runs relative to their acceptance, which does not know of them, and energy bins.
STACKS = {
    "cube of runs": (TWO, (1, 1), THREE_BINS),
    "runs": (FOUR, (1, 1, 1, 1), None),
    "runs of unlike rates": (FOUR, (0.4, 0.8, 1.2, 1.6), None),
}

#: Expected counts under the source kernel, of all runs together, where all acceptances are 1.
COUNTS_ON = (10, 100)

#: How a stack is estimated: run by run with its variance or its off counts right, or as one map.
METHODS = ("variance", "counts_off", "stacked first")
LOOP_THRESHOLDS = (3, 5)

CASES = {
    f"{name.replace(' ', '-')}-{counts_on}": {"stack": name, "counts_on": counts_on}
    for name in STACKS
    for counts_on in COUNTS_ON
}


@cache
def truth(stack, counts_on):
    """Return the runs of a case without counts, and the expected counts of each."""
    pointings, rates, energies = STACKS[stack]
    pointings = [tuple(f"{angle} deg" for angle in pointing) for pointing in pointings]
    runs = simulate_runs(seed=0, pointings=pointings, energies=energies, **FIELD).runs
    rate = counts_on / SOURCE.sum() / len(runs)
    return runs, [rate * factor * run.acceptance for run, factor in zip(runs, rates, strict=True)]


def measure(random, *, stack, counts_on):
    """Return the figures of one simulation.

    `moments` are those of the significance of the inner pixels, without a mask, by every one of METHODS. Of loops over
    runs with several thresholds, `excluded` is the fraction of the inner pixels and `bias` by how much the mean
    background of used pixels differs from that without a mask.
    """
    runs = [run._replace(counts=random.poisson(mean)) for run, mean in zip(*truth(stack, counts_on), strict=True)]
    mask, planes = np.ones(SHAPE, dtype=bool), len(runs[0].counts)
    estimate = partial(estimate_stack, runs, mask, [SOURCE] * planes, [RING] * planes)
    figures = {"moments": [], "excluded": [], "bias": []}
    for stacking in ("variance", "counts_off"):
        made = estimate(stacking=stacking)
        figures["moments"].append(moments(wstat(made.counts_on, made.counts_off, made.alpha)[INNER]))
    inputs = stack_inputs(runs, SHAPE)
    first = compute_products(inputs.counts, inputs.acceptance, mask, SOURCE, RING, statistic="wstat")
    figures["moments"].append(moments(first.significance[INNER]))
    for threshold in LOOP_THRESHOLDS:
        result = skymask.iterate_runs(
            runs,
            SHAPE,
            source_kernel=SOURCE,
            background_kernel=RING,
            dilation_kernel=DILATION,
            threshold=threshold,
        )
        used = result.exclusion_mask[INNER]
        figures["excluded"].append(1 - used.mean())
        ratio = result.products.background[INNER][used].sum() / made.background[INNER][used].sum()
        figures["bias"].append(ratio - 1)
    return figures


@cache
def expected(stack, counts_on):
    """Return mean and mean square of the significance by every one of METHODS, the mean over the places.

    Run by run the distribution is that of drawn Poisson numbers, on and off, of every run and bin: numbers of their
    own, that no map is made of. Stacked first it is the exact sum over two of them.
    """
    alpha, acceptance_on, mu_on, mu_off = (np.array(values) for values in zip(*_parts(stack, counts_on), strict=True))
    random = np.random.default_rng([SEED, crc32(f"stacks/{stack}/{counts_on}".encode())])
    sums = np.zeros((len(METHODS), 2))
    for place in range(alpha.shape[1]):
        seen = np.isfinite(alpha[:, place]) & (acceptance_on[:, place] > 0)
        a, on, off = alpha[seen, place], mu_on[seen, place], mu_off[seen, place]
        n_on, n_off = random.poisson(on.sum(), DRAWS), random.poisson(off, (DRAWS, len(off)))
        together = acceptance_on[seen, place].sum() / (acceptance_on[seen, place] / a).sum()
        for number, ratio in enumerate((_effective_alpha(a, n_off), _mean_alpha(a, n_off))):
            ratio = np.where(n_off.sum(axis=1) > 0, ratio, together)
            significance = wstat(n_on, (a * n_off).sum(axis=1) / ratio, ratio)
            sums[number] += significance.mean(), (significance**2).mean()
        sums[-1] += moments_and_tails(partial(_wstat_of, together), on.sum(), off.sum(), ())
    return sums / alpha.shape[1]


def _parts(stack, counts_on):
    """Ratio of acceptances, on acceptance, and expected on and off counts at the places, of every run and bin."""
    for run, expected_counts in zip(*truth(stack, counts_on), strict=True):
        for acceptance, mean in zip(run.acceptance, expected_counts, strict=True):
            whole = np.zeros((2, *SHAPE))
            whole[(slice(None), *run.block)] = acceptance, mean
            sums = [convolve(image, kernel)[PLACES].ravel() for image in whole for kernel in (SOURCE, RING)]
            yield ratio_of_acceptances(*sums[:2]), sums[0], *sums[2:]


def _effective_alpha(alpha, n_off):
    with np.errstate(invalid="ignore"):
        return (alpha**2 * n_off).sum(axis=1) / (alpha * n_off).sum(axis=1)


def _mean_alpha(alpha, n_off):
    with np.errstate(invalid="ignore"):
        return (alpha * n_off).sum(axis=1) / n_off.sum(axis=1)


def _wstat_of(alpha, n_on, n_off):
    return wstat(n_on, n_off, alpha)
