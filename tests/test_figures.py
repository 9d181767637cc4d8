"""Figures of a dataset: drawn of every map that a loop can end with, they say what they show, and do not change."""

import numpy as np
import pytest
from conftest import sky_header
from PIL import Image

from skymask.products import figures
from skymask.products.field import Field, field_of
from skymask.products.pictures import INKS, Picture
from skymask.registry import COLOURS, FIGURES

SHAPE = (20, 30)
HEADER = sky_header(SHAPE, ctype=("GLON-TAN", "GLAT-TAN"), center=(10, 0))
HEADER.update({"DATASET": "field", "PERIOD": 1, "SRCKERN": "disk radius=0.1 deg"})
EVERYTHING = np.ones(SHAPE, dtype=bool)
HALF = np.arange(SHAPE[1]) < 15 + np.zeros(SHAPE, dtype=int)
QUALITY = {"off_source_mean": 0.1, "off_source_width": 1.2, "effective_threshold": 6.1}
ROW = {"excluded": 5.0, "changed": 2.0, "highest_significance": None, "mean_background": 1.0, "state": "converged"}
SETTINGS = {"dpi": 60, "significance_limits": (-5, 15)}


def field(images=None, mask=HALF, coverage=EVERYTHING, masks=None, **more):
    images = {name: np.zeros(SHAPE) for name in FIGURES} | (images or {})
    return Field(HEADER, SHAPE, 1, images | more, coverage, mask, [EVERYTHING, mask] if masks is None else masks)


def draw(folder, names, shown, *, rows=({**ROW, "iteration": 1.0},), quality=QUALITY, significance=None, truth=None):
    """Draw figures and return their bytes."""
    significance = shown.images["significance"] if significance is None else significance
    output = {name: str(folder / f"{name}.png") for name in names}
    figures.draw_figures(
        output,
        shown,
        rows=list(rows),
        quality=quality,
        distribution=figures.distribution_of(significance, shown.exclusion_mask),
        threshold=5.0,
        settings=SETTINGS,
        truth=truth,
    )
    return {name: (folder / f"{name}.png").read_bytes() for name in names}


@pytest.fixture
def texts(monkeypatch):
    """All that is written into pictures."""
    written, write = [], Picture.text

    def text(self, x, y, text, **more):
        written.append(text)
        write(self, x, y, text, **more)

    monkeypatch.setattr(Picture, "text", text)
    return written


