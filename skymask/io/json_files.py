"""Small files of JSON by which jobs tell each other, and the user, what they found."""

import hashlib
import json
from pathlib import Path

from skymask.errors import MapError, SkymaskError
from skymask.io.atomic import written_whole

#: So many runs have their warnings told one by one.
MAX_TOLD = 5


def write_json(path, content):
    """Write `content` in one piece, readable and always in the same order; numbers that are none become null."""
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(_finite(content), indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path):
    """Return what `write_json` wrote.

    Raises
    ------
    SkymaskError
        If the file is damaged.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SkymaskError(f"{path} is missing or damaged ({error}): remove it and run again") from error


def digest(path):
    """Return the SHA-256 of a file's content."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def read_notes(paths):
    """Return the warnings of the jobs that made the counts of a dataset.

    Parameters
    ----------
    paths : list of str
        Notes of the jobs, each with a `reason` if its counts could not be made.

    Raises
    ------
    MapError
        If any could not: the first reason, and how many more there are.
    """
    notes = [read_json(path) for path in paths]
    reasons = [note["reason"] for note in notes if note["reason"]]
    if reasons:
        more = len(reasons) - 1
        others = f" (and {more} more {'run' if more == 1 else 'runs'} cannot be used)" if more else ""
        raise MapError(reasons[0] + others)
    odd = [note["warnings"] for note in notes if note["warnings"]]
    warnings = [warning for of_job in odd[:MAX_TOLD] for warning in of_job]
    return warnings + ([f"there are warnings about {len(odd) - MAX_TOLD} more runs"] if odd[MAX_TOLD:] else [])


def _finite(value):
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and value != value:
        return None
    if value in (float("inf"), float("-inf")):
        return "inf" if value > 0 else "-inf"
    return value
