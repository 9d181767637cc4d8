"""Counts, acceptance, mask and background as the loop wants them, or a clear reason why they cannot be used."""

from typing import NamedTuple

import numpy as np

from skymask.core import tiling
from skymask.core.plain_arrays import check_same_sky, plain
from skymask.errors import MapError

#: A count beyond this is no count of events.
MAX_COUNT = 2**31 - 1


#: What lies below zero by at most this fraction of the largest value of a map is zero but for rounding.
ROUNDING = 1e-6

#: A user's mask that excludes more than this fraction may have the opposite convention.
MANY = 0.5

#: Name of the user's mask, and what its ones and zeros mean.
MASK_WORDS = ("exclusion_mask", "used", "excluded")

#: What is said of a user's mask that leaves nothing.
NOTHING_USED = "exclusion_mask excludes every covered pixel (1 means used, 0 means excluded)"

#: What is said of an initial background that is none.
NO_BACKGROUND = "background is undefined in every covered pixel"

#: What is said of a map without data.
NO_COVERAGE = "no coverage at all: no pixel has both finite counts and an acceptance above zero"

#: Warning about a map without events.
NO_COUNTS = "there is not a single count in the map"


class Inputs(NamedTuple):
    """Checked input arrays of one dataset, all of shape (ny, nx).

    Attributes
    ----------
    counts : ndarray of int
        Zero where there is no coverage.
    acceptance : ndarray of uint8 or float
        Zero where, and only where, there is no coverage; 1 elsewhere if none was given.
    exclusion_mask : ndarray of bool
        The user's mask and regions, True where the pixel may be used; True without coverage.
    background : ndarray of float or None
        The user's initial background, NaN where undefined.
    warnings : list of str
        What is odd but no error.
    additive_background : ndarray of float or None
        Known counts per pixel that come under the estimate; zero where there is no coverage.
    largest_acceptance : float or None
        That of the whole map, if these are the inputs of a part of it.
    """

    counts: np.ndarray
    acceptance: np.ndarray
    exclusion_mask: np.ndarray
    background: np.ndarray | None
    warnings: list
    additive_background: np.ndarray | None = None
    largest_acceptance: float | None = None

    @property
    def coverage(self):
        """True where there is data."""
        return self.acceptance > 0


def prepare(
    counts,
    *,
    acceptance=None,
    coverage=None,
    exclusion_mask=None,
    region_mask=None,
    background=None,
    additive_background=None,
    min_acceptance_fraction=0,
):
    """Return the arrays of a dataset, checked and in the form that every step expects.

    Parameters
    ----------
    counts : array_like, shape (ny, nx)
        Whole numbers, zero or more; NaN where there is no coverage. Maps may be masked arrays, Quantities, NDData or
        gammapy Maps, too; see `skymask.core.plain_arrays.plain`.
    acceptance : array_like, shape (ny, nx), optional
        Zero or more; zero or NaN where there is no coverage. One everywhere if not given.
    coverage : array_like, shape (ny, nx), optional
        True or 1 where there is data, False or 0 where there is none, whatever counts and acceptance say.
    exclusion_mask : array_like, shape (ny, nx), optional
        True or 1 where the pixel may be used, False or 0 where it never is.
    region_mask : array_like, shape (ny, nx), optional
        The same for exclusion regions; a pixel is used where both masks say so.
    background : array_like, shape (ny, nx), optional
        Initial background in counts per pixel; NaN where undefined.
    additive_background : array_like, shape (ny, nx), optional
        Known counts per pixel of a component under the estimate, zero or more wherever there is coverage.
    min_acceptance_fraction : float
        Pixels whose acceptance is below this fraction of the largest one have no coverage.

    Returns
    -------
    inputs : Inputs

    Raises
    ------
    MapError
        If an array cannot be what it is said to be, or nothing is left to work with.
    """
    given = {
        "exclusion_mask": exclusion_mask,
        "region_mask": region_mask,
        "background": background,
    }
    data = prepare_data(
        counts,
        acceptance=acceptance,
        coverage=coverage,
        additive_background=additive_background,
        min_acceptance_fraction=min_acceptance_fraction,
        others=given,
    )
    check_same_sky(counts, acceptance=acceptance, coverage=coverage, additive_background=additive_background, **given)
    if not data.acceptance.any():
        where = "" if coverage is None else " where the coverage is 1"
        raise MapError(NO_COVERAGE + where)
    inputs = with_users_maps(data, **given)
    if data.additive_background is not None:
        used = inputs.exclusion_mask & inputs.coverage
        if (expected := data.additive_background[used].sum()) > (seen := data.counts[used].sum()):
            inputs.warnings.append(
                f"additive_background expects {expected:.6g} counts in the used pixels, and there are {seen}: "
                "is it in counts per pixel?"
            )
    return inputs


