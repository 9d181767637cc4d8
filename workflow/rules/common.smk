"""Settings of every dataset, and the input functions that follow the checkpoint.

Needs: the configuration. Makes: SETTINGS, SHARD, OBSERVED, GROUPS, ADAPTIVE, CUBES, CUBES_OF_BINS, STACKED, SKIES, SIMULATED,
SCANNED, LIBRARY and the functions that the rules name.
"""

import os
import re
import sys
from functools import cache
from itertools import count

from snakemake.logging import logger

from skymask import configuration, dataset_files, jobs, remote, scan
from skymask.errors import SkymaskError
from skymask.files import check_writable, remove_incomplete
from skymask.map_sizes import number_of_energies
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
    "plots/thumbnail.png",
)

#: Kinds of figures for a paper that show maps.
OF_MAPS = ("maps", "strips", "mask_evolution")

#: Maps that the page of a dataset shows.
SHOWN = ("counts", "background", "significance", "excess", "coverage")

#: Files of counts that the workflow makes, by the key of a dataset that says how.
MADE_COUNTS = {"simulate": "simulation.fits", "events": "binned_counts.fits", "healpix": "field_counts.fits"}

#: Maps that are put together on the pixels of a HEALPix map.
JOINED = (
    "counts",
    "coverage",
    "background",
    "background_error",
    "counts_off",
    "alpha",
    "significance",
    "excess",
    "excess_errn",
    "excess_errp",
    "excess_upper_limit",
    "exclusion_mask",
    "exclusion_mask_inverse",
)

#: Files of datasets that are simulated, and of those whose ring is adaptive.
OF_SIMULATIONS = ("plots/truth.png",)
OF_ADAPTIVE_RINGS = ("ring_radius.fits", "plots/ring_radius.png")

#: What compares the settings of a scan.
OF_SCANS = ("scan.html", "scan.ecsv", "plots/scan.png")

#: Files of datasets that are stacks of runs or energy bins, and maps of every energy bin.
OF_STACKS = ("counts_on.fits", "runs.fits")
OF_ENERGIES = ("counts", "background", "background_error", "counts_off", "alpha", "significance", "excess")
OF_BINS = (*OF_ENERGIES, "exclusion_mask")
#: Maps of every further source kernel.
FURTHER = ("alpha", "significance", "excess", "excess_errn", "excess_errp", "excess_upper_limit")

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

try:
    if workflow.is_main_process:
        for configfile in workflow.configfiles:
            configuration.check_duplicate_keys(configfile)
        for folder in ("<results>", "<logs>", "<benchmarks>"):
            check_writable(workflow.pathvars.apply(folder))
    SCHEMA = configuration.load_schema(workflow.source_path("../schemas/config.schema.yaml"))
    SETTINGS = configuration.dataset_settings(config, SCHEMA)
    PLOTS = configuration.plot_settings(config, SCHEMA)
    PAPER_FIGURES = configuration.figure_settings(config, SCHEMA, SETTINGS)
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
    OBSERVED = {}
    if any("observations" in entry for entry in SETTINGS.values()):
        # Only these need astropy here.
        from skymask import observation_store

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


# The folder of a HEALPix map has products of the same names, and none of the rules of datasets makes them.
wildcard_constraints:
    sky="|".join(map(re.escape, SKIES)) or "-",
    dataset=rf"(?!(?:{'|'.join(map(re.escape, SKIES)) or '-'})(?:/|$))[A-Za-z0-9][A-Za-z0-9._+-]*",


def one_of(datasets):
    """Return a pattern that matches these datasets and no other."""
    return "|".join(map(re.escape, sorted(datasets))) or "-"


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


def data_files(wildcards):
    """Return the data files of a dataset by key: the user's, or those that the workflow makes."""
    entry = SETTINGS[wildcards.dataset]
    files = dataset_files.data_names(entry)
    for key, name in MADE_COUNTS.items():
        if key in entry:
            files["counts"] = f"<results>/{wildcards.dataset}/{name}"
    if "field" in entry or "simulate" in entry and dataset_files.has_acceptance(entry["simulate"]):
        files["acceptance"] = files["counts"]
    return {key: fetched(dataset_files.split_name(name)[0]) for key, name in files.items()}


