"""Results: the products of every finished loop, the status of every dataset, the summary of all.

Needs: loops that have ended. Makes: the final maps (one of the ring's radius where it is adaptive), convergence.csv,
quality.json, null.json, the maps of further source kernels, the catalogue of regions and status.json of every dataset
(only the status of one that failed), the maps of HEALPix skies, put together of their fields, summary.csv, and a failure at the very end if any dataset failed.
"""


rule compute_products:
    input:
        unpack(loop_files),
        counts="<results>/{dataset}/iteration-0/counts.fits",
        acceptance="<results>/{dataset}/iteration-0/acceptance.fits",
        stack_files=stack_files,
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
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("compute_products"),
        runtime=runtime("compute_products"),
    params:
        loop=loop_state,
        kernels=settings(*KERNEL_KEYS),
        stack=stack_settings,
        background_systematic=setting("background_systematic"),
        exclusion=settings("dilation_radius", "min_acceptance_fraction", *MASK_KEYS),
        convergence=setting("convergence"),
        identity=file_identity,
        library=LIBRARY,
    message:
        "Compute the products of {wildcards.dataset}"
    script:
        "../../scripts/compute_products.py"


use rule compute_products as compute_products_of_adaptive_ring with:
    output:
        **dict(rules.compute_products.output.items()),
        ring_radius="<results>/{dataset}/ring_radius.fits",
    wildcard_constraints:
        dataset=among(set(ADAPTIVE) - set(STACKED)),


use rule compute_products as compute_products_of_stack with:
    output:
        **dict(rules.compute_products.output.items()),
        counts_on="<results>/{dataset}/counts_on.fits",
        runs="<results>/{dataset}/runs.fits",
    wildcard_constraints:
        dataset=among(set(STACKED) - set(ADAPTIVE)),


use rule compute_products as compute_products_of_stack_of_adaptive_rings with:
    output:
        **dict(rules.compute_products_of_stack.output.items()),
        ring_radius="<results>/{dataset}/ring_radius.fits",
    wildcard_constraints:
        dataset=among(set(STACKED) & set(ADAPTIVE)),


ruleorder:
    compute_products_of_stack_of_adaptive_rings
    > compute_products_of_stack
    > compute_products_of_adaptive_ring
    > compute_products


rule compute_energy_bins:
    input:
        stack_files=stack_files,
        counts="<results>/{dataset}/counts.fits",
        acceptance="<results>/{dataset}/iteration-0/acceptance.fits",
        exclusion_mask="<results>/{dataset}/exclusion_mask.fits",
        kernel_files=kernel_files,
    output:
        **{name: f"<results>/{{dataset}}/energy/{name}.fits" for name in OF_ENERGIES},
    log:
        "<logs>/{dataset}/compute_energy_bins.log",
    wildcard_constraints:
        dataset=among(CUBES),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("compute_energy_bins"),
        runtime=runtime("compute_energy_bins"),
    params:
        kernels=settings(*KERNEL_KEYS),
        stack=stack_settings,
        background_systematic=setting("background_systematic"),
        identity=file_identity,
        library=LIBRARY,
    message:
        "Compute the energy bins of {wildcards.dataset}"
    script:
        "../../scripts/compute_energy_bins.py"


rule join_energy_bins:
    input:
        **{name: in_bins(name) for name in OF_BINS},
    output:
        **{name: f"<results>/{{dataset}}/energy/{name}.fits" for name in OF_BINS},
    log:
        "<logs>/{dataset}/join_energy_bins.log",
    wildcard_constraints:
        dataset=among(CUBES_OF_BINS),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("join_energy_bins"),
        runtime=runtime("join_energy_bins"),
    params:
        counts=counts_of_cube,
        numbers=bin_numbers,
        bins=lambda wildcards: len(CUBES_OF_BINS[wildcards.dataset]),
        library=LIBRARY,
    message:
        "Join the energy bins of {wildcards.dataset}"
    script:
        "../../scripts/join_energy_bins.py"


rule compute_limits:
    input:
        unpack(counts_on_file),
        counts="<results>/{dataset}/counts.fits",
        acceptance="<results>/{dataset}/iteration-0/acceptance.fits",
        background="<results>/{dataset}/background.fits",
        counts_off="<results>/{dataset}/counts_off.fits",
        alpha="<results>/{dataset}/alpha.fits",
        excess="<results>/{dataset}/excess.fits",
        kernel_files=kernel_files,
    output:
        excess_errn="<results>/{dataset}/excess_errn.fits",
        excess_errp="<results>/{dataset}/excess_errp.fits",
        excess_upper_limit="<results>/{dataset}/excess_upper_limit.fits",
    log:
        "<logs>/{dataset}/compute_limits.log",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("compute_limits"),
        runtime=runtime("compute_limits"),
    params:
        source_kernel=setting("source_kernel"),
        statistic=setting("statistic"),
        background_systematic=setting("background_systematic"),
        limits=setting("limits"),
        library=LIBRARY,
    message:
        "Compute errors and upper limits of the excess of {wildcards.dataset}"
    script:
        "../../scripts/compute_limits.py"


