"""The adaptive ring: which ring a pixel takes, against a plain double loop and cases made by hand."""

import json
import math

import numpy as np
import pytest
from astropy.io import fits
from conftest import KERNELS, snakemake, write_config
from hypothesis import given, settings
from hypothesis import strategies as st

from skymask import adaptive_ring, disk, iterate, ring
from skymask.core.background import estimate_background
from skymask.core.kernels import off_kernel, without
from skymask.io import maps
from skymask.sky.configured_kernels import background_kernel, dilation_kernel, to_pixels

#: Exact sums leave the rounding of one product and one quotient.
EXACT = 1e-12

LIMITS = {"step": 1, "max_outer_radius": 6}


def everywhere(shape):
    return np.ones(shape, dtype=bool)


def first_ring_that_suffices(counts, acceptance, mask, rings, source_kernel, y, x):
    """Return off counts, acceptance and radius at one pixel by walking through the pixels of every ring in turn."""

    def under(kernel):
        half_y, half_x = kernel.shape[0] // 2, kernel.shape[1] // 2
        pixels = [(y + j - half_y, x + i - half_x) for j, i in np.argwhere(kernel)]
        return [(j, i) for j, i in pixels if 0 <= j < counts.shape[0] and 0 <= i < counts.shape[1]]

    acceptance_on = math.fsum(acceptance[pixel] for pixel in under(source_kernel))
    for kernel, radius in zip(rings.rings, rings.outer_radii, strict=True):
        covered = [pixel for pixel in under(kernel) if acceptance[pixel] > 0]
        used = [pixel for pixel in covered if mask[pixel]]
        if not used:
            continue
        acceptance_off = math.fsum(acceptance[pixel] for pixel in used)
        excluded_fraction = (len(covered) - len(used)) / len(covered)
        if (
            acceptance_on / acceptance_off <= rings.alpha_max
            and excluded_fraction <= rings.excluded_fraction_max
            and acceptance[y, x] > 0
        ):
            return sum(counts[pixel] for pixel in used), acceptance_off, radius
    return 0, 0.0, np.nan


@st.composite
def fields(draw):
    """Draw counts, acceptance, mask, rings and source kernel of a small map."""
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    coverage = random.random(shape) < draw(st.sampled_from([0.5, 0.9, 1.0]))
    # Multiples of a power of two, of which sums in any order, and so ratios, are the same.
    acceptance = random.integers(1, 64, shape) / 16 * coverage if draw(st.booleans()) else coverage.astype(np.uint8)
    width = draw(st.sampled_from([0, 1, 1.5]))
    rings = adaptive_ring(
        draw(st.sampled_from([0, 1, 2])),
        width,
        # A ring without width must lie on pixel centres.
        step=draw(st.sampled_from([0.5, 1])) if width else 1,
        max_outer_radius=6,
        alpha_max=draw(st.sampled_from([0.1, 0.25, 0.5, 2.0])),
        excluded_fraction_max=draw(st.sampled_from([0.0, 0.25, 0.5, 1.0])),
        keep=draw(st.sampled_from(["width", "inner_radius"])),
    )
    source_kernel = draw(st.sampled_from([disk(0), disk(1)]))
    statistic = draw(st.sampled_from(["wstat", "cash"]))
    mask = random.random(shape) < draw(st.sampled_from([0.3, 0.8, 1.0]))
    counts = random.poisson(3, shape) * coverage
    return counts, acceptance, mask, off_kernel(rings, source_kernel, statistic), source_kernel


@settings(max_examples=150, deadline=None)
@given(fields())
def test_every_pixel_takes_the_first_ring_that_suffices(field):
    counts, acceptance, mask, rings, source_kernel = field
    estimate = estimate_background(counts, acceptance, mask, rings, source_kernel=source_kernel)
    for pixel in np.ndindex(counts.shape):
        n_off, a_off, radius = first_ring_that_suffices(counts, acceptance, mask, rings, source_kernel, *pixel)
        assert estimate.counts_off[pixel] == n_off
        assert estimate.acceptance_off[pixel] == a_off
        np.testing.assert_equal(estimate.ring_radius[pixel], radius)
        expected = acceptance[pixel] * n_off / a_off if a_off else np.nan
        np.testing.assert_allclose(estimate.background[pixel], expected, rtol=EXACT)


