"""Simulate the background alone, for the errors of quality figures and the trials behind the hottest pixel."""

from skymask.datasets.measured import measured_of
from skymask.io import maps
from skymask.io.json_files import read_json, write_json
from skymask.loop import null_simulations
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
    measured = measured_of(stack, None, acceptance, additive_background, kernels)
    mask = maps.read_product(exclusion_mask)["exclusion_mask"].data == 1
    options = {"background_systematic": background_systematic, "threshold": threshold, **simulate}
    known = maps.read_product(background)["background"].data
    simulations = null_simulations.simulate(measured, mask, known, **options)
    figures = read_json(quality)
    pixels = figures["covered"] - figures["starved"]
    null = null_simulations.summarize(
        simulations,
        figures["highest_significance"],
        pixels=pixels,
        kernel_areas=pixels / null_simulations.kernel_area(measured.source_kernel),
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
