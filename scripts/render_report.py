"""Render the overview page of all datasets."""

from skymask.io.json_files import read_json
from skymask.products.report import render_report
from skymask.workflow.jobs import job


def write_report(*, statuses, skies, figures, output):
    render_report([read_json(path) for path in statuses], figures, output, [read_json(path) for path in skies])


if __name__ == "__main__":
    with job(snakemake):
        write_report(
            statuses=snakemake.input.statuses,
            skies=snakemake.input.skies,
            figures=snakemake.input.sky_figures,
            output=snakemake.output.report,
        )
