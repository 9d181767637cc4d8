"""Every way to call the workflow: {top, shim, module, module with prefix} x {repository, elsewhere, --directory}.

Each runs a job whose script compares the digest of its library with that of the workflow, so that none of them can
silently hash nothing or import another library.
"""

import json
import re

import numpy as np
import pytest
import yaml
from conftest import KERNELS, MODULE, field_with_source, snakemake, write_config, write_map

SNAKEFILES = ("top", "shim", "module", "prefix")


def prepare(kind, clone, folder):
    """Return the Snakefile of one kind of use, written into a folder if it is the user's own."""
    if kind in ("top", "shim"):
        return clone / ("Snakefile" if kind == "top" else "workflow/Snakefile")
    names = "*" if kind == "module" else "sky_*"
    snakefile = folder / f"{kind}.smk"
    snakefile.write_text(MODULE.format(snakefile=str(clone / "Snakefile"), names=names))
    return snakefile


@pytest.mark.parametrize("place", ["repository", "elsewhere", "directory"])
@pytest.mark.parametrize("kind", SNAKEFILES)
def test_layout(kind, place, clone, tmp_path):
    folder = clone if place == "repository" else tmp_path
    data = tmp_path / "data folder" if place == "directory" else folder
    data.mkdir(exist_ok=True)
    name = f"{kind}-{place}"
    counts = write_map(tmp_path / "counts.fits", field_with_source())
    config = {"datasets": {name: {"counts": counts}}}
    arguments = ["--directory", data] if place == "directory" else []
    if place == "repository":
        # The repository keeps its own configuration.
        write_config(tmp_path / "mine.yaml", **config)
        arguments = ["--configfile", tmp_path / "mine.yaml"]
    else:
        write_config(data / "config.yaml", **config)
    process = snakemake(
        f"results/{name}/inspection.json", *arguments, folder=folder, snakefile=prepare(kind, clone, tmp_path)
    )
    assert process.returncode == 0, process.stdout
    assert json.loads((data / f"results/{name}/inspection.json").read_text())["reason"] is None


@pytest.mark.parametrize("place", ["elsewhere", "directory"])
def test_without_a_configuration_the_demonstration_is_planned(place, tmp_path):
    (tmp_path / "empty").mkdir()
    arguments = ["--directory", "empty"] if place == "directory" else []
    process = snakemake("--dry-run", "--quiet", "host", *arguments, folder=tmp_path)
    assert process.returncode == 0, process.stdout
    assert re.search(r"^simulate_counts +3$", process.stdout, flags=re.MULTILINE)


def test_a_configuration_file_stands_alone(clone, tmp_path):
    counts = write_map(tmp_path / "counts.fits", field_with_source())
    ring = {"shape": "ring", "inner_radius": "1 px", "width": "2 px"}
    write_config(tmp_path / "mine.yaml", datasets={"field": {"counts": counts}}, source_kernel=ring)
    process = snakemake(
        "--dry-run",
        "--quiet",
        "host",
        "--configfile",
        tmp_path / "mine.yaml",
        folder=clone,
        snakefile=clone / "Snakefile",
    )
    assert process.returncode == 0, process.stdout
    assert re.search(r"^prepare_dataset +1$", process.stdout, flags=re.MULTILINE)
    assert "simulate_counts" not in process.stdout


def test_a_table_of_datasets(tmp_path):
    for name in ("first", "second"):
        write_map(tmp_path / f"{name}.fits", field_with_source())
    (tmp_path / "datasets.csv").write_text(
        "dataset,counts,threshold,source_kernel.shape,source_kernel.radius\n"
        "first,first.fits,4,disk,0.1 deg\n"
        "second,second.fits,,,\n"
    )
    write_config(tmp_path / "config.yaml", datasets="datasets.csv")
    targets = [f"results/{name}/inspection.json" for name in ("first", "second")]
    process = snakemake(*targets, folder=tmp_path)
    assert process.returncode == 0, process.stdout


def test_results_go_where_the_path_variables_say(tmp_path):
    # Without a source the loop ends after one iteration.
    write_map(tmp_path / "counts.fits", np.full((30, 30), 2))
    config = KERNELS | {
        "datasets": {"field": {"counts": "counts.fits"}},
        "null_simulations": {"number": 0},
        "pathvars": {"results": "out/maps"},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    process = snakemake("out/maps/field/status.json", folder=tmp_path)
    assert process.returncode == 0, process.stdout
    assert re.search(r"^field +converged ", process.stdout, flags=re.MULTILINE)