def test_ring_that_always_suffices_is_the_fixed_ring():
    counts = np.random.default_rng(1).poisson(3, (30, 40))
    mask = np.random.default_rng(2).random((30, 40)) < 0.7
    rings = adaptive_ring(3, 2, **LIMITS, alpha_max=1, excluded_fraction_max=1)
    adaptive = estimate_background(counts, np.ones((30, 40)), mask, rings, source_kernel=disk(0))
    fixed = estimate_background(counts, np.ones((30, 40)), mask, ring(3, 2))
    assert (adaptive.ring_radius == 5).all()
    for name, image in fixed.maps().items():
        assert np.array_equal(getattr(adaptive, name), image), name


def test_ring_grows_near_an_excluded_disk_and_nowhere_else():
    # Seen from the middle of the disk, rings are excluded as a whole up to an outer radius of 6, and half of a ring two
    # pixels wide is free as soon as its middle has left the disk.
    y, x = np.mgrid[-30:31, -30:31]
    distance = np.hypot(y, x)
    rings = adaptive_ring(2, 2, step=1, max_outer_radius=12, alpha_max=1, excluded_fraction_max=0.5)
    estimate = estimate_background(
        np.ones((61, 61), dtype=int), np.ones((61, 61)), distance > 6, rings, source_kernel=disk(0)
    )
    assert (estimate.ring_radius[distance > 10] == 4).all()
    middle = estimate.ring_radius[30, 30]
    outer = int(middle)
    excluded = [(distance <= 6)[30 - r : 31 + r, 30 - r : 31 + r][ring(r - 2, 2)].mean() for r in (outer - 1, outer)]
    assert excluded[0] > 0.5 >= excluded[1]
    # Farther and farther from the middle, never a larger ring.
    assert (np.diff(estimate.ring_radius[30, 30:]) <= 0).all()
    np.testing.assert_allclose(estimate.background, 1, rtol=EXACT)


def test_ring_grows_at_the_edge_of_the_map_until_alpha_is_small_enough():
    # One row. Two neighbours at distance r make alpha 1 / 2, and a single one at the ends 1.
    rings = adaptive_ring(1, 0, step=1, max_outer_radius=3, alpha_max=0.5, keep="inner_radius")
    counts = np.arange(7)[None, :]
    estimate = estimate_background(counts, np.ones((1, 7)), everywhere((1, 7)), rings, source_kernel=disk(0))
    assert estimate.ring_radius[0].tolist() == [2, 1, 1, 1, 1, 1, 2]
    assert estimate.counts_off[0].tolist() == [1 + 2, 0 + 2, 1 + 3, 2 + 4, 3 + 5, 4 + 6, 5 + 4]
    assert estimate.acceptance_off[0].tolist() == [2] * 7


def test_alpha_equal_to_its_limit_suffices():
    # Three tenths: 0.3 in floating point is less than three times 0.1.
    counts = np.ones((1, 21), dtype=int)
    rings = adaptive_ring(5, 4, step=1, max_outer_radius=9, alpha_max=0.3)
    source_kernel = np.ones((1, 3), dtype=bool)
    estimate = estimate_background(counts, np.ones((1, 21)), everywhere((1, 21)), rings, source_kernel=source_kernel)
    assert estimate.acceptance_off[0, 10] == 10
    assert estimate.ring_radius[0, 10] == 9


def test_pixels_outside_the_map_or_without_coverage_are_not_excluded():
    # At the ends of a row half of each ring lies outside, and coverage ends in the middle; no used pixel is missing.
    acceptance = np.array([[1, 1, 1, 0, 0, 0]], dtype=np.uint8)
    rings = adaptive_ring(1, 0, step=1, max_outer_radius=1, alpha_max=1, excluded_fraction_max=0)
    estimate = estimate_background(acceptance.astype(int), acceptance, everywhere((1, 6)), rings, source_kernel=disk(0))
    np.testing.assert_array_equal(estimate.ring_radius, [[1, 1, 1, np.nan, np.nan, np.nan]])


