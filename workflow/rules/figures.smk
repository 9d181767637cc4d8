"""Figures for a paper, as the key `figures` describes them: `snakemake figures`.

Needs: products and statuses. Makes: the folder `figures`, with a PDF, a PNG and the data of every figure. Nothing of it
belongs to the rule `all`, but all of that is brought up to date with it.
"""


rule figures:
    input:
        [
            f"<results>/figures/{figure}.{kind}"
            for figure, entry in PAPER_FIGURES.items()
            for kind in ("pdf", "png", "fits" if entry["kind"] in OF_MAPS else "ecsv")
        ],
        # A report of other products than the figures' beside them would mislead.
        *map(results_of, UNSETTLED),
        of_all_datasets("summary.csv"),
        of_all_datasets("report.html"),
    localrule: True
    message:
        "Figures for a paper: " + (", ".join(PAPER_FIGURES) or "none, as the key figures describes none")


rule draw_maps:
    input:
        unpack(paper_figure_files),
        status=status_of_figure,
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
        figure=one_of(name for name, entry in PAPER_FIGURES.items() if entry["kind"] in OF_MAPS),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("draw_maps"),
        runtime=runtime("draw_maps"),
    params:
        settings=figure_entry,
        source_kernel=source_kernel_of_figure,
        plots=PLOTS,
        library=LIBRARY,
    message:
        "Draw the figure {wildcards.figure}"
    script:
        "../../scripts/draw_maps.py"


rule draw_curves:
    input:
        unpack(paper_figure_files),
        status=status_of_figure,
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
        figure=one_of(name for name, entry in PAPER_FIGURES.items() if entry["kind"] not in OF_MAPS),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("draw_curves"),
        runtime=runtime("draw_curves"),
    params:
        settings=figure_entry,
        plots=PLOTS,
        library=LIBRARY,
    message:
        "Draw the figure {wildcards.figure}"
    script:
        "../../scripts/draw_curves.py"
