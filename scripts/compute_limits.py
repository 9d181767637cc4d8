"""Compute errors and upper limits of the excess from the products."""

from skymask.core.limits import compute_limits
from skymask.io import maps
from skymask.products.products import counts_of, inherited_cards
from skymask.sky.configured_kernels import to_pixels
from skymask.workflow.jobs import job


def write_limits(
    *,
    counts,
    acceptance,
    products,
    counts_on,
    source_kernel,
    statistic,
    background_systematic,
    confidence_level,
    output,
):
    counts = maps.read_product(counts)["counts"]
    acceptance = maps.read_product(acceptance)["acceptance"]
    result = {name: maps.read_product(path)[name] for name, path in products.items()}
    limits = compute_limits(
        counts_of(counts.data),
        acceptance.data,
        {name: sky_map.data for name, sky_map in result.items()},
        to_pixels(source_kernel, maps.pixel_size(acceptance.header)),
        counts_on=maps.read_product(counts_on)["counts_on"].data if counts_on else None,
        statistic=statistic,
        background_systematic=background_systematic,
        confidence_level=confidence_level,
    )
    header = result["excess"].header
    level = [("CONFLEV", confidence_level, "one-sided confidence level")]
    for name, image in limits._asdict().items():
        cards = inherited_cards(header) + (level if name == "excess_upper_limit" else [])
        maps.write(output[name], {name: image}, sky=header, cards=cards)


if __name__ == "__main__":
    with job(snakemake):
        settings = snakemake.params.settings
        write_limits(
            counts=snakemake.input.counts,
            acceptance=snakemake.input.acceptance,
            products={name: snakemake.input[name] for name in ("background", "counts_off", "alpha", "excess")},
            counts_on=snakemake.input.get("counts_on"),
            confidence_level=settings.pop("limits")["confidence_level"],
            **settings,
            output=dict(snakemake.output.items()),
        )
