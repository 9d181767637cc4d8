"""The configuration: checked against its schema, completed with its defaults, one entry of settings per dataset.

Nothing here needs numpy or astropy: a workflow reads its configuration at every start. Jobs, which have theirs already,
need no YAML either.
"""

import copy
import csv
import datetime
import difflib
import hashlib
import math
import os
import re
from collections import Counter
from pathlib import Path

from skymask.errors import ConfigurationError

#: Keys that say what a dataset is; all others say how it is analysed.
DATA_KEYS = (
    "counts",
    "acceptance",
    "coverage",
    "exclusion_mask",
    "background",
    "additive_background",
    "simulate",
    "events",
    "runs",
    "observations",
    "energy_bin",
    "geometry",
    "cuts",
    "healpix",
)

#: Data keys that name one map.
MAP_KEYS = ("counts", "acceptance", "coverage", "exclusion_mask", "background", "additive_background")

#: Data keys of which a dataset has one: they say where its counts come from.
SOURCES = ("counts", "simulate", "events", "runs", "observations", "healpix")

#: Data keys that need the pixels of `geometry`, and those that may have them.
ON_GEOMETRY, WITH_GEOMETRY = ("events", "observations"), ("events", "runs", "observations")

#: Keys that say which runs, or energy bins, are read onto which grid.
RUN_KEYS = ("runs", "geometry", "energy_bin")

#: Keys of a run that name one map.
RUN_MAP_KEYS = ("counts", "acceptance", "coverage", "additive_background")

#: Analysis keys without a default: no value would be right for every instrument.
REQUIRED_KEYS = ("source_kernel", "background_kernel", "dilation_radius")

#: Keys of an exclusion region that name a file.
REGION_FILES = ("file", "table")
#: Analysis keys whose own keys are options: those of a dataset add to the global ones.
OPTION_KEYS = ("convergence", "further_source_kernels", "limits", "null_simulations", "quality")

#: Keys of a ring that are lengths.
RING_LENGTHS = ("inner_radius", "width", "step", "max_outer_radius")

#: File name of the schema.
SCHEMA = "config.schema.yaml"

#: A Gaussian kernel ends at this many standard deviations.
GAUSSIAN_TRUNCATION = 4.0

#: Names of files beside the datasets' folders.
RESERVED_NAMES = ("summary.csv", "report.html")

#: Keys of a field that is given by numbers.
FIELD_KEYS = ("center", "width", "pixel_size")

#: Largest side of a field of the configuration, in pixels.
MAX_SIDE = 20000

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
_LENGTH = re.compile(r"\s*(?P<value>[-+]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)\s*(?P<unit>[^\d\s]*)\s*")

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")

#: Snakemake's storage plugins by the kind of address that they serve.
STORAGE_PLUGINS = {
    "http": "http",
    "https": "http",
    "s3": "s3",
    "gs": "gcs",
    "ftp": "ftp",
    "sftp": "sftp",
    "root": "xrootd",
}

#: Units of angles, in degrees.
ANGLES = {"deg": 1, "arcmin": 1 / 60, "arcsec": 1 / 3600, "rad": math.degrees(1)}

#: Units of energies in electronvolts.
_ENERGIES = {"eV": 1, "keV": 1e3, "MeV": 1e6, "GeV": 1e9, "TeV": 1e12, "PeV": 1e15}


def load_schema(path=None):
    """Return the schema at `path`; without one, that of this package or of the repository around it."""
    import yaml

    if path is None:
        package = Path(__file__).parent
        places = (package / SCHEMA, package.parent / "workflow" / "schemas" / SCHEMA)
        path = next((place for place in places if place.is_file()), None)
        if path is None:
            raise ConfigurationError(f"the schema {SCHEMA} is in neither {places[0].parent} nor {places[1].parent}")
    return yaml.safe_load(Path(path).read_text(encoding="utf-8"))


def read_configuration(path):
    """Return the configuration in a YAML file, as Snakemake reads it.

    Raises
    ------
    ConfigurationError
        If it cannot be read, is no mapping, or has a key twice.
    """
    import yaml

    try:
        check_duplicate_keys(path)
        config = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(config, dict):
        raise ConfigurationError(f"{path} holds no keys")
    return config


