"""Settings of every dataset, and the input functions that follow the checkpoint.

Needs: the configuration. Makes: SETTINGS, SHARD, GROUPS, ADAPTIVE, LIBRARY and the functions that the rules name.
"""

import os
import re
import sys
from functools import cache
from itertools import count

from snakemake.logging import logger

from skymask import configuration, jobs
from skymask.errors import SkymaskError
from skymask.files import check_writable, remove_incomplete
from skymask.orphans import cancel_orphans
from skymask.summary import outcome_table

#: Figures of every dataset that has products.
FIGURES = ("counts", "background", "significance", "excess", "mask_growth", "convergence", "off_source")

#: Files of every dataset that has products.
PRODUCTS = (
    "counts.fits",
    "coverage.fits",
    "background.fits",
    "background_error.fits",
    "counts_off.fits",
    "alpha.fits",
    "significance.fits",
    "excess.fits",
    "excess_errn.fits",
    "excess_errp.fits",
    "excess_upper_limit.fits",
    "exclusion_mask.fits",
    "exclusion_mask_inverse.fits",
    "regions.ecsv",
    "regions.reg",
    "convergence.csv",
    "quality.json",
    "null.json",
)

#: Files of counts that the workflow makes, by the key of a dataset that says how.
MADE_COUNTS = {"simulate": "simulation.fits", "events": "binned_counts.fits"}

#: Files of datasets that are simulated, and of those whose ring is adaptive.
OF_SIMULATIONS = ("plots/truth.png",)
OF_ADAPTIVE_RINGS = ("ring_radius.fits", "plots/ring_radius.png")
#: Maps of every further source kernel.
FURTHER = ("alpha", "significance", "excess", "excess_errn", "excess_errp", "excess_upper_limit")

