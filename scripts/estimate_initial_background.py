"""Estimate the initial background from the user's mask, or take the user's, and write the maps all later steps read."""

import numpy as np

from skymask.core.background import Background, estimate_background
from skymask.datasets.reading import named_files, origin_cards, read_dataset
from skymask.datasets.runs import estimate_runs
from skymask.io import maps
from skymask.sky.configured_kernels import background_kernel, to_pixels
from skymask.sky.geometry import pixel_size
from skymask.workflow.jobs import job


def estimate_initial_background(
    *, files, runs, selection, kernels, stack, counts, acceptance, exclusion_mask, background
):
    dataset = read_dataset(**files, **runs, **selection)
    inputs, header = dataset.inputs, dataset.header
    size = pixel_size(header)
    if inputs.background is not None:
        estimate = Background(inputs.background)
    elif dataset.runs is not None:
        estimate = estimate_runs(dataset.runs, inputs.exclusion_mask, size, kernels, stack)
    else:
        estimate = estimate_background(
            inputs.counts,
            inputs.acceptance,
            inputs.exclusion_mask,
            background_kernel(size, **kernels),
            source_kernel=to_pixels(kernels["source_kernel"], size),
            additive_background=inputs.additive_background,
        )
    maps.write(
        counts, {"counts": inputs.counts}, sky=header, cards=[*maps.pixel_size_cards(size), *origin_cards(dataset)]
    )
    expected = {"acceptance": inputs.acceptance}
    if inputs.additive_background is not None:
        expected["additive_background"] = inputs.additive_background
    maps.write(acceptance, expected, sky=header, cards=maps.pixel_size_cards(size))
    # Before the first decision, every pixel is used.
    masks = {"exclusion_mask": inputs.exclusion_mask, "decision": np.ones_like(inputs.exclusion_mask)}
    maps.write(exclusion_mask, masks, sky=header)
    maps.write(background, estimate.maps(), sky=header)


if __name__ == "__main__":
    with job(snakemake):
        estimate_initial_background(
            files=named_files(snakemake.input, snakemake.params.hdus),
            runs=snakemake.params.runs,
            selection=snakemake.params.selection,
            kernels=snakemake.params.kernels,
            stack=snakemake.params.stack,
            counts=snakemake.output.counts,
            acceptance=snakemake.output.acceptance,
            exclusion_mask=snakemake.output.exclusion_mask,
            background=snakemake.output.background,
        )
