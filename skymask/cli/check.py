"""What a configuration will do, told before anything is computed, and everything that is wrong with it at once."""

from importlib.util import find_spec

import numpy as np

from skymask.config import configuration, scan, tables
from skymask.core.inputs import NO_COUNTS, prepare
from skymask.core.kernels import AdaptiveRing, is_field_of_view
from skymask.datasets import events, identity, observation_store
from skymask.datasets.exposures import describe_energies
from skymask.datasets.reading import check_kernels, check_lengths, inspect
from skymask.datasets.runs import common_grid
from skymask.errors import ConfigurationError, MapError, SkymaskError, failing_alone
from skymask.io import file_names, healpix_files, maps, remote
from skymask.io.atomic import check_writable
from skymask.io.energy_axes import EnergyNodes, gaps_in_words
from skymask.io.event_files import open_events
from skymask.sky import configured_kernels, geometry
from skymask.sky.exclusion_regions import region_mask
from skymask.sky.healpix import files_and_columns, read_sky
from skymask.units import angle_in_degrees, in_words, length_text
from skymask.workflow import resources
from skymask.workflow.plan import Plan

#: Up to so many runs are named one by one.
MAX_NAMED = 5


def forecast(path):
    """Return what the configuration in a file will do, in lines of text, and what is wrong with it.

    Nothing is computed but the sums of kernels, and of event lists only the headers are read.

    Parameters
    ----------
    path : str or Path
        YAML file, as for `snakemake --configfile`.

    Returns
    -------
    lines, mistakes : list of str
    """
    try:
        schema = configuration.load_schema()
        config = configuration.read_configuration(path)
    except ConfigurationError as error:
        return [], str(error).splitlines()
    mistakes, figures = [], {}
    try:
        settings = configuration.dataset_settings(config, schema)
        configuration.plot_settings(config, schema)
        figures = configuration.figure_settings(config, schema, settings)
    except ConfigurationError as error:
        mistakes += str(error).splitlines()
        settings, more = _one_by_one(config, schema)
        mistakes += [line for line in more if line not in mistakes]
    pathvars = config.get("pathvars")
    for folder in ("results", "logs"):
        try:
            check_writable(str((pathvars if isinstance(pathvars, dict) else {}).get(folder, folder)))
        except SkymaskError as error:
            mistakes.append(str(error))
    lines, before = [], []
    mistakes += remote.mistakes(settings)
    fields = configuration.skies(settings)
    first = {names[0]: (sky, names) for sky, names in fields.items()}
    for name, entry in settings.items():
        if "field" in entry:
            if name in first:
                sky, names = first[name]
                lines += [sky, *(f"  {line}" for line in _sky([settings[field] for field in names]))]
            continue
        if addresses := file_names.remote_names(entry):
            wanted = ", ".join(addresses.values())
            lines += [name, f"  to be fetched      {wanted}: nothing else is known before that"]
            continue
        try:
            with failing_alone(file_names.file_names(entry).values(), in_job=False):
                about, wrong = _dataset(entry)
        except MapError as error:
            about, wrong = [], [str(error)]
        # Of a thousand datasets that share most settings, what differs must not be lost among the rest.
        new = [line for line in about if line not in before]
        lines += [name, *(f"  {line}" for line in new)] + ["  the rest           as above"] * (len(new) < len(about))
        before = about
        mistakes += [f"{name}: {mistake}" for mistake in wrong]
    if figures:
        lines.append(f"figures for a paper: {', '.join(figures)}")
        mistakes += _mistakes_of_cuts(figures, settings)
    if settings:
        groups = configuration.option(config, schema, "checkpoint_groups")
        least, most = number_of_jobs(settings, groups)
        number = "1 dataset" if len(settings) == 1 else f"{len(settings)} datasets"
        lines.append(f"{number}, {least} jobs if every loop ends at once, {most} at most")
    return lines, mistakes


def _mistakes_of_cuts(figures, settings):
    """What is wrong with the parts of maps that figures show, of those maps that are there to be looked at."""
    mistakes = []
    for name, figure in figures.items():
        entry = settings[figure["dataset"]]
        if not figure["cut"] or "field" in entry or file_names.remote_names(entry):
            continue
        if found := _result_of(_counts, entry, []):
            _, header, shape, _ = found
            box = [[angle_in_degrees(value) for value in figure["cut"][key]] for key in ("center", "width")]
            wrong = _mistakes_of(geometry.box_of, header, shape, *box)
            mistakes += [f"figures.{name}.cut: {mistake}" for mistake in wrong]
    return mistakes


