"""Draw a figure for a paper that shows a distribution or the convergence, and write the numbers behind it."""

from skymask.io import maps
from skymask.io.json_files import read_json
from skymask.products import paper_figures
from skymask.products.figures import distribution_of
from skymask.products.products import read_convergence_table
from skymask.workflow.jobs import job


def draw_curves(*, name, settings, status, inputs, plots, output):
    status = read_json(status)
    paper_figures.refuse_failed(name, status)
    if settings["kind"] == "significance":
        significance = maps.open_product(inputs["significance"])["significance"]
        mask = maps.open_product(inputs["exclusion_mask"])["exclusion_mask"]
        columns = distribution_of(significance, mask)
        figure = paper_figures.significance_distribution(columns, status, settings)
    else:
        rows = read_convergence_table(inputs["convergence"])
        columns = {key: [int(row[key]) for row in rows] for key in ("iteration", "excluded", "changed")}
        figure = paper_figures.convergence_curves(columns, settings)
    about = {key: status[key] for key in ("dataset", "state", "iteration", "mask_sha256")}
    paper_figures.write_columns(output["data"], columns, about)
    paper_figures.save(figure, output, plots["paper_dpi"])


if __name__ == "__main__":
    with job(snakemake):
        draw_curves(
            name=snakemake.wildcards.figure,
            settings=snakemake.params.settings,
            status=snakemake.input.status,
            inputs=dict(snakemake.input.items()),
            plots=snakemake.params.plots,
            output=dict(snakemake.output.items()),
        )
