"""Inspect a dataset: whether its maps and kernels can be used and, if not, why. A dataset that cannot is no crash."""

from skymask import convergence
from skymask.datasets import check_kernels, named_files, read_dataset
from skymask.errors import MapError
from skymask.geometry import pixel_size
from skymask.jobs import job, read_json, write_json


def check_dataset(*, dataset, binning, files, selection, kernels, output):
    inspection = {"dataset": dataset, "reason": None, "warnings": [], "record": None}
    made = read_json(binning) if binning else {"reason": None, "warnings": []}
    try:
        if made["reason"]:
            raise MapError(made["reason"])
        inputs, header = read_dataset(**files, **selection)[:2]
        inspection["warnings"] = (
            made["warnings"] + inputs.warnings + check_kernels(inputs, pixel_size(header), **kernels)
        )
        mask = inputs.exclusion_mask
        inspection["record"] = convergence.first_record(mask, inputs.coverage, mask)
    except MapError as error:
        inspection["reason"] = str(error)
    write_json(output, inspection)


if __name__ == "__main__":
    with job(snakemake):
        check_dataset(
            dataset=snakemake.wildcards.dataset,
            binning=snakemake.input.get("binning"),
            files=named_files(snakemake.input, snakemake.params.hdus),
            selection=snakemake.params.selection,
            kernels=snakemake.params.kernels,
            output=snakemake.output.inspection,
        )
