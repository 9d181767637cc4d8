"""How the loops of the datasets stand: what the checkpoint has decided, and which files follow from it."""

import os
from functools import cache
from itertools import count

from skymask.errors import SkymaskError
from skymask.io.json_files import digest, read_json

#: In a file of decisions, the digest of the one before.
BEFORE = "_before"


class Decisions:
    """The decisions of the checkpoint `check_convergence`, read when they are asked for.

    Parameters
    ----------
    groups : dict of str to str
        The checkpoint group of every dataset.
    cached : dict of str to dict
        The last decision on every dataset that is finished and left out of the graph.

    Attributes
    ----------
    checkpoint, incomplete : callable
        Both take group and iteration and are set where the checkpoint is defined. The first returns the checkpoint's
        file; until that has run, it raises what makes Snakemake come back later. The second returns what it raises.
    """

    def __init__(self, groups, cached=None):
        self.groups, self.cached = groups, cached or {}
        self.checkpoint = self.incomplete = None
        self._paths, self._members = {}, {}
        for dataset, group in groups.items():
            self._members.setdefault(group, []).append(dataset)

    def members(self, group):
        """Return the datasets of a group."""
        return self._members[group]

    def of_iteration(self, group, iteration):
        """Return what was decided on every dataset of a group.

        A decision that rests on another one than stands before it now is made anew.
        """
        if (group, iteration) not in self._paths:
            self._paths[group, iteration] = str(self.checkpoint(group=group, iteration=iteration))
        decisions, _ = self._read(group, iteration)
        if iteration and decisions.get(BEFORE) != self._read(group, iteration - 1)[1]:
            del self._paths[group, iteration]
            raise self.incomplete(group=group, iteration=iteration)
        return decisions

    def _read(self, group, iteration):
        path = self._paths.get((group, iteration)) or self.path(group, iteration)
        return _read(path, os.stat(path).st_mtime_ns)

    def last(self, dataset):
        """Return the checkpoint's last word on a dataset: what made its loop end.

        Raises
        ------
        SkymaskError
            If there is no such dataset, as where a file is asked for by a misspelt name.
        """
        if dataset in self.cached:
            return self.cached[dataset]
        if dataset not in self.groups:
            raise SkymaskError(f"there is no dataset {dataset} in the configuration")
        decisions = (self.of_iteration(self.groups[dataset], iteration)[dataset] for iteration in count())
        return next(decision for decision in decisions if decision["state"] != "running")

    def succeeded(self, dataset):
        """Return whether a dataset has products."""
        return self.last(dataset)["state"] != "failed"

    def inputs(self, wildcards):
        """Return the files from which the checkpoint decides: of the datasets whose loops still go on."""
        members, iteration = self.members(wildcards.group), int(wildcards.iteration)
        if iteration == 0:
            return {"records": [f"<results>/{dataset}/inspection.json" for dataset in members]}
        before = self.of_iteration(wildcards.group, iteration - 1)
        running = [dataset for dataset in members if before[dataset]["state"] == "running"]
        return {
            "before": self.path(wildcards.group, iteration - 1),
            "records": [f"<results>/{dataset}/iteration-{iteration}/record.json" for dataset in running],
        }

    def path(self, group, iteration):
        """Return the checkpoint's file as an input."""
        return f"<results>/.decisions/{group}/iteration-{iteration}.json"

    def decided_in(self, dataset):
        """Return the file with the last word on a dataset."""
        return self.path(self.groups[dataset], self.last(dataset)["iteration"])

    def loop_files(self, wildcards):
        """Return the files of a finished loop by kind: final masks, and what the convergence table is made of."""
        decision = self.last(wildcards.dataset)
        folder = f"<results>/{wildcards.dataset}/iteration-"
        iterations = range(1, decision["iteration"] + 1)
        return {
            "masks": [f"{folder}{k}/exclusion_mask.fits" for k in decision["final_mask_of_iterations"]],
            "records": [f"{folder}{k}/record.json" for k in iterations],
            "backgrounds": [f"{folder}{k}/background.fits" for k in iterations],
        }

    def every_mask(self, dataset):
        """Return the exclusion masks of all iterations of a finished loop."""
        iterations = range(self.last(dataset)["iteration"] + 1)
        return [f"<results>/{dataset}/iteration-{k}/exclusion_mask.fits" for k in iterations]

    def loop_state(self, wildcards):
        """Return how the loop of a dataset ended."""
        decision = self.last(wildcards.dataset)
        return {key: decision[key] for key in ("state", "period", "iteration", "reason")}


@cache
def _read(path, changed):
    """The content of a file of decisions and its digest, read again only when it has changed."""
    return read_json(path), digest(path)
