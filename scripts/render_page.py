"""Render the page of one dataset: its maps for the viewer, regions, figures, and how they were made."""

import re

from skymask.io import maps
from skymask.io.json_files import read_json
from skymask.products import viewer
from skymask.products.products import read_convergence_table
from skymask.products.report import render_page
from skymask.registry import TRAITS, shown_maps
from skymask.sky.geometry import pixel_size
from skymask.sky.region_catalogue import read_catalogue
from skymask.workflow.jobs import job


def write_page(*, status, layers, masks, convergence, catalogue, figures, files, significance_limits, output):
    status = read_json(status)
    if not layers:
        render_page(status, [], output)
        return
    read = {name: maps.read_product(path)[name] for name, path in layers.items()}
    final = read["significance"]
    block = viewer.block_size(final.data.shape)
    limits = {"significance": significance_limits}
    shown = {
        "layers": [
            viewer.layer(name, sky_map.data, limits.get(name), block) | {"unit": sky_map.header["BUNIT"]}
            for name, sky_map in read.items()
        ],
        "masks": [viewer.mask(maps.read_product(path)["exclusion_mask"].data == 1, block) for path in masks],
        "sky": viewer.sky_grid(final.header, final.data.shape, pixel_size(final.header)),
        "shape": [-(-size // block) for size in final.data.shape],
        "full_shape": list(final.data.shape),
        "block": block,
    }
    render_page(
        status,
        figures,
        output,
        viewer=shown,
        regions=read_catalogue(catalogue),
        convergence=[
            {key: int(row[key]) for key in ("iteration", "excluded", "added", "released")}
            for row in read_convergence_table(convergence)
        ],
        origin=[
            (f"{card.keyword} ({card.comment})" if card.comment else card.keyword, card.value)
            for card in final.header.cards
            if re.match("SHA|FIL|CREATOR", card.keyword)
        ],
        files=files,
    )


if __name__ == "__main__":
    with job(snakemake):
        write_page(
            status=snakemake.input.status,
            layers={name: path for name, path in snakemake.input.items() if name in shown_maps(TRAITS)},
            masks=snakemake.input.get("masks"),
            convergence=snakemake.input.get("convergence"),
            catalogue=snakemake.input.get("catalogue"),
            figures=snakemake.input.get("figures"),
            files=snakemake.params.files,
            significance_limits=snakemake.params.plots["significance_limits"],
            output=snakemake.output.page,
        )
