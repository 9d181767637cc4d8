"""HEALPix maps: read in every form, cut into fields, and put together again."""

import numpy as np
import pytest
from astropy.io import fits
from astropy_healpix import HEALPix
from astropy_healpix.core import nested_to_ring
from conftest import write_config

import skymask
from skymask.cli.check import forecast, number_of_jobs
from skymask.config import configuration
from skymask.errors import ConfigurationError, MapError
from skymask.io.healpix_files import HealpixMap, read_healpix, write_healpix
from skymask.sky import geometry, healpix
from skymask.sky.configured_kernels import background_kernel, dilation_kernel, to_pixels

NSIDE, FIELD_NSIDE = 64, 8

#: Kernels for pixels of 1.37 degrees, those of the fields of NSIDE 64; they reach 6 pixels in an iteration.
KERNELS = {
    "source_kernel": {"shape": "disk", "radius": "1.4 deg"},
    "background_kernel": {"shape": "ring", "inner_radius": "3 deg", "width": "2.6 deg"},
    "dilation_radius": "1.4 deg",
}


def whole_sky(values, frame="galactic"):
    return HealpixMap(values, np.arange(len(values)), healpix_nside(values), frame, True)


def healpix_nside(values):
    return round(np.sqrt(len(values) / 12))


def sky_of(counts, acceptance=None):
    counts = np.asarray(counts)
    expected = np.ones(len(counts), dtype=np.uint8) if acceptance is None else acceptance
    return healpix.Sky(whole_sky(counts), np.arange(len(counts)), expected, [])


def write_table(path, columns, **header):
    table = fits.BinTableHDU.from_columns(
        [fits.Column(name, array=array, format=code) for name, (array, code) in columns.items()], name="SKYMAP"
    )
    table.header.update({"PIXTYPE": "HEALPIX", "COORDSYS": "G", "ORDERING": "RING", "NSIDE": 4} | header)
    for key in [key for key, value in header.items() if value is None]:
        del table.header[key]
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path, overwrite=True)
    return str(path)


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("nested", [False, True])
def test_a_map_is_read_in_every_order_and_indexing(tmp_path, nested, explicit):
    numbers = np.arange(192)
    written = numbers if nested else nested_to_ring(numbers, 4)
    # The value of a pixel is its number in the order NESTED.
    order = np.argsort(written) if not explicit else np.arange(191, -1, -1)
    columns = {"COUNTS": (numbers[order].astype(np.int32), "J")}
    if explicit:
        columns = {"PIX": (written[order], "K")} | columns
    scheme = "EXPLICIT" if explicit else "IMPLICIT"
    path = write_table(tmp_path / "m.fits", columns, ORDERING="NESTED" if nested else "RING", INDXSCHM=scheme)
    sky_map = read_healpix(path)
    np.testing.assert_array_equal(sky_map.values, sky_map.pixels)
    assert sky_map.frame == "galactic"


def test_rows_of_many_pixels_and_energy_channels_are_read_and_unseen_is_no_data(tmp_path):
    first, second = np.arange(192.0), np.ones(192)
    first[5] = -1.6375e30
    columns = {"CHANNEL1": (first.reshape(6, 32), "32D"), "CHANNEL2": (second.reshape(6, 32), "32D")}
    path = write_table(tmp_path / "m.fits", columns, COORDSYS="CEL")
    sky_map = read_healpix(path, several=True)
    assert sky_map.frame == "icrs"
    assert np.isnan(sky_map.values[5])
    assert sky_map.values[6] == 7
    with pytest.raises(MapError, match=r"m.fits has several columns \(CHANNEL1, CHANNEL2\): say which is meant"):
        read_healpix(path)


