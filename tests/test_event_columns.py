"""Positions by right ascension and declination or by pixels of a plane, energies by a column, its unit or a rule."""

import numpy as np
import pytest
from astropy.coordinates import FK5, SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from test_events import columns_of, write_events

from skymask.datasets import events
from skymask.datasets.event_columns import event_energies, event_positions
from skymask.errors import MapError
from skymask.io.event_files import open_events, read_chunks
from skymask.sky.geometry import field

#: A plane as Chandra's lists have it: pixels of half a second of arc, counted from 1.
CENTER = (149.1, 69.7)
X, Y = np.array([4096.5, 4000.0, 4300.0, 4096.5]), np.array([4096.5, 4200.0, 4090.0, 4096.5 + 3600])


def plane(x=3, y=4, *, axes=("RA---TAN", "DEC--TAN"), **cards):
    """Return the header cards of the sky coordinates of two columns, by their numbers."""
    made = {}
    for number, axis, value, step in zip((x, y), axes, CENTER, (-0.5, 0.5), strict=True):
        made |= {f"TCTYP{number}": axis, f"TCRVL{number}": value, f"TCRPX{number}": 4096.5}
        made |= {
            f"TCDLT{number}": step / 3600,
            f"TCUNI{number}": "deg",
            f"TLMIN{number}": 0.5,
            f"TLMAX{number}": 8192.5,
        }
    return made | cards


def write_list(path, *, names=("x", "y"), x=X, y=Y, pi=(None, None), **cards):
    """Write a list with time, detector, pixels, and pulse invariants."""
    values, unit = pi
    values = np.arange(len(x)) if values is None else values
    columns = {"time": (np.arange(len(x)) * 1.0, "s"), "ccd_id": (np.zeros(len(x), dtype=int), None)}
    columns |= {names[0]: (x, "pixel"), names[1]: (y, "pixel"), "pi": (values, unit)}
    return write_events(path, columns, **{"TELESCOP": "CHANDRA", "INSTRUME": "ACIS", "RADESYS": "ICRS", **cards})


def degrees(path):
    source = open_events(path)
    where = event_positions(source)
    (rows,) = read_chunks(source, where.columns)
    return np.column_stack(where.degrees(rows))


@pytest.mark.filterwarnings("ignore:RADESYS")
@pytest.mark.parametrize("names", [("x", "y"), ("X", "Y")])
def test_pixels_of_a_plane_are_positions(tmp_path, names):
    path = write_list(tmp_path / "e.fits", names=names, **plane())
    with fits.open(path) as hdus:
        wcs = WCS(hdus[1].header, keysel=["pixel"], colsel=[3, 4])
    np.testing.assert_allclose(degrees(path), np.column_stack(wcs.wcs_pix2world(X, Y, 1)), atol=1e-10)
    np.testing.assert_allclose(degrees(path)[0], CENTER, atol=1e-12)
    # Half a degree up on a tangent plane.
    up = np.degrees(np.arctan(np.radians(0.5)))
    np.testing.assert_allclose(degrees(path)[3], [CENTER[0], CENTER[1] + up], atol=1e-10)


@pytest.mark.parametrize(
    ("cards", "frame"),
    [
        ({"RADESYS": "FK4", "EQUINOX": 1950.0}, "fk4"),
        ({"RADESYS": "FK4", "EQUINOX": 1950.0, "RADE3": "ICRS"}, "icrs"),
        ({"RADESYS": "ICRS", "RADE3": "FK5", "EQUI3": 1950.0}, FK5(equinox="J1950")),
    ],
)
def test_frame_of_a_plane_is_that_of_its_columns_and_else_that_of_the_header(tmp_path, cards, frame):
    source = open_events(write_list(tmp_path / "e.fits", **plane(), **cards))
    assert event_positions(source).frame.is_equivalent_frame(SkyCoord(0, 0, unit="deg", frame=frame).frame)


