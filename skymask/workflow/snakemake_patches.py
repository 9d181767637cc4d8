"""Every private part of Snakemake that the workflow uses, with the reason, and what to tell its developers."""

import sys

from skymask.workflow import warm_start


def start_jobs_warm(workflow):
    """Let the jobs of a local run start in milliseconds: see `skymask.workflow.warm_start`.

    Snakemake starts every `script:` with `sys.executable`, and no setting says with what else. Where jobs are
    submitted it stays as it is, and so it does in what they start.

    Report for Snakemake: "A setting of the command that starts the Python scripts of local jobs. With 9.27 each takes
    a new interpreter and its imports, about 1 s with numpy, scipy and astropy, where a fork of a process that has them
    takes 10 ms; `sys.executable` had to be replaced in `onstart`."
    """
    if workflow.local_exec:
        sys.executable = warm_start.start() or warm_start.PYTHON
