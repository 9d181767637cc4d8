"""Counts and acceptance of one run of an observation store, made by gammapy from its events and its background model.

The only module that needs gammapy; nothing is imported of it before a map is to be made.
"""

from typing import NamedTuple

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.units import Quantity

from skymask.datasets import event_cuts
from skymask.datasets.observation_store import NO_GAMMAPY, TABLES, check_run
from skymask.datasets.reading import short_name
from skymask.errors import MapError, SkymaskError
from skymask.io.energy_axes import EnergyAxis
from skymask.io.event_files import open_events
from skymask.io.header_cards import copied_cards
from skymask.io.maps import ORIGIN_KEYS, file_digest
from skymask.sky.geometry import box_within, celestial_frame, shifted, sky_projection
from skymask.units import angle_in_degrees, in_words

#: What header cards call the files of a run.
FILE_WORDS = {"events": "EVT1", "bkg": "TMPL", "aeff": "AEFF", "edisp": "EDSP"}

#: Seconds to which the ends of good time intervals may be rounded: whole ones in the data release of H.E.S.S.
ROUNDED = 1

#: What gammapy raises for tables that are not what it expects.
_COMPLAINTS = (AttributeError, IndexError, KeyError, NotImplementedError, OSError, TypeError, ValueError)


class RunMaps(NamedTuple):
    """Maps of a run on its footprint, a part of the pixels of a field.

    Attributes
    ----------
    counts : ndarray of int32, shape (n_energies, ny, nx)
        Within the safe mask.
    acceptance : ndarray of float, shape (n_energies, ny, nx)
        Expected background counts from the run's background model, 0 outside the safe mask.
    header : Header
        Sky coordinates of the footprint.
    energies : EnergyAxis
    events : dict of str to int
        How many events were read, were in the energy range, and of these were outside the field, unsafe, counted.
    seconds : dict of str to float
        Time on the sky and live time.
    warnings : list of str
    """

    counts: np.ndarray
    acceptance: np.ndarray
    header: fits.Header
    energies: EnergyAxis
    events: dict
    seconds: dict
    warnings: list


def make_run_maps(run, header, shape, *, energy, energy_bins, energy_oversampling, offset_max, safe_mask):
    """Return counts and acceptance of a run on the pixels of a field that lie within its largest offset.

    Parameters
    ----------
    run : dict
        As from `skymask.datasets.observation_store.select_runs`.
    header : Header
        Sky coordinates of the field.
    shape : (int, int)
        Shape (ny, nx) of the field.
    energy : (str, str)
        Range with units.
    energy_bins : int
        Bins of the maps, of equal width in the logarithm.
    energy_oversampling : int
        Into so many parts each bin is divided; the background model is integrated, and the safe energies decided, in
        every part by itself.
    offset_max : str
        Largest distance of a pixel from the pointing.
    safe_mask : dict
        As in the configuration.

    Returns
    -------
    maps : RunMaps

    Raises
    ------
    MapError
        If the run cannot be used.
    SkymaskError
        If gammapy is not installed.
    """
    _require_gammapy()
    check_run(run, safe_mask["methods"])
    from gammapy.maps import MapAxis

    axis = MapAxis.from_energy_bounds(*energy, nbin=energy_bins * energy_oversampling)
    try:
        observation = _observation(run)
        read = len(observation.events.table)
        observation = _at_edges(_in_good_times(observation, run), axis)
        pointing = observation.get_pointing_icrs(observation.tmid)
        in_range, inside = _selection(observation.events, _geom(header, shape, axis))
        box = _footprint(header, shape, pointing, angle_in_degrees(offset_max))
        header = shifted(header, [part.start for part in box])
        dataset = _dataset(observation, _geom(header, _shape(box), axis), offset_max, safe_mask)
        counts, acceptance = (_rebinned(array, energy_bins) for array in _safe(dataset))
        seconds = {
            "ontime": float(observation.observation_time_duration.to_value("s")),
            "livetime": float(observation.observation_live_time_duration.to_value("s")),
        }
    except _COMPLAINTS as error:
        said = " ".join(str(error).split())
        raise MapError(
            f"run {run['obs_id']}: gammapy cannot use its tables ({type(error).__name__}: {said})"
        ) from error
    events = {
        "read": read,
        "in_bad_times": read - len(in_range),
        "in_energy_range": int(np.count_nonzero(in_range)),
        "outside": int(np.count_nonzero(in_range & ~inside)),
        "counted": int(counts.sum()),
    }
    events["unsafe"] = events["in_energy_range"] - events["outside"] - events["counted"]
    edges = axis.edges.to_value("TeV")[::energy_oversampling]
    warnings = _warnings(run, events, acceptance)
    energies = EnergyAxis(edges[:-1], edges[1:], "TeV")
    return RunMaps(counts.astype(np.int32), acceptance.astype(float), header, energies, events, seconds, warnings)


