"""Data that stand in a dataset twice: known by what they hold, under whatever names and compressions."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from conftest import field_with_source, sky_header, write_map

from skymask.datasets import identity
from skymask.datasets.events import bin_events
from skymask.datasets.reading import read_dataset
from skymask.datasets.runs import RunFiles
from skymask.errors import MapError
from skymask.io.event_files import open_events, read_chunks
from skymask.sky.geometry import field

HEADER, SHAPE = field((83.6, 22.0), (2.0, 2.0), 0.1)
CARDS = {"OBS_ID": 7, "TSTART": 0.0, "TSTOP": 1000.0, "MJDREFI": 51910}


def events(path, rows, *, seed=0, columns=("TIME", "RA", "DEC"), **cards):
    """Write events of which the same seed gives the same, and return the path as text."""
    rng = np.random.default_rng(seed)
    values = {"TIME": rng.uniform(0, 1000, 500), "RA": rng.uniform(83, 84, 500), "DEC": rng.uniform(21.5, 22.5, 500)}
    units = {"TIME": "s", "RA": "deg", "DEC": "deg"}
    made = [fits.Column(key, "D", units[key], array=values[key][rows]) for key in columns]
    table = fits.BinTableHDU.from_columns(made, name="EVENTS")
    table.header.update(CARDS | cards)
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path, overwrite=True)
    return str(path)


def compressed(path):
    """Compress a file and return the other's path."""
    Path(f"{path}.gz").write_bytes(gzip.compress(Path(path).read_bytes()))
    return f"{path}.gz"


def test_the_same_events_are_refused_however_the_table_is_named(tmp_path):
    path = events(tmp_path / "r.fits", slice(None))
    for other in (path, f"{path}[EVENTS]", f"{path}[1]", f"{path}[events,1]", compressed(path)):
        with pytest.raises(MapError, match=r"hold the same events: they would count twice"):
            bin_events([path, other], HEADER, SHAPE)


def test_the_same_rows_under_another_header_are_refused(tmp_path):
    paths = [events(tmp_path / f"{obs_id}.fits", slice(None), OBS_ID=obs_id) for obs_id in (1, 2)]
    with pytest.raises(MapError, match=r"2\.fits and .*1\.fits hold the same events"):
        bin_events(paths, HEADER, SHAPE)


def test_two_tables_of_one_file_are_two_lists(tmp_path):
    paths = [events(tmp_path / f"{seed}.fits", slice(None), seed=seed) for seed in (1, 2)]
    with fits.open(paths[0]) as first, fits.open(paths[1]) as second:
        fits.HDUList([first[0], first[1], second[1]]).writeto(tmp_path / "both.fits")
    both = [f"{tmp_path}/both.fits[{number}]" for number in (1, 2)]
    assert bin_events(both, HEADER, SHAPE).counts.sum() == 1000
    assert bin_events(both, HEADER, SHAPE).warnings == []


def test_events_in_two_tiles_are_warned_of(tmp_path):
    paths = [events(tmp_path / "a.fits", slice(0, 300)), events(tmp_path / "b.fits", slice(250, 500))]
    (line,) = bin_events(paths, HEADER, SHAPE).warnings
    assert line.startswith(f"50 events of {paths[0]} stand in {paths[1]} as well, at the same time and place")


def test_the_order_of_rows_and_columns_hides_nothing(tmp_path):
    paths = [
        events(tmp_path / "a.fits", slice(None)),
        events(tmp_path / "b.fits", slice(None, None, -1), columns=("DEC", "RA", "TIME"), OBS_ID=8),
    ]
    (line,) = bin_events(paths, HEADER, SHAPE).warnings
    assert line.startswith(f"500 events of {paths[0]} stand in {paths[1]} as well")


def test_different_events_are_no_reason_to_warn(tmp_path):
    paths = [events(tmp_path / f"{seed}.fits", slice(None), seed=seed) for seed in range(3)]
    assert bin_events(paths, HEADER, SHAPE).warnings == []
    assert identity.likely_the_same([open_events(path) for path in paths]) == []


def test_of_many_rows_the_same_are_chosen_in_every_file(tmp_path, monkeypatch):
    monkeypatch.setattr(identity, "MAX_ROWS", 128)
    paths = [events(tmp_path / "a.fits", slice(0, 400)), events(tmp_path / "b.fits", slice(100, 500))]
    files = [open_events(path) for path in paths]
    shared = identity.SharedEvents(800)
    for one in files:
        list(shared.add(one, read_chunks(one, ["TIME", "RA", "DEC"])))
    (line,) = shared.warnings()
    about = int(line.split()[1])
    # 300 are shared, of which one in 8 is looked at: a binomial number with a standard deviation of 48.
    assert about % 8 == 0
    assert abs(about - 300) < 5 * 48


def test_headers_that_name_the_same_observation_make_check_look_at_the_rows(tmp_path):
    paths = [events(tmp_path / "a.fits", slice(0, 300)), events(tmp_path / "b.fits", slice(100, 500))]
    (line,) = identity.likely_the_same([open_events(path) for path in paths])
    assert line.startswith(f"200 events of {paths[0]}")
    events(tmp_path / "b.fits", slice(100, 500), TSTOP=999.0)
    assert identity.likely_the_same([open_events(path) for path in paths]) == []


def stack(*paths):
    runs = [{"run": f"r{number}", "counts": path} for number, path in enumerate(paths)]
    return RunFiles(runs, sky_header(), (60, 60), check_distinct=True)


@pytest.mark.parametrize("form", ["i4", "i8", "f8", "compressed", "gz", "extension"])
def test_the_same_counts_on_the_same_pixels_are_refused_in_whatever_form(tmp_path, form):
    counts = field_with_source()
    first, other = write_map(tmp_path / "a.fits", counts.astype("i4")), str(tmp_path / "b.fits")
    if form == "gz":
        other = compressed(first)
    elif form == "extension":
        fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(counts, sky_header(), name="COUNTS")]).writeto(other)
    elif form == "compressed":
        fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(counts.astype("i4"), sky_header())]).writeto(other)
    else:
        write_map(other, counts.astype(form))
    with pytest.raises(MapError, match=r"run r1 holds the counts of run r0, pixel by pixel: they would count twice"):
        list(stack(first, other))


def test_the_same_counts_under_another_reference_point_are_warned_of():
    moved = sky_header(center=(85.0, 22.0))
    seen = identity.SeenCounts()
    assert seen.check(field_with_source(), sky_header(), "run a") == []
    (line,) = seen.check(field_with_source(), moved, "run b")
    assert line.startswith("its counts are those of run a, pixel by pixel, and only the header differs")


def test_maps_of_few_counts_may_agree_by_chance(tmp_path):
    counts = np.zeros((60, 60), int)
    counts[3, 4] = identity.MIN_COUNTS - 1
    assert len(list(stack(*(write_map(tmp_path / f"{name}.fits", counts) for name in "ab")))) == 2


def test_a_stack_is_gone_through_more_than_once(tmp_path):
    runs = stack(*(write_map(tmp_path / f"{seed}.fits", field_with_source(seed)) for seed in (1, 2)))
    assert [len(list(runs)) for _ in range(3)] == [2, 2, 2]
    assert runs.warnings == []


def test_a_copy_of_a_run_under_another_name_is_refused_by_check(tmp_path):
    path = write_map(tmp_path / "a.fits", field_with_source())
    runs = [{"run": "x", "counts": path}, {"run": "y", "counts": f"{tmp_path}/./a.fits"}]
    with pytest.raises(MapError, match="run y holds the counts of run x"):
        read_dataset(runs=runs)
