"""The report: figures of every dataset that has products, a page for every dataset, and one over all of them.

Needs: products, statuses and the summary. Makes: the figures in the plots folder of every dataset, its report.html, and
the report.html of all.
"""


rule plot_maps:
    input:
        counts="<results>/{dataset}/counts.fits",
        background="<results>/{dataset}/background.fits",
        significance="<results>/{dataset}/significance.fits",
        excess="<results>/{dataset}/excess.fits",
        exclusion_mask="<results>/{dataset}/exclusion_mask.fits",
    output:
        **figure_outputs("counts", "background", "significance", "excess"),
        thumbnail="<results>/{dataset}/plots/thumbnail.png",
    log:
        "<logs>/{dataset}/plot_maps.log",
    benchmark:
        "<benchmarks>/{dataset}/plot_maps.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("plot_maps"),
        runtime=runtime("plot_maps"),
    params:
        plots=PLOTS,
        library=LIBRARY,
    message:
        "Plot the maps of {wildcards.dataset}"
    script:
        "../../scripts/plot_maps.py"


rule plot_convergence:
    input:
        masks=every_mask,
        convergence="<results>/{dataset}/convergence.csv",
        significance="<results>/{dataset}/significance.fits",
        exclusion_mask="<results>/{dataset}/exclusion_mask.fits",
        quality="<results>/{dataset}/quality.json",
        null="<results>/{dataset}/null.json",
    output:
        **figure_outputs("mask_growth", "convergence", "off_source"),
    log:
        "<logs>/{dataset}/plot_convergence.log",
    benchmark:
        "<benchmarks>/{dataset}/plot_convergence.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("plot_convergence"),
        runtime=runtime("plot_convergence"),
    params:
        plots=PLOTS,
        threshold=setting("threshold"),
        library=LIBRARY,
    message:
        "Plot the convergence of {wildcards.dataset}"
    script:
        "../../scripts/plot_convergence.py"


rule plot_ring_radius:
    input:
        ring_radius="<results>/{dataset}/ring_radius.fits",
        coverage="<results>/{dataset}/coverage.fits",
        exclusion_mask="<results>/{dataset}/exclusion_mask.fits",
    output:
        **figure_outputs("ring_radius"),
    log:
        "<logs>/{dataset}/plot_ring_radius.log",
    benchmark:
        "<benchmarks>/{dataset}/plot_ring_radius.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("plot_ring_radius"),
        runtime=runtime("plot_ring_radius"),
    params:
        plots=PLOTS,
        library=LIBRARY,
    message:
        "Plot the radius of the adaptive ring of {wildcards.dataset}"
    script:
        "../../scripts/plot_ring_radius.py"


rule plot_truth:
    input:
        simulation="<results>/{dataset}/simulation.fits",
        background="<results>/{dataset}/background.fits",
        background_error="<results>/{dataset}/background_error.fits",
        exclusion_mask="<results>/{dataset}/exclusion_mask.fits",
    output:
        **figure_outputs("truth"),
    log:
        "<logs>/{dataset}/plot_truth.log",
    benchmark:
        "<benchmarks>/{dataset}/plot_truth.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("plot_truth"),
        runtime=runtime("plot_truth"),
    params:
        plots=PLOTS,
        source_kernel=setting("source_kernel"),
        library=LIBRARY,
    message:
        "Plot {wildcards.dataset} against the truth"
    script:
        "../../scripts/plot_truth.py"


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
    benchmark:
        "<benchmarks>/{sky}/plot_sky.tsv"
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
    benchmark:
        "<benchmarks>/{dataset}/render_page.tsv"
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
        pages=expand("<results>/{dataset}/report.html", dataset=SETTINGS),
        sky_figures=expand("<results>/{sky}/plots/sky.png", sky=SKIES),
        skies=expand("<results>/{sky}/status.json", sky=SKIES),
        summary="<results>/summary.csv",
        statuses=expand("<results>/{dataset}/status.json", dataset=SETTINGS),
    output:
        report="<results>/report.html",
    log:
        "<logs>/render_report.log",
    benchmark:
        "<benchmarks>/render_report.tsv"
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
