"""Compute significance, excess and limits under a further source kernel from the products."""

from skymask import maps
from skymask.errors import MapError
from skymask.further import compute_further_significance
from skymask.jobs import job
from skymask.pixel_kernels import background_kernel, to_pixels
from skymask.products import cards_of_further_kernel, counts_of


def write_further_significance(
    *, name, counts, acceptance, products, kernels, further_kernel, background_systematic, confidence_level, output
):
    counts = maps.read_product(counts)["counts"]
    acceptance, additive_background = maps.read_acceptance(acceptance)
    size = maps.pixel_size(acceptance.header)
    try:
        result = compute_further_significance(
            counts_of(counts.data),
            acceptance.data,
            {name: maps.read_product(path)[name].data for name, path in products.items()},
            to_pixels(kernels["source_kernel"], size),
            to_pixels(further_kernel, size),
            background_kernel(size, **kernels),
            statistic=kernels["statistic"],
            background_systematic=background_systematic,
            additive_background=additive_background,
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
        write_further_significance(
            name=snakemake.wildcards.kernel,
            counts=snakemake.input.counts,
            acceptance=snakemake.input.acceptance,
            products={name: snakemake.input[name] for name in ("background", "counts_off", "alpha")},
            kernels=snakemake.params.kernels,
            further_kernel=snakemake.params.further_kernel,
            background_systematic=snakemake.params.background_systematic,
            confidence_level=snakemake.params.limits["confidence_level"],
            output=dict(snakemake.output.items()),
        )
