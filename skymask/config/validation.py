"""What is wrong with a configuration, in one line for each mistake, with its key and what to do."""

import datetime
import difflib
import math
import os
import re
import time
from collections import Counter
from pathlib import Path

from skymask.config import scan as scans
from skymask.io.file_names import (
    MAP_KEYS,
    STORAGE_PLUGINS,
    event_lists,
    every_name,
    is_remote,
    loop_kernels,
    split_name,
)
from skymask.units import (
    ANGLES,
    ENERGIES,
    LENGTH,
    angle_in_degrees,
    is_angle,
    kernel_lengths,
    outer_radius,
    parse_length,
    split_unit,
)

#: Data keys of which a dataset has one: they say where its counts come from.
SOURCES = ("counts", "simulate", "events", "runs", "observations", "healpix")

#: Data keys that need the pixels of `geometry`, and those that may have them.
ON_GEOMETRY, WITH_GEOMETRY = ("events", "observations"), ("events", "runs", "observations")

#: Analysis keys without a default: no value would be right for every instrument.
REQUIRED_KEYS = ("source_kernel", "background_kernel", "dilation_radius")

#: A file's time may lie ahead of the clock by so many seconds: clocks of other machines differ a little.
MAX_AHEAD = 1

#: Names of files beside the datasets' folders.
RESERVED_NAMES = ("summary.csv", "report.html", "figures")

#: Keys of a field that is given by numbers.
FIELD_KEYS = ("center", "width", "pixel_size")

#: Largest side of a field of the configuration, in pixels.
MAX_SIDE = 20000

SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")


def number_mistakes(value, where=""):
    """Yield numbers that are none, which a schema's bounds let pass."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from number_mistakes(item, f"{where}.{key}" if where else str(key))
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{where} must be a finite number, got {value}"


def schema_mistakes(config, schema):
    """Return what a configuration has that its schema does not allow."""
    import jsonschema

    validator = jsonschema.Draft202012Validator(schema)
    errors = sorted(validator.iter_errors(config), key=lambda error: [str(part) for part in error.absolute_path])
    return [line for error in errors for line in _explain(error)]


def _explain(error):
    """One line per mistake, in words that name the key and what to do."""
    where = ".".join(str(part) for part in error.absolute_path) or "the configuration"
    value = error.instance
    if isinstance(value, float) and not math.isfinite(value):
        # Said already, by number_mistakes.
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
            yield _length_mistake(where, error.schema["pattern"], value)
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


def _length_mistake(where, pattern, value):
    """What a key wants whose pattern is one of the schema's for lengths, and what is wrong with the value."""
    units = [unit for unit in (*ANGLES, "px") if unit in pattern]
    signed = pattern.startswith(r"^\s*[+-]?")
    example = "an angle with its unit, such as '-5.3 deg'" if signed else "a length with its unit, such as '0.3 deg'"
    example += " or '5 px'" if "px" in units else ""
    wanted = f"{where} must be {example}, got {value!r}"
    match = LENGTH.fullmatch(str(value))
    if match is None:
        return wanted + (": hours and sexagesimal numbers are not taken" if signed else "")
    if not match["unit"]:
        return f"{wanted}: no unit"
    if match["unit"] not in units:
        return f"{wanted}: {match['unit']!r} is none of {', '.join(units)}"
    return f"{wanted}: it must not be negative"


def name_mistakes(names):
    """Return names of datasets that are no names of folders, or not each its own."""
    errors, seen = [], {}
    for name in names:
        if not SAFE_NAME.fullmatch(name):
            errors.append(
                f"datasets.{name}: unsafe name {name!r}: at most 100 letters, digits and . _ + -, "
                "beginning with a letter or digit"
            )
        elif name.casefold() in RESERVED_NAMES:
            errors.append(f"datasets.{name}: the name is taken by a file of the results")
        elif (other := seen.setdefault(name.casefold(), name)) != name:
            errors.append(f"datasets.{name}: the name differs from {other} in case only; some file systems cannot tell")
    return errors


#: What in a path Snakemake takes for a wildcard or a path variable.
TAKEN = re.compile(r"[{}]|<\w+>")

#: What a shell would fill in.
VARIABLE = re.compile(r"\$(\w+|\{\w+\})")


