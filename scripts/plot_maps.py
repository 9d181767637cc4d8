"""Plot counts, background, significance and excess on the sky."""

from skymask import maps, plots
from skymask.jobs import job


def plot_maps(*, inputs, settings, output):
    read = {name: maps.read_product(path)[name] for name, path in inputs.items()}
    header = read["counts"].header
    mask = read.pop("exclusion_mask").data == 1
    for name, sky_map in read.items():
        figure = plots.sky_map(name, sky_map.data, header, mask, significance_limits=settings["significance_limits"])
        plots.save(figure, output[name], settings)


if __name__ == "__main__":
    with job(snakemake):
        plot_maps(
            inputs=dict(snakemake.input.items()),
            settings=snakemake.params.plots,
            output=dict(snakemake.output.items()),
        )
