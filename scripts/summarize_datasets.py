"""Summarize the status of all datasets in one table."""

from skymask.io.json_files import read_json
from skymask.products.summary import write_summary
from skymask.workflow.jobs import job


def summarize_datasets(*, statuses, output):
    write_summary(output, [read_json(path) for path in statuses])


if __name__ == "__main__":
    with job(snakemake):
        summarize_datasets(statuses=snakemake.input.statuses, output=snakemake.output.summary)
