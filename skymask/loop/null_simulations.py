"""What chance alone makes of a field: simulations without sources, analysed as the counts were.

They give the errors of the off-source mean and width, for which neighbouring pixels are too much alike to be counted,
and the number of trials behind the hottest pixel.
"""

from typing import NamedTuple

import numpy as np

from skymask.core import convolution, kernels, tiling
from skymask.core.background import full_map_reason
from skymask.core.measured import OneMap
from skymask.core.quality import OffSource, off_source_values
from skymask.core.significance import with_systematic, wstat
from skymask.core.stacking import backgrounds_of, estimate_stack
from skymask.core.stored_values import StoredValues
from skymask.loop import by_rows
from skymask.loop.iteration import Products, compute_products

#: Below this chance, the chance after trials is the chance times their number, to all digits.
SMALL_CHANCE = 1e-300

#: Of maps of up to so many pixels, what all simulations share is kept.
KEPT = 2**24


class NullSimulations(NamedTuple):
    """Off-source mean and width, and highest significance, of every simulation; all of shape (number,)."""

    means: np.ndarray
    widths: np.ndarray
    highest: np.ndarray


def simulate(measured, exclusion_mask, background, **options):
    """Return what simulations of the background alone of what is measured give; see `simulate_null`.

    Parameters
    ----------
    measured : skymask.core.measured.OneMap or skymask.core.measured.Stack
        Of a stack every run and energy bin is simulated, from a background of its own.
    exclusion_mask, background, **options
        As for `simulate_null`.
    """
    known = {"statistic": measured.statistic, **options}
    if isinstance(measured, OneMap):
        of_kernels = (measured.source_kernel, measured.background_kernel)
        known["additive_background"] = measured.additive_background
        return simulate_null(background, measured.acceptance, exclusion_mask, *of_kernels, **known)
    of_kernels = (measured.source_kernels, measured.background_kernels)
    known["stacking"] = measured.stacking
    return simulate_null_stack(measured.runs, measured.acceptance, exclusion_mask, *of_kernels, **known)


def simulate_null(
    background,
    acceptance,
    exclusion_mask,
    source_kernel,
    background_kernel,
    *,
    statistic="wstat",
    background_systematic=0,
    additive_background=None,
    threshold=5,
    number=50,
    seed=0,
    folder=None,
):
    """Return what simulations of the background alone give with the same kernels, acceptance and final mask.

    Each goes through one step: the background is estimated from the simulated counts and the mask, then their
    significance is computed. The mask is that of the counts; finding it anew is not simulated.

    Parameters
    ----------
    background : image of float, shape (ny, nx)
        Expected counts per pixel. Where it is undefined, the acceptance times the mean ratio stands in. Images are
        arrays or, like them, have a shape, a dtype and rows `image[a:b]`.
    acceptance : image, shape (ny, nx)
        Expected background per pixel up to one factor; zero where there is no coverage.
    exclusion_mask : image of bool, shape (ny, nx)
        True where the pixel is used.
    source_kernel, background_kernel : ndarray
        Kernels of the analysis.
    statistic, background_systematic : str, float
        Of the significance; the simulations have no such systematic error.
    additive_background : image of float, shape (ny, nx), optional
        Known part of the background.
    threshold : float
        Where the off-source distribution is cut for its fit.
    number : int
        How many simulations.
    seed : int
        Seed of the random numbers.
    folder : str or Path, optional
        Where a temporary file may lie if the map is very large.

    Returns
    -------
    simulations : NullSimulations
    """
    known = by_rows.Measured(None, acceptance, additive_background)
    parts = by_rows.strips_of_products(
        acceptance, source_kernel, background_kernel, statistic, additive=additive_background is not None
    )
    expected = _everywhere(background, acceptance, folder)
    largest = by_rows.largest_acceptance(acceptance, parts)
    if _shares_alpha(background.shape, source_kernel, background_kernel, statistic, additive_background):
        sharing = [
            _Shared(acceptance[strip.outer], exclusion_mask[strip.outer], source_kernel, background_kernel, largest)
            for strip in parts
        ]
        expected = expected[:] if len(parts) == 1 else expected

        def shared_significances_of(random):
            drawn = _Drawn(expected, random)
            for strip, shared in zip(parts, sharing, strict=True):
                significance = shared.significance(drawn[strip.outer], background_systematic)
                yield significance[strip.inside], exclusion_mask[strip.rows] & (acceptance[strip.rows] > 0)

        return _simulations(shared_significances_of, threshold=threshold, number=number, seed=seed, folder=folder)
    acceptance_on = None
    if len(parts) == 1:
        # No simulation changes them.
        expected, acceptance_on = expected[:], convolution.convolve(acceptance[:], source_kernel)

    def significances_of(random):
        drawn = _Drawn(expected, random)
        for strip in parts:
            counts, (_, around, additive) = drawn[strip.outer], known.part(strip.outer)
            on = convolution.convolve(around, source_kernel) if acceptance_on is None else acceptance_on
            result = compute_products(
                counts,
                around,
                exclusion_mask[strip.outer],
                source_kernel,
                background_kernel,
                statistic=statistic,
                background_systematic=background_systematic,
                additive_background=additive,
                on=(convolution.convolve(counts, source_kernel), on),
                largest_acceptance=largest,
            )
            used = exclusion_mask[strip.rows] & (around[strip.inside] > 0)
            yield result.significance[strip.inside], used

    return _simulations(significances_of, threshold=threshold, number=number, seed=seed, folder=folder)