def test_the_reference_of_xmm_newton_is_one_of_pixels(tmp_path):
    cards = {}
    for letter, axis, value, step in zip("XY", ("RA---TAN", "DEC--TAN"), CENTER, (-0.5, 0.5), strict=True):
        cards |= {f"REF{letter}CTYP": axis, f"REF{letter}CRVL": value, f"REF{letter}CRPX": 4096.5}
        cards |= {f"REF{letter}CDLT": step / 3600, f"REF{letter}CUNI": "deg"}
    path = write_list(tmp_path / "e.fits", **cards)
    np.testing.assert_allclose(degrees(path), degrees(write_list(tmp_path / "other.fits", **plane())), atol=1e-12)


def test_pixels_beyond_those_that_there_are_are_no_positions(tmp_path):
    x = np.array([4000.0, -99999999, 4000, np.nan])
    path = write_list(tmp_path / "e.fits", x=x, y=np.full(4, 4000.0), **plane())
    assert np.isnan(degrees(path)[:, 0]).tolist() == [False, True, False, True]


def test_right_ascension_and_declination_come_first(tmp_path):
    columns = columns_of([1.0], [1.0]) | {"X": ([1.0], "pixel"), "Y": ([1.0], "pixel")}
    path = write_events(tmp_path / "e.fits", columns, **plane())
    np.testing.assert_allclose(degrees(path), [[columns["RA"][0][0], columns["DEC"][0][0]]])


def test_of_a_name_in_both_cases_that_in_upper_case_counts(tmp_path):
    # As in lists of HAWC, which have radians, too.
    columns = {"RA": ([83.6], "deg"), "DEC": ([22.0], "deg"), "dec": ([0.38], None), "ra": ([1.46], None)}
    np.testing.assert_allclose(degrees(write_events(tmp_path / "e.fits", columns)), [[83.6, 22.0]])


def test_pixels_without_coordinates_are_told(tmp_path):
    with pytest.raises(
        MapError, match=r"no column RA and DEC, only .*, and no TCTYP and TCRVL in its header say where X"
    ):
        event_positions(open_events(write_list(tmp_path / "e.fits")))


def test_positions_in_galactic_pixels_are_counted_on_equatorial_ones(tmp_path):
    path = write_list(tmp_path / "e.fits", **plane(axes=("GLON-TAN", "GLAT-TAN")))
    header, shape = field(CENTER, (0.2, 0.2), 0.05, frame="galactic")
    in_galactic = events.bin_events([path], header, shape).counts
    # The first three are within a few arcmin of the centre, in the pixels around it.
    assert in_galactic.sum() == 3
    assert in_galactic[1:3, 1:3].sum() == 3


def test_events_of_a_plane_are_counted_where_they_are(tmp_path):
    header, shape = field(CENTER, (8192 * 0.5 / 3600,) * 2, 64 * 0.5 / 3600)
    assert shape == (128, 128)
    generator = np.random.default_rng(0)
    x, y = generator.uniform(0.5, 8192.5, (2, 2000))
    path = write_list(tmp_path / "e.fits", x=x, y=y, **plane())
    found = events.bin_events([path], header, shape).counts
    # Both planes have the same tangent point: 64 of their pixels are one of the map's.
    expected, _, _ = np.histogram2d(y, x, bins=128, range=[(0.5, 8192.5)] * 2)
    assert np.abs(found - expected).sum() <= 4


@pytest.mark.parametrize(
    ("telescope", "instrument", "energy"),
    [
        ("NuSTAR", "FPMA", 5.6),
        ("SWIFT", "XRT", 1.0),
        ("XMM", "EPN", 0.1),
        ("eROSITA", "MERGED", 0.1),
        ("SRG/eROSITA", "TM1", 0.1),
        ("ROSAT", "PSPCB", 1.0),
        ("CHANDRA", "ACIS", 99 * 0.0146),
    ],
)
def test_pulse_invariants_are_energies_by_the_rule_of_the_instrument(tmp_path, telescope, instrument, energy):
    source = open_events(write_list(tmp_path / "e.fits", pi=([100] * 4, None), TELESCOP=telescope, INSTRUME=instrument))
    found = event_energies(source)
    (rows,) = read_chunks(source, [found.column])
    np.testing.assert_allclose(found.values(rows) * found.unit.to("keV"), energy, rtol=1e-9)


