"""Figures for a paper, as the key `figures` describes them: `snakemake figures`.

Needs: products and statuses. Makes: the folder `figures`, with a PDF, a PNG and the data of every figure. Nothing of it
belongs to the rule `all`, but all of that is brought up to date with it.
"""


rule figures:
    input:
        plan.figure_targets,
        # A report of other products than the figures' beside them would mislead.
        *plan.all_results(),
    localrule: True
    message:
        "Figures for a paper: " + (", ".join(plan.figures) or "none, as the key figures describes none")


rule draw_maps:
    input:
        unpack(plan.figure_files),
    output:
        pdf="<results>/figures/{figure}.pdf",
        png=report(
            "<results>/figures/{figure}.png",
            category="Figures for a paper",
            labels={"figure": "{figure}"},
            caption="../report/paper_figure.rst",
        ),
        data="<results>/figures/{figure}.fits",
    log:
        "<logs>/figures/{figure}.log",
    wildcard_constraints:
        figure=plan.figures_of(maps=True),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=plan.memory("draw_maps"),
        runtime=plan.runtime("draw_maps"),
    params:
        settings=plan.figure_settings,
        source_kernel=plan.source_kernel_of_figure,
        plots=plan.plots,
        identity=plan.figure_identity,
        code=plan.code_of("draw_maps"),
    message:
        "Draw the figure {wildcards.figure}"
    script:
        "../../scripts/draw_maps.py"


rule draw_curves:
    input:
        unpack(plan.figure_files),
    output:
        pdf="<results>/figures/{figure}.pdf",
        png=report(
            "<results>/figures/{figure}.png",
            category="Figures for a paper",
            labels={"figure": "{figure}"},
            caption="../report/paper_figure.rst",
        ),
        data="<results>/figures/{figure}.ecsv",
    log:
        "<logs>/figures/{figure}.log",
    wildcard_constraints:
        figure=plan.figures_of(maps=False),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=plan.memory("draw_curves"),
        runtime=plan.runtime("draw_curves"),
    params:
        settings=plan.figure_settings,
        plots=plan.plots,
        identity=plan.figure_identity,
        code=plan.code_of("draw_curves"),
    message:
        "Draw the figure {wildcards.figure}"
    script:
        "../../scripts/draw_curves.py"
