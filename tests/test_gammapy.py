"""gammapy does one step of the loop on a real H.E.S.S. map as skymask does.

That it reads the products is in test_workflow.py.
gammapy convolves in single precision, hence the tolerances: 1e-5 relative to the largest background, and 1e-3 standard
deviations, to which a relative error of 1e-6 in the off counts of about 20,000 grows at the highest significances.
"""

import numpy as np
import pytest
from conftest import code_blocks, field_with_source

import skymask
from skymask import KernelBackgroundEstimator, RingBackgroundEstimator, compute_lima_image
from skymask.core.convolution import convolve
from skymask.loop.iteration import compute_products

pytestmark = [pytest.mark.filterwarnings("default")]


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


def test_gammapy_takes_masked_pixels_from_counts_and_acceptance_under_the_source_kernel(gammapy):
    # What docs/validation.md says of pixels with an empty ring: their off acceptance is rounding, of either sign.
    from astropy import units
    from gammapy.datasets import MapDataset
    from gammapy.estimators import ExcessMapEstimator
    from gammapy.makers import RingBackgroundMaker
    from gammapy.maps import MapAxis

    axis = MapAxis.from_energy_bounds("1 TeV", "10 TeV", nbin=1)
    random = np.random.default_rng(1)
    images = {"counts": random.poisson(2.0, (40, 40)), "background": random.uniform(1, 2, (40, 40))}
    mask = np.ones((40, 40))
    mask[8:32, 8:32] = 0
    cubes = {name: as_map(image, axes=[axis]) for name, image in images.items()}
    safe = cubes["counts"].copy(data=np.ones((1, 40, 40), dtype=bool))
    dataset = MapDataset(**cubes, mask_safe=safe, name="hole")
    exclusion_mask = as_map(mask).copy(data=mask == 1)
    on_off = RingBackgroundMaker(r_in="0.2 deg", width="0.1 deg", exclusion_mask=exclusion_mask).run(dataset)
    kept = on_off.mask_safe.data[0]
    found = ExcessMapEstimator(0.1 * units.deg, correlate_off=False, selection_optional=["alpha"]).run(on_off)
    source = skymask.disk(2)
    empty = convolve(mask, skymask.ring(4, 2)) == 0
    assert kept[~empty].all()
    assert 0 < kept[empty].sum() < empty.sum()
    n_on, acceptance_on = (convolve(image * kept, source) for image in images.values())
    assert not np.array_equal(n_on, convolve(images["counts"], source))
    np.testing.assert_array_equal(found["counts"].data[0][kept], n_on[kept])
    seen = ~empty & (on_off.counts_off.data[0] > 0.5)
    alpha = acceptance_on[seen] / on_off.acceptance_off.data[0][seen]
    # Of numbers of about ten in single precision.
    np.testing.assert_allclose(found["alpha"].data[0][seen], alpha, rtol=1e-5)


def as_map(array, **options):
    """Return an array as a gammapy map with pixels of 0.05 deg."""
    from gammapy.maps import Map

    sky_map = Map.create(npix=array.shape[::-1], binsz=0.05, dtype=float, **options)
    sky_map.data = array.astype(float).reshape(sky_map.data.shape)
    return sky_map


def test_old_script_of_the_documentation_runs_and_iterates(gammapy, capsys):
    before, after = (code_blocks("docs/coming-from.md", language)[0] for language in ("py", "python"))
    # What is new in the new script is where the class comes from, and the last line.
    assert set(after.splitlines()) - set(before.splitlines()) == {
        "from skymask import KernelBackgroundEstimator",
        "print(estimator.result.state, estimator.result.iterations, len(estimator.images_stack))",
    }
    script = {}
    exec(after, script)
    counts = script["counts"].data
    expected = skymask.iterate(
        counts,
        source_kernel=skymask.disk(3),
        background_kernel=skymask.ring(4, 2),
        dilation_kernel=skymask.disk(0),
        statistic="cash",
    )
    assert capsys.readouterr().out == f"converged {expected.iterations} {expected.iterations + 1}\n"
    np.testing.assert_array_equal(script["result"]["exclusion"].data, expected.exclusion_mask)
    np.testing.assert_array_equal(script["result"]["significance"].data, expected.products.significance)
    assert script["result"]["background"].geom == script["counts"].geom


@pytest.mark.parametrize("radius", ["0.15 deg", "9 arcmin", 3])
def test_maps_and_arrays_give_the_same(gammapy, radius):
    counts = field_with_source()
    kernels = {"kernel_src": skymask.disk(2), "kernel_bkg": skymask.ring(8, 5)}
    theirs = KernelBackgroundEstimator(**kernels, mask_dilation_radius=radius).run({"counts": as_map(counts)})
    ours = KernelBackgroundEstimator(**kernels, mask_dilation_radius=3).run({"counts": counts})
    assert not ours["exclusion"].all()
    for name, array in ours.items():
        np.testing.assert_array_equal(theirs[name].data, array)


