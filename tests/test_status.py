"""How datasets stand is told from the files alone."""

import json
import os

import pytest
from conftest import write_config

from skymask.cli.main import main
from skymask.cli.status import standing, status


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """An empty folder, and a function that writes a file into it at a time."""
    monkeypatch.chdir(tmp_path)

    def write(path, time, text=""):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        for changed in (file, file.parent):
            os.utime(changed, (time, time))

    return write


def ended(state="converged", iteration=3, period=0, reason=None):
    return json.dumps({"state": state, "iteration": iteration, "period": period, "reason": reason})


def test_a_dataset_without_a_folder_has_not_begun(tree):
    assert standing("a").state == "not begun"


def test_a_finished_dataset_is_as_its_status_says(tree):
    tree("results/a/iteration-3/background.fits", 100)
    tree("results/a/status.json", 200, ended("cycle", period=2))
    assert standing("a") == ("a", "cycle of 2", 3, 200, "")


def test_fields_and_energy_bins_stand_for_the_dataset_they_are_parts_of(tree):
    for name in ("sky.field-0", "sky.field-1", "cube.bin-0", "other"):
        tree(f"results/{name}/status.json", 200, ended())
    tree("results/sky/status.json", 300, json.dumps({"states": {"converged": 2}}))
    tree("results/cube/energy/counts.fits", 300)
    datasets = {
        "sky": {"healpix": {"counts": "sky.fits"}},
        "cube": {"counts": "cube.fits", "energy_masks": "each"},
        "new": {"healpix": {"counts": "new.fits"}},
    }
    write_config("config.yaml", datasets=datasets)
    lines, wrong = status("config.yaml")
    assert [line.split()[:2] for line in lines[1:5]] == [
        ["sky.field-0", "converged"],
        ["sky.field-1", "converged"],
        ["cube.bin-0", "converged"],
        ["new", "not"],
    ]
    assert not wrong


def test_a_dataset_that_failed_its_inspection_has_failed_while_the_run_goes_on(tree):
    tree("results/a/inspection.json", 200, json.dumps({"reason": "counts are negative"}))
    assert standing("a", locked=True)[1::3] == ("failed", "counts are negative")


@pytest.mark.parametrize(("locked", "state"), [(True, "running"), (False, "interrupted")])
def test_a_dataset_in_its_loop_is_running_while_a_run_goes_on(tree, locked, state):
    tree("results/a/iteration-9/background.fits", 200)
    tree("results/a/iteration-10/significance.fits", 200)
    assert standing("a", locked=locked)[:3] == ("a", state, 10)


def test_a_dataset_that_runs_again_is_told_by_its_newest_iteration(tree):
    tree("results/a/iteration-3/background.fits", 100)
    tree("results/a/status.json", 200, ended())
    tree("results/a/iteration-2/significance.fits", 300)
    assert standing("a", locked=True)[:4] == ("a", "running", 2, 300)


def test_a_crash_is_told_with_the_first_line_of_its_log(tree):
    tree("results/a/iteration-1/background.fits", 100)
    tree("logs/a/prepare_dataset.log", 50)
    tree("logs/a/iteration-2/compute_significance.log", 150, "counts.fits is damaged\nand more\n")
    reason = "counts.fits is damaged (logs/a/iteration-2/compute_significance.log)"
    assert standing("a", locked=True) == ("a", "crashed", 1, 100, reason)


def test_a_traceback_is_told_by_its_last_line(tree):
    tree("results/a/inspection.json", 100)
    tree("logs/a/compute_products.log", 150, "Traceback (most recent call last):\n  File\nMemoryError: too much\n")
    assert standing("a").reason == "MemoryError: too much (logs/a/compute_products.log)"


def test_what_a_job_of_a_finished_dataset_said_is_no_crash(tree):
    tree("results/a/status.json", 200, ended())
    tree("logs/a/compute_products.log", 150, "a remark\n")
    assert standing("a").state == "converged"


def test_a_damaged_status_is_named(tree):
    tree("results/a/status.json", 200, "{")
    assert standing("a").reason.startswith("results/a/status.json is damaged")


def test_command_tabulates_counts_and_advises_and_fails_if_a_dataset_did(tree, capsys):
    write_config("config.yaml", datasets={name: {"counts": "x.fits"} for name in "abc"}, pathvars={"results": "r"})
    tree("r/a/status.json", 200, ended())
    tree("r/b/status.json", 200, ended("failed", 0, reason="x.fits is no map"))
    assert main(["status"]) == 1
    header, a, b, c, counts, *advice = capsys.readouterr().out.splitlines()
    assert header.split() == ["dataset", "state", "iteration", "last", "change"]
    assert a.split()[:3] == ["a", "converged", "3"]
    assert b.endswith("x.fits is no map")
    assert c.split() == ["c", "not", "begun"]
    assert counts == "3 datasets: 1 converged, 1 failed, 1 not begun"
    assert [line.split(":")[0] for line in advice] == ["not begun", "failed"]


def test_datasets_of_a_table_are_told_too(tree, capsys):
    tree("fields.csv", 0, "dataset,counts\na,x.fits\n")
    write_config("config.yaml", datasets="fields.csv")
    tree("results/a/status.json", 200, ended())
    assert main(["status"]) == 0
    assert "1 dataset: 1 converged" in capsys.readouterr().out


def test_a_configuration_that_cannot_be_read_is_one_line(tree, capsys):
    assert main(["status"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
