"""What `skymask check` says: of good configurations what they will do, of others everything that is wrong at once."""

import re
import tracemalloc

import numpy as np
import pytest
from conftest import KERNELS, field_with_source, write_config, write_map
from stores import write_store
from test_events import columns_of, write_events

from skymask.cli.check import expected_alpha, forecast, length_text, number_of_jobs
from skymask.config import configuration
from skymask.core import kernels

GEOMETRY = {"center": ["83.633 deg", "22.014 deg"], "width": ["3 deg", "2 deg"], "pixel_size": "0.05 deg"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with maps and events, and a process that runs in it."""
    monkeypatch.chdir(tmp_path)
    write_map("counts.fits", field_with_source())
    write_map("small.fits", np.ones((10, 10)))
    write_events("events.fits", columns_of([1, 2, 3], [1, 1, 1], ENERGY=(np.ones(3), "TeV")))
    return tmp_path


def test_a_good_configuration_is_foretold(folder):
    write_config(
        "config.yaml",
        datasets={
            "map": {"counts": "counts.fits"},
            "list": {"events": "events.fits", "geometry": GEOMETRY, "cuts": {"energy": ["1 TeV", None]}},
        },
    )
    lines, mistakes = forecast("config.yaml")
    text = "\n".join(lines)
    assert mistakes == []
    assert "geometry           60 x 60 pixels of 0.05 deg: 3 deg x 3 deg around RA 83.6, DEC 22 deg" in text
    assert "geometry           60 x 40 pixels of 0.05 deg: 3 deg x 2 deg around RA 83.633, DEC 22.014 deg" in text
    assert f"counts             {field_with_source().sum()} in counts.fits" in text
    assert "counts             to be made of 3 events in 1 file" in text
    assert "not a single count" not in text
    # A disk of 2.4 pixels holds 21; the ring from 8 to 13 pixels 332.
    assert "source_kernel      disk radius=0.12 deg: 21 pixels in 5 x 5" in text
    size = int((kernels.ring(8, 5) > 0).sum())
    assert f"background_kernel  ring inner_radius=0.4 deg width=0.25 deg: {size} pixels in 27 x 27" in text
    assert (
        f"alpha              {21 / size:.3g} on a flat acceptance, with no pixel excluded and all of it on the map"
        in text
    )
    assert not (folder / "results").exists()


@pytest.mark.parametrize(
    "kernels",
    [
        {"background_kernel": {"shape": "ring", "inner_radius": "500 deg", "width": "0.3 deg"}},
        {"further_source_kernels": {"wide": {"shape": "disk", "radius": "500 deg"}}, "statistic": "cash"},
        {"energy_kernels": [{"source_kernel": {"shape": "disk", "radius": "500 deg"}}]},
        {"dilation_radius": "500 deg"},
    ],
)
def test_a_length_far_beyond_the_map_is_told_without_making_its_kernel(folder, kernels):
    """The kernel would have 10^8 pixels; that of a radius in arcseconds taken for degrees does not fit into memory."""
    write_config("config.yaml", datasets={"map": {"counts": "counts.fits", **kernels}})
    tracemalloc.start()
    _, mistakes = forecast("config.yaml")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    told = [mistake for mistake in mistakes if "500 deg is 1e+04 pixels, and the map has 60 x 60 pixels" in mistake]
    assert len(told) == 1
    assert peak < 50e6


@pytest.mark.parametrize(
    ("settings", "warning"),
    [
        (
            {"background_kernel": {"shape": "ring", "inner_radius": "3.2 deg", "width": "1 deg"}},
            r"\d+% of the pixels are starved before anything is excluded",
        ),
        (
            {"dilation_radius": "2 deg"},
            "dilation_radius 2 deg: a single pixel above the threshold excludes up to 5025 pixels",
        ),
    ],
)
def test_what_does_not_fit_the_map_is_warned_of(folder, settings, warning):
    write_config("config.yaml", datasets={"map": {"counts": "counts.fits", **settings}})
    lines, mistakes = forecast("config.yaml")
    assert mistakes == []
    assert re.search(f"warning: .*{warning}", "\n".join(lines))


def test_a_figure_of_what_is_not_on_the_map_is_a_mistake(folder):
    cut = {"center": ["83.6 deg", "22 deg"], "width": ["1 deg", "1 deg"]}
    beside = cut | {"center": ["90 deg", "22 deg"]}
    figures = {"close": {"dataset": "map", "cut": cut}, "beside": {"dataset": "map", "cut": beside}}
    write_config("config.yaml", datasets={"map": {"counts": "counts.fits"}}, figures=figures)
    lines, mistakes = forecast("config.yaml")
    assert "figures for a paper: close, beside" in lines
    assert mistakes == ["figures.beside.cut: no pixel of the map lies within 1 x 1 deg of 90, 22"]


def test_of_another_dataset_only_what_differs_is_told(folder):
    other = {"counts": "counts.fits", "dilation_radius": "0.2 deg"}
    write_config("config.yaml", datasets={"one": {"counts": "counts.fits"}, "other": other, "last": other})
    lines, _ = forecast("config.yaml")
    others = lines[lines.index("other") : -1]
    assert [line.split()[0] for line in others] == ["other", "dilation_radius", "the", "last", "the"]


def observations(**more):
    """Observations of the hand-made store in the folder `dl3`."""
    return {"store": "dl3", "energy": ["1 TeV", "10 TeV"], "offset_max": "2 deg", **more}


def test_observations_are_foretold(folder):
    write_store(folder / "dl3")
    write_config("config.yaml", datasets={"stack": {"observations": observations(), "geometry": GEOMETRY}})
    lines, mistakes = forecast("config.yaml")
    assert mistakes == []
    assert "  counts             to be made of 3 runs of dl3: 11, 12, 13" in lines
    # The jobs of a map, and one for every run.
    write_config("map.yaml", datasets={"map": {"counts": "counts.fits"}})
    (map_jobs, run_jobs) = (
        int(re.search(r", (\d+) jobs", text)[1]) for text in (forecast("map.yaml")[0][-1], lines[-1])
    )
    assert run_jobs == map_jobs + 3


def test_all_runs_that_cannot_be_used_are_said_at_once(folder):
    write_store(folder / "dl3")
    for name in ("run_11.fits", "run_13.fits"):
        (folder / "dl3" / name).unlink()
    datasets = {
        "gone": {"observations": observations(), "geometry": GEOMETRY},
        "none": {"observations": observations(target="Vela"), "geometry": GEOMETRY},
    }
    write_config("config.yaml", datasets=datasets)
    _, mistakes = forecast("config.yaml")
    named = "does not exist, though the hdu-index of dl3 names it"
    assert mistakes == [
        f"gone: run 11: dl3/run_11.fits {named}",
        f"gone: run 13: dl3/run_13.fits {named}",
        "none: none of the 3 runs of dl3 passes the selection (target)",
    ]


def test_without_gammapy_observations_are_warned_of(folder, monkeypatch):
    write_store(folder / "dl3")
    write_config("config.yaml", datasets={"stack": {"observations": observations(), "geometry": GEOMETRY}})
    monkeypatch.setattr("skymask.cli.check.find_spec", lambda name: None)
    lines, mistakes = forecast("config.yaml")
    assert mistakes == []
    assert sum(line.startswith("  warning: observations need gammapy, which is not installed") for line in lines) == 1


def test_everything_that_is_wrong_is_said_at_once(folder):
    write_map("other.fits", np.ones((12, 10)))
    write_map("nothing.fits", np.full((60, 60), np.nan))
    write_events("no-energy.fits", columns_of([1], [1]))
    (folder / "text.fits").write_text("no FITS")
    datasets = {
        "good": {"counts": "counts.fits"},
        "misspelt": {"counts": "counts.fits", "treshold": 3},
        "absent": {"counts": "no.fits"},
        "unlike": {"counts": "counts.fits", "acceptance": "other.fits", "exclusion_mask": "text.fits"},
        "empty": {"counts": "nothing.fits"},
        "thin": {
            "counts": "counts.fits",
            "background_kernel": {"shape": "ring", "inner_radius": "0.4 deg", "width": "1 arcsec"},
            "coverage": "other.fits",
        },
        "unfit": {
            "events": ["no-energy.fits", "text.fits"],
            "geometry": GEOMETRY,
            "cuts": {"energy": ["1 TeV", None]},
        },
    }
    write_config("config.yaml", datasets=datasets)
    lines, mistakes = forecast("config.yaml")
    text = "\n".join(mistakes)
    assert len(mistakes) == len(set(mistakes))
    assert "datasets.misspelt.treshold is no known key" in text
    assert "good" in lines
    assert not any(mistake.startswith("good") for mistake in mistakes)
    assert "datasets.absent.counts: no.fits does not exist" in text
    assert "unlike: text.fits is" in text
    assert "empty: no coverage at all" in text
    assert "thin: coverage other.fits has the shape" in text
    assert "thin: background_kernel.width 1 arcsec is 0.0056 pixels" in text
    assert "unfit: no-energy.fits has no column ENERGY" in text
    assert "unfit: text.fits is" in text


def test_warnings_are_those_of_the_workflow(folder):
    close = {"shape": "ring", "inner_radius": "0.05 deg", "width": "0.25 deg"}
    write_config("config.yaml", datasets={"map": {"counts": "counts.fits"}}, background_kernel=close)
    lines, mistakes = forecast("config.yaml")
    assert mistakes == []
    assert any("warning: background_kernel does not clear source_kernel" in line for line in lines)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("datasets: [", "is no YAML"),
        ("", "holds no keys"),
        ("datasets: table.csv\n", "the table table.csv cannot be read"),
    ],
)
def test_a_file_that_is_no_configuration_is_one_line(folder, content, line):
    (folder / "config.yaml").write_text(content)
    lines, mistakes = forecast("config.yaml")
    assert lines == []
    assert sum(line in mistake for mistake in mistakes) == 1


def test_results_that_cannot_be_written_are_wrong(folder):
    (folder / "results").write_text("a file")
    write_config("config.yaml", datasets={"map": {"counts": "counts.fits"}})
    assert "nothing can be written there" in forecast("config.yaml")[1][0]


def test_jobs_are_counted():
    simulation = {"seed": 1, "width": ["2 deg", "1 deg"], "pixel_size": "0.1 deg", "background": 1}
    config = {**KERNELS, "datasets": {name: {"simulate": simulation} for name in "ab"}}
    settings = configuration.dataset_settings(config, configuration.load_schema())
    # Each dataset: simulate, prepare, background, 3 in the iteration, products, limits, catalogue, null sky,
    # figures, status, page;
    # each group: two decisions; in all: summary and report. So many logs has a run with one iteration.
    assert number_of_jobs(settings, 10)[0] == 2 * 13 + 2 * 2 + 2
    assert number_of_jobs(settings, 1)[0] == 2 * 13 + 2 + 2
    assert number_of_jobs(settings, 1)[1] == 2 * (10 + 3 * 50) + 51 + 2


def test_expected_alpha_of_disk_and_ring_is_the_ratio_of_their_pixels():
    source, background = kernels.disk(2).astype(float), kernels.ring(5, 3).astype(float)
    assert expected_alpha(source, background) == pytest.approx(source.sum() / background.sum(), rel=1e-12)


@pytest.mark.parametrize(
    ("degrees", "text"), [(0.02, "0.02 deg"), (4 / 3600, "4 arcsec"), (0.5 / 3600, "0.5 arcsec"), (0.005, "0.3 arcmin")]
)
def test_angles_are_told_in_units_that_suit_them(degrees, text):
    assert length_text(degrees) == text


def test_an_adaptive_ring_is_described_by_the_ring_that_suffices(tmp_path):
    from skymask.cli.check import _kernels

    kernels = {
        "source_kernel": {"shape": "disk", "radius": "0.1 deg"},
        "background_kernel": {
            "shape": "adaptive_ring",
            "inner_radius": "0.3 deg",
            "width": "0.1 deg",
            "step": "0.1 deg",
            "max_outer_radius": "0.8 deg",
            "alpha_max": 0.1,
            "excluded_fraction_max": 0.5,
            "keep": "inner_radius",
        },
        "dilation_radius": "0.2 deg",
        "mask_source_kernels": [],
        "statistic": "wstat",
    }
    lines = _kernels(kernels, (0.05, 0.05))
    alpha = float(next(line for line in lines if line.startswith("alpha")).split()[1])
    assert 0.05 < alpha <= 0.1


def test_the_field_of_view_is_described_without_a_kernel():
    from skymask.cli.check import _kernels

    kernels = {
        "source_kernel": {"shape": "disk", "radius": "0.1 deg"},
        "background_kernel": {"shape": "field_of_view"},
        "dilation_radius": "0.2 deg",
        "mask_source_kernels": [],
        "statistic": "wstat",
    }
    assert "background_kernel  field_of_view: all used pixels of the map" in _kernels(kernels, (0.05, 0.05))
