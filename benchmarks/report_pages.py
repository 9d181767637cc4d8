"""How long the report's overview takes to write and to open in Chromium, by the number of datasets.

python benchmarks/report_pages.py RESULTS [NUMBER ...]

RESULTS holds finished datasets, whose status and thumbnail are copied so many times.
"""

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]

from chromium import Browser  # noqa: E402

from skymask.products.report import render_report  # noqa: E402

#: Times that a page is written and opened.
REPEATS = 5

#: Milliseconds from asking for the page until it can be used and until it is drawn; thumbnails fetched soon after.
TIMES = """(async () => {
    const wait = ms => new Promise(done => setTimeout(done, ms));
    const [entry] = performance.getEntriesByType('navigation');
    while (!performance.getEntriesByName('first-contentful-paint').length) await wait(10);
    const [paint] = performance.getEntriesByName('first-contentful-paint');
    await wait(500);
    return [entry.domInteractive, paint.startTime, [...document.images].filter(image => image.naturalWidth).length];
})()"""


def main(results, numbers):
    found = [json.loads(path.read_text()) for path in sorted(Path(results).glob("*/status.json"))]
    print("datasets  written [s]  size [MB]  usable [ms]  drawn [ms]  thumbnails fetched")
    for number in numbers:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            statuses = []
            for k in range(number):
                status = found[k % len(found)]
                statuses.append(status | {"dataset": f"field-{k:05d}"})
                plots = folder / statuses[-1]["dataset"] / "plots"
                plots.mkdir(parents=True)
                shutil.copy(Path(results, status["dataset"], "plots/thumbnail.png"), plots)
            written = []
            for _ in range(REPEATS):
                start = time.process_time()
                render_report(statuses, [], folder / "report.html")
                written.append(time.process_time() - start)
            size = (folder / "report.html").stat().st_size / 1e6
            opened = [times_to_open(folder / "report.html") for _ in range(REPEATS)]
            usable, drawn, thumbnails = (median(column) for column in zip(*opened, strict=True))
            print(
                f"{number:8d}  {median(written):11.3f}  {size:9.2f}  {usable:11.0f}  {drawn:10.0f}  {thumbnails:18.0f}"
            )


def times_to_open(page):
    """Open a page in a new Chromium."""
    with tempfile.TemporaryDirectory() as profile, Browser(profile) as browser:
        browser.open(page, width=1300, height=900)
        return browser.value(TIMES)


if __name__ == "__main__":
    main(sys.argv[1], [int(number) for number in sys.argv[2:]] or [10, 100, 1000])
