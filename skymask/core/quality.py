"""How good a result is: the off-source significance distribution, the hottest pixel, what was left out.

Doubts and verdict need nothing but the standard library, so that recording a status costs no import.
"""

import math

#: What is said of a result without any background.
NO_BACKGROUND_ANYWHERE = (
    "no pixel has a background with the final mask, and all maps that need one are NaN: too much is excluded, or the "
    "background kernel does not suit the map"
)

#: So many runs without a background are named.
MAX_NAMED = 5

#: Below this many off counts, the on/off significance is a poor approximation.
MIN_COUNTS_OFF = 10


class OffSource:
    """The off-source significances of a map, handed over some rows at a time, and the normal distribution they follow.

    Parameters
    ----------
    threshold : float
        Where the distribution is cut.
    folder : str or Path, optional
        Where a temporary file may lie if they are very many.
    """

    def __init__(self, threshold, folder=None):
        from skymask.core.stored_values import StoredValues

        self._threshold, self._below, self._above = threshold, StoredValues(folder), StoredValues(folder)
        self._range = (math.inf, -math.inf)

    def add(self, values):
        """Add finite values, an array of one dimension."""
        below = values < self._threshold
        for stored, part in ((self._below, values[below]), (self._above, values[~below])):
            if part.size:
                stored.append(part)
                if stored is self._below:
                    self._range = min(self._range[0], part.min()), max(self._range[1], part.max())

    @property
    def size(self):
        """The number of all values."""
        return self._below.size + self._above.size

    def moments(self):
        """Return mean and variance of the values below the threshold, None if there are none."""
        if not self._below.size:
            return None
        mean = self._below.mean()
        return float(mean), float(self._below.variance(mean))

    def fit(self):
        """Return mean and width as `fit_off_source` does."""
        if self._below.size < 2 or self._range[0] == self._range[1]:
            return float("nan"), float("nan")
        return fit_truncated_normal(*self.moments(), self._threshold)

    def count(self, condition):
        """Return the number of values for which a condition is true."""
        return self._below.count(condition) + self._above.count(condition)


def fit_off_source(significance, threshold):
    """Return mean and width of a normal distribution, cut at `threshold`, that fits the values best.

    Parameters
    ----------
    significance : ndarray of float, shape (n,)
        Finite values; those at or above `threshold` are dropped.
    threshold : float
        Where the distribution is cut.

    Returns
    -------
    mean, width : float
        NaN, NaN for fewer than two different values.
    """
    off_source = OffSource(threshold)
    off_source.add(significance)
    return off_source.fit()


def fit_truncated_normal(mean, variance, threshold):
    """Return mean and width of the normal distribution whose values below `threshold` most likely have these moments.

    Excluding pixels above a threshold cuts their distribution there; the plain mean and width of what is left are
    biased. This maximises the likelihood of the truncated normal distribution (Cohen 1959, Technometrics 1, 217,
    doi:10.1080/00401706.1959.10489859), which depends on the values through their mean and variance alone.
    """
    import numpy as np
    from scipy.special import log_ndtr

    from skymask.core.simplex import minimize

    def negative_log_likelihood(mu, log_sigma):
        # As numbers of numpy, which may overflow.
        sigma = np.exp(log_sigma)
        spread = (variance + (mean - mu) ** 2) / (2 * sigma**2)
        return spread + log_sigma + log_ndtr((threshold - mu) / sigma)

    mu, log_sigma = minimize(negative_log_likelihood, (mean, float(0.5 * np.log(variance))))
    return mu, float(np.exp(log_sigma))


def expected_after_cut(threshold):
    r"""Return mean and width of a standard normal distribution cut at `threshold`.

    .. math:: \bar x = -\frac{\varphi(T)}{\Phi(T)}, \quad w^2 = 1 + T \bar x - \bar x^2

    (Johnson, Kotz & Balakrishnan 1994, Continuous Univariate Distributions, vol. 1, sect. 13.10.1.) It is what plain
    moments of the used pixels would be without sources, if pixels above the threshold alone were excluded; dilation
    takes out more.
    """
    # The density and its integral up to the threshold, without the import of a library for them.
    density = math.exp(-0.5 * threshold**2) / math.sqrt(2 * math.pi)
    mean = -density / (0.5 * math.erfc(-threshold / math.sqrt(2)))
    return mean, math.sqrt(1 + threshold * mean - mean**2)


def off_source_values(significance, used):
    """Return the defined significances of the used pixels."""
    from numpy import isfinite

    return significance[used & isfinite(significance)]


