"""Exposures at energies and on other grids become acceptances, as an integral done otherwise has it."""

import itertools

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from conftest import field_with_source, sky_header, write_config, write_map
from scipy.integrate import quad
from test_events import columns_of, write_events

from skymask.cli.check import forecast
from skymask.datasets.exposures import (
    DEFAULTS,
    ExposureOptions,
    acceptance_of_exposure,
    energies_of_image,
    energy_weights,
)
from skymask.datasets.reading import read_dataset
from skymask.errors import MapError
from skymask.io import maps
from skymask.io.energy_axes import EnergyAxis, EnergyNodes
from skymask.sky.geometry import sky_positions, sky_projection
from skymask.sky.interpolation import bilinear, relative_solid_angle

#: Energies of an exposure in MeV, and edges of the bins of counts in GeV, which are not among them.
NODES = EnergyNodes(np.geomspace(100, 20000, 12), "MeV")
EDGES = np.array([0.13, 0.5, 2.0, 15.0])
BINS = EnergyAxis(EDGES[:-1], EDGES[1:], "GeV")

#: All of the sky, in pixels of two degrees.
ALL_SKY = {
    "CTYPE1": "GLON-CAR",
    "CTYPE2": "GLAT-CAR",
    "CRVAL1": 0.0,
    "CRVAL2": 0.0,
    "CRPIX1": 90.5,
    "CRPIX2": 45.5,
    "CDELT1": -2.0,
    "CDELT2": 2.0,
    "CUNIT1": "deg",
    "CUNIT2": "deg",
}


def area(energy):
    """An exposure that rises and falls with the energy in MeV."""
    x = np.log10(energy)
    return 1 + x - 0.2 * x**2


def on_sky(longitude, latitude):
    """A smooth factor of position, in galactic coordinates in degrees."""
    return 1.5 + np.sin(np.radians(longitude)) * np.cos(np.radians(latitude)) + 0.4 * np.sin(np.radians(latitude))


def write_all_sky(path, name="ENERGIES", unit=None):
    """Write an exposure as gtexpcube2 does."""
    y, x = np.indices((90, 180))
    header = fits.Header(ALL_SKY)
    longitude, latitude = sky_positions(header, x.ravel(), y.ravel()).T
    planes = area(NODES.values)[:, None] * on_sky(longitude, latitude)
    image = fits.PrimaryHDU((1e10 * planes).reshape(12, 90, 180).astype("f4"), header)
    table = fits.BinTableHDU.from_columns([fits.Column("Energy", "D", unit, array=NODES.values)], name=name)
    fits.HDUList([image, table]).writeto(path, overwrite=True)
    return str(path)


def integrals(index):
    """The integral of exposure and spectrum over every bin, by adaptive quadrature, up to one factor."""

    def integrand(x):
        return np.exp((1 - index) * x) * np.interp(x, np.log(NODES.values), area(NODES.values))

    kinks = np.log(NODES.values)
    edges = np.log(1000 * EDGES)
    return np.array([quad(integrand, *pair, points=kinks, limit=200)[0] for pair in itertools.pairwise(edges)])


@pytest.mark.parametrize("index", [0, 1, 2, 2.7])
def test_bins_are_integrals_over_the_spectrum(index):
    found = energy_weights(NODES, BINS, index) @ area(NODES.values)
    expected = integrals(index)
    np.testing.assert_allclose(found / found.sum(), expected / expected.sum(), rtol=1e-7)


def test_an_exposure_that_is_the_same_at_all_energies_counts_once():
    assert energy_weights(NODES, BINS, 2).sum() == pytest.approx(1, rel=1e-12)


def test_beyond_its_energies_an_exposure_stays_what_it_is():
    # A bin of a map of true energies reaches half a step beyond the first of them.
    below = EnergyAxis(np.array([0.09]), np.array([0.1001]), "GeV")
    np.testing.assert_allclose(energy_weights(NODES, below, 2)[0, :2], [1, 0], atol=1e-3)


@pytest.mark.parametrize("pair", [(0.01, 0.05), (0.01, 1), (1, 500)])
def test_bins_far_beyond_the_energies_are_refused(pair):
    axis = EnergyAxis(*np.array(pair)[:, None], "GeV")
    with pytest.raises(MapError, match=r"e.fits has 12 energies, 100 to 2e\+04 MeV: counts of .* GeV lie beyond"):
        energy_weights(NODES, axis, 2, "e.fits")


