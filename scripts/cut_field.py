"""Cut a field out of a HEALPix map. A map that cannot be used is no crash: the inspection says why."""

from pathlib import Path

from skymask.errors import MapError, failing_alone
from skymask.io import maps
from skymask.io.json_files import write_json
from skymask.sky.healpix import cut_field, field_of_entry, files_and_columns, read_sky
from skymask.workflow.jobs import job


def write_field(*, healpix, field, counts, cutting):
    try:
        with failing_alone([healpix["counts"]]):
            sky = read_sky(**files_and_columns(healpix))
        found = field_of_entry(field, healpix["field_nside"], sky.counts.frame)
        images = dict(zip(("counts", "acceptance"), cut_field(sky, found), strict=True))
        maps.write(counts, images, sky=found.header)
        write_json(cutting, {"reason": None, "warnings": []})
    except MapError as error:
        # An empty file is no map: nothing reads it, because the inspection fails the dataset.
        Path(counts).write_bytes(b"")
        write_json(cutting, {"reason": str(error), "warnings": []})


if __name__ == "__main__":
    with job(snakemake):
        write_field(
            **snakemake.params.settings,
            counts=snakemake.output.counts,
            cutting=snakemake.output.cutting,
        )