def simulate_null_stack(
    runs,
    acceptance,
    exclusion_mask,
    source_kernels,
    background_kernels,
    *,
    statistic,
    stacking="variance",
    background_systematic=0,
    threshold,
    number,
    seed,
):
    """Return figures of simulations of the background of a stack, in which every run and energy bin is simulated.

    Parameters
    ----------
    runs : iterable of skymask.core.stacking.Run
        Gone through once in every simulation.
    acceptance, exclusion_mask : ndarray, shape (ny, nx)
        Of the stack.
    source_kernels, background_kernels, statistic, stacking
        As for `skymask.core.stacking.estimate_stack`.
    background_systematic, threshold, number, seed
        As for `simulate_null`.

    Returns
    -------
    simulations : NullSimulations
    """
    options = (source_kernels, background_kernels)

    def simulated(random):
        for run in runs:
            backgrounds = backgrounds_of(run, exclusion_mask, *options, statistic=statistic)
            expected = [_everywhere(*pair)[:] for pair in zip(backgrounds, run.acceptance, strict=True)]
            yield run._replace(counts=random.poisson(expected))

    def significance_of(random):
        estimate = estimate_stack(simulated(random), exclusion_mask, *options, statistic=statistic, stacking=stacking)
        return Products(
            None,
            acceptance,
            estimate,
            source_kernels[0],
            statistic=statistic,
            background_systematic=background_systematic,
        ).significance

    used = exclusion_mask & (acceptance > 0)

    def significances_of(random):
        yield significance_of(random), used

    return _simulations(significances_of, threshold=threshold, number=number, seed=seed)


def _simulations(significances_of, *, threshold, number, seed, folder=None):
    """The figures of simulated maps of the significance, one after the other from one stream of random numbers.

    A map comes in strips, each with where it is used.
    """
    random = np.random.default_rng(seed)
    results = np.full((3, number), np.nan)
    for column in results.T:
        off_source = OffSource(threshold, folder)
        for significance, used in significances_of(random):
            off_source.add(off_source_values(significance, used))
            column[2] = np.fmax(column[2], np.fmax.reduce(significance, axis=None))
        column[:2] = off_source.fit()
    return NullSimulations(*results)


def _shares_alpha(shape, source_kernel, background_kernel, statistic, additive_background):
    """Whether alpha is the same for all counts, and no more than fits into the memory."""
    if statistic != "wstat" or additive_background is not None or shape[0] * shape[1] > KEPT:
        return False
    return full_map_reason(source_kernel, background_kernel) is None


