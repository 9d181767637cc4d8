"""Reading the workflow changes nothing: what Snakemake itself writes for any Snakefile aside."""

import base64
import os
import re
import shutil

import pytest
import yaml
from conftest import REPOSITORY, field_with_source, snakemake, write_config, write_map

#: A workflow of Snakemake's own, to see what that writes.
EMPTY = 'rule all:\n    output:\n        "{name}"\n    shell:\n        "touch {{output}}"\n'

#: What Snakemake has of its own to write in its folder for any command.
OWN = re.compile(r"\.snakemake/(log|scripts|source_cache|locks|iocache)(/|$)")

#: Commands that run no job.
COMMANDS = (
    ["--list-rules"],
    ["--summary"],
    ["--lint"],
    ["--rulegraph"],
    ["--dry-run"],
    ["--report", "own-report.html"],
)


def tree(folder):
    """Return every file and folder with its size and time, what Snakemake writes by itself apart."""
    paths = (path for path in folder.rglob("*") if not OWN.search(str(path.relative_to(folder))))
    files = (path for path in paths if path.name != "own-report.html")
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in files
        if path.is_file()
    }


@pytest.fixture(scope="module")
def interrupted(undisturbed, tmp_path_factory):
    """A finished run in which Snakemake has marked a file, as if its job had not ended."""
    folder = shutil.copytree(undisturbed, tmp_path_factory.mktemp("parsing") / "run")
    name = base64.urlsafe_b64encode(b"results/a/iteration-1/significance.fits").decode()
    mark = folder / ".snakemake/incomplete" / name
    mark.parent.mkdir(exist_ok=True)
    mark.touch()
    return folder


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_command_that_runs_no_job_changes_nothing(interrupted, command):
    before = tree(interrupted)
    snakemake(*command, folder=interrupted)
    assert tree(interrupted) == before


def test_a_host_that_imports_the_workflow_changes_nothing_by_that(interrupted):
    before = tree(interrupted)
    (interrupted / "host.smk").write_text(
        f"module skymask:\n    snakefile: {str(REPOSITORY / 'Snakefile')!r}\n    config: config\n\n"
        'configfile: "config.yaml"\n\nuse rule * from skymask as skymask_*\n' + EMPTY.format(name="own.txt")
    )
    process = snakemake("--list-rules", folder=interrupted, snakefile="host.smk")
    (interrupted / "host.smk").unlink()
    assert process.returncode == 0, process.stdout
    assert tree(interrupted) == before


def test_a_marked_file_is_made_anew(interrupted, tmp_path):
    folder = shutil.copytree(interrupted, tmp_path / "run")
    process = snakemake("results/a/significance.fits", folder=folder)
    assert process.returncode == 0, process.stdout
    assert (folder / "results/a/iteration-1/significance.fits").stat().st_mtime > (
        interrupted / "results/a/iteration-1/significance.fits"
    ).stat().st_mtime


def planned(folder, *arguments):
    """Return the numbers of jobs by rule of a dry run."""
    process = snakemake("--dry-run", "--quiet", "host", *arguments, folder=folder)
    assert process.returncode == 0, process.stdout
    return dict(re.findall(r"^(\w+) +(\d+)$", process.stdout, flags=re.MULTILINE))


@pytest.fixture(scope="module")
def finished(undisturbed, tmp_path_factory):
    folder = shutil.copytree(undisturbed, tmp_path_factory.mktemp("parsing") / "finished")
    process = snakemake(folder=folder)
    assert process.returncode == 0, process.stdout
    return folder


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ("forceall: true", ["--forceall"]),
        ("forcerun: [compute_products]", ["--forcerun", "compute_products"]),
        ("rerun-triggers: [mtime]", ["--rerun-triggers", "mtime"]),
    ],
    ids=["forceall", "forcerun", "rerun-triggers"],
)
def test_an_option_in_a_profile_does_what_it_does_on_the_command_line(finished, line, option):
    profile = finished / "own-profile"
    profile.mkdir(exist_ok=True)
    (profile / "config.yaml").write_text(f"{line}\n")
    assert planned(finished, "--profile", "own-profile") == planned(finished, *option)


def test_a_named_file_of_a_finished_dataset_is_like_any_other(finished):
    process = snakemake("results/a/status.json", folder=finished)
    assert "Nothing to be done" in process.stdout, process.stdout


