"""Values of the configuration: from what stands in a YAML file, a table or a command to what the schema asks for.

YAML makes numbers of much that people write as names (010 is 8, 12:30 is 750, on is true), and texts of numbers that
have no point (1e-2). Tables and `--config` have texts alone. One way from text to numbers, truths and lists serves all
three; what a file would say otherwise than it reads is an error that says how to write it.
"""

import datetime
import os
import re
from contextlib import suppress

from skymask.errors import ConfigurationError

#: A number as people write it.
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")

#: The same without a point or an exponent, and without zeros before it.
WHOLE = re.compile(r"[+-]?(0|[1-9][0-9]*)")

#: Words for truths and for nothing.
TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
NOTHING = ("null", "~", "")

#: Collections within one another in a YAML file, and values that references make of it.
MAX_LEVELS, MAX_VALUES = 100, 1_000_000

#: Words that YAML takes for truths or for nothing, and characters that its numbers and dates are made of.
_WORDS = {*TRUTHS, *NOTHING, "y", "n"}
_NUMBERLIKE = re.compile(r"[-+.0-9][-+.0-9_:xa-fobtzinXA-FOBTZIN ]*")
_INTEGER, _DECIMAL = re.compile(r"0|-?[1-9][0-9]*"), re.compile(r"[0-9]+\.[0-9]+")

_TAG = "tag:yaml.org,2002:"

#: The schema of what has none.
_ANY = {}


def typed(value, schema):
    """Return a value as its schema asks for it: texts become numbers, truths, lists, or nothing, where these are meant.

    What is no such text stays as it is, and the schema says what is wrong with it. Names of keys are texts.
    """
    if isinstance(value, str):
        value = _of_text(value, schema)
        if schema.get("format") == "path" and isinstance(value, str):
            # A folder of that name is meant by "./~".
            value = os.path.expanduser(value)
    if isinstance(value, dict):
        value = {_name(key): item for key, item in value.items()}
        known, others = properties(schema, value), schema.get("additionalProperties") or _ANY
        return {key: typed(item, known.get(key, others)) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item, schema.get("items", _ANY)) for item in value]
    kinds = kinds_of(schema)
    if isinstance(value, float) and "integer" in kinds and "number" not in kinds and value.is_integer():
        return int(value)
    if type(value) is int and kinds == {"string"} and not {"pattern", "format"} & schema.keys():
        return str(value)
    return value


def kinds_of(schema):
    """Return the types that a schema allows, in a set; an empty one if it does not say."""
    kinds = schema.get("type", ())
    return {kinds} if isinstance(kinds, str) else set(kinds)


def properties(schema, value):
    """Return the properties of a mapping, also those that it has because of others: of the value of its shape, say."""
    own = schema.get("properties", {})
    found = dict(own)
    for branch in (*schema.get("allOf", ()), schema):
        if "if" in branch:
            then = branch.get("then" if _holds(branch["if"], value, own) else "else", {})
            found |= {key: inner for key, inner in then.get("properties", {}).items() if inner is not True}
    return found


