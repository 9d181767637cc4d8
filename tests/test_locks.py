"""Shards and runs over all refuse each other while they live, and leave nothing when they end."""

import subprocess
import sys

import pytest
from conftest import REPOSITORY

from skymask.errors import SkymaskError
from skymask.locks import locked_since, shut_out, working_shards

HOLD = "import sys; from skymask.locks import shut_out; shut_out({!r}); print('held', flush=True); sys.stdin.read()"


@pytest.fixture
def at_work(tmp_path, monkeypatch):
    """A function that starts a process at work on a shard, or on everything, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    processes = []

    def start(shard):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD.format(shard)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PYTHONPATH": str(REPOSITORY)},
            text=True,
        )
        assert process.stdout.readline() == "held\n"
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_a_run_over_all_is_refused_while_shards_are_at_work(at_work):
    at_work("1/3")
    at_work("3/3")
    with pytest.raises(SkymaskError, match=r"shards are at work in this folder \(1/3, 3/3\): wait for them"):
        shut_out(None)
    assert list(working_shards()) == ["1/3", "3/3"]


def test_a_shard_is_refused_while_it_or_a_run_over_all_is_at_work(at_work):
    process = at_work("2/3")
    with pytest.raises(SkymaskError, match="the shard 2/3 is at work"):
        shut_out("2/3")
    process.kill()
    process.wait()
    at_work(None)
    with pytest.raises(SkymaskError, match="a run over all is at work"):
        shut_out("2/3")


def test_what_was_killed_shuts_nobody_out(at_work):
    for shard in ("1/2", None, "1/2"):
        process = at_work(shard)
        process.kill()
        process.wait()
    assert working_shards() == {}
    assert locked_since() is None
    assert at_work(None).poll() is None


def test_a_locked_folder_is_left_to_snakemake(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".snakemake/locks").mkdir(parents=True)
    (tmp_path / ".snakemake/locks/0.output.lock").touch()
    shut_out(None)
    assert not (tmp_path / ".snakemake/shards").exists()
