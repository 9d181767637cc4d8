"""The plan, which all rules ask; see skymask/workflow/plan.py."""

import os
from functools import partial
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from skymask import registry
from skymask.errors import SkymaskError
from skymask.workflow import digests, hooks, planning, snakemake_patches

# One thread per job: the jobs themselves run side by side.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

AS_MODULE = snakemake_patches.is_module(workflow)
RULES = ("datasets", "iteration", "results", "scans", "report", "figures")


wildcard_constraints:
    figure=r"[A-Za-z0-9][A-Za-z0-9._+-]*",
    group=r"[A-Za-z0-9][A-Za-z0-9._+-]*",
    iteration=r"0|[1-9][0-9]*",
    kernel=r"[A-Za-z0-9][A-Za-z0-9._+-]*",
    point=r"[A-Za-z0-9._+~-]+",
    run=r"[A-Za-z0-9][A-Za-z0-9._+-]*",


def text_of(path):
    return Path(workflow.source_path(path)).read_text(encoding="utf-8")


try:
    if workflow.is_main_process and not AS_MODULE:
        planning.check_files_of_configuration(workflow.configfiles)
        snakemake_patches.quieten_log()
    plan = planning.make_plan(
        config,
        folders={name: snakemake_patches.folder_of(workflow, f"<{name}>") for name in planning.FOLDERS},
        moved=partial(snakemake_patches.moved, workflow) if AS_MODULE else None,
        code=digests.rule_digests(
            [text_of(f"{name}.smk") for name in RULES], lambda script: text_of(f"../../scripts/{script}.py")
        ),
        use_notes=workflow.is_main_process
        and not AS_MODULE
        and snakemake_patches.forces_nothing(snakemake_patches.resolved_options()),
        fetch=storage,
        local=lambda: workflow.local_exec,
        ask_servers=workflow.is_main_process,
    )
except SkymaskError as error:
    raise WorkflowError(str(error)) from None

plan.checks_records = workflow.is_main_process
plan.tell = logger.info if workflow.is_main_process else None
plan.force = partial(snakemake_patches.force, workflow)
plan.unfinished = snakemake_patches.marked_incomplete() if workflow.is_main_process else ()
hooks.register(plan, None if AS_MODULE else config)


wildcard_constraints:
    dataset=plan.pattern(),
    sky=plan.pattern_of(plan.skies),
