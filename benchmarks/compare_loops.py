"""Measure the loop in memory against the loops of `loops.py`, and what else docs/performance.md says.

All loops get the same counts, in turns; CPU time, on one thread. Results are kept in compare_loops.json: a run for some
sizes or parts replaces these and leaves the others. The page and its figure are written from that file.

    python benchmarks/compare_loops.py
    python benchmarks/compare_loops.py --sizes 500x500 1000x1000 --parts comparison stages
"""

import argparse
import json
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from importlib.metadata import version
from pathlib import Path

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "benchmarks")]

import loops  # noqa: E402
import numpy as np  # noqa: E402
import stages  # noqa: E402

import skymask  # noqa: E402
from skymask.core import convergence, kernels  # noqa: E402
from skymask.core.bitmask import PackedMask  # noqa: E402
from skymask.core.exclusion import exclude  # noqa: E402
from skymask.core.inputs import prepare  # noqa: E402
from skymask.core.measured import OneMap  # noqa: E402
from skymask.loop import incremental, iteration  # noqa: E402

RESULTS = REPOSITORY / "benchmarks" / "compare_loops.json"
SIZES = ["500x500", "1000x1000", "4000x1000", "2000x2000", "8000x8000"]
PARTS = ["comparison", "growth", "stacks", "stages", "no_change", "radius", "memory", "imports", "workflow", "report"]

#: The field: degrees per pixel, sources per square degree, and radii in pixels.
PIXEL_SIZE = 0.02
SOURCES = 0.1
SOURCE_RADIUS, INNER_RADIUS, WIDTH, DILATION_RADIUS = 5, 25, 15, 15
THRESHOLD = 5

#: A significance so close to the threshold may fall on either side in gammapy's single precision.
TOLERANCE = 1e-4

#: Above so many pixels (a), which takes a quarter of an hour, runs once; gammapy's loop does not fit into the memory.
MANY_PIXELS = 10_000_000

#: Bytes per pixel touched before a loop is measured: what they need.
TOUCHED, TOUCHED_BY_GAMMAPY = 120, 320

