"""Sums of an image under a kernel, exact wherever the numbers allow it.

Under a kernel of zeros and ones every sum is a sum of integers, so an empty ring is exactly empty and the order of
additions cannot matter. Small kernels are summed from running totals along the rows, large ones by Fourier transform,
rounded to integers, whenever the error of the transform is known to be too small to matter: both give the same numbers.
Floating-point images are split into integers first, which makes their sums exact to the last rounding. Kernels with
weights need a Fourier transform without rounding.
"""

from functools import lru_cache

import numpy as np

#: Bits of a 64-bit integer that a sum may use, sign and one bit of safety apart.
SUM_BITS = 62

#: Parts into which a floating-point image is split at most; what is left then is below 2**-100 of its maximum.
MAX_PARTS = 8

#: Up to so many ends of runs of ones in its rows, a kernel is faster with running totals than with a transform.
FEW_EDGES = 48

#: A transform's result is rounded to integers if its error is known to stay below this.
ROUNDING_MARGIN = 0.25


def convolve(image, kernel):
    """Return the convolution of `image` with `kernel`, zero outside the image, same shape.

    Parameters
    ----------
    image : ndarray of bool, int or float, shape (ny, nx)
        Finite everywhere.
    kernel : ndarray, shape (2 my + 1, 2 mx + 1)
        Boolean, or floating-point weights.

    Returns
    -------
    sums : ndarray, shape (ny, nx)
        int64 and exact for integers under a boolean kernel; float64 otherwise, correctly rounded to about one unit in
        the last place under a boolean kernel, and to about 1e-15 of the largest sum under one with weights.

    Raises
    ------
    ValueError
        If the sums do not fit into 62 bits.
    """
    if kernel.dtype != bool:
        return _weighted_sums(image, np.asarray(kernel, dtype=float))
    if image.dtype.kind in "bui":
        largest = int(np.abs(image).max()) * int(kernel.sum()) if image.dtype.kind != "b" else 0
        if largest >= 2**SUM_BITS:
            raise ValueError("the image's values are too large to be summed exactly")
        return _integer_sums(image, kernel)
    return _split_float(image, kernel)


def _integer_sums(image, kernel):
    """Sum integers under a boolean kernel, exactly, in the faster of two ways."""
    if _is_large(kernel) and _transform_error(image, kernel) < ROUNDING_MARGIN:
        return np.rint(_fourier(image, kernel)).astype(np.int64)
    return _running_totals(image, kernel)


def _is_large(kernel):
    """Whether a kernel's rows have so many runs of ones that a transform is faster than running totals."""
    return np.count_nonzero(np.diff(kernel, axis=1, prepend=False, append=False)) > FEW_EDGES


def _transform_error(image, kernel):
    """Bound on the error of a convolution by Fourier transform in double precision.

    Each of the three transforms has a relative error in the 2-norm of at most about log2(size) times a few rounding
    units (Higham 2002, Accuracy and Stability of Numerical Algorithms, sect. 24.1), and no element of the result
    exceeds the product of the 2-norms of image and kernel.
    """
    size = np.prod(_padded_shape(image.shape, kernel.shape), dtype=float)
    norms = np.linalg.norm(image.astype(float)) * np.sqrt(np.count_nonzero(kernel))
    return 16 * np.finfo(float).eps * np.log2(size) * norms