def test_what_is_linear_is_interpolated_exactly():
    there = sky_header((40, 50), pixel_size=0.1, ctype=("GLON-CAR", "GLAT-CAR"), center=(0, 0))
    here = sky_header((30, 20), pixel_size=0.07, ctype=("GLON-CAR", "GLAT-CAR"), center=(0, 0))
    y, x = np.indices((40, 50))
    values = bilinear((3.0 * x + y)[None], there, here, (30, 20), name="map")[0]
    pixels = WCS(there).world_to_pixel_values(*WCS(here).pixel_to_world_values(*np.indices((30, 20))[::-1]))
    np.testing.assert_allclose(values, 3 * pixels[0] + pixels[1], rtol=1e-9)


def test_a_map_of_all_the_sky_has_no_edge_in_longitude():
    header = sky_header((4, 41), pixel_size=0.2, ctype=("GLON-CAR", "GLAT-CAR"), center=(180, 0))
    y, x = np.indices((90, 180))
    longitude, latitude = sky_positions(fits.Header(ALL_SKY), x.ravel(), y.ravel()).T
    planes = on_sky(longitude, latitude).reshape(1, 90, 180)
    values = bilinear(planes, fits.Header(ALL_SKY), header, (4, 41), name="map")[0]
    y, x = np.indices((4, 41))
    expected = on_sky(*sky_positions(header, x.ravel(), y.ravel()).T).reshape(4, 41)
    np.testing.assert_allclose(values, expected, rtol=1e-3)


def test_there_is_nothing_beyond_a_map():
    there, here = (sky_header((n, n), center=(83.6, 22)) for n in (10, 14))
    values = bilinear(np.ones((1, 10, 10)), there, here, (14, 14), name="map")[0]
    assert np.isfinite(values).sum() == 100
    assert np.isfinite(values[2:12, 2:12]).all()


def test_an_undefined_pixel_reaches_no_farther_than_its_neighbours():
    planes = np.ones((1, 10, 10))
    planes[0, 4, 4] = np.nan
    values = bilinear(planes, sky_header((10, 10)), sky_header((10, 10)), (10, 10), name="map")[0]
    assert np.argwhere(np.isnan(values)).tolist() == [[4, 4]]


def test_solid_angles_are_those_of_the_projection():
    header = fits.Header(ALL_SKY)
    latitude = sky_positions(header, np.zeros(90), np.arange(90))[:, 1]
    areas = relative_solid_angle(header, (90, 180))
    expected = np.cos(np.radians(latitude)) / np.cos(0)
    np.testing.assert_allclose(areas, np.broadcast_to(expected[:, None], (90, 180)), rtol=3e-3, atol=1e-3)
    # On a tangent plane, the cube of the cosine of the distance.
    tangent = sky_header((101, 101), pixel_size=0.2)
    distance = np.arctan(np.radians(0.2) * np.hypot(*(np.indices((101, 101)) - 50)))
    np.testing.assert_allclose(relative_solid_angle(tangent, (101, 101)), np.cos(distance) ** 3, rtol=1e-4)


@pytest.mark.parametrize("index", [2, 2.7])
def test_acceptance_is_the_integral_at_every_pixel(tmp_path, index):
    header = sky_header((20, 30), pixel_size=0.5, center=(83.6, 22))
    layout = maps.Layout(header, (20, 30), BINS)
    exposure = maps.read_expected(write_all_sky(tmp_path / "e.fits"))
    acceptance = acceptance_of_exposure(exposure, layout, ExposureOptions(index), name="e.fits")
    y, x = np.indices((20, 30))
    there = SkyCoord(WCS(header).pixel_to_world(x, y)).galactic
    distance = np.arctan(np.radians(0.5) * np.hypot(y - 9.5, x - 14.5))
    expected = integrals(index)[:, None, None] * on_sky(there.l.deg, there.b.deg) * np.cos(distance) ** 3
    np.testing.assert_allclose(acceptance / acceptance.sum(), expected / expected.sum(), rtol=1e-3)


def test_exposure_on_the_same_pixels_is_not_interpolated():
    header = sky_header((20, 20), pixel_size=0.01)
    plane = np.random.default_rng(0).uniform(1, 2, (1, 20, 20))
    layout = maps.Layout(header, (20, 20), None)
    found = acceptance_of_exposure(maps.SkyMap(plane, header), layout, DEFAULTS, name="e.fits")
    np.testing.assert_allclose(found, plane, rtol=1e-4)


