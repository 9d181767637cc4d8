"""Memory and time of every job, from the pixels of its dataset: what rules ask for, and `skymask check` tells.

The constants are the peaks of benchmarks/peak_memory.py (in docs/decisions.md), times 1.3 to 4 in memory and about 10
in time, because nodes of a cluster differ. A retry gets as much again.
"""

from math import ceil
from typing import NamedTuple


class Need(NamedTuple):
    """What a script needs: memory in bytes per pixel, and time per megapixel.

    Memory is added per pixel of every mask that it reads, and of every one of `mask_source_kernels`, and time per
    kernel; of a run of observations, both for every part of its energies. Imports count where they are heavy, in MB.
    """

    pixel_bytes: float = 0
    mask_bytes: float = 0
    kernel_bytes: float = 0
    seconds: float = 0
    voxel_bytes: float = 0
    voxel_seconds: float = 0
    imports: float = 0


#: By rule, with a margin; what is not here works on small tables.
NEEDS = {
    "simulate_counts": Need(60, seconds=20),
    # Event lists are read in pieces, whose size the constant for the interpreter covers.
    "bin_events": Need(60, seconds=60),
    "make_run_maps": Need(60, seconds=30, voxel_bytes=250, voxel_seconds=15, imports=200),
    # Per HEALPix pixel.
    "cut_field": Need(100, seconds=20),
    "join_fields": Need(150, seconds=60),
    "plot_sky": Need(100, seconds=20),
    "prepare_dataset": Need(160, seconds=15),
    "estimate_background": Need(160, seconds=10),
    "compute_significance": Need(120, kernel_bytes=30, seconds=10),
    "update_exclusion_mask": Need(100, kernel_bytes=30, seconds=10),
    "compute_products": Need(230, mask_bytes=3, seconds=15),
    "compute_limits": Need(180, seconds=10),
    "catalogue_regions": Need(170, mask_bytes=3, seconds=10),
    "compute_energy_bins": Need(300, seconds=15),
    # Per pixel of all bins together.
    "join_energy_bins": Need(60, seconds=5),
    "compute_further_significance": Need(230, seconds=15),
    # Per simulation.
    "simulate_null": Need(300, seconds=3),
    "try_settings": Need(300, kernel_bytes=30, seconds=60),
    "compare_settings": Need(60, mask_bytes=3, seconds=10),
    "draw_maps": Need(450, mask_bytes=3, seconds=30),
    "draw_curves": Need(100, seconds=10),
    "plot_dataset": Need(400, mask_bytes=3, seconds=40),
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

#: A map whose header cannot be read counts as one of so many pixels, and prepare_dataset says what is wrong with it.
UNKNOWN_PIXELS = 1_000_000

#: Rules of a dataset in the order in which they run. One job each, but for those of the loop.
STAGES = (
    "simulate_counts",
    "bin_events",
    "make_run_maps",
    "cut_field",
    "prepare_dataset",
    "estimate_background",
    "compute_significance",
    "update_exclusion_mask",
    "check_convergence",
    "compute_products",
    "compute_limits",
    "catalogue_regions",
    "compute_energy_bins",
    "compute_further_significance",
    "simulate_null",
    "plot_dataset",
    "record_status",
    "render_page",
)


def megabytes(rule, pixels, *, masks=0, kernels=0, stacked=False, voxels=0, local=True):
    """Return the memory of a job in MB.

    Parameters
    ----------
    rule : str
    pixels : int
        Of its map, all energy bins together.
    masks, kernels : int
        How many masks it reads, and how many further source kernels its mask has.
    stacked : bool
        Whether its dataset is a stack.
    voxels : int
        Pixels of the footprint of a run, times the parts of its energies.
    local : bool
        Whether it runs on this machine, without an engine of its own.
    """
    need = NEEDS.get(rule, Need())
    of_pixel = need.pixel_bytes + need.mask_bytes * masks + need.kernel_bytes * kernels
    if of_pixel and stacked:
        of_pixel += STACK_BYTES
    overhead = INTERPRETER + need.imports + (0 if local else ENGINE)
    return overhead + ceil((of_pixel * pixels + need.voxel_bytes * voxels) / 1e6)


def minutes(rule, pixels, *, kernels=0, simulations=1, voxels=0):
    """Return the longest time that a job may take, in minutes; the parameters are those of `megabytes`."""
    need = NEEDS.get(rule, Need())
    seconds = (need.seconds * pixels + need.voxel_seconds * voxels) / 1e6
    if rule == "simulate_null":
        seconds *= simulations
    if need.kernel_bytes:
        seconds *= 1 + kernels
    return ceil((START_UP + seconds) / 60)