def _running_totals(image, kernel):
    """Sum integers row by row: each run of ones in a kernel row is a difference of two running totals."""
    n_y, n_x = image.shape
    half_y, half_x = kernel.shape[0] // 2, kernel.shape[1] // 2
    reach = min(half_x, n_x)
    totals = np.zeros((n_y, n_x + 2 * reach + 1), dtype=np.int64)
    np.cumsum(image, axis=1, dtype=np.int64, out=totals[:, reach + 1 : reach + 1 + n_x])
    totals[:, reach + 1 + n_x :] = totals[:, reach + n_x, None]

    sums = np.zeros((n_y, n_x), dtype=np.int64)
    for row, dy in enumerate(range(-half_y, half_y + 1)):
        y_out = slice(max(0, dy), min(n_y, n_y + dy))
        y_in = slice(max(0, -dy), min(n_y, n_y - dy))
        if y_out.start >= y_out.stop:
            continue
        # Convolution mirrors the kernel: the column at +dx takes the pixel at -dx.
        mirrored = np.concatenate([[0], kernel[row, ::-1].astype(np.int8), [0]])
        for edge in np.flatnonzero(np.diff(mirrored)):
            start = int(np.clip(edge - half_x + reach, 0, 2 * reach + 1))
            part = totals[y_in, start : start + n_x]
            if mirrored[edge + 1]:
                sums[y_out] -= part
            else:
                sums[y_out] += part
    return sums


def _split_float(image, kernel):
    """Sum floating-point numbers as integers: multiples of one power of two, then what is left of a smaller one."""
    largest = float(np.abs(image).max(initial=0.0))
    sums = np.zeros(image.shape)
    if largest == 0:
        return sums
    if _is_large(kernel):
        # Parts small enough for the rounded transform.
        bits = int(np.log2(ROUNDING_MARGIN / _transform_error(np.ones(image.shape, dtype=bool), kernel)))
    else:
        bits = SUM_BITS - int(np.ceil(np.log2(min(int(kernel.sum()), image.size) + 1)))
    exponent = int(np.frexp(largest)[1])
    rest = np.asarray(image, dtype=float)
    parts = []
    for _ in range(MAX_PARTS):
        exponent -= bits
        # Exact: scaling by a power of two, taking the integer part, and the difference round nothing.
        whole = np.trunc(np.ldexp(rest, -exponent))
        parts.append(np.ldexp(_integer_sums(whole.astype(np.int64), kernel).astype(float), exponent))
        rest = rest - np.ldexp(whole, exponent)
        if not rest.any():
            break
    for part in reversed(parts):
        sums += part
    return sums


def _fourier(image, kernel):
    """Convolve by Fourier transform, padded so that nothing wraps around."""
    shape = _padded_shape(image.shape, kernel.shape)
    transform = _kernel_transform(kernel.tobytes(), kernel.dtype.str, kernel.shape, shape)
    full = np.fft.irfft2(np.fft.rfft2(image, shape) * transform, shape)
    half_y, half_x = kernel.shape[0] // 2, kernel.shape[1] // 2
    return full[half_y : half_y + image.shape[0], half_x : half_x + image.shape[1]]


def _weighted_sums(image, kernel):
    """Convolve with weights; where no pixel of the image lies under the kernel the sum is exactly zero."""
    return np.where(_integer_sums(image != 0, kernel != 0) > 0, _fourier(image, kernel), 0.0)


@lru_cache(maxsize=4)
def _kernel_transform(content, dtype, kernel_shape, shape):
    """The Fourier transform of a kernel, which the iterations of a loop share."""
    return np.fft.rfft2(np.frombuffer(content, dtype).reshape(kernel_shape), shape)


def _padded_shape(image_shape, kernel_shape):
    """A fast size for transforms of an image with room for half a kernel beside it.

    What wraps around then falls on the other half kernel's margin, which is cut off.
    """
    return tuple(_fast_length(max(n + m // 2, m)) for n, m in zip(image_shape, kernel_shape, strict=True))


@lru_cache
def _fast_length(length):
    """The smallest even number of prime factors 2, 3 and 5 that is not below `length`.

    As `scipy.fft.next_fast_len`, whose import would cost a job more than its transforms.
    """
    powers = range(length.bit_length() + 1)
    candidates = (2 * 2**two * 3**three * 5**five for two in powers for three in powers for five in powers)
    return min(candidate for candidate in candidates if candidate >= length)
