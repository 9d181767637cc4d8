"""Kill local runs of two datasets at random moments, go on each time, and compare what they end with.

    PYTHONPATH=. .venv/bin/python tests/kills.py 200 --seed 1

Every run that gets through is compared with one that nothing disturbed: each file below `results`, byte for byte.
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
from pathlib import Path

from conftest import REPOSITORY, STATUSES, products, snakemake, write_two_fields

from skymask.locks import is_locked

COMMAND = [sys.executable, "-m", "snakemake", "--cores", "2", "--snakefile", str(REPOSITORY / "Snakefile"), *STATUSES]

#: How a run is ended: the signal, and whether its jobs get it as well, as from a terminal.
BLOWS = {
    "SIGKILL": (signal.SIGKILL, True),
    "SIGKILL of Snakemake alone": (signal.SIGKILL, False),
    "SIGTERM": (signal.SIGTERM, False),
    "SIGINT (Ctrl-C)": (signal.SIGINT, True),
}


def campaign(base, wanted, reference, *, seed, longest):
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

    Yields
    ------
    kills : Counter
        How many blows of every kind met a run that had not ended.
    finished : int
        Number of runs that got through and were compared, so far.
    """
    chance = random.Random(seed)
    kills, finished = Counter(), 0
    while kills.total() < wanted:
        folder = base / f"run-{finished}"
        folder.mkdir()
        write_two_fields(folder)
        while kills.total() < wanted:
            blow = chance.choice(list(BLOWS))
            if not struck(folder, *BLOWS[blow], chance.uniform(0, longest)):
                break
            kills[blow] += 1
        last = snakemake(*STATUSES, folder=folder)
        assert last.returncode == 0, f"seed {seed}, {kills}: {last.stdout}"
        assert products(folder, "results/**/*") == reference, f"seed {seed}, {kills}, {folder}"
        finished += 1
        yield kills, finished


def struck(folder, blow, jobs_too, seconds):
    """Start a run and end it after so many seconds; return whether it had not ended by itself."""
    with open(folder / "output.txt", "a") as output:
        process = subprocess.Popen(COMMAND, cwd=folder, stdout=output, stderr=output, start_new_session=True)
        time.sleep(seconds)
        early = process.poll() is None
        if early:
            (os.killpg if jobs_too else os.kill)(process.pid, blow)
        process.wait(120)
    if is_locked(folder / ".snakemake"):
        assert snakemake("--unlock", folder=folder).returncode == 0
    return early


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kills", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=float, default=6, help="seconds after which a run is killed at the latest")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        undisturbed = Path(name, "undisturbed")
        undisturbed.mkdir()
        process = snakemake(*STATUSES, folder=write_two_fields(undisturbed))
        assert process.returncode == 0, process.stdout
        reference = products(undisturbed, "results/**/*")
        for kills, finished in campaign(
            Path(name), arguments.kills, reference, seed=arguments.seed, longest=arguments.longest
        ):
            met = ", ".join(f"{blow}: {number}" for blow, number in sorted(kills.items()))
            print(f"{kills.total()} kills, {finished} runs ended with the same bytes ({met})", flush=True)


if __name__ == "__main__":
    main()
