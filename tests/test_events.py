"""Events as counts per pixel: hand-made lists, cuts, files in pieces, and real lists against published maps."""

import gzip
import os
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.time import Time

from skymask.datasets import events
from skymask.errors import MapError
from skymask.io import event_files, maps
from skymask.sky import geometry as sky
from skymask.sky.geometry import field, sky_projection

CENTER = (83.633, 22.014)
HEADER, SHAPE = field(CENTER, (0.5, 0.3), 0.1)

#: When times of the hand-made lists begin: half a day into a modified Julian date, in terrestrial time.
MJD = 53000.5


def columns_of(x, y, **more):
    """Return columns of events at these pixels of the field."""
    ra, dec = sky_projection(HEADER).wcs_pix2world(np.column_stack([x, y]).astype(float), 0).T
    return {"RA": (ra, "deg"), "DEC": (dec, "deg"), **more}


def write_events(path, columns, *, name="EVENTS", **header):
    """Write an event list; columns are (values, unit)."""
    made = [
        fits.Column(key, "D" if np.asarray(values).dtype.kind == "f" else "J", unit, array=values)
        for key, (values, unit) in columns.items()
    ]
    table = fits.BinTableHDU.from_columns(made, name=name)
    table.header.update({"TELESCOP": "HESS", "MJDREFI": 53000, "MJDREFF": 0.5, "TIMESYS": "TT", **header})
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path, overwrite=True)
    return str(path)


def card(binned, key):
    return next(value for name, value, _ in binned.cards if name == key)


def binned_image(path, cuts=None):
    return events.bin_events([path], HEADER, SHAPE, cuts).counts


@pytest.fixture
def five(tmp_path):
    """Five events, one to a pixel along a row, of 1 to 5 TeV, 10 s apart, at zenith angles of 10 to 50 degrees."""
    columns = columns_of(
        np.arange(5),
        np.ones(5),
        ENERGY=(np.arange(1.0, 6), "TeV"),
        TIME=(10.0 * np.arange(5), "s"),
        ZENITH_ANGLE=(10.0 * np.arange(1, 6), "deg"),
    )
    return write_events(tmp_path / "five.fits", columns, RA_PNT=CENTER[0], DEC_PNT=CENTER[1])


def test_every_event_counts_in_the_pixel_in_which_it_lies(tmp_path):
    x, y = [0, 0, 0.4, 4.4, 2], [0, 0, -0.4, 2.4, 1]
    expected = np.zeros(SHAPE, dtype=int)
    expected[0, 0], expected[2, 4], expected[1, 2] = 3, 1, 1
    np.testing.assert_array_equal(binned_image(write_events(tmp_path / "e.fits", columns_of(x, y))), expected)


def test_events_outside_are_counted_and_reported(tmp_path):
    path = write_events(tmp_path / "e.fits", columns_of([2, -0.6, 4.6, 2], [1, 1, 1, 2.6]))
    binned = events.bin_events([path], HEADER, SHAPE)
    assert binned.counts.sum() == 1
    assert [card(binned, key) for key in ("NEVREAD", "NEVSEL", "NEVOUT")] == [4, 4, 3]
    assert binned.warnings == ["3 of 4 selected events lie outside the field"]


def test_events_on_the_other_side_of_the_sky_are_outside(tmp_path):
    ra, dec = np.array([CENTER[0], CENTER[0] + 180]), np.array([CENTER[1], -CENTER[1]])
    path = write_events(tmp_path / "e.fits", {"RA": (ra, "deg"), "DEC": (dec, "deg")})
    assert card(events.bin_events([path], HEADER, SHAPE), "NEVOUT") == 1


@pytest.mark.parametrize("bad", [np.nan, -999.0])
def test_events_without_a_position_are_left_out_with_a_warning(tmp_path, bad):
    columns = columns_of([2, 2], [1, 1])
    columns["DEC"][0][1] = bad
    binned = events.bin_events([write_events(tmp_path / "e.fits", columns)], HEADER, SHAPE)
    assert binned.counts.sum() == 1
    assert binned.warnings == ["1 of 2 selected events have no position; they are left out"]


def test_several_files_add_up(tmp_path):
    paths = [
        write_events(tmp_path / f"{n}.fits", columns_of([n, 2], [0, 2]), OBJECT=f"run {n}", OBSERVER="us")
        for n in (0, 1)
    ]
    binned = events.bin_events(paths, HEADER, SHAPE)
    assert binned.counts[0, 0] == binned.counts[0, 1] == 1
    assert binned.counts[2, 2] == 2
    assert (card(binned, "TELESCOP"), card(binned, "OBSERVER")) == ("HESS", "us")
    assert "OBJECT" not in [key for key, _, _ in binned.cards], "the files do not agree on it"
    assert card(binned, "SHAEVT2") == maps.file_digest(paths[1])


