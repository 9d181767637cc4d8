"""Datasets that have ended and of which nothing has changed: no rule makes their files; see skymask/workflow/settled.py.

Needs: SETTINGS, PLOTS, LIBRARY, SKIES. Makes: SETTLED, how their loops ended, UNSETTLED, the others, and
`settle`, which notes them for the next run.
"""

import re
import sys
import time
from collections import defaultdict
from pathlib import Path

from skymask.config import configuration
from skymask.io import file_names
from skymask.workflow import settled

STARTED = time.time()
PLAIN = workflow.is_main_process and settled.is_plain(sys.argv)
WORKFLOW = Path(workflow.source_path("settled.smk")).parent.parent
RULES = [path.read_text(encoding="utf-8") for path in sorted(WORKFLOW.glob("*/*.smk"))] if PLAIN else []
VERSION = settled.digest(LIBRARY, RULES)
DIGESTS = {dataset: settled.digest(entry, PLOTS, VERSION) for dataset, entry in SETTINGS.items()} if PLAIN else {}
ENDED = {dataset: settled.unchanged(dataset, digest) for dataset, digest in DIGESTS.items()}
SETTLED = {dataset: outcome for dataset, outcome in ENDED.items() if outcome}
UNSETTLED = [dataset for dataset in SETTINGS if dataset not in SETTLED]
# Snakemake compiles the pattern for every output and tries it on every file: of two long lists of names, the shorter.
# The folder of a HEALPix map has products of the same names, and none of the rules of datasets makes them.
OF_RULES = (
    one_of(UNSETTLED)
    if len(UNSETTLED) < len(SETTLED)
    else rf"(?!(?:{one_of([*SKIES, *SETTLED])})(?:/|$))[A-Za-z0-9][A-Za-z0-9._+-]*"
)


wildcard_constraints:
    sky=one_of(SKIES),
    dataset=OF_RULES,


def among(datasets):
    """Return a pattern that matches these datasets and no other, nor any that is settled."""
    return one_of(set(datasets) - set(SETTLED))


def settle():
    """Note which datasets have ended, if this run is concerned with everything that they are to leave behind."""
    if not PLAIN or not any(job.rule.name == "all" for job in workflow.dag.jobs):
        return
    unfinished = {job.wildcards.get("dataset") for job in workflow.dag.needrun_jobs()}
    read, written = defaultdict(set), defaultdict(set)
    for job in workflow.dag.jobs:
        dataset = job.wildcards.get("dataset")
        if dataset in SETTINGS and dataset not in unfinished:
            read[dataset].update(file for file in job.input if not file.startswith(f"{RESULTS}/.decisions/"))
            written[dataset].update(job.output)
    entries = configuration.entries(config)
    for dataset in written:
        if has_ended(dataset) and succeeded(dataset) and not file_names.remote_names(SETTINGS[dataset]):
            configured = settled.as_configured(config, entries.get(dataset))
            files = read[dataset], written[dataset]
            settled.note(dataset, DIGESTS[dataset], configured, outcome(dataset), *files, STARTED)
