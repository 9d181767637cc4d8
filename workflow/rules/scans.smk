"""Scans: the whole loop of a dataset for every combination of several settings, and their comparison.

Needs: iteration 0 of a dataset with the key `scan`, whose counts, checks and sums over runs serve all combinations. Makes:
mask and record of every combination in the folder `scan`, one job each, and scan.html, scan.ecsv and plots/scan.png.
"""


rule try_settings:
    input:
        unpack(users_background),
        counts="<results>/{dataset}/iteration-0/counts.fits",
        acceptance="<results>/{dataset}/iteration-0/acceptance.fits",
        user_mask="<results>/{dataset}/iteration-0/exclusion_mask.fits",
        stack_files=stack_files,
        kernel_files=kernel_files,
    output:
        exclusion_mask="<results>/{dataset}/scan/{point}.fits",
        record="<results>/{dataset}/scan/{point}.json",
    log:
        "<logs>/{dataset}/scan/{point}.log",
    wildcard_constraints:
        dataset=among(SCANNED),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("try_settings"),
        runtime=runtime("try_settings"),
    params:
        kernels=settings_of_point(*KERNEL_KEYS),
        stack=stack_settings,
        exclusion=settings_of_point("dilation_radius", *MASK_KEYS),
        options=options_of_point,
        identity=file_identity,
        library=LIBRARY,
    message:
        "Try {wildcards.point} on {wildcards.dataset}"
    script:
        "../../scripts/try_settings.py"


rule compare_settings:
    input:
        masks=of_points("fits"),
        records=of_points("json"),
        acceptance="<results>/{dataset}/iteration-0/acceptance.fits",
    output:
        page="<results>/{dataset}/scan.html",
        table="<results>/{dataset}/scan.ecsv",
        figure=figure_outputs("scan")["scan"],
    log:
        "<logs>/{dataset}/compare_settings.log",
    wildcard_constraints:
        dataset=among(SCANNED),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("compare_settings"),
        runtime=runtime("compare_settings"),
    params:
        scan=setting("scan"),
        own=own_values,
        plots=PLOTS,
        library=LIBRARY,
    message:
        "Compare the settings tried on {wildcards.dataset}"
    script:
        "../../scripts/compare_settings.py"
