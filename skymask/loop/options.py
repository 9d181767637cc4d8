"""How the loop behaves: its options, their defaults and what they may be."""

from dataclasses import dataclass

from skymask.core import convergence
from skymask.core.exclusion import check_shaping
from skymask.errors import ConvergenceError

#: Values of the options that are words.
CHOICES = {
    "statistic": ("wstat", "cash"),
    "stacking": ("variance", "counts_off"),
    "mask_update": ("replace", "grow"),
    "starved_pixels": ("keep", "use"),
    "on_cycle": ("union", "last", "fail"),
    "on_max_iterations": ("last", "fail"),
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the loop, apart from maps and kernels; a ValueError names one that makes no sense.

    Parameters
    ----------
    statistic : {"wstat", "cash"}
        Background measured from the same map (Li & Ma 1983, eq. 17), or taken as known.
    background_systematic : float
        Relative systematic error of the background, folded into the significance; see
        `skymask.core.significance.with_systematic`.
    threshold : float
        Significance at and above which a pixel is excluded.
    threshold_in_widths : bool
        Whether the significance counts from the off-source mean, in units of the off-source width, as each mask leaves
        them; see `skymask.core.quality.in_widths`.
    threshold_low, min_pixels, max_hole_pixels : float or None, int, int
        Hysteresis, smallest region, and largest hole that is filled; see `skymask.core.exclusion`.
    region_growth : dict, optional
        By how much a region grows, depending on its peak or its size: `law` and parameters of
        `skymask.core.exclusion.grow_regions`, as in {"law": "size", "factor": 0.5, "max_radius": 20}.
    mask_update : {"replace", "grow"}
        Whether a pixel once excluded may be used again.
    starved_pixels : {"keep", "use"}
        What becomes of pixels whose background is undefined: the last decision, or use.
    max_iterations, changed_pixels, max_excluded_fraction : int, int, float
        See `skymask.core.convergence.assess`.
    on_cycle : {"union", "last", "fail"}
        Final mask of a limit cycle: exclude what any of its masks excludes, or the last mask, or an error.
    on_max_iterations : {"last", "fail"}
        The last mask, or an error.
    """

    statistic: str = "wstat"
    background_systematic: float = 0
    threshold: float = 5
    threshold_low: float | None = None
    threshold_in_widths: bool = False
    min_pixels: int = 1
    max_hole_pixels: int = 0
    region_growth: dict | None = None
    mask_update: str = "replace"
    starved_pixels: str = "keep"
    max_iterations: int = 50
    changed_pixels: int = 0
    on_cycle: str = "union"
    on_max_iterations: str = "last"
    max_excluded_fraction: float = 0.9

    def __post_init__(self):
        for name in CHOICES.keys() & self.__dataclass_fields__.keys():
            check_choice(name, getattr(self, name))
        if not self.threshold > 0:
            raise ValueError(f"threshold must be positive, got {self.threshold}")
        if not 0 <= self.background_systematic <= 1:
            raise ValueError(f"background_systematic must be zero to one, got {self.background_systematic}")
        check_shaping(**self.shaping)

    @property
    def shaping(self):
        """Those that shape a mask, by name."""
        names = ("threshold", "threshold_low", "threshold_in_widths", "min_pixels", "max_hole_pixels", "region_growth")
        return {name: getattr(self, name) for name in names}

    @property
    def limits(self):
        """Those by which a loop ends, by name; see `skymask.core.convergence.assess`."""
        names = ("max_iterations", "changed_pixels", "max_excluded_fraction", "starved_pixels")
        return {name: getattr(self, name) for name in names}

    def iterations_of_final_mask(self, state, iterations):
        """Return the iterations whose masks, put together, are the final one of a loop.

        Raises
        ------
        ConvergenceError
            If the loop ended in a way that is to fail.
        """
        policy = {"on_cycle": self.on_cycle, "on_max_iterations": self.on_max_iterations}
        if reason := convergence.failure(state, iterations, **policy):
            raise ConvergenceError(reason)
        return convergence.iterations_of_final_mask(state, iterations, on_cycle=self.on_cycle)


def check_choice(name, value):
    """Raise a ValueError if an option that is a word has none of its values."""
    if value not in CHOICES[name]:
        raise ValueError(f"{name} must be one of {', '.join(CHOICES[name])}, got {value!r}")
