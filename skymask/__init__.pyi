"""The public names, for editors and type checkers; tests compare them with those of `__init__.py`."""

from .compat.gammapy_classes import (
    AdaptiveRingBackgroundEstimator as AdaptiveRingBackgroundEstimator,
    KernelBackgroundEstimator as KernelBackgroundEstimator,
    RingBackgroundEstimator as RingBackgroundEstimator,
    compute_lima_image as compute_lima_image,
    compute_lima_on_off_image as compute_lima_on_off_image,
)
from .core.further_kernels import compute_further_significance as compute_further_significance
from .core.kernels import (
    adaptive_ring as adaptive_ring,
    disk as disk,
    field_of_view as field_of_view,
    from_array as from_array,
    gaussian as gaussian,
    ring as ring,
)
from .core.stacking import Run as Run
from .loop.iteration import (
    compute_products as compute_products,
    iterate as iterate,
    iterate_runs as iterate_runs,
)
from .loop.out_of_core import iterate_strips as iterate_strips, write_strips as write_strips

__version__: str
