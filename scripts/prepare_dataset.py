"""Prepare a dataset: check its maps and kernels, and write the maps that all later steps read.

A dataset that cannot be used is no crash: the inspection says why, and its maps are empty files that nothing reads.
"""

from pathlib import Path

import numpy as np

from skymask.core import convergence
from skymask.core.bitmask import PackedMask
from skymask.datasets.reading import inspect, named_files, origin_cards
from skymask.errors import MapError, failing_alone
from skymask.io import maps
from skymask.io.json_files import read_notes, write_json
from skymask.sky.geometry import pixel_size
from skymask.workflow.jobs import job


def prepare_dataset(*, dataset, notes, files, runs, settings, output):
    inspection = {"dataset": dataset, "reason": None, "warnings": [], "record": None}
    try:
        noticed = read_notes(notes)
        selection = {key: settings.pop(key) for key in ("exclusion_regions", "min_acceptance_fraction")}
        with failing_alone([*files.values(), *(run["counts"] for run in runs.get("runs", ()))]):
            found, warnings = inspect(files, runs, selection, settings)
            # What the job of a run noticed, the stack may notice too.
            inspection["warnings"] = list(dict.fromkeys(noticed + warnings))
            masks = (PackedMask.of(mask) for mask in (found.inputs.exclusion_mask, found.inputs.coverage))
            inspection["record"] = convergence.first_record(*masks)
            write_maps(found, output)
    except MapError as error:
        inspection["reason"] = str(error)
        for name in ("counts", "acceptance", "exclusion_mask"):
            Path(output[name]).write_bytes(b"")
    write_json(output["inspection"], inspection)


def write_maps(dataset, output):
    inputs, sky = dataset.inputs, dataset.header
    cards = maps.pixel_size_cards(pixel_size(sky))
    maps.write(output["counts"], {"counts": inputs.counts}, sky=sky, cards=[*cards, *origin_cards(dataset)])
    known = {"additive_background": inputs.additive_background, "background": inputs.background}
    given = {name: image for name, image in known.items() if image is not None}
    maps.write(output["acceptance"], {"acceptance": inputs.acceptance, **given}, sky=sky, cards=cards)
    # Before the first decision, every pixel is used.
    masks = {"exclusion_mask": inputs.exclusion_mask, "decision": np.ones_like(inputs.exclusion_mask)}
    maps.write(output["exclusion_mask"], masks, sky=sky)


if __name__ == "__main__":
    with job(snakemake):
        prepare_dataset(
            dataset=snakemake.wildcards.dataset,
            notes=snakemake.input.notes,
            files=named_files(snakemake.input, snakemake.params.hdus),
            runs=snakemake.params.runs,
            settings=snakemake.params.settings,
            output=dict(snakemake.output.items()),
        )
