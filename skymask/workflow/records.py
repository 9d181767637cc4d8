"""What the status of a finished dataset says of how it was made, for results without Snakemake's records."""

import json
from pathlib import Path

from skymask.io.file_names import is_remote, split_name
from skymask.io.json_files import digest

#: The files by which the answers of a rule are known, in the folder of a dataset; * is any iteration or kernel.
FILES = {
    "simulate_counts": "simulation.fits",
    "bin_events": "binning.json",
    "make_run_maps": "runs/*.json",
    "cut_field": "cutting.json",
    "prepare_dataset": "inspection.json",
    "estimate_background": "iteration-*/background.fits",
    "compute_significance": "iteration-*/significance.fits",
    "update_exclusion_mask": "iteration-*/record.json",
    "compute_products": "quality.json",
    "compute_limits": "excess_errn.fits",
    "catalogue_regions": "regions.ecsv",
    "compute_energy_bins": "energy/counts.fits",
    "compute_further_significance": "further/*/significance.fits",
    "simulate_null": "null.json",
    "plot_dataset": "plots/*.png",
    "compare_settings": "scan.html",
}


def outdated_files(folder, made_from, noted):
    """Return the files of a dataset that were made of something else than they would be now.

    Parameters
    ----------
    folder : str
        Of the dataset.
    made_from : dict
        What they would be made of: digests of `settings` by rule, and names of `files` by key.
    noted : bool
        Whether Snakemake has its own records of the dataset.

    Returns
    -------
    files : list of str
        Empty if nothing is outdated, the dataset is not finished, or Snakemake knows by itself.
    """
    status = Path(folder, "status.json")
    if noted or not status.is_file():
        return []
    try:
        was = json.loads(status.read_text(encoding="utf-8")).get("made_from", {"settings": {}, "files": {}})
    except ValueError:
        return [str(status)]
    rules = [rule for rule, settings in made_from["settings"].items() if was["settings"].get(rule) != settings]
    if was["files"] != {key: _digest(name) for key, name in made_from["files"].items()}:
        rules.append("prepare_dataset")
    found = [path for rule in rules for path in Path(folder).glob(FILES[rule])]
    return [str(path) for path in ([*found, status] if rules else [])]


def file_digests(names):
    """Return the SHA-256 of files by key, None of remote ones and of those that are not there."""
    return {key: _digest(name) for key, name in names.items()}


def _digest(name):
    path = split_name(name)[0]
    return None if is_remote(path) or not Path(path).is_file() else digest(path)