def number_of_jobs(settings, largest_number_of_groups):
    """Return how many jobs the workflow has at least and at most; see `Plan.number_of_jobs`."""
    return _plan(settings, largest_number_of_groups).number_of_jobs()


def _plan(settings, largest_number_of_groups=1):
    """The plan that the workflow would make; runs of observations that cannot be told count as none."""
    stores = {name: entry["observations"] for name, entry in settings.items() if "observations" in entry}
    observed = {name: _result_of(observation_store.select_runs, store) or {} for name, store in stores.items()}
    return Plan(settings, configuration.groups(list(settings), largest_number_of_groups), observed=observed)


def expected_alpha(source, background):
    """Return the ratio of on to off acceptance where nothing is excluded and the acceptance is flat.

    For kernels with weights it is the effective one of a background with their variance.
    """
    return float(source.sum() * (background**2).sum() / background.sum() ** 2)


def _one_by_one(config, schema):
    """The settings of those datasets that have no mistake, alone with what is said for all, and mistakes of the others.

    A mistake in the form of one dataset hides what is wrong with the content of the others.
    """
    settings, mistakes = {}, []
    datasets = config.get("datasets")
    if isinstance(datasets, str):
        try:
            datasets = tables.read_table(datasets)
        except ConfigurationError as error:
            return {}, str(error).splitlines()
    for name, entry in (datasets if isinstance(datasets, dict) else {}).items():
        try:
            settings |= configuration.dataset_settings({**config, "datasets": {name: entry}}, schema)
        except ConfigurationError as error:
            mistakes += str(error).splitlines()
    return settings, list(dict.fromkeys(mistakes))


def _dataset(entry):
    """What is to be said of one dataset, and what is wrong with it."""
    files = file_names.data_names(entry)
    lines, mistakes, warnings = [], [], []
    try:
        counts, header, shape, about = _counts(entry, mistakes)
        files |= {"counts": counts} if counts else {}
    except MapError as error:
        return [], [*mistakes, str(error)]
    lines += about
    keys = ("source_kernel", "mask_source_kernels", "background_kernel", "dilation_radius", "statistic")
    kernels = {key: entry[key] for key in keys}
    selection = {key: entry[key] for key in ("exclusion_regions", "min_acceptance_fraction")}
    try:
        runs = {key: entry[key] for key in configuration.RUN_KEYS if key in entry}
        dataset, warnings = inspect(files, runs, selection, {**kernels, "energy_kernels": entry["energy_kernels"]})
        if "counts" not in files:
            lines.append(f"counts             {dataset.inputs.counts.sum()} in {len(entry['runs'])} runs")
        elif "counts" not in entry:
            warnings = [warning for warning in warnings if warning != NO_COUNTS]
        covered = np.count_nonzero(dataset.inputs.coverage)
        excluded = np.count_nonzero(~dataset.inputs.exclusion_mask)
        of_pixels = "not known yet" if "observations" in entry else f"{covered} of {np.prod(shape)} pixels"
        lines.append(f"coverage           {of_pixels}, {excluded} excluded by the user")
        if "counts" in entry or "exposure" in entry:
            lines += _acceptance(entry, dataset.inputs.acceptance)
    except MapError as error:
        mistakes += _more_mistakes(str(error), files, header, shape, selection, kernels)
    try:
        size = geometry.pixel_size(header)
        # A kernel far larger than the map may not fit into memory.
        check_lengths(_all_kernels(entry), entry["dilation_radius"], size, shape)
        lines += _kernels(kernels, size)
        lines += _more_kernels(entry, size)
    except MapError as error:
        mistakes += [str(error)] if str(error) not in mistakes else []
    largest, megabytes = _plan({"it": entry}).largest_job("it")
    lines.append(f"memory             {megabytes} MB at most in a job ({largest})")
    lines.append(f"iterations         at most {entry['convergence']['max_iterations']}")
    if entry["scan"]:
        lines.append(f"scan               {len(scan.points(entry['scan']))} combinations of {', '.join(entry['scan'])}")
    return lines + [f"warning: {warning}" for warning in warnings], mistakes


def _sky(entries):
    """Lines about a HEALPix map, from the settings of its fields."""
    options, about = entries[0]["healpix"], entries[0]["field"]
    sky = read_sky(**files_and_columns(options))
    size = about["pixel_size"]
    largest = max((entry["field"]["shape"] for entry in entries), key=np.prod)
    keys = ("source_kernel", "mask_source_kernels", "background_kernel", "dilation_radius", "statistic")
    counts = np.sum(sky.counts.values[sky.rows])
    memory = resources.megabytes("join_fields", about["sky_pixels"])
    lines = [
        f"counts             {counts:.0f} in {options['counts']}",
        f"geometry           {len(sky.rows)} HEALPix pixels with data, NSIDE {sky.counts.nside}, {sky.counts.frame}",
        f"fields             {len(entries)}, overlap {length_text(about['overlap'])}",
        f"largest field      {largest[1]} x {largest[0]} pixels of {length_text(size)}",
        *_kernels({key: entries[0][key] for key in keys}, (size, size)),
        f"memory             {memory} MB at most in a job that reads the whole map (join_fields)",
        f"iterations         at most {entries[0]['convergence']['max_iterations']}",
    ]
    return lines + [f"warning: {warning}" for warning in sky.warnings]


