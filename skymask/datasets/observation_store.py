"""Observation stores (DL3, in the open gamma-ray format): the runs of a dataset, from the indices of its store.

The workflow asks for the runs when it is planned: only the two indices are read, and gammapy is not needed.
"""

from collections import defaultdict
from pathlib import Path

import numpy as np
from astropy import units
from astropy.coordinates import SkyCoord, angular_separation
from astropy.io import fits

from skymask.errors import ConfigurationError, MapError, failing_alone
from skymask.io.fits_files import open_fits
from skymask.io.hdu_names import find_hdu
from skymask.io.header_cards import card_number, card_text, is_number_card
from skymask.units import angle_in_degrees

#: What is said where gammapy, which makes maps of the runs, is missing.
NO_GAMMAPY = (
    'observations need gammapy, which is not installed: pip install "gammapy==2.1.*", or let Snakemake install it with '
    "--software-deployment-method conda"
)

#: Names of the indices, compressed or not.
OBS_INDEX, HDU_INDEX = "obs-index.fits", "hdu-index.fits"

#: Tables of a run that are always needed, and what messages call them; gammapy wants the area for the telescope's name.
NEEDED = ("events", "gti", "aeff", "bkg")
TABLES = {
    "events": "event list",
    "gti": "good time intervals",
    "bkg": "background model",
    "aeff": "effective area",
    "edisp": "energy dispersion",
}

#: Columns that a run is selected by or found with.
OBS_COLUMNS = ("OBS_ID", "RA_PNT", "DEC_PNT")
HDU_COLUMNS = ("OBS_ID", "HDU_TYPE", "HDU_CLASS", "FILE_DIR", "FILE_NAME", "HDU_NAME")

#: Columns either of which may name the target of a run.
TARGET_COLUMNS = ("OBJECT", "TARGET_NAME")

#: Versions of the format whose tables are understood.
VERSIONS = ("0.1", "0.2", "0.3")

#: Cards that gammapy needs of a run's events and good time intervals, numbers without quotes, and their columns.
NEEDED_CARDS = {
    "events": ("MJDREFI", "MJDREFF", "DEADC", "GEOLON", "GEOLAT", "ALTITUDE"),
    "gti": ("MJDREFI", "MJDREFF"),
}
NEEDED_COLUMNS = {"events": ("TIME", "RA", "DEC", "ENERGY"), "gti": ("START", "STOP")}

#: Columns that must be there, and have a unit.
COLUMNS_WITH_UNITS = {
    "events": ("ENERGY",),
    "bkg": ("ENERG_LO", "ENERG_HI"),
    "aeff": ("ENERG_LO", "ENERG_HI"),
    "edisp": ("ENERG_LO", "ENERG_HI"),
}


def runs_of_datasets(settings):
    """Return the runs of every dataset that has observations.

    Parameters
    ----------
    settings : dict of str to dict
        As from `skymask.config.configuration.dataset_settings`.

    Returns
    -------
    runs : dict of str to dict
        Per dataset, what `select_runs` returns.

    Raises
    ------
    ConfigurationError
        One line for every dataset whose runs cannot be told.
    """
    runs, errors = {}, []
    for dataset, entry in settings.items():
        if "observations" in entry:
            try:
                with failing_alone([entry["observations"]["store"]], in_job=False):
                    runs[dataset] = select_runs(entry["observations"])
            except MapError as error:
                errors.append(f"datasets.{dataset}.observations: {error}")
    if errors:
        raise ConfigurationError("\n".join(errors))
    return runs


def run_entries(names, folder):
    """Return the runs of a stacked dataset, as its key `runs` lists them: name, counts and acceptance of each.

    Parameters
    ----------
    names : iterable of str
        Names of the runs.
    folder : str
        Where the rule `make_run_maps` puts their maps.
    """
    return [
        {
            "run": name,
            "counts": f"{folder}/{name}.fits[COUNTS]",
            "acceptance": f"{folder}/{name}.fits[ACCEPTANCE]",
        }
        for name in names
    ]


