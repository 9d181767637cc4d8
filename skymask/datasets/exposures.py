r"""Exposures as acceptances: integrated over energy bins for a spectrum, on the pixels of the counts.

An exposure :math:`\varepsilon(E)` in cm2 s is given at energies, and linear in :math:`\log E` between them, as gammapy
takes it. Of a background whose spectrum is a power law, the same everywhere on the map, a pixel of the solid angle
:math:`\Omega` expects in an energy bin

.. math:: A \propto \Omega \int E^{-\Gamma} \varepsilon(E)\, \mathrm{d}E

counts, all bins with the same factor. Energies are true ones: an energy dispersion is not taken into account.
"""

import itertools
import warnings
from typing import NamedTuple

import numpy as np
from astropy import units

from skymask.datasets.instruments import energies_of
from skymask.errors import MapError
from skymask.io.energy_axes import EnergyAxis, EnergyNodes, same_axis
from skymask.io.header_cards import card_text
from skymask.io.sky_cards import sky_cards
from skymask.sky.interpolation import bilinear, relative_solid_angle
from skymask.sky.reprojection import healpix_bilinear

#: Points of the Gaussian quadrature between two energies.
POINTS = 12

#: Bins may reach this many times the distance of the outermost energies beyond them, where the exposure is theirs.
BEYOND = 1.0


class ExposureOptions(NamedTuple):
    """How exposures become acceptances: spectral index, and energies of counts whose file does not say them.

    `energy_range` is a pair of texts with units, as in the configuration.
    """

    spectral_index: float = 2.0
    energy_range: tuple | None = None


#: Those without a configuration.
DEFAULTS = ExposureOptions()


def is_exposure(key, sky_map):
    """Whether a map that stands under a key is an exposure: it is called one, or is given at energies."""
    return key == "exposure" or isinstance(sky_map.energies, EnergyNodes)


def acceptance_of_exposure(exposure, counts, options, *, name):
    """Return the acceptance that an exposure gives on the pixels and energy bins of counts.

    Parameters
    ----------
    exposure : skymask.io.maps.SkyMap or skymask.io.healpix_files.HealpixPlanes
        As from `skymask.io.maps.read_expected`: planes at energies, in the bins of the counts, or a single one, on any
        grid.
    counts : skymask.io.maps.Layout
    options : ExposureOptions
    name : str
        What messages call the exposure.

    Returns
    -------
    acceptance : ndarray of float, shape (n, ny, nx)
        NaN where there is no exposure; n is the number of energy bins, 1 if the exposure has no energies.

    Raises
    ------
    MapError
        If it is no exposure, its energies or those of the counts are not known or do not agree, or it lies elsewhere.
    """
    is_image = hasattr(exposure, "header")
    if is_image:
        _check_unit(exposure.header, name)
    planes = (exposure.data if is_image else exposure.values).astype(float)
    if exposure.energies is not None:
        axis = counts.energies or energies_of_image(counts.header, options.energy_range, name)
        weights = _weights(exposure.energies, axis, options.spectral_index, name)
        used = weights.any(axis=0)
        planes = np.tensordot(weights[:, used], planes[used], axes=1)
    for problem, bad in {"infinite": np.isinf(planes), "negative": planes < 0}.items():
        if bad.any():
            raise MapError(f"{name} is {problem} in {np.count_nonzero(bad.any(axis=0))} pixels")
    if not is_image:
        planes = healpix_bilinear(planes, exposure, counts.header, counts.shape)
    elif sky_cards(exposure.header) != sky_cards(counts.header) or planes.shape[1:] != counts.shape:
        planes = bilinear(planes, exposure.header, counts.header, counts.shape, name=name)
    if not np.nan_to_num(planes).any():
        raise MapError(f"{name} is nowhere above zero on the map of the counts: does it lie elsewhere on the sky?")
    return planes * relative_solid_angle(counts.header, counts.shape)


def _weights(energies, axis, spectral_index, name):
    """The weights of the planes of an exposure in energy bins, shape (n, m)."""
    if isinstance(energies, EnergyNodes):
        return energy_weights(energies, axis, spectral_index, name)
    if not same_axis(axis, energies):
        raise MapError(f"{name} has other energy bins than counts")
    exponent, widths = 1 - spectral_index, np.log(axis.upper / axis.lower)
    counts = np.expm1(exponent * widths) / exponent if exponent else widths
    counts = counts * (axis.lower / axis.lower[0]) ** exponent
    return np.diag(counts / counts.sum())


