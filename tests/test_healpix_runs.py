"""A run of the workflow from a HEALPix map, through the snakemake command."""

import json

import numpy as np
import pytest
from astropy_healpix import HEALPix
from conftest import snakemake, write_config
from test_healpix import KERNELS, NSIDE

from skymask.cli.check import number_of_jobs
from skymask.config import configuration
from skymask.io import maps
from skymask.io.healpix_files import HealpixMap, read_healpix, write_healpix
from skymask.sky import healpix


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of a patch with a source, which lies in two fields."""
    folder = tmp_path_factory.mktemp("healpix")
    longitude, latitude = (angle.deg for angle in HEALPix(NSIDE, "nested").healpix_to_lonlat(np.arange(12 * NSIDE**2)))
    fields = healpix.field_of(np.arange(12 * NSIDE**2), NSIDE, 4)
    pixels = np.flatnonzero((np.abs(latitude) < 5) & (longitude > 15) & (longitude < 32))
    two = np.unique(fields[pixels], return_counts=True)
    largest = two[0][np.argsort(two[1])[-2:]]
    pixels = pixels[np.isin(fields[pixels], largest)]
    counts = np.random.default_rng(0).poisson(3, len(pixels)).astype(np.int32)
    counts[len(counts) // 2] += 60
    sky_map = HealpixMap(counts, pixels, NSIDE, "galactic", False, True)
    write_healpix(folder / "sky.fits", "counts", counts, sky_map)
    write_config(
        folder / "config.yaml",
        **KERNELS,
        null_simulations={"number": 0},
        datasets={"sky": {"healpix": {"counts": "sky.fits", "overlap": "9 deg"}}},
        # What is tested is how fields are put together.
        convergence={"max_iterations": 1},
    )
    process = snakemake(folder=folder)
    assert process.returncode == 0, process.stdout
    return folder


def test_joined_counts_are_those_of_the_input(run):
    joined, given = (read_healpix(run / name) for name in ("results/sky/counts.fits", "sky.fits"))
    for one, other in zip(joined, given, strict=True):
        np.testing.assert_array_equal(one, other)


def test_every_healpix_pixel_has_the_significance_of_its_field(run):
    significance = read_healpix(run / "results/sky/significance.fits")
    status = json.loads((run / "results/sky/status.json").read_text())
    assert len(status["fields"]) == 2
    assert not np.isnan(significance.values).any()
    found = np.concatenate(
        [
            maps.read_product(run / f"results/{name}/significance.fits")["significance"].data.ravel()
            for name in status["fields"]
        ]
    )
    assert np.isin(significance.values, found).all()
    assert significance.values.max() == status["highest_significance"]


def test_the_source_is_excluded_in_the_joined_mask(run):
    mask = read_healpix(run / "results/sky/exclusion_mask.fits")
    assert mask.values[len(mask.values) // 2] == 0
    inverse = read_healpix(run / "results/sky/exclusion_mask_inverse.fits")
    np.testing.assert_array_equal(mask.values + inverse.values, 1)


def test_the_report_shows_the_sky(run):
    page = (run / "results/report.html").read_text()
    assert "put together of 2 fields" in page
    assert 'src="sky/plots/sky.png"' in page
    assert (run / "results/sky/plots/sky.png").is_file()


def test_there_are_as_many_jobs_as_check_foretells(run, monkeypatch):
    monkeypatch.chdir(run)
    config = configuration.read_configuration("config.yaml")
    settings = configuration.dataset_settings(config, configuration.load_schema())
    least, _ = number_of_jobs(settings, 10)
    more = sum(
        4 * (json.loads((run / f"results/{name}/status.json").read_text())["iteration"] - 1) for name in settings
    )
    assert len(list((run / "logs").rglob("*.log"))) == least + more
