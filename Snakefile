"""skymask: background, exclusion mask and significance of counts maps, iterated until the mask stops changing."""

from pathlib import Path

from snakemake.utils import min_version

min_version("9.27.0")


# A configuration file given on the command line stands alone: the demonstration's datasets never merge into it.
if not workflow.overwrite_configfiles:

    if Path("config.yaml").is_file():

        configfile: "config.yaml"

    else:

        configfile: workflow.source_path("config.yaml")


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/datasets.smk"
include: "workflow/rules/iteration.smk"
include: "workflow/rules/results.smk"
include: "workflow/rules/scans.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/figures.smk"


rule all:
    default_target: True
    input:
        *plan.all_results(),
        failures=plan.failures,
    localrule: True
    message:
        "Everything is up to date"


snakemake_patches.cache_signatures(workflow)


onstart:
    hooks.onstart(workflow)


onsuccess:
    hooks.onsuccess(workflow)


onerror:
    hooks.onerror(workflow)
