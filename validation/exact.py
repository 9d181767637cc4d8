"""Expectations of statistics of two Poisson numbers, as sums over all of their values."""

import numpy as np
from scipy.stats import poisson

#: Chance of what is left out at either end of a Poisson distribution.
NEGLECTED = 1e-13


def expectation(function, mu_on, mu_off):
    """Return the expectation of a function of Poisson numbers n_on and n_off.

    Parameters
    ----------
    function : callable
        Of n_on, shape (m, 1), and n_off, shape (1, n); returns arrays of shape (..., m, n).
    mu_on, mu_off : float
        Their means.

    Returns
    -------
    expectation : ndarray of shape (...)
    """
    (n_on, p_on), (n_off, p_off) = _values(mu_on), _values(mu_off)
    return np.einsum("...ij,i,j->...", function(n_on[:, None], n_off[None, :]), p_on, p_off)


def moments_and_tails(statistic, mu_on, mu_off, thresholds):
    """Return the mean of a significance and of its square, and the chances that it reaches thresholds.

    Parameters
    ----------
    statistic : callable
        Significance of n_on and n_off.
    mu_on, mu_off : float
    thresholds : sequence of float

    Returns
    -------
    values : ndarray, shape (2 + number of thresholds,)
    """

    def of_counts(n_on, n_off):
        significance = statistic(n_on, n_off)
        return np.stack([significance, significance**2, *(significance >= level for level in thresholds)])

    return expectation(of_counts, mu_on, mu_off)


def _values(mu):
    numbers = np.arange(poisson.ppf(NEGLECTED, mu), poisson.isf(NEGLECTED, mu) + 1)
    return numbers, poisson.pmf(numbers, mu)
