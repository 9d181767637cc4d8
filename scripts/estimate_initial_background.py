"""Estimate the initial background from the user's mask, or take the user's, and write the maps all later steps read."""

import numpy as np

from skymask import maps
from skymask.background import Background, estimate_background
from skymask.datasets import digest_cards, named_files, pixel_background_kernel, read_dataset
from skymask.jobs import job


def estimate_initial_background(*, files, kernels, counts, acceptance, exclusion_mask, background):
    inputs, header, digests = read_dataset(**files)
    if inputs.background is not None:
        estimate = Background(inputs.background)
    else:
        kernel = pixel_background_kernel(header, **kernels)
        estimate = estimate_background(inputs.counts, inputs.acceptance, inputs.exclusion_mask, kernel)
    maps.write(counts, {"counts": inputs.counts}, sky=header, cards=digest_cards(digests))
    maps.write(acceptance, {"acceptance": inputs.acceptance}, sky=header)
    # Before the first decision, every pixel is used.
    masks = {"exclusion_mask": inputs.exclusion_mask, "decision": np.ones_like(inputs.exclusion_mask)}
    maps.write(exclusion_mask, masks, sky=header)
    maps.write(background, estimate.maps(), sky=header)


if __name__ == "__main__":
    with job(snakemake):
        estimate_initial_background(
            files=named_files(snakemake.input, snakemake.params.hdus),
            kernels=snakemake.params.kernels,
            counts=snakemake.output.counts,
            acceptance=snakemake.output.acceptance,
            exclusion_mask=snakemake.output.exclusion_mask,
            background=snakemake.output.background,
        )