def test_many_files_have_bounded_cards(tmp_path):
    paths = [write_events(tmp_path / f"{n}.fits", columns_of([2 + n / 100], [1]), OBS_ID=n) for n in range(12)]
    keys = [key for key, _, _ in events.bin_events(paths, HEADER, SHAPE).cards]
    assert sum(key.startswith("FILEVT") for key in keys) == events.MAX_FILES
    assert "SHAEVTS" in keys


def test_the_same_events_under_two_names_are_refused(tmp_path, five):
    copy = tmp_path / "copy.fits"
    copy.write_bytes(Path(five).read_bytes())
    with pytest.raises(MapError, match=r"copy.fits and .*five.fits hold the same events: they would count twice"):
        events.bin_events([five, str(copy)], HEADER, SHAPE)


@pytest.mark.parametrize(
    ("form", "unit", "energies", "limit", "kept"),
    [
        # Single precision has 0.7 as 0.69999999, and 8.3e12 / 1e6 is more than 8.3e6 by the last digit of a double.
        ("E", "TeV", [0.6999, 0.7, 0.7001], "0.7 TeV", 2),
        ("D", "MeV", [8299999.9, 8300000.0], "8.3 TeV", 1),
        ("E", "GeV", [699.99, 700.0], "0.7 TeV", 1),
        ("D", "TeV", [0.7 - 1e-12, 0.7], "0.7 TeV", 1),
        ("J", "MeV", [8299999, 8300000], "8.3 TeV", 1),
    ],
)
def test_a_limit_is_as_precise_as_what_is_stored(tmp_path, form, unit, energies, limit, kept):
    n = len(energies)
    columns = [fits.Column(key, "D", "deg", array=values) for key, (values, _) in columns_of([2] * n, [1] * n).items()]
    columns.append(fits.Column("ENERGY", form, unit, array=np.array(energies)))
    table = fits.BinTableHDU.from_columns(columns, name="EVENTS")
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "e.fits")
    path = str(tmp_path / "e.fits")
    assert binned_image(path, {"energy": [limit, None]}).sum() == kept
    if kept < n:
        # What is not above a limit is below it.
        assert binned_image(path, {"energy": [None, limit]}).sum() == n - kept


# Every row: cuts, and the events of five that pass.
CUTS = {
    "lower energy is included, upper is not": ({"energy": ["2 TeV", "4 TeV"]}, [1, 2]),
    "energy in other units": ({"energy": ["2000 GeV", "4e6 MeV"]}, [1, 2]),
    "open upper end": ({"energy": ["4 TeV", None]}, [3, 4]),
    "open lower end": ({"energy": [None, "2 TeV"]}, [0]),
    "zenith": ({"zenith": ["0 deg", "30 deg"]}, [0, 1]),
    # Pixels are 0.1 deg apart, and the pointing is on the middle one.
    "offset": ({"offset": "0.15 deg"}, [1, 2, 3]),
    # UTC was 64.184 s behind terrestrial time: the list begins at 11:58:55.816.
    "time in UTC": ({"time": ["2003-12-27T11:59:05.816", "2003-12-27T11:59:25.816"]}, [1, 2]),
    "time as a modified Julian date": ({"time": [MJD - 64.184 / 86400 + 15 / 86400, None]}, [2, 3, 4]),
    "day": ({"time": ["2003-12-27", "2003-12-28"]}, [0, 1, 2, 3, 4]),
    "all together": ({"energy": ["2 TeV", None], "zenith": [None, "50 deg"], "offset": "0.15 deg"}, [1, 2, 3]),
}


@pytest.mark.parametrize(("cuts", "passing"), CUTS.values(), ids=CUTS)
def test_cuts_select(five, cuts, passing):
    np.testing.assert_array_equal(np.flatnonzero(binned_image(five, cuts)[1]), passing)


def test_cuts_stand_in_the_header(five):
    cuts = {"energy": ["2 TeV", None], "time": [None, 54000], "zenith": ["0 deg", "60 deg"], "offset": "2 deg"}
    binned = events.bin_events([five], HEADER, SHAPE, cuts)
    assert card(binned, "CUTENER") == "from 2 TeV"
    assert card(binned, "CUTTIME") == "below 54000"
    assert card(binned, "CUTZEN") == "0 deg to 60 deg"
    assert card(binned, "CUTOFFS") == "2 deg"


