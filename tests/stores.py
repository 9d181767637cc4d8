"""A small observation store, hand-made: two runs with a flat background model, events where a test wants them."""

import gzip
from pathlib import Path

import numpy as np
from astropy.io import fits

#: Rate of the background model in 1 / (s TeV sr), and for how long the runs look.
RATE, ONTIME = 2e3, 1000.0

#: Where the runs point, by their identifiers, and what they look at.
POINTINGS = {11: (83.6, 22.4), 12: (83.6, 21.6), 13: (83.6, 22.0)}
TARGETS = {11: "Crab", 12: "Crab", 13: "Empty"}

GADF = {"HDUCLASS": "GADF", "HDUVERS": "0.3"}

#: Energies at which the tables change, in TeV, and offsets, in degrees.
ENERGIES, OFFSETS = np.array([0.01, 1, 10, 100]), np.array([0.0, 1, 2])


def write_store(folder, obs_ids=(11, 12, 13), **events):
    """Write a store; `events` are lists of (ra, dec, TeV) by "run_{obs_id}", and two events at the pointing if not."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for obs_id in obs_ids:
        at_pointing = [(*POINTINGS[obs_id], energy) for energy in (2.0, 20.0)]
        write_run(folder / f"run_{obs_id}.fits", obs_id, events.get(f"run_{obs_id}", at_pointing))
    write_indices(folder, obs_ids)
    return folder


def write_indices(folder, obs_ids):
    """Write the indices of a store."""
    obs = {
        "OBS_ID": ("J", None, list(obs_ids)),
        "RA_PNT": ("D", "deg", [POINTINGS[obs_id][0] for obs_id in obs_ids]),
        "DEC_PNT": ("D", "deg", [POINTINGS[obs_id][1] for obs_id in obs_ids]),
        "OBJECT": ("10A", None, [TARGETS[obs_id] for obs_id in obs_ids]),
    }
    kinds = {"events": "events", "gti": "gti", "aeff": "aeff_2d", "bkg": "bkg_2d"}
    rows = [(obs_id, kind, name, f"run_{obs_id}.fits", kind) for obs_id in obs_ids for kind, name in kinds.items()]
    columns = [list(column) for column in zip(*rows, strict=True)]
    hdu = dict(zip(("OBS_ID", "HDU_TYPE", "HDU_CLASS", "FILE_NAME", "HDU_NAME"), columns, strict=True))
    formats = {"OBS_ID": "J", "FILE_NAME": "30A"}
    hdu = {name: (formats.get(name, "10A"), None, values) for name, values in hdu.items()}
    hdu["FILE_DIR"] = ("10A", None, [""] * len(rows))
    _hdus(_table(obs, "OBS_INDEX")).writeto(folder / "obs-index.fits", overwrite=True)
    with gzip.GzipFile(folder / "hdu-index.fits.gz", "wb", mtime=0) as file:
        _hdus(_table(hdu, "HDU_INDEX")).writeto(file)


def write_run(path, obs_id, events):
    """Write events, good time intervals, effective area and background model of a run."""
    ra, dec = POINTINGS[obs_id]
    pointing = {"RA_PNT": ra, "DEC_PNT": dec, "ALT_PNT": 60.0, "AZ_PNT": 180.0, "OBS_MODE": "POINTING"}
    site = {"GEOLON": 16.5, "GEOLAT": -23.3, "ALTITUDE": 1835.0, "TELESCOP": "HESS", "OBJECT": TARGETS[obs_id]}
    clock = {"MJDREFI": 53000, "MJDREFF": 0.0, "TIMEUNIT": "s", "TIMESYS": "TT", "TIMEREF": "LOCAL"}
    when = {"TSTART": 0.0, "TSTOP": ONTIME, "ONTIME": ONTIME, "LIVETIME": 0.9 * ONTIME, "DEADC": 0.9}
    ra, dec, energy = np.array(events, dtype=float).reshape(-1, 3).T
    of_events = {
        "EVENT_ID": ("K", None, np.arange(len(ra))),
        "TIME": ("D", "s", np.linspace(1, ONTIME - 1, len(ra))),
        "RA": ("D", "deg", ra),
        "DEC": ("D", "deg", dec),
        "ENERGY": ("D", "TeV", energy),
    }
    axes = {
        "ENERG_LO": ("3E", "TeV", [ENERGIES[:-1]]),
        "ENERG_HI": ("3E", "TeV", [ENERGIES[1:]]),
        "THETA_LO": ("2E", "deg", [OFFSETS[:-1]]),
        "THETA_HI": ("2E", "deg", [OFFSETS[1:]]),
    }
    area = axes | {"EFFAREA": ("6E", "m2", [np.full((2, 3), 1e5)])}
    model = axes | {"BKG": ("6E", "s-1 MeV-1 sr-1", [np.full((2, 3), RATE / 1e6)])}
    response = GADF | {"HDUCLAS1": "RESPONSE", "HDUCLAS3": "FULL-ENCLOSURE"}
    _hdus(
        _table(of_events, "EVENTS", GADF | {"HDUCLAS1": "EVENTS", "OBS_ID": obs_id} | pointing | site | clock | when),
        _table({"START": ("D", "s", [0.0]), "STOP": ("D", "s", [ONTIME])}, "GTI", GADF | clock),
        _table(
            area, "AEFF", response | {"HDUCLAS2": "EFF_AREA", "HDUCLAS4": "AEFF_2D", "LO_THRES": 1, "HI_THRES": 100}
        ),
        _table(model, "BKG", response | {"HDUCLAS2": "BKG", "HDUCLAS4": "BKG_2D"}),
    ).writeto(path, overwrite=True)


def _table(columns, name, header=()):
    made = []
    for key, (form, unit, values) in columns.items():
        dim = "(3,2)" if form == "6E" else None
        made.append(fits.Column(key, form, unit, dim=dim, array=values))
    table = fits.BinTableHDU.from_columns(made, name=name)
    table.header.update(header)
    return table


def _hdus(*tables):
    return fits.HDUList([fits.PrimaryHDU(), *tables])
