"""Energy axes of cubes: what the tables of their bins say, and which are refused."""

import numpy as np
import pytest
from astropy.io import fits
from conftest import sky_header, write_config

from skymask.cli.check import forecast
from skymask.datasets.runs import RunFiles
from skymask.errors import MapError
from skymask.io import maps
from skymask.io.energy_axes import bands_table, gaps_in_words


def cube(path, low=(1.0, 2.0), high=(2.0, 5.0), units=("TeV", "TeV"), name="Ebounds", shape=None, **columns):
    """Write a cube of two planes with the table of its bins."""
    shape = (len(low), 4, 4) if shape is None else shape
    data = np.ones(shape, np.int32)
    edges = [
        fits.Column(key, "D", unit=unit, array=np.array(values))
        for key, unit, values in zip(("E_MIN", "E_MAX"), units, (low, high), strict=True)
    ]
    more = [fits.Column(key, f"{np.size(values[0])}D", array=np.array(values)) for key, values in columns.items()]
    table = fits.BinTableHDU.from_columns([*edges, *more])
    table.header["EXTNAME"] = name
    fits.HDUList([fits.PrimaryHDU(data, sky_header((4, 4))), table]).writeto(path, overwrite=True)
    return str(path)


def test_edges_in_another_unit_are_converted(tmp_path):
    axis = maps.read_cube(cube(tmp_path / "c.fits", high=(2000.0, 5000.0), units=("TeV", "GeV"))).energies
    assert axis.unit == "TeV"
    assert np.allclose(axis.upper, [2, 5], rtol=1e-12)


def test_an_axis_of_length_one_may_stand_anywhere(tmp_path):
    assert maps.read_cube(cube(tmp_path / "c.fits", shape=(2, 1, 4, 4))).data.shape == (2, 4, 4)
    assert maps.read_cube(cube(tmp_path / "c.fits", shape=(1, 2, 4, 4))).data.shape == (2, 4, 4)


BAD = {
    "swapped": ({"low": (2.0, 2.0), "high": (1.0, 5.0)}, "the energy bin 0 reaches from 2 to 1 TeV"),
    "nan": ({"low": (1.0, np.nan)}, "the energy bin 1 reaches from nan to 5 TeV"),
    "empty": ({"low": (2.0, 2.0)}, "the energy bin 0 reaches from 2 to 2 TeV"),
    "furlong": ({"units": ("TeV", "furlong")}, "the column E_MAX is in furlong, which is no unit of energies"),
    "no unit": ({"units": ("TeV", None)}, "the column E_MAX has no unit"),
    "pixels": ({"CDELT": ((0.1, 0.1), (0.2, 0.2))}, "has another CDELT for every plane"),
    "number of pixels": ({"NPIX": ((4, 4), (2, 2))}, "has another NPIX for every plane"),
    "bins": ({"shape": (3, 4, 4)}, "has 2 energy bins, and the image PRIMARY 3 planes"),
    "two axes": ({"shape": (2, 2, 4, 4)}, "has 4 dimensions .*, expected 2 or 3"),
    "no table": (
        {"name": "GTI"},
        "2 planes, and no table EBOUNDS says which .* holds no table EBOUNDS, only GTI",
    ),
}


@pytest.mark.parametrize(("bad", "message"), BAD.values(), ids=BAD)
def test_what_cannot_be_right_is_refused_in_one_line(tmp_path, bad, message):
    path = cube(tmp_path / "c.fits", **bad)
    with pytest.raises(MapError, match=message) as caught:
        maps.read_cube(path)
    assert "c.fits" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_same_pixels_in_every_plane_are_no_reason_to_refuse(tmp_path):
    assert maps.read_cube(cube(tmp_path / "c.fits", NPIX=((4, 4), (4, 4)))).data.shape == (2, 4, 4)


@pytest.mark.parametrize(("low", "overlap"), [((1.0, 1.9), True), ((1.0, 2.0), False), ((1.0, 2 - 1e-7), False)])
def test_planes_whose_energies_overlap_are_warned_of(tmp_path, low, overlap):
    path = cube(tmp_path / "c.fits", low=low)
    runs = RunFiles([{"counts": path}], sky_header((4, 4)), (4, 4))
    list(runs)
    line = "energy bins 1 to 2 TeV and 1.9 to 5 TeV overlap: events may count twice"
    assert runs.warnings == [line] * overlap


@pytest.mark.parametrize(
    ("low", "high", "gaps"),
    [
        ((0.1, 1.0), (0.3, 3.0), "0.3 to 1 TeV"),
        ((1.0, 0.1, 5.0), (3.0, 0.3, 9.0), "0.3 to 1 TeV, 3 to 5 TeV"),
        ((1.0, 2.0), (2.0, 5.0), ""),
        ((1.0, 1.9), (2.0, 5.0), ""),
    ],
)
def test_gaps_are_told_with_the_bins(tmp_path, monkeypatch, low, high, gaps):
    axis = maps.read_cube(cube(tmp_path / "c.fits", low=low, high=high)).energies
    assert gaps_in_words(axis) == gaps
    # Who reads the file that we write may not see that there is a gap.
    comments = str(bands_table(axis, "counts").header.get("COMMENT", ""))
    assert gaps in comments
    assert bool(comments) == bool(gaps)


def test_a_gap_is_told_by_check(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    edges = {"E_MIN": (0.1, 1.0), "E_MAX": (0.3, 3.0)}
    table = fits.BinTableHDU.from_columns([fits.Column(key, "D", "TeV", array=edges[key]) for key in edges])
    table.header["EXTNAME"] = "EBOUNDS"
    counts = np.random.default_rng(0).poisson(2.0, (2, 60, 60)).astype(np.int32)
    fits.HDUList([fits.PrimaryHDU(counts, sky_header()), table]).writeto("c.fits")
    write_config("mine.yaml", datasets={"a": {"counts": "c.fits"}})
    lines, mistakes = forecast("mine.yaml")
    assert mistakes == []
    (line,) = (line for line in lines if line.startswith("  energies"))
    assert line.endswith("up to 1 to 3 TeV, none of 0.3 to 1 TeV (gammapy will take that for part of the bin below)")
