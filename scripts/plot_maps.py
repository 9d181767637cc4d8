"""Plot counts, background, significance and excess on the sky."""

from skymask import maps, plots
from skymask.jobs import job

#: Of the picture in the table of datasets, however fine the figures are.
THUMBNAIL_DPI = 100


def plot_maps(*, inputs, settings, output):
    read = {name: maps.read_product(path)[name] for name, path in inputs.items()}
    header = read["counts"].header
    mask = read.pop("exclusion_mask").data == 1
    for name, sky_map in read.items():
        figure = plots.sky_map(name, sky_map.data, header, mask, significance_limits=settings["significance_limits"])
        plots.save(figure, output[name], settings)
    limits = settings["significance_limits"]
    figure = plots.thumbnail(read["significance"].data, mask, significance_limits=limits)
    plots.save(figure, output["thumbnail"], {"dpi": THUMBNAIL_DPI})


if __name__ == "__main__":
    with job(snakemake):
        plot_maps(
            inputs=dict(snakemake.input.items()),
            settings=snakemake.params.plots,
            output=dict(snakemake.output.items()),
        )
