"""Which runs of an observation store a dataset has, and what is wrong with a store or a run."""

import gzip
import re

import pytest
import yaml
from astropy.io import fits
from conftest import KERNELS, code_blocks
from stores import POINTINGS, write_run, write_store

from skymask.config.configuration import dataset_settings, load_schema
from skymask.datasets.observation_store import check_run, run_entries, runs_of_datasets, select_runs
from skymask.errors import ConfigurationError, MapError

METHODS = ["aeff-default"]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_store(tmp_path_factory.mktemp("dl3") / "store")


@pytest.fixture
def own_store(tmp_path):
    """A store that a test may damage."""
    return write_store(tmp_path / "store")


def selected(store, **selection):
    return list(select_runs({"store": str(store), "safe_mask": {"methods": METHODS}, **selection}))


def a_run(store, name="11", methods=METHODS):
    return select_runs({"store": str(store), "safe_mask": {"methods": methods}})[name]


def cone(*center, radius="0.1 deg", frame="icrs"):
    return {"center": list(center), "radius": radius, "frame": frame}


# Every row: what a dataset asks for, and the runs that it gets.
SELECTIONS = {
    "everything": ({}, ["11", "12", "13"]),
    "identifiers, whatever their order": ({"obs_ids": [12, 11]}, ["11", "12"]),
    "target, in either case": ({"target": " crab "}, ["11", "12"]),
    "cone": ({"cone": cone("83.6 deg", "22.0 deg")}, ["13"]),
    # From 21.6 to 22.0 are 0.4 degrees.
    "wider cone": ({"cone": cone("83.6 deg", "21.6 deg", radius="0.41 deg")}, ["12", "13"]),
    # ICRS 83.6, 22.0, by the definition of galactic coordinates.
    "cone in galactic coordinates": (
        {"cone": cone("184.555 deg", "-5.812 deg", frame="galactic", radius="0.01 deg")},
        ["13"],
    ),
    "all together": (
        {"target": "Crab", "obs_ids": [11, 13], "cone": cone("83.6 deg", "22 deg", radius="1 deg")},
        ["11"],
    ),
}


@pytest.mark.parametrize(("selection", "expected"), SELECTIONS.values(), ids=SELECTIONS)
def test_runs_pass_everything_that_is_asked(store, selection, expected):
    assert selected(store, **selection) == expected


def test_target_may_stand_in_the_column_of_hess(shared):
    runs = selected(shared / "data/hess-dl3-dr1", target="MSH 15-52")
    assert (len(runs), runs[0], runs[-1]) == (20, "20136", "20368")


def test_a_run_names_the_tables_that_are_needed_and_no_others(shared):
    folder = shared / "data/hess-dl3-dr1"
    assert set(a_run(folder, "20136")["tables"]) == {"events", "gti", "bkg", "aeff"}
    assert set(a_run(folder, "20136", ["edisp-bias"])["tables"]) == {"events", "gti", "bkg", "aeff", "edisp"}


def test_a_table_is_found_as_the_index_says(store):
    assert a_run(store)["tables"]["bkg"] == {"class": "bkg_2d", "file": str(store / "run_11.fits"), "hdu": "bkg"}


def test_runs_are_entries_of_a_stack():
    assert run_entries(["11"], "results/crab/runs") == [
        {
            "run": "11",
            "counts": "results/crab/runs/11.fits[COUNTS]",
            "acceptance": "results/crab/runs/11.fits[ACCEPTANCE]",
        }
    ]


def test_unknown_identifiers_are_named(store):
    with pytest.raises(MapError, match=f"^the obs-index of {store} has no run 4, 7$"):
        selected(store, obs_ids=[7, 11, 4])


def test_an_empty_selection_says_what_was_asked(store):
    expected = f"none of the 3 runs of {store} passes the selection (target, cone)"
    with pytest.raises(MapError, match=f"^{re.escape(expected)}$"):
        selected(store, target="Crab", cone=cone("83.6 deg", "22.0 deg"))


@pytest.mark.parametrize("name", ["obs-index.fits", "hdu-index.fits"])
def test_a_folder_without_an_index_is_no_store(own_store, name):
    (index,) = own_store.glob(f"{name}*")
    index.unlink()
    with pytest.raises(MapError, match=rf"^{own_store} holds no {name} or {name}.gz: is it an observation store\?$"):
        selected(own_store)


def test_an_index_without_a_column_is_named(own_store):
    with fits.open(own_store / "obs-index.fits", mode="update") as hdus:
        hdus[1].columns.change_name("RA_PNT", "RAPNT")
    with pytest.raises(MapError, match=r"obs-index.fits has no column RA_PNT, only OBS_ID, RAPNT, DEC_PNT, OBJECT$"):
        selected(own_store)


def test_a_target_needs_its_column(own_store):
    with fits.open(own_store / "obs-index.fits", mode="update") as hdus:
        hdus[1].columns.change_name("OBJECT", "SOURCE")
    with pytest.raises(MapError, match=r"has no column OBJECT or TARGET_NAME, which a target needs$"):
        selected(own_store, target="Crab")


