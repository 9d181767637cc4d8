"""What scripts written for gammapy 0.8 to 0.16 call, in its names, made of the functions of skymask.

Maps may be gammapy's, and come back as such, or plain arrays. gammapy itself is not needed. `docs/coming-from.md` says
what is different.
"""

import warnings
from itertools import chain, islice
from numbers import Real

import numpy as np

from skymask.core import kernels
from skymask.core.background import Background, estimate_background
from skymask.core.inputs import prepare
from skymask.core.plain_arrays import check_same_sky, plain
from skymask.core.significance import compute_significance, sums_on
from skymask.errors import ConvergenceWarning, MapError
from skymask.loop.iteration import loop_of_map
from skymask.loop.options import Options

#: Options of `skymask.iterate` that are maps.
MAP_OPTIONS = ("acceptance", "additive_background")

#: All options of `skymask.iterate` that the classes here take.
OPTIONS = (*MAP_OPTIONS, "mask_source_kernels", *Options.__dataclass_fields__)

#: The page about what is different, in the repository.
MIGRATION = "docs/coming-from.md"

#: What `skymask.adaptive_ring` keeps, by gammapy's names.
ADAPTIVE_METHODS = {"fixed_width": "width", "fixed_r_in": "inner_radius"}

#: What is said of an end that is not convergence.
ENDS = {
    "cycle": "its masks repeat with period {period} (the option on_cycle says what is returned)",
    "max_iterations": "niter_max = {iterations} is reached and the mask still changes",
    "runaway": "nearly everything is excluded, or no pixel has a background any more",
}


