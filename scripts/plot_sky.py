"""Plot the products of a HEALPix map on the whole sky, or on the part of it that has data."""

from skymask.io.healpix_files import read_healpix
from skymask.products import plots
from skymask.sky import healpix
from skymask.workflow.jobs import job


def plot_sky(*, inputs, sky_name, settings, output):
    header, shape = healpix.picture_grid(read_healpix(inputs["counts"]))
    images = {name: healpix.picture(read_healpix(path), header, shape) for name, path in inputs.items()}
    header["DATASET"] = sky_name
    mask = images.pop("exclusion_mask") != 0
    figure = plots.sky_maps(images, header, mask, significance_limits=settings["significance_limits"])
    plots.save(figure, output, settings)


if __name__ == "__main__":
    with job(snakemake):
        plot_sky(
            inputs=dict(snakemake.input.items()),
            sky_name=snakemake.wildcards.sky,
            settings=snakemake.params.plots,
            output=snakemake.output.sky,
        )