@pytest.mark.parametrize("explicit", [False, True])
def test_what_is_written_is_read_again(tmp_path, explicit):
    pixels = np.array([3, 700, 11]) if explicit else np.arange(768)
    like = HealpixMap(np.arange(len(pixels)) / 3, pixels, 8, "icrs", False, explicit)
    if not explicit:
        like = like._replace(nested=True)
    write_healpix(tmp_path / "m.fits", "background", like.values, like)
    again = read_healpix(tmp_path / "m.fits")
    for one, other in zip(again, like, strict=True):
        np.testing.assert_array_equal(one, other)
    assert "DATE" not in fits.getheader(tmp_path / "m.fits", 1)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"ORDERING": "SPIRAL"}, "m.fits has the ORDERING SPIRAL in its header: it must be RING or NESTED"),
        ({"ORDERING": None}, "m.fits has the ORDERING of nothing in its header: it must be RING or NESTED"),
        ({"NSIDE": 3}, "m.fits has NSIDE 3: it must be a power of two"),
        ({"NSIDE": 8}, "m.fits has 192 pixels, and NSIDE 8 has 768: it is damaged, or a part of the sky"),
        ({"COORDSYS": "E"}, r"m.fits has the COORDSYS E: it must be G \(galactic\) or C \(equatorial\)"),
        ({"COORDSYS": None}, "m.fits has no COORDSYS in its header: say healpix.frame: galactic, or icrs"),
        ({"INDXSCHM": "SPARSE"}, "m.fits has the INDXSCHM SPARSE: it must be IMPLICIT or EXPLICIT"),
        ({"INDXSCHM": "EXPLICIT"}, r"m.fits has no column of pixel numbers \(PIXEL or PIX\)"),
    ],
)
def test_a_header_that_does_not_do_is_named(tmp_path, header, message):
    path = write_table(tmp_path / "m.fits", {"COUNTS": (np.zeros(192), "D")}, **header)
    with pytest.raises(MapError, match=message):
        read_healpix(path)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [([1, 1], "the column PIXEL holds a pixel twice"), ([1, 192], "holds numbers that NSIDE 4 does not have")],
)
def test_pixel_numbers_that_are_none_are_named(tmp_path, numbers, message):
    path = write_table(tmp_path / "m.fits", {"PIXEL": (np.array(numbers), "K"), "COUNTS": (np.zeros(2), "D")})
    with pytest.raises(MapError, match=message):
        read_healpix(path)


def test_a_map_of_square_pixels_is_no_healpix_map(tmp_path):
    fits.writeto(tmp_path / "m.fits", np.zeros((4, 4)))
    with pytest.raises(MapError, match=r"m\.fits holds no HEALPix map"):
        read_healpix(tmp_path / "m.fits")


@pytest.mark.parametrize(("value", "problem"), [(0.5, "no whole numbers"), (-1, "negative"), (np.inf, "infinite")])
def test_counts_must_be_counts(tmp_path, value, problem):
    path = write_table(tmp_path / "m.fits", {"COUNTS": (np.full(192, value), "D")})
    with pytest.raises(MapError, match=f"m.fits: values are {problem} in 192 pixels"):
        healpix.read_sky(path)


def test_pixels_without_acceptance_have_no_data_and_their_counts_are_reported(tmp_path):
    counts = write_table(tmp_path / "c.fits", {"COUNTS": (np.full(192, 2.0), "D")})
    part = {"PIXEL": (np.arange(4), "K"), "EXPOSURE": (np.array([1.0, 0, np.nan, 3]), "D")}
    sky = healpix.read_sky(counts, acceptance=write_table(tmp_path / "a.fits", part))
    assert sky.rows.tolist() == [0, 3]
    assert sky.acceptance.tolist() == [1, 3]
    assert sky.warnings == ["380 counts lie where the acceptance is zero or undefined; they are left out"]


def test_acceptance_at_another_nside_is_refused(tmp_path):
    counts = write_table(tmp_path / "c.fits", {"COUNTS": (np.zeros(192), "D")})
    other = write_table(tmp_path / "a.fits", {"EXPOSURE": (np.ones(768), "D")}, NSIDE=8)
    with pytest.raises(
        MapError, match="has NSIDE 8 in the frame galactic, counts NSIDE 4 in galactic: they must agree"
    ):
        healpix.read_sky(counts, acceptance=other)


