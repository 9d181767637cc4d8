"""Simulated skies with known truth."""

from typing import NamedTuple

import numpy as np
from astropy.io import fits

from skymask.geometry import field
from skymask.lengths import angle_in_degrees


class Sky(NamedTuple):
    """A simulated field, all arrays of shape (ny, nx).

    Attributes
    ----------
    counts : ndarray of int32
        Poisson counts.
    acceptance : ndarray of float
        1 at its peak.
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


def simulate_counts(
    *, seed, width, pixel_size, background, center, frame="galactic", acceptance_sigma=None, sources=()
):
    """Return a simulated sky; the parameters are those of the key `simulate` of the configuration.

    Parameters
    ----------
    seed : int
        Seed of the random numbers.
    width, center : (str, str)
        Extent and centre in longitude and latitude, with units.
    pixel_size : str
        Size of the square pixels.
    background : float
        Expected background counts per pixel at the peak of the acceptance.
    frame : {"galactic", "icrs"}
    acceptance_sigma : str, optional
        Standard deviation of a Gaussian acceptance around the centre; flat if not given.
    sources : sequence of dict
        Gaussian sources: `offset` from the centre, `counts` in all at full acceptance, `sigma`, the first and last in
        longitude and latitude.

    Returns
    -------
    sky : Sky
    """
    size = angle_in_degrees(pixel_size)
    header, shape = field(
        [angle_in_degrees(value) for value in center], [angle_in_degrees(value) for value in width], size, frame=frame
    )
    latitude = (np.arange(shape[0]) - (shape[0] - 1) / 2)[:, None] * size
    # Longitude grows to the left.
    longitude = ((shape[1] - 1) / 2 - np.arange(shape[1]))[None, :] * size

    acceptance = np.ones(shape)
    if acceptance_sigma is not None:
        acceptance = _gaussian(longitude, latitude, (0.0, 0.0), (angle_in_degrees(acceptance_sigma),) * 2)
    expected_sources = np.zeros(shape)
    for source in sources:
        sigma = [angle_in_degrees(value) for value in source["sigma"]]
        offset = [angle_in_degrees(value) for value in source["offset"]]
        density = source["counts"] / (2 * np.pi * sigma[0] * sigma[1])
        expected_sources += density * size**2 * _gaussian(longitude, latitude, offset, sigma) * acceptance
    expected_background = background * acceptance
    counts = np.random.default_rng(seed).poisson(expected_background + expected_sources).astype(np.int32)
    return Sky(counts, acceptance, expected_background, expected_sources, header)


def _gaussian(longitude, latitude, center, sigma):
    """A Gaussian of peak 1 on the grid of longitudes and latitudes."""
    along = ((longitude - center[0]) / sigma[0]) ** 2
    across = ((latitude - center[1]) / sigma[1]) ** 2
    return np.exp(-0.5 * (along + across))