class KernelBackgroundEstimator:
    """Estimate background and exclusion mask iteratively, as gammapy's class of that name promised to.

    Parameters
    ----------
    kernel_src, kernel_bkg : array_like or astropy Kernel2D
        Source and background kernel on the pixels of the maps. An even side gets a row of zeros in front, which puts
        the centre where gammapy's convolution had it. The background kernel may be a `skymask.adaptive_ring` or the
        `skymask.field_of_view`, too.
    significance_threshold : float
        Pixels at or above it are excluded.
    mask_dilation_radius : str, Quantity or float
        Radius by which excluded pixels grow: an angle for maps with sky coordinates, or a number of pixels.
    keep_record : bool
        Whether `images_stack` holds the maps of every iteration after a run.
    **options
        Further options of `skymask.iterate`, such as `statistic` ("cash" unless given, as in gammapy),
        `starved_pixels`, `threshold_low`, `mask_source_kernels` or `acceptance` (an array or a Map).

    Attributes
    ----------
    images_stack : list of dict
        With `keep_record`, what `run_iteration` returned for iteration 1, 2, ..., after the initial images.
    result : skymask.loop.iteration.Result
        Of the last run: how it ended, its records and all its products.

    Raises
    ------
    TypeError
        If an option is none, as are those for intermediate files of gammapy 0.7 and earlier.

    Examples
    --------
    >>> import numpy as np
    >>> import skymask
    >>> counts = np.full((40, 40), 2)
    >>> counts[19:22, 19:22] = 12
    >>> estimator = skymask.KernelBackgroundEstimator(skymask.disk(2), skymask.ring(6, 3), mask_dilation_radius=1)
    >>> images = estimator.run({"counts": counts})
    >>> print(sorted(images), estimator.result.state)
    ['background', 'counts', 'exclusion', 'significance'] converged
    """

    def __init__(
        self,
        kernel_src,
        kernel_bkg,
        significance_threshold=5,
        mask_dilation_radius="0.02 deg",
        keep_record=False,
        **options,
    ):
        if unknown := sorted(options.keys() - set(OPTIONS)):
            raise TypeError(
                f"KernelBackgroundEstimator has no option {', '.join(unknown)}; {MIGRATION} says what became of those "
                f"of gammapy; those of skymask.iterate are {', '.join(OPTIONS)}"
            )
        self.kernel_src = kernel_src
        self.kernel_bkg = kernel_bkg
        self.parameters = {
            "significance_threshold": significance_threshold,
            "mask_dilation_radius": mask_dilation_radius,
            "keep_record": keep_record,
        }
        self.options = {"statistic": "cash", **options}
        self.images_stack = []
        self.result = None

    def run(self, images, niter_min=2, niter_max=10):
        """Return background, exclusion mask and significance that belong together, once the mask does not change.

        Parameters
        ----------
        images : dict
            `counts`, and if there are any `exclusion` (1 used, 0 excluded, in every iteration) and an initial
            `background`. It is not modified.
        niter_min : int
            Without effect on the result: an unchanged mask stays unchanged in all further iterations.
        niter_max : int
            The loop ends after this many iterations.

        Returns
        -------
        images : dict
            `counts`, `background`, `exclusion` (True where used) and `significance`, of the kind of `images["counts"]`.

        Warns
        -----
        ConvergenceWarning
            If the loop did not end with an unchanged mask.
        """
        keep = self.parameters["keep_record"]
        inputs = self._prepare(images)
        loop = self._loop(images, inputs, background=inputs.background, max_iterations=niter_max, whole=keep)
        self.images_stack = [_with_maps(images, **step) for step in _steps(loop)] if keep else []
        result = self.result = loop.result()
        if result.state != "converged":
            end = ENDS[result.state].format(period=result.period, iterations=result.iterations)
            warnings.warn(f"the loop did not converge: {end}", ConvergenceWarning, stacklevel=2)
        return _with_maps(
            images,
            background=result.products.background,
            exclusion=result.exclusion_mask,
            significance=result.products.significance,
        )

    def run_iteration(self, images):
        """Return the images after one more iteration.

        Parameters
        ----------
        images : dict
            As for `run`, or what the last call returned.

        Returns
        -------
        images : dict
            `counts`, the new `significance`, `exclusion` and `background`; and, for the next call, the user's mask
            `user_exclusion` and the `decision` that `exclusion` grew from.
        """
        inputs = self._prepare({**images, "exclusion": images.get("user_exclusion", images.get("exclusion"))})
        is_first = "decision" not in images
        start = None if is_first else [_array(images[name]).astype(bool) for name in ("exclusion", "decision")]
        known = is_first or self.options["statistic"] == "cash"
        background = inputs.background if known else None
        _, step = islice(_steps(self._loop(images, inputs, background=background, start=start, whole=True)), 2)
        return _with_maps(images, **step)

    def _loop(self, images, inputs, **options):
        """The loop of `skymask.iterate` over images, before its first iteration."""
        return loop_of_map(
            _array(images["counts"], "counts"),
            exclusion_mask=inputs.exclusion_mask,
            threshold=self.parameters["significance_threshold"],
            **self._kernels(images["counts"]),
            **self.options | self._maps(),
            **options,
        )

    def _prepare(self, images):
        return _prepare(images, **self._maps())

    def _maps(self):
        """The options that are maps, as arrays."""
        return {name: _array(self.options[name], name) for name in MAP_OPTIONS if self.options.get(name) is not None}

    def _kernels(self, counts):
        """The kernels as `skymask.iterate` takes them."""
        return {
            "source_kernel": _kernel(self.kernel_src),
            "background_kernel": _background_kernel(self.kernel_bkg),
            "dilation_kernel": _disk(self.parameters["mask_dilation_radius"], counts),
        }


def _steps(loop):
    """Yield the arrays of the start of a loop by name, and those after each iteration."""
    significance = loop.estimate.significance()
    for step in chain([loop], loop):
        yield {
            "background": step.estimate.estimate().background,
            "exclusion": step.mask.array(),
            "user_exclusion": step.user_mask.array(),
            "decision": step.decision.array(),
            "significance": significance,
        }
        significance = step.estimate.significance()


