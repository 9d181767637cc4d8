"""Old scripts run, and do what they were promised: on plain arrays here, on gammapy's maps in `test_gammapy.py`."""

import warnings

import numpy as np
import pytest
from conftest import REPOSITORY
from scipy.signal import fftconvolve

import skymask
from skymask import (
    AdaptiveRingBackgroundEstimator,
    KernelBackgroundEstimator,
    RingBackgroundEstimator,
    compute_lima_image,
    compute_lima_on_off_image,
)
from skymask.core.significance import cash, wstat
from skymask.errors import ConvergenceWarning, MapError

POINT = np.ones((1, 1))
RING = skymask.ring(2, 2)


def hidden_source():
    """Return counts of a flat background of 4, where a bright source at (10, 10) hides another one at (10, 13)."""
    counts = np.full((21, 25), 4)
    counts[10, 10] = 2000
    counts[10, 13] = 30
    return counts


def estimator(**changes):
    return KernelBackgroundEstimator(**{"kernel_src": POINT, "kernel_bkg": RING, "mask_dilation_radius": 0, **changes})


def crowded(seed=1):
    return np.random.default_rng(seed).poisson(3, (20, 24))


CROWDED = {
    "kernel_src": skymask.disk(1),
    "kernel_bkg": skymask.ring(3, 2),
    "significance_threshold": 2,
    "mask_dilation_radius": 1,
}


# What the original got wrong.


def test_every_pass_starts_from_the_last_one():
    kbe = estimator(keep_record=True)
    result = kbe.run({"counts": hidden_source()})
    assert [(~images["exclusion"]).sum() for images in kbe.images_stack] == [0, 1, 2, 2]
    assert np.argwhere(~result["exclusion"]).tolist() == [[10, 10], [10, 13]]


def test_a_change_within_the_map_is_a_change():
    # The original filled holes in the map of what had not changed, and so saw no change that left the border alone.
    kbe = estimator()
    with pytest.warns(ConvergenceWarning):
        kbe.run({"counts": hidden_source()}, niter_min=0, niter_max=1)
    assert kbe.result.state == "max_iterations"


def test_significance_belongs_to_the_background_returned():
    with pytest.warns(ConvergenceWarning):
        result = estimator().run({"counts": hidden_source()}, niter_max=1)
    np.testing.assert_array_equal(result["significance"], cash(hidden_source(), result["background"]))


@pytest.mark.parametrize("niter_max", [1, 2, 3, 10])
def test_users_mask_is_kept(niter_max):
    exclusion = np.ones((21, 25))
    exclusion[:3, :4] = 0
    images = {"counts": hidden_source(), "exclusion": exclusion}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        result = estimator().run(images, niter_max=niter_max)
    assert not result["exclusion"][:3, :4].any()


def test_users_mask_is_kept_in_single_iterations():
    images = {"counts": hidden_source(), "exclusion": np.ones((21, 25))}
    images["exclusion"][:3, :4] = 0
    for _ in range(3):
        images = estimator().run_iteration(images)
        assert not images["exclusion"][:3, :4].any()


def test_reaching_the_largest_number_of_iterations_is_said():
    with pytest.warns(ConvergenceWarning, match="niter_max = 2 is reached and the mask still changes"):
        estimator().run({"counts": hidden_source()}, niter_max=2)


def test_a_cycle_is_said():
    kbe = KernelBackgroundEstimator(**CROWDED, statistic="wstat")
    with pytest.warns(ConvergenceWarning, match="its masks repeat with period 2"):
        kbe.run({"counts": crowded()})
    assert (kbe.result.state, kbe.result.period) == ("cycle", 2)


def test_convergence_is_not_warned_of():
    assert estimator().run({"counts": hidden_source()})["exclusion"].sum() == 21 * 25 - 2


@pytest.mark.parametrize("call", ["run", "run_iteration"])
def test_input_is_left_untouched(call):
    images = {"counts": hidden_source(), "exclusion": np.ones((21, 25)), "background": np.full((21, 25), 4.0)}
    copies = {name: array.copy() for name, array in images.items()}
    getattr(estimator(), call)(images)
    assert list(images) == list(copies)
    for name, copy in copies.items():
        np.testing.assert_array_equal(images[name], copy)


# The rest of its behaviour.


