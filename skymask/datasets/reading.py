"""A dataset: its files read, checked against each other and against its kernels."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits

from skymask.core import convolution, kernels
from skymask.core.background import estimate_background
from skymask.core.inputs import Inputs, check_coverage, prepare
from skymask.core.stacking import stack_inputs
from skymask.datasets.exposures import DEFAULTS, ExposureOptions
from skymask.datasets.on_grid import mask_on_grid, only_plane, planes_on_grid
from skymask.datasets.runs import RUN_KEYS, RunFiles, common_grid
from skymask.errors import MapError
from skymask.io import maps
from skymask.io.header_cards import copied_cards
from skymask.loop import by_rows
from skymask.sky import configured_kernels
from skymask.sky import exclusion_regions as user_regions
from skymask.sky import geometry as sky
from skymask.units import in_words, kernel_lengths

#: A kernel may reach this many times the map's larger side; beyond, its radius or unit must be a mistake.
MAX_REACH = 2.0

#: More of the pixels than this without anything under the background kernel, with nothing excluded, is worth a warning.
MAX_STARVED_AT_START = 0.05

#: So many files of exclusion regions have header cards of their own.
MAX_REGION_FILES = 9

#: Maps of pixels that may be used.
MASK_KEYS = ("exclusion_mask", "inverse_exclusion_mask")

#: What header cards call the files of a dataset.
FILE_WORDS = {
    "counts": "CNTS",
    "acceptance": "ACC",
    "exposure": "EXPO",
    "coverage": "COV",
    "exclusion_mask": "EXCL",
    "inverse_exclusion_mask": "INVE",
    "background": "BKG",
    "additive_background": "ADD",
}


class Dataset(NamedTuple):
    """Checked arrays of a dataset, the header of its counts, names and SHA-256 of its files by key, its regions.

    `runs` are its runs, or the energy bins of a single one, that the loop is to estimate one by one; None if there is
    one map of counts.
    """

    inputs: Inputs
    header: fits.Header
    names: dict
    digests: dict
    exclusion_regions: list
    runs: RunFiles | None = None


def read_dataset(
    counts=None,
    *,
    acceptance=None,
    exposure=None,
    coverage=None,
    exclusion_mask=None,
    inverse_exclusion_mask=None,
    background=None,
    additive_background=None,
    runs=(),
    geometry=None,
    energy_bin=None,
    spectral_index=DEFAULTS.spectral_index,
    energy_range=None,
    exclusion_regions=(),
    min_acceptance_fraction=0,
):
    """Return the dataset in the given files.

    Parameters
    ----------
    counts, acceptance, exposure, coverage, exclusion_mask, background, additive_background : str
        Paths of FITS files, followed by [HDU name] where they hold several images; see `inputs.prepare`. All
        but exposure and exclusion mask must be on the grid of the counts. Counts that are in no file may be a `SkyMap`.
        Counts, acceptance, coverage and additive background may have an energy axis. An acceptance whose planes are
        given at energies is taken as an exposure; see `skymask.datasets.exposures`.
    runs : list of dict
        Runs that are estimated one by one, instead of the counts, with names by key as above.
    geometry : dict, optional
        Grid of the runs, as in the configuration; the part of theirs that holds them all if not given.
    energy_bin : int, optional
        The only energy bin that is read of cubes.
    spectral_index, energy_range : float, (str, str) or None
        See `skymask.datasets.exposures.ExposureOptions`.
    exclusion_regions : list of dict
        As in the configuration; see `skymask.sky.exclusion_regions`.
    min_acceptance_fraction : float
        As for `skymask.core.inputs.prepare`.

    Raises
    ------
    MapError
        If a file cannot be read, the files do not belong together, or their content is not what it should be.
    """
    measured = {
        "counts": counts,
        "acceptance": acceptance,
        "exposure": exposure,
        "coverage": coverage,
        "additive_background": additive_background,
    }
    others = {
        "exclusion_mask": exclusion_mask,
        "inverse_exclusion_mask": inverse_exclusion_mask,
        "background": background,
    }
    given = {key: name for key, name in {**measured, **others}.items() if name}
    names = {key: name for key, name in given.items() if not isinstance(name, maps.SkyMap)}
    runs = list(runs)
    if energy_bin is not None:
        of_bins = runs[0]["counts"] if runs else counts
        if maps.read_layout(of_bins).energies is None:
            raise MapError(f"energy_bin is {energy_bin}, and counts {of_bins} have no energy axis")
    if not runs and energy_bin is None and (cube := _as_run(names)):
        runs = [cube]
        given = {key: name for key, name in given.items() if key in others}
    arrays, warnings, options = {}, [], ExposureOptions(spectral_index, energy_range)
    if runs:
        header, shape, _ = common_grid(runs, sky.grid(geometry) if geometry else None)
        layout = maps.Layout(header, shape, None)
    else:
        layout, arrays["counts"] = _counts(counts, energy_bin)
        header, shape = layout.header, layout.shape
    sky.sky_projection(header, names.get("counts", "counts"))
    sky.check_distortion(header, shape)
    if (gap := sky.seam_gap(header, shape)) is not None:
        raise MapError(
            f"the map goes all around and its ends are {gap:.2g} deg apart: a source there would be cut in two, as "
            "nothing is summed across them; cut it into maps that overlap, or give a HEALPix map (key healpix)"
        )
    for key, name in given.items():
        if key in MASK_KEYS:
            arrays["exclusion_mask"], more = mask_on_grid(key, name, header, shape, energy_bin=energy_bin)
            warnings += more
        elif key != "counts":
            found, planes = planes_on_grid(key, name, layout, options, energy_bin=energy_bin)
            arrays[found] = only_plane(planes, f"{key} {name}")
    if exclusion_regions:
        arrays["region_mask"], missed = user_regions.region_mask(header, shape, exclusion_regions)
        warnings += missed
    stack = None
    if runs:
        coverage = check_coverage(arrays.pop("coverage")) if "coverage" in arrays else None
        stack = RunFiles(
            runs,
            header,
            shape,
            coverage=coverage,
            min_acceptance_fraction=min_acceptance_fraction,
            energy_bin=energy_bin,
            check_distinct=True,
            exposure_options=options,
        )
        inputs = stack_inputs(stack, shape, **arrays)
        warnings += stack.warnings
    else:
        inputs = prepare(**arrays, min_acceptance_fraction=min_acceptance_fraction)
    inputs = inputs._replace(warnings=inputs.warnings + warnings)
    digests = {key: maps.file_digest(name) for key, name in names.items()}
    return Dataset(inputs, header, names, digests, list(exclusion_regions), stack)


def _counts(counts, energy_bin):
    """Where the counts of a dataset without runs lie, and their only plane."""
    if isinstance(counts, maps.SkyMap):
        return maps.Layout(counts.header, counts.data.shape, counts.energies), counts.data
    if energy_bin is None:
        image = maps.read(counts)
        maps.check_whole(image, "counts", counts)
        return maps.Layout(image.header, image.data.shape, None), image.data
    cube = maps.read_cube(counts, energy_bin=energy_bin)
    maps.check_whole(cube, "counts", counts)
    return maps.layout_of(cube, counts, energy_bin=energy_bin), cube.data[0]


def _as_run(names):
    """The maps of a dataset as the only run of a stack, None if the counts have no energy axis or are in no file."""
    if "counts" not in names or maps.read_layout(names["counts"]).energies is None:
        return None
    return {key: names[key] for key in RUN_KEYS if key in names}


def named_files(files, hdus):
    """Return the names of a dataset's files by key, as `read_dataset` takes them.

    Parameters
    ----------
    files : dict of str to str
        Paths; keys that are not in `hdus` are left out.
    hdus : dict of str to str or None
        HDU names, None for files with one image.
    """
    return {key: f"{path}[{hdus[key]}]" if hdus[key] else path for key, path in files.items() if key in hdus}


def origin_cards(dataset):
    """Return the header cards by which products name what they were made of.

    They are name and SHA-256 of every file, what the counts' own header says of its origin, and of the events they were
    made of. Exclusion regions have a SHA-256 for all of them, and the first `MAX_REGION_FILES` of their files one each.
    """
    cards = copied_cards(dataset.header, maps.ORIGIN_KEYS, "the counts")
    if "NEVREAD" in dataset.header:
        found = [card for card in dataset.header.cards if maps.EVENT_CARDS.fullmatch(card.keyword)]
        cards += [(card.keyword, card.value, card.comment) for card in found]
    for key, word in FILE_WORDS.items():
        if key in dataset.names:
            cards.append((f"FIL{word}", short_name(dataset.names[key]), f"{key} file"))
            cards.append((f"SHA{word}", dataset.digests[key], f"SHA-256 of the {key} file"))
    if "counts" not in dataset.names and dataset.runs is not None:
        cards += dataset.runs.cards()
    if dataset.exclusion_regions:
        cards.append(("SHAREGS", user_regions.digest(dataset.exclusion_regions), "SHA-256 of the exclusion regions"))
        files = list(user_regions.file_digests(dataset.exclusion_regions).items())[:MAX_REGION_FILES]
        for number, (path, digest) in enumerate(files, start=1):
            cards.append((f"FILREG{number}", short_name(path), "file of exclusion regions"))
            cards.append((f"SHAREG{number}", digest, "SHA-256 of that file"))
    return cards


def short_name(path):
    """Return a file's name as a header takes it: ASCII, on one card."""
    return Path(path).name.encode("unicode_escape").decode()[:67]


