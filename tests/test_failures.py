"""What goes wrong: one clear line naming file, key or dataset, the others unharmed, exit code not 0."""

import base64
import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from conftest import (
    KERNELS,
    REPOSITORY,
    STATUSES,
    field_with_source,
    products,
    sky_header,
    snakemake,
    write_config,
    write_map,
)

from skymask.config import configuration
from skymask.datasets.reading import inspect
from skymask.errors import MapError
from skymask.io import file_names

RING = KERNELS["background_kernel"]

#: Figures of every dataset that has products.
FIGURES = ("counts", "background", "significance", "excess", "mask_growth", "convergence", "off_source")
COMMAND = [sys.executable, "-m", "snakemake", "--cores", "2", "--snakefile", str(REPOSITORY / "Snakefile")]

#: Lines that Snakemake prints around those of an error in a configuration: the profile, and where it was found.
AROUND = 3


#: Imported by every Python of a run: its jobs are killed before one file gets its name.
KILLED_JOB = """
import os
import signal

replace = os.replace

def replace_or_die(source, target):
    if str(target) == {killed!r}:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)

os.replace = replace_or_die
"""


@pytest.fixture(scope="module")
def maps_folder(tmp_path_factory):
    """A folder of maps, most of them bad in one way each."""
    folder = tmp_path_factory.mktemp("maps")
    counts = field_with_source()

    def spoiled(value):
        data = counts.astype(float)
        data[3, 4] = value
        return data

    for name, data in {
        "good": counts,
        "zero": np.zeros((60, 60), dtype=int),
        "cube": np.zeros((3, 60, 60)),
        "small": np.ones((50, 60)),
        "negative": spoiled(-1.0),
        "infinite": spoiled(np.inf),
        "fraction": spoiled(0.5),
        "nan": np.full((60, 60), np.nan),
        "nothing": np.zeros((60, 60), dtype=np.uint8),
    }.items():
        write_map(folder / f"{name}.fits", data)
    write_map(folder / "no-wcs.fits", counts, fits.Header())
    write_map(folder / "elsewhere.fits", np.ones((60, 60)), sky_header(center=(90, 22)))
    write_map(
        folder / "distorted.fits", counts, sky_header(pixel_size=2, ctype=("RA---CAR", "DEC--CAR"), center=(0, 0))
    )
    write_map(folder / "even.fits", np.ones((4, 4)))
    (folder / "pixels.reg").write_text("# Region file format: DS9\nimage\ncircle(10,10,3)\n")
    (folder / "broken.reg").write_text("fk5\ncircle(83.6,22)\n")
    (folder / "whole.reg").write_text("fk5\ncircle(83.6,22,20)\n")
    (folder / "broken.csv").write_text("ra,dec\n83.6,22\n83.6,22,1\n")
    (folder / "names.csv").write_text("x,y\n83.6,22\n")
    (folder / "not-fits.fits").write_text("counts, honestly\n" * 500)
    fits.PrimaryHDU().writeto(folder / "no-image.fits")
    second = fits.ImageHDU(np.full((60, 60), 2), sky_header(), name="SECOND")
    fits.HDUList([fits.PrimaryHDU(counts, sky_header()), second]).writeto(folder / "several.fits")
    whole = (folder / "good.fits").read_bytes()
    (folder / "cut.fits").write_bytes(whole[: len(whole) // 2])
    return folder


def with_region(region):
    """Return a dataset that is good but for an exclusion region."""
    return {"counts": "good.fits", "exclusion_regions": [region]}


#: What is wrong with a dataset, and the reason that must be given.
BAD = {
    "not-fits": ({"counts": "not-fits.fits"}, "not-fits.fits is not a FITS file"),
    "no-image": ({"counts": "no-image.fits"}, "no-image.fits holds no image"),
    "several": ({"counts": "several.fits"}, r"several.fits holds several images \(PRIMARY, SECOND\): name one"),
    "misnamed": ({"counts": "several.fits[THIRD]"}, "several.fits holds no image THIRD, only PRIMARY, SECOND"),
    "cube": ({"counts": "cube.fits"}, "cube.fits: the image PRIMARY has 3 planes, and no table EBOUNDS"),
    "no-wcs": ({"counts": "no-wcs.fits"}, "no-wcs.fits has no sky coordinates"),
    "other-shape": (
        {"counts": "good.fits", "acceptance": "small.fits"},
        r"acceptance small.fits has the shape \(50, 60\)",
    ),
    "other-wcs": ({"counts": "good.fits", "acceptance": "elsewhere.fits"}, "elsewhere.fits lies elsewhere on the sky"),
    "distorted": ({"counts": "distorted.fits"}, r"pixel sizes differ by \d+%"),
    "negative": ({"counts": "negative.fits"}, r"counts are negative in 1 pixels \(first at x = 4, y = 3: -1\)"),
    "infinite": ({"counts": "infinite.fits"}, "counts are infinite in 1 pixels"),
    "fraction": ({"counts": "fraction.fits"}, "counts are no whole numbers in 1 pixels"),
    "nan": ({"counts": "nan.fits"}, "no coverage at all"),
    "all-excluded": ({"counts": "good.fits", "exclusion_mask": "nothing.fits"}, "excludes every covered pixel"),
    "cut": ({"counts": "cut.fits"}, "cut.fits is damaged"),
    "half-coverage": ({"counts": "good.fits", "coverage": "fraction.fits"}, r"coverage must hold 1 \(data\) and 0"),
    "other-coverage": ({"counts": "good.fits", "coverage": "elsewhere.fits"}, "coverage elsewhere.fits lies elsewhere"),
    "pixels": (with_region({"file": "pixels.reg"}), "pixels.reg, line 3: its coordinates are pixels"),
    "broken-regions": (with_region({"file": "broken.reg"}), "broken.reg, line 2: not understood"),
    "fits-regions": (
        with_region({"file": "good.fits"}),
        "good.fits is a FITS file and no MOC: save its regions as DS9 regions",
    ),
    "everything": (with_region({"file": "whole.reg"}), "exclusion_regions exclude every covered pixel"),
    "broken-table": (
        with_region({"table": "broken.csv", "radius": "1 deg"}),
        "broken.csv cannot be read as CSV.* line 3",
    ),
    "no-positions": (
        with_region({"table": "names.csv", "radius": "1 deg"}),
        "names.csv has no columns of icrs positions",
    ),
    "no-table": (with_region({"table": "good.fits", "radius": "1 deg"}), "good.fits holds no table"),
    "table-kind": (with_region({"table": "pixels.reg", "radius": "1 deg"}), "pixels.reg: the name of a table must end"),
    "thin-ring": (
        {"counts": "good.fits", "background_kernel": RING | {"width": "0.01 deg"}},
        r"width 0.01 deg is 0.2 pixels",
    ),
    "starved": (
        {"counts": "good.fits", "background_kernel": RING | {"inner_radius": "5 deg"}},
        "every pixel is starved",
    ),
    "huge": ({"counts": "good.fits", "source_kernel": {"shape": "disk", "radius": "90 deg"}}, "is 1800 pixels"),
    "even": ({"counts": "good.fits", "source_kernel": {"shape": "array", "path": "even.fits"}}, "odd sides"),
}

#: Odd but right: a named image under a single pixel; a ring that overlaps the source kernel and reaches beyond the map.
ODD = {
    "small": {
        "counts": "several.fits[second]",
        "source_kernel": {"shape": "disk", "radius": "0 px"},
        "dilation_radius": "0.01 deg",
    },
    "large": {"counts": "good.fits", "background_kernel": RING | {"inner_radius": "0.05 deg", "width": "2.85 deg"}},
}


#: Of these, datasets that are run: maps, regions, and kernels as they are described and as they are in files. That all
#: files of a dataset reach the script: see test_user_exclusions.py.
RUN = ("misnamed", "infinite", "nan", "broken-regions", "starved", "even")


@pytest.fixture(scope="module")
def mixed_run(maps_folder):
    """A run of bad datasets and a good one, whose map is empty."""
    datasets = {name: BAD[name][0] for name in RUN} | {"zero": {"counts": "zero.fits"}}
    write_config(maps_folder / "config.yaml", datasets=datasets)
    process = snakemake(folder=maps_folder)
    return maps_folder, process


def summary(folder):
    with open(folder / "results/summary.csv", newline="") as file:
        return {row["dataset"]: row for row in csv.DictReader(file)}


def test_bad_content_fails_the_run_and_its_dataset_alone(mixed_run):
    folder, process = mixed_run
    assert process.returncode != 0
    states = {name: row["state"] for name, row in summary(folder).items()}
    assert states.pop("zero") == "converged"
    assert states == dict.fromkeys(RUN, "failed")


@pytest.mark.parametrize("name", BAD)
def test_bad_content_is_a_reason_of_one_line(maps_folder, monkeypatch, name):
    monkeypatch.chdir(maps_folder)
    dataset, reason = BAD[name]
    settings = configuration.dataset_settings(KERNELS | {"datasets": {name: dataset}}, configuration.load_schema())
    kernels, selection = (
        {key: settings[name][key] for key in keys}
        for keys in (
            (
                "source_kernel",
                "mask_source_kernels",
                "background_kernel",
                "statistic",
                "dilation_radius",
                "energy_kernels",
            ),
            ("exclusion_regions", "min_acceptance_fraction"),
        )
    )
    with pytest.raises(MapError, match=reason) as error:
        inspect(file_names.data_names(settings[name]), {}, selection, kernels)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", RUN)
def test_bad_content_is_explained_in_one_line(mixed_run, name):
    folder, process = mixed_run
    reason = summary(folder)[name]["reason"]
    assert re.search(BAD[name][1], reason)
    assert "\n" not in reason
    assert f"{name:<24} failed: {reason}" in process.stdout


def test_failed_datasets_have_no_products_and_no_traceback(mixed_run):
    folder, process = mixed_run
    assert "Traceback" not in process.stdout
    for name in RUN:
        assert not list((folder / "results" / name).glob("*.fits"))
        assert json.loads((folder / f"results/{name}/status.json").read_text())["state"] == "failed"


def test_failures_stand_in_the_report(mixed_run):
    folder, _ = mixed_run
    page = (folder / "results/report.html").read_text()
    assert "counts are infinite in 1 pixels" in page
    assert page.count('class="badge failed"') == len(RUN)
    for name in RUN:
        page = (folder / f"results/{name}/report.html").read_text()
        assert "products" in page
        assert 'id="viewer"' not in page


def test_snakemakes_own_report_explains_what_did_not_fail(mixed_run, tmp_path):
    folder, _ = mixed_run
    process = snakemake("--report", tmp_path / "own.zip", folder=folder)
    assert process.returncode == 0, process.stdout
    with zipfile.ZipFile(tmp_path / "own.zip") as archive:
        page = archive.read("own/report.html").decode()
        packed = {Path(name).name for name in archive.namelist()}
    captions = dict(re.findall(r'"(results/[^"]+)": \{"name": .*?"caption": "([^"]*)"', page))
    good = {f"results/zero/plots/{name}.png" for name in FIGURES} | {"results/zero/regions.ecsv", "results/summary.csv"}
    assert set(captions) == good
    assert packed >= {Path(name).name for name in good}
    for name, caption in captions.items():
        assert "summary" in name or " of zero" in caption, name
    assert "the column <cite>reason</cite> says why" in captions["results/summary.csv"]


def test_an_empty_map_has_no_background_and_no_significance(mixed_run):
    folder, _ = mixed_run
    assert not fits.getdata(folder / "results/zero/background.fits").any()
    assert not fits.getdata(folder / "results/zero/significance.fits").any()


def test_odd_but_right_is_not_refused(maps_folder):
    write_config(maps_folder / "odd.yaml", datasets=ODD, null_simulations={"number": 0}, checkpoint_groups=1)
    targets = [f"results/{name}/status.json" for name in ODD]
    process = snakemake(*targets, "--configfile", "odd.yaml", folder=maps_folder)
    assert process.returncode == 0, process.stdout
    statuses = {name: json.loads((maps_folder / f"results/{name}/status.json").read_text()) for name in ODD}
    assert {status["state"] for status in statuses.values()} == {"converged"}
    (warning,) = statuses["large"]["warnings"]
    assert re.search(r"does not clear source_kernel: the \d+ pixels they share", warning)
    assert not statuses["small"]["warnings"]


def test_a_failed_dataset_fails_every_run_until_it_is_mended(mixed_run):
    folder, _ = mixed_run
    again = snakemake(folder=folder)
    assert again.returncode != 0
    assert "no coverage at all" in again.stdout
    shutil.copy(folder / "zero.fits", folder / "nan.fits")
    write_config(folder / "mended.yaml", datasets={"nan": BAD["nan"][0]}, null_simulations={"number": 0})
    mended = snakemake("--configfile", "mended.yaml", "--", "results/summary.csv", folder=folder)
    assert mended.returncode == 0, mended.stdout
    assert summary(folder)["nan"]["state"] == "converged"


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        (
            {
                "treshold": 4,
                "threshold": 0,
                "dilation_radius": 0.3,
                "source_kernel": None,
                "exclusion_regions": [{"path": "a.reg"}],
                "datasets": {"../x": {"counts": "good.fits"}},
            },
            [
                r"treshold is no known key \(did you mean threshold\?\)",
                "threshold must be more than 0, got 0",
                "dilation_radius must be a length with its unit, .* got 0.3: no unit",
                "source_kernel must be a mapping",
                "exclusion_regions.0 lacks one of the keys shape, file, table",
                r"datasets.../x: unsafe name '../x'",
            ],
        ),
        (
            {"datasets": {"a": {"counts": "nowhere.fits"}}, "exclusion_regions": [{"file": "nowhere.reg"}]},
            [
                "datasets.a.counts: nowhere.fits does not exist",
                r"datasets.a.exclusion_regions.0.file: nowhere.reg does not exist",
            ],
        ),
        ({"datasets": "nowhere.csv"}, ["datasets: the table nowhere.csv cannot be read"]),
    ],
    ids=["keys", "files", "table"],
)
def test_a_wrong_configuration_stops_before_any_job(maps_folder, changes, lines):
    write_config(maps_folder / "wrong.yaml", **changes)
    process = snakemake("--configfile", "wrong.yaml", folder=maps_folder)
    assert process.returncode != 0
    for line in lines:
        assert re.search(rf"^{line}", process.stdout, flags=re.MULTILINE), line
    # One line per mistake, and nothing else but which profile is used.
    assert len(process.stdout.splitlines()) == AROUND + len(lines)
    assert "Traceback" not in process.stdout


