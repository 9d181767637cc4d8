"""The loop for maps that do not fit into memory: strip by strip, each with the rows around it that it depends on.

A strip is some whole rows of the map. Between iterations its sums lie in a file, and so do all masks, one bit per
pixel; one strip is in memory at a time. Every sum is one of integers, or of floating-point numbers in an order that
does not depend on where a strip begins, so the result is that of `skymask.iterate` to the last bit.
"""

import hashlib
import pickle
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from skymask.core import convergence, convolution, kernels, tiling
from skymask.core.background import full_map_reason, mean_of_rows
from skymask.core.bitmask import PackedMask
from skymask.core.exclusion import exclude, needs_significance
from skymask.core.inputs import NO_BACKGROUND, NO_COVERAGE, NOTHING_USED, prepare_part
from skymask.core.plain_arrays import check_same_sky, plain
from skymask.errors import MapError
from skymask.io.own_files import remove_named
from skymask.loop.incremental import IncrementalEstimate
from skymask.loop.iteration import Loop, Products, Result, warn_of_lost_backgrounds
from skymask.loop.options import Options

#: Pixels of a strip, without the rows around it.
STRIP = 2**23

#: A strip has at least so many times the rows that are needed on either side of it.
ROWS_PER_HALO = 4

#: Strips begin at multiples of so many rows, for their bits to begin with a byte.
BITS = 8


