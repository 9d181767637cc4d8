"""The independent reference results for public data: identical masks, through the workflow and in memory.

Masks must be those of the reference pixel for pixel, backgrounds agree to 1e-9 relative: the reference was computed
by direct sums in double precision, whose rounding is far below that.
"""

import csv
import hashlib
import json

import numpy as np
import pytest
from astropy.io import fits
from conftest import snakemake, write_config, write_map

import skymask
from skymask import maps

#: Cases whose input is described, not given.
BUILT = {
    "T1": ((10, 10), (4, 4), np.ones((1, 3)), np.ones((5, 3))),
    "D1": ((100, 100), (50, 50), None, None),
}


@pytest.fixture(scope="module")
def cases(shared):
    return {case["name"]: case for case in json.loads((shared / "reference/index.json").read_text())}


def kernel_in_pixels(shape, **radii):
    return {"shape": shape, **{key: f"{value} px" for key, value in radii.items()}}


def dataset_of(case, shared, folder):
    """Return a case as a dataset of the configuration."""
    name = case["name"]
    entry = {
        "statistic": "wstat" if "on/off" in case.get("mode", "") else "cash",
        "threshold": case["threshold"],
        "dilation_radius": f"{case['dilation_pix']} px",
        "starved_pixels": "use" if "undefined=include" in case.get("mode", "") else "keep",
        "convergence": {"on_cycle": "last"},
    }
    if name in BUILT:
        shape, (y, x), source, background = BUILT[name]
        counts = np.full(shape, 42)
        counts[y, x] = 1000
        entry["counts"] = write_map(folder / f"{name}.fits", counts)
        if source is None:
            entry["source_kernel"] = kernel_in_pixels("disk", radius=3)
            entry["background_kernel"] = kernel_in_pixels("ring", inner_radius=4, width=2)
        else:
            for key, kernel in (("source_kernel", source), ("background_kernel", background)):
                entry[key] = {"shape": "array", "path": write_map(folder / f"{name}-{key}.fits", kernel)}
        return entry
    entry["counts"] = str(shared / case["input"])
    entry["source_kernel"] = kernel_in_pixels("disk", radius=case["src_pix"])
    inner_radius, width = case["ring_pix"]
    entry["background_kernel"] = kernel_in_pixels("ring", inner_radius=inner_radius, width=width)
    if entry["statistic"] == "wstat":
        entry["acceptance"] = str(shared / "data/hess-maps/msh1552_tutorial/acceptance.fits.gz")
    return entry


@pytest.fixture(scope="module")
def run(cases, shared, tmp_path_factory):
    """All cases in one run of the workflow, as far as their products."""
    folder = tmp_path_factory.mktemp("reference")
    datasets = {name: dataset_of(case, shared, folder) for name, case in cases.items()}
    write_config(folder / "config.yaml", datasets=datasets, checkpoint_groups=20)
    process = snakemake(*(f"results/{name}/exclusion_mask.fits" for name in cases), folder=folder)
    assert process.returncode == 0, process.stdout
    return folder


def test_masks_are_identical(run, cases):
    digests = {}
    for name in cases:
        mask = maps.read_product(run / f"results/{name}/exclusion_mask.fits")["exclusion_mask"].data
        digests[name] = hashlib.sha256(mask.astype(np.uint8).tobytes()).hexdigest()
    assert digests == {name: case["mask_sha256"] for name, case in cases.items()}


def test_every_iteration_excludes_as_many_pixels(run, cases):
    sequences = {}
    for name in cases:
        with open(run / f"results/{name}/convergence.csv", newline="") as file:
            sequences[name] = [int(row["excluded"]) for row in csv.DictReader(file)]
    assert sequences == {name: case["excluded_sequence"] for name, case in cases.items()}


def test_ends_and_periods_are_the_same(run, cases):
    ends = {name: fits.getheader(run / f"results/{name}/exclusion_mask.fits") for name in cases}
    assert {name: (end["STATE"], end["PERIOD"]) for name, end in ends.items()} == {
        name: ("converged" if case["converged"] else "cycle", case["period"]) for name, case in cases.items()
    }


def test_backgrounds_agree(run, cases, shared):
    for name in cases:
        background = fits.getdata(run / f"results/{name}/background.fits")
        expected = fits.getdata(shared / f"reference/{name}.fits.gz", "BACKGROUND")
        np.testing.assert_allclose(background, expected, rtol=1e-9, atol=0, equal_nan=True, err_msg=name)


def test_significances_agree_where_the_reference_has_one(run, cases, shared):
    # The reference holds the significance of its last iteration, which for a fixed point is the final one. Near zero it
    # is the root of a difference that is known to 1e-13, hence the absolute tolerance.
    for name, case in cases.items():
        if case["converged"]:
            significance = fits.getdata(run / f"results/{name}/significance.fits")
            expected = fits.getdata(shared / f"reference/{name}.fits.gz", "SIGNIFICANCE")
            defined = ~np.isnan(expected)
            np.testing.assert_allclose(significance[defined], expected[defined], rtol=1e-9, atol=1e-6, err_msg=name)


def test_a_cycle_in_memory_repeats_the_reference_masks(cases, shared):
    counts = maps.read(shared / cases["F2"]["input"]).data
    options = {
        "source_kernel": skymask.disk(2),
        "background_kernel": skymask.ring(10, 6),
        "dilation_kernel": skymask.disk(2),
        "threshold": 3,
        "statistic": "cash",
    }
    union = skymask.iterate(counts, on_cycle="union", **options)
    masks = fits.getdata(shared / "reference/F2.fits.gz", "CYCLE_MASKS") == 1
    np.testing.assert_array_equal(union.exclusion_mask, masks.all(axis=0))
