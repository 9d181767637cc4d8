"""The overview page: what files and headers say cannot become part of it, and it needs nothing but its figures."""

import pytest

from skymask.report import render_report

STATUS = {
    "dataset": "field",
    "state": "failed",
    "period": 0,
    "iteration": 0,
    "reason": "<script>alert(1)</script> is not a FITS file",
    "warnings": ["a <b>bold</b> warning"],
    "analysis": {"counts": "<i>.fits"},
}


def test_names_and_reasons_are_escaped(tmp_path):
    render_report([STATUS], [], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "<script>" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; is not a FITS file" in page


SUCCESS = STATUS | {
    "state": "converged",
    "verdict": "pass",
    "covered": 10,
    "excluded": 1,
    "excluded_fraction": 0.1,
    "starved": 0,
    "unexcluded_above_threshold": 0,
    "highest_significance": "inf",
    "highest_longitude": None,
    "off_source_mean": None,
    "off_source_mean_error": None,
    "off_source_width": None,
    "off_source_width_error": None,
    "clipped_mean": None,
    "clipped_width": None,
    "expected_clipped_mean": -0.0552,
    "expected_clipped_width": 0.9415,
    "null_simulations": 0,
    "trials": None,
    "trials_error": None,
    "trials_min": 3.2,
    "trials_max": 10,
    "post_trial_significance": None,
    "post_trial_significance_error": None,
    "post_trial_significance_min": 4.1,
    "post_trial_significance_max": 4.6,
}


def page_of(folder, status, figures=()):
    render_report([status], list(figures), folder / "report.html")
    return (folder / "report.html").read_text()


def test_figures_are_linked_relative_to_the_page(tmp_path):
    page = page_of(tmp_path, SUCCESS, [str(tmp_path / "field" / "plots" / "mask_growth.png")])
    assert 'src="field/plots/mask_growth.png"' in page
    assert str(tmp_path) not in page


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "<td>inf</td>"),
        ({"highest_significance": None}, "<td>undefined</td>"),
        ({"off_source_mean": -0.01234, "off_source_mean_error": 0.0081}, "<td>-0.012 ± 0.008</td>"),
        ({"off_source_width": 1.0449}, "<td>1.045</td>"),
        ({"post_trial_significance": 5.678, "post_trial_significance_error": 0.0312}, "<td>5.68 ± 0.03</td>"),
        ({"post_trial_significance": 44.7147, "post_trial_significance_error": 0.0032}, "<td>44.71</td>"),
        ({"trials": 14012.3, "trials_error": 1401.2, "null_simulations": 100}, "14012 ± 1401, from 100 simulations"),
        ({}, "between 3 source kernels and 10 pixels"),
        ({"clipped_mean": -0.0612, "clipped_width": 0.9333}, "-0.0612 and 0.9333"),
        ({}, "-0.0552 and 0.9415"),
        ({"verdict": "warn"}, '<span class="badge warn">warn</span>'),
    ],
)
def test_numbers_stand_in_the_page_with_their_errors(changes, words, tmp_path):
    assert words in page_of(tmp_path, SUCCESS | changes)
