"""Datasets that have ended, and of which nothing has changed since."""

import json
import os
import shutil
import time

import pytest
import yaml
from conftest import ODD_NAME, snakemake, write_config

from skymask.cli.status import status
from skymask.workflow import cached

OUTCOME = {"state": "converged", "iteration": 2}
SETTINGS = cached.digest({"threshold": 5})


@pytest.fixture
def noted(tmp_path, monkeypatch):
    """The note of a dataset with a file that was read and one that was written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "counts.fits").write_text("counts")
    (tmp_path / "mask.fits").write_text("mask")
    files = {"counts.fits"}, {"mask.fits"}
    cached.record("results", "a", SETTINGS, "configured", OUTCOME, *files, time.time() + 1)
    return tmp_path


def found(dataset="a", settings=SETTINGS, results="results"):
    return cached.find(results, {dataset: settings})


def test_a_dataset_of_which_nothing_has_changed_is_left_out(noted):
    assert found() == {"a": OUTCOME}


def test_a_dataset_without_a_note_stays_in(noted):
    assert found("b") == {}


def test_a_dataset_with_other_settings_stays_in(noted):
    assert found(settings=cached.digest({"threshold": 4})) == {}


def test_a_note_is_of_one_folder_of_results(noted):
    assert found(results="out") == {}


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
def test_any_change_of_a_file_keeps_a_dataset_in(noted, name, change):
    change(noted / name)
    assert found() == {}


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"settings": 1}'])
def test_a_damaged_note_keeps_a_dataset_in(noted, text):
    (note,) = (noted / cached.FOLDER).rglob("a.json")
    note.write_text(text)
    assert found() == {}


def test_nothing_is_noted_if_what_was_read_was_replaced_meanwhile(noted):
    files = {"counts.fits"}, {"mask.fits"}
    cached.record("results", "b", SETTINGS, "configured", OUTCOME, *files, started=time.time() - 60)
    assert found("b") == {}


@pytest.fixture(scope="module")
def finished(undisturbed, tmp_path_factory):
    """The undisturbed run, gone on with until everything is there."""
    folder = shutil.copytree(undisturbed, tmp_path_factory.mktemp("finished") / "run")
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


def test_a_finished_run_notes_its_datasets(finished):
    assert {path.stem for path in (finished / cached.FOLDER).rglob("*.json")} == {"a", "b"}


def test_a_run_over_finished_datasets_does_nothing(finished):
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


def test_a_new_setting_of_a_finished_dataset_reruns_it(finished):
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


def test_force_runs_the_jobs_of_finished_datasets(finished):
    assert "prepare_dataset" in planned(finished, "--forceall")


def test_the_outcome_of_a_finished_dataset_is_that_of_its_loop(finished):
    decisions = json.loads((finished / "results/.decisions/a/iteration-2.json").read_text())
    (path,) = (finished / cached.FOLDER).rglob("a.json")
    note = json.loads(path.read_text())
    assert note["outcome"] == decisions["a"]
