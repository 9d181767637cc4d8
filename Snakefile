"""skymask: background, exclusion mask and significance of counts maps, iterated until the mask stops changing."""

from pathlib import Path

from snakemake.utils import min_version

from skymask.workflow.snakemake_patches import start_jobs_warm

min_version("9.27.0")


# A configuration file given on the command line stands alone: the demonstration's datasets never merge into it.
if not workflow.overwrite_configfiles:

    if Path("config.yaml").is_file():

        configfile: "config.yaml"

    else:

        configfile: workflow.source_path("config.yaml")


report: "workflow/report/workflow.rst"


wildcard_constraints:
    dataset=r"[A-Za-z0-9][A-Za-z0-9._+-]*",
    figure=r"[A-Za-z0-9][A-Za-z0-9._+-]*",
    group=r"[A-Za-z0-9][A-Za-z0-9._+-]*",
    iteration=r"[1-9][0-9]*",
    kernel=r"[A-Za-z0-9][A-Za-z0-9._+-]*",
    point=r"[A-Za-z0-9._+~-]+",
    run=r"[A-Za-z0-9][A-Za-z0-9._+-]*",


include: "workflow/functions/settings.smk"
include: "workflow/functions/settled.smk"
include: "workflow/functions/sources.smk"
include: "workflow/functions/stacks.smk"
include: "workflow/functions/skies.smk"
include: "workflow/functions/loop.smk"
include: "workflow/functions/scans.smk"
include: "workflow/functions/products.smk"
include: "workflow/functions/outcomes.smk"
include: "workflow/functions/scheduler.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/datasets.smk"
include: "workflow/rules/iteration.smk"
include: "workflow/rules/results.smk"
include: "workflow/rules/scans.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/figures.smk"


rule all:
    default_target: True
    input:
        *map(results_of, UNSETTLED),
        joined_bins,
        *(path for sky in SKIES for path in joined_of(sky)),
        summary=of_all_datasets("summary.csv"),
        report=of_all_datasets("report.html"),
        failures=failures,
    localrule: True
    message:
        "Everything is up to date"


cache_signatures()


onstart:
    check_executor()
    patch_scheduler()
    start_jobs_warm(workflow)


onsuccess:
    settle()
    show_outcomes()


onerror:
    settle()
    show_outcomes()
