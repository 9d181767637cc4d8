"""Plot everything about a dataset: its maps, its loop, its rings if they are adaptive, the truth if it is known."""

from skymask.io import maps
from skymask.io.json_files import read_json
from skymask.products import figures
from skymask.products.field import field_of
from skymask.products.products import read_convergence_table
from skymask.registry import FIGURES
from skymask.sky.configured_kernels import to_pixels
from skymask.sky.geometry import pixel_size
from skymask.workflow.jobs import job


def plot_dataset(*, files, threshold, source_kernel, settings, output):
    # No more of them is read at a time than some rows.
    shown = [name for name in (*FIGURES, "coverage", "ring_radius") if name in files]
    images = {name: maps.open_product(files[name])[name] for name in shown}
    every_mask = (maps.open_product(path)["exclusion_mask"] for path in (*files["masks"], files["exclusion_mask"]))
    field = field_of(images, every_mask, images["significance"].header)
    mask = maps.open_product(files["exclusion_mask"])["exclusion_mask"]
    truth = None
    if "simulation" in files:
        true = maps.open_product(files["simulation"])
        truth = figures.compare_with_truth(
            images["background"],
            maps.open_product(files["background_error"])["background_error"],
            true["expected_background"],
            true["expected_sources"],
            mask,
            to_pixels(source_kernel, pixel_size(field.header)),
            field.block,
        )
    figures.draw_figures(
        output,
        field,
        rows=read_convergence_table(files["convergence"]),
        quality=read_json(files["quality"]) | read_json(files["null"]),
        distribution=figures.distribution_of(images["significance"], mask),
        threshold=threshold,
        settings=settings,
        truth=truth,
    )


if __name__ == "__main__":
    with job(snakemake):
        plot_dataset(
            files=dict(snakemake.input.items()),
            threshold=snakemake.params.settings["threshold"],
            source_kernel=snakemake.params.settings["source_kernel"],
            settings=snakemake.params.plots,
            output=dict(snakemake.output.items()),
        )
