"""The acceptance times a norm that is linear in the position, fitted to the used pixels of a field of view.

With one energy bin the tilt of a spectrum means nothing; what a field of view has is a gradient across it, as the
zenith angle or the night sky leave one that the acceptance does not know of.
"""

import numpy as np

#: A fit ends when its next step is so small in squared standard errors, or after so many steps.
TOLERANCE, MAX_STEPS = 1e-16, 100

#: A step is halved so often at most, so that all expected counts stay positive and become no less likely, but for the
#: relative rounding of a likelihood.
MAX_HALVINGS, ROUNDING = 50, 1e-12


def positions(shape):
    """Return 1, x and y of every pixel of a map, x and y from -1 to 1 between its edges' pixels."""
    y, x = (np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in shape)
    return np.broadcast_arrays(np.ones(shape), x[None, :], y[:, None])


def fit_tilt(counts, acceptance, used, additive_background=None):
    r"""Return the most likely norms :math:`n` of the background :math:`B = A (n_0 + n_x x + n_y y) + D`.

    Maximises the Poisson likelihood :math:`\sum_i c_i \ln B_i - B_i` of the used pixels by Fisher's scoring, in which a
    step is :math:`F^{-1}` times the gradient, with :math:`F` of `covariance`. The likelihood is concave in the norms,
    so there is one maximum.

    Parameters
    ----------
    counts : ndarray of int, shape (ny, nx)
    acceptance : ndarray, shape (ny, nx)
        Zero where there is no coverage.
    used : ndarray of bool, shape (ny, nx)
        True where the pixel is covered and not excluded.
    additive_background : ndarray of float, shape (ny, nx), optional
        Known counts per pixel :math:`D`.

    Returns
    -------
    norms : ndarray of float, shape (3,), or None
        Of 1, x and y of `positions`; None if no norms are positive in all used pixels and most likely, or many are.
    """
    where = [position[used] for position in positions(counts.shape)]
    seen, exposed = counts[used].astype(float), acceptance[used].astype(float)
    known = 0.0 if additive_background is None else additive_background[used]
    norms = np.array([(seen - known).sum() / exposed.sum(), 0.0, 0.0])

    def expected(norms):
        return exposed * sum(norm * position for norm, position in zip(norms, where, strict=True)) + known

    def likelihood(mu):
        return (seen * np.log(mu) - mu).sum() if mu.min() > 0 else -np.inf

    mu = expected(norms)
    best = likelihood(mu)
    if not np.isfinite(best):
        return None
    for _ in range(MAX_STEPS):
        slope = exposed * (seen / mu - 1)
        gradient = np.array([(slope * position).sum() for position in where])
        inverse = _inverse(_fisher_matrix(exposed**2 / mu, where))
        if inverse is None:
            return None
        step = inverse @ gradient
        if gradient @ step < TOLERANCE:
            return norms
        for _ in range(MAX_HALVINGS):
            if (higher := likelihood(expected(norms + step))) >= best - ROUNDING * abs(best):
                break
            step = step / 2
        else:
            return None
        norms, best = norms + step, higher
        mu = expected(norms)
    return None


def covariance(acceptance, background, used):
    r"""Return the covariance of fitted norms, the inverse of Fisher's matrix :math:`\sum_i A_i^2 p_i p_i^T / B_i`.

    Parameters
    ----------
    acceptance, background : ndarray, shape (ny, nx)
        The background as fitted, additive component and all.
    used : ndarray of bool, shape (ny, nx)
        True where the pixel is covered and not excluded.

    Returns
    -------
    covariance : ndarray of float, shape (3, 3), or None
        None if the used pixels do not determine the norms.
    """
    where = [position[used] for position in positions(acceptance.shape)]
    return _inverse(_fisher_matrix(acceptance[used].astype(float) ** 2 / background[used], where))


def variance(covariance, vector):
    """Return the variance of the sum of norms times the components of `vector`, each a number or an image."""
    return sum(covariance[i, j] * vector[i] * vector[j] for i in range(len(vector)) for j in range(len(vector)))


def _fisher_matrix(weight, where):
    # Plain sums, whose order does not depend on the number of threads.
    return np.array([[(weight * one * other).sum() for other in where] for one in where])


def _inverse(matrix):
    """The inverse of Fisher's matrix, None if it has none."""
    scale = np.sqrt(np.diag(matrix))
    if not (scale > 0).all() or np.linalg.cond(matrix / np.outer(scale, scale)) > 1e10:
        return None
    return np.linalg.inv(matrix)