#: Settings that make a mask from a significance map, apart from the dilation.
MASK_KEYS = (
    "threshold",
    "threshold_low",
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

try:
    if workflow.is_main_process:
        for configfile in workflow.configfiles:
            configuration.check_duplicate_keys(configfile)
        for folder in ("<results>", "<logs>", "<benchmarks>"):
            check_writable(workflow.pathvars.apply(folder))
    SCHEMA = configuration.load_schema(workflow.source_path("../schemas/config.schema.yaml"))
    SETTINGS = configuration.dataset_settings(config, SCHEMA)
    PLOTS = configuration.plot_settings(config, SCHEMA)
    SHARD = config.get("shard")
    LARGEST_NUMBER_OF_GROUPS = config.get("checkpoint_groups", SCHEMA["properties"]["checkpoint_groups"]["default"])
    GROUPS = configuration.shard(configuration.groups(list(SETTINGS), LARGEST_NUMBER_OF_GROUPS), SHARD)
    SETTINGS = {name: SETTINGS[name] for name in GROUPS}
    if workflow.is_main_process and not workflow.dryrun:
        if orphans := cancel_orphans(workflow.workdir_init):
            logger.info(f"Cancelled what was left of an earlier run: Slurm job {', '.join(orphans)}")
        # Other shards may be at work.
        for folder in [""] if SHARD is None else [*SETTINGS, *(f".decisions/{group}" for group in GROUPS.values())]:
            remove_incomplete(f"{RESULTS}/{folder}")
except SkymaskError as error:
    # One clear line per mistake, without the traceback that an exception would bring.
    sys.exit(str(error))

LIBRARY = configuration.library_digest()
ADAPTIVE = [name for name, entry in SETTINGS.items() if entry["background_kernel"]["shape"] == "adaptive_ring"]
STATUSES = {dataset: f"{RESULTS}/{dataset}/status.json" for dataset in SETTINGS}


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


def data_files(wildcards):
    """Return the data files of a dataset by key: the user's, or those that the workflow makes."""
    entry = SETTINGS[wildcards.dataset]
    files = configuration.data_names(entry)
    for key, name in MADE_COUNTS.items():
        if key in entry:
            files["counts"] = f"<results>/{wildcards.dataset}/{name}"
    if "acceptance_sigma" in entry.get("simulate", {}):
        files["acceptance"] = files["counts"]
    return {key: configuration.split_name(name)[0] for key, name in files.items()}


def data_hdus(wildcards):
    """Return the HDU names of a dataset's files by key, None where the file holds one image."""
    entry = SETTINGS[wildcards.dataset]
    hdus = {key: configuration.split_name(name)[1] for key, name in configuration.data_names(entry).items()}
    if any(key in entry for key in MADE_COUNTS):
        hdus["counts"] = "COUNTS"
    return {"acceptance": "ACCEPTANCE", **hdus} if "simulate" in entry else hdus


def file_identity(wildcards):
    """Return name, size and time of every file of a dataset by key, but for those of which its counts are made.

    No script reads it: it makes Snakemake see files that changed places, or were replaced by older ones.
    """
    entry = SETTINGS[wildcards.dataset]
    return identity(
        {
            key: name
            for key, name in configuration.file_names(entry).items()
            if key not in configuration.event_names(entry)
        }
    )


def event_identity(wildcards):
    """Return name, size and time of every file of which the counts of a dataset are made."""
    return identity(configuration.event_names(SETTINGS[wildcards.dataset]))


def identity(names):
    """Return name, size and time of files by key."""
    stats = {key: (name, os.stat(configuration.split_name(name)[0])) for key, name in names.items()}
    return {key: [name, stat.st_size, stat.st_mtime_ns] for key, (name, stat) in stats.items()}


def event_files(wildcards):
    """Return the files of which the counts of a dataset of events are made."""
    names = configuration.event_names(SETTINGS[wildcards.dataset])
    return [configuration.split_name(name)[0] for name in names.values()]


def event_settings(wildcards):
    """Return which events of a dataset are counted, and on which pixels."""
    entry = SETTINGS[wildcards.dataset]
    names = configuration.event_lists(entry)
    return {"names": names, "geometry": entry["geometry"], "cuts": entry.get("cuts", {})}


def binning_file(wildcards):
    """Return what was noticed when the events of a dataset were counted, by key; nothing if it has no events."""
    return {"binning": f"<results>/{wildcards.dataset}/binning.json"} if "events" in SETTINGS[wildcards.dataset] else {}


def kernel_files(wildcards):
    """Return the files of kernels that are given as arrays."""
    names = configuration.kernel_names(SETTINGS[wildcards.dataset])
    return [configuration.split_name(name)[0] for name in names.values()]


def further_kernel(wildcards):
    """Return a further source kernel."""
    return SETTINGS[wildcards.dataset]["further_source_kernels"][wildcards.kernel]


def further_kernel_file(wildcards):
    """Return the file of a further source kernel, if it is an array in one."""
    kernel = further_kernel(wildcards)
    return [configuration.split_name(kernel["path"])[0]] if "path" in kernel else []


def further_of(dataset):
    """Return the names of the further source kernels of a dataset, none if it failed."""
    return list(SETTINGS[dataset]["further_source_kernels"]) if succeeded(dataset) else []


def further_names(wildcards):
    """Return the names of the further source kernels of the job's dataset, none if it failed."""
    return further_of(wildcards.dataset)


def region_files(wildcards):
    """Return the files of exclusion regions."""
    names = configuration.region_names(SETTINGS[wildcards.dataset])
    return [configuration.split_name(name)[0] for name in names.values()]


def in_iteration_before(name):
    """Return an input function for a file of the iteration before."""

    def path(wildcards):
        return f"<results>/{wildcards.dataset}/iteration-{int(wildcards.iteration) - 1}/{name}"

    return path


def decisions_file(group, iteration):
    """Return the file of the checkpoint's decisions; until it has run, Snakemake comes back later."""
    return checkpoints.check_convergence.get(group=group, iteration=iteration).output.decisions


def decisions(group, iteration):
    """Return what the checkpoint decided for every dataset of a group."""
    path = decisions_file(group, iteration)
    return read_decisions(str(path), os.stat(path).st_mtime_ns)


@cache
def read_decisions(path, changed):
    """Return the content of a file of decisions, read again only when it has changed."""
    return jobs.read_json(path)


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
    for iteration in count():
        decision = decisions(GROUPS[dataset], iteration)[dataset]
        if decision["state"] != "running":
            return decision


def decided_in(dataset):
    """Return the file with the last word on a dataset; what it says of others of its group is no reason to rerun."""
    return ancient(decisions_file(GROUPS[dataset], outcome(dataset)["iteration"]))


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


def succeeded(dataset):
    """Whether a dataset has products."""
    return outcome(dataset)["state"] != "failed"


def status_files(wildcards):
    """Return what a status is made of: the decision and, unless the dataset failed, its quality figures."""
    files = {"decisions": decided_in(wildcards.dataset)}
    if succeeded(wildcards.dataset):
        files["quality"] = f"<results>/{wildcards.dataset}/quality.json"
        files["null"] = f"<results>/{wildcards.dataset}/null.json"
    return files


def every_mask(wildcards):
    """Return the exclusion masks of all iterations of a finished loop."""
    iterations = range(outcome(wildcards.dataset)["iteration"] + 1)
    return [f"<results>/{wildcards.dataset}/iteration-{k}/exclusion_mask.fits" for k in iterations]


def products_of(dataset):
    """Return the names of the products and figures that a dataset has, none if it failed."""
    if not succeeded(dataset):
        return []
    names = [*PRODUCTS, *(f"plots/{name}.png" for name in FIGURES)]
    if "simulate" in SETTINGS[dataset]:
        names += OF_SIMULATIONS
    if dataset in ADAPTIVE:
        names += OF_ADAPTIVE_RINGS
    names += [f"further/{kernel}/{name}.fits" for kernel in further_of(dataset) for name in FURTHER]
    return names


def stale_products(wildcards):
    """Return the products that a dataset may have from an earlier run, and must not have now."""
    everything = [*PRODUCTS, *(f"plots/{name}.png" for name in FIGURES), *OF_SIMULATIONS, *OF_ADAPTIVE_RINGS]
    wanted = products_of(wildcards.dataset)
    return [f"{RESULTS}/{wildcards.dataset}/{name}" for name in everything if name not in wanted]


def figures_of(dataset):
    """Return an input function for the figures of one dataset, none if it failed.

    One function per dataset: none of them waits for a dataset that is still in its loop, or has crashed there.
    """

    def figures(wildcards):
        return [f"<results>/{dataset}/{name}" for name in products_of(dataset) if name.endswith(".png")]

    return figures


def results_of(dataset):
    """Return an input function for everything that a dataset's analysis is to leave behind."""

    def results(wildcards):
        return [f"<results>/{dataset}/{name}" for name in (*products_of(dataset), "status.json")]

    return results


def of_all_datasets(name):
    """Return the path of a file about all datasets, which a run of a part of them does not make."""
    return f"<results>/{name}" if SHARD is None else []


def failures(wildcards):
    """Return the target that fails the run, if any dataset failed; that of a part of the datasets leaves it to others."""
    return [] if SHARD is not None or all(succeeded(dataset) for dataset in SETTINGS) else ["<results>/.failures"]


def show_outcomes():
    """Print the table of outcomes, warnings, and of every job that crashed the last line of its log."""
    crashed = [
        (getattr(job.wildcards, "dataset", None), " ".join([job.rule.name, *job.wildcards]), job.log[0])
        for failed in workflow.scheduler.failed
        for job in unfinished_steps(failed)
        if job.rule.name != "report_failures"
    ]
    print(outcome_table(STATUSES, crashed), file=sys.stderr)


def unfinished_steps(job):
    """Return the step of a group of jobs that failed, in a list; a job by itself is its only step."""
    if not job.is_group():
        return [job]
    # What a failed group had made is removed, but for the logs, and the last one is that of the step that failed.
    steps = [step for level in job.toposorted for step in level]
    begun = [step for step in steps if os.path.exists(step.log[0])]
    return [max(begun, key=lambda step: os.stat(step.log[0]).st_mtime_ns)] if begun else steps[:1]


def is_news(record):
    """Whether a log record says more than that jobs are being selected, or that a script failed that said so itself."""
    message = str(record.msg)
    chatter = ("Select jobs", "Execute ", "DAG of jobs will be updated", "Updating checkpoint", "Conda environments:")
    return not message.startswith(chatter) and "returned non-zero exit status 1." not in message


logger.addFilter(is_news)


def figure_outputs(*names):
    """Return the outputs of a rule that draws figures, for Snakemake's own report too."""
    return {
        name: report(
            f"<results>/{{dataset}}/plots/{name}.png",
            category="{dataset}",
            labels={"figure": name.replace("_", " ")},
            caption=f"../report/{name}.rst",
        )
        for name in names
    }
