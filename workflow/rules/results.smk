"""Results: the products of every finished loop, the status of every dataset, the summary of all.

Needs: loops that have ended. Makes: the final maps, convergence.csv, quality.json and status.json of every dataset
(only the status of one that failed), summary.csv, and a failure at the very end if any dataset failed.
"""


rule compute_products:
    input:
        unpack(loop_files),
        counts="<results>/{dataset}/iteration-0/counts.fits",
        acceptance="<results>/{dataset}/iteration-0/acceptance.fits",
        kernel_files=kernel_files,
    output:
        counts="<results>/{dataset}/counts.fits",
        coverage="<results>/{dataset}/coverage.fits",
        background="<results>/{dataset}/background.fits",
        background_error="<results>/{dataset}/background_error.fits",
        counts_off="<results>/{dataset}/counts_off.fits",
        alpha="<results>/{dataset}/alpha.fits",
        significance="<results>/{dataset}/significance.fits",
        excess="<results>/{dataset}/excess.fits",
        exclusion_mask="<results>/{dataset}/exclusion_mask.fits",
        convergence="<results>/{dataset}/convergence.csv",
        quality="<results>/{dataset}/quality.json",
    log:
        "<logs>/{dataset}/compute_products.log",
    benchmark:
        "<benchmarks>/{dataset}/compute_products.tsv"
    conda:
        "../../environment.yml"
    params:
        loop=loop_state,
        kernels=settings("source_kernel", "background_kernel", "statistic"),
        exclusion=settings("dilation_radius", "min_acceptance_fraction", *MASK_KEYS),
        convergence=setting("convergence"),
        identity=file_identity,
        library=LIBRARY,
    message:
        "Compute the products of {wildcards.dataset}"
    script:
        "../../scripts/compute_products.py"


rule record_status:
    input:
        unpack(status_files),
        inspection="<results>/{dataset}/inspection.json",
    output:
        status="<results>/{dataset}/status.json",
    log:
        "<logs>/{dataset}/record_status.log",
    benchmark:
        "<benchmarks>/{dataset}/record_status.tsv"
    localrule: True
    conda:
        "../../environment.yml"
    params:
        loop=loop_state,
        analysis=whole_entry,
        stale=stale_products,
        library=LIBRARY,
    message:
        "Record the status of {wildcards.dataset}"
    script:
        "../../scripts/record_status.py"


rule summarize_datasets:
    input:
        statuses=expand("<results>/{dataset}/status.json", dataset=SETTINGS),
    output:
        summary=report(
            "<results>/summary.csv",
            category="Summary",
            caption="../report/summary.rst",
        ),
    log:
        "<logs>/summarize_datasets.log",
    benchmark:
        "<benchmarks>/summarize_datasets.tsv"
    localrule: True
    conda:
        "../../environment.yml"
    params:
        library=LIBRARY,
    message:
        "Summarize all datasets"
    script:
        "../../scripts/summarize_datasets.py"


rule report_failures:
    input:
        summary="<results>/summary.csv",
        report="<results>/report.html",
    output:
        # Never made: as long as a dataset fails, so does every run.
        never="<results>/.failures",
    log:
        "<logs>/report_failures.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        library=LIBRARY,
    message:
        "Fail, because datasets did"
    script:
        "../../scripts/report_failures.py"