def prepare_part(counts, *, acceptance=None, exclusion_mask=None, background=None, largest_acceptance=None):
    """Return the inputs of some rows of a map, checked as by `prepare` but for what only the whole map can tell.

    Parameters and errors are those of `prepare`; `largest_acceptance` is that of the whole map, if known.
    """
    others = {"exclusion_mask": exclusion_mask, "background": background}
    data = prepare_data(counts, acceptance=acceptance, others=others)
    coverage = data.acceptance > 0
    mask = ~coverage
    if exclusion_mask is None:
        mask[:] = True
    else:
        mask |= _check_mask(plain(exclusion_mask, "exclusion_mask"), *MASK_WORDS, coverage)
    if background is not None:
        background = _check_background(plain(background, "background"), coverage)
    return Inputs(data.counts, data.acceptance, mask, background, data.warnings, None, largest_acceptance)


class Data(NamedTuple):
    """What was measured and what is expected, as in `Inputs`, before any mask; there may be no coverage at all."""

    counts: np.ndarray
    acceptance: np.ndarray
    additive_background: np.ndarray | None
    warnings: list


def prepare_data(
    counts, *, acceptance=None, coverage=None, additive_background=None, min_acceptance_fraction=0, others=()
):
    """Return what was measured, checked; see `prepare`, which has the same parameters.

    Parameters
    ----------
    others : dict of str to array_like or None
        Further maps that must have the shape of the counts, by name.

    Returns
    -------
    data : Data

    Raises
    ------
    MapError
        If an array cannot be what it is said to be.
    """
    counts = plain(counts, "counts")
    if counts.ndim != 2 or 0 in counts.shape:
        raise MapError(f"counts must be a two-dimensional map, got the shape {counts.shape}")
    given = {"acceptance": acceptance, "coverage": coverage, "additive_background": additive_background, **dict(others)}
    given = {name: plain(array, name) for name, array in given.items() if array is not None}
    for name, array in {"counts": counts, **given}.items():
        if array.dtype.kind not in "buif":
            raise MapError(f"{name} must hold numbers, got {array.dtype}")
        if array.shape != counts.shape:
            raise MapError(f"{name} has the shape {array.shape}, counts {counts.shape}: they must agree")

    # Where there is no coverage, maps may hold whatever they like.
    within = None if coverage is None else check_coverage(given["coverage"])
    covered, warnings = _check_counts(counts, within), []
    if within is not None:
        outside = counts[~within]
        if lost := int(outside[np.isfinite(outside) & (outside > 0)].sum()):
            warnings.append(f"{lost} counts lie where the coverage is 0; they are left out")
    if acceptance is None:
        acceptance = covered.view(np.uint8)
    else:
        acceptance, lost = _check_acceptance(given["acceptance"], counts, covered)
        if lost:
            warnings.append(f"{lost} counts lie where the acceptance is zero or undefined; they are left out")
    if min_acceptance_fraction:
        acceptance = np.where(acceptance < min_acceptance_fraction * acceptance.max(), 0, acceptance)
    coverage = acceptance > 0
    counts = _whole_numbers(counts, coverage)
    if additive_background is not None:
        additive_background = _check_additive(given["additive_background"], coverage)
    return Data(counts, acceptance, additive_background, warnings)


def _whole_numbers(counts, coverage):
    """Counts as integers of 32 bits, zero where there is no coverage."""
    if counts.dtype.kind != "f" and coverage.all():
        return np.ascontiguousarray(counts, dtype=np.int32)
    whole = np.empty(counts.shape, dtype=np.int32)
    for strip in tiling.strips(counts.shape):
        whole[strip] = np.where(coverage[strip], counts[strip], 0)
    return whole


def with_users_maps(data, *, exclusion_mask=None, region_mask=None, background=None):
    """Return inputs of the loop, from what was measured and the user's own masks and background; see `prepare`.

    Raises
    ------
    MapError
        If they exclude everything, or are not what they are said to be.
    """
    coverage, warnings = data.acceptance > 0, list(data.warnings)
    mask = np.ones(coverage.shape, dtype=bool)
    if exclusion_mask is not None:
        mask = _check_mask(plain(exclusion_mask, "exclusion_mask"), *MASK_WORDS, coverage)
        excluded = _excluded_fraction(mask, coverage)
        if excluded == 1:
            raise MapError(NOTHING_USED)
        if excluded > MANY:
            warnings.append(
                f"exclusion_mask excludes {excluded:.0%} of the map; 1 means used, 0 excluded: is it inverted?"
            )
    if region_mask is not None:
        regions = np.asarray(region_mask).astype(bool)
        mask = mask & regions
        if _excluded_fraction(mask, coverage) == 1:
            both = "exclusion_mask and exclusion_regions together exclude"
            raise MapError(f"{both if exclusion_mask is not None else 'exclusion_regions exclude'} every covered pixel")
        if (excluded := _excluded_fraction(regions, coverage)) > MANY:
            warnings.append(f"exclusion_regions exclude {excluded:.0%} of the map")
    mask |= ~coverage
    if background is not None:
        background = _check_background(plain(background, "background"), coverage)
        if np.isnan(background).all():
            raise MapError(NO_BACKGROUND)
    if not data.counts.any():
        warnings.append(NO_COUNTS)
    return Inputs(data.counts, data.acceptance, mask, background, warnings, data.additive_background)


