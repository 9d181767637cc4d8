"""The loop in strips: the same masks, maps and records as for the map as a whole, to the last bit."""

import hashlib

import numpy as np
import pytest
from astropy.io import fits

from skymask import adaptive_ring, disk, field_of_view, gaussian, iterate, iterate_strips, ring, write_strips
from skymask.errors import ConvergenceError, MapError
from skymask.io import maps
from skymask.loop.out_of_core import StoredMask

#: Not divided by the rows of a strip, nor its width by the bits of a byte.
SHAPE = (203, 117)

KERNELS = {"source_kernel": disk(2), "background_kernel": ring(5, 4), "dilation_kernel": disk(3)}


def field(seed=1):
    """Return counts with bright and faint sources, on the edges of strips and of the map too."""
    random = np.random.default_rng(seed)
    expected = np.full(SHAPE, 0.4)
    for y, x, brightness in zip(
        random.integers(0, SHAPE[0], 25), random.integers(0, SHAPE[1], 25), random.uniform(0.5, 30, 25), strict=True
    ):
        expected[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3] += brightness
    return random.poisson(expected)


def with_holes(counts):
    """Return counts without coverage in a whole strip and more, in a spot, and at an edge."""
    counts = counts.astype(float)
    counts[70:90] = np.nan
    counts[130:136, 40:80] = np.nan
    counts[:, 110:] = np.nan
    return counts


def graded():
    y, x = np.indices(SHAPE)
    return np.exp(-((y - 150) ** 2 + (x - 50) ** 2) / 2 / 80**2)


def user_mask():
    """A mask whose hole of used-up pixels is too large for the ring, so that pixels are starved."""
    mask = np.ones(SHAPE, dtype=bool)
    mask[20:60, 30:75] = False
    return mask


def same(result, expected):
    """Assert that a result in strips is that of the whole map."""
    assert (result.state, result.period, result.iterations) == (expected.state, expected.period, expected.iterations)
    assert result.records == expected.records
    mask = result.exclusion_mask[:]
    assert np.array_equal(mask, expected.exclusion_mask)
    maps = {name: np.empty_like(image) for name, image in expected.products.maps().items()}
    seen = np.zeros(SHAPE[0], dtype=int)
    for rows, parts in result.products:
        assert parts.keys() == maps.keys()
        seen[rows] += 1
        for name, part in parts.items():
            maps[name][rows] = part
    assert (seen == 1).all()
    for name, image in expected.products.maps().items():
        assert np.array_equal(maps[name], image, equal_nan=True), name


#: What a file of strips says of the loop.
STATE_CARDS = ("STATE", "PERIOD", "NITER", "MASKDEF")

CASES = {
    "plain": {},
    "holes": {"counts": with_holes(field())},
    "graded acceptance": {"acceptance": graded()},
    "graded acceptance and holes": {"counts": with_holes(field()), "acceptance": graded()},
    "whole numbers as acceptance": {"acceptance": np.arange(1, 1 + field().size).reshape(SHAPE)},
    "starved pixels": {"exclusion_mask": user_mask()},
    "starved pixels, used": {"exclusion_mask": user_mask(), "starved_pixels": "use"},
    "starved pixels under holes": {"counts": with_holes(field()), "exclusion_mask": user_mask()},
    "given background": {"background": np.full(SHAPE, 0.5)},
    "given background, which the first mask leaves as it is": {"background": np.full(SHAPE, 50.0)},
    "mask that grows": {"mask_update": "grow", "threshold": 3.0},
    "small regions and holes": {"min_pixels": 6, "max_hole_pixels": 15, "threshold": 2.5},
    "one iteration": {"max_iterations": 1},
    "nothing reaches the threshold": {"threshold": 1e3},
    "low threshold": {"threshold": 2.0, "max_excluded_fraction": 0.99, "max_iterations": 5},
    "runaway": {"threshold": 0.1},
}


@pytest.mark.parametrize("rows", [8, 40])
@pytest.mark.parametrize("statistic", ["wstat", "cash"])
@pytest.mark.parametrize("case", CASES)
def test_strips_are_the_whole_map(tmp_path, case, statistic, rows):
    options = {"counts": field(), "statistic": statistic, "threshold": 4.0, **KERNELS, **CASES[case]}
    counts = options.pop("counts")
    same(iterate_strips(counts, tmp_path, rows=rows, **options), iterate(counts, **options))


def test_one_strip_is_the_whole_map(tmp_path):
    same(iterate_strips(field(), tmp_path, **KERNELS), iterate(field(), **KERNELS))


@pytest.mark.parametrize("on_cycle", ["union", "last"])
def test_final_mask_of_a_cycle_is_that_of_the_whole_map(tmp_path, on_cycle):
    options = {"source_kernel": disk(1), "background_kernel": ring(3, 2), "dilation_kernel": disk(1), "threshold": 2.0}
    counts = np.random.default_rng(1).poisson(3, SHAPE)
    expected = iterate(counts, on_cycle=on_cycle, **options)
    assert expected.state == "cycle"
    same(iterate_strips(counts, tmp_path, rows=16, on_cycle=on_cycle, **options), expected)