def colours(path):
    """Return how many pixels of every colour a picture has, in hexadecimal digits."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    values, numbers = np.unique(pixels, axis=0, return_counts=True)
    return {bytes(value).hex(): number for value, number in zip(values, numbers.tolist(), strict=True)}


@pytest.mark.parametrize("name", [*FIGURES, "thumbnail"])
@pytest.mark.parametrize(("value", "mask"), [(np.nan, ~EVERYTHING), (0.0, EVERYTHING), (np.inf, HALF)])
def test_a_map_of_one_value_can_be_drawn(name, value, mask, tmp_path):
    image = np.full(SHAPE, value)
    assert draw(tmp_path, [name], field(dict.fromkeys(FIGURES, image), mask))


def test_figures_made_twice_are_the_same(tmp_path):
    data = np.random.default_rng(0).normal(size=SHAPE)
    names = [*FIGURES, "mask_growth", "convergence", "off_source", "thumbnail"]
    once, twice = (draw(tmp_path, names, field({"significance": data})) for _ in range(2))
    assert once == twice


def test_a_map_names_its_dataset_axes_and_unit(tmp_path, texts):
    draw(tmp_path, ["significance"], field())
    assert {"field: significance", "Galactic longitude", "Galactic latitude", "Significance [σ]"} <= set(texts)


def test_an_excess_names_the_kernel_and_its_peak(tmp_path, texts):
    image = np.random.default_rng(0).normal(size=SHAPE)
    image[4, 5] = 102.7
    draw(tmp_path, ["excess"], field({"excess": image}))
    assert "Excess counts under the source kernel, disk radius 0.1 deg (asinh scale)" in texts
    assert "103" in texts


def test_the_brightest_pixel_alone_has_the_colour_of_the_end_of_the_scale(tmp_path):
    image = np.random.default_rng(0).normal(size=SHAPE)
    image[4, 5], image[4, 6] = 57.8, 40
    draw(tmp_path, ["significance"], field({"significance": image}, EVERYTHING))
    # A pixel of the map is 13 x 13 of the picture; the end of the colour bar has few.
    assert 13**2 <= colours(tmp_path / "significance.png")[COLOURS["signed"].split()[-1]] < 1.5 * 13**2


def test_what_is_not_covered_is_hatched_and_what_has_no_background_green(tmp_path, texts):
    image = np.zeros(SHAPE)
    image[:, :10] = image[:, 25:] = np.nan
    coverage = np.arange(SHAPE[1]) < 25 + np.zeros(SHAPE, dtype=int)
    draw(tmp_path, ["significance"], field({"significance": image}, EVERYTHING, coverage))
    assert {"no coverage", "no background"} <= set(texts)
    found = colours(tmp_path / "significance.png")
    # Zero is white; two greys are of the hatching; a third of the map is green.
    assert found["ffffff"] > 15 * 20 * 13**2
    assert found[INKS["green"][1:].lower()] >= 10 * 20 * 13**2
    assert sum(found.get(grey, 0) for grey in ("d4d4d4", "959595")) >= 5 * 20 * 13**2


def test_a_map_without_gaps_does_not_speak_of_them(tmp_path, texts):
    draw(tmp_path, ["significance"], field())
    assert not {"no coverage", "no background"} & set(texts)


def test_a_large_map_says_what_a_point_stands_for(tmp_path, texts):
    shape = (30, 3000)
    images = dict.fromkeys(FIGURES, np.zeros(shape)) | {"coverage": np.ones(shape)}
    shown = field_of(images, [np.ones(shape, dtype=bool)] * 2, HEADER)
    draw(tmp_path, ["counts", "significance"], shown)
    assert {"each point: mean of 8 × 8 pixels", "each point: highest of 8 × 8 pixels"} <= set(texts)


@pytest.mark.parametrize("masks", [[EVERYTHING], [EVERYTHING, HALF, EVERYTHING], [HALF, HALF]])
def test_growth_can_be_drawn_whatever_the_masks_did(masks, tmp_path):
    assert draw(tmp_path, ["mask_growth"], field(mask=masks[-1], masks=masks))


def test_growth_has_colours_for_those_iterations_alone_that_excluded_something(tmp_path, texts):
    draw(tmp_path, ["mask_growth"], field(masks=[EVERYTHING, EVERYTHING, HALF, HALF, HALF]))
    begin = texts.index("First excluded in iteration:")
    assert texts[begin : begin + 2] == ["First excluded in iteration:", "2"]
    assert not {"1", "3", "4"} & set(texts)


def test_growth_of_many_iterations_has_a_colour_bar(tmp_path, texts):
    masks = [np.arange(SHAPE[1]) >= number + np.zeros(SHAPE, dtype=int) for number in range(20)]
    draw(tmp_path, ["mask_growth"], field(mask=masks[-1], masks=masks))
    assert "First excluded in iteration" in texts


def test_growth_marks_pixels_that_were_released(tmp_path, texts):
    draw(tmp_path, ["mask_growth"], field(mask=EVERYTHING, masks=[EVERYTHING, HALF, EVERYTHING]))
    assert "excluded for a while" in texts


@pytest.mark.parametrize("quality", [QUALITY, QUALITY | {"off_source_mean": None, "off_source_width": None}])
@pytest.mark.parametrize("value", [np.nan, 0.0, 80.0, np.inf])
def test_an_off_source_distribution_can_be_drawn(quality, value, tmp_path):
    assert draw(tmp_path, ["off_source"], field({"significance": np.full(SHAPE, value)}), quality=quality)


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({}, "fit below 5 σ: mean 0.100, width 1.200"),
        ({"off_source_mean": -0.0001}, "fit below 5 σ: mean 0.000, width 1.200"),
        (
            {"off_source_mean_error": 0.01, "off_source_width_error": 0.02},
            "fit below 5 σ: mean 0.100 ± 0.010, width 1.200 ± 0.020",
        ),
        ({}, "expected: mean 0.000, width 1.000"),
        (
            {"null_off_source_mean": -0.5, "null_off_source_width": 0.9},
            "expected (simulations): mean −0.500, width 0.900",
        ),
        ({"null_off_source_width": None}, "expected: mean 0.000, width 1.000"),
        ({}, "threshold: 6.1 σ"),
    ],
)
def test_an_off_source_distribution_says_its_numbers(more, text, tmp_path, texts):
    draw(tmp_path, ["off_source"], field(), quality=QUALITY | more)
    assert text in texts


def test_the_distribution_by_pieces_is_that_of_the_whole(monkeypatch):
    significance = np.random.default_rng(0).normal(scale=3, size=SHAPE)
    significance[3, 4] = np.nan
    whole = figures.distribution_of(significance, HALF)
    monkeypatch.setattr(figures, "PIECE", 70)
    pieces = figures.distribution_of(significance, HALF)
    edges = [*whole["low"], whole["high"][-1]]
    finite = np.isfinite(significance)
    np.testing.assert_array_equal(whole["pixels"], np.histogram(significance[finite], edges)[0])
    np.testing.assert_array_equal(whole["used_pixels"], np.histogram(significance[finite & HALF], edges)[0])
    for name, column in whole.items():
        np.testing.assert_array_equal(pieces[name], column)


@pytest.mark.parametrize("radius", [np.full(SHAPE, np.nan), np.full(SHAPE, 0.8), np.where(HALF, 0.8, 0.9)])
@pytest.mark.parametrize("coverage", [EVERYTHING, HALF])
def test_radii_of_rings_can_be_drawn(radius, coverage, tmp_path):
    shown = field(ring_radius=np.where(coverage, radius, np.nan), coverage=coverage)
    assert draw(tmp_path, ["ring_radius"], shown)


def test_radii_have_a_colour_each_and_pixels_without_a_ring_one_of_their_own(tmp_path, texts):
    radius = np.select([np.arange(SHAPE[1]) < 5, HALF], [0.8, 0.88], np.nan)
    draw(tmp_path, ["ring_radius"], field(ring_radius=radius))
    begin = texts.index("Outer radius of the ring [deg]:")
    assert texts[begin + 1 : begin + 4] == ["0.80", "0.88", "no ring sufficed"]


def test_truth_can_be_drawn_where_nothing_is_defined(tmp_path):
    nothing, zero = np.full(SHAPE, np.nan), np.zeros(SHAPE)
    truth = figures.compare_with_truth(nothing, nothing, zero, zero, EVERYTHING, np.ones((1, 1), dtype=bool), 1)
    assert draw(tmp_path, ["truth"], field(), truth=truth)


def test_pulls_of_used_and_excluded_pixels_are_those_of_the_whole_map(monkeypatch, tmp_path, texts):
    rng = np.random.default_rng(0)
    background, error, zero = 4 + rng.normal(size=SHAPE), np.full(SHAPE, 0.5), np.zeros(SHAPE)
    kernel, true = np.ones((3, 3), dtype=bool), np.full(SHAPE, 4.0)
    whole = figures.compare_with_truth(background, error, true, zero, HALF, kernel, 1)
    monkeypatch.setattr(figures, "PIECE", 70)
    pieces = figures.compare_with_truth(background, error, true, zero, HALF, kernel, 1)
    pull = (background - 4) / 0.5
    for kind, mask in (("used pixels", HALF), ("excluded pixels", ~HALF)):
        for truth in (whole, pieces):
            assert truth.pulls[kind][1:] == pytest.approx((pull[mask].mean(), pull[mask].std()), rel=1e-12)
    np.testing.assert_array_equal(whole.sources, pieces.sources)
    draw(tmp_path, ["truth"], field(), truth=whole)
    assert f"used pixels: mean {pull[HALF].mean():.2f}, std {pull[HALF].std():.2f}".replace("-", "−") in texts


def test_sources_are_outlined_where_they_are_as_strong_as_the_noise(monkeypatch):
    monkeypatch.setattr(figures, "PIECE", 70)
    one, sources = np.ones(SHAPE), np.zeros(SHAPE)
    sources[9:12, 9:12] = 1.1
    sources[0, 0] = 2.9
    # Under 3 x 3 pixels, 9 background counts have a standard deviation of 3.
    truth = figures.compare_with_truth(one, one, one, sources, HALF, np.ones((3, 3), dtype=bool), 1)
    expected = np.zeros(SHAPE, dtype=bool)
    # At the corner four pixels have a standard deviation of 2.
    expected[9:12, 9:12] = expected[8:13, 10] = expected[10, 8:13] = expected[0, 0] = True
    expected[8, [9, 11]] = expected[12, [9, 11]] = expected[[9, 11], 8] = expected[[9, 11], 12] = False
    assert truth.sources[0, 0]
    np.testing.assert_array_equal(truth.sources[5:], expected[5:])


@pytest.mark.parametrize(("number", "table"), [(3, True), (5, True), (6, False)])
def test_a_short_loop_is_a_table_and_a_long_one_has_curves(number, table, tmp_path, texts):
    rows = [{**ROW, "iteration": float(k + 1), "highest_significance": 7.0 + k} for k in range(number)]
    draw(tmp_path, ["convergence"], field(), rows=rows)
    assert f"field: converged after {number} iterations" in texts
    # Of a table, every number is told.
    assert ("7.00" in texts) == table


def test_convergence_says_how_the_loop_ended(tmp_path, texts):
    HEADER["PERIOD"] = 3
    draw(tmp_path, ["convergence"], field(), rows=[{**ROW, "iteration": 7.0, "state": "cycle"}])
    HEADER["PERIOD"] = 1
    assert "field: cycle of 3 after 7 iterations" in texts


def test_a_thumbnail_is_small_and_has_no_text(tmp_path, texts):
    draw(tmp_path, ["thumbnail"], field())
    with Image.open(tmp_path / "thumbnail.png") as image:
        assert max(image.size) <= figures.THUMBNAIL
    assert texts == []


def test_no_text_has_a_hyphen_for_a_minus_sign(tmp_path, texts):
    image = np.random.default_rng(0).normal(scale=3, size=SHAPE)
    names = [*FIGURES, "mask_growth", "off_source"]
    draw(tmp_path, names, field(dict.fromkeys(FIGURES, image)), quality=QUALITY | {"off_source_mean": -0.25})
    assert not [text for text in texts if "-" in text.replace("off-source", "").replace("square-root", "")]
