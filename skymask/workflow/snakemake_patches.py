"""Everything that this project takes from Snakemake beyond its documented interfaces, and why.

Each part says what it needs and what to ask of Snakemake so that it can go; `tests/test_snakemake_patches.py` fails
when one is no longer needed or no longer works. Written for Snakemake 9.27; with another version that lacks a name, the
parts that only save time are left out, and the others say so.
"""

import contextlib
import inspect
import io
import os
import re
import signal
import sys
import threading
from base64 import urlsafe_b64decode
from itertools import chain
from pathlib import Path
from subprocess import CalledProcessError

from snakemake.exceptions import IncompleteCheckpointException
from snakemake.io import checkpoint_target
from snakemake.logging import logger
from snakemake.script import PythonScript
from snakemake.shell import shell

from skymask.workflow import warm_start

#: How Snakemake has a Python script run.
_execute_script = PythonScript.execute_script

#: Options under which a job is up to date or not as without them.
HARMLESS = re.compile(
    r"dryrun|printshellcmds|keep_going|quiet|verbose|cores|jobs|local_cores|snakefile|directory|config|configfile|nolock|"
    r"profile|workflow_profile|resources|set_resources|set_resource_scopes|default_resources|executor|rerun_incomplete|"
    r"latency_wait|retries|show_failed_logs|nocolor|groups|scheduler|scheduler_subsample|scheduler_greediness|rerun_triggers|"
    r"targets|max_jobs_per_timespan|logger|slurm_.*|report_metadata|.*MISSING.*"
)

#: Chatter of Snakemake's log that tells a user nothing.
CHATTER = (
    "Select jobs",
    "Execute ",
    "DAG of jobs will be updated",
    "Updating checkpoint",
    "Conda environments:",
    "Assuming unrestricted shared filesystem",
)


def resolved_options():
    """Return the options of this run of `snakemake`, from command line and profiles; None in other programs.

    Reason: while the Snakefile is read, Snakemake has not told the workflow yet what is asked of it.
    To ask for: `workflow.dag_settings` set before the Snakefile is read.
    """
    if not sys.argv[0].endswith(("snakemake", os.path.join("snakemake", "__main__.py"))):
        return None
    try:
        from snakemake.cli import parse_args

        # It says once more which profile is in use.
        with contextlib.redirect_stderr(io.StringIO()):
            return parse_args(sys.argv[1:])[1]
    except (ImportError, AttributeError, TypeError, ValueError, SystemExit):
        return None


def differing_options(options):
    """Return the names of the options that are not what Snakemake takes by itself."""
    from snakemake.cli import get_argument_parser

    defaults = vars(get_argument_parser().parse_args([]))
    return {name for name, value in vars(options).items() if repr(value) != repr(defaults.get(name))}


def forces_nothing(options):
    """Return whether a run with these options makes what is not up to date for `all`, and nothing else.

    Whatever is not known to be harmless is not.
    """
    if options is None or not {str(target) for target in options.targets} <= {"all"}:
        return False
    triggers = {trigger.name for trigger in options.rerun_triggers}
    # Which scripts are newer than their outputs is not noted.
    return "CODE" not in triggers and all(map(HARMLESS.fullmatch, differing_options(options)))


def is_module(workflow):
    """Return whether the Snakefile that is being read was imported as a module.

    Reason: a module's files may be made by rules of its host, so that they need not be there yet.
    """
    return not workflow.modifier.is_main_snakefile()


def moved(workflow, path):
    """Return where a module's `prefix` puts a file that a rule calls `path`.

    Reason: Snakemake moves inputs and outputs of a module, but not what stands in `params` or functions look at.
    To ask for: a documented `workflow.modify_path(path)`.
    """
    return str(workflow.modifier.path_modifier.replace_prefix(path))


def folder_of(workflow, pathvar):
    """Return the folder that a pathvar such as <results> means.

    To ask for: pathvars in `params`, as in inputs and outputs.
    """
    return moved(workflow, workflow.pathvars.apply(pathvar))


def incomplete(workflow, rule, **wildcards):
    """Return what an input function raises to be asked again when a checkpoint has run, although its file is there.

    Reason: what `checkpoints.NAME.get` has returned once it goes on returning, also when an earlier decision changes.
    """
    output, _ = rule.expand_output(wildcards)
    force(workflow, output)
    return IncompleteCheckpointException(rule, checkpoint_target(output[0]))


def force(workflow, files):
    """Have the jobs that make these files run, as `--forcerun` would; nothing is taken from what Snakemake does.

    Reason: without its own records Snakemake takes every file that is there for right.
    """
    if not files:
        return
    forced = getattr(workflow.dag, "forcefiles", None)
    if forced is None:
        raise RuntimeError(f"this version of Snakemake cannot be told to make {', '.join(sorted(files))} anew")
    forced.update(files)


def cache_signatures(workflow):
    """Keep the parameters of the functions of rules, for which Snakemake asks anew whenever it calls one.

    Reason: at 1,000 datasets, that is a tenth of the time of a run.
    """
    try:
        from snakemake.common import overwrite_function_params

        directives = [(*one.input, *one.params, *one.resources.values()) for one in workflow.rules]
        for function in filter(inspect.isroutine, chain.from_iterable(directives)):
            overwrite_function_params(function, inspect.signature(function).parameters)
    except (ImportError, AttributeError, TypeError):
        return


