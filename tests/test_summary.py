"""Lines and tables that a person reads."""

import json
from pathlib import Path

import pytest

from skymask.products import summary

STATUS = {
    "dataset": "crab",
    "state": "cycle",
    "period": 2,
    "iteration": 5,
    "covered": 1000,
    "excluded": 123,
    "excluded_fraction": 0.123,
    "starved": 0,
    "unexcluded_above_threshold": 3,
    "highest_significance": 12.3456,
    "highest_longitude": 83.6,
    "highest_latitude": 22.0,
    "off_source_mean": -0.011,
    "off_source_width": 1.0114,
    "mask_sha256": "ab" * 32,
    "warnings": [],
    "reason": None,
}
FAILED = {**STATUS, "state": "failed", "reason": "counts are negative"}
RECORD = {
    "covered": 240,
    "excluded": 12,
    "excluded_fraction": 0.05,
    "added": 4,
    "released": 1,
    "highest_significance": 7.891,
}


def decision(**changes):
    return {"state": "running", "period": 0, "iteration": 3, "reason": None, "records": [RECORD], **changes}


def test_line_of_a_start_says_what_the_user_excluded():
    line = summary.progress_line("crab", decision(iteration=0))
    assert line.split() == ["crab", "start", "240", "covered", "pixels,", "12", "excluded", "by", "the", "user"]


def test_line_of_an_iteration_says_what_changed():
    line = summary.progress_line("crab", decision())
    assert line.startswith("crab ")
    assert "iteration 3" in line
    assert "excluded      12 ( 5.00%) (+4 -1)  highest 7.89" in line
    assert line.endswith("7.89")


@pytest.mark.parametrize(
    ("state", "period", "end"),
    [
        ("converged", 1, "converged"),
        ("cycle", 4, "cycle of 4"),
        ("max_iterations", 0, "max iterations"),
        ("runaway", 0, "runaway"),
    ],
)
def test_line_of_the_last_iteration_says_how_it_ended(state, period, end):
    assert summary.progress_line("crab", decision(state=state, period=period)).endswith(f"  {end}")


def test_line_of_a_failure_says_why():
    line = summary.progress_line("crab", decision(state="failed", reason="the mask cycles"))
    assert line.endswith("failed: the mask cycles")
    assert "iteration 3" in line


def test_line_of_a_dataset_that_cannot_be_used_says_why():
    line = summary.progress_line("crab", decision(state="failed", reason="no coverage", records=[]))
    assert line.split(maxsplit=1) == ["crab", "failed: no coverage"]


def test_line_of_undefined_significance_says_none():
    line = summary.progress_line("crab", decision(records=[{**RECORD, "highest_significance": None}]))
    assert line.endswith("highest none")


@pytest.mark.parametrize(("value", "text"), [(None, "none"), (1.236, "1.24"), ("inf", "inf"), (-3, "-3.00")])
def test_number_has_two_decimals(value, text):
    assert summary.number_text(value) == text


def test_summary_comes_back_row_by_row(tmp_path):
    summary.write_summary(tmp_path / "a.csv", [STATUS, {**STATUS, "dataset": "vela"}])
    rows = summary.read_summary(tmp_path / "a.csv")
    assert [row["dataset"] for row in rows] == ["crab", "vela"]
    assert list(rows[0]) == list(summary.SUMMARY_COLUMNS)
    assert rows[0]["mask_sha256"] == STATUS["mask_sha256"]
    assert float(rows[0]["excluded_fraction"]) == 0.123


def test_summary_of_a_failure_has_its_reason_and_no_numbers(tmp_path):
    failed = {"dataset": "crab", "state": "failed", "warnings": [], "reason": 'a, "b"\nc'}
    summary.write_summary(tmp_path / "a.csv", [failed])
    (row,) = summary.read_summary(tmp_path / "a.csv")
    assert (row["reason"], row["excluded"]) == ('a, "b"\nc', "")


def test_warnings_of_a_summary_stand_in_one_cell(tmp_path):
    summary.write_summary(tmp_path / "a.csv", [{**STATUS, "warnings": ["first", "second"]}])
    assert summary.read_summary(tmp_path / "a.csv")[0]["warnings"] == "first; second"


