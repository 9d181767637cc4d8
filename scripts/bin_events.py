"""Count the events of a dataset on its pixels. Events that cannot be counted are no crash: the inspection says why."""

from pathlib import Path

from skymask.datasets.events import bin_events
from skymask.errors import MapError, failing_alone
from skymask.io import maps
from skymask.io.file_names import event_lists
from skymask.io.json_files import write_json
from skymask.sky.geometry import grid
from skymask.workflow.jobs import job


def write_counts(*, settings, counts, binning):
    names, geometry = event_lists(settings), settings["geometry"]
    try:
        with failing_alone(names):
            header, shape = grid(geometry)
            binned = bin_events(names, header, shape, settings.get("cuts", {}))
        maps.write(counts, {"counts": binned.counts}, sky=header, cards=binned.cards)
        write_json(binning, {"reason": None, "warnings": binned.warnings})
    except MapError as error:
        # An empty file is no map: nothing reads it, because the inspection fails the dataset.
        Path(counts).write_bytes(b"")
        write_json(binning, {"reason": str(error), "warnings": []})


if __name__ == "__main__":
    with job(snakemake):
        write_counts(
            settings=snakemake.params.settings,
            counts=snakemake.output.counts,
            binning=snakemake.output.binning,
        )