def select_runs(observations):
    """Return the runs of a store that a dataset asks for, by name, in the order of their identifiers.

    Parameters
    ----------
    observations : dict
        As in the configuration. A run must be one of `obs_ids`, be of the `target`, and point into the `cone`; what is
        not given excludes nothing.

    Returns
    -------
    runs : dict of str to dict
        Of each its `obs_id`, its `store`, and `tables`: by type (events, gti, bkg, and what the safe mask needs) the
        class, the file and the HDU that the index names.

    Raises
    ------
    MapError
        If an index is missing or damaged, an identifier unknown, or no run is left.
    """
    store = observations["store"]
    index = _index(store, OBS_INDEX, OBS_COLUMNS)
    obs_ids = index["OBS_ID"]
    selected = np.ones(len(obs_ids), dtype=bool)
    if "obs_ids" in observations:
        wanted = observations["obs_ids"]
        if unknown := sorted(set(wanted) - set(obs_ids.tolist())):
            raise MapError(f"the obs-index of {store} has no run {', '.join(map(str, unknown))}")
        selected &= np.isin(obs_ids, wanted)
    if "target" in observations:
        selected &= _is_of_target(index, observations["target"], store)
    if "cone" in observations:
        selected &= _is_in_cone(index, **observations["cone"])
    if not selected.any():
        keys = [key for key in ("obs_ids", "target", "cone") if key in observations]
        raise MapError(f"none of the {len(obs_ids)} runs of {store} passes the selection ({', '.join(keys)})")
    tables = _tables_of_runs(store, needed_tables(observations["safe_mask"]["methods"]))
    return {
        str(obs_id): {"obs_id": obs_id, "store": str(store), "tables": tables[obs_id]}
        for obs_id in sorted(set(obs_ids[selected].tolist()))
    }


def needed_tables(methods):
    """Return the types of the tables of a run that are needed with these methods of the safe mask."""
    return [*NEEDED, "edisp"] if "edisp-bias" in methods else list(NEEDED)


def files_of_run(run):
    """Return the files in which the tables of a run are, each once."""
    return list(dict.fromkeys(table["file"] for table in run["tables"].values()))


def check_run(run, methods):
    """Raise a MapError if a run cannot be used: its files are read through, and the headers of its tables checked.

    Parameters
    ----------
    run : dict
        As from `select_runs`.
    methods : list of str
        Of the safe mask.
    """
    name, tables = f"run {run['obs_id']}", run["tables"]
    for kind in needed_tables(methods):
        if kind not in tables:
            raise MapError(f"{name} has no {TABLES[kind]}: the hdu-index of {run['store']} names no {kind} for it")
    for file in files_of_run(run):
        if not Path(file).exists():
            raise MapError(f"{name}: {file} does not exist, though the hdu-index of {run['store']} names it")
        with open_fits(file) as hdus:
            present = list(hdus)
        # Of a truncated file, the tables that are whole seem to be all there are, until it has been read to its end.
        for kind, table in tables.items():
            if table["file"] == file:
                _check_table(present, kind, table, name)


def _index(store, name, columns):
    """The rows of an index of a store, once it is known to have these columns."""
    paths = [Path(store, name), Path(store, f"{name}.gz")]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise MapError(f"{store} holds no {name} or {name}.gz: is it an observation store?")
    with open_fits(path) as hdus:
        tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)]
        if not tables:
            raise MapError(f"{path} holds no table")
        rows = tables[0].data
        if missing := [column for column in columns if column not in rows.names]:
            raise MapError(f"{path} has no column {', '.join(missing)}, only {', '.join(rows.names)}")
        return rows