def hasten_scheduler(workflow, options):
    """Take the limit of jobs per second from a local run, and let it look at as many ready jobs as its cores need.

    Reason: the limit costs a timer thread in every round, and local jobs need none. What a user sets is kept.
    To ask for: no timer for local executors.
    """
    if not workflow.local_exec or options is None:
        return
    scheduler, limit = workflow.scheduler, options.max_jobs_per_timespan
    if (limit.max_jobs, limit.timespan) == (100, 1):
        scheduler.job_rate_limiter = None
    if options.scheduler_subsample is None:
        scheduler.subsample = 4 * workflow.cores


def start_jobs_warm(workflow):
    """Let the jobs of a local run start in milliseconds: see `skymask.workflow.warm_start`.

    Snakemake starts a shell and a new Python for every `script:`, and no setting says what else to do. Jobs that are
    submitted start so, too, and those with a software environment, a benchmark or a shell of their own. With another
    version of Snakemake, in which scripts are not executed by the method that is replaced here, all do.

    Report for Snakemake: "A setting of what runs the Python scripts of local jobs. With 9.27 each takes a new
    interpreter and its imports, about 1 s with numpy, scipy and astropy, where a fork of a process that has them takes
    10 ms. `PythonScript.execute_script` had to be replaced in `onstart`."
    """
    is_known = list(inspect.signature(_execute_script).parameters) == ["self", "fname", "edit"]
    if not (workflow.local_exec and is_known and warm_start.is_possible()):
        return
    server = warm_start.Server()

    def execute_script(script, fname, edit=False):
        code = None
        if not edit and _runs_in_our_python(script):
            environment = warm_start.job_environment(script.threads, script.resources.get("tmpdir"))
            code = server.run(fname, environment)
        if code is None:
            _execute_script(script, fname, edit=edit)
        elif code:
            raise CalledProcessError(code, f"{sys.executable} {fname}")

    PythonScript.execute_script = execute_script


def _runs_in_our_python(script):
    """Whether a script runs in this Python's environment, with nothing around it."""
    around = (script.conda_env, script.container_img, script.env_modules, script.bench_record)
    own_shell = (script.resources.get("shell_exec"), shell._process_prefix, shell._process_suffix)
    return not any(around) and not any(own_shell)


def end_on_sigterm(workflow):
    """Let SIGTERM end every run.

    Reason: Snakemake's own handler waits for a lock that the thread it interrupts may hold, and then the run hangs for
    good; in a thread of its own it gets the lock when it is free. It also waits for all jobs that have been submitted,
    which may be in a queue for days: where jobs are submitted, SIGTERM cancels them as Ctrl-C does.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if workflow.local_exec:
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=workflow.scheduler.exit_gracefully).start())
    else:
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def add_hook(workflow, hook):
    """Have a function called in one of the hooks of a workflow, after those that it has, by the name of the function.

    Reason: of an imported workflow Snakemake calls no hook, and a second block `onstart:` would replace the first.
    """
    earlier = getattr(workflow, f"_{hook.__name__}")
    getattr(workflow, hook.__name__)(lambda log: (earlier(log), hook(workflow)))


def failed_jobs(workflow):
    """Return the jobs that ended with an error, of a group of jobs the step that failed.

    To ask for: failed jobs in `onerror`.
    """
    failed = []
    for job in workflow.scheduler.failed:
        if not job.is_group():
            failed.append(job)
            continue
        # What a failed group had made is removed, but for the logs, and the last one is that of the step that failed.
        steps = [step for level in job.toposorted for step in level]
        begun = [step for step in steps if os.path.exists(step.log[0])]
        failed.append(max(begun, key=lambda step: os.stat(step.log[0]).st_mtime_ns) if begun else steps[0])
    return failed


def all_jobs(workflow):
    """Return the jobs of the graph, and those of them that were still to run when the run ended.

    To ask for: the graph's jobs in `onsuccess` and `onerror`.
    """
    return list(workflow.dag.jobs), set(workflow.dag.needrun_jobs())


def marked_incomplete(state=".snakemake"):
    """Return the paths of the files that Snakemake has marked because their jobs have not ended.

    Reason: Snakemake looks at the marks of jobs that it knows at its start, and not of those of later iterations.
    """
    files, marks = [], Path(state, "incomplete")
    for mark in [path for path in marks.rglob("*") if path.is_file()]:
        # A mark's path is the file's name in base 64, cut into parts that all but the last begin with "@".
        encoded = "".join(part.removeprefix("@") for part in mark.relative_to(marks).parts)
        try:
            files.append(urlsafe_b64decode(encoded).decode())
        except ValueError:
            continue
    return files


def is_relevant_record(record):
    """Return whether a log record says more than that jobs are selected, or that a script failed that said so."""
    message = str(record.msg)
    return not message.startswith(CHATTER) and not re.search(r"returned non-zero exit status 1\.", message)


def quieten_log():
    """Leave out of Snakemake's log what tells a user nothing."""
    if is_relevant_record not in logger.filters:
        logger.addFilter(is_relevant_record)
