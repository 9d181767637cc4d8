"""Runs that are killed at random moments and gone on with; `kills.py` does the same many times."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from conftest import REPOSITORY, STATUSES, products, snakemake
from kills import campaign

from skymask.workflow.warm_start import SWITCH

#: A checkpoint after which the graph takes long to be updated; the scheduler's lock is held all the while.
SLOW_UPDATE = """
import time
from pathlib import Path

include: {snakefile!r}

def slowly(wildcards):
    checkpoints.begin.get()
    Path("updating").touch()
    time.sleep(2)
    return "begun"

checkpoint begin:
    output: "begun"
    shell: "touch {{output}}"

rule end:
    input: slowly
    output: "ended"
    shell: "touch {{output}}"
"""

#: Imported by every Python of a run: its jobs wait before one file gets its name, until they are told to go on.
HELD_JOB = """
import os
import time
from pathlib import Path

replace = os.replace

def replace_later(source, target):
    held = str(target) == {held!r}
    if held:
        Path("held").touch()
        while not Path("go").exists():
            time.sleep(0.02)
    replace(source, target)
    if held:
        Path("written").touch()

os.replace = replace_later
"""

#: The workflow, which goes on when that file has been written: it has looked at what a killed run was making by then.
HELD_RUN = """
import time
from pathlib import Path

include: {snakefile!r}

Path("read").touch()
while not Path("written").exists():
    time.sleep(0.02)
"""

#: The workflow, which is killed as soon as Snakemake has taken the mark of an unfinished file from one file of a job.
KILLED_AT_UNMARKING = """
import os
import signal

from snakemake.persistence.file import FilePersistence

include: {snakefile!r}

unmark = FilePersistence._unmark_incomplete

def unmark_and_die(persistence, key):
    unmark(persistence, key)
    os.kill(os.getpid(), signal.SIGKILL)

FilePersistence._unmark_incomplete = unmark_and_die
"""


def test_ten_kills_at_random_moments_change_no_byte(undisturbed, tmp_path):
    *_, (kills, _) = campaign(tmp_path, 10, products(undisturbed, "results/**/*"), seed=0, longest=5)
    assert kills.total() == 10
    assert not list(tmp_path.rglob("*.part"))


def test_sigterm_ends_a_run_while_its_graph_is_being_updated(undisturbed, tmp_path):
    """Snakemake 9.27 alone hangs for good."""
    (tmp_path / "config.yaml").write_bytes((undisturbed / "config.yaml").read_bytes())
    for path in undisturbed.glob("*.fits"):
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "Snakefile").write_text(SLOW_UPDATE.format(snakefile=str(REPOSITORY / "Snakefile")))
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "ended"]
    with open(tmp_path / "output.txt", "w") as output:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=output, stderr=output)
    while not (tmp_path / "updating").exists():
        assert process.poll() is None, (tmp_path / "output.txt").read_text()
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    try:
        assert process.wait(60) == 1
    finally:
        process.kill()
        process.wait()


def test_the_files_of_a_job_that_outlives_its_run_are_there_two_runs_later(undisturbed, tmp_path, monkeypatch):
    """The next run took them for finished, and the one after it removed them as unfinished."""
    folder = shutil.copytree(undisturbed, tmp_path / "run")
    for name in ("null.json", "status.json"):
        (folder / "results/a" / name).unlink()
    (folder / "python").mkdir()
    (folder / "python/sitecustomize.py").write_text(HELD_JOB.format(held="results/a/null.json"))
    (folder / "Snakefile").write_text(HELD_RUN.format(snakefile=str(REPOSITORY / "Snakefile")))
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *STATUSES, "--snakefile"]
    with open(folder / "output.txt", "w") as output:
        with monkeypatch.context() as patch:
            patch.setenv("PYTHONPATH", str(folder / "python"), prepend=os.pathsep)
            # Other jobs end with their run.
            patch.setenv(SWITCH, "off")
            run = subprocess.Popen([*command, REPOSITORY / "Snakefile"], cwd=folder, stdout=output, stderr=output)
        wait_for(folder, "held")
        run.kill()
        run.wait()
        assert snakemake("--unlock", folder=folder).returncode == 0
        run = subprocess.Popen([*command, "Snakefile"], cwd=folder, stdout=output, stderr=output)
        wait_for(folder, "read", "Waiting for the jobs")
        (folder / "go").touch()
        assert run.wait(120) == 0, (folder / "output.txt").read_text()
    assert snakemake(*STATUSES, folder=folder).returncode == 0
    assert products(folder, "results/**/*") == products(undisturbed, "results/**/*")


@pytest.mark.parametrize("needed", ["regions.ecsv", "quality.json"])
def test_a_run_killed_while_it_unmarks_the_files_of_a_job_is_gone_on_with(needed, undisturbed, tmp_path):
    """Those that were marked were removed and, where nothing else is made of them, not made again."""
    folder = shutil.copytree(undisturbed, tmp_path / "run")
    for name in (needed, "status.json"):
        (folder / "results/a" / name).unlink()
    (folder / "Snakefile").write_text(KILLED_AT_UNMARKING.format(snakefile=str(REPOSITORY / "Snakefile")))
    killed = snakemake(*STATUSES, folder=folder, snakefile="Snakefile")
    assert killed.returncode == -signal.SIGKILL, killed.stdout
    assert snakemake("--unlock", folder=folder).returncode == 0
    assert snakemake(*STATUSES, folder=folder).returncode == 0
    assert products(folder, "results/**/*") == products(undisturbed, "results/**/*")


def wait_for(folder, file, words=None):
    """Wait until there is a file in the folder of a run, or words in its output."""
    end = time.monotonic() + 120
    while not (folder / file).exists() and (words is None or words not in (folder / "output.txt").read_text()):
        assert time.monotonic() < end, (folder / "output.txt").read_text()
        time.sleep(0.02)
