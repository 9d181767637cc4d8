"""Compute the significance of every pixel, given the background of the iteration before."""

from skymask import maps
from skymask.background import Background
from skymask.geometry import pixel_kernel
from skymask.jobs import job
from skymask.significance import compute_significance


def write_significance(*, counts, acceptance, background, source_kernel, statistic, output):
    counts = maps.read_product(counts)["counts"]
    acceptance = maps.read_product(acceptance)["acceptance"].data
    estimate = Background(**{name: sky_map.data for name, sky_map in maps.read_product(background).items()})
    kernel = pixel_kernel(source_kernel, counts.header)
    result = compute_significance(counts.data, acceptance, estimate, kernel, statistic=statistic)
    maps.write(output, {"significance": result.significance}, sky=counts.header)


if __name__ == "__main__":
    with job(snakemake):
        write_significance(
            counts=snakemake.input.counts,
            acceptance=snakemake.input.acceptance,
            background=snakemake.input.background,
            source_kernel=snakemake.params.source_kernel,
            statistic=snakemake.params.statistic,
            output=snakemake.output.significance,
        )