class StoredMask:
    """A mask in a file, one bit per pixel, of which `mask[a:b]` are rows as an array of bool, shape (b - a, nx).

    Attributes
    ----------
    path : Path
    shape : (int, int)
    """

    def __init__(self, path, shape):
        self.path, self.shape = Path(path), shape

    def __getitem__(self, rows):
        start, stop, _ = rows.indices(self.shape[0])
        pixels, before = (stop - start) * self.shape[1], start * self.shape[1] % BITS
        bits = np.unpackbits(self.packed(slice(start, stop)), count=before + pixels)[before:]
        return bits.view(bool).reshape(-1, self.shape[1])

    def packed(self, rows):
        """Return rows as bits, eight to a byte (`numpy.packbits`), from the byte on in which the first one begins."""
        begin = rows.start * self.shape[1] // BITS
        return np.fromfile(self.path, np.uint8, -(-rows.stop * self.shape[1] // BITS) - begin, offset=begin)

    def __setitem__(self, rows, values):
        """Store rows, of which the first is a multiple of eight."""
        with open(self.path, "r+b" if self.path.exists() else "wb") as file:
            file.seek(rows.start * self.shape[1] // BITS)
            np.packbits(values).tofile(file)

    def digest(self):
        """Return what `skymask.core.convergence.digest` says of the mask."""
        with open(self.path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


class StripProducts:
    """Maps that belong to one exclusion mask, computed strip by strip while they are asked for.

    Iterating gives pairs of a slice, rows of the map, and the maps of these rows by name: those of
    `skymask.loop.iteration.Products.maps`.
    """

    def __init__(self, estimates, mask, source_kernel, options):
        self._estimates, self._mask = estimates, mask
        self._source_kernel, self._options = source_kernel, options

    def __iter__(self):
        for strip in self._estimates.strips:
            inputs, estimate = self._estimates.load(strip)
            estimate.update(PackedMask.of(self._mask[strip.outer]))
            estimate.forget()
            products = Products(
                inputs.counts,
                inputs.acceptance,
                estimate.estimate(),
                self._source_kernel,
                statistic=self._options.statistic,
                on=estimate.on,
                significance=estimate.significance(),
            )
            yield strip.rows, {name: image[strip.inside] for name, image in products.maps().items()}


def iterate_strips(
    counts,
    folder,
    *,
    source_kernel,
    background_kernel,
    dilation_kernel,
    acceptance=None,
    exclusion_mask=None,
    background=None,
    rows=None,
    **options,
):
    """Return what `iterate` does for a map that does not fit into memory, bit for bit, read and kept in strips.

    Parameters
    ----------
    counts : array_like, shape (ny, nx)
        As for `iterate`; rows are taken as `counts[a:b]`, so a memory-mapped array serves.
    folder : str or Path
        Where masks and sums are kept, about 30 bytes per pixel; the result reads from there. It is made if need be.
    source_kernel, background_kernel, dilation_kernel : ndarray
        As for `iterate`; source and background kernel of zeros and ones.
    acceptance, exclusion_mask, background : array_like, shape (ny, nx), optional
        As for `iterate`, read like the counts.
    rows : int, optional
        Rows of a strip, a multiple of eight.
    **options
        Those of `iterate`, without what needs the whole map at once: `threshold_low`, `threshold_in_widths`,
        `region_growth`, `background_systematic`.

    Returns
    -------
    result : Result
        Its `exclusion_mask` is a `StoredMask`, its `products` are `StripProducts`.

    Raises
    ------
    MapError, ValueError, ConvergenceError
        As by `iterate`; a ValueError also if the whole map would be needed.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import skymask
    >>> counts = np.full((40, 40), 2)
    >>> kernels = {"source_kernel": skymask.disk(2), "background_kernel": skymask.ring(6, 3)}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = skymask.iterate_strips(counts, folder, rows=16, dilation_kernel=skymask.disk(1), **kernels)
    ...     for rows, maps in result.products:
    ...         print(rows.start, maps["background"].shape, maps["background"].mean())
    0 (16, 40) 2.0
    16 (16, 40) 2.0
    32 (8, 40) 2.0
    """
    options = Options(**options)
    source_kernel, dilation_kernel = kernels.from_array(source_kernel), kernels.from_array(dilation_kernel) > 0
    background_kernel = kernels.background_kernel(background_kernel, [source_kernel], options.statistic)
    _refuse_whole_maps(source_kernel, background_kernel, acceptance, background, options)
    images = {"acceptance": acceptance, "exclusion_mask": exclusion_mask, "background": background}
    images = {"counts": counts} | {name: image for name, image in images.items() if image is not None}
    check_same_sky(**images)
    # What can be cut into rows is read in rows.
    images = {name: image if hasattr(image, "shape") else plain(image, name) for name, image in images.items()}
    counts = images["counts"]
    for name, image in images.items():
        if image.shape != counts.shape:
            raise MapError(f"{name} has the shape {image.shape}, counts {counts.shape}: they must agree")

    def strips(halo):
        return _strips(counts.shape, halo, rows)

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    remove_named(folder, rf"({'|'.join(MASKS)}|mask-\d+)\.bits|strip-\d+\.pickle")
    halo = background_kernel.shape[0] // 2 + source_kernel.shape[0] // 2
    estimates = _Estimates(folder, strips(halo), counts.shape[0])
    masks = _Masks(folder, counts.shape)
    largest = _survey(images, estimates.strips, masks)
    for strip in estimates.strips:
        inputs = _inputs_of(images, strip.outer, largest)
        estimate = IncrementalEstimate(
            inputs,
            source_kernel,
            background_kernel,
            statistic=options.statistic,
            threshold=options.threshold,
            rows=strip.inside,
        )
        estimates.keep(strip, inputs, estimate, masks)
    # How far a mask depends on what reaches the threshold: regions of few pixels, holes of few, dilation.
    halo = options.min_pixels - 1 + options.max_hole_pixels + dilation_kernel.shape[0] // 2
    loop = _StripLoop(estimates, masks, strips(halo), dilation_kernel, options, background_given=background is not None)
    mask = loop.final_mask()
    warn_of_lost_backgrounds(loop.records[-1]["mean_background"], stacklevel=3)
    products = StripProducts(estimates, mask, source_kernel, options)
    return Result(loop.state.name, loop.state.period, len(loop.records) - 1, mask, products, loop.records)


def write_strips(result, folder, *, header):
    """Write exclusion mask and maps of `iterate_strips` as FITS files, one each, strip by strip.

    Parameters
    ----------
    result : Result
        Of `iterate_strips`.
    folder : str or Path
        Where `exclusion_mask.fits`, `background.fits`, ... are written, as the workflow does but for the cards that
        name its settings. It is made if need be.
    header : astropy.io.fits.Header
        Of the counts: it says where the map lies on the sky.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import skymask
    >>> counts = np.full((40, 40), 2)
    >>> kernels = {"source_kernel": skymask.disk(2), "background_kernel": skymask.ring(6, 3)}
    >>> from pathlib import Path
    >>> from astropy.io.fits import Header
    >>> header = Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CDELT1": -0.02, "CDELT2": 0.02})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = skymask.iterate_strips(counts, folder, dilation_kernel=skymask.disk(1), **kernels)
    ...     skymask.write_strips(result, Path(folder, "maps"), header=header)
    ...     print(Path(folder, "maps", "significance.fits").is_file())
    True
    """
    # The loop needs no FITS.
    from skymask.io import maps

    folder, mask = Path(folder), result.exclusion_mask
    folder.mkdir(parents=True, exist_ok=True)
    cards = [
        ("STATE", result.state, "how the loop ended"),
        ("PERIOD", result.period, "period of the final masks, 1 for a fixed point"),
        ("NITER", result.iterations, "iterations, the confirming one included"),
        ("MASKDEF", "1 used, 0 excluded", "convention of the exclusion mask"),
    ]
    files = {}
    with ExitStack() as stack:
        for rows, images in result.products:
            for name, image in {"exclusion_mask": mask[rows], **images}.items():
                if name not in files:
                    file = maps.written_in_rows(folder / f"{name}.fits", mask.shape, sky=header, cards=cards)
                    files[name] = stack.enter_context(file)
                files[name].append({name: image})


def _refuse_whole_maps(source_kernel, background_kernel, acceptance, background, options):
    reason = full_map_reason(source_kernel, background_kernel)
    known = options.statistic == "cash" or background is not None
    if not reason and (known or acceptance is not None) and not convolution.is_local(source_kernel):
        reason = "sums of floating-point numbers under so large a source kernel are rounded for the whole map"
    if not reason and (needs_significance(**options.shaping) or options.region_growth is not None):
        reason = "threshold_low, threshold_in_widths and region_growth know no largest distance"
    if not reason and options.background_systematic:
        reason = "with background_systematic the significance is computed everywhere in every iteration"
    if reason:
        raise ValueError(f"strips cannot be used: {reason}")


def _strips(shape, halo, rows=None):
    """The map cut into strips, with `halo` more rows on either side as far as the map goes."""
    if rows is None:
        rows = BITS * -(-max(STRIP // shape[1], ROWS_PER_HALO * halo) // BITS)
    if rows < 1 or rows % BITS:
        raise ValueError(f"rows must be a multiple of {BITS}, got {rows}")
    return tiling.strips_with_halo(shape, halo, rows)


def _inputs_of(images, rows, largest=None):
    try:
        parts = {name: image[rows] for name, image in images.items()}
        return prepare_part(parts.pop("counts"), **parts, largest_acceptance=largest)
    except MapError as error:
        raise MapError(f"rows {rows.start} to {rows.stop - 1}, counted from the first of them: {error}") from error


def _survey(images, strips, masks):
    """Look through the whole map once, keep coverage and the user's mask, and return the largest acceptance."""
    largest, covered, used, known = 0, 0, 0, "background" not in images
    for strip in strips:
        inputs = _inputs_of(images, strip.rows)
        coverage = inputs.coverage
        masks.coverage[strip.rows], masks.user[strip.rows] = coverage, inputs.exclusion_mask
        masks.of(0)[strip.rows] = inputs.exclusion_mask
        masks.decision[strip.rows] = np.ones_like(coverage)
        covered += np.count_nonzero(coverage)
        used += np.count_nonzero(coverage & inputs.exclusion_mask)
        largest = max(largest, inputs.acceptance.max())
        known = known or not np.isnan(inputs.background).all()
    if not covered:
        raise MapError(NO_COVERAGE)
    if not used:
        raise MapError(NOTHING_USED)
    if not known:
        raise MapError(NO_BACKGROUND)
    return largest


#: Masks that a loop has one of each, by their names.
MASKS = ("coverage", "user", "decision", "next_decision", "reached", "starved", "final")


class _Masks:
    """All masks of a loop, in files."""

    def __init__(self, folder, shape):
        self._folder, self._shape = folder, shape
        for name in MASKS:
            setattr(self, name, self._stored(name))

    def of(self, iteration):
        """The exclusion mask of an iteration."""
        return self._stored(f"mask-{iteration}")

    def decide(self):
        """Make the next decision the last one."""
        self.next_decision.path.replace(self.decision.path)

    def _stored(self, name):
        return StoredMask(self._folder / f"{name}.bits", self._shape)


class _Estimates:
    """The estimates of all strips, in files, and in memory what is known of each."""

    def __init__(self, folder, strips, n_y):
        self._folder, self.strips = folder, strips
        self._row_sums, self._row_defined = np.zeros(n_y), np.zeros(n_y, dtype=int)
        self._highest = [None] * len(strips)
        self._starved = [0] * len(strips)

    def load(self, strip):
        """Return inputs and estimate of a strip."""
        with open(self._path(strip), "rb") as file:
            return pickle.load(file)

    def keep(self, strip, inputs, estimate, masks):
        """Store an estimate, and what it says of the strip's rows."""
        with open(self._path(strip), "wb") as file:
            pickle.dump((inputs, estimate), file, protocol=5)
        reached, starved = (image[strip.inside, :] for image in (estimate.reached, estimate.starved))
        masks.reached[strip.rows], masks.starved[strip.rows] = reached, starved
        self._row_sums[strip.rows], self._row_defined[strip.rows] = estimate.row_sums()
        self._starved[strip.number] = np.count_nonzero(starved)
        # Where nothing reaches the threshold, the highest significance costs a whole map.
        self._highest[strip.number] = estimate.highest() if reached.any() else None

    def update(self, before, mask, masks, *, everywhere):
        """Take the estimates for another mask; a strip in and around which nothing changed may have its own already."""
        for strip in self.strips:
            rows = mask[strip.outer]
            if everywhere or not np.array_equal(rows, before[strip.outer]):
                inputs, estimate = self.load(strip)
                estimate.update(PackedMask.of(rows))
                self.keep(strip, inputs, estimate, masks)

    def starved(self):
        """The number of starved pixels."""
        return sum(self._starved)

    def highest(self):
        """The highest significance, None if it is nowhere defined."""
        known = [value for value in self._highest if value is not None]
        if not known:
            values = (self.load(strip)[1].highest() for strip in self.strips)
            known = [value for value in values if value is not None]
        return max(known, default=None)

    def mean_background(self):
        """The mean background, None if it is nowhere defined."""
        return mean_of_rows(self._row_sums, self._row_defined)

    def _path(self, strip):
        return self._folder / f"strip-{strip.number}.pickle"


class _StripLoop(Loop):
    """The loop with its masks and estimates in files."""

    def __init__(self, estimates, masks, strips, dilation_kernel, options, *, background_given):
        super().__init__(options, background_given=background_given)
        self._estimates, self._masks, self._strips = estimates, masks, strips
        self._dilation_kernel = dilation_kernel

    def first_record(self):
        mask = self._masks.of(0)
        return self._record(0, mask, mask, starved=0, highest=None)

    def next_record(self):
        number, masks, options = len(self.records), self._masks, self.options
        previous_mask, mask = masks.of(number - 1), masks.of(number)
        for strip in self._strips:
            reached, starved, covered, users, previous, decision = (
                PackedMask.of(stored[strip.outer])
                for stored in (masks.reached, masks.starved, masks.coverage, masks.user, previous_mask, masks.decision)
            )
            rows_of_mask, rows_of_decision = exclude(
                reached,
                starved,
                coverage=covered,
                **options.shaping,
                dilation_kernel=self._dilation_kernel,
                user_mask=users,
                previous_mask=previous,
                previous_decision=decision,
                mask_update=options.mask_update,
                starved_pixels=options.starved_pixels,
            )
            mask[strip.rows] = rows_of_mask[strip.inside, :]
            masks.next_decision[strip.rows] = rows_of_decision[strip.inside, :]
        masks.decide()
        estimates = self._estimates
        record = self._record(number, mask, previous_mask, starved=estimates.starved(), highest=estimates.highest())
        # The first estimate may be the user's.
        estimates.update(previous_mask, mask, masks, everywhere=number == 1 and self._background_given)
        return record | {"mean_background": estimates.mean_background()}

    def final_mask(self):
        """Go through the loop, and return the mask that belongs to its end."""
        final = self.iterations_of_final_mask()
        for strip in self._strips:
            rows = [self._masks.of(number)[strip.rows] for number in final]
            self._masks.final[strip.rows] = np.logical_and.reduce(rows)
        return self._masks.final

    def _record(self, number, mask, previous_mask, *, starved, highest):
        stored = (mask, previous_mask, self._masks.coverage, self._masks.user)
        parts = [convergence.tally(*(one.packed(strip.rows) for one in stored)) for strip in self._strips]
        return convergence.record_of(
            number,
            convergence.Tally(*map(sum, zip(*parts, strict=True))),
            starved=starved,
            highest_significance=highest,
            mask_digest=mask.digest(),
            decision_digest=self._masks.decision.digest(),
        )
