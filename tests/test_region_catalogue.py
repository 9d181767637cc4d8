"""The catalogue of regions: sums by hand, errors by the linear response and by simulation, outlines that come back."""

import numpy as np
import pytest
from astropy.table import QTable
from conftest import sky_header
from scipy.ndimage import label

from skymask.core.background import estimate_background
from skymask.core.kernels import adaptive_ring, disk, gaussian, ring
from skymask.core.measured import Part
from skymask.sky import region_catalogue

NAN = np.nan


def mask_of(*rows):
    """Return the mask drawn by text: "#" is excluded."""
    return np.array([[character != "#" for character in row] for row in rows])


def test_pixels_that_touch_at_a_corner_are_one_region():
    labels, number = region_catalogue.label_regions(mask_of("#...#", ".#...", "....#"), np.ones((3, 5), dtype=bool))
    assert number == 3
    assert labels[0, 0] == labels[1, 1] > 0


def test_pixels_without_coverage_belong_to_no_region():
    coverage = np.array([[True, False, True]])
    labels, number = region_catalogue.label_regions(mask_of("###"), coverage)
    assert number == 2
    assert labels[0, 1] == 0


USER = mask_of(".........", "...#.....", ".........", "......##.")
FIRST = mask_of("##.......", "##.#.....", ".........", "......##.")
FINAL = mask_of("##.......", "####.....", ".........", "......##.")
COUNTS = np.arange(36).reshape(4, 9)
SIGNIFICANCE = COUNTS / 3.0
SIGNIFICANCE[1, 2] = 50.0
SIGNIFICANCE[3, 6:8] = NAN
BACKGROUND = np.full((4, 9), 2.5)
COVERED = np.ones((4, 9), dtype=bool)


def parts(kernel):
    """One map with a flat acceptance."""
    return [Part(COUNTS, np.ones((4, 9)), kernel)]


@pytest.fixture(scope="module")
def rows():
    rows, labels = region_catalogue.catalogue_regions(
        COUNTS, COVERED, [USER, FIRST, FINAL], FINAL, BACKGROUND, SIGNIFICANCE, parts(ring(2, 1))
    )
    assert np.array_equal(labels > 0, ~FINAL)
    return rows


@pytest.mark.parametrize(
    ("column", "first", "second"),
    [
        ("region", 1, 2),
        ("pixels", 6, 2),
        ("x", (0 + 1 + 0 + 1 + 2 + 3) / 6, 6.5),
        ("y", 4 / 6, 3.0),
        ("peak_x", 2, -1),
        ("peak_y", 1, -1),
        ("counts", 0 + 1 + 9 + 10 + 11 + 12, 33 + 34),
        ("background", 15.0, 5.0),
        ("excess", 43 - 15.0, 67 - 5.0),
        ("iteration", 1, 0),
        ("user_pixels", 1, 2),
        ("starved", 0, 0),
    ],
)
def test_row_is_what_is_counted_by_eye(rows, column, first, second):
    assert [row[column] for row in rows] == [pytest.approx(first, rel=1e-12), pytest.approx(second, rel=1e-12)]


def test_region_without_a_significance_comes_last(rows):
    assert rows[0]["peak_significance"] == 50.0
    assert np.isnan(rows[1]["peak_significance"])


def test_region_appears_with_the_first_of_its_pixels_that_the_user_used():
    masks = [mask_of("#........"), mask_of("#........"), mask_of("#.##....."), mask_of("####.....")]
    ones = np.ones((1, 9))
    part = Part(ones.astype(int), ones, ring(4, 1))
    rows, _ = region_catalogue.catalogue_regions(part.counts, ones > 0, masks, masks[-1], ones, ones, [part])
    assert (rows[0]["iteration"], rows[0]["user_pixels"]) == (2, 1)


def test_region_with_starved_pixels_has_no_background():
    background = BACKGROUND.copy()
    background[0, 0] = NAN
    rows, _ = region_catalogue.catalogue_regions(
        COUNTS, COVERED, [USER], FINAL, background, SIGNIFICANCE, parts(ring(2, 1))
    )
    assert rows[0]["starved"] == 1
    assert np.isnan([rows[0][key] for key in ("background", "background_error", "excess", "excess_error")]).all()
    assert rows[0]["counts"] == 43


