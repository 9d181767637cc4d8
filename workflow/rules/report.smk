"""The report: figures of every dataset that has products, a page for every dataset, and one over all of them.

Needs: products, statuses and the summary. Makes: the figures in the plots folder of every dataset, its report.html, and
the report.html of all.
"""


rule plot_dataset:
    input:
        unpack(files_of_more_figures),
        counts="<results>/{dataset}/counts.fits",
        background="<results>/{dataset}/background.fits",
        significance="<results>/{dataset}/significance.fits",
        excess="<results>/{dataset}/excess.fits",
        coverage="<results>/{dataset}/coverage.fits",
        exclusion_mask="<results>/{dataset}/exclusion_mask.fits",
        masks=every_mask,
        convergence="<results>/{dataset}/convergence.csv",
        quality="<results>/{dataset}/quality.json",
        null="<results>/{dataset}/null.json",
    output:
        **figure_outputs(*FIGURES),
        thumbnail="<results>/{dataset}/plots/thumbnail.png",
    log:
        "<logs>/{dataset}/plot_dataset.log",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("plot_dataset"),
        runtime=runtime("plot_dataset"),
    params:
        plots=PLOTS,
        threshold=setting("threshold"),
        source_kernel=setting("source_kernel"),
        library=LIBRARY,
    message:
        "Plot {wildcards.dataset}"
    script:
        "../../scripts/plot_dataset.py"


use rule plot_dataset as plot_dataset_of_adaptive_ring with:
    output:
        **dict(rules.plot_dataset.output.items()),
        **figure_outputs("ring_radius"),
    wildcard_constraints:
        dataset=among(set(ADAPTIVE) - set(SIMULATED)),


use rule plot_dataset as plot_dataset_of_simulation with:
    output:
        **dict(rules.plot_dataset.output.items()),
        **figure_outputs("truth"),
    wildcard_constraints:
        dataset=among(set(SIMULATED) - set(ADAPTIVE)),


use rule plot_dataset as plot_dataset_of_simulation_with_adaptive_ring with:
    output:
        **dict(rules.plot_dataset.output.items()),
        **figure_outputs("ring_radius", "truth"),
    wildcard_constraints:
        dataset=among(set(SIMULATED) & set(ADAPTIVE)),


ruleorder:
    plot_dataset_of_simulation_with_adaptive_ring
    > plot_dataset_of_simulation
    > plot_dataset_of_adaptive_ring
    > plot_dataset


rule plot_sky:
    input:
        counts="<results>/{sky}/counts.fits",
        background="<results>/{sky}/background.fits",
        significance="<results>/{sky}/significance.fits",
        exclusion_mask="<results>/{sky}/exclusion_mask.fits",
    output:
        sky=report(
            "<results>/{sky}/plots/sky.png",
            category="{sky}",
            labels={"figure": "sky"},
            caption="../report/sky.rst",
        ),
    log:
        "<logs>/{sky}/plot_sky.log",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("plot_sky"),
        runtime=runtime("plot_sky"),
    params:
        plots=PLOTS,
        library=LIBRARY,
    message:
        "Plot {wildcards.sky}"
    script:
        "../../scripts/plot_sky.py"


rule render_page:
    input:
        unpack(page_files),
        status="<results>/{dataset}/status.json",
    output:
        page="<results>/{dataset}/report.html",
    log:
        "<logs>/{dataset}/render_page.log",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("render_page"),
        runtime=runtime("render_page"),
    params:
        plots=PLOTS,
        files=linked_products,
        library=LIBRARY,
    message:
        "Render the page of {wildcards.dataset}"
    script:
        "../../scripts/render_page.py"


rule render_report:
    input:
        pages=of_every_dataset("report.html"),
        sky_figures=expand("<results>/{sky}/plots/sky.png", sky=SKIES),
        skies=expand("<results>/{sky}/status.json", sky=SKIES),
        summary="<results>/summary.csv",
        statuses=of_every_dataset("status.json"),
    output:
        report="<results>/report.html",
    log:
        "<logs>/render_report.log",
    localrule: True
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("render_report"),
        runtime=runtime("render_report"),
    params:
        library=LIBRARY,
    message:
        "Render the report"
    script:
        "../../scripts/render_report.py"
