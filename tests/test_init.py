"""First configurations: valid for maps and events of known and unknown instruments, with radii that fit the pixels."""

import numpy as np
import pytest
import yaml
from astropy.io import fits
from conftest import field_with_source, sky_header, write_map
from test_events import CENTER, columns_of, write_events

from skymask.cli.check import forecast
from skymask.cli.init import (
    dataset_name,
    first_configuration,
    fitting_radii,
    write_first_configuration,
)
from skymask.errors import SkymaskError


@pytest.mark.parametrize(
    ("pixel_size", "telescope"),
    [(0.05, None), (0.02, "HESS"), (0.1, "GLAST"), (0.2, "HESS"), (4 / 3600, "XMM"), (0.5 / 3600, None)],
)
def test_configuration_for_a_map_is_right_for_the_workflow(tmp_path, monkeypatch, pixel_size, telescope):
    monkeypatch.chdir(tmp_path)
    header = sky_header(pixel_size=pixel_size)
    if telescope:
        header["TELESCOP"] = telescope
    write_map("counts.fits.gz", field_with_source(), header)
    write_first_configuration("counts.fits.gz", "mine.yaml")
    lines, mistakes = forecast("mine.yaml")
    assert mistakes == []
    assert not any("warning" in line for line in lines)


def test_an_exposure_of_the_same_shape_beside_the_map_is_suggested(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_map("counts.fits", field_with_source())
    write_map("exposure-of-another.fits", np.ones((30, 30)))
    (tmp_path / "exposure-which-is-none.fits").write_text("nothing")
    assert "    # acceptance: path/to/exposure.fits " in first_configuration("counts.fits")
    write_map("exposure-map.fits", np.ones((60, 60)))
    assert "    # acceptance: exposure-map.fits " in first_configuration("counts.fits")


def test_configuration_for_events_has_a_field_around_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    x, y = generator.uniform(-20, 24, 500), generator.uniform(-10, 12, 500)
    columns = columns_of(x, y, ENERGY=(generator.uniform(0.5, 20, 500), "TeV"))
    write_events("run 1.fits", columns, RA_PNT=CENTER[0], DEC_PNT=CENTER[1])
    write_first_configuration("run 1.fits", "mine.yaml")
    config = yaml.safe_load((tmp_path / "mine.yaml").read_text())
    geometry = config["datasets"]["run-1"]["geometry"]
    assert geometry["center"] == ["83.633 deg", "22.014 deg"]
    # Events are within 2.2 and 1.1 degrees of the pointing.
    width = [float(length.split()[0]) for length in geometry["width"]]
    np.testing.assert_allclose(width, [4.4, 2.2], rtol=0.05)
    assert forecast("mine.yaml")[1] == []


def test_energies_in_the_comment_hold_all_events(tmp_path):
    columns = columns_of([1, 2], [1, 1], ENERGY=(np.array([123.0, 9876.0]), "GeV"))
    text = first_configuration(write_events(tmp_path / "e.fits", columns))
    assert "# cuts: {energy: [120 GeV, 9900 GeV]}" in text


def test_cube_is_a_counts_map(tmp_path):
    edges = [fits.Column(name, "D", unit="TeV", array=array) for name, array in (("E_MIN", [1, 2]), ("E_MAX", [2, 5]))]
    cube = fits.PrimaryHDU(np.ones((2, 60, 60)), sky_header())
    fits.HDUList([cube, fits.BinTableHDU.from_columns(edges, name="EBOUNDS")]).writeto(tmp_path / "cube.fits")
    text = first_configuration(str(tmp_path / "cube.fits"))
    assert "60 x 60 pixels of 0.05 deg, 2 energy bins" in text


def test_radii_follow_the_energies_that_were_read(tmp_path):
    cards = fits.Header({"TELESCOP": "GLAST", "DSTYP1": "ENERGY", "DSUNI1": "MeV", "DSVAL1": "100:10000"})
    header = sky_header(pixel_size=0.1)
    header.update(cards)
    text = first_configuration(write_map(tmp_path / "counts.fits", np.ones((100, 100), dtype=int), header))
    assert "Fermi-LAT sees points within about 0.85 deg at 1 GeV" in text
    radius = yaml.safe_load(text)["source_kernel"]["radius"]
    assert float(radius.split()[0]) == pytest.approx(0.85, abs=0.01)


def test_ring_grows_for_instruments_of_extended_sources(tmp_path):
    header = sky_header(pixel_size=15 / 3600)
    header["TELESCOP"] = "ROSAT"
    path = write_map(tmp_path / "counts.fits", np.ones((512, 512), dtype=int), header)
    config = yaml.safe_load(first_configuration(path))
    assert config["background_kernel"]["shape"] == "adaptive_ring"
    assert config["background_kernel"]["max_outer_radius"] == "0.6 deg"


def test_healpix_map_is_told_its_key(tmp_path):
    table = fits.BinTableHDU.from_columns([fits.Column("COUNTS", "J", array=np.zeros(12))])
    table.header["PIXTYPE"] = "HEALPIX"
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "sky.fits")
    with pytest.raises(SkymaskError, match="holds no image, but a HEALPix map: name it by the key healpix"):
        first_configuration(str(tmp_path / "sky.fits"))


def test_what_exists_is_not_replaced(tmp_path):
    path = write_map(tmp_path / "counts.fits", field_with_source())
    (tmp_path / "mine.yaml").write_text("precious")
    with pytest.raises(SkymaskError, match=r"mine.yaml exists, and is not replaced: choose another name with --output"):
        write_first_configuration(path, tmp_path / "mine.yaml")
    assert (tmp_path / "mine.yaml").read_text() == "precious"


def test_what_is_no_map_and_no_event_list_is_refused(tmp_path):
    (tmp_path / "text.fits").write_text("text")
    with pytest.raises(SkymaskError, match=r"text.fits is neither a counts map \(.*\) nor an event list \("):
        first_configuration(str(tmp_path / "text.fits"))
    with pytest.raises(SkymaskError, match=r"no.fits does not exist$"):
        first_configuration(str(tmp_path / "no.fits"))
    with pytest.raises(SkymaskError, match="holds no event with a position"):
        first_configuration(write_events(tmp_path / "none.fits", columns_of([], [])))


@pytest.mark.parametrize("pixel_size", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("pixels", [20, 100, 1000])
def test_radii_fit_pixels_and_map(pixel_size, pixels):
    source, inner, width, dilation = fitting_radii((0.1, 0.7, 0.44, 0.3), pixel_size, pixels * pixel_size)
    assert source >= 1.5 * pixel_size
    assert width >= 2 * pixel_size
    assert inner > source
    assert dilation >= pixel_size
    assert inner + width <= max(0.5 * pixels, 5) * pixel_size


@pytest.mark.parametrize(
    ("data", "name"),
    [("a/b/run_1.fits.gz", "run_1"), ("counts.fits[SUM]", "counts"), ("my map.fit", "my-map"), (".fits", "field")],
)
def test_dataset_is_named_after_its_file(data, name):
    assert dataset_name(data) == name