rule compute_further_significance:
    input:
        counts="<results>/{dataset}/counts.fits",
        acceptance="<results>/{dataset}/iteration-0/acceptance.fits",
        background="<results>/{dataset}/background.fits",
        counts_off="<results>/{dataset}/counts_off.fits",
        alpha="<results>/{dataset}/alpha.fits",
        exclusion_mask="<results>/{dataset}/exclusion_mask.fits",
        stack_files=stack_files,
        kernel_files=kernel_files,
        further_kernel_file=further_kernel_file,
    output:
        **{name: f"<results>/{{dataset}}/further/{{kernel}}/{name}.fits" for name in FURTHER},
    log:
        "<logs>/{dataset}/further/{kernel}/compute_further_significance.log",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("compute_further_significance"),
        runtime=runtime("compute_further_significance"),
    params:
        kernels=settings(*KERNEL_KEYS),
        stack=stack_settings,
        further_kernel=further_kernel,
        background_systematic=setting("background_systematic"),
        limits=setting("limits"),
        library=LIBRARY,
    message:
        "Compute the significance of {wildcards.dataset} under the kernel {wildcards.kernel}"
    script:
        "../../scripts/compute_further_significance.py"


rule catalogue_regions:
    input:
        counts="<results>/{dataset}/counts.fits",
        acceptance="<results>/{dataset}/iteration-0/acceptance.fits",
        background="<results>/{dataset}/background.fits",
        significance="<results>/{dataset}/significance.fits",
        exclusion_mask="<results>/{dataset}/exclusion_mask.fits",
        masks=every_mask,
        stack_files=stack_files,
        kernel_files=kernel_files,
    output:
        outlines="<results>/{dataset}/regions.reg",
        inverse_mask="<results>/{dataset}/exclusion_mask_inverse.fits",
        # The last one is needed for the status, as that of `compute_products` is: see docs/decisions.md.
        catalogue=report(
            "<results>/{dataset}/regions.ecsv",
            category="{dataset}",
            labels={"figure": "regions (table)"},
            caption="../report/regions.rst",
        ),
    log:
        "<logs>/{dataset}/catalogue_regions.log",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("catalogue_regions"),
        runtime=runtime("catalogue_regions"),
    params:
        kernels=settings(*KERNEL_KEYS),
        stack=stack_settings,
        library=LIBRARY,
    message:
        "Catalogue the excluded regions of {wildcards.dataset}"
    script:
        "../../scripts/catalogue_regions.py"


rule simulate_null:
    input:
        background="<results>/{dataset}/background.fits",
        acceptance="<results>/{dataset}/iteration-0/acceptance.fits",
        exclusion_mask="<results>/{dataset}/exclusion_mask.fits",
        quality="<results>/{dataset}/quality.json",
        stack_files=stack_files,
        kernel_files=kernel_files,
    output:
        null="<results>/{dataset}/null.json",
    log:
        "<logs>/{dataset}/simulate_null.log",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("simulate_null"),
        runtime=runtime("simulate_null"),
    params:
        kernels=settings(*KERNEL_KEYS),
        stack=stack_settings,
        background_systematic=setting("background_systematic"),
        threshold=setting("threshold"),
        simulate=setting("null_simulations"),
        library=LIBRARY,
    message:
        "Simulate the background of {wildcards.dataset} without sources"
    script:
        "../../scripts/simulate_null.py"


rule record_status:
    input:
        unpack(status_files),
        inspection="<results>/{dataset}/inspection.json",
    output:
        status="<results>/{dataset}/status.json",
    log:
        "<logs>/{dataset}/record_status.log",
    localrule: True
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("record_status"),
        runtime=runtime("record_status"),
    params:
        loop=loop_state,
        analysis=whole_entry,
        stale=stale_products,
        further=further_names,
        library=LIBRARY,
    message:
        "Record the status of {wildcards.dataset}"
    script:
        "../../scripts/record_status.py"


rule join_fields:
    input:
        unpack(files_of_fields),
        healpix_files=healpix_files,
    output:
        **{name: f"<results>/{{sky}}/{name}.fits" for name in JOINED},
        status="<results>/{sky}/status.json",
    log:
        "<logs>/{sky}/join_fields.log",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("join_fields"),
        runtime=runtime("join_fields"),
    params:
        settings=sky_settings,
        fields=fields_of_sky,
        identity=sky_identity,
        library=LIBRARY,
    message:
        "Put the fields of {wildcards.sky} together"
    script:
        "../../scripts/join_fields.py"


rule summarize_datasets:
    input:
        statuses=of_every_dataset("status.json"),
    output:
        summary=report(
            "<results>/summary.csv",
            category="Summary",
            caption="../report/summary.rst",
        ),
    log:
        "<logs>/summarize_datasets.log",
    localrule: True
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("summarize_datasets"),
        runtime=runtime("summarize_datasets"),
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
    threads: 1
    resources:
        mem_mb=memory("report_failures"),
        runtime=runtime("report_failures"),
    params:
        library=LIBRARY,
    message:
        "Fail, because datasets did"
    script:
        "../../scripts/report_failures.py"
