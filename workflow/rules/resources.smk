"""Memory and time of every job, from the number of pixels of its dataset's counts map.

Needs: SETTINGS. Makes: the functions `memory` and `runtime`, and why there is one thread everywhere. A script computes on
one core, and jobs of other datasets use the others; more threads would only keep cores idle.

The constants are the peaks of benchmarks/peak_memory.py (in docs/decisions.md), times 1.3 to 4 in memory and about 10 in time,
because nodes of a cluster differ. A retry gets as much again.
"""

from math import ceil
from typing import NamedTuple

from skymask.io.fits_header import pixels_of_all_runs, pixels_of_dataset, voxels_of_observations


class Need(NamedTuple):
    """What a script needs: memory in bytes per pixel, and per pixel of every mask that it reads and every one of
    `mask_source_kernels`; time per megapixel, the same for every one of these kernels.

    Of a run of observations, memory and time of every part of its energies too. Imports count where they are heavy, in MB.
    """

    pixel_bytes: float = 0
    mask_bytes: float = 0
    kernel_bytes: float = 0
    seconds: float = 0
    voxel_bytes: float = 0
    voxel_seconds: float = 0
    imports: float = 0


#: By script, with a margin; a script that is not here works on small tables.
NEEDS = {
    "simulate_counts": Need(60, seconds=20),
    # Event lists are read in pieces, whose size the constant for the interpreter covers.
    "bin_events": Need(60, seconds=60),
    "make_run_maps": Need(60, seconds=30, voxel_bytes=250, voxel_seconds=15, imports=200),
    # Per HEALPix pixel.
    "cut_field": Need(100, seconds=20),
    "join_fields": Need(150, seconds=60),
    "plot_sky": Need(100, seconds=20),
    "check_dataset": Need(160, seconds=10),
    "estimate_initial_background": Need(160, seconds=10),
    "compute_significance": Need(120, kernel_bytes=30, seconds=10),
    "update_exclusion_mask": Need(100, kernel_bytes=30, seconds=10),
    "estimate_background": Need(160, seconds=10),
    "compute_products": Need(230, mask_bytes=3, seconds=15),
    "compute_energy_bins": Need(300, seconds=15),
    # Per pixel of all bins together.
    "join_energy_bins": Need(60, seconds=5),
    "compute_limits": Need(180, seconds=10),
    "compute_further_significance": Need(230, seconds=15),
    "catalogue_regions": Need(170, mask_bytes=3, seconds=10),
    # Per simulation.
    "simulate_null": Need(300, seconds=3),
    "try_settings": Need(300, kernel_bytes=30, seconds=60),
    "compare_settings": Need(60, mask_bytes=3, seconds=10),
    "plot_dataset": Need(400, mask_bytes=3, seconds=40),
    "draw_maps": Need(450, mask_bytes=3, seconds=30),
    "draw_curves": Need(100, seconds=10),
    "render_page": Need(200, mask_bytes=3, seconds=15),
}

#: Memory of a job without a map, in MB: the interpreter and what it imports.
INTERPRETER = 250

#: Memory of what runs a script on a node of a cluster, in MB: two Snakemakes, of 135 MB each.
ENGINE = 300

#: Memory of the sums of a stack, in bytes per pixel.
STACK_BYTES = 120

#: A job may take so many seconds to begin: on a busy cluster, imports do.
START_UP = 300

#: A map whose header cannot be read counts as one of so many pixels, and check_dataset says what is wrong with it.
UNKNOWN_PIXELS = 1_000_000


#: Scripts that read the whole of a HEALPix map.
OF_SKIES = ("cut_field", "join_fields", "plot_sky")


@cache
def pixels(dataset):
    """Return the number of pixels of a dataset's counts map, or of a cube's bins together; headers are read once."""
    return sum(pixels_of_dataset(SETTINGS[name]) or UNKNOWN_PIXELS for name in CUBES_OF_BINS.get(dataset, [dataset]))


@cache
def pixels_of_runs(dataset):
    """Return the number of pixels of all runs of a stack together."""
    return pixels_of_all_runs(SETTINGS[dataset])


@cache
def voxels_of_run(dataset):
    """Return the number of pixels of a run's footprint, times the parts into which its energies are divided."""
    return voxels_of_observations(SETTINGS[dataset], pixels(dataset))


def pixels_of_job(script, wildcards):
    """Return the number of pixels that a job works on."""
    if "figure" in wildcards.keys():
        return pixels(PAPER_FIGURES[wildcards.figure]["dataset"])
    if script not in OF_SKIES:
        return pixels(wildcards.dataset)
    fields = SKIES[wildcards.sky] if "sky" in wildcards.keys() else [wildcards.dataset]
    return SETTINGS[fields[0]]["field"]["sky_pixels"]


def memory(script):
    """Return a function for the memory of a script's job, in MB."""
    need = NEEDS.get(script, Need())

    def megabytes(wildcards, input, attempt):
        masks = len(input.get("masks", ())) if need.mask_bytes else 0
        of_pixel = need.pixel_bytes + need.mask_bytes * masks
        if need.kernel_bytes:
            of_pixel += need.kernel_bytes * len(SETTINGS[wildcards.dataset]["mask_source_kernels"])
        if of_pixel and wildcards.get("dataset") in STACKED:
            of_pixel += STACK_BYTES
        size = of_pixel * pixels_of_job(script, wildcards) if of_pixel else 0
        if need.voxel_bytes:
            size += need.voxel_bytes * voxels_of_run(wildcards.dataset)
        overhead = INTERPRETER + need.imports + (0 if workflow.local_exec else ENGINE)
        return attempt * (overhead + ceil(size / 1e6))

    return megabytes


def runtime(script):
    """Return a function for the longest time that a script's job may take, in minutes."""
    need = NEEDS.get(script, Need())

    def minutes(wildcards, attempt):
        seconds = need.seconds * pixels_of_job(script, wildcards) / 1e6 if need.seconds else 0
        if seconds and wildcards.get("dataset") in STACKED:
            seconds += need.seconds * pixels_of_runs(wildcards.dataset) / 1e6
        if need.voxel_seconds:
            seconds += need.voxel_seconds * voxels_of_run(wildcards.dataset) / 1e6
        if script == "simulate_null":
            seconds *= SETTINGS[wildcards.dataset]["null_simulations"]["number"]
        if need.kernel_bytes:
            seconds *= 1 + len(SETTINGS[wildcards.dataset]["mask_source_kernels"])
        return attempt * ceil((START_UP + seconds) / 60)

    return minutes
