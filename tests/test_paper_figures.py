"""Figures for a paper: the same bytes each time, in the width asked for, with the numbers behind them."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from conftest import sky_header
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.lines import Line2D
from test_configuration import SCHEMA

from skymask.config import configuration
from skymask.errors import ConfigurationError, MapError
from skymask.io import maps
from skymask.io.position_tables import read_labels
from skymask.products import paper_figures
from skymask.products.figures import distribution_of
from skymask.sky.geometry import box_of, sky_positions

SHAPE = (40, 60)
HEADER = sky_header(SHAPE, ctype=("GLON-CAR", "GLAT-CAR"), center=(10, 0))
HEADER["DATASET"] = "field"
KERNEL = {"shape": "disk", "radius": "0.1 deg"}
MASK = np.ones(SHAPE, dtype=bool)
MASK[15:25, 20:35] = False
QUALITY = {"off_source_mean": 0.0, "off_source_width": 1.0, "effective_threshold": 5.0}


def settings(**entry):
    config = {"figures": {"one": {"dataset": "field", **entry}}}
    return configuration.figure_settings(config, SCHEMA, ["field"])["one"]


def images():
    rng = np.random.default_rng(0)
    names = ("counts", "background", "significance", "excess")
    return {name: rng.normal(5, 2, SHAPE) for name in names} | {"exclusion_mask": MASK}


def draw(kind):
    layers = ["significance"] if kind == "strips" else ["counts", "significance"]
    entry = settings(kind=kind, width="column", contours=[6], layers=layers)
    if kind == "maps":
        return paper_figures.map_panels(images(), HEADER, entry, source_kernel=KERNEL, significance_limits=(-5, 15))
    if kind == "strips":
        return paper_figures.strips(images(), HEADER, entry, source_kernel=KERNEL, significance_limits=(-5, 15))
    if kind == "mask_evolution":
        return paper_figures.mask_evolution([np.ones_like(MASK), MASK], MASK, HEADER, entry)
    if kind == "significance":
        columns = distribution_of(images()["significance"], MASK)
        return paper_figures.significance_distribution(columns, QUALITY, entry)
    return paper_figures.convergence_curves({"iteration": [1, 2], "excluded": [5, 5], "changed": [5, 0]}, entry)


def test_the_scale_bar_is_as_long_as_it_says():
    figure = draw("strips")
    axes = figure.axes[0]
    for artist in axes.get_children():
        # All but the bar, whose ends are to be seen.
        artist.set_visible(isinstance(artist, Line2D) and len(artist.get_xdata()) == 2)
    figure.set_dpi(1200)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    (length,) = [
        length for length, name in paper_figures.BARS.items() if name in [text.get_text() for text in axes.texts]
    ]
    (ends, _) = axes.transData.transform([(0, 0), (length / 0.05, 0)]).T
    inside = axes.get_window_extent()
    shown = np.asarray(canvas.buffer_rgba())[::-1, :, :3].max(axis=-1)
    black = shown[int(inside.y0) + 40 : int(inside.y1) - 40, int(inside.x0) + 40 : int(inside.x1) - 40] < 50
    assert black.sum(axis=1).max() == pytest.approx(np.ptp(ends), abs=2)


@pytest.mark.parametrize("kind", ["maps", "strips", "mask_evolution", "significance", "convergence"])
def test_a_figure_made_twice_has_the_same_bytes(kind, tmp_path):
    made = []
    for name in ("once", "twice"):
        paths = {ending: tmp_path / f"{name}.{ending}" for ending in ("pdf", "png")}
        paper_figures.save(draw(kind), paths, 60)
        made.append({ending: path.read_bytes() for ending, path in paths.items()})
    assert made[0] == made[1]
    assert b"CreationDate" not in made[0]["pdf"]


@pytest.mark.parametrize("kind", ["maps", "strips", "mask_evolution", "significance", "convergence"])
def test_a_figure_is_as_wide_as_a_column(kind):
    assert draw(kind).get_size_inches()[0] == 3.5


def test_panels_are_lettered_in_the_order_of_layers():
    entry = settings(layers=["significance", "counts"])
    figure = paper_figures.map_panels(images(), HEADER, entry, source_kernel=KERNEL, significance_limits=(-5, 15))
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert [title for title in titles if title] == ["(a) significance", "(b) counts"]


@pytest.mark.parametrize(("contours", "texts"), [([], []), ([5, 2.5], ["significance of 2.5, 5 σ"])])
def test_one_legend_below_the_panels_says_what_lines_are(contours, texts):
    options = {"source_kernel": KERNEL, "significance_limits": (-5, 15)}
    figure = paper_figures.map_panels(images(), HEADER, settings(contours=contours), **options)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["exclusion mask", *texts]
    assert [axes.get_legend() for axes in figure.axes] == [None] * len(figure.axes)


def test_contours_that_are_nowhere_reached_are_left_out(tmp_path):
    nothing = images() | {"significance": np.where(MASK, np.nan, 1.0)}
    options = {"source_kernel": KERNEL, "significance_limits": (-5, 15)}
    for draw_maps, kind in ((paper_figures.map_panels, "maps"), (paper_figures.strips, "strips")):
        entry = settings(kind=kind, contours=[5], layers=["significance"])
        figure = draw_maps(nothing, HEADER, entry, **options)
        # Of matplotlib's warning, pytest makes an error.
        paper_figures.save(figure, {"pdf": tmp_path / "a.pdf", "png": tmp_path / "a.png"}, 60)


@pytest.mark.parametrize("stretch", ["linear", "sqrt", "log"])
def test_counts_of_nothing_can_be_drawn_in_any_stretch(stretch, tmp_path):
    nothing = images() | {"counts": np.zeros(SHAPE)}
    entry = settings(layers=["counts"], stretch=stretch)
    figure = paper_figures.map_panels(nothing, HEADER, entry, source_kernel=KERNEL, significance_limits=(-5, 15))
    paper_figures.save(figure, {"pdf": tmp_path / "a.pdf", "png": tmp_path / "a.png"}, 60)
    assert (tmp_path / "a.png").stat().st_size > 0


def test_distribution_counts_every_defined_pixel_once():
    significance = np.array([[-0.3, 0.0, 0.1, 0.25], [7.0, np.nan, 0.2, 0.2]])
    used = np.array([[True, True, True, True], [False, True, False, True]])
    columns = distribution_of(significance, used)
    assert columns["low"][0] == -0.5
    np.testing.assert_array_equal(columns["pixels"][:4], [1, 0, 4, 1])
    np.testing.assert_array_equal(columns["used_pixels"][:4], [1, 0, 3, 1])
    assert (columns["pixels"].sum(), columns["used_pixels"].sum()) == (7, 5)


def test_a_box_holds_the_pixels_whose_centres_lie_in_it():
    # The reference point, at 10 deg, lies between two pixels of 0.05 deg: 0.12 deg to each side are two pixels.
    assert box_of(HEADER, SHAPE, (10, 0), (0.24, 0.14)) == (slice(19, 21), slice(28, 32))


def test_a_cut_keeps_every_pixel_where_it_was_on_the_sky():
    box = {"center": ["10.4 deg", "-0.2 deg"], "width": ["1 deg", "0.6 deg"]}
    y, x = np.indices(SHAPE).astype(float)
    part, header = paper_figures.cut({"x": x, "y": y}, HEADER, box)
    rows, columns = np.indices(part["x"].shape)
    np.testing.assert_allclose(
        sky_positions(header, columns.ravel(), rows.ravel()),
        sky_positions(HEADER, part["x"].ravel(), part["y"].ravel()),
        atol=1e-9,
    )


def test_a_cut_off_the_map_is_refused():
    with pytest.raises(MapError, match="no pixel of the map lies within 1 x 1 deg of 50, 0"):
        box_of(HEADER, SHAPE, (50, 0), (1, 1))


def test_a_cut_map_can_be_written_with_its_own_sky(tmp_path):
    part, header = paper_figures.cut(images(), HEADER, {"center": ["10 deg", "0 deg"], "width": ["1 deg", "1 deg"]})
    maps.write(tmp_path / "part.fits", part, sky=header)
    assert maps.read_product(tmp_path / "part.fits")["counts"].data.shape == (20, 20)


@pytest.mark.parametrize("strips", [1, 3])
def test_strips_show_every_column_of_the_map_once_from_left_to_right(strips):
    entry = settings(kind="strips", strips=strips, layers=["counts"])
    whole = images()
    figure = paper_figures.strips(whole, HEADER, entry, source_kernel=KERNEL, significance_limits=(-5, 15))
    panels = [axes for axes in figure.axes if axes.images]
    shown = [axes.images[0].get_array() for axes in panels]
    np.testing.assert_array_equal(np.concatenate(shown, axis=1), whole["counts"])
    assert len({axes.images[0].norm.vmax for axes in panels}) == 1
    # Where the ticks of every panel are on the sky.
    for axes, column in zip(panels, np.arange(strips) * SHAPE[1] // strips, strict=True):
        ticks = axes.get_xticks()
        told = [float(text.get_text().rstrip("°")) for text in axes.get_xticklabels()]
        assert len(ticks)
        true, _ = sky_positions(HEADER, column + ticks, np.zeros(len(ticks))).T
        np.testing.assert_allclose(told, true, atol=1e-9)


@pytest.mark.parametrize("strips", [1, 3])
def test_strips_of_a_wide_map_find_room_in_their_figure(strips, tmp_path):
    shape = (16, 120)
    header = sky_header(shape, ctype=("GLON-CAR", "GLAT-CAR"), center=(10, 0))
    header["DATASET"] = "field"
    wide = {"significance": np.zeros(shape), "exclusion_mask": np.ones(shape, dtype=bool)}
    found = labels(tmp_path, "GLON,GLAT,Name\n12.3,0.0,a source of a long name\n8.7,0.0,B\n", frame="galactic")
    options = {"source_kernel": KERNEL, "significance_limits": (-5, 15), "labels": found}
    figure = paper_figures.strips(wide, header, settings(kind="strips", strips=strips), **options)
    # A layout that fails is a warning, and a warning is an error.
    paper_figures.save(figure, {"pdf": tmp_path / "a.pdf", "png": tmp_path / "a.png"}, 60)
    assert all(axes.get_position().width > 0.7 for axes in figure.axes if axes.images)


def labels(folder, text, **columns):
    (folder / "sources.csv").write_text(text)
    return read_labels(str(folder / "sources.csv"), **columns)


def texts_of(figure):
    return [(text.get_text(), tuple(np.round(text.xy, 6))) for text in figure.axes[0].texts if hasattr(text, "xy")]


def test_labels_stand_where_the_catalogue_says_and_nowhere_off_the_map(tmp_path):
    # The reference point lies between the middle pixels; the third source is on the other side of the sky.
    found = labels(tmp_path, "GLON,GLAT,Name\n10.0,0.0,A\n9.0,0.5,B\n190.0,0.0,C\n", frame="galactic")
    entry = settings(layers=["significance"])
    options = {"source_kernel": KERNEL, "significance_limits": (-5, 15)}
    figure = paper_figures.map_panels(images(), HEADER, entry, **options, labels=found)
    assert texts_of(figure) == [("A", (29.5, 19.5)), ("B", (49.5, 29.5))]


def test_labels_in_another_frame_stand_at_the_same_place_of_the_sky(tmp_path):
    position = SkyCoord(10, 0.5, unit="deg", frame="galactic").icrs
    text = f"ra,dec,ID\n{position.ra.deg:.9f},{position.dec.deg:.9f},HESS 1\n"
    figure = paper_figures.mask_evolution([MASK], MASK, HEADER, settings(), labels(tmp_path, text, name="ID"))
    assert texts_of(figure) == [("HESS 1", (29.5, 29.5))]


def test_labels_without_names_are_numbers_of_rows(tmp_path):
    assert labels(tmp_path, "ra,dec\n1,2\n3,4\n")[1] == ["1", "2"]


def test_a_column_of_names_that_is_not_there_is_named(tmp_path):
    with pytest.raises(MapError, match="has no column ID, only ra, dec"):
        labels(tmp_path, "ra,dec\n1,2\n", name="ID")


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({"one": {"dataset": "fiel"}}, "figures.one.dataset: there is no dataset fiel"),
        ({"a/b": {"dataset": "field"}}, "figures.a/b: unsafe name"),
        (
            {"one": {"dataset": "field", "labels": {"table": "none.csv"}}},
            "figures.one.labels.table: none.csv does not exist",
        ),
        (
            {"one": {"dataset": "field", "kind": "strips", "layers": ["counts", "excess"]}},
            "figures.one.layers: strips show one map, got 2",
        ),
    ],
)
def test_a_figure_of_nothing_is_refused(figures, words):
    with pytest.raises(ConfigurationError, match=words):
        configuration.figure_settings({"figures": figures}, SCHEMA, ["field"])


def test_a_figure_of_a_failed_dataset_is_refused():
    with pytest.raises(MapError, match=r"figures.one: the dataset field failed \(no counts\): name another one"):
        paper_figures.refuse_failed("one", {"dataset": "field", "state": "failed", "reason": "no counts"})