def dataset_settings(config, schema):
    """Return the complete settings of every dataset.

    Parameters
    ----------
    config : dict
        As read from YAML; not modified.
    schema : dict
        JSON schema of the configuration.

    Returns
    -------
    settings : dict of str to dict
        Per dataset, in the order given: every analysis key, with defaults filled in, and the data keys it has. A
        HEALPix map is as many datasets as it has fields; see `skymask.healpix.field_entries`.

    Raises
    ------
    ConfigurationError
        One line for every mistake, each naming its key.
    """
    config = _plain(config)
    datasets = config.get("datasets")
    if isinstance(datasets, str) and datasets:
        config = {**config, "datasets": read_table(datasets)}
    elif isinstance(datasets, dict):
        config = {**config, "datasets": {str(name): entry for name, entry in datasets.items()}}
    names = config["datasets"] if isinstance(config.get("datasets"), dict) else {}
    if names:
        config = {**config, "datasets": {name: _with_runs(name, entry) for name, entry in names.items()}}
    _raise_if_any([*_name_errors(names), *_number_errors(config), *_schema_errors(config, schema)])
    shared = {key: value for key, value in config.items() if key in schema["$defs"]["dataset"]["properties"]}
    settings = {}
    for name, entry in config["datasets"].items():
        # A kernel replaces a kernel as a whole; the other nested keys are options, which add up.
        merged = {**shared, **entry}
        merged |= {key: {**shared.get(key, {}), **entry.get(key, {})} for key in OPTION_KEYS}
        settings[name] = _in_order(with_defaults(merged, schema["$defs"]["dataset"], schema))
    _raise_if_any(_content_errors(settings))
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
    plots = _in_order(with_defaults(config.get("plots", {}), schema["properties"]["plots"], schema))
    low, high = plots["significance_limits"]
    if not low < high:
        raise ConfigurationError(f"plots.significance_limits must grow, got {low}, {high}")
    return plots


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


def with_defaults(value, schema, root):
    """Return `value` with the defaults of its schema wherever a key is missing."""
    schema = _resolve(schema, root)
    if not isinstance(value, dict):
        return value
    filled = dict(value)
    for key, subschema in _properties(schema, value).items():
        subschema = _resolve(subschema, root) if isinstance(subschema, dict) else {}
        if key in filled:
            filled[key] = with_defaults(filled[key], subschema, root)
        elif "default" in subschema:
            filled[key] = with_defaults(copy.deepcopy(subschema["default"]), subschema, root)
    return filled


def read_table(path):
    """Return the datasets of a CSV table with one row per dataset.

    Column `dataset` holds names, the others data and analysis keys; a key within a key is written with a dot. Empty
    cells are keys not given.

    Raises
    ------
    ConfigurationError
        If the table cannot be read or names a dataset twice.
    """
    datasets = {}
    for number, row in _read_csv(path, "datasets", "dataset"):
        name = row.pop("dataset").strip()
        if name in datasets:
            raise ConfigurationError(f"datasets: {path} names the dataset {name!r} twice (line {number})")
        entry = datasets[name] = {}
        for column, cell in row.items():
            if cell.strip():
                _set_nested(entry, column.strip(), _cell_value(column, cell.strip()))
    return datasets


def read_runs_table(path, where):
    """Return the runs of a CSV table with one row per run; empty cells are keys not given.

    Raises
    ------
    ConfigurationError
        If the table cannot be read or has no rows.
    """
    rows = _read_csv(path, where, "counts")
    if not rows:
        raise ConfigurationError(f"{where}: the table {path} has no rows")
    return [{column.strip(): cell.strip() for column, cell in row.items() if cell.strip()} for _, row in rows]


def _read_csv(path, where, needed):
    """The lines of a CSV table by number, as mappings of its columns, of which one is needed."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns, rows = reader.fieldnames or [], list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"{where}: the table {path} cannot be read ({reason})") from error
    if needed not in columns:
        raise ConfigurationError(f"{where}: the table {path} has no column {needed!r}, only {', '.join(columns)}")
    for column in columns:
        if columns.count(column) > 1:
            raise ConfigurationError(f"{where}: the table {path} has the column {column!r} twice")
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise ConfigurationError(f"{where}: line {number} of {path} has not as many cells as the header")
    return list(enumerate(rows, start=2))


def _with_runs(name, entry):
    """A dataset's entry with the runs of its table, and their names, in it."""
    if not isinstance(entry, dict) or "runs" not in entry:
        return entry
    where = f"datasets.{name}.runs"
    runs = entry["runs"]
    if isinstance(runs, str) and runs:
        runs = read_runs_table(runs, where)
    if isinstance(runs, list):
        runs = [_with_name(run) if isinstance(run, dict) else run for run in runs]
    return {**entry, "runs": runs}


