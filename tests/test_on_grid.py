"""Masks, coverage and acceptances of other kinds on the pixels of the counts: HEALPix maps, MOCs, inverse masks."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from astropy_healpix import HEALPix
from conftest import sky_header, write_config, write_map

from skymask.cli.check import forecast
from skymask.datasets.reading import read_dataset
from skymask.errors import MapError
from skymask.io.healpix_files import Moc, read_on_sky
from skymask.sky.exclusion_regions import region_mask

SHAPE = (30, 40)
HEADER = sky_header(SHAPE, pixel_size=0.2)
CENTERS = SkyCoord(WCS(HEADER).pixel_to_world(*np.indices(SHAPE)[::-1]))


@pytest.fixture
def counts(tmp_path):
    return write_map(tmp_path / "counts.fits", np.ones(SHAPE, dtype=np.int32), HEADER)


def write_table(path, columns, **header):
    made = [fits.Column(name, code, unit, array=values) for name, (code, unit, values) in columns.items()]
    table = fits.BinTableHDU.from_columns(made)
    table.header.update({"PIXTYPE": "HEALPIX", **header})
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path, overwrite=True)
    return str(path)


def write_sky(path, values, *, order="RING", frame="G", pixels=None, **header):
    """Write a HEALPix map of the whole sky, or of some pixels."""
    columns = {} if pixels is None else {"PIXEL": ("K", None, pixels)}
    scheme = "IMPLICIT" if pixels is None else "EXPLICIT"
    cards = {"NSIDE": 64, "ORDERING": order, "COORDSYS": frame, "INDXSCHM": scheme, **header}
    return write_table(path, columns | {"VALUE": ("D", None, values)}, **cards)


def healpix(order="ring", frame="galactic", nside=64):
    return HEALPix(nside=nside, order=order, frame=frame)


def in_pixels(numbers, order="ring", frame="galactic", nside=64):
    """Which centres lie in some HEALPix pixels, by astropy-healpix itself."""
    return np.isin(healpix(order, frame, nside).skycoord_to_healpix(CENTERS), numbers)


@pytest.mark.parametrize(("order", "frame", "card"), [("ring", "galactic", "G"), ("nested", "icrs", "C")])
def test_a_healpix_mask_is_looked_up_where_pixels_are(tmp_path, counts, order, frame, card):
    middle = healpix(order, frame).skycoord_to_healpix(CENTERS[15, 20])
    values = np.ones(12 * 64**2)
    values[middle] = 0
    mask = write_sky(tmp_path / "mask.fits", values, order=order.upper(), frame=card)
    inputs = read_dataset(counts, exclusion_mask=mask).inputs
    np.testing.assert_array_equal(~inputs.exclusion_mask, in_pixels([middle], order, frame))
    assert 0 < np.count_nonzero(~inputs.exclusion_mask) < 60


def test_pixels_that_a_healpix_mask_does_not_have_are_used(tmp_path, counts):
    middle = healpix().skycoord_to_healpix(CENTERS[15, 20])
    mask = write_sky(tmp_path / "mask.fits", [0.0], pixels=[middle])
    inputs = read_dataset(counts, exclusion_mask=mask).inputs
    np.testing.assert_array_equal(~inputs.exclusion_mask, in_pixels([middle]))
    missing = np.count_nonzero(inputs.exclusion_mask)
    assert inputs.warnings == [
        f"exclusion_mask {mask} does not cover {missing} pixels of the map: it excludes none of them"
    ]


def write_moc(path, cells, *, ordering="NUNIQ"):
    """Write a MOC of pixels, pairs of order and number, in ICRS."""
    if ordering == "RANGE":
        ends = sorted((number * 4 ** (29 - order), (number + 1) * 4 ** (29 - order)) for order, number in cells)
        return write_table(path, {"RANGE": ("K", None, np.ravel(ends))}, ORDERING="RANGE", MOCDIM="SPACE", COORDSYS="C")
    numbers = sorted(4 ** (order + 1) + number for order, number in cells)
    return write_table(path, {"UNIQ": ("K", None, numbers)}, ORDERING="NUNIQ", COORDSYS="C")


def some_cells():
    """Pixels of two orders within the map, and which of its centres lie in them."""
    large = healpix("nested", "icrs", 32).skycoord_to_healpix(CENTERS[8, 10])
    small = healpix("nested", "icrs", 256).skycoord_to_healpix(CENTERS[22, 30])
    inside = in_pixels([large], "nested", "icrs", 32) | in_pixels([small], "nested", "icrs", 256)
    return [(5, large), (8, small)], inside


@pytest.mark.parametrize("ordering", ["NUNIQ", "RANGE"])
def test_a_moc_is_the_part_of_the_sky_that_is_used(tmp_path, counts, ordering):
    cells, inside = some_cells()
    moc = write_moc(tmp_path / "moc.fits", cells, ordering=ordering)
    np.testing.assert_array_equal(read_dataset(counts, exclusion_mask=moc).inputs.exclusion_mask, inside)
    np.testing.assert_array_equal(read_dataset(counts, inverse_exclusion_mask=moc).inputs.exclusion_mask, ~inside)
    np.testing.assert_array_equal(read_dataset(counts, coverage=moc).inputs.coverage, inside)


def test_a_moc_is_a_region_that_is_excluded(tmp_path):
    cells, inside = some_cells()
    mask, warnings = region_mask(HEADER, SHAPE, [{"file": write_moc(tmp_path / "moc.fits", cells)}])
    np.testing.assert_array_equal(mask, ~inside)
    assert warnings == []


def test_a_moc_elsewhere_covers_no_pixel(tmp_path):
    elsewhere = healpix("nested", "icrs", 32).skycoord_to_healpix(SkyCoord(200, -40, unit="deg"))
    moc = write_moc(tmp_path / "moc.fits", [(5, elsewhere)])
    mask, (warning,) = region_mask(HEADER, SHAPE, [{"file": moc}])
    assert mask.all()
    assert warning == f"exclusion_regions.0 {moc} covers no pixel of the map"


@pytest.mark.parametrize("order", [0, 1, 13, 29])
def test_pixels_of_every_order_are_told_apart(tmp_path, order):
    last = 12 * 4**order - 1
    moc = read_on_sky(write_moc(tmp_path / "moc.fits", [(order, 0), (order, last)]))
    assert isinstance(moc, Moc)
    step = 4 ** (29 - order)
    assert moc.ranges.tolist() == [[0, step], [last * step, (last + 1) * step]]


@pytest.mark.parametrize(
    ("columns", "cards", "words"),
    [
        ({"UNIQ": ("K", None, [4, 5, 5])}, {"ORDERING": "NUNIQ"}, "pixels twice"),
        ({"UNIQ": ("K", None, [2])}, {"ORDERING": "NUNIQ"}, "numbers below 4"),
        ({"RANGE": ("K", None, [0, 1, 2])}, {"ORDERING": "RANGE"}, "must come in pairs"),
        ({"RANGE": ("K", None, [0, 1])}, {"ORDERING": "RANGE", "MOCDIM": "TIME"}, "is a MOC of TIME: one of space"),
    ],
)
def test_what_is_no_moc_of_the_sky_is_refused(tmp_path, columns, cards, words):
    with pytest.raises(MapError, match=words):
        read_on_sky(write_table(tmp_path / "moc.fits", columns, COORDSYS="C", **cards))


def test_a_healpix_acceptance_is_interpolated(tmp_path, counts):
    sky = healpix()
    there = sky.healpix_to_skycoord(np.arange(12 * 64**2))

    def smooth(position):
        return 2 + np.sin(position.l.rad) + 0.5 * np.sin(position.b.rad)

    found = read_dataset(counts, acceptance=write_sky(tmp_path / "a.fits", smooth(there))).inputs.acceptance
    distance = np.arctan(np.radians(0.2) * np.hypot(*(np.indices(SHAPE) - [[[14.5]], [[19.5]]])))
    expected = smooth(CENTERS.galactic) * np.cos(distance) ** 3
    np.testing.assert_allclose(found / found.mean(), expected / expected.mean(), rtol=1e-3)


def test_a_healpix_exposure_at_energies_is_integrated(tmp_path, counts):
    # As gtexpcube2 writes one of all the sky: a column for every energy.
    columns = {f"ENERGY{n}": ("D", None, np.full(12 * 64**2, float(n))) for n in (1, 2, 3)}
    path = write_table(tmp_path / "e.fits", columns, NSIDE=64, ORDERING="RING", COORDSYS="GAL")
    energies = fits.BinTableHDU.from_columns([fits.Column("Energy", "D", array=[100.0, 1000, 10000])], name="ENERGIES")
    fits.append(path, energies.data, energies.header)
    found = read_dataset(counts, exposure=path, energy_range=["1000 MeV", "10 GeV"], spectral_index=1.0).inputs
    # The exposure rises from 2 to 3 with the logarithm of the energy, and all logarithms count the same.
    np.testing.assert_allclose(found.acceptance[15, 20], 2.5, rtol=1e-3)


def test_a_healpix_coverage_is_looked_up(tmp_path, counts):
    middle = healpix().skycoord_to_healpix(CENTERS[15, 20])
    path = write_sky(tmp_path / "c.fits", [1.0], pixels=[middle])
    np.testing.assert_array_equal(read_dataset(counts, coverage=path).inputs.coverage, in_pixels([middle]))


def test_a_frame_that_is_not_told_is_asked_for(tmp_path, counts):
    path = write_sky(tmp_path / "m.fits", np.ones(12 * 64**2), frame="")
    with pytest.raises(MapError, match=r"has no COORDSYS in its header: write G \(galactic\) or C"):
        read_dataset(counts, exclusion_mask=path)


def test_an_inverse_mask_excludes_its_ones(tmp_path, counts):
    excluded = np.zeros(SHAPE, dtype=np.uint8)
    excluded[3:6, 4:9] = 1
    path = write_map(tmp_path / "m.fits", excluded, HEADER)
    dataset = read_dataset(counts, inverse_exclusion_mask=path)
    np.testing.assert_array_equal(~dataset.inputs.exclusion_mask, excluded == 1)
    with pytest.raises(MapError, match=r"must hold 1 \(excluded\) and 0 \(used\) only, not 7 at x = 0, y = 0"):
        read_dataset(counts, inverse_exclusion_mask=write_map(path, np.full(SHAPE, 7), HEADER))


def test_a_mask_has_one_convention(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_map("c.fits", np.ones((60, 60)))
    keys = {"exclusion_mask": "c.fits", "inverse_exclusion_mask": "c.fits"}
    write_config("mine.yaml", datasets={"a": {"counts": "c.fits", **keys}})
    wrong = "datasets.a: give either exclusion_mask (1 used) or inverse_exclusion_mask (1 excluded)"
    assert wrong in forecast("mine.yaml")[1]


def test_a_fits_file_of_regions_is_refused_in_one_line(tmp_path):
    table = fits.BinTableHDU.from_columns([fits.Column("SHAPE", "16A", array=["Circle"])], name="SRCREG")
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "r.fits")
    with pytest.raises(MapError, match=r"r.fits is a FITS file and no MOC: save its regions as DS9 regions"):
        region_mask(HEADER, SHAPE, [{"file": str(tmp_path / "r.fits")}])
