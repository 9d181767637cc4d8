"""Compute the final maps of every energy bin of a stack, with the final mask of all of them together."""

import numpy as np

from skymask.datasets.measured import measured_of
from skymask.io import maps
from skymask.loop.iteration import Products
from skymask.products.products import inherited_cards
from skymask.workflow.jobs import job


def write_energy_bins(*, counts, acceptance, exclusion_mask, kernels, stack, background_systematic, output):
    header = maps.read_header(counts)
    acceptance = maps.read_product(acceptance)["acceptance"]
    mask = maps.read_product(exclusion_mask)["exclusion_mask"].data == 1
    measured = measured_of(stack, None, acceptance, None, kernels)
    estimates, totals = measured.estimate_bins(mask), measured.runs.totals()
    planes = []
    for source_kernel, estimate, (counts_of_bin, acceptance_of_bin) in zip(
        measured.source_kernels, estimates, totals, strict=True
    ):
        products = Products(
            counts_of_bin,
            acceptance_of_bin,
            estimate,
            source_kernel,
            statistic=kernels["statistic"],
            background_systematic=background_systematic,
        )
        planes.append({"counts": np.where(acceptance_of_bin > 0, counts_of_bin, np.nan), **products.maps()})
    for name, path in output.items():
        cube = np.stack([plane[name] for plane in planes])
        maps.write(path, {name: cube}, sky=header, cards=inherited_cards(header), energies=measured.runs.energies)


if __name__ == "__main__":
    with job(snakemake):
        settings = snakemake.params.settings
        write_energy_bins(
            counts=snakemake.input.counts,
            acceptance=snakemake.input.acceptance,
            exclusion_mask=snakemake.input.exclusion_mask,
            stack=settings.pop("stack"),
            background_systematic=settings.pop("background_systematic"),
            kernels=settings,
            output=dict(snakemake.output.items()),
        )
