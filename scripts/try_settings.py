"""Run the whole loop of a dataset with a combination of settings of its scan, and record how it ended."""

from skymask.config.scan import COLUMNS
from skymask.core import convergence
from skymask.core.inputs import prepare
from skymask.core.quality import assess_quality
from skymask.datasets.measured import measured_of
from skymask.datasets.reading import check_kernels
from skymask.errors import MapError
from skymask.io import maps
from skymask.io.json_files import write_json
from skymask.loop.iteration import MemoryLoop
from skymask.loop.options import Options
from skymask.sky.configured_kernels import dilation_kernel, region_growth
from skymask.workflow.jobs import job

#: A scan shows how every loop ends, and no end of one is a failure.
NO_FAILURE = {"on_cycle": "union", "on_max_iterations": "last"}


def try_settings(*, counts, acceptance, user_mask, background, kernels, stack, exclusion, options, output, record):
    """Write mask and record of a combination; kernels that the map cannot have end it as failed."""
    header = maps.read_product(counts)["counts"].header
    coverage = maps.read_acceptance(acceptance)[0].data > 0
    mask = maps.read_product(user_mask)["exclusion_mask"].data == 1
    found = dict.fromkeys(COLUMNS)
    try:
        result = loop(counts, acceptance, mask, background, kernels, stack, exclusion, options)
        mask, products = result.exclusion_mask, result.products
        found |= {"state": result.state, "period": result.period, "iteration": result.iterations}
        found |= assess_quality(
            products.significance,
            mask,
            coverage,
            products.counts_off,
            threshold=exclusion["threshold"],
            threshold_in_widths=exclusion["threshold_in_widths"],
        )
        found["mask_sha256"] = convergence.digest(mask)
    except MapError as error:
        found |= {"state": "failed", "reason": str(error)}
    maps.write(output, {"exclusion_mask": mask}, sky=header)
    write_json(record, {column: found[column] for column in COLUMNS})


def loop(counts, acceptance, user_mask, background, kernels, stack, exclusion, options):
    """Return what the loop ends with, from the maps of iteration 0."""
    counts = maps.read_product(counts)["counts"]
    acceptance, additive_background = maps.read_acceptance(acceptance)
    size = maps.pixel_size(counts.header)
    inputs = prepare(
        counts.data,
        acceptance=acceptance.data,
        exclusion_mask=user_mask,
        background=maps.read_product(background)["background"].data if background else None,
        additive_background=additive_background,
    )
    shaping = dict(exclusion)
    check_kernels(inputs, size, **kernels, dilation_radius=shaping["dilation_radius"], stack=bool(stack))
    dilation = dilation_kernel(shaping.pop("dilation_radius"), size)
    shaping["region_growth"] = region_growth(shaping["region_growth"], size)
    measured = measured_of(stack, inputs.counts, acceptance, inputs.additive_background, kernels)
    chosen = Options(statistic=kernels["statistic"], **shaping, **options | NO_FAILURE)
    return MemoryLoop(measured, inputs, dilation, chosen).result()


if __name__ == "__main__":
    with job(snakemake):
        try_settings(
            counts=snakemake.input.counts,
            acceptance=snakemake.input.acceptance,
            user_mask=snakemake.input.user_mask,
            background=snakemake.input.get("background"),
            **snakemake.params.settings,
            output=snakemake.output.exclusion_mask,
            record=snakemake.output.record,
        )
