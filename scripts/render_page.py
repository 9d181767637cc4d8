"""Render the page of one dataset: its maps for the viewer, regions, figures, and how they were made."""

import re

from skymask.io import maps
from skymask.io.json_files import read_json
from skymask.products import viewer
from skymask.products.field import field_of
from skymask.products.products import read_convergence_table
from skymask.products.report import render_page
from skymask.registry import TRAITS, shown_maps
from skymask.sky.region_catalogue import read_catalogue
from skymask.workflow.jobs import job


def read_field(layers, masks):
    """What the page shows, read some rows at a time."""
    images = {name: maps.open_product(path)[name] for name, path in layers.items()}
    every_mask = (maps.open_product(path)["exclusion_mask"] for path in masks)
    return field_of(images, every_mask, images["significance"].header)


def write_page(*, status, layers, masks, convergence, catalogue, figures, files, significance_limits, output):
    status = read_json(status)
    if not layers:
        render_page(status, [], output)
        return
    field = read_field(layers, masks)
    render_page(
        status,
        figures,
        output,
        viewer=viewer.view_of(field, significance_limits),
        regions=read_catalogue(catalogue),
        convergence=[
            {key: int(row[key]) for key in ("iteration", "excluded", "added", "released")}
            for row in read_convergence_table(convergence)
        ],
        origin=[
            (f"{card.keyword} ({card.comment})" if card.comment else card.keyword, card.value)
            for card in field.header.cards
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
