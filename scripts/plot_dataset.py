"""Plot everything about a dataset: its maps, its loop, its rings if they are adaptive, the truth if it is known."""

from skymask.io import maps
from skymask.io.json_files import read_json
from skymask.products import plots, products
from skymask.registry import FIGURES
from skymask.sky.configured_kernels import to_pixels
from skymask.sky.geometry import pixel_size
from skymask.workflow.jobs import job

#: Of the picture in the table of datasets, however fine the figures are.
THUMBNAIL_DPI = 100


def read_mask(path):
    return maps.read_product(path)["exclusion_mask"].data == 1


def plot_maps(*, layers, exclusion_mask, settings, output):
    mask, limits = read_mask(exclusion_mask), settings["significance_limits"]
    for name, path in layers.items():
        shown = maps.read_product(path)[name]
        figure = plots.sky_map(name, shown.data, shown.header, mask, significance_limits=limits)
        plots.save(figure, output[name], settings)
        if name == "significance":
            small = plots.thumbnail(shown.data, mask, significance_limits=limits)
            plots.save(small, output["thumbnail"], {"dpi": THUMBNAIL_DPI})


def plot_loop(*, dataset, masks, convergence, significance, exclusion_mask, quality, null, threshold, settings, output):
    significance = maps.read_product(significance)["significance"]
    final_mask = read_mask(exclusion_mask)
    rows = products.read_convergence_table(convergence)
    figures_of_merit = read_json(quality) | read_json(null)
    figure = plots.mask_growth([read_mask(path) for path in masks], final_mask, significance.header)
    plots.save(figure, output["mask_growth"], settings)
    figure = plots.convergence(dataset, rows, significance.header["PERIOD"])
    plots.save(figure, output["convergence"], settings)
    figure = plots.off_source(dataset, significance.data, final_mask, figures_of_merit, threshold)
    plots.save(figure, output["off_source"], settings)


def plot_ring_radius(*, ring_radius, coverage, exclusion_mask, settings, output):
    ring_radius = maps.read_product(ring_radius)["ring_radius"]
    coverage = maps.read_product(coverage)["coverage"].data == 1
    figure = plots.ring_radius(ring_radius.data, coverage, read_mask(exclusion_mask), ring_radius.header)
    plots.save(figure, output["ring_radius"], settings)


def plot_truth(*, simulation, background, background_error, exclusion_mask, source_kernel, settings, output):
    truth = maps.read_product(simulation)
    estimated = maps.read_product(background)["background"]
    figure = plots.truth(
        estimated.data,
        maps.read_product(background_error)["background_error"].data,
        truth["expected_background"].data,
        truth["expected_sources"].data,
        read_mask(exclusion_mask),
        estimated.header,
        to_pixels(source_kernel, pixel_size(estimated.header)),
    )
    plots.save(figure, output["truth"], settings)


if __name__ == "__main__":
    with job(snakemake):
        files = dict(snakemake.input.items())
        common = {
            "exclusion_mask": files["exclusion_mask"],
            "settings": snakemake.params.plots,
            "output": dict(snakemake.output.items()),
        }
        plot_maps(layers={name: files[name] for name in FIGURES}, **common)
        loop = {key: files[key] for key in ("masks", "convergence", "significance", "quality", "null")}
        plot_loop(dataset=snakemake.wildcards.dataset, threshold=snakemake.params.threshold, **loop, **common)
        if "ring_radius" in files:
            plot_ring_radius(ring_radius=files["ring_radius"], coverage=files["coverage"], **common)
        if "simulation" in files:
            truth = {key: files[key] for key in ("simulation", "background", "background_error")}
            plot_truth(source_kernel=snakemake.params.source_kernel, **truth, **common)