class RingBackgroundEstimator:
    """Estimate the background from a ring around each pixel, once, as gammapy's class of that name did.

    Parameters
    ----------
    r_in, width : str, Quantity or float
        Inner radius and width of the ring: angles for maps with sky coordinates, or numbers of pixels.

    Examples
    --------
    >>> import numpy as np
    >>> import skymask
    >>> images = skymask.RingBackgroundEstimator(6, 3).run({"counts": np.full((40, 40), 2)})
    >>> print(images["off"][20, 20], images["exposure_off"][20, 20], images["background_ring"][20, 20])
    288.0 144.0 2.0
    """

    def __init__(self, r_in, width):
        self.parameters = {"r_in": r_in, "width": width}

    def kernel(self, image):
        """Return the ring on the pixels of a map, as a boolean array."""
        r_in, pixel_size = _length(self.parameters["r_in"], image)
        width, size_of_width = _length(self.parameters["width"], image)
        if np.any(pixel_size != size_of_width):
            raise ValueError("r_in and width must both be angles or both numbers of pixels")
        return kernels.ring(r_in, width, pixel_size=pixel_size)

    def run(self, images):
        """Return off counts, off acceptance, alpha and background of a ring around each pixel.

        Parameters
        ----------
        images : dict
            `counts`; the acceptance as `background` (or `exposure_on`, its older name), 1 if there is none; `exclusion`
            (1 used, 0 excluded), if there is any. It is not modified.

        Returns
        -------
        images : dict
            `off`, `exposure_off`, `alpha` (ratio of the pixel's own acceptance to `exposure_off`) and
            `background_ring`, of the kind of `images["counts"]`. As in gammapy 0 where there is no acceptance, so that
            maps of several runs can be added; NaN where the ring holds no usable pixel.
        """
        return _ring_images(images, self.kernel(images["counts"]))[0]


class AdaptiveRingBackgroundEstimator:
    """Estimate the background from a ring that grows around each pixel until it suffices, once.

    It does what gammapy's class of that name said of itself; that one never grew a ring, because it took the on region
    from `theta` times, and not over, the size of a pixel.

    Parameters
    ----------
    r_in, r_out_max, width : str, Quantity or float
        Inner radius of the smallest ring, largest outer radius, width of the smallest ring: angles for maps with sky
        coordinates, or numbers of pixels.
    stepsize : str, Quantity or float
        By how much the outer radius grows.
    threshold_alpha : float
        Largest ratio of on to off acceptance with which a ring suffices.
    theta : str, Quantity or float
        Radius of the on region for that ratio.
    method : {"fixed_width", "fixed_r_in"}
        What stays as it is while the ring grows.

    Examples
    --------
    >>> import numpy as np
    >>> import skymask
    >>> estimator = skymask.AdaptiveRingBackgroundEstimator(6, 12, 3, stepsize=1, theta=2)
    >>> images = estimator.run({"counts": np.full((40, 40), 2)})
    >>> print(images["background_ring"][20, 20], images["ring_radius"][20, 20])
    2.0 9.0
    """

    def __init__(
        self,
        r_in,
        r_out_max,
        width,
        stepsize="0.02 deg",
        threshold_alpha=0.1,
        theta="0.22 deg",
        method="fixed_width",
    ):
        if method not in ADAPTIVE_METHODS:
            raise ValueError(f"method must be one of {', '.join(ADAPTIVE_METHODS)}, got {method!r}")
        self.parameters = {
            "r_in": r_in,
            "r_out_max": r_out_max,
            "width": width,
            "stepsize": stepsize,
            "threshold_alpha": threshold_alpha,
            "theta": theta,
            "method": method,
        }

    def kernels(self, image):
        """Return the rings on the pixels of a map, as a `skymask.core.kernels.AdaptiveRing`."""
        lengths = {name: _length(self.parameters[name], image) for name in ("r_in", "r_out_max", "width", "stepsize")}
        sizes = [size for _, size in lengths.values()]
        if any(np.any(size != sizes[0]) for size in sizes):
            raise ValueError("r_in, r_out_max, width and stepsize must all be angles or all numbers of pixels")
        values = {name: value for name, (value, _) in lengths.items()}
        return kernels.adaptive_ring(
            values["r_in"],
            values["width"],
            step=values["stepsize"],
            max_outer_radius=values["r_out_max"],
            alpha_max=self.parameters["threshold_alpha"],
            excluded_fraction_max=1,
            keep=ADAPTIVE_METHODS[self.parameters["method"]],
            pixel_size=sizes[0],
        )

    def run(self, images):
        """Return off counts, off acceptance, alpha and background of the ring that suffices around each pixel.

        Parameters
        ----------
        images : dict
            As for `RingBackgroundEstimator.run`.

        Returns
        -------
        images : dict
            What `RingBackgroundEstimator.run` returns, and `ring_radius`, the outer radius in degrees, or in pixels
            if lengths are. All are NaN where no ring suffices, and 0 where there is no acceptance.
        """
        counts = images["counts"]
        made, estimate = _ring_images(images, self.kernels(counts), _disk(self.parameters["theta"], counts))
        alpha = _array(made["alpha"])
        off = np.where(np.isnan(alpha), np.nan, _array(made["off"]))
        radius = np.where(alpha == 0, 0.0, estimate.ring_radius)
        return made | {"off": _like(counts, off), "ring_radius": _like(counts, radius)}