def test_pixels_for_which_no_ring_suffices_have_no_background():
    y, x = np.mgrid[-20:21, -20:21]
    mask = np.hypot(y, x) > 12
    rings = adaptive_ring(2, 2, **LIMITS, alpha_max=1)
    estimate = estimate_background(np.ones((41, 41), dtype=int), np.ones((41, 41)), mask, rings, source_kernel=disk(0))
    without_ring = np.isnan(estimate.ring_radius)
    assert without_ring[20, 20]
    assert not without_ring[0, 0]
    assert np.array_equal(np.isnan(estimate.background), without_ring)
    assert not estimate.acceptance_off[without_ring].any()


def test_empty_ring_does_not_suffice():
    # By transforms its acceptance may be a zero with a minus sign, and alpha minus infinity.
    acceptance = np.array([[0, 0, 1], [0, 1, 1], [0, 1, 0], [1, 0, 0]], dtype=np.uint8)
    mask = np.array([[0, 0, 0], [0, 1, 0], [1, 1, 0], [1, 0, 0]], dtype=bool)
    rings = adaptive_ring(1, 0, step=1, max_outer_radius=2, alpha_max=2, excluded_fraction_max=1)
    estimate = estimate_background(5 * acceptance.astype(int), acceptance, mask, rings, source_kernel=disk(0))
    # Of its neighbours the pixel (0, 2) has none that is used; at a distance of two there is none either.
    assert np.isnan(estimate.ring_radius[0, 2])


def test_unit_of_the_acceptance_does_not_matter():
    random = np.random.default_rng(3)
    acceptance = random.uniform(0.5, 2, (20, 25))
    counts, mask = random.poisson(3, (20, 25)), random.random((20, 25)) < 0.6
    rings = adaptive_ring(2, 2, **LIMITS)
    plain, scaled = (
        estimate_background(counts, unit * acceptance, mask, rings, source_kernel=disk(1)) for unit in (1, 2.0**60)
    )
    assert np.array_equal(plain.ring_radius, scaled.ring_radius, equal_nan=True)
    assert np.array_equal(plain.background, scaled.background, equal_nan=True)


MOVES = {"up-down": lambda a: a[::-1], "left-right": lambda a: a[:, ::-1], "transposed": lambda a: a.T}


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_moving_the_maps_moves_the_rings(move):
    random = np.random.default_rng(4)
    arrays = random.poisson(3, (20, 25)), random.integers(1, 9, (20, 25)), random.random((20, 25)) < 0.6
    rings = adaptive_ring(2, 2, **LIMITS)
    plain = estimate_background(*arrays, rings, source_kernel=disk(1))
    moved = estimate_background(*map(move, arrays), rings, source_kernel=disk(1))
    for image, other in zip(moved.maps().values(), plain.maps().values(), strict=True):
        assert np.array_equal(image, move(other), equal_nan=True)


def test_maps_larger_than_a_block_are_cut_without_a_trace():
    # 600 pixels are three blocks; a slope of exact fractions, and holes that make rings grow.
    random = np.random.default_rng(5)
    shape = (40, 600)
    acceptance = np.linspace(1, 2, 600) + np.zeros(shape)
    counts, mask = random.poisson(2, shape), random.random(shape) < 0.55
    rings = adaptive_ring(2, 2, **LIMITS, alpha_max=0.5)
    whole = estimate_background(counts, acceptance, mask, rings, source_kernel=disk(1))
    assert np.unique(whole.ring_radius[~np.isnan(whole.ring_radius)]).size == 3
    part = slice(0, 300)
    cut = estimate_background(counts[:, part], acceptance[:, part], mask[:, part], rings, source_kernel=disk(1))
    inside = slice(0, 300 - 6)
    assert np.array_equal(whole.ring_radius[:, inside], cut.ring_radius[:, inside], equal_nan=True)
    np.testing.assert_allclose(whole.background[:, inside], cut.background[:, inside], rtol=EXACT)


