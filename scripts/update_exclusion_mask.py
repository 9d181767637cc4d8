"""Update the exclusion mask from the significance under every source kernel, and record what changed."""

import numpy as np

from skymask.core import convergence
from skymask.core.exclusion import update_exclusion_mask
from skymask.io import maps
from skymask.io.json_files import write_json
from skymask.sky.configured_kernels import dilation_kernel, region_growth
from skymask.workflow.jobs import job


def write_exclusion_mask(
    *, dataset, iteration, significance, acceptance, user_mask, previous_mask, dilation_radius, options, output, record
):
    significance, *further = maps.read_product(significance).values()
    further = [image.data for image in further]
    acceptance = maps.read_product(acceptance)["acceptance"]
    coverage = acceptance.data > 0
    user_mask = maps.read_product(user_mask)["exclusion_mask"].data == 1
    pixel_size = maps.pixel_size(acceptance.header)
    previous = {name: sky_map.data == 1 for name, sky_map in maps.read_product(previous_mask).items()}
    mask, decision = update_exclusion_mask(
        significance.data,
        coverage,
        further=further,
        dilation_kernel=dilation_kernel(dilation_radius, pixel_size),
        user_mask=user_mask,
        previous_mask=previous["exclusion_mask"],
        previous_decision=previous["decision"],
        **options | {"region_growth": region_growth(options["region_growth"], pixel_size)},
    )
    maps.write(output, {"exclusion_mask": mask, "decision": decision}, sky=significance.header)
    masks = (mask, previous["exclusion_mask"], decision, coverage, user_mask)
    entry = convergence.record(
        iteration,
        *map(np.packbits, masks),
        **convergence.figures(significance.data, coverage, further),
    )
    write_json(record, {"dataset": dataset, "record": entry})


if __name__ == "__main__":
    with job(snakemake):
        settings = snakemake.params.settings
        write_exclusion_mask(
            dataset=snakemake.wildcards.dataset,
            iteration=int(snakemake.wildcards.iteration),
            significance=snakemake.input.significance,
            acceptance=snakemake.input.acceptance,
            user_mask=snakemake.input.user_mask,
            previous_mask=snakemake.input.previous_mask,
            dilation_radius=settings.pop("dilation_radius"),
            options=settings,
            output=snakemake.output.exclusion_mask,
            record=snakemake.output.record,
        )