def compute_lima_image(counts, background, kernel=None, radius="0.1 deg"):
    """Return significance, counts, background and excess under a kernel, for a known background.

    Parameters
    ----------
    counts, background : array_like or gammapy Map
        Per pixel.
    kernel : array_like or astropy Kernel2D, optional
        Of any normalisation. An angle or a number of pixels here is the radius of a disk, as from gammapy 0.16 on.
    radius : str, Quantity or float
        Radius of a disk, if there is no kernel: an angle or a number of pixels.

    Returns
    -------
    images : dict
        `significance` (Cash 1979, see `significance.cash`), `counts`, `background` and `excess`, of the kind of
        `counts`.

    Examples
    --------
    >>> import numpy as np
    >>> import skymask
    >>> counts = np.full((40, 40), 2)
    >>> counts[19:22, 19:22] = 12
    >>> images = skymask.compute_lima_image(counts, np.full((40, 40), 2.0), radius=2)
    >>> print(f"{images['significance'][20, 20]:.2f} {images['excess'][20, 20]:.1f}")
    12.92 90.0
    """
    inputs = _prepare({"counts": counts, "background": background})
    kernel = _kernel_or_disk(kernel, radius, counts)
    on = sums_on(inputs.counts, inputs.acceptance, kernel)
    result = compute_significance(
        inputs.counts, inputs.acceptance, Background(inputs.background), kernel, statistic="cash", on=on
    )
    n_on = np.where(inputs.coverage, on[0], np.nan)
    arrays = {
        "significance": result.significance,
        "counts": n_on,
        "background": n_on - result.excess,
        "excess": result.excess,
    }
    return {name: _like(counts, array) for name, array in arrays.items()}


def compute_lima_on_off_image(n_on, n_off, a_on, a_off, kernel=None, radius="0.1 deg"):
    """Return significance, counts, background, excess and alpha under a kernel, for a measured background.

    Parameters
    ----------
    n_on, a_on : array_like or gammapy Map
        Counts and acceptance per pixel; both are summed under the kernel.
    n_off, a_off : array_like or gammapy Map
        Off counts and off acceptance, of a ring around each pixel, say; they are not summed again.
    kernel, radius
        As for `compute_lima_image`.

    Returns
    -------
    images : dict
        `significance` (Li & Ma 1983, eq. 17), `n_on`, `background`, `excess` and `alpha`, of the kind of `n_on`.

    Examples
    --------
    >>> import numpy as np
    >>> import skymask
    >>> counts = np.full((40, 40), 2)
    >>> counts[19:22, 19:22] = 12
    >>> ones = np.ones((40, 40))
    >>> images = skymask.compute_lima_on_off_image(counts, 200 * ones, ones, 100 * ones, radius=2)
    >>> print(f"{images['significance'][20, 20]:.2f} {images['alpha'][20, 20]:.2f}")
    11.62 0.13
    """
    inputs = _prepare({"counts": n_on}, acceptance=a_on)
    kernel = _kernel_or_disk(kernel, radius, n_on)
    counts_off, acceptance_off = (np.asarray(_array(sky_map), dtype=float) for sky_map in (n_off, a_off))
    acceptance_off = np.where(counts_off >= 0, np.nan_to_num(acceptance_off), 0.0)
    defined = acceptance_off > 0
    ratio = np.divide(counts_off, acceptance_off, out=np.full(defined.shape, np.nan), where=defined)
    estimate = Background(inputs.acceptance * ratio, np.where(defined, counts_off, 0.0), acceptance_off)
    on = sums_on(inputs.counts, inputs.acceptance, kernel)
    result = compute_significance(inputs.counts, inputs.acceptance, estimate, kernel, statistic="wstat", on=on)
    arrays = {
        "significance": result.significance,
        "n_on": np.where(inputs.coverage, on[0], np.nan),
        "background": result.alpha * estimate.counts_off,
        "excess": result.excess,
        "alpha": result.alpha,
    }
    return {name: _like(n_on, array) for name, array in arrays.items()}