def origin_cards(run, made, options):
    """Return the header cards that say of which run, events, files and selection maps were made.

    Parameters
    ----------
    run, options : dict
        As `make_run_maps` takes them.
    made : RunMaps
        What it returned.
    """
    tables = run["tables"]
    name = f"{tables['events']['file']}[{tables['events']['hdu']}]"
    cards = copied_cards(open_events(name).header, ORIGIN_KEYS, name)
    cards += [
        ("OBS_ID", run["obs_id"], "identifier of the run"),
        ("NEVREAD", made.events["read"], "events in the file"),
        ("NEVSEL", made.events["in_energy_range"], "events in the energy range"),
        ("NEVOUT", made.events["outside"], "of these, events outside the field"),
        ("NEVUNSAF", made.events["unsafe"], "of these, others that are not safe"),
        *event_cuts.card_values({"energy": options["energy"], "offset": options["offset_max"]}),
        ("ONTIME", made.seconds["ontime"], "[s] time on the sky"),
        ("LIVETIME", made.seconds["livetime"], "[s] live time"),
    ]
    for kind, word in FILE_WORDS.items():
        if kind in tables:
            file = tables[kind]["file"]
            cards.append((f"FIL{word}", short_name(file), f"{TABLES[kind]} file"))
            cards.append((f"SHA{word}", file_digest(file), "SHA-256 of that file"))
    return cards


def _require_gammapy():
    try:
        import gammapy  # noqa: F401
    except ImportError as error:
        raise SkymaskError(NO_GAMMAPY) from error


def _observation(run):
    """The run as gammapy reads it, from the rows of the index that name its tables."""
    from gammapy.data import DataStore, HDUIndexTable

    rows = [
        (run["obs_id"], kind, table["class"], "", table["file"], table["hdu"]) for kind, table in run["tables"].items()
    ]
    index = HDUIndexTable(rows=rows, names=["OBS_ID", "HDU_TYPE", "HDU_CLASS", "FILE_DIR", "FILE_NAME", "HDU_NAME"])
    return DataStore(hdu_table=index).obs(run["obs_id"], required_irf=[])


def _in_good_times(observation, run):
    """The run without the events outside its good time intervals, which gammapy counts and gives no time.

    Not those within a second of an interval: releases round its ends.
    """
    from astropy.time import TimeDelta
    from gammapy.data import EventList

    intervals = observation.gti
    if not (intervals.time_delta.value > 0).all():
        raise MapError(f"run {run['obs_id']}: one of its good time intervals does not end after it begins")
    time = observation.events.time[:, np.newaxis]
    margin = TimeDelta(ROUNDED, format="sec")
    good = ((time >= intervals.time_start - margin) & (time <= intervals.time_stop + margin)).any(axis=1)
    if good.all():
        return observation
    return observation.copy(in_memory=True, events=EventList(observation.events.table[good]))


