"""Errors and upper limits of the excess for counts of one's own, numbers or arrays, without a map or a loop.

>>> from skymask.limits import wstat_limits
>>> errors = wstat_limits(n_on=10, n_off=20, alpha=0.1)
>>> print(f"{errors.excess_errn:.2f} {errors.excess_errp:.2f} {errors.excess_upper_limit:.2f}")
2.88 3.53 14.18

What they are, and the functions themselves, are in `skymask.core.limits`.
"""

from skymask.core.limits import Limits, cash_limits, number_of_sigma, wstat_limits

__all__ = ["Limits", "cash_limits", "number_of_sigma", "wstat_limits"]