@pytest.mark.parametrize("name", ["background_error.fits", "regions.reg", "report.html", "excess_errn.fits"])
def test_an_emptied_product_is_made_again(finished, tmp_path, name):
    folder = shutil.copytree(finished, tmp_path / "run")
    (folder / "results/a" / name).write_bytes(b"")
    process = snakemake(folder=folder)
    assert process.returncode == 0, process.stdout
    assert (folder / "results/a" / name).read_bytes() == (finished / "results/a" / name).read_bytes()


@pytest.mark.parametrize(
    "change", [{"threshold": 3}, {"dilation_radius": "0.2 deg"}, {"null_simulations": {"number": 3}}]
)
def test_results_without_snakemakes_records_are_made_anew_where_settings_differ(finished, tmp_path, change):
    folder = shutil.copytree(finished, tmp_path / "run")
    shutil.rmtree(folder / ".snakemake")
    assert planned(folder) == {}
    config = yaml.safe_load((folder / "config.yaml").read_text()) | change
    write_config(folder / "config.yaml", **config)
    process = snakemake("results/a/status.json", folder=folder)
    assert process.returncode == 0, process.stdout
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    for name in ("a.fits", config["datasets"]["b"]["counts"], "config.yaml"):
        shutil.copy(folder / name, fresh / name)
    process = snakemake("results/a/status.json", folder=fresh)
    assert process.returncode == 0, process.stdout
    for name in ("significance.fits", "null.json", "status.json"):
        assert (folder / "results/a" / name).read_bytes() == (fresh / "results/a" / name).read_bytes(), name


def test_an_older_file_in_the_place_of_one_is_seen_without_snakemakes_records(finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "run")
    shutil.rmtree(folder / ".snakemake")
    write_map(folder / "a.fits", field_with_source(7))
    os.utime(folder / "a.fits", (1, 1))
    assert "prepare_dataset" in planned(folder)


def test_the_grid_of_runs_is_followed(tmp_path):
    for seed, name in enumerate(("a", "b")):
        write_map(tmp_path / f"{name}.fits", field_with_source(seed, (40, 40)))
    write_map(tmp_path / "grid.fits", field_with_source(3, (40, 40)))
    runs = [{"run": name, "counts": f"{name}.fits"} for name in "ab"]
    write_config(tmp_path / "config.yaml", datasets={"s": {"runs": runs, "geometry": {"as": "grid.fits"}}})
    target = "results/s/iteration-0/counts.fits"
    assert snakemake(target, folder=tmp_path).returncode == 0
    before = (tmp_path / target).stat().st_size
    write_map(tmp_path / "grid.fits", field_with_source(3, (48, 48)))
    process = snakemake(target, folder=tmp_path)
    assert process.returncode == 0, process.stdout
    assert (tmp_path / target).stat().st_size > before


def test_what_changed_is_told_in_words(finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "run")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["datasets"]["a"]["threshold"] = 4
    config["datasets"]["c"] = {"counts": "a.fits"}
    del config["datasets"]["b"]
    write_config(folder / "config.yaml", **config)
    lines = snakemake("--dry-run", folder=folder).stdout.splitlines()
    assert {"a: threshold 5 -> 4", "new: c", "no longer configured: b"} <= set(lines)


def test_decisions_of_an_earlier_run_do_not_outlive_those_that_they_rest_on(tmp_path):
    # At threshold 2.5 the loop takes more iterations than at 5: decisions on the sibling go further.
    for seed, name in enumerate("ab"):
        write_map(tmp_path / f"{name}.fits", field_with_source(seed))
    datasets = {"a": {"counts": "a.fits", "threshold": 2.5}, "b": {"counts": "b.fits", "threshold": 2.5}}
    common = {"checkpoint_groups": 1, "null_simulations": {"number": 0}}
    write_config(tmp_path / "config.yaml", datasets=datasets, **common)
    assert snakemake(folder=tmp_path).returncode == 0
    datasets["a"]["threshold"] = 5
    write_config(tmp_path / "config.yaml", datasets=datasets, **common)
    process = snakemake(folder=tmp_path)
    assert process.returncode == 0, process.stdout
    page = (tmp_path / "results/report.html").read_text(encoding="utf-8")
    assert {"a/report.html", "b/report.html"} <= set(re.findall(r'href="([^"]+)"', page))
    own = snakemake("--report", "own.html", folder=tmp_path)
    assert own.returncode == 0, own.stdout
    text = (tmp_path / "own.html").read_text(encoding="utf-8")
    assert all(f'"{name}"' in text for name in "ab")


def test_results_in_another_folder_are_others(finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "run")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    write_config(folder / "config.yaml", **config, pathvars={"results": "out"})
    assert planned(folder)["prepare_dataset"] == "2"