def test_every_dataset_whose_runs_cannot_be_told_has_a_line(store):
    entry = {"observations": {"store": str(store), "safe_mask": {"methods": METHODS}}}
    bad = {"observations": entry["observations"] | {"obs_ids": [99]}}
    with pytest.raises(ConfigurationError) as caught:
        runs_of_datasets({"good": entry, "one": bad, "map": {"counts": "c.fits"}, "two": bad})
    lines = [f"datasets.{name}.observations: the obs-index of {store} has no run 99" for name in ("one", "two")]
    assert str(caught.value).splitlines() == lines


def test_a_good_run_passes(store):
    check_run(a_run(store), METHODS)


def remove_file(folder):
    (folder / "run_11.fits").unlink()


def without_model(folder):
    with fits.open(folder / "hdu-index.fits.gz") as hdus:
        rows = hdus[1].data
        table = fits.BinTableHDU(rows[rows["HDU_TYPE"] != "bkg"], name="HDU_INDEX")
        made = fits.HDUList([fits.PrimaryHDU(), table])
        made.writeto(folder / "hdu-index.fits")
    (folder / "hdu-index.fits.gz").unlink()


def without_table(folder):
    with fits.open(folder / "run_11.fits", mode="update") as hdus:
        del hdus["BKG"]


def changed(table, key, value):
    """Return a function that changes a header card of a run, or removes it."""

    def change(folder):
        with fits.open(folder / "run_11.fits", mode="update") as hdus:
            hdus[table].header.remove(key)
            hdus[table].header.update({} if value is None else {key: value})

    return change


def renamed(kind, hdu):
    """Return a function that makes the hdu-index name another table."""

    def change(folder):
        with fits.open(folder / "hdu-index.fits.gz") as hdus:
            rows = hdus[1].data
            rows["HDU_NAME"][rows["HDU_TYPE"] == kind] = hdu
            fits.HDUList([fits.PrimaryHDU(), hdus[1]]).writeto(folder / "hdu-index.fits")
        (folder / "hdu-index.fits.gz").unlink()

    return change


def without_unit(table, column):
    """Return a function that removes the unit of a column."""

    def remove(folder):
        with fits.open(folder / "run_11.fits", mode="update") as hdus:
            number = hdus[table].columns.names.index(column) + 1
            del hdus[table].header[f"TUNIT{number}"]

    return remove


# Every row: what is done to a store, and what is said of its run 11.
BAD_RUNS = {
    "no background model": (
        without_model,
        "run 11 has no background model: the hdu-index of {store} names no bkg for it",
    ),
    "no such file": (remove_file, "run 11: {file} does not exist, though the hdu-index of {store} names it"),
    "no such table": (without_table, "run 11: the background model: {file} holds no table bkg, only EVENTS, GTI, AEFF"),
    "another version": (
        changed("BKG", "HDUVERS", "1.0"),
        "run 11: the background model {file}[bkg] is of version 1.0 of the format, and only 0.1, 0.2, 0.3 are read",
    ),
    "another format": (
        changed("BKG", "HDUCLASS", "VODF"),
        "run 11: the background model {file}[bkg] is in the format VODF (HDUCLASS), and only GADF is read",
    ),
    "another class": (
        changed("BKG", "HDUCLAS4", "BKG_3D"),
        "run 11: the background model {file}[bkg] is a bkg_3d (HDUCLAS4), and the hdu-index says bkg_2d",
    ),
    "no dead time": (
        changed("EVENTS", "DEADC", None),
        "run 11: the event list {file}[events] has no card DEADC in its header, which gammapy needs",
    ),
    "no site": (
        changed("EVENTS", "GEOLON", None),
        "run 11: the event list {file}[events] has no card GEOLON in its header, which gammapy needs",
    ),
    "a number in quotes": (
        changed("EVENTS", "MJDREFI", "53000"),
        "run 11: the event list {file}[events] has its card MJDREFI in quotes: gammapy needs a number",
    ),
    "a card that is no number": (
        changed("GTI", "MJDREFF", "x"),
        "run 11: the good time intervals {file}[gti]: the header card MJDREFF must be a number, and is 'x'",
    ),
    "intervals that are events": (
        renamed("gti", "events"),
        "run 11: the good time intervals {file}[events] has no column START, only EVENT_ID, TIME, RA, DEC, ENERGY",
    ),
    "energies without unit": (
        without_unit("EVENTS", "ENERGY"),
        "run 11: the event list {file}[events]: the column ENERGY has no unit",
    ),
    "energies in another unit": (
        changed("BKG", "TUNIT1", "m"),
        "run 11: the background model {file}[bkg]: the column ENERG_LO has the unit m, which is none of energy",
    ),
}


@pytest.mark.parametrize(("damage", "line"), BAD_RUNS.values(), ids=BAD_RUNS)
def test_a_bad_run_is_told_in_one_line(own_store, damage, line):
    damage(own_store)
    with pytest.raises(MapError) as caught:
        check_run(a_run(own_store), METHODS)
    assert str(caught.value) == line.format(store=own_store, file=own_store / "run_11.fits")


