"""Two runs in one folder: the second refuses and leaves the first alone, unless each has its own datasets."""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
from conftest import REPOSITORY, STATUSES, products, snakemake, write_two_fields

COMMAND = [sys.executable, "-m", "snakemake", "--cores", "1", "--snakefile", str(REPOSITORY / "Snakefile")]


def everything(folder):
    return products(folder, "results/**/*")


def test_a_second_run_refuses_and_leaves_the_first_alone(undisturbed, tmp_path):
    # The first run has the last iterations left to do.
    folder = shutil.copytree(undisturbed, tmp_path / "run")
    for late in ("results/*/*.*", "results/*/iteration-2/*", "results/.decisions/*/iteration-2.json"):
        for path in folder.glob(late):
            path.unlink()
    first = subprocess.Popen([*COMMAND, *STATUSES], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (folder / "results/a/iteration-2/significance.fits").is_file():
        assert first.poll() is None
        time.sleep(0.05)
    second = snakemake(*STATUSES, folder=folder)
    assert first.poll() is None
    assert second.returncode != 0
    assert "cannot be locked" in second.stdout
    assert "Traceback" not in second.stdout
    assert first.wait(600) == 0
    assert everything(folder) == everything(undisturbed)


def test_two_shards_at_once_and_a_run_over_all_make_what_one_run_makes(undisturbed, begun):
    shards = [
        subprocess.Popen(
            [*COMMAND, "--nolock", "--config", f"shard={k}/2", "--", f"results/{name}/status.json"],
            cwd=begun,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for k, name in enumerate("ab", start=1)
    ]
    assert [shard.wait(600) for shard in shards] == [0, 0]
    process = snakemake(*STATUSES, folder=begun)
    assert "Nothing to be done" in process.stdout
    assert everything(begun) == everything(undisturbed)


def test_a_run_over_all_is_refused_while_a_shard_is_at_work(undisturbed, tmp_path):
    folder = shutil.copytree(undisturbed, tmp_path / "run")
    (folder / ".snakemake/shards").mkdir(exist_ok=True)
    with open(folder / ".snakemake/shards/all.lock", "w") as shard:
        fcntl.flock(shard, fcntl.LOCK_SH)
        process = snakemake(*STATUSES, "--forceall", folder=folder)
        assert process.returncode == 1
        assert "is at work in this folder" in process.stdout
        assert "Traceback" not in process.stdout
        assert snakemake("--dry-run", *STATUSES, folder=folder).returncode == 0
    assert snakemake(*STATUSES, folder=folder).returncode == 0


def test_a_run_of_a_shard_makes_neither_other_datasets_nor_files_about_all(tmp_path):
    folder = write_two_fields(tmp_path)
    process = snakemake("--dry-run", "--quiet", "host", "--config", "shard=2/2", folder=folder)
    assert process.returncode == 0, process.stdout
    assert re.search(r"^prepare_dataset +1$", process.stdout, flags=re.MULTILINE)
    assert "results/b/inspection.json" in process.stdout
    assert "summarize_datasets" not in process.stdout


@pytest.fixture
def recorded(tmp_path):
    """A folder with a program of Snakemake's name that writes down its arguments, and an environment that finds it."""
    program = tmp_path / "snakemake"
    program.write_text('#!/bin/sh\necho "$@" >> calls\nif [ -e slow ]; then exec sleep 30; fi\nexit 1\n')
    program.chmod(0o755)
    return tmp_path, os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}


SURVEY = [REPOSITORY / "profiles/survey.sh", "2", "--configfile", "mine.yaml"]


def test_a_survey_runs_every_shard_and_then_everything_also_if_one_fails(recorded):
    folder, environment = recorded
    ended = subprocess.run(SURVEY, cwd=folder, env=environment, check=False)
    assert ended.returncode == 1
    calls = (folder / "calls").read_text().splitlines()
    assert calls == [f"--configfile mine.yaml{shard}" for shard in (" --config shard=1/2", " --config shard=2/2", "")]


def test_a_survey_that_is_interrupted_begins_no_other_shard(recorded):
    folder, environment = recorded
    (folder / "slow").touch()
    survey = subprocess.Popen(SURVEY, cwd=folder, env=environment, start_new_session=True)
    while not (folder / "calls").exists():
        time.sleep(0.01)
    os.killpg(survey.pid, signal.SIGINT)
    assert survey.wait(20) == 130
    assert len((folder / "calls").read_text().splitlines()) == 1


def test_a_shard_that_is_none_is_one_line(tmp_path):
    process = snakemake("--config", "shard=3/2", folder=write_two_fields(tmp_path))
    assert process.returncode != 0
    assert "shard: 3/2 is none of 2 shards: the first number must be at most the second" in process.stdout
    assert "Traceback" not in process.stdout
