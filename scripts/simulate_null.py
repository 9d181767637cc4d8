"""Simulate the background alone, for the errors of quality figures and the trials behind the hottest pixel."""

from skymask import maps, null_simulations
from skymask.jobs import job, read_json, write_json
from skymask.pixel_kernels import background_kernel, to_pixels


def write_null(
    *,
    background,
    acceptance,
    exclusion_mask,
    quality,
    kernels,
    background_systematic,
    threshold,
    simulate,
    output,
):
    acceptance, additive_background = maps.read_acceptance(acceptance)
    size = maps.pixel_size(acceptance.header)
    source_kernel = to_pixels(kernels["source_kernel"], size)
    simulations = null_simulations.simulate_null(
        maps.read_product(background)["background"].data,
        acceptance.data,
        maps.read_product(exclusion_mask)["exclusion_mask"].data == 1,
        source_kernel,
        background_kernel(size, **kernels),
        statistic=kernels["statistic"],
        background_systematic=background_systematic,
        additive_background=additive_background,
        threshold=threshold,
        **simulate,
    )
    figures = read_json(quality)
    pixels = figures["covered"] - figures["starved"]
    null = null_simulations.summarize(
        simulations,
        figures["highest_significance"],
        pixels=pixels,
        kernel_areas=pixels / null_simulations.kernel_area(source_kernel),
        **simulate,
    )
    write_json(output, null)


if __name__ == "__main__":
    with job(snakemake):
        write_null(
            background=snakemake.input.background,
            acceptance=snakemake.input.acceptance,
            exclusion_mask=snakemake.input.exclusion_mask,
            quality=snakemake.input.quality,
            kernels=snakemake.params.kernels,
            background_systematic=snakemake.params.background_systematic,
            threshold=snakemake.params.threshold,
            simulate=snakemake.params.simulate,
            output=snakemake.output.null,
        )
