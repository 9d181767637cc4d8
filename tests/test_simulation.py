"""Simulated skies: their truth, their coordinates, and that a seed says it all."""

import numpy as np
import pytest
from astropy.wcs import WCS

from skymask.simulation import simulate_counts

FIELD = {
    "seed": 1,
    "width": ["6 deg", "4 deg"],
    "pixel_size": "0.1 deg",
    "background": 2.0,
    "center": ["20 deg", "5 deg"],
}
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
