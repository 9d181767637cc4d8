"""gammapy does one step of the loop on a real H.E.S.S. map as skymask does, and reads its products.

gammapy convolves in single precision, hence the tolerances: 1e-5 relative to the largest background, and 1e-3 standard
deviations, to which a relative error of 1e-6 in the off counts of about 20,000 grows at the highest significances.
"""

import os

import numpy as np
import pytest
from conftest import field_with_source, snakemake, write_config, write_map

import skymask
from skymask import maps
from skymask.loop import compute_products

pytestmark = [pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def gammapy():
    if os.environ.get("SKYMASK_REQUIRE_GAMMAPY"):
        import gammapy

        return gammapy
    return pytest.importorskip("gammapy")


def test_one_step_is_that_of_gammapy(gammapy, shared):
    from astropy import units
    from gammapy.datasets import MapDataset
    from gammapy.estimators import ExcessMapEstimator
    from gammapy.makers import RingBackgroundMaker
    from gammapy.maps import Map, MapAxis

    folder = shared / "data/hess-maps/msh1552_tutorial"
    read = {name: Map.read(folder / f"{name}.fits.gz") for name in ("counts", "acceptance", "exclusion")}
    axis = MapAxis.from_energy_bounds("0.5 TeV", "10 TeV", nbin=1)
    cubes = {name: sky_map.to_cube([axis]) for name, sky_map in read.items()}
    safe = cubes["counts"].copy(data=np.ones(cubes["counts"].data.shape, dtype=bool))
    acceptance = cubes["acceptance"].copy(unit="")
    dataset = MapDataset(counts=cubes["counts"], background=acceptance, mask_safe=safe, name="msh1552")
    exclusion_mask = read["exclusion"].copy(data=read["exclusion"].data == 1)
    maker = RingBackgroundMaker(r_in="0.5 deg", width="0.3 deg", exclusion_mask=exclusion_mask)
    on_off = maker.run(dataset)
    theirs = ExcessMapEstimator(0.1 * units.deg, correlate_off=False, selection_optional=[]).run(on_off)

    ours = compute_products(
        read["counts"].data.astype(int),
        read["acceptance"].data,
        exclusion_mask.data,
        skymask.disk(5),
        skymask.ring(25, 15),
        statistic="wstat",
    )
    background = on_off.background.data[0]
    np.testing.assert_allclose(ours.background, background, rtol=0, atol=1e-5 * background.max())
    np.testing.assert_allclose(ours.significance, theirs["sqrt_ts"].data[0], rtol=0, atol=1e-3)


def test_gammapy_reads_our_products(gammapy, tmp_path):
    from gammapy.maps import Map
    from regions import Regions

    write_map(tmp_path / "counts.fits", field_with_source())
    write_config(tmp_path / "config.yaml", datasets={"field": {"counts": "counts.fits"}})
    names = ("counts", "background", "significance", "excess", "exclusion_mask", "coverage", "alpha")
    names = (*names, "excess_errn", "excess_errp", "excess_upper_limit", "exclusion_mask_inverse")
    targets = [f"results/field/{name}.fits" for name in names]
    process = snakemake(*targets, "results/field/regions.reg", folder=tmp_path)
    assert process.returncode == 0, process.stdout
    for name in names:
        path = tmp_path / f"results/field/{name}.fits"
        sky_map = Map.read(path)
        np.testing.assert_array_equal(sky_map.data, maps.read_product(path)[name].data)
        assert sky_map.geom.center_skydir.separation(Map.read(tmp_path / "counts.fits").geom.center_skydir).deg < 1e-9
    regions = Regions.read(tmp_path / "results/field/regions.reg")
    mask = Map.read(tmp_path / "results/field/exclusion_mask.fits")
    np.testing.assert_array_equal(mask.geom.region_mask(regions, inside=False).data, mask.data == 1)
    assert not mask.data.all()
