"""The runs of a stacked dataset in their files, read one after the other onto a common grid."""

import hashlib
from typing import NamedTuple

import numpy as np

from skymask.core.inputs import prepare_data
from skymask.core.measured import Stack
from skymask.core.stacking import Run
from skymask.datasets.exposures import DEFAULTS, ExposureOptions
from skymask.datasets.identity import SeenCounts
from skymask.datasets.on_grid import planes_on_grid
from skymask.errors import MapError
from skymask.io import maps
from skymask.io.energy_axes import EnergyAxis, same_axis
from skymask.io.header_cards import shared_cards
from skymask.io.json_files import MAX_TOLD
from skymask.sky import geometry
from skymask.sky.configured_kernels import kernels_of_bins, to_pixels

#: Maps that a run may have beside its counts.
RUN_KEYS = ("counts", "acceptance", "exposure", "coverage", "additive_background")


class Grid(NamedTuple):
    """A common grid: header, shape (ny, nx), and the energies of its planes, None if there is one.

    The header says of the origin of the counts what all runs agree on.
    """

    header: object
    shape: tuple
    energies: EnergyAxis | None


def common_grid(runs, within=None):
    """Return the grid that runs share.

    Parameters
    ----------
    runs : list of dict
        Each with the names of its maps by key, and its own name, `run`, unless it is the only one.
    within : (Header, (int, int)), optional
        Header and shape of the grid. Without one it is the smallest part of the first run's grid that holds them all.

    Returns
    -------
    grid : Grid

    Raises
    ------
    MapError
        If a map cannot be read, or runs do not share pixels or energies.
    """
    layouts = [_of_run(run, maps.read_layout, run["counts"]) for run in runs]
    energies = layouts[0].energies
    for run, layout in zip(runs, layouts, strict=True):
        both = energies is not None and layout.energies is not None
        if (energies is None) != (layout.energies is None) or (both and not same_axis(energies, layout.energies)):
            raise MapError(f"{_named(run)}{run['counts']} has other energy bins than the first run")
    headers = {run["counts"]: layout.header for run, layout in zip(runs, layouts, strict=True)}
    origin = shared_cards(headers, maps.ORIGIN_KEYS)
    if within is not None:
        return Grid(_with_cards(within[0], origin), within[1], energies)
    header = layouts[0].header
    geometry.sky_projection(header, runs[0]["counts"])
    offsets = [
        _of_run(run, geometry.offset, header, layout.header, layout.shape, run["counts"])
        for run, layout in zip(runs, layouts, strict=True)
    ]
    offsets = geometry.shortest_arc(header, offsets, [layout.shape for layout in layouts])
    first = np.min(offsets, axis=0)
    end = np.max(np.add(offsets, [layout.shape for layout in layouts]), axis=0)
    grid = _with_cards(geometry.shifted(header, first.tolist()), origin)
    return Grid(grid, tuple((end - first).tolist()), energies)


def _with_cards(header, cards):
    """A header with more cards."""
    header = header.copy()
    header.extend(cards)
    return header


