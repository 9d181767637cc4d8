"""How fast events become counts, and how much memory that takes, beside gammapy's `Map.fill_events`.

    python benchmarks/events.py [MILLIONS]

Writes a list of random events (20 million unless told otherwise) to a temporary folder, and fills the same map from it
with both, three times in turn, each in a process of its own, whose peak memory is measured.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

#: The field: a tangent plane of 200 x 200 pixels, and events over somewhat more of the sky.
CENTER, WIDTH, PIXEL_SIZE = (83.633, 22.014), (4.0, 4.0), 0.02

REPEATS = 3


def write_events(path, number):
    """Write random events of 28 bytes in pieces, with the columns of H.E.S.S. lists."""
    import numpy as np
    from astropy.io import fits

    dtype = np.dtype([("EVENT_ID", ">i8"), ("TIME", ">f8"), ("RA", ">f4"), ("DEC", ">f4"), ("ENERGY", ">f4")])
    header = fits.BinTableHDU(np.zeros(1, dtype), name="EVENTS").header
    header["NAXIS2"] = number
    header.update({"MJDREFI": 53000, "MJDREFF": 0.0, "TIMESYS": "TT", "RADESYS": "ICRS", "TELESCOP": "HESS"})
    for column, unit in ((2, "s"), (3, "deg"), (4, "deg"), (5, "TeV")):
        header[f"TUNIT{column}"] = unit
    generator = np.random.default_rng(0)
    with open(path, "wb") as file:
        file.write(fits.PrimaryHDU().header.tostring().encode())
        file.write(header.tostring().encode())
        for start in range(0, number, 2**20):
            rows = np.zeros(min(2**20, number - start), dtype)
            rows["RA"] = generator.uniform(CENTER[0] - 2.5, CENTER[0] + 2.5, len(rows))
            rows["DEC"] = generator.uniform(CENTER[1] - 2.2, CENTER[1] + 2.2, len(rows))
            rows["ENERGY"] = generator.exponential(2.0, len(rows))
            rows["TIME"] = np.arange(start, start + len(rows)) * 1e-3
            file.write(rows.tobytes())
        file.write(b"\0" * (-number * dtype.itemsize % 2880))


def with_skymask(path):
    from skymask.datasets.events import bin_events
    from skymask.sky.geometry import field

    header, shape = field(CENTER, WIDTH, PIXEL_SIZE)
    start = time.perf_counter()
    counts = bin_events([path], header, shape).counts
    return time.perf_counter() - start, int(counts.sum())


def with_gammapy(path):
    from astropy.coordinates import SkyCoord
    from gammapy.data import EventList
    from gammapy.maps import Map

    skymap = Map.create(skydir=SkyCoord(*CENTER, unit="deg"), width=WIDTH, binsz=PIXEL_SIZE, proj="TAN", frame="icrs")
    start = time.perf_counter()
    skymap.fill_events(EventList.read(path))
    return time.perf_counter() - start, int(skymap.data.sum())


def main(millions):
    number = int(float(millions) * 1e6)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/events.fits"
        write_events(path, number)
        print(f"{number} events, {Path(path).stat().st_size / 1e6:.0f} MB")
        for _ in range(REPEATS):
            for name in ("with_skymask", "with_gammapy"):
                command = [sys.executable, __file__, name, path]
                result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                rate = number / result["seconds"] / 1e6
                print(
                    f"{name:<14} {result['seconds']:7.2f} s {rate:7.2f} million events per second "
                    f"{result['memory']:7.0f} MB {result['counts']} counts"
                )


if __name__ == "__main__":
    if len(sys.argv) == 3:
        seconds, counts = globals()[sys.argv[1]](sys.argv[2])
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": seconds, "counts": counts, "memory": memory}))
    else:
        main(*(sys.argv[1:] or ["20"]))
