"""Measure writing and reading maps in the formats that FITS offers, against the arithmetic on them.

CPU time in nanoseconds per pixel, the least of several rounds, and bytes per pixel on disk. The last lines are what one
iteration computes on the same map.

    python benchmarks/fits_formats.py --side 2000
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.io import fits

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from skymask.core import background, exclusion, kernels, significance

#: Suffix, HDU of an image, and whether it carries checksums.
FORMATS = {
    "plain": (".fits", fits.ImageHDU, False),
    "plain + checksum": (".fits", fits.ImageHDU, True),
    "RICE_1 + checksum": (".fits", lambda image: fits.CompImageHDU(image, compression_type="RICE_1"), True),
    "GZIP_2 + checksum": (
        ".fits",
        lambda image: fits.CompImageHDU(image, compression_type="GZIP_2", quantize_level=0),
        True,
    ),
    ".fits.gz": (".fits.gz", fits.ImageHDU, False),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=2000, help="of a square map, in pixels")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    shape = (arguments.side, arguments.side)
    counts = np.random.default_rng(1).poisson(1.0, shape)
    coverage, everywhere = np.ones(shape, dtype=np.uint8), np.ones(shape, dtype=bool)
    ring, source = kernels.ring(25, 15), kernels.disk(5)
    estimate = background.estimate_background(counts, coverage, everywhere, ring)
    result = significance.compute_significance(counts, coverage, estimate, source).significance
    options = {"user_mask": everywhere, "previous_mask": everywhere, "previous_decision": everywhere, "threshold": 4}
    options |= {"dilation_kernel": kernels.disk(15), "mask_update": "replace", "starved_pixels": "keep"}
    mask, _ = exclusion.update_exclusion_mask(result, everywhere, **options)
    images = {
        "counts, int64": counts,
        "counts, int32": counts.astype(np.int32),
        "exclusion_mask, uint8": mask.view(np.uint8),
        "background, float64": estimate.background,
    }
    print("| map | format | write [ns/px] | read [ns/px] | bytes per pixel |")
    print("|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, image in images.items():
            for label, (suffix, make, checksum) in FORMATS.items():
                path = os.path.join(folder, f"map{suffix}")
                # What compresses is slow enough to be measured once.
                rounds = arguments.rounds if suffix == ".fits" else 1
                write = least(rounds, image.size, write_map, path, image, make, checksum)
                read = least(arguments.rounds, image.size, read_map, path, checksum)
                size = os.path.getsize(path) / image.size
                print(f"| {name} | {label} | {write:.1f} | {read:.1f} | {size:.2f} |", flush=True)
    arithmetic = {
        "estimate_background": lambda: background.estimate_background(counts, coverage, everywhere, ring),
        "compute_significance": lambda: significance.compute_significance(counts, coverage, estimate, source),
        "update_exclusion_mask": lambda: exclusion.update_exclusion_mask(result, everywhere, **options),
    }
    for name, function in arithmetic.items():
        print(f"{name}: {least(arguments.rounds, counts.size, function):.1f} ns per pixel", flush=True)


def least(rounds, pixels, function, *arguments):
    """Return the least CPU time of a call, in nanoseconds per pixel."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        function(*arguments)
        times.append(time.process_time() - start)
    return min(times) / pixels * 1e9


def write_map(path, image, make, checksum):
    hdus = fits.HDUList([fits.PrimaryHDU(), make(image)])
    hdus.writeto(path, overwrite=True, checksum=checksum)


def read_map(path, checksum):
    with fits.open(path, memmap=False, checksum=checksum) as hdus:
        data = hdus[1].data
        return data.astype(data.dtype.newbyteorder("="))


if __name__ == "__main__":
    main()
