"""Simulate a sky with known truth."""

from skymask.datasets.simulation import simulate_counts
from skymask.io import maps
from skymask.workflow.jobs import job


def write_simulation(*, simulation, output):
    sky = simulate_counts(**simulation)
    images = {
        "counts": sky.counts,
        "acceptance": sky.acceptance,
        "expected_background": sky.expected_background,
        "expected_sources": sky.expected_sources,
    }
    maps.write(output, images, sky=sky.header, cards=[("SEED", simulation["seed"], "seed of the random numbers")])


if __name__ == "__main__":
    with job(snakemake):
        write_simulation(simulation=snakemake.params.settings["simulate"], output=snakemake.output.simulation)
