"""Tables of the configuration: one row for each dataset, or for each run of one."""

import csv

from skymask.errors import ConfigurationError, listed

#: Keys whose own keys have dots in them.
WITH_DOTS = ("scan",)


def read_table(path):
    """Return the datasets of a CSV table with one row per dataset.

    Column `dataset` holds names, the others data and analysis keys; a key within a key is written with a dot. Empty
    cells are keys not given, the others texts, of which `skymask.config.values.typed` makes what the schema asks for.

    Raises
    ------
    ConfigurationError
        If the table cannot be read or names a dataset twice.
    """
    datasets = {}
    for number, row in _read_csv(path, "datasets", "dataset"):
        name = row.pop("dataset")
        if name in datasets:
            raise ConfigurationError(f"datasets: {path} names the dataset {name!r} twice (line {number})")
        entry = datasets[name] = {}
        for column, cell in row.items():
            if cell:
                _set_nested(entry, column, cell)
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
    return [{column: cell for column, cell in row.items() if cell} for _, row in rows]


def _read_csv(path, where, needed):
    """The lines of a CSV table by number, as mappings of its columns, of which one is needed."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns, rows = [column.strip() for column in reader.fieldnames or []], list(reader)
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
    return [
        (number, {column.strip(): cell.strip() for column, cell in row.items()})
        for number, row in enumerate(rows, start=2)
    ]


def _set_nested(entry, dotted, value):
    """Put a value where a name with dots says."""
    parents, last = dotted.split(".")[:-1], dotted.split(".")[-1]
    if parents and parents[0] in WITH_DOTS:
        parents, last = parents[:1], dotted.partition(".")[2]
    for parent in parents:
        entry = entry.setdefault(parent, {})
        if not isinstance(entry, dict):
            raise ConfigurationError(f"datasets: the columns {parent!r} and {dotted!r} exclude each other")
    if last in entry:
        raise ConfigurationError(f"datasets: the column {dotted!r} and those that begin with it exclude each other")
    entry[last] = value