def _with_name(run):
    """A run with a name: its own, or that of its counts file without the ending."""
    if "run" in run:
        return {**run, "run": str(run["run"])}
    counts = run.get("counts")
    return {**run, "run": Path(split_name(counts)[0]).name.split(".fits")[0]} if isinstance(counts, str) else run


def check_duplicate_keys(path):
    """Raise a ConfigurationError if a YAML file has a key twice, of which YAML would silently drop the first."""
    import yaml

    text = Path(path).read_text(encoding="utf-8")

    def walk(node, parents):
        if isinstance(node, yaml.MappingNode):
            seen = set()
            for key, value in node.value:
                where = (*parents, str(key.value))
                if key.value in seen:
                    line = key.start_mark.line + 1
                    raise ConfigurationError(f"{'.'.join(where)} stands twice in {path} (line {line})")
                seen.add(key.value)
                walk(value, where)
        elif isinstance(node, yaml.SequenceNode):
            for number, item in enumerate(node.value):
                walk(item, (*parents, str(number)))

    walk(yaml.compose(text, Loader=yaml.SafeLoader), ())


def data_names(entry):
    """Return the names of a dataset's maps by key: paths, followed by [HDU name] where one is given."""
    return {key: entry[key] for key in MAP_KEYS if key in entry}


def event_lists(entry):
    """Return the names of a dataset's event lists; there may be one, a list of them, or none."""
    events = entry.get("events", [])
    return [events] if isinstance(events, str) else list(events)


def event_names(entry):
    """Return the names of the files by key of which the counts of a dataset of events are made."""
    events = entry.get("events", [])
    names = {"events": events} if isinstance(events, str) else {f"events.{n}": name for n, name in enumerate(events)}
    for key, part in (("geometry", "as"), ("cuts", "good_time_intervals")):
        if part in entry.get(key, {}):
            names[f"{key}.{part}"] = entry[key][part]
    return names


def healpix_names(entry):
    """Return the names of the files by key of which the fields of a HEALPix map are made."""
    return {
        f"healpix.{key}": entry["healpix"][key] for key in ("counts", "acceptance") if key in entry.get("healpix", {})
    }


def made_of(entry):
    """Return the names of the files by key of which the counts of a dataset are made, unless they are a map."""
    return event_names(entry) | healpix_names(entry)


def kernel_names(entry):
    """Return the names of the files of a dataset's kernels by key, of those that are arrays in files."""
    return {f"{key}.path": kernel["path"] for key, kernel in loop_kernels(entry).items() if "path" in kernel}


def loop_kernels(entry):
    """Return the kernels of a dataset's loop by key, those of its mask and its energy bins included."""
    keys = ("source_kernel", "background_kernel")
    kernels = {key: entry[key] for key in keys if key in entry} | mask_kernels(entry)
    for number, own in enumerate(entry.get("energy_kernels", ())):
        kernels |= {f"energy_kernels.{number}.{key}": own[key] for key in keys if key in own}
    return kernels


def mask_kernels(entry):
    """Return the further source kernels of a dataset's mask by key."""
    return {
        f"mask_source_kernels.{number}": kernel for number, kernel in enumerate(entry.get("mask_source_kernels", ()))
    }


def further_kernel_names(entry):
    """Return the names of the files of a dataset's further source kernels by key."""
    kernels = {f"further_source_kernels.{name}": kernel for name, kernel in entry["further_source_kernels"].items()}
    return {f"{key}.path": kernel["path"] for key, kernel in kernels.items() if "path" in kernel}


def region_names(entry):
    """Return the names of the files of a dataset's exclusion regions by key."""
    regions = enumerate(entry.get("exclusion_regions", ()))
    return {
        f"exclusion_regions.{number}.{key}": region[key]
        for number, region in regions
        for key in REGION_FILES
        if key in region
    }


