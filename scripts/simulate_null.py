"""Simulate the background alone, for the errors of quality figures and the trials behind the hottest pixel."""

from skymask.io import maps
from skymask.io.json_files import read_json, write_json
from skymask.loop import null_simulations
from skymask.sky.configured_kernels import background_kernel, to_pixels
from skymask.workflow.jobs import job


def write_null(
    *,
    background,
    acceptance,
    exclusion_mask,
    quality,
    kernels,
    stack,
    background_systematic,
    threshold,
    simulate,
    output,
):
    acceptance, additive_background = maps.read_acceptance(acceptance)
    size = maps.pixel_size(acceptance.header)
    source_kernel = to_pixels(kernels["source_kernel"], size)
    mask = maps.read_product(exclusion_mask)["exclusion_mask"].data == 1
    options = {"background_systematic": background_systematic, "threshold": threshold, **simulate}
    if stack:
        # Its imports are felt, and single maps do without.
        from skymask.datasets.runs import runs_of, stack_options

        runs = runs_of(stack, acceptance)
        options |= stack_options(runs, size, kernels, stack)
        simulations = null_simulations.simulate_null_stack(runs, acceptance.data, mask, **options)
    else:
        simulations = null_simulations.simulate_null(
            maps.read_product(background)["background"].data,
            acceptance.data,
            mask,
            source_kernel,
            background_kernel(size, **kernels),
            statistic=kernels["statistic"],
            additive_background=additive_background,
            **options,
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
        settings = snakemake.params.settings
        write_null(
            background=snakemake.input.background,
            acceptance=snakemake.input.acceptance,
            exclusion_mask=snakemake.input.exclusion_mask,
            quality=snakemake.input.quality,
            stack=settings.pop("stack"),
            background_systematic=settings.pop("background_systematic"),
            threshold=settings.pop("threshold"),
            simulate=settings.pop("null_simulations"),
            kernels=settings,
            output=snakemake.output.null,
        )
