"""Figures: they can be drawn of every map that a loop can end with, say what they show, and are the same each time."""

import numpy as np
import pytest
from astropy.visualization.wcsaxes.frame import EllipticalFrame, RectangularFrame
from conftest import sky_header

from skymask.io.healpix_files import HealpixMap
from skymask.products import plots
from skymask.sky import healpix

SHAPE = (20, 30)
HEADER = sky_header(SHAPE, ctype=("GLON-TAN", "GLAT-TAN"), center=(10, 0))
HEADER["DATASET"] = "field"
EVERYTHING = np.ones(SHAPE, dtype=bool)
HALF = np.arange(SHAPE[1]) < 15 + np.zeros(SHAPE, dtype=int)
QUALITY = {"off_source_mean": 0.1, "off_source_width": 1.2, "effective_threshold": 6.1}


def drawn(figure, tmp_path):
    path = tmp_path / "figure.png"
    plots.save(figure, path, {"dpi": 60})
    return path.read_bytes()


@pytest.mark.parametrize("name", ["counts", "background", "significance", "excess"])
@pytest.mark.parametrize(("value", "mask"), [(np.nan, ~EVERYTHING), (0.0, EVERYTHING), (np.inf, HALF)])
def test_a_map_of_one_value_can_be_drawn(name, value, mask, tmp_path):
    assert drawn(plots.sky_map(name, np.full(SHAPE, value), HEADER, mask), tmp_path)


def test_a_figure_made_twice_is_the_same(tmp_path):
    data = np.random.default_rng(0).normal(size=SHAPE)
    once, twice = (drawn(plots.sky_map("significance", data, HEADER, HALF), tmp_path) for _ in range(2))
    assert once == twice


def test_a_map_names_its_dataset_axes_and_unit():
    figure = plots.sky_map("significance", np.zeros(SHAPE), HEADER, HALF)
    panel, bar = figure.axes
    assert panel.get_title(loc="left") == "field: significance"
    assert [coordinate.get_axislabel() for coordinate in panel.coords] == ["Galactic longitude", "Galactic latitude"]
    assert bar.get_ylabel() == "Significance [σ]"


def test_values_beyond_the_scale_are_announced():
    data = np.zeros(SHAPE)
    data[3, 4] = 40
    figure = plots.sky_map("significance", data, HEADER, EVERYTHING, significance_limits=(-5, 15))
    assert figure.axes[0].images[0].colorbar.extend == "max"


@pytest.mark.parametrize("masks", [[EVERYTHING], [EVERYTHING, HALF, EVERYTHING], [HALF, HALF]])
def test_growth_can_be_drawn_whatever_the_masks_did(masks, tmp_path):
    assert drawn(plots.mask_growth(masks, masks[-1], HEADER), tmp_path)


