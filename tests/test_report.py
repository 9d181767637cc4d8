"""The overview page: what files and headers say cannot become part of it, and it needs nothing but its figures."""

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


def test_figures_are_linked_relative_to_the_page(tmp_path):
    success = STATUS | {
        "state": "converged",
        "covered": 10,
        "excluded": 1,
        "excluded_fraction": 0.1,
        "starved": 0,
        "unexcluded_above_threshold": 0,
        "highest_significance": "inf",
        "highest_longitude": None,
        "off_source_mean": None,
        "off_source_width": None,
    }
    figure = tmp_path / "field" / "plots" / "mask_growth.png"
    render_report([success], [str(figure)], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert 'src="field/plots/mask_growth.png"' in page
    assert str(tmp_path) not in page
