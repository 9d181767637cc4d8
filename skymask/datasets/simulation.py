r"""Simulated skies with known truth: single maps, and the runs of several pointings in one or several energy bins.

Random numbers come from numpy's PCG64, whose stream is the same on every machine. The expected counts may differ in
their last bit between mathematics libraries, which changes a count with a chance of the order of 1e-15 per pixel.

Counts are whole numbers, so the expectation itself, the Asimov data set (Cowan et al. 2011, Eur. Phys. J. C 71, 1554,
doi:10.1140/epjc/s10052-011-1554-0, sect. 3.2), is none. `asimov_counts` gives a large multiple of it. That loses
nothing, because background and excess are linear in the counts, and :math:`S(f n_{on}, f n_{off}, \alpha) = \sqrt{f} \,
S(n_{on}, n_{off}, \alpha)`: a loop over f times the expectation, with the threshold times the root of f, has the mask
of the Asimov data set.
"""

from typing import NamedTuple

import numpy as np
from astropy.io import fits

from skymask.core.stacking import Run
from skymask.sky.geometry import field
from skymask.units import angle_in_degrees


class Sky(NamedTuple):
    """A simulated field, all arrays of shape (ny, nx).

    Attributes
    ----------
    counts : ndarray of int32
        Poisson counts.
    acceptance : ndarray of float
        1 at its centre, 0 where there is no exposure.
    expected_background, expected_sources : ndarray of float
        The truth, in counts per pixel.
    header : Header
        Sky coordinates.
    """

    counts: np.ndarray
    acceptance: np.ndarray
    expected_background: np.ndarray
    expected_sources: np.ndarray
    header: fits.Header


class Runs(NamedTuple):
    """Simulated runs on one grid.

    Attributes
    ----------
    runs : list of skymask.core.stacking.Run
        In the order of their pointings, each with one plane for every energy bin.
    expected_background, expected_sources : ndarray of float, shape (ny, nx)
        The truth of all runs and energy bins together, in counts per pixel.
    header : Header
        Sky coordinates.
    """

    runs: list
    expected_background: np.ndarray
    expected_sources: np.ndarray
    header: fits.Header


def simulate_counts(*, seed, **sky):
    """Return a simulated sky; the parameters are those of the key `simulate` of the configuration.

    Parameters
    ----------
    seed : int
        Seed of the random numbers.
    **sky
        Parameters of `expected_sky`.

    Returns
    -------
    sky : Sky
    """
    expected = expected_sky(**sky)
    mean = expected.expected_background + expected.expected_sources
    return expected._replace(counts=np.random.default_rng(seed).poisson(mean).astype(np.int32))


def expected_sky(
    *,
    width,
    pixel_size,
    background,
    center=("0 deg", "0 deg"),
    frame="galactic",
    acceptance_sigma=None,
    acceptance_gradient=(0, 0),
    holes=(),
    sources=(),
    pointing=("0 deg", "0 deg"),
    view_radius=None,
):
    """Return the truth of a sky, without counts.

    Parameters
    ----------
    width, center : (str, str)
        Extent and centre in longitude and latitude, with units.
    pixel_size : str
        Size of the square pixels.
    background : float
        Expected background counts per pixel where the acceptance is 1.
    frame : {"galactic", "icrs"}
    acceptance_sigma : str, optional
        Standard deviation of a Gaussian acceptance around the pointing; flat if not given.
    acceptance_gradient : (float, float)
        By which fraction the acceptance rises from the centre of the field to its edge in longitude and latitude.
    holes : sequence of dict
        Circles without exposure: `offset` from the centre and `radius`.
    sources : sequence of dict
        Each with a `shape`, `offset` from the centre in longitude and latitude, and `counts` in all at full acceptance:

        - "gaussian" (if there is no shape): `sigma` along longitude and latitude, turned by the `position_angle` from
          north through east;
        - "point": all in the pixel in which it lies;
        - "shell": the projection of a homogeneous shell with `inner_radius` and `width`;
        - "ridge": the same at all longitudes of the field, a Gaussian of standard deviation `sigma` in latitude.

        Surface brightnesses are taken at the centres of pixels: what is narrower than a pixel is a point.
    pointing : (str, str)
        Offset of the acceptance's centre from that of the field.
    view_radius : str, optional
        Distance from the pointing beyond which there is no exposure; none if not given.

    Returns
    -------
    sky : Sky
        Its counts are None.
    """
    size = angle_in_degrees(pixel_size)
    header, shape = field(_angles(center), _angles(width), size, frame=frame)
    grid = _offsets(shape, size)
    acceptance = _acceptance(grid, _angles(pointing), acceptance_sigma, acceptance_gradient, view_radius)
    for hole in holes:
        acceptance[_distance_squared(grid, _angles(hole["offset"])) <= angle_in_degrees(hole["radius"]) ** 2] = 0
    expected_sources = np.zeros(shape)
    for source in sources:
        expected_sources += source["counts"] * _SHAPES[source.get("shape", "gaussian")](grid, size, source)
    return Sky(None, acceptance, background * acceptance, expected_sources * acceptance, header)