def test_altitude_serves_for_the_zenith_angle(tmp_path):
    path = write_events(tmp_path / "e.fits", columns_of([1, 2], [1, 1], ALT=(np.array([80.0, 40]), "deg")))
    np.testing.assert_array_equal(np.flatnonzero(binned_image(path, {"zenith": ["0 deg", "45 deg"]})[1]), [1])


def test_offset_of_a_satellite_is_its_column_theta(tmp_path):
    path = write_events(tmp_path / "e.fits", columns_of([1, 2], [1, 1], THETA=(np.array([80.0, 40]), "deg")))
    np.testing.assert_array_equal(np.flatnonzero(binned_image(path, {"offset": "45 deg"})[1]), [2])


def test_good_time_intervals_may_overlap_and_have_another_reference(tmp_path, five):
    # A long interval that begins first, a short one within it, and one at the end: events 0, 1, 2 and 4.
    gti = {"START": (np.array([5.0, 0, 40]), "s"), "STOP": (np.array([6.0, 20, 50]), "s")}
    path = write_events(tmp_path / "gti.fits", gti, name="GTI")
    np.testing.assert_array_equal(np.flatnonzero(binned_image(five, {"good_time_intervals": path})[1]), [0, 1, 2, 4])
    # The same numbers, half a day later.
    path = write_events(tmp_path / "later.fits", gti, name="STDGTI", MJDREFI=53001, MJDREFF=0.0)
    with pytest.raises(MapError, match="none of 5 events passes the cuts"):
        binned_image(five, {"good_time_intervals": f"{path}[STDGTI]"})


def test_reading_in_pieces_changes_nothing(five, monkeypatch):
    whole = binned_image(five, {"energy": ["2 TeV", None]})
    monkeypatch.setattr(event_files, "CHUNK", 2 * 5 * 8)
    np.testing.assert_array_equal(binned_image(five, {"energy": ["2 TeV", None]}), whole)


def test_compressed_file_gives_the_same(tmp_path, five):
    path = tmp_path / "five.fits.gz"
    path.write_bytes(gzip.compress(Path(five).read_bytes()))
    np.testing.assert_array_equal(binned_image(str(path)), binned_image(five))


