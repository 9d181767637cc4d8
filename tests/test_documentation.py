"""The documentation's pages: what they quote is what the code says, and what they show runs."""

import ast
import os
import re
import shlex
import subprocess
import sys

import pytest
import settings_files
import yaml
from conftest import REPOSITORY, code_blocks, snakemake

import skymask
from skymask.config import configuration
from skymask.config.validation import schema_mistakes


def texts_of_the_code():
    """All strings in the library and the workflow, with `...` where a value is put in."""
    texts = []
    for path in sorted((REPOSITORY / "skymask").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "..." for part in node.values]
                texts.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return "\n".join(texts)


def test_every_message_that_troubleshooting_explains_is_one_of_the_code():
    page = (REPOSITORY / "docs/troubleshooting.md").read_text(encoding="utf-8")
    quoted = re.findall(r"^\*\*(.+?)\*\*", page.split("## Warnings")[1].split("## Snakemake")[0], flags=re.MULTILINE)
    assert len(quoted) > 20
    texts = texts_of_the_code()
    assert [message for message in quoted if message not in texts] == []


def test_tutorial_does_what_it_says(tmp_path):
    (script,) = code_blocks("docs/tutorial.md", "python")
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    init, check, run = (shlex.split(block) for block in code_blocks("docs/tutorial.md", "sh"))
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    subprocess.run([sys.executable, *init[1:]], cwd=tmp_path, env=environment, check=True, capture_output=True)
    written = (tmp_path / "mine.yaml").read_text(encoding="utf-8")
    shown = code_blocks("docs/tutorial.md", "yaml")[0]
    assert [line for line in written.splitlines() if line and line[0] != "#"] == shown.splitlines()
    # Fewer null simulations than a user would have: they are most of the time, and are in no line shown.
    few = "null_simulations: {number: 5}\n"
    (tmp_path / "mine.yaml").write_text(written.replace("# acceptance", "acceptance") + few, encoding="utf-8")
    subprocess.run([sys.executable, *check[1:]], cwd=tmp_path, env=environment, check=True, capture_output=True)
    # The report is the README's to show.
    process = snakemake(*run[3:], "--", "results/counts/status.json", folder=tmp_path)
    assert process.returncode == 0, process.stdout
    printed = code_blocks("docs/tutorial.md", "text")[0]
    assert printed in process.stdout


@pytest.mark.parametrize("page", ["tutorial", "surveys"])
def test_configurations_of_the_pages_are_valid(page):
    schema = configuration.load_schema()
    for block in code_blocks(f"docs/{page}.md", "yaml"):
        assert list(schema_mistakes(yaml.safe_load(block), schema)) == []


def test_every_public_name_stands_on_the_page_of_python():
    page = (REPOSITORY / "docs/api.md").read_text(encoding="utf-8")
    assert [name for name in skymask.__all__ if not re.search(rf":: {name}$", page, flags=re.MULTILINE)] == []


def test_public_names_are_those_that_editors_see():
    stub = ast.parse((REPOSITORY / "skymask/__init__.pyi").read_text(encoding="utf-8"))
    seen = {name.asname: f"skymask.{node.module}" for node in stub.body[1:-1] for name in node.names}
    assert seen == {name: getattr(skymask, name).__module__ for name in skymask.__all__}
    assert set(skymask.__all__) <= set(dir(skymask))


def test_every_key_of_the_schema_has_its_place_on_the_page_of_the_configuration():
    schema = configuration.load_schema()
    page = (REPOSITORY / "docs/configuration.md").read_text(encoding="utf-8")
    for key in {**schema["properties"], **configuration.dataset_schema(schema)["properties"]}:
        if key != "datasets":
            assert f"\n### {key}\n" in page
    assert "| `background_kernel.alpha_max` | number | `0.25` |" in page


@pytest.mark.parametrize("path", settings_files.FILES)
def test_what_is_made_of_the_settings_is_up_to_date(path):
    assert (REPOSITORY / path).read_text(encoding="utf-8") == settings_files.FILES[path](), "run make schema"


def test_schema_refers_to_nothing_that_a_reader_of_its_table_would_have_to_resolve():
    assert "$ref" not in (REPOSITORY / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8")
