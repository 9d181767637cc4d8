"""What happens when a run starts, after it has been planned, and when it ends.

The Snakefile calls these in `onstart`, `onsuccess` and `onerror`. A workflow that uses this one as a module adds

    from skymask.workflow import hooks
    hooks.add_to(workflow)

after its own hooks, because Snakemake runs only those of the top level.
"""

import sys
import time
from collections import defaultdict
from pathlib import Path

from snakemake.exceptions import IncompleteCheckpointException, WorkflowError
from snakemake.logging import logger

from skymask.config import configuration
from skymask.config.job_names import check_names
from skymask.errors import SkymaskError
from skymask.io import file_names
from skymask.products.summary import outcome_table
from skymask.workflow import cached, locks, slurm
from skymask.workflow import snakemake_patches as patches

#: When this process began, in seconds.
STARTED = time.time()

#: The plans of this run with their configurations: one, or as many as a host imports.
_plans = []


def register(plan, config):
    """Have the hooks know of a plan and the configuration that it was made of."""
    _plans.append((plan, config))


def add_to(workflow):
    """Add these hooks to a workflow that uses this one as a module, after its own."""
    for hook in (onstart, onsuccess, onerror):
        patches.add_hook(workflow, hook)


def onstart(workflow):
    """Refuse to run beside another run or what is left of one, and prepare Snakemake."""
    try:
        for plan, _ in _plans:
            _check_jobs(workflow, plan)
            locks.acquire_run_lock(plan.shard)
            locks.begin_run(plan.shard)
    except SkymaskError as error:
        raise WorkflowError(str(error)) from None
    patches.start_jobs_warm(workflow)
    patches.end_on_sigterm(workflow)
    patches.hasten_scheduler(workflow, patches.resolved_options())


def onsuccess(workflow):
    """Note what is finished, and print how every dataset ended."""
    _end(workflow, [])


def onerror(workflow):
    """Note what is finished, and print how every dataset ended and which jobs crashed."""
    _end(workflow, patches.failed_jobs(workflow))


def _check_jobs(workflow, plan):
    """Refuse names that a shell would misread, and an executor that would never notice that a job has ended."""
    if not workflow.local_exec:
        check_names({"datasets": plan.settings, "results": plan.results, "the folder": str(Path.cwd())})
        if getattr(workflow.executor_settings, "status_command", None) == "sacct":
            slurm.check_accounting()
    if left := slurm.jobs_left_in(Path.cwd()):
        numbers = " ".join(left)
        raise SkymaskError(
            "Slurm still has jobs of an earlier run in this folder: wait for them, or cancel them by "
            f"`scancel {numbers}`, and run again"
        )


def _end(workflow, failed):
    crashed = [
        (getattr(job.wildcards, "dataset", None), " ".join([job.rule.name, *job.wildcards]), job.log[0])
        for job in failed
        if job.rule.name != "report_failures"
    ]
    for plan, config in _plans:
        if config is not None:
            _note_finished(workflow, plan, config)
        print(outcome_table(plan.statuses, crashed), file=sys.stderr)
        report = Path(plan.results, "report.html")
        if report.is_file() and plan.shard is None:
            logger.info(f"Report: {report}")


def _note_finished(workflow, plan, config):
    """Note which datasets are finished, if this run is concerned with everything that they are to leave behind."""
    jobs, unfinished_jobs = patches.all_jobs(workflow)
    if not any(job.rule.name.endswith("all") for job in jobs):
        return
    unfinished = {job.wildcards.get("dataset") for job in unfinished_jobs}
    read, written = defaultdict(set), defaultdict(set)
    for job in jobs:
        dataset = job.wildcards.get("dataset")
        if dataset in plan.settings and dataset not in unfinished and dataset not in plan.cached:
            read[dataset].update(file for file in job.input if f"{plan.results}/.decisions/" not in file)
            written[dataset].update(job.output)
    entries = configuration.entries(config)
    for dataset in written:
        if not file_names.remote_names(plan.settings[dataset]) and _succeeded(plan, dataset):
            configured = cached.as_configured(config, entries.get(dataset))
            outcome, files = plan.decisions.last(dataset), (read[dataset], written[dataset])
            cached.record(plan.results, dataset, plan.digests[dataset], configured, outcome, *files, STARTED)


def _succeeded(plan, dataset):
    """Whether the loop of a dataset has ended and it has products; when a run is ended, the loop may not have."""
    try:
        return plan.decisions.succeeded(dataset)
    except IncompleteCheckpointException:
        return False
