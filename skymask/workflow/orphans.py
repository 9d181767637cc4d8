"""What killed runs left behind: jobs of Slurm, and files that were being made; and whether Slurm keeps account of jobs.

A new run must not do again what jobs left behind are still doing.
"""

import re
import shutil
import subprocess
import time
from base64 import urlsafe_b64decode
from pathlib import Path

from skymask.errors import SkymaskError
from skymask.workflow.locks import is_locked

#: Snakemake's executor for Slurm names its jobs by the run's identifier, perhaps after a prefix.
RUN = re.compile(r"(\S+_)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

#: Seconds that cancelled jobs are given to end.
LOCK_TIMEOUT = 120


def cancel_orphans(folder, state=".snakemake"):
    """Cancel the Slurm jobs of earlier runs in a folder that are still in the queue, and wait until they have ended.

    Nothing is done while a run is locked, nor where Snakemake never submitted to Slurm.

    Parameters
    ----------
    folder : str or Path
        Where Snakemake was started.
    state : str or Path
        Folder in which Snakemake keeps locks, and logs of Slurm jobs.

    Returns
    -------
    orphans : list of str
        The numbers of the jobs.

    Raises
    ------
    SkymaskError
        If a job does not end.
    """
    if is_locked(state) or not Path(state, "slurm_logs").is_dir() or not shutil.which("squeue"):
        return []
    orphans = _jobs_in(folder)
    if orphans:
        _run("scancel", *orphans)
    end = time.monotonic() + LOCK_TIMEOUT
    while remaining := set(orphans) & set(_jobs_in(folder)) if orphans else set():
        if time.monotonic() > end:
            raise SkymaskError(
                f"Slurm job {', '.join(sorted(remaining))} of an earlier run in {folder} was cancelled "
                "and does not end: wait until squeue lists it no more, and run again"
            )
        time.sleep(0.5)
    return orphans


def check_accounting():
    """Raise a SkymaskError if Slurm keeps no account of jobs: asked for one, it never says that a job has ended."""
    complaint = "sacct does not tell which jobs have ended ({}): add --slurm-status-command squeue to the command"
    _run("sacct", "--allocations", "--noheader", complaint=complaint)


def _jobs_in(folder):
    """The numbers of the jobs in the queue that an executor submitted from a folder."""
    lines = _run("squeue", "--me", "--noheader", "--format", "%A|%j|%Z").splitlines()
    jobs = [line.split("|", 2) for line in lines]
    folder = Path(folder).resolve()
    return [number for number, name, where in jobs if RUN.fullmatch(name) and Path(where).resolve() == folder]


def _run(*command, complaint=None):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError) as error:
        reason = (getattr(error, "stderr", None) or str(error)).strip().split("\n")[0]
        complaint = complaint or f"{command[0]} does not say which jobs of an earlier run are left: {{}}"
        raise SkymaskError(complaint.format(reason)) from error


def remove_incomplete(results, state=".snakemake"):
    """Remove the files that a killed run was making, and which it may have left with an earlier run's good name.

    Snakemake marks the outputs of every job that has started and not ended, but looks at the marks of those jobs only
    that it knows at its start, and not of those in later iterations. Nothing is removed while a run is locked.

    Parameters
    ----------
    results : str or Path
        Folder outside which nothing is removed.
    state : str or Path
        Folder in which Snakemake keeps locks and marks.
    """
    if is_locked(state):
        return
    for file in marked_incomplete(state):
        if file.resolve().is_relative_to(Path(results).resolve()):
            file.unlink(missing_ok=True)


def marked_incomplete(state=".snakemake"):
    """Return the paths of the files that Snakemake has marked because their jobs have not ended."""
    files = []
    marks = Path(state, "incomplete")
    for mark in [path for path in marks.rglob("*") if path.is_file()]:
        # A mark's path is the file's name in base 64, cut into parts that all but the last begin with "@".
        encoded = "".join(part.removeprefix("@") for part in mark.relative_to(marks).parts)
        try:
            files.append(Path(urlsafe_b64decode(encoded).decode()))
        except ValueError:
            continue
    return files
