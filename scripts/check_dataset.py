"""Inspect a dataset: whether its maps and kernels can be used and, if not, why. A dataset that cannot is no crash."""

from skymask import convergence
from skymask.datasets import inspect, named_files
from skymask.errors import MapError
from skymask.jobs import job, read_json, write_json


def check_dataset(*, dataset, binning, files, runs, selection, kernels, output):
    inspection = {"dataset": dataset, "reason": None, "warnings": [], "record": None}
    made = read_json(binning) if binning else {"reason": None, "warnings": []}
    try:
        if made["reason"]:
            raise MapError(made["reason"])
        found, warnings = inspect(files, runs, selection, kernels)
        inputs = found.inputs
        inspection["warnings"] = made["warnings"] + warnings
        inspection["record"] = convergence.first_record(inputs.exclusion_mask, inputs.coverage, inputs.exclusion_mask)
    except MapError as error:
        inspection["reason"] = str(error)
    write_json(output, inspection)


if __name__ == "__main__":
    with job(snakemake):
        check_dataset(
            dataset=snakemake.wildcards.dataset,
            binning=snakemake.input.get("binning"),
            files=named_files(snakemake.input, snakemake.params.hdus),
            runs=snakemake.params.runs,
            selection=snakemake.params.selection,
            kernels=snakemake.params.kernels,
            output=snakemake.output.inspection,
        )