def test_exposure_in_the_bins_of_the_counts_is_taken_as_constant_in_them():
    header = sky_header((4, 4), pixel_size=0.01)
    planes = np.ones((3, 4, 4)) * np.array([1.0, 2.0, 3.0])[:, None, None]
    layout = maps.Layout(header, (4, 4), BINS)
    found = acceptance_of_exposure(maps.SkyMap(planes, header, BINS), layout, ExposureOptions(2), name="e.fits")
    # The integral of a power law of index 2 is the difference of the inverse energies.
    expected = np.array([1, 2, 3]) * (1 / EDGES[:-1] - 1 / EDGES[1:])
    np.testing.assert_allclose(found[:, 0, 0] / found[0, 0, 0], expected / expected[0], rtol=1e-6)


def cube_of(path, counts, header):
    """Write counts in the bins of `BINS`."""
    columns = [
        fits.Column(key, "D", "GeV", array=edges) for key, edges in (("E_MIN", EDGES[:-1]), ("E_MAX", EDGES[1:]))
    ]
    table = fits.BinTableHDU.from_columns(columns, name="EBOUNDS")
    fits.HDUList([fits.PrimaryHDU(counts, header), table]).writeto(path)
    return str(path)


@pytest.mark.parametrize("key", ["acceptance", "exposure"])
def test_a_cube_takes_an_exposure_bin_by_bin(tmp_path, key):
    header = sky_header((20, 30), pixel_size=0.5)
    counts = cube_of(tmp_path / "cube.fits", np.ones((3, 20, 30), dtype=np.int32), header)
    exposure = write_all_sky(tmp_path / "e.fits")
    dataset = read_dataset(counts, **{key: exposure}, spectral_index=2.4)
    layout = maps.read_layout(counts)
    expected = acceptance_of_exposure(maps.read_expected(exposure), layout, ExposureOptions(2.4), name="e.fits")
    np.testing.assert_allclose(next(iter(dataset.runs)).acceptance, expected, rtol=1e-12)
    only = layout._replace(energies=EnergyAxis(BINS.lower[[1]], BINS.upper[[1]], "GeV"))
    (one,) = acceptance_of_exposure(maps.read_expected(exposure), only, ExposureOptions(2.4), name="e.fits")
    found = read_dataset(counts, **{key: exposure}, spectral_index=2.4, energy_bin=1).inputs.acceptance
    np.testing.assert_allclose(found, one, rtol=1e-12)


def test_a_map_says_its_energies_or_the_configuration_does(tmp_path):
    header = sky_header((20, 30), pixel_size=0.5)
    counts, exposure = write_map(tmp_path / "c.fits", np.ones((20, 30)), header), write_all_sky(tmp_path / "e.fits")
    with pytest.raises(MapError, match=r"nothing says which ones the counts have: give energy_range, as in \[1 GeV"):
        read_dataset(counts, exposure=exposure)
    given = read_dataset(counts, exposure=exposure, energy_range=["0.13 GeV", "15000 MeV"]).inputs.acceptance
    header.update({"DSTYP1": "ENERGY", "DSUNI1": "MeV", "DSVAL1": "130:15000"})
    selected = read_dataset(write_map(counts, np.ones((20, 30)), header), exposure=exposure).inputs.acceptance
    np.testing.assert_allclose(given, selected, rtol=1e-9)


def test_events_say_their_energies_by_the_cut_and_by_their_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    columns = columns_of([1, 2], [1, 1], ENERGY=(np.array([0.3, 3]), "GeV"))
    write_events("e.fits", columns, DSTYP1="ENERGY", DSUNI1="MeV", DSVAL1="100:10000")
    write_all_sky("exposure.fits")
    geometry = {"center": ["83.633 deg", "22.014 deg"], "width": ["4 deg", "4 deg"], "pixel_size": "0.05 deg"}
    entry = {"events": "e.fits", "exposure": "exposure.fits", "geometry": geometry}
    cut = {"cuts": {"energy": ["0.2 GeV", None]}}
    write_config("mine.yaml", datasets={"a": entry | cut})
    lines, mistakes = forecast("mine.yaml")
    assert mistakes == []
    assert "  exposure           12 energies, 100 to 2e+04 MeV, integrated with the spectral index 2" in lines


def test_energies_of_cards_are_in_gev():
    axis = energies_of_image(fits.Header({"E_MIN": 0.2, "E_MAX": 10.0}), None, "e.fits")
    assert (axis.lower.tolist(), axis.upper.tolist(), axis.unit) == ([0.2], [10.0], "GeV")


