"""Datasets that are finished and of which nothing has changed since: their jobs are left out of the graph.

Snakemake looks at every file of every job, again after every iteration; of thousands of finished datasets that is most
of what a run costs. So a run notes for each of them its settings, and the files that its jobs read and wrote, next to
Snakemake's own records. Where the next run finds all that as it was, and its options force nothing, Snakemake itself
would find every job up to date: then these are files like any other, made by no rule.
"""

import hashlib
import json
import os
from pathlib import Path

from skymask.io.atomic import identity, written_whole

#: Where notes stand, in the folder in which Snakemake keeps its own records.
FOLDER = Path(".snakemake", "skymask")

#: Keys of the configuration that say nothing of how a dataset is analysed.
OF_NO_DATASET = ("datasets", "figures", "shard", "checkpoint_groups", "pathvars")


def digest(*settings):
    """Return a text that differs if any of the settings does."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()


def as_configured(config, entry):
    """Return the `digest` of all that a configuration says of a dataset, as it stands there.

    Parameters
    ----------
    config : dict
        As read from YAML.
    entry : dict or None
        What it says of this dataset alone.
    """
    return digest({key: value for key, value in config.items() if key not in OF_NO_DATASET}, entry)


def find(results, digests):
    """Return the last decision on every dataset that is finished and of which nothing has changed since.

    Parameters
    ----------
    results : str
        Folder of the results.
    digests : dict of str to str
        Per dataset the `digest` of its settings, with everything else on which its files depend.
    """
    found = {}
    for dataset, settings in digests.items():
        try:
            note = read_note(results, dataset)
            if note["settings"] == settings and all(identity(file) == was for file, was in note["files"].items()):
                found[dataset] = note["outcome"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return found


def record(results, dataset, settings, configured, outcome, read, written, started):
    """Note that a dataset is finished, unless a file that its jobs read was replaced meanwhile.

    Parameters
    ----------
    results, dataset : str
    settings, configured : str
        As for `find`, and from `as_configured`.
    outcome : dict
        The last decision on its loop.
    read, written : set of str
        The files that its jobs read and wrote.
    started : float
        When the run began, in seconds.
    """
    if any(os.stat(name).st_ctime >= started for name in read - written):
        return
    path = _note(results, dataset)
    path.parent.mkdir(parents=True, exist_ok=True)
    files = {name: identity(name) for name in sorted(read | written)}
    with written_whole(path) as temporary:
        content = {"settings": settings, "configured": configured, "outcome": outcome, "files": files}
        temporary.write_text(json.dumps(content), encoding="utf-8")


def read_note(results, dataset):
    """Return what was noted of a dataset; a FileNotFoundError if nothing was."""
    return json.loads(_note(results, dataset).read_text(encoding="utf-8"))


def has_note(results, dataset):
    """Return whether a dataset was noted, which says that Snakemake's own records of it are there too."""
    return _note(results, dataset).is_file()


def is_outdated(results, dataset, configured):
    """Return whether a dataset was noted under another configuration; that of one without a note is not known."""
    try:
        return read_note(results, dataset)["configured"] != configured
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _note(results, dataset):
    """The note on a dataset; those of several folders of results do not meet."""
    return FOLDER / hashlib.sha256(str(results).encode()).hexdigest()[:12] / f"{dataset}.json"
