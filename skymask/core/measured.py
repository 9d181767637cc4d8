"""What is measured, one map of counts or a stack of many, by the same words: a single map is a stack of one.

Both know their kernels and their statistic, and answer the same questions: which background an exclusion mask leaves,
of which parts it is made, and what there is under another source kernel.
"""

from typing import NamedTuple

import numpy as np

from skymask.core import stacking
from skymask.core.background import estimate_background, full_map_reason
from skymask.core.further_kernels import check_apart, compute_further_significance, maps_under_kernel


class Part(NamedTuple):
    """What a background is made of: one map of counts, or one energy bin of a run of a stack.

    Attributes
    ----------
    counts, acceptance : image, shape (ny, nx)
        As in `skymask.core.inputs.Inputs`: arrays or, under a ring or other boolean kernel, images read by rows.
    background_kernel : ndarray, skymask.core.kernels.AdaptiveRing or skymask.core.kernels.FieldOfView
    source_kernel : ndarray, optional
        Needed with an adaptive ring.
    block : (slice, slice), optional
        Rows and columns of the map that it covers, if not all.
    additive_background : ndarray of float, optional
        What the estimate came on top of.
    """

    counts: np.ndarray
    acceptance: np.ndarray
    background_kernel: object
    source_kernel: np.ndarray | None = None
    block: tuple = (slice(None), slice(None))
    additive_background: np.ndarray | None = None


class OneMap(NamedTuple):
    """One map of counts.

    Attributes
    ----------
    counts, acceptance : ndarray, shape (ny, nx)
        As in `skymask.core.inputs.Inputs`.
    source_kernel : ndarray
    background_kernel : ndarray, skymask.core.kernels.AdaptiveRing or skymask.core.kernels.FieldOfView
        As the statistic allows it, see `skymask.core.kernels.off_kernel`.
    mask_source_kernels : sequence of ndarray
        Further source kernels for the mask.
    statistic : {"wstat", "cash"}
    additive_background : ndarray of float, shape (ny, nx), optional
        See `skymask.core.background.estimate_background`.
    """

    counts: np.ndarray
    acceptance: np.ndarray
    source_kernel: np.ndarray
    background_kernel: object
    mask_source_kernels: tuple = ()
    statistic: str = "wstat"
    additive_background: np.ndarray | None = None

    @property
    def full_map_reason(self):
        """Why all of the background is estimated for every mask, or None if only what a changed mask touches may be."""
        if self.mask_source_kernels:
            return "the significance under further source kernels is computed of the whole map"
        if self.additive_background is not None:
            return "sums of an additive background are rounded for the whole map"
        return full_map_reason(self.source_kernel, self.background_kernel)

    def estimate(self, exclusion_mask):
        """Return the background, a `skymask.core.background.Background`, that an exclusion mask leaves."""
        return estimate_background(
            self.counts,
            self.acceptance,
            exclusion_mask,
            self.background_kernel,
            source_kernel=self.source_kernel,
            additive_background=self.additive_background,
        )

    def parts(self):
        """Yield what the background is made of, as `Part`."""
        yield Part(
            self.counts,
            self.acceptance,
            self.background_kernel,
            self.source_kernel,
            additive_background=self.additive_background,
        )

    def under(self, kernel, exclusion_mask, products, **options):
        """Return what there is under another source kernel, see `skymask.core.further_kernels`.

        Parameters
        ----------
        kernel : ndarray
        exclusion_mask : ndarray of bool, shape (ny, nx)
            The final mask.
        products : dict of str to ndarray
            The maps `background`, `counts_off` and `alpha` that belong to it.
        **options
            `background_systematic` and `confidence_level`.
        """
        return compute_further_significance(
            self.counts,
            self.acceptance,
            products,
            self.source_kernel,
            kernel,
            self.background_kernel,
            statistic=self.statistic,
            additive_background=self.additive_background,
            **options,
        )


class Stack(NamedTuple):
    """Runs, or energy bins, or both, that share an exclusion mask; its methods are those of `OneMap`.

    Attributes
    ----------
    runs : iterable of skymask.core.stacking.Run
        Gone through anew for every estimate.
    counts, acceptance : ndarray, shape (ny, nx)
        Of all of them together.
    source_kernels, background_kernels : sequence
        One for every energy bin.
    mask_source_kernels : sequence of ndarray
        Further source kernels for the mask, each for all energy bins.
    statistic : {"wstat", "cash"}
    stacking : {"variance", "counts_off"}
        See `skymask.core.stacking.Sums.estimate`.
    """

    runs: object
    counts: np.ndarray
    acceptance: np.ndarray
    source_kernels: tuple
    background_kernels: tuple
    mask_source_kernels: tuple = ()
    statistic: str = "wstat"
    stacking: str = "variance"

    #: Known to each run alone.
    additive_background = None

    full_map_reason = "a stack is estimated run by run"

    @property
    def source_kernel(self):
        """That of the first energy bin, under which single pixels are looked at."""
        return self.source_kernels[0]

    def _options(self):
        options = {"statistic": self.statistic, "stacking": self.stacking}
        return options | {"source_kernels": self.source_kernels, "background_kernels": self.background_kernels}

    def estimate(self, exclusion_mask):
        """As of `OneMap`."""
        return stacking.estimate_stack(
            self.runs, exclusion_mask, mask_source_kernels=self.mask_source_kernels, **self._options()
        )

    def estimate_bins(self, exclusion_mask):
        """Return the background of every energy bin."""
        return stacking.estimate_bins(self.runs, exclusion_mask, **self._options())

    def parts(self):
        """As of `OneMap`."""
        pairs = list(zip(self.background_kernels, self.source_kernels, strict=True))
        for run in self.runs:
            additive = [None] * len(pairs) if run.additive_background is None else run.additive_background
            for counts, acceptance, pair, known in zip(run.counts, run.acceptance, pairs, additive, strict=True):
                yield Part(counts, acceptance, *pair, run.block, known)

    def under(self, kernel, exclusion_mask, products=None, **options):
        """As of `OneMap`; the stack is estimated again under the kernel."""
        if self.statistic == "wstat":
            for background_kernel in self.background_kernels:
                check_apart(kernel, background_kernel)
        own = self._replace(source_kernels=[kernel] * len(self.source_kernels), mask_source_kernels=())
        estimate = own.estimate(exclusion_mask)
        return maps_under_kernel(self.counts, self.acceptance, estimate, kernel, statistic=self.statistic, **options)
