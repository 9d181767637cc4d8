"""The pages of the report: what files and headers say cannot become part of them, and figures are linked."""

import pytest

from skymask.products.report import render_page, render_report

STATUS = {
    "dataset": "field",
    "state": "failed",
    "period": 0,
    "iteration": 0,
    "reason": "<script>alert(1)</script> is not a FITS file",
    "warnings": ["a <b>bold</b> warning"],
    "analysis": {"counts": "<i>.fits", "threshold_in_widths": False},
}


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
    "regions": 1,
    "axes": ["RA", "DEC"],
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


#: What the viewer would show, with a name that ends a script, were it not escaped.
VIEWER = {"layers": [{"name": "</script><script>alert(1)</script>", "step": 1.0}], "masks": []}


def overview_of(folder, status):
    render_report([status], [], folder / "report.html")
    return (folder / "report.html").read_text()


def page_of(folder, status, figures=()):
    render_page(status, list(figures), folder / "page.html", viewer=VIEWER, origin=[("FILCNTS", "<i>.fits")])
    return (folder / "page.html").read_text()


@pytest.mark.parametrize("status", [STATUS, SUCCESS], ids=["failed", "converged"])
@pytest.mark.parametrize("render", [overview_of, page_of])
def test_names_warnings_and_files_are_escaped(render, status, tmp_path):
    page = render(tmp_path, status | {"dataset": "<i>"})
    for word in ("<script>alert", "<b>", "<i>"):
        assert word not in page
    assert "&lt;i&gt;" in page
    assert "a &lt;b&gt;bold&lt;/b&gt; warning" in page


@pytest.mark.parametrize("render", [overview_of, page_of])
def test_the_reason_of_a_failure_is_said(render, tmp_path):
    assert "&lt;script&gt;alert(1)&lt;/script&gt; is not a FITS file" in render(tmp_path, STATUS)


def test_figures_are_linked_relative_to_the_page(tmp_path):
    page = page_of(tmp_path, SUCCESS, [str(tmp_path / "plots" / "mask_growth.png")])
    assert 'src="plots/mask_growth.png"' in page
    assert str(tmp_path) not in page


def test_settings_and_files_stand_in_the_page(tmp_path):
    page = page_of(tmp_path, SUCCESS)
    assert "<dt>counts</dt><dd>&lt;i&gt;.fits</dd>" in page
    assert "<dt>FILCNTS</dt><dd>&lt;i&gt;.fits</dd>" in page


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ">inf</td>"),
        ({"highest_significance": None}, ">undefined</td>"),
        ({"off_source_mean": -0.01234, "off_source_mean_error": 0.0081}, ">−0.012 ± 0.008</td>"),
        ({"off_source_width": 1.0449}, ">1.045</td>"),
        ({"post_trial_significance": 5.678, "post_trial_significance_error": 0.0312}, ">5.68 ± 0.03</td>"),
        ({"post_trial_significance": 44.7147, "post_trial_significance_error": 0.0032}, ">44.71</td>"),
        ({"verdict": "warn"}, '<span class="badge warn">warn</span>'),
        ({"regions": 31}, ">31</td>"),
    ],
)
def test_numbers_stand_in_the_table_with_their_errors(changes, words, tmp_path):
    assert words in overview_of(tmp_path, SUCCESS | changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"trials": 14012.3, "trials_error": 1401.2, "null_simulations": 100},
            "14012 ± 1401 trials, of 100 simulations",
        ),
        ({}, "between 3 source kernels and 10 pixels"),
        ({"clipped_mean": -0.0612, "clipped_width": 0.9333}, "mean −0.0612, width 0.9333"),
        ({}, "−0.0552 and 0.9415"),
        (
            {"null_off_source_mean": -0.0017, "null_off_source_width": 1.0123, "null_simulations": 50},
            "expected −0.002 and 1.012, the means of 50 simulations",
        ),
        (
            {"analysis": STATUS["analysis"] | {"scan": {"threshold": [3, 4]}}},
            '<a href="scan.html">Settings compared</a>',
        ),
    ],
)
def test_numbers_stand_in_the_page_of_their_dataset(changes, words, tmp_path):
    assert words in page_of(tmp_path, SUCCESS | changes)


def test_a_page_made_twice_is_the_same(tmp_path):
    assert page_of(tmp_path, SUCCESS) == page_of(tmp_path, SUCCESS)


def test_products_in_folders_are_linked_by_the_folder(tmp_path):
    files = ["alpha.fits", "runs.fits", "energy/counts.fits", "further/wide & far/excess.fits"]
    render_page(SUCCESS, [], tmp_path / "page.html", viewer=VIEWER, files=files)
    page = (tmp_path / "page.html").read_text()
    assert '<a href="runs.fits">runs</a>' in page
    assert 'Every energy bin: <a href="energy/counts.fits">counts</a>.' in page
    assert 'Under the kernel wide &amp; far: <a href="further/wide &amp; far/excess.fits">excess</a>.' in page


def test_a_page_without_simulations_expects_nothing(tmp_path):
    assert "Expected:" not in page_of(tmp_path, SUCCESS | {"null_off_source_width": None})
