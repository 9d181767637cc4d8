"""Datasets that have ended, and of which nothing has changed since."""

import json
import os
import shutil
import time

import pytest
import yaml
from conftest import ODD_NAME, snakemake, write_config

from skymask.cli.status import status
from skymask.workflow import settled

OUTCOME = {"state": "converged", "iteration": 2}
SETTINGS = settled.digest({"threshold": 5})


@pytest.fixture
def noted(tmp_path, monkeypatch):
    """The note of a dataset with a file that was read and one that was written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "counts.fits").write_text("counts")
    (tmp_path / "mask.fits").write_text("mask")
    settled.note("a", SETTINGS, "configured", OUTCOME, {"counts.fits"}, {"mask.fits"}, time.time() + 1)
    return tmp_path


def test_a_dataset_is_settled_if_nothing_has_changed(noted):
    assert settled.unchanged("a", SETTINGS) == OUTCOME


def test_a_dataset_without_a_note_is_not_settled(noted):
    assert settled.unchanged("b", SETTINGS) is None


def test_other_settings_unsettle(noted):
    assert settled.unchanged("a", settled.digest({"threshold": 4})) is None


@pytest.mark.parametrize("name", ["counts.fits", "mask.fits"])
@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.unlink(),
        lambda path: os.utime(path, (1, 1)),
        lambda path: os.utime(path),
        lambda path: path.write_text("other"),
    ],
    ids=["removed", "older", "newer", "other"],
)
def test_any_change_of_a_file_unsettles(noted, name, change):
    change(noted / name)
    assert settled.unchanged("a", SETTINGS) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"settings": 1}'])
def test_a_damaged_note_unsettles(noted, text):
    (noted / settled.FOLDER / "a.json").write_text(text)
    assert settled.unchanged("a", SETTINGS) is None


def test_nothing_is_noted_if_what_was_read_was_replaced_meanwhile(noted):
    settled.note("b", SETTINGS, "configured", OUTCOME, {"counts.fits"}, {"mask.fits"}, started=time.time() - 60)
    assert settled.unchanged("b", SETTINGS) is None


@pytest.mark.parametrize(
    "line",
    [
        "",
        "--cores 2 --configfile mine.yaml",
        "-c4 -n results/a/status.json",
        "--profile profiles/slurm --slurm-status-command squeue",
        "--config shard=1/4 --nolock",
    ],
)
def test_plain_runs(line):
    assert settled.is_plain(["/usr/bin/snakemake", *line.split()])


@pytest.mark.parametrize(
    "option",
    ["-F", "-R", "--forceall", "--report", "--dag", "--summary", "--touch", "--until", "--rerun-triggers", "-nF"],
)
def test_what_needs_the_whole_graph_is_not_plain(option):
    assert not settled.is_plain(["snakemake", option])


def test_another_program_that_runs_the_workflow_is_not_plain():
    assert not settled.is_plain(["pytest", "--cores", "2"])


@pytest.fixture(scope="module")
def finished(undisturbed, tmp_path_factory):
    """The undisturbed run, gone on with until everything is there."""
    folder = shutil.copytree(undisturbed, tmp_path_factory.mktemp("settled") / "run")
    process = snakemake(folder=folder)
    assert process.returncode == 0, process.stdout
    return folder


def jobs_of(process):
    """Return the names of the rules of which a dry run would run jobs, those over all datasets apart."""
    assert process.returncode == 0, process.stdout
    lines = (
        process.stdout.split("Job stats:")[-1].split("\n\n")[0].splitlines() if "Job stats:" in process.stdout else []
    )
    names = {line.split()[0] for line in lines[3:] if line.strip()}
    return names - {"all", "total", "summarize_datasets", "render_report"}


def planned(folder, *arguments):
    return jobs_of(snakemake("--dry-run", "--quiet", "host", *arguments, folder=folder))


def test_a_finished_run_settles_its_datasets(finished):
    assert {path.stem for path in (finished / settled.FOLDER).iterdir()} == {"a", "b"}


def test_a_run_over_settled_datasets_does_nothing(finished):
    assert "Nothing to be done" in snakemake(folder=finished).stdout


def test_the_name_of_a_file_is_taken_for_nothing_else(finished):
    assert (finished / ODD_NAME).is_file()
    assert not list(finished.rglob("hacked"))
    page = (finished / "results/b/report.html").read_text(encoding="utf-8")
    assert "< b>" not in page


def test_a_product_that_was_removed_is_made_again(finished):
    removed = finished / "results/a/alpha.fits"
    removed.rename(finished / "elsewhere.fits")
    rules = planned(finished)
    (finished / "elsewhere.fits").rename(removed)
    assert "compute_products" in rules


def test_a_new_setting_of_a_settled_dataset_reruns_it(finished):
    config = (finished / "config.yaml").read_text()
    (finished / "other.yaml").write_text(config + "threshold: 4\n")
    assert "update_exclusion_mask" in planned(finished, "--configfile", "other.yaml")


def test_status_tells_which_datasets_the_configuration_has_left_behind(finished, monkeypatch):
    monkeypatch.chdir(finished)
    config = yaml.safe_load((finished / "config.yaml").read_text())
    config["datasets"]["a"]["threshold"] = 4
    write_config("third.yaml", **config)
    first, second = status("third.yaml")[0][1:3]
    assert first.endswith("the configuration has changed since: run snakemake")
    assert second.startswith("b")
    assert "changed" not in second


def test_status_is_silent_where_nothing_has_changed(finished, monkeypatch):
    monkeypatch.chdir(finished)
    assert "changed" not in "\n".join(status("config.yaml")[0][1:])


def test_force_runs_the_jobs_of_settled_datasets(finished):
    assert "check_dataset" in planned(finished, "--forceall")


def test_the_outcome_of_a_settled_dataset_is_that_of_its_loop(finished):
    decisions = json.loads((finished / "results/.decisions/a/iteration-2.json").read_text())
    note = json.loads((finished / settled.FOLDER / "a.json").read_text())
    assert note["outcome"] == decisions["a"]
