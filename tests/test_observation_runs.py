"""Runs of the workflow from an observation store, through the snakemake command."""

import json
import re

import numpy as np
import pytest
from conftest import products, snakemake, write_config
from stores import POINTINGS, write_indices, write_store

from skymask.io import maps

pytestmark = pytest.mark.usefixtures("gammapy")

GEOMETRY = {"center": ["83.6 deg", "22 deg"], "width": ["2 deg", "2 deg"], "pixel_size": "0.1 deg"}
OBSERVATIONS = {"store": "dl3", "energy": ["1 TeV", "10 TeV"], "energy_oversampling": 1, "offset_max": "2 deg"}


def configure(folder, name="config.yaml", **changes):
    """Write a configuration with one dataset of observations."""
    datasets = {"field": {"observations": OBSERVATIONS | changes, "geometry": GEOMETRY}}
    return write_config(folder / name, datasets=datasets)


def targets(*names):
    return [f"results/field/runs/{name}" for name in names]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Maps of two runs, the second of which has no file."""
    folder = tmp_path_factory.mktemp("observations")
    write_store(folder / "dl3", obs_ids=(11, 12))
    (folder / "dl3/run_12.fits").unlink()
    configure(folder)
    process = snakemake(*targets("11.fits", "12.json"), folder=folder)
    assert process.returncode == 0, process.stdout
    return folder


def jobs_of(folder, *names, config="config.yaml"):
    """Return the runs whose maps a dry run would make."""
    process = snakemake(*targets(*names), "--dry-run", "--quiet", "host", "--configfile", config, folder=folder)
    assert process.returncode == 0, process.stdout
    return re.findall(r"Make the maps of run (\w+)", process.stdout)


def test_every_run_has_a_job_of_its_own(run):
    assert maps.read(run / "results/field/runs/11.fits[COUNTS]").data.sum() == 1
    assert sorted(path.name for path in (run / "logs/field/make_run_maps").iterdir()) == ["11.log", "12.log"]


def test_a_run_that_cannot_be_used_is_no_crash(run):
    notes = json.loads((run / "results/field/runs/12.json").read_text())
    assert notes["reason"] == "run 12: dl3/run_12.fits does not exist, though the hdu-index of dl3 names it"


def test_a_store_that_grows_makes_the_maps_of_the_new_run_only(run):
    write_store(run / "dl3", obs_ids=(13,))
    write_indices(run / "dl3", (11, 12, 13))
    assert jobs_of(run, "11.fits", "12.fits", "13.fits") == ["13"]


def test_a_file_that_changes_makes_the_maps_of_its_run_only(run):
    write_store(run / "dl3", obs_ids=(12,))
    write_indices(run / "dl3", (11, 12))
    assert jobs_of(run, "11.fits", "12.fits") == ["12"]


def test_other_energies_make_all_maps_anew_and_another_selection_none(run):
    write_indices(run / "dl3", (11, 12))
    (run / "dl3/run_12.fits").unlink(missing_ok=True)
    configure(run, "energies.yaml", energy=["2 TeV", "10 TeV"])
    assert sorted(jobs_of(run, "11.fits", "12.fits", config="energies.yaml")) == ["11", "12"]
    configure(run, "target.yaml", target="Crab")
    assert jobs_of(run, "11.fits", "12.fits", config="target.yaml") == []


def test_maps_are_the_same_bytes_elsewhere_and_one_by_one(run, tmp_path):
    write_store(tmp_path / "dl3", obs_ids=(11, 12))
    configure(tmp_path)
    process = snakemake(*targets("11.fits"), "--cores", "1", folder=tmp_path)
    assert process.returncode == 0, process.stdout
    name = "results/field/runs/11.fits"
    assert products(tmp_path, name) == products(run, name)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"obs_ids": [99]}, "datasets.field.observations: the obs-index of dl3 has no run 99"),
        ({"target": "Vela"}, "datasets.field.observations: none of the 2 runs of dl3 passes the selection (target)"),
    ],
)
def test_a_selection_that_cannot_be_is_one_line_before_any_job(tmp_path, changes, line):
    write_store(tmp_path / "dl3", obs_ids=(11, 12))
    configure(tmp_path, **changes)
    process = snakemake("--dry-run", folder=tmp_path)
    assert process.returncode == 1
    assert line in process.stdout.splitlines()
    assert "Traceback" not in process.stdout


def random_events(pointing, number, seed):
    """Events all over the field of a pointing, as the hand-made background model has them."""
    random = np.random.default_rng(seed)
    ra, dec = (random.uniform(center - 1.2, center + 1.2, number) for center in pointing)
    return list(zip(ra, dec, random.uniform(1, 10, number), strict=True))


@pytest.fixture(scope="module")
def analysis(tmp_path_factory):
    """A finished analysis of two datasets: good runs in two energy bins, and runs without files."""
    folder = tmp_path_factory.mktemp("analysis")
    runs = (11, 12)
    write_store(folder / "dl3", runs, **{f"run_{name}": random_events(POINTINGS[name], 3000, name) for name in runs})
    write_store(folder / "bad", runs)
    for name in runs:
        (folder / "bad" / f"run_{name}.fits").unlink()
    datasets = {
        "good": {"observations": OBSERVATIONS | {"energy_bins": 2}, "geometry": GEOMETRY},
        "bad": {"observations": OBSERVATIONS | {"store": "bad"}, "geometry": GEOMETRY},
    }
    write_config(folder / "config.yaml", datasets=datasets, null_simulations={"number": 2}, threshold=6)
    products = [f"results/good/{name}" for name in ("energy/counts.fits", "regions.ecsv")]
    process = snakemake("results/good/status.json", "results/bad/status.json", *products, folder=folder)
    (folder / "output.txt").write_text(process.stdout)
    assert process.returncode == 0, process.stdout
    return folder


def test_runs_of_a_store_are_a_stack(analysis):
    status = json.loads((analysis / "results/good/status.json").read_text())
    assert status["state"] == "converged", (analysis / "output.txt").read_text()
    counts = maps.read(analysis / "results/good/counts.fits").data
    runs = [maps.read_cube(analysis / f"results/good/runs/{name}.fits[COUNTS]") for name in (11, 12)]
    np.testing.assert_array_equal(counts, sum(run.data.sum(axis=0) for run in runs))
    assert maps.read(analysis / "results/good/runs.fits").data.max() == 2
    # The runs come back as they are, with the energies of both bins.
    energy = maps.read_cube(analysis / "results/good/energy/counts.fits")
    np.testing.assert_array_equal(energy.data, sum(run.data for run in runs))
    assert energy.energies.lower == pytest.approx([1, 10**0.5])


def test_runs_that_cannot_be_used_fail_their_dataset_with_one_line(analysis):
    reason = json.loads((analysis / "results/bad/status.json").read_text())["reason"]
    named = "does not exist, though the hdu-index of bad names it"
    assert reason == f"run 11: bad/run_11.fits {named} (and 1 more run cannot be used)"
    assert "Traceback" not in (analysis / "output.txt").read_text()
