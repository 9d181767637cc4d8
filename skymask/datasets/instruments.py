"""What is known of instruments: how sharply they see at which energies, and which kernels and pixels suit them."""

import re
from typing import NamedTuple

import numpy as np
from astropy.units import Quantity

from skymask.io.data_subspace import ENERGY_CARDS, selected_range
from skymask.io.header_cards import card_number, card_text
from skymask.units import energy_text, length_text

#: Of a wide range of energies, nearly all photons are within so large a factor above the lowest one.
WIDEST_RANGE = 100

#: Inner radius and width of the ring, and dilation, in point spread functions, where that is wider than usual.
RING_OF_POINT, WIDTH_OF_POINT, DILATION_OF_POINT = 3.5, 1.75, 1.2


class Instrument(NamedTuple):
    """What suits an instrument, all lengths in degrees.

    Attributes
    ----------
    name : str
    point_spread : tuple of (float, float)
        Energies in GeV, in increasing order, and the radii that hold 68 % of a point source there. One pair stands for
        all energies.
    radii : tuple of float
        Source kernel, inner radius and width of the ring, and dilation, unless the point spread function is wider.
    pixel_size, widest : float
        Size of pixels, and of the widest field.
    extended : float or None
        Outer radius up to which a ring is to grow, where sources are as wide as rings.
    """

    name: str
    point_spread: tuple
    radii: tuple
    pixel_size: float
    widest: float
    extended: float | None = None

    def point_spread_at(self, energies=None):
        """Return the radius that holds 68 % of a point source, and the energy in GeV for which that is.

        Parameters
        ----------
        energies : (float, float), optional
            Lowest and highest energy of the data in GeV. The radius is that at their geometric mean, of a range of more
            than `WIDEST_RANGE` at that of its lower end. Without them it is the smallest of all.
        """
        known, radii = np.transpose(self.point_spread)
        if energies is None:
            return float(radii.min()), float(known[np.argmin(radii)])
        low, high = energies
        energy = float(np.sqrt(low * min(high, WIDEST_RANGE * low)))
        return float(np.exp(np.interp(np.log(energy), np.log(known), np.log(radii)))), energy

    def radii_at(self, energies=None):
        """Return source kernel, inner radius and width of the ring, and dilation for data of these energies."""
        source = max(self.radii[0], self.point_spread_at(energies)[0])
        if source == self.radii[0]:
            return self.radii
        of_point = (source, *(factor * source for factor in (RING_OF_POINT, WIDTH_OF_POINT, DILATION_OF_POINT)))
        return tuple(map(max, self.radii, of_point))

    def describe(self, energies=None):
        """Return in words how sharply it sees."""
        radius, energy = self.point_spread_at(energies)
        at = f" at {energy_text(energy)}" if energies is not None and len(self.point_spread) > 1 else ""
        return f"{self.name} sees points within about {length_text(radius, digits=2)}{at}"


def _lat_point_spread():
    """Radii of Fermi-LAT: the mean of the scales of front and back events of P8R3_V2.

    S(E) = [(c_0 (E / 100 MeV)^-0.8)^2 + c_1^2]^(1/2), the radius of 68 % within 15 % (Fermi Science Support Center,
    Cicerone, "The Point Spread Function (PSF)",
    https://fermi.gsfc.nasa.gov/ssc/data/analysis/documentation/Cicerone/Cicerone_LAT_IRFs/IRF_PSF.html).
    """
    energies = 10.0 ** np.arange(-1.5, 2.75, 0.25)
    scales = [np.hypot(c_0 * (energies / 0.1) ** -0.8, c_1) for c_0, c_1 in ((6.38e-2, 1.26e-3), (1.23e-1, 2.22e-3))]
    return tuple(zip(energies.tolist(), np.degrees(np.mean(scales, axis=0)).tolist(), strict=True))


def _arcsec(*radii):
    return tuple(radius / 3600 for radius in radii)


def _all_energies(radius):
    """The point spread function of an X-ray telescope, at 1 keV for all energies."""
    return ((1e-6, radius / 3600),)


#: The ring is that of the H.E.S.S. software.
_CHERENKOV = {"radii": (0.1, 0.7, 0.44, 0.3), "pixel_size": 0.02, "widest": 5.0}

