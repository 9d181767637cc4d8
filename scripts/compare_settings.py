"""Compare what a dataset's loop ends with under every combination of settings of its scan."""

from skymask.config import scan
from skymask.io import maps
from skymask.io.json_files import read_json
from skymask.products import plots
from skymask.products.paper_figures import write_columns
from skymask.products.report import render_scan
from skymask.workflow.jobs import job


def compare_settings(*, dataset, masks, records, coverage, values, own, settings, output):
    coverage = maps.read_product(coverage)["acceptance"].data > 0
    names = list(scan.points(values))
    found = {name: read_json(path) for name, path in zip(names, records, strict=True)}
    excluded = {
        name: (maps.read_product(path)["exclusion_mask"].data != 1) & coverage
        for name, path in zip(names, masks, strict=True)
        if found[name]["state"] != "failed"
    }
    rows = scan.compare(values, found, excluded, own)
    write_columns(output["table"], scan.table(rows), {"dataset": dataset})
    plots.save(plots.scan(dataset, scan.longest(values), list(values), rows), output["figure"], settings)
    render_scan(dataset, values, rows, output["figure"], output["page"])


if __name__ == "__main__":
    with job(snakemake):
        compare_settings(
            dataset=snakemake.wildcards.dataset,
            masks=snakemake.input.masks,
            records=snakemake.input.records,
            coverage=snakemake.input.acceptance,
            **snakemake.params.settings,
            settings=snakemake.params.plots,
            output=dict(snakemake.output.items()),
        )