def test_map_without_regions_has_no_rows():
    used = np.ones((4, 9), dtype=bool)
    rows, labels = region_catalogue.catalogue_regions(
        COUNTS, COVERED, [used], used, BACKGROUND, SIGNIFICANCE, parts(ring(2, 1))
    )
    assert rows == []
    assert not labels.any()


LOPSIDED = np.random.default_rng(4).random((7, 9))


@pytest.fixture(scope="module")
def field():
    """A small field with a gradient in its acceptance, two excluded regions and pixels without coverage."""
    random = np.random.default_rng(5)
    shape = (14, 17)
    acceptance = 1 + 0.1 * np.arange(17) + np.zeros(shape)
    acceptance[:3, 12:] = 0
    mask = np.ones(shape, dtype=bool)
    mask[5:8, 6:10] = False
    mask[11, 2] = False
    return random.poisson(4 * acceptance), acceptance, mask


@pytest.mark.parametrize("kernel", [ring(4, 1), LOPSIDED, disk(5)], ids=["ring", "lopsided weights", "disk"])
def test_background_error_of_a_region_is_that_of_its_response_to_every_count(field, kernel):
    counts, acceptance, mask = field
    estimate = estimate_background(counts, acceptance, mask, kernel)
    rows, labels = region_catalogue.catalogue_regions(
        counts,
        acceptance > 0,
        [mask],
        mask,
        estimate.background,
        np.ones(mask.shape),
        [Part(counts, acceptance, kernel)],
    )
    for row in rows:
        inside = labels == row["region"]
        variance = 0.0
        for pixel in np.ndindex(mask.shape):
            one = np.zeros(mask.shape, dtype=int)
            one[pixel] = 1
            response = estimate_background(one, acceptance, mask, kernel).background[inside].sum()
            variance += counts[pixel] * response**2
        assert row["background_error"] == pytest.approx(np.sqrt(variance), rel=1e-9)
        assert row["excess_error"] == pytest.approx(np.sqrt(variance + counts[inside].sum()), rel=1e-9)


def test_error_of_a_pixel_alone_is_that_of_the_background_map():
    counts = np.full((15, 15), 3)
    mask = np.ones(counts.shape, dtype=bool)
    mask[7, 7] = False
    kernel = ring(3, 1)
    background = estimate_background(counts, np.ones(counts.shape), mask, kernel).background
    ones = np.ones(counts.shape)
    part = Part(counts, ones, kernel)
    (row,), _ = region_catalogue.catalogue_regions(counts, ones > 0, [mask], mask, background, ones, [part])
    # The root of the off counts over the off pixels.
    assert row["background_error"] == pytest.approx(np.sqrt(3 * kernel.sum()) / kernel.sum(), rel=1e-12)


def test_error_of_a_region_is_the_scatter_of_its_excess():
    random = np.random.default_rng(9)
    mask = np.ones((30, 30), dtype=bool)
    mask[12:18, 12:18] = False
    kernel, acceptance = ring(8, 2), np.ones(mask.shape)
    excesses, errors, quadrature = [], [], []
    for _ in range(400):
        counts = random.poisson(2.0, mask.shape)
        estimate = estimate_background(counts, acceptance, mask, kernel)
        part = Part(counts, acceptance, kernel)
        (row,), _ = region_catalogue.catalogue_regions(
            counts, acceptance > 0, [mask], mask, estimate.background, acceptance, [part]
        )
        excesses.append(row["excess"])
        errors.append(row["background_error"])
        variance = estimate.counts_off / estimate.acceptance_off**2
        quadrature.append(np.sqrt(variance[~mask].sum()))
    expected = np.sqrt(np.mean(errors) ** 2 + 36 * 2.0)
    # Four standard errors of a standard deviation of 400 values.
    assert np.std(excesses) == pytest.approx(expected, rel=4 / np.sqrt(2 * 400))
    # Pixels that share all their off counts have 6 times the error that adds in quadrature, of 36 pixels; these share
    # most of them.
    assert 3 < np.mean(errors) / np.mean(quadrature) < 6


