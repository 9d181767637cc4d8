"""One step of the loop beside gammapy 2.1, on random configurations.

gammapy convolves in single precision: its background is compared relative to the largest, its significance as it is.
Pixels with an empty ring under the source kernel are left out, and so are those without off counts, of which Fourier
transforms in single precision leave a small fraction of one.
"""

import warnings

import numpy as np

import skymask
from skymask.core.bitmask import dilate
from skymask.loop.iteration import compute_products

SIMULATIONS, PER_JOB = 100, 50
CASES = {"random": {}}


def measure(random):
    """Return the largest differences of one random configuration, and its size."""
    settings = configuration(random)
    ours = compute_products(
        settings["counts"],
        settings["acceptance"],
        settings["mask"],
        skymask.disk(settings["source_radius"]),
        skymask.ring(settings["inner_radius"], settings["width"]),
        statistic="wstat",
    )
    background, significance = of_gammapy(settings)
    both = np.isfinite(ours.background) & np.isfinite(background)
    scale = background[both].max()
    # gammapy takes pixels with an empty ring from counts and acceptance, where rounding makes their sum zero or less.
    beside_empty = dilate(np.isnan(ours.background), skymask.disk(settings["source_radius"]))
    compared = both & np.isfinite(significance) & (ours.counts_off > 0) & ~beside_empty
    difference = np.abs(ours.significance - significance)[compared]
    return {
        "background": np.abs(ours.background - background)[both].max() / scale,
        "significance": difference.max(),
        "pixels": compared.sum(),
        "left_out": (~compared).sum(),
        "highest": np.abs(ours.significance[compared]).max(),
    }


def configuration(random):
    """Return counts, acceptance, mask and radii in pixels of a random field with a few sources."""
    shape = tuple(int(value) for value in random.integers(40, 100, 2))
    y, x = np.indices(shape)
    middle, spread = (np.array(shape) - 1) / 2, random.uniform(0.3, 2) * max(shape)
    gradient = random.uniform(-0.4, 0.4, 2)
    slope = 1 + gradient[0] * (y - middle[0]) / middle[0] + gradient[1] * (x - middle[1]) / middle[1]
    acceptance = slope * np.exp(-0.5 * ((y - middle[0]) ** 2 + (x - middle[1]) ** 2) / spread**2)
    acceptance *= 10 ** random.uniform(-1, 1.5)
    mask = np.ones(shape, dtype=bool)
    expected = acceptance.copy()
    for _ in range(random.integers(0, 4)):
        centre = random.integers(0, shape)
        distance_squared = (y - centre[0]) ** 2 + (x - centre[1]) ** 2
        expected += random.uniform(0, 10) * acceptance.max() * np.exp(-0.5 * distance_squared / 2**2)
        mask &= distance_squared > random.uniform(2, 8) ** 2
    # Half pixels, so that no pixel centre is on a border, where angles round.
    source_radius = random.integers(1, 5) + 0.5
    inner_radius = source_radius + random.integers(1, 6)
    return {
        "counts": random.poisson(expected),
        "acceptance": acceptance,
        "mask": mask,
        "source_radius": source_radius,
        "inner_radius": inner_radius,
        "width": float(random.integers(2, 8)),
        "pixel_size": random.uniform(0.01, 0.1),
    }


def of_gammapy(settings):
    """Return background per pixel and significance by gammapy's ring and excess estimator."""
    from astropy import units
    from gammapy.datasets import MapDataset
    from gammapy.estimators import ExcessMapEstimator
    from gammapy.makers import RingBackgroundMaker
    from gammapy.maps import Map, MapAxis

    axis = MapAxis.from_energy_bounds("1 TeV", "10 TeV", nbin=1)
    size = settings["pixel_size"]

    def sky_map(image, axes=(axis,)):
        made = Map.create(npix=image.shape[::-1], binsz=size, proj="TAN", axes=list(axes), dtype=image.dtype)
        made.data = image.reshape(made.data.shape)
        return made

    images = {name: sky_map(settings[name].astype(float)) for name in ("counts", "acceptance")}
    everywhere = sky_map(np.ones(settings["counts"].shape, dtype=bool))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = MapDataset(
            counts=images["counts"], background=images["acceptance"], mask_safe=everywhere, name="random"
        )
        maker = RingBackgroundMaker(
            r_in=settings["inner_radius"] * size * units.deg,
            width=settings["width"] * size * units.deg,
            exclusion_mask=sky_map(settings["mask"], axes=()),
        )
        on_off = maker.run(dataset)
        radius = settings["source_radius"] * size * units.deg
        found = ExcessMapEstimator(radius, correlate_off=False, selection_optional=[]).run(on_off)
        return on_off.background.data[0], found["sqrt_ts"].data[0]
