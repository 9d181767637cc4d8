"""The acceptance times a norm that is linear in the position, fitted to the used pixels of a field of view.

With one energy bin the tilt of a spectrum means nothing; what a field of view has is a gradient across it, as the
zenith angle or the night sky leave one that the acceptance does not know of.
"""

import numpy as np

#: A fit ends when its next step is so small in squared standard errors, or after so many steps.
TOLERANCE, MAX_STEPS = 1e-16, 100

#: A step must gain at least this fraction of what the gradient promises; within so many standard errors of the maximum
#: Newton's method needs no such care.
ASCENT, CLOSE = 0.1, 0.25

#: Norms are determined if the matrix of their information, scaled to a diagonal of 1, is no worse conditioned.
MAX_CONDITION = 1e10


def positions(shape):
    """Return 1, x and y of every pixel of a map, x and y from -1 to 1 between its edges' pixels."""
    y, x = (np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in shape)
    return np.broadcast_arrays(np.ones(shape), x[None, :], y[:, None])


def fit_tilt(counts, acceptance, used, additive_background=None):
    r"""Return the most likely norms :math:`n` of the background :math:`B = A (n_0 + n_x x + n_y y) + D`.

    Maximises the Poisson likelihood :math:`\sum_i c_i \ln B_i - B_i` of the used pixels by Newton's method, in which a
    step is the gradient times the inverse of the observed information :math:`\sum_i c_i A_i^2 p_i p_i^T / B_i^2`. The
    likelihood is concave in the norms, so there is one maximum. It is self-concordant: :math:`1 / (1 + \lambda)` times
    a step, with :math:`\lambda` its length in standard errors, ascends and keeps :math:`B` positive where there are
    counts (Nesterov & Nemirovskii 1994, Interior-Point Polynomial Algorithms in Convex Programming, ch. 2), so that the
    maximum is found wherever there is one. It is none if :math:`B` is not positive there in a used pixel without
    counts, which the logarithm does not keep it from.

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
    exposed = acceptance[used].astype(float)
    where = [position[used] for position in positions(counts.shape)]
    known = np.zeros(exposed.shape) if additive_background is None else additive_background[used]
    # No pixel without counts has a logarithm in the likelihood.
    events = counts[used] > 0
    seen, exposed_there, known_there = counts[used][events].astype(float), exposed[events], known[events]
    where_there = [position[events] for position in where]
    if _inverse(_information(exposed_there**2, where_there)) is None:
        return None
    total = np.array([(exposed * position).sum() for position in where])

    def linear(norms, acceptance, where):
        return acceptance * sum(norm * position for norm, position in zip(norms, where, strict=True))

    norms = np.array([seen.sum() / exposed.sum(), 0.0, 0.0])
    mu = linear(norms, exposed_there, where_there) + known_there
    for _ in range(MAX_STEPS):
        slope = seen * exposed_there / mu
        gradient = np.array([(slope * position).sum() for position in where_there]) - total
        step = _newton_step(_information(slope**2 / seen, where_there), gradient)
        squared_length = gradient @ step
        if squared_length < TOLERANCE:
            break
        change = linear(step, exposed_there, where_there)
        if change.min() >= 0 and total @ step <= 0:
            # More likely without end.
            return None
        fraction = _fraction_of_step(seen, mu, change, total @ step, squared_length)
        norms, mu = norms + fraction * step, mu + fraction * change
    else:
        return None
    return norms if (linear(norms, exposed, where) + known).min() > 0 else None


def _newton_step(information, gradient):
    """The gradient times the inverse of the information, whose diagonal is scaled to 1 against rounding."""
    scale = np.sqrt(np.diag(information))
    return np.linalg.lstsq(information / np.outer(scale, scale), gradient / scale)[0] / scale


def _fraction_of_step(seen, mu, change, expected, squared_length):
    """The fraction of a step of Newton's method to be taken, which raises the likelihood; see `fit_tilt`.

    `change` is that of the expected counts in the pixels with counts, and `expected` its sum over all used pixels.
    """
    length = np.sqrt(squared_length)
    if length <= CLOSE:
        return 1.0
    fraction = 1.0
    while fraction > 1 / (1 + length):
        ratio = fraction * change / mu
        if ratio.min() > -1:
            gain = (seen * np.log1p(ratio)).sum() - fraction * expected
            if gain >= ASCENT * fraction * squared_length:
                return fraction
        fraction /= 2
    return 1 / (1 + length)


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
    return _inverse(_information(acceptance[used].astype(float) ** 2 / background[used], where))


def variance(covariance, vector):
    """Return the variance of the sum of norms times the components of `vector`, each a number or an image."""
    return sum(covariance[i, j] * vector[i] * vector[j] for i in range(len(vector)) for j in range(len(vector)))


def _information(weight, where):
    # Plain sums, whose order does not depend on the number of threads.
    return np.array([[(weight * one * other).sum() for other in where] for one in where])


def _inverse(information):
    """The inverse of a matrix of information, None if it has none."""
    scale = np.sqrt(np.diag(information))
    if not (scale > 0).all() or np.linalg.cond(information / np.outer(scale, scale)) > MAX_CONDITION:
        return None
    return np.linalg.inv(information)