def fetched(name):
    """Return a file as the input of a rule: its path, or what Snakemake fetches from its address."""
    return storage(name) if dataset_files.is_remote(name) else name


def data_hdus(wildcards):
    """Return the HDU names of a dataset's files by key, None where the file holds one image."""
    entry = SETTINGS[wildcards.dataset]
    hdus = {key: dataset_files.split_name(name)[1] for key, name in dataset_files.data_names(entry).items()}
    if any(key in entry for key in MADE_COUNTS):
        hdus["counts"] = "COUNTS"
    return {"acceptance": "ACCEPTANCE", **hdus} if "simulate" in entry or "field" in entry else hdus


def file_identity(wildcards):
    """Return name, size and time of every file of a dataset by key, but for those of which its counts are made, or that jobs make.

    No script reads it: it makes Snakemake see files that changed places, or were replaced by older ones.
    """
    entry = SETTINGS[wildcards.dataset]
    made = dataset_files.made_of(entry)
    if wildcards.dataset in OBSERVED:
        made |= dataset_files.run_names(entry)
    return identity({key: name for key, name in dataset_files.file_names(entry).items() if key not in made})


def source_identity(wildcards):
    """Return name, size and time of every file of which the counts of a dataset are made."""
    return identity(dataset_files.made_of(SETTINGS[wildcards.dataset]))


def identity(names):
    """Return name, size and time of files by key; of remote ones, whose time Snakemake asks for, their address."""
    far = {key: [name] for key, name in names.items() if dataset_files.is_remote(name)}
    names = {key: name for key, name in names.items() if key not in far}
    stats = {key: (name, os.stat(dataset_files.split_name(name)[0])) for key, name in names.items()}
    return far | {key: [name, stat.st_size, stat.st_mtime_ns] for key, (name, stat) in stats.items()}


def event_files(wildcards):
    """Return the files of which the counts of a dataset of events are made."""
    names = dataset_files.event_names(SETTINGS[wildcards.dataset])
    return [dataset_files.split_name(name)[0] for name in names.values()]


def event_settings(wildcards):
    """Return which events of a dataset are counted, and on which pixels."""
    entry = SETTINGS[wildcards.dataset]
    names = dataset_files.event_lists(entry)
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


def run_settings(wildcards):
    """Return which runs or energy bin of a dataset are read, and onto which grid; nothing if it is one map of counts."""
    entry = SETTINGS[wildcards.dataset]
    keys = configuration.RUN_KEYS if "runs" in entry else ("energy_bin",)
    return {key: entry[key] for key in keys if key in entry}


def stack_settings(wildcards):
    """Return how a stack is made of which runs or energy bins; nothing if the dataset is no stack."""
    if wildcards.dataset not in STACKED:
        return {}
    entry = SETTINGS[wildcards.dataset]
    # The energy bins of one map are those of a single run.
    only = [{key: entry[key] for key in dataset_files.RUN_MAP_KEYS if key in entry}]
    keys = ("stacking", "energy_kernels", "min_acceptance_fraction")
    return {"runs": entry.get("runs", only), "energy_bin": entry.get("energy_bin"), **{key: entry[key] for key in keys}}


def run_files(wildcards):
    """Return the files of a dataset's runs, none if it has one map of counts."""
    names = dataset_files.run_names(SETTINGS[wildcards.dataset])
    return list(dict.fromkeys(dataset_files.split_name(name)[0] for name in names.values()))


def stack_files(wildcards):
    """Return the files of which a stack is made, none if the dataset is no stack."""
    names = [run[key] for run in stack_settings(wildcards).get("runs", ()) for key in run if key != "run"]
    return list(dict.fromkeys(dataset_files.split_name(name)[0] for name in names))


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


def healpix_files(wildcards):
    """Return the files of the HEALPix map of which a field is cut out, or whose fields are put together."""
    name = SKIES[wildcards.sky][0] if "sky" in wildcards.keys() else wildcards.dataset
    names = dataset_files.healpix_names(SETTINGS[name])
    return [dataset_files.split_name(name)[0] for name in names.values()]


