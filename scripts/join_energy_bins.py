"""Put the energy bins of a cube, each with a loop of its own, together again; a bin that failed is NaN."""

import numpy as np

from skymask.io import maps
from skymask.workflow.jobs import job


def join_energy_bins(*, cube, counts, bins, products, output):
    energies = maps.read_layout(counts).energies
    for name, path in output.items():
        planes = {number: maps.read_product(file)[name] for number, file in products[name].items()}
        first = next(iter(planes.values()))
        missing = np.zeros(first.data.shape) if name == "exclusion_mask" else np.full(first.data.shape, np.nan)
        data = np.stack([planes[number].data if number in planes else missing for number in range(bins)])
        maps.write(
            path, {name: data}, sky=first.header, cards=[("DATASET", cube, "name of the cube")], energies=energies
        )


if __name__ == "__main__":
    with job(snakemake):
        settings = snakemake.params.settings
        join_energy_bins(
            cube=snakemake.wildcards.dataset,
            counts=settings["counts"],
            bins=settings["bins"],
            products={
                name: dict(zip(settings["numbers"], snakemake.input[name], strict=True))
                for name, _ in snakemake.output.items()
            },
            output=dict(snakemake.output.items()),
        )