@pytest.mark.parametrize("compressed", [False, True])
def test_memory_does_not_grow_with_the_number_of_events(tmp_path, compressed):
    number = 2**21
    path = tmp_path / "many.fits"
    write_events(path, {"RA": (np.full(number, CENTER[0]), "deg"), "DEC": (np.full(number, CENTER[1]), "deg")})
    assert path.stat().st_size > 2 * event_files.CHUNK
    if compressed:
        path.write_bytes(gzip.compress(path.read_bytes(), compresslevel=1))
    tracemalloc.start()
    counts = binned_image(str(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert counts.sum() == counts[1, 2] == number
    # A piece of 2**24 bytes holds half the events; so does each of ten working arrays of a piece.
    assert peak < 12 * event_files.CHUNK


def test_scaled_integers_are_read_by_their_scale(tmp_path):
    columns = columns_of([2], [1])
    steps = np.round((columns["RA"][0] - 80) / 1e-6).astype(np.int32)
    path = write_events(tmp_path / "e.fits", columns | {"RA": (steps, "deg")}, TSCAL1=1e-6, TZERO1=80.0)
    assert binned_image(path)[1, 2] == 1


def test_angles_may_have_other_units(tmp_path):
    columns = {key: (np.radians(values), "rad") for key, (values, _) in columns_of([2], [1]).items()}
    assert binned_image(write_events(tmp_path / "e.fits", columns))[1, 2] == 1


def test_positions_are_brought_to_the_frame_of_the_map(tmp_path):
    header, shape = field((184.557, -5.784), (0.5, 0.3), 0.1, frame="galactic")
    there = SkyCoord(184.557, -5.784, unit="deg", frame="galactic").icrs
    path = write_events(tmp_path / "e.fits", {"RA": ([there.ra.deg], "deg"), "DEC": ([there.dec.deg], "deg")})
    assert events.bin_events([path], header, shape).counts[1, 2] == 1


@pytest.mark.parametrize("longitude", [359.9, 0.1, -0.1])
def test_longitudes_count_in_maps_from_0_to_360_degrees(tmp_path, longitude):
    header, shape = field((180.0, 0.0), (360, 2), 1.0, frame="icrs", projection="CAR")
    path = write_events(tmp_path / "e.fits", {"RA": ([longitude], "deg"), "DEC": ([0.4], "deg")})
    counts = events.bin_events([path], header, shape).counts
    assert counts[1, 359 if longitude == 0.1 else 0] == 1
    # The reference point half a turn away.
    header["CRVAL1"], header["CRPIX1"] = 0.0, header["CRPIX1"] + 180
    np.testing.assert_array_equal(events.bin_events([path], header, shape).counts, counts)


def test_grid_is_that_of_a_map(tmp_path):
    fits.writeto(tmp_path / "map.fits", np.zeros(SHAPE), HEADER)
    header, shape = sky.grid({"as": str(tmp_path / "map.fits")})
    assert shape == SHAPE
    assert header["CRVAL1"] == CENTER[0]


def test_field_has_its_centre_in_the_middle():
    geometry = {"center": ["83.633 deg", "22.014 deg"], "width": ["3 deg", "120 arcmin"], "pixel_size": "0.02 deg"}
    for projection in ("TAN", "CAR"):
        header, shape = sky.grid({**geometry, "projection": projection, "frame": "icrs"})
        assert shape == (100, 150)
        position = sky_projection(header).wcs_pix2world([[74.5, 49.5]], 0)[0]
        np.testing.assert_allclose(position, CENTER, rtol=0, atol=1e-12)
        assert header["CTYPE1"] == f"RA---{projection}"


def bad_files(folder):
    """Return event lists that cannot be used, each with its cuts and the one line that is said of it."""
    good = columns_of([1, 2], [1, 1], ENERGY=([1.0, 2.0], "TeV"), TIME=([1.0, 2.0], "s"))
    whole = folder / "whole.fits"
    long = columns_of(np.full(1000, 2), np.ones(1000))
    write_events(whole, long)
    (folder / "truncated.fits").write_bytes(whole.read_bytes()[:12000])
    (folder / "truncated.fits.gz").write_bytes(gzip.compress(whole.read_bytes())[:-200])
    (folder / "text.fits").write_text("events\n")
    fits.writeto(folder / "image.fits", np.zeros((3, 3)))

    def less(*names):
        return {key: value for key, value in good.items() if key not in names}

    def write(file, columns, **header):
        return write_events(folder / file, columns, **header)

    energy, time = {"energy": ["1 TeV", "10 TeV"]}, {"time": [53000, 53001]}
    unitless = {**good, "ENERGY": (good["ENERGY"][0], None)}
    return {
        "missing": (str(folder / "no.fits"), {}, r"no.fits does not exist"),
        "truncated": (str(folder / "truncated.fits"), {}, r"truncated.fits is damaged .*truncated"),
        "truncated gzip": (str(folder / "truncated.fits.gz"), {}, r"truncated.fits.gz is damaged"),
        "no FITS": (str(folder / "text.fits"), {}, r"text.fits is (damaged or )?not a FITS file"),
        "image": (str(folder / "image.fits"), {}, r"image.fits holds no table EVENTS"),
        "other table": (write("o.fits", good, name="PHOTONS"), {}, r"o.fits holds no table EVENTS, only PHOTONS"),
        "no RA": (write("r.fits", less("RA")), {}, r"r.fits has no column RA, only DEC, ENERGY, TIME"),
        "no position": (write("rd.fits", less("RA", "DEC")), {}, r"has no column RA and DEC, only ENERGY, TIME"),
        "position in metres": (write("m.fits", {**good, "RA": ([1.0, 2], "m")}), {}, r"the column RA is in m,"),
        "no energy": (write("e.fits", less("ENERGY")), energy, r"e.fits has no column ENERGY or PI, which a cut needs"),
        "energy without unit": (write("u.fits", unitless), energy, r"the column ENERGY has no unit \(TUNIT"),
        "unknown unit": (
            write("x.fits", {**good, "ENERGY": ([1.0, 2], "erglings")}),
            energy,
            r"the column ENERGY has the unknown unit 'erglings'",
        ),
        "energy in metres": (
            write("em.fits", {**good, "ENERGY": ([1.0, 2], "m")}),
            energy,
            r"the column ENERGY is in m: no cut",
        ),
        "no time": (write("t.fits", less("TIME")), time, r"has no column TIME"),
        "time scale": (write("ts.fits", good, TIMESYS="LOCAL"), time, r"unknown time scale TIMESYS = 'LOCAL'"),
        "no zenith angle": (write("z.fits", good), {"zenith": ["0 deg", "60 deg"]}, r"no column ZENITH_ANGLE or ALT"),
        "no pointing": (write("p.fits", good), {"offset": "2 deg"}, r"has no pointing \(RA_PNT, DEC_PNT\) and no col"),
        "empty selection": (
            write("s.fits", good),
            {"energy": ["100 TeV", None]},
            r"none of 2 events passes the cuts \(energy from 100 TeV\)",
        ),
        "no events": (write("n.fits", columns_of([], [])), {}, r"none of 0 events passes the cuts"),
        "elsewhere": (
            write("w.fits", {"RA": ([1.0, 2], "deg"), "DEC": ([1.0, 2], "deg")}),
            {},
            r"all 2 selected events lie outside the field: is its centre right\?",
        ),
        "old frame": (write("f.fits", good, RADESYS="FK4", EQUINOX=1950.0), {}, r"positions in FK4 .*: ICRS or"),
    }


@pytest.fixture(scope="module")
def bad(tmp_path_factory):
    return bad_files(tmp_path_factory.mktemp("bad"))


@pytest.mark.parametrize(
    "kind",
    [
        "missing",
        "truncated",
        "truncated gzip",
        "no FITS",
        "image",
        "other table",
        "no RA",
        "no position",
        "position in metres",
        "no energy",
        "energy without unit",
        "unknown unit",
        "energy in metres",
        "no time",
        "time scale",
        "no zenith angle",
        "no pointing",
        "empty selection",
        "no events",
        "elsewhere",
        "old frame",
    ],
)
def test_bad_event_list_is_explained_in_one_line(bad, kind):
    path, cuts, message = bad[kind]
    with pytest.raises(MapError, match=message) as error:
        events.bin_events([path], HEADER, SHAPE, cuts)
    assert "\n" not in str(error.value)


def test_missing_time_reference_is_refused(tmp_path, five):
    with fits.open(five) as hdus:
        for key in ("MJDREFI", "MJDREFF"):
            del hdus[1].header[key]
        hdus.writeto(tmp_path / "e.fits")
    with pytest.raises(MapError, match="does not say from when its times count"):
        binned_image(str(tmp_path / "e.fits"), {"time": [53000, 53001]})


def test_events_of_different_telescopes_are_a_warning(tmp_path, five):
    path = write_events(tmp_path / "e.fits", columns_of([2], [1]), TELESCOP="GLAST")
    warned = events.bin_events([five, path], HEADER, SHAPE).warnings
    assert warned == ["the events are of different telescopes (GLAST, HESS)"]


# Fermi's tools turn positions to galactic coordinates by these Euler angles in degrees (SkyDir in their library astro);
# rounded to 1e-4 degrees, they bring them 1.8" beside those of astropy.
FERMI_ANGLES = (282.8592, 62.8717, 32.93224)


def fermi_galactic(ra, dec):
    """Return galactic coordinates in degrees as Fermi's tools compute them."""

    def about(axis, angle):
        cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        if axis == "z":
            return np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
        return np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])

    first, second, third = FERMI_ANGLES
    ra, dec = np.radians(ra), np.radians(dec)
    directions = np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    x, y, z = about("z", third) @ about("x", -second) @ about("z", -first) @ directions
    return np.degrees(np.arctan2(y, x)), np.degrees(np.arcsin(z))


