"""The files of a dataset, by the keys of the configuration that name them.

A name is a path or an address, followed by [HDU name] where a file holds several images or tables.
"""

import re

#: Keys that say what a dataset is; all others say how it is analysed.
DATA_KEYS = (
    "counts",
    "acceptance",
    "exposure",
    "coverage",
    "exclusion_mask",
    "inverse_exclusion_mask",
    "background",
    "additive_background",
    "simulate",
    "events",
    "runs",
    "observations",
    "energy_bin",
    "geometry",
    "cuts",
    "healpix",
)

#: Data keys that name one map.
MAP_KEYS = (
    "counts",
    "acceptance",
    "exposure",
    "coverage",
    "exclusion_mask",
    "inverse_exclusion_mask",
    "background",
    "additive_background",
)

#: Keys of a run that name one map.
RUN_MAP_KEYS = ("counts", "acceptance", "exposure", "coverage", "additive_background")

#: Keys of an exclusion region that name a file.
REGION_FILES = ("file", "table")

#: Snakemake's storage plugins by the kind of address that they serve.
STORAGE_PLUGINS = {
    "http": "http",
    "https": "http",
    "s3": "s3",
    "gs": "gcs",
    "ftp": "ftp",
    "sftp": "sftp",
    "root": "xrootd",
}

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def data_names(entry):
    """Return the names of a dataset's maps by key: paths, followed by [HDU name] where one is given."""
    return {key: entry[key] for key in MAP_KEYS if key in entry}


def event_lists(entry):
    """Return the names of a dataset's event lists; there may be one, a list of them, or none."""
    events = entry.get("events", [])
    return [events] if isinstance(events, str) else list(events)


def event_names(entry):
    """Return the names of the files by key of which the counts of a dataset of events are made."""
    events = entry.get("events", [])
    names = {"events": events} if isinstance(events, str) else {f"events.{n}": name for n, name in enumerate(events)}
    for key, part in (("geometry", "as"), ("cuts", "good_time_intervals")):
        if part in entry.get(key, {}):
            names[f"{key}.{part}"] = entry[key][part]
    return names


def healpix_names(entry):
    """Return the names of the files by key of which the fields of a HEALPix map are made."""
    return {
        f"healpix.{key}": entry["healpix"][key] for key in ("counts", "acceptance") if key in entry.get("healpix", {})
    }


def made_of(entry):
    """Return the names of the files by key of which the counts of a dataset are made, unless they are a map."""
    return event_names(entry) | healpix_names(entry)


def kernel_names(entry):
    """Return the names of the files of a dataset's kernels by key, of those that are arrays in files."""
    return {f"{key}.path": kernel["path"] for key, kernel in loop_kernels(entry).items() if "path" in kernel}


def loop_kernels(entry):
    """Return the kernels of a dataset's loop by key, those of its mask and its energy bins included."""
    keys = ("source_kernel", "background_kernel")
    kernels = {key: entry[key] for key in keys if key in entry} | mask_kernels(entry)
    for number, own in enumerate(entry.get("energy_kernels", ())):
        kernels |= {f"energy_kernels.{number}.{key}": own[key] for key in keys if key in own}
    return kernels


def mask_kernels(entry):
    """Return the further source kernels of a dataset's mask by key."""
    return {
        f"mask_source_kernels.{number}": kernel for number, kernel in enumerate(entry.get("mask_source_kernels", ()))
    }


def source_kernel_names(entry):
    """Return the name of the file by key of a dataset's source kernel, if it is an array in one."""
    return {key: name for key, name in kernel_names(entry).items() if key == "source_kernel.path"}


def further_kernel_names(entry):
    """Return the names of the files of a dataset's further source kernels by key."""
    kernels = {f"further_source_kernels.{name}": kernel for name, kernel in entry["further_source_kernels"].items()}
    return {f"{key}.path": kernel["path"] for key, kernel in kernels.items() if "path" in kernel}


def region_names(entry):
    """Return the names of the files of a dataset's exclusion regions by key."""
    regions = enumerate(entry.get("exclusion_regions", ()))
    return {
        f"exclusion_regions.{number}.{key}": region[key]
        for number, region in regions
        for key in REGION_FILES
        if key in region
    }


def run_names(entry):
    """Return the names of the maps of a dataset's runs by key."""
    return {
        f"runs.{number}.{key}": run[key]
        for number, run in enumerate(entry.get("runs", ()))
        for key in RUN_MAP_KEYS
        if key in run
    }


def stack_names(entry):
    """Return the names of the maps by key of which a stack is made: of its runs, or of the bins of its one map."""
    return run_names(entry) or {key: entry[key] for key in RUN_MAP_KEYS if key in entry}


def run_geometry_names(entry):
    """Return the name of the map by key whose grid the runs of a dataset are put on, if one is named."""
    return {"geometry.as": entry["geometry"]["as"]} if "runs" in entry and "as" in entry.get("geometry", {}) else {}


def file_names(entry):
    """Return the names of all files of a dataset's loop by key."""
    own = (data_names, run_names, run_geometry_names, kernel_names, region_names, made_of)
    return {key: name for names in own for key, name in names(entry).items()}


def every_name(entry):
    """Return the names of all files of a dataset by key."""
    return file_names(entry) | further_kernel_names(entry)


def split_name(name):
    """Return path and HDU name of "path.fits[HDU]"; the HDU name is None if there is none."""
    match = re.fullmatch(r"(?P<path>.+?)\[(?P<hdu>[^\[\]]+)\]", name)
    return (match["path"], match["hdu"]) if match else (name, None)


def is_remote(name):
    """Whether a file is named by an address, such as https://..., and not by a path."""
    return _ADDRESS.match(name) is not None


def remote_names(entry):
    """Return the addresses of the remote files of a dataset by key, without HDU names."""
    files = {key: split_name(name)[0] for key, name in file_names(entry).items()}
    return {key: file for key, file in files.items() if is_remote(file)}


def has_acceptance(simulation):
    """Whether a simulation has an acceptance that is not flat."""
    return "acceptance_sigma" in simulation or any(simulation["acceptance_gradient"]) or bool(simulation["holes"])