class _Shared:
    """What depends on no counts of a significance over a ring; the counts' part is then a third of the work."""

    def __init__(self, acceptance, exclusion_mask, source_kernel, background_kernel, largest_acceptance):
        self._mask, self._source_kernel = exclusion_mask, source_kernel
        self._off = convolution.BlockSums(kernels.off_kernel(background_kernel, source_kernel, "wstat"))
        nothing = np.zeros(acceptance.shape, dtype=np.int64)
        # Not a number where there is no coverage.
        self._alpha = compute_products(
            nothing,
            acceptance,
            exclusion_mask,
            source_kernel,
            background_kernel,
            statistic="wstat",
            largest_acceptance=largest_acceptance,
        ).alpha

    def significance(self, counts, background_systematic):
        """Return the map of the significance of counts, to the bit that of `compute_products`."""
        n_on, n_off = convolution.convolve(counts, self._source_kernel), np.empty(counts.shape, np.int64)
        self._off.sums_of_map(counts * self._mask, n_off)
        significance = np.empty(counts.shape)
        for strip in tiling.strips(counts.shape):
            off = with_systematic(n_off[strip], self._alpha[strip], background_systematic)
            significance[strip] = wstat(n_on[strip], *off)
        return significance


class _Drawn:
    """Poisson numbers of the rows of an expected map, drawn row by row as they are asked for.

    Rows may be asked for again as long as none before them has been left out.
    """

    def __init__(self, expected, random):
        self._expected, self._random = expected, random
        self._begin, self._rows = 0, np.empty((0, expected.shape[1]), dtype=np.int64)

    def __getitem__(self, rows):
        drawn = self._begin + len(self._rows)
        new = self._random.poisson(self._expected[drawn : max(rows.stop, drawn)])
        self._rows = np.concatenate([self._rows[rows.start - self._begin :], new])
        self._begin = rows.start
        return self._rows[: rows.stop - rows.start]


def number_of_trials(highest):
    r"""Return the number of independent trials whose highest significances are distributed like these.

    The highest of N trials is below S with the probability :math:`(1 - p)^N`, where p is the chance of a normal
    variable to exceed S. So :math:`-\ln(1 - p)` is exponentially distributed with the rate N, and the likelihood is
    largest for the inverse of its mean.

    Parameters
    ----------
    highest : ndarray of float, shape (n,)
        Highest significance of each simulation.

    Returns
    -------
    trials : float
        NaN without simulations. Its relative standard error is one over the root of n.
    """
    from scipy.special import ndtr

    highest = highest[~np.isnan(highest)]
    rates = -np.log1p(-ndtr(-highest))
    return float(1 / rates.mean()) if highest.size and rates.any() else float("nan")


def post_trial_significance(significance, trials):
    r"""Return the significance, in normal standard deviations, of the highest of several independent trials.

    .. math:: p_{after} = 1 - (1 - p)^N

    with the chance p of a normal variable to exceed `significance`, once; negative if more than half of all fields
    without sources have a higher one.
    """
    from scipy.special import log_ndtr, ndtri_exp

    significance = float(significance)
    if np.isinf(significance) or np.isnan(trials):
        return significance if np.isinf(significance) else float("nan")
    log_chance = log_ndtr(-significance)
    if log_chance > np.log(SMALL_CHANCE):
        chance = np.exp(log_chance)
        # The chance of no trial to exceed it, which tells large chances apart where the other one is 1.
        log_none = trials * np.log1p(-chance)
        if log_none < -1:
            return float(ndtri_exp(log_none))
        log_after = np.log(-np.expm1(log_none))
    else:
        log_after = log_chance + np.log(trials)
    return float(-ndtri_exp(log_after))


