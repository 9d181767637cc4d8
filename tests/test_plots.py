"""Figures by matplotlib: of maps on the sky for papers and HEALPix maps; they say what they show."""

import numpy as np
import pytest
from conftest import sky_header
from matplotlib.figure import Figure

from skymask.io.healpix_files import HealpixMap
from skymask.products import plots
from skymask.products.colour_scales import scale_of
from skymask.sky import healpix

SHAPE = (20, 30)
HEADER = sky_header(SHAPE, ctype=("GLON-TAN", "GLAT-TAN"), center=(10, 0))
EVERYTHING = np.ones(SHAPE, dtype=bool)
HALF = np.arange(SHAPE[1]) < 15 + np.zeros(SHAPE, dtype=int)


def drawn(figure, tmp_path):
    path = tmp_path / "figure.png"
    plots.save(figure, path, {"dpi": 60})
    return path.read_bytes()


def panel(name, data, mask=HALF, header=HEADER):
    figure = Figure(layout="constrained")
    return figure, plots.map_panel(figure, 111, name, data, header, mask, title="field")


@pytest.mark.parametrize("name", ["counts", "background", "significance", "excess"])
@pytest.mark.parametrize(("value", "mask"), [(np.nan, ~EVERYTHING), (0.0, EVERYTHING), (np.inf, HALF)])
def test_a_map_of_one_value_can_be_drawn(name, value, mask, tmp_path):
    assert drawn(panel(name, np.full(SHAPE, value), mask)[0], tmp_path)


def test_a_map_names_its_axes_and_unit():
    _, axes = panel("significance", np.zeros(SHAPE))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Galactic longitude", "Galactic latitude")
    assert axes.images[0].colorbar.ax.get_ylabel() == "Significance [σ]"


def test_infinite_values_are_beyond_the_scale():
    data = np.zeros(SHAPE)
    data[3, 4] = np.inf
    assert panel("significance", data)[1].images[0].colorbar.extend == "max"


def test_colours_are_those_of_the_scale():
    data = np.random.default_rng(0).normal(size=SHAPE)
    data[3, 4] = 60
    scale = scale_of("significance", data)
    image = panel("significance", data)[1].images[0]
    np.testing.assert_allclose(image.norm(data), scale.parts(data), atol=1e-9)


def test_pixels_without_a_value_are_in_the_legend():
    data = np.where(HALF, 0.0, np.nan)
    texts = [text.get_text() for text in panel("significance", data)[1].get_legend().get_texts()]
    assert texts == ["exclusion mask", "no data"]


def test_a_map_larger_than_any_figure_is_drawn_in_blocks():
    shape = (10, 2 * plots.MAX_SIDE + 1)
    axes = panel("counts", np.ones(shape), np.ones(shape, dtype=bool), sky_header(shape))[1]
    assert axes.images[0].get_array().shape == (4, -(-shape[1] // 3))
    assert axes.get_xlim() == (-0.5, shape[1] - 0.5)


@pytest.mark.parametrize("part", [False, True])
def test_a_map_of_the_sky_has_a_graticule_and_says_what_is_grey(part, tmp_path):
    pixels = np.arange(768)
    values = np.where(pixels < 5, pixels, np.nan) if part else pixels.astype(float)
    sky = HealpixMap(values, pixels, 8, "galactic", True)
    header, shape = healpix.picture_grid(sky)
    header["DATASET"] = "sky"
    figure = plots.sky_maps({"counts": healpix.picture(sky, header, shape)}, header, np.ones(shape, dtype=bool))
    assert drawn(figure, tmp_path)
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["exclusion mask", "no data"]
    assert axes.images[0].colorbar.ax.get_ylabel() == "Counts per pixel (square-root scale)"
    assert axes.get_title(loc="left") == ("sky: counts" if part else "sky: counts, galactic coordinates")
    assert len(axes.lines) >= 4
    assert len(axes.patches) == (0 if part else 2)


def test_the_graticule_of_the_whole_sky_meets_in_its_poles():
    sky = HealpixMap(np.ones(768), np.arange(768), 8, "galactic", True)
    header, shape = healpix.picture_grid(sky)
    header["DATASET"] = "sky"
    axes = plots.sky_maps({"counts": np.ones(shape)}, header, np.ones(shape, dtype=bool)).axes[0]
    meridians = [line for line in axes.lines if np.ptp(line.get_ydata()) > 100]
    # Hammer and Aitoff's plane is twice as wide as high; its poles are at the middle of its rim.
    middle, half = (shape[1] - 1) / 2, 0.5 * np.ptp(axes.patches[0].get_xy()[:, 1])
    for line in meridians:
        ends = np.column_stack([line.get_xdata(), line.get_ydata()])[[0, -1]]
        np.testing.assert_allclose(ends, [[middle, (shape[0] - 1) / 2 + sign * half] for sign in (-1, 1)], atol=1e-3)
