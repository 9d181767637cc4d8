"""The page of all configuration keys, made from the schema."""

import json

from skymask.config import configuration

HEAD = """# Configuration

Every key of the configuration, as the schema (`workflow/schemas/config.schema.yaml`) describes it: the same file checks
a configuration before the first job. Unknown keys are errors. `config.yaml` of the repository has every analysis key at
its default. A dot stands for a key within a key, `[]` for the items of a list, `{name}` for a name of your own.
"""


def configuration_page():
    """Return the page, in Markdown."""
    schema = configuration.load_schema()
    keys = schema["properties"]
    own = configuration.dataset_schema(schema)["properties"]
    analysis = {key: entry for key, entry in keys.items() if key in own}
    workflow = {key: entry for key, entry in keys.items() if key not in own and key != "datasets"}
    only_datasets = {key: entry for key, entry in own.items() if key not in keys}
    sections = [
        ("Datasets", _text(keys["datasets"]), only_datasets),
        ("Analysis", "For all datasets, or in a dataset's entry for that one alone.", analysis),
        ("The run", "For all datasets together.", workflow),
    ]
    parts = [HEAD]
    for title, introduction, entries in sections:
        parts.append(f"## {title}\n\n{introduction}\n")
        for key, entry in entries.items():
            parts.append(_section(key, entry))
    return "\n".join(parts)


def _section(key, entry):
    """Return the heading, text and table of a key."""
    lines = [f"### {key}", "", _text(entry), "", _facts(entry), ""]
    if rows := list(_rows(key, entry)):
        lines += ["| key | value | default | |", "|---|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _rows(prefix, entry):
    """Yield a row for every key below an entry; what may be one of several kinds has the keys of all."""
    for key, inner in _inner(entry).items():
        if inner is True:
            continue
        name = f"{prefix}{key}" if key.startswith("[") else f"{prefix}.{key}"
        if inner.get("description") or not _inner(inner):
            yield f"| `{name}` | {_kind(inner)} | {_default(inner)} | {_text(inner)} |"
        # A kernel within another key is described where it is a key itself.
        if not prefix.startswith("energy_kernels"):
            yield from _rows(name, inner)


def _inner(entry):
    keys = dict(entry.get("properties", {}))
    for branch in (*entry.get("allOf", ()), *entry.get("anyOf", ()), *entry.get("oneOf", ())):
        for key, inner in _inner(branch.get("then", branch)).items():
            if inner is not True:
                keys[key] = inner
    items = entry.get("items", {})
    if items.keys() & {"properties", "allOf"} or (items and "description" not in entry):
        keys["[]"] = items
    if isinstance(entry.get("additionalProperties"), dict):
        keys["{name}"] = entry["additionalProperties"]
    return keys


def _text(entry):
    text = entry.get("description", "")
    return " ".join(text.split()).replace("|", "\\|").replace("{", "\\{").replace("<", "&lt;")


def _kind(entry):
    if "const" in entry:
        return f"`{entry['const']}`"
    if "enum" in entry:
        return ", ".join(f"`{value}`" for value in entry["enum"])
    kinds = entry.get("type", "object")
    return " or ".join([kinds] if isinstance(kinds, str) else kinds)


def _default(entry):
    return f"`{json.dumps(entry['default'])}`" if "default" in entry else ""


def _facts(entry):
    limits = [
        f"{words} {entry[key]:g}"
        for key, words in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "above"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "below"),
        )
        if key in entry
    ]
    facts = [_kind(entry), *limits]
    facts += [f"default {_default(entry)}"] if "default" in entry else []
    return "*Value*: " + ", ".join(facts)
