"""How many skies of 200 x 200 pixels are simulated in a second of processor time.

    python benchmarks/simulation.py [MAPS]

Each sky is made anew, its expectation too, with sources of every shape, a graded acceptance and a hole; and once more
other counts of one expectation, as the studies of `validation/` make them.
"""

import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from skymask.datasets.simulation import simulate_counts

SKY = {
    "width": ("4 deg", "4 deg"),
    "pixel_size": "0.02 deg",
    "background": 1.0,
    "acceptance_sigma": "1.5 deg",
    "acceptance_gradient": (0.3, 0.15),
    "holes": [{"offset": ("1 deg", "1 deg"), "radius": "0.2 deg"}],
    "sources": [
        {"shape": "point", "offset": ("0.5 deg", "0 deg"), "counts": 200},
        {"offset": ("0 deg", "0.5 deg"), "counts": 500, "sigma": ("0.2 deg", "0.1 deg"), "position_angle": "30 deg"},
        {"shape": "shell", "offset": ("0 deg", "-1 deg"), "counts": 800, "inner_radius": "0.2 deg", "width": "0.1 deg"},
        {"shape": "ridge", "offset": ("0 deg", "0 deg"), "counts": 3000, "sigma": "0.1 deg"},
    ],
}


def per_second(simulate, maps):
    """Return how many maps are simulated in a second of processor time."""
    simulate(0)
    begin = time.process_time()
    for seed in range(1, maps + 1):
        simulate(seed)
    return maps / (time.process_time() - begin)


def main(maps):
    """Print both numbers."""
    sky = simulate_counts(seed=0, **SKY)
    expected = sky.expected_background + sky.expected_sources
    skies = per_second(lambda seed: simulate_counts(seed=seed, **SKY), maps)
    print(f"skies with their expectation: {skies:.0f} per second")
    counts = per_second(lambda seed: np.random.default_rng(seed).poisson(expected).astype(np.int32), maps)
    print(f"counts of one expectation: {counts:.0f} per second")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 300)
