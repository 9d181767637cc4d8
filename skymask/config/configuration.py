"""The configuration: checked against its schema, completed with its defaults, one entry of settings per dataset.

Nothing here needs numpy or astropy: a workflow reads its configuration at every start. Jobs, which have theirs already,
need no YAML either.
"""

import copy
import datetime
import hashlib
import os
from functools import cache
from pathlib import Path

from skymask.config.event_lists import expanded_events
from skymask.config.tables import read_runs_table, read_table
from skymask.config.validation import (
    SAFE_NAME,
    content_mistakes,
    name_mistakes,
    number_mistakes,
    schema_mistakes,
)
from skymask.config.values import check_as_written, properties, typed
from skymask.errors import ConfigurationError
from skymask.io.file_names import split_name
from skymask.units import is_length, parse_length

#: Keys that say what is read of maps.
READING_KEYS = ("energy_bin", "spectral_index", "energy_range")

#: Keys that say which runs, or energy bins, are read onto which grid.
RUN_KEYS = ("runs", "geometry", *READING_KEYS)


#: Analysis keys whose own keys are options: those of a dataset add to the global ones.
OPTION_KEYS = ("convergence", "further_source_kernels", "limits", "null_simulations", "quality")


#: File name of the schema.
SCHEMA = "config.schema.yaml"

#: Folder of this package.
PACKAGE = Path(__file__).parent.parent


def schema_path():
    """Return where the schema is: in this package, or in the repository around it."""
    places = (PACKAGE / SCHEMA, PACKAGE.parent / "workflow" / "schemas" / SCHEMA)
    for place in places:
        if place.is_file():
            return place
    raise ConfigurationError(f"the schema {SCHEMA} is in neither {places[0].parent} nor {places[1].parent}")


def snakefile_option():
    """Return how a command says where the workflow is, from another folder than its own; nothing without one."""
    snakefile = PACKAGE.parent / "Snakefile"
    return "" if snakefile.parent == Path.cwd() or not snakefile.is_file() else f"--snakefile {snakefile} "


@cache
def load_schema(path=None):
    """Return the schema at `path`; without one, that of this package or of the repository around it."""
    import yaml

    text = Path(path or schema_path()).read_text(encoding="utf-8")
    return _fast_or_right(lambda loader: yaml.load(text, Loader=loader))


def dataset_schema(schema):
    """Return the part of the schema for the entry of a dataset."""
    return schema["properties"]["datasets"]["additionalProperties"]


def read_configuration(path):
    """Return the configuration in a YAML file, as Snakemake reads it.

    Raises
    ------
    ConfigurationError
        If it cannot be read, is no mapping, or has a key twice.
    """
    import yaml

    try:
        check_file(path)
        text = Path(path).read_text(encoding="utf-8")
        config = _fast_or_right(lambda loader: yaml.load(text, Loader=loader))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(config, dict):
        raise ConfigurationError(f"{path} holds no keys")
    return config


def entries(config):
    """Return what a configuration says of each dataset alone, by its name as text, from a table if they are in one.

    Raises
    ------
    ConfigurationError
        If the table cannot be read.
    """
    datasets = config.get("datasets")
    datasets = read_table(datasets) if isinstance(datasets, str) else datasets or {}
    return {str(name): entry for name, entry in datasets.items()}


def dataset_settings(config, schema, *, files_needed=True):
    """Return the complete settings of every dataset.

    Parameters
    ----------
    config : dict
        As read from YAML; not modified.
    schema : dict
        JSON schema of the configuration.
    files_needed : bool
        Whether files that do not exist are errors.

    Returns
    -------
    settings : dict of str to dict
        Per dataset, in the order given: every analysis key, with defaults filled in, and the data keys it has. A
        HEALPix map is as many datasets as it has fields; see `skymask.sky.healpix.field_entries`.

    Raises
    ------
    ConfigurationError
        One line for every mistake, each naming its key.
    """
    config = typed(_plain(config), schema)
    datasets = config.get("datasets")
    if isinstance(datasets, str) and datasets:
        table = typed(read_table(datasets), schema["properties"]["datasets"])
        config = {**config, "datasets": table}
    names = config["datasets"] if isinstance(config.get("datasets"), dict) else {}
    if names:
        of_runs = dataset_schema(schema)["properties"]["runs"]
        config = {**config, "datasets": {name: _with_lists(name, entry, of_runs) for name, entry in names.items()}}
    _raise_if_any([*name_mistakes(names), *number_mistakes(config), *schema_mistakes(config, schema)])
    of_dataset = dataset_schema(schema)
    shared = {key: value for key, value in config.items() if key in of_dataset["properties"]}
    settings = {}
    for name, entry in config["datasets"].items():
        # A kernel replaces a kernel as a whole; the other nested keys are options, which add up.
        merged = {**shared, **entry}
        merged |= {key: {**shared.get(key, {}), **entry.get(key, {})} for key in OPTION_KEYS}
        settings[name] = _in_order(with_defaults(merged, of_dataset))
    _raise_if_any(content_mistakes(settings, files_needed))
    settings = {name: with_lengths(entry, of_dataset) for name, entry in settings.items()}
    return _with_bins(_with_fields(settings))


