"""Make counts and acceptance of a run of observations. A run that cannot be used is no crash: its notes say why."""

from pathlib import Path

from skymask.datasets.observation_store import files_of_run
from skymask.datasets.run_maps import make_run_maps, origin_cards
from skymask.errors import MapError, failing_alone
from skymask.io import maps
from skymask.io.json_files import write_json
from skymask.sky.geometry import grid
from skymask.workflow.jobs import job


def write_run_maps(*, run, geometry, options, output, notes):
    try:
        with failing_alone(files_of_run(run)):
            header, shape = grid(geometry)
            made = make_run_maps(run, header, shape, **options)
        images, energies = {"counts": made.counts, "acceptance": made.acceptance}, made.energies
        if len(made.counts) == 1:
            images, energies = {name: cube[0] for name, cube in images.items()}, None
        cards = origin_cards(run, made, options)
        maps.write(output, images, sky=made.header, cards=cards, energies=energies)
        write_json(notes, {"reason": None, "warnings": made.warnings, "events": made.events, **made.seconds})
    except MapError as error:
        # An empty file is no map: nothing reads it, because the inspection fails the dataset.
        Path(output).write_bytes(b"")
        write_json(notes, {"reason": str(error), "warnings": []})


if __name__ == "__main__":
    with job(snakemake):
        write_run_maps(
            **snakemake.params.settings,
            output=snakemake.output.maps,
            notes=snakemake.output.notes,
        )
