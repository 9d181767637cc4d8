"""Data in: simulated skies, events counted on pixels, and the inspection of every dataset before anything is computed.

Needs: the users' files. Makes: simulation.fits for simulated datasets, binned_counts.fits and binning.json for those of
events, runs/{run}.fits and .json for every run of those of observations, field_counts.fits and cutting.json for fields of
HEALPix maps, and inspection.json for all, which says whether the dataset can be used and, if not, why.
"""


rule simulate_counts:
    output:
        simulation="<results>/{dataset}/simulation.fits",
    log:
        "<logs>/{dataset}/simulate_counts.log",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("simulate_counts"),
        runtime=runtime("simulate_counts"),
    params:
        simulation=setting("simulate"),
        library=LIBRARY,
    message:
        "Simulate the sky of {wildcards.dataset}"
    script:
        "../../scripts/simulate_counts.py"


rule bin_events:
    input:
        event_files=event_files,
    output:
        counts="<results>/{dataset}/binned_counts.fits",
        binning="<results>/{dataset}/binning.json",
    log:
        "<logs>/{dataset}/bin_events.log",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("bin_events"),
        runtime=runtime("bin_events"),
    params:
        settings=event_settings,
        identity=source_identity,
        library=LIBRARY,
    message:
        "Count the events of {wildcards.dataset} on pixels"
    script:
        "../../scripts/bin_events.py"


rule make_run_maps:
    input:
        files=observed_files,
    output:
        maps="<results>/{dataset}/runs/{run}.fits",
        notes="<results>/{dataset}/runs/{run}.json",
    log:
        "<logs>/{dataset}/make_run_maps/{run}.log",
    conda:
        "../envs/gammapy.yml"
    threads: 1
    resources:
        mem_mb=memory("make_run_maps"),
        runtime=runtime("make_run_maps"),
    params:
        settings=observed_settings,
        identity=observed_identity,
        library=LIBRARY,
    message:
        "Make the maps of run {wildcards.run} of {wildcards.dataset}"
    script:
        "../../scripts/make_run_maps.py"


rule cut_field:
    input:
        healpix_files=healpix_files,
    output:
        counts="<results>/{dataset}/field_counts.fits",
        cutting="<results>/{dataset}/cutting.json",
    log:
        "<logs>/{dataset}/cut_field.log",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("cut_field"),
        runtime=runtime("cut_field"),
    params:
        settings=field_settings,
        identity=source_identity,
        library=LIBRARY,
    message:
        "Cut {wildcards.dataset} out of its HEALPix map"
    script:
        "../../scripts/cut_field.py"


rule check_dataset:
    input:
        unpack(data_files),
        run_files=run_files,
        notes=notes_files,
        kernel_files=kernel_files,
        region_files=region_files,
    output:
        inspection="<results>/{dataset}/inspection.json",
    log:
        "<logs>/{dataset}/check_dataset.log",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("check_dataset"),
        runtime=runtime("check_dataset"),
    params:
        hdus=data_hdus,
        runs=run_settings,
        selection=settings("exclusion_regions", "min_acceptance_fraction"),
        kernels=settings(*KERNEL_KEYS, "dilation_radius", "energy_kernels"),
        identity=file_identity,
        library=LIBRARY,
    message:
        "Check the maps and kernels of {wildcards.dataset}"
    script:
        "../../scripts/check_dataset.py"
