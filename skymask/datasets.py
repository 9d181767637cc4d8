"""A dataset: its files read, checked against each other and against its kernels."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits

from skymask import geometry, kernels, maps, pixel_kernels, sums
from skymask.errors import MapError
from skymask.inputs import Inputs, prepare

#: A kernel may reach this many times the map's larger side; beyond, its radius or unit must be a mistake.
MAX_REACH = 2.0


#: Cards of the counts' header that say where it comes from.
ORIGIN_KEYS = ("ORIGIN", "ATTRIB", "TELESCOP", "INSTRUME", "OBSERVER", "OBJECT")


class Dataset(NamedTuple):
    """Checked arrays of a dataset, the header of its counts, and names and SHA-256 of its files by key."""

    inputs: Inputs
    header: fits.Header
    names: dict
    digests: dict


def read_dataset(counts, *, acceptance=None, exclusion_mask=None, background=None):
    """Return the dataset in the given files.

    Parameters
    ----------
    counts, acceptance, exclusion_mask, background : str
        Paths of FITS files, followed by [HDU name] where they hold several images; see `skymask.inputs.prepare`.

    Raises
    ------
    MapError
        If a file cannot be read, the files do not belong together, or their content is not what it should be.
    """
    names = {"counts": counts, "acceptance": acceptance, "exclusion_mask": exclusion_mask, "background": background}
    names = {key: name for key, name in names.items() if name}
    read = {key: maps.read(name) for key, name in names.items()}
    header = read["counts"].header
    geometry.sky_projection(header, names["counts"])
    shape = read["counts"].data.shape
    geometry.check_distortion(header, shape)
    for key, sky_map in read.items():
        if sky_map.data.shape != shape:
            raise MapError(f"{key} {names[key]} has the shape {sky_map.data.shape}, counts {shape}: they must agree")
        if key != "counts":
            geometry.check_same_grid(header, sky_map.header, shape, f"{key} {names[key]}")
    inputs = prepare(**{key: sky_map.data for key, sky_map in read.items()})
    return Dataset(inputs, header, names, {key: maps.file_digest(name) for key, name in names.items()})


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

    They are name and SHA-256 of every file, and what the counts' own header says of its origin.
    """
    cards = [(key, dataset.header[key], dataset.header.comments[key]) for key in ORIGIN_KEYS if key in dataset.header]
    for key, word in {"counts": "CNTS", "acceptance": "ACC", "exclusion_mask": "EXCL", "background": "BKG"}.items():
        if key in dataset.names:
            cards.append((f"FIL{word}", Path(dataset.names[key]).name[:67], f"{key} file"))
            cards.append((f"SHA{word}", dataset.digests[key], f"SHA-256 of the {key} file"))
    return cards


def check_kernels(inputs, pixel_size, *, source_kernel, background_kernel, dilation_radius, statistic):
    """Return warnings about the kernels of a dataset, which are those of the configuration.

    Raises
    ------
    MapError
        If they make no sense on its pixels; the numbers are in the message.
    """
    shape = inputs.counts.shape
    for key, kernel in (("source_kernel", source_kernel), ("background_kernel", background_kernel)):
        for name in ("radius", "sigma", "inner_radius", "width"):
            if name in kernel:
                _check_length(f"{key}.{name}", kernel[name], pixel_size, shape)
    _check_length("dilation_radius", dilation_radius, pixel_size, shape)
    if background_kernel["shape"] == "ring":
        width = min(pixel_kernels.length_in_pixels(background_kernel["width"], pixel_size))
        if width < 1 - kernels.RADIUS_TOLERANCE:
            raise MapError(
                f"background_kernel.width {background_kernel['width']} is {width:.2g} pixels: "
                "a ring must be at least one pixel wide"
            )
    source = pixel_kernels.to_pixels(source_kernel, pixel_size)
    whole = pixel_kernels.to_pixels(background_kernel, pixel_size)
    apart = kernels.without(whole, source)
    shared = np.count_nonzero(whole) - np.count_nonzero(apart)
    warnings = []
    if shared and statistic == "wstat":
        warnings.append(
            f"background_kernel does not clear source_kernel: the {shared} pixels they share are left out of it"
        )
    elif shared and background_kernel["shape"] == "ring":
        warnings.append(f"background_kernel does not clear source_kernel: they share {shared} pixels")
    used = kernels.off_kernel(whole, source, statistic)
    if not used.any():
        raise MapError("background_kernel lies under source_kernel as a whole: nothing is left to estimate from")
    usable = inputs.coverage & inputs.exclusion_mask
    if not (sums.convolve(usable, used > 0) * inputs.coverage).any():
        raise MapError(
            f"every pixel is starved: no used pixel lies under background_kernel "
            f"({used.shape[1]} x {used.shape[0]} pixels) anywhere on the map ({shape[1]} x {shape[0]} pixels)"
        )
    return warnings


def _check_length(name, length, pixel_size, shape):
    pixels = max(pixel_kernels.length_in_pixels(length, pixel_size))
    if pixels > MAX_REACH * max(shape):
        raise MapError(
            f"{name} {length} is {pixels:.4g} pixels, and the map has {shape[1]} x {shape[0]} pixels: "
            "the radius, its unit, or the pixel size in the header must be wrong"
        )