def cubes_of_bins(settings):
    """Return the names of the datasets that are single energy bins of a cube, by the cube's name."""
    cubes = {}
    for name, entry in settings.items():
        if "bin_of" in entry:
            cubes.setdefault(entry["bin_of"], []).append(name)
    return cubes


def skies(settings):
    """Return the names of the fields of every HEALPix map, by the name of its dataset in the configuration."""
    found = {}
    for name, entry in settings.items():
        if "field" in entry:
            found.setdefault(entry["field"]["sky"], []).append(name)
    return found


def plot_settings(config, schema):
    """Return the settings of the figures, with defaults filled in."""
    of_plots = schema["properties"]["plots"]
    plots = _in_order(with_defaults(typed(config.get("plots", {}), of_plots), of_plots))
    low, high = plots["significance_limits"]
    if not low < high:
        raise ConfigurationError(f"plots.significance_limits must grow, got {low}, {high}")
    return plots


def figure_settings(config, schema, datasets):
    """Return the settings of the figures for a paper by name, with defaults filled in.

    Parameters
    ----------
    config, schema : dict
        As for `dataset_settings`, which has checked their form.
    datasets : collection of str
        The names of all datasets.

    Raises
    ------
    ConfigurationError
        If a name is unsafe as that of a file, there is no such dataset or table, or strips are to show several maps.
    """
    figures = {}
    given = typed(_plain(config.get("figures") or {}), schema["properties"]["figures"])
    for name, entry in given.items():
        if not SAFE_NAME.fullmatch(str(name)):
            raise ConfigurationError(f"figures.{name}: unsafe name: letters, digits and . _ + -, beginning with one")
        if entry["dataset"] not in datasets:
            raise ConfigurationError(f"figures.{name}.dataset: there is no dataset {entry['dataset']}")
        if entry.get("labels") and not os.path.isfile(file := split_name(entry["labels"]["table"])[0]):
            raise ConfigurationError(f"figures.{name}.labels.table: {file} does not exist (looked in {Path.cwd()})")
        contours = sorted(set(entry.get("contours", [])))
        whole = {"cut": None, **entry, "contours": contours}
        if entry.get("kind") == "strips":
            whole = {"layers": ["significance"], **whole}
            if len(whole["layers"]) > 1:
                raise ConfigurationError(f"figures.{name}.layers: strips show one map, got {len(whole['layers'])}")
        of_figure = schema["properties"]["figures"]["additionalProperties"]
        figures[str(name)] = with_lengths(_in_order(with_defaults(whole, of_figure)), of_figure)
    return figures


def option(config, schema, key):
    """Return an option of the workflow as a whole, such as `shard`: its default if it is not given.

    Its form is checked by `dataset_settings`.
    """
    of_key = schema["properties"][key]
    return typed(config[key], of_key) if key in config else of_key.get("default")


def groups(names, largest_number):
    """Return the group of every dataset: its own name, or one of `largest_number` groups, chosen by hashing the name.

    Hashing keeps a dataset in its group when others come and go.
    """
    if len(names) <= largest_number:
        return {name: name for name in names}
    return {name: f"group-{int(hashlib.sha256(name.encode()).hexdigest(), 16) % largest_number}" for name in names}


def shard(groups, which):
    """Return the groups of the datasets in one shard; datasets of one group are never parted.

    Parameters
    ----------
    groups : dict of str to str
        The group of every dataset.
    which : str or None
        "k/n" is the k-th of n shards, None everything.

    Raises
    ------
    ConfigurationError
        If k is more than n.
    """
    if which is None:
        return groups
    number, of = map(int, which.split("/"))
    if number > of:
        raise ConfigurationError(f"shard: {which} is none of {of} shards: the first number must be at most the second")
    mine = set(sorted(set(groups.values()))[number - 1 :: of])
    return {name: group for name, group in groups.items() if group in mine}


def with_defaults(value, schema):
    """Return `value` with the defaults of its schema wherever a key is missing."""
    if not isinstance(value, dict):
        return value
    filled = dict(value)
    for key, inner in properties(schema, value).items():
        if key in filled:
            filled[key] = with_defaults(filled[key], inner)
        elif "default" in inner:
            filled[key] = with_defaults(copy.deepcopy(inner["default"]), inner)
    return filled


