"""What is printed at the end of a run, and what of Snakemake's own messages is not.

Needs: STATUSES. Makes: show_outcomes.
"""

import os
import sys

from snakemake.logging import logger

from skymask.products.summary import outcome_table


def show_outcomes():
    """Print the table of outcomes, warnings, and of every job that crashed the last line of its log."""
    crashed = [
        (getattr(job.wildcards, "dataset", None), " ".join([job.rule.name, *job.wildcards]), job.log[0])
        for failed in workflow.scheduler.failed
        for job in unfinished_steps(failed)
        if job.rule.name != "report_failures"
    ]
    print(outcome_table(STATUSES, crashed), file=sys.stderr)


def unfinished_steps(job):
    """Return the step of a group of jobs that failed, in a list; a job by itself is its only step."""
    if not job.is_group():
        return [job]
    # What a failed group had made is removed, but for the logs, and the last one is that of the step that failed.
    steps = [step for level in job.toposorted for step in level]
    begun = [step for step in steps if os.path.exists(step.log[0])]
    return [max(begun, key=lambda step: os.stat(step.log[0]).st_mtime_ns)] if begun else steps[:1]


def is_relevant_record(record):
    """Whether a log record says more than that jobs are being selected, or that a script failed that said so itself."""
    message = str(record.msg)
    chatter = ("Select jobs", "Execute ", "DAG of jobs will be updated", "Updating checkpoint", "Conda environments:")
    return not message.startswith(chatter) and "returned non-zero exit status 1." not in message


logger.addFilter(is_relevant_record)
