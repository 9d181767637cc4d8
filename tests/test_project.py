"""The repository agrees with itself: README, environments, locks and schema."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib

import marked
import numpy as np
import package_graph
import pytest
import yaml
from astropy.io import fits
from astropy.table import Table
from conftest import REPOSITORY, code_blocks, field_with_source, sky_header, snakemake, write_map
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from skymask import registry
from skymask.workflow.digests import rule_texts

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]

#: Packages that conda-forge and bioconda split; the parts named are all that is needed.
CONDA_NAMES = {"matplotlib": "matplotlib-base", "snakemake": "snakemake-minimal"}


def requirements(extra=None):
    lines = PROJECT["dependencies"] if extra is None else PROJECT["optional-dependencies"][extra]
    return {requirement.name: requirement.specifier for requirement in map(Requirement, lines)}


def locked(name):
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    return {name: Version(version) for name, version in re.findall(r"^([a-z0-9-]+)==([^\s;\\]+)", text, re.MULTILINE)}


def test_conda_environment_has_the_packages_and_bounds_of_the_project():
    environment = yaml.safe_load((REPOSITORY / "environment.yml").read_text(encoding="utf-8"))
    conda = {requirement.name: requirement.specifier for requirement in map(Requirement, environment["dependencies"])}
    python = conda.pop("python")
    assert str(python) == PROJECT["requires-python"]
    assert conda == {CONDA_NAMES.get(name, name): bounds for name, bounds in requirements().items()}


def test_environment_of_observations_is_that_of_the_workflow_with_gammapy():
    common, with_gammapy = (
        yaml.safe_load((REPOSITORY / name).read_text(encoding="utf-8"))
        for name in ("environment.yml", "workflow/envs/gammapy.yml")
    )
    wanted = {requirement.name: requirement.specifier for requirement in map(Requirement, common["dependencies"])}
    for name, bounds in requirements("gammapy").items():
        wanted[name] = wanted.get(name, SpecifierSet()) & bounds
    assert {one.name: one.specifier for one in map(Requirement, with_gammapy["dependencies"])} == wanted
    assert with_gammapy["channels"] == common["channels"]


@pytest.mark.parametrize(
    ("lock", "extras"),
    [
        ("requirements.lock", ()),
        ("requirements-dev.lock", ("dev", "gammapy", "storage")),
        ("requirements-slurm.lock", ("slurm",)),
    ],
)
def test_lock_satisfies_the_project(lock, extras):
    versions = locked(lock)
    wanted = requirements()
    for extra in extras:
        wanted |= requirements(extra)
    assert {name for name, bounds in wanted.items() if versions[name] not in bounds} == set()


@pytest.mark.parametrize("lock", ["requirements-dev.lock", "requirements-slurm.lock"])
def test_locks_agree(lock):
    run, more = locked("requirements.lock"), locked(lock)
    assert run == {name: more[name] for name in run}


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock", "requirements-slurm.lock"])
def test_lock_has_a_hash_for_every_package_and_no_index_address(lock):
    text = (REPOSITORY / lock).read_text(encoding="utf-8")
    entries = re.split(r"^(?=[a-z0-9-]+==)", text, flags=re.MULTILINE)[1:]
    assert entries
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in text


def test_version_is_the_same_everywhere():
    import skymask

    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    assert skymask.__version__ == PROJECT["version"] == str(citation["version"])


@pytest.mark.parametrize(
    ("python", "line"),
    [
        ("no-such-python", "Python 3.11 or later is needed, and there is no no-such-python"),
        ("./old", "Python 3.11 or later is needed, and ./old is Python 3.8.1"),
        ("./bare", "./bare lacks venv or ensurepip: install them"),
    ],
)
def test_make_names_a_missing_prerequisite_in_one_line(tmp_path, python, line):
    for name in ("Makefile", "requirements.lock", "requirements-dev.lock", "requirements-slurm.lock"):
        shutil.copy(REPOSITORY / name, tmp_path)
    for name, script in {
        "old": 'case "$1" in --version) echo Python 3.8.1;; *) exit 1;; esac',
        "bare": 'case "$2" in *venv*) exit 1;; esac',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    process = subprocess.run(
        ["make", "run", f"PYTHON={python}"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert process.returncode != 0
    assert process.stderr.splitlines()[0].startswith(line)
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize("page", ["README.md", "docs/stacking.md"])
def test_python_example_prints_what_it_says(page):
    (example,) = code_blocks(page, "python")
    (expected,) = code_blocks(page, "text")
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    process = subprocess.run(
        [sys.executable, "-c", example], env=environment, capture_output=True, text=True, check=True
    )
    assert process.stdout == expected


def test_configurations_and_commands_of_the_guide_work(tmp_path):
    config, ring, sizes, regions, *_ = code_blocks("docs/guide.md", "yaml")
    # Fewer null simulations than a user would have.
    (tmp_path / "mine.yaml").write_text(config + regions + "null_simulations: {number: 5}\n")
    (tmp_path / "sources.reg").write_text("fk5\ncircle(83.1,22.3,0.1)\n")
    positions = Table({"ra": [84.1], "dec": [21.8]})
    positions.write(tmp_path / "stars.ecsv")
    positions = Table({"GLON": [184.0], "GLAT": [-5.0], "Conf_95_SemiMajor": [0.1]}, meta={"EXTNAME": "SOURCES"})
    positions.write(tmp_path / "catalogue.fits")
    write_map(tmp_path / "exposure.fits", np.ones((80, 80)))
    write_map(tmp_path / "bright-stars.fits", np.ones((80, 80), dtype=np.uint8))
    write_map(tmp_path / "counts.fits.gz", field_with_source(shape=(80, 80)))
    commands = [line.split("#")[0] for block in code_blocks("docs/guide.md", "sh") for line in block.splitlines()]
    ran = [shlex.split(command) for command in commands if command.startswith("snakemake")]
    assert ran[0] == ["snakemake", "--configfile", "mine.yaml"]
    for command in ran:
        process = snakemake(*command[1:], folder=tmp_path)
        assert process.returncode == 0, process.stdout
    assert (tmp_path / "snakemake-report.html").is_file()
    # The loop has been run above.
    short = {"convergence": {"max_iterations": 1}}
    (tmp_path / "mine.yaml").write_text(
        yaml.safe_dump(yaml.safe_load(config) | yaml.safe_load(ring) | yaml.safe_load(sizes) | short)
    )
    process = snakemake(*ran[0][1:], "--", "results/my-field/ring_radius.fits", folder=tmp_path)
    assert process.returncode == 0, process.stdout
    assert [name for name in registry.files_of() if not (tmp_path / "results/my-field" / name).is_file()] == []


def test_readme_commands_of_skymask_work(tmp_path):
    write_map(tmp_path / "counts.fits.gz", field_with_source(shape=(80, 80)))
    commands = [line for block in code_blocks("README.md", "sh") for line in block.splitlines() if "-m skymask" in line]
    (config,) = code_blocks("README.md", "yaml")
    for name in ("exposure", "bright-stars"):
        write_map(tmp_path / f"{name}.fits", np.ones((80, 80), dtype=np.uint8))
    for command in commands:
        if " init " not in command:
            (tmp_path / "mine.yaml").write_text(config)
        process = subprocess.run(
            [sys.executable, *shlex.split(command.split("#")[0])[1:]],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.returncode == 0, process.stdout + process.stderr


def test_readme_make_commands_are_those_of_the_makefile():
    commands = re.findall(r"^make (\w+)", "".join(code_blocks("README.md", "sh")), flags=re.MULTILINE)
    assert commands == ["run", "test"]
    assert "make test" in (REPOSITORY / ".ci/run").read_text()
    for command in commands:
        subprocess.run(["make", "--dry-run", command], cwd=REPOSITORY, check=True, capture_output=True)


def test_configuration_for_users_of_ctskymap_works(tmp_path):
    (config,) = code_blocks("docs/coming-from.md", "yaml")
    (tmp_path / "mine.yaml").write_text(config)
    counts = fits.ImageHDU(field_with_source(shape=(80, 80)), sky_header((80, 80)), name="COUNTS")
    acceptance = fits.ImageHDU(np.ones((80, 80)), sky_header((80, 80)), name="ACCEPTANCE")
    fits.HDUList([fits.PrimaryHDU(np.zeros((80, 80))), counts, acceptance]).writeto(tmp_path / "skymap.fits")
    write_map(tmp_path / "known-used.fits", np.ones((80, 80), dtype=np.uint8))
    process = snakemake("--configfile", "mine.yaml", "--", "results/crab/significance.fits", folder=tmp_path)
    assert process.returncode == 0, process.stdout


def test_every_test_that_the_features_name_exists():
    named = re.findall(r"`((?:slurm/)?test_\w+\.py)::(test_\w+)`", (REPOSITORY / "docs/features.md").read_text())
    assert len(named) > 25
    for file, function in named:
        assert f"def {function}(" in (REPOSITORY / "tests" / file).read_text(), f"{file}::{function}"


def test_contributing_shows_the_packages_as_they_are():
    assert marked.part("CONTRIBUTING.md", "packages") == package_graph.picture(), "run make schema"


def test_contributing_names_the_longest_function_script_and_file_of_rules():
    def lines(node):
        return node.end_lineno - (node.body[0].end_lineno if ast.get_docstring(node) else node.lineno)

    def longest(pattern):
        return max(REPOSITORY.glob(pattern), key=lambda path: len(path.read_text(encoding="utf-8").splitlines())).name

    modules = [*REPOSITORY.glob("skymask/**/*.py"), *REPOSITORY.glob("scripts/*.py")]
    nodes = [node for path in modules for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    function = max((node for node in nodes if isinstance(node, ast.FunctionDef)), key=lines).name
    page = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"longest\s(?:function|script|file\sof\srules)\sis\s`([\w.]+)`", page)
    assert named == [function, longest("scripts/*.py"), longest("workflow/rules/*.smk")]


def test_no_output_is_temporary():
    # A rule of a temporary file would run again with every other rule of that file.
    rules = [REPOSITORY / "Snakefile", *(REPOSITORY / "workflow").rglob("*.smk")]
    assert not any("temp(" in path.read_text(encoding="utf-8") for path in rules)


def test_every_rule_that_runs_on_nodes_belongs_to_the_jobs_of_slurm():
    grouped = yaml.safe_load((REPOSITORY / "profiles/slurm/config.yaml").read_text())["groups"]
    text = "".join(path.read_text() for path in (REPOSITORY / "workflow/rules").glob("*.smk"))
    rules = rule_texts(text)
    names = {name for name, rule in rules.items() if "localrule" not in rule}
    variants = re.findall(r'plan\.variants\("(\w+)", registry\.(\w+), registry\.(\w+)\)', text)
    for rule, *traits in variants:
        words = [getattr(registry, trait).replace(" ", "_") for trait in sorted(traits)]
        names |= {f"{rule}_of_{part}" for part in (*words, "_with_".join(words))}
    assert {entry.split("=")[0] for entry in grouped} == names