def inspect(files, runs, selection, kernels):
    """Return a dataset and the warnings about it, once its files and kernels are known to be good.

    Parameters
    ----------
    files, runs : dict
        Names of files, and runs with their geometry, as `read_dataset` takes them.
    selection : dict
        Exclusion regions and the least acceptance, as `read_dataset` takes them.
    kernels : dict
        As `check_kernels` takes them, and `energy_kernels` of the configuration.

    Raises
    ------
    MapError
        If they are not; see `read_dataset` and `check_kernels`.
    """
    dataset = read_dataset(**files, **runs, **selection)
    size = sky.pixel_size(dataset.header)
    common = {key: value for key, value in kernels.items() if key != "energy_kernels"}
    warnings = check_kernels(dataset.inputs, size, stack=dataset.runs is not None, **common)
    own = kernels["energy_kernels"]
    if own:
        planes = dataset.runs.planes if dataset.runs else 1
        if len(own) != planes:
            bins = "no energy axis" if planes == 1 else f"{planes} energy bins"
            raise MapError(f"energy_kernels has {len(own)} items, and counts have {bins}")
    for number, pair in enumerate(own):
        try:
            of_bin = check_kernels(dataset.inputs, size, stack=True, **{**common, **pair})
        except MapError as error:
            raise MapError(f"energy_kernels.{number}: {error}") from error
        warnings += [f"energy_kernels.{number}: {warning}" for warning in of_bin if warning not in warnings]
    return dataset, dataset.inputs.warnings + warnings