def content_mistakes(settings, files_needed=True):
    """Return what no schema can say of complete settings: keys that exclude or need each other, missing files."""
    errors = []
    for name, entry in settings.items():
        where = f"datasets.{name}"
        if sum(key in entry for key in SOURCES) != 1:
            errors.append(f"{where} must have either {' or '.join(SOURCES)}")
        errors += _event_errors(where, entry)
        errors += _run_errors(where, entry)
        errors += _observation_errors(where, entry)
        errors += [f"{where}.{mistake}" for mistake in _healpix_errors(entry)]
        for run in (entry, *entry.get("runs", ())):
            if "acceptance" in run and "exposure" in run:
                errors.append(f"{where}: exposure stands in the place of acceptance, give one of them")
        if "exclusion_mask" in entry and "inverse_exclusion_mask" in entry:
            errors.append(f"{where}: give either exclusion_mask (1 used) or inverse_exclusion_mask (1 excluded)")
        if "energy_range" in entry:
            errors += _limit_errors(f"{where}.energy_range", "energy", entry["energy_range"])
        if "simulate" in entry:
            errors += _simulation_errors(f"{where}.simulate", entry["simulate"])
            errors += [
                f"{where}.{key} cannot stand beside simulate"
                for key in ("acceptance", "exposure", "background", "additive_background")
                if key in entry
            ]
        errors += [
            f"{where} has no {key}, and there is none for all datasets" for key in REQUIRED_KEYS if key not in entry
        ]
        errors += _region_errors(where, entry.get("exclusion_regions", ()))
        for key, path in every_name(entry).items():
            file, _ = split_name(path)
            if is_remote(file):
                errors += [f"{where}.{key}: {mistake}" for mistake in _remote_errors(key, file)]
            elif files_needed and (variable := VARIABLE.search(file)) and not os.path.exists(file):
                errors.append(
                    f"{where}.{key}: {file} does not exist, and variables such as {variable[0]} are not filled in: "
                    "write the path itself, which may begin with ~ for your home folder"
                )
            elif taken := TAKEN.search(file):
                errors.append(
                    f"{where}.{key}: Snakemake takes {taken[0]} in {file!r} for its own: rename the file or folder"
                )
            elif not files_needed:
                # Other jobs may make it.
                continue
            elif not os.path.exists(file):
                errors.append(f"{where}.{key}: {file} does not exist (looked in {Path.cwd()})")
            elif not os.path.isfile(file):
                errors.append(f"{where}.{key}: {file} is not a file")
            elif not os.access(file, os.R_OK):
                errors.append(f"{where}.{key}: {file} cannot be read, permission denied")
            elif (ahead := os.stat(file).st_mtime - time.time()) > MAX_AHEAD:
                errors.append(
                    f"{where}.{key}: the time of {file} lies {_duration(ahead)} in the future, and what is made of it "
                    f"would never count as newer: see that the clock is right, and `touch` the file"
                )
        for key, kernel in loop_kernels(entry).items():
            errors += _kernel_errors(f"{where}.{key}", kernel)
        errors += [f"{where}.{mistake}" for mistake in _mask_errors(entry)]
        errors += [f"{where}.further_source_kernels.{mistake}" for mistake in _further_errors(entry)]
        errors += [f"{where}.{mistake}" for mistake in _scan_errors(entry)]
    return errors


def _duration(seconds):
    """A time span in the unit that suits it."""
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _healpix_errors(entry):
    """What a schema cannot say of a HEALPix map: what cannot stand beside it, and numbers that are no resolution."""
    if "healpix" not in entry:
        return
    for key in ("acceptance", "exposure", "coverage", "background", "additive_background"):
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


def _kernel_errors(where, kernel):
    """What a schema cannot say of a kernel: lengths that cannot be compared, or do not go together."""
    lengths = kernel_lengths(kernel)
    if len({parse_length(length)[1] == "px" for length in lengths.values()}) > 1:
        *others, last = lengths
        some = "all" if others[1:] else "both"
        keys = f"{', '.join(others)} and {last}"
        yield f"{where}: {keys} must {some} be angles or {some} px"
    elif kernel.get("shape") == "adaptive_ring":
        sizes = {key: parse_length(length)[0] for key, length in lengths.items()}
        if sizes["step"] == 0:
            yield f"{where}.step must be more than 0"
        if sizes["inner_radius"] + sizes["width"] > sizes["max_outer_radius"] * (1 + 1e-9):
            yield (
                f"{where}.max_outer_radius must be at least inner_radius + width, got "
                f"{kernel['max_outer_radius']} for {kernel['inner_radius']} + {kernel['width']}"
            )


