"""Every private part of Snakemake that the workflow uses, with the reason, and what to tell its developers."""

import inspect
import sys
from subprocess import CalledProcessError

from snakemake.script import PythonScript
from snakemake.shell import shell

from skymask.workflow import warm_start

#: How Snakemake has a Python script run.
_execute_script = PythonScript.execute_script


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