def summarize(simulations, highest_significance, *, pixels, kernel_areas, number, seed):
    """Return what the simulations say of a result, for its null.json.

    Parameters
    ----------
    simulations : NullSimulations
        Of `simulate_null`; may be none.
    highest_significance : float or None
        Of the hottest pixel.
    pixels : int
        Pixels with a significance: more trials than these there cannot be, if pixels were normal variables.
    kernel_areas : float
        How many source kernels fit into them: about the fewest trials.
    number, seed : int
        As simulated.

    Returns
    -------
    null : dict
        `off_source_mean_error` and `off_source_width_error` (standard deviations of the simulations), and the means of
        both; `trials` and `post_trial_significance` with their errors; the significances that the bounds on the number
        of trials give. None where there is nothing to tell; `null_notes` say why, and where the simulations gave a
        number of trials beyond its bounds, which then stand for it.
    """
    trials, notes = _bounded_trials(simulations.highest, kernel_areas, pixels)
    relative_error = 1 / np.sqrt(max(simulations.highest.size, 1))
    after = {
        "post_trial_significance": trials,
        "post_trial_significance_min": float(max(pixels, 1)),
        "post_trial_significance_max": float(max(kernel_areas, 1)),
    }
    if highest_significance is None or not float(highest_significance) > 0:
        after = dict.fromkeys(after)
        low = high = np.nan
        notes = [*notes, "no pixel has an excess: there is no significance after trials"]
    else:
        after = {key: post_trial_significance(highest_significance, n) for key, n in after.items()}
        low, high = (
            post_trial_significance(highest_significance, trials * np.exp(sign * relative_error)) for sign in (1, -1)
        )
    error = 0.0 if low == high else 0.5 * (high - low)
    return {
        "null_simulations": number,
        "null_seed": seed,
        "null_off_source_mean": _mean(simulations.means),
        "null_off_source_width": _mean(simulations.widths),
        "off_source_mean_error": _spread(simulations.means),
        "off_source_width_error": _spread(simulations.widths),
        "trials": _known(trials),
        "trials_error": _known(trials * relative_error),
        "trials_min": kernel_areas,
        "trials_max": pixels,
        **{key: _known(value) for key, value in after.items()},
        "post_trial_significance_error": _known(error),
        "null_notes": notes,
    }


def _bounded_trials(highest, fewest, most):
    """Number of trials of the highest significances of simulations, within its bounds, and why it is not their own."""
    highest = highest[~np.isnan(highest)]
    if not highest.size:
        return np.nan, ["no simulation has a significance: the number of trials is not known"]
    if not (highest > 0).any():
        return np.nan, ["no simulation has an excess: the number of trials is not known"]
    trials = number_of_trials(highest)
    bounded = float(np.clip(trials, max(fewest, 1), max(most, 1)))
    if np.isnan(trials) or bounded == trials:
        return trials, []
    bound = "there are no more pixels" if bounded < trials else "there are more source kernels"
    return bounded, [f"{highest.size} simulations give {trials:.4g} trials, and {bound} than {bounded:.4g}"]


def kernel_area(kernel):
    """Return the number of pixels that share the weight of a kernel: all of it, if their weights are equal."""
    weights = kernel.astype(float)
    return float(weights.sum() ** 2 / (weights**2).sum())


def _everywhere(background, acceptance, folder=None):
    """The background where it is known, elsewhere the acceptance times the ratio of their sums; an image by rows."""

    def part(rows):
        of_rows, weights = background[rows], acceptance[rows]
        return of_rows, weights, ~np.isnan(of_rows) & (weights > 0)

    def sum_of(image):
        values = StoredValues(folder)
        for rows in parts:
            values.append(image[rows][part(rows)[2]].astype(float))
        return values.sum()

    parts = [strip[0] for strip in tiling.strips(background.shape, by_rows.READ)]
    ratio = 0.0
    if any((~known & (weights > 0)).any() for _, weights, known in map(part, parts)):
        total = sum_of(acceptance)
        ratio = sum_of(background) / total if total > 0 else 0.0

    def expected(rows):
        of_rows, weights, known = part(rows)
        return np.where(known, of_rows, ratio * weights)

    return by_rows.RowsOf(background.shape, expected, float)


def _known(value):
    return None if value is None or np.isnan(value) else float(value)


def _mean(values):
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else None


def _spread(values):
    """Standard deviation, None for fewer than two values."""
    values = values[~np.isnan(values)]
    return float(values.std(ddof=1)) if values.size > 1 else None
