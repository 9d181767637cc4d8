"""Scans: every combination of settings has the mask of a loop of its own, and a comparison says how far they agree."""

import json

import numpy as np
import pytest
from astropy.table import Table
from conftest import KERNELS, field_with_source, snakemake, write_config, write_map
from test_configuration import CONFIG, SCHEMA, crab

from skymask.cli.check import number_of_jobs
from skymask.config import configuration, scan
from skymask.errors import ConfigurationError
from skymask.io import maps
from skymask.products import plots

SCAN = {"threshold": [5, 3], "dilation_radius": ["0.25 deg", "0.15 deg"]}


def write_scan(folder, **values):
    datasets = {"field": {"counts": "field.fits", "scan": values or SCAN}, "alone": {"counts": "field.fits"}}
    datasets |= {"low": datasets["alone"] | {"threshold": 3}}
    # That loops go on alike in both is tested everywhere.
    write_config(folder / "config.yaml", datasets=datasets, convergence={"max_iterations": 1})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished scan, and the statuses of two ordinary datasets whose settings are among its combinations."""
    folder = tmp_path_factory.mktemp("scan")
    write_map(folder / "field.fits", field_with_source())
    write_scan(folder)
    statuses = [f"results/{name}/exclusion_mask.fits" for name in ("alone", "low")]
    process = snakemake("results/field/scan.html", *statuses, folder=folder)
    assert process.returncode == 0, process.stdout
    return folder


@pytest.mark.parametrize(("dataset", "threshold"), [("alone", 5), ("low", 3)])
def test_a_combination_has_the_mask_that_the_workflow_ends_with(run, dataset, threshold):
    point = run / f"results/field/scan/dilation_radius~{KERNELS['dilation_radius']}_threshold~{threshold}".replace(
        " ", ""
    )
    mask = maps.read_product(f"{point}.fits")["exclusion_mask"].data
    product = maps.read_product(run / f"results/{dataset}/exclusion_mask.fits")["exclusion_mask"]
    np.testing.assert_array_equal(mask, product.data)
    record = json.loads((run / f"{point}.json").read_text())
    keys = {"state": "STATE", "iteration": "NITER", "excluded": "NEXCL", "mask_sha256": "SHAMASK"}
    assert {key: record[key] for key in keys} == {key: product.header[card] for key, card in keys.items()}


def test_the_table_has_a_row_for_every_combination_and_tells_that_of_the_dataset(run):
    table = Table.read(run / "results/field/scan.ecsv")
    assert len(table) == 4
    assert list(table["dilation_radius"][table["own"]]) == ["0.15 deg"]
    assert list(table["threshold"][table["own"]]) == ["5"]


def test_counts_and_checks_are_made_once_for_all_combinations(run):
    made = {path.name for path in (run / "logs/field").rglob("*.log")}
    assert made == {"prepare_dataset.log", "compare_settings.log"} | {
        f"dilation_radius~{radius}_threshold~{value}.log" for radius in ("0.15deg", "0.25deg") for value in (3, 5)
    }


def test_a_value_more_computes_its_combinations_only(run):
    def times():
        return {path.name: path.stat().st_mtime_ns for path in run.glob("results/field/scan/*")}

    before = times()
    write_scan(run, threshold=[3, 5, 4], dilation_radius=["0.15 deg"])
    process = snakemake("results/field/scan.html", folder=run)
    assert process.returncode == 0, process.stdout
    new = {f"dilation_radius~0.15deg_threshold~4.{kind}" for kind in ("fits", "json")}
    assert {name for name, time in times().items() if before.get(name) != time} == new


# The grid.


def test_combinations_are_named_as_by_paramspace_and_grow():
    values = {"dilation_radius": ["30 arcmin", "0.1 deg"], "threshold_low": [3, None, 2]}
    assert list(scan.points(values)) == [
        f"dilation_radius~{radius}_threshold_low~{low}" for radius in ("0.1deg", "0.5deg") for low in ("null", "2", "3")
    ]


def test_no_scan_has_no_combination():
    assert scan.points({}) == {}


def test_neighbours_differ_by_one_step_of_one_key():
    values = {"statistic": ["wstat", "cash"], "threshold": [3, 4, 5]}
    name = "statistic~{}_threshold~{}".format
    assert scan.neighbours(values, "threshold") == [
        (name(word, low), name(word, low + 1)) for word in ("wstat", "cash") for low in (3, 4)
    ]
    assert scan.neighbours(values, "statistic") == [(name("wstat", value), name("cash", value)) for value in (3, 4, 5)]


def test_values_of_a_combination_take_the_place_of_the_datasets_own():
    entry = {"threshold": 5, "source_kernel": {"shape": "disk", "radius": "0.1 deg"}, "min_pixels": 1}
    values = {"threshold": 4, "source_kernel.radius": "0.2 deg"}
    changed = scan.with_values(entry, values)
    assert changed == {"threshold": 4, "source_kernel": {"shape": "disk", "radius": "0.2 deg"}, "min_pixels": 1}
    assert scan.values_of(changed, values) == values
    assert entry["source_kernel"]["radius"] == "0.1 deg"


# The comparison.


@pytest.mark.parametrize(
    ("one", "other", "common"), [([1, 1, 0, 0], [0, 1, 1, 0], 1 / 3), ([1, 0], [0, 1], 0), ([0, 0], [0, 0], 1)]
)
def test_overlap_is_the_intersection_over_the_union(one, other, common):
    assert scan.overlap(np.array(one, dtype=bool), np.array(other, dtype=bool)) == common


def record(**changes):
    return dict.fromkeys(scan.COLUMNS) | {"state": "converged", "excluded_fraction": 0.1, **changes}


def test_the_smaller_overlap_with_the_neighbours_counts_and_what_failed_is_none():
    names = [f"threshold~{value}" for value in (3, 4, 5, 6)]
    excluded = dict(zip(names, np.array([[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 0]], dtype=bool), strict=False))
    records = {name: record() for name in names[:3]} | {names[3]: record(state="failed", reason="too wide")}
    rows = scan.compare({"threshold": [3, 4, 5, 6]}, records, excluded, {"threshold": 4})
    assert [row["overlap_threshold"] for row in rows] == [1 / 2, 1 / 2, 2 / 3, None]
    assert [row["own"] for row in rows] == [False, True, False, False]


def test_columns_of_numbers_have_nan_where_there_is_none_and_infinite_ones_are_numbers():
    rows = [record(highest_significance="inf", reason=None), record(state="failed", excluded_fraction=None, reason="x")]
    columns = scan.table(rows)
    assert columns["highest_significance"][0] == np.inf
    assert np.isnan(columns["excluded_fraction"][1])
    assert columns["reason"] == ["", "x"]


def test_the_figure_has_a_line_for_every_combination_of_the_other_keys():
    values = {"statistic": ["wstat", "cash"], "threshold": [3, 4, 5]}
    records = {name: record(state="cycle", off_source_width=1.1) for name in scan.points(values)}
    rows = scan.compare(values, records, {}, {"statistic": "cash", "threshold": 4})
    figure = plots.scan("field", scan.longest(values), list(values), rows)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["statistic wstat", "statistic cash", "settings of the dataset", "ended as cycle"]
    assert [text.get_text() for text in figure.axes[-1].get_xticklabels()] == ["3", "4", "5"]


# What is said before anything is computed.


def test_jobs_of_a_scan_are_one_for_each_combination_and_one_more():
    with_scan, without = (
        configuration.dataset_settings({**CONFIG, "scan": values}, SCHEMA) for values in ({"threshold": [3, 4, 5]}, {})
    )
    assert np.subtract(number_of_jobs(with_scan, 10), number_of_jobs(without, 10)).tolist() == [4, 4]


MISTAKES = {
    "unknown key": ({"thresold": [3]}, "scan.thresold is no known key (did you mean threshold?)"),
    "no list": ({"threshold": 3}, "scan.threshold must be a list, got 3"),
    "no value": ({"threshold": []}, "scan.threshold must not be empty"),
    "bad value": ({"threshold": [3, 0]}, "scan.threshold.1 must be more than 0, got 0"),
    "no unit": ({"source_kernel.radius": ["0.1"]}, "scan.source_kernel.radius.0 must be a length with its unit"),
    "twice": ({"dilation_radius": ["0.3 deg", "18arcmin"]}, "scan.dilation_radius: 0.3deg stands there twice"),
    "no such length": (
        {"source_kernel.sigma": ["1 px"]},
        "scan.source_kernel.sigma: the source_kernel of this dataset is disk and has no sigma",
    ),
    "not together": (
        {"threshold": [3, 5], "threshold_low": [2, 4]},
        "scan, threshold~3_threshold_low~4: threshold_low must be at most the threshold 3, got 4",
    ),
    "two units": (
        {"background_kernel.width": ["0.2 deg", "3 px"]},
        "scan, background_kernel.width~3px.background_kernel: inner_radius and width must both be angles or both px",
    ),
    "too many": (
        {"threshold": list(range(1, 41)), "min_pixels": list(range(1, 41))},
        "scan has 1600 combinations: at most 1000 are possible",
    ),
}


@pytest.mark.parametrize(("values", "line"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_a_scan_is_one_line(values, line):
    with pytest.raises(ConfigurationError) as error:
        configuration.dataset_settings({**CONFIG, "datasets": crab(scan=values)}, SCHEMA)
    (said,) = str(error.value).splitlines()
    assert f"datasets.crab.{line}" in said
