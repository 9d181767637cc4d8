"""Steps by rows: to the last bit what the functions for whole maps return, wherever the map is cut."""

import numpy as np
import pytest

from skymask import adaptive_ring, disk, field_of_view, gaussian, ring
from skymask.core import convergence, stored_values
from skymask.core.background import estimate_background, mean_background
from skymask.core.exclusion import update_exclusion_mask
from skymask.core.further_kernels import compute_further_significance
from skymask.core.inputs import prepare
from skymask.core.limits import compute_limits
from skymask.core.significance import compute_significance
from skymask.loop import by_rows
from skymask.loop.by_rows import Measured
from skymask.loop.iteration import compute_products
from skymask.loop.null_simulations import simulate_null
from skymask.loop.options import Options

#: Not divided by the rows of a strip.
SHAPE = (103, 67)

SOURCE, RING = disk(2), ring(5, 4)


def field(seed=1):
    """Return counts with bright and faint sources, on the edges of strips and of the map too."""
    random = np.random.default_rng(seed)
    expected = np.full(SHAPE, 0.4)
    for y, x, brightness in zip(
        random.integers(0, SHAPE[0], 15), random.integers(0, SHAPE[1], 15), random.uniform(0.5, 30, 15), strict=True
    ):
        expected[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3] += brightness
    return random.poisson(expected)


def with_holes():
    counts = field().astype(float)
    counts[40:56] = np.nan
    counts[70:74, 20:50] = np.nan
    return counts


def graded():
    y, x = np.indices(SHAPE)
    return np.exp(-((y - 70) ** 2 + (x - 30) ** 2) / 2 / 50**2)


def mask():
    """A mask that leaves nothing under the ring in places, so that pixels are starved."""
    used = np.random.default_rng(3).random(SHAPE) > 0.1
    used[10:40, 15:45] = False
    return used


FIELDS = {
    "plain": {"counts": field()},
    "holes": {"counts": with_holes()},
    "graded acceptance": {"counts": with_holes(), "acceptance": graded()},
    "whole numbers as acceptance": {"counts": field(), "acceptance": np.arange(1, 1 + field().size).reshape(SHAPE)},
    "more counts than fit into 32 bits": {"counts": field() * 2**25},
    "additive background": {"counts": field(), "additive_background": 0.1 * graded()},
}

BACKGROUND_KERNELS = {
    "ring": RING,
    "weights": gaussian(4),
    "adaptive ring": adaptive_ring(5, 4, step=2, max_outer_radius=15, alpha_max=0.1),
    "field of view": field_of_view(),
}


@pytest.fixture(params=FIELDS)
def inputs(request):
    return prepare(**FIELDS[request.param], exclusion_mask=mask())


@pytest.fixture(autouse=True)
def thin_strips(monkeypatch):
    """Strips of eight rows, but for the rows around them."""
    monkeypatch.setattr(by_rows, "STRIP", 1)
    monkeypatch.setattr(by_rows, "ROWS_PER_HALO", 1)


def joined(parts):
    """Return the whole images of strips, which must come in order."""
    whole, expected = {}, 0
    for rows, images in parts:
        assert rows.start == expected
        expected = rows.stop
        for name, image in images.items():
            whole.setdefault(name, []).append(image)
    assert expected == SHAPE[0]
    return {name: np.concatenate(images) for name, images in whole.items()}


def same(found, expected):
    assert found.keys() == expected.keys()
    for name, image in expected.items():
        assert found[name].dtype == image.dtype, name
        assert np.array_equal(found[name], image, equal_nan=image.dtype.kind == "f"), name


def measured(inputs):
    return Measured(inputs.counts, inputs.acceptance, inputs.additive_background)


