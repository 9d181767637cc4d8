"""Scans: the whole loop of a dataset for every combination of several settings, and their comparison.

Needs: iteration 0 of a dataset with the key `scan`, whose counts and checks serve all combinations. Makes: mask and record
of every combination in the folder `scan`, one job each, and scan.html, scan.ecsv and plots/scan.png.
"""


rule try_settings:
    input:
        unpack(plan.users_background),
        counts="<results>/{dataset}/iteration-0/counts.fits",
        acceptance="<results>/{dataset}/iteration-0/acceptance.fits",
        user_mask="<results>/{dataset}/iteration-0/exclusion_mask.fits",
        files=plan.files_of("try_settings"),
    output:
        exclusion_mask="<results>/{dataset}/scan/{point}.fits",
        record="<results>/{dataset}/scan/{point}.json",
    log:
        "<logs>/{dataset}/scan/{point}.log",
    wildcard_constraints:
        dataset=plan.pattern_of(plan.scans),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=plan.memory("try_settings"),
        runtime=plan.runtime("try_settings"),
    params:
        settings=plan.point_settings,
        identity=plan.identity_of("try_settings"),
        code=plan.code_of("try_settings"),
    message:
        "Try {wildcards.point} on {wildcards.dataset}"
    script:
        "../../scripts/try_settings.py"


rule compare_settings:
    input:
        masks=plan.of_points("fits"),
        records=plan.of_points("json"),
        acceptance="<results>/{dataset}/iteration-0/acceptance.fits",
    output:
        figure=plan.figure_outputs(report, ["plots/scan.png"])["scan"],
        page="<results>/{dataset}/scan.html",
        table="<results>/{dataset}/scan.ecsv",
    log:
        "<logs>/{dataset}/compare_settings.log",
    wildcard_constraints:
        dataset=plan.pattern_of(plan.scans),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=plan.memory("compare_settings"),
        runtime=plan.runtime("compare_settings"),
    params:
        settings=plan.scan_settings,
        plots=plan.plots,
        code=plan.code_of("compare_settings"),
    message:
        "Compare the settings tried on {wildcards.dataset}"
    script:
        "../../scripts/compare_settings.py"
