"""Where the loop in memory spends its time: a profiler of its stages, each without the stages that it calls."""

import functools
import time
from contextlib import ExitStack, contextmanager
from unittest import mock

from skymask.core import bitmask, convergence, off_sums
from skymask.loop import incremental, iteration

FINAL_MAPS = "maps of the result"

#: Stage -> the functions that it consists of. What none of them does is "the rest".
STAGES = {
    "checks of the input": [(iteration, "prepare")],
    "counts under the source kernel": [(incremental, "sums_on")],
    "ring sums of the whole map": [(off_sums.OffSums, "_sum_whole_map")],
    "ring sums where the mask changed": [(off_sums.OffSums, "update")],
    "background per pixel, for its mean": [(incremental.IncrementalEstimate, "_sum_rows")],
    "candidates": [
        (incremental.IncrementalEstimate, "_find_reached"),
        (incremental.IncrementalEstimate, "_starved_pixels"),
        (incremental.IncrementalEstimate, "update"),
    ],
    "significance of the candidates": [(incremental.IncrementalEstimate, "_significance_of")],
    "threshold, starved pixels, user's mask": [(iteration, "exclude")],
    "dilation": [(bitmask.PackedMask, "dilate")],
    "records, digests of masks": [(convergence, "first_record"), (convergence, "record"), (convergence, "assess")],
    FINAL_MAPS: [(incremental.IncrementalEstimate, "estimate"), (incremental.IncrementalEstimate, "significance")],
}


def profile(function):
    """Return the CPU seconds of each stage while a function runs, in all and by stage, and what it returns."""
    with stage_seconds() as seconds:
        start = time.process_time()
        result = function()
        total = time.process_time() - start
    return {**seconds, "the rest": total - sum(seconds.values())}, result


@contextmanager
def stage_seconds():
    """Count CPU seconds of every stage within the context; yields them by stage."""
    seconds = dict.fromkeys(STAGES, 0.0)
    running_stages, since = [], [0.0]

    def switch():
        now = time.process_time()
        if running_stages:
            seconds[running_stages[-1]] += now - since[0]
        since[0] = now

    def measured(stage, function):
        @functools.wraps(function)
        def wrapper(*arguments, **options):
            if running_stages and running_stages[-1] == FINAL_MAPS:
                return function(*arguments, **options)
            switch()
            running_stages.append(stage)
            try:
                return function(*arguments, **options)
            finally:
                switch()
                running_stages.pop()

        return wrapper

    with ExitStack() as patches:
        for stage, functions in STAGES.items():
            for owner, name in functions:
                patches.enter_context(mock.patch.object(owner, name, measured(stage, getattr(owner, name))))
        yield seconds
