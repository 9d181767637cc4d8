"""What a person reads while the workflow runs and when it has ended."""

import csv
from pathlib import Path

from skymask.files import written_whole

#: Columns of the summary, in order.
SUMMARY_COLUMNS = (
    "dataset",
    "state",
    "period",
    "iteration",
    "covered",
    "excluded",
    "excluded_fraction",
    "starved",
    "unexcluded_above_threshold",
    "highest_significance",
    "highest_longitude",
    "highest_latitude",
    "off_source_mean",
    "off_source_width",
    "mask_sha256",
    "warnings",
    "reason",
)


def progress_line(dataset, decision):
    """Return one line on how a dataset stands after its latest iteration."""
    if decision["state"] == "failed" and not decision["records"]:
        return f"{dataset:<24} failed: {decision['reason']}"
    record = decision["records"][-1]
    if decision["iteration"] == 0:
        return f"{dataset:<24} start         excluded {_excluded(record)} by the user"
    highest = record["highest_significance"]
    line = (
        f"{dataset:<24} iteration {decision['iteration']:<3} excluded {_excluded(record)} "
        f"(+{record['added']} -{record['released']})  highest {'none' if highest is None else f'{float(highest):.2f}'}"
    )
    if decision["state"] == "running":
        return line
    if decision["state"] == "failed":
        return f"{line}  failed: {decision['reason']}"
    return f"{line}  {state_text(decision['state'], decision['period'])}"


def state_text(state, period):
    """Return an end state in words."""
    return f"cycle of {period}" if state == "cycle" else str(state).replace("_", " ")


def write_summary(path, statuses):
    """Write one row per dataset."""
    with written_whole(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, SUMMARY_COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for status in statuses:
            writer.writerow({**status, "warnings": "; ".join(status["warnings"])})


def read_summary(path):
    """Return the rows of a summary, all values as text."""
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def outcome_table(summary, crashed=()):
    """Return the table of outcomes as text, and a line for every job that crashed.

    Parameters
    ----------
    summary : str or Path
        The summary, if it has been written.
    crashed : sequence of str
        What to say of every crashed job.
    """
    lines = []
    if not crashed and Path(summary).is_file():
        lines.append(f"{'dataset':<24} {'outcome':<16} {'iterations':>10} {'excluded':>9} {'highest':>8}  off-source")
        lines += [_outcome_line(row) for row in read_summary(summary)]
    lines += [f"crashed: {line}" for line in crashed]
    return "\n".join(lines)


def _outcome_line(row):
    if row["state"] == "failed":
        return f"{row['dataset']:<24} {'failed':<16} {row['reason']}"
    off_source = "undefined"
    if row["off_source_mean"]:
        off_source = f"mean {float(row['off_source_mean']):+.3f} width {float(row['off_source_width']):.3f}"
    highest = f"{float(row['highest_significance']):.2f}" if row["highest_significance"] else "none"
    return (
        f"{row['dataset']:<24} {state_text(row['state'], row['period']):<16} {row['iteration']:>10} "
        f"{float(row['excluded_fraction']):>9.2%} {highest:>8}  {off_source}"
    )


def _excluded(record):
    return f"{record['excluded']:>7} ({record['excluded_fraction']:>6.2%})"
