"""Fail, naming the datasets that failed, so that no run with a failed dataset ends well."""

from skymask.errors import SkymaskError
from skymask.products.summary import read_summary
from skymask.workflow.jobs import job


def report_failures(*, summary):
    failed = [row["dataset"] for row in read_summary(summary) if row["state"] == "failed"]
    raise SkymaskError(f"{len(failed)} failed: {', '.join(failed)} (reasons: {summary})")


if __name__ == "__main__":
    with job(snakemake):
        report_failures(summary=snakemake.input.summary)