def in_widths(significance, used, threshold):
    r"""Return a significance map as distances from the off-source mean in units of the off-source width.

    .. math:: S' = (S - \mu) / \max(w, 1)

    with mean :math:`\mu` and width w of the used pixels, of a normal distribution cut at the threshold: the empirical
    null distribution takes the place of the theoretical one (Efron 2004, J. Am. Stat. Assoc. 99, 96,
    doi:10.1198/016214504000000089). They depend on the map and on which pixels are used, and on nothing before. A width
    below 1 is what exclusion leaves of a normal distribution, and no reason to exclude more.

    Parameters
    ----------
    significance : ndarray of float, shape (ny, nx)
    used : ndarray of bool, shape (ny, nx)
        True where the pixel is covered and not excluded.
    threshold : float
        Where the distribution is cut for the fit, in standard deviations; sources above it are not part of it.

    Returns
    -------
    significance : ndarray of float, shape (ny, nx)
        As it was, where there are too few values for a fit.
    """
    mean, width = fit_off_source(off_source_values(significance, used), threshold)
    return significance if math.isnan(mean) else (significance - mean) / max(width, 1.0)


def assess_quality(
    significance, exclusion_mask, coverage, counts_off, *, threshold, threshold_in_widths=False, ring_radius=None
):
    """Return the quality figures of a result.

    Parameters
    ----------
    significance : ndarray of float, shape (ny, nx)
        Final significance, NaN where undefined.
    exclusion_mask, coverage : ndarray of bool, shape (ny, nx)
        True where the pixel is used, and where there is data.
    counts_off : ndarray of float, shape (ny, nx)
        Off counts of the background estimate.
    threshold : float
        Threshold of the exclusion.
    threshold_in_widths : bool
        Whether it counts in off-source widths; see `in_widths`.
    ring_radius : ndarray of float, shape (ny, nx), optional
        Of an adaptive ring: the radius used, NaN where no ring sufficed.

    Returns
    -------
    quality : dict
        `off_source_mean` and `off_source_width` (fitted), the plain mean and width of the same values
        (`clipped_mean`, `clipped_width`) and what the cut alone makes of a standard normal distribution
        (`expected_clipped_mean`, `expected_clipped_width`), `off_source_pixels`, `highest_significance` and its pixel
        (`highest_x`, `highest_y`, counted from 0), `excluded` and `excluded_fraction`, `starved` pixels,
        `few_counts_off` (pixels with fewer than `MIN_COUNTS_OFF` off counts), and `unexcluded_above_threshold`:
        used pixels that reach the threshold, zero for a fixed point; `effective_threshold`, the significance that the
        threshold stands for; for an adaptive ring also `without_ring`,
        covered pixels for which no ring sufficed.
    """
    quality = Quality(threshold=threshold, threshold_in_widths=threshold_in_widths)
    quality.add(significance, exclusion_mask, coverage, counts_off, ring_radius)
    return quality.figures()


