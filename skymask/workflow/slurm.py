"""What killed runs left behind: jobs of Slurm, and files that were being made; and whether Slurm keeps account of jobs.

A new run must not do again what jobs left behind are still doing.
"""

import re
import shutil
import subprocess
from pathlib import Path

from skymask.errors import SkymaskError

#: Snakemake's executor for Slurm names its jobs by the run's identifier, perhaps after a prefix.
RUN = re.compile(r"(\S+_)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def jobs_left_in(folder, state=".snakemake"):
    """Return the numbers of the Slurm jobs of earlier runs in a folder that are still in the queue.

    Slurm is asked only where Snakemake has submitted to it before.

    Parameters
    ----------
    folder : str or Path
        Where Snakemake was started.
    state : str or Path
        Folder in which Snakemake keeps logs of Slurm jobs.

    Raises
    ------
    SkymaskError
        If Slurm does not say.
    """
    if not Path(state, "slurm_logs").is_dir() or not shutil.which("squeue"):
        return []
    lines = _run("squeue", "--me", "--noheader", "--format", "%A|%j|%Z").splitlines()
    jobs = [line.split("|", 2) for line in lines]
    folder = Path(folder).resolve()
    return [number for number, name, where in jobs if RUN.fullmatch(name) and Path(where).resolve() == folder]


def check_accounting():
    """Raise a SkymaskError if Slurm keeps no account of jobs: asked for one, it never says that a job has ended."""
    complaint = "sacct does not tell which jobs have ended ({}): add --slurm-status-command squeue to the command"
    _run("sacct", "--allocations", "--noheader", complaint=complaint)


def _run(*command, complaint=None):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError) as error:
        reason = (getattr(error, "stderr", None) or str(error)).strip().split("\n")[0]
        complaint = complaint or f"{command[0]} does not say which jobs of an earlier run are left: {{}}"
        raise SkymaskError(complaint.format(reason)) from error
