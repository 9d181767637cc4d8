"""Catalogues: circles of tables in ECSV, FITS and CSV, and what is said of those that are none."""

import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.table import Table

from skymask.errors import MapError
from skymask.io.position_tables import read_catalogue


def write_csv(tmp_path, text):
    (tmp_path / "stars.csv").write_text(text)
    return str(tmp_path / "stars.csv")


@pytest.mark.parametrize("name", ["stars.ecsv", "stars.fits", "stars.fits.gz", "STARS.FIT", "stars.csv"])
def test_table_of_any_format_gives_its_circles(tmp_path, name):
    kind = "ascii.ecsv" if name.endswith("ecsv") else "ascii.csv" if name.endswith("csv") else "fits"
    path = str(tmp_path / name)
    Table({"RA": [83.5, 84.0], "DEC": [22.0, -21.5], "size": [0.1, 0.25]}).write(path, format=kind)
    found = read_catalogue(path, radius="size")
    assert found.longitude.tolist() == [83.5, 84.0]
    assert found.latitude.tolist() == [22.0, -21.5]
    assert found.radius.tolist() == [0.1, 0.25]
    assert found.names == ["1", "2"]


@pytest.mark.parametrize("name", ["stars.ecsv", "stars.fits"])
def test_columns_with_units_are_in_degrees_afterwards(tmp_path, name):
    table = Table({"ra": [5400.0] * units.arcmin, "dec": [0.5] * units.rad, "size": [90.0] * units.arcmin})
    table.write(tmp_path / name)
    found = read_catalogue(str(tmp_path / name), radius="size")
    assert (found.longitude[0], found.latitude[0], found.radius[0]) == pytest.approx((90, np.degrees(0.5), 1.5))


@pytest.mark.parametrize(
    ("frame", "pair"),
    [("icrs", "ra,dec"), ("icrs", "RAJ2000,DEJ2000"), ("icrs", "Ra_ICRS,De_ICRS"), ("galactic", "GLON,GLAT")],
)
def test_usual_names_of_positions_are_found(tmp_path, frame, pair):
    found = read_catalogue(write_csv(tmp_path, f"mag,{pair}\n5,10,20\n"), radius="30 arcmin", frame=frame)
    assert (found.longitude[0], found.latitude[0], found.radius[0]) == (10, 20, 0.5)


def test_positions_of_the_frame_are_taken_where_there_are_several(tmp_path):
    path = write_csv(tmp_path, "ra,dec,glon,glat\n1,2,3,4\n")
    assert read_catalogue(path, radius="1 deg", frame="galactic").longitude == [3]
    assert read_catalogue(path, radius="1 deg").longitude == [1]


def test_columns_may_be_named(tmp_path):
    found = read_catalogue(write_csv(tmp_path, "ra,dec,x,y\n1,2,3,4\n"), radius="1 deg", longitude="y", latitude="x")
    assert (found.longitude[0], found.latitude[0]) == (4, 3)


def test_rows_have_their_names(tmp_path):
    found = read_catalogue(write_csv(tmp_path, "Source_Name,ra,dec\nCrab,1,2\nVela,3,4\n"), radius="1 deg")
    assert found.names == ["1 Crab", "2 Vela"]


def test_rows_without_position_or_radius_are_left_out(tmp_path):
    path = write_csv(tmp_path, "ra,dec,size\n1,2,3\nnan,2,3\n1,,3\n1,2,inf\n5,6,7\n")
    found = read_catalogue(path, radius="size")
    assert found.names == ["1", "5"]
    assert found.left_out == ["2", "3", "4"]
    assert found.radius.tolist() == [3, 7]


def test_empty_cells_of_an_ecsv_table_are_undefined(tmp_path):
    masked = Table({"ra": np.ma.array([1.0, 2.0], mask=[True, False]), "dec": [3.0, 4.0]}, masked=True)
    masked.write(tmp_path / "stars.ecsv")
    assert read_catalogue(str(tmp_path / "stars.ecsv"), radius="1 deg").left_out == ["1"]


def test_table_without_rows_has_no_circle(tmp_path):
    Table({"ra": np.array([]), "dec": np.array([])}).write(tmp_path / "stars.ecsv")
    assert read_catalogue(str(tmp_path / "stars.ecsv"), radius="1 deg").names == []


