"""Hostile input: whatever stands in a file of the user's, it is used or refused in words; nothing else happens.

Each test tries as many cases as HOSTILE_CASES says, the same ones for the same HOSTILE_SEED:

    HOSTILE_CASES=15000 HOSTILE_SEED=1 .venv/bin/python -m pytest -n 2 --dist load tests/test_hostile_input.py
"""

import io
import os
import re
import resource
import warnings
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cache

import numpy as np
import pytest
import yaml
from astropy.io import fits
from conftest import KERNELS, field_with_source, sky_header, write_map
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from skymask.config import configuration
from skymask.datasets.reading import inspect
from skymask.errors import SkymaskError
from skymask.io import maps
from skymask.io.fits_header import image_axes
from skymask.sky.exclusion_regions import region_mask

CASES = int(os.environ.get("HOSTILE_CASES", 50))
SEED = int(os.environ.get("HOSTILE_SEED", 0))

#: Address space that a case may take beyond what there is, in bytes.
ROOM = 2**31

#: Seconds after which a case counts as hanging.
PATIENCE = 30


def hostile(test):
    """Try a test on many cases, with a limit of memory."""
    patient = settings(
        max_examples=CASES,
        database=None,
        deadline=timedelta(seconds=PATIENCE),
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    return pytest.mark.usefixtures("little_memory", "own_folder")(seed(SEED)(patient(test)))


@pytest.fixture
def little_memory():
    """No more memory than is needed: what a header claims is not to be allocated."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:
        taken = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + ROOM, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    """A folder of its own, in which every case leaves the files that it had."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    write_map("counts.fits", field_with_source(shape=(20, 20)))
    yield
    assert sorted(os.listdir(tmp_path)) == ["here"]
    assert set(os.listdir(".")) <= {"counts.fits", "hostile", "hostile.fits", "hostile.reg", "hostile.csv"}


@contextmanager
def refused_in_words():
    """Let a SkymaskError through if every line of it says something; nothing else may be raised or warned of."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            yield
        except SkymaskError as error:
            empty = [line for line in str(error).split("\n") if not line.strip()]
        else:
            empty = []
    assert not empty


@cache
def schema():
    return configuration.load_schema()


#: Strings that have meant harm somewhere.
# fmt: off
STRINGS = st.sampled_from([
    "", " ", "../..", "/etc/passwd", "$(touch hacked)", "`id`", "a\nb", "'", '"', "null", "é", "1e999", "nan",
    "-inf deg", "0 deg", "1 px", "1e300 deg", "-1 deg", "1 m", "deg", "counts.fits", "counts.fits[0]", "[",
    "a" * 5000, "\x00", "\ud7ff", "{wildcards}", "!!python/object/apply:os.system ['touch hacked']", "http://",
    "file://counts.fits", "s3://a/b",
])
# fmt: on
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -1, 0])
    | st.floats()
    | STRINGS
    | st.text(max_size=9)
)


def keys_of(value):
    """Return all keys that a schema speaks of."""
    if isinstance(value, list):
        return {key for item in value for key in keys_of(item)}
    if not isinstance(value, dict):
        return set()
    return set(value.get("properties", ())) | {key for item in value.values() for key in keys_of(item)}


#: Keys of the configuration, so that mutations meet it where it is.
WORDS = st.sampled_from(sorted(keys_of(configuration.load_schema())))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | STRINGS, inner, max_size=3),
    max_leaves=6,
)

CONFIGURATION = KERNELS | {
    "datasets": {
        "a": {"counts": "counts.fits"},
        "b": {"simulate": {"seed": 1, "width": ["2 deg", "2 deg"], "pixel_size": "0.05 deg", "background": 1}},
        "c": {"events": ["counts.fits"], "geometry": {"as": "counts.fits"}, "cuts": {"energy": ["1 TeV", "2 TeV"]}},
    },
    "exclusion_regions": [{"shape": "circle", "center": ["83 deg", "22 deg"], "radius": "1 deg"}],
    "mask_source_kernels": [{"shape": "disk", "radius": "0.2 deg"}],
    "further_source_kernels": {"wide": {"shape": "disk", "radius": "0.3 deg"}},
    "convergence": {"max_iterations": 5},
    "figures": {"one": {"dataset": "a"}},
    "plots": {"dpi": 80},
    "threshold": 5,
}


def places(value):
    """Return every place in nested mappings and lists, as a list of keys."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [()] + [(key, *place) for key, item in items for place in places(item)]


def replaced(value, place, new):
    """Return a copy with another value in one place."""
    if not place:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[place[0]] = replaced(copy[place[0]], place[1:], new)
    return copy


@st.composite
def configurations(draw):
    """A good configuration with one to three things in it that are not."""
    config = CONFIGURATION
    for _ in range(draw(st.integers(1, 3))):
        # The whole is a mapping, or it is refused when it is read.
        place = draw(st.sampled_from(places(config)[1:] or [("datasets",)]))
        config = replaced(config, place, draw(VALUES))
    return config


def plan(config):
    """Do with a configuration what every start of the workflow does."""
    entries = configuration.dataset_settings(config, schema())
    configuration.plot_settings(config, schema())
    configuration.figure_settings(config, schema(), entries)
    assert all(re.fullmatch("[A-Za-z0-9][A-Za-z0-9._+-]*", name) for name in entries)


@hostile
@given(configurations())
def test_configurations(config):
    with refused_in_words():
        plan(config)


@hostile
@given(st.data())
def test_texts_of_configurations(data):
    text = yaml.safe_dump(CONFIGURATION).encode()
    with open("hostile", "wb") as file:
        file.write(data.draw(spoiled(text)))
    with refused_in_words():
        plan(configuration.read_configuration("hostile"))


@st.composite
def spoiled(draw, content):
    """Bytes that are cut, overwritten, doubled or flipped somewhere."""
    content = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(content) - 1, 0)))
        kind = draw(st.sampled_from(["cut", "overwrite", "insert", "double", "flip"]))
        if kind == "cut":
            del content[at : at + draw(st.integers(1, 100))]
        elif kind == "overwrite":
            new = draw(st.binary(max_size=20) | STRINGS.map(lambda text: text.encode("utf-8", "surrogatepass")))
            content[at : at + len(new)] = new
        elif kind == "insert":
            content[at:at] = draw(
                st.binary(max_size=20) | STRINGS.map(lambda text: text.encode("utf-8", "surrogatepass"))
            )
        elif kind == "double":
            content[at:at] = content[at : at + draw(st.integers(1, 100))]
        elif content:
            content[at] ^= 1 << draw(st.integers(0, 7))
    return bytes(content)


