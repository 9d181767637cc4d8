"""Compute the final maps of every energy bin of a stack, with the final mask of all of them together."""

import numpy as np

from skymask.datasets.runs import estimate_energy_bins, runs_of
from skymask.io import maps
from skymask.loop.iteration import Products
from skymask.products.products import inherited_cards
from skymask.sky.configured_kernels import kernels_of_bins
from skymask.workflow.jobs import job


def write_energy_bins(*, counts, acceptance, exclusion_mask, kernels, stack, background_systematic, output):
    header = maps.read_header(counts)
    acceptance = maps.read_product(acceptance)["acceptance"]
    mask = maps.read_product(exclusion_mask)["exclusion_mask"].data == 1
    size = maps.pixel_size(acceptance.header)
    runs = runs_of(stack, acceptance)
    estimates = estimate_energy_bins(runs, mask, size, kernels, stack)
    source_kernels, _ = kernels_of_bins(size, runs.planes, energy_kernels=stack["energy_kernels"], **kernels)
    planes = []
    for source_kernel, estimate, (counts_of_bin, acceptance_of_bin) in zip(
        source_kernels, estimates, runs.totals(), strict=True
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
        maps.write(path, {name: cube}, sky=header, cards=inherited_cards(header), energies=runs.energies)


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