def _at_edges(observation, axis):
    """The run with energies that are stored just below an edge of an axis, which their precision is too coarse for.

    Single precision has 0.7 TeV as 0.69999999 TeV, and gammapy would leave such events out.
    """
    from gammapy.data import EventList

    table = observation.events.table
    energies = table["ENERGY"].quantity.to_value("TeV")
    precision = np.finfo(np.float32 if table["ENERGY"].dtype.itemsize == 4 else np.float64).eps
    edges = axis.edges.to_value("TeV")
    above = edges[np.minimum(np.searchsorted(edges, energies), len(edges) - 1)]
    # Those at the last edge stay outside.
    moved = (energies < above) & (above - energies <= 2 * precision * above) & (above < edges[-1])
    if not moved.any():
        return observation
    table = table.copy()
    table["ENERGY"] = Quantity(np.where(moved, above * (1 + 4 * np.finfo(float).eps), energies), "TeV")
    return observation.copy(in_memory=True, events=EventList(table))


def _geom(header, shape, axis):
    """Pixels and energies as gammapy's geometry, which keeps the name of the frame and no equinox."""
    from gammapy.maps import WcsGeom

    geom = WcsGeom(sky_projection(header), npix=shape[::-1], axes=[axis])
    frame = celestial_frame(header)
    if not frame.is_equivalent_frame(type(frame)()):
        raise MapError(f"the grid has the equinox {frame.equinox}, which gammapy does not keep: give one in ICRS")
    return geom


def _selection(events, field):
    """Which events are in the energy range of a geometry, and which of them on its pixels."""
    in_range = field.axes["energy"].coord_to_idx(events.energy) >= 0
    return in_range, field.contains({"skycoord": events.radec, "energy": events.energy})


def _footprint(header, shape, pointing, radius):
    """The box of pixels near the pointing: of one pixel, without coverage, where the run is outside the field."""
    center = SkyCoord(pointing).transform_to(celestial_frame(header)).spherical
    return box_within(header, shape, (center.lon.deg, center.lat.deg), radius) or (slice(0, 1), slice(0, 1))


def _shape(box):
    return tuple(part.stop - part.start for part in box)


def _dataset(observation, geom, offset_max, safe_mask):
    """Counts, background model and safe mask of a run, as gammapy's makers make them."""
    from gammapy.datasets import MapDataset
    from gammapy.makers import MapDatasetMaker, SafeMaskMaker
    from gammapy.maps import Map

    dataset = MapDataset(counts=Map.from_geom(geom), name=str(observation.obs_id))
    with np.errstate(all="ignore"):
        # Where the model ends its logarithm does: not finite, and not safe.
        dataset = MapDatasetMaker(selection=["counts", "background"]).run(dataset, observation)
    methods = set(safe_mask["methods"])
    # These two look at the instrument's own tables, without which they would need maps of them.
    of_tables = methods & {"aeff-max", "edisp-bias"}
    options = {key: in_words(safe_mask[key]) for key in ("aeff_percent", "bias_percent", "fixed_offset")}
    dataset = SafeMaskMaker(methods=["offset-max", *methods - of_tables], offset_max=in_words(offset_max)).run(
        dataset, observation
    )
    return SafeMaskMaker(methods=of_tables, irfs="DL3", **options).run(dataset, observation)


def _safe(dataset):
    """Counts and background model of a dataset, 0 where they are not safe."""
    safe = dataset.mask_safe.data
    return (np.where(safe, sky_map.data, 0) for sky_map in (dataset.counts, dataset.background))


def _rebinned(cube, bins):
    """A cube summed to so many bins of energy."""
    return cube.reshape(bins, -1, *cube.shape[1:]).sum(axis=1)


def _warnings(run, events, acceptance):
    """What deserves to be known of a run whose maps could be made; in the words in which the stack would say it."""
    told = []
    if events["in_bad_times"]:
        told.append(
            f"run {run['obs_id']}: {events['in_bad_times']} of its {events['read']} events lie outside its good time "
            "intervals: they are left out"
        )
    if not acceptance.any():
        told.append(f"run {run['obs_id']}: it has no coverage: it contributes nothing")
    elif not events["counted"]:
        told.append(f"run {run['obs_id']}: no event lies in the field, within its offsets and safe energies")
    return told
