"""Four public fields: what the library makes of them, to stand beside what others published of the same data.

The data are not part of this project: they lie in a folder with the layout of FILES, and come from the repository
gammapy/gammapy-data on GitHub.
"""

from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord
from scipy import ndimage

import skymask
from skymask.core.exclusion import EIGHT_NEIGHBOURS
from skymask.core.kernels import disk, ring
from skymask.core.stacking import Run, estimate_stack
from skymask.datasets.observation_store import select_runs
from skymask.io import maps
from skymask.sky.exclusion_regions import region_mask
from skymask.sky.geometry import grid, pixel_size, sky_position, sky_projection

#: What is read, below the folder of the data.
FILES = {
    "gauss": "poisson_stats_image/counts.fits.gz",
    "fermi": "fermi-3fhl-gc/fermi-3fhl-gc-{}.fits.gz",
    "hess": "hess-dl3-dr1",
    "msh1552": "hess-maps/msh1552_tutorial/{}.fits.gz",
    "crab": "hess-maps/crab/{}.fits.gz",
}

THRESHOLD = 5

#: Centre, counted from 0, and standard deviation of the simulated Gaussian, in pixels.
GAUSS_CENTRE, GAUSS_SIGMA = 99, 5

#: Candidates of gammapy's tutorial in the 3FHL Galactic centre: pixel x and y, square root of TS, flux [cm-2 s-1].
FERMI_CANDIDATES = (
    (200, 99, 32.194, 1.414e-9),
    (52, 60, 27.833, 5.984e-10),
    (32, 98, 15.16, 5.401e-10),
    (69, 93, 14.134, 4.553e-10),
    (80, 92, 13.872, 4.576e-10),
    (273, 119, 9.7638, 1.763e-10),
    (124, 102, 8.793, 1.702e-10),
    (123, 134, 7.3491, 9.207e-11),
    (193, 19, 6.8071, 6.612e-11),
    (152, 148, 6.2432, 7.080e-11),
    (230, 86, 5.8704, 1.278e-10),
    (127, 12, 5.6678, 4.107e-11),
    (251, 139, 5.6557, 6.664e-11),
    (181, 95, 5.4712, 1.286e-10),
    (214, 83, 5.4209, 9.695e-11),
    (57, 49, 5.1736, 5.572e-11),
    (156, 132, 5.067, 5.880e-11),
    (93, 80, 5.0414, 8.105e-11),
)

#: Radii of the disks, in pixels of 0.05 deg, under which they are looked at; the mask is that of the first.
FERMI_RADII = (3, 4)

#: Published position of MSH 15-52 (Aharonian et al. 2005).
MSH1552 = SkyCoord("15h14m07s", "-59d09m27s")

#: Field and exclusion of gammapy's tutorial on MSH 15-52.
MSH1552_FIELD = {
    "center": ["228.32 deg", "-59.08 deg"],
    "width": ["3 deg", "3 deg"],
    "pixel_size": "0.02 deg",
    "projection": "CAR",
}
MSH1552_CIRCLE = {"shape": "circle", "center": ["228.32 deg", "-59.08 deg"], "radius": "0.4 deg"}

#: Position of the Crab nebula in the joint analysis of Nigro et al. (2019), in the middle pixel of small pixels.
CRAB_FIELD = {
    "center": ["83.63308 deg", "22.01450 deg"],
    "width": ["2.01 deg", "2.01 deg"],
    "pixel_size": "0.01 deg",
}


def measure(field, folder):
    """Return what is measured of one of FIELDS, by name.

    Parameters
    ----------
    field : str
    folder : path-like
        Where the data are.
    """
    return {name: _plain(value) for name, value in FIELDS[field](Path(folder)).items()}


def _plain(value):
    """A number of numpy as Python's own."""
    return value.item() if isinstance(value, np.generic) else value


def _gauss(folder):
    """The simulated Gaussian source: fixed background and source of known size."""
    counts = maps.read(folder / FILES["gauss"]).data
    result = skymask.iterate(
        counts,
        source_kernel=disk(8),
        background_kernel=ring(25, 15),
        dilation_kernel=disk(15),
        threshold=THRESHOLD,
    )
    off = counts[result.exclusion_mask]
    y, x = np.indices(counts.shape)
    aperture = np.hypot(x - GAUSS_CENTRE, y - GAUSS_CENTRE) <= 3 * GAUSS_SIGMA
    total, pixels = counts[aperture].sum(), aperture.sum()
    excess, share = total - off.mean() * pixels, 1 - np.exp(-4.5)
    return {
        "state": result.state,
        "background": off.mean(),
        "background_error": np.sqrt(off.sum()) / off.size,
        "excess": excess / share,
        "excess_error": np.sqrt(total + (pixels / off.size) ** 2 * off.sum()) / share,
    }


def _centroid_errors(counts, inside, centroid, excess):
    """Standard errors of a centroid along x and y in pixels: every count moves it by its distance from it."""
    y, x = np.indices(counts.shape)
    moments = [(counts * (axis - centre) ** 2)[inside].sum() for axis, centre in zip((x, y), centroid, strict=True)]
    return [np.sqrt(moment) / excess for moment in moments]


