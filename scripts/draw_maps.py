"""Draw a figure for a paper that shows maps, and write the maps behind it."""

from skymask.core.exclusion import first_exclusion
from skymask.io import maps
from skymask.io.json_files import read_json
from skymask.io.position_tables import read_labels
from skymask.products import paper_figures
from skymask.products.products import inherited_cards
from skymask.registry import MAPS
from skymask.workflow.jobs import job


def draw_maps(*, name, settings, status, inputs, masks, source_kernel, plots, output):
    paper_figures.refuse_failed(name, read_json(status))
    labels = read_labels(**settings["labels"]) if settings["labels"] else None
    read = {key: maps.read_product(path)[key] for key, path in inputs.items()}
    whole = {key: sky_map.data for key, sky_map in read.items()}
    whole["exclusion_mask"] = whole["exclusion_mask"] == 1
    header = read["significance"].header
    cards = [card for card in inherited_cards(header) if card[0] != "BUNIT"]
    masks = [maps.read_product(path)["exclusion_mask"].data == 1 for path in masks]
    whole |= {str(number): mask for number, mask in enumerate(masks)}
    images, header = paper_figures.cut(whole, header, settings["cut"])
    if settings["kind"] == "mask_evolution":
        masks = [images[str(number)] for number in range(len(masks))]
        figure = paper_figures.mask_evolution(masks, images["exclusion_mask"], header, settings, labels)
        shown = {"first_excluded": first_exclusion(masks)}
    else:
        draw = paper_figures.strips if settings["kind"] == "strips" else paper_figures.map_panels
        figure = draw(
            images,
            header,
            settings,
            source_kernel=source_kernel,
            significance_limits=plots["significance_limits"],
            labels=labels,
        )
        shown = {key: images[key] for key in dict.fromkeys([*settings["layers"], "significance"])}
    maps.write(output["data"], shown | {"exclusion_mask": images["exclusion_mask"]}, sky=header, cards=cards)
    paper_figures.save(figure, output, plots["paper_dpi"])


if __name__ == "__main__":
    with job(snakemake):
        draw_maps(
            name=snakemake.wildcards.figure,
            settings=snakemake.params.settings,
            source_kernel=snakemake.params.source_kernel,
            status=snakemake.input.status,
            inputs={key: path for key, path in snakemake.input.items() if key in MAPS},
            masks=snakemake.input.get("masks", []),
            plots=snakemake.params.plots,
            output=dict(snakemake.output.items()),
        )