FLOOR_CALLS = 20
RADII = (5, 10, 20, 40, 80)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="columns x rows, as in 4000x1000")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=[*PARTS, "page"])
    parser.add_argument("--peak", nargs=2, metavar=("LOOP", "FILE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.peak:
        print(peak_bytes(*arguments.peak))
        return
    for part in PARTS:
        if part not in arguments.parts:
            continue
        if part == "comparison":
            for size in arguments.sizes:
                # After each turn, for an interrupted run to leave what it has.
                for result in compare(size, arguments.repeats):
                    keep(part, size, result)
        elif part == "growth":
            keep(part, "three iterations", grow(["1000x1000", "8000x8000"], arguments.repeats))
        elif part == "stacks":
            keep(part, "500x500", compare_stacks("500x500", arguments.repeats))
        elif part == "stages":
            keep(part, "1000x1000", profile_stages("1000x1000", arguments.repeats))
        elif part == "no_change":
            keep(part, "1000x1000", no_change("1000x1000", arguments.repeats))
        elif part == "radius":
            keep(part, "1000x1000", depend_on_radius("1000x1000", arguments.repeats))
        elif part == "memory":
            for size in {"2000x2000", "8000x8000"} & set(arguments.sizes):
                keep(part, size, measure_memory(size))
        elif part == "imports":
            keep(part, "scripts", import_times(arguments.repeats))
        elif part == "report":
            import workflow_time

            for name, config in workflow_time.configurations().items():
                keep(part, name, workflow_time.share_of_report(config))
        else:
            import workflow_time

            keep(part, "500x500", workflow_time.measure(arguments.repeats))
    import performance_page

    performance_page.write(json.loads(RESULTS.read_text()))


def keep(part, key, result):
    """Put a result into the file, whose other results stay unless they are another machine's."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if results.get("machine") != machine():
        results = {"machine": machine()}
    results.setdefault(part, {})[key] = result
    RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    print(part, key, json.dumps(result), flush=True)


def machine():
    """Return what the numbers depend on."""
    cpu = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())[1].strip()
    packages = {name: version(name) for name in ("numpy", "scipy", "astropy", "gammapy")}
    return {"cpu": cpu, "cores": os.cpu_count(), "python": platform.python_version(), **packages}


def field(size, *, seed=1):
    """Return the counts of the test field, int32, and its number of sources.

    Parameters
    ----------
    size : str
        Columns x rows.
    """
    n_x, n_y = map(int, size.split("x"))
    random = np.random.default_rng(seed)
    number = max(1, round(SOURCES * n_x * n_y * PIXEL_SIZE**2))
    expected = np.ones((n_y, n_x))
    for _ in range(number):
        centre_y, centre_x = random.uniform(0, n_y), random.uniform(0, n_x)
        sigma, counts = random.uniform(2, 5), np.exp(random.uniform(np.log(50), np.log(2000)))
        y, x = (
            np.arange(max(0, int(centre - 6 * sigma)), min(n, int(centre + 6 * sigma) + 1))
            for centre, n in ((centre_y, n_y), (centre_x, n_x))
        )
        distance_squared = (y[:, None] - centre_y) ** 2 + (x[None, :] - centre_x) ** 2
        expected[y[0] : y[-1] + 1, x[0] : x[-1] + 1] += (
            counts / (2 * np.pi * sigma**2) * np.exp(-distance_squared / (2 * sigma**2))
        )
    return random.poisson(expected).astype(np.int32), number


def iterate(counts, statistic, **options):
    """Run skymask's loop on the field; a cycle ends with its last mask, as a loop that is cut off does."""
    options = {**kernels_of_the_field(), "threshold": THRESHOLD, "on_cycle": "last", **options}
    return skymask.iterate(counts, statistic=statistic, **options)


def kernels_of_the_field():
    """Return the kernels with which the field is analysed, by name."""
    return {
        "source_kernel": skymask.disk(SOURCE_RADIUS),
        "background_kernel": skymask.ring(INNER_RADIUS, WIDTH),
        "dilation_kernel": skymask.disk(DILATION_RADIUS),
    }


def original(counts, max_iterations):
    """Run the original algorithm on the field."""
    return loops.original(counts, *kernels_of_the_field().values(), threshold=THRESHOLD, max_iterations=max_iterations)


def gammapy_loop(counts, max_iterations, **options):
    """Run the loop of gammapy's user on the field."""
    from astropy.units import Quantity
    from gammapy.maps import MapAxis, WcsGeom

    axis = MapAxis.from_energy_bounds("1 TeV", "10 TeV", nbin=1)
    geom = WcsGeom.create(npix=counts.shape[::-1], binsz=PIXEL_SIZE, proj="CAR", frame="galactic", axes=[axis])
    radii = {
        "source_radius": SOURCE_RADIUS,
        "inner_radius": INNER_RADIUS,
        "width": WIDTH,
        "dilation_radius": DILATION_RADIUS,
    }
    radii = {name: Quantity(round(radius * PIXEL_SIZE, 6), "deg") for name, radius in radii.items()}
    return loops.gammapy_loop(counts, geom, **radii, threshold=THRESHOLD, max_iterations=max_iterations, **options)


def floor(counts):
    """Read and write what must be read and written, often enough to be measured."""
    for _ in range(FLOOR_CALLS):
        loops.floor(counts)


def cpu_seconds(function, *arguments, memory=0):
    """Return the CPU seconds that a function takes, and what it returns.

    So many bytes of memory are touched before: a virtual machine hands memory back that is free for some seconds, and
    getting it again costs ten times as much as touching it again.
    """
    np.full(memory // 8, 1.0)
    start = time.process_time()
    result = function(*arguments)
    return time.process_time() - start, result


def compare(size, repeats):
    """Yield, turn by turn, medians of CPU seconds of all loops on one field, and how far their masks differ."""
    counts, sources = field(size)
    many = counts.size > MANY_PIXELS
    small, _ = field("200x200")
    for statistic in ("cash", "wstat"):
        iterate(small, statistic)
    original(small, 2)
    ours = {statistic: iterate(counts, statistic) for statistic in ("cash", "wstat")}
    limits = {statistic: result.iterations for statistic, result in ours.items()}
    record = {
        "pixels": counts.size,
        "sources": sources,
        "iterations": limits,
        "states": {statistic: result.state for statistic, result in ours.items()},
        "excluded_fraction": {name: float(1 - result.exclusion_mask.mean()) for name, result in ours.items()},
        "undefined_background": {
            name: int(np.isnan(result.products.background).sum()) for name, result in ours.items()
        },
    }
    masks = {name: result.exclusion_mask for name, result in ours.items()}
    significance = None if many else ours["wstat"].products.significance
    del ours
    runs = {
        "skymask_cash": lambda: iterate(counts, "cash"),
        "skymask_wstat": lambda: iterate(counts, "wstat"),
        "floor": lambda: floor(counts),
        "original": lambda: original(counts, limits["cash"])[0],
    }
    if not many:
        gammapy_loop(small, 2)
        runs["gammapy"] = lambda: gammapy_loop(counts, limits["wstat"])[0]
        theirs = gammapy_loop(counts, 1, exclusion_mask=masks["wstat"])[2]
        record["threshold"] = compare_at_threshold(theirs, significance)
    seconds = {}
    for turn in range(repeats):
        for name, run in runs.items():
            if many and turn and name == "original":
                continue
            bytes_per_pixel = TOUCHED_BY_GAMMAPY if name == "gammapy" else TOUCHED
            took, result = cpu_seconds(run, memory=bytes_per_pixel * counts.size)
            seconds.setdefault(name, []).append(took / (FLOOR_CALLS if name == "floor" else 1))
            if name == "original":
                record["different_from_original"] = int((result != masks["cash"]).sum())
            if name == "gammapy":
                record["different_from_gammapy"] = int((result != masks["wstat"]).sum())
            del result
        record["runs"] = {name: len(took) for name, took in seconds.items()}
        record["seconds"] = {name: float(np.median(took)) for name, took in seconds.items()}
        record["spread"] = {name: [min(took), max(took)] for name, took in seconds.items()}
        yield record


def compare_at_threshold(theirs, ours):
    """Return in how many pixels two maps of the significance of one mask are on different sides of the threshold."""
    differing = (theirs >= THRESHOLD) != (ours >= THRESHOLD)
    close = np.abs(ours - THRESHOLD) < TOLERANCE
    near = np.abs(ours - THRESHOLD) < 1
    return {
        "differing": int(differing.sum()),
        "differing_and_not_close": int((differing & ~close).sum()),
        "close": int(close.sum()),
        "largest_difference_near_it": float(np.abs(theirs - ours)[near].max(initial=0)),
    }


def grow(sizes, repeats):
    """Return CPU seconds of three iterations by size and statistic: to their end, larger maps need more of them."""
    result = {}
    # One size after the other: what a large map leaves behind would slow down the small one.
    for size in sizes:
        counts, _ = field(size)
        result[size] = {}
        for statistic in ("cash", "wstat"):
            took = [
                cpu_seconds(
                    lambda: iterate(counts, statistic, max_iterations=3).state,  # noqa: B023
                    memory=TOUCHED * counts.size,
                )[0]
                for _ in range(repeats)
            ]
            result[size][statistic] = float(np.median(took))
    return result


def compare_stacks(size, repeats):
    """Return CPU seconds, iterations and planes of stacks of one field, whose counts are thinned, and of the map."""
    counts, _ = field(size)
    whole = tuple(slice(0, n) for n in counts.shape)

    def parts(number):
        """The counts, each of them in one of several maps."""
        return np.random.default_rng(1).multinomial(counts, [1 / number] * number).transpose(2, 0, 1).astype(np.int32)

    def run(planes):
        return skymask.Run(planes, np.ones(planes.shape, dtype=np.uint8), whole)

    stacks = {
        "one map": [run(counts[None])],
        "cube of 4 energy bins": [run(parts(4))],
        "stack of 10 runs": [run(plane[None]) for plane in parts(10)],
    }
    took = {name: [] for name in ["the map by itself", *stacks]}
    result = {name: {"planes": sum(len(run.counts) for run in runs)} for name, runs in stacks.items()}
    result["the map by itself"] = {"planes": 1}
    for _ in range(repeats):
        for name, runs in [("the map by itself", None), *stacks.items()]:

            def loop_of(runs=runs):
                if runs is None:
                    return iterate(counts, "wstat", max_iterations=3)
                return skymask.iterate_runs(
                    runs, counts.shape, threshold=THRESHOLD, max_iterations=3, **kernels_of_the_field()
                )

            seconds, ended = cpu_seconds(loop_of)
            took[name].append(seconds)
            result[name]["iterations"] = ended.iterations
    for name, seconds in took.items():
        result[name]["seconds"] = float(np.median(seconds))
    return result


def profile_stages(size, repeats):
    """Return nanoseconds per pixel of every stage of the loop, medians, by statistic."""
    counts, _ = field(size)
    result = {}
    for statistic in ("cash", "wstat"):
        iterate(counts, statistic)
        profiles = [stages.profile(lambda: iterate(counts, statistic))[0] for _ in range(repeats)]  # noqa: B023
        result[statistic] = {
            stage: float(np.median([profile[stage] for profile in profiles])) * 1e9 / counts.size
            for stage in profiles[0]
        }
    return result


def no_change(size, repeats):
    """Return CPU seconds of the first iteration, with all before it, and of the last, which changes nothing."""
    counts, _ = field(size)
    result = {}
    for statistic in ("cash", "wstat"):
        first, last = [], []
        for _ in range(repeats):
            stamps = iteration_stamps(counts, statistic)
            first.append(stamps[1] - stamps[0])
            last.append(stamps[-1] - stamps[-2])
        result[statistic] = {"first": float(np.median(first)), "last": float(np.median(last))}
    return result


def iteration_stamps(counts, statistic):
    """Return CPU times of the start and of each iteration's end; the mask only grows, so the last changes nothing."""
    from unittest import mock

    stamps = [time.process_time()]

    def assess(*arguments, **options):
        state = convergence_assess(*arguments, **options)
        stamps.append(time.process_time())
        return state

    convergence_assess = convergence.assess
    with mock.patch.object(iteration.convergence, "assess", assess):
        result = iterate(counts, statistic, mask_update="grow")
    assert result.state == "converged"
    assert result.records[-1]["digest"] == result.records[-2]["digest"]
    return stamps


def depend_on_radius(size, repeats):
    """Return CPU seconds for kernels of several radii, one kernel at a time: of three iterations, and with given masks.

    Larger kernels exclude more, so the loop has more to compute again; with the masks that the usual kernels lead to,
    what the kernels themselves cost is left.
    """
    counts, _ = field(size)
    cases = {
        "ring, outer radius": lambda radius: (
            "cash",
            {"background_kernel": skymask.ring(0.625 * radius, 0.375 * radius)},
        ),
        "source disk": lambda radius: (
            "wstat",
            {"source_kernel": skymask.disk(radius), "background_kernel": skymask.ring(85, 10)},
        ),
        "dilation": lambda radius: ("wstat", {"dilation_kernel": skymask.disk(radius)}),
    }
    masks = [PackedMask.of(iterate(counts, "wstat", max_iterations=n).exclusion_mask) for n in (1, 2, 3)]
    result = {}
    for name, case in cases.items():
        took = {radius: {"seconds": [], "same_masks": []} for radius in RADII}
        for _ in range(repeats):
            for radius in RADII:
                statistic, kernel = case(radius)
                seconds, run = cpu_seconds(
                    lambda: iterate(counts, statistic, **kernel, max_iterations=3, max_excluded_fraction=1)  # noqa: B023
                )
                took[radius]["seconds"].append(seconds)
                took[radius]["iterations"] = run.iterations
                took[radius]["excluded_fraction"] = float(1 - run.exclusion_mask.mean())
                took[radius]["same_masks"].append(cpu_seconds(lambda: follow(counts, statistic, masks, **kernel))[0])  # noqa: B023
        result[name] = {
            str(radius): {
                measured: float(np.median(value)) if isinstance(value, list) else value
                for measured, value in took[radius].items()
            }
            for radius in RADII
        }
    return result


def follow(counts, statistic, masks, **changed):
    """Do what the loop does, but take the next mask from a list; return the last significance and the background."""
    options = kernels_of_the_field() | changed
    source_kernel, dilation_kernel = options["source_kernel"], options["dilation_kernel"]
    inputs = prepare(counts)
    background_kernel = kernels.background_kernel(options["background_kernel"], [source_kernel], statistic)
    measured = OneMap(inputs.counts, inputs.acceptance, source_kernel, background_kernel, statistic=statistic)
    estimate = incremental.first_estimate(measured, inputs, threshold=THRESHOLD)
    user_mask, coverage = PackedMask.of(inputs.exclusion_mask), PackedMask.of(inputs.coverage)
    mask = decision = user_mask
    for given in masks:
        _, decision = exclude(
            estimate.reached,
            estimate.starved,
            coverage=coverage,
            threshold=THRESHOLD,
            dilation_kernel=dilation_kernel,
            user_mask=user_mask,
            previous_mask=mask,
            previous_decision=decision,
            mask_update="replace",
            starved_pixels="keep",
        )
        mask = given
        estimate.update(mask)
        estimate.mean_background()
    estimate.forget()
    return estimate.significance(), estimate.estimate().background


def measure_memory(size):
    """Return bytes per pixel of the peak memory of each loop, in a process of its own, the counts included."""
    counts, _ = field(size)
    names = ["skymask_cash", "skymask_wstat"] + ([] if counts.size > MANY_PIXELS else ["original", "gammapy"])
    result = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "counts.npy"
        np.save(path, counts)
        pixels = counts.size
        del counts
        for name in names:
            command = [sys.executable, __file__, "--peak", name, str(path)]
            process = subprocess.run(command, capture_output=True, text=True, check=True)
            result[name] = int(process.stdout.split()[-1]) / pixels
    return result


def peak_bytes(name, path):
    """Run a loop and return by how much the peak of the memory exceeds what is in use after all imports."""
    loop_of = {
        "skymask_cash": lambda counts: iterate(counts, "cash"),
        "skymask_wstat": lambda counts: iterate(counts, "wstat"),
        "original": lambda counts: original(counts, 2),
        "gammapy": lambda counts: gammapy_loop(counts, 2),
    }[name]
    loop_of(field("200x200")[0])
    before = memory("VmRSS")
    loop_of(np.load(path))
    return memory("VmHWM") - before


def memory(name):
    """Return a value of /proc/self/status, in bytes; `ru_maxrss` would include the parent process."""
    return 1024 * int(re.search(rf"{name}:\s+(\d+)", Path("/proc/self/status").read_text())[1])


def import_times(repeats):
    """Return CPU seconds of importing each script, less those of the interpreter alone, which are there too."""
    programs = {"(interpreter alone)": "pass", "(numpy alone)": "import numpy"}
    for path in sorted((REPOSITORY / "scripts").glob("*.py")):
        programs[path.stem] = f"import runpy; runpy.run_path({str(path)!r}, run_name='imported')"
    took = {name: [] for name in programs}
    for _ in range(repeats):
        for name, program in programs.items():
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=True, env=environment())
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            took[name].append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    medians = {name: float(np.median(seconds)) for name, seconds in took.items()}
    alone = medians["(interpreter alone)"]
    return {name: seconds - alone * (name != "(interpreter alone)") for name, seconds in medians.items()}


def environment():
    return os.environ | {"PYTHONPATH": str(REPOSITORY)}


if __name__ == "__main__":
    main()