def test_a_file_of_a_dataset_that_there_is_not_is_refused_by_its_name(maps_folder):
    write_config(maps_folder / "one.yaml", datasets={"a": {"counts": "good.fits"}})
    process = snakemake("--configfile", "one.yaml", "--", "results/b/status.json", folder=maps_folder)
    assert process.returncode != 0
    assert "there is no dataset b in the configuration" in process.stdout


def test_a_dataset_named_twice_is_refused(maps_folder):
    path = write_config(maps_folder / "twice.yaml")
    with open(path, "a") as file:
        file.write("datasets:\n  a: {counts: good.fits}\n  a: {counts: zero.fits}\n")
    process = snakemake("--configfile", "twice.yaml", folder=maps_folder)
    assert process.returncode != 0
    assert re.search(r"^datasets.a stands twice in .*twice.yaml", process.stdout, flags=re.MULTILINE)


def test_results_that_cannot_be_written_are_refused(tmp_path):
    write_map(tmp_path / "good.fits", field_with_source())
    write_config(tmp_path / "config.yaml", datasets={"a": {"counts": "good.fits"}})
    (tmp_path / "results").write_text("in the way")
    process = snakemake(folder=tmp_path)
    assert process.returncode != 0
    assert re.search(r"^results: nothing can be written there", process.stdout, flags=re.MULTILINE)
    assert "Traceback" not in process.stdout


