"""Measure the workflow on one simulated map, from its configuration to the report, and what its CPU time goes into.

Every job has a Python of its own (no fork), which gets a `sitecustomize` that takes the time of imports and of reading
and writing maps. What is left is the arithmetic of a job, or, in the jobs whose names begin with "plot", the drawing.
All else is the engine's.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from skymask.workflow.warm_start import SWITCH

REPOSITORY = Path(__file__).resolve().parent.parent

CONFIG = """
datasets:
  field:
    simulate:
      seed: 1
      width: [{width}, {width}]
      pixel_size: 0.02 deg
      background: 1.0
      sources:
{sources}
source_kernel: {{shape: disk, radius: 0.1 deg}}
background_kernel: {{shape: ring, inner_radius: 0.5 deg, width: 0.3 deg}}
dilation_radius: 0.3 deg
threshold: 5
"""

#: How the names of rules begin that make the figures and pages of every run.
REPORT = ("plot_", "render_")

SITECUSTOMIZE = """
import atexit, builtins, functools, json, os, sys, time

started = time.process_time()
seconds = {"imports": 0.0, "files": 0.0}
running = []
original_import = builtins.__import__


def timed(kind, function):
    @functools.wraps(function)
    def wrapper(*arguments, **options):
        if running:
            return function(*arguments, **options)
        running.append(kind)
        start = time.process_time()
        try:
            return function(*arguments, **options)
        finally:
            seconds[kind] += time.process_time() - start
            running.pop()
            if kind == "imports":
                patch()
    return wrapper


def patch():
    maps = sys.modules.get("skymask.io.maps")
    if maps is not None and not hasattr(maps, "timed") and hasattr(maps, "file_digest"):
        maps.timed = True
        for name in ("read", "read_table", "read_product", "write"):
            setattr(maps, name, timed("files", getattr(maps, name)))


def report():
    program = os.path.basename(sys.argv[0])
    if ".snakemake/scripts" in sys.argv[0]:
        name = program.split(".", 1)[1].removesuffix(".py")
        total = time.process_time()
        record = {"rule": name, "total": total, "start": started, **seconds}
        with open(os.path.join(os.environ["WORKFLOW_TIME"], f"{os.getpid()}.json"), "w") as file:
            json.dump(record, file)


builtins.__import__ = timed("imports", original_import)
atexit.register(report)
"""


def measure(repeats):
    """Return medians over whole runs: wall and CPU seconds, the CPU seconds' parts, and those of each rule's jobs."""
    runs = [one_run(CONFIG.format(width="10 deg", sources="\n".join(sources()))) for _ in range(repeats)]
    parts = {name: float(np.median([run["parts"][name] for run in runs])) for name in runs[0]["parts"]}
    rules = {name: float(np.median([run["rules"][name] for run in runs])) for name in runs[0]["rules"]}
    return {
        "runs": repeats,
        "jobs": runs[0]["jobs"],
        "wall": float(np.median([run["wall"] for run in runs])),
        "cpu": float(np.median([run["cpu"] for run in runs])),
        "parts": parts,
        "rules": rules,
    }


def share_of_report(config):
    """Return the CPU seconds of the jobs that draw and render, and of all others, in a run of a configuration.

    Parameters
    ----------
    config : str
        YAML.
    """
    return report_and_rest(one_run(config)["rules"])


def report_and_rest(rules):
    """Divide the CPU seconds of all jobs of each rule into those that draw and render, and all others."""
    report = sum(seconds for name, seconds in rules.items() if name.startswith(REPORT))
    return {"report": report, "rest": sum(rules.values()) - report}


def configurations():
    """Return the configurations for which the share of the report is measured, by what they are."""
    return {
        "default configuration": (REPOSITORY / "config.yaml").read_text(encoding="utf-8"),
        "one map of 500 x 500 pixels": CONFIG.format(width="10 deg", sources="\n".join(sources())),
        "one map of 1500 x 1500 pixels": CONFIG.format(width="30 deg", sources="\n".join(sources())),
    }


def one_run(config):
    """Run the workflow in a new folder, with nothing done before."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "site").mkdir()
        (folder / "times").mkdir()
        (folder / "run").mkdir()
        (folder / "site" / "sitecustomize.py").write_text(SITECUSTOMIZE)
        (folder / "run" / "config.yaml").write_text(config)
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile"), "--cores", "1"]
        command += ["--configfile", "config.yaml"]
        path = os.pathsep.join([str(folder / "site"), str(REPOSITORY)])
        environment = os.environ | {"PYTHONPATH": path, "WORKFLOW_TIME": str(folder / "times"), SWITCH: "off"}
        before, start = children_seconds(), time.monotonic()
        process = subprocess.run(
            command, cwd=folder / "run", env=environment, capture_output=True, text=True, check=False
        )
        wall, cpu = time.monotonic() - start, children_seconds() - before
        if process.returncode:
            sys.exit((process.stdout + process.stderr)[-3000:])
        assert (folder / "run/results/report.html").is_file()
        jobs = read_times(folder / "times")
    return {"wall": wall, "cpu": cpu, "jobs": len(jobs), "parts": parts_of(jobs, cpu), "rules": rules_of(jobs)}


def read_times(folder):
    """Return what every job has written of its time."""
    return [json.loads(path.read_text()) for path in folder.glob("*.json")]


def parts_of(jobs, cpu):
    """Divide the CPU seconds of a run."""
    parts = {
        "engine": cpu - sum(job["total"] for job in jobs),
        "interpreters' start": sum(job["start"] for job in jobs),
        "imports": sum(job["imports"] for job in jobs),
        "reading and writing maps": sum(job["files"] for job in jobs),
        "plots": 0.0,
        "arithmetic and the rest": 0.0,
    }
    for job in jobs:
        kind = "plots" if job["rule"].startswith("plot") else "arithmetic and the rest"
        parts[kind] += job["total"] - job["start"] - job["imports"] - job["files"]
    return parts


def rules_of(jobs):
    """Return CPU seconds of all jobs of each rule."""
    seconds = {}
    for job in sorted(jobs, key=lambda job: job["rule"]):
        seconds[job["rule"]] = seconds.get(job["rule"], 0.0) + job["total"]
    return seconds


def sources():
    """Return ten sources as lines of the configuration, distributed as in the field of `compare_loops`."""
    random = np.random.default_rng(1)
    for _ in range(10):
        x, y = random.uniform(-5, 5, 2)
        sigma, counts = 0.02 * random.uniform(2, 5), np.exp(random.uniform(np.log(50), np.log(2000)))
        offset, width = f"[{x:.3f} deg, {y:.3f} deg]", f"[{sigma:.4f} deg, {sigma:.4f} deg]"
        yield f"        - {{offset: {offset}, counts: {counts:.0f}, sigma: {width}}}"


def children_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