def test_maps_keep_an_axis_of_length_one(gammapy):
    from gammapy.maps import MapAxis

    axis = MapAxis.from_energy_bounds("1 TeV", "10 TeV", nbin=1)
    counts = as_map(field_with_source(), axes=[axis])
    images = {"counts": counts, "exclusion": counts.copy(data=np.ones(counts.data.shape))}
    result = KernelBackgroundEstimator(skymask.disk(2), skymask.ring(8, 5)).run(images)
    assert result["exclusion"].geom == counts.geom
    assert list(images) == ["counts", "exclusion"]


def test_angles_of_a_ring_become_pixels(gammapy):
    counts = as_map(field_with_source())
    ring = RingBackgroundEstimator(r_in="0.3 deg", width="0.25 deg")
    assert np.array_equal(ring.kernel(counts), skymask.ring(6, 5))
    background = ring.run({"counts": counts})["background_ring"]
    arrays = RingBackgroundEstimator(6, 5).run({"counts": counts.data})
    np.testing.assert_array_equal(background.data, arrays["background_ring"])


def test_lima_image_is_that_of_gammapy(gammapy):
    from gammapy.stats import CashCountsStatistic

    counts = as_map(field_with_source())
    images = compute_lima_image(counts, counts.copy(data=np.full(counts.data.shape, 2.0)), "0.1 deg")
    expected = CashCountsStatistic(images["counts"].data, images["background"].data).sqrt_ts
    np.testing.assert_allclose(images["significance"].data, expected, rtol=1e-9, atol=1e-6)


def test_mask_goes_into_the_background_makers_on_real_runs(gammapy, shared, tmp_path, monkeypatch):
    (tmp_path / "hess-dl3-dr1").symlink_to(shared / "data/hess-dl3-dr1")
    monkeypatch.chdir(tmp_path)
    script = {}
    exec(code_blocks("docs/coming-from.md", "python")[2], script)
    found, runs, mask = script["found"], script["runs"], script["found"].exclusion_mask
    assert found.state == "converged"
    assert not script["exclusion_mask"].get_by_coord({"lon": 228.53, "lat": -59.16})
    for run, ring, fov in zip(runs, script["with_ring"], script["with_fov"], strict=True):
        # gammapy's ring takes all counts of a run, the safe ones or not; its kernel ends where 0.3 / 0.05 rounds to.
        safe, counts, model = (image.data[0] for image in (run.mask_safe, run.counts, run.background))
        kernel = skymask.from_array(script["ring_maker"].kernel(run.counts).array)
        ours = compute_products(counts.astype(int), model, mask, skymask.disk(2), kernel, statistic="cash").background
        np.testing.assert_allclose(ring.background.data[0][safe], ours[safe], rtol=0, atol=1e-5 * np.nanmax(ours))
        used = safe & mask
        norm = fov.models[f"{fov.name}-bkg"].spectral_model.norm.value
        assert norm == pytest.approx(counts[used].sum() / model[used].sum(), rel=1e-5)
    # The source, which hides in its own rings without the mask, raises the background around it.
    without = script["RingBackgroundMaker"](r_in="0.5 deg", width="0.3 deg").run(runs[0])
    around = ~mask & runs[0].mask_safe.data[0]
    assert script["with_ring"][0].background.data[0][around].sum() < without.background.data[0][around].sum()


def test_adaptive_ring_of_the_documentation_grows_around_the_mask(gammapy, capsys):
    script = {}
    exec(code_blocks("docs/coming-from.md", "python")[1], script)
    assert capsys.readouterr().out.endswith(" deg\n")
    radius = script["result"]["ring_radius"]
    assert radius.geom == script["counts"].geom
    # Where nothing is excluded a ring of ten times the disk of theta suffices; in the hole it must be wider.
    assert 0.32 < radius.data[50, 12] < radius.data[50, 50] <= 0.8
    # In numbers of pixels, arrays give the same.
    arrays = skymask.AdaptiveRingBackgroundEstimator(5.5, 20, 2.5, stepsize=0.5, theta=2.5)
    images = {name: script[key].data for name, key in (("counts", "counts"), ("background", "exposure"))}
    made = arrays.run({**images, "exclusion": script["exclusion"].data})
    np.testing.assert_array_equal(made["background_ring"], script["result"]["background_ring"].data)