def test_folder_of_another_map_leaves_no_trace(tmp_path):
    iterate_strips(np.vstack([field(2), field(3)]), tmp_path, rows=8, threshold=3.0, **KERNELS)
    same(iterate_strips(field(), tmp_path, rows=8, **KERNELS), iterate(field(), **KERNELS))


def test_memory_mapped_counts_are_read_in_strips(tmp_path):
    field().astype(">i4").tofile(tmp_path / "counts")
    counts = np.memmap(tmp_path / "counts", dtype=">i4", mode="r", shape=SHAPE)
    same(iterate_strips(counts, tmp_path / "state", rows=24, **KERNELS), iterate(field(), **KERNELS))


def test_files_are_those_of_maps_written_whole(tmp_path):
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 83.6, "CRVAL2": 22.0, "CDELT1": -0.02})
    result = iterate_strips(with_holes(field()), tmp_path / "state", rows=24, **KERNELS)
    write_strips(result, tmp_path / "strips", header=header)
    expected = iterate(with_holes(field()), **KERNELS)
    images = {"exclusion_mask": expected.exclusion_mask, **expected.products.maps()}
    assert sorted(path.stem for path in (tmp_path / "strips").iterdir()) == sorted(images)
    for name, image in images.items():
        path = tmp_path / "strips" / f"{name}.fits"
        cards = [(key, fits.getval(path, key), fits.getheader(path).comments[key]) for key in STATE_CARDS]
        assert dict(zip(STATE_CARDS, cards, strict=True))["STATE"][1] == expected.state
        maps.write(tmp_path / "whole.fits", {name: image}, sky=header, cards=cards)
        assert path.read_bytes() == (tmp_path / "whole.fits").read_bytes()
        assert np.array_equal(maps.read_product(path)[name].data, image, equal_nan=True)


def test_cycle_that_is_to_fail_fails(tmp_path):
    options = {"source_kernel": disk(1), "background_kernel": ring(3, 2), "dilation_kernel": disk(1), "threshold": 2.0}
    with pytest.raises(ConvergenceError, match="cycles with period"):
        iterate_strips(np.random.default_rng(1).poisson(3, SHAPE), tmp_path, on_cycle="fail", **options)


REFUSED = {
    "weights": ({"source_kernel": gaussian(2)}, "weights"),
    "weights of the background": ({"background_kernel": gaussian(8)}, "weights"),
    "adaptive ring": ({"background_kernel": adaptive_ring(5, 4, step=1, max_outer_radius=12)}, "adaptive"),
    "field of view": ({"background_kernel": field_of_view()}, "field of view"),
    "large source kernel": ({"source_kernel": disk(40), "statistic": "cash"}, "rounded for the whole map"),
    "hysteresis": ({"threshold_low": 3}, "threshold_low"),
    "growth": ({"region_growth": {"law": "size", "factor": 0.5, "max_radius": 20}}, "region_growth"),
    "systematic error": ({"background_systematic": 0.1}, "background_systematic"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_needs_the_whole_map_is_refused(tmp_path, case):
    options, reason = REFUSED[case]
    with pytest.raises(ValueError, match=f"strips cannot be used: .*{reason}"):
        iterate_strips(field(), tmp_path, **(KERNELS | options))


@pytest.mark.parametrize("rows", [0, 12, -8])
def test_rows_that_do_not_fill_bytes_are_refused(tmp_path, rows):
    with pytest.raises(ValueError, match="rows must be a multiple of 8"):
        iterate_strips(field(), tmp_path, rows=rows, **KERNELS)


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        ({"counts": np.full(SHAPE, np.nan)}, "no coverage at all"),
        ({"exclusion_mask": np.zeros(SHAPE)}, "excludes every covered pixel"),
        ({"background": np.full(SHAPE, np.nan)}, "undefined in every covered pixel"),
        ({"counts": field() - 1}, "^rows 0 to 7, counted from the first of them: counts are negative"),
        ({"acceptance": np.ones((3, 3))}, "they must agree"),
    ],
)
def test_maps_that_cannot_be_used_are_refused(tmp_path, maps, message):
    with pytest.raises(MapError, match=message):
        iterate_strips(**{"counts": field(), **maps}, folder=tmp_path, rows=8, **KERNELS)


@pytest.mark.parametrize("n_x", [1, 7, 8, 13])
def test_stored_mask_returns_the_rows_that_were_stored(tmp_path, n_x):
    mask = np.random.default_rng(n_x).random((29, n_x)) > 0.5
    stored = StoredMask(tmp_path / "mask.bits", mask.shape)
    for start in (8, 0, 24, 16):
        stored[slice(start, min(start + 8, 29))] = mask[start : start + 8]
    for rows in (slice(0, 29), slice(3, 5), slice(8, 16), slice(28, 29), slice(25, None)):
        assert np.array_equal(stored[rows], mask[rows])
    assert stored.digest() == hashlib.sha256(np.packbits(mask)).hexdigest()
