"""Put the fields of a HEALPix map together: products on its pixels, and how its fields ended."""

from collections import Counter
from pathlib import Path

from skymask.io import maps
from skymask.io.healpix_files import write_healpix
from skymask.io.json_files import read_json, write_json
from skymask.sky import geometry, healpix
from skymask.units import in_words
from skymask.workflow.jobs import job


def write_sky(*, sky_name, settings, fields, statuses, output, status):
    sky = healpix.read_sky(**healpix.files_and_columns(settings))
    field_nside, results = settings["field_nside"], {read_json(path)["dataset"]: path for path in statuses}
    folders = {about["number"]: Path(results[name]).parent for name, about in fields.items()}
    ended = {name: read_json(path) for name, path in results.items()}
    failed = {about["number"] for name, about in fields.items() if ended[name]["state"] == "failed"}
    found = [healpix.field_of_entry(about, field_nside, sky.counts.frame) for about in fields.values()]

    def read(number, name):
        if number in failed:
            return None
        inside = "iteration-0/acceptance.fits" if name == "acceptance" else f"{name}.fits"
        return maps.read_product(folders[number] / inside)[name].data

    cards = [("DATASET", sky_name, "name of the dataset"), ("FLDNSIDE", field_nside, "NSIDE of its fields")]
    for name, path in output.items():
        values = healpix.joined(name, sky, found, field_nside, read)
        write_healpix(path, name, values, sky.counts, cards=cards)
        if name == "exclusion_mask":
            excluded = int((~values).sum())
        if name == "significance":
            hottest = healpix.hottest(values, sky.counts)
    number = None if hottest["pixel"] is None else healpix.field_of(hottest["pixel"], sky.counts.nside, field_nside)
    names = {about["number"]: name for name, about in fields.items()}
    write_json(
        status,
        {
            "sky": sky_name,
            "states": dict(sorted(Counter(entry["state"] for entry in ended.values()).items())),
            "failed": [entry["dataset"] for entry in ended.values() if entry["state"] == "failed"],
            "pixels": len(sky.counts.values),
            "covered": len(sky.rows),
            "excluded": excluded,
            "warnings": sky.warnings,
            **{f"highest_{key}": hottest[key] for key in ("significance", "longitude", "latitude")},
            "axes": geometry.AXES[sky.counts.frame],
            "hottest_field": names.get(number),
            "fields": list(ended),
            "healpix": in_words(settings),
        },
    )


if __name__ == "__main__":
    with job(snakemake):
        output = dict(snakemake.output.items())
        write_sky(
            sky_name=snakemake.wildcards.sky,
            **snakemake.params.settings,
            statuses=snakemake.input.statuses,
            status=output.pop("status"),
            output=output,
        )
