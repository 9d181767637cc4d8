"""Measure how much memory and CPU time every script of the workflow takes at its peak, by the size of the map.

The numbers in workflow/rules/resources.smk stand on these. Every job reports its own peak as it ends, through a
sitecustomize.py that only this program puts on the path: Snakemake's own benchmarks look twice a second, and miss it.

    python benchmarks/peak_memory.py --sides 1000 3000
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml
from astropy.io import fits

REPOSITORY = Path(__file__).resolve().parent.parent

#: Appends the script's name, its peak memory, the memory asked for and its CPU time to a file.
PROBE = """
import atexit, os, re, resource, sys

def report():
    if sys.argv and "/scripts/" in sys.argv[0]:
        script = os.path.basename(sys.argv[0]).split(".")[-2]
        with open("/proc/self/status") as file:
            peak = re.search(r"VmHWM:\\s+(\\d+)", file.read())[1]
        usage = resource.getrusage(resource.RUSAGE_SELF)
        with open(os.environ["SKYMASK_PROBE"], "a") as file:
            asked = sys.modules["__main__"].snakemake.resources.mem_mb
            file.write(f"{script} {int(peak) / 1024} {asked} {usage.ru_utime + usage.ru_stime}\\n")

atexit.register(report)
"""

#: Background kernels, lengths in pixels: one ring, rings that grow around every pixel, and one with weights.
KERNELS = {
    "ring": {"shape": "ring", "inner_radius": "25 px", "width": "15 px"},
    "adaptive": {
        "shape": "adaptive_ring",
        "inner_radius": "25 px",
        "width": "15 px",
        "step": "5 px",
        "max_outer_radius": "60 px",
        "alpha_max": 0.02,
    },
    "gaussian": {"shape": "gaussian", "sigma": "15 px"},
}

#: Further kernels that look for sources, of the dataset that has everything.
MASK_KERNELS = [{"shape": "disk", "radius": "10 px"}, {"shape": "gaussian", "sigma": "4 px"}]

#: Side of the field and size of a pixel at most, in degrees: larger fields would be distorted.
FIELD, PIXEL_SIZE = 20, 0.02

#: Simulations of the background; their time grows with their number, their memory does not.
SIMULATIONS = 10

#: All iterations are alike; a given background needs two.
ITERATIONS = 2


class Peak(NamedTuple):
    """Peak memory and memory asked for in MB, and CPU time in seconds."""

    megabytes: float = 0.0
    asked: float = 0.0
    seconds: float = 0.0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[1000, 3000], help="of square maps, in pixels")
    parser.add_argument("--kernels", nargs="+", default=["ring"], choices=KERNELS)
    parser.add_argument("--cores", type=int, default=1)
    arguments = parser.parse_args()
    print("| kernel | side | script | peak memory [MB] | asked for [MB] | CPU [s] |")
    print("|---|---|---|---|---|---|", flush=True)
    for kernel in arguments.kernels:
        for side in arguments.sides:
            with tempfile.TemporaryDirectory() as folder:
                measured = measure(Path(folder), side, kernel=kernel, cores=arguments.cores)
            for script, (megabytes, asked, seconds) in sorted(measured.items()):
                print(f"| {kernel} | {side} | {script} | {megabytes:.0f} | {asked:.0f} | {seconds:.1f} |", flush=True)


def measure(folder, side, *, kernel="ring", cores=1):
    """Run the workflow and return the largest `Peak` of every script.

    One dataset is simulated, one has every file that a dataset may have, in the types that take most memory.
    """
    size = min(PIXEL_SIZE, FIELD / side)
    width = f"{side * size} deg"
    # A source in every 100 x 100 pixels, at most 64; an acceptance that is no whole number.
    offsets = [f"{(x + 50 - side / 2) * size} deg" for x in range(0, min(side, 800), 100)]
    sources = [{"offset": [x, y], "counts": 300, "sigma": [f"{2 * size} deg"] * 2} for x in offsets for y in offsets]
    simulation = {"seed": 1, "width": [width, width], "pixel_size": f"{size} deg", "background": 1}
    config = {
        "source_kernel": {"shape": "disk", "radius": "5 px"},
        "background_kernel": KERNELS[kernel],
        "dilation_radius": "15 px",
        "null_simulations": {"number": SIMULATIONS},
        "convergence": {"max_iterations": ITERATIONS},
        "datasets": {
            "simulated": {"simulate": simulation | {"acceptance_sigma": width, "sources": sources}},
            "files": {**write_files(folder, side, size), "mask_source_kernels": MASK_KERNELS},
        },
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    (folder / "probe").mkdir()
    (folder / "probe" / "sitecustomize.py").write_text(PROBE, encoding="utf-8")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(folder / "probe"), str(REPOSITORY)]),
        "SKYMASK_PROBE": str(folder / "probe.txt"),
        "OPENBLAS_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--snakefile", str(REPOSITORY / "Snakefile")]
    with open(folder / "log.txt", "w") as log:
        ended = subprocess.run(command, cwd=folder, stdout=log, stderr=log, env=environment, check=False)
    if ended.returncode:
        sys.exit((folder / "log.txt").read_text()[-3000:])
    measured = {}
    for line in (folder / "probe.txt").read_text().splitlines():
        script, *numbers = line.split()
        measured[script] = Peak(*map(max, measured.get(script, Peak()), map(float, numbers)))
    return measured


def write_files(folder, side, size):
    """Write the files of a dataset and return their paths by key."""
    rng = np.random.default_rng(1)
    images = {
        "counts": rng.poisson(1.0, (side, side)).astype(float),
        "acceptance": np.full((side, side), 0.9),
        "coverage": np.ones((side, side), dtype=np.uint8),
        "exclusion_mask": np.ones((side, side), dtype=np.uint8),
        "background": np.ones((side, side)),
    }
    header = fits.Header({"CTYPE1": "GLON-CAR", "CTYPE2": "GLAT-CAR", "CRPIX1": side / 2, "CRPIX2": side / 2})
    header.update({"CDELT1": -size, "CDELT2": size, "CRVAL1": 0.0, "CRVAL2": 0.0, "CUNIT1": "deg", "CUNIT2": "deg"})
    for name, image in images.items():
        fits.writeto(folder / f"{name}.fits.gz", image, header)
    return {name: f"{name}.fits.gz" for name in images}


if __name__ == "__main__":
    main()
