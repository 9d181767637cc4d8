"""Which event lists a configuration means: wildcards, and the observation lists of ctools, become names of files."""

import glob
import os
import re
from pathlib import Path

from skymask.errors import ConfigurationError
from skymask.io.file_names import is_remote, split_name

#: Characters by which a name stands for several files.
_WILDCARD = re.compile(r"[*?]|\[[^\]]*\]")


def expanded_events(events, where):
    """Return the event lists of a dataset as names of single files.

    Parameters
    ----------
    events : str or list of str
        Paths, followed by [table name] if need be; with wildcards as in shells (*, ?, [0-9]), or of an observation list
        of ctools (.xml).
    where : str
        The key, for messages.

    Returns
    -------
    events : str or list of str
        As given if every name is that of a file.

    Raises
    ------
    ConfigurationError
        If a wildcard matches nothing, or an observation list cannot be read or names no event lists.
    """
    if isinstance(events, str):
        found = _expanded(events, where)
        return events if found == [events] else found
    if not isinstance(events, list):
        return events
    return [name for item in events for name in (_expanded(item, where) if isinstance(item, str) else [item])]


def _expanded(name, where):
    """The names of the files that a name means."""
    path, table = split_name(name)
    if is_remote(path):
        return [name]
    if path.lower().endswith(".xml"):
        return _observations(path, where)
    if os.path.exists(name) or os.path.exists(path):
        return [name]
    # What stands in brackets at the end is a table, unless a file has such a name.
    for pattern, end in ((name, ""), (path, f"[{table}]" if table else "")):
        if _WILDCARD.search(pattern) and (found := sorted(glob.glob(pattern))):
            return [f"{one}{end}" for one in found]
    if _WILDCARD.search(path):
        raise ConfigurationError(f"{where}: no file matches {path} (looked in {Path.cwd()})")
    return [name]


def _observations(path, where):
    """The event lists of an observation list of ctools, whose paths without a folder are beside it."""
    from xml.etree import ElementTree

    try:
        root = ElementTree.parse(path).getroot()
    except OSError as error:
        raise ConfigurationError(f"{where}: {path} cannot be read ({error.strerror or error})") from error
    except ElementTree.ParseError as error:
        raise ConfigurationError(f"{where}: {path} is no XML ({error})") from error
    files = {}
    for parameter in root.iter("parameter"):
        files.setdefault(parameter.get("name"), []).append(parameter.get("file", ""))
    names = [name for name in files.get("EventList", ()) if name]
    if not names:
        others = ", ".join(sorted(kind for kind in files if kind and "Cube" in kind))
        hint = f", but {others}: name a cube by the key counts" if others else ""
        raise ConfigurationError(f"{where}: {path} names no event list (a parameter EventList with its file){hint}")
    for name in names:
        if variable := re.search(r"\$\w+|\$[({]\w+[)}]", name):
            raise ConfigurationError(
                f"{where}: {path} has the variable {variable[0]} in {name!r}: write the path itself"
            )
    return [name if "/" in name else str(Path(path).parent / name) for name in names]
