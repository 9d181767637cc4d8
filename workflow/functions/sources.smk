"""What datasets are made of: their files, and how maps are made of them.

Needs: SETTINGS, OBSERVED. Makes: functions that the rules of datasets name.
"""

import os
from functools import cache

from skymask.io import atomic, file_names

#: Files of counts that the workflow makes, by the key of a dataset that says how.
MADE_COUNTS = {"simulate": "simulation.fits", "events": "binned_counts.fits", "healpix": "field_counts.fits"}


def data_files(wildcards):
    """Return the data files of a dataset by key: the user's, or those that the workflow makes."""
    entry = SETTINGS[wildcards.dataset]
    files = file_names.data_names(entry)
    for key, name in MADE_COUNTS.items():
        if key in entry:
            files["counts"] = f"<results>/{wildcards.dataset}/{name}"
    if "field" in entry or "simulate" in entry and file_names.has_acceptance(entry["simulate"]):
        files["acceptance"] = files["counts"]
    return {key: fetched(file_names.split_name(name)[0]) for key, name in files.items()}


def fetched(name):
    """Return a file as the input of a rule: its path, or what Snakemake fetches from its address."""
    return storage(name) if file_names.is_remote(name) else name


def data_hdus(wildcards):
    """Return the HDU names of a dataset's files by key, None where the file holds one image."""
    entry = SETTINGS[wildcards.dataset]
    hdus = {key: file_names.split_name(name)[1] for key, name in file_names.data_names(entry).items()}
    if any(key in entry for key in MADE_COUNTS):
        hdus["counts"] = "COUNTS"
    return {"acceptance": "ACCEPTANCE", **hdus} if "simulate" in entry or "field" in entry else hdus


def file_identity(wildcards):
    """Return name, size and time of every file of a dataset by key, but for those of which its counts are made, or that jobs make.

    No script reads it: it makes Snakemake see files that changed places, or were replaced by older ones.
    """
    entry = SETTINGS[wildcards.dataset]
    made = file_names.made_of(entry)
    if wildcards.dataset in OBSERVED:
        made |= file_names.run_names(entry)
    return identity({key: name for key, name in file_names.file_names(entry).items() if key not in made})


def source_identity(wildcards):
    """Return name, size and time of every file of which the counts of a dataset are made."""
    return identity(file_names.made_of(SETTINGS[wildcards.dataset]))


def identity(names):
    """Return name, size and time of files by key; of remote ones, whose time Snakemake asks for, their address."""
    far = {key: [name] for key, name in names.items() if file_names.is_remote(name)}
    names = {key: name for key, name in names.items() if key not in far}
    return far | {key: [name, *identity_at_start(file_names.split_name(name)[0])] for key, name in names.items()}


@cache
def identity_at_start(path):
    """Return size and time of a file as they were when the run first asked; a job that finds another file stops."""
    return atomic.identity(path)


def event_files(wildcards):
    """Return the files of which the counts of a dataset of events are made."""
    names = file_names.event_names(SETTINGS[wildcards.dataset])
    return [file_names.split_name(name)[0] for name in names.values()]


def event_settings(wildcards):
    """Return which events of a dataset are counted, and on which pixels."""
    entry = SETTINGS[wildcards.dataset]
    names = file_names.event_lists(entry)
    return {"names": names, "geometry": entry["geometry"], "cuts": entry.get("cuts", {})}


def observed_files(wildcards):
    """Return the files of which the maps of a run are made; what is missing, the script says."""
    files = observation_store.files_of_run(OBSERVED[wildcards.dataset][wildcards.run])
    return [file for file in files if os.path.isfile(file)] + event_files(wildcards)


def observed_settings(wildcards):
    """Return what a run's maps are made of, and how."""
    entry = SETTINGS[wildcards.dataset]
    return {
        "run": OBSERVED[wildcards.dataset][wildcards.run],
        "geometry": entry["geometry"],
        "options": {key: entry["observations"][key] for key in OBSERVED_KEYS},
    }


def observed_identity(wildcards):
    """Return name, size and time of every file of which the maps of a run are made."""
    return identity(dict(enumerate(observed_files(wildcards))))


def notes_files(wildcards):
    """Return what was noticed when the counts of a dataset were made, or those of its runs; nothing if they are maps."""
    if wildcards.dataset in OBSERVED:
        return [f"<results>/{wildcards.dataset}/runs/{run}.json" for run in OBSERVED[wildcards.dataset]]
    names = {"events": "binning.json", "healpix": "cutting.json"}
    return [
        f"<results>/{wildcards.dataset}/{name}" for key, name in names.items() if key in SETTINGS[wildcards.dataset]
    ]


def kernel_files(wildcards):
    """Return the files of kernels that are given as arrays."""
    names = file_names.kernel_names(SETTINGS[wildcards.dataset])
    return [file_names.split_name(name)[0] for name in names.values()]


def region_files(wildcards):
    """Return the files of exclusion regions."""
    names = file_names.region_names(SETTINGS[wildcards.dataset])
    return [file_names.split_name(name)[0] for name in names.values()]
