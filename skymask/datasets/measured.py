"""What the jobs of a dataset measure, from the maps of iteration 0 and the settings: one map, or a stack."""

from skymask.core.measured import OneMap
from skymask.io.maps import pixel_size
from skymask.sky.configured_kernels import background_kernel, to_pixels


def measured_of(stack, counts, acceptance, additive_background, kernels):
    """Return what a dataset measures.

    Parameters
    ----------
    stack : dict
        How a stack is made of which runs or energy bins; empty for one map of counts.
    counts : ndarray of int, shape (ny, nx), or None
        None where they are not asked for.
    acceptance : SkyMap
        As written in iteration 0.
    additive_background : ndarray or None
    kernels : dict
        `source_kernel`, `background_kernel`, `mask_source_kernels` and `statistic` of the configuration.

    Returns
    -------
    measured : skymask.core.measured.OneMap or skymask.core.measured.Stack
    """
    size = pixel_size(acceptance.header)
    if stack:
        # Deferred: slow import, and single maps do without.
        from skymask.datasets.runs import measured_of_runs, runs_of

        return measured_of_runs(runs_of(stack, acceptance), counts, acceptance.data, size, kernels, stack)
    return OneMap(
        counts,
        acceptance.data,
        to_pixels(kernels["source_kernel"], size),
        background_kernel(size, **kernels),
        tuple(to_pixels(kernel, size) for kernel in kernels.get("mask_source_kernels", ())),
        kernels["statistic"],
        additive_background,
    )
