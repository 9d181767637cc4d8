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
from skymask.io import maps

#: Cases whose input is described, not given.
BUILT = {
    "T1": ((10, 10), (4, 4), np.ones((1, 3)), np.ones((5, 3))),
    "D1": ((100, 100), (50, 50), skymask.disk(3), skymask.ring(4, 2)),
}


#: Cases that go through the workflow too; that it agrees with the loop in memory to the bit is tested everywhere.
IN_FILES = ("T1", "msh1552_onoff_thr5_dil0.3_ring0.5-0.8", "undefined_bkg_fermi3fhl_gc_keep")

ACCEPTANCE = "data/hess-maps/msh1552_tutorial/acceptance.fits.gz"


@pytest.fixture(scope="module")
def cases(shared):
    return {case["name"]: case for case in json.loads((shared / "reference/index.json").read_text())}


def built(name):
    """Return counts and kernels of a case whose input is described."""
    shape, source_pixel, *kernels = BUILT[name]
    counts = np.full(shape, 42)
    counts[source_pixel] = 1000
    return counts, *kernels


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
        counts, *kernels = built(name)
        entry["counts"] = write_map(folder / f"{name}.fits", counts)
        for key, kernel in zip(("source_kernel", "background_kernel"), kernels, strict=True):
            entry[key] = {"shape": "array", "path": write_map(folder / f"{name}-{key}.fits", kernel)}
        return entry
    entry["counts"] = str(shared / case["input"])
    entry["source_kernel"] = kernel_in_pixels("disk", radius=case["src_pix"])
    inner_radius, width = case["ring_pix"]
    entry["background_kernel"] = kernel_in_pixels("ring", inner_radius=inner_radius, width=width)
    if entry["statistic"] == "wstat":
        entry["acceptance"] = str(shared / ACCEPTANCE)
    return entry


def iterated(case, shared):
    """Return the result of a case in memory, and how it ended in the reference's words."""
    name = case["name"]
    if name in BUILT:
        counts, *kernels = built(name)
    else:
        counts = maps.read(shared / case["input"]).data
        kernels = skymask.disk(case["src_pix"]), skymask.ring(*case["ring_pix"])
    mode = case.get("mode", "")
    measured = "on/off" in mode
    return skymask.iterate(
        counts,
        acceptance=maps.read(shared / ACCEPTANCE).data if measured else None,
        source_kernel=kernels[0],
        background_kernel=kernels[1],
        dilation_kernel=skymask.disk(case["dilation_pix"]),
        threshold=case["threshold"],
        statistic="wstat" if measured else "cash",
        starved_pixels="use" if "undefined=include" in mode else "keep",
        on_cycle="last",
    )


def digest(mask):
    return hashlib.sha256(mask.astype(np.uint8).tobytes()).hexdigest()


def end(case):
    return ("converged" if case["converged"] else "cycle", case["period"])


@pytest.fixture(scope="module")
def results(cases, shared):
    return {name: iterated(case, shared) for name, case in cases.items()}


@pytest.fixture(scope="module")
def run(cases, shared, tmp_path_factory):
    """Some cases in one run of the workflow, as far as their products."""
    folder = tmp_path_factory.mktemp("reference")
    datasets = {name: dataset_of(cases[name], shared, folder) for name in IN_FILES}
    write_config(folder / "config.yaml", datasets=datasets, checkpoint_groups=1)
    process = snakemake(*(f"results/{name}/exclusion_mask.fits" for name in IN_FILES), folder=folder)
    assert process.returncode == 0, process.stdout
    return folder


def test_masks_are_identical(results, cases):
    assert {name: digest(result.exclusion_mask) for name, result in results.items()} == {
        name: case["mask_sha256"] for name, case in cases.items()
    }


def test_every_iteration_excludes_as_many_pixels(results, cases):
    assert {name: [row["excluded"] for row in result.records[1:]] for name, result in results.items()} == {
        name: case["excluded_sequence"] for name, case in cases.items()
    }


def test_ends_and_periods_are_the_same(results, cases):
    assert {name: (result.state, result.period) for name, result in results.items()} == {
        name: end(case) for name, case in cases.items()
    }


def test_backgrounds_agree(results, cases, shared):
    for name, result in results.items():
        expected = fits.getdata(shared / f"reference/{name}.fits.gz", "BACKGROUND")
        np.testing.assert_allclose(
            result.products.background, expected, rtol=1e-9, atol=0, equal_nan=True, err_msg=name
        )


def test_significances_agree_where_the_reference_has_one(results, cases, shared):
    # The reference holds the significance of its last iteration, which for a fixed point is the final one. Near zero it
    # is the root of a difference that is known to 1e-13, hence the absolute tolerance.
    for name, case in cases.items():
        if case["converged"]:
            significance = results[name].products.significance
            expected = fits.getdata(shared / f"reference/{name}.fits.gz", "SIGNIFICANCE")
            defined = ~np.isnan(expected)
            np.testing.assert_allclose(significance[defined], expected[defined], rtol=1e-9, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("name", IN_FILES)
def test_the_workflow_makes_the_same_of_the_files(run, results, cases, name):
    folder, case = run / f"results/{name}", cases[name]
    mask = maps.read_product(folder / "exclusion_mask.fits")["exclusion_mask"]
    assert digest(mask.data) == case["mask_sha256"]
    assert (mask.header["STATE"], mask.header["PERIOD"]) == end(case)
    with open(folder / "convergence.csv", newline="") as file:
        assert [int(row["excluded"]) for row in csv.DictReader(file)] == case["excluded_sequence"]
    for product in ("background", "significance"):
        made = maps.read_product(folder / f"{product}.fits")[product].data
        np.testing.assert_array_equal(made, getattr(results[name].products, product))


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