def test_without_a_source_kernel_there_is_no_alpha():
    rings = adaptive_ring(2, 2, **LIMITS)
    with pytest.raises(ValueError, match="an adaptive ring needs the source kernel"):
        estimate_background(np.ones((3, 3), dtype=int), np.ones((3, 3)), everywhere((3, 3)), rings)


def test_fixed_width_moves_both_radii():
    rings = adaptive_ring(3, 2, step=0.5, max_outer_radius=6, keep="width")
    assert rings.outer_radii == (5, 5.5, 6)
    for kernel, inner_radius in zip(rings.rings, (3, 3.5, 4), strict=True):
        assert np.array_equal(kernel, ring(inner_radius, 2))


def test_fixed_inner_radius_moves_the_outer_one():
    rings = adaptive_ring(3, 2, step=0.5, max_outer_radius=6, keep="inner_radius")
    assert rings.outer_radii == (5, 5.5, 6)
    for kernel, width in zip(rings.rings, (2, 2.5, 3), strict=True):
        assert np.array_equal(kernel, ring(3, width))


def test_last_ring_is_reached_in_spite_of_rounding():
    # The default of H.E.S.S.: 0.7 + 0.44 + 7 * 0.08 = 1.7, but not in floating point.
    rings = adaptive_ring(0.7, 0.44, step=0.08, max_outer_radius=1.7, pixel_size=0.02)
    assert len(rings.rings) == 8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inner_radius": -1}, "inner_radius must be a finite number, zero or more, got -1"),
        ({"step": 0}, "step must be a finite number, more than zero, got 0"),
        ({"step": 1e-6}, "step 1e-06 makes 1e[+]06 rings, and 1000 are allowed"),
        ({"max_outer_radius": 4}, r"max_outer_radius must be at least inner_radius \+ width = 5, got 4"),
        ({"max_outer_radius": np.inf}, "max_outer_radius must be a finite number, zero or more, got inf"),
        ({"alpha_max": 0}, "alpha_max must be a finite number, more than zero, got 0"),
        ({"excluded_fraction_max": 1.5}, "excluded_fraction_max must be zero to one, got 1.5"),
        ({"keep": "outer_radius"}, "keep must be one of width, inner_radius, got 'outer_radius'"),
    ],
)
def test_ring_that_makes_no_sense_is_refused_with_its_numbers(changes, message):
    with pytest.raises(ValueError, match=message):
        adaptive_ring(**{"inner_radius": 3, "width": 2, **LIMITS, **changes})


def test_measured_background_leaves_the_source_kernel_out_of_every_ring():
    rings = adaptive_ring(1, 2, **LIMITS)
    used = off_kernel(rings, disk(2), "wstat")
    for kernel, whole in zip(used.rings, rings.rings, strict=True):
        assert np.array_equal(kernel, without(whole, disk(2)))
    for kernel, whole in zip(off_kernel(rings, disk(2), "cash").rings, rings.rings, strict=True):
        assert np.array_equal(kernel, whole)


# In the loop.


@pytest.mark.parametrize("statistic", ["wstat", "cash"])
def test_loop_ends_in_a_fixed_point_where_the_rings_grow_around_the_mask(statistic):
    y, x = np.mgrid[-30:31, -30:31]
    counts = np.random.default_rng(1).poisson(2 + 60 * np.exp(-(y**2 + x**2) / (2 * 5**2)))
    rings = adaptive_ring(5, 3, step=1, max_outer_radius=24, alpha_max=1)
    result = iterate(
        counts, source_kernel=disk(2), background_kernel=rings, dilation_kernel=disk(2), statistic=statistic
    )
    assert result.state == "converged"
    # A fixed ring starves the source's middle; a growing one does not.
    assert result.records[-1]["starved"] == 0
    assert not result.exclusion_mask[np.hypot(y, x) < 12].any()
    used = off_kernel(rings, disk(2), statistic)
    estimate = estimate_background(counts, np.ones(counts.shape), result.exclusion_mask, used, source_kernel=disk(2))
    products = result.products
    assert np.array_equal(products.ring_radius, estimate.ring_radius)
    assert np.array_equal(products.background, estimate.background)
    assert products.ring_radius[30, 30] > products.ring_radius[0, 0] == 8