def _fermi(folder):
    """The 3FHL Galactic centre, with the diffuse model that comes with it as acceptance."""
    images = {
        name: maps.read(folder / FILES["fermi"].format(name)).data
        for name in ("counts", "background", "exposure", "psf")
    }
    measured = {}
    for radius in FERMI_RADII:
        result = skymask.iterate(
            images["counts"],
            acceptance=images["background"],
            source_kernel=disk(radius),
            background_kernel=ring(20, 20),
            dilation_kernel=disk(4),
            threshold=THRESHOLD,
        )
        flux = result.products.excess / (contained(images["psf"], radius) * images["exposure"])
        if radius == FERMI_RADII[0]:
            mask, significance = result.exclusion_mask, result.products.significance
            measured |= {"state": result.state, "regions": ndimage.label(~mask, EIGHT_NEIGHBOURS)[1]}
        measured[f"flux_{radius}"] = [float(flux[y, x]) for x, y, *_ in FERMI_CANDIDATES]
    measured["significance"] = [float(significance[y, x]) for x, y, *_ in FERMI_CANDIDATES]
    measured["excluded"] = [bool(~mask[y, x]) for x, y, *_ in FERMI_CANDIDATES]
    return measured


def contained(psf, radius):
    """Return which fraction of a point spread function, in its middle, lies within a radius in pixels."""
    middle, kernel = [n // 2 for n in psf.shape], disk(radius)
    window = tuple(slice(m - n // 2, m + n // 2 + 1) for m, n in zip(middle, kernel.shape, strict=True))
    return psf[window][kernel].sum() / psf.sum()


def _msh1552(folder):
    """The 20 runs of MSH 15-52: gammapy's tutorial, and the source where the loop finds it."""
    runs, header, shape, seconds = run_maps(folder, "MSH 15-52", MSH1552_FIELD, ["0.5 TeV", "10 TeV"], 10, "3 deg")
    circle, _ = region_mask(header, shape, [MSH1552_CIRCLE])
    # Pixel by pixel, as the tutorial prints it: off counts and acceptance of every pixel's ring.
    stack = estimate_stack(runs, circle, [disk(0)], [ring(25, 15)], stacking="counts_off")
    acceptance = np.zeros(shape)
    for run in runs:
        acceptance[run.block] += run.acceptance[0]
    measured = {
        "counts_off": float(stack.counts_off.sum()),
        "acceptance": float(acceptance.sum()),
        "acceptance_off": float((acceptance / stack.alpha).sum()),
        "hours": seconds / 3600,
    }
    result = skymask.iterate_runs(
        runs,
        shape,
        source_kernel=disk(10),
        background_kernel=ring(25, 15),
        dilation_kernel=disk(15),
        threshold=THRESHOLD,
    )
    x, y = sky_projection(header).world_to_pixel(MSH1552)
    counts = np.zeros(shape)
    for run in runs:
        counts[run.block] += run.counts[0]
    rows, columns = np.indices(shape)
    inside = ~result.exclusion_mask & (np.hypot(rows - y, columns - x) < 15)
    excess = np.where(inside, counts - result.products.background, 0)
    centroid = ((excess * columns).sum() / excess.sum(), (excess * rows).sum() / excess.sum())
    errors = _centroid_errors(counts, inside, centroid, excess.sum())
    position = SkyCoord(*sky_position(header, *centroid), unit="deg")
    return measured | {
        "state": result.state,
        "position": position.to_string("hmsdms", precision=0),
        "separation": position.separation(MSH1552).arcmin,
        "separation_error": np.hypot(*errors) * pixel_size(header)[0] * 60,
        "significance": float(result.products.significance[round(float(y)), round(float(x))]),
    }


def _crab(folder):
    """The four runs of the Crab nebula, above the thresholds of their effective areas."""
    runs, _header, shape, seconds = run_maps(folder, "Crab", CRAB_FIELD, ["0.1 TeV", "100 TeV"], 60, "3 deg")
    result = skymask.iterate_runs(
        runs,
        shape,
        source_kernel=disk(11),
        background_kernel=ring(50, 30),
        dilation_kernel=disk(20),
        threshold=THRESHOLD,
    )
    middle, products = tuple(n // 2 for n in shape), result.products
    return {
        "state": result.state,
        "hours": seconds / 3600,
        "counts": float(products.counts_on[middle]),
        "excess": float(products.excess[middle]),
        "background": float(products.counts_on[middle] - products.excess[middle]),
        "significance": float(products.significance[middle]),
    }


def run_maps(folder, target, geometry, energy, parts, offset_max):
    """Return the runs of a target of the H.E.S.S. store on a field, its header and shape, and the live time.

    Parameters
    ----------
    folder : Path
    target : str
    geometry : dict
        As in the configuration.
    energy : (str, str)
    parts : int
        Of the energy range, in each of which it is decided whether it is safe.
    offset_max : str

    Returns
    -------
    runs : list of skymask.core.stacking.Run
    header : Header
    shape : (int, int)
    seconds : float
    """
    from skymask.datasets.run_maps import make_run_maps

    header, shape = grid(geometry)
    safe = {"methods": ["aeff-default"], "aeff_percent": 10, "bias_percent": 10, "fixed_offset": "0 deg"}
    selected = select_runs({"store": str(folder / FILES["hess"]), "target": target, "safe_mask": safe})
    runs, seconds = [], 0
    for run in selected.values():
        made = make_run_maps(
            run,
            header,
            shape,
            energy=energy,
            energy_bins=1,
            energy_oversampling=parts,
            offset_max=offset_max,
            safe_mask=safe,
        )
        corner = [int(header[key] - made.header[key]) for key in ("CRPIX2", "CRPIX1")]
        block = tuple(slice(start, start + n) for start, n in zip(corner, made.counts.shape[1:], strict=True))
        runs.append(Run(made.counts, made.acceptance, block))
        seconds += made.seconds["livetime"]
    return runs, header, shape, seconds


FIELDS = {"gauss": _gauss, "fermi": _fermi, "msh1552": _msh1552, "crab": _crab}
