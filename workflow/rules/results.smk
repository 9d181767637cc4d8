"""Results: the products of every finished loop, the status of every dataset, the summary of all.

Needs: loops that have ended. Makes: the final maps, convergence.csv, the catalogue of regions, quality.json, null.json, the
maps of further source kernels and status.json of every dataset (only the status of one that failed), the maps of HEALPix
skies, put together of their fields, summary.csv, and a failure at the very end if any dataset failed.
"""

for rule_name, traits, pattern in plan.variants("compute_products", registry.STACK, registry.ADAPTIVE):

    rule:
        name:
            rule_name
        input:
            unpack(plan.decisions.loop_files),
            counts="<results>/{dataset}/iteration-0/counts.fits",
            acceptance="<results>/{dataset}/iteration-0/acceptance.fits",
            files=plan.files_of("compute_products"),
        output:
            **plan.map_outputs(traits),
            convergence="<results>/{dataset}/convergence.csv",
            # The last one is needed for the status.
            quality="<results>/{dataset}/quality.json",
        log:
            "<logs>/{dataset}/compute_products.log",
        wildcard_constraints:
            dataset=pattern,
        priority: plan.priority("compute_products")
        conda:
            "../../environment.yml"
        threads: 1
        resources:
            mem_mb=plan.memory("compute_products"),
            runtime=plan.runtime("compute_products"),
        params:
            loop=plan.decisions.loop_state,
            settings=plan.settings_of("compute_products"),
            identity=plan.identity_of("compute_products"),
            code=plan.code_of("compute_products"),
        message:
            "Compute the products of {wildcards.dataset}"
        script:
            "../../scripts/compute_products.py"


rule compute_limits:
    input:
        unpack(plan.counts_on_file),
        counts="<results>/{dataset}/counts.fits",
        acceptance="<results>/{dataset}/iteration-0/acceptance.fits",
        background="<results>/{dataset}/background.fits",
        counts_off="<results>/{dataset}/counts_off.fits",
        alpha="<results>/{dataset}/alpha.fits",
        excess="<results>/{dataset}/excess.fits",
        files=plan.files_of("compute_limits"),
    output:
        excess_errn="<results>/{dataset}/excess_errn.fits",
        excess_errp="<results>/{dataset}/excess_errp.fits",
        excess_upper_limit="<results>/{dataset}/excess_upper_limit.fits",
    log:
        "<logs>/{dataset}/compute_limits.log",
    priority: plan.priority("compute_limits")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=plan.memory("compute_limits"),
        runtime=plan.runtime("compute_limits"),
    params:
        settings=plan.settings_of("compute_limits"),
        identity=plan.identity_of("compute_limits"),
        code=plan.code_of("compute_limits"),
    message:
        "Compute errors and upper limits of the excess of {wildcards.dataset}"
    script:
        "../../scripts/compute_limits.py"


rule catalogue_regions:
    input:
        counts="<results>/{dataset}/counts.fits",
        acceptance="<results>/{dataset}/iteration-0/acceptance.fits",
        background="<results>/{dataset}/background.fits",
        significance="<results>/{dataset}/significance.fits",
        exclusion_mask="<results>/{dataset}/exclusion_mask.fits",
        masks=plan.every_mask,
        files=plan.files_of("catalogue_regions"),
    output:
        outlines="<results>/{dataset}/regions.reg",
        inverse_mask="<results>/{dataset}/exclusion_mask_inverse.fits",
        # The last one is needed for the status.
        catalogue=report(
            "<results>/{dataset}/regions.ecsv",
            category="{dataset}",
            labels={"figure": "regions (table)"},
            caption="../report/regions.rst",
        ),
    log:
        "<logs>/{dataset}/catalogue_regions.log",
    priority: plan.priority("catalogue_regions")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=plan.memory("catalogue_regions"),
        runtime=plan.runtime("catalogue_regions"),
    params:
        settings=plan.settings_of("catalogue_regions"),
        identity=plan.identity_of("catalogue_regions"),
        code=plan.code_of("catalogue_regions"),
    message:
        "Catalogue the excluded regions of {wildcards.dataset}"
    script:
        "../../scripts/catalogue_regions.py"


rule compute_energy_bins:
    input:
        counts="<results>/{dataset}/counts.fits",
        acceptance="<results>/{dataset}/iteration-0/acceptance.fits",
        exclusion_mask="<results>/{dataset}/exclusion_mask.fits",
        files=plan.files_of("compute_energy_bins"),
    output:
        **{name: f"<results>/{{dataset}}/energy/{name}.fits" for name in registry.maps_in(registry.ENERGY)},
    log:
        "<logs>/{dataset}/compute_energy_bins.log",
    wildcard_constraints:
        dataset=plan.pattern_of(plan.cubes),
    priority: plan.priority("compute_energy_bins")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=plan.memory("compute_energy_bins"),
        runtime=plan.runtime("compute_energy_bins"),
    params:
        settings=plan.settings_of("compute_energy_bins"),
        identity=plan.identity_of("compute_energy_bins"),
        code=plan.code_of("compute_energy_bins"),
    message:
        "Compute the energy bins of {wildcards.dataset}"
    script:
        "../../scripts/compute_energy_bins.py"


