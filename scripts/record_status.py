"""Record how a dataset ended: its state, its quality figures, or the reason why it failed."""

from pathlib import Path

from skymask.core.quality import quality_warnings, verdict
from skymask.io.ecsv import read_rows
from skymask.io.json_files import read_json, write_json
from skymask.io.own_files import remove_own_products
from skymask.registry import FURTHER, maps_in
from skymask.units import in_words
from skymask.workflow.jobs import job
from skymask.workflow.records import file_digests


def record_status(*, dataset, inspection, quality, null, catalogue, loop, analysis, stale, further, made_from, output):
    folder = Path(output).parent
    remove_own_products(folder, [Path(path).relative_to(folder) for path in stale])
    # Maps of further source kernels that there are no more.
    kernels = {path.name for path in folder.glob("further/*")} - set(further)
    remove_own_products(folder, [f"further/{kernel}/{name}.fits" for kernel in kernels for name in maps_in(FURTHER)])
    warnings, figures = read_json(inspection)["warnings"], {}
    if quality:
        figures = read_json(quality) | read_json(null) | {"regions": len(read_rows(catalogue))}
        raised = quality_warnings(figures, loop["state"], analysis["quality"])
        warnings, figures = warnings + raised, {"verdict": verdict(raised), **figures}
    made_from = made_from | {"files": file_digests(made_from["files"])}
    content = {"dataset": dataset, **loop, "warnings": warnings, **figures, "analysis": in_words(analysis)}
    write_json(output, content | {"made_from": made_from})


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
            further=snakemake.params.analysis["further_source_kernels"] if snakemake.input.get("quality") else (),
            made_from=snakemake.params.made_from,
            output=snakemake.output.status,
        )
