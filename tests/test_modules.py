"""The workflow as a module of another one: reruns, prefix, inputs that the host makes, two instances, and the hooks."""

import json
import re

import numpy as np
import pytest
import yaml
from astropy.io import fits
from conftest import KERNELS, REPOSITORY, field_with_source, sky_header, snakemake, write_map

HOST = """
module {name}:
    snakefile: {snakefile!r}
    config: config[{name!r}]
{more}

use rule * from {name} as {name}_*
"""

COUNTS = """
rule make_counts:
    output: "made.fits"
    shell: "cp counts.fits {output}"
"""

HOOKS = """
from skymask.workflow import hooks
hooks.add_to(workflow)
"""


def host(folder, *, modules, rules="", datasets=None):
    """Write a host with modules by name, each with further lines of its declaration, and its configuration."""
    text = 'configfile: "config.yaml"\n'
    for name, more in modules.items():
        text += HOST.format(name=name, snakefile=str(REPOSITORY / "Snakefile"), more=more)
    (folder / "Snakefile").write_text(text + rules)
    config = {"datasets": datasets or {"a": {"counts": "counts.fits"}}, **KERNELS, "null_simulations": {"number": 0}}
    (folder / "config.yaml").write_text(yaml.safe_dump(dict.fromkeys(modules, config)))


@pytest.fixture
def folder(tmp_path):
    write_map(tmp_path / "counts.fits", field_with_source())
    return tmp_path


def run(folder, *arguments):
    process = snakemake(*arguments, folder=folder, snakefile="Snakefile")
    assert process.returncode == 0, process.stdout
    return process.stdout


def test_a_changed_setting_reruns_what_depends_on_it(folder):
    host(folder, modules={"sky": ""})
    run(folder, "results/a/status.json")
    assert "Nothing to be done" in run(folder, "results/a/status.json")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["sky"]["threshold"] = 4
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    run(folder, "results/a/status.json")
    assert json.loads((folder / "results/a/status.json").read_text())["analysis"]["threshold"] == 4


def test_files_below_the_prefix_are_read_and_no_others(folder):
    # A map of this name in the working folder is not the module's.
    (folder / "sub").mkdir()
    counts = np.full((50, 50), 3)
    fits.writeto(folder / "sub/counts.fits", counts, sky_header((50, 50)))
    host(folder, modules={"sky": '    prefix: "sub"'})
    run(folder, "sub/results/a/status.json")
    assert fits.getdata(folder / "sub/results/a/counts.fits").shape == (50, 50)
    assert "Nothing to be done" in run(folder, "sub/results/a/status.json")
    fits.writeto(folder / "sub/counts.fits", counts + 1, sky_header((50, 50)), overwrite=True)
    run(folder, "sub/results/a/counts.fits")
    assert fits.getdata(folder / "sub/results/a/counts.fits").max() == 4


def test_the_host_may_make_the_counts(folder):
    host(folder, modules={"sky": ""}, rules=COUNTS, datasets={"a": {"counts": "made.fits"}})
    run(folder, "results/a/significance.fits")
    assert (folder / "made.fits").is_file()


def test_two_instances_do_not_meet(folder):
    (folder / "two").mkdir()
    write_map(folder / "two/counts.fits", field_with_source(1))
    host(folder, modules={"one": "", "two": '    prefix: "two"'})
    run(folder, "results/a/status.json", "two/results/a/status.json")
    first, second = (fits.getdata(folder / f"{name}results/a/counts.fits") for name in ("", "two/"))
    assert not np.array_equal(first, second)


def test_two_lines_in_the_host_bring_the_table_of_outcomes(folder):
    host(folder, modules={"sky": ""}, rules=HOOKS)
    assert re.search(r"^a +converged +\d+", run(folder, "results/a/status.json"), flags=re.MULTILINE)


def test_hooks_of_the_host_go_on(folder):
    host(folder, modules={"sky": ""}, rules='\nonsuccess:\n    print("hosted")\n' + HOOKS)
    out = run(folder, "results/a/status.json")
    assert "hosted" in out
    assert re.search(r"^a +converged", out, flags=re.MULTILINE)