def test_columns_of_a_summary_are_those_it_names_and_no_others(tmp_path):
    summary.write_summary(tmp_path / "a.csv", [{**STATUS, "records": [1, 2]}])
    assert "records" not in summary.read_summary(tmp_path / "a.csv")[0]


def write(path, status):
    path.write_text(json.dumps(status))
    return path


def test_outcome_of_a_dataset_is_a_row_of_its_numbers(tmp_path):
    _, row = summary.outcome_table({"crab": write(tmp_path / "crab.json", STATUS)}, []).splitlines()
    words = ["crab", "cycle", "of", "2", "5", "12.30%", "12.35", "mean", "-0.011", "width", "1.011"]
    assert row.split() == words


def test_outcome_without_a_fit_says_undefined(tmp_path):
    status = {**STATUS, "off_source_mean": None, "off_source_width": None}
    _, row = summary.outcome_table({"crab": write(tmp_path / "crab.json", status)}, []).splitlines()
    assert row.endswith("undefined")


def test_outcome_of_a_failure_says_why(tmp_path):
    _, row = summary.outcome_table({"crab": write(tmp_path / "crab.json", FAILED)}, []).splitlines()
    assert row.split(maxsplit=2) == ["crab", "failed", "counts are negative"]


def test_an_interrupted_run_says_how_many_have_ended(tmp_path):
    _, row = summary.outcome_table({"crab": tmp_path / "none.json"}, []).splitlines()
    assert row == "0 of 1 have ended; the same command goes on"


def test_outcome_of_a_crash_has_the_last_line_of_its_log(tmp_path):
    log = tmp_path / "job.log"
    log.write_text("Traceback\n  somewhere\nMemoryError: too much\n\n")
    crashed = [("crab", "plot_dataset of crab", str(log))]
    status = write(tmp_path / "crab.json", STATUS)
    _, row, last = summary.outcome_table({"crab": status}, crashed).splitlines()
    assert row.split() == ["crab", "crashed"]
    assert last == f"plot_dataset of crab crashed: MemoryError: too much ({log})"


@pytest.mark.parametrize("content", [None, "", "\n \n"])
def test_crash_without_a_message_says_so(tmp_path, content):
    log = tmp_path / "job.log"
    if content is not None:
        log.write_text(content)
    table = summary.outcome_table({}, [(None, "render_report", str(log))])
    assert "render_report crashed: it left no message" in table


def test_crash_of_a_job_that_slurm_killed_has_the_words_of_slurm(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    killed = "slurmstepd-node: error: *** JOB {} ON node CANCELLED AT 2020-01-01T00:00:00 DUE TO TIME LIMIT ***\n"
    for job, log in (("7", "logs/crab/render_page.log"), ("8", "logs/vela/render_page.log")):
        path = Path(".snakemake/slurm_logs/group_results", f"{job}.log")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"rule render_page:\n    log: {log} (check log file(s))\n{killed.format(job)}")
    table = summary.outcome_table({}, [("crab", "render_page crab", "logs/crab/render_page.log")])
    assert table.splitlines()[-1] == (
        "render_page crab crashed: *** JOB 7 ON node CANCELLED AT 2020-01-01T00:00:00 DUE TO TIME LIMIT *** "
        "(.snakemake/slurm_logs/group_results/7.log)"
    )


def test_failed_write_leaves_the_last_summary_as_it_was(tmp_path):
    summary.write_summary(tmp_path / "a.csv", [STATUS])
    before = (tmp_path / "a.csv").read_bytes()
    with pytest.raises(KeyError, match="warnings"):
        summary.write_summary(tmp_path / "a.csv", [STATUS, {"dataset": "vela"}])
    assert (tmp_path / "a.csv").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_warnings_follow_the_table_of_outcomes(tmp_path):
    status = {
        "dataset": "crab",
        "state": "converged",
        "period": 1,
        "iteration": 2,
        "excluded_fraction": 0.1,
        "highest_significance": 5.0,
        "off_source_mean": None,
        "warnings": ["mind the gap"],
    }
    (tmp_path / "status.json").write_text(json.dumps(status))
    table = summary.outcome_table({"crab": tmp_path / "status.json"}, [])
    assert table.splitlines()[-1] == "warning: crab: mind the gap"
