"""What every job of the workflow shares: its log, its errors, its small status files."""

import json
import os
import sys
import traceback
from contextlib import contextmanager
from pathlib import Path

from skymask.config.configuration import library_digest
from skymask.errors import MapError, SkymaskError
from skymask.io.atomic import check_identities, written_whole
from skymask.workflow.locks import begin_job

#: So many runs have their warnings told one by one.
MAX_TOLD = 5


@contextmanager
def job(snakemake):
    """Run the body of a script: output goes to the rule's log, a user's mistake becomes one line and exit code 1.

    Parameters
    ----------
    snakemake : object
        What Snakemake hands to a script; its rule has a log and `params.library`, the digest of the library that the
        workflow was read with, and may have `params.identity`, the user's files as they were when the run began.

    Yields
    ------
    tell : callable
        Writes a line to the terminal, past the log.
    """
    try:
        begin_job()
    except SkymaskError as error:
        # The log is another run's by now.
        sys.exit(f"{snakemake.rule}: {error}")
    terminal = os.dup(2)

    def tell(line):
        os.write(terminal, f"{line}\n".encode())

    with open(snakemake.log[0], "w", encoding="utf-8") as log:
        for descriptor in (1, 2):
            os.dup2(log.fileno(), descriptor)
    wildcards = " ".join(str(value) for value in snakemake.wildcards)
    try:
        if snakemake.params.library != library_digest():
            raise SkymaskError(
                f"the library in {Path(__file__).parent} is not the one the workflow was read with: "
                "another skymask is installed, or its source was edited meanwhile; run again"
            )
        identities = list(getattr(snakemake.params, "identity", {}).values())
        check_identities(identities)
        yield tell
        check_identities(identities)
    except SkymaskError as error:
        print(error, file=sys.stderr)
        tell(f"{snakemake.rule} {wildcards}: {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        # Whoever interrupts a run knows it.
        sys.exit(1)
    except Exception as error:
        traceback.print_exc()
        tell(f"{snakemake.rule} {wildcards}: unexpected {type(error).__name__}: {error} (see {snakemake.log[0]})")
        sys.exit(1)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


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