@pytest.mark.parametrize(("unit", "read"), [(None, "MeV"), ("MeV", "MeV"), ("GeV", "GeV")])
def test_energies_of_planes_have_the_unit_of_their_column_and_mev_without(tmp_path, unit, read):
    energies = maps.read_expected(write_all_sky(tmp_path / "e.fits", unit=unit)).energies
    assert energies.unit == read
    np.testing.assert_array_equal(energies.values, NODES.values)


def test_true_energies_of_gammapy_are_energies_of_an_exposure(tmp_path, gammapy):
    from gammapy.maps import Map, MapAxis

    axis = MapAxis.from_energy_bounds("0.1 TeV", "10 TeV", nbin=4, name="energy_true")
    Map.create(npix=(5, 6), binsz=0.1, axes=[axis], unit="cm2 s").write(tmp_path / "m.fits", hdu="EXPOSURE")
    exposure = maps.read_expected(f"{tmp_path}/m.fits[EXPOSURE]")
    np.testing.assert_allclose(exposure.energies.values, axis.center.value, rtol=1e-6)
    assert exposure.energies.unit == "TeV"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"BUNIT": "photon/cm**2/s/MeV/sr"}, "is in photon.*, and an exposure is in cm2 s, cm2 or s"),
        ({"CRVAL1": 180.0, "CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN"}, "nowhere above zero on the map of the counts"),
    ],
)
def test_what_is_no_exposure_of_the_map_is_refused(tmp_path, changes, words):
    counts = write_map(tmp_path / "c.fits", np.ones((20, 30)), sky_header((20, 30), pixel_size=0.1, center=(266, -29)))
    image = fits.PrimaryHDU(
        np.ones((12, 9, 9)), fits.Header(ALL_SKY | {"CRPIX1": 5, "CRPIX2": 5, "CDELT1": -0.5} | changes)
    )
    table = fits.BinTableHDU.from_columns([fits.Column("Energy", "D", array=NODES.values)], name="ENERGIES")
    fits.HDUList([image, table]).writeto(tmp_path / "e.fits")
    with pytest.raises(MapError, match=words):
        read_dataset(counts, exposure=str(tmp_path / "e.fits"), energy_range=["1 GeV", "2 GeV"])


def test_acceptance_and_exposure_exclude_each_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_map("c.fits", field_with_source())
    write_map("e.fits", np.ones((60, 60)))
    write_config("mine.yaml", datasets={"a": {"counts": "c.fits", "acceptance": "e.fits", "exposure": "e.fits"}})
    assert "datasets.a: exposure stands in the place of acceptance, give one of them" in forecast("mine.yaml")[1]


def test_real_exposure_of_fermi_lat_is_that_of_an_interpolation_done_otherwise(shared):
    """The Crab with gtexpcube2, in pixels of half a degree, for counts in pixels of a tenth."""
    from scipy.interpolate import RegularGridInterpolator

    folder = shared / "data/zoo/fermi-p7v6"
    counts, exposure = (str(folder / f"p7v6-{name}.fits.gz") for name in ("cntmap", "binned_expmap"))
    found = next(iter(read_dataset(counts, acceptance=exposure, spectral_index=2.0).runs)).acceptance
    with fits.open(exposure) as hdus:
        data, energies = hdus[0].data.astype(float), hdus["ENERGIES"].data["Energy"]
        there = sky_projection(hdus[0].header)
    layout = maps.read_layout(counts)
    here = sky_projection(layout.header)
    y, x = np.indices((100, 100))
    pixels = there.world_to_pixel_values(*here.pixel_to_world_values(x, y))
    # All in one, linear in energy and position, by a fine midpoint rule.
    edges = np.log(np.append(layout.energies.lower, layout.energies.upper[-1]) / 1000)
    for number in (0, 7, 19):
        at = edges[number] + (np.arange(20) + 0.5) / 20 * (edges[number + 1] - edges[number])
        spline = RegularGridInterpolator((np.log(energies), np.arange(30), np.arange(30)), data)
        grid = np.stack([np.stack([np.full(x.shape, e), pixels[1], pixels[0]], axis=-1) for e in at])
        weights = np.exp(-at)
        expected = np.tensordot(weights, spline(grid), axes=1)
        latitude = here.pixel_to_world(x, y).b.rad
        expected = expected * np.cos(latitude - latitude.mean())
        np.testing.assert_allclose(found[number] / found[number].mean(), expected / expected.mean(), rtol=1e-3)