def check_as_written(text, path, schema):
    """Raise a ConfigurationError if YAML does not read a text as it is written, or reads it as more than can be meant.

    That is so if a key stands twice, a name or a text is taken for a number, a truth or nothing, a number is written in
    a way that has another base, collections lie in too many others, or references make endless or immense ones.

    Parameters
    ----------
    text : str
    path : str
        What messages call the file.
    schema : dict
        Of what the text holds.

    Raises
    ------
    ConfigurationError
    yaml.YAMLError
        If the text is no YAML.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with suppress(yaml.YAMLError):
        if _is_clear(yaml.parse(text, Loader=loader)):
            return
    try:
        root = _composed(text, path, loader)
    except yaml.YAMLError:
        # What is wrong, Python's loader says, as in Snakemake, which reads the configuration too.
        root = _composed(text, path, yaml.SafeLoader)
    if root is None:
        return
    _check_size(root, path)
    errors = list(dict.fromkeys(_Walk(path).errors(root, schema, "")))
    if errors:
        raise ConfigurationError("\n".join(errors))


class _Walk:
    """A way through the nodes of a YAML text, each once for every schema that it is met with."""

    def __init__(self, path):
        self._path, self._seen = path, set()

    def errors(self, node, schema, where):
        """Yield a line for everything that is not read as it is written."""
        if (id(node), id(schema)) in self._seen:
            return
        self._seen.add((id(node), id(schema)))
        if node.id == "scalar":
            if reason := _misread(node, schema):
                yield f"{where or 'the configuration'}: {reason}, in {self._path} (line {_line(node)})"
        elif node.id == "sequence":
            for number, item in enumerate(node.value):
                yield from self.errors(item, schema.get("items", _ANY), f"{where}.{number}")
        else:
            yield from self._errors_of_mapping(node, schema, where)

    def _errors_of_mapping(self, node, schema, where):
        scalars = {key.value: item.value for key, item in node.value if key.id == item.id == "scalar"}
        known, others = properties(schema, scalars), schema.get("additionalProperties") or _ANY
        names, values = set(), set()
        for key, item in node.value:
            line = f"in {self._path} (line {_line(key)})"
            if key.id != "scalar":
                # YAML itself refuses it.
                continue
            if key.tag == f"{_TAG}merge":
                for merged in item.value if item.id == "sequence" else [item]:
                    yield from self.errors(merged, schema, where)
                continue
            place = f"{where}.{key.value}" if where else key.value
            read = _read(key)
            if key.value in names or read in values:
                yield f"{place} stands twice {line}"
            names.add(key.value)
            values.add(read)
            if _name(read) != key.value:
                yield f"{place}: YAML takes this name for {_told(read)}: write it in quotes, '{key.value}', {line}"
            yield from self.errors(item, known.get(key.value, others), place)


def _of_text(text, schema):
    """A text as the schema asks for it; the text itself where texts are meant, or it is nothing of the kind."""
    kinds, word = kinds_of(schema), text.strip()
    if "null" in kinds and word.lower() in NOTHING and (word or "string" not in kinds):
        return None
    if "boolean" in kinds and word.lower() in TRUTHS:
        return TRUTHS[word.lower()]
    if kinds & {"integer", "number"} and NUMBER.fullmatch(word):
        # Zeros before a number mean nothing.
        return int(word) if re.fullmatch(r"[+-]?[0-9]+", word) else float(word)
    if kinds & {"array", "object"} and (word[:1], word[-1:]) in (("[", "]"), ("{", "}")):
        return _of_flow(word, text)
    return text


def _line(mark):
    return mark.start_mark.line + 1


def _of_flow(word, text):
    """A list or a mapping as YAML has it in a line, all of its values as texts; the text itself if it is none."""
    import yaml

    try:
        return yaml.load(word, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError, ValueError):
        return text


def _name(key):
    """The name of a key as text."""
    return key.isoformat() if isinstance(key, datetime.date) else str(key)


def _holds(condition, value, own):
    """Whether a mapping has the keys, and the values or defaults, that a condition of the schema asks for."""
    wanted = {key: inner["const"] for key, inner in condition.get("properties", {}).items()}
    return value.keys() >= set(condition.get("required", ())) and all(
        value.get(key, own[key].get("default")) == constant for key, constant in wanted.items()
    )


def _is_clear(events):
    """Whether a YAML text has nothing that could be read otherwise than it is written: what most are, found fast.

    It has no references, no key twice, and no plain scalar that YAML takes for anything but a text, unless it is a
    number as Python would write it.
    """
    import yaml

    # The keys so far of the collections around what comes next, None for lists, and whether a key comes next.
    keys, key_next = [], []
    for event in events:
        if isinstance(event, yaml.CollectionEndEvent):
            keys.pop()
            key_next.pop()
        elif isinstance(event, yaml.AliasEvent) or len(keys) > MAX_LEVELS:
            return False
        elif isinstance(event, yaml.NodeEvent):
            is_key = bool(key_next) and key_next[-1]
            if keys and keys[-1] is not None:
                key_next[-1] = not key_next[-1]
            if isinstance(event, yaml.CollectionStartEvent):
                if is_key:
                    return False
                keys.append(set() if isinstance(event, yaml.MappingStartEvent) else None)
                key_next.append(keys[-1] is not None)
                continue
            value = event.value
            if event.implicit[0] and not _is_clear_scalar(value, is_key):
                return False
            if is_key:
                if value in keys[-1]:
                    return False
                keys[-1].add(value)
    return True


def _is_clear_scalar(text, is_key):
    """Whether a plain scalar is a text to YAML, or a number as Python writes it; keys are to be texts or whole."""
    if text.lower() in _WORDS or text == "<<":
        return False
    if not _NUMBERLIKE.fullmatch(text) or _INTEGER.fullmatch(text):
        return True
    return not is_key and _DECIMAL.fullmatch(text) is not None and repr(float(text)) == text


def _composed(text, path, loader):
    """The nodes of a YAML text, once it is known to be nested in no more levels than there can be."""
    import yaml

    levels = 0
    for event in yaml.parse(text, Loader=loader):
        levels += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if levels > MAX_LEVELS:
            raise ConfigurationError(f"{path} is nested in more than {MAX_LEVELS} levels (line {_line(event)})")
    return yaml.compose(text, Loader=loader)


def _check_size(root, path):
    """Raise a ConfigurationError if references make a collection hold itself, or one that is too deep or too large."""
    known, on_way = {}, set()

    def measure(node):
        """Number of values and levels of a node."""
        if id(node) in on_way:
            raise ConfigurationError(f"{path} has a collection that holds itself (line {_line(node)})")
        if id(node) not in known:
            on_way.add(id(node))
            inner = [part for pair in node.value for part in pair] if node.id == "mapping" else node.value
            sizes = [] if node.id == "scalar" else [measure(part) for part in inner]
            values, levels = 1 + sum(size[0] for size in sizes), 1 + max((size[1] for size in sizes), default=0)
            if levels > MAX_LEVELS + 1:
                raise ConfigurationError(f"{path} is nested in more than {MAX_LEVELS} levels (line {_line(node)})")
            known[id(node)] = values, levels
            on_way.discard(id(node))
        return known[id(node)]

    if (values := measure(root)[0]) > MAX_VALUES:
        raise ConfigurationError(f"{path} makes {values} values of its references, and {MAX_VALUES} are possible")


def _read(node):
    """What YAML makes of a scalar; its text where it makes nothing of it."""
    import yaml

    if node.tag == f"{_TAG}str":
        return node.value
    constructor = yaml.SafeLoader("")
    try:
        return constructor.construct_object(node)
    except (yaml.YAMLError, ValueError, OverflowError):
        return node.value
    finally:
        constructor.dispose()


def _misread(node, schema):
    """What is wrong with how YAML reads a scalar; None if nothing is."""
    kind = node.tag.removeprefix(_TAG)
    if kind not in ("int", "float", "bool", "null"):
        return None
    read, kinds = _read(node), kinds_of(schema)
    if kind == "int" and not WHOLE.fullmatch(node.value):
        return _number_misread(node.value, read, kinds)
    if kind == "float" and ("_" in node.value or ":" in node.value):
        return _number_misread(node.value, read, kinds)
    if kinds == {"string"} and kind != "null" and str(read) != node.value:
        return f"YAML takes {node.value} for {_told(read)}: write it in quotes, '{node.value}'"
    return None


def _number_misread(text, read, kinds):
    """What is said of a number that people read otherwise than YAML does."""
    advice = f"write it in quotes, '{text}', if it is a name"
    if not kinds or kinds & {"integer", "number"}:
        advice += ", and a number without leading zeros, letters, underscores and colons"
    if ":" in text and (kinds == {"string"} or not kinds):
        advice = f"in quotes, '{text}', it is a text; angles are written in degrees, as in '83.63 deg'"
    return f"YAML takes {text} for {_told(read)}: {advice}"


def _told(value):
    """A value in words of YAML."""
    words = {True: "true", False: "false", None: "nothing"}
    return words[value] if value is None or isinstance(value, bool) else f"the number {value}"
