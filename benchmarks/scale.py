"""Measure what the number of datasets costs: first run, no-change run, ten datasets more, a status query.

    python benchmarks/scale.py 1 10 30 100 300 1000            # the engine: the workflow's rules with toy bodies
    python benchmarks/scale.py --real 1 10 100                 # small simulated fields, everything computed
    python benchmarks/scale.py --finished 1000 10000           # copies of one finished dataset: what comes after

Above 50 datasets they are run in shards of 50, one after the other, and then all together, as by `profiles/survey.sh`.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from math import ceil, log
from pathlib import Path

import checkpoint_grain
import numpy as np
import workflow_time

from skymask.workflow import settled
from skymask.workflow.warm_start import SWITCH

REPOSITORY = Path(__file__).resolve().parent.parent

#: Datasets of a shard, on the average, and into how many groups they are divided.
SHARD, GROUPS = 50, 1

#: Datasets that are added to the finished ones.
MORE = 10

COLUMNS = (
    "datasets",
    "jobs",
    "wall [s]",
    "engine CPU [s]",
    "per job [ms]",
    "CPU of all [s]",
    "of it figures and pages [s]",
    "memory [MB]",
    "no-change run [s]",
    "of it CPU [s]",
    f"{MORE} more [s]",
    "status [s]",
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("numbers", type=int, nargs="+")
    parser.add_argument("--real", action="store_true", help="with the workflow's own scripts")
    parser.add_argument("--at-once", type=int, default=1, help="so many shards, each with one core")
    parser.add_argument("--finished", action="store_true", help="with copies of one finished dataset, toy bodies")
    arguments = parser.parse_args()
    if arguments.finished:
        table_of_finished(arguments.numbers)
    else:
        table(arguments.numbers, real=arguments.real, at_once=arguments.at_once)


def table(numbers, *, real, at_once):
    """Print what first runs of so many datasets cost, what comes after, and how the engine's cost grows."""
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}", flush=True)
    engine, report = {}, {}
    for number in numbers:
        with tempfile.TemporaryDirectory() as folder:
            row = measure(Path(folder), number, real=real, at_once=at_once)
        engine[number], report[number] = row[3], row[6]
        print(
            f"| {' | '.join(f'{value:.3g}' if isinstance(value, float) else str(value) for value in row)} |", flush=True
        )
    print_growth("the engine's CPU", {number: engine[number] for number in engine if number >= 30})
    print_growth("the CPU of figures and pages", report if real else {})


def print_growth(name, seconds):
    """Print with which power of the number of datasets some seconds grow, if there are several numbers."""
    if len(numbers := list(seconds)) > 1:
        exponent, _ = np.polyfit([log(number) for number in numbers], [log(seconds[number]) for number in numbers], 1)
        print(f"\nFrom {numbers[0]} to {numbers[-1]} datasets {name} grows with the power {exponent:.2f}.")


def table_of_finished(numbers):
    """Print what it costs to go on from so many finished datasets."""
    names = ("first run over all", "no-change run", f"{MORE} more", "status")
    columns = [f"{name}: {unit}" for name in names for unit in ("wall [s]", "CPU [s]")]
    print(f"| datasets | {' | '.join(columns)} | memory [MB] |\n|{'---|' * 10}", flush=True)
    for number in numbers:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            checkpoint_grain.write_workflow(folder, 1, 10, alike=True)
            checkpoint_grain.run_engine(folder)
            copy_finished(folder, number)
            runs = []
            for datasets in (number, number, number + MORE):
                checkpoint_grain.write_config(folder, datasets, 10, alike=True)
                runs.append(checkpoint_grain.run_engine(folder))
            memory = max(run["memory"] for run in runs)
            before = children_seconds()
            runs.append({"wall": seconds_of_status(folder), "cpu": children_seconds() - before})
            cells = [f"{run[key]:.1f}" for run in runs for key in ("wall", "cpu")] + [f"{memory:.0f}"]
        print(f"| {number} | {' | '.join(cells)} |", flush=True)


def copy_finished(folder, number):
    """Give the finished first dataset so many others like it, with their notes."""
    first, *others = checkpoint_grain.names_of(number, alike=True)
    text = (folder / settled.FOLDER / f"{first}.json").read_text()
    for name in others:
        for results in ("results", "logs"):
            shutil.copytree(folder / results / first, folder / results / name, copy_function=os.link)
        (folder / settled.FOLDER / f"{name}.json").write_text(text.replace(first, name))


def measure(folder, number, *, real, at_once):
    """Return a row of the table."""
    shards = ceil(number / SHARD)
    groups = min(GROUPS * shards, 1000) if shards > 1 else 10
    checkpoint_grain.write_workflow(folder, number, groups, real=real)
    (folder / "times").mkdir()
    if real:
        # It costs the engine some time as well.
        (folder / "sitecustomize.py").write_text(workflow_time.SITECUSTOMIZE)
        os.environ |= {"WORKFLOW_TIME": str(folder / "times"), SWITCH: "off"}
    before = children_seconds()
    first = survey(folder, shards, at_once)
    everything = children_seconds() - before
    report = workflow_time.report_and_rest(workflow_time.rules_of(workflow_time.read_times(folder / "times")))["report"]
    jobs = len(list((folder / "logs").rglob("*.log")))
    unchanged = checkpoint_grain.run_engine(folder)
    status = seconds_of_status(folder)
    checkpoint_grain.write_config(folder, number + MORE, groups)
    more = checkpoint_grain.run_engine(folder)
    per_job = 1000 * first["cpu"] / jobs
    memory = max(run["memory"] for run in (first, unchanged, more))
    return (
        number,
        jobs,
        round(first["wall"]),
        first["cpu"],
        per_job,
        everything,
        report,
        round(memory),
        unchanged["wall"],
        unchanged["cpu"],
        more["wall"],
        status,
    )


def survey(folder, shards, at_once):
    """Run all datasets, in shards if there are several, and return the sums of seconds and the largest memory."""
    start = time.monotonic()
    alone = ("--nolock", "--cores", "1") if at_once > 1 else ()
    parts = [("--config", f"shard={k}/{shards}", *alone) for k in range(1, shards + 1)] if shards > 1 else []
    with ThreadPoolExecutor(at_once) as pool:
        runs = list(pool.map(lambda arguments: checkpoint_grain.run_engine(folder, *arguments), parts))
    runs.append(checkpoint_grain.run_engine(folder))
    return {
        "cpu": sum(run["cpu"] for run in runs),
        "memory": max(run["memory"] for run in runs),
        "wall": time.monotonic() - start,
    }


def seconds_of_status(folder):
    start = time.monotonic()
    command = [sys.executable, "-m", "skymask", "status"]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def children_seconds():
    times = os.times()
    return times.children_user + times.children_system


if __name__ == "__main__":
    main()
