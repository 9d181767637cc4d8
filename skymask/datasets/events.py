"""Events as counts per pixel."""

import hashlib
from typing import NamedTuple

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.units import Quantity

from skymask.datasets import event_cuts
from skymask.datasets.event_columns import event_positions
from skymask.datasets.identity import SharedEvents, check_distinct_events
from skymask.datasets.reading import short_name
from skymask.errors import MapError
from skymask.io import maps
from skymask.io.data_subspace import ENERGY_CARDS, selected_range
from skymask.io.event_files import open_events, read_chunks
from skymask.io.header_cards import card_text, shared_cards
from skymask.io.maps import ORIGIN_KEYS
from skymask.sky.geometry import celestial_frame, directions_in, nearest_turn, sky_projection

#: So many event files have header cards of their own.
MAX_FILES = 9


class Binned(NamedTuple):
    """Counts of the events of a dataset.

    Attributes
    ----------
    counts : ndarray of int32, shape (ny, nx)
    cards : list of (str, object, str)
        Header cards: how many events were read, selected and outside, the cuts, the files.
    warnings : list of str
    """

    counts: np.ndarray
    cards: list
    warnings: list


class Tally(NamedTuple):
    """Numbers of events that were read, passed the cuts, and of these lay outside the field or had no position."""

    read: int = 0
    selected: int = 0
    outside: int = 0
    undefined: int = 0


def bin_events(names, header, shape, cuts=None):
    """Return the counts of event lists on a grid of pixels.

    Parameters
    ----------
    names : list of str
        Paths, followed by [table name] where the table is not called EVENTS.
    header : Header
        Sky coordinates of the pixels.
    shape : (int, int)
        Shape (ny, nx) of the map.
    cuts : dict
        As in the configuration; none if not given.

    Returns
    -------
    binned : Binned

    Raises
    ------
    MapError
        If a file cannot be read, lacks what a cut needs, stands twice, or no event is left for the map.
    """
    cuts = cuts or {}
    files = [open_events(name) for name in names]
    check_distinct_events(files)
    shared = SharedEvents(sum(events.rows for events in files)) if len(files) > 1 else None
    counts, tally = np.zeros(shape, dtype=np.int32), Tally()
    for events in files:
        tally = Tally(*np.add(tally, _fill(counts, events, header, cuts, shared)).tolist())
    if not tally.selected:
        made = f" ({event_cuts.describe(cuts)})" if cuts else ""
        raise MapError(f"none of {tally.read} events passes the cuts{made}")
    if tally.outside + tally.undefined == tally.selected:
        raise MapError(f"all {tally.selected} selected events lie outside the field: is its centre right?")
    warnings = shared.warnings() if shared else []
    if tally.outside:
        warnings.append(f"{tally.outside} of {tally.selected} selected events lie outside the field")
    if tally.undefined:
        warnings.append(f"{tally.undefined} of {tally.selected} selected events have no position; they are left out")
    instruments = {card_text(events.header, "TELESCOP", events.name) for events in files}
    if len(instruments) > 1:
        warnings.append(f"the events are of different telescopes ({', '.join(sorted(instruments))})")
    cards = [
        *shared_cards({events.name: events.header for events in files}, ORIGIN_KEYS),
        ("NEVREAD", tally.read, "events in the files"),
        ("NEVSEL", tally.selected, "events that passed the cuts"),
        ("NEVOUT", tally.outside, "selected events outside the field"),
        ("NEVUNDEF", tally.undefined, "selected events without a position"),
        *event_cuts.card_values(cuts),
        *energy_cards(files, cuts),
        *_file_cards(names, cuts),
    ]
    return Binned(counts, cards, warnings)


def energy_cards(files, cuts):
    """Return the header cards of the energies of counts, by the cut and what headers say; none if there is no limit.

    Parameters
    ----------
    files : list of EventFile
    cuts : dict
        As in the configuration.
    """
    limits = set()
    for events in files:
        low, high = (
            None if text is None else Quantity(text).to_value("GeV") for text in cuts.get("energy", (None, None))
        )
        selected = selected_range(events.header, "energy", events.name)
        if selected is not None:
            ends = [None if end is None else Quantity(end, selected.unit).to_value("GeV") for end in selected[:2]]
            low = max((end for end in (low, ends[0]) if end is not None), default=None)
            high = min((end for end in (high, ends[1]) if end is not None), default=None)
        limits.add((low, high))
    if len(limits) != 1 or None in (found := limits.pop()):
        return []
    comments = ("[GeV] lowest energy of the events", "[GeV] highest energy of the events")
    return list(zip(ENERGY_CARDS, found, comments, strict=True))


def check_events(name, header, shape, cuts=None):
    """Return the event list in a file, once it is known that its events can be counted; its rows are not read.

    Raises
    ------
    MapError
        As `bin_events`, for what the file's headers say.
    """
    events = open_events(name)
    _plan(events, header, shape, cuts or {})
    return events


