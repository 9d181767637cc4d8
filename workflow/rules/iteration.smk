"""The loop: the background, then significance, exclusion mask and background again, until the masks repeat.

Needs: datasets that are prepared. Makes: the folders iteration-0, iteration-1, ... of every dataset, and for every group of
datasets the decisions whether their loops go on.
"""


rule estimate_background:
    input:
        counts="<results>/{dataset}/iteration-0/counts.fits",
        acceptance="<results>/{dataset}/iteration-0/acceptance.fits",
        exclusion_mask="<results>/{dataset}/iteration-{iteration}/exclusion_mask.fits",
        files=plan.files_of("estimate_background"),
    output:
        background="<results>/{dataset}/iteration-{iteration}/background.fits",
    log:
        "<logs>/{dataset}/iteration-{iteration}/estimate_background.log",
    priority: plan.priority("estimate_background")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=plan.memory("estimate_background"),
        runtime=plan.runtime("estimate_background"),
    params:
        settings=plan.settings_of("estimate_background"),
        identity=plan.identity_of("estimate_background"),
        code=plan.code_of("estimate_background"),
    message:
        "Estimate the background of {wildcards.dataset}, iteration {wildcards.iteration}"
    script:
        "../../scripts/estimate_background.py"


rule compute_significance:
    input:
        counts="<results>/{dataset}/iteration-0/counts.fits",
        acceptance="<results>/{dataset}/iteration-0/acceptance.fits",
        background=plan.in_iteration_before("background.fits"),
        files=plan.files_of("compute_significance"),
    output:
        significance="<results>/{dataset}/iteration-{iteration}/significance.fits",
    log:
        "<logs>/{dataset}/iteration-{iteration}/compute_significance.log",
    wildcard_constraints:
        iteration="[1-9][0-9]*",
    priority: plan.priority("compute_significance")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=plan.memory("compute_significance"),
        runtime=plan.runtime("compute_significance"),
    params:
        settings=plan.settings_of("compute_significance"),
        identity=plan.identity_of("compute_significance"),
        code=plan.code_of("compute_significance"),
    message:
        "Compute the significance of {wildcards.dataset}, iteration {wildcards.iteration}"
    script:
        "../../scripts/compute_significance.py"


rule update_exclusion_mask:
    input:
        significance="<results>/{dataset}/iteration-{iteration}/significance.fits",
        acceptance="<results>/{dataset}/iteration-0/acceptance.fits",
        user_mask="<results>/{dataset}/iteration-0/exclusion_mask.fits",
        previous_mask=plan.in_iteration_before("exclusion_mask.fits"),
    output:
        exclusion_mask="<results>/{dataset}/iteration-{iteration}/exclusion_mask.fits",
        record="<results>/{dataset}/iteration-{iteration}/record.json",
    log:
        "<logs>/{dataset}/iteration-{iteration}/update_exclusion_mask.log",
    wildcard_constraints:
        iteration="[1-9][0-9]*",
    priority: plan.priority("update_exclusion_mask")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=plan.memory("update_exclusion_mask"),
        runtime=plan.runtime("update_exclusion_mask"),
    params:
        settings=plan.settings_of("update_exclusion_mask"),
        code=plan.code_of("update_exclusion_mask"),
    message:
        "Update the exclusion mask of {wildcards.dataset}, iteration {wildcards.iteration}"
    script:
        "../../scripts/update_exclusion_mask.py"


checkpoint check_convergence:
    input:
        unpack(plan.decisions.inputs),
    output:
        decisions="<results>/.decisions/{group}/iteration-{iteration}.json",
    log:
        "<logs>/.decisions/{group}/iteration-{iteration}/check_convergence.log",
    priority: plan.priority("check_convergence")
    localrule: True
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=plan.memory("check_convergence"),
        runtime=plan.runtime("check_convergence"),
    params:
        settings=plan.convergence_settings,
        code=plan.code_of("check_convergence"),
    message:
        "Check the convergence of {wildcards.group}, iteration {wildcards.iteration}"
    script:
        "../../scripts/check_convergence.py"


plan.decisions.checkpoint = lambda **wildcards: checkpoints.check_convergence.get(**wildcards).output.decisions
plan.decisions.incomplete = partial(snakemake_patches.incomplete, workflow, checkpoints.check_convergence.rule)
