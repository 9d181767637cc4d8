"""The downhill simplex in two numbers: what scipy's finds, to the bit."""

import numpy as np
import pytest
from scipy.optimize import minimize as scipys
from scipy.special import log_ndtr

from skymask.core.quality import fit_truncated_normal
from skymask.core.simplex import MAX_CALLS, minimize

TOLERANCES = {"xatol": 1e-9, "fatol": 1e-13}


def rosenbrock(x, y):
    return 100 * (y - x * x) ** 2 + (1 - x) ** 2


def parabola(x, y):
    return (x - 3) ** 2 + 7 * (y + 2) ** 2


@pytest.mark.parametrize("function", [rosenbrock, parabola])
@pytest.mark.parametrize("start", [(0.0, 0.0), (-1.2, 1.0), (3.0, -2.0), (50.0, -1e-3)])
def test_the_least_value_is_where_scipy_finds_it(function, start):
    calls = []

    def counted(x, y):
        calls.append(1)
        return function(x, y)

    reference = scipys(lambda place: function(*place), start, method="Nelder-Mead", options=TOLERANCES)
    assert minimize(counted, start) == tuple(reference.x)
    assert len(calls) == reference.nfev


def test_a_function_without_a_least_value_is_asked_no_more_than_so_often():
    reference = scipys(lambda place: -place[0] - place[1], (1.0, 1.0), method="Nelder-Mead", options=TOLERANCES)
    calls = []
    place = minimize(lambda x, y: (calls.append(1), -x - y)[1], (1.0, 1.0))
    assert place == tuple(reference.x)
    assert len(calls) == reference.nfev == MAX_CALLS


@pytest.mark.parametrize("threshold", [0.5, 3.0, 5.0])
@pytest.mark.parametrize(("mean", "variance"), [(0.0, 1.0), (-0.0153, 1.0302), (-0.4, 0.3)])
def test_the_off_source_fit_is_that_of_scipy(mean, variance, threshold):
    def negative_log_likelihood(place):
        mu, log_sigma = place
        sigma = np.exp(log_sigma)
        spread = (variance + (mean - mu) ** 2) / (2 * sigma**2)
        return spread + log_sigma + log_ndtr((threshold - mu) / sigma)

    start = [mean, 0.5 * np.log(variance)]
    reference = scipys(negative_log_likelihood, start, method="Nelder-Mead", options=TOLERANCES).x
    assert fit_truncated_normal(mean, variance, threshold) == (reference[0], np.exp(reference[1]))
