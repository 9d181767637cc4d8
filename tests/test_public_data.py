"""What docs/public-data.md says of public fields, as far as it is quick; and the page itself, without any data."""

import re

import numpy as np
import pytest
from conftest import REPOSITORY

from validation import PUBLIC_FIELDS, public_data, public_loops, public_page


def test_share_of_a_gaussian_within_a_radius_is_that_of_rayleigh():
    y, x = np.mgrid[-40:41, -40:41]
    psf = np.exp(-0.5 * (x**2 + y**2) / 8**2)
    # Of a continuous Gaussian; a disk of pixels has an edge of pixels.
    assert public_data.contained(psf, 12) == pytest.approx(1 - np.exp(-0.5 * 1.5**2), abs=0.01)


def test_background_and_source_of_the_simulated_field_are_the_true_ones(shared):
    measured = public_data.measure("gauss", shared / "data")
    assert measured["state"] == "converged"
    assert abs(measured["background"] - 1) < 2 * measured["background_error"]
    assert abs(measured["excess"] - 1000) < 2 * measured["excess_error"]


def test_published_candidates_of_the_galactic_centre_are_found_with_their_fluxes(shared):
    measured = public_data.measure("fermi", shared / "data")
    root_ts, flux = np.array(public_data.FERMI_CANDIDATES)[:, 2:].T
    # The threshold is 5, and a disk sees a little less than a fit of the point spread function.
    assert np.array(measured["excluded"])[root_ts > 6].all()
    ratios = np.array(measured["flux_3"]) / flux
    assert np.median(ratios) == pytest.approx(1, abs=0.1)
    # The two brightest have errors of 6 and 8 %.
    np.testing.assert_allclose(ratios[:2], 1, atol=0.16)


@pytest.mark.filterwarnings("default")
def test_counts_of_the_crab_nebula_are_the_published_ones(shared, gammapy):
    measured = public_data.measure("crab", shared / "data")
    # A disk of pixels for a circle: 1 of 459 counts; the background differs by less than its error of 1.
    assert measured["counts"] == pytest.approx(459, abs=5)
    assert measured["background"] == pytest.approx(27.5, abs=1)
    assert measured["excess"] == pytest.approx(431.5, abs=5)
    assert measured["hours"] == pytest.approx(1.75, abs=0.005)


def test_twins_have_the_counts_of_the_background_alone(shared):
    from skymask.io import maps

    counts = maps.read(shared / "data" / public_data.FILES["gauss"]).data
    expected = public_loops.expected_of(counts, np.ones(counts.shape), "gauss")
    # 40,000 counts of background, and 1000 of the source.
    assert expected.sum() == pytest.approx(40000, abs=3 * 200)


def test_page_of_public_data_has_every_published_number(tmp_path):
    numbers = dict.fromkeys(PUBLIC_FIELDS, {"state": "converged", "position": "here"} | dict.fromkeys(NUMBERS, 1.0))
    number = len(public_data.FERMI_CANDIDATES)
    numbers["fermi"] = {"state": "converged", "regions": 3, "significance": [5.0] * number, "excluded": [True] * number}
    numbers["fermi"] |= {f"flux_{radius}": [1e-9] * number for radius in public_data.FERMI_RADII}
    public_page.write(numbers, dict.fromkeys(PUBLIC_FIELDS, loops()), tmp_path / "page.md")
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert all(f"| {quantity} | {published} | {source} |" in text for _, quantity, published, source, *_ in PUBLISHED)
    assert "{" not in text
    assert re.search(r"ended as `runaway`", text)


PUBLISHED = public_page.PUBLISHED
NUMBERS = {name for _, _, _, _, ours, _ in PUBLISHED for name in re.findall(r"{(\w+)", ours)} - {"position"}


def loops():
    """Figures of loops that all converge at once."""
    rows = [
        {"statistic": statistic, "threshold": threshold, "dilation": dilation, "twin": twin}
        for statistic in public_loops.ANALYSES
        for threshold in public_loops.THRESHOLDS
        for dilation in range(3)
        for twin in (0, 1)
    ]
    same = {"state": ["converged"] * 3, "period": [1] * 3, "excluded": [0.1] * 3, "background": [1.0] * 3, "near": 2}
    return {name: [(row | same)[name] for row in rows] for name in rows[0] | same}


def test_page_of_the_repository_has_every_published_number():
    text = (REPOSITORY / "docs/public-data.md").read_text(encoding="utf-8")
    assert all(f"| {quantity} | {published} | {source} |" in text for _, quantity, published, source, *_ in PUBLISHED)