class RunFiles:
    """Runs as `skymask.core.stacking.Run`, of which only one is in memory at a time.

    Parameters
    ----------
    runs : list of dict
        As for `common_grid`.
    header : Header
        Of the common grid.
    shape : (int, int)
        Shape (ny, nx) of the common grid.
    coverage : ndarray of bool, shape (ny, nx), optional
        Where any run may have data.
    min_acceptance_fraction : float
        Pixels of a run whose acceptance is below this fraction of the run's largest one have no coverage.
    energy_bin : int, optional
        The only energy bin that is read.
    exposure_options : ExposureOptions
        For runs with an exposure.
    check_distinct : bool
        Whether counts that stand there twice are an error, the first time that the runs are gone through.
    """

    def __init__(
        self,
        runs,
        header,
        shape,
        *,
        coverage=None,
        min_acceptance_fraction=0,
        energy_bin=None,
        exposure_options=DEFAULTS,
        check_distinct=False,
    ):
        self._runs, self._header, self._shape, self._exposure_options = runs, header, shape, exposure_options
        self._coverage, self._least, self._bin = coverage, min_acceptance_fraction, energy_bin
        #: What is odd about the runs, known once they have been gone through.
        self.warnings = []
        self._seen = SeenCounts() if check_distinct else None

    def cards(self):
        """Return header cards: how many runs there are, and one SHA-256 for all their files."""
        digest = hashlib.sha256()
        for run in self._runs:
            for key in RUN_KEYS:
                if key in run:
                    digest.update(f"{key} {maps.file_digest(run[key])}\n".encode())
        return [
            ("NRUNS", len(self._runs), "runs that are stacked"),
            ("SHARUNS", digest.hexdigest(), "SHA-256 of the files of all runs"),
        ]

    @property
    def energies(self):
        """Energy bins of every run, None if there is one only."""
        if self._bin is not None:
            return None
        return maps.read_layout(self._runs[0]["counts"]).energies

    @property
    def planes(self):
        """Number of energy bins."""
        energies = self.energies
        return 1 if energies is None else len(energies.lower)

    def totals(self):
        """Return counts and acceptance of all runs together for every energy bin, as pairs of maps (ny, nx)."""
        counts = np.zeros((self.planes, *self._shape), dtype=np.int64)
        acceptance = np.zeros(counts.shape)
        for run in self:
            counts[:, *run.block] += run.counts
            acceptance[:, *run.block] += run.acceptance
        return list(zip(counts, acceptance, strict=True))

    def __iter__(self):
        self.warnings = []
        odd = 0
        for entry in self._runs:
            run, warnings = _of_run(entry, self._read, entry)
            if warnings:
                odd += 1
            if odd <= MAX_TOLD:
                self.warnings += [_named(entry) + warning for warning in warnings]
            if run is not None:
                yield run
        self._seen = None
        if odd > MAX_TOLD:
            self.warnings.append(f"there are warnings about {odd - MAX_TOLD} more runs")

    def _read(self, entry):
        """A run, None if nothing of it lies on the common grid, and warnings."""
        counts = maps.read_cube(entry["counts"], energy_bin=self._bin)
        maps.check_whole(counts, "counts", entry["counts"])
        energies, (planes, *shape) = counts.energies, counts.data.shape
        offset = geometry.offset(self._header, counts.header, shape, entry["counts"])
        offset = geometry.offset_within(self._header, self._shape, offset, shape, entry["counts"])
        block = tuple(slice(max(0, o), min(n, o + m)) for o, n, m in zip(offset, self._shape, shape, strict=True))
        if any(part.start >= part.stop for part in block):
            return None, ["it lies outside the map: it contributes nothing"]
        within = tuple(slice(part.start - o, part.stop - o) for part, o in zip(block, offset, strict=True))
        cubes, layout = {"counts": counts.data}, maps.layout_of(counts, entry["counts"], energy_bin=self._bin)
        for key in RUN_KEYS[1:]:
            if key not in entry:
                continue
            found, planes_of_key = planes_on_grid(key, entry[key], layout, self._exposure_options, energy_bin=self._bin)
            cubes[found] = planes_of_key
        name = entry.get("run", "counts")
        prepared, warnings = [], self._seen.check(counts.data, counts.header, f"run {name}") if self._seen else []
        for number in range(planes):
            of_bin = {key: cube[min(number, len(cube) - 1)][within] for key, cube in cubes.items()}
            bin_name = f"{energies.describe(number)}: " if energies else ""
            try:
                data = prepare_data(**of_bin, min_acceptance_fraction=self._least)
            except MapError as error:
                raise MapError(f"{bin_name}{error}") from error
            prepared.append(data)
            warnings += [bin_name + warning for warning in data.warnings]
        acceptance = np.stack([data.acceptance for data in prepared])
        counts = np.stack([data.counts for data in prepared])
        additive = None
        if "additive_background" in entry:
            additive = np.stack([data.additive_background for data in prepared])
        for one, other in energies.overlaps() if energies else ():
            warnings.append(
                f"energy bins {energies.describe(one)} and {energies.describe(other)} overlap: events may count twice"
            )
        if self._coverage is not None:
            uncovered = ~self._coverage[block]
            for cube in (counts, acceptance, additive):
                if cube is not None:
                    cube[:, uncovered] = 0
        if not acceptance.any():
            warnings.append("it has no coverage: it contributes nothing")
        name = f"run {entry['run']}" if "run" in entry else "counts"
        return Run(counts, acceptance, block, additive, name), warnings


def runs_of(stack, acceptance):
    """Return the runs of a stack whose dataset was read once, in iteration 0.

    Parameters
    ----------
    stack : dict
        `runs` and `min_acceptance_fraction`.
    acceptance : SkyMap
        Of the stack, as written in iteration 0.
    """
    return RunFiles(
        stack["runs"],
        acceptance.header,
        acceptance.data.shape,
        coverage=acceptance.data > 0,
        min_acceptance_fraction=stack["min_acceptance_fraction"],
        energy_bin=stack["energy_bin"],
        exposure_options=exposure_options(stack),
    )


def exposure_options(reading):
    """Return what of `configuration.READING_KEYS` is said of exposures."""
    given = {key: reading.get(key) for key in ExposureOptions._fields}
    return ExposureOptions(**{key: value for key, value in given.items() if value is not None})


def measured_of_runs(runs, counts, acceptance, pixel_size, kernels, stack):
    """Return runs as a stack with the kernels of the configuration.

    Parameters
    ----------
    runs : RunFiles
    counts, acceptance : ndarray, shape (ny, nx)
        Of all of them.
    pixel_size : (float, float)
        Size of a pixel along y and x, in degrees.
    kernels : dict
        Kernels and statistic of the configuration.
    stack : dict
        `stacking` and `energy_kernels` of the configuration.
    """
    source_kernels, background_kernels = kernels_of_bins(
        pixel_size, runs.planes, energy_kernels=stack["energy_kernels"], **kernels
    )
    return Stack(
        runs,
        counts,
        acceptance,
        source_kernels,
        background_kernels,
        tuple(to_pixels(kernel, pixel_size) for kernel in kernels["mask_source_kernels"]),
        kernels["statistic"],
        stack["stacking"],
    )


def _of_run(run, function, *arguments):
    try:
        return function(*arguments)
    except MapError as error:
        raise MapError(f"{_named(run)}{error}") from error


def _named(run):
    return f"run {run['run']}: " if "run" in run else ""