def check_coverage(coverage):
    """Return a coverage map as booleans, once it is known to hold nothing but 1 and 0.

    Raises
    ------
    MapError
        If it holds anything else.
    """
    return _check_mask(coverage, "coverage", "data", "none")


def _check_counts(counts, within=None):
    """Where counts are defined, and there is coverage, once they are known to be counts there."""
    if counts.dtype.kind != "f" and counts.min() >= 0 and counts.max() <= MAX_COUNT:
        return np.ones(counts.shape, dtype=bool) if within is None else within
    covered = np.empty(counts.shape, dtype=bool)
    for strip in tiling.strips(counts.shape):
        part = counts[strip]
        covered[strip] = ~np.isnan(part)
        if within is not None:
            covered[strip] &= within[strip]
        defined = part[covered[strip]]
        if ((defined < 0) | (defined > MAX_COUNT) | (defined != np.floor(defined))).any():
            _tell_what_is_wrong(counts, within)
    return covered


def _tell_what_is_wrong(counts, within):
    """Raise a MapError about counts that are none."""
    covered = ~np.isnan(counts) if within is None else within & ~np.isnan(counts)
    for problem, bad in {
        "infinite": np.isinf(counts),
        "negative": counts < 0,
        "too large to be counts": counts > MAX_COUNT,
    }.items():
        bad &= covered
        if bad.any():
            raise MapError(f"counts are {problem} in {bad.sum()} pixels ({_first(bad, counts)})")
    fractional = covered & (counts != np.floor(counts))
    raise MapError(
        f"counts are no whole numbers in {fractional.sum()} pixels ({_first(fractional, counts)}): "
        "the statistics need numbers of events, not rates, fluxes or smoothed maps"
    )


def _check_acceptance(acceptance, counts, covered):
    """Acceptance with zeros for no coverage, and the number of counts that this leaves out."""
    checked, lost = np.empty(acceptance.shape, float if acceptance.dtype.kind == "f" else np.int64), 0
    for strip in tiling.strips(acceptance.shape):
        checked[strip] = np.where(covered[strip] & ~np.isnan(acceptance[strip]), acceptance[strip], 0)
    checked = _not_negative("acceptance", checked)
    for strip in tiling.strips(acceptance.shape):
        lost += int(counts[strip][covered[strip] & (checked[strip] == 0)].sum())
    return checked, lost


def _not_negative(name, values):
    """Values of zero or more, once they are known to be finite, and not below zero by more than rounding."""
    if values.min() >= 0 and values.max() < np.inf:
        return values
    for problem, bad in {"infinite": np.isinf(values), "negative": values < -ROUNDING * values.max()}.items():
        if bad.any():
            raise MapError(f"{name} is {problem} in {bad.sum()} pixels ({_first(bad, values)})")
    return np.maximum(values, 0)


def _check_mask(mask, name, one, zero, within=None):
    """A mask as booleans, once it is known to hold nothing but 1 and 0, at least within another mask."""
    bad = ~((mask == 0) | (mask == 1))
    if within is not None:
        bad &= within
    if bad.any():
        raise MapError(
            f"{name} must hold 1 ({one}) and 0 ({zero}) only, not in {bad.sum()} pixels ({_first(bad, mask)})"
        )
    return mask == 1


def _excluded_fraction(mask, coverage):
    return 1 - np.count_nonzero(mask & coverage) / np.count_nonzero(coverage)


def _check_background(background, coverage):
    defined = coverage & ~np.isnan(background)
    return np.where(defined, _not_negative("background", np.where(defined, background, 0)), np.nan).astype(float)


def _check_additive(additive, coverage):
    undefined = np.isnan(additive) & coverage
    if undefined.any():
        raise MapError(f"additive_background is undefined in {undefined.sum()} pixels ({_first(undefined, additive)})")
    return _not_negative("additive_background", np.where(coverage, additive, 0)).astype(float)


def _first(bad, array):
    y, x = np.argwhere(bad)[0]
    return f"first at x = {x}, y = {y}: {array[y, x]:g}"
