"""Scans: one dataset analysed with every combination of several settings, and how far these agree.

Combinations are named as `snakemake.utils.Paramspace` names its instances, `threshold~4_statistic~cash`, without the
library for tables that it needs. Nothing here needs numpy: a workflow asks for the combinations at every start.
"""

from collections import Counter
from itertools import pairwise, product
from math import prod

from skymask.units import in_words, is_length, parse_length

#: A scan of more combinations must be a mistake.
MAX_POINTS = 1000

#: Infinite numbers as they stand in records.
INFINITE = ("inf", "-inf")

#: What a row of the comparison says of a combination, besides its values.
COLUMNS = (
    "state",
    "period",
    "iteration",
    "excluded",
    "excluded_fraction",
    "off_source_mean",
    "off_source_width",
    "highest_significance",
    "unexcluded_above_threshold",
    "mask_sha256",
    "reason",
)


def points(scan):
    """Return the values of every combination by its name.

    Parameters
    ----------
    scan : dict of str to list
        Values by key, as in the configuration; a key within a key is written with a dot.

    Returns
    -------
    points : dict of str to dict
        None for an empty scan. Numbers and lengths grow, words keep their order.
    """
    if not scan:
        return {}
    values = product(*(sorted(scan[key], key=_size) for key in scan))
    combinations = [dict(zip(scan, combination, strict=True)) for combination in values]
    return {point_name(combination): combination for combination in combinations}


def point_name(values):
    """Return the name of a combination, that of its files."""
    return "_".join(f"{key}~{value_text(value)}".replace(" ", "") for key, value in values.items())


def value_text(value):
    """Return a value as it stands in names, tables and figures."""
    if isinstance(value, str) and is_length(value):
        value = parse_length(value)
    return "null" if value is None else str(in_words(value))


def with_values(entry, values):
    """Return the settings of a dataset with the values of a combination in their place."""
    changed = dict(entry)
    for key, value in values.items():
        outer, _, inner = key.partition(".")
        changed[outer] = {**changed[outer], inner: value} if inner else value
    return changed


def values_of(entry, scan):
    """Return the values that a dataset itself has for the keys of a scan."""
    parts = {key: key.partition(".") for key in scan}
    return {key: entry[outer][inner] if inner else entry[outer] for key, (outer, _, inner) in parts.items()}


def longest(scan):
    """Return the key with most values, along which a scan is shown; threshold, if it is one of several."""
    return max(scan, key=lambda key: (len(scan[key]), key == "threshold"))


def neighbours(scan, key):
    """Return the pairs of names of combinations that differ by one step of one key, and in nothing else."""
    lines = {}
    for name, values in points(scan).items():
        lines.setdefault(point_name({**values, key: None}), []).append(name)
    return [pair for line in lines.values() for pair in pairwise(line)]


def overlap(excluded, other):
    """Return how much two sets of excluded pixels overlap: their intersection over their union, 1 if both are empty.

    Parameters
    ----------
    excluded, other : ndarray of bool, shape (ny, nx)
    """
    union = int((excluded | other).sum())
    return int((excluded & other).sum()) / union if union else 1.0


def compare(scan, records, excluded, own):
    """Return a row for every combination: its values, how its loop ended, and how stable its mask is.

    Parameters
    ----------
    scan : dict of str to list
    records : dict of str to dict
        What the job of every combination found, by name: `COLUMNS`.
    excluded : dict of str to ndarray of bool, shape (ny, nx)
        True where the final mask excludes a pixel that has coverage. A combination that failed has none.
    own : dict
        Values of the dataset itself.

    Returns
    -------
    rows : list of dict
        `overlap_{key}` is the smallest overlap with a neighbour in this key, None if there is none to compare with;
        `own` tells the row with the values of the dataset itself.
    """
    overlaps = {key: _least_overlaps(neighbours(scan, key), excluded) for key in scan}
    return [
        {
            **{key: value_text(value) for key, value in values.items()},
            **{column: records[name][column] for column in COLUMNS},
            **{f"overlap_{key}": of_key.get(name) for key, of_key in overlaps.items()},
            "own": name == point_name(own),
        }
        for name, values in points(scan).items()
    ]


def table(rows):
    """Return the columns of rows of `compare`: numbers as numbers, NaN where there is none, and no text as ""."""
    texts = {key for row in rows for key, value in row.items() if isinstance(value, str) and value not in INFINITE}
    columns = {}
    for key in rows[0]:
        nothing = "" if key in texts or key == "reason" else float("nan")
        values = [nothing if row[key] is None else row[key] for row in rows]
        columns[key] = [float(value) if key not in texts and value in INFINITE else value for value in values]
    return columns


def _least_overlaps(pairs, excluded):
    """The smallest overlap of every combination with a neighbour, of those that did not fail."""
    least = {}
    for one, other in pairs:
        if one in excluded and other in excluded:
            common = overlap(excluded[one], excluded[other])
            least |= {name: min(common, least.get(name, common)) for name in (one, other)}
    return least


def mistakes(entry):
    """Yield what a schema cannot say of a scan: keys that the dataset's kernels do not have, and values given twice."""
    scan = entry["scan"]
    for key, values in scan.items():
        outer, _, inner = key.partition(".")
        if inner and inner not in entry.get(outer, {}):
            shape = entry.get(outer, {}).get("shape", "not there")
            yield f"scan.{key}: the {outer} of this dataset is {shape} and has no {inner}"
        given = Counter(value_text(value).replace(" ", "") for value in values)
        yield from (f"scan.{key}: {value} stands there twice" for value, number in given.items() if number > 1)
    if (number := prod(map(len, scan.values()))) > MAX_POINTS:
        yield f"scan has {number} combinations: at most {MAX_POINTS} are possible"


def _size(value):
    """What values of a key are sorted by: numbers and lengths grow, null comes first, words stay where they are."""
    if isinstance(value, list) or (isinstance(value, str) and is_length(value)):
        return parse_length(value)[0]
    if isinstance(value, str):
        return 0
    return float("-inf") if value is None else value
