"""Estimate the background from the pixels that the exclusion mask leaves, or begin with the user's."""

from skymask.core.background import Background, mean_background
from skymask.datasets.measured import measured_of
from skymask.io import maps
from skymask.workflow.jobs import job


def write_background(*, iteration, counts, acceptance, exclusion_mask, kernels, stack, output):
    counts = maps.read_product(counts)["counts"]
    given = maps.read_product(acceptance)
    acceptance, additive_background = maps.read_acceptance(acceptance)
    mask = maps.read_product(exclusion_mask)["exclusion_mask"].data == 1
    if iteration == 0 and "background" in given:
        estimate = Background(given["background"].data)
    else:
        estimate = measured_of(stack, counts.data, acceptance, additive_background, kernels).estimate(mask)
    cards = maps.mean_background_cards(mean_background(estimate.background))
    maps.write(output, estimate.maps(), sky=counts.header, cards=cards)


if __name__ == "__main__":
    with job(snakemake):
        settings = snakemake.params.settings
        write_background(
            iteration=int(snakemake.wildcards.iteration),
            counts=snakemake.input.counts,
            acceptance=snakemake.input.acceptance,
            exclusion_mask=snakemake.input.exclusion_mask,
            stack=settings.pop("stack"),
            kernels=settings,
            output=snakemake.output.background,
        )