@pytest.mark.parametrize("statistic", ["cash", "wstat"])
@pytest.mark.parametrize("given", [False, True], ids=["estimated", "given"])
def test_single_iterations_and_the_record_are_those_of_the_run(statistic, given):
    kbe = KernelBackgroundEstimator(**CROWDED, keep_record=True, statistic=statistic, threshold_low=1.5)
    images = {"counts": crowded(3), "exclusion": np.indices((20, 24))[1] > 2}
    if given:
        images["background"] = np.full((20, 24), 3.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        kbe.run(images)
    digests = [skymask.core.convergence.digest(entry["exclusion"]) for entry in kbe.images_stack]
    assert digests == [record["digest"] for record in kbe.result.records]
    assert len(digests) > 2
    for entry in kbe.images_stack[1:]:
        images = kbe.run_iteration(images)
        assert list(images) == list(entry)
        for name, array in entry.items():
            np.testing.assert_array_equal(images[name], array, err_msg=name)


def test_record_is_kept_on_request_only_and_not_added_to():
    kbe = estimator()
    kbe.run({"counts": hidden_source()})
    assert kbe.images_stack == []
    kbe = estimator(keep_record=True)
    kbe.run({"counts": hidden_source()})
    kbe.run({"counts": hidden_source()})
    assert len(kbe.images_stack) == 4


def test_last_record_of_a_converged_run_is_its_result():
    kbe = estimator(keep_record=True)
    result = kbe.run({"counts": hidden_source()})
    for name, array in result.items():
        np.testing.assert_array_equal(kbe.images_stack[-1][name], array)


def test_result_is_that_of_iterate():
    kbe = KernelBackgroundEstimator(**CROWDED, starved_pixels="use", min_pixels=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        result = kbe.run({"counts": crowded()}, niter_max=7)
    expected = skymask.iterate(
        crowded(),
        source_kernel=skymask.disk(1),
        background_kernel=skymask.ring(3, 2),
        dilation_kernel=skymask.disk(1),
        threshold=2,
        statistic="cash",
        starved_pixels="use",
        min_pixels=2,
        max_iterations=7,
    )
    np.testing.assert_array_equal(result["exclusion"], expected.exclusion_mask)
    np.testing.assert_array_equal(result["background"], expected.products.background)


@pytest.mark.parametrize("shape", [(4, 6), (5, 4), (1, 2), (3, 3)])
def test_kernel_with_even_sides_has_its_centre_where_it_had(shape):
    counts = np.random.default_rng(2).poisson(9, (15, 17))
    kernel = np.random.default_rng(3).random(shape) > 0.3
    kernel[0, 0] = True
    images = KernelBackgroundEstimator(POINT, kernel, 1000, 0).run_iteration({"counts": counts})
    off = fftconvolve(counts, kernel.astype(float), mode="same")
    area = fftconvolve(np.ones(counts.shape), kernel.astype(float), mode="same")
    seen = area > 0.5
    np.testing.assert_allclose(images["background"][seen], (off / np.where(seen, area, 1))[seen], rtol=1e-12)


def test_normalisation_of_kernels_does_not_matter():
    one = estimator().run({"counts": hidden_source()})
    other = estimator(kernel_src=7 * POINT, kernel_bkg=RING / RING.sum()).run({"counts": hidden_source()})
    np.testing.assert_array_equal(one["significance"], other["significance"])


def test_angle_on_an_array_is_refused():
    with pytest.raises(ValueError, match="give the radius as a number of pixels"):
        KernelBackgroundEstimator(POINT, RING).run({"counts": hidden_source()})


def test_cube_is_refused():
    with pytest.raises(MapError, match=r"counts must be two-dimensional images, got the shape \(2, 21, 25\)"):
        estimator().run({"counts": np.stack([hidden_source()] * 2)})


def test_axis_of_length_one_is_dropped():
    result = estimator().run({"counts": hidden_source()[None]})
    assert result["background"].shape == (21, 25)


def test_unknown_option_is_refused():
    with pytest.raises(TypeError, match="thresold"):
        estimator(thresold=3).run({"counts": hidden_source()})


# Rings and Li & Ma images.


def test_ring_background_by_hand():
    counts = np.zeros((7, 7), dtype=int)
    counts[3, 1], counts[3, 5] = 6, 100
    exclusion = np.ones((7, 7))
    exclusion[3, 5] = 0
    acceptance = np.full((7, 7), 2.0)
    acceptance[3, 3] = 1
    acceptance[0, 0] = 0
    # The ring at distance 2 has the pixels (1, 3), (3, 1), (3, 5), (5, 3), of which one is excluded.
    images = RingBackgroundEstimator(r_in=2, width=0).run(
        {"counts": counts, "background": acceptance, "exclusion": exclusion}
    )
    assert [images[name][3, 3] for name in ("off", "exposure_off", "alpha", "background_ring")] == [6, 6, 1 / 6, 1]
    assert [images[name][0, 0] for name in ("off", "exposure_off", "alpha", "background_ring")] == [0, 0, 0, 0]


def test_ring_takes_the_older_name_of_the_acceptance_and_none():
    counts = crowded()
    ring = RingBackgroundEstimator(3, 2)
    flat = ring.run({"counts": counts})["background_ring"]
    older = ring.run({"counts": counts, "exposure_on": np.full(counts.shape, 5.0)})["background_ring"]
    np.testing.assert_allclose(older, flat, rtol=1e-12)


def test_empty_ring_is_undefined():
    exclusion = np.zeros((9, 9))
    exclusion[0, 0] = 1
    images = RingBackgroundEstimator(2, 1).run({"counts": np.ones((9, 9), dtype=int), "exclusion": exclusion})
    assert np.isnan(images["background_ring"][8, 8])
    assert np.isnan(images["exposure_off"][8, 8])


def test_lima_image_by_hand():
    counts = np.zeros((5, 5), dtype=int)
    counts[2, 2], counts[2, 3] = 7, 3
    images = compute_lima_image(counts, np.full((5, 5), 0.84), skymask.disk(1))
    # Ten counts over 5 * 0.84 = 4.2; Cash 1979.
    assert images["significance"][2, 2] == pytest.approx(2.3979181291475453, rel=1e-12)
    assert (images["counts"][2, 2], images["excess"][2, 2]) == (10, pytest.approx(5.8, rel=1e-12))
    assert images["background"][2, 2] == pytest.approx(4.2, rel=1e-12)


@pytest.mark.parametrize("kernel", [skymask.disk(1), skymask.disk(1) / 5, 1, None])
def test_lima_image_takes_kernels_and_radii(kernel):
    counts = crowded()
    images = compute_lima_image(counts, np.full(counts.shape, 3.0), kernel, radius=1)
    expected = compute_lima_image(counts, np.full(counts.shape, 3.0), skymask.disk(1))
    np.testing.assert_array_equal(images["significance"], expected["significance"])


def test_lima_on_off_image_by_hand():
    n_on = np.zeros((3, 3), dtype=int)
    n_on[1, 0], n_on[1, 1] = 90, 40
    images = compute_lima_on_off_image(n_on, np.full((3, 3), 400.0), np.ones((3, 3)), np.full((3, 3), 20.0), 1)
    # alpha = 5 / 20; 130 counts over 100.
    values = {name: image[1, 1] for name, image in images.items()}
    assert values["significance"] == pytest.approx(2.5396, abs=5e-5)
    assert values["significance"] == pytest.approx(float(wstat(130, 400, 0.25)), rel=1e-12)
    assert {name: values[name] for name in ("n_on", "background", "excess", "alpha")} == {
        "n_on": 130,
        "background": 100,
        "excess": 30,
        "alpha": 0.25,
    }


def test_off_counts_are_not_summed_again():
    counts = crowded()
    ring = RingBackgroundEstimator(3, 2).run({"counts": counts})
    images = compute_lima_on_off_image(counts, ring["off"], np.ones(counts.shape), ring["exposure_off"], 1)
    products = skymask.compute_products(
        counts,
        np.ones(counts.shape),
        np.ones(counts.shape, dtype=bool),
        skymask.disk(1),
        skymask.ring(3, 2),
        statistic="wstat",
    )
    np.testing.assert_array_equal(images["significance"], products.significance)
    np.testing.assert_array_equal(images["excess"], products.excess)


def test_pixels_without_off_acceptance_are_undefined():
    a_off = np.full((3, 3), 20.0)
    a_off[0] = [0, np.nan, 20]
    images = compute_lima_on_off_image(np.ones((3, 3), dtype=int), np.full((3, 3), 40.0), np.ones((3, 3)), a_off, 0)
    for image in (images["significance"], images["excess"], images["background"]):
        assert np.isnan(image[0]).tolist() == [True, True, False]
        assert not np.isnan(image[1:]).any()


# The adaptive ring.


def adaptive(**changes):
    options = {"r_in": 2, "r_out_max": 7, "width": 1, "stepsize": 1, "theta": 1, "threshold_alpha": 0.2013}
    return AdaptiveRingBackgroundEstimator(**options | changes)


def with_hole(shape=(25, 27)):
    """Return counts, an acceptance that is zero at one edge, and a mask with a hole, by their names in gammapy."""
    exclusion = np.ones(shape)
    exclusion[8:17, 9:18] = 0
    acceptance = np.linspace(1, 2, shape[1]) + np.zeros(shape)
    acceptance[:, 0] = 0
    counts = np.random.default_rng(1).poisson(3, shape) * (acceptance > 0)
    return {"counts": counts, "background": acceptance, "exclusion": exclusion}


@pytest.mark.parametrize("method", ["fixed_width", "fixed_r_in"])
def test_adaptive_ring_takes_the_first_ring_that_suffices(method):
    images = with_hole()
    result = adaptive(method=method).run(images)
    acceptance, used = images["background"], images["exclusion"]
    on = fftconvolve(acceptance, skymask.disk(1), mode="same")
    expected = {name: np.full(on.shape, np.nan) for name in ("off", "exposure_off", "ring_radius")}
    for more in range(5):
        ring = skymask.ring(2 + more, 1) if method == "fixed_width" else skymask.ring(2, 1 + more)
        off = np.rint(fftconvolve(images["counts"] * used, ring, mode="same"))
        exposure_off = fftconvolve(acceptance * used, ring, mode="same")
        first = (on / np.where(exposure_off > 1e-6, exposure_off, 1e-9) <= 0.2013) & np.isnan(expected["off"])
        for name, image in (("off", off), ("exposure_off", exposure_off), ("ring_radius", np.full(on.shape, 3 + more))):
            expected[name][first] = image[first]
    for name, image in expected.items():
        image[acceptance == 0] = 0
        np.testing.assert_allclose(result[name], image, rtol=1e-9, err_msg=name)
    assert len(np.unique(result["ring_radius"][acceptance > 0])) > 2
    defined = acceptance > 0
    ratio = result["off"][defined] / result["exposure_off"][defined]
    np.testing.assert_allclose(result["background_ring"][defined], acceptance[defined] * ratio, rtol=1e-9)


def test_adaptive_ring_is_undefined_where_no_ring_suffices():
    images = with_hole()
    result = adaptive(threshold_alpha=1e-3).run(images)
    defined = images["background"] > 0
    for name, image in result.items():
        assert np.isnan(image[defined]).all(), name
        assert (image[~defined] == 0).all(), name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "const. width"}, "method must be one of fixed_width, fixed_r_in, got 'const. width'"),
        ({"r_out_max": 2}, "max_outer_radius must be at least inner_radius"),
        ({"stepsize": "0.02 deg"}, "an array has no pixel size"),
        ({"threshold_alpha": 0}, "alpha_max must be a finite number, more than zero"),
    ],
)
def test_adaptive_ring_that_makes_no_sense_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        adaptive(**changes).run(with_hole())


