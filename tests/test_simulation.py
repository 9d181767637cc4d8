"""Simulated skies: their truth, their coordinates, and that a seed says it all."""

import hashlib

import numpy as np
import pytest
from astropy.wcs import WCS

import skymask
from skymask.core.significance import wstat
from skymask.datasets.simulation import asimov_counts, bin_shares, expected_sky, simulate_counts, simulate_runs

FIELD = {
    "seed": 1,
    "width": ["6 deg", "4 deg"],
    "pixel_size": "0.1 deg",
    "background": 2.0,
    "center": ["20 deg", "5 deg"],
}
SKY = {key: value for key, value in FIELD.items() if key != "seed"}
SOURCE = {"offset": ["1 deg", "-0.5 deg"], "counts": 700, "sigma": ["0.3 deg", "0.2 deg"]}


def test_shape_is_latitude_by_longitude():
    assert simulate_counts(**FIELD).counts.shape == (40, 60)


def test_same_seed_gives_the_same_counts():
    assert np.array_equal(simulate_counts(**FIELD).counts, simulate_counts(**FIELD).counts)


def test_other_seed_gives_other_counts():
    assert not np.array_equal(simulate_counts(**FIELD).counts, simulate_counts(**{**FIELD, "seed": 2}).counts)


def test_random_numbers_of_others_are_left_alone():
    np.random.seed(0)  # noqa: NPY002 - the global state is what is tested
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    simulate_counts(**FIELD)
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_flat_field_has_the_same_background_everywhere():
    sky = simulate_counts(**FIELD)
    assert (sky.expected_background == 2).all()
    assert (sky.acceptance == 1).all()


def test_counts_are_poisson_numbers_of_the_truth():
    sky = simulate_counts(**FIELD, sources=[SOURCE])
    expected = sky.expected_background + sky.expected_sources
    # The total has the variance of its mean; four standard errors.
    assert sky.counts.sum() == pytest.approx(expected.sum(), abs=4 * np.sqrt(expected.sum()))
    # Squared pulls of n pixels have the mean 1 and a variance of 2 + 1 / mean each.
    pulls = (sky.counts - expected) ** 2 / expected
    assert pulls.mean() == pytest.approx(1, abs=4 * np.sqrt((2 + 1 / expected.min()) / expected.size))


def test_source_has_its_counts_in_all():
    # Pixels sample the Gaussian at half its smaller width: sums of such samples are exact to 1e-9.
    # It ends inside the field at 6 standard deviations or more, where 1e-8 of it is left.
    sky = simulate_counts(**FIELD, sources=[SOURCE])
    assert sky.expected_sources.sum() == pytest.approx(700, rel=1e-7)


def test_source_lies_at_its_offset_towards_larger_longitude_on_the_left():
    sky = simulate_counts(**FIELD, sources=[SOURCE])
    total = sky.expected_sources.sum()
    y, x = (np.sum(grid * sky.expected_sources) / total for grid in np.indices(sky.counts.shape))
    # One degree to the left and half a degree down of the centre, (29.5, 19.5), in pixels of 0.1 degrees.
    assert (x, y) == pytest.approx((29.5 - 10, 19.5 - 5), abs=1e-5)


def test_source_has_its_widths_along_longitude_and_latitude():
    sky = simulate_counts(**FIELD, sources=[SOURCE])
    weights = sky.expected_sources / sky.expected_sources.sum()
    y, x = np.indices(sky.counts.shape)
    assert np.sum(weights * (x - 19.5) ** 2) == pytest.approx(3**2, rel=1e-5)
    assert np.sum(weights * (y - 14.5) ** 2) == pytest.approx(2**2, rel=1e-5)


def test_acceptance_falls_off_as_a_gaussian_and_the_background_with_it():
    sky = simulate_counts(**{**FIELD, "width": ["6.1 deg", "4.1 deg"]}, acceptance_sigma="1 deg")
    # Odd sides put a pixel on the centre; ten pixels are one standard deviation.
    assert sky.acceptance[20, 30] == 1
    assert sky.acceptance[20, 40] == pytest.approx(np.exp(-0.5), rel=1e-12)
    assert np.array_equal(sky.expected_background, 2 * sky.acceptance)


def test_source_is_seen_through_the_acceptance():
    plain = simulate_counts(**FIELD, sources=[SOURCE])
    dimmed = simulate_counts(**FIELD, sources=[SOURCE], acceptance_sigma="1 deg")
    np.testing.assert_allclose(dimmed.expected_sources, plain.expected_sources * dimmed.acceptance, rtol=1e-12)