def fields_of(sky, overlap, numbers=None):
    size = healpix.pixel_size(NSIDE)
    numbers = range(12 * FIELD_NSIDE**2) if numbers is None else numbers
    return [healpix.field(n, FIELD_NSIDE, size=size, overlap=overlap, frame="galactic") for n in numbers]


def test_every_pixel_of_the_sky_belongs_to_one_field_and_lies_in_it():
    sky = sky_of(np.ones(12 * NSIDE**2, dtype=int))
    owners = np.zeros(12 * NSIDE**2, dtype=int)
    # Some fields, which are fields of all latitudes.
    some = range(0, 12 * FIELD_NSIDE**2, 64)
    for field in fields_of(sky, 0.0, some):
        found, _ = healpix.own_pixels(sky, field, FIELD_NSIDE)
        owners[found] += 1
    wanted = np.isin(np.arange(12 * NSIDE**2) // (NSIDE // FIELD_NSIDE) ** 2, some)
    np.testing.assert_array_equal(owners, wanted)


def test_counts_of_a_field_are_those_of_the_pixels_whose_centres_it_holds():
    counts = np.random.default_rng(0).poisson(3, 12 * NSIDE**2)
    sky = sky_of(counts)
    (field,) = fields_of(sky, 6.0, [100])
    of_field, acceptance = healpix.cut_field(sky, field)
    longitude, latitude = (angle.deg for angle in HEALPix(NSIDE, "nested").healpix_to_lonlat(np.arange(len(counts))))
    x, y = geometry.sky_projection(field.header).wcs_world2pix(np.column_stack([longitude, latitude]), 0).T
    x0, y0 = (float(n) for n in geometry.sky_projection(field.header).wcs.crval)
    near = (np.abs(latitude - y0) < 40) & (np.abs((longitude - x0 + 180) % 360 - 180) < 80)
    inside = near & (x > -0.5) & (x < field.shape[1] - 0.5) & (y > -0.5) & (y < field.shape[0] - 0.5)
    assert of_field.sum() == counts[inside].sum()
    assert acceptance.sum() == np.count_nonzero(inside)


def test_every_pixel_of_a_field_holds_a_healpix_pixel_at_any_latitude():
    sky = sky_of(np.ones(12 * NSIDE**2, dtype=int))
    for field in fields_of(sky, 8.0, range(3, 12 * FIELD_NSIDE**2, 80)):
        assert healpix.cut_field(sky, field)[1].min() >= 1


def result_of_field(sky, number, overlap):
    size = healpix.pixel_size(NSIDE)
    (field,) = fields_of(sky, overlap, [number])
    counts, acceptance = healpix.cut_field(sky, field)
    source, background = KERNELS["source_kernel"], KERNELS["background_kernel"]
    result = skymask.iterate(
        counts,
        acceptance=acceptance,
        source_kernel=to_pixels(source, (size, size)),
        background_kernel=background_kernel(
            (size, size), source_kernel=source, background_kernel=background, statistic="wstat"
        ),
        dilation_kernel=dilation_kernel(KERNELS["dilation_radius"], (size, size)),
    )
    _, places = healpix.own_pixels(sky, field, FIELD_NSIDE)
    return {
        name: image.reshape(-1)[places]
        for name, image in (result.products.maps() | {"mask": result.exclusion_mask}).items()
    }


@pytest.mark.parametrize("number", [0, 300, 767])
def test_a_field_has_what_one_big_map_has_away_from_its_edges(number):
    generator = np.random.default_rng(number)
    expected = np.full(12 * NSIDE**2, 4.0)
    expected[generator.integers(0, 12 * NSIDE**2, 60)] += 40
    # One of them in the field itself.
    expected[64 * number + 20] += 40
    sky = sky_of(generator.poisson(expected))
    reach = healpix.reach(healpix.pixel_size(NSIDE), **KERNELS)
    overlap = healpix.overlap_of_fields(None, reach)
    field, big = (result_of_field(sky, number, extent) for extent in (overlap, overlap + 4))
    assert not big["mask"].all()
    for name in big:
        np.testing.assert_array_equal(field[name], big[name], err_msg=name)


def test_background_joined_from_fields_follows_the_acceptance_pixel_by_pixel():
    acceptance = np.random.default_rng(1).uniform(1, 2, 12 * NSIDE**2)
    sky = sky_of(np.ones(12 * NSIDE**2, dtype=int), acceptance)
    (field,) = fields_of(sky, 6.0, [300])
    whole = healpix.cut_field(sky, field)[1]
    images = {"acceptance": whole, "background": 3 * whole, "significance": whole, "exclusion_mask": whole < 0}
    read = images.get
    background = healpix.joined("background", sky, [field], FIELD_NSIDE, lambda _, name: read(name))
    own, places = healpix.own_pixels(sky, field, FIELD_NSIDE)
    np.testing.assert_allclose(background[own], 3 * acceptance[own], rtol=1e-12)
    assert np.count_nonzero(~np.isnan(background)) == len(own)
    significance = healpix.joined("significance", sky, [field], FIELD_NSIDE, lambda _, name: read(name))
    np.testing.assert_array_equal(significance[own], whole.reshape(-1)[places])
    mask = healpix.joined("exclusion_mask", sky, [field], FIELD_NSIDE, lambda _, name: read(name))
    assert np.count_nonzero(~mask) == len(own)


def test_reach_is_the_sum_of_the_kernels_half_widths():
    # Pixels of 1 degree: 2 of the source kernel, 6 of the ring, 3 of the dilation, 1 by which regions grow.
    lengths = {
        "source_kernel": {"shape": "disk", "radius": "2 deg"},
        "background_kernel": {"shape": "ring", "inner_radius": "4 deg", "width": "2 deg"},
        "dilation_radius": "3 deg",
    }
    assert healpix.reach(1.0, **lengths) == 11
    assert healpix.reach(1.0, **lengths, region_growth={"law": "size", "max_radius": "1 deg"}) == 12


def test_reach_is_that_of_the_longest_source_kernel_however_thin(tmp_path):
    fits.writeto(tmp_path / "line.fits", np.ones((1, 11)))
    lengths = {
        "source_kernel": {"shape": "disk", "radius": "2 deg"},
        "background_kernel": {"shape": "ring", "inner_radius": "7 deg", "width": "2 deg"},
        "dilation_radius": "3 deg",
    }
    line = {"shape": "array", "path": str(tmp_path / "line.fits")}
    # 5 pixels beside the middle of the line, 9 of the ring, 3 of the dilation.
    assert healpix.reach(1.0, **lengths, mask_source_kernels=[line]) == 17


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a HEALPix map of a part of the sky, 10 degrees wide, and a process that runs in it."""
    monkeypatch.chdir(tmp_path)
    longitude, latitude = (angle.deg for angle in HEALPix(NSIDE, "nested").healpix_to_lonlat(np.arange(12 * NSIDE**2)))
    pixels = np.flatnonzero((np.abs(latitude) < 5) & (np.abs(longitude - 22) < 5))
    sky_map = HealpixMap(np.full(len(pixels), 3, dtype=np.int32), pixels, NSIDE, "galactic", True, True)
    write_healpix("sky.fits", "counts", sky_map.values, sky_map)
    return tmp_path


def settings_of(**healpix_keys):
    entry = {"healpix": {"counts": "sky.fits", "field_nside": FIELD_NSIDE} | healpix_keys}
    return configuration.dataset_settings(KERNELS | {"datasets": {"sky": entry}}, configuration.load_schema())


def test_a_map_is_as_many_datasets_as_it_has_fields_with_data(folder):
    settings = settings_of()
    numbers = sorted(entry["field"]["number"] for entry in settings.values())
    assert numbers == np.unique(read_healpix("sky.fits").pixels // 64).tolist()
    assert list(settings) == [f"sky.field-{number:03d}" for number in numbers]
    assert configuration.skies(settings) == {"sky": list(settings)}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"overlap": "5 deg"}, "datasets.sky: healpix.overlap 5 deg is less than the 8.245 deg that the kernels reach"),
        ({"field_nside": 3}, "datasets.sky.healpix.field_nside must be a power of two, got 3"),
        ({"field_nside": 64}, "datasets.sky: healpix.field_nside 64 must be less than NSIDE 64 of the map"),
        ({"field_nside": 1}, "too large for a plane: choose a larger healpix.field_nside"),
        ({"pixel_size": "0.5 deg"}, "healpix.pixel_size 0.5 deg is smaller than a pixel of NSIDE 64"),
        ({"frame": "icrs"}, "sky.fits has the COORDSYS G in its header, and healpix.frame says icrs"),
        ({"counts_column": "RATE"}, "sky.fits has no column RATE, only COUNTS"),
        ({"acceptance_column": "A"}, "healpix.acceptance_column stands beside healpix.acceptance only"),
    ],
)
def test_a_configuration_that_does_not_do_is_named(folder, keys, message):
    with pytest.raises(ConfigurationError, match=message):
        settings_of(**keys)


def test_an_acceptance_of_square_pixels_cannot_stand_beside_a_healpix_map(folder):
    entry = {"healpix": {"counts": "sky.fits"}, "acceptance": "sky.fits"}
    message = "datasets.sky.acceptance cannot stand beside healpix: its acceptance is healpix.acceptance"
    with pytest.raises(ConfigurationError, match=message):
        configuration.dataset_settings(KERNELS | {"datasets": {"sky": entry}}, configuration.load_schema())


def test_one_norm_per_field_is_refused(folder):
    entry = {"healpix": {"counts": "sky.fits"}, "background_kernel": {"shape": "field_of_view"}}
    with pytest.raises(ConfigurationError, match="field_of_view is one norm per field, and would leave seams"):
        configuration.dataset_settings(KERNELS | {"datasets": {"sky": entry}}, configuration.load_schema())


def test_check_says_the_fields_and_counts_the_jobs(folder):
    write_config("config.yaml", **KERNELS, datasets={"sky": {"healpix": {"counts": "sky.fits", "field_nside": 8}}})
    lines, mistakes = forecast("config.yaml")
    number = len(settings_of())
    assert mistakes == []
    assert f"  fields             {number}, overlap 16.49 deg" in lines
    # Before, in and after a loop of one iteration there are 13 jobs and two decisions for each field.
    assert number_of_jobs(settings_of(), 100)[0] == number * 15 + 2 + 2


def test_image_of_the_sky_has_the_values_of_the_pixels_in_it():
    values = np.arange(768.0)
    sky = whole_sky(values)
    header, shape = healpix.picture_grid(sky)
    image = healpix.picture(sky, header, shape)
    x, y = maps_position(header, 30.0, -40.0)
    where = HEALPix(8, "nested").lonlat_to_healpix(*np.array([30.0, -40.0]) * healpix.units.deg)
    assert image[y, x] == where
    assert np.isnan(image[0, 0])


def test_a_part_of_the_sky_is_shown_alone_with_all_its_pixels():
    sky = whole_sky(np.arange(768.0))
    longitude, latitude = (angle.deg for angle in HEALPix(8, "nested").healpix_to_lonlat(sky.pixels))
    part = (abs(longitude - 200) < 20) & (abs(latitude - 30) < 15)
    patch = sky._replace(values=np.where(part, sky.values, np.nan))
    header, shape = healpix.picture_grid(patch)
    image = healpix.picture(patch, header, shape)
    assert header["CTYPE1"] == "GLON-ZEA"
    assert set(image[np.isfinite(image)]) == set(sky.values[part])
    assert max(shape) <= healpix.PART_SIDE + 2


def maps_position(header, longitude, latitude):
    x, y = geometry.sky_projection(header).wcs_world2pix([[longitude, latitude]], 0)[0]
    # The image's pixel of half a degree lies within the HEALPix pixel of 7 degrees.
    return round(x), round(y)
