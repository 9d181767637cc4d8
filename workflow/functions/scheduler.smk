"""What has to be mended in Snakemake, and asked of Slurm, before it starts.

Needs: SETTINGS. Makes: patch_scheduler, cache_signatures, check_executor.
"""

import inspect
import signal
import threading
from itertools import chain
from pathlib import Path

from snakemake.common import overwrite_function_params
from snakemake.exceptions import WorkflowError

from skymask.errors import SkymaskError
from skymask.workflow.orphans import check_accounting
from skymask.config.job_names import check_names


def patch_scheduler():
    """Make local runs quicker, and let SIGTERM end every run.

    The limit of jobs per second costs a timer thread in every scheduling round, and local jobs need none. Of the jobs
    that are ready, every round looks at `scheduler-subsample`: more than are needed on two cores, and too few on
    twenty, where cores would idle until a job ends.

    Snakemake's own handler of SIGTERM waits for a lock that the thread it interrupts may hold, and then the run hangs
    for good; in a thread of its own it gets the lock when it is free. It also waits for all jobs that have been
    submitted, which may be in a queue for days: where jobs are submitted, SIGTERM cancels them as Ctrl-C does.
    """
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None
        workflow.scheduler.subsample = 4 * workflow.cores
    if threading.current_thread() is not threading.main_thread():
        return
    if workflow.local_exec:
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=workflow.scheduler.exit_gracefully).start())
    else:
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def cache_signatures():
    """Keep the parameters of the functions of rules, for which Snakemake asks anew whenever it calls one."""
    directives = [(*one.input, *one.params, *one.resources.values()) for one in workflow.rules]
    for function in filter(inspect.isfunction, chain.from_iterable(directives)):
        overwrite_function_params(function, inspect.signature(function).parameters)


def check_executor():
    """Refuse to submit what a shell would misread, and where the executor would never notice that a job has ended."""
    if workflow.local_exec or not workflow.is_main_process:
        return
    try:
        check_names({"datasets": SETTINGS, "pathvars": config.get("pathvars") or {}, "the folder": str(Path.cwd())})
        if getattr(workflow.executor_settings, "status_command", None) == "sacct":
            check_accounting()
    except SkymaskError as error:
        raise WorkflowError(str(error)) from None