@pytest.mark.parametrize(
    ("frame", "axes"), [("galactic", ["GLON-TAN", "GLAT-TAN"]), ("icrs", ["RA---TAN", "DEC--TAN"])]
)
def test_centre_of_the_map_is_the_centre_in_its_frame(frame, axes):
    sky = simulate_counts(**FIELD, frame=frame)
    wcs = WCS(sky.header)
    assert list(wcs.wcs.ctype) == axes
    np.testing.assert_allclose(wcs.wcs_pix2world([[29.5, 19.5]], 0)[0], [20, 5], rtol=1e-12)
    # Longitude grows to the left.
    assert wcs.wcs_pix2world([[0, 19.5]], 0)[0][0] > 20


def moments(image):
    """Return the centroid (x, y) and the second central moments (xx, yy, xy) of an image, in pixels."""
    y, x = np.indices(image.shape)
    weights = image / image.sum()
    centre = np.sum(weights * x), np.sum(weights * y)
    dx, dy = x - centre[0], y - centre[1]
    return centre, (np.sum(weights * dx**2), np.sum(weights * dy**2), np.sum(weights * dx * dy))


def test_turned_source_points_from_north_through_east():
    source = {"offset": ["0 deg", "0 deg"], "counts": 1, "sigma": ["0.1 deg", "0.3 deg"], "position_angle": "45 deg"}
    _, (xx, yy, xy) = moments(expected_sky(**SKY, sources=[source]).expected_sources)
    # Half way to the east, which is on the left: upwards is leftwards. The covariance is (3^2 - 1^2) / 2.
    assert (xx, yy, xy) == pytest.approx((5, 5, -4), rel=1e-4)


@pytest.mark.parametrize(
    ("offset", "pixel"), [(["0.12 deg", "0.31 deg"], (28, 23)), (["2.96 deg", "-1.99 deg"], (0, 0))]
)
def test_point_source_is_all_in_the_pixel_in_which_it_lies(offset, pixel):
    image = expected_sky(**SKY, sources=[{"shape": "point", "offset": offset, "counts": 12}]).expected_sources
    assert image.sum() == image[pixel[1], pixel[0]] == 12


def test_point_source_outside_the_field_is_not_seen():
    source = {"shape": "point", "offset": ["3.01 deg", "0 deg"], "counts": 12}
    assert not expected_sky(**SKY, sources=[source]).expected_sources.any()


def test_shell_has_its_counts_and_is_brightest_at_its_inner_edge():
    shell = {"shape": "shell", "offset": ["0 deg", "0 deg"], "counts": 500, "inner_radius": "1 deg", "width": "0.5 deg"}
    sky = expected_sky(**{**SKY, "pixel_size": "0.02 deg"}, sources=[shell])
    image = sky.expected_sources
    # Sums over pixel centres differ from the integral where the brightness has a kink, by about a pixel of the edge.
    assert image.sum() == pytest.approx(500, rel=2e-3)
    row = image[100, 150:]
    assert abs(np.argmax(row) * 0.02 - 1) <= 0.02
    # At the centre, twice the width over the volume times the area of a pixel.
    volume = 4 / 3 * np.pi * (1.5**3 - 1)
    assert row[0] == pytest.approx(500 * 2 * 0.5 / volume * 0.02**2, rel=1e-3)


def test_ridge_is_the_same_at_all_longitudes_and_has_its_counts():
    ridge = {"shape": "ridge", "offset": ["0 deg", "0.5 deg"], "counts": 600, "sigma": "0.2 deg"}
    image = expected_sky(**SKY, sources=[ridge]).expected_sources
    assert (image == image[:, :1]).all()
    assert image.sum() == pytest.approx(600, rel=1e-8)
    (_, y), (_, yy, _) = moments(image)
    assert (y, yy) == pytest.approx((19.5 + 5, 4), rel=1e-6)


def test_acceptance_rises_by_the_gradient_from_centre_to_edge():
    sky = expected_sky(**SKY, acceptance_gradient=(0.3, -0.2))
    # Larger longitude is on the left, larger latitude above.
    assert sky.acceptance[0, 0] == pytest.approx(1 + 0.3 + 0.2, rel=1e-12)
    assert sky.acceptance[-1, -1] == pytest.approx(1 - 0.3 - 0.2, rel=1e-12)
    assert sky.acceptance.mean() == pytest.approx(1, rel=1e-12)


def test_nothing_is_expected_in_a_hole():
    hole = {"offset": ["1 deg", "0 deg"], "radius": "0.5 deg"}
    sky = expected_sky(**SKY, sources=[SOURCE], holes=[hole])
    inside = sky.acceptance == 0
    y, x = np.nonzero(inside)
    assert np.hypot(x - 19.5, y - 19.5).max() <= 5
    assert inside.sum() == np.sum(np.hypot(*(np.indices((11, 11)) - 5.5)) <= 5)
    assert not (sky.expected_background + sky.expected_sources)[inside].any()