def inside_polygon(vertices, x, y):
    """Whether points lie inside a polygon: an odd number of its sides cross the ray to their right."""
    odd = np.zeros(x.shape, dtype=bool)
    for (x1, y1), (x2, y2) in zip(vertices, [*vertices[1:], vertices[0]], strict=True):
        if y1 != y2:
            crosses = (y1 > y) != (y2 > y)
            odd ^= crosses & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
    return odd


def area(vertices):
    pairs = zip(vertices, [*vertices[1:], vertices[0]], strict=True)
    return 0.5 * sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs)


def test_outline_of_a_pixel_is_its_square():
    vertices = region_catalogue.outline(np.array([[True]]))
    assert sorted(vertices) == [(-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5), (0.5, 0.5)]


REGIONS = {
    "bar": ["###"],
    "corner": ["##", "#."],
    "touching at a corner": ["#.", ".#"],
    "touching at the other corner": [".#", "#."],
    "hole": ["####", "#..#", "####"],
    "two holes that touch": ["####", "#.##", "##.#", "####"],
    "pixel in a hole that touches": ["#####", "#..##", "#.#.#", "##..#", "#####"],
    "spiral": ["#####", "#...#", "#.#.#", "###.#", "....#"],
    "ring of corners": [".#.", "#.#", ".#."],
}


@pytest.mark.parametrize("rows", REGIONS.values(), ids=REGIONS)
def test_outline_holds_the_pixels_and_no_others(rows):
    region = ~mask_of(*rows)
    vertices = region_catalogue.outline(region)
    y, x = np.indices(region.shape)
    assert np.array_equal(inside_polygon(vertices, x, y), region)
    assert area(vertices) == pytest.approx(region.sum(), rel=1e-12)


def test_outlines_of_random_regions_hold_their_pixels_and_no_others():
    random = np.random.default_rng(1)
    for fraction in (0.3, 0.5, 0.7, 0.9):
        labels, number = label(random.random((18, 25)) < fraction, structure=np.ones((3, 3)))
        y, x = np.indices(labels.shape)
        for region in range(1, number + 1):
            assert np.array_equal(inside_polygon(region_catalogue.outline(labels == region), x, y), labels == region)


@pytest.fixture
def written(rows, tmp_path):
    header = sky_header((4, 9))
    placed = region_catalogue.with_positions(rows, header, (0.05, 0.05))
    region_catalogue.write_catalogue(tmp_path / "regions.ecsv", placed, header, dataset="field")
    return tmp_path / "regions.ecsv"


def test_catalogue_comes_back_with_units_and_meanings(written):
    table = QTable.read(written)
    assert table.colnames == list(region_catalogue.COLUMNS)
    assert [str(table[name].unit) for name in ("longitude", "extent", "excess")] == ["deg", "deg", "ct"]
    assert "correlated" in table["background_error"].info.description
    assert table.meta == {"dataset": "field", "frame": "icrs", "axes": ["RA", "DEC"]}
    assert list(table["user_pixels"]) == [1, 2]


def test_positions_are_those_of_the_pixels(written):
    table = QTable.read(written)
    # The map's centre is the pixel (4, 1.5), at RA 83.6, Dec 22; a pixel is 0.05 deg.
    assert table["latitude"][1].value == pytest.approx(22 + 0.05 * 1.5, abs=1e-4)
    assert table["longitude"][1].value == pytest.approx(83.6 - 0.05 * 2.5 / np.cos(np.radians(22.075)), abs=1e-4)
    assert table["peak_latitude"][0].value == pytest.approx(22 - 0.05 * 0.5, abs=1e-4)
    assert np.isnan(table["peak_longitude"][1])
    # From the mean (6.5, 3) to either of its two pixels.
    assert table["extent"][1].value == pytest.approx(0.5 * 0.05, rel=1e-12)


