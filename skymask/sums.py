"""Sums of an image under a kernel, exact wherever the numbers allow it.

Under a kernel of zeros and ones every sum is a sum of integers, taken from running totals along the rows, so an empty
ring is exactly empty and the order of additions cannot matter. Floating-point images are split into integers first,
which makes their sums exact to the last rounding. Only kernels with weights need a Fourier transform.
"""

import numpy as np

#: Bits of a 64-bit integer that a sum may use, sign and one bit of safety apart.
SUM_BITS = 62

#: Parts into which a floating-point image is split at most; what is left then is below 2**-120 of its maximum.
MAX_PARTS = 4


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
        return _fourier(np.asarray(image, dtype=float), np.asarray(kernel, dtype=float))
    if image.dtype.kind in "bui":
        largest = int(np.abs(image).max()) * int(kernel.sum()) if image.dtype.kind != "b" else 0
        if largest >= 2**SUM_BITS:
            raise ValueError("the image's values are too large to be summed exactly")
        return _running_totals(image, kernel)
    return _split_float(image, kernel)


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
    bits = SUM_BITS - int(np.ceil(np.log2(min(int(kernel.sum()), image.size) + 1)))
    exponent = int(np.frexp(largest)[1])
    rest = np.asarray(image, dtype=float)
    parts = []
    for _ in range(MAX_PARTS):
        exponent -= bits
        # Exact: scaling by a power of two, taking the integer part, and the difference round nothing.
        whole = np.trunc(np.ldexp(rest, -exponent))
        parts.append(np.ldexp(_running_totals(whole.astype(np.int64), kernel).astype(float), exponent))
        rest = rest - np.ldexp(whole, exponent)
        if not rest.any():
            break
    for part in reversed(parts):
        sums += part
    return sums


def _fourier(image, kernel):
    """Convolve by Fourier transform, padded so that nothing wraps around; an empty support gives exactly zero."""
    from scipy import fft

    half_y, half_x = kernel.shape[0] // 2, kernel.shape[1] // 2
    shape = [fft.next_fast_len(n + m - 1, real=True) for n, m in zip(image.shape, kernel.shape, strict=True)]
    product = fft.rfft2(image, shape) * fft.rfft2(kernel, shape)
    full = fft.irfft2(product, shape)
    sums = full[half_y : half_y + image.shape[0], half_x : half_x + image.shape[1]]
    return np.where(_running_totals(image != 0, kernel != 0) > 0, sums, 0.0)
