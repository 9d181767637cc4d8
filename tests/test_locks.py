"""Shards and runs over all refuse each other while they live, and leave nothing when they end, but for their jobs."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import REPOSITORY

from skymask.errors import SkymaskError
from skymask.workflow import locks
from skymask.workflow.locks import acquire_run_lock, begin_job, begin_run, locked_since, working_shards

HOLD = (
    "import sys; from skymask.workflow.locks import acquire_run_lock; acquire_run_lock({!r}); "
    "print('held', flush=True); sys.stdin.read()"
)

JOB = (
    "import sys; from skymask.workflow.locks import begin_job; begin_job(); "
    "print('begun', flush=True); sys.stdin.read()"
)


@contextmanager
def ended():
    """A list of processes that are killed at the end."""
    processes = []
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def begun(processes, program, word, environment=None):
    """Start a program that says a word when it is at work, and put it with the processes."""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(REPOSITORY)} | (environment or {}),
        text=True,
    )
    processes.append(process)
    assert process.stdout.readline() == f"{word}\n"
    return process


@pytest.fixture
def at_work(tmp_path, monkeypatch):
    """A function that starts a process at work on a shard, or on everything, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    with ended() as processes:
        yield lambda shard: begun(processes, HOLD.format(shard), "held")


def test_a_run_over_all_is_refused_while_shards_are_at_work(at_work):
    at_work("1/3")
    at_work("3/3")
    with pytest.raises(SkymaskError, match=r"shards are at work in this folder \(1/3, 3/3\): wait for them"):
        acquire_run_lock(None)
    assert list(working_shards()) == ["1/3", "3/3"]


def test_a_shard_is_refused_while_it_or_a_run_over_all_is_at_work(at_work):
    process = at_work("2/3")
    with pytest.raises(SkymaskError, match="the shard 2/3 is at work"):
        acquire_run_lock("2/3")
    process.kill()
    process.wait()
    at_work(None)
    with pytest.raises(SkymaskError, match="a run over all is at work"):
        acquire_run_lock("2/3")


def test_what_was_killed_shuts_nobody_out(at_work):
    for shard in ("1/2", None, "1/2"):
        process = at_work(shard)
        process.kill()
        process.wait()
    assert working_shards() == {}
    assert locked_since() is None
    assert at_work(None).poll() is None


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A function by which a run of everything, or of a shard, takes the place of those before it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(locks, "_held", held := {})
    monkeypatch.setattr(locks, "LOCK_TIMEOUT", 0)
    monkeypatch.setenv(locks.RUN, "")
    (tmp_path / ".snakemake/shards").mkdir(parents=True)

    def begin(shard):
        begin_run(shard)
        return os.environ[locks.RUN]

    yield begin
    for file in held.values():
        file.close()


@pytest.fixture
def job():
    """A function that starts a job of the run that has begun last."""
    with ended() as processes:
        yield lambda: begun(processes, JOB, "begun", {locks.RUN: os.environ[locks.RUN]})


@pytest.mark.parametrize(("earlier", "later"), [(None, None), ("1/2", "1/2"), ("2/2", None), (None, "1/2")])
def test_a_run_refuses_to_begin_beside_the_jobs_of_one_before_it(earlier, later, run, job):
    run(earlier)
    left = job()
    with pytest.raises(SkymaskError, match="jobs of an earlier run that was killed are still at work in this folder"):
        run(later)
    left.kill()
    left.wait()
    run(later)


def test_a_shard_does_not_wait_for_the_jobs_of_another(run, job):
    run("1/2")
    assert job().poll() is None
    run("2/2")


@pytest.mark.parametrize(("earlier", "later"), [(None, None), ("1/2", "1/2"), ("2/2", None), (None, "1/2")])
def test_a_job_that_has_not_begun_when_another_run_does_is_refused(earlier, later, run, monkeypatch):
    left = run(earlier)
    run(later)
    begin_job()
    monkeypatch.setenv(locks.RUN, left)
    with pytest.raises(SkymaskError, match="the run that started this job was killed"):
        begin_job()


def test_a_job_begins_although_its_run_has_no_word_any_more(run):
    run(None)
    Path(".snakemake/shards/all.jobs").unlink()
    begin_job()
