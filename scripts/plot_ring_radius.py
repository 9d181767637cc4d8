"""Plot the outer radius of the adaptive ring at every pixel."""

from skymask import maps, plots
from skymask.jobs import job


def plot_ring_radius(*, ring_radius, coverage, exclusion_mask, settings, output):
    ring_radius = maps.read_product(ring_radius)["ring_radius"]
    coverage = maps.read_product(coverage)["coverage"].data == 1
    mask = maps.read_product(exclusion_mask)["exclusion_mask"].data == 1
    plots.save(plots.ring_radius(ring_radius.data, coverage, mask, ring_radius.header), output, settings)


if __name__ == "__main__":
    with job(snakemake):
        plot_ring_radius(
            ring_radius=snakemake.input.ring_radius,
            coverage=snakemake.input.coverage,
            exclusion_mask=snakemake.input.exclusion_mask,
            settings=snakemake.params.plots,
            output=snakemake.output.ring_radius,
        )