@pytest.fixture
def finished(undisturbed, tmp_path):
    """The undisturbed run once more, with the times of its files and Snakemake's records, to be disturbed."""
    return shutil.copytree(undisturbed, tmp_path / "run")


def test_an_input_whose_time_is_an_hour_ahead_is_refused_before_the_first_job_until_it_is_touched(finished):
    hour = time.time() + 3600
    os.utime(finished / "a.fits", (hour, hour))
    early = snakemake(*STATUSES, folder=finished)
    assert early.returncode != 0
    told = [line for line in early.stdout.splitlines() if "a.fits" in line]
    assert len(told) == 1
    assert told[0].startswith("datasets.a.counts: the time of a.fits lies 60 min in the future")
    assert "Traceback" not in early.stdout
    (finished / "a.fits").touch()
    late = snakemake(*STATUSES, "--dry-run", "--quiet", "host", folder=finished)
    assert late.returncode == 0, late.stdout
    assert "Prepare the maps of a" in late.stdout


def test_a_damaged_file_of_our_own_is_named_and_made_anew_when_removed(undisturbed, finished):
    damaged = finished / "results/a/iteration-1/significance.fits"
    damaged.write_bytes(damaged.read_bytes()[:10000])
    process = snakemake(*STATUSES, folder=finished)
    assert process.returncode != 0
    assert "results/a/iteration-1/significance.fits is damaged" in process.stdout
    assert "remove it and run again" in process.stdout
    assert re.search(r"^a +crashed$", process.stdout, flags=re.MULTILINE)
    assert re.search(r"^b +converged ", process.stdout, flags=re.MULTILINE)
    damaged.unlink()
    mended = snakemake(*STATUSES, folder=finished)
    assert mended.returncode == 0, mended.stdout
    assert products(finished, "results/*/*.fits") == products(undisturbed, "results/*/*.fits")


