"""Datasets that have ended and of which nothing has changed since: the workflow leaves their jobs out of its graph.

Snakemake looks at every file of every job, again after every iteration; of thousands of finished datasets that is most
of what a run costs. So a run notes for each of them its settings, and the files that its jobs read and wrote. Where the
next run finds all that as it was, these are files like any other, made by no rule; at any difference Snakemake decides.
"""

import hashlib
import json
import os
import re
from pathlib import Path

from skymask.io.atomic import identity, written_whole

#: Where a dataset's note stands, below the folder in which Snakemake keeps its own.
FOLDER = Path(".snakemake", "settled")

#: Keys of the configuration that say nothing of how a dataset is analysed.
OF_NO_DATASET = ("datasets", "figures", "shard", "checkpoint_groups", "pathvars")

#: Options of `snakemake` under which every job does what it would do if the graph were whole.
HARMLESS = re.compile(
    r"-n|-p|-k|-q|-[cj]\d*|-[sde]|--(dry-?run|printshellcmds|keep-going|quiet|verbose|cores|jobs|snakefile|directory|"
    r"config|configfiles?|nolock|profile|workflow-profile|resources|set-resources|set-resource-scopes|default-resources|"
    r"executor|rerun-incomplete|ri|latency-wait|retries|show-failed-logs|nocolor|groups|slurm-[a-z-]+)"
)


def is_plain(command):
    """Whether a command asks Snakemake for files, and not for a report, a plan, or jobs that need not run.

    Parameters
    ----------
    command : list of str
        Program and arguments, as in `sys.argv`.
    """
    program, *arguments = command
    options = (word.split("=", 1)[0] for word in arguments if re.match(r"--?[a-zA-Z]", word))
    is_snakemake = program.endswith(("snakemake", os.path.join("snakemake", "__main__.py")))
    return is_snakemake and all(HARMLESS.fullmatch(option) for option in options)


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


def note(dataset, settings, configured, outcome, read, written, started, folder=FOLDER):
    """Note that a dataset has ended, unless a file that its jobs read was replaced meanwhile.

    Parameters
    ----------
    dataset : str
    settings : str
        The `digest` of its settings, with everything else on which its files depend.
    configured : str
        As from `as_configured`.
    outcome : dict
        The last word on its loop.
    read, written : set of str
        The files that its jobs read and wrote.
    started : float
        When the run began, in seconds.
    folder : str or Path
        Where notes stand.
    """
    if any(os.stat(name).st_ctime >= started for name in read - written):
        return
    path = Path(folder, f"{dataset}.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    files = {name: identity(name) for name in sorted(read | written)}
    with written_whole(path) as temporary:
        content = {"settings": settings, "configured": configured, "outcome": outcome, "files": files}
        temporary.write_text(json.dumps(content), encoding="utf-8")


def unchanged(dataset, settings, folder=FOLDER):
    """Return the outcome of a dataset that has ended and of which nothing has changed since, else None."""
    try:
        content = _read(dataset, folder)
        same = content["settings"] == settings and all(identity(name) == was for name, was in content["files"].items())
        return content["outcome"] if same else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def is_outdated(dataset, configured, folder=FOLDER):
    """Whether a dataset was noted under another configuration; that of one without a note is not known."""
    try:
        return _read(dataset, folder)["configured"] != configured
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _read(dataset, folder):
    return json.loads(Path(folder, f"{dataset}.json").read_text(encoding="utf-8"))
