"""What a dataset leaves behind: products, figures, its page, and figures for a paper.

Needs: SETTINGS, PAPER_FIGURES and the outcome of its loop. Makes: functions that the rules of results name.
"""

from skymask.io import file_names

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

#: Maps that the page of a dataset shows.
SHOWN = ("counts", "background", "significance", "excess", "coverage")

#: Kinds of figures for a paper that show maps.
OF_MAPS = ("maps", "strips", "mask_evolution")

#: Files of datasets that are simulated, and of those whose ring is adaptive.
OF_SIMULATIONS = ("plots/truth.png",)
OF_ADAPTIVE_RINGS = ("ring_radius.fits", "plots/ring_radius.png")

#: Maps of every further source kernel.
FURTHER = ("alpha", "significance", "excess", "excess_errn", "excess_errp", "excess_upper_limit")


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


def further_kernel(wildcards):
    """Return a further source kernel."""
    return SETTINGS[wildcards.dataset]["further_source_kernels"][wildcards.kernel]


def further_kernel_file(wildcards):
    """Return the file of a further source kernel, if it is an array in one."""
    kernel = further_kernel(wildcards)
    return [file_names.split_name(kernel["path"])[0]] if "path" in kernel else []


def further_of(dataset):
    """Return the names of the further source kernels of a dataset, none if it failed."""
    return list(SETTINGS[dataset]["further_source_kernels"]) if succeeded(dataset) else []


def further_names(wildcards):
    """Return the names of the further source kernels of the job's dataset, none if it failed."""
    return further_of(wildcards.dataset)


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
        files["ring_radius"] = f"{folder}/ring_radius.fits"
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
        files["labels"] = file_names.split_name(entry["labels"]["table"])[0]
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


def of_every_dataset(name):
    """Return an input function for a file of every dataset, once all loops have ended.

    Asked for earlier, the jobs that make it would be made anew after every iteration.
    """

    def paths(wildcards):
        return [f"<results>/{dataset}/{name}" for dataset in SETTINGS if outcome(dataset)]

    return paths


def of_all_datasets(name):
    """Return the path of a file about all datasets, which a run of a part of them does not make."""
    return f"<results>/{name}" if SHARD is None else []


def failures(wildcards):
    """Return the target that fails the run, if any dataset failed; that of a part of the datasets leaves it to others."""
    return [] if SHARD is not None or all(succeeded(dataset) for dataset in SETTINGS) else ["<results>/.failures"]