def test_a_killed_job_is_tabulated_and_the_others_complete(begun, monkeypatch):
    (begun / "python").mkdir()
    (begun / "python/sitecustomize.py").write_text(KILLED_JOB.format(killed="results/a/iteration-1/significance.fits"))
    monkeypatch.setenv("PYTHONPATH", str(begun / "python"), prepend=os.pathsep)
    process = snakemake(*STATUSES, folder=begun)
    assert process.returncode != 0
    crash = "^compute_significance a 1 crashed: it left no message; it may have been killed"
    assert re.search(crash, process.stdout, flags=re.MULTILINE), process.stdout
    assert re.search("^a +crashed$", process.stdout, flags=re.MULTILINE)
    assert re.search("^b +converged ", process.stdout, flags=re.MULTILINE)
    assert (begun / "results/b/status.json").is_file()


def struck(folder, reached, blow):
    """Start a run of one dataset, end it with a signal when it has made a file, and check that it was not through."""
    process = subprocess.Popen(
        [*COMMAND, STATUSES[0]],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    for _ in range(1200):
        if (folder / reached).is_file() or process.poll() is not None:
            break
        time.sleep(0.05)
    assert process.poll() is None
    os.killpg(process.pid, blow)
    process.wait(60)
    assert not (folder / STATUSES[0]).is_file()


def test_an_interrupted_run_goes_on_and_ends_with_the_same_bytes(begun, undisturbed):
    struck(begun, "results/a/iteration-1/exclusion_mask.fits", signal.SIGKILL)
    assert snakemake("--unlock", folder=begun).returncode == 0
    struck(begun, "results/a/iteration-2/exclusion_mask.fits", signal.SIGINT)
    finished = snakemake(STATUSES[0], folder=begun)
    assert finished.returncode == 0, finished.stdout
    for pattern in ("results/a/**/*.fits", "results/a/**/*.json", "results/a/**/*.csv"):
        assert products(begun, pattern) == products(undisturbed, pattern)
    assert not list(begun.rglob("*.part"))


#: A crowded field at a low threshold, whose masks alternate for ever.
CYCLING = {
    "datasets": {"field": {"counts": "counts.fits"}},
    "source_kernel": {"shape": "disk", "radius": "2 px"},
    "background_kernel": {"shape": "ring", "inner_radius": "8 px", "width": "4 px"},
    "dilation_radius": "2 px",
    "threshold": 2.5,
}


@pytest.fixture(scope="module")
def cycling_field(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cycling")
    write_map(folder / "counts.fits", field_with_source(45, (40, 40)))
    return folder


@pytest.mark.parametrize(
    ("convergence", "state"),
    [
        ({"on_cycle": "union"}, "cycle"),
        ({"on_cycle": "fail"}, "failed"),
        ({"max_iterations": 2}, "max_iterations"),
        ({"max_iterations": 2, "on_max_iterations": "fail"}, "failed"),
        ({"max_excluded_fraction": 0.01}, "runaway"),
    ],
)
def test_every_end_of_the_loop_is_said(cycling_field, convergence, state):
    write_config(cycling_field / "config.yaml", **CYCLING | {"convergence": convergence})
    snakemake("results/field/status.json", folder=cycling_field)
    status = json.loads((cycling_field / "results/field/status.json").read_text())
    assert status["state"] == state
    if state == "failed":
        assert re.search(r"convergence\.on_(cycle|max_iterations) is fail", status["reason"])
    else:
        header = fits.getheader(cycling_field / "results/field/exclusion_mask.fits")
        assert (header["STATE"], header["PERIOD"]) == (state, status["period"])


@pytest.fixture(scope="module")
def fallen(undisturbed, tmp_path_factory):
    """The undisturbed run, gone on after a map was replaced by an older one without data."""
    folder = shutil.copytree(undisturbed, tmp_path_factory.mktemp("fallen") / "run")
    assert (folder / "results/a/exclusion_mask.fits").is_file()
    write_map(folder / "a.fits", np.full((60, 60), np.nan))
    os.utime(folder / "a.fits", (10**9, 10**9))
    snakemake("results/a/status.json", folder=folder)
    return folder


def test_a_file_replaced_by_an_older_one_is_noticed(fallen):
    assert json.loads((fallen / "results/a/status.json").read_text())["state"] == "failed"


def test_a_dataset_that_fails_after_it_succeeded_keeps_no_products(fallen):
    assert not list((fallen / "results/a").glob("*.fits"))


def test_what_a_killed_run_was_making_is_made_anew(finished, undisturbed):
    # As a run with another threshold leaves it, when it is killed while the job ends: made, but marked as unfinished.
    mask = finished / "results/a/iteration-1/exclusion_mask.fits"
    with fits.open(mask, mode="update") as hdus:
        hdus[0].data[:10] = 0
        for hdu in hdus:
            hdu.add_checksum()
    mark = base64.urlsafe_b64encode(b"results/a/iteration-1/exclusion_mask.fits").decode()
    marks = finished / ".snakemake/incomplete"
    marks.mkdir(exist_ok=True)
    (marks / mark).write_text('{"external_jobid": null}')
    for late in ("results/a/*.*", "results/a/iteration-2/*", "results/.decisions/a/iteration-2.json"):
        for path in finished.glob(late):
            path.unlink()
    assert snakemake("results/a/status.json", folder=finished).returncode == 0
    assert products(finished) == products(undisturbed)
