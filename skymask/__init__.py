"""Background, exclusion mask and significance of counts maps, iterated until the mask stops changing.

An exclusion mask is True where a pixel is USED for the background, and False where it is excluded.
"""

__version__ = "0.1.0"

__all__ = [
    "AdaptiveRingBackgroundEstimator",
    "KernelBackgroundEstimator",
    "RingBackgroundEstimator",
    "Run",
    "adaptive_ring",
    "compute_further_significance",
    "compute_lima_image",
    "compute_lima_on_off_image",
    "compute_products",
    "disk",
    "field_of_view",
    "from_array",
    "gaussian",
    "iterate",
    "iterate_runs",
    "iterate_strips",
    "ring",
    "write_strips",
]

_HOMES = {
    "AdaptiveRingBackgroundEstimator": "skymask.compat.gammapy_classes",
    "KernelBackgroundEstimator": "skymask.compat.gammapy_classes",
    "RingBackgroundEstimator": "skymask.compat.gammapy_classes",
    "Run": "skymask.core.stacking",
    "adaptive_ring": "skymask.core.kernels",
    "compute_further_significance": "skymask.core.further_kernels",
    "compute_lima_image": "skymask.compat.gammapy_classes",
    "compute_lima_on_off_image": "skymask.compat.gammapy_classes",
    "compute_products": "skymask.loop.iteration",
    "disk": "skymask.core.kernels",
    "field_of_view": "skymask.core.kernels",
    "from_array": "skymask.core.kernels",
    "gaussian": "skymask.core.kernels",
    "iterate": "skymask.loop.iteration",
    "iterate_runs": "skymask.loop.iteration",
    "iterate_strips": "skymask.loop.out_of_core",
    "ring": "skymask.core.kernels",
    "write_strips": "skymask.loop.out_of_core",
}


def __getattr__(name):
    """Import public names when they are asked for: a job that only decides needs no numpy."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'skymask' has no attribute {name!r}")
