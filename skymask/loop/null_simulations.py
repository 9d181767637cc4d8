"""What chance alone makes of a field: simulations without sources, analysed as the counts were.

They give the errors of the off-source mean and width, for which neighbouring pixels are too much alike to be counted,
and the number of trials behind the hottest pixel.
"""

from typing import NamedTuple

import numpy as np

from skymask.core import convolution
from skymask.core.quality import fit_off_source, off_source_values
from skymask.core.stacking import backgrounds_of, estimate_stack
from skymask.loop.iteration import Products, compute_products

#: Below this chance, the chance after trials is the chance times their number, to all digits.
SMALL_CHANCE = 1e-300


class NullSimulations(NamedTuple):
    """Off-source mean and width, and highest significance, of every simulation; all of shape (number,)."""

    means: np.ndarray
    widths: np.ndarray
    highest: np.ndarray


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
):
    """Return what simulations of the background alone give with the same kernels, acceptance and final mask.

    Each goes through one step: the background is estimated from the simulated counts and the mask, then their
    significance is computed. The mask is that of the counts; finding it anew is not simulated.

    Parameters
    ----------
    background : ndarray of float, shape (ny, nx)
        Expected counts per pixel. Where it is undefined, the acceptance times the mean ratio stands in.
    acceptance : ndarray, shape (ny, nx)
        Expected background per pixel up to one factor; zero where there is no coverage.
    exclusion_mask : ndarray of bool, shape (ny, nx)
        True where the pixel is used.
    source_kernel, background_kernel : ndarray
        Kernels of the analysis.
    statistic, background_systematic : str, float
        Of the significance; the simulations have no such systematic error.
    additive_background : ndarray of float, shape (ny, nx), optional
        Known part of the background.
    threshold : float
        Where the off-source distribution is cut for its fit.
    number : int
        How many simulations.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    simulations : NullSimulations
    """
    expected = _everywhere(background, acceptance)
    # No simulation changes it.
    acceptance_on = convolution.convolve(acceptance, source_kernel)

    def significance_of(random):
        counts = random.poisson(expected)
        return compute_products(
            counts,
            acceptance,
            exclusion_mask,
            source_kernel,
            background_kernel,
            statistic=statistic,
            background_systematic=background_systematic,
            additive_background=additive_background,
            on=(convolution.convolve(counts, source_kernel), acceptance_on),
        ).significance

    used = exclusion_mask & (acceptance > 0)
    return _simulations(significance_of, used, threshold=threshold, number=number, seed=seed)


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
            expected = [_everywhere(*pair) for pair in zip(backgrounds, run.acceptance, strict=True)]
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
    return _simulations(significance_of, used, threshold=threshold, number=number, seed=seed)


def _simulations(significance_of, used, *, threshold, number, seed):
    """The figures of simulated maps of the significance, one after the other from one stream of random numbers."""
    random = np.random.default_rng(seed)
    results = np.full((3, number), np.nan)
    for column in results.T:
        significance = significance_of(random)
        defined = significance[~np.isnan(significance)]
        column[:2] = fit_off_source(off_source_values(significance, used), threshold)
        column[2] = defined.max() if defined.size else np.nan
    return NullSimulations(*results)


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


def _everywhere(background, acceptance):
    """The background where it is known, elsewhere the acceptance times the ratio of their sums."""
    known = ~np.isnan(background) & (acceptance > 0)
    total = acceptance[known].sum(dtype=float)
    ratio = background[known].sum() / total if total > 0 else 0.0
    return np.where(known, background, ratio * acceptance)


def _known(value):
    return None if value is None or np.isnan(value) else float(value)


def _mean(values):
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else None


def _spread(values):
    """Standard deviation, None for fewer than two values."""
    values = values[~np.isnan(values)]
    return float(values.std(ddof=1)) if values.size > 1 else None