def _counts(entry, mistakes):
    """Counts as `read_dataset` takes them, header, shape, and lines; mistakes in event files are added."""
    if "runs" in entry:
        grid = common_grid(entry["runs"], geometry.grid(entry["geometry"]) if "geometry" in entry else None)
        return None, grid.header, grid.shape, [_grid_line(grid.header, grid.shape), *_energy_lines(grid.energies)]
    if "counts" in entry:
        sky_map = maps.read_cube(entry["counts"], energy_bin=entry.get("energy_bin"))
        header, shape, counts = sky_map.header, sky_map.data.shape[1:], entry["counts"]
        about = f"{np.nansum(sky_map.data):.0f} in {entry['counts']}"
        lines = [_grid_line(header, shape), *_energy_lines(sky_map.energies), f"counts             {about}"]
        return counts, header, shape, lines
    header, shape = geometry.grid(entry["simulate"] if "simulate" in entry else entry["geometry"])
    # What the counts will be is not known yet.
    counts = maps.SkyMap(np.zeros(shape, dtype=np.uint8), header)
    about = "to be simulated"
    warnings = []
    if "observations" in entry:
        about = _observations(entry["observations"], mistakes)
        if find_spec("gammapy") is None:
            warnings.append(f"warning: {observation_store.NO_GAMMAPY}")
    if "events" in entry:
        found, names = [], file_names.event_lists(entry)
        header.update(_energy_cards(names, entry.get("cuts", {})))
        for name in names:
            try:
                found.append(events.check_events(name, header, shape, entry.get("cuts")))
            except MapError as error:
                mistakes.append(str(error))
        files = "1 file" if len(names) == 1 else f"{len(names)} files"
        about = f"to be made of {sum(one.rows for one in found)} events in {files}"
        mistakes += _mistakes_of(identity.check_distinct_events, found)
        warnings += [f"warning: {line}" for line in _result_of(identity.likely_the_same, found) or ()]
    return counts, header, shape, [_grid_line(header, shape), f"counts             {about}", *warnings]


def _energy_cards(names, cuts):
    """The cards that the counts of events will have; none if a file cannot be read, which is told elsewhere."""
    files = _result_of(lambda: [open_events(name) for name in names])
    return events.energy_cards(files, cuts) if files else []


def _acceptance(entry, acceptance):
    """What is to be said of the acceptance of a counts map, in lines."""
    name = entry.get("exposure", entry.get("acceptance"))
    if name is None:
        return ["acceptance         none given: flat"]
    covered = acceptance[acceptance > 0]
    key = "exposure" if "exposure" in entry else "acceptance"
    lines = [f"{key:<18} {covered.min():.3g} to {covered.max():.3g} in {name}"]
    energies = (healpix_files.read_on_sky(name) or maps.read_expected(name)).energies
    if isinstance(energies, EnergyNodes):
        index = entry["spectral_index"]
        lines.append(f"exposure           {describe_energies(energies)}, integrated with the spectral index {index:g}")
    return lines


def _observations(observations, mistakes):
    """What is to be said of the runs of a dataset; mistakes in their files are added."""
    runs = observation_store.select_runs(observations)
    for run in runs.values():
        mistakes += _mistakes_of(observation_store.check_run, run, observations["safe_mask"]["methods"])
    names = ", ".join(runs) if len(runs) <= MAX_NAMED else f"{next(iter(runs))} to {list(runs)[-1]}"
    number = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
    return f"to be made of {number} of {observations['store']}: {names}"


def _energy_lines(energies):
    if energies is None:
        return []
    last = len(energies.lower) - 1
    gaps = gaps_in_words(energies)
    without = f", none of {gaps} (gammapy will take that for part of the bin below)" if gaps else ""
    return [f"energies           {last + 1} bins, {energies.describe(0)} up to {energies.describe(last)}{without}"]


