"""What has changed since the last run, in words."""

import csv
import json
from pathlib import Path

from skymask.units import in_words

#: So many datasets are named in a line.
NAMED = 5


def lines(plan):
    """Return lines on the datasets whose settings have changed, that are new, or that are no longer configured.

    Parameters
    ----------
    plan : Plan
    """
    changed, new = {}, []
    for dataset, path in plan.statuses.items():
        if dataset in plan.cached:
            continue
        try:
            was = json.loads(Path(path).read_text(encoding="utf-8"))["analysis"]
        except (OSError, ValueError, KeyError):
            new.append(dataset)
            continue
        for line in differences(was, in_words(plan.settings[dataset])):
            changed.setdefault(line, []).append(dataset)
    found = [f"{_some(datasets)}: {line}" for line, datasets in changed.items()]
    summary = Path(plan.results, "summary.csv")
    if summary.is_file() and plan.shard is None:
        with open(summary, newline="", encoding="utf-8") as file:
            gone = [row["dataset"] for row in csv.DictReader(file) if row.get("dataset") not in plan.settings]
        found += [f"new: {_some(new)}"] if new else []
        found += [f"no longer configured: {_some(gone)}"] if gone else []
    return found


def differences(was, now, where=""):
    """Return what differs between two settings, a line per key, as in `threshold 5 -> 4`."""
    if isinstance(was, dict) and isinstance(now, dict):
        found = []
        for key in dict.fromkeys([*was, *now]):
            found += differences(was.get(key), now.get(key), f"{where}.{key}" if where else str(key))
        return found
    return [] if was == now else [f"{where} {_text(was)} -> {_text(now)}"]


def _text(value):
    text = "not set" if value is None else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _some(names):
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
