"""The findings and the page about them agree; what they have seen is tried by make findings alone."""

import os
import re
import shutil
import subprocess

import pytest
from conftest import REPOSITORY

FOLDER = REPOSITORY / "findings"
SCRIPTS = sorted(FOLDER.glob("*.sh"))

#: Cells of the table's rows by name: package and version, what happens, what it means here.
ROWS = {
    name: cells
    for name, *cells in re.findall(
        r"^\| `([a-z0-9-]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$",
        (FOLDER / "README.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
}


def test_the_table_names_every_script_and_no_other():
    assert sorted(ROWS) == [script.stem for script in SCRIPTS]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_has_the_form(script):
    text = script.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert len(lines) < 60
    assert os.access(script, os.X_OK)
    heads = [key for line in lines for key in re.findall(r"^# ([A-Z]\w+):", line)]
    assert heads == ["Guess", "Seen", "With", "Hurts", "Date"]
    asked = re.search(r"^venv/bin/pip install .*?(?<!\\)$", text, re.MULTILINE | re.DOTALL)[0]
    packages = [word for word in asked.split()[2:] if not word.startswith(("-", "\\"))]
    pinned = {f"{name} {version}" for name, version in (package.split("==") for package in packages)}
    assert ROWS[script.stem][0] in pinned
    assert all(package in " ".join(line.lstrip("# ") for line in lines[:20]) for package in pinned)


def test_tests_and_pages_that_the_table_names_are_there():
    tests = "".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "tests").glob("test_*.py"))
    for name, (_, _, here) in ROWS.items():
        for test in re.findall(r"`(test_\w+)`", here):
            assert f"def {test}(" in tests, f"{name} names {test}"
        for page in re.findall(r"docs/[\w-]+\.md", here):
            assert f"findings/{name}" in (REPOSITORY / page).read_text(encoding="utf-8"), f"{page} leaves {name} out"
        assert re.search(r"`test_|docs/|As above", here), f"{name} has neither test nor page"


def test_the_run_over_all_names_what_no_longer_holds(tmp_path):
    shutil.copy(FOLDER / "run", tmp_path)
    for name, command in {"good": "echo as stated", "bad": "exit 3"}.items():
        (tmp_path / f"{name}.sh").write_text(f"#!/bin/sh\n{command}\n")
        (tmp_path / f"{name}.sh").chmod(0o755)
    both = subprocess.run([tmp_path / "run"], capture_output=True, text=True)
    assert both.returncode == 1
    assert both.stdout.endswith(f"2 findings; no longer as stated, or not tried: {tmp_path}/bad.sh\n")
    assert subprocess.run([tmp_path / "run", "good"], capture_output=True).returncode == 0
