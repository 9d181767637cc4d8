"""Run the loop in strips on a map of any size, and say what it took: memory, CPU time, disk.

The map is the field of `compare_loops.py`, written in strips. With --whole, the same map in memory: mask and maps must
be the same bits.

    python benchmarks/strips.py --size 20000x20000 --folder /scratch
"""

import argparse
import hashlib
import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"
REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "benchmarks")]

import numpy as np  # noqa: E402
from astropy.io import fits  # noqa: E402
from compare_loops import DILATION_RADIUS, INNER_RADIUS, PIXEL_SIZE, SOURCE_RADIUS, SOURCES, WIDTH  # noqa: E402

import skymask  # noqa: E402

#: Rows that are simulated at a time.
ROWS = 256


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="8000x8000", help="columns x rows")
    parser.add_argument("--statistic", default="wstat", choices=("wstat", "cash"))
    parser.add_argument("--folder", help="where counts, state and maps lie meanwhile")
    parser.add_argument("--whole", action="store_true", help="compare with the map in memory")
    arguments = parser.parse_args()
    shape = tuple(map(int, arguments.size.split("x")))[::-1]
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        counts = simulate(shape, Path(folder) / "counts")
        measure(counts, Path(folder), arguments.statistic)
        if arguments.whole:
            compare(counts, Path(folder), arguments.statistic)


def simulate(shape, path, *, seed=1):
    """Write counts of the test field in strips, and return them as a memory-mapped array."""
    random = np.random.default_rng(seed)
    number = round(SOURCES * shape[0] * shape[1] * PIXEL_SIZE**2)
    centres = random.uniform((0, 0), shape, (number, 2))
    sigmas = random.uniform(2, 5, number)
    brightness = np.exp(random.uniform(np.log(50), np.log(2000), number))
    with open(path, "wb") as file:
        for start in range(0, shape[0], ROWS):
            y = np.arange(start, min(start + ROWS, shape[0]))
            expected = np.ones((y.size, shape[1]))
            near = (centres[:, 0] > y[0] - 6 * sigmas) & (centres[:, 0] < y[-1] + 6 * sigmas)
            for (centre_y, centre_x), sigma, source in zip(centres[near], sigmas[near], brightness[near], strict=True):
                x = np.arange(max(0, int(centre_x - 6 * sigma)), min(shape[1], int(centre_x + 6 * sigma) + 1))
                distance_squared = (y[:, None] - centre_y) ** 2 + (x - centre_x) ** 2
                expected[:, x] += source / (2 * np.pi * sigma**2) * np.exp(-distance_squared / (2 * sigma**2))
            random.poisson(expected).astype(np.int32).tofile(file)
    return np.memmap(path, np.int32, "r", shape=shape)


def kernels():
    return {
        "source_kernel": skymask.disk(SOURCE_RADIUS),
        "background_kernel": skymask.ring(INNER_RADIUS, WIDTH),
        "dilation_kernel": skymask.disk(DILATION_RADIUS),
    }


def measure(counts, folder, statistic):
    """Run the loop in strips and write its maps in a process of its own; say what it took."""
    child = os.fork()
    if child:
        if os.waitpid(child, 0)[1]:
            sys.exit("the loop in strips failed")
        return
    try:
        run(counts, folder, statistic)
    except BaseException as error:
        print(repr(error), flush=True)
        os._exit(1)
    os._exit(0)


def run(counts, folder, statistic):
    Path("/proc/self/clear_refs").write_text("5")
    before, began, wall = memory("VmRSS"), time.process_time(), time.monotonic()
    # A view whose pages do not stay: what was read of the map is no part of the memory that the loop needs.
    result = skymask.iterate_strips(Unmapped(counts), folder / "state", statistic=statistic, **kernels())
    of_loop, loop_wall, loop_peak = time.process_time() - began, time.monotonic() - wall, memory("VmHWM")
    state = sum(path.stat().st_size for path in (folder / "state").iterdir())
    skymask.write_strips(result, folder / "maps", header=fits.Header())
    in_all = time.process_time() - began
    n_y, n_x = counts.shape
    print(f"{n_x} x {n_y} pixels, {statistic}: {result.state} after {result.iterations} iterations")
    print(f"peak memory: {loop_peak / 1e6:.0f} MB, with the maps written {memory('VmHWM') / 1e6:.0f} MB")
    print(f"of these before the loop: {before / 1e6:.0f} MB")
    print(f"CPU: loop {of_loop:.0f} s, maps {in_all - of_loop:.0f} s; wall of the loop {loop_wall:.0f} s")
    print(f"CPU per pixel: loop {of_loop * 1e9 / counts.size:.0f} ns, in all {in_all * 1e9 / counts.size:.0f} ns")
    print(f"disk: state {state / counts.size:.1f} bytes per pixel", flush=True)


class Unmapped:
    """Rows of a file of integers, read and not mapped."""

    def __init__(self, mapped):
        self._path, self.dtype, self.shape = mapped.filename, mapped.dtype, mapped.shape

    def __getitem__(self, rows):
        start, stop, _ = rows.indices(self.shape[0])
        begin = start * self.shape[1] * self.dtype.itemsize
        flat = np.fromfile(self._path, self.dtype, (stop - start) * self.shape[1], offset=begin)
        return flat.reshape(-1, self.shape[1])


def compare(counts, folder, statistic):
    """Compare the maps that were written with those of the map in memory."""
    began = time.process_time()
    result = skymask.iterate(np.array(counts), statistic=statistic, **kernels())
    significance = result.products.significance
    print(f"in memory: {time.process_time() - began:.0f} s of CPU, {memory('VmHWM') / 1e6:.0f} MB", flush=True)
    images = {"exclusion_mask": result.exclusion_mask, "significance": significance}
    images["background"] = result.products.background
    for name, image in images.items():
        with fits.open(folder / "maps" / f"{name}.fits", memmap=True) as hdus:
            same = all(
                np.array_equal(hdus[0].section[y : y + ROWS], image[y : y + ROWS], equal_nan=name != "exclusion_mask")
                for y in range(0, counts.shape[0], ROWS)
            )
        digest = hashlib.sha256(np.ascontiguousarray(image)).hexdigest()[:12]
        print(f"{name}: {'the same' if same else 'DIFFERENT'} ({digest})", flush=True)
    shutil.rmtree(folder / "maps")


def memory(name):
    """Return a value of /proc/self/status, in bytes."""
    return 1024 * int(re.search(rf"{name}:\s+(\d+)", Path("/proc/self/status").read_text())[1])


if __name__ == "__main__":
    main()