# Every kind of background, and every option, in single iterations and the record of a run.

OPTIONS = {
    "adaptive ring": {"kernel_bkg": skymask.adaptive_ring(3, 1, step=1, max_outer_radius=9, alpha_max=0.5)},
    "field of view": {"kernel_bkg": skymask.field_of_view()},
    "tilt": {"kernel_bkg": skymask.field_of_view(tilt=True), "statistic": "wstat"},
    "several kernels": {"mask_source_kernels": [skymask.disk(2), skymask.gaussian(1)], "statistic": "wstat"},
    "widths": {"threshold_in_widths": True},
    "systematic error": {"background_systematic": 0.2},
    "acceptance": {"acceptance": np.linspace(1, 2, 24) + np.zeros((20, 24))},
    "additive background": {"additive_background": np.linspace(0, 2, 24) + np.zeros((20, 24))},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_record_of_a_run_is_that_of_iterate_with_every_option(name):
    kbe = KernelBackgroundEstimator(**CROWDED | OPTIONS[name], keep_record=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        kbe.run({"counts": crowded()}, niter_max=3)
    digests = [skymask.core.convergence.digest(images["exclusion"]) for images in kbe.images_stack]
    assert digests == [record["digest"] for record in kbe.result.records]
    assert len(set(digests)) > 1
    plain = KernelBackgroundEstimator(**CROWDED, keep_record=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        plain.run({"counts": crowded()}, niter_max=3)
    assert digests != [record["digest"] for record in plain.result.records]


def test_options_of_old_are_told_of_the_page_about_them():
    with pytest.raises(
        TypeError, match=r"has no option save_intermediate_results; (docs/\S+) says what became"
    ) as told:
        estimator(save_intermediate_results=True)
    page = REPOSITORY / str(told.value).partition("; ")[2].partition(" says")[0]
    assert "save_intermediate_results" in page.read_text(encoding="utf-8")


def test_masked_pixels_of_counts_have_no_significance():
    counts = np.ma.masked_array(hidden_source(), np.arange(25) > np.full((21, 1), 20))
    result = estimator().run({"counts": counts})
    assert np.isnan(result["significance"]).any(axis=0).tolist() == [False] * 21 + [True] * 4