def field_settings(wildcards):
    """Return of which HEALPix map a field is, and which."""
    return {key: SETTINGS[wildcards.dataset][key] for key in ("healpix", "field")}


def sky_settings(wildcards):
    """Return the settings of a HEALPix map."""
    return SETTINGS[SKIES[wildcards.sky][0]]["healpix"]


def fields_of_sky(wildcards):
    """Return the fields of a HEALPix map by the names of their datasets."""
    return {name: SETTINGS[name]["field"] for name in SKIES[wildcards.sky]}


def sky_identity(wildcards):
    """Return name, size and time of every file of a HEALPix map."""
    return identity(dataset_files.made_of(SETTINGS[SKIES[wildcards.sky][0]]))


def files_of_fields(wildcards):
    """Return the maps of which a sky is put together, of those fields that did not fail, and all statuses."""
    fields = SKIES[wildcards.sky]
    names = ["iteration-0/acceptance.fits", *(f"{name}.fits" for name in JOINED)]
    maps = [f"<results>/{field}/{name}" for field in fields if succeeded(field) for name in names]
    return {"maps": maps, "statuses": [f"<results>/{field}/status.json" for field in fields]}


def kernel_files(wildcards):
    """Return the files of kernels that are given as arrays."""
    names = dataset_files.kernel_names(SETTINGS[wildcards.dataset])
    return [dataset_files.split_name(name)[0] for name in names.values()]


def further_kernel(wildcards):
    """Return a further source kernel."""
    return SETTINGS[wildcards.dataset]["further_source_kernels"][wildcards.kernel]


def further_kernel_file(wildcards):
    """Return the file of a further source kernel, if it is an array in one."""
    kernel = further_kernel(wildcards)
    return [dataset_files.split_name(kernel["path"])[0]] if "path" in kernel else []


def further_of(dataset):
    """Return the names of the further source kernels of a dataset, none if it failed."""
    return list(SETTINGS[dataset]["further_source_kernels"]) if succeeded(dataset) else []


def further_names(wildcards):
    """Return the names of the further source kernels of the job's dataset, none if it failed."""
    return further_of(wildcards.dataset)


def region_files(wildcards):
    """Return the files of exclusion regions."""
    names = dataset_files.region_names(SETTINGS[wildcards.dataset])
    return [dataset_files.split_name(name)[0] for name in names.values()]


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
        files["catalogue"] = f"<results>/{wildcards.dataset}/regions.ecsv"
    return files


def counts_on_file(wildcards):
    """Return the counts under the source kernel, which of a stack only the stack knows."""
    return {"counts_on": f"<results>/{wildcards.dataset}/counts_on.fits"} if wildcards.dataset in STACKED else {}


def every_mask(wildcards):
    """Return the exclusion masks of all iterations of a finished loop."""
    iterations = range(outcome(wildcards.dataset)["iteration"] + 1)
    return [f"<results>/{wildcards.dataset}/iteration-{k}/exclusion_mask.fits" for k in iterations]


def products_of(dataset):
    """Return the names of the products and figures that a dataset has, none if it failed."""
    if not succeeded(dataset):
        return []
    names = [*PRODUCTS, *(f"plots/{name}.png" for name in FIGURES)]
    if dataset in SIMULATED:
        names += OF_SIMULATIONS
    if dataset in ADAPTIVE:
        names += OF_ADAPTIVE_RINGS
    if dataset in STACKED:
        names += OF_STACKS
    if dataset in CUBES:
        names += [f"energy/{name}.fits" for name in OF_ENERGIES]
    names += [f"further/{kernel}/{name}.fits" for kernel in further_of(dataset) for name in FURTHER]
    return names


def comparison_of(dataset):
    """Return the names of the files that compare the settings of a scan, if the dataset can be used at all."""
    ended = outcome(dataset)
    usable = ended["state"] != "failed" or ended["iteration"] > 0
    return OF_SCANS if dataset in SCANNED and usable else ()


