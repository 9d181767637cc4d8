"""Stacks of runs and of energy bins, and bins with masks of their own.

Needs: SETTINGS, STACKED, CUBES_OF_BINS, SHARD. Makes: functions that rules of these datasets name.
"""

from skymask.config import configuration
from skymask.io import file_names

#: Files of datasets that are stacks of runs or energy bins, and maps of every energy bin.
OF_STACKS = ("counts_on.fits", "runs.fits")
OF_ENERGIES = ("counts", "background", "background_error", "counts_off", "alpha", "significance", "excess")
OF_BINS = (*OF_ENERGIES, "exclusion_mask")


def run_settings(wildcards):
    """Return which runs or energy bin of a dataset are read, and onto which grid; nothing if it is one map of counts."""
    entry = SETTINGS[wildcards.dataset]
    keys = configuration.RUN_KEYS if "runs" in entry else configuration.READING_KEYS
    return {key: entry[key] for key in keys if key in entry}


def stack_settings(wildcards):
    """Return how a stack is made of which runs or energy bins; nothing if the dataset is no stack."""
    if wildcards.dataset not in STACKED:
        return {}
    entry = SETTINGS[wildcards.dataset]
    # The energy bins of one map are those of a single run.
    only = [{key: entry[key] for key in file_names.RUN_MAP_KEYS if key in entry}]
    keys = ("stacking", "energy_kernels", "min_acceptance_fraction")
    reading = {key: entry.get(key) for key in configuration.READING_KEYS}
    return {"runs": entry.get("runs", only), **reading, **{key: entry[key] for key in keys}}


def run_files(wildcards):
    """Return the files of a dataset's runs, none if it has one map of counts."""
    names = file_names.run_names(SETTINGS[wildcards.dataset])
    return list(dict.fromkeys(file_names.split_name(name)[0] for name in names.values()))


def stack_files(wildcards):
    """Return the files of which a stack is made, none if the dataset is no stack."""
    names = [run[key] for run in stack_settings(wildcards).get("runs", ()) for key in run if key != "run"]
    return list(dict.fromkeys(file_names.split_name(name)[0] for name in names))


def finished_bins(wildcards):
    """Return the datasets that are energy bins of a cube and have products."""
    return [name for name in CUBES_OF_BINS[wildcards.dataset] if succeeded(name)]


def in_bins(name):
    """Return an input function for a product of every energy bin of a cube."""

    def paths(wildcards):
        return [f"<results>/{dataset}/{name}.fits" for dataset in finished_bins(wildcards)]

    return paths


def bin_numbers(wildcards):
    """Return which energy bins of a cube have products."""
    return [SETTINGS[name]["energy_bin"] for name in finished_bins(wildcards)]


def joined_bins(wildcards):
    """Return the maps of all cubes whose energy bins have masks of their own, if any bin has products.

    A run of a part of all datasets may lack some bins.
    """
    if SHARD is not None:
        return []
    cubes = [name for name, bins in CUBES_OF_BINS.items() if any(map(succeeded, bins))]
    return [f"<results>/{cube}/energy/{name}.fits" for cube in cubes for name in OF_BINS]


def counts_of_cube(wildcards):
    """Return the name of the counts whose energy bins have masks of their own."""
    entry = SETTINGS[CUBES_OF_BINS[wildcards.dataset][0]]
    return entry["runs"][0]["counts"] if "runs" in entry else entry["counts"]