def test_fixed_ring_has_no_map_of_radii():
    result = iterate(np.ones((9, 9)), source_kernel=disk(0), background_kernel=ring(2, 1), dilation_kernel=disk(0))
    assert result.products.ring_radius is None
    assert "ring_radius" not in result.products.maps()


# In the workflow.

RING = {
    "shape": "adaptive_ring",
    "inner_radius": "0.3 deg",
    "width": "0.2 deg",
    "step": "0.1 deg",
    "max_outer_radius": "0.8 deg",
    "alpha_max": 0.15,
}
SIMULATION = {
    "seed": 1,
    "width": ["3 deg", "2.5 deg"],
    "pixel_size": "0.05 deg",
    "background": 2,
    "acceptance_sigma": "1.5 deg",
    "sources": [{"offset": ["0.3 deg", "0 deg"], "counts": 3000, "sigma": ["0.4 deg", "0.15 deg"]}],
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Two iterations of a field with an adaptive ring; that loops end as others do is tested above."""
    folder = tmp_path_factory.mktemp("a run")
    datasets = {"adaptive": {"simulate": SIMULATION, "background_kernel": RING}}
    write_config(
        folder / "config.yaml",
        datasets=datasets,
        null_simulations={"number": 2},
        convergence={"max_iterations": 2},
    )
    process = snakemake("results/adaptive/report.html", folder=folder)
    assert process.returncode == 0, process.stdout
    return folder


def test_workflow_and_iterate_agree_bit_for_bit(run):
    simulation = maps.read_product(run / "results/adaptive/simulation.fits")
    ring_kernel = RING | {"excluded_fraction_max": 0.5, "keep": "width"}
    size = (0.05, 0.05)
    source_kernel = KERNELS["source_kernel"]
    result = iterate(
        simulation["counts"].data,
        acceptance=simulation["acceptance"].data,
        source_kernel=to_pixels(source_kernel, size),
        background_kernel=background_kernel(
            size, source_kernel=source_kernel, background_kernel=ring_kernel, statistic="wstat"
        ),
        dilation_kernel=dilation_kernel(KERNELS["dilation_radius"], size),
        max_iterations=2,
    )
    for name, image in {"exclusion_mask": result.exclusion_mask, **result.products.maps()}.items():
        written = maps.read_product(run / f"results/adaptive/{name}.fits")[name].data
        np.testing.assert_array_equal(written, image, err_msg=name)
    status = json.loads((run / "results/adaptive/status.json").read_text())
    assert (status["state"], status["iteration"]) == (result.state, result.iterations) == ("max_iterations", 2)


def test_pixels_without_a_ring_are_counted(run):
    radii = fits.getdata(run / "results/adaptive/ring_radius.fits")
    status = json.loads((run / "results/adaptive/status.json").read_text())
    assert status["without_ring"] == np.count_nonzero(np.isnan(radii))
    assert np.unique(radii[np.isfinite(radii)]).size > 1


def test_map_of_radii_says_what_it_is(run):
    header = fits.getheader(run / "results/adaptive/ring_radius.fits")
    assert (header["BUNIT"], header["STATE"], header["ALPHAMAX"]) == ("deg", "max_iterations", 0.15)
    radii = np.unique(fits.getdata(run / "results/adaptive/ring_radius.fits"))
    np.testing.assert_allclose(radii[0], 0.5, rtol=EXACT)


def test_an_adaptive_ring_has_a_map_and_a_figure_of_its_radius(run):
    # That others have none: see test_workflow.py.
    for name in ("ring_radius.fits", "plots/ring_radius.png"):
        assert (run / "results/adaptive" / name).is_file()
    assert "plots/ring_radius.png" in (run / "results/adaptive/report.html").read_text()
