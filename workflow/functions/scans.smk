"""Scans: every combination of several settings, and what compares them.

Needs: SETTINGS, SCANNED and the outcome of loops. Makes: functions that the rules of scans name.
"""

from skymask.config import scan

#: What compares the settings of a scan.
OF_SCANS = ("scan.html", "scan.ecsv", "plots/scan.png")


def settings_of_point(*keys):
    """Return an input function that looks several keys up in the settings of a combination of a scan."""

    def of_point(wildcards):
        values = SCANNED[wildcards.dataset][wildcards.point]
        entry = scan.with_values(SETTINGS[wildcards.dataset], values)
        return {key: entry[key] for key in keys}

    return of_point


def options_of_point(wildcards):
    """Return what else the loop of a combination of a scan is to know."""
    entry = scan.with_values(SETTINGS[wildcards.dataset], SCANNED[wildcards.dataset][wildcards.point])
    limits = {key: entry["convergence"][key] for key in ("max_iterations", "changed_pixels", "max_excluded_fraction")}
    return {**limits, "background_systematic": entry["background_systematic"]}


def of_points(kind):
    """Return an input function for a file of every combination of a scan."""

    def paths(wildcards):
        folder = f"<results>/{wildcards.dataset}/scan"
        return [f"{folder}/{point}.{kind}" for point in SCANNED[wildcards.dataset]]

    return paths


def own_values(wildcards):
    """Return the values that a dataset itself has for the keys of its scan."""
    entry = SETTINGS[wildcards.dataset]
    return scan.values_of(entry, entry["scan"])


def users_background(wildcards):
    """Return the initial background, if it is the user's; others belong to the settings."""
    given = "background" in SETTINGS[wildcards.dataset]
    return {"background": f"<results>/{wildcards.dataset}/iteration-0/background.fits"} if given else {}


def comparison_of(dataset):
    """Return the names of the files that compare the settings of a scan, if the dataset can be used at all."""
    ended = outcome(dataset)
    usable = ended["state"] != "failed" or ended["iteration"] > 0
    return OF_SCANS if dataset in SCANNED and usable else ()