def simulate_runs(*, seed, pointings, energies=None, **sky):
    """Return simulated runs of several pointings on one field.

    Parameters
    ----------
    seed : int
        Seed of the random numbers; every run has a stream of its own.
    pointings : sequence of (str, str)
        Where the acceptance of each run has its centre, as offsets from that of the field.
    energies : dict, optional
        `edges` of the energy bins, and the indices of the power laws into which all counts are divided:
        `background_index` and `source_index`. One bin if not given.
    **sky
        Parameters of `expected_sky`; background and sources are those of every run.

    Returns
    -------
    runs : Runs
        Each run on the smallest rectangle that holds its exposure.
    """
    shares = np.ones((2, 1))
    if energies:
        shares = np.array(
            [bin_shares(energies["edges"], energies[f"{kind}_index"]) for kind in ("background", "source")]
        )
    runs, background, sources = [], 0, 0
    for number, pointing in enumerate(pointings):
        truth = expected_sky(pointing=pointing, **sky)
        block = _bounds(truth.acceptance > 0)
        planes = [
            share[:, None, None] * image[block]
            for share, image in zip(shares, (truth.expected_background, truth.expected_sources), strict=True)
        ]
        counts = np.random.default_rng([seed, number]).poisson(sum(planes))
        acceptance = shares[0][:, None, None] * truth.acceptance[block]
        runs.append(Run(counts, acceptance, block))
        background, sources = background + truth.expected_background, sources + truth.expected_sources
    return Runs(runs, background, sources, truth.header)


def bin_shares(edges, index):
    """Return which fraction of a power law E**-index lies in each energy bin, shape (n,)."""
    edges = np.asarray(edges, dtype=float)
    integral = np.log(edges) if index == 1 else edges ** (1 - index) / (1 - index)
    return np.diff(integral) / (integral[-1] - integral[0])


def asimov_counts(expected, factor=2**16):
    """Return the whole numbers next to `factor` times the expected counts; the module says what they are good for.

    Parameters
    ----------
    expected : ndarray of float, shape (ny, nx)
        In counts per pixel.
    factor : int

    Returns
    -------
    counts : ndarray of int, shape (ny, nx)
        Their relative error is 1 / (2 factor expected) at most.
    """
    return np.rint(factor * np.asarray(expected)).astype(np.int64)


def _angles(values):
    return [angle_in_degrees(value) for value in values]


def _offsets(shape, size):
    """Offsets from the centre in degrees: longitudes as a row, growing to the left, latitudes as a column."""
    longitude = ((shape[1] - 1) / 2 - np.arange(shape[1]))[None, :] * size
    latitude = (np.arange(shape[0]) - (shape[0] - 1) / 2)[:, None] * size
    return longitude, latitude


def _acceptance(grid, pointing, sigma, gradient, view_radius):
    longitude, latitude = grid
    edges = (np.abs(longitude).max() or 1, np.abs(latitude).max() or 1)
    acceptance = 1 + gradient[0] * longitude / edges[0] + gradient[1] * latitude / edges[1]
    if sigma is not None:
        acceptance = acceptance * _gaussian(longitude, latitude, pointing, (angle_in_degrees(sigma),) * 2)
    if view_radius is not None:
        acceptance[_distance_squared(grid, pointing) > angle_in_degrees(view_radius) ** 2] = 0
    return acceptance


def _distance_squared(grid, center):
    return (grid[0] - center[0]) ** 2 + (grid[1] - center[1]) ** 2


def _gaussian(longitude, latitude, center, sigma):
    """A Gaussian of peak 1 on the grid of longitudes and latitudes."""
    along = ((longitude - center[0]) / sigma[0]) ** 2
    across = ((latitude - center[1]) / sigma[1]) ** 2
    return np.exp(-0.5 * (along + across))


def _gaussian_source(grid, size, source):
    offset, sigma = _angles(source["offset"]), _angles(source["sigma"])
    angle = np.radians(angle_in_degrees(source.get("position_angle", "0 deg")))
    if angle:
        east, north = grid[0] - offset[0], grid[1] - offset[1]
        grid = (east * np.cos(angle) - north * np.sin(angle), east * np.sin(angle) + north * np.cos(angle))
        offset = (0.0, 0.0)
    return size**2 / (2 * np.pi * sigma[0] * sigma[1]) * _gaussian(*grid, offset, sigma)


def _point_source(grid, size, source):
    offset = _angles(source["offset"])
    # A source on the border between two pixels lies in the one of larger longitude or latitude.
    return np.logical_and(
        *((-size / 2 <= axis - x) & (axis - x < size / 2) for axis, x in zip(grid, offset, strict=True))
    )


def _shell_source(grid, size, source):
    """Twice the depth of the outer sphere without that of the inner one, over the volume of the shell."""
    inner = angle_in_degrees(source["inner_radius"])
    outer = inner + angle_in_degrees(source["width"])
    squared = _distance_squared(grid, _angles(source["offset"]))
    depth = np.sqrt(np.maximum(outer**2 - squared, 0)) - np.sqrt(np.maximum(inner**2 - squared, 0))
    return size**2 * 2 * depth / (4 / 3 * np.pi * (outer**3 - inner**3))


def _ridge_source(grid, size, source):
    longitude, latitude = grid
    sigma, (_, center) = angle_in_degrees(source["sigma"]), _angles(source["offset"])
    profile = size / (np.sqrt(2 * np.pi) * sigma) * np.exp(-0.5 * ((latitude - center) / sigma) ** 2)
    return profile / longitude.size * np.ones_like(longitude)


def _bounds(region):
    """The rows and columns of the smallest rectangle that holds a region."""
    return tuple(
        slice(int(inside[0]), int(inside[-1]) + 1) for inside in (np.flatnonzero(region.any(axis=i)) for i in (1, 0))
    )


_SHAPES = {"gaussian": _gaussian_source, "point": _point_source, "shell": _shell_source, "ridge": _ridge_source}