def energies_of_image(header, energy_range, name):
    """Return the energies of counts without an energy axis, as one bin.

    Parameters
    ----------
    header : Header
        Of the counts.
    energy_range : (str, str) or None
        What the configuration says; without it, it is the header.
    name : str
        What messages call the exposure.

    Raises
    ------
    MapError
        If nothing says which energies they are.
    """
    found = [units.Quantity(text).to_value("GeV") for text in energy_range or ()] or energies_of(header)
    if found is not None:
        return EnergyAxis(*np.array(found)[:, None], "GeV")
    raise MapError(
        f"{name} is given at energies, and nothing says which ones the counts have: give energy_range, as in "
        "[1 GeV, 100 GeV]"
    )


def energy_weights(nodes, axis, spectral_index, name="exposure"):
    """Return the weights by which an exposure at energies is summed to one of energy bins.

    Parameters
    ----------
    nodes : skymask.io.energy_axes.EnergyNodes
        m energies at which the exposure is given; it is linear in their logarithm between them.
    axis : skymask.io.energy_axes.EnergyAxis
        n bins.
    spectral_index : float
        That of the power law with which energies count.
    name : str
        Name of the exposure for messages.

    Returns
    -------
    weights : ndarray, shape (n, m)
        Those of all bins together add up to 1.

    Raises
    ------
    MapError
        If a bin lies beyond the energies of the exposure.
    """
    to_unit = units.Unit(axis.unit).to(nodes.unit)
    x = np.log(nodes.values)
    lower, upper = np.log(axis.lower * to_unit), np.log(axis.upper * to_unit)
    _check_energies(nodes, lower, upper, axis, name)
    middle, (points, shares) = x.mean(), np.polynomial.legendre.leggauss(POINTS)
    weights = np.zeros((len(lower), len(x)))
    # Beyond the first and the last energy, the exposure stays what it is there.
    ends = np.concatenate([[-np.inf], x, [np.inf]])
    for number, (low, high) in enumerate(zip(lower, upper, strict=True)):
        for interval, (begin, end) in enumerate(itertools.pairwise(ends)):
            begin, end = max(begin, low), min(end, high)
            if not begin < end:
                continue
            at = begin + (points + 1) / 2 * (end - begin)
            spectrum = np.exp((1 - spectral_index) * (at - middle)) * shares / 2 * (end - begin)
            left, right = max(interval - 1, 0), min(interval, len(x) - 1)
            part = (at - x[left]) / (x[right] - x[left]) if right > left else np.zeros(len(at))
            weights[number, left] += (spectrum * (1 - part)).sum()
            weights[number, right] += (spectrum * part).sum()
    return weights / weights.sum()


def describe_energies(nodes):
    """Return the energies of an exposure in words."""
    return f"{len(nodes.values)} energies, {nodes.values[0]:.4g} to {nodes.values[-1]:.4g} {nodes.unit}"


def _check_energies(nodes, lower, upper, axis, name):
    """Raise a MapError if bins reach too far beyond the energies of an exposure."""
    x = np.log(nodes.values)
    steps = (x[1] - x[0], x[-1] - x[-2]) if len(x) > 1 else (np.inf, np.inf)
    missing = (lower < x[0] - BEYOND * steps[0]) | (upper > x[-1] + BEYOND * steps[1])
    missing |= (upper <= x[0]) | (lower >= x[-1])
    if len(x) > 1 and missing.any():
        bins = f"{axis.lower[missing][0]:.4g} to {axis.upper[missing][0]:.4g} {axis.unit}"
        raise MapError(f"{name} has {describe_energies(nodes)}: counts of {bins} lie beyond")


def _check_unit(header, name):
    """Raise a MapError if a map at energies has the unit of something else than an exposure, such as an intensity."""
    text = card_text(header, "BUNIT", name)
    with warnings.catch_warnings():
        # Units of the field are not always spelt as astropy likes them.
        warnings.simplefilter("ignore")
        unit = units.Unit(text, parse_strict="silent")
    if isinstance(unit, units.UnrecognizedUnit):
        return
    if not any(unit.is_equivalent(known) for known in ("", "s", "cm2 s", "cm2")):
        raise MapError(f"{name} is in {text}, and an exposure is in cm2 s, cm2 or s")