def test_pulse_invariants_with_a_unit_are_energies(tmp_path):
    source = open_events(write_list(tmp_path / "e.fits", pi=([1000] * 4, "eV"), TELESCOP="SOMETHING"))
    assert event_energies(source).describe() == "pi, in eV"


def test_a_rule_that_is_not_known_is_told(tmp_path):
    with pytest.raises(MapError, match=r"how it becomes one is not known for TELESCOP CHANDRA, INSTRUME HRC"):
        event_energies(open_events(write_list(tmp_path / "e.fits", INSTRUME="HRC")))


def test_energies_may_have_their_unit_in_the_header(tmp_path):
    columns = columns_of([1.0], [1.0], ENERGY=([2.0], None))
    assert event_energies(open_events(write_events(tmp_path / "e.fits", columns, EUNIT="TeV"))).unit == "TeV"
    with pytest.raises(MapError, match="the column ENERGY has no unit"):
        event_energies(open_events(write_events(tmp_path / "e.fits", columns)))


def test_a_cut_in_energy_is_one_in_pulse_invariants(tmp_path):
    cards = plane(TELESCOP="NuSTAR", INSTRUME="FPMA")
    path = write_list(tmp_path / "e.fits", x=X[:3], y=Y[:3], pi=([34, 35, 60], None), **cards)
    header, shape = field(CENTER, (0.2, 0.2), 0.05)
    # Channel 35 is 3 keV, channel 60 is 4 keV, which is excluded.
    binned = events.bin_events([path], header, shape, {"energy": ["3 keV", "4 keV"]})
    assert binned.counts.sum() == 1


def test_a_cut_in_offset_is_one_of_positions_on_the_plane(tmp_path):
    path = write_list(tmp_path / "e.fits", RA_PNT=CENTER[0], DEC_PNT=CENTER[1], **plane())
    header, shape = field(CENTER, (2, 2), 0.05)
    binned = events.bin_events([path], header, shape, {"offset": "0.1 deg"})
    assert binned.counts.sum() == 3


def write_intervals(path, tables, **cards):
    """Write good time intervals: tables by name and version, each with one interval."""
    hdus = fits.HDUList([fits.PrimaryHDU()])
    for (name, version), (start, stop) in tables.items():
        columns = [fits.Column("START", "D", "s", array=[start]), fits.Column("STOP", "D", "s", array=[stop])]
        hdus.append(fits.BinTableHDU.from_columns(columns, name=name, ver=version))
        hdus[-1].header.update({"MJDREFI": 53000, "MJDREFF": 0.5, "TIMESYS": "TT", **cards})
    hdus.writeto(path, overwrite=True)
    return str(path)


@pytest.mark.parametrize(
    "names", [{0: ("GTI", 0), 7: ("GTI", 7)}, {0: ("STDGTI00", 1), 7: ("STDGTI07", 1)}], ids=["Chandra", "XMM-Newton"]
)
def test_every_detector_has_good_time_intervals_of_its_own(tmp_path, names):
    intervals = write_intervals(tmp_path / "gti.fits", {names[0]: (0.5, 1.5), names[7]: (1.5, 3.5)})
    path = write_list(tmp_path / "e.fits", x=np.full(4, 4096.5), y=np.full(4, 4096.5), **plane())
    with fits.open(path, mode="update") as hdus:
        # At 0, 1, 2 and 3 seconds: of these the second and the last are good.
        hdus[1].data["ccd_id"] = [0, 0, 0, 7]
    header, shape = field(CENTER, (0.2, 0.2), 0.05)
    assert events.bin_events([path], header, shape, {"good_time_intervals": intervals}).counts.sum() == 2
    with fits.open(path, mode="update") as hdus:
        hdus[1].data["ccd_id"] = [0, 0, 3, 7]
    with pytest.raises(
        MapError, match=r"gti.fits has no good time intervals of ccd_id 3, and .*e.fits has events of it"
    ):
        events.bin_events([path], header, shape, {"good_time_intervals": intervals})