def pixel_finder(header, shape, frame):
    """Return a function that finds the pixels in which positions lie.

    Parameters
    ----------
    header : Header
        Sky coordinates of the pixels.
    shape : (int, int)
        Shape (ny, nx) of the map.
    frame : str or frame
        Frame of the positions, as astropy names it.

    Returns
    -------
    find : callable
        Takes longitudes and latitudes in degrees, of shape (n,), and returns the pixels y * nx + x of those that lie in
        the map, in their order. Pixel x reaches from x - 1/2 to below x + 1/2, in pixel coordinates counted from 0.

    Raises
    ------
    MapError
        If the header has no sky coordinates that are equatorial or galactic, or its pixels are distorted.
    """
    wcs = sky_projection(header)
    if wcs.has_distortion:
        raise MapError("the geometry has distorted pixels (SIP): give a map without distortion, or a centre and width")
    rotation = _rotation(frame, celestial_frame(header))

    def find(longitude, latitude):
        if rotation is not None:
            longitude, latitude = _turned(longitude, latitude, rotation)
        world = np.empty((len(longitude), 2))
        world[:, wcs.wcs.lng], world[:, wcs.wcs.lat] = longitude, latitude
        pixels = nearest_turn(wcs, wcs.wcs_world2pix(world, 0), np.subtract(shape[::-1], 1) / 2)
        column, row = np.floor(pixels.T + 0.5)
        inside = (column >= 0) & (column < shape[1]) & (row >= 0) & (row < shape[0])
        return row[inside].astype(np.intp) * shape[1] + column[inside].astype(np.intp)

    return find


def _plan(events, header, shape, cuts):
    """How the events of a file are counted: their positions, cuts, and a finder of pixels."""
    positions = event_positions(events)
    cuts = event_cuts.cuts_for(events, positions, cuts)
    return positions, cuts, pixel_finder(header, shape, positions.frame)


def _fill(counts, events, header, cuts, shared=None):
    """Add the events of one file to counts, and return what became of them."""
    positions, cuts, find = _plan(events, header, counts.shape, cuts)
    columns = list(dict.fromkeys([*positions.columns, *(name for cut in cuts for name in cut.columns)]))
    if shared:
        columns = list(dict.fromkeys([*columns, *shared.columns(events)]))
    flat, selected, found, undefined = counts.reshape(-1), 0, 0, 0
    chunks = read_chunks(events, columns)
    for rows in shared.add(events, chunks) if shared else chunks:
        longitude, latitude = positions.degrees(rows)
        if cuts:
            kept = np.logical_and.reduce([cut.passes(rows) for cut in cuts])
            longitude, latitude = longitude[kept], latitude[kept]
        defined = np.isfinite(longitude) & (np.abs(latitude) <= 90)
        selected += len(longitude)
        if not defined.all():
            undefined += np.count_nonzero(~defined)
            longitude, latitude = longitude[defined], latitude[defined]
        pixels = find(longitude, latitude)
        np.add.at(flat, pixels, 1)
        found += len(pixels)
    return Tally(events.rows, selected, selected - undefined - found, undefined)


def _rotation(frame, other):
    """The matrix by which directions, as rows, go from one frame to another; None where that is the same frame."""
    axes = SkyCoord([0, 90, 0], [0, 0, 90], unit="deg", frame=frame)
    if axes.frame.is_equivalent_frame(other):
        return None
    matrix = directions_in(other)(axes)
    if not np.allclose(matrix @ matrix.T, np.eye(3), rtol=0, atol=1e-12):
        raise MapError(
            f"events cannot be brought to the frame {other.name} of the map: ICRS, FK5 or galactic is needed"
        )
    return matrix


def _turned(longitude, latitude, rotation):
    """Longitude and latitude in another frame, in degrees."""
    x, y, z = rotation.T @ event_cuts.directions_of(np.radians(longitude), np.radians(latitude)).T
    return np.degrees(np.arctan2(y, x)), np.degrees(np.arctan2(z, np.hypot(x, y)))


def _file_cards(names, cuts):
    """Names and SHA-256 of the files, the first ones each, and one digest over all."""
    digests = [maps.file_digest(name) for name in names]
    everything = hashlib.sha256("".join(digests).encode()).hexdigest()
    cards = [
        ("NEVFILES", len(names), "event files"),
        ("SHAEVTS", everything, "SHA-256 of the SHA-256 of all event files"),
    ]
    for number, (name, digest) in enumerate(zip(names, digests, strict=True), start=1):
        if number <= MAX_FILES:
            cards.append((f"FILEVT{number}", short_name(name), "event file"))
            cards.append((f"SHAEVT{number}", digest, "SHA-256 of that file"))
    if "good_time_intervals" in cuts:
        digest = maps.file_digest(cuts["good_time_intervals"])
        cards.append(("SHAGTI", digest, "SHA-256 of the file of good time intervals"))
    return cards