def run_names(entry):
    """Return the names of the maps of a dataset's runs by key."""
    return {
        f"runs.{number}.{key}": run[key]
        for number, run in enumerate(entry.get("runs", ()))
        for key in RUN_MAP_KEYS
        if key in run
    }


def file_names(entry):
    """Return the names of all files of a dataset's loop by key."""
    own = (data_names, run_names, kernel_names, region_names, made_of)
    return {key: name for names in own for key, name in names(entry).items()}


def split_name(name):
    """Return path and HDU name of "path.fits[HDU]"; the HDU name is None if there is none."""
    match = re.fullmatch(r"(?P<path>.+?)\[(?P<hdu>[^\[\]]+)\]", name)
    return (match["path"], match["hdu"]) if match else (name, None)


def is_remote(name):
    """Whether a file is named by an address, such as https://..., and not by a path."""
    return _ADDRESS.match(name) is not None


def remote_names(entry):
    """Return the addresses of the remote files of a dataset by key, without HDU names."""
    files = {key: split_name(name)[0] for key, name in file_names(entry).items()}
    return {key: file for key, file in files.items() if is_remote(file)}


def library_digest():
    """Return the SHA-256 of this package's source: the same code gives the same digest wherever it is installed."""
    folder = Path(__file__).parent
    sources = sorted(path for path in folder.rglob("*") if path.suffix in {".py", ".html"})
    if not sources:
        raise ConfigurationError(f"the library has no source files in {folder}")
    digest = hashlib.sha256()
    for path in sources:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def parse_length(text):
    """Return value and unit of a length such as "0.3 deg"."""
    match = _LENGTH.fullmatch(text)
    return float(match["value"]), match["unit"]


def angle_in_degrees(length):
    """Return an angle of the configuration in degrees, without the import of a library for it."""
    value, unit = parse_length(length)
    return value * ANGLES[unit]


def is_angle(text):
    """Whether a text is an angle with its unit, and not the name of a column."""
    match = _LENGTH.fullmatch(text)
    return match is not None and match["unit"] in ANGLES


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


