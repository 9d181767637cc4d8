"""Plot background and mask of a simulated dataset against the truth."""

from skymask import maps, plots
from skymask.geometry import pixel_size
from skymask.jobs import job
from skymask.pixel_kernels import to_pixels


def plot_truth(*, simulation, background, background_error, exclusion_mask, source_kernel, settings, output):
    truth = maps.read_product(simulation)
    estimated = maps.read_product(background)["background"]
    error = maps.read_product(background_error)["background_error"].data
    mask = maps.read_product(exclusion_mask)["exclusion_mask"].data == 1
    figure = plots.truth(
        estimated.data,
        error,
        truth["expected_background"].data,
        truth["expected_sources"].data,
        mask,
        estimated.header,
        to_pixels(source_kernel, pixel_size(estimated.header)),
    )
    plots.save(figure, output, settings)


if __name__ == "__main__":
    with job(snakemake):
        plot_truth(
            simulation=snakemake.input.simulation,
            background=snakemake.input.background,
            background_error=snakemake.input.background_error,
            exclusion_mask=snakemake.input.exclusion_mask,
            source_kernel=snakemake.params.source_kernel,
            settings=snakemake.params.plots,
            output=snakemake.output.truth,
        )
