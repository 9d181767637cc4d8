"""Whether the same data stand in a dataset twice: by what they hold, and not by the names of their files.

The same events, or the same counts on the same pixels, are refused under whatever names, compressions and ways to name
a table. What is likely the same is warned of.
"""

import hashlib

import numpy as np

from skymask.errors import MapError
from skymask.io.event_files import read_chunks, stored_chunks
from skymask.io.header_cards import card_text
from skymask.io.sky_cards import sky_cards
from skymask.io.tables import holds_one_number

#: Cards that tell one observation from another, and when it began and ended.
OBSERVATION_CARDS = ("OBS_ID", "INSTRUME", "TSTART", "TSTOP")

#: Rows of all files together that are compared at most; of more, some are chosen by what they hold.
MAX_ROWS = 2**20

#: Columns whose values together are those of one event alone; the first of these that a file has.
EVENT_COLUMNS = (("TIME", "RA", "DEC"), ("TIME", "X", "Y"), ("ENERGY", "RA", "DEC"))

#: So many rows, and this part of the shorter file, must stand in another one for a warning.
MIN_ROWS, MIN_PART = 3, 0.001

#: Counts maps with fewer counts may agree by chance.
MIN_COUNTS = 10


def check_distinct_events(files):
    """Raise a MapError if two event lists hold the same rows; only those of the same number and columns are read.

    Parameters
    ----------
    files : list of skymask.io.event_files.EventFile
    """
    alike = {}
    for events in files:
        if events.rows:
            alike.setdefault((events.rows, str(events.columns.dtype)), []).append(events)
    for group in alike.values():
        seen = {}
        for events in group if len(group) > 1 else ():
            digest = hashlib.sha256()
            for content in stored_chunks(events):
                digest.update(content)
            if (other := seen.get(digest.digest())) is not None:
                raise MapError(f"{events.name} and {other} hold the same events: they would count twice")
            seen[digest.digest()] = events.name


class SharedEvents:
    """Events that stand in several files, from the values of `EVENT_COLUMNS` in a sample of rows.

    Parameters
    ----------
    rows : int
        Number of rows of all files together.
    """

    def __init__(self, rows):
        self._every = 1 << max(0, (rows - 1).bit_length() - MAX_ROWS.bit_length() + 1)
        self._names, self._samples, self._rows = [], [], []

    def columns(self, events):
        """Return the columns of an event list that are needed: times and positions, or what there is."""
        wanted = next((names for names in EVENT_COLUMNS if all(map(events.column, names))), ())
        return [events.column(name) for name in wanted if holds_one_number(events.columns[events.column(name)])]

    def add(self, events, chunks):
        """Yield the chunks of rows of a file, as they are; their events are taken down on the way."""
        columns, kept = self.columns(events), []
        for rows in chunks:
            yield rows
            if not columns:
                continue
            keys = _keys(rows[name] for name in columns)
            kept.append(keys[keys % np.uint64(self._every) == 0])
        self._names.append(events.name)
        self._samples.append(np.unique(np.concatenate(kept)) if kept else np.zeros(0, np.uint64))
        self._rows.append(events.rows)

    def warnings(self):
        """Return a line for every two files, at most five, that have more events in common than chance gives them."""
        keys = np.concatenate(self._samples) if self._samples else np.zeros(0, np.uint64)
        files = np.repeat(np.arange(len(self._samples)), [len(sample) for sample in self._samples])
        order = np.argsort(keys, kind="stable")
        keys, files = keys[order], files[order]
        # Of an event in three files, the first and the second, the second and the third.
        shared = np.flatnonzero(keys[1:] == keys[:-1])
        pairs, numbers = np.unique(np.stack([files[shared], files[shared + 1]]), axis=1, return_counts=True)
        lines = []
        for (one, other), number in zip(pairs.T.tolist(), numbers.tolist(), strict=True):
            shorter = min(len(self._samples[one]), len(self._samples[other]))
            if number >= max(MIN_ROWS, MIN_PART * shorter):
                about = f"about {number * self._every}" if self._every > 1 else str(number)
                lines.append(
                    f"{about} events of {self._names[one]} stand in {self._names[other]} as well, at the same time and "
                    "place: they count twice"
                )
        more = [f"so do those of {len(lines) - 5} more pairs of files"] if len(lines) > 5 else []
        return lines[:5] + more


def likely_the_same(files):
    """Return warnings of event lists whose headers name the same observation and times, and whose rows agree in part.

    Parameters
    ----------
    files : list of skymask.io.event_files.EventFile
    """
    alike = {}
    for events in files:
        about = tuple(card_text(events.header, key, events.name) for key in OBSERVATION_CARDS)
        if about[0] and about[2]:
            alike.setdefault(about, []).append(events)
    warnings = []
    for group in alike.values():
        if len(group) > 1:
            shared = SharedEvents(sum(events.rows for events in group))
            for events in group:
                for _ in shared.add(events, read_chunks(events, shared.columns(events))):
                    pass
            warnings += shared.warnings()
    return warnings


class SeenCounts:
    """Counts maps that have been seen, by what they hold and where they lie on the sky."""

    def __init__(self):
        self._pixels = {}

    def check(self, counts, header, name):
        """Return warnings about a counts map that has been seen before, elsewhere.

        Parameters
        ----------
        counts : ndarray
        header : Header
        name : str
            What messages call it.

        Raises
        ------
        MapError
            If it has been seen before on the same pixels.
        """
        if not np.nansum(counts) >= MIN_COUNTS:
            return []
        # Whatever the type, the same numbers are the same counts.
        digest = hashlib.sha256(str(counts.shape).encode())
        for plane in counts.reshape(-1, counts.shape[-1]):
            digest.update(plane.astype("<f8").tobytes())
        where = {key: value for key, value in sky_cards(header).items() if key != "LONPOLE"}
        other, there = self._pixels.setdefault(digest.digest(), (name, where))
        if other == name:
            return []
        if where == there:
            raise MapError(f"{name} holds the counts of {other}, pixel by pixel: they would count twice")
        return [f"its counts are those of {other}, pixel by pixel, and only the header differs: is it the same run?"]


def _keys(columns):
    """One integer for each row, from its values in several columns of double precision."""
    keys = np.uint64(0)
    for values in columns:
        # Zeros of either sign are one number; constants of splitmix64.
        bits = (values + 0.0).view(np.uint64)
        keys = (keys ^ bits) * np.uint64(0xBF58476D1CE4E5B9)
        keys ^= keys >> np.uint64(29)
        keys = keys * np.uint64(0x94D049BB133111EB)
        keys ^= keys >> np.uint64(32)
    return keys