def check_kernels(
    inputs,
    pixel_size,
    *,
    source_kernel,
    background_kernel,
    dilation_radius,
    statistic,
    mask_source_kernels=(),
    stack=False,
):
    """Return warnings about the kernels of a dataset, which are those of the configuration.

    Whether an adaptive ring suffices, or a tilt can be fitted, is not asked of a stack: its runs have their own.

    Raises
    ------
    MapError
        If they make no sense on its pixels; the numbers are in the message.
    """
    shape = inputs.counts.shape
    of_mask = {f"mask_source_kernels.{number}": kernel for number, kernel in enumerate(mask_source_kernels)}
    named = {"source_kernel": source_kernel, "background_kernel": background_kernel, **of_mask}
    check_lengths(named, dilation_radius, pixel_size, shape)
    is_ring = background_kernel["shape"] in ("ring", "adaptive_ring")
    if is_ring:
        width = min(configured_kernels.length_in_pixels(background_kernel["width"], pixel_size))
        if width < 1 - kernels.RADIUS_TOLERANCE:
            raise MapError(
                f"background_kernel.width {in_words(background_kernel['width'])} is {width:.2g} pixels: "
                "a ring must be at least one pixel wide"
            )
    source = configured_kernels.to_pixels(source_kernel, pixel_size)
    whole = configured_kernels.to_pixels(background_kernel, pixel_size)
    sources = [source, *(configured_kernels.to_pixels(kernel, pixel_size) for kernel in mask_source_kernels)]
    if kernels.is_field_of_view(whole):
        if whole.tilt and not stack:
            _check_tilt(inputs, whole)
        return []
    on_pixels = kernels.under_any(sources)
    used = kernels.off_kernel(whole, on_pixels, statistic)
    of_sources = "source_kernel and mask_source_kernels" if of_mask else "source_kernel"
    # No ring of an adaptive ring shares more pixels with the source kernel than the smallest.
    smallest, of_used = map(kernels.arrays_of, (whole, used))
    shared = np.count_nonzero(smallest[0]) - np.count_nonzero(kernels.without(smallest[0], on_pixels))
    warnings = []
    dilated = np.count_nonzero(configured_kernels.dilation_kernel(dilation_radius, pixel_size))
    if dilated > np.prod(shape) / 2:
        warnings.append(
            f"dilation_radius {in_words(dilation_radius)}: a single pixel above the threshold excludes up to {dilated} "
            f"pixels, and the map has {np.prod(shape)}"
        )
    if shared and statistic == "wstat":
        warnings.append(
            f"background_kernel does not clear {of_sources}: the {shared} pixels they share are left out of it"
        )
    elif shared and is_ring:
        warnings.append(f"background_kernel does not clear {of_sources}: they share {shared} pixels")
    if not any(kernel.any() for kernel in of_used):
        raise MapError(f"background_kernel lies under {of_sources} as a whole: nothing is left to estimate from")
    sides = f"({of_used[-1].shape[1]} x {of_used[-1].shape[0]} pixels)"
    on_map = f"anywhere on the map ({shape[1]} x {shape[0]} pixels)"
    number, covered = _starved_at_start(inputs, of_used), np.count_nonzero(inputs.coverage)
    if number == covered:
        raise MapError(f"every pixel is starved: no used pixel lies under background_kernel {sides} {on_map}")
    if number > MAX_STARVED_AT_START * covered:
        warnings.append(
            f"{number / covered:.0%} of the pixels are starved before anything is excluded: no used pixel lies under "
            f"background_kernel {sides} there; is it too large for the map ({shape[1]} x {shape[0]} pixels)?"
        )
    if kernels.is_adaptive(used) and not stack:
        estimate = estimate_background(
            inputs.counts, inputs.acceptance, inputs.exclusion_mask, used, source_kernel=source
        )
        if np.isnan(estimate.ring_radius).all():
            raise MapError(f"every pixel is starved: no ring of background_kernel {sides} suffices {on_map}")
    return warnings


