"""Compute significance, excess and limits under a further source kernel from the products."""

from skymask.core.further_kernels import check_apart, compute_further_significance, maps_under_kernel
from skymask.errors import MapError
from skymask.io import maps
from skymask.products.products import cards_of_further_kernel, counts_of
from skymask.sky.configured_kernels import background_kernel, to_pixels
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
    size = maps.pixel_size(acceptance.header)
    options = {"statistic": kernels["statistic"], "background_systematic": background_systematic}
    options["confidence_level"] = confidence_level
    further = to_pixels(further_kernel, size)
    try:
        if stack:
            # Its imports are felt, and single maps do without.
            from skymask.datasets.runs import estimate_runs, runs_of, stack_options

            mask = maps.read_product(exclusion_mask)["exclusion_mask"].data == 1
            runs = runs_of(stack, acceptance)
            if kernels["statistic"] == "wstat":
                for kernel in stack_options(runs, size, kernels, stack)["background_kernels"]:
                    check_apart(further, kernel)
            estimate = estimate_runs(runs, mask, size, kernels, stack, further_kernel=further)
            result = maps_under_kernel(counts_of(counts.data), acceptance.data, estimate, further, **options)
        else:
            result = compute_further_significance(
                counts_of(counts.data),
                acceptance.data,
                {name: maps.read_product(path)[name].data for name, path in products.items()},
                to_pixels(kernels["source_kernel"], size),
                further,
                background_kernel(size, **kernels),
                additive_background=additive_background,
                **options,
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
