"""Kill runs of two datasets at random moments, go on each time, and compare what they end with.

    PYTHONPATH=. .venv/bin/python tests/kills.py 200 --seed 1
    PYTHONPATH=. .venv/bin/python tests/kills.py 20 --slurm --longest 60     (as root; see tests/slurm)

Every run that gets through is compared with one that nothing disturbed: each file below `results`, byte for byte. Nor
may any of them be marked as unfinished by then: the next run would remove it.
With `--slurm` runs submit to a real Slurm of one processor, so that a job waits while another runs; and Slurm's records
are to say that no job of a killed run was left when the next one submitted its first.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from conftest import REPOSITORY, STATUSES, products, snakemake, write_two_fields

from skymask.workflow.locks import is_locked
from skymask.workflow.snakemake_patches import marked_incomplete

#: Options of a run on this machine, and of one on Slurm, whose executor asks squeue as nothing keeps accounts there.
LOCALLY = ("--cores", "2")
ON_SLURM = ("--profile", REPOSITORY / "profiles/slurm", "--slurm-status-command", "squeue")
ON_SLURM += ("--slurm-init-seconds-before-status-checks", "7")

#: How a run is ended: the signal, and whether its jobs get it as well, as from a terminal.
BLOWS = {
    "SIGKILL": (signal.SIGKILL, True),
    "SIGKILL of Snakemake alone": (signal.SIGKILL, False),
    "SIGTERM": (signal.SIGTERM, False),
    "SIGINT (Ctrl-C)": (signal.SIGINT, True),
}


def write_fields_for(folder, options):
    """Write two maps and their configuration; jobs that are submitted get no odd names."""
    return write_two_fields(folder, *(() if options == LOCALLY else ("b.fits",)))


def campaign(base, wanted, reference, *, seed, longest, options=LOCALLY):
    """Kill runs, each again and again until it gets through, and compare it then.

    Parameters
    ----------
    base : Path
        Where runs have their folders.
    wanted : int
        Number of kills.
    reference : dict of str to bytes
        What runs are to end with, by path.
    seed : int
        Of moments and blows.
    longest : float
        A run is killed after this time at the latest, in seconds.
    options : sequence of str
        Of the command that starts a run.

    Yields
    ------
    kills : Counter
        How many blows of every kind met a run that had not ended.
    finished : int
        Number of runs that got through and were compared, so far.
    """
    chance = random.Random(seed)
    kills, finished = Counter(), 0
    command = [sys.executable, "-m", "snakemake", *options, "--snakefile", REPOSITORY / "Snakefile", *STATUSES]
    while kills.total() < wanted:
        folder = base / f"run-{finished}"
        folder.mkdir()
        write_fields_for(folder, options)
        blows = []
        while kills.total() < wanted:
            blow, seconds = chance.choice(list(BLOWS)), chance.uniform(0, longest)
            if not struck(command, folder, *BLOWS[blow], seconds):
                break
            kills[blow] += 1
            blows.append(f"{blow} after {seconds:.2f} s")
        last = subprocess.run(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=600
        )
        earlier = (folder / "output.txt").read_text()[-20000:]
        told = f"seed {seed}, {folder}: {', '.join(blows)}\n{earlier}\nThe last run:\n{last.stdout}"
        assert last.returncode == 0, told
        wrong = differences(products(folder, "results/**/*"), reference)
        wrong += [f"marked: {path}" for path in marked_incomplete(folder / ".snakemake") if (folder / path).exists()]
        assert not wrong, "\n".join([*wrong, told])
        finished += 1
        yield kills, finished


def differences(ended, reference):
    """Return a line for every file that is missing, or should not be there, or has other bytes."""
    return [
        f"{'missing' if path not in ended else 'too many' if path not in reference else 'other bytes'}: {path}"
        for path in sorted({**reference, **ended})
        if ended.get(path) != reference.get(path)
    ]


def struck(command, folder, blow, jobs_too, seconds):
    """Start a run and end it after so many seconds; return whether it had not ended by itself."""
    with open(folder / "output.txt", "a") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output, start_new_session=True)
        time.sleep(seconds)
        early = process.poll() is None
        if early:
            (os.killpg if jobs_too else os.kill)(process.pid, blow)
        process.wait(120)
    if is_locked(folder / ".snakemake"):
        assert snakemake("--unlock", folder=folder).returncode == 0
    return early


def jobs_of_runs(slurm, folder):
    """Return Slurm's records of the jobs submitted from below a folder, as lists, one for each run, in order.

    Raises
    ------
    AssertionError
        If a job is left in the queue, or had not ended when a later run in its folder submitted one.
    """
    # A job whose end Snakemake has seen may leave the queue a moment later.
    slurm.wait(lambda: not slurm.queue(), "a job is left", seconds=5)
    runs = {}
    for record in sorted(slurm.completed(), key=lambda record: int(record["JobId"])):
        if Path(record["WorkDir"]).is_relative_to(folder):
            # The executor names jobs by the run.
            runs.setdefault((record["WorkDir"], record["Name"]), []).append(record)
    for (folder, _), earlier in runs.items():
        end = max(record["EndTime"] for record in earlier)
        number = int(earlier[-1]["JobId"])
        later = [job for (other, _), jobs in runs.items() for job in jobs if other == folder]
        assert all(end <= job["SubmitTime"] for job in later if int(job["JobId"]) > number), (earlier, later)
    return list(runs.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kills", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=float, default=6, help="seconds after which a run is killed at the latest")
    parser.add_argument("--slurm", action="store_true", help="runs that submit to a real Slurm")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        undisturbed = base / "undisturbed"
        undisturbed.mkdir()
        options = ON_SLURM if arguments.slurm else LOCALLY
        process = snakemake(*STATUSES, folder=write_fields_for(undisturbed, options))
        assert process.returncode == 0, process.stdout
        reference = products(undisturbed, "results/**/*")
        if arguments.slurm:
            sys.path.append(str(REPOSITORY / "tests/slurm"))
            from single_node_slurm import Slurm

            slurm = stack.enter_context(Slurm(base / "slurm", cpus=1))
        for kills, finished in campaign(
            base, arguments.kills, reference, seed=arguments.seed, longest=arguments.longest, options=options
        ):
            met = ", ".join(f"{blow}: {number}" for blow, number in sorted(kills.items()))
            print(f"{kills.total()} kills, {finished} runs ended with the same bytes ({met})", flush=True)
            if arguments.slurm:
                states = Counter(job["JobState"] for jobs in jobs_of_runs(slurm, base) for job in jobs)
                print(f"Slurm's jobs: {', '.join(f'{state} {n}' for state, n in sorted(states.items()))}", flush=True)


if __name__ == "__main__":
    main()
