"""The loop: what the checkpoint decides from, and what follows from its decisions.

Needs: SETTINGS, GROUPS, SETTLED. Makes: the functions of iterations and of finished loops.
"""

import os
from functools import cache
from itertools import count

from snakemake.exceptions import IncompleteCheckpointException, WorkflowError

from skymask.io import json_files


def in_iteration_before(name):
    """Return an input function for a file of the iteration before."""

    def path(wildcards):
        return f"<results>/{wildcards.dataset}/iteration-{int(wildcards.iteration) - 1}/{name}"

    return path


def decisions_file(group, iteration):
    """Return the file of the checkpoint's decisions; until it has run, Snakemake comes back later."""
    return checkpoints.check_convergence.get(group=group, iteration=iteration).output.decisions


@cache
def path_of_decisions(group, iteration):
    """Return the name of the file of decisions that have been taken: Snakemake is asked once, and not for every product."""
    return str(decisions_file(group, iteration))


def decisions(group, iteration):
    """Return what the checkpoint decided for every dataset of a group."""
    path = path_of_decisions(group, iteration)
    return read_decisions(path, os.stat(path).st_mtime_ns)


@cache
def read_decisions(path, changed):
    """Return the content of a file of decisions, read again only when it has changed."""
    return json_files.read_json(path)


def members_to_decide(wildcards):
    """Return the files from which the checkpoint decides: of the datasets whose loops still go on."""
    members = [dataset for dataset, group in GROUPS.items() if group == wildcards.group]
    iteration = int(wildcards.iteration)
    if iteration == 0:
        return {"records": [f"<results>/{dataset}/inspection.json" for dataset in members]}
    before = decisions(wildcards.group, iteration - 1)
    running = [dataset for dataset in members if before[dataset]["state"] == "running"]
    return {
        "before": decisions_file(wildcards.group, iteration - 1),
        "records": [f"<results>/{dataset}/iteration-{iteration}/record.json" for dataset in running],
    }


def convergence_settings(wildcards):
    """Return what the checkpoint needs to know of each dataset of its group."""
    return {
        dataset: {
            **SETTINGS[dataset]["convergence"],
            "starved_pixels": SETTINGS[dataset]["starved_pixels"],
            "background_given": "background" in SETTINGS[dataset],
        }
        for dataset, group in GROUPS.items()
        if group == wildcards.group
    }


def outcome(dataset):
    """Return the checkpoint's last word on a dataset."""
    if dataset in SETTLED:
        return SETTLED[dataset]
    for iteration in count():
        decision = decisions(group_of(dataset), iteration)[dataset]
        if decision["state"] != "running":
            return decision


def group_of(dataset):
    """Return the group of a dataset, which may be misspelt where its files are asked for by name."""
    if dataset not in GROUPS:
        raise WorkflowError(f"there is no dataset {dataset} in the configuration")
    return GROUPS[dataset]


def decided_in(dataset):
    """Return the file with the last word on a dataset; what it says of others of its group is no reason to rerun."""
    return ancient(decisions_file(group_of(dataset), outcome(dataset)["iteration"]))


def loop_files(wildcards):
    """Return the files of a finished loop by kind: final masks, and what the convergence table is made of."""
    decision = outcome(wildcards.dataset)
    folder = f"<results>/{wildcards.dataset}/iteration-"
    iterations = range(1, decision["iteration"] + 1)
    return {
        "decisions": decided_in(wildcards.dataset),
        "masks": [f"{folder}{k}/exclusion_mask.fits" for k in decision["final_mask_of_iterations"]],
        "records": [f"{folder}{k}/record.json" for k in iterations],
        "backgrounds": [f"{folder}{k}/background.fits" for k in iterations],
    }


def loop_state(wildcards):
    """Return how the loop of a dataset ended."""
    decision = outcome(wildcards.dataset)
    return {key: decision[key] for key in ("state", "period", "iteration", "reason")}


def every_mask(wildcards):
    """Return the exclusion masks of all iterations of a finished loop."""
    iterations = range(outcome(wildcards.dataset)["iteration"] + 1)
    return [f"<results>/{wildcards.dataset}/iteration-{k}/exclusion_mask.fits" for k in iterations]


def has_ended(dataset):
    """Whether the checkpoint has said its last word on a dataset; when a run is ended, it may not have."""
    try:
        return bool(outcome(dataset))
    except IncompleteCheckpointException:
        return False


def succeeded(dataset):
    """Whether a dataset has products."""
    return outcome(dataset)["state"] != "failed"
