"""The report: figures and a page for every dataset, and one page over all of them.

Needs: products, statuses and the summary. Makes: the figures in the plots folder of every dataset, its report.html, and the
report.html of all.
"""

for rule_name, traits, pattern in plan.variants("plot_dataset", registry.SIMULATION, registry.ADAPTIVE):

    rule:
        name:
            rule_name
        input:
            unpack(plan.files_to_plot),
            files=plan.files_of("plot_dataset"),
        output:
            **plan.figure_outputs(report, registry.plots_of(traits)),
        log:
            "<logs>/{dataset}/plot_dataset.log",
        wildcard_constraints:
            dataset=pattern,
        priority: plan.priority("plot_dataset")
        conda:
            "../../environment.yml"
        threads: 1
        resources:
            mem_mb=plan.memory("plot_dataset"),
            runtime=plan.runtime("plot_dataset"),
        params:
            settings=plan.settings_of("plot_dataset"),
            identity=plan.identity_of("plot_dataset"),
            plots=plan.plots,
            code=plan.code_of("plot_dataset"),
        message:
            "Plot {wildcards.dataset}"
        script:
            "../../scripts/plot_dataset.py"


rule render_page:
    input:
        unpack(plan.page_files),
        status="<results>/{dataset}/status.json",
    output:
        page="<results>/{dataset}/report.html",
    log:
        "<logs>/{dataset}/render_page.log",
    priority: plan.priority("render_page")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=plan.memory("render_page"),
        runtime=plan.runtime("render_page"),
    params:
        plots=plan.plots,
        files=plan.linked_products,
        code=plan.code_of("render_page"),
    message:
        "Render the page of {wildcards.dataset}"
    script:
        "../../scripts/render_page.py"


rule plot_sky:
    input:
        **{
            name: f"<results>/{{sky}}/{name}.fits"
            for name in ("counts", "background", "significance", "exclusion_mask")
        },
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
        mem_mb=plan.memory("plot_sky"),
        runtime=plan.runtime("plot_sky"),
    params:
        plots=plan.plots,
        code=plan.code_of("plot_sky"),
    message:
        "Plot {wildcards.sky}"
    script:
        "../../scripts/plot_sky.py"


rule render_report:
    input:
        pages=plan.of_every_dataset("report.html"),
        sky_figures=expand("<results>/{sky}/plots/sky.png", sky=plan.skies),
        skies=expand("<results>/{sky}/status.json", sky=plan.skies),
        summary="<results>/summary.csv",
        statuses=plan.of_every_dataset("status.json"),
    output:
        report="<results>/report.html",
    log:
        "<logs>/render_report.log",
    localrule: True
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=plan.memory("render_report"),
        runtime=plan.runtime("render_report"),
    params:
        code=plan.code_of("render_report"),
    message:
        "Render the report"
    script:
        "../../scripts/render_report.py"
