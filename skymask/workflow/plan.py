"""What the workflow makes of a configuration: for every rule its inputs, parameters, resources and priority.

The rules in `workflow/rules` name methods of one `Plan`; `skymask check` asks the same plan. Nothing is written, and of
the users' files only headers are read, so that a workflow can be looked at without changing anything.
"""

import os
import re
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import NamedTuple

from skymask import registry
from skymask.config import configuration, scan
from skymask.io import atomic, file_names
from skymask.io.fits_header import (
    number_of_energies,
    pixels_of_all_runs,
    pixels_of_dataset,
    voxels_of_observations,
)
from skymask.workflow import cached, changes, records, resources
from skymask.workflow.decisions import Decisions
from skymask.workflow.keys import KERNEL_KEYS, MASK_KEYS

#: What says how a stack is made of its runs.
STACK_KEYS = ("stacking", "energy_kernels", "min_acceptance_fraction")

#: What says how maps are made of a run of observations, apart from what selects runs.
OBSERVED_KEYS = ("energy", "energy_bins", "energy_oversampling", "offset_max", "safe_mask")

#: Files of counts that jobs make, by the key of a dataset that says how.
MADE_COUNTS = {"simulate": "simulation.fits", "events": "binned_counts.fits", "healpix": "field_counts.fits"}

#: Notes of the jobs that make counts, by the same key.
NOTES = {"events": "binning.json", "healpix": "cutting.json"}


#: What a status is made of.
OF_STATUS = {"quality": "quality.json", "null": "null.json", "catalogue": "regions.ecsv"}

#: Kinds of figures for a paper that show maps.
OF_MAPS = ("maps", "strips", "mask_evolution")


#: Jobs of every dataset, and of every iteration of its loop.
JOBS_ONCE = (
    "prepare_dataset",
    "estimate_background",
    "compute_products",
    "compute_limits",
    "catalogue_regions",
    "simulate_null",
    "plot_dataset",
    "record_status",
    "render_page",
)
JOBS_OF_ITERATION = ("compute_significance", "update_exclusion_mask", "estimate_background")


class Needs(NamedTuple):
    """What the answer of a rule depends on, apart from the files that other rules make.

    Attributes
    ----------
    settings : tuple of str
        Keys of a dataset's settings, which its script is given, and no other.
    files : tuple of callable
        Functions of `skymask.io.file_names` that name the users' files which its script reads.
    """

    settings: tuple = ()
    files: tuple = ()


_STACK_FILES = (file_names.stack_names, file_names.kernel_names)

#: By rule. Parameters, inputs and identities of files are all taken from here, so that none can be forgotten.
NEEDS = {
    "simulate_counts": Needs(("simulate",)),
    "bin_events": Needs(("events", "geometry", "cuts"), (file_names.event_names,)),
    "make_run_maps": Needs(("geometry", "observations"), (file_names.event_names,)),
    "cut_field": Needs(("healpix", "field"), (file_names.healpix_names,)),
    "prepare_dataset": Needs(
        ("exclusion_regions", "min_acceptance_fraction", "dilation_radius", "energy_kernels", *KERNEL_KEYS),
        (
            file_names.data_names,
            file_names.run_names,
            file_names.run_geometry_names,
            file_names.kernel_names,
            file_names.region_names,
        ),
    ),
    "estimate_background": Needs(KERNEL_KEYS, _STACK_FILES),
    "compute_significance": Needs(
        ("source_kernel", "mask_source_kernels", "statistic", "background_systematic"), (file_names.kernel_names,)
    ),
    "update_exclusion_mask": Needs(MASK_KEYS),
    "compute_products": Needs(
        (*KERNEL_KEYS, *MASK_KEYS, "background_systematic", "convergence", "min_acceptance_fraction"),
        _STACK_FILES,
    ),
    "compute_limits": Needs(
        ("source_kernel", "statistic", "background_systematic", "limits"), (file_names.source_kernel_names,)
    ),
    "catalogue_regions": Needs(KERNEL_KEYS, _STACK_FILES),
    "compute_energy_bins": Needs((*KERNEL_KEYS, "background_systematic"), _STACK_FILES),
    "compute_further_significance": Needs(
        (*KERNEL_KEYS, "background_systematic", "limits", "further_source_kernels"),
        (*_STACK_FILES, file_names.further_kernel_names),
    ),
    "simulate_null": Needs((*KERNEL_KEYS, "background_systematic", "threshold", "null_simulations"), _STACK_FILES),
    "plot_dataset": Needs(("threshold", "source_kernel"), (file_names.source_kernel_names,)),
    "try_settings": Needs((), _STACK_FILES),
    "compare_settings": Needs(("scan",)),
}