@pytest.mark.parametrize("kernel", BACKGROUND_KERNELS)
def test_background_is_that_of_the_whole_map(inputs, kernel):
    kernel = BACKGROUND_KERNELS[kernel]
    found = by_rows.estimate_in_strips(measured(inputs), inputs.exclusion_mask, kernel, SOURCE)
    mean = by_rows.MeanBackground()
    images = []
    for rows, estimate in found:
        mean.add(estimate.background)
        images.append((rows, estimate.maps()))
    expected = estimate_background(
        inputs.counts,
        inputs.acceptance,
        inputs.exclusion_mask,
        kernel,
        source_kernel=SOURCE,
        additive_background=inputs.additive_background,
    )
    same(joined(images), expected.maps())
    assert mean.mean() == mean_background(expected.background)


@pytest.mark.parametrize("source_kernels", [[SOURCE], [SOURCE, disk(4)], [SOURCE, gaussian(1.5)]], ids=len)
@pytest.mark.parametrize("statistic", ["wstat", "cash"])
@pytest.mark.parametrize("given", [False, True], ids=["measured", "given"])
def test_significance_is_that_of_the_whole_map(inputs, source_kernels, statistic, given):
    estimate = estimate_background(
        inputs.counts,
        inputs.acceptance,
        inputs.exclusion_mask,
        RING,
        additive_background=inputs.additive_background,
    )
    if given:
        estimate = type(estimate)(estimate.background)
    options = {"statistic": statistic, "background_systematic": 0.01}
    found = by_rows.significance_in_strips(measured(inputs), estimate.maps(), source_kernels, **options)
    expected = [
        compute_significance(
            inputs.counts,
            inputs.acceptance,
            estimate,
            kernel,
            additive_background=inputs.additive_background,
            **options,
        ).significance
        for kernel in source_kernels
    ]
    names = ["significance", "significance_1"][: len(source_kernels)]
    same(joined(found), dict(zip(names, expected, strict=True)))


@pytest.mark.parametrize("kernel", BACKGROUND_KERNELS)
@pytest.mark.parametrize("statistic", ["wstat", "cash"])
def test_products_are_those_of_the_whole_map(inputs, kernel, statistic):
    kernel, options = BACKGROUND_KERNELS[kernel], {"statistic": statistic, "background_systematic": 0.02}
    limits = {"confidence_level": 0.9}
    found = by_rows.products_in_strips(
        measured(inputs), inputs.exclusion_mask, SOURCE, kernel, limits=limits, **options
    )
    images = (inputs.counts, inputs.acceptance)
    expected = compute_products(
        *images,
        inputs.exclusion_mask,
        SOURCE,
        kernel,
        additive_background=inputs.additive_background,
        **options,
    ).maps()
    expected |= compute_limits(*images, expected, SOURCE, **limits, **options)._asdict()
    same(joined(found), expected)


@pytest.mark.parametrize("further", [disk(1), gaussian(1)], ids=["disk", "weights"])
@pytest.mark.parametrize("statistic", ["wstat", "cash"])
def test_maps_under_a_further_kernel_are_those_of_the_whole_map(inputs, further, statistic):
    options = {"statistic": statistic, "background_systematic": 0.02, "confidence_level": 0.9}
    products = {"background": graded(), "counts_off": 90 * graded(), "alpha": 0.1 + graded()}
    given = products, SOURCE, further, RING
    found = by_rows.further_in_strips(measured(inputs), *given, **options)
    expected = compute_further_significance(
        inputs.counts, inputs.acceptance, *given, additive_background=inputs.additive_background, **options
    )
    same(joined(found), expected)


def test_ring_is_summed_in_strips_and_weights_are_not():
    shape = measured(prepare(field()))
    for kernel, number in ((RING, len(range(0, SHAPE[0], 16))), (gaussian(4), 1)):
        parts = list(by_rows.estimate_in_strips(shape, np.ones(SHAPE, bool), kernel, SOURCE))
        assert len(parts) == number