@pytest.fixture(scope="module")
def fermi(shared):
    """Published counts map, its grid, the event list, and the cuts with which the map was made."""
    folder = shared / "data/fermi-3fhl-gc"
    counts = maps.read(folder / "fermi-3fhl-gc-counts.fits.gz")
    cuts = {
        # The map is the sum of the published cube, which ends at 500 GeV, and has fewer good time intervals.
        "energy": ["10 GeV", "500 GeV"],
        "good_time_intervals": str(folder / "fermi-3fhl-gc-counts-cube.fits.gz"),
    }
    return counts, str(folder / "fermi-3fhl-gc-events.fits.gz"), cuts


def test_fermi_events_are_selected_as_for_the_published_map(fermi):
    published, path, cuts = fermi
    all_of_them = events.bin_events([path], published.header, published.data.shape)
    assert (card(all_of_them, "NEVREAD"), card(all_of_them, "NEVOUT")) == (32843, 0)
    below_500_gev = events.bin_events([path], published.header, published.data.shape, {"energy": cuts["energy"]})
    assert card(below_500_gev, "NEVSEL") == 32843 - 109
    selected = events.bin_events([path], published.header, published.data.shape, cuts)
    assert card(selected, "NEVSEL") == 32843 - 109 - 52
    # Two of the 32684 published counts are no events of the list; see the next test.
    assert int(published.data.sum()) - selected.counts.sum() == 2