def test_growth_marks_pixels_that_were_released():
    figure = plots.mask_growth([EVERYTHING, HALF, EVERYTHING], EVERYTHING, HEADER)
    assert "released again" in [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


@pytest.mark.parametrize("quality", [QUALITY, QUALITY | {"off_source_mean": None, "off_source_width": None}])
@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_an_off_source_distribution_can_be_drawn(quality, value, tmp_path):
    assert drawn(plots.off_source("field", np.full(SHAPE, value), HALF, quality, 5.0), tmp_path)


@pytest.mark.parametrize(
    ("errors", "text"),
    [
        ({}, "mean 0.100, width 1.200"),
        ({"off_source_mean_error": 0.01, "off_source_width_error": 0.02}, "mean 0.100 ± 0.010, width 1.200 ± 0.020"),
    ],
)
def test_an_off_source_distribution_says_its_errors_if_they_are_known(errors, text):
    figure = plots.off_source("field", np.zeros(SHAPE), HALF, QUALITY | errors, 5.0)
    assert any(text in line.get_label() for line in figure.axes[0].lines)


@pytest.mark.parametrize(
    ("null", "peak"),
    [
        ({}, 0.0),
        ({"null_off_source_mean": 0.5, "null_off_source_width": 0.9}, 0.5),
        ({"null_off_source_width": None}, 0.0),
    ],
)
def test_the_expected_distribution_is_that_of_the_simulations_if_there_are_any(null, peak):
    figure = plots.off_source("field", np.zeros(SHAPE), HALF, QUALITY | null, 5.0)
    (curve,) = [line for line in figure.axes[0].lines if line.get_label().startswith("expected")]
    # The grid of the curve has steps of 0.05.
    assert abs(curve.get_xdata()[np.argmax(curve.get_ydata())] - peak) < 0.05


@pytest.mark.parametrize("radius", [np.full(SHAPE, np.nan), np.full(SHAPE, 0.8), np.where(HALF, 0.8, 0.9)])
@pytest.mark.parametrize("coverage", [EVERYTHING, HALF])
def test_radii_of_rings_can_be_drawn(radius, coverage, tmp_path):
    assert drawn(plots.ring_radius(np.where(coverage, radius, np.nan), coverage, HALF, HEADER), tmp_path)


def test_radii_have_a_colour_each_and_pixels_without_a_ring_one_of_their_own():
    radius = np.select([np.arange(SHAPE[1]) < 5, HALF], [0.8, 0.88], np.nan)
    figure = plots.ring_radius(radius, EVERYTHING, HALF, HEADER)
    panel, bar = figure.axes
    assert [label.get_text() for label in bar.get_yticklabels()] == ["0.8", "0.88"]
    assert "no ring sufficed" in [text.get_text() for text in panel.get_legend().get_texts()]


def test_truth_can_be_drawn_where_nothing_is_defined(tmp_path):
    nothing = np.full(SHAPE, np.nan)
    zero = np.zeros(SHAPE)
    figure = plots.truth(nothing, nothing, zero, zero, EVERYTHING, HEADER, np.ones((1, 1), dtype=bool))
    assert drawn(figure, tmp_path)


def test_convergence_says_how_the_loop_ended():
    row = {"iteration": 7.0, "excluded": 5.0, "changed": 2.0, "highest_significance": None, "mean_background": 1.0}
    figure = plots.convergence("field", [{**row, "state": "cycle"}], 3)
    assert figure.get_suptitle() == "field: cycle of 3 after 7 iterations"


@pytest.mark.parametrize(
    ("ctype", "center"), [(("RA---TAN", "DEC--TAN"), (40, 70)), (("GLON-ZEA", "GLAT-ZEA"), (40, 20))]
)
def test_no_coordinate_stands_above_a_curved_plane_where_the_title_is(ctype, center, tmp_path):
    header = sky_header((40, 50), pixel_size=0.2, ctype=ctype, center=center)
    header["DATASET"] = "field"
    figure = plots.sky_map("counts", np.ones((40, 50)), header, np.ones((40, 50), dtype=bool))
    assert drawn(figure, tmp_path)
    axes = figure.axes[0]
    assert [coordinate.get_ticklabel_position() for coordinate in axes.coords] == [["b"], ["l"]]


def test_coordinates_of_a_map_on_its_side_are_told_where_their_lines_end():
    header = sky_header((40, 50))
    # Longitude runs along y.
    header.update({"PC1_1": 0.0, "PC1_2": 1.0, "PC2_1": -1.0, "PC2_2": 0.0, "DATASET": "field"})
    axes = plots.sky_map("counts", np.ones((40, 50)), header, np.ones((40, 50), dtype=bool)).axes[0]
    assert [coordinate.get_ticklabel_position() for coordinate in axes.coords] == [["l"], ["b"]]


@pytest.mark.parametrize("part", [False, True])
def test_a_map_of_the_sky_has_a_graticule_and_says_what_is_grey(part, tmp_path):
    pixels = np.arange(768)
    values = np.where(pixels < 5, pixels, np.nan) if part else pixels.astype(float)
    sky = HealpixMap(values, pixels, 8, "galactic", True)
    header, shape = healpix.picture_grid(sky)
    header["DATASET"] = "sky"
    figure = plots.sky_maps({"counts": healpix.picture(sky, header, shape)}, header, np.ones(shape, dtype=bool))
    assert drawn(figure, tmp_path)
    axes, bar = figure.axes
    assert isinstance(axes.coords.frame, RectangularFrame if part else EllipticalFrame)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["exclusion mask", "no data"]
    assert bar.get_ylabel() == "Counts per pixel (square-root scale)"
    assert axes.get_title(loc="left") == ("sky: counts" if part else "sky: counts, galactic coordinates")
