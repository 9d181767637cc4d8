"""How every dataset stands, told from the files alone: at any time, also while a run goes on elsewhere."""

import glob
import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from skymask.config import configuration
from skymask.errors import SkymaskError
from skymask.products.summary import state_text
from skymask.workflow.cached import as_configured, is_outdated
from skymask.workflow.locks import is_locked, working_shards

#: What to do about datasets in a state; about those in others, nothing.
ADVICE = {
    "not begun": "run {command}; what stands in its way, skymask check says",
    "waiting": "wait",
    "interrupted": "run {command} again, with your --profile, or submit the array again: it goes on where it was",
    "running": "wait; if no run is at work here any more: {command} --unlock, and then without --unlock",
    "crashed": "read the log, mend what it says, and run {command} again",
    "failed": "mend the data or the setting that the line names, and run {command} again",
}

#: Of a dataset that has ended.
OUTDATED = "the configuration has changed since: run snakemake"

#: States that make the command fail.
WRONG = ("crashed", "failed")


class Standing(NamedTuple):
    """How a dataset stands: its state, latest iteration, time of the last change in seconds, and what went wrong."""

    dataset: str
    state: str
    iteration: int | None = None
    changed: float | None = None
    reason: str = ""


def status(path):
    """Return how the datasets of a configuration stand, in lines of text, and whether any of them went wrong.

    Parameters
    ----------
    path : str or Path
        YAML file, as for `snakemake --configfile`; its folders are those of the working directory.

    Returns
    -------
    lines : list of str
    wrong : bool

    Raises
    ------
    ConfigurationError
        If the configuration cannot be read.
    """
    standings, _ = standings_of(path)
    return lines_of(standings, path), any(one.state in WRONG for one in standings)


def standings_of(path):
    """Return how the datasets of a configuration stand, and the folders of the workflow by name; see `status`.

    Returns
    -------
    standings : list of Standing
    folders : dict of str to Path
        Of results and logs.
    """
    config = configuration.read_configuration(path)
    entries = configuration.entries(config)
    pathvars = config.get("pathvars") or {}
    folders = {folder: Path(str(pathvars.get(folder, folder))) for folder in ("results", "logs")}
    results, logs = folders["results"], folders["logs"]
    names = {part: name for name, entry in entries.items() for part in _parts(name, entry, config, results)}
    locked = set(names) if is_locked() else _in_shards(list(names), working_shards(), config)
    standings = [standing(name, results, logs, locked=name in locked) for name in names]
    return [
        one._replace(reason=OUTDATED)
        if not one.reason and is_outdated(str(results), one.dataset, as_configured(config, entries[names[one.dataset]]))
        else one
        for one in standings
    ], folders


def standing(dataset, results="results", logs="logs", *, locked=False):
    """Return how a dataset stands.

    Parameters
    ----------
    dataset : str
    results, logs : str or Path
        Folders of the workflow.
    locked : bool
        Whether a run is going on, or was killed.

    Returns
    -------
    standing : Standing
        The state is that of `status.json` if nothing is newer; else "not begun", "waiting" (not begun, while a run goes
        on), "running", "interrupted" (nothing runs), or "crashed" (a job ended with an error).
    """
    folder = Path(results, dataset)
    iterations = _changes(folder, lambda entry: entry.name.startswith("iteration-"))
    changed = max([*_changes(folder).values(), *iterations.values()], default=None)
    if changed is None:
        return Standing(dataset, "waiting" if locked else "not begun", reason=_complaint(Path(logs, dataset)))
    record = folder / "status.json"
    ended = record.stat().st_mtime if record.is_file() else 0
    if ended and ended >= max(iterations.values(), default=0):
        try:
            content = json.loads(record.read_text(encoding="utf-8"))
            state, iteration = state_text(content["state"], content["period"]), content["iteration"]
        except (ValueError, KeyError, TypeError) as error:
            return Standing(dataset, "crashed", changed=changed, reason=f"{record} is damaged ({error}): remove it")
        return Standing(dataset, state, iteration, changed, content["reason"] or "")
    latest = max(iterations, key=lambda name: (iterations[name], len(name), name), default=None)
    iteration = int(latest.removeprefix("iteration-")) if latest else None
    if reason := _reason(folder / "inspection.json"):
        return Standing(dataset, "failed", iteration, changed, reason)
    complaint = _complaint(Path(logs, dataset))
    state = "crashed" if complaint else "running" if locked else "interrupted"
    return Standing(dataset, state, iteration, changed, complaint)


def _in_shards(names, shards, config):
    """The datasets of some shards."""
    if not shards:
        return set()
    largest = configuration.option(config, configuration.load_schema(), "checkpoint_groups")
    groups = configuration.groups(names, largest)
    return {name for which in shards for name in configuration.shard(groups, which)}


def _parts(name, entry, config, results):
    """The datasets that an entry of the configuration has become: fields of a HEALPix map, energy bins, or itself."""
    entry = entry if isinstance(entry, dict) else {}
    if "healpix" in entry:
        kind = "field"
    elif entry.get("energy_masks", config.get("energy_masks")) == "each":
        kind = "bin"
    else:
        return [name]
    return sorted(path.name for path in results.glob(f"{glob.escape(name)}.{kind}-*") if path.is_dir()) or [name]


def lines_of(standings, path="config.yaml"):
    """Return a table of standings, how many there are of each state, and what to do, in lines of text.

    Parameters
    ----------
    standings : list of Standing
    path : str or Path
        The configuration, for the commands that are advised.
    """
    lines = [f"{'dataset':<24} {'state':<16} {'iteration':>9}  last change"]
    for dataset, state, iteration, changed, reason in standings:
        when = "" if changed is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(changed))
        number = "" if iteration is None else iteration
        lines.append(f"{dataset:<24} {state:<16} {number:>9}  {when:<19}  {reason}".rstrip())
    counts = Counter(one.state for one in standings)
    number = "1 dataset" if len(standings) == 1 else f"{len(standings)} datasets"
    lines.append(f"{number}: " + ", ".join(f"{count} {state}" for state, count in counts.most_common()))
    command = f"snakemake {configuration.snakefile_option()}" + (
        "" if str(path) == "config.yaml" else f"--configfile {path}"
    )
    advised = {state: advice.format(command=command.strip()) for state, advice in ADVICE.items()}
    return lines + [f"{state}: {advice}" for state, advice in advised.items() if state in counts]


def _changes(folder, wanted=lambda entry: True):
    """When the entries of a folder last changed, in seconds by name; nothing if there is no folder."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry.stat().st_mtime for entry in entries if wanted(entry)}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SkymaskError(f"{folder} cannot be read: {error.strerror}") from error


def _reason(inspection):
    """Why an inspection failed its dataset, None if it did not, or has not ended."""
    try:
        return json.loads(inspection.read_text(encoding="utf-8")).get("reason")
    except (OSError, ValueError, AttributeError):
        return None


def _complaint(logs):
    """The first line of the latest log that says anything, and where it stands; a job that went well says nothing.

    The first line of a traceback says nothing, and its last one does.
    """
    said = [path for path in logs.rglob("*.log") if path.stat().st_size]
    if not said:
        return ""
    latest = max(said, key=lambda path: path.stat().st_mtime)
    lines = [line for line in latest.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    line = lines[-1 if lines[0].startswith("Traceback") else 0] if lines else "it cannot be understood"
    return f"{line} ({latest})"
