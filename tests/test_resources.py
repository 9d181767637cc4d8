"""Memory and time that jobs ask for: from the size of the map, enough for the script, and kept to by local runs."""

import gzip
import json
import re
import sys

import numpy as np
import pytest
from astropy.io import fits
from conftest import REPOSITORY, field_with_source, sky_header, snakemake, write_config, write_map

from skymask.io.fits_header import pixels_of_all_runs, pixels_of_dataset, pixels_of_file, voxels_of_observations
from skymask.sky.geometry import shifted

sys.path.insert(0, str(REPOSITORY / "benchmarks"))
from peak_memory import measure

#: The workflow, which tells the memory and the time that jobs ask for.
TELL_RESOURCES = """
import json

include: {snakefile!r}

onstart:
    jobs = {{job.wildcards.dataset: job.resources for job in workflow.dag.jobs}}
    print("asked", json.dumps({{name: [asked.mem_mb, asked.runtime] for name, asked in jobs.items()}}))
"""

IMAGE = np.ones((30, 50), dtype=np.int16)


def test_size_is_that_of_the_only_image(tmp_path):
    assert pixels_of_file(write_map(tmp_path / "a.fits", IMAGE)) == 1500


@pytest.mark.parametrize("name", ["a.fits.gz", "a.fits.bz2"])
def test_size_of_a_compressed_file(tmp_path, name):
    assert pixels_of_file(write_map(tmp_path / name, IMAGE)) == 1500


def test_size_is_that_of_the_image_named_and_others_are_skipped(tmp_path):
    table = fits.BinTableHDU.from_columns([fits.Column("X", "20J", array=np.zeros((7, 20)))], name="MAP")
    small, large = fits.ImageHDU(IMAGE[:5, :7], name="small"), fits.ImageHDU(IMAGE, name="LARGE")
    fits.HDUList([fits.PrimaryHDU(), table, small, large]).writeto(tmp_path / "a.fits")
    assert pixels_of_file(f"{tmp_path}/a.fits[large]") == 1500
    assert pixels_of_file(f"{tmp_path}/a.fits[SMALL]") == 35
    assert pixels_of_file(f"{tmp_path}/a.fits[NONE]") is None
    assert pixels_of_file(tmp_path / "a.fits") == 35


def test_size_of_an_unnamed_primary_image(tmp_path):
    write_map(tmp_path / "a.fits", IMAGE)
    assert pixels_of_file(f"{tmp_path}/a.fits[PRIMARY]") == 1500


def test_size_of_a_tile_compressed_image(tmp_path):
    fits.CompImageHDU(IMAGE, name="COUNTS").writeto(tmp_path / "a.fits")
    assert pixels_of_file(f"{tmp_path}/a.fits[COUNTS]") == 1500


@pytest.mark.parametrize(
    "content", [b"", b"SIMPLE  =", b"x" * 5760, b"\x1f\x8bnot gzip", gzip.compress(b"SIMPLE  =", mtime=0)]
)
def test_no_size_of_what_is_no_map(tmp_path, content):
    (tmp_path / "a.fits").write_bytes(content)
    assert pixels_of_file(tmp_path / "a.fits") is None


def test_size_of_a_simulation_is_width_over_pixel_size():
    assert pixels_of_dataset({"simulate": {"width": ["3 deg", "90 arcmin"], "pixel_size": "0.02 deg"}}) == 150 * 75


def test_size_of_runs_is_that_of_the_grid_that_holds_them(tmp_path):
    header = sky_header((30, 50))
    write_map(tmp_path / "a.fits", IMAGE, header)
    # 12 rows up and 4 columns to the left: rows 0 to 41, columns -4 to 49.
    write_map(tmp_path / "b.fits", IMAGE, shifted(header, (12, -4)))
    entry = {"runs": [{"counts": str(tmp_path / name)} for name in ("a.fits", "b.fits")]}
    assert pixels_of_dataset(entry) == 42 * 54
    assert pixels_of_all_runs(entry) == 2 * 1500


def test_size_of_one_energy_bin_is_that_of_its_plane(tmp_path):
    path = write_map(tmp_path / "cube.fits", np.ones((3, 30, 50)))
    assert pixels_of_dataset({"counts": path}) == 4500
    assert pixels_of_dataset({"counts": path, "energy_bin": 1}) == 1500


def test_a_run_is_as_large_as_its_footprint_in_all_parts_of_its_energies():
    geometry = {"width": ["10 deg", "5 deg"], "pixel_size": "0.1 deg"}
    observations = {"energy_bins": 3, "energy_oversampling": 7, "offset_max": "2 deg"}
    entry = {"observations": observations, "geometry": geometry}
    assert pixels_of_dataset(entry) == 100 * 50 * 3
    assert voxels_of_observations(entry, 100 * 50 * 3) == 40 * 40 * 3 * 7
    wide = entry | {"observations": observations | {"offset_max": "20 deg"}}
    assert voxels_of_observations(wide, 100 * 50 * 3) == 100 * 50 * 3 * 7


def test_a_larger_map_asks_for_more_and_one_that_cannot_be_read_for_something(tmp_path):
    (tmp_path / "bad.fits").write_bytes(b"no map")
    fits.writeto(tmp_path / "large.fits", np.zeros((2000, 2000), dtype=np.uint8), sky_header())
    write_map(tmp_path / "small.fits", field_with_source())
    names = ("small", "bad", "large")
    write_config(tmp_path / "config.yaml", datasets={name: {"counts": f"{name}.fits"} for name in names})
    (tmp_path / "Snakefile").write_text(TELL_RESOURCES.format(snakefile=str(REPOSITORY / "Snakefile")))
    targets = [f"results/{name}/inspection.json" for name in names]
    process = snakemake(*targets, folder=tmp_path, snakefile="Snakefile")
    assert process.returncode == 0, process.stdout
    asked = json.loads(re.search("^asked (.*)$", process.stdout, flags=re.MULTILINE)[1])
    # 160 bytes per pixel on top of 250 MB, and five minutes to begin and 15 s per megapixel.
    assert asked == {"small": [251, 6], "bad": [410, 6], "large": [890, 6]}


def test_no_job_takes_more_memory_than_it_asks_for(tmp_path):
    measured = measure(tmp_path, 400)
    assert len(measured) == 15
    for script, job in measured.items():
        assert job.megabytes < job.asked, (script, job)


def test_local_jobs_run_one_by_one_where_memory_suffices_for_one(tmp_path):
    for name in ("one", "two"):
        write_map(tmp_path / f"{name}.fits", field_with_source())
    write_config(tmp_path / "config.yaml", datasets={name: {"counts": f"{name}.fits"} for name in ("one", "two")})
    targets = [f"results/{name}/inspection.json" for name in ("one", "two")]

    def events(memory):
        process = snakemake(
            *targets, "--quiet", "host", "--forceall", "--resources", f"mem_mb={memory}", folder=tmp_path
        )
        assert process.returncode == 0, process.stdout
        return re.findall(r"^(Job|Finished)(?! stats)\b", process.stdout, flags=re.MULTILINE)

    assert events(400) == ["Job", "Finished", "Job", "Finished"]
    assert events(4000) == ["Job", "Job", "Finished", "Finished"]