def _grid_line(header, shape):
    size = geometry.pixel_size(header)
    middle = np.round(geometry.sky_position(header, (shape[1] - 1) / 2, (shape[0] - 1) / 2), 6)
    sizes = size[1:] if np.isclose(*size, rtol=1e-6) else size[::-1]
    pixels = " x ".join(length_text(value) for value in sizes)
    longitude, latitude = geometry.axis_names(header)
    extent = " x ".join(length_text(n * value) for n, value in zip(shape[::-1], size[::-1], strict=True))
    return (
        f"geometry           {shape[1]} x {shape[0]} pixels of {pixels}: {extent} around "
        f"{longitude} {middle[0]:.6g}, {latitude} {middle[1]:.6g} deg"
    )


def _all_kernels(entry):
    """Every kernel of a dataset, by where it stands in the configuration, as inspections say it."""
    named = {key: entry[key] for key in ("source_kernel", "background_kernel")}
    named |= {f"mask_source_kernels.{number}": kernel for number, kernel in enumerate(entry["mask_source_kernels"])}
    named |= {f"further_source_kernels.{name}": kernel for name, kernel in entry["further_source_kernels"].items()}
    for number, own in enumerate(entry["energy_kernels"]):
        named |= {f"energy_kernels.{number}: {key}": kernel for key, kernel in own.items()}
    return named


def _kernels(kernels, size):
    """Lines about the kernels on the pixels of a map, and the ratio of on to off that follows."""
    source = configured_kernels.to_pixels(kernels["source_kernel"], size)
    off_keys = ("source_kernel", "mask_source_kernels", "background_kernel", "statistic")
    background = configured_kernels.background_kernel(size, **{key: kernels[key] for key in off_keys})
    of_mask = {f"mask kernel {number}": kernel for number, kernel in enumerate(kernels["mask_source_kernels"])}
    kernels = kernels | of_mask
    dilation = configured_kernels.dilation_kernel(kernels["dilation_radius"], size)
    if is_field_of_view(background):
        background = np.zeros((1, 1), dtype=bool)
    if isinstance(background, AdaptiveRing):
        alphas = [expected_alpha(source, ring) if ring.any() else np.inf for ring in background.rings]
        background = background.rings[next((i for i, a in enumerate(alphas) if a <= background.alpha_max), -1)]
    named = {"source_kernel": source, "background_kernel": background, "dilation_radius": dilation}
    named |= {key: configured_kernels.to_pixels(kernel, size) for key, kernel in of_mask.items()}
    lines = []
    for key, pixels in named.items():
        if not pixels.any():
            lines.append(f"{key:<18} {configured_kernels.describe(kernels[key])}: all used pixels of the map")
            continue
        what = configured_kernels.describe(kernels[key]) if isinstance(kernels[key], dict) else in_words(kernels[key])
        box = f"{pixels.shape[1]} x {pixels.shape[0]}"
        lines.append(f"{key:<18} {what}: {np.count_nonzero(pixels)} pixels in {box}")
    if background.any():
        alpha = expected_alpha(source, background)
        lines.append(
            f"alpha              {alpha:.3g} on a flat acceptance, with no pixel excluded and all of it on the map"
        )
    return lines


def _more_kernels(entry, size):
    """Lines about kernels of single energy bins, and about those under which the final maps are summed too."""
    named = {f"bin {number} {key}": own[key] for number, own in enumerate(entry["energy_kernels"]) for key in own}
    named |= {f"further {name}": kernel for name, kernel in entry["further_source_kernels"].items()}
    lines = []
    for name, kernel in named.items():
        pixels = configured_kernels.to_pixels(kernel, size)
        area = f": {np.count_nonzero(pixels)} pixels" if isinstance(pixels, np.ndarray) else ""
        lines.append(f"{name:<18} {configured_kernels.describe(kernel)}{area}")
    return lines


def _more_mistakes(first, files, header, shape, selection, kernels):
    """The mistake that an inspection ended with, and what it would have found next."""
    found = [first]
    for key, name in files.items():
        if isinstance(name, str) and key != "counts":
            found += _mistakes_of(_readable, name)
    found += _mistakes_of(geometry.check_distortion, header, shape)
    found += _mistakes_of(region_mask, header, shape, selection["exclusion_regions"])
    size = _result_of(geometry.pixel_size, header)
    if size is not None:
        found += _mistakes_of(check_kernels, prepare(np.zeros(shape, dtype=np.uint8)), size, **kernels)
    return list(dict.fromkeys(found))


def _readable(name):
    """Raise a MapError if a map cannot be read, whatever its pixels are."""
    if healpix_files.read_on_sky(name) is None:
        maps.read_expected(name)


def _mistakes_of(function, *arguments, **options):
    try:
        function(*arguments, **options)
    except MapError as error:
        return [str(error)]
    return []


def _result_of(function, *arguments):
    try:
        return function(*arguments)
    except MapError:
        return None
