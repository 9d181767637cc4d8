"""Compute the significance of every pixel under every source kernel, given the background of the iteration before."""

from skymask.core.background import Background
from skymask.core.significance import compute_significance
from skymask.io import maps
from skymask.sky.configured_kernels import to_pixels
from skymask.workflow.jobs import job


def write_significance(*, counts, acceptance, background, source_kernels, options, output):
    counts = maps.read_product(counts)["counts"]
    acceptance, additive_background = maps.read_acceptance(acceptance)
    estimate = Background.of_maps({name: sky_map.data for name, sky_map in maps.read_product(background).items()})
    images = {}
    for number, source_kernel in enumerate(source_kernels):
        kernel = to_pixels(source_kernel, maps.pixel_size(counts.header))
        result = compute_significance(
            counts.data,
            acceptance.data,
            estimate.under(number),
            kernel,
            additive_background=additive_background,
            **options,
        )
        images[f"significance_{number}" if number else "significance"] = result.significance
    maps.write(output, images, sky=counts.header)


if __name__ == "__main__":
    with job(snakemake):
        settings = snakemake.params.settings
        write_significance(
            counts=snakemake.input.counts,
            acceptance=snakemake.input.acceptance,
            background=snakemake.input.background,
            source_kernels=[settings["source_kernel"], *settings["mask_source_kernels"]],
            options={key: settings[key] for key in ("statistic", "background_systematic")},
            output=snakemake.output.significance,
        )
