"""Jobs: log, exit code and the line on the terminal; status files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from skymask.errors import MapError, SkymaskError
from skymask.io import atomic
from skymask.io.json_files import read_json, read_notes, write_json
from skymask.workflow.digests import library_digest
from skymask.workflow.jobs import TOOK

ROOT = Path(__file__).parent.parent

SCRIPT = """
import os, sys
from types import SimpleNamespace
from skymask.errors import MapError
from skymask.workflow.jobs import job

snakemake = SimpleNamespace(
    log=[sys.argv[1]],
    rule="compute_products",
    wildcards=["crab", 3],
    params=SimpleNamespace(code={{"library": sys.argv[2]}}, identity={{"counts": {identity}}}),
)
with job(snakemake) as tell:
    print("printed")
    os.write(2, b"from below Python\\n")
    {body}
"""


def run(tmp_path, body, library=None, identity=("https://somewhere/counts.fits",)):
    """Run a job in a process of its own, because it takes over the process's output."""
    log, script = tmp_path / "job.log", tmp_path / "job.py"
    script.write_text(SCRIPT.format(body=body, identity=list(identity)), encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, script, log, library or library_digest(script.read_text(encoding="utf-8"))],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended, log.read_text(encoding="utf-8")


def test_output_of_a_job_goes_to_its_log_and_lines_told_to_the_terminal(tmp_path):
    ended, log = run(tmp_path, "tell('half way')")
    assert ended.returncode == 0
    assert (ended.stdout, ended.stderr) == ("", "half way\n")
    *lines, last = log.splitlines()
    assert sorted(lines) == ["from below Python", "printed"]
    assert TOOK.fullmatch(last)


REPLACED = "counts.fits was replaced while the run was going on: run again"
GONE = "counts.fits was there when the run began, and is not any more: put it back, run again"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("os.utime(counts, (1, 1))", REPLACED),
        ("open(counts, 'a').write('more')", REPLACED),
        ("os.remove(counts)", GONE),
    ],
    ids=["older", "longer", "gone"],
)
def test_a_file_that_changes_under_a_job_ends_it_in_one_line(tmp_path, change, reason):
    counts = tmp_path / "counts.fits"
    counts.write_text("counts")
    named = [f"{counts}[COUNTS]", *atomic.identity(counts)]
    ended, _ = run(tmp_path, f"counts = {str(counts)!r}; {change}", identity=named)
    assert ended.returncode == 1
    assert ended.stderr == f"compute_products crab 3: {tmp_path}/{reason}\n"


def test_a_file_that_changed_before_a_job_ends_it_before_it_begins(tmp_path):
    counts = tmp_path / "counts.fits"
    counts.write_text("counts")
    ended, log = run(tmp_path, "pass", identity=[str(counts), 1, 1])
    assert REPLACED in ended.stderr
    assert "printed" not in log


def test_mistake_of_the_user_is_one_line_and_no_traceback(tmp_path):
    ended, log = run(tmp_path, "raise MapError('counts are negative')")
    assert ended.returncode == 1
    assert ended.stderr == "compute_products crab 3: counts are negative\n"
    assert "counts are negative" in log
    assert "Traceback" not in log


def test_unexpected_error_has_its_traceback_in_the_log_and_one_line_on_the_terminal(tmp_path):
    ended, log = run(tmp_path, "1 / 0")
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("compute_products crab 3: unexpected ZeroDivisionError: division by zero (see ")
    assert "Traceback" in log


def test_job_with_another_library_does_not_begin(tmp_path):
    ended, log = run(tmp_path, "tell('begun')", library="0" * 64)
    assert ended.returncode == 1
    assert "is not the one the workflow was read with" in ended.stderr
    assert "printed" not in log


@pytest.mark.parametrize(
    "content",
    [{"a": 1, "b": [1.5, None, "x"], "c": {"d": True}}, [], {"long": 2**60}, {"exact": 0.1 + 0.2}, {"name": "Kühl"}],
)
def test_content_comes_back(tmp_path, content):
    write_json(tmp_path / "a.json", content)
    assert read_json(tmp_path / "a.json") == content


@pytest.mark.parametrize(
    ("value", "expected"),
    [(float("nan"), None), (float("inf"), "inf"), (float("-inf"), "-inf"), (np.float64("nan"), None), ((1, 2), [1, 2])],
)
def test_what_json_has_no_number_for_is_written_in_words(tmp_path, value, expected):
    write_json(tmp_path / "a.json", {"nested": [{"value": value}]})
    assert json.loads((tmp_path / "a.json").read_text())["nested"][0]["value"] == expected


def test_same_content_gives_the_same_bytes(tmp_path):
    for name in ("a.json", "b.json"):
        write_json(tmp_path / name, {"z": 1, "a": [2.5]})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_failed_write_leaves_the_last_file_as_it_was(tmp_path):
    write_json(tmp_path / "a.json", {"a": 1})
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_json(tmp_path / "a.json", {"a": object()})
    assert read_json(tmp_path / "a.json") == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_failed_first_write_leaves_no_file(tmp_path):
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_json(tmp_path / "a.json", {"a": object()})
    assert list(tmp_path.iterdir()) == []


def test_writing_into_no_folder_is_refused_by_name(tmp_path):
    with pytest.raises(SkymaskError, match=r"a\.json cannot be written"):
        write_json(tmp_path / "none" / "a.json", {})


@pytest.mark.parametrize("content", ["", '{"a": 1', "\ufffe"])
def test_damaged_file_is_refused_by_name(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content.encode("utf-16"))
    with pytest.raises(SkymaskError, match=r"a\.json is missing or damaged .*: remove it and run again"):
        read_json(tmp_path / "a.json")


def test_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(SkymaskError, match=r"a\.json is missing or damaged"):
        read_json(tmp_path / "a.json")


def notes_of(tmp_path, *reasons):
    """Write notes of jobs and return their paths."""
    paths = [str(tmp_path / f"{number}.json") for number in range(len(reasons))]
    for number, (path, reason) in enumerate(zip(paths, reasons, strict=True)):
        write_json(path, {"reason": reason, "warnings": [] if reason else [f"warning {number}"]})
    return paths


def test_notes_are_warnings_in_their_order(tmp_path):
    assert read_notes(notes_of(tmp_path, None, None)) == ["warning 0", "warning 1"]
    assert read_notes([]) == []


def test_warnings_about_many_runs_are_told_of_some(tmp_path):
    told = read_notes(notes_of(tmp_path, *[None] * 8))
    assert told == [*(f"warning {number}" for number in range(5)), "there are warnings about 3 more runs"]


@pytest.mark.parametrize(
    ("reasons", "line"),
    [
        ((None, "run 2 is bad"), "run 2 is bad"),
        (("run 1 is bad", "run 2 is bad"), r"run 1 is bad \(and 1 more run cannot be used\)"),
        (("run 1 is bad", None, "c", "d"), r"run 1 is bad \(and 2 more runs cannot be used\)"),
    ],
)
def test_notes_with_reasons_are_one_line(tmp_path, reasons, line):
    with pytest.raises(MapError, match=f"^{line}$"):
        read_notes(notes_of(tmp_path, *reasons))
