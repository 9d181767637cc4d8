"""Record how a dataset ended: its state, its quality figures, or the reason why it failed."""

from pathlib import Path

from skymask.jobs import job, read_json, write_json
from skymask.quality import doubts


def record_status(*, dataset, inspection, quality, loop, analysis, stale, output):
    for path in stale:
        Path(path).unlink(missing_ok=True)
    figures = read_json(quality) if quality else {}
    warnings = read_json(inspection)["warnings"] + (doubts(figures, loop["state"]) if figures else [])
    write_json(output, {"dataset": dataset, **loop, "warnings": warnings, **figures, "analysis": analysis})


if __name__ == "__main__":
    with job(snakemake):
        record_status(
            dataset=snakemake.wildcards.dataset,
            inspection=snakemake.input.inspection,
            quality=snakemake.input.get("quality"),
            loop=snakemake.params.loop,
            analysis=snakemake.params.analysis,
            stale=snakemake.params.stale,
            output=snakemake.output.status,
        )
