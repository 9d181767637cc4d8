"""What Slurm costs: submissions, time in the queue and on the node, and how much of it the engine takes.

python benchmarks/slurm_time.py [CONFIGFILE]    (as root, with Debian's slurmctld, slurmd, slurm-client and munge)

Runs a configuration, by default the repository's, in four ways on a real Slurm of one node, and prints a row for each.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import yaml

from skymask.workflow.jobs import TOOK

REPOSITORY = Path(__file__).resolve().parent.parent
PROFILE = REPOSITORY / "profiles/slurm"
SNAKEMAKE = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")]
#: No accounts are kept here; jobs are looked at after 10 s, as the profile has it.
SQUEUE = ["--slurm-status-command", "squeue"]


def ungrouped(folder):
    """Return a profile like the one for Slurm, with a job for every step."""
    settings = yaml.safe_load((PROFILE / "config.yaml").read_text())
    settings.pop("groups")
    (folder / "ungrouped").mkdir()
    (folder / "ungrouped/config.yaml").write_text(yaml.safe_dump(settings))
    return folder / "ungrouped"


def ways(folder):
    """Return the commands to run, in order, by what they are called."""
    environment = f"PATH={Path(sys.executable).parent}:{os.environ['PATH']}"
    array = ["env", environment, "sbatch", "--wait", "--array=1-2", "--mem=2000", str(PROFILE / "shards.sh")]
    return {
        "local, 2 cores": [[*SNAKEMAKE, "--cores", "2"]],
        "executor, as in the profile": [[*SNAKEMAKE, "--profile", str(PROFILE), *SQUEUE]],
        "array of 2 shards, then one run": [[*array, "--snakefile", str(REPOSITORY / "Snakefile")], SNAKEMAKE],
        "executor, a job for every step": [[*SNAKEMAKE, "--profile", str(ungrouped(folder)), *SQUEUE]],
    }


def seconds(record, first, last):
    return (datetime.fromisoformat(record[last]) - datetime.fromisoformat(record[first])).total_seconds()


def measure(commands, folder, slurm):
    """Return wall time, number of jobs, mean seconds in the queue, seconds on the node, and seconds of scripts."""
    start = time.perf_counter()
    with open(folder / "output.txt", "w") as output:
        for command in commands:
            subprocess.run(command, cwd=folder, check=True, stdout=output, stderr=output)
    wall = time.perf_counter() - start
    records = [record for record in slurm.completed() if record["WorkDir"] == str(folder)]
    queue = sum(seconds(record, "SubmitTime", "StartTime") for record in records) / max(len(records), 1)
    node = sum(seconds(record, "StartTime", "EndTime") for record in records)
    scripts = 0
    for path in (folder / "logs").rglob("*.log"):
        scripts += sum(float(took[1]) for took in TOOK.finditer(path.read_text()))
    return wall, len(records), queue, node, scripts


def main(configfile):
    sys.path.insert(0, str(REPOSITORY / "tests/slurm"))
    from single_node_slurm import Slurm

    folder = Path(tempfile.mkdtemp())
    print(
        "| way | wall | Slurm jobs | mean time in the queue | on the node | in scripts |",
        "|---|---|---|---|---|---|",
        sep="\n",
    )
    with Slurm(folder / "slurm") as slurm:
        for number, (name, commands) in enumerate(ways(folder).items()):
            run = folder / f"run-{number}"
            run.mkdir()
            shutil.copy(configfile, run / "config.yaml")
            wall, jobs, queue, node, scripts = measure(commands, run, slurm)
            print(f"| {name} | {wall:.0f} s | {jobs} | {queue:.1f} s | {node:.0f} s | {scripts:.0f} s |", flush=True)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else REPOSITORY / "config.yaml")
