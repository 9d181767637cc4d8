"""Tables of the configuration: one row for each dataset, or for each run of one."""

import csv

from skymask.errors import ConfigurationError, listed
from skymask.io.file_names import DATA_KEYS


def read_table(path):
    """Return the datasets of a CSV table with one row per dataset.

    Column `dataset` holds names, the others data and analysis keys; a key within a key is written with a dot. Empty
    cells are keys not given.

    Raises
    ------
    ConfigurationError
        If the table cannot be read or names a dataset twice.
    """
    datasets = {}
    for number, row in _read_csv(path, "datasets", "dataset"):
        name = row.pop("dataset").strip()
        if name in datasets:
            raise ConfigurationError(f"datasets: {path} names the dataset {name!r} twice (line {number})")
        entry = datasets[name] = {}
        for column, cell in row.items():
            if cell.strip():
                _set_nested(entry, column.strip(), _cell_value(column, cell.strip()))
    return datasets


def read_runs_table(path, where):
    """Return the runs of a CSV table with one row per run; empty cells are keys not given.

    Raises
    ------
    ConfigurationError
        If the table cannot be read or has no rows.
    """
    rows = _read_csv(path, where, "counts")
    if not rows:
        raise ConfigurationError(f"{where}: the table {path} has no rows")
    return [{column.strip(): cell.strip() for column, cell in row.items() if cell.strip()} for _, row in rows]


def _read_csv(path, where, needed):
    """The lines of a CSV table by number, as mappings of its columns, of which one is needed."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns, rows = reader.fieldnames or [], list(reader)
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"{where}: the table {path} cannot be read ({reason})") from error
    if needed not in columns:
        raise ConfigurationError(f"{where}: the table {path} has no column {needed!r}, only {listed(columns)}")
    for column in columns:
        if columns.count(column) > 1:
            raise ConfigurationError(f"{where}: the table {path} has the column {column!r} twice")
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise ConfigurationError(f"{where}: line {number} of {path} has not as many cells as the header")
    return list(enumerate(rows, start=2))


def _cell_value(column, cell):
    if column.strip() in DATA_KEYS or column.strip().endswith(".path"):
        return cell
    import yaml

    try:
        return yaml.safe_load(cell)
    except yaml.YAMLError:
        return cell


def _set_nested(entry, dotted, value):
    *parents, last = dotted.split(".")
    for parent in parents:
        entry = entry.setdefault(parent, {})
        if not isinstance(entry, dict):
            raise ConfigurationError(f"datasets: the columns {parent!r} and {dotted!r} exclude each other")
    entry[last] = value
