"""Decide for every dataset of a group whether its loop goes on, and tell how it stands in one line each."""

from skymask.core.convergence import decide
from skymask.io.json_files import digest, read_json, write_json
from skymask.products.summary import progress_line
from skymask.workflow.decisions import BEFORE
from skymask.workflow.jobs import job


def check_convergence(*, records, before, settings, output, tell):
    rests_on, before = (digest(before), read_json(before)) if before else (None, {})
    decisions = {BEFORE: rests_on} | {name: decision for name, decision in before.items() if name in settings}
    for path in records:
        content = read_json(path)
        name = content["dataset"]
        decisions[name] = decide(before.get(name), content, settings[name])
        tell(progress_line(name, decisions[name]))
    write_json(output, decisions)


if __name__ == "__main__":
    with job(snakemake) as tell:
        check_convergence(
            records=snakemake.input.records,
            before=snakemake.input.get("before"),
            settings=snakemake.params.settings,
            output=snakemake.output.decisions,
            tell=tell,
        )
