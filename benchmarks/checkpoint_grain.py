"""Measure what the workflow engine costs, by number of datasets and of checkpoint groups.

The rules are the workflow's own; their scripts are replaced by one that writes small files at once, with loops that
converge after 2 to 6 iterations. So nearly all the CPU time of the Snakemake process itself is the engine's.

    python benchmarks/checkpoint_grain.py --datasets 10 30 100 300 --groups 1 10 all
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from itertools import count, islice
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent

TOY = """
import json, sys, zlib
rule, output, inputs = sys.argv[1], sys.argv[2].split(), sys.argv[3].split()
def last(path, word):
    return int(path.split(word + "-")[1].split("/")[0].split(".")[0])
for path in output:
    content = {"dataset": path.split("/")[1], "reason": None, "warnings": [], "record": {"iteration": 0}}
    if path.endswith("record.json"):
        content["record"]["iteration"] = last(path, "iteration")
    elif rule == "check_convergence":
        content = {}
        iteration = last(path, "iteration")
        for name in inputs:
            if "/.decisions/" in name:
                content.update(json.load(open(name)))
        for name in inputs:
            if "/.decisions/" not in name:
                dataset = name.split("/")[1]
                end = iteration == 2 + zlib.crc32(dataset.encode()) % 5
                content[dataset] = {"state": "converged" if end else "running", "period": 1, "iteration": iteration,
                                    "reason": None, "final_mask_of_iterations": [iteration]}
    elif path.endswith("status.json"):
        content.update(state="converged", period=1, iteration=2, excluded_fraction=0.0, highest_significance=None,
                       off_source_mean=None)
    with open(path, "w") as file:
        file.write(json.dumps(content))
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--datasets", type=int, nargs="+", default=[10, 30, 100, 300])
    parser.add_argument("--groups", nargs="+", default=["1", "10", "all"], help="numbers, or all: one per dataset")
    arguments = parser.parse_args()
    print(
        "| datasets | groups | jobs | engine CPU [s] | per job [ms] | memory [MB] | wall [s] | no-change run, CPU [s] |"
    )
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for number in arguments.datasets:
        for groups in arguments.groups:
            with tempfile.TemporaryDirectory() as folder:
                print(measure(Path(folder), number, number if groups == "all" else int(groups)), flush=True)


def measure(folder, number, groups):
    """Run the workflow with toy bodies and return a row of the table."""
    write_workflow(folder, number, groups)
    first = run_engine(folder)
    second = run_engine(folder)
    jobs = len(list((folder / "logs").rglob("*.log")))
    cells = (number, groups, jobs, f"{first['cpu']:.1f}", f"{1000 * first['cpu'] / jobs:.1f}")
    cells += (f"{first['memory']:.0f}", f"{first['wall']:.0f}", f"{second['cpu']:.1f}")
    return f"| {' | '.join(map(str, cells))} |"


def write_workflow(folder, number, groups, *, real=False, alike=False):
    """Write the repository's workflow into a folder, with toy bodies unless its scripts are to be the real ones."""
    for name in ("workflow", "skymask", "profiles", "scripts"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "environment.yml"):
        shutil.copy(REPOSITORY / name, folder / name)
    (folder / "toy.py").write_text(TOY)
    for rules in (folder / "workflow" / "rules").glob("*.smk") if not real else ():
        rules.write_text(re.sub(r'script:\n\s+"../../scripts/(\w+)\.py"', _toy_body, rules.read_text()))
    write_config(folder, number, groups, alike=alike)


def _toy_body(script):
    """The toy's command line in the place of a script; only decisions look at their inputs, which may be many."""
    inputs = "{input}" if script[1] == "check_convergence" else ""
    return f"shell:\n        \"{sys.executable} -I -S toy.py {script[1]} '{{output}}' '{inputs}' > {{log}}\""


def names_of(number, *, alike=False):
    """Return names of datasets, of which the toy's loops differ in length unless all are to be alike."""
    names = (f"field-{index:05}" for index in count())
    return list(islice((name for name in names if not alike or loop_length(name) == 2), number))


def loop_length(name):
    """Return after how many iterations the toy ends the loop of a dataset."""
    return 2 + zlib.crc32(name.encode()) % 5


def write_config(folder, number, groups, *, alike=False):
    """Write a configuration of simulated fields of 40 x 40 pixels, each with counts of its own unless all are alike."""
    config = {
        "source_kernel": "{shape: disk, radius: 2 px}",
        "background_kernel": "{shape: ring, inner_radius: 8 px, width: 4 px}",
        "dilation_radius": "3 px",
        "checkpoint_groups": groups,
    }
    lines = [f"{key}: {value}" for key, value in config.items()] + ["datasets:"]
    for index, name in enumerate(names_of(number, alike=alike)):
        seed = 0 if alike else index
        simulation = f"{{seed: {seed}, width: [2 deg, 2 deg], pixel_size: 0.05 deg, background: 1}}"
        lines.append(f"  {name}: {{simulate: {simulation}}}")
    (folder / "config.yaml").write_text("\n".join(lines) + "\n")


def run_engine(folder, *arguments):
    """Run Snakemake and return CPU seconds and peak memory of its own process, and wall seconds."""
    command = [sys.executable, "-m", "snakemake", "--cores", str(os.cpu_count()), *arguments]
    start = time.monotonic()
    with tempfile.NamedTemporaryFile("w+", dir=folder, suffix=".log") as log:
        # The library is the folder's own, also where another one is installed.
        environment = os.environ | {"PYTHONPATH": str(folder)}
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        usage = {}
        while process.poll() is None:
            try:
                fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
                status = Path(f"/proc/{process.pid}/status").read_text()
                usage["cpu"] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
                usage["memory"] = int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024
            except (FileNotFoundError, TypeError, ProcessLookupError):
                pass
            time.sleep(0.05)
        if process.returncode:
            log.seek(0)
            sys.exit(log.read()[-3000:])
    return {**usage, "wall": time.monotonic() - start}


if __name__ == "__main__":
    main()