@pytest.mark.parametrize(
    ("options", "whole"),
    [
        ({"source_kernels": [disk(2)], "known": True, "acceptance_kind": "f"}, False),
        ({"source_kernels": [disk(30)], "known": False, "acceptance_kind": "u"}, False),
        ({"source_kernels": [disk(30)], "known": True, "acceptance_kind": "u"}, True),
        ({"source_kernels": [disk(30)], "known": False, "acceptance_kind": "f"}, True),
        ({"source_kernels": [disk(2), gaussian(2)], "known": False, "acceptance_kind": "u"}, True),
        ({"source_kernels": [disk(2)], "known": False, "acceptance_kind": "u", "additive": True}, True),
    ],
)
def test_whole_map_is_asked_for_where_rounding_would_depend_on_it(options, whole):
    assert bool(by_rows.whole_significance_reason(**options)) == whole


def test_a_strip_is_wide_enough_for_what_lies_around_it(monkeypatch):
    monkeypatch.undo()
    parts = by_rows.strips((20_000, 20_000), 45)
    assert {part.rows.stop - part.rows.start for part in parts[:-1]} == {360}


@pytest.mark.parametrize("kernel", ["ring", "weights"])
@pytest.mark.parametrize("statistic", ["wstat", "cash"])
def test_null_simulations_are_those_of_the_whole_map(monkeypatch, tmp_path, inputs, kernel, statistic):
    background = np.where(inputs.coverage, 0.5 + graded(), np.nan)
    background[30:60, 20:40] = np.nan
    images = background, inputs.acceptance, inputs.exclusion_mask

    def simulated():
        return simulate_null(
            *images,
            SOURCE,
            BACKGROUND_KERNELS[kernel],
            statistic=statistic,
            additive_background=inputs.additive_background,
            threshold=3.0,
            number=3,
            seed=7,
            folder=tmp_path,
        )

    monkeypatch.setattr(stored_values, "IN_MEMORY", 100)
    found = simulated()
    monkeypatch.setattr(by_rows, "STRIP", 2**20)
    expected = simulated()
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one, other)
        assert np.isfinite(one).all()


SHAPING = {
    "plain": {},
    "small regions and holes": {"min_pixels": 4, "max_hole_pixels": 9},
    "hysteresis": {"threshold_low": 1.5},
    "widths": {"threshold_in_widths": True},
    "growth by peak": {"region_growth": {"law": "king", "sigma": 2.0, "gamma": 2.0, "level": 1.0, "max_radius": 5.0}},
    "mask that grows": {"mask_update": "grow", "starved_pixels": "use"},
}


@pytest.mark.parametrize("shaping", SHAPING)
@pytest.mark.parametrize("number", [1, 2])
def test_mask_and_its_record_are_those_of_the_whole_map(monkeypatch, shaping, number):
    monkeypatch.setattr(by_rows, "READ", 8 * SHAPE[1])
    random = np.random.default_rng(4)
    significances = [random.normal(size=SHAPE) * 2 for _ in range(number)]
    significances[-1][20:30, 10:50] = np.nan
    coverage = np.ones(SHAPE, dtype=bool)
    coverage[:, 60:] = False
    masks = {"user_mask": mask(), "previous_mask": mask(), "previous_decision": random.random(SHAPE) > 0.05}
    shaping = Options(threshold=3.0, **SHAPING[shaping])
    options = {"dilation_kernel": disk(2), "mask_update": shaping.mask_update, **shaping.shaping}
    options["starved_pixels"] = shaping.starved_pixels
    packed = {name: by_rows.packed(image) for name, image in masks.items()}
    found, decision, figures = by_rows.update_mask(significances, by_rows.packed(coverage), **packed, **options)
    first, *further = significances
    expected = update_exclusion_mask(first, coverage, further=further, **masks, **options)
    assert np.array_equal(found.array(), expected[0])
    assert np.array_equal(decision.array(), expected[1])
    assert figures == convergence.figures(first, coverage, further)