def test_fermi_events_give_the_published_map_but_for_two_events_that_the_list_lacks(fermi):
    published, path, cuts = fermi
    from skymask.datasets.event_cuts import cuts_for

    source = event_files.open_events(path)
    selection = cuts_for(source, "fk5", cuts)
    find = events.pixel_finder(published.header, published.data.shape, "galactic")
    counts, latitudes = np.zeros(published.data.size, dtype=int), []
    for rows in event_files.read_chunks(source, ["RA", "DEC", "ENERGY", "TIME"]):
        latitudes.append(SkyCoord(rows["RA"], rows["DEC"], unit="deg", frame="fk5").galactic.b.deg)
        kept = np.logical_and.reduce([cut.passes(rows) for cut in selection])
        np.add.at(counts, find(*fermi_galactic(rows["RA"][kept], rows["DEC"][kept])), 1)
    difference = published.data - counts.reshape(published.data.shape)
    # In the map's uppermost row, where Fermi's latitudes are 0.8" smaller: the list was cut at 5 degrees by astropy's.
    assert [tuple(pixel) for pixel in np.argwhere(difference)] == [(199, 217), (199, 245)]
    assert (difference[199, 217], difference[199, 245]) == (1, 1)
    assert np.concatenate(latitudes).max() < 5


def test_the_frames_of_fermis_tools_and_of_astropy_move_events_to_neighbouring_pixels_only(fermi):
    published, path, cuts = fermi
    binned = events.bin_events([path], published.header, published.data.shape, cuts)
    difference = published.data - binned.counts
    # Where the galactic centre is by Fermi's angles, in pixels of 0.05 degrees: so many events cross an edge.
    centre = SkyCoord(0, 0, unit="deg", frame="galactic").fk5
    shift = np.abs(fermi_galactic(centre.ra.deg, centre.dec.deg)) / 0.05
    crossings = card(binned, "NEVSEL") * shift.sum()
    # Each changes two pixels; a few meet in one, and a few more cross by the rounding of positions.
    assert np.count_nonzero(difference) == pytest.approx(2 * crossings, rel=0.1)
    # Whatever leaves a pixel enters one of its neighbours, so that no block of pixels loses or gains many.
    blocks = difference.reshape(10, 20, 20, 20).sum(axis=(1, 3))
    assert np.abs(blocks).max() <= 6


def test_hess_events_are_counted_as_gammapy_counts_them(shared):
    gammapy = pytest.importorskip("gammapy.data") if not os.environ.get("SKYMASK_REQUIRE_GAMMAPY") else None
    if gammapy is None:
        import gammapy.data as gammapy
    from gammapy.maps import Map

    folder = shared / "data/hess-dl3-dr1/data"
    geometry = shared / "data/hess-maps/crab/counts.fits.gz"
    header, shape = sky.grid({"as": str(geometry)})
    paths = [str(folder / f"hess_dl3_dr1_obs_id_{run:06}.fits.gz") for run in (23523, 23526)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = Map.read(geometry)
        theirs.data[:] = 0
        for path in paths:
            theirs.fill_events(gammapy.EventList.read(path))
    ours = events.bin_events(paths, header, shape).counts
    assert ours.sum() == theirs.data.sum()
    # gammapy takes FK5 for ICRS, which is 0.02" in pixels of 72": about 10 of 15,000 events change their pixel.
    assert np.abs(ours - theirs.data).sum() <= 2 * 20


def test_times_of_hess_are_those_of_its_header(shared):
    path = shared / "data/hess-dl3-dr1/data/hess_dl3_dr1_obs_id_023523.fits.gz"
    header, shape = sky.grid({"as": str(shared / "data/hess-maps/crab/counts.fits.gz")})
    with fits.open(path) as hdus:
        start, stop = (hdus[1].header[f"DATE-{end}"] + "T" + hdus[1].header[f"TIME-{end}"] for end in ("OBS", "END"))
        read = hdus[1].header["NAXIS2"]
    # The header gives the run in terrestrial time.
    low, high = (Time(moment, scale="tt").utc.isot for moment in (start, stop))
    inside = events.bin_events([str(path)], header, shape, {"time": [low, high]})
    # The last event is 6 ms late.
    assert card(inside, "NEVSEL") == read - 1