def _ring_images(images, kernel, source_kernel=None):
    """The images that a ring gives, and the estimate behind them."""
    acceptance = images.get("background", images.get("exposure_on"))
    inputs = _prepare({"counts": images["counts"], "exclusion": images.get("exclusion")}, acceptance=acceptance)
    estimate = estimate_background(
        inputs.counts, inputs.acceptance, inputs.exclusion_mask, kernel, source_kernel=source_kernel
    )
    exposure_off = np.where(estimate.acceptance_off > 0, estimate.acceptance_off, np.nan)
    arrays = {
        "off": estimate.counts_off,
        "exposure_off": exposure_off,
        "alpha": inputs.acceptance / exposure_off,
        "background_ring": estimate.background,
    }
    made = {name: _like(images["counts"], np.where(inputs.coverage, array, 0.0)) for name, array in arrays.items()}
    return made, estimate


def _prepare(images, *, acceptance=None, additive_background=None):
    """The checked arrays of a dictionary of maps."""
    given = {
        "counts": images["counts"],
        "acceptance": acceptance,
        "exclusion_mask": images.get("exclusion"),
        "background": images.get("background"),
        "additive_background": additive_background,
    }
    check_same_sky(**given)
    return prepare(**{name: None if one is None else _array(one, name) for name, one in given.items()})


def _array(sky_map, name="maps"):
    """The two-dimensional array of a map, without axes of length 1."""
    array = plain(sky_map, name)
    if array.ndim < 2 or array.size != array.shape[-1] * array.shape[-2]:
        raise MapError(f"{name} must be two-dimensional images, got the shape {array.shape}")
    return array.reshape(array.shape[-2:])


def _like(counts, array):
    """An array as a map of the kind of `counts`."""
    return counts.copy(data=array.reshape(counts.data.shape), unit="") if hasattr(counts, "geom") else array


def _with_maps(images, **arrays):
    return {"counts": images["counts"], **{name: _like(images["counts"], array) for name, array in arrays.items()}}


def _kernel(kernel):
    """A kernel with odd sides and its peak at 1."""
    array = np.asarray(getattr(kernel, "array", kernel))
    return kernels.from_array(np.pad(array, [(1 - side % 2, 0) for side in array.shape]))


def _background_kernel(kernel):
    """A background kernel: an array, or what is none."""
    return kernel if kernels.is_adaptive(kernel) or kernels.is_field_of_view(kernel) else _kernel(kernel)


def _kernel_or_disk(kernel, radius, counts):
    if hasattr(kernel, "array") or np.ndim(kernel) == 2:
        return _kernel(kernel)
    return _disk(radius if kernel is None else kernel, counts)


def _disk(radius, counts):
    radius, pixel_size = _length(radius, counts)
    return kernels.disk(radius, pixel_size=pixel_size)


def _length(length, counts):
    """A length as a number, and the size of a pixel along y and x in the same unit."""
    if isinstance(length, Real):
        return length, (1.0, 1.0)
    if not hasattr(counts, "geom"):
        raise ValueError(f"an array has no pixel size: give the radius as a number of pixels, not {length}")
    from astropy.coordinates import Angle

    size_x, size_y = counts.geom.pixel_scales.to_value("deg")
    return float(Angle(length).deg), (size_y, size_x)