rule join_energy_bins:
    input:
        **{name: plan.in_bins(name) for name in registry.maps_in(registry.BINS)},
    output:
        **{name: f"<results>/{{dataset}}/energy/{name}.fits" for name in registry.maps_in(registry.BINS)},
    log:
        "<logs>/{dataset}/join_energy_bins.log",
    wildcard_constraints:
        dataset=plan.pattern_of(plan.bins),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=plan.memory("join_energy_bins"),
        runtime=plan.runtime("join_energy_bins"),
    params:
        settings=plan.bin_settings,
        code=plan.code_of("join_energy_bins"),
    message:
        "Join the energy bins of {wildcards.dataset}"
    script:
        "../../scripts/join_energy_bins.py"


rule compute_further_significance:
    input:
        counts="<results>/{dataset}/counts.fits",
        acceptance="<results>/{dataset}/iteration-0/acceptance.fits",
        background="<results>/{dataset}/background.fits",
        counts_off="<results>/{dataset}/counts_off.fits",
        alpha="<results>/{dataset}/alpha.fits",
        exclusion_mask="<results>/{dataset}/exclusion_mask.fits",
        files=plan.files_of("compute_further_significance"),
    output:
        **{name: f"<results>/{{dataset}}/further/{{kernel}}/{name}.fits" for name in registry.maps_in(registry.FURTHER)},
    log:
        "<logs>/{dataset}/further/{kernel}/compute_further_significance.log",
    priority: plan.priority("compute_further_significance")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=plan.memory("compute_further_significance"),
        runtime=plan.runtime("compute_further_significance"),
    params:
        settings=plan.settings_of("compute_further_significance"),
        identity=plan.identity_of("compute_further_significance"),
        code=plan.code_of("compute_further_significance"),
    message:
        "Compute the significance of {wildcards.dataset} under the kernel {wildcards.kernel}"
    script:
        "../../scripts/compute_further_significance.py"


rule simulate_null:
    input:
        background="<results>/{dataset}/background.fits",
        acceptance="<results>/{dataset}/iteration-0/acceptance.fits",
        exclusion_mask="<results>/{dataset}/exclusion_mask.fits",
        quality="<results>/{dataset}/quality.json",
        files=plan.files_of("simulate_null"),
    output:
        null="<results>/{dataset}/null.json",
    log:
        "<logs>/{dataset}/simulate_null.log",
    priority: plan.priority("simulate_null")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=plan.memory("simulate_null"),
        runtime=plan.runtime("simulate_null"),
    params:
        settings=plan.settings_of("simulate_null"),
        identity=plan.identity_of("simulate_null"),
        code=plan.code_of("simulate_null"),
    message:
        "Simulate the background of {wildcards.dataset} without sources"
    script:
        "../../scripts/simulate_null.py"


rule record_status:
    input:
        unpack(plan.status_files),
        decisions=lambda wildcards: ancient(plan.last_decision(wildcards)),
        inspection="<results>/{dataset}/inspection.json",
    output:
        status="<results>/{dataset}/status.json",
    log:
        "<logs>/{dataset}/record_status.log",
    priority: plan.priority("record_status")
    localrule: True
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=plan.memory("record_status"),
        runtime=plan.runtime("record_status"),
    params:
        loop=plan.decisions.loop_state,
        analysis=plan.whole_entry,
        stale=plan.stale_products,
        made_from=plan.made_from_of,
        code=plan.code_of("record_status"),
    message:
        "Record the status of {wildcards.dataset}"
    script:
        "../../scripts/record_status.py"


rule join_fields:
    input:
        unpack(plan.files_of_fields),
        files=plan.sky_files,
    output:
        **{name: f"<results>/{{sky}}/{name}.fits" for name in registry.maps_in(registry.SKY)},
        status="<results>/{sky}/status.json",
    log:
        "<logs>/{sky}/join_fields.log",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=plan.memory("join_fields"),
        runtime=plan.runtime("join_fields"),
    params:
        settings=plan.sky_settings,
        identity=plan.sky_identity,
        code=plan.code_of("join_fields"),
    message:
        "Put the fields of {wildcards.sky} together"
    script:
        "../../scripts/join_fields.py"


rule summarize_datasets:
    input:
        statuses=plan.of_every_dataset("status.json"),
    output:
        summary=report("<results>/summary.csv", category="Summary", caption="../report/summary.rst"),
    log:
        "<logs>/summarize_datasets.log",
    localrule: True
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=plan.memory("summarize_datasets"),
        runtime=plan.runtime("summarize_datasets"),
    params:
        code=plan.code_of("summarize_datasets"),
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
        mem_mb=plan.memory("report_failures"),
        runtime=plan.runtime("report_failures"),
    params:
        code=plan.code_of("report_failures"),
    message:
        "Fail, because datasets did"
    script:
        "../../scripts/report_failures.py"
