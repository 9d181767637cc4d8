"""The command `skymask`, as a person types it."""

import subprocess
import sys

import pytest
from conftest import REPOSITORY, field_with_source, write_config, write_map

from skymask.cli.main import main


def skymask(*arguments, folder):
    command = [sys.executable, "-m", "skymask", *arguments]
    return subprocess.run(
        command, cwd=folder, env={"PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True, check=False
    )


def test_init_then_check(tmp_path):
    write_map(tmp_path / "counts.fits", field_with_source())
    process = skymask("init", "counts.fits", folder=tmp_path)
    assert (process.returncode, process.stderr) == (0, "")
    assert "python -m skymask check --configfile mine.yaml" in process.stdout
    process = skymask("check", "--configfile", "mine.yaml", folder=tmp_path)
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.splitlines()[-1] == "nothing is wrong"
    process = skymask("init", "counts.fits", folder=tmp_path)
    assert process.returncode == 1
    assert process.stderr == "mine.yaml exists, and is not replaced: choose another name with --output\n"


def test_check_of_a_wrong_configuration_fails_with_a_line_per_mistake(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_config("config.yaml", datasets={"a": {"counts": "no.fits"}, "b": {}})
    assert main(["check"]) == 1
    *mistakes, last = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[:2] for line in mistakes] == [
        ["wrong", "datasets.a.counts"],
        ["wrong", "datasets.b must have either counts or simulate or events or runs or observations or healpix"],
    ]
    assert last == "2 mistakes"


def test_check_without_a_configuration_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["check"]) == 1
    assert "config.yaml cannot be read: No such file or directory" in capsys.readouterr().out


def test_repositorys_configuration_is_right(monkeypatch, capsys):
    monkeypatch.chdir(REPOSITORY)
    assert main(["check"]) == 0
    assert "isolated-source" in capsys.readouterr().out


def test_what_is_not_foreseen_is_one_line_too(monkeypatch, capsys):
    def fail(path):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("skymask.cli.check.forecast", fail)
    assert main(["check"]) == 1
    assert capsys.readouterr().err == "unexpected ZeroDivisionError: by zero\n"


def test_command_without_an_argument_says_how(capsys):
    with pytest.raises(SystemExit):
        main([])
    assert "usage: skymask" in capsys.readouterr().err
