"""Maps and lengths as other packages have them: taken with their masks and units, or refused in words."""

from types import SimpleNamespace

import numpy as np
import pytest
from astropy import units
from astropy.nddata import CCDData, NDData
from astropy.utils.masked import Masked
from astropy.wcs import WCS
from conftest import field_with_source, sky_header

import skymask
from skymask.core.inputs import prepare
from skymask.core.plain_arrays import check_plain, plain
from skymask.errors import MapError

COUNTS = np.array([[1, 2, 3], [4, 5, 6]])
HIDDEN = np.array([[False, True, False], [False, False, False]])
KERNELS = {
    "source_kernel": skymask.disk(2),
    "background_kernel": skymask.ring(8, 5),
    "dilation_kernel": skymask.disk(2),
}


@pytest.mark.parametrize(
    "masked",
    [
        np.ma.masked_array(COUNTS, HIDDEN),
        NDData(COUNTS, mask=HIDDEN),
        CCDData(COUNTS, mask=HIDDEN, unit="ct"),
        Masked(COUNTS, HIDDEN),
        Masked(COUNTS * units.ct, HIDDEN),
    ],
    ids=["numpy", "NDData", "CCDData", "Masked", "masked Quantity"],
)
def test_masked_pixels_have_no_coverage(masked):
    inputs = prepare(masked)
    assert inputs.coverage.tolist() == (~HIDDEN).tolist()
    assert inputs.counts.tolist() == [[1, 0, 3], [4, 5, 6]]
    assert prepare(COUNTS, acceptance=masked).coverage.tolist() == (~HIDDEN).tolist()


def test_a_loop_with_a_mask_is_the_loop_with_nan_there():
    counts = field_with_source().astype(float)
    hidden = np.zeros(counts.shape, dtype=bool)
    hidden[:, 40:] = True
    wanted = skymask.iterate(np.where(hidden, np.nan, counts), **KERNELS).products.significance
    for masked in (np.ma.masked_array(counts, hidden), CCDData(counts, mask=hidden, unit="ct")):
        np.testing.assert_array_equal(skymask.iterate(masked, **KERNELS).products.significance, wanted)


def test_strips_take_masked_arrays_as_well(tmp_path):
    counts = field_with_source()
    masked = np.ma.masked_array(counts, np.arange(60) >= np.full((60, 1), 40))
    in_strips = skymask.iterate_strips(masked, tmp_path, rows=16, **KERNELS)
    np.testing.assert_array_equal(in_strips.exclusion_mask[0:60], skymask.iterate(masked, **KERNELS).exclusion_mask)


def test_masked_pixels_of_an_exclusion_mask_say_nothing_and_are_refused():
    with pytest.raises(MapError, match=r"exclusion_mask must hold 1 \(used\) and 0 .*first at x = 1, y = 0: nan"):
        prepare(COUNTS, exclusion_mask=np.ma.masked_array(np.ones((2, 3), dtype=bool), HIDDEN))


def test_an_array_is_not_copied():
    assert plain(COUNTS, "counts") is COUNTS
    assert plain(np.ma.masked_array(COUNTS), "counts").base is COUNTS


@pytest.mark.parametrize("unit", ["ct", "ph", ""])
def test_counts_may_have_a_unit_of_counts(unit):
    assert prepare(COUNTS * units.Unit(unit)).counts.tolist() == COUNTS.tolist()


def test_a_prefix_of_a_unit_is_heeded():
    assert prepare(COUNTS * units.Unit("kct")).counts.tolist() == (1000 * COUNTS).tolist()


@pytest.mark.parametrize("unit", ["adu", "electron", "ct / s", "m"])
def test_counts_in_another_unit_are_refused(unit):
    for counts in (COUNTS * units.Unit(unit), CCDData(COUNTS, unit=unit)):
        with pytest.raises(MapError, match=r"counts is in .*: counts of events \(ct\) must be given"):
            prepare(counts)


def test_a_mask_with_a_unit_is_refused_and_an_acceptance_may_have_any():
    with pytest.raises(MapError, match="exclusion_mask is in deg: numbers without a unit must be given"):
        prepare(COUNTS, exclusion_mask=np.ones((2, 3)) * units.deg)
    assert prepare(COUNTS, acceptance=COUNTS * units.Unit("cm2 s")).acceptance.tolist() == COUNTS.tolist()


def on_sky(data, center):
    return CCDData(data, unit="", wcs=WCS(sky_header(center=center)))


