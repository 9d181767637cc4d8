"""The loop: initial background, then significance, exclusion mask and background again, until the masks repeat.

Needs: datasets that passed inspection. Makes: the folders iteration-0, iteration-1, ... of every dataset, and for
every group of datasets the decisions whether their loops go on.
"""


rule estimate_initial_background:
    input:
        unpack(data_files),
        run_files=run_files,
        kernel_files=kernel_files,
        region_files=region_files,
    output:
        counts="<results>/{dataset}/iteration-0/counts.fits",
        acceptance="<results>/{dataset}/iteration-0/acceptance.fits",
        exclusion_mask="<results>/{dataset}/iteration-0/exclusion_mask.fits",
        background="<results>/{dataset}/iteration-0/background.fits",
    log:
        "<logs>/{dataset}/iteration-0/estimate_initial_background.log",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("estimate_initial_background"),
        runtime=runtime("estimate_initial_background"),
    params:
        hdus=data_hdus,
        runs=run_settings,
        selection=settings("exclusion_regions", "min_acceptance_fraction"),
        kernels=settings(*KERNEL_KEYS),
        stack=stack_settings,
        identity=file_identity,
        library=LIBRARY,
    message:
        "Estimate the initial background of {wildcards.dataset}"
    script:
        "../../scripts/estimate_initial_background.py"


rule compute_significance:
    input:
        counts="<results>/{dataset}/iteration-0/counts.fits",
        acceptance="<results>/{dataset}/iteration-0/acceptance.fits",
        background=in_iteration_before("background.fits"),
        kernel_files=kernel_files,
    output:
        significance="<results>/{dataset}/iteration-{iteration}/significance.fits",
    log:
        "<logs>/{dataset}/iteration-{iteration}/compute_significance.log",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("compute_significance"),
        runtime=runtime("compute_significance"),
    params:
        source_kernel=setting("source_kernel"),
        mask_source_kernels=setting("mask_source_kernels"),
        options=settings("statistic", "background_systematic"),
        identity=file_identity,
        library=LIBRARY,
    message:
        "Compute the significance of {wildcards.dataset}, iteration {wildcards.iteration}"
    script:
        "../../scripts/compute_significance.py"


rule update_exclusion_mask:
    input:
        significance="<results>/{dataset}/iteration-{iteration}/significance.fits",
        acceptance="<results>/{dataset}/iteration-0/acceptance.fits",
        user_mask="<results>/{dataset}/iteration-0/exclusion_mask.fits",
        previous_mask=in_iteration_before("exclusion_mask.fits"),
    output:
        exclusion_mask="<results>/{dataset}/iteration-{iteration}/exclusion_mask.fits",
        record="<results>/{dataset}/iteration-{iteration}/record.json",
    log:
        "<logs>/{dataset}/iteration-{iteration}/update_exclusion_mask.log",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("update_exclusion_mask"),
        runtime=runtime("update_exclusion_mask"),
    params:
        dilation_radius=setting("dilation_radius"),
        options=settings(*MASK_KEYS),
        library=LIBRARY,
    message:
        "Update the exclusion mask of {wildcards.dataset}, iteration {wildcards.iteration}"
    script:
        "../../scripts/update_exclusion_mask.py"


rule estimate_background:
    input:
        counts="<results>/{dataset}/iteration-0/counts.fits",
        acceptance="<results>/{dataset}/iteration-0/acceptance.fits",
        exclusion_mask="<results>/{dataset}/iteration-{iteration}/exclusion_mask.fits",
        stack_files=stack_files,
        kernel_files=kernel_files,
    output:
        background="<results>/{dataset}/iteration-{iteration}/background.fits",
    log:
        "<logs>/{dataset}/iteration-{iteration}/estimate_background.log",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("estimate_background"),
        runtime=runtime("estimate_background"),
    params:
        kernels=settings(*KERNEL_KEYS),
        stack=stack_settings,
        identity=file_identity,
        library=LIBRARY,
    message:
        "Estimate the background of {wildcards.dataset}, iteration {wildcards.iteration}"
    script:
        "../../scripts/estimate_background.py"


checkpoint check_convergence:
    input:
        unpack(members_to_decide),
    output:
        decisions="<results>/.decisions/{group}/iteration-{iteration}.json",
    log:
        "<logs>/.decisions/{group}/iteration-{iteration}/check_convergence.log",
    wildcard_constraints:
        iteration="0|[1-9][0-9]*",
    localrule: True
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("check_convergence"),
        runtime=runtime("check_convergence"),
    params:
        settings=convergence_settings,
        library=LIBRARY,
    message:
        "Check the convergence of {wildcards.group}, iteration {wildcards.iteration}"
    script:
        "../../scripts/check_convergence.py"
