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
    "AdaptiveRingBackgroundEstimator": "skymask.gammapy_classes",
    "KernelBackgroundEstimator": "skymask.gammapy_classes",
    "RingBackgroundEstimator": "skymask.gammapy_classes",
    "Run": "skymask.stacking",
    "adaptive_ring": "skymask.kernels",
    "compute_further_significance": "skymask.further",
    "compute_lima_image": "skymask.gammapy_classes",
    "compute_lima_on_off_image": "skymask.gammapy_classes",
    "compute_products": "skymask.loop",
    "disk": "skymask.kernels",
    "field_of_view": "skymask.kernels",
    "from_array": "skymask.kernels",
    "gaussian": "skymask.kernels",
    "iterate": "skymask.loop",
    "iterate_runs": "skymask.loop",
    "iterate_strips": "skymask.strips",
    "ring": "skymask.kernels",
    "write_strips": "skymask.strips",
}


def __getattr__(name):
    """Import public names when they are asked for: a job that only decides needs no numpy."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'skymask' has no attribute {name!r}")
