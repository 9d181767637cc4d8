"""Inspect a dataset: whether its maps and kernels can be used and, if not, why. A dataset that cannot is no crash."""

from skymask.core import convergence
from skymask.core.bitmask import PackedMask
from skymask.datasets.reading import inspect, named_files
from skymask.errors import MapError, failing_alone
from skymask.io.json_files import read_notes, write_json
from skymask.workflow.jobs import job


def check_dataset(*, dataset, notes, files, runs, selection, kernels, output):
    inspection = {"dataset": dataset, "reason": None, "warnings": [], "record": None}
    try:
        noticed = read_notes(notes)
        with failing_alone([*files.values(), *(run["counts"] for run in runs.get("runs", ()))]):
            found, warnings = inspect(files, runs, selection, kernels)
        inputs = found.inputs
        # What the job of a run noticed, the stack may notice too.
        inspection["warnings"] = list(dict.fromkeys(noticed + warnings))
        inspection["record"] = convergence.first_record(
            PackedMask.of(inputs.exclusion_mask), PackedMask.of(inputs.coverage)
        )
    except MapError as error:
        inspection["reason"] = str(error)
    write_json(output, inspection)


if __name__ == "__main__":
    with job(snakemake):
        check_dataset(
            dataset=snakemake.wildcards.dataset,
            notes=snakemake.input.notes,
            files=named_files(snakemake.input, snakemake.params.hdus),
            runs=snakemake.params.runs,
            selection=snakemake.params.selection,
            kernels=snakemake.params.kernels,
            output=snakemake.output.inspection,
        )
