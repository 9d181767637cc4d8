"""Record how a dataset ended: its state, its quality figures, or the reason why it failed."""

from pathlib import Path

from skymask.core.quality import quality_warnings, verdict
from skymask.io.ecsv import read_rows
from skymask.io.json_files import read_json, write_json
from skymask.units import in_words
from skymask.workflow.jobs import job


def record_status(*, dataset, inspection, quality, null, catalogue, loop, analysis, stale, further, output):
    for path in stale:
        Path(path).unlink(missing_ok=True)
    for path in Path(output).parent.glob("further/*/*.fits"):
        if path.parent.name not in further:
            path.unlink()
    warnings, figures = read_json(inspection)["warnings"], {}
    if quality:
        figures = read_json(quality) | read_json(null) | {"regions": len(read_rows(catalogue))}
        raised = quality_warnings(figures, loop["state"], analysis["quality"])
        warnings, figures = warnings + raised, {"verdict": verdict(raised), **figures}
    write_json(output, {"dataset": dataset, **loop, "warnings": warnings, **figures, "analysis": in_words(analysis)})


if __name__ == "__main__":
    with job(snakemake):
        record_status(
            dataset=snakemake.wildcards.dataset,
            inspection=snakemake.input.inspection,
            quality=snakemake.input.get("quality"),
            null=snakemake.input.get("null"),
            catalogue=snakemake.input.get("catalogue"),
            loop=snakemake.params.loop,
            analysis=snakemake.params.analysis,
            stale=snakemake.params.stale,
            further=snakemake.params.further,
            output=snakemake.output.status,
        )
