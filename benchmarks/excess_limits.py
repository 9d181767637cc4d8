"""Measure errors and upper limits of the excess against gammapy, which searches pixel by pixel.

Both get the same counts, in turns, on one core; the ratio is that of the medians. Needs the extra `gammapy`.

    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/excess_limits.py
"""

import argparse
import time
import warnings

import numpy as np
from gammapy.stats import CashCountsStatistic, WStatCountsStatistic

from skymask.core.limits import cash_limits, number_of_sigma, wstat_limits

CONFIDENCE_LEVEL = 0.95


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pixels", type=int, default=1_000_000)
    parser.add_argument("--gammapy-pixels", type=int, default=2000, help="pixels of the same field that gammapy gets")
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print("| statistic | counts on | skymask [ns per pixel] | gammapy [ns per pixel] | ratio | largest difference |")
    print("|---|---|---|---|---|---|", flush=True)
    for mean in (1, 10, 100):
        for statistic in ("wstat", "cash"):
            row = measure(statistic, mean, arguments.pixels, arguments.gammapy_pixels, arguments.turns)
            print(f"| {statistic} | {mean} | {row} |", flush=True)


def measure(statistic, mean, pixels, gammapy_pixels, turns):
    """Return the cells of a row: nanoseconds per pixel of all three maps, their ratio, the largest difference."""
    random = np.random.default_rng(0)
    n_on, n_off = 1 + random.poisson(mean, pixels), 1 + random.poisson(20 * mean, pixels)
    alpha = random.uniform(0.04, 0.06, pixels)
    ours_of, theirs_of = {"wstat": (wstat_limits, on_off_of_gammapy), "cash": (known_limits, known_of_gammapy)}[
        statistic
    ]
    few = slice(0, gammapy_pixels)
    ours_took, theirs_took = [], []
    for _ in range(turns):
        took, ours = timed(ours_of, n_on, n_off, alpha)
        ours_took.append(took / pixels)
        took, theirs = timed(theirs_of, n_on[few], n_off[few], alpha[few])
        theirs_took.append(took / gammapy_pixels)
    ours_ns, theirs_ns = 1e9 * np.median(ours_took), 1e9 * np.median(theirs_took)
    difference = max(np.abs(our[few] - their).max() for our, their in zip(ours, theirs, strict=True))
    return f"{ours_ns:.0f} | {theirs_ns:.0f} | {theirs_ns / ours_ns:.0f} | {difference:.1g} ct"


def timed(function, *arrays):
    """Return the seconds that a function takes, and what it returns."""
    start = time.perf_counter()
    result = function(*arrays)
    return time.perf_counter() - start, result


def known_limits(n_on, n_off, alpha):
    return cash_limits(n_on, alpha * n_off, confidence_level=CONFIDENCE_LEVEL)


def on_off_of_gammapy(n_on, n_off, alpha):
    return three_maps(WStatCountsStatistic(n_on, n_off, alpha))


def known_of_gammapy(n_on, n_off, alpha):
    return three_maps(CashCountsStatistic(n_on, alpha * n_off))


def three_maps(statistic):
    n_sigma = number_of_sigma(CONFIDENCE_LEVEL)
    return statistic.compute_errn(), statistic.compute_errp(), statistic.compute_upper_limit(n_sigma)


if __name__ == "__main__":
    main()
