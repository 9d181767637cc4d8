"""Settings of every dataset, and functions that look them up for a rule.

Needs: the configuration. Makes: SETTINGS, PLOTS, PAPER_FIGURES, SHARD, GROUPS, OBSERVED, LIBRARY, RESULTS, STATUSES and kinds
of datasets: ADAPTIVE, CUBES, CUBES_OF_BINS, STACKED, SKIES, SIMULATED, SCANNED.
"""

import os
import re
import sys

from snakemake.logging import logger

from skymask.config import scan, configuration
from skymask.io import remote
from skymask.errors import SkymaskError
from skymask.io.atomic import check_writable
from skymask.workflow.locks import RUN, acquire_run_lock, wait_for_orphaned_jobs
from skymask.io.fits_header import number_of_energies
from skymask.workflow.orphans import cancel_orphans, remove_incomplete

#: Settings of observations that say how maps are made of a run, but for those that select runs.
OBSERVED_KEYS = ("energy", "energy_bins", "energy_oversampling", "offset_max", "safe_mask")
#: Settings that make a background, and say which source kernels it must be clear of.
KERNEL_KEYS = ("source_kernel", "mask_source_kernels", "background_kernel", "statistic")

#: Settings that make a mask from a significance map, apart from the dilation.
MASK_KEYS = (
    "threshold",
    "threshold_low",
    "threshold_in_widths",
    "min_pixels",
    "max_hole_pixels",
    "region_growth",
    "mask_update",
    "starved_pixels",
)

#: Where results go, for what is no input or output of a rule.
RESULTS = workflow.pathvars.apply("<results>")

# One thread per job: the jobs themselves run side by side.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

if not workflow.is_main_process:
    # What is submitted may run where locks of this machine are not seen, and the scheduler knows of its end.
    os.environ.pop(RUN, None)

try:
    if workflow.is_main_process:
        for configfile in workflow.configfiles:
            configuration.check_duplicate_keys(configfile)
        for folder in ("<results>", "<logs>"):
            check_writable(workflow.pathvars.apply(folder))
    SCHEMA = configuration.load_schema(workflow.source_path("../schemas/config.schema.yaml"))
    SETTINGS = configuration.dataset_settings(config, SCHEMA)
    PLOTS = configuration.plot_settings(config, SCHEMA)
    PAPER_FIGURES = configuration.figure_settings(config, SCHEMA, SETTINGS)
    SHARD = config.get("shard")
    LARGEST_NUMBER_OF_GROUPS = config.get("checkpoint_groups", SCHEMA["properties"]["checkpoint_groups"]["default"])
    GROUPS = configuration.shard(configuration.groups(list(SETTINGS), LARGEST_NUMBER_OF_GROUPS), SHARD)
    SETTINGS = {name: SETTINGS[name] for name in GROUPS}
    # Which executor there is, and so whether workflow.dryrun, is not known yet.
    if workflow.is_main_process and not workflow.output_settings.dryrun:
        acquire_run_lock(SHARD)
        if orphans := cancel_orphans(workflow.workdir_init):
            logger.info(f"Cancelled what was left of an earlier run: Slurm job {', '.join(orphans)}")
        wait_for_orphaned_jobs(SHARD, logger.info)
        # Other shards may be at work.
        for folder in [""] if SHARD is None else [*SETTINGS, *(f".decisions/{group}" for group in GROUPS.values())]:
            remove_incomplete(f"{RESULTS}/{folder}")
    OBSERVED = {}
    if any("observations" in entry for entry in SETTINGS.values()):
        # Only these need astropy here.
        from skymask.datasets import observation_store

        OBSERVED = observation_store.runs_of_datasets(SETTINGS)
        for name, runs in OBSERVED.items():
            SETTINGS[name]["runs"] = observation_store.run_entries(runs, f"{RESULTS}/{name}/runs")
    if workflow.is_main_process and (mistakes := remote.mistakes(SETTINGS)):
        raise SkymaskError("\n".join(mistakes))
except SkymaskError as error:
    # One clear line per mistake, without the traceback that an exception would bring.
    sys.exit(str(error))

LIBRARY = configuration.library_digest()
ADAPTIVE = [name for name, entry in SETTINGS.items() if entry["background_kernel"]["shape"] == "adaptive_ring"]
CUBES = [name for name, entry in SETTINGS.items() if number_of_energies(entry) > 1]
CUBES_OF_BINS = configuration.cubes_of_bins(SETTINGS)
STACKED = [name for name, entry in SETTINGS.items() if "runs" in entry or name in CUBES]
SIMULATED = [name for name, entry in SETTINGS.items() if "simulate" in entry]
SCANNED = {name: scan.points(entry["scan"]) for name, entry in SETTINGS.items() if entry["scan"]}
STATUSES = {dataset: f"{RESULTS}/{dataset}/status.json" for dataset in SETTINGS}
SKIES = configuration.skies(SETTINGS)


def one_of(names):
    """Return a pattern that matches these names and no other."""
    return "|".join(map(re.escape, sorted(names))) or "-"


def setting(key):
    """Return an input function that looks a key up in the settings of the job's dataset."""

    def of_dataset(wildcards):
        return SETTINGS[wildcards.dataset].get(key)

    return of_dataset


def settings(*keys):
    """Return an input function that looks several keys up in the settings of the job's dataset."""

    def of_dataset(wildcards):
        return {key: SETTINGS[wildcards.dataset][key] for key in keys}

    return of_dataset


def whole_entry(wildcards):
    """Return all settings of the job's dataset."""
    return SETTINGS[wildcards.dataset]
