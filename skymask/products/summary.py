"""What a person reads while the workflow runs and when it has ended."""

import csv
import json
import re
import time
from pathlib import Path

from skymask.config.validation import MAX_AHEAD
from skymask.io.atomic import written_whole

#: The last line of a job that began in a process with its imports done.
TIMES = re.compile(r"took [\d.]+ s, [\d.]+ s of CPU")

#: What is said of a job that crashed and said nothing.
NO_MESSAGE = "it left no message; it may have been killed, for want of memory or time"

#: Where Snakemake has Slurm write what jobs say, and how Slurm's own lines there begin, some with the node's name.
SLURM_LOGS = Path(".snakemake/slurm_logs")
SLURM = re.compile(r"slurmstepd\S*: error: ")

#: Columns of the summary, in order.
SUMMARY_COLUMNS = (
    "dataset",
    "state",
    "verdict",
    "period",
    "iteration",
    "covered",
    "excluded",
    "excluded_fraction",
    "regions",
    "starved",
    "unexcluded_above_threshold",
    "effective_threshold",
    "highest_significance",
    "highest_longitude",
    "highest_latitude",
    "post_trial_significance",
    "post_trial_significance_error",
    "off_source_mean",
    "off_source_mean_error",
    "off_source_width",
    "off_source_width_error",
    "clipped_mean",
    "clipped_width",
    "expected_clipped_mean",
    "expected_clipped_width",
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
        return (
            f"{dataset:<24} start         {record['covered']} covered pixels, {record['excluded']} excluded by the user"
        )
    line = (
        f"{dataset:<24} iteration {decision['iteration']:<3} excluded {_excluded(record)} "
        f"(+{record['added']} -{record['released']})  highest {number_text(record['highest_significance'])}"
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


def outcome_table(statuses, crashed):
    """Return the table of outcomes as text.

    Parameters
    ----------
    statuses : dict of str to str or Path
        The status file of every dataset, whether it has been written or not.
    crashed : list of (str or None, str, str)
        Of every job that ended without recording a status: its dataset if it has one, what it is, and its log.
    """
    lines = [f"{'dataset':<24} {'outcome':<16} {'iterations':>10} {'excluded':>9} {'highest':>8}  off-source"]
    warnings, unfinished = [], []
    without = {dataset for dataset, _, _ in crashed}
    for dataset, path in statuses.items():
        if dataset in without:
            lines.append(f"{dataset:<24} crashed")
        elif not Path(path).is_file():
            unfinished.append(dataset)
        else:
            status = json.loads(Path(path).read_text(encoding="utf-8"))
            lines.append(_outcome_line(status))
            warnings += [f"warning: {dataset}: {warning}" for warning in status["warnings"]]
    lines += warnings
    if unfinished and crashed:
        lines += [f"{dataset:<24} unfinished" for dataset in unfinished]
    elif unfinished:
        lines.append(f"{len(statuses) - len(unfinished)} of {len(statuses)} have ended; the same command goes on")
    for dataset, job, log in crashed:
        words, where = _last_words(log)
        if words == NO_MESSAGE and (ahead := _file_of_the_future(statuses.get(dataset))):
            words = (
                f"the time of {ahead} lies in the future, and what is made of it counts as older: see that the clock "
                "is right, `touch` the files of this folder, and run again"
            )
        lines.append(f"{job} crashed: {words} ({where})")
    return "\n".join(lines)


def _last_words(log):
    """The last line of a log, which says most about why its job ended, or Slurm's words; and where they stand."""
    if lines := _lines(log):
        return lines[-1], log
    # Logs of Slurm begin with what the job is, its own log too.
    for path in sorted(SLURM_LOGS.rglob("*.log"), key=lambda path: path.stat().st_mtime_ns, reverse=True):
        lines = _lines(path)
        words = [line for line in lines if SLURM.match(line)]
        if words and any(str(log) in line for line in lines):
            return SLURM.sub("", words[-1]), path
    return NO_MESSAGE, log


def _file_of_the_future(status):
    """A file beside a status whose time lies ahead of the clock, by more than clocks differ; None if there is none."""
    latest = time.time() + MAX_AHEAD
    for path in sorted(Path(status).parent.rglob("*")) if status else ():
        if path.is_file() and path.stat().st_mtime > latest:
            return path
    return None


def _lines(path):
    """The lines of a log that say anything, none if there is no log."""
    path = Path(path)
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n") if path.is_file() else []
    return [line for line in lines if line.strip() and not TIMES.match(line)]


def _outcome_line(status):
    if status["state"] == "failed":
        return f"{status['dataset']:<24} {'failed':<16} {status['reason']}"
    off_source = "undefined"
    if status["off_source_mean"] is not None:
        off_source = f"mean {status['off_source_mean']:+.3f} width {status['off_source_width']:.3f}"
    return (
        f"{status['dataset']:<24} {state_text(status['state'], status['period']):<16} {status['iteration']:>10} "
        f"{status['excluded_fraction']:>9.2%} {number_text(status['highest_significance']):>8}  {off_source}"
    )


def number_text(value):
    """Return a number from a status file with two decimals, "none" where there is none."""
    return "none" if value is None else f"{float(value):.2f}"


def _excluded(record):
    return f"{record['excluded']:>7} ({record['excluded_fraction']:>6.2%})"
