"""One iteration of a stack of many runs: time and memory of its job, and what a run costs in it.

    python benchmarks/stacks.py --runs 100 1000 --side 400

writes simulated runs to a temporary folder, estimates their background in a process of its own, as the rule
estimate_background does, and prints one line for each number of runs.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from astropy.io import fits

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from skymask.sky.geometry import field, shifted

#: Side of the common grid, in sides of a run.
GRID = 2.5

KERNELS = {
    "source_kernel": {"shape": "disk", "radius": "0.1 deg"},
    "background_kernel": {"shape": "ring", "inner_radius": "0.7 deg", "width": "0.44 deg"},
    "mask_source_kernels": [],
    "statistic": "wstat",
}
STACK = {"stacking": "variance", "energy_kernels": [], "energy_bin": None, "min_acceptance_fraction": 0}

JOB = """
import json, resource, sys, time
sys.path[:0] = ["scripts", "."]
import estimate_background as job
begin, cpu = time.perf_counter(), time.process_time()
job.write_background(**json.loads(sys.argv[1]))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps([time.perf_counter() - begin, time.process_time() - cpu, peak]))
"""


def write_field(folder, runs, side):
    """Write runs at random places of a common grid, and what iteration 0 would have written of them."""
    from skymask.core.stacking import stack_inputs
    from skymask.datasets.runs import RunFiles
    from skymask.io import maps
    from skymask.sky.geometry import pixel_size

    random = np.random.default_rng(1)
    width = GRID * side * 0.02
    header, shape = field((0.0, 0.0), (width, width), 0.02, frame="galactic", projection="CAR")
    y, x = np.indices((side, side)) - (side - 1) / 2
    acceptance = np.exp(-(y**2 + x**2) / 2 / (side / 5) ** 2).astype(np.float32)
    entries = []
    for number in range(runs):
        corner = random.integers(0, np.subtract(shape, side), endpoint=True).tolist()
        own = shifted(header, corner)
        entry = {"run": str(number), "counts": f"{folder}/c{number}.fits", "acceptance": f"{folder}/a{number}.fits"}
        fits.writeto(entry["counts"], random.poisson(0.3 * acceptance).astype(np.int32), own)
        fits.writeto(entry["acceptance"], acceptance, own)
        entries.append(entry)
    inputs = stack_inputs(RunFiles(entries, header, shape), shape)
    size = maps.pixel_size_cards(pixel_size(header))
    maps.write(f"{folder}/counts.fits", {"counts": inputs.counts}, sky=header, cards=size)
    maps.write(f"{folder}/acceptance.fits", {"acceptance": inputs.acceptance}, sky=header, cards=size)
    maps.write(f"{folder}/mask.fits", {"exclusion_mask": inputs.exclusion_mask}, sky=header)
    return entries, shape


def measure(runs, side):
    """Return wall and processor time in seconds and the peak memory in bytes of one iteration's job, and the grid."""
    with tempfile.TemporaryDirectory() as folder:
        entries, shape = write_field(folder, runs, side)
        call = {
            "counts": f"{folder}/counts.fits",
            "acceptance": f"{folder}/acceptance.fits",
            "exclusion_mask": f"{folder}/mask.fits",
            "kernels": KERNELS,
            "stack": {"runs": entries, **STACK},
            "output": f"{folder}/background.fits",
        }
        process = subprocess.run(
            [sys.executable, "-c", JOB, json.dumps(call)],
            cwd=Path(__file__).resolve().parent.parent,
            check=True,
            capture_output=True,
            text=True,
        )
        return (*json.loads(process.stdout), shape)


def main():
    """Measure stacks of all the numbers of runs asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--side", type=int, default=400)
    arguments = parser.parse_args()
    for runs in arguments.runs:
        wall, cpu, peak, shape = measure(runs, arguments.side)
        print(
            f"{runs} runs of {arguments.side} x {arguments.side} on {shape[1]} x {shape[0]} pixels: {wall:.1f} s, "
            f"{1e3 * cpu / runs:.1f} ms of processor time per run, peak {peak / 1e6:.0f} MB"
        )


if __name__ == "__main__":
    main()