@dataclass
class Plan:
    """What is made of which datasets.

    Parameters
    ----------
    settings : dict of str to dict
        Per dataset, as from `configuration.dataset_settings`; names of files are where they are.
    groups : dict of str to str
        The checkpoint group of every dataset.
    plots, figures : dict
        Settings of plots, and of figures for a paper by name.
    results : str
        Folder of the results.
    shard : str, optional
        "k/n" if only a part of the datasets is in `settings`.
    observed : dict, optional
        The runs of every dataset of observations, as from `observation_store.runs_of_datasets`.
    code : dict, optional
        Digests of the code of every rule, as from `skymask.workflow.digests.rule_digests`.
    configured_names : dict, optional
        Names of files as inputs of rules have them, where they are elsewhere: Snakemake adds a module's prefix.
    fetch : callable, optional
        What Snakemake fetches remote files with.
    local : callable
        Returns whether jobs run on this machine, without the engine that a submitted job needs.
    checks_records : bool
        Whether files are compared with what their status says of how they were made.
    """

    settings: dict
    groups: dict
    plots: dict = field(default_factory=dict)
    figures: dict = field(default_factory=dict)
    results: str = "results"
    shard: str | None = None
    observed: dict = field(default_factory=dict)
    code: dict = field(default_factory=dict)
    configured_names: dict = field(default_factory=dict)
    fetch: object = None
    local: object = staticmethod(lambda: True)
    checks_records: bool = False

    def __post_init__(self):
        self.decisions = Decisions(self.groups)
        #: Decisions on datasets that are finished and left out of the graph.
        self.cached = self.decisions.cached
        #: Has Snakemake make files anew; set where there is a workflow.
        self.force = lambda files: None
        #: Is given a line on everything that has changed since the last run, once.
        self.tell = None
        #: Files of jobs that an earlier run began and did not end.
        self.unfinished = ()
        self._identities, self._pixels, self._verified = {}, {}, set()

    def leave_out(self, outcomes):
        """Leave finished datasets out of the graph, whose loops ended as `outcomes` say: no rule makes their files."""
        self.cached.update(outcomes)

    @cached_property
    def digests(self):
        """Per dataset, a digest of everything but files on which its files depend."""
        common = cached.digest(self.plots, self.code, self.results)
        return {dataset: cached.digest(entry, common) for dataset, entry in self.settings.items()}

    # ---- Kinds of datasets -------------------------------------------------------------------------------------------

    @cached_property
    def adaptive(self):
        """Datasets with an adaptive ring."""
        return self._those(lambda entry: entry["background_kernel"]["shape"] == "adaptive_ring")

    @cached_property
    def cubes(self):
        """Datasets of several energy bins under one mask."""
        return self._those(lambda entry: number_of_energies(entry) > 1)

    @cached_property
    def stacked(self):
        """Datasets of several runs or energy bins."""
        return self._those(lambda entry: "runs" in entry) | self.cubes

    @cached_property
    def simulated(self):
        """Datasets that are simulated."""
        return self._those(lambda entry: "simulate" in entry)

    @cached_property
    def scans(self):
        """Combinations of settings by name, of every dataset with a scan."""
        return {name: scan.points(entry["scan"]) for name, entry in self.settings.items() if entry["scan"]}

    @cached_property
    def bins(self):
        """Datasets that are single energy bins, by their cube."""
        return configuration.cubes_of_bins(self.settings)

    @cached_property
    def skies(self):
        """Datasets that are fields, by their HEALPix map."""
        return configuration.skies(self.settings)

    @property
    def statuses(self):
        """The path of every dataset's status."""
        return {dataset: f"{self.results}/{dataset}/status.json" for dataset in self.settings}

    def _those(self, wanted):
        return {name for name, entry in self.settings.items() if wanted(entry)}

    def pattern(self):
        """Return a pattern that matches every dataset, but none that is left out of the graph."""
        if 2 * len(self.cached) > len(self.settings):
            return self.pattern_of(self.settings)
        # Snakemake tries the pattern on every file: of two long lists of names, the shorter.
        others = one_of([*self.skies, *self.cached])
        return rf"(?!(?:{others})(?:/|$))[A-Za-z0-9][A-Za-z0-9._+-]*"

    def pattern_of(self, names):
        """Return a pattern that matches these datasets, cubes or skies, but none that is left out of the graph."""
        return one_of(set(names) - set(self.cached))

    # ---- What a rule's answer depends on -----------------------------------------------------------------------------

    def settings_of(self, rule):
        """Return a function for the settings that the script of a rule is given, and how its stack is made."""
        needs = NEEDS[rule]

        def settings(wildcards):
            entry = self.settings[wildcards.dataset]
            found = {key: entry[key] for key in needs.settings if key in entry}
            if kernel := wildcards.get("kernel"):
                found["further_source_kernels"] = {kernel: entry["further_source_kernels"][kernel]}
            return found | {"stack": self._stack(wildcards.dataset)} if file_names.stack_names in needs.files else found

        return settings

    def files_of(self, rule):
        """Return a function for the users' files that a rule reads, as inputs."""

        def files(wildcards):
            names = self._names(rule, wildcards)
            return list(dict.fromkeys(self._input(name) for name in names.values()))

        return files

    def code_of(self, rule):
        """Return digests of the code of a rule."""
        return self.code.get(rule, {})

    def identity_of(self, rule):
        """Return a function for name, size and time of every user's file that a rule reads, by key.

        Snakemake sees by it files that changed places, or were replaced by older ones, and a job that finds another
        file than was there when the run began stops.
        """

        def identity(wildcards):
            return {key: self._identity(name) for key, name in self._names(rule, wildcards).items()}

        return identity

    def _names(self, rule, wildcards):
        """The users' files that a rule reads by key; those that other jobs make are not among them."""
        entry = self.settings[wildcards.dataset]
        names = {key: name for names_of in NEEDS[rule].files for key, name in names_of(entry).items()}
        if wildcards.get("kernel"):
            other = f"further_source_kernels.{wildcards.kernel}."
            names = {
                k: v for k, v in names.items() if not k.startswith("further_source_kernels.") or k.startswith(other)
            }
        if wildcards.dataset in self.observed and rule != "make_run_maps":
            names = {key: name for key, name in names.items() if not key.startswith(("runs.", "geometry."))}
        if rule != "prepare_dataset" and wildcards.dataset not in self.stacked:
            names = {key: name for key, name in names.items() if key not in file_names.MAP_KEYS}
        return names

    def _input(self, name):
        """A file as the input of a rule: its path, or what Snakemake fetches from its address."""
        path = file_names.split_name(name)[0]
        return self.fetch(path) if file_names.is_remote(path) else self.configured_names.get(path, path)

    def _identity(self, name):
        """Name, size and time of a file when the run first asked; of a remote one its name."""
        path = file_names.split_name(name)[0]
        if file_names.is_remote(path):
            return [name]
        if path not in self._identities:
            # What a module's host is to make may not be there yet.
            self._identities[path] = atomic.identity(path) if os.path.exists(path) else []
        return [name, *self._identities[path]]

    def _stack(self, dataset):
        """How a stack is made of which runs or energy bins; nothing if the dataset is no stack."""
        if dataset not in self.stacked:
            return {}
        entry = self.settings[dataset]
        # The energy bins of one map are those of a single run.
        only = [{key: entry[key] for key in file_names.RUN_MAP_KEYS if key in entry}]
        return {
            "runs": entry.get("runs", only),
            **{key: entry.get(key) for key in configuration.READING_KEYS},
            **{key: entry[key] for key in STACK_KEYS},
        }

    # ---- Sources -----------------------------------------------------------------------------------------------------

    def data_files(self, wildcards):
        """Return the maps of a dataset by key: the user's, or those that jobs make."""
        self.verify(wildcards.dataset)
        names = self._maps(wildcards.dataset)
        return {key: path if made else self._input(path) for key, (path, _, made) in names.items()}

    def data_hdus(self, wildcards):
        """Return the HDU of each of these maps, None where the file holds one image."""
        return {key: hdu for key, (_, hdu, _) in self._maps(wildcards.dataset).items()}

    def _maps(self, dataset):
        """Path, HDU, and whether a job makes it, of every map of a dataset by key."""
        entry = self.settings[dataset]
        maps = {key: (*file_names.split_name(name), False) for key, name in file_names.data_names(entry).items()}
        for key, name in MADE_COUNTS.items():
            if key in entry:
                maps["counts"] = (f"<results>/{dataset}/{name}", "COUNTS", True)
        if "field" in entry or ("simulate" in entry and file_names.has_acceptance(entry["simulate"])):
            maps["acceptance"] = (maps["counts"][0], "ACCEPTANCE", True)
        return maps

    def made_run_files(self, wildcards):
        """Return the maps that jobs make of the runs of a dataset of observations."""
        runs = self.observed.get(wildcards.dataset, ())
        return [f"<results>/{wildcards.dataset}/runs/{run}.fits" for run in runs]

    def notes_files(self, wildcards):
        """Return what was noticed when the counts of a dataset, or of its runs, were made by jobs."""
        folder, entry = f"<results>/{wildcards.dataset}", self.settings[wildcards.dataset]
        if wildcards.dataset in self.observed:
            return [f"{folder}/runs/{run}.json" for run in self.observed[wildcards.dataset]]
        return [f"{folder}/{name}" for key, name in NOTES.items() if key in entry]

    def run_settings(self, wildcards):
        """Return which runs or energy bin of a dataset are read, and onto which grid; nothing for one map."""
        entry = self.settings[wildcards.dataset]
        keys = configuration.RUN_KEYS if "runs" in entry else configuration.READING_KEYS
        return {key: entry[key] for key in keys if key in entry}

    def observed_run(self, wildcards):
        """Return what a run's maps are made of, and how."""
        entry = self.settings[wildcards.dataset]
        return {
            "run": self.observed[wildcards.dataset][wildcards.run],
            "geometry": entry["geometry"],
            "options": {key: entry["observations"][key] for key in OBSERVED_KEYS},
        }

    def observed_files(self, wildcards):
        """Return the files of which the maps of a run are made; what is missing, the script says."""
        from skymask.datasets.observation_store import files_of_run

        files = files_of_run(self.observed[wildcards.dataset][wildcards.run])
        names = [*filter(os.path.isfile, files), *file_names.event_names(self.settings[wildcards.dataset]).values()]
        return [self._input(name) for name in names]

    def observed_identity(self, wildcards):
        """Return name, size and time of every file of which the maps of a run are made."""
        return {str(number): self._identity(name) for number, name in enumerate(self.observed_files(wildcards))}

    def field_settings(self, wildcards):
        """Return of which HEALPix map a field is, and which."""
        return {key: self.settings[wildcards.dataset][key] for key in ("healpix", "field")}

    # ---- The loop ----------------------------------------------------------------------------------------------------

    def in_iteration_before(self, name):
        """Return an input function for a file of the iteration before."""

        def path(wildcards):
            return f"<results>/{wildcards.dataset}/iteration-{int(wildcards.iteration) - 1}/{name}"

        return path

    def convergence_settings(self, wildcards):
        """Return what the checkpoint needs to know of each dataset of its group."""
        return {
            dataset: {
                **self.settings[dataset]["convergence"],
                "starved_pixels": self.settings[dataset]["starved_pixels"],
                "background_given": "background" in self.settings[dataset],
            }
            for dataset in self.decisions.members(wildcards.group)
        }

    def priority(self, stage):
        """Return a function for the priority of a job: later stages first, and among them datasets of earlier groups.

        So some datasets are finished early, and the first pages can be read, while others wait.
        """
        ranks = {group: rank for rank, group in enumerate(sorted(set(self.groups.values()), reverse=True))}

        def of_job(wildcards):
            group = wildcards.get("group") or self.groups.get(wildcards.get("dataset"))
            return len(resources.STAGES) * ranks.get(group, 0) + resources.STAGES.index(stage)

        return of_job

    def number_of_jobs(self):
        """Return how many jobs there are, if every loop ends after one iteration, and if none ends before its last.

        The rule `all` is not counted.
        """
        # Summary and report; of a HEALPix map, what is put together and its figure.
        least = most = 2 + 2 * len(self.skies) + len(self.bins)
        longest = dict.fromkeys(self.groups.values(), 1)
        for name, entry in self.settings.items():
            iterations = entry["convergence"]["max_iterations"]
            fixed = len(JOBS_ONCE) + sum(key in entry for key in MADE_COUNTS) + len(self.observed.get(name, ()))
            fixed += (name in self.cubes) + len(entry["further_source_kernels"])
            fixed += len(self.scans[name]) + 1 if name in self.scans else 0
            least, most = least + fixed + len(JOBS_OF_ITERATION), most + fixed + len(JOBS_OF_ITERATION) * iterations
            longest[self.groups[name]] = max(longest[self.groups[name]], iterations)
        # A group decides at the start and after every iteration.
        return least + 2 * len(longest), most + sum(1 + iterations for iterations in longest.values())

    # ---- Memory and time ---------------------------------------------------------------------------------------------

    def pixels(self, dataset):
        """Return the number of pixels of a dataset's map, or of a cube's bins together; headers are read once."""
        if dataset not in self._pixels:
            found = [pixels_of_dataset(self.settings[name]) for name in self.bins.get(dataset, [dataset])]
            self._pixels[dataset] = sum(number or resources.UNKNOWN_PIXELS for number in found)
        return self._pixels[dataset]

    def _pixels_of_job(self, rule, wildcards):
        if wildcards.get("figure"):
            return self.pixels(self.figures[wildcards.figure]["dataset"])
        if rule not in ("cut_field", "join_fields", "plot_sky"):
            return self.pixels(wildcards.dataset)
        # The whole of a HEALPix map is read.
        fields = self.skies[wildcards.sky] if wildcards.get("sky") else [wildcards.dataset]
        return self.settings[fields[0]]["field"]["sky_pixels"]

    def largest_job(self, dataset):
        """Return which job of a dataset asks for most memory, and how many MB, if its loop is short."""
        entry = self.settings[dataset]
        kernels, stacked = len(entry["mask_source_kernels"]), dataset in self.stacked
        rules = [rule for rule in (*JOBS_ONCE, *JOBS_OF_ITERATION) if rule in resources.NEEDS]
        rules += ["compute_energy_bins"] if dataset in self.cubes else []
        asked = {
            rule: resources.megabytes(rule, self.pixels(dataset), masks=3, kernels=kernels, stacked=stacked)
            for rule in rules
        }
        largest = max(asked, key=asked.get)
        return largest, asked[largest]

    def memory(self, rule):
        """Return a function for the memory of a rule's jobs, in MB."""

        def mem_mb(wildcards, input, attempt):
            if rule not in resources.NEEDS:
                return attempt * resources.megabytes(rule, 0, local=self.local())
            dataset = wildcards.get("dataset")
            return attempt * resources.megabytes(
                rule,
                self._pixels_of_job(rule, wildcards),
                masks=len(input.get("masks", ())),
                kernels=len(self.settings[dataset]["mask_source_kernels"]) if dataset in self.settings else 0,
                stacked=dataset in self.stacked,
                voxels=self._voxels(dataset) if rule == "make_run_maps" else 0,
                local=self.local(),
            )

        return mem_mb

    def runtime(self, rule):
        """Return a function for the longest time that a rule's jobs may take, in minutes."""

        def runtime(wildcards, attempt):
            if rule not in resources.NEEDS:
                return attempt * resources.minutes(rule, 0)
            dataset = wildcards.get("dataset")
            entry = self.settings.get(dataset, {})
            pixels = self._pixels_of_job(rule, wildcards)
            if dataset in self.stacked:
                pixels += pixels_of_all_runs(entry)
            return attempt * resources.minutes(
                rule,
                pixels,
                kernels=len(entry.get("mask_source_kernels", ())),
                simulations=entry.get("null_simulations", {}).get("number", 0),
                voxels=self._voxels(dataset) if rule == "make_run_maps" else 0,
            )

        return runtime

    def _voxels(self, dataset):
        return voxels_of_observations(self.settings[dataset], self.pixels(dataset))

    # ---- Results -----------------------------------------------------------------------------------------------------

    def variants(self, rule, *traits):
        """Yield the variants of a rule whose optional outputs are those of datasets with some of these traits.

        Yields
        ------
        name : str
            Of the variant, such as "compute_products_of_stack".
        traits : tuple of str
        pattern : str
            Of the datasets.
        """
        found = {(): []}
        for dataset in self.settings:
            found.setdefault(tuple(trait for trait in self.traits(dataset) if trait in traits), []).append(dataset)
        for of, datasets in sorted(found.items()):
            words = "_with_".join(trait.replace(" ", "_") for trait in of)
            yield f"{rule}_of_{words}" if of else rule, of, self.pattern_of(datasets)

    def map_outputs(self, traits):
        """Return the maps by name that the rule `compute_products` makes of a dataset with these traits."""
        others = {"excess_errn", "excess_errp", "excess_upper_limit", "exclusion_mask_inverse"}
        return {name: f"<results>/{{dataset}}/{name}.fits" for name in registry.maps_of(traits) if name not in others}

    def counts_on_file(self, wildcards):
        """Return the counts under the source kernel, which of a stack only the stack knows."""
        stacked = wildcards.dataset in self.stacked
        return {"counts_on": f"<results>/{wildcards.dataset}/counts_on.fits"} if stacked else {}

    def every_mask(self, wildcards):
        """Return the exclusion masks of all iterations of the job's dataset."""
        return self.decisions.every_mask(wildcards.dataset)

    def stale_products(self, wildcards):
        """Return the products that a dataset may have from an earlier run, and must not have now."""
        wanted = {*self.products_of(wildcards.dataset), *self.comparison_of(wildcards.dataset)}
        folder = f"{self.results}/{wildcards.dataset}"
        return [f"{folder}/{name}" for name in registry.files_of(registry.TRAITS) if name not in wanted]

    def products_of(self, dataset):
        """Return the names of the products and figures that a dataset has, none if it failed."""
        if not self.decisions.succeeded(dataset):
            return []
        traits = [trait for trait in self.traits(dataset) if trait != registry.SCAN]
        return registry.files_of(traits, self.settings[dataset]["further_source_kernels"])

    def traits(self, dataset):
        """Return what a dataset is, in the words of the registry."""
        kinds = {
            registry.ADAPTIVE: self.adaptive,
            registry.STACK: self.stacked,
            registry.CUBE: self.cubes,
            registry.SIMULATION: self.simulated,
            registry.SCAN: self.scans,
        }
        return tuple(trait for trait, datasets in kinds.items() if dataset in datasets)

    def comparison_of(self, dataset):
        """Return the names of the files that compare the settings of a scan, if the dataset can be used at all."""
        ended = self.decisions.last(dataset)
        usable = ended["state"] != "failed" or ended["iteration"] > 0
        return registry.only(registry.SCAN) if dataset in self.scans and usable else ()

    def results_of(self, dataset):
        """Return the files that a dataset's analysis leaves behind."""
        self.verify(dataset)
        names = (*self.products_of(dataset), *self.comparison_of(dataset), "status.json", "report.html")
        return self._not_empty([f"{dataset}/{name}" for name in names])

    def _not_empty(self, names):
        """The paths of results; those that are empty, as on a disk that was full, are made anew."""
        paths = {f"{self.results}/{name}": f"<results>/{name}" for name in names}
        self.force([path for path in paths if os.path.isfile(path) and not os.path.getsize(path)])
        return list(paths.values())

    def verify(self, dataset):
        """Have those jobs of a dataset run whose files were made with other settings or of other files, by its status.

        Snakemake sees that by itself as long as it has its own records; those in which a dataset is noted are whole.
        """
        if dataset in self._verified or dataset in self.cached or not self.checks_records:
            return
        if not self._verified:
            self.force([path for path in self.unfinished if path.startswith(f"{self.results}/")])
        self._verified.add(dataset)
        folder = f"{self.results}/{dataset}"
        self.force(records.outdated_files(folder, self.made_from(dataset), cached.has_note(self.results, dataset)))

    def made_from(self, dataset):
        """Return of what a dataset is made: digests of the settings of every rule, and names of files by key."""
        entry = self.settings[dataset]
        settings = {
            rule: cached.digest({key: entry.get(key) for key in needs.settings})
            for rule, needs in NEEDS.items()
            if needs.settings
        }
        wanted = {key: name for names_of in NEEDS["prepare_dataset"].files for key, name in names_of(entry).items()}
        return {"settings": settings, "files": wanted}

    def all_results(self):
        """Return what the rule `all` asks for: inputs and input functions.

        There is a function for every dataset that is not left out of the graph: until its loop has ended, nothing is
        known of what comes then, and the others go on.
        """
        functions = [partial(self._results, dataset) for dataset in self.settings if dataset not in self.cached]
        if self.shard is not None:
            # A run of a part of the datasets may lack the others, of which these are made as well.
            return functions
        functions += [self._joined_bins, *(path for sky in self.skies for path in self.joined(sky))]
        return [*functions, self._overall]

    def _results(self, dataset, wildcards):
        return self.results_of(dataset)

    def _overall(self, wildcards):
        if self.tell is not None:
            for line in changes.lines(self):
                self.tell(line)
            self.tell = None
        return self._not_empty(["summary.csv", "report.html"])

    def _joined_bins(self, wildcards):
        cubes = [name for name, bins in self.bins.items() if any(map(self.decisions.succeeded, bins))]
        names = registry.maps_in(registry.BINS)
        return [f"<results>/{cube}/energy/{name}.fits" for cube in cubes for name in names]

    def failures(self, wildcards=None):
        """Return the target that fails the run, if any dataset failed; a run of a part leaves it to others."""
        failed = self.shard is None and not all(map(self.decisions.succeeded, self.settings))
        return ["<results>/.failures"] if failed else []

    def of_every_dataset(self, name):
        """Return an input function for a file of every dataset, once all loops have ended.

        Asked for earlier, the jobs that make it would be made anew after every iteration.
        """

        def paths(wildcards):
            return [f"<results>/{dataset}/{name}" for dataset in self.settings if self.decisions.last(dataset)]

        return paths

    def status_files(self, wildcards):
        """Return what a status is made of: the decision and, unless the dataset failed, its quality figures."""
        folder = f"<results>/{wildcards.dataset}"
        if not self.decisions.succeeded(wildcards.dataset):
            return {}
        return {key: f"{folder}/{name}" for key, name in OF_STATUS.items()}

    def last_decision(self, wildcards):
        """Return the file with the last word on a dataset, whose group it tells of as well."""
        return self.decisions.decided_in(wildcards.dataset)

    def made_from_of(self, wildcards):
        """Return of what the files of the job's dataset are made."""
        return self.made_from(wildcards.dataset)

    def figure_outputs(self, flag, names):
        """Return the outputs of a rule that draws figures by name, for Snakemake's own report too.

        Parameters
        ----------
        flag : callable
            Snakemake's `report`.
        names : iterable of str
            Their paths in the folder of a dataset.
        """
        found = {}
        for path in names:
            name = path.removeprefix("plots/").removesuffix(".png")
            caption = f"../report/{name}.rst"
            labels = {"figure": name.replace("_", " ")}
            path = f"<results>/{{dataset}}/{path}"
            found[name] = (
                path if name == "thumbnail" else flag(path, category="{dataset}", labels=labels, caption=caption)
            )
        return found

    def whole_entry(self, wildcards):
        """Return all settings of the job's dataset."""
        return self.settings[wildcards.dataset]

    def files_to_plot(self, wildcards):
        """Return what the figures of a dataset are drawn from."""
        dataset, folder = wildcards.dataset, f"<results>/{wildcards.dataset}"
        maps = [*registry.FIGURES, "coverage", "exclusion_mask"]
        if dataset in self.adaptive:
            maps += ["ring_radius"]
        if dataset in self.simulated:
            maps += ["simulation", "background_error"]
        return {
            **{name: f"{folder}/{name}.fits" for name in maps},
            "masks": self.decisions.every_mask(dataset),
            "convergence": f"{folder}/convergence.csv",
            "quality": f"{folder}/quality.json",
            "null": f"{folder}/null.json",
        }

    def page_files(self, wildcards):
        """Return what the page of a dataset shows besides its status; nothing if it failed."""
        dataset, folder = wildcards.dataset, f"<results>/{wildcards.dataset}"
        if not self.decisions.succeeded(dataset):
            return {}
        traits = self.traits(dataset)
        figures = [name for name in registry.plots_of(traits) if name != "plots/thumbnail.png"]
        return {
            **{name: f"{folder}/{name}.fits" for name in registry.shown_maps(traits)},
            "masks": [*self.decisions.every_mask(dataset), f"{folder}/exclusion_mask.fits"],
            "convergence": f"{folder}/convergence.csv",
            "catalogue": f"{folder}/regions.ecsv",
            "figures": [f"{folder}/{name}" for name in figures],
        }

    def linked_products(self, wildcards):
        """Return the products that the page of a dataset links, but for its figures."""
        return [name for name in self.products_of(wildcards.dataset) if not name.endswith((".png", ".json"))]

    # ---- Energy bins and HEALPix maps --------------------------------------------------------------------------------

    def finished_bins(self, cube):
        """Return the datasets that are energy bins of a cube and have products."""
        return [name for name in self.bins[cube] if self.decisions.succeeded(name)]

    def in_bins(self, name):
        """Return an input function for a product of every energy bin of a cube."""

        def paths(wildcards):
            return [f"<results>/{dataset}/{name}.fits" for dataset in self.finished_bins(wildcards.dataset)]

        return paths

    def bin_settings(self, wildcards):
        """Return the counts of a cube whose bins have own masks, how many these are, and which have products."""
        bins = self.bins[wildcards.dataset]
        entry = self.settings[bins[0]]
        return {
            "counts": entry["runs"][0]["counts"] if "runs" in entry else entry["counts"],
            "numbers": [self.settings[name]["energy_bin"] for name in self.finished_bins(wildcards.dataset)],
            "bins": len(bins),
        }

    def joined(self, sky):
        """Return what is put together of the fields of a HEALPix map."""
        names = [f"{name}.fits" for name in registry.maps_in(registry.SKY)]
        return [f"<results>/{sky}/{name}" for name in (*names, "status.json", "plots/sky.png")]

    def files_of_fields(self, wildcards):
        """Return the maps of which a sky is put together, of those fields that did not fail, and all statuses."""
        fields = self.skies[wildcards.sky]
        names = ["iteration-0/acceptance.fits", *(f"{name}.fits" for name in registry.maps_in(registry.SKY))]
        done = filter(self.decisions.succeeded, fields)
        return {
            "maps": [f"<results>/{one}/{name}" for one in done for name in names],
            "statuses": [f"<results>/{one}/status.json" for one in fields],
        }

    def sky_settings(self, wildcards):
        """Return the settings of a HEALPix map, and its fields by the names of their datasets."""
        fields = self.skies[wildcards.sky]
        return {
            "settings": self.settings[fields[0]]["healpix"],
            "fields": {name: self.settings[name]["field"] for name in fields},
        }

    def sky_identity(self, wildcards):
        """Return name, size and time of every file of a HEALPix map."""
        names = file_names.healpix_names(self.settings[self.skies[wildcards.sky][0]])
        return {key: self._identity(name) for key, name in names.items()}

    def sky_files(self, wildcards):
        """Return the files of a HEALPix map."""
        names = file_names.healpix_names(self.settings[self.skies[wildcards.sky][0]])
        return list(dict.fromkeys(map(self._input, names.values())))

    # ---- Scans -------------------------------------------------------------------------------------------------------

    def point_settings(self, wildcards):
        """Return the settings of a combination of a scan."""
        point = self.scans[wildcards.dataset][wildcards.point]
        entry = scan.with_values(self.settings[wildcards.dataset], point)
        limits = ("max_iterations", "changed_pixels", "max_excluded_fraction")
        return {
            "kernels": {key: entry[key] for key in KERNEL_KEYS},
            "exclusion": {key: entry[key] for key in MASK_KEYS},
            "options": {
                **{key: entry["convergence"][key] for key in limits},
                "background_systematic": entry["background_systematic"],
            },
            "stack": self._stack(wildcards.dataset),
        }

    def users_background(self, wildcards):
        """Return the initial background, if it is the user's; others belong to the settings."""
        given = "background" in self.settings[wildcards.dataset]
        return {"background": f"<results>/{wildcards.dataset}/iteration-0/background.fits"} if given else {}

    def of_points(self, kind):
        """Return an input function for a file of every combination of a scan."""

        def paths(wildcards):
            folder = f"<results>/{wildcards.dataset}/scan"
            return [f"{folder}/{point}.{kind}" for point in self.scans[wildcards.dataset]]

        return paths

    def scan_settings(self, wildcards):
        """Return the values of a scan, and those that the dataset itself has for their keys."""
        entry = self.settings[wildcards.dataset]
        return {"values": entry["scan"], "own": scan.values_of(entry, entry["scan"])}

    # ---- Figures for a paper -----------------------------------------------------------------------------------------

    def figure_targets(self, wildcards=None):
        """Return the files of all figures for a paper."""
        kinds = {name: ("fits" if entry["kind"] in OF_MAPS else "ecsv") for name, entry in self.figures.items()}
        return [f"<results>/figures/{name}.{kind}" for name, data in kinds.items() for kind in ("pdf", "png", data)]

    def figures_of(self, *, maps):
        """Return a pattern of the figures for a paper that show maps, or of the others."""
        return one_of(name for name, entry in self.figures.items() if (entry["kind"] in OF_MAPS) == maps)

    def figure_files(self, wildcards):
        """Return what a figure for a paper is drawn from: the dataset's status and, unless it failed, its products."""
        entry = self.figures[wildcards.figure]
        dataset, folder = entry["dataset"], f"<results>/{entry['dataset']}"
        files = {"status": f"{folder}/status.json"}
        if not self.decisions.succeeded(dataset):
            return files
        if entry["kind"] == "convergence":
            return files | {"convergence": f"{folder}/convergence.csv"}
        layers = entry["layers"] if entry["kind"] in ("maps", "strips") else []
        files |= {name: f"{folder}/{name}.fits" for name in (*layers, "significance", "exclusion_mask")}
        if entry["kind"] == "mask_evolution":
            files["masks"] = self.decisions.every_mask(dataset)
        if entry["labels"]:
            files["labels"] = self._input(entry["labels"]["table"])
        return files

    def figure_settings(self, wildcards):
        """Return the settings of a figure for a paper."""
        return self.figures[wildcards.figure]

    def source_kernel_of_figure(self, wildcards):
        """Return the source kernel of the dataset that a figure for a paper shows."""
        return self.settings[self.figures[wildcards.figure]["dataset"]]["source_kernel"]

    def figure_identity(self, wildcards):
        """Return name, size and time of the table of labels of a figure for a paper."""
        labels = self.figures[wildcards.figure]["labels"]
        return {"labels": self._identity(labels["table"])} if labels else {}


def one_of(names):
    """Return a pattern that matches these names and no other."""
    return "|".join(map(re.escape, sorted(names))) or "-"
