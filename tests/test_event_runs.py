"""Runs of the workflow from event lists, through the snakemake command."""

import json
import re

import numpy as np
import pytest
import yaml
from astropy.io import fits
from conftest import KERNELS, REPOSITORY, snakemake, write_config, write_map
from test_events import write_events

import skymask
from skymask.datasets import events
from skymask.io import maps
from skymask.sky import geometry as sky
from skymask.sky.configured_kernels import background_kernel, dilation_kernel, to_pixels

GEOMETRY = {"center": ["83.633 deg", "22.014 deg"], "width": ["3 deg", "2.5 deg"], "pixel_size": "0.05 deg"}


def simulated_events(path, number=9000, seed=0, **header):
    """Write a list of events: a flat background over more than the field, and a source in its middle."""
    generator = np.random.default_rng(seed)
    ra = np.concatenate([generator.uniform(81.9, 85.4, number), generator.normal(83.633, 0.08, 300)])
    dec = np.concatenate([generator.uniform(20.7, 23.3, number), generator.normal(22.014, 0.08, 300)])
    energy = generator.uniform(0.5, 5, len(ra))
    columns = {"RA": (ra, "deg"), "DEC": (dec, "deg"), "ENERGY": (energy, "TeV")}
    return write_events(path, columns, OBSERVER="the authors", RADESYS="ICRS", **header)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of three datasets of events: one good, one on the pixels of a map, one whose list is truncated."""
    folder = tmp_path_factory.mktemp("events")
    simulated_events(folder / "first.fits")
    simulated_events(folder / "second.fits", number=2000, seed=1)
    whole = (folder / "first.fits").read_bytes()
    (folder / "truncated.fits").write_bytes(whole[: len(whole) // 2])
    header, shape = sky.grid(GEOMETRY)
    write_map(folder / "map.fits", np.zeros(shape), header)
    acceptance = np.ones(shape)
    acceptance[:, :10] = 0.5
    write_map(folder / "acceptance.fits", acceptance, header)
    write_config(
        folder / "config.yaml",
        datasets={
            "field": {
                "events": ["first.fits", "second.fits"],
                "geometry": GEOMETRY,
                "cuts": {"energy": ["1 TeV", None], "time": ["2003-12-27", "2003-12-28"]},
            },
            "like-a-map": {
                "events": "first.fits",
                "geometry": {"as": "map.fits"},
                "acceptance": "acceptance.fits",
                "convergence": {"max_iterations": 1},
            },
            "truncated": {"events": "truncated.fits", "geometry": GEOMETRY},
        },
        null_simulations={"number": 2},
        checkpoint_groups=1,
    )
    # Times of the list: the first event has one, others none.
    for name in ("first.fits", "second.fits"):
        with fits.open(folder / name, mode="update") as hdus:
            table = hdus[1]
            time = fits.ColDefs([fits.Column("TIME", "D", "s", array=np.arange(len(table.data)) * 1e-3)])
            made = fits.BinTableHDU.from_columns(table.columns + time, header=table.header)
            hdus[1] = made
    statuses = [f"results/{dataset}/status.json" for dataset in ("field", "truncated")]
    process = snakemake(*statuses, "results/like-a-map/excess.fits", folder=folder)
    assert process.returncode == 0, process.stdout
    (folder / "output.txt").write_text(process.stdout)
    return folder


def status(folder, dataset):
    return json.loads((folder / f"results/{dataset}/status.json").read_text())


def test_events_are_analysed_as_their_map_would_be(run):
    header, shape = sky.grid(GEOMETRY)
    cuts = {"energy": ["1 TeV", None], "time": ["2003-12-27", "2003-12-28"]}
    binned = events.bin_events([str(run / "first.fits"), str(run / "second.fits")], header, shape, cuts)
    size = (0.05, 0.05)
    kernels = {
        "source_kernel": to_pixels(KERNELS["source_kernel"], size),
        "background_kernel": background_kernel(
            size,
            source_kernel=KERNELS["source_kernel"],
            background_kernel=KERNELS["background_kernel"],
            statistic="wstat",
        ),
        "dilation_kernel": dilation_kernel(KERNELS["dilation_radius"], size),
    }
    result = skymask.iterate(binned.counts, **kernels)
    written = maps.read_product(run / "results/field/significance.fits")["significance"].data
    np.testing.assert_array_equal(written, result.products.significance)
    assert status(run, "field")["state"] == "converged"
    assert not result.exclusion_mask[25, 30], "the source is found"


def test_events_outside_are_counted_in_status_and_header(run):
    header = fits.getheader(run / "results/field/excess.fits")
    warning = f"{header['NEVOUT']} of {header['NEVSEL']} selected events lie outside the field"
    assert header["NEVOUT"] > 0
    assert warning in status(run, "field")["warnings"]
    assert warning in json.loads((run / "results/field/inspection.json").read_text())["warnings"]
    assert f"warning: field: {warning}" in (run / "output.txt").read_text()


def test_products_say_which_events_they_are_made_of(run):
    header = fits.getheader(run / "results/field/significance.fits")
    assert (header["TELESCOP"], header["OBSERVER"]) == ("HESS", "the authors")
    assert header["CUTENER"] == "from 1 TeV"
    assert (header["FILEVT1"], header["FILEVT2"]) == ("first.fits", "second.fits")
    assert header["SHAEVT1"] == maps.file_digest(run / "first.fits")
    binned = fits.getheader(run / "results/field/binned_counts.fits")
    assert (binned["NEVREAD"], binned["NEVFILES"]) == (9300 + 2300, 2)
    assert not [key for key in binned if key.startswith("DATE")]


def test_a_truncated_list_fails_its_dataset_alone_with_one_line(run):
    assert status(run, "truncated")["state"] == "failed"
    assert re.fullmatch(r"truncated.fits is damaged or not a FITS file \(.*\)", status(run, "truncated")["reason"])
    assert "Traceback" not in (run / "output.txt").read_text()
    assert status(run, "field")["state"] == "converged"


def test_acceptance_may_stand_beside_events(run):
    header = fits.getheader(run / "results/like-a-map/excess.fits")
    assert header["FILACC"] == "acceptance.fits"
    assert header["NEVREAD"] == 9300


def rules_to_rerun(folder, config):
    (folder / "changed.yaml").write_text(yaml.safe_dump(config))
    process = snakemake("--dry-run", "--quiet", "host", "--configfile", "changed.yaml", folder=folder)
    assert process.returncode == 0, process.stdout
    return set(re.findall(r"^(\w+) +\d+$", process.stdout, flags=re.MULTILINE)) - {"total"}


def test_another_cut_counts_again_and_another_threshold_does_not(run):
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert "bin_events" not in rules_to_rerun(run, config | {"threshold": 6})
    config["datasets"]["field"]["cuts"]["energy"] = ["2 TeV", None]
    assert "bin_events" in rules_to_rerun(run, config)


def test_dates_may_stand_in_yaml_without_quotes(tmp_path):
    simulated_events(tmp_path / "e.fits")
    geometry = yaml.safe_dump({"geometry": GEOMETRY}, default_flow_style=True, width=1000).strip()[1:-1]
    (tmp_path / "c.yaml").write_text(
        yaml.safe_dump(KERNELS)
        + f"datasets:\n  a:\n    events: e.fits\n    {geometry}\n"
        + "    cuts: {time: [2003-12-27, 2003-12-28T00:00:00]}\n"
    )
    process = snakemake("results/a/binning.json", "--configfile", "c.yaml", folder=tmp_path)
    assert process.returncode == 0, process.stdout
    # The list has no times: said in one line.
    reason = json.loads((tmp_path / "results/a/binning.json").read_text())["reason"]
    assert reason == "e.fits has no column TIME, which a cut needs, only RA, DEC, ENERGY"


def test_the_readmes_ten_lines_count_the_events_of_hess(shared, tmp_path):
    readme = (REPOSITORY / "docs/guide.md").read_text(encoding="utf-8").split("## From event lists in ten lines")[1]
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", readme.split("\n## ")[0], flags=re.MULTILINE | re.DOTALL)
    assert len(block.splitlines()) <= 10
    for name, number in (("run-1.fits.gz", 23523), ("run-2.fits.gz", 23526)):
        source = shared / f"data/hess-dl3-dr1/data/hess_dl3_dr1_obs_id_{number:06}.fits.gz"
        (tmp_path / name).symlink_to(source)
    (tmp_path / "mine.yaml").write_text(block)
    process = snakemake("results/crab/binned_counts.fits", "--configfile", "mine.yaml", folder=tmp_path)
    assert process.returncode == 0, process.stdout
    counts = maps.read_product(tmp_path / "results/crab/binned_counts.fits")["counts"]
    assert counts.data.shape == (200, 200)
    assert counts.header["NEVREAD"] == 7613 + 7581
    assert counts.data.sum() == counts.header["NEVSEL"] - counts.header["NEVOUT"]
    y, x = np.unravel_index(counts.data.argmax(), counts.data.shape)
    # The Crab nebula is in the middle.
    assert abs(y - 99.5) <= 3
    assert abs(x - 99.5) <= 3


def test_ten_lines_count_the_events_of_fermi(shared, tmp_path):
    folder = shared / "data/fermi-3fhl-gc"
    write_config(
        tmp_path / "mine.yaml",
        datasets={
            "centre": {
                "events": str(folder / "fermi-3fhl-gc-events.fits.gz"),
                "geometry": {"as": str(folder / "fermi-3fhl-gc-counts.fits.gz")},
                "cuts": {"energy": ["10 GeV", "500 GeV"]},
            }
        },
    )
    process = snakemake("results/centre/binned_counts.fits", "--configfile", "mine.yaml", folder=tmp_path)
    assert process.returncode == 0, process.stdout
    counts = maps.read_product(tmp_path / "results/centre/binned_counts.fits")["counts"]
    published = maps.read(folder / "fermi-3fhl-gc-counts.fits.gz")
    assert counts.data.sum() == 32843 - 109
    # The published map has fewer good time intervals, and two events that the list lacks: see test_events.py.
    assert counts.data.sum() - published.data.sum() == 52 - 2
    assert counts.header["TELESCOP"] == "GLAST"
    assert counts.header["OBSERVER"] == "Peter Michelson"
