"""Record how a dataset ended: its state, its quality figures, or the reason why it failed."""

from skymask.jobs import job, read_json, write_json


def record_status(*, dataset, inspection, quality, loop, output):
    status = {"dataset": dataset, **loop, "warnings": read_json(inspection)["warnings"]}
    write_json(output, status | (read_json(quality) if quality else {}))


if __name__ == "__main__":
    with job(snakemake):
        record_status(
            dataset=snakemake.wildcards.dataset,
            inspection=snakemake.input.inspection,
            quality=snakemake.input.get("quality"),
            loop=snakemake.params.loop,
            output=snakemake.output.status,
        )