def stale_products(wildcards):
    """Return the products that a dataset may have from an earlier run, and must not have now."""
    everything = [*PRODUCTS, *(f"plots/{name}.png" for name in FIGURES), *OF_SIMULATIONS, *OF_ADAPTIVE_RINGS]
    everything += [*OF_STACKS, *(f"energy/{name}.fits" for name in OF_ENERGIES), *OF_SCANS]
    wanted = [*products_of(wildcards.dataset), *comparison_of(wildcards.dataset)]
    return [f"{RESULTS}/{wildcards.dataset}/{name}" for name in everything if name not in wanted]


def files_of_more_figures(wildcards):
    """Return what the figures of adaptive rings and of simulations are drawn from."""
    dataset, folder = wildcards.dataset, f"<results>/{wildcards.dataset}"
    files = {}
    if dataset in ADAPTIVE:
        files |= {name: f"{folder}/{name}.fits" for name in ("ring_radius", "coverage")}
    if dataset in SIMULATED:
        files |= {name: f"{folder}/{name}.fits" for name in ("simulation", "background_error")}
    return files


def page_files(wildcards):
    """Return what the page of a dataset shows besides its status; nothing if it failed."""
    dataset = wildcards.dataset
    if not succeeded(dataset):
        return {}
    folder = f"<results>/{dataset}"
    maps = (*SHOWN, "ring_radius") if dataset in ADAPTIVE else SHOWN
    figures = [name for name in products_of(dataset) if name.endswith(".png") and name != "plots/thumbnail.png"]
    return {
        **{name: f"{folder}/{name}.fits" for name in maps},
        "masks": [*every_mask(wildcards), f"{folder}/exclusion_mask.fits"],
        "convergence": f"{folder}/convergence.csv",
        "catalogue": f"{folder}/regions.ecsv",
        "figures": [f"{folder}/{name}" for name in figures],
    }


def linked_products(wildcards):
    """Return the products that the page of a dataset links, but for its figures."""
    return [name for name in products_of(wildcards.dataset) if not name.endswith((".png", ".json"))]


def paper_figure_files(wildcards):
    """Return what a figure for a paper is drawn from, besides the dataset's status; nothing if the dataset failed."""
    entry = PAPER_FIGURES[wildcards.figure]
    dataset = entry["dataset"]
    if not succeeded(dataset):
        return {}
    if entry["kind"] == "convergence":
        return {"convergence": f"<results>/{dataset}/convergence.csv"}
    layers = entry["layers"] if entry["kind"] in ("maps", "strips") else []
    files = {name: f"<results>/{dataset}/{name}.fits" for name in (*layers, "significance", "exclusion_mask")}
    if entry["kind"] == "mask_evolution":
        iterations = range(outcome(dataset)["iteration"] + 1)
        files["masks"] = [f"<results>/{dataset}/iteration-{k}/exclusion_mask.fits" for k in iterations]
    if entry["labels"]:
        files["labels"] = dataset_files.split_name(entry["labels"]["table"])[0]
    return files


def figure_entry(wildcards):
    """Return the settings of a figure for a paper."""
    return PAPER_FIGURES[wildcards.figure]


def status_of_figure(wildcards):
    """Return the status of the dataset that a figure for a paper shows."""
    return f"<results>/{PAPER_FIGURES[wildcards.figure]['dataset']}/status.json"


def source_kernel_of_figure(wildcards):
    """Return the source kernel of the dataset that a figure for a paper shows."""
    return SETTINGS[PAPER_FIGURES[wildcards.figure]["dataset"]]["source_kernel"]


def results_of(dataset):
    """Return an input function for everything that a dataset's analysis is to leave behind."""

    def results(wildcards):
        names = (*products_of(dataset), *comparison_of(dataset), "status.json", "report.html")
        return [f"<results>/{dataset}/{name}" for name in names]

    return results


def joined_of(sky):
    """Return what is put together of the fields of a HEALPix map; a run of a part of all datasets may lack some."""
    if SHARD is not None:
        return []
    names = [f"{name}.fits" for name in JOINED]
    return [f"<results>/{sky}/{name}" for name in (*names, "status.json", "plots/sky.png")]


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
