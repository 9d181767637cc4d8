"""Compute the products that belong to the final mask, the convergence table and the quality figures."""

import numpy as np

from skymask.core import convergence
from skymask.core.quality import assess_quality
from skymask.datasets.measured import measured_of
from skymask.io import maps
from skymask.io.json_files import read_json, write_json
from skymask.loop.iteration import Products
from skymask.products import products
from skymask.workflow.jobs import job
from skymask.workflow.keys import KERNEL_KEYS


def write_products(
    *,
    dataset,
    counts,
    acceptance,
    masks,
    records,
    backgrounds,
    loop,
    kernels,
    stack,
    background_systematic,
    exclusion,
    limits,
    output,
    table,
    quality,
):
    counts = maps.read_product(counts)["counts"]
    acceptance, additive_background = maps.read_acceptance(acceptance)
    mask = np.logical_and.reduce([maps.read_product(path)["exclusion_mask"].data == 1 for path in masks])
    measured = measured_of(stack, counts.data, acceptance, additive_background, kernels)
    estimate = measured.estimate(mask)
    result = Products(
        counts.data,
        acceptance.data,
        estimate,
        measured.source_kernel,
        statistic=measured.statistic,
        background_systematic=background_systematic,
        additive_background=measured.additive_background,
    )
    coverage = acceptance.data > 0
    figures = assess_quality(
        result.significance,
        mask,
        coverage,
        result.counts_off,
        threshold=exclusion["threshold"],
        threshold_in_widths=exclusion["threshold_in_widths"],
        ring_radius=result.ring_radius,
    ) | {"without_background": list(estimate.without_background), "mask_sha256": convergence.digest(mask)}
    settings = {**kernels, **stack, "background_systematic": background_systematic, **exclusion, **limits}
    cards = products.cards(counts.header, dataset, loop, figures, settings)
    for name, image in products.images(counts.data, coverage, mask, result.maps()).items():
        maps.write(output[name], {name: image}, sky=counts.header, cards=cards)

    rows = [read_json(path)["record"] for path in records]
    for row, path in zip(rows, backgrounds, strict=True):
        row["mean_background"] = maps.mean_background(path)
    products.write_convergence_table(table, rows, loop["state"])
    write_json(quality, products.with_position(figures, counts.header))


if __name__ == "__main__":
    with job(snakemake):
        settings = snakemake.params.settings
        write_products(
            dataset=snakemake.wildcards.dataset,
            counts=snakemake.input.counts,
            acceptance=snakemake.input.acceptance,
            masks=snakemake.input.masks,
            records=snakemake.input.records,
            backgrounds=snakemake.input.backgrounds,
            loop=snakemake.params.loop,
            kernels={key: settings.pop(key) for key in KERNEL_KEYS},
            stack=settings.pop("stack"),
            background_systematic=settings.pop("background_systematic"),
            limits=settings.pop("convergence"),
            exclusion=settings,
            output=dict(snakemake.output.items()),
            table=snakemake.output.convergence,
            quality=snakemake.output.quality,
        )