# 68 % within about 0.1 deg at all energies (Aharonian et al. 2006, A&A 457, 899, sect. 4).
_HESS = Instrument("H.E.S.S.", ((1000, 0.1),), **_CHERENKOV)
# 68 % within 0.1 deg at 1 TeV (Park et al. 2015, arXiv:1508.07070).
_VERITAS = Instrument("VERITAS", ((1000, 0.1),), **_CHERENKOV)
# 68 % within 0.157 deg at 95 GeV, 0.056 deg at 9.5 TeV (Aleksić et al. 2016, Astropart. Phys. 72, 76, sect. 4.5); a
# Gaussian of 0.07 deg at a few hundred GeV.
_MAGIC = Instrument("MAGIC", ((95, 0.157), (238, 0.108), (599, 0.081), (1504, 0.071), (9487, 0.056)), **_CHERENKOV)
# As the others: it is a single telescope, and no sharper than they are.
_FACT = Instrument("FACT", ((1000, 0.1),), **_CHERENKOV)
# About 0.3 deg at 50 GeV, 0.13 deg at 1 TeV for one telescope (Abe et al. 2023, ApJ 956, 80, sect. 5).
_LST = Instrument("LST-1", ((50, 0.3), (100, 0.25), (300, 0.19), (1000, 0.13)), **_CHERENKOV)
# About 0.13 deg at 100 GeV, 0.055 deg at 1 TeV, 0.03 deg at 10 TeV (performance of the alpha configurations,
# doi:10.5281/zenodo.5499840).
_CTA = Instrument("CTAO", ((100, 0.13), (1000, 0.055), (10000, 0.03)), **_CHERENKOV)
# 68 % within 1.03 deg of events that hit the fewest photomultipliers, of some 0.7 TeV, to 0.17 deg, of some 50 TeV
# (Abeysekara et al. 2017, ApJ 843, 39, table 2).
_HAWC = Instrument("HAWC", ((700, 1.03), (2000, 0.5), (12000, 0.28), (50000, 0.17)), (0.2, 1.0, 1.0, 0.4), 0.05, 20.0)
_LAT = Instrument("Fermi-LAT", _lat_point_spread(), (0.25, 1.0, 1.0, 0.3), 0.05, 20.0)
# 68 to 71 % within 15 arcsec in the three cameras (XMM-Newton SAS, eupper).
_XMM = Instrument("XMM-Newton", _all_energies(15), _arcsec(15, 60, 60, 30), 4 / 3600, 1.0, extended=0.2)
# 68 % within 1 arcsec on the axis, 2 arcsec some 4 arcmin off it (Chandra Proposers' Observatory Guide, ch. 4).
_CHANDRA = Instrument("Chandra", _all_energies(2), _arcsec(2.5, 15, 15, 5), 0.5 / 3600, 0.3, extended=0.1)
# Half-energy width of 26 arcsec, averaged over the field of view (Predehl et al. 2021, A&A 647, A1).
_EROSITA = Instrument("eROSITA", _all_energies(20), _arcsec(30, 120, 120, 60), 8 / 3600, 4.0, extended=0.4)
# 50 % within 13 arcsec, 90 % within 27 arcsec on the axis (ROSAT Guest Observer Facility, "What does the PSF look
# like?"); wider than 1 arcmin from 15 arcmin off it.
_ROSAT = Instrument("ROSAT", _all_energies(18), _arcsec(75, 360, 240, 220), 15 / 3600, 2.0, extended=0.6)
# Half-power diameter of 18 arcsec at 1.5 keV (Burrows et al. 2005, Space Sci. Rev. 120, 165).
_SWIFT = Instrument("Swift-XRT", _all_energies(14), _arcsec(20, 80, 80, 40), 2.36 / 3600, 0.4, extended=0.15)
# Half-power diameter of 58 arcsec (Harrison et al. 2013, ApJ 770, 103).
_NUSTAR = Instrument("NuSTAR", _all_energies(45), _arcsec(45, 150, 90, 90), 2.46 / 3600, 0.25, extended=0.1)

#: Instruments by the beginning of TELESCOP or INSTRUME in a header, letters and digits alone.
INSTRUMENTS = {
    "HESS": _HESS,
    "VERITAS": _VERITAS,
    "MAGIC": _MAGIC,
    "FACT": _FACT,
    "CTA": _CTA,
    "LST": _LST,
    "HAWC": _HAWC,
    "GLAST": _LAT,
    "FERMI": _LAT,
    "XMM": _XMM,
    "CHANDRA": _CHANDRA,
    "EROSITA": _EROSITA,
    "ROSAT": _ROSAT,
    "SWIFT": _SWIFT,
    "NUSTAR": _NUSTAR,
}


def instrument_of(header):
    """Return the instrument that a header names, or None."""
    for key in ("TELESCOP", "INSTRUME"):
        word = re.sub(r"[^A-Z0-9]", "", card_text(header, key, "the file").upper())
        for name, found in INSTRUMENTS.items():
            if word.startswith(name):
                return found
    return None


def energies_of(header, axis=None, *, name="counts"):
    """Return lowest and highest energy of data in GeV, or None if nothing says them.

    Parameters
    ----------
    header : Header
        With E_MIN and E_MAX, as counts of events have, or data subspace keywords.
    axis : EnergyAxis, optional
        Bins of the data, if they have any.
    name : str
        What messages call the file.
    """
    if axis is not None:
        low, high, unit = float(axis.lower.min()), float(axis.upper.max()), axis.unit
    elif all(key in header for key in ENERGY_CARDS):
        low, high = (card_number(header, key, name) for key in ENERGY_CARDS)
        unit = "GeV"
    else:
        selected = selected_range(header, "energy", name)
        if selected is None or None in selected[:2]:
            return None
        low, high, unit = selected
    low, high = (float(value) for value in Quantity([low, high], unit).to_value("GeV"))
    return (low, high) if 0 < low < high else None