class Quality:
    """The quality figures of a result that is handed over some rows at a time; see `assess_quality`.

    Parameters
    ----------
    threshold, threshold_in_widths : float, bool
        Of `assess_quality`.
    folder : str or Path, optional
        Where temporary files may lie if the map is very large.
    """

    def __init__(self, *, threshold, threshold_in_widths=False, folder=None):
        self._threshold, self._in_widths = threshold, threshold_in_widths
        self._off_source = OffSource(threshold, folder)
        self._pixels = dict.fromkeys(("covered", "excluded", "starved", "few", "above", "infinite"), 0)
        self._without_ring, self._rows = None, 0
        self._highest = (None, None, None)

    def add(self, significance, exclusion_mask, coverage, counts_off, ring_radius=None):
        """Add the next rows; the parameters are those of `assess_quality`."""
        import numpy as np

        used, undefined = exclusion_mask & coverage, np.isnan(significance)
        with_infinite = significance[used & ~undefined]
        finite = off_source_values(significance, used)
        self._off_source.add(finite)
        if not undefined.all():
            place = np.unravel_index(np.nanargmax(significance), significance.shape)
            highest = float(significance[place])
            if self._highest[0] is None or highest > self._highest[0]:
                self._highest = highest, int(place[1]), self._rows + int(place[0])
        found = {
            "covered": coverage,
            "excluded": coverage & ~exclusion_mask,
            "starved": coverage & undefined,
            "few": coverage & ~undefined & (counts_off < MIN_COUNTS_OFF),
            "above": with_infinite >= self._threshold,
            "infinite": with_infinite == np.inf,
        }
        for name, pixels in found.items():
            self._pixels[name] += int(np.count_nonzero(pixels))
        if ring_radius is not None:
            self._without_ring = (self._without_ring or 0) + int(np.count_nonzero(coverage & np.isnan(ring_radius)))
        self._rows += len(significance)

    def figures(self):
        """Return the figures of all rows together."""
        pixels, threshold, effective_threshold = self._pixels, self._threshold, self._threshold
        mean, width = self._off_source.fit()
        above = pixels["above"]
        if self._in_widths and not math.isnan(mean):
            effective_threshold = mean + threshold * max(width, 1.0)
            above = pixels["infinite"] + self._off_source.count(
                lambda values: (values - mean) / max(width, 1.0) >= threshold
            )
        clipped_mean, clipped_variance = self._off_source.moments() or (None, None)
        expected_mean, expected_width = expected_after_cut(threshold)
        highest, highest_x, highest_y = self._highest
        return {
            "covered": pixels["covered"],
            "excluded": pixels["excluded"],
            "excluded_fraction": pixels["excluded"] / pixels["covered"],
            "starved": pixels["starved"],
            **({} if self._without_ring is None else {"without_ring": self._without_ring}),
            "few_counts_off": pixels["few"],
            "unexcluded_above_threshold": above,
            "effective_threshold": float(effective_threshold),
            "highest_significance": highest,
            "highest_x": highest_x,
            "highest_y": highest_y,
            "off_source_pixels": self._off_source.size,
            "off_source_mean": None if math.isnan(mean) else mean,
            "off_source_width": None if math.isnan(width) else width,
            "clipped_mean": clipped_mean,
            "clipped_width": None if clipped_variance is None else math.sqrt(clipped_variance),
            "expected_clipped_mean": expected_mean,
            "expected_clipped_width": expected_width,
        }


def without_background_text(names):
    """Return what is said of runs of a stack that have no background, by name."""
    named = "; ".join(names[:MAX_NAMED])
    if len(names) > MAX_NAMED:
        named += f"; and {len(names) - MAX_NAMED} more"
    return (
        f"no background could be estimated with the final mask for {named}: nothing of it is in the stack (too much is "
        "excluded, or the counts do not determine the background)"
    )


def verdict(quality_warnings):
    """Return "warn" for a result that raises quality_warnings, "pass" for one that does not."""
    return "warn" if quality_warnings else "pass"


def quality_warnings(quality, state, thresholds):
    """Return warnings about a result: what a careful reader of its quality figures would object to.

    Parameters
    ----------
    quality : dict
        Of `assess_quality`.
    state : str
        How the loop ended.
    thresholds : dict
        Largest values that raise no doubt: of the off-source mean's distance from 0 (`off_source_mean`) and of its
        width's from 1 (`off_source_width`), and of the fractions of covered pixels that are starved
        (`starved_fraction`) or have few off counts (`few_counts_off_fraction`).
    """
    warnings = []
    if state == "runaway":
        warnings.append("the loop ran away: it excluded so much that the background cannot be trusted")
    if quality["starved"] == quality["covered"]:
        warnings.append(NO_BACKGROUND_ANYWHERE)
    if lost := quality.get("without_background"):
        warnings.append(without_background_text(lost))
    for key, what in (
        ("starved", "have no background"),
        ("few_counts_off", f"have fewer than {MIN_COUNTS_OFF} off counts"),
    ):
        fraction = quality[key] / quality["covered"]
        if fraction < 1 and fraction > thresholds[f"{key}_fraction"]:
            warnings.append(
                f"{fraction:.0%} of the pixels {what}: the background kernel is too small, or too large for the map, "
                "or too much is excluded"
            )
    mean, width = quality["off_source_mean"], quality["off_source_width"]
    if mean is not None and (
        abs(mean) > thresholds["off_source_mean"] or abs(width - 1) > thresholds["off_source_width"]
    ):
        expected = ""
        if quality.get("null_off_source_width") is not None:
            simulated = f"{quality['null_off_source_mean']:+.3f} and {quality['null_off_source_width']:.3f}"
            expected = f" (simulations without sources have {simulated})"
        warnings.append(
            f"off-source mean {mean:+.3f} and width {width:.3f} are far from 0 and 1{expected}: "
            "an acceptance may be missing, or sources may be left in the background"
        )
    return warnings