def _resolve(schema, root):
    if "$ref" in schema:
        target = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
        return {**_resolve(target, root), **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema


def _properties(schema, value):
    """The properties of a mapping, also those that it has because of the value of another: of its shape."""
    properties = dict(schema.get("properties", {}))
    for branch in schema.get("allOf", ()):
        conditions = branch["if"].get("properties", {})
        if conditions and all(value.get(key) == condition["const"] for key, condition in conditions.items()):
            properties |= branch["then"].get("properties", {})
    return properties


def _raise_if_any(errors):
    if errors:
        raise ConfigurationError("\n".join(errors))


def _number_errors(value, where=""):
    """Numbers that are none, which a schema's bounds let pass."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from _number_errors(item, f"{where}.{key}" if where else str(key))
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{where} must be a finite number, got {value}"


def _schema_errors(config, schema):
    import jsonschema

    validator = jsonschema.Draft202012Validator(schema)
    errors = sorted(validator.iter_errors(config), key=lambda error: [str(part) for part in error.absolute_path])
    return [line for error in errors for line in _explain(error)]


def _explain(error):
    """One line per mistake, in words that name the key and what to do."""
    where = ".".join(str(part) for part in error.absolute_path) or "the configuration"
    value = error.instance
    if isinstance(value, float) and not math.isfinite(value):
        # Said already, by _number_errors.
        return
    match error.validator:
        case "additionalProperties":
            known = list(error.schema.get("properties", {}))
            for key in sorted(set(map(str, value)) - set(known)):
                name = key if where == "the configuration" else f"{where}.{key}"
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
                yield f"{name} is no known key ({hint})"
        case "required":
            missing = error.message.split("'")[1]
            yield f"{where} lacks the key {missing}"
        case "pattern" | "type" if "pattern" in error.schema and "title" in error.schema:
            yield f"{where} must be {error.schema['title']}, got {value!r}"
        case "pattern" | "type" if "pattern" in error.schema:
            hint = _length_hint(str(value))
            yield f"{where} must be a length with its unit, such as '0.3 deg' or '5 px', got {value!r}{hint}"
        case "type":
            kinds = {
                "object": "a mapping",
                "array": "a list",
                "integer": "a whole number",
                "string": "text",
                "null": "null",
                "boolean": "true or false",
            }
            expected = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
            yield f"{where} must be {' or '.join(kinds.get(kind, f'a {kind}') for kind in expected)}, got {value!r}"
        case "enum":
            yield f"{where} must be one of {', '.join(map(str, error.validator_value))}, got {value!r}"
        case "exclusiveMinimum":
            yield f"{where} must be more than {error.validator_value}, got {value}"
        case "exclusiveMaximum":
            yield f"{where} must be less than {error.validator_value}, got {value}"
        case "minimum" | "maximum":
            bound = "at least" if error.validator == "minimum" else "at most"
            yield f"{where} must be {bound} {error.validator_value}, got {value}"
        case "minProperties" | "minLength":
            yield f"{where} must not be empty"
        case "minItems" if error.validator_value == 1:
            yield f"{where} must not be empty"
        case "minItems" | "maxItems":
            yield f"{where} must have {error.validator_value} items, got {len(value)}"
        case "anyOf":
            keys = [option["required"][0] for option in error.validator_value]
            yield f"{where} lacks one of the keys {', '.join(keys)}"
        case _:
            yield f"{where}: {error.message}"


def _length_hint(value):
    match = _LENGTH.fullmatch(value)
    if match is None:
        return ""
    if not match["unit"]:
        return ": no unit"
    if match["value"].startswith("-"):
        return ": it must not be negative"
    return f": {match['unit']!r} is none of deg, arcmin, arcsec, rad, px"


def _name_errors(names):
    errors, seen = [], {}
    for name in names:
        if not _SAFE_NAME.fullmatch(name):
            errors.append(
                f"datasets.{name}: unsafe name {name!r}: at most 100 letters, digits and . _ + -, "
                "beginning with a letter or digit"
            )
        elif name.casefold() in RESERVED_NAMES:
            errors.append(f"datasets.{name}: the name is taken by a file of the results")
        elif (other := seen.setdefault(name.casefold(), name)) != name:
            errors.append(f"datasets.{name}: the name differs from {other} in case only; some file systems cannot tell")
    return errors


def _content_errors(settings):
    errors = []
    for name, entry in settings.items():
        where = f"datasets.{name}"
        if sum(key in entry for key in SOURCES) != 1:
            errors.append(f"{where} must have either {' or '.join(SOURCES)}")
        errors += _event_errors(where, entry)
        errors += _run_errors(where, entry)
        errors += _observation_errors(where, entry)
        errors += [f"{where}.{mistake}" for mistake in _healpix_errors(entry)]
        if "simulate" in entry:
            errors += _simulation_errors(f"{where}.simulate", entry["simulate"])
            errors += [
                f"{where}.{key} cannot stand beside simulate"
                for key in ("acceptance", "background", "additive_background")
                if key in entry
            ]
        errors += [
            f"{where} has no {key}, and there is none for all datasets" for key in REQUIRED_KEYS if key not in entry
        ]
        errors += _region_errors(where, entry.get("exclusion_regions", ()))
        for key, path in (file_names(entry) | further_kernel_names(entry)).items():
            file, _ = split_name(path)
            if is_remote(file):
                errors += [f"{where}.{key}: {mistake}" for mistake in _remote_errors(key, file)]
            elif not Path(file).exists():
                errors.append(f"{where}.{key}: {file} does not exist (looked in {Path.cwd()})")
            elif not Path(file).is_file():
                errors.append(f"{where}.{key}: {file} is not a file")
            elif not os.access(file, os.R_OK):
                errors.append(f"{where}.{key}: {file} cannot be read, permission denied")
        for key, kernel in loop_kernels(entry).items():
            errors += _ring_errors(where, key, kernel)
        errors += [f"{where}.{mistake}" for mistake in _mask_errors(entry)]
        errors += [f"{where}.further_source_kernels.{mistake}" for mistake in _further_errors(entry)]
    return errors


def _with_bins(settings):
    """The settings with every cube whose bins have masks of their own replaced by these, each a dataset."""
    # It reads this module.
    from skymask.map_sizes import number_of_energies

    expanded, errors = {}, []
    for name, entry in settings.items():
        if entry["energy_masks"] == "common":
            expanded[name] = entry
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
        from skymask.errors import MapError
        from skymask.healpix import field_entries

        try:
            fields = field_entries(name, entry)
        except MapError as error:
            errors.append(f"datasets.{name}: {error}")
            continue
        errors += [f"datasets.{field} is the name of a field of {name}" for field in fields if field in settings]
        expanded |= fields
    _raise_if_any(errors)
    return expanded


def _healpix_errors(entry):
    """What a schema cannot say of a HEALPix map: what cannot stand beside it, and numbers that are no resolution."""
    if "healpix" not in entry:
        return
    for key in ("acceptance", "coverage", "background", "additive_background"):
        if key in entry:
            hint = ": its acceptance is healpix.acceptance" if key == "acceptance" else ""
            yield f"{key} cannot stand beside healpix{hint}"
    number = entry["healpix"]["field_nside"]
    if number & (number - 1):
        yield f"healpix.field_nside must be a power of two, got {number}"
    if "acceptance_column" in entry["healpix"] and "acceptance" not in entry["healpix"]:
        yield "healpix.acceptance_column stands beside healpix.acceptance only"


def _remote_errors(key, address):
    """Files that cannot be remote, and addresses whose plugin of Snakemake is missing."""
    from importlib.util import find_spec

    if key not in MAP_KEYS:
        yield f"{address} is remote, which maps alone may be: fetch it, and give its path"
        return
    scheme = address.split("://")[0].lower()
    if scheme not in STORAGE_PLUGINS:
        yield f"{address}: {scheme} is none of the known kinds of address ({', '.join(STORAGE_PLUGINS)})"
    elif find_spec(f"snakemake_storage_plugin_{STORAGE_PLUGINS[scheme]}") is None:
        plugin = f"snakemake-storage-plugin-{STORAGE_PLUGINS[scheme]}"
        yield f"{address} needs a plugin that is not installed: pip install {plugin}"


def _ring_errors(where, name, kernel):
    """What a schema cannot say of a ring: lengths that cannot be compared, or do not go together."""
    lengths = {key: kernel[key] for key in RING_LENGTHS if key in kernel}
    if len({parse_length(length)[1] == "px" for length in lengths.values()}) > 1:
        *others, last = lengths
        some = "all" if others[1:] else "both"
        keys = f"{', '.join(others)} and {last}"
        yield f"{where}: {keys} of a ring must {some} be angles or {some} px"
    elif kernel.get("shape") == "adaptive_ring":
        parsed = {key: parse_length(length) for key, length in lengths.items()}
        sizes = {key: value * ANGLES.get(unit, 1) for key, (value, unit) in parsed.items()}
        if sizes["step"] == 0:
            yield f"{where}.{name}.step must be more than 0"
        if sizes["inner_radius"] + sizes["width"] > sizes["max_outer_radius"] * (1 + 1e-9):
            yield (
                f"{where}.{name}.max_outer_radius must be at least inner_radius + width, got "
                f"{kernel['max_outer_radius']} for {kernel['inner_radius']} + {kernel['width']}"
            )


def _further_errors(entry):
    """What a schema cannot say of further source kernels: names that are none, and kernels that reach into the ring."""
    kernels, seen = entry["further_source_kernels"], {}
    for name, kernel in kernels.items():
        if not _SAFE_NAME.fullmatch(name):
            yield (
                f"{name}: unsafe name {name!r}: at most 100 letters, digits and . _ + -, "
                "beginning with a letter or digit"
            )
        elif (other := seen.setdefault(name.casefold(), name)) != name:
            yield f"{name}: the name differs from {other} in case only; some file systems cannot tell"
        mistakes = list(_ring_errors(name, "", kernel))
        yield from mistakes
        if not mistakes and entry["statistic"] == "wstat":
            yield from _reach_errors(name, kernel, entry.get("background_kernel", {}))


def _reach_errors(name, kernel, ring):
    """A kernel of on counts that reaches into the ring of off counts, where the lengths can be compared."""
    reach = {key: kernel[key] for key in ("radius", "inner_radius", "width", "sigma") if key in kernel}
    if ring.get("shape") not in ("ring", "adaptive_ring") or not reach:
        return
    parsed = {key: parse_length(length) for key, length in {**reach, "ring": ring["inner_radius"]}.items()}
    if len({unit == "px" for _, unit in parsed.values()}) > 1:
        return
    sizes = {key: value * ANGLES.get(unit, 1) for key, (value, unit) in parsed.items()}
    inner_radius = sizes.pop("ring")
    outer_radius = sizes["sigma"] * GAUSSIAN_TRUNCATION if "sigma" in sizes else sum(sizes.values())
    if outer_radius >= inner_radius * (1 - 1e-9):
        yield (
            f"{name} reaches into background_kernel, whose inner_radius is {ring['inner_radius']}: with the statistic "
            "wstat, counts must be on or off, not both"
        )


def _mask_errors(entry):
    """What a schema cannot say of the options that shape a mask, because it takes two of them to see."""
    threshold, low, growth = entry["threshold"], entry["threshold_low"], entry["region_growth"]
    if low is not None and low > threshold:
        yield f"threshold_low must be at most the threshold {threshold}, got {low}"
    lengths = {key: parse_length(growth[key]) for key in ("sigma", "max_radius") if growth and key in growth}
    yield from (f"region_growth.{key} must be more than 0" for key, (value, _) in lengths.items() if value == 0)
    if len({unit == "px" for _, unit in lengths.values()}) > 1:
        yield "region_growth: sigma and max_radius must both be angles or both px"
    edge = threshold if low is None else low
    level = growth.get("level", 0) if growth else 0
    if level > edge:
        yield f"region_growth.level must be at most the significance {edge} at the edge of regions, got {level}"


def _simulation_errors(where, simulation):
    """What a schema cannot say of a simulation: sizes that are none, and fields too large to be meant."""
    sizes = {"pixel_size": simulation["pixel_size"], "acceptance_sigma": simulation.get("acceptance_sigma")}
    for number, source in enumerate(simulation["sources"]):
        sigma = source.get("sigma")
        widths = enumerate(sigma) if isinstance(sigma, list) else ()
        sizes |= {f"sources.{number}.sigma.{axis}": length for axis, length in widths}
        sizes[f"sources.{number}.sigma"] = sigma if isinstance(sigma, str) else None
        sizes[f"sources.{number}.width"] = source.get("width")
    zero = [key for key, length in sizes.items() if length and angle_in_degrees(length) == 0]
    if zero:
        return [f"{where}.{key} must be more than 0" for key in zero]
    steepness = sum(map(abs, simulation["acceptance_gradient"]))
    if steepness >= 1:
        return [f"{where}.acceptance_gradient must have sizes of less than 1 together, got {steepness:g}"]
    return _field_errors(where, simulation)


def has_acceptance(simulation):
    """Whether a simulation has an acceptance that is not flat."""
    return "acceptance_sigma" in simulation or any(simulation["acceptance_gradient"]) or bool(simulation["holes"])


def _field_errors(where, field):
    """Fields of no pixel, or of too many."""
    pixels = [angle_in_degrees(extent) / angle_in_degrees(field["pixel_size"]) for extent in field["width"]]
    if not all(1 <= number <= MAX_SIDE for number in pixels):
        sides = " x ".join(f"{number:.4g}" for number in pixels)
        yield f"{where}.width is {sides} pixels of pixel_size: it must be 1 to {MAX_SIDE} on each side"


def _event_errors(where, entry):
    """What a schema cannot say of event lists, their pixels and their cuts."""
    if "geometry" in entry:
        yield from _geometry_errors(where, entry)
    for key in ON_GEOMETRY:
        if key in entry and "geometry" not in entry:
            yield f"{where} has {key}, and no geometry that says on which pixels to count them"
    if "events" not in entry:
        if "cuts" in entry:
            yield f"{where}.cuts stands beside events only"
        return
    names = event_lists(entry)
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        yield f"{where}.events: {name} stands there twice"
    for key, limits in entry.get("cuts", {}).items():
        if isinstance(limits, list):
            yield from _limit_errors(f"{where}.cuts.{key}", key, limits)


def _geometry_errors(where, entry):
    """Pixels that nothing needs, and such as there are none."""
    geometry = entry["geometry"]
    if not any(key in entry for key in WITH_GEOMETRY):
        yield f"{where}.geometry stands beside events, runs or observations only"
    elif "as" not in geometry:
        if angle_in_degrees(geometry["pixel_size"]) == 0:
            yield f"{where}.geometry.pixel_size must be more than 0"
        else:
            yield from _field_errors(f"{where}.geometry", geometry)
        if abs(angle_in_degrees(geometry["center"][1])) > 90:
            yield f"{where}.geometry.center.1 must be a latitude, got {geometry['center'][1]}"


def _run_errors(where, entry):
    """What a schema cannot say of runs: keys that each run has for itself, and runs that stand there twice."""
    if "runs" not in entry:
        return
    for key in ("acceptance", "additive_background"):
        if key in entry:
            yield f"{where}.{key} cannot stand beside runs: every run has its own"
    for key, what in (("run", "is the name of two runs: give each its own key run"), ("counts", "stands there twice")):
        numbers = Counter(run[key] for run in entry["runs"])
        yield from (f"{where}.runs: {value} {what}" for value, number in numbers.items() if number > 1)


def _observation_errors(where, entry):
    """What a schema cannot say of observations: a store that is none, energies and angles that are none."""
    if "observations" not in entry:
        return
    for key in ("acceptance", "additive_background"):
        if key in entry:
            yield f"{where}.{key} cannot stand beside observations: every run has its own"
    where, observations = f"{where}.observations", entry["observations"]
    store = Path(observations["store"])
    if not store.is_dir():
        what = "is not a folder" if store.exists() else f"does not exist (looked in {Path.cwd()})"
        yield f"{where}.store: {store} {what}"
    yield from _limit_errors(f"{where}.energy", "energy", observations["energy"])
    if not _size("energy", observations["energy"][0]) > 0:
        yield f"{where}.energy must begin above 0, got {observations['energy'][0]}"
    cone = observations.get("cone", {})
    if "center" in cone and abs(angle_in_degrees(cone["center"][1])) > 90:
        yield f"{where}.cone.center.1 must be a latitude, got {cone['center'][1]}"
    sizes = {"offset_max": observations["offset_max"]}
    sizes |= {"cone.radius": cone["radius"]} if "radius" in cone else {}
    for key, length in sizes.items():
        if not 0 < angle_in_degrees(length) <= 180:
            yield f"{where}.{key} must be more than 0 and at most 180 deg, got {length}"


def _limit_errors(where, key, limits):
    """Limits of a cut that leave nothing, or are none."""
    sizes = [limit if limit is None else _size(key, limit) for limit in limits]
    for limit, size in zip(limits, sizes, strict=True):
        if limit is not None and size is None:
            yield f"{where}: {limit!r} is no date"
    known = [size for size in sizes if size is not None]
    if limits == [None, None]:
        yield f"{where} has no limit: leave it out"
    elif len(known) == 2 and not known[0] < known[1]:
        yield f"{where} must grow, got {limits[0]}, {limits[1]}"


def _size(key, limit):
    """A limit as a number, for comparing it with the other one; None for a date that is none."""
    if key == "energy":
        value, unit = parse_length(limit)
        return value * _ENERGIES[unit]
    if key == "time":
        if isinstance(limit, int | float):
            return limit
        try:
            date = datetime.datetime.fromisoformat(limit)
        except ValueError:
            return None
        return (date.replace(tzinfo=None) - datetime.datetime(1858, 11, 17)) / datetime.timedelta(days=1)
    return angle_in_degrees(limit)


def _region_errors(where, regions):
    """What a schema cannot say of exclusion regions: positions and sizes that are none."""
    for number, region in enumerate(regions):
        if "center" in region and abs(angle_in_degrees(region["center"][1])) > 90:
            yield f"{where}.exclusion_regions.{number}.center.1 must be a latitude, got {region['center'][1]}"
        sizes = {"radius": region["radius"]} if is_angle(region.get("radius", "")) else {}
        sizes |= {f"semi_axes.{axis}": length for axis, length in enumerate(region.get("semi_axes", ()))}
        for key, length in sizes.items():
            if not 0 < angle_in_degrees(length) <= 180:
                yield f"{where}.exclusion_regions.{number}.{key} must be more than 0 and at most 180 deg, got {length}"


def _cell_value(column, cell):
    if column.strip() in DATA_KEYS or column.strip().endswith(".path"):
        return cell
    import yaml

    try:
        return yaml.safe_load(cell)
    except yaml.YAMLError:
        return cell


def _set_nested(entry, dotted, value):
    *parents, last = dotted.split(".")
    for parent in parents:
        entry = entry.setdefault(parent, {})
        if not isinstance(entry, dict):
            raise ConfigurationError(f"datasets: the columns {parent!r} and {dotted!r} exclude each other")
    entry[last] = value
