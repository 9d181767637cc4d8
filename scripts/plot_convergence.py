"""Plot how the mask grew, how the loop converged, and the off-source significance distribution."""

from skymask import maps, plots, products
from skymask.jobs import job, read_json


def plot_convergence(
    *, dataset, masks, convergence, significance, exclusion_mask, quality, null, threshold, settings, output
):
    significance = maps.read_product(significance)["significance"]
    final_mask = maps.read_product(exclusion_mask)["exclusion_mask"].data == 1
    all_masks = [maps.read_product(path)["exclusion_mask"].data == 1 for path in masks]
    rows = products.read_convergence_table(convergence)
    figures_of_merit = read_json(quality) | read_json(null)
    figures = {
        "mask_growth": plots.mask_growth(all_masks, final_mask, significance.header),
        "convergence": plots.convergence(dataset, rows, significance.header["PERIOD"]),
        "off_source": plots.off_source(dataset, significance.data, final_mask, figures_of_merit, threshold),
    }
    for name, figure in figures.items():
        plots.save(figure, output[name], settings)


if __name__ == "__main__":
    with job(snakemake):
        plot_convergence(
            dataset=snakemake.wildcards.dataset,
            masks=snakemake.input.masks,
            convergence=snakemake.input.convergence,
            significance=snakemake.input.significance,
            exclusion_mask=snakemake.input.exclusion_mask,
            quality=snakemake.input.quality,
            null=snakemake.input.null,
            threshold=snakemake.params.threshold,
            settings=snakemake.params.plots,
            output=dict(snakemake.output.items()),
        )
