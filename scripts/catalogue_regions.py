"""Catalogue the excluded regions: a table, their outlines for DS9, and the inverse mask for packages that want it."""

from skymask.datasets.measured import measured_of
from skymask.io import maps
from skymask.products.products import counts_of, inherited_cards
from skymask.sky import region_catalogue
from skymask.workflow.jobs import job


def write_catalogue(*, dataset, inputs, acceptance, masks, kernels, stack, output):
    read = {name: maps.read_product(path)[name] for name, path in inputs.items()}
    acceptance, additive_background = maps.read_acceptance(acceptance)
    final_mask = read["exclusion_mask"].data == 1
    size = maps.pixel_size(acceptance.header)
    counts = counts_of(read["counts"].data)
    measured = measured_of(stack, counts, acceptance, additive_background, kernels)
    rows, labels = region_catalogue.catalogue_regions(
        counts,
        acceptance.data > 0,
        [maps.read_product(path)["exclusion_mask"].data == 1 for path in masks],
        final_mask,
        read["background"].data,
        read["significance"].data,
        measured.parts(),
    )
    header = read["exclusion_mask"].header
    rows = region_catalogue.with_positions(rows, header, size)
    region_catalogue.write_catalogue(output["catalogue"], rows, header, dataset=dataset)
    region_catalogue.write_ds9_regions(output["outlines"], labels, header)
    cards = [card for card in inherited_cards(header) if card[0] != "MASKDEF"]
    cards.append(("MASKDEF", "1 excluded, 0 used", "as ctools and numpy.ma; exclusion_mask is the opposite"))
    maps.write(output["inverse_mask"], {"exclusion_mask_inverse": ~final_mask}, sky=header, cards=cards)


if __name__ == "__main__":
    with job(snakemake):
        settings = snakemake.params.settings
        write_catalogue(
            dataset=snakemake.wildcards.dataset,
            inputs={name: snakemake.input[name] for name in ("counts", "background", "significance", "exclusion_mask")},
            acceptance=snakemake.input.acceptance,
            masks=snakemake.input.masks,
            stack=settings.pop("stack"),
            kernels=settings,
            output=dict(snakemake.output.items()),
        )
