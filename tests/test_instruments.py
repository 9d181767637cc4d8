"""Instruments: how sharply they see at the energies of the data, and which radii follow."""

import numpy as np
import pytest
from astropy.io import fits

from skymask.cli.init import fitting_radii
from skymask.datasets.instruments import INSTRUMENTS, energies_of, instrument_of
from skymask.io.energy_axes import EnergyAxis

LAT = INSTRUMENTS["FERMI"]


@pytest.mark.parametrize(
    ("energy", "radius"),
    # The mean of 6.38e-2 and 1.23e-1 rad, times (E / 100 MeV)^-0.8, where the other terms are small; at high energies
    # the mean of 1.26e-3 and 2.22e-3 rad.
    [(0.1, 5.35), (1.0, 0.848), (1000.0, 0.0997)],
)
def test_fermi_sees_as_its_scale_factors_say(energy, radius):
    found, at = LAT.point_spread_at((energy / 1.1, energy * 1.1))
    assert at == pytest.approx(energy)
    assert found == pytest.approx(radius, rel=0.01)


def test_radius_is_that_in_the_middle_of_the_energies():
    assert LAT.point_spread_at((0.1, 10)) == LAT.point_spread_at((0.5, 2))
    # Few photons are far above the lowest energies.
    assert LAT.point_spread_at((0.1, 300)) == LAT.point_spread_at((0.1, 10))


def test_without_energies_the_sharpest_stands():
    assert LAT.point_spread_at()[0] == pytest.approx(0.1, rel=0.05)


def test_radii_follow_the_point_spread_function_where_it_is_wide():
    assert LAT.radii_at((10, 2000)) == (0.25, 1.0, 1.0, 0.3)
    source, inner, width, dilation = LAT.radii_at((0.1, 10))
    # What is right for the Crab from 0.1 to 10 GeV: 0.8 deg, 3 to 4.5 deg, 1 deg.
    assert (source, inner, inner + width, dilation) == pytest.approx((0.8, 3.0, 4.5, 1.0), rel=0.07)


@pytest.mark.parametrize("name", INSTRUMENTS)
@pytest.mark.parametrize("energies", [None, (1e-3, 1e-2), (0.1, 10), (50, 100), (1000, 1e5)])
def test_source_kernel_is_never_smaller_than_the_point_spread_function(name, energies):
    instrument = INSTRUMENTS[name]
    source, inner, width, _ = instrument.radii_at(energies)
    assert source >= instrument.point_spread_at(energies)[0]
    assert inner > 2 * source or inner + width > 4 * source
    assert fitting_radii((source, inner, width, source), 1e-4, 100)[0] == source


@pytest.mark.parametrize(
    ("key", "value", "known"),
    [
        ("TELESCOP", "H.E.S.S.", "H.E.S.S."),
        ("TELESCOP", "ROSAT", "ROSAT"),
        ("INSTRUME", "XMM-EPN", "XMM-Newton"),
        ("TELESCOP", "none", None),
        ("ORIGIN", "HESS", None),
    ],
)
def test_instrument_is_told_by_the_header(key, value, known):
    assert getattr(instrument_of(fits.Header({key: value})), "name", None) == known


def test_energies_are_those_of_bins_of_cards_or_of_the_selection():
    axis = EnergyAxis(np.array([100.0, 300.0]), np.array([300.0, 1000.0]), "MeV")
    selection = {"DSTYP1": "ENERGY", "DSUNI1": "MeV", "DSVAL1": "100:10000"}
    assert energies_of(fits.Header(), axis) == pytest.approx((0.1, 1))
    assert energies_of(fits.Header({"E_MIN": 0.2, "E_MAX": 5.0} | selection)) == pytest.approx((0.2, 5))
    assert energies_of(fits.Header(selection)) == pytest.approx((0.1, 10))
    assert energies_of(fits.Header()) is None
    assert energies_of(fits.Header(selection | {"DSVAL1": "100:"})) is None


def test_instrument_says_how_sharply_it_sees_and_where():
    assert LAT.describe((0.1, 10)) == "Fermi-LAT sees points within about 0.85 deg at 1 GeV"
    assert INSTRUMENTS["XMM"].describe((1e-6, 2e-6)) == "XMM-Newton sees points within about 0.25 arcmin"
