"""Data in: simulated skies, events counted on pixels, and the preparation of every dataset before anything is computed.

Makes: simulation.fits of simulated datasets, binned_counts.fits and binning.json of those of events, runs/{run}.fits and
.json for every run of those of observations, field_counts.fits and cutting.json for fields of HEALPix maps; and of every
dataset the maps of iteration 0, and inspection.json, which says whether it can be used and, if not, why.
"""


rule simulate_counts:
    output:
        simulation="<results>/{dataset}/simulation.fits",
    log:
        "<logs>/{dataset}/simulate_counts.log",
    priority: plan.priority("simulate_counts")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=plan.memory("simulate_counts"),
        runtime=plan.runtime("simulate_counts"),
    params:
        settings=plan.settings_of("simulate_counts"),
        code=plan.code_of("simulate_counts"),
    message:
        "Simulate the sky of {wildcards.dataset}"
    script:
        "../../scripts/simulate_counts.py"


rule bin_events:
    input:
        files=plan.files_of("bin_events"),
    output:
        counts="<results>/{dataset}/binned_counts.fits",
        binning="<results>/{dataset}/binning.json",
    log:
        "<logs>/{dataset}/bin_events.log",
    priority: plan.priority("bin_events")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=plan.memory("bin_events"),
        runtime=plan.runtime("bin_events"),
    params:
        settings=plan.settings_of("bin_events"),
        identity=plan.identity_of("bin_events"),
        code=plan.code_of("bin_events"),
    message:
        "Count the events of {wildcards.dataset} on pixels"
    script:
        "../../scripts/bin_events.py"


rule make_run_maps:
    input:
        files=plan.observed_files,
    output:
        maps="<results>/{dataset}/runs/{run}.fits",
        notes="<results>/{dataset}/runs/{run}.json",
    log:
        "<logs>/{dataset}/make_run_maps/{run}.log",
    priority: plan.priority("make_run_maps")
    conda:
        "../envs/gammapy.yml"
    threads: 1
    resources:
        mem_mb=plan.memory("make_run_maps"),
        runtime=plan.runtime("make_run_maps"),
    params:
        settings=plan.observed_run,
        identity=plan.observed_identity,
        code=plan.code_of("make_run_maps"),
    message:
        "Make the maps of run {wildcards.run} of {wildcards.dataset}"
    script:
        "../../scripts/make_run_maps.py"


rule cut_field:
    input:
        files=plan.files_of("cut_field"),
    output:
        counts="<results>/{dataset}/field_counts.fits",
        cutting="<results>/{dataset}/cutting.json",
    log:
        "<logs>/{dataset}/cut_field.log",
    priority: plan.priority("cut_field")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=plan.memory("cut_field"),
        runtime=plan.runtime("cut_field"),
    params:
        settings=plan.settings_of("cut_field"),
        identity=plan.identity_of("cut_field"),
        code=plan.code_of("cut_field"),
    message:
        "Cut {wildcards.dataset} out of its HEALPix map"
    script:
        "../../scripts/cut_field.py"


rule prepare_dataset:
    input:
        unpack(plan.data_files),
        files=plan.files_of("prepare_dataset"),
        runs=plan.made_run_files,
        notes=plan.notes_files,
    output:
        counts="<results>/{dataset}/iteration-0/counts.fits",
        acceptance="<results>/{dataset}/iteration-0/acceptance.fits",
        exclusion_mask="<results>/{dataset}/iteration-0/exclusion_mask.fits",
        # The last one says whether the others can be used.
        inspection="<results>/{dataset}/inspection.json",
    log:
        "<logs>/{dataset}/prepare_dataset.log",
    priority: plan.priority("prepare_dataset")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=plan.memory("prepare_dataset"),
        runtime=plan.runtime("prepare_dataset"),
    params:
        hdus=plan.data_hdus,
        runs=plan.run_settings,
        settings=plan.settings_of("prepare_dataset"),
        identity=plan.identity_of("prepare_dataset"),
        code=plan.code_of("prepare_dataset"),
    message:
        "Prepare the maps of {wildcards.dataset}"
    script:
        "../../scripts/prepare_dataset.py"