def with_lengths(value, schema):
    """Return `value` with [number, "deg" or "px"] for its lengths: however they are written, the same are the same."""
    if isinstance(value, dict):
        known = properties(schema, value)
        others = schema.get("additionalProperties") or {}
        return {key: with_lengths(item, known.get(key, others)) for key, item in value.items()}
    if isinstance(value, list):
        return [with_lengths(item, schema.get("items", {})) for item in value]
    is_one = schema.get("format") == "length" and isinstance(value, str) and is_length(value)
    return list(parse_length(value)) if is_one else value


def _with_lists(name, entry, of_runs):
    """A dataset's entry with its event lists one by one, and the runs of its table, and their names, in it."""
    if isinstance(entry, dict) and entry.get("events"):
        entry = {**entry, "events": expanded_events(entry["events"], f"datasets.{name}.events")}
    if not isinstance(entry, dict) or "runs" not in entry:
        return entry
    where = f"datasets.{name}.runs"
    runs = entry["runs"]
    if isinstance(runs, str) and runs:
        runs = typed(read_runs_table(runs, where), of_runs)
    if isinstance(runs, list):
        runs = [_with_name(run) if isinstance(run, dict) else run for run in runs]
    return {**entry, "runs": runs}


def _with_name(run):
    """A run with a name: its own, or that of its counts file without the ending."""
    if "run" in run:
        return {**run, "run": str(run["run"])}
    counts = run.get("counts")
    return {**run, "run": Path(split_name(counts)[0]).name.split(".fits")[0]} if isinstance(counts, str) else run


def check_file(path):
    """Raise a ConfigurationError if YAML does not read a file of the configuration as it is written.

    See `skymask.config.values.check_as_written`.
    """
    text = Path(path).read_text(encoding="utf-8")
    check_as_written(text, path, load_schema())


def _fast_or_right(read):
    """Return what a function reads with a YAML loader: libyaml's, which is ten times as fast, or Python's if it fails.

    What is a mistake, Python's loader says, as in Snakemake, which reads the configuration too.
    """
    import yaml

    try:
        return read(getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:
        return read(yaml.SafeLoader)


def _raise_if_any(mistakes):
    if mistakes:
        raise ConfigurationError("\n".join(mistakes))


def _in_order(value):
    """The same value with its keys in alphabetical order, so that their order in a file is no reason to rerun."""
    if isinstance(value, dict):
        return {key: _in_order(value[key]) for key in sorted(value)}
    return [_in_order(item) for item in value] if isinstance(value, list) else value


def _plain(value):
    """The same value with dates, which YAML makes of some texts, as texts again, in UTC."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        value = value.astimezone(datetime.UTC).replace(tzinfo=None)
    return value.isoformat() if isinstance(value, datetime.date) else value


def _with_bins(settings):
    """The settings with every cube whose bins have masks of their own replaced by these, each a dataset."""
    # It reads this module.
    from skymask.io.fits_header import number_of_energies

    expanded, errors = {}, []
    for name, entry in settings.items():
        if entry["energy_masks"] == "common":
            expanded[name] = entry
            continue
        if "energy_bin" in entry:
            errors.append(f"datasets.{name}: energy_masks is each, and energy_bin leaves one bin: take one of the keys")
            continue
        planes, own = number_of_energies(entry), entry["energy_kernels"]
        if planes == 1:
            errors.append(f"datasets.{name}: energy_masks is each, and counts have no energy axis")
        elif own and len(own) != planes:
            errors.append(f"datasets.{name}: energy_kernels has {len(own)} items, and counts have {planes} energy bins")
        else:
            for number in range(planes):
                of_bin = own[number] if own else {}
                bin_name = f"{name}.bin-{number}"
                expanded[bin_name] = {**entry, **of_bin, "energy_kernels": [], "energy_bin": number, "bin_of": name}
                if bin_name in settings:
                    errors.append(f"datasets.{bin_name} is the name of an energy bin of {name}")
    _raise_if_any(errors)
    return expanded


def _with_fields(settings):
    """The settings with every HEALPix map replaced by its fields, each a dataset of its own."""
    expanded, errors = {}, []
    for name, entry in settings.items():
        if "healpix" not in entry:
            expanded[name] = entry
            continue
        # The map says which fields there are: numpy and astropy are needed, and only here.
        from skymask.errors import MapError, failing_alone
        from skymask.sky.healpix import field_entries

        try:
            with failing_alone([entry["healpix"].get("counts", name)], in_job=False):
                fields = field_entries(name, entry)
        except MapError as error:
            errors.append(f"datasets.{name}: {error}")
            continue
        errors += [f"datasets.{field} is the name of a field of {name}" for field in fields if field in settings]
        expanded |= fields
    _raise_if_any(errors)
    return expanded