TABLE = b"dataset,counts,threshold,source_kernel.radius\na,counts.fits,5,0.1 deg\nb,counts.fits,4,\n"


@hostile
@given(spoiled(TABLE))
def test_tables_of_datasets(content):
    with open("hostile.csv", "wb") as file:
        file.write(content)
    with refused_in_words():
        plan(KERNELS | {"datasets": "hostile.csv"})


def fits_bytes(*hdus):
    file = io.BytesIO()
    fits.HDUList(list(hdus)).writeto(file)
    return file.getvalue()


@cache
def good_map():
    return fits_bytes(fits.PrimaryHDU(field_with_source(shape=(20, 20)).astype(np.int16), sky_header((20, 20))))


#: Cards that decide how a file is read and where its pixels are.
# fmt: off
CARDS = st.sampled_from([
    "SIMPLE", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "EXTEND", "XTENSION", "PCOUNT", "GCOUNT", "END", "EXTNAME",
    "BSCALE", "BZERO", "BLANK", "ZIMAGE", "ZCMPTYPE", "EQUINOX", "CD1_1", "PC1_1", "PC1_2", "PV2_1", "BUNIT",
    *sky_header(),
])
# fmt: on
NUMBERS = st.sampled_from(
    ["0", "-1", "1", "20", "1000000", "1000000000000", "1E300", "-1E-300", "NaN", "T", "F", "32", "64"]
)
TEXTS = st.sampled_from(
    ["'RA---TAN'", "'DEC--SIN'", "'GLON-CAR'", "'HPX'", "'deg'", "'Angstrom'", "''", "'", "'\xe9'", ""]
)