def test_catalogue_of_nothing_has_all_columns(tmp_path):
    header = sky_header((4, 9))
    region_catalogue.write_catalogue(tmp_path / "a.ecsv", [], header, dataset="field")
    table = QTable.read(tmp_path / "a.ecsv")
    assert (len(table), table.colnames) == (0, list(region_catalogue.COLUMNS))


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("ctype", [("RA---TAN", "DEC--TAN"), ("GLON-CAR", "GLAT-CAR"), ("ELON-TAN", "ELAT-TAN")])
def test_ds9_outlines_give_the_excluded_pixels_back(ctype, tmp_path):
    regions = pytest.importorskip("regions")
    from astropy.wcs import WCS

    region = ~mask_of(*REGIONS["pixel in a hole that touches"])
    labels = np.zeros((12, 20), dtype=int)
    labels[2:7, 3:8], labels[9, 12:19] = region, 2
    header = sky_header(labels.shape, ctype=ctype, center=(40, 0))
    region_catalogue.write_ds9_regions(tmp_path / "a.reg", labels, header)
    found = np.zeros(labels.shape, dtype=bool)
    y, x = np.indices(labels.shape)
    for number, polygon in enumerate(regions.Regions.read(tmp_path / "a.reg", format="ds9"), start=1):
        assert str(polygon.meta["text"]) == str(number)
        pixels = polygon.to_pixel(WCS(header)) if hasattr(polygon, "to_pixel") else polygon
        found |= pixels.contains(regions.PixCoord(x, y))
    assert np.array_equal(found, labels > 0)


def test_error_over_an_adaptive_ring_is_that_of_its_response_to_every_count():
    generator = np.random.default_rng(4)
    counts, acceptance = generator.poisson(3.0, (24, 26)), np.ones((24, 26))
    mask = np.ones(counts.shape, dtype=bool)
    mask[9:16, 8:17] = False
    kernel, source = adaptive_ring(2, 2, step=1, max_outer_radius=8, alpha_max=0.2), disk(1)

    def background_of(image):
        return estimate_background(image, acceptance, mask, kernel, source_kernel=source).background

    (row,), _ = region_catalogue.catalogue_regions(
        counts,
        acceptance > 0,
        [mask],
        mask,
        background_of(counts),
        counts * 1.0,
        [Part(counts, acceptance, kernel, source)],
    )
    variance = 0
    for y, x in np.argwhere(mask):
        one = np.zeros_like(counts)
        one[y, x] = 1
        variance += counts[y, x] * background_of(one)[~mask].sum() ** 2
    assert row["background_error"] == pytest.approx(np.sqrt(variance), rel=1e-9)


@pytest.mark.parametrize("kernel", [ring(4, 3), gaussian(3)], ids=["ring", "weights"])
@pytest.mark.parametrize("acceptance", ["flat", "graded"])
def test_regions_are_the_same_however_few_rows_are_read_at_a_time(monkeypatch, kernel, acceptance):
    random, shape = np.random.default_rng(5), (90, 40)
    counts = random.poisson(3.0, shape)
    masks = [random.random(shape) > 0.02, random.random(shape) > 0.02]
    # A region as high as the map, and one without a background.
    masks[1][5:85, 20] = False
    final, coverage = masks[0] & masks[1], np.ones(shape, dtype=bool)
    coverage[:, 38:] = False
    graded = 1.0 + np.indices(shape)[0] / 7
    acceptance = np.where(coverage, graded if acceptance == "graded" else 1, 0).astype(graded.dtype)
    background, significance = random.normal(3, 0.1, shape), random.normal(size=shape)
    background[40:43, 3:9] = np.nan
    part = Part(counts, acceptance, kernel)

    def found():
        return region_catalogue.catalogue_regions(counts, coverage, masks, final, background, significance, [part])

    rows, labels = found()
    monkeypatch.setattr(region_catalogue, "READ", 8 * shape[1])
    rows_in_parts, labels_in_parts = found()
    assert np.array_equal(labels_in_parts, labels)
    assert len(rows) > 20
    for row, other in zip(rows, rows_in_parts, strict=True):
        positions = row.pop("pixel_positions"), other.pop("pixel_positions")
        assert np.array_equal(*positions)
        assert repr(row) == repr(other)
