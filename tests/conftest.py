"""What tests of the workflow share: small maps, the command that people type, and the data beside the repository."""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import yaml
from astropy.io import fits
from astropy.wcs import WCS

REPOSITORY = Path(__file__).resolve().parent.parent

# Hundreds of jobs import the library: it is compiled once, also where that is turned off.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

#: Kernels for the small maps of `sky_header`, whose pixels have 0.05 deg.
KERNELS = {
    "source_kernel": {"shape": "disk", "radius": "0.12 deg"},
    "background_kernel": {"shape": "ring", "inner_radius": "0.4 deg", "width": "0.25 deg"},
    "dilation_radius": "0.15 deg",
}

#: A workflow that uses this one as a module.
MODULE = """
configfile: "config.yaml"

module skymask:
    snakefile: {snakefile!r}
    config: config

use rule * from skymask as {names}
"""


def pytest_collection_modifyitems(items):
    """Begin with the files that run workflows: those that do not take moments, and fill what is left of a worker."""
    items.sort(key=lambda item: not hasattr(item.module, "snakemake"))


def sky_header(shape=(60, 60), pixel_size=0.05, ctype=("RA---TAN", "DEC--TAN"), center=(83.6, 22.0)):
    """Return the header of a map with its centre as the reference point."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ctype
    wcs.wcs.crpix = [(shape[1] + 1) / 2, (shape[0] + 1) / 2]
    wcs.wcs.cdelt = [-pixel_size, pixel_size]
    wcs.wcs.crval = center
    return wcs.to_header()


def field_with_source(seed=0, shape=(60, 60)):
    """Return Poisson counts, two per pixel, with a bright source in the middle."""
    counts = np.random.default_rng(seed).poisson(2.0, shape)
    counts[shape[0] // 2, shape[1] // 2] += 80
    return counts


def write_map(path, data, header=None):
    """Write a FITS map and return its path as text."""
    data = np.asarray(data)
    fits.writeto(path, data, sky_header(data.shape[-2:]) if header is None else header, overwrite=True)
    return str(path)


def write_config(path, **config):
    """Write a configuration; kernels are those of `KERNELS` unless given."""
    Path(path).write_text(yaml.safe_dump(KERNELS | config, sort_keys=False), encoding="utf-8")
    return str(path)


@cache
def started_once():
    """Return the process whose forks are the runs of Snakemake."""
    script = Path(__file__).with_name("started_once.py")
    return subprocess.Popen([sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def pytest_sessionfinish():
    """End the process whose forks are the runs of Snakemake."""
    if started_once.cache_info().currsize:
        started_once().communicate()


def snakemake(*arguments, folder, snakefile=REPOSITORY / "Snakefile"):
    """Run Snakemake as a person would, in a folder, and return the finished process with its output as text."""
    arguments = ["--cores", "2", "--snakefile", *map(str, (snakefile, *arguments))]
    with tempfile.NamedTemporaryFile() as output:
        where = {"folder": str(Path(folder).resolve()), "environment": dict(os.environ), "output": output.name}
        print(json.dumps({"arguments": arguments, **where, "seconds": 600}), file=started_once().stdin, flush=True)
        returncode = int(started_once().stdout.readline())
        return subprocess.CompletedProcess(arguments, returncode, Path(output.name).read_text(encoding="utf-8"))


def code_blocks(name, language):
    """Return the code blocks of one language in a page of the documentation."""
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def products(folder, pattern="results/**/*.fits"):
    """Return the bytes of all files that match a pattern below a folder, by relative path."""
    files = (path for path in sorted(Path(folder).glob(pattern)) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="session")
def shared():
    """Folder of real maps and reference results beside the repository; without it a test is skipped, in CI it fails."""
    folder = REPOSITORY.parent / "shared"
    if not (folder / "reference" / "index.json").is_file():
        if os.environ.get("SKYMASK_REQUIRE_SHARED"):
            pytest.fail(f"{folder} is required and not there")
        pytest.skip(f"needs the reference data in {folder}")
    return folder


@pytest.fixture(scope="session")
def gammapy():
    """The package gammapy; without it a test is skipped, in CI it fails."""
    if os.environ.get("SKYMASK_REQUIRE_GAMMAPY"):
        import gammapy

        return gammapy
    return pytest.importorskip("gammapy")


#: A name of a file that a shell, a page or a header might take for something else.
ODD_NAME = 'b\'s  "möp" $(touch hacked) < b> & ' + 100 * "x" + ".fits"

#: What is asked of a run of `write_two_fields`.
STATUSES = ("results/a/status.json", "results/b/status.json")


def write_two_fields(folder, second=ODD_NAME):
    """Write two maps, the second in a file with an odd name, and their configuration, and return the folder."""
    datasets = {"a": {"counts": "a.fits"}, "b": {"counts": second}}
    for seed, entry in enumerate(datasets.values(), start=1):
        write_map(folder / entry["counts"], field_with_source(seed))
    write_config(folder / "config.yaml", datasets=datasets, null_simulations={"number": 2})
    return folder


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """A run of two datasets that nothing disturbs, one for all workers; what disturbs it works on a copy."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder = base / "undisturbed"
    with open(base / "undisturbed.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            made = write_two_fields(tmp_path_factory.mktemp("undisturbed"))
            process = snakemake(*STATUSES, folder=made)
            assert process.returncode == 0, process.stdout
            made.rename(folder)
    return folder


@pytest.fixture
def begun(undisturbed, tmp_path):
    """The undisturbed run once more, as it was before its first iteration."""
    folder = shutil.copytree(undisturbed, tmp_path / "run")
    for path in folder.glob("results/[ab]/*"):
        if path.name.startswith("iteration-") and path.name != "iteration-0":
            shutil.rmtree(path)
        elif path.is_file() and path.name != "inspection.json":
            path.unlink()
    for path in folder.glob("results/.decisions/*/iteration-[1-9]*.json"):
        path.unlink()
    return folder


@pytest.fixture(scope="session")
def clone(tmp_path_factory):
    """A copy of the repository's files, in which a test may run and write."""
    target = tmp_path_factory.mktemp("clone") / "sky mask"
    names = ("Snakefile", "config.yaml", "environment.yml", "workflow", "scripts", "skymask", "profiles")
    target.mkdir()
    for name in names:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target / name)
    return target