@st.composite
def hostile_maps(draw):
    """A good map with other cards in its header, or other bytes anywhere."""
    content = bytearray(good_map())
    for _ in range(draw(st.integers(0, 3))):
        value = draw(NUMBERS | TEXTS)
        card = f"{draw(CARDS):<8}= {value:>20}".ljust(80).encode("latin-1")
        at = 80 * draw(st.integers(0, good_map().index(b"END     ") // 80))
        content[at : at + 80] = card
    return draw(spoiled(bytes(content)) | st.just(bytes(content)))


KERNEL_OPTIONS = KERNELS | {"mask_source_kernels": [], "statistic": "cash", "energy_kernels": []}


def inspected(counts="counts.fits", **kernels):
    """Inspect a dataset as the workflow does before anything else."""
    selection = {"exclusion_regions": [], "min_acceptance_fraction": 0.0}
    return inspect({"counts": counts}, {}, selection, KERNEL_OPTIONS | kernels)


@hostile
@given(hostile_maps())
def test_maps(content):
    with open("hostile.fits", "wb") as file:
        file.write(content)
    with refused_in_words():
        image_axes("hostile.fits")
        inspected("hostile.fits")


LENGTHS = st.sampled_from(
    ["0 deg", "0.1 deg", "1e-9 deg", "1e9 deg", "0.4 deg", "3 px", "1e6 px", "90 deg", "3 arcmin"]
)


@hostile
@given(
    shape=st.sampled_from(["disk", "ring", "gaussian", "array"]),
    lengths=st.fixed_dictionaries(dict.fromkeys(("radius", "inner_radius", "width", "sigma"), LENGTHS)),
    content=st.lists(st.floats(width=32) | st.integers(-3, 3), min_size=9, max_size=9) | spoiled(good_map()),
    name=st.sampled_from(["source_kernel", "background_kernel"]),
)
def test_kernels(shape, lengths, content, name):
    keys = {"disk": ["radius"], "ring": ["inner_radius", "width"], "gaussian": ["sigma"], "array": []}[shape]
    kernel = {"shape": shape} | {key: lengths[key] for key in keys}
    if shape == "array":
        array = (
            content if isinstance(content, bytes) else fits_bytes(fits.PrimaryHDU(np.reshape(content, (3, 3)) * 1.0))
        )
        with open("hostile.fits", "wb") as file:
            file.write(array)
        kernel["path"] = "hostile.fits"
    with refused_in_words():
        inspected(**{name: kernel})


REGIONS = b"""# Region file format: DS9 version 4.1
fk5
circle(83.6,22,0.2)
-ellipse(83.7,22.1,0.3,0.1,30) # text={a}
polygon(83,21,84,21,84,23)
galactic;box(184.5,-5.8,0.3,0.2,10)
"""


@hostile
@given(spoiled(REGIONS))
def test_region_files(content):
    with open("hostile.reg", "wb") as file:
        file.write(content)
    with refused_in_words():
        region_mask(sky_header((20, 20)), (20, 20), [{"file": "hostile.reg"}])


CATALOGUE = b"name,ra,dec,size\na,83.6,22.0,0.1\nb,83.7,22.1,0.2\n"


@hostile
@given(spoiled(CATALOGUE))
def test_tables_of_regions(content):
    with open("hostile.csv", "wb") as file:
        file.write(content)
    with refused_in_words():
        region_mask(sky_header((20, 20)), (20, 20), [{"table": "hostile.csv", "radius": "size"}])


@cache
def good_product():
    maps.write("hostile.fits", {"counts": field_with_source(shape=(20, 20))}, sky=sky_header((20, 20)))
    with open("hostile.fits", "rb") as file:
        return file.read()


@hostile
@given(data=st.data())
def test_a_damaged_product_of_our_own_is_refused_or_has_the_same_pixels(data):
    content = data.draw(spoiled(good_product()))
    with open("hostile.fits", "wb") as file:
        file.write(content)
    with refused_in_words():
        images = maps.read_product("hostile.fits")
        with suppress(KeyError):
            np.testing.assert_array_equal(images["counts"].data, field_with_source(shape=(20, 20)))