def _starved_at_start(inputs, background_kernels):
    """The number of covered pixels without a used pixel under any of the kernels, before anything is excluded."""
    number, halo = 0, max(len(kernel) // 2 for kernel in background_kernels)
    for strip in by_rows.strips(inputs.acceptance.shape, halo):
        covered = inputs.acceptance[strip.outer] > 0
        usable = covered & inputs.exclusion_mask[strip.outer]
        for kernel in background_kernels:
            # Of the rings of an adaptive one, the first mostly leaves none.
            if covered.any():
                covered &= convolution.convolve(usable, kernel > 0) == 0
        number += np.count_nonzero(covered[strip.inside])
    return number


def _check_tilt(inputs, kernel):
    """Raise a MapError if the counts do not determine the tilt of a field of view."""
    images = inputs.counts, inputs.acceptance, inputs.exclusion_mask
    estimate = estimate_background(*images, kernel, additive_background=inputs.additive_background)
    if np.isnan(estimate.background).all():
        raise MapError(
            "background_kernel.tilt cannot be fitted: no norm that is linear across the map is positive everywhere and "
            "most likely (too few used pixels or counts, or an acceptance that does not fit): take tilt: false"
        )


def check_lengths(kernels_by_name, dilation_radius, pixel_size, shape):
    """Raise a MapError if a length of a kernel, or the dilation, is far beyond a map of this shape."""
    lengths = {
        f"{key}.{name}": length
        for key, kernel in kernels_by_name.items()
        for name, length in kernel_lengths(kernel).items()
    }
    for name, length in (lengths | {"dilation_radius": dilation_radius}).items():
        pixels = max(configured_kernels.length_in_pixels(length, pixel_size))
        if pixels > MAX_REACH * max(shape):
            raise MapError(
                f"{name} {in_words(length)} is {pixels:.4g} pixels, and the map has {shape[1]} x {shape[0]} pixels: "
                "the radius, its unit, or the pixel size in the header must be wrong"
            )