POINTINGS = [("-0.7 deg", "0 deg"), ("0.7 deg", "0 deg"), ("0 deg", "0.5 deg")]
VIEW = {"acceptance_sigma": "0.8 deg", "view_radius": "1.5 deg"}


def test_every_run_is_the_exposure_around_its_pointing():
    runs = simulate_runs(seed=4, pointings=POINTINGS, **SKY, **VIEW).runs
    for run, (longitude, latitude) in zip(runs, ([-7, 0], [7, 0], [0, 5]), strict=True):
        rows, columns = run.block
        centre = 29.5 - longitude, 19.5 + latitude
        assert run.acceptance.shape == run.counts.shape == (1, 30, 30)
        assert (columns.start + 14.5, rows.start + 14.5) == pytest.approx(centre, abs=1e-9)
        assert not run.counts[run.acceptance == 0].any()


def test_truth_of_runs_is_the_sum_of_what_each_expects():
    simulated = simulate_runs(seed=4, pointings=POINTINGS, **SKY, **VIEW, sources=[SOURCE])
    total = np.zeros((40, 60))
    for run in simulated.runs:
        total[run.block] += 2 * run.acceptance[0]
    np.testing.assert_allclose(simulated.expected_background, total, rtol=1e-12)
    counts = sum(run.counts.sum() for run in simulated.runs)
    expected = simulated.expected_background.sum() + simulated.expected_sources.sum()
    assert counts == pytest.approx(expected, abs=4 * np.sqrt(expected))


def test_counts_of_energy_bins_are_shares_of_a_power_law():
    # E^-2 from 1 to 10: 0.9 in all, of which 0.5 lies below 2 and 0.1 above 5.
    np.testing.assert_allclose(bin_shares([1, 2, 5, 10], 2), np.array([0.5, 0.3, 0.1]) / 0.9, rtol=1e-12)
    np.testing.assert_allclose(bin_shares([1, 10, 1000], 1), [1 / 3, 2 / 3], rtol=1e-12)
    energies = {"edges": [1, 2, 5, 10], "background_index": 2, "source_index": 1}
    (run,) = simulate_runs(seed=5, pointings=[("0 deg", "0 deg")], energies=energies, **SKY).runs
    expected = 2 * 2400 * bin_shares([1, 2, 5, 10], 2)
    np.testing.assert_allclose(run.counts.sum(axis=(1, 2)), expected, atol=4 * np.sqrt(expected.max()))


def test_a_run_is_the_same_whatever_runs_there_are_beside_it():
    one, three = (simulate_runs(seed=4, pointings=POINTINGS[:n], **SKY, **VIEW).runs for n in (1, 3))
    assert np.array_equal(one[0].counts, three[0].counts)


def test_seed_gives_the_same_counts_on_every_machine():
    # Computed once, with numpy 2.4 on x86-64: a difference means another stream of random numbers.
    counts = simulate_counts(**FIELD, sources=[SOURCE], acceptance_sigma="1 deg").counts
    assert hashlib.sha256(counts.astype("<i4").tobytes()).hexdigest()[:16] == "7630e793f84fea70"


def test_loop_over_a_multiple_of_the_expectation_is_that_of_the_expectation():
    expected = expected_sky(**SKY, sources=[SOURCE])
    mean = expected.expected_background + expected.expected_sources
    kernels = {
        "source_kernel": skymask.disk(2),
        "background_kernel": skymask.ring(6, 3),
        "dilation_kernel": skymask.disk(3),
    }
    results = {
        factor: skymask.iterate(asimov_counts(mean, factor), **kernels, threshold=4 * np.sqrt(factor))
        for factor in (2**10, 2**16)
    }
    coarse, fine = results.values()
    assert not fine.exclusion_mask.all()
    assert np.array_equal(coarse.exclusion_mask, fine.exclusion_mask)
    # The expectation's own background and significance, by plain sums over the used pixels.
    used, (y, x) = fine.exclusion_mask, np.indices(mean.shape)
    distance = np.hypot(x - 30, y - 20)
    ring, disk = used & (distance >= 6) & (distance <= 9), distance <= 2
    background = mean[ring].sum() / ring.sum()
    assert fine.products.background[20, 30] / 2**16 == pytest.approx(background, rel=1e-5)
    expected_significance = wstat(mean[disk].sum(), mean[ring].sum(), disk.sum() / ring.sum())
    assert fine.products.significance[20, 30] / 2**8 == pytest.approx(expected_significance, abs=1e-3)
