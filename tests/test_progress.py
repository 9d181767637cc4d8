"""Progress on a terminal: bars and the time left, told from logs, and nothing of it elsewhere."""

import io
import os

import pytest
from conftest import REPOSITORY, write_config

from skymask.cli import progress
from skymask.cli.main import main
from skymask.cli.status import Standing

RUNNING, NEW = Standing("a", "running", 3), Standing("b", "not begun")
ENDED = Standing("c", "converged", 4)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def logs(tmp_path):
    """A folder of logs, and a function that writes one: of a dataset, how long its job took, when it ended."""

    def write(name, seconds, time):
        file = tmp_path / f"{name}.log"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"said before\ntook {seconds:.2f} s, 0.10 s of CPU, 80 MB\n")
        os.utime(file, (time, time))
        return tmp_path

    return write


def test_time_left_is_that_of_what_the_ended_datasets_took_at_the_pace_until_now(logs):
    logs("c/products", 30, 150)
    logs("c/iteration-1/background", 10, 160)
    folder = logs("a/iteration-1/background", 10, 170)
    # 50 s of jobs in 100 s; left are 30 s of a and 40 s of b.
    *_, last = progress.picture([RUNNING, NEW, ENDED], folder, 100, 200)
    assert last == "1 of 3 datasets have ended, about 2 min 20 s left"


def test_a_dataset_takes_as_long_as_in_the_run_before(logs):
    logs("a/products", 60, 50)
    folder = logs("a/iteration-1/background", 20, 150)
    first, last = progress.picture([RUNNING], folder, 100, 140)
    assert first == f"a {'█' * 6}{'░' * 18} running, iteration 3"
    assert last == "0 of 1 datasets have ended, about 2 min 0 s left"


def test_no_time_is_told_where_there_is_no_history(logs):
    folder = logs("a/iteration-1/background", 20, 150)
    assert progress.picture([RUNNING, NEW], folder, 100, 140)[-1] == "0 of 2 datasets have ended"


def test_those_at_work_come_first_and_what_finds_no_room_is_counted(tmp_path):
    many = [NEW._replace(dataset=f"b{number}") for number in range(9)]
    lines = progress.picture([*many, RUNNING], tmp_path, 100, 140, rows=5)
    assert len(lines) == 5
    assert lines[0].startswith("a ")
    assert lines[3] == "... and 7 more"


def test_a_job_that_is_at_work_or_went_wrong_took_no_time(logs):
    folder = logs("a/products", 20, 150)
    (folder / "a/empty.log").write_text("")
    (folder / "a/wrong.log").write_text("counts.fits is damaged\n")
    assert progress.seconds_of(folder / "a", 100) == (20, 20)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (3599, "59 min 59 s"), (7380, "2 h 3 min")]
)
def test_a_duration_has_two_units(seconds, text):
    assert progress.duration(seconds) == text


@pytest.fixture
def run_goes_on(tmp_path, monkeypatch):
    """A folder in which a run is locked, whose lock goes after the second look."""
    monkeypatch.chdir(tmp_path)
    write_config("config.yaml", datasets={"a": {"counts": "a.fits"}})
    lock = tmp_path / ".snakemake/locks/0.input.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    looks = []

    def sleep(seconds):
        looks.append(seconds)
        if len(looks) == 2:
            lock.unlink()

    monkeypatch.setattr(progress.time, "sleep", sleep)
    return looks


def test_a_terminal_shows_bars_until_the_run_ends_and_then_the_table(run_goes_on):
    terminal = Terminal()
    assert not progress.watch("config.yaml", terminal)
    text = terminal.getvalue()
    assert len(run_goes_on) == 2
    assert text.count("0 of 1 datasets have ended") == 2
    # What was shown is gone before what comes next.
    assert text.count("\x1b[2F\x1b[J") == 2
    assert f"1 dataset: 1 not begun\nnot begun: run snakemake --snakefile {REPOSITORY / 'Snakefile'};" in text


def test_what_is_no_terminal_gets_the_table_only(run_goes_on, capsys):
    assert main(["status", "--watch"]) == 0
    said = capsys.readouterr().out
    assert run_goes_on == []
    assert "\x1b" not in said
    assert said.splitlines()[-1] == "waiting: wait"
