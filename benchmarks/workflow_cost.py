"""Measure what a user pays: runs of this checkout, of an earlier one, and of a script that uses gammapy, in turns.

    git worktree add ../before 7ca7084 && make -C ../before install
    make bench-workflow ARGS="--before ../before --script gammapy_user.py"

The script is started as `python SCRIPT OUTPUT MAP...`. CPU time and memory are those of whole trees of processes. For a
first look: `--rows ten --repeats 1`, or `--rows many --maps 50`. The results are in `benchmarks/workflow_cost.json`,
and the table in docs/performance.md.
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import compare_loops
import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

REPOSITORY = Path(__file__).resolve().parent.parent
RESULTS = REPOSITORY / "benchmarks" / "workflow_cost.json"

#: Kernels of the default configuration, which are those of the script.
SETTINGS = """
source_kernel: {shape: disk, radius: 0.1 deg}
background_kernel: {shape: ring, inner_radius: 0.5 deg, width: 0.3 deg}
dilation_radius: 0.3 deg
datasets:
"""

#: A process that counts events with numpy and looks for sources once.
COUNT_AND_ITERATE = """
import sys
import numpy as np
events = np.load(sys.argv[1])
counts = np.bincount(events, minlength=1000 * 1000).reshape(1000, 1000)
import skymask
skymask.iterate(
    counts,
    source_kernel=skymask.disk(5),
    background_kernel=skymask.ring(25, 15),
    dilation_kernel=skymask.disk(15),
)
"""

#: Variables that say how this program is run, and not how others are.
OWN = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONUNBUFFERED", "SNAKEMAKE_PROFILE")

#: What makes a map brighter than its background: a source for so many pixels.
PIXELS_PER_SOURCE = 25_000

#: The script need not draw all of many maps.
FEW = 21

ROWS = ("ten", "one", "default", "many", "many without figures", "large", "iterate")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path, help="folder of an earlier checkout with an environment in .venv")
    parser.add_argument("--script", type=Path, help="program of a gammapy user; runs in this checkout's environment")
    parser.add_argument("--rows", nargs="+", default=ROWS, choices=ROWS)
    parser.add_argument("--repeats", type=int, default=3, help="runs of each, in turns; medians are kept")
    parser.add_argument("--maps", type=int, default=1000, help="in the rows with many maps")
    arguments = parser.parse_args()
    contestants = {"now": REPOSITORY, **({"before": arguments.before.resolve()} if arguments.before else {})}
    script = arguments.script.resolve() if arguments.script else None
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        compile_all(contestants, script)
        for row in arguments.rows:
            keep(row, measure(row, contestants, script, arguments), contestants, script)
    import performance_page

    performance_page.write_page(json.loads(compare_loops.RESULTS.read_text()))


def compile_all(contestants, script):
    """Run everything once, so that byte code and caches are there."""
    [small] = write_maps(1, 100)
    for checkout in contestants.values():
        run_workflow(checkout, [small], cores=1)
    if script:
        run_script(script, [small])


def measure(row, contestants, script, arguments):
    """Return what each contestant takes for a row: CPU and wall time in seconds, and memory in MB."""
    runs = {}
    repeats = 1 if row.startswith("many") or row == "large" else arguments.repeats
    for _ in range(repeats):
        for name, run in competitors(row, contestants, script, arguments.maps).items():
            runs.setdefault(name, []).append(run())
            print(row, name, json.dumps(runs[name][-1]), flush=True)
    return {name: median(of_one) for name, of_one in runs.items()}


def competitors(row, contestants, script, number):
    """Return the runs of a row by who runs, as functions."""
    if row == "iterate":
        events = write_events()
        command = ["-c", COUNT_AND_ITERATE, events]
        return {
            name: lambda python=checkout / ".venv/bin/python": run_tree([python, *command])
            for name, checkout in contestants.items()
        }
    if row == "default":
        return {name: lambda checkout=checkout: run_workflow(checkout) for name, checkout in contestants.items()}
    if row.startswith("many"):
        maps = write_maps(number, 200)
        targets = ["results/summary.csv"] if row == "many without figures" else []
        runs = {"now": lambda: run_workflow(REPOSITORY, maps, targets=targets) | {"maps": number}}
        # What it takes to start is no part of a further map.
        few = {"script": min(number, FEW), "script, one map": 1}
        script_runs = {name: lambda n=n: run_script(script, maps[:n]) | {"maps": n} for name, n in few.items()}
        return runs | (script_runs if script else {})
    number, size, cores = {"ten": (10, 500, 2), "one": (1, 500, 1), "large": (1, 3000, 2)}[row]
    maps = write_maps(number, size)
    runs = {
        name: lambda checkout=checkout: run_workflow(checkout, maps, cores=cores)
        for name, checkout in contestants.items()
    }
    return runs | ({"script": lambda: run_script(script, maps)} if script and row != "large" else {})


def median(runs):
    """Return the medians of what several runs took, with their number."""
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]} | {"runs": len(runs)}


def write_maps(number, size):
    """Write counts maps of seeds 0, 1, ... and return their paths: 1 count per pixel, and Gaussian sources."""
    header = WCS(naxis=2)
    header.wcs.ctype, header.wcs.cunit = ["RA---CAR", "DEC--CAR"], ["deg", "deg"]
    header.wcs.crval, header.wcs.crpix, header.wcs.cdelt = [83.63, 0], 2 * [size / 2 + 0.5], [-0.02, 0.02]
    y, x = np.mgrid[:size, :size]
    paths = []
    for seed in range(number):
        generator = np.random.default_rng(seed)
        expected = np.ones((size, size))
        for _ in range(max(1, size * size // PIXELS_PER_SOURCE)):
            column, line = generator.uniform(0, size, 2)
            width = generator.uniform(2, 5)
            counts = 10 ** generator.uniform(np.log10(50), np.log10(2000))
            distance = (y - line) ** 2 + (x - column) ** 2
            expected += counts / (2 * np.pi * width * width) * np.exp(-distance / 2 / width / width)
        path = Path(f"maps/m{size}_{seed:03}.fits").absolute()
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            fits.writeto(path, generator.poisson(expected).astype(np.int32), header.to_header())
        paths.append(path)
    return paths


def write_events():
    """Write the pixel of every event of a map of 1000 x 1000, in any order, and return the path."""
    [path] = write_maps(1, 1000)
    counts = fits.getdata(path)
    events = np.repeat(np.arange(counts.size), counts.ravel())
    np.save("events.npy", np.random.default_rng(0).permutation(events))
    return Path("events.npy").absolute()


def run_workflow(checkout, maps=(), cores=2, targets=()):
    """Run the workflow of a checkout on maps, or on its own configuration, in a new folder."""
    command = [checkout / ".venv/bin/snakemake", "--snakefile", checkout / "Snakefile", "--cores", str(cores)]
    with tempfile.TemporaryDirectory() as folder:
        if maps:
            entries = "".join(f"  {path.stem}: {{counts: {path}}}\n" for path in maps)
            Path(folder, "config.yaml").write_text(SETTINGS + entries)
        return run_tree([*command, *targets], folder)


def run_script(script, maps):
    """Run the script on maps."""
    with tempfile.TemporaryDirectory() as folder:
        return run_tree([sys.executable, script, folder, *maps], folder)


def run_tree(command, folder=None):
    """Run a command and return what it took with all that it began: CPU and wall time, memory of the largest process.

    Raises
    ------
    SystemExit
        If it fails.
    """
    environment = {key: value for key, value in os.environ.items() if key not in OWN}
    start = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
        # The kernel's sums for the process and all those that were waited for.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            sys.exit(f"{command} failed:\n{output.read()[-3000:]}")
    return {
        "cpu": usage.ru_utime + usage.ru_stime,
        "wall": time.monotonic() - start,
        "memory": usage.ru_maxrss / 1024,
    }


def keep(row, measured, contestants, script):
    """Put a row into the file of results, whose other rows stay."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"rows": {}}
    results["machine"] = compare_loops.machine()
    results["rows"][row] = measured
    if "before" in contestants:
        command = ["git", "-C", contestants["before"], "rev-parse", "--short", "HEAD"]
        results["before"] = subprocess.check_output(command, text=True).strip()
    if script:
        results["script"] = hashlib.sha256(script.read_bytes()).hexdigest()
    RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