def test_maps_that_know_where_they_are_must_agree():
    counts = on_sky(field_with_source(), (83.6, 22.0))
    acceptance = np.ones((60, 60))
    assert prepare(counts, acceptance=on_sky(acceptance, (83.6, 22.0))).coverage.all()
    with pytest.raises(MapError, match=r"acceptance lies elsewhere on the sky than counts \(by up to 0.1 deg\)"):
        prepare(counts, acceptance=on_sky(acceptance, (83.6, 22.1)))


def test_what_is_no_array_is_refused():
    with pytest.raises(MapError, match="counts must be an array, got SimpleNamespace"):
        prepare(SimpleNamespace(data=COUNTS))


def test_inner_functions_refuse_masks_and_units():
    check_plain(counts=COUNTS, acceptance=None)
    for counts in (np.ma.masked_array(COUNTS, HIDDEN), COUNTS * units.ct, CCDData(COUNTS, unit="ct")):
        with pytest.raises(MapError, match="counts must be a plain array here, got"):
            check_plain(counts=counts)


def test_runs_must_be_plain():
    cube = np.ma.masked_greater(np.arange(3600).reshape(1, 60, 60), 9)
    run = skymask.Run(cube, np.ones((1, 60, 60)), (slice(0, 60), slice(0, 60)))
    with pytest.raises(MapError, match="counts must be a plain array here, got MaskedArray"):
        skymask.iterate_runs([run], (60, 60), **KERNELS)


def test_maps_of_gammapy_are_taken_with_one_energy_bin(gammapy):
    from gammapy.maps import Map, MapAxis

    bins = [MapAxis.from_energy_bounds("1 TeV", "10 TeV", nbin=number) for number in (1, 2)]
    one, two = (Map.create(npix=60, binsz=0.05, axes=[axis], dtype=int) for axis in bins)
    one.data[0] = field_with_source()
    mask = Map.create(npix=60, binsz=0.05, dtype=bool)
    mask.data[:] = True
    result = skymask.iterate(one, exclusion_mask=mask, **KERNELS)
    np.testing.assert_array_equal(result.exclusion_mask, skymask.iterate(one.data[0], **KERNELS).exclusion_mask)
    with pytest.raises(MapError, match=r"counts has the axes energy of lengths \(2,\): take one bin of it"):
        skymask.iterate(two, **KERNELS)
    elsewhere = Map.create(npix=60, binsz=0.05, skydir=(1, 0), dtype=bool)
    with pytest.raises(MapError, match="exclusion_mask lies elsewhere on the sky than counts"):
        skymask.iterate(one, exclusion_mask=elsewhere, **KERNELS)


def test_radii_with_a_unit_need_the_size_of_a_pixel():
    size = 0.02 * units.deg
    np.testing.assert_array_equal(skymask.disk(6 * units.arcmin, pixel_size=size), skymask.disk(5))
    np.testing.assert_array_equal(skymask.disk(6 * units.arcmin, pixel_size=size / units.pix), skymask.disk(5))
    np.testing.assert_array_equal(skymask.disk(5 * units.pix), skymask.disk(5))
    ring = skymask.ring(0.1 * units.deg, 3 * units.arcmin, pixel_size=[0.02, 0.05] * units.deg)
    np.testing.assert_array_equal(ring, skymask.ring(0.1, 0.05, pixel_size=(0.02, 0.05)))
    np.testing.assert_allclose(skymask.gaussian(0.1 * units.deg, pixel_size=size), skymask.gaussian(5), rtol=1e-12)
    lengths = (0.1 * units.deg, 0.1 * units.deg)
    rings = skymask.adaptive_ring(*lengths, step=0.02 * units.deg, max_outer_radius=15 * units.arcmin, pixel_size=size)
    np.testing.assert_allclose(rings.outer_radii, [0.2, 0.22, 0.24], rtol=1e-12)


@pytest.mark.parametrize(
    ("radius", "pixel_size", "words"),
    [
        (0.1 * units.deg, 1.0, r"radius is 0.1 deg: say how large a pixel is: pixel_size=0.02 \* u.deg"),
        (0.1 * units.deg, 0.02, "pixel_size 0.02 needs a unit"),
        (5, 0.02 * units.deg, "radius must have a unit where others have one, got 5"),
        (0.1 * units.m, 0.02 * units.deg, "radius is 0.1 m: pixel_size is in deg"),
        ("0.1 deg", 1.0, "radius must be a number of pixels, or a Quantity"),
    ],
)
def test_lengths_that_cannot_be_compared_are_refused(radius, pixel_size, words):
    with pytest.raises(ValueError, match=words):
        skymask.disk(radius, pixel_size=pixel_size)


def test_a_masked_kernel_is_refused():
    with pytest.raises(ValueError, match="a kernel has no masked pixels"):
        skymask.from_array(np.ma.masked_array(np.ones((3, 3)), np.eye(3)))
