"""Background, exclusion mask and significance of counts maps, iterated until the mask stops changing.

An exclusion mask is True where a pixel is USED for the background, and False where it is excluded.
"""

__version__ = "0.1.0"

#: Where the public names are; `__init__.pyi` says it to editors.
_HOMES = {
    "skymask.compat.gammapy_classes": (
        "AdaptiveRingBackgroundEstimator",
        "KernelBackgroundEstimator",
        "RingBackgroundEstimator",
        "compute_lima_image",
        "compute_lima_on_off_image",
    ),
    "skymask.core.further_kernels": ("compute_further_significance",),
    "skymask.core.kernels": ("adaptive_ring", "disk", "field_of_view", "from_array", "gaussian", "ring"),
    "skymask.core.stacking": ("Run",),
    "skymask.loop.iteration": ("compute_products", "iterate", "iterate_runs"),
    "skymask.loop.out_of_core": ("iterate_strips", "write_strips"),
}

__all__ = sorted(name for names in _HOMES.values() for name in names)


def __dir__():
    return sorted({*globals(), *__all__})


def __getattr__(name):
    """Import public names when they are asked for: a job that only decides needs no numpy."""
    for home, names in _HOMES.items():
        if name in names:
            from importlib import import_module

            return getattr(import_module(home), name)
    raise AttributeError(f"module 'skymask' has no attribute {name!r}")
