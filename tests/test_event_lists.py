"""Event lists by wildcards and by the observation lists of ctools."""

import pytest
from conftest import write_config
from test_events import columns_of, write_events

from skymask.cli.check import forecast
from skymask.config.event_lists import expanded_events
from skymask.errors import ConfigurationError

GEOMETRY = {"center": ["83.633 deg", "22.014 deg"], "width": ["2 deg", "2 deg"], "pixel_size": "0.05 deg"}


@pytest.fixture
def three(tmp_path, monkeypatch):
    """Three files of events, of which one has brackets in its name."""
    monkeypatch.chdir(tmp_path)
    names = ["run_10.fits", "run_2.fits", "odd[1].fits"]
    for number, name in enumerate(names):
        write_events(name, columns_of([number], [1]))
    return names


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ("run_2.fits", "run_2.fits"),
        ("odd[1].fits", "odd[1].fits"),
        ("run_*.fits", ["run_10.fits", "run_2.fits"]),
        ("run_?.fits[EVENTS]", ["run_2.fits[EVENTS]"]),
        ("run_[0-9].fits", ["run_2.fits"]),
        (["run_1*.fits", "odd[1].fits"], ["run_10.fits", "odd[1].fits"]),
        ("https://somewhere.org/run_*.fits", "https://somewhere.org/run_*.fits"),
        ("missing.fits", "missing.fits"),
    ],
)
def test_wildcards_stand_for_files_in_their_order(three, events, expected):
    assert expanded_events(events, "events") == expected


def test_a_wildcard_that_matches_nothing_is_told(three):
    with pytest.raises(ConfigurationError, match=r"datasets.a.events: no file matches nothing_\*.fits \(looked in"):
        expanded_events("nothing_*.fits", "datasets.a.events")


def observations(*parameters):
    """Return an observation list of ctools with these parameters, pairs of name and file."""
    rows = "".join(
        f'<observation id="{number}" instrument="CTA"><parameter name="{name}" file="{file}"/></observation>'
        for number, (name, file) in enumerate(parameters)
    )
    return f'<?xml version="1.0"?><observation_list title="observation list">{rows}</observation_list>'


def test_an_observation_list_names_its_event_lists(tmp_path):
    (tmp_path / "obs.xml").write_text(observations(("EventList", "a.fits"), ("EventList", "/data/b.fits")))
    assert expanded_events(str(tmp_path / "obs.xml"), "events") == [str(tmp_path / "a.fits"), "/data/b.fits"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            observations(("CountsCube", "cube.fits")),
            "but CountsCube: name a cube by the key counts",
        ),
        (
            observations(("EventList", "$(CTADATA)/a.fits")),
            r"variable \$\(CTADATA\) in .*: write the path itself",
        ),
        ("<observation_list>", "is no XML"),
        (observations(), "names no event list"),
    ],
)
def test_what_is_no_list_of_events_is_told(tmp_path, text, words):
    (tmp_path / "obs.xml").write_text(text)
    with pytest.raises(ConfigurationError, match=words):
        expanded_events(str(tmp_path / "obs.xml"), "events")


def test_a_configuration_takes_both(three):
    write_config("mine.yaml", datasets={"a": {"events": "run_*.fits", "geometry": GEOMETRY}})
    lines, mistakes = forecast("mine.yaml")
    assert mistakes == []
    assert "  counts             to be made of 2 events in 2 files" in lines