def _further_errors(entry):
    """What a schema cannot say of further source kernels: names that are none, and kernels that reach into the ring."""
    kernels, seen = entry["further_source_kernels"], {}
    for name, kernel in kernels.items():
        if not SAFE_NAME.fullmatch(name):
            yield (
                f"{name}: unsafe name {name!r}: at most 100 letters, digits and . _ + -, "
                "beginning with a letter or digit"
            )
        elif (other := seen.setdefault(name.casefold(), name)) != name:
            yield f"{name}: the name differs from {other} in case only; some file systems cannot tell"
        mistakes = list(_kernel_errors(name, kernel))
        yield from mistakes
        if not mistakes and entry["statistic"] == "wstat":
            yield from _reach_errors(name, kernel, entry.get("background_kernel", {}))


def _reach_errors(name, kernel, ring):
    """A kernel of on counts that reaches into the ring of off counts, where the lengths can be compared."""
    reach = kernel_lengths(kernel)
    if ring.get("shape") not in ("ring", "adaptive_ring") or not reach:
        return
    parsed = {key: parse_length(length) for key, length in {**reach, "ring": ring["inner_radius"]}.items()}
    if len({unit == "px" for _, unit in parsed.values()}) > 1:
        return
    sizes = {key: value for key, (value, _) in parsed.items()}
    inner_radius = sizes.pop("ring")
    if outer_radius(kernel["shape"], sizes) >= inner_radius * (1 - 1e-9):
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


def _scan_errors(entry):
    """What a schema cannot say of a scan: keys and values that are none, and combinations that do not go together."""
    found = list(scans.mistakes(entry))
    yield from found
    for name, values in {} if found else scans.points(entry["scan"]).items():
        point = scans.with_values(entry, values)
        where = f"scan, {name}"
        yield from (f"{where}: {mistake}" for mistake in _mask_errors(point))
        for key in ("source_kernel", "background_kernel"):
            if key in point:
                yield from _kernel_errors(f"{where}.{key}", point[key])


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
    for key in ("acceptance", "exposure", "additive_background"):
        if key in entry:
            yield f"{where}.{key} cannot stand beside runs: every run has its own"
    for key, what in (("run", "is the name of two runs: give each its own key run"), ("counts", "stands there twice")):
        numbers = Counter(run[key] for run in entry["runs"])
        yield from (f"{where}.runs: {value} {what}" for value, number in numbers.items() if number > 1)


def _observation_errors(where, entry):
    """What a schema cannot say of observations: a store that is none, energies and angles that are none."""
    if "observations" not in entry:
        return
    for key in ("acceptance", "exposure", "additive_background"):
        if key in entry:
            yield f"{where}.{key} cannot stand beside observations: every run has its own"
    where, observations = f"{where}.observations", entry["observations"]
    store = Path(observations["store"])
    if not os.path.isdir(store):
        what = "is not a folder" if os.path.exists(store) else f"does not exist (looked in {Path.cwd()})"
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
        value, unit = split_unit(limit)
        return value * ENERGIES[unit]
    if key == "time":
        if isinstance(limit, int | float):
            return limit
        try:
            date = datetime.datetime.fromisoformat(limit)
        except ValueError:
            return None
        return (date.replace(tzinfo=None) - datetime.datetime(1858, 11, 17)) / datetime.timedelta(days=1)
    return angle_in_degrees(limit)


def _condition_errors(where, text):
    """A condition on the rows of a table that is none."""
    if text is not None:
        from skymask.io.row_filter import parse

        try:
            parse(text)
        except ValueError as error:
            yield f"{where}: {error}"


def _region_errors(where, regions):
    """What a schema cannot say of exclusion regions: positions and sizes that are none."""
    for number, region in enumerate(regions):
        if "center" in region and abs(angle_in_degrees(region["center"][1])) > 90:
            yield f"{where}.exclusion_regions.{number}.center.1 must be a latitude, got {region['center'][1]}"
        yield from _condition_errors(f"{where}.exclusion_regions.{number}.where", region.get("where"))
        sizes = {"radius": region["radius"]} if is_angle(region.get("radius", "")) else {}
        sizes |= {f"semi_axes.{axis}": length for axis, length in enumerate(region.get("semi_axes", ()))}
        for key, length in sizes.items():
            if not 0 < angle_in_degrees(length) <= 180:
                yield f"{where}.exclusion_regions.{number}.{key} must be more than 0 and at most 180 deg, got {length}"