@pytest.mark.parametrize(
    ("cards", "bkg"),
    [({"HDUCLAS4": "2D"}, "BKG"), ({"HDUCLAS4": "2D", "HDUCLASS": "OGIP", "HDUVERS": "1.0.0"}, "BKG")],
)
def test_tables_of_the_first_data_challenge_of_cta_are_taken(own_store, cards, bkg):
    for key, value in cards.items():
        changed(bkg, key, value)(own_store)
    check_run(a_run(own_store), METHODS)


def test_names_of_tables_compare_without_case(own_store):
    renamed("gti", "Gti")(own_store)
    check_run(a_run(own_store), METHODS)


@pytest.mark.parametrize("store", ["hess-dl3-dr1", "zoo/magic-crab"])
def test_events_and_intervals_of_public_stores_pass(shared, store):
    observations = {"store": str(shared / "data" / store), "safe_mask": {"methods": []}}
    for run in list(select_runs(observations).values())[:2]:
        run["tables"] = {kind: table for kind, table in run["tables"].items() if kind in ("events", "gti", "aeff")}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("skymask.datasets.observation_store.NEEDED", tuple(run["tables"]))
            check_run(run, [])


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_a_truncated_event_list_is_damaged(own_store, compress):
    path = own_store / "run_11.fits"
    write_run(path, 11, [(*POINTINGS[11], 2.0)] * 2000)
    whole = compress(path.read_bytes())
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MapError, match=rf"^{own_store}/run_11.fits is damaged or not a FITS file \(.*\)$"):
        check_run(a_run(own_store), METHODS)


GEOMETRY = {"center": ["83.6 deg", "22 deg"], "width": ["2 deg", "2 deg"], "pixel_size": "0.1 deg"}


def settings_of(observations, **more):
    entry = {"observations": observations, "geometry": GEOMETRY, **more}
    return dataset_settings({"datasets": {"crab": entry}, **KERNELS}, load_schema())["crab"]


def good(store, **more):
    return {"store": str(store), "energy": ["1 TeV", "10 TeV"], "offset_max": "2 deg", **more}


def test_configuration_of_the_readme_finds_the_runs(shared, tmp_path, monkeypatch):
    (tmp_path / "hess-dl3-dr1").symlink_to(shared / "data/hess-dl3-dr1")
    monkeypatch.chdir(tmp_path)
    config = yaml.safe_load(code_blocks("docs/guide.md", "yaml")[-1])
    assert len(runs_of_datasets(dataset_settings(config, load_schema()))["msh1552"]) == 20


def test_defaults_of_observations_are_filled_in(store):
    observations = settings_of(good(store))["observations"]
    assert (observations["energy_bins"], observations["energy_oversampling"]) == (1, 10)
    assert observations["safe_mask"]["methods"] == ["aeff-default"]


# Every row: what is changed in good observations, and what is said of it.
BAD_CONFIGURATIONS = {
    "no such store": ({"store": "nowhere"}, r"observations.store: nowhere does not exist \(looked in .*\)"),
    "energy without unit": (
        {"energy": ["1", "10 TeV"]},
        "observations.energy.0 must be an energy with its unit, such as '0.5 TeV', got '1'",
    ),
    "energies that fall": ({"energy": ["10 TeV", "1 TeV"]}, "observations.energy must grow, got 10 TeV, 1 TeV"),
    "energy from zero": ({"energy": ["0 TeV", "1 TeV"]}, "observations.energy must begin above 0, got 0 TeV"),
    "no offset": (
        {"offset_max": "0 deg"},
        "observations.offset_max must be more than 0 and at most 180 deg, got 0 deg",
    ),
    "no latitude": (
        {"cone": {"center": ["0 deg", "91 deg"], "radius": "1 deg"}},
        "observations.cone.center.1 must be a latitude, got 91 deg",
    ),
    "no radius": (
        {"cone": {"center": ["0 deg", "1 deg"], "radius": "0 deg"}},
        "observations.cone.radius must be more than 0 and at most 180 deg, got 0 deg",
    ),
    "unknown method": (
        {"safe_mask": {"methods": ["aeff"]}},
        "observations.safe_mask.methods.0 must be one of aeff-default, aeff-max, edisp-bias, bkg-peak, got 'aeff'",
    ),
}


@pytest.mark.parametrize(("change", "line"), BAD_CONFIGURATIONS.values(), ids=BAD_CONFIGURATIONS)
def test_bad_observations_are_told_in_one_line(store, change, line):
    with pytest.raises(ConfigurationError, match=rf"^datasets\.crab\.{line}$"):
        settings_of(good(store) | change)


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({"acceptance": __file__}, "acceptance cannot stand beside observations: every run has its own"),
        ({"cuts": {"offset": "1 deg"}}, "cuts stands beside events only"),
    ],
)
def test_what_cannot_stand_beside_observations_is_told(store, more, line):
    with pytest.raises(ConfigurationError, match=rf"^datasets\.crab\.{line}$"):
        settings_of(good(store), **more)