def write_tables(path, *names):
    rows = np.array([(1.0, 2.0)], dtype=[("ra", float), ("dec", float)])
    fits.HDUList([fits.PrimaryHDU(), *(fits.BinTableHDU(rows, name=name) for name in names)]).writeto(path)
    return str(path)


def test_table_of_a_fits_file_is_chosen_by_its_name(tmp_path):
    path = write_tables(tmp_path / "stars.fits", "FIRST", "SECOND")
    assert read_catalogue(f"{path}[second]", radius="1 deg").longitude == [1]


@pytest.mark.parametrize(
    ("hdu", "message"),
    [
        ("", r"holds several tables \(FIRST, SECOND\): name one"),
        ("[THIRD]", "holds no table THIRD, only FIRST, SECOND"),
    ],
)
def test_table_of_a_fits_file_that_is_not_named_is_refused(tmp_path, hdu, message):
    path = write_tables(tmp_path / "stars.fits", "FIRST", "SECOND")
    with pytest.raises(MapError, match=rf"stars\.fits {message}"):
        read_catalogue(path + hdu, radius="1 deg")


def test_fits_file_without_a_table_is_refused(tmp_path):
    fits.PrimaryHDU(np.ones((2, 2))).writeto(tmp_path / "image.fits")
    with pytest.raises(MapError, match=r"image\.fits holds no table$"):
        read_catalogue(str(tmp_path / "image.fits"), radius="1 deg")


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("name,x\na,1\n", {}, r"no columns of icrs positions \(looked for ra, dec; .* only name, x: name them"),
        ("ra,dec\n1,2\n", {"radius": "size"}, "has no column size, only ra, dec$"),
        ("ra,dec\n1,2\n", {"radius": "0.3"}, "has no column 0.3, only ra, dec: an angle needs its unit"),
        ("ra,dec\n1,2\n", {"longitude": "x", "latitude": "dec"}, "has no column x, only ra, dec"),
        ("ra,dec\n1,2\n", {"longitude": "ra"}, "longitude and latitude must be named both or neither"),
        ("ra,dec\n05:34:31,+22:00:52\n", {}, "the column ra must hold one number in each row, in degrees or"),
        ("ra,dec\n1,2\n3,95\n", {}, "row 2 has the latitude 95 deg, which is none"),
        ("ra,dec,size\n1,2,-3\n", {"radius": "size"}, "row 1 has the radius -3 deg, which is none"),
        ("ra,dec\n1,2\n1,2,3\n", {}, "cannot be read as CSV: .* inconsistent with data columns in line 3$"),
        ("\n\nra,dec\n1,2\n\n1,2,3\n", {}, "cannot be read as CSV: .* inconsistent with data columns in line 6$"),
        ("", {}, "cannot be read as CSV: it is empty$"),
    ],
)
def test_table_that_is_no_catalogue_is_refused(tmp_path, text, options, message):
    with pytest.raises(MapError, match=rf"stars\.csv.* ?{message}") as error:
        read_catalogue(write_csv(tmp_path, text), **{"radius": "1 deg"} | options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("stars.txt", b"ra dec", r"stars\.txt: the name of a table must end in \.ecsv, \.csv or \.fits"),
        ("stars.ecsv", b"ra,dec\n1,2\n", r"stars\.ecsv cannot be read as ECSV"),
        ("stars.csv", b"\xff\xfe\x00", r"stars\.csv cannot be read as CSV"),
        ("stars.ecsv", b"# %ECSV 1.0\n# ---\n# {datatype: [\n", r"stars\.ecsv cannot be read as ECSV"),
        ("stars.fits", b"no FITS", r"stars\.fits is not a FITS file"),
    ],
)
def test_file_that_is_no_table_is_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MapError, match=message) as error:
        read_catalogue(str(tmp_path / name), radius="1 deg")
    assert "\n" not in str(error.value)


def test_column_of_another_unit_is_refused(tmp_path):
    Table({"ra": [1.0], "dec": [2.0], "size": [3.0] * units.m}).write(tmp_path / "stars.ecsv")
    with pytest.raises(MapError, match="the column size is in m, which is no unit of angles"):
        read_catalogue(str(tmp_path / "stars.ecsv"), radius="size")


def test_name_within_a_table_in_text_is_refused(tmp_path):
    with pytest.raises(MapError, match="only one in FITS has"):
        read_catalogue(write_csv(tmp_path, "ra,dec\n1,2\n") + "[A]", radius="1 deg")
