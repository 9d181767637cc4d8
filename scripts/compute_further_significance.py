"""Compute significance, excess and limits under a further source kernel from the products."""

from skymask.datasets.measured import measured_of
from skymask.errors import MapError
from skymask.io import maps
from skymask.products.products import cards_of_further_kernel, counts_of
from skymask.sky.configured_kernels import to_pixels
from skymask.workflow.jobs import job


def write_further_significance(
    *,
    name,
    counts,
    acceptance,
    exclusion_mask,
    products,
    kernels,
    stack,
    further_kernel,
    background_systematic,
    confidence_level,
    output,
):
    counts = maps.read_product(counts)["counts"]
    acceptance, additive_background = maps.read_acceptance(acceptance)
    mask = maps.read_product(exclusion_mask)["exclusion_mask"].data == 1
    measured = measured_of(stack, counts_of(counts.data), acceptance, additive_background, kernels)
    try:
        result = measured.under(
            to_pixels(further_kernel, maps.pixel_size(acceptance.header)),
            mask,
            {name: maps.read_product(path)[name].data for name, path in products.items()},
            background_systematic=background_systematic,
            confidence_level=confidence_level,
        )
    except MapError as error:
        raise MapError(f"further_source_kernels.{name}: {error}") from error
    cards = cards_of_further_kernel(counts.header, name, further_kernel)
    level = [("CONFLEV", confidence_level, "one-sided confidence level")]
    for product, image in result.items():
        more = level if product == "excess_upper_limit" else []
        maps.write(output[product], {product: image}, sky=counts.header, cards=cards + more)


if __name__ == "__main__":
    with job(snakemake):
        settings = snakemake.params.settings
        write_further_significance(
            name=snakemake.wildcards.kernel,
            counts=snakemake.input.counts,
            acceptance=snakemake.input.acceptance,
            products={name: snakemake.input[name] for name in ("background", "counts_off", "alpha")},
            exclusion_mask=snakemake.input.exclusion_mask,
            further_kernel=settings.pop("further_source_kernels")[snakemake.wildcards.kernel],
            background_systematic=settings.pop("background_systematic"),
            confidence_level=settings.pop("limits")["confidence_level"],
            stack=settings.pop("stack"),
            kernels=settings,
            output=dict(snakemake.output.items()),
        )
