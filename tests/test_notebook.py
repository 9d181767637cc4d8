"""The notebook of docs: its cells run on the products of the demonstration, and print what stands in it."""

import json
import sys

import pytest
from conftest import REPOSITORY, snakemake

sys.path.insert(0, str(REPOSITORY / "docs"))
from notebook import NOTEBOOK, run

#: What the cells read.
READ = [f"{name}.fits" for name in ("counts", "background", "significance", "exclusion_mask")] + ["regions.ecsv"]


def printed(cells):
    return ["".join(output.get("text", "")) for cell in cells for output in cell.get("outputs", ())]


def drawn(cells):
    return sum("data" in output for cell in cells for output in cell.get("outputs", ()))


def test_the_notebook_prints_and_draws_what_stands_in_it(gammapy, tmp_path):
    process = snakemake(*(f"results/isolated-source/{name}" for name in READ), folder=tmp_path)
    assert process.returncode == 0, process.stdout
    (tmp_path / "docs").mkdir()
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    made = run(cells, tmp_path / "docs")
    assert printed(made) == printed(cells)
    assert drawn(made) == drawn(cells) == 2


def test_a_cell_that_fails_is_told(tmp_path):
    with pytest.raises(ZeroDivisionError):
        run([{"cell_type": "code", "source": ["1 / 0"]}], tmp_path)


def test_the_notebook_is_small():
    assert NOTEBOOK.stat().st_size < 150_000