def _is_of_target(index, target, store):
    """Which runs have this target, in whatever case and with whatever spaces around it."""
    columns = [column for column in TARGET_COLUMNS if column in index.names]
    if not columns:
        raise MapError(f"the obs-index of {store} has no column {' or '.join(TARGET_COLUMNS)}, which a target needs")
    names = [[text.strip().casefold() for text in index[column]] for column in columns]
    return np.any(np.array(names) == target.strip().casefold(), axis=0)


def _is_in_cone(index, center, radius, frame):
    """Which runs point into a cone."""
    middle = SkyCoord(*map(angle_in_degrees, center), unit="deg", frame=frame).icrs
    pointings = [np.radians(index[column].astype(float)) for column in ("RA_PNT", "DEC_PNT")]
    # A pointing that is NaN is in no cone.
    return angular_separation(middle.ra.rad, middle.dec.rad, *pointings) <= np.radians(angle_in_degrees(radius))


def _tables_of_runs(store, kinds):
    """The tables of all runs by run and type: the first that the index names, as gammapy takes it."""
    tables = defaultdict(dict)
    rows = _index(store, HDU_INDEX, HDU_COLUMNS)
    texts = [[text.strip() for text in rows[column]] for column in HDU_COLUMNS[1:]]
    for obs_id, kind, hdu_class, folder, file, hdu in zip(rows["OBS_ID"].tolist(), *texts, strict=True):
        if kind.lower() in kinds:
            table = {"class": hdu_class.lower(), "file": str(Path(store, folder, file)), "hdu": hdu}
            tables[obs_id].setdefault(kind.lower(), table)
    return tables


def _is_binary_table(hdu):
    return isinstance(hdu, fits.BinTableHDU)


def _check_table(present, kind, table, name):
    """Raise a MapError if a table is not there, of another format, or its energies have no unit."""
    what = f"{name}: the {TABLES[kind]} {table['file']}[{table['hdu']}]"
    try:
        hdu = find_hdu(present, table["hdu"], table["file"], accept=_is_binary_table, what="table")
    except MapError as error:
        raise MapError(f"{name}: the {TABLES[kind]}: {error}") from error
    header, columns = hdu.header, {column.name.upper(): column for column in hdu.columns}
    kind_of_format = card_text(header, "HDUCLASS", what, "GADF")
    version = card_text(header, "HDUVERS", what, VERSIONS[0])
    if kind_of_format.upper() not in ("GADF", "OGIP"):
        raise MapError(f"{what} is in the format {kind_of_format} (HDUCLASS), and only GADF is read")
    # Others count their versions in another way.
    if kind_of_format.upper() == "GADF" and version not in VERSIONS:
        raise MapError(f"{what} is of version {version} of the format, and only {', '.join(VERSIONS)} are read")
    written = card_text(header, "HDUCLAS4", what, table["class"]).lower()
    # CTA's first data challenge leaves the kind of table off.
    if kind in ("bkg", "aeff", "edisp") and written not in (table["class"], table["class"].rsplit("_")[-1]):
        raise MapError(f"{what} is a {written} (HDUCLAS4), and the hdu-index says {table['class']}")
    for column in NEEDED_COLUMNS.get(kind, ()):
        if column not in hdu.columns.names:
            raise MapError(f"{what} has no column {column}, only {', '.join(hdu.columns.names)}")
    for key in NEEDED_CARDS.get(kind, ()):
        if card_number(header, key, what) is None:
            raise MapError(f"{what} has no card {key} in its header, which gammapy needs")
        if not is_number_card(header, key):
            raise MapError(f"{what} has its card {key} in quotes: gammapy needs a number")
    for column in COLUMNS_WITH_UNITS.get(kind, ()):
        if column not in columns:
            raise MapError(f"{what} has no column {column}, only {', '.join(columns)}")
        unit = units.Unit(columns[column].unit or "", parse_strict="silent")
        if unit.physical_type != "energy":
            given = f"the unit {columns[column].unit}, which is none of energy" if columns[column].unit else "no unit"
            raise MapError(f"{what}: the column {column} has {given}")
