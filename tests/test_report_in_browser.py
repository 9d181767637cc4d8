"""The report as a person uses it, in a headless Chromium: every control does what it says, and nothing complains."""

import os

import numpy as np
import pytest
from chromium import Browser, find_chromium
from conftest import sky_header
from test_report import STATUS, SUCCESS

from skymask.config import scan
from skymask.products import plots, viewer
from skymask.products.pictures import Picture
from skymask.products.report import render_page, render_report, render_scan
from skymask.registry import TRAITS, shown_maps
from skymask.sky.geometry import axis_names, pixel_size, sky_positions, sky_projection

SHAPE = (60, 90)
#: Rows and columns of two excluded regions; the second one comes in iteration 2.
REGIONS = ((slice(10, 20), slice(15, 30)), (slice(40, 48), slice(60, 70)))
PROJECTIONS = {
    "tangential": (("GLON-TAN", "GLAT-TAN"), (10.0, 0.0)),
    "plate-carree": (("RA---CAR", "DEC--CAR"), (0.0, 0.0)),
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if find_chromium() is None:
        if os.environ.get("SKYMASK_REQUIRE_CHROMIUM"):
            pytest.fail("Chromium is required and not there")
        pytest.skip("needs Chromium (on Debian and Ubuntu: the package chromium)")
    with Browser(tmp_path_factory.mktemp("profile")) as window:
        yield window


def field(name):
    """Return header and maps of a field with two excluded regions, and its masks by iteration."""
    ctype, center = PROJECTIONS[name]
    header = sky_header(SHAPE, ctype=ctype, center=center)
    rng = np.random.default_rng(0)
    maps = {"counts": rng.poisson(3, SHAPE).astype(float), "significance": rng.normal(size=SHAPE)}
    maps |= {"background": np.full(SHAPE, 3.0), "excess": rng.normal(size=SHAPE), "coverage": np.ones(SHAPE)}
    masks = [np.ones(SHAPE, dtype=bool) for _ in range(3)]
    for first, region in enumerate(REGIONS, start=1):
        for mask in masks[first:]:
            mask[region] = False
        maps["significance"][region[0].start + 3, region[1].start + 4] = 20 / first
    return header, maps, [*masks, masks[-1]]


def row(number):
    rows, columns = REGIONS[number - 1]
    peak = {"peak_x": columns.start + 4, "peak_y": rows.start + 3, "peak_significance": 20 / number}
    numbers = dict.fromkeys(("longitude", "latitude", "extent", "counts", "background", "excess"), 1.0)
    return {"region": number, "pixels": 80, "iteration": number, "user_pixels": 0, "background_error": 0.5} | {
        **peak,
        **numbers,
        "excess_error": 0.5,
    }


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A report on two datasets that converged and one that failed."""
    folder = tmp_path_factory.mktemp("report")
    statuses = []
    for number, name in enumerate(PROJECTIONS):
        header, maps, masks = field(name)
        layers = [viewer.layer(key, maps[key]) for key in shown_maps(TRAITS) if key in maps]
        shown = {"layers": layers, "masks": list(map(viewer.mask, masks)), "shape": SHAPE, "full_shape": SHAPE}
        shown |= {"block": 1, "sky": viewer.sky_grid(header, SHAPE, pixel_size(header))}
        status = SUCCESS | {"dataset": name, "iteration": 2 + number, "axes": axis_names(header), "regions": 2}
        statuses.append(status | {"off_source_mean": 0.5 - number, "warnings": ["odd <b>header</b>"] * number})
        (folder / name).mkdir()
        rows = [{"iteration": k, "excluded": int((~masks[k]).sum()), "added": 1, "released": 0} for k in (1, 2)]
        render_page(
            statuses[-1], [], folder / name / "report.html", viewer=shown, regions=[row(1), row(2)], convergence=rows
        )
    statuses.append(STATUS | {"dataset": "broken"})
    (folder / "broken").mkdir()
    render_page(statuses[-1], [], folder / "broken/report.html")
    for status in statuses[:2]:
        (folder / status["dataset"] / "plots").mkdir()
        Picture((80, 60), 60).save(folder / status["dataset"] / "plots/thumbnail.png")
    render_report(statuses, [], folder / "report.html")
    write_scan_page(folder / "broken")
    return folder


def write_scan_page(folder):
    """Write the page of a scan, two of whose three thresholds went well."""
    values = {"threshold": [3, 4, 5]}
    record = dict.fromkeys(scan.COLUMNS) | {"state": "converged", "excluded_fraction": 0.1, "off_source_width": 1.1}
    failed = record | {"state": "failed", "reason": "nothing is left to estimate a background from"}
    records = dict(zip(scan.points(values), (record, failed, record), strict=True))
    excluded = dict.fromkeys([name for name in records if records[name] is record], np.ones(SHAPE, dtype=bool))
    rows = scan.compare(values, records, excluded, {"threshold": 4})
    plots.save(plots.scan("broken", "threshold", ["threshold"], rows), folder / "scan.png", {"dpi": 60})
    render_scan("broken", values, rows, folder / "scan.png", folder / "scan.html")


@pytest.fixture
def page(browser, report):
    """The page of the first dataset, drawn; at the end nothing may have complained."""
    browser.complaints.clear()
    browser.open(report / "tangential/report.html")
    browser.wait_for("document.querySelectorAll('#layers input').length === 6")
    yield browser
    assert browser.complaints == []


@pytest.fixture
def overview(browser, report):
    browser.complaints.clear()
    browser.open(report / "report.html")
    yield browser
    assert browser.complaints == []


def names(browser):
    """Return the datasets of the table that are to be seen, in order."""
    return browser.value(
        "[...document.querySelectorAll('#datasets tbody tr:not([hidden]) td:nth-child(2) a')].map(a => a.text)"
    )


def header_button(number):
    return f"#datasets th:nth-child({number}) button"


#: Of a canvas, the colour at a pixel of the whole map; the canvas itself is read by nobody, which Chromium notes.
PIXEL = """(async () => {{
    // Decoding and drawing take a moment.
    await new Promise(done => setTimeout(done, 150));
    const sky = document.getElementById('sky'), size = Math.min(sky.width / {columns}, sky.height / {rows});
    const x = sky.width / 2 + ({column} + 0.5 - {columns} / 2) * size;
    const y = sky.height / 2 - ({row} + 0.5 - {rows} / 2) * size;
    const copy = new OffscreenCanvas(1, 1).getContext('2d');
    copy.drawImage(sky, Math.floor(x), Math.floor(y), 1, 1, 0, 0, 1, 1);
    return [...copy.getImageData(0, 0, 1, 1).data];
}})()"""


def pixel_of_screen(browser, column, row):
    """Return the colour, with its opacity, where a pixel is as long as the whole map is shown."""
    return browser.value(PIXEL.format(column=column, row=row, rows=SHAPE[0], columns=SHAPE[1]))


def hover(browser, column, row):
    """Point at the centre of a pixel of the whole map, and return what is said of it."""
    sky = browser.value("(box => [box.width, box.height])(document.getElementById('sky').getBoundingClientRect())")
    size = min(sky[0] / SHAPE[1], sky[1] / SHAPE[0])
    x = 0.5 + (column + 0.5 - SHAPE[1] / 2) * size / sky[0]
    y = 0.5 - (row + 0.5 - SHAPE[0] / 2) * size / sky[1]
    left, top = browser.point("#sky", x, y)
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=left, y=top)
    browser.wait_for(f"document.getElementById('readout').textContent.includes('pixel {column}, {row})')")
    return browser.value("document.getElementById('readout').textContent"), (x, y)


def test_table_is_sorted_by_numbers_both_ways_and_what_has_none_comes_last(overview):
    assert names(overview) == ["tangential", "plate-carree", "broken"]
    overview.click(header_button(8))
    assert names(overview) == ["plate-carree", "tangential", "broken"]
    overview.click(header_button(8))
    assert names(overview) == ["tangential", "plate-carree", "broken"]
    assert overview.value("document.querySelectorAll('th')[7].ariaSort") == "descending"


def test_table_is_sorted_from_the_keyboard(overview):
    overview.value(f"document.querySelector('{header_button(2)}').focus()")
    overview.press("Enter")
    assert names(overview) == ["broken", "plate-carree", "tangential"]


def test_table_is_filtered_by_words_outcome_and_quality(overview):
    overview.value("document.getElementById('find').focus()")
    overview.press(*"ODD")
    overview.wait_for("document.getElementById('shown').value === '1 of 3 datasets'")
    assert names(overview) == ["plate-carree"]
    overview.value("document.getElementById('find').value = ''")
    overview.value("(outcome.value = 'failed', outcome.dispatchEvent(new Event('change')))")
    assert names(overview) == ["broken"]
    overview.value("(outcome.value = '', quality.value = 'pass', quality.dispatchEvent(new Event('change')))")
    assert names(overview) == ["tangential", "plate-carree"]


def test_a_dataset_is_one_click_away_and_back(overview, report):
    overview.click("#datasets tbody tr:nth-child(3) td:nth-child(2) a")
    overview.wait_for("document.title.startsWith('broken')")
    assert "is not a FITS file" in overview.value("document.body.innerText")
    overview.click("nav a")
    overview.wait_for("document.title === 'skymask report'")


@pytest.mark.parametrize("name", PROJECTIONS)
@pytest.mark.parametrize("pixel", [(0, 0), (89, 0), (44, 30), (17, 59)])
def test_coordinates_under_the_cursor_are_those_of_astropy(browser, report, name, pixel):
    browser.open(report / name / "report.html")
    browser.wait_for("document.querySelectorAll('#layers input').length === 6")
    text, _ = hover(browser, *pixel)
    header, _, _ = field(name)
    axes = axis_names(header)
    ((longitude, latitude),) = sky_positions(header, [pixel[0]], [pixel[1]])
    said = [float(part.split("°")[0].replace("−", "-")) for part in (text.split(f"{axis} ")[1] for axis in axes)]
    # Shown to four decimals; a hundredth of a pixel has 0.0005 deg.
    assert (said[0] - longitude + 180) % 360 - 180 == pytest.approx(0, abs=6e-4)
    assert said[1] == pytest.approx(latitude, abs=6e-4)


@pytest.mark.parametrize("name", PROJECTIONS)
def test_lines_of_the_grid_run_where_astropy_says(browser, report, name):
    browser.open(report / name / "report.html")
    browser.wait_for("document.querySelectorAll('#layers input').length === 6")
    wcs = sky_projection(field(name)[0])
    longitude = PROJECTIONS[name][1][0]
    on_lines = [wcs.world_to_pixel_values(longitude + 1, 0.33), wcs.world_to_pixel_values(longitude + 0.33, -1)]
    beside = [wcs.world_to_pixel_values(longitude + 1.1, 0.33), wcs.world_to_pixel_values(longitude + 0.33, -1.1)]
    with_grid = [pixel_of_screen(browser, *map(float, place)) for place in [*on_lines, *beside]]
    browser.click("#grid")
    without = [pixel_of_screen(browser, *map(float, place)) for place in [*on_lines, *beside]]
    assert with_grid[0] != without[0]
    assert with_grid[1] != without[1]
    assert with_grid[2:] == without[2:]


def test_the_value_under_the_cursor_is_that_of_the_map(page):
    _, maps, _ = field("tangential")
    for number, name in ((1, "counts"), (3, "significance")):
        page.click(f".layers label:nth-of-type({number})")
        text, _ = hover(page, 33, 21)
        said = float(text.split(f", {name} ")[1].split(",")[0].split()[0].replace("−", "-"))
        assert said == pytest.approx(maps[name][21, 33], abs=1e-3)


def test_the_slider_shows_the_mask_grow(page):
    page.click(".layers label:nth-of-type(5)")
    second = [REGIONS[1][1].start + 2, REGIONS[1][0].start + 2]
    used, added = [217, 230, 242, 255], [90, 20, 0, 255]
    for iteration, colour in ((1, used), (2, added), (0, used)):
        page.value(f"(iteration.value = {iteration}, iteration.dispatchEvent(new Event('input')))")
        page.wait_for(f"document.getElementById('told').value.startsWith('iteration {iteration} of 2')")
        page.value("new Promise(done => setTimeout(done, 100))")
        assert pixel_of_screen(page, *second) == colour


def test_the_slider_moves_by_keys_and_says_what_it_shows(page):
    page.value("document.getElementById('iteration').focus()")
    page.call("Input.dispatchKeyEvent", type="keyDown", key="ArrowLeft", windowsVirtualKeyCode=37)
    page.wait_for("document.getElementById('told').value === 'iteration 2 of 2: 230 excluded, +1 −0'")
    assert page.value("document.getElementById('iteration').getAttribute('aria-valuetext')").startswith("iteration 2")


def test_playing_ends_with_the_final_mask(page):
    page.click("#play")
    page.wait_for("document.getElementById('told').value.startsWith('iteration 0')")
    page.wait_for("document.getElementById('told').value === 'final mask'")
    page.wait_for("document.getElementById('play').ariaPressed === 'false'")


def test_a_row_of_the_catalogue_shows_its_region_enlarged(page):
    whole = pixel_of_screen(page, 45, 30)
    page.click("#regions tbody tr:nth-child(2)")
    page.wait_for("document.querySelectorAll('#regions tr')[2].ariaSelected === 'true'")
    assert pixel_of_screen(page, 45, 30) != whole


def test_a_click_on_a_region_selects_its_row(page):
    rows, columns = REGIONS[0]
    _, place = hover(page, columns.stop - 1, rows.stop - 1)
    page.click("#sky", *place)
    page.wait_for("document.querySelectorAll('#regions tr')[1].ariaSelected === 'true'")
    _, place = hover(page, 80, 5)
    page.click("#sky", *place)
    page.wait_for("document.querySelectorAll('#regions tr')[1].ariaSelected === 'false'")


def test_the_map_is_driven_from_the_keyboard(page):
    page.value("document.getElementById('sky').focus()")
    page.press("ArrowRight")
    page.wait_for("document.getElementById('readout').textContent.includes('pixel 46, 30)')")
    page.press("ArrowUp")
    page.wait_for("document.getElementById('readout').textContent.includes('pixel 46, 31)')")
    page.press("1")
    assert page.value("document.querySelector('#layers input:checked').value") == "counts"
    page.press("[")
    assert page.value("document.getElementById('told').value").startswith("iteration 2")
    page.press("m")
    assert page.value("document.getElementById('outline').ariaPressed") == "false"


@pytest.mark.parametrize("way", ["buttons", "wheel", "keys"])
def test_the_map_zooms_and_comes_back(page, way):
    page.click("#outline")
    page.click("#numbers")
    corner = [1, 1]
    whole = pixel_of_screen(page, *corner)
    if way == "buttons":
        for _ in range(8):
            page.click("#zoom-in")
    elif way == "wheel":
        x, y = page.point("#sky", 0.52, 0.52)
        for _ in range(8):
            page.call("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=-100)
    else:
        page.value("document.getElementById('sky').focus()")
        page.press(*"++++++++")
    assert pixel_of_screen(page, *corner) != whole
    page.click("#fit")
    assert pixel_of_screen(page, *corner) == whole


def test_dragging_moves_the_map(page):
    before = pixel_of_screen(page, 2, 2)
    x, y = page.point("#sky")
    for kind, moved in (("mousePressed", 0), ("mouseMoved", 60), ("mouseReleased", 60)):
        page.call("Input.dispatchMouseEvent", type=kind, x=x + moved, y=y, button="left", buttons=1, clickCount=1)
    assert before[3] == 255
    # What was there has moved away to the right.
    assert pixel_of_screen(page, 2, 2)[3] == 0


def test_blinking_shows_the_other_map_by_turns(page):
    page.click("#blink")
    page.value("document.getElementById('sky').focus()")
    page.press("ArrowRight")
    for word in ("counts", "significance"):
        page.wait_for(f"document.getElementById('readout').textContent.includes(', {word} ')")
    page.click("#blink")
    assert page.value("document.getElementById('blink').ariaPressed") == "false"


def test_the_colour_scale_can_be_changed(page):
    page.click("#outline")
    before = pixel_of_screen(page, 70, 20)
    for id, value in (("high", 0.1), ("low", -0.1)):
        page.value(f"({id}.value = {value}, {id}.dispatchEvent(new Event('change')))")
    assert pixel_of_screen(page, 70, 20) != before


@pytest.mark.parametrize("page", ["report.html", "tangential/report.html", "broken/report.html", "broken/scan.html"])
def test_on_a_phone_nothing_is_wider_than_the_screen(browser, report, page):
    browser.complaints.clear()
    browser.open(report / page, width=390, height=844, touch=True)
    assert browser.value("document.documentElement.scrollWidth") <= 390
    assert browser.complaints == []


def test_the_table_of_datasets_fits_on_a_laptop(browser, report):
    browser.open(report / "report.html", width=1300, height=800)
    assert browser.value("(box => box.scrollWidth <= box.clientWidth)(document.querySelector('.scroll'))")


def test_settings_compared_are_marked_and_lead_to_their_dataset(browser, report):
    browser.open(report / "broken/scan.html")
    chosen = browser.value(
        "[...document.querySelectorAll('#scan tr[aria-selected=true] td')].map(cell => cell.innerText)"
    )
    assert chosen[:2] == ["4", "failed"]
    browser.click("nav a:nth-of-type(2)")
    browser.wait_for("document.title.startsWith('broken - ')")


def test_a_dark_scheme_has_a_dark_page_and_light_words(browser, report):
    browser.open(report / "tangential/report.html", dark=True)
    style = browser.value(
        "(() => { const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]; })()"
    )
    dark, light = (sum(map(int, colour[4:-1].split(","))) for colour in style)
    assert dark < 150
    assert light > 600
