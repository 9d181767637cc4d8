"""What a user excludes, through the snakemake command: in force in every iteration, named in the products' headers."""

import hashlib
import json
import os

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from conftest import field_with_source, sky_header, snakemake, write_config, write_map

from skymask.products.report import render_report

PRODUCT = "results/{}/exclusion_mask.fits"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of a field with exclusions of every kind, and of one with those of all datasets."""
    folder = tmp_path_factory.mktemp("exclusions")
    write_map(folder / "counts.fits", field_with_source())
    # Pixels of 0.15 deg with the middle of the map in their middle: the lowest and leftmost hold 3 x 3 of its pixels.
    mask = np.ones((20, 20), dtype=np.uint8)
    mask[0, 0] = 0
    write_map(folder / "mask.fits", mask, sky_header((20, 20), 0.15))
    coverage = np.ones((60, 60), dtype=np.uint8)
    coverage[:, 57:] = 0
    write_map(folder / "coverage.fits", coverage)
    write_map(folder / "acceptance.fits", np.where(np.arange(60)[:, None] < 57, 1.0, 0.05) * np.ones((60, 60)))
    (folder / "regions.reg").write_text("fk5\ncircle(83.6,22.8,3')\ncircle(200,22,1) # text={Elsewhere}\n")
    Table({"ra": [83.6 + 0.8 / np.cos(np.radians(22)), np.nan], "dec": [22.0, 22.0]}).write(folder / "stars.ecsv")
    datasets = {
        "everything": {
            "counts": "counts.fits",
            "acceptance": "acceptance.fits",
            "coverage": "coverage.fits",
            "exclusion_mask": "mask.fits",
            "min_acceptance_fraction": 0.1,
            "exclusion_regions": [
                {"shape": "circle", "center": ["83.6 deg", "21.2 deg"], "radius": "3 arcmin"},
                {"file": "regions.reg"},
                {"table": "stars.ecsv", "radius": "0.05 deg"},
            ],
        },
        "common": {"counts": "counts.fits", "convergence": {"max_iterations": 1}},
    }
    common = [{"shape": "circle", "center": ["84.2 deg", "22.5 deg"], "radius": "0.1 deg"}]
    write_config(folder / "config.yaml", datasets=datasets, exclusion_regions=common, null_simulations={"number": 0})
    process = snakemake("results/everything/status.json", PRODUCT.format("common"), folder=folder)
    assert process.returncode == 0, process.stdout
    (folder / "output.txt").write_text(process.stdout)
    return folder


def expected_exclusions():
    """The pixels that `everything` excludes for ever, by hand.

    A radius of 0.05 deg is one pixel. Positions of regions lie between pixels (the middle of the map is between the
    pixels 29 and 30), so that each has the four pixels around it: 0.8 deg are 16 pixels, north is up and east left.
    """
    excluded = np.zeros((60, 60), dtype=bool)
    excluded[:3, :3] = True
    for y, x in ((29.5 - 16, 29.5), (29.5 + 16, 29.5), (29.5, 29.5 - 16)):
        excluded[int(y) : int(y) + 2, int(x) : int(x) + 2] = True
    return excluded


def masks(folder, dataset):
    paths = sorted((folder / "results" / dataset).glob("iteration-*/exclusion_mask.fits"))
    return [fits.getdata(path) == 1 for path in (*paths, folder / PRODUCT.format(dataset))]


def test_the_users_exclusions_are_all_that_is_excluded_at_the_start(run):
    assert np.array_equal(~masks(run, "everything")[0], expected_exclusions())


def test_the_users_exclusions_are_in_force_in_every_iteration(run):
    found = masks(run, "everything")
    assert len(found) > 3
    for mask in found:
        assert not mask[expected_exclusions()].any()
    # The source in the middle is excluded besides.
    assert not found[-1][30, 30]


def test_exclusions_of_all_datasets_are_replaced_by_those_of_one(run):
    common = ~masks(run, "common")[0]
    assert common.any()
    assert not (common & expected_exclusions()).any()


def test_coverage_is_apart_from_exclusion(run):
    coverage = fits.getdata(run / "results/everything/coverage.fits") == 1
    y, x = np.indices((60, 60))
    assert np.array_equal(coverage, (x < 57) & (y < 57))
    assert masks(run, "everything")[-1][~coverage].all()
    assert np.isnan(fits.getdata(run / "results/everything/background.fits")[~coverage]).all()


def test_what_misses_the_map_is_said_in_status_report_and_output(run):
    status = json.loads((run / "results/everything/status.json").read_text())
    render_report([status], [], run / "results/report.html", [])
    warnings = status["warnings"]
    for warning in (
        "exclusion_regions.1 regions.reg: 1 of 2 regions cover no pixel of the map (2 Elsewhere)",
        "exclusion_regions.2 stars.ecsv: 1 rows have no position or radius (2)",
    ):
        assert warning in warnings
        assert warning in (run / "results/report.html").read_text()
        assert warning in (run / "output.txt").read_text()


def test_products_name_the_files_of_exclusions(run):
    header = fits.getheader(run / PRODUCT.format("everything"))
    for name, word in {
        "mask.fits": "EXCL",
        "coverage.fits": "COV",
        "regions.reg": "REG1",
        "stars.ecsv": "REG2",
    }.items():
        assert header[f"FIL{word}"] == name
        assert header[f"SHA{word}"] == hashlib.sha256((run / name).read_bytes()).hexdigest()
    assert len(header["SHAREGS"]) == 64
    assert header["MINACC"] == 0.1
    assert "SHAREGS" in fits.getheader(run / PRODUCT.format("common"))
    assert "FILREG1" not in fits.getheader(run / PRODUCT.format("common"))


def test_a_changed_region_file_is_noticed(run):
    # Last in this file, because it changes what the others look at.
    before = masks(run, "everything")[0]
    (run / "regions.reg").write_text("fk5\ncircle(83.6,22.8,6')\n")
    os.utime(run / "regions.reg", (10**9, 10**9))
    inspection = "results/everything/inspection.json"
    process = snakemake("results/everything/iteration-0/exclusion_mask.fits", inspection, folder=run)
    assert process.returncode == 0, process.stdout
    after = masks(run, "everything")[0]
    assert np.count_nonzero(after) < np.count_nonzero(before)
    warnings = json.loads((run / inspection).read_text())["warnings"]
    assert not any("Elsewhere" in warning for warning in warnings)
