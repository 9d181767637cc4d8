"""Write what is made of the settings: schema, keys of config.yaml, page of all keys. make schema."""

import settings
import yaml
from configuration_page import configuration_page
from marked import REPOSITORY

#: Where the schema is.
SCHEMA = "workflow/schemas/config.schema.yaml"

HEAD = """\
# What a configuration may hold, with units, defaults and bounds. Made of docs/settings.py by `make schema`: edit that.
# An asterisk stands for what has the same name behind an ampersand further above.
"""

#: From here on config.yaml is made.
MADE = "# Every key of the analysis with its default; radii have none. Made of docs/settings.py by `make schema`.\n"

#: Comments of config.yaml begin here, if there is place.
COLUMN = 42

#: Settings that others refer to, by their names in the schema.
NAMES = {id(entry): name.lower() for name, entry in vars(settings).items() if name.isupper()}
NAMES |= {id(entry): name for name, entry in settings.ANALYSIS.items()}


class Dumper(yaml.SafeDumper):
    """Writes settings that stand in several places once, under their names, and long texts in several lines."""

    def ignore_aliases(self, data):
        """Whether something is written in full wherever it stands."""
        return id(data) not in self.names

    def represent_data(self, data):
        """Return the node of a value, with its name, in one line if it is a few words."""
        node = super().represent_data(data)
        node.settings_name = self.names.get(id(data))
        inner = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
        if not any(isinstance(value, dict | list) for value in inner) and len(str(data)) < 90:
            node.flow_style = "description" not in data if isinstance(data, dict) else True
        return node

    def generate_anchor(self, node):
        """Return the name of a node that is referred to."""
        return node.settings_name

    def represent_text(self, data):
        """Return the node of a text."""
        return self.represent_scalar(
            "tag:yaml.org,2002:str", data, style=">" if " " in data and len(data) > 80 else None
        )


Dumper.add_representer(str, Dumper.represent_text)


def of_schema(entry, names, done):
    """Return a setting without what is for config.yaml alone; what was one object remains one, and keeps its name."""
    if id(entry) in done:
        return done[id(entry)]
    if isinstance(entry, list):
        return [of_schema(item, names, done) for item in entry]
    if not isinstance(entry, dict):
        return entry
    kept = {key: value for key, value in entry.items() if key not in ("comment", "example")}
    done[id(entry)] = plain = {
        key: {inner: of_schema(below, names, done) for inner, below in value.items()}
        if key == "properties"
        else of_schema(value, names, done)
        for key, value in kept.items()
    }
    if id(entry) in NAMES:
        names[id(plain)] = NAMES[id(entry)]
    return plain


def schema_text():
    """Return the schema, as YAML."""
    Dumper.names = {}
    schema = of_schema(settings.CONFIGURATION, Dumper.names, {})
    return HEAD + yaml.dump(schema, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)


def in_a_line(value):
    """Return a value as YAML in one line."""
    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1000).removesuffix("...\n").strip()


def commented(line, entry):
    """Return a line with the comment of its setting."""
    return f"{line:<{COLUMN - 1}} # {entry['comment']}" if "comment" in entry else line


def example_lines():
    """Yield the lines of config.yaml that are made: every key that has a default or an example."""
    after_block = False
    for key, entry in {**settings.ANALYSIS, **settings.RUN_SETTINGS}.items():
        if key == "figures":
            block = [f"  {name}: {in_a_line(figure)}" for name, figure in entry["example"].items()]
        elif "example" not in entry and "default" not in entry:
            below = entry.get("properties", {}).items()
            block = [commented(f"  {name}: {in_a_line(inner['default'])}", inner) for name, inner in below]
            if not block:
                continue
        else:
            block = None
        if block or after_block:
            yield ""
        after_block = bool(block)
        value = "" if block else f" {in_a_line(entry.get('example', entry.get('default')))}"
        yield commented(f"{key}:{value}", entry)
        yield from block or ()


def example_text():
    """Return config.yaml: its datasets as they are, and all other keys."""
    text = (REPOSITORY / "config.yaml").read_text(encoding="utf-8")
    return text.split(MADE)[0] + MADE + "\n".join([*example_lines(), ""])


#: What is made, in this order: the page reads the schema.
FILES = {SCHEMA: schema_text, "config.yaml": example_text, "docs/configuration.md": configuration_page}

if __name__ == "__main__":
    for path, made in FILES.items():
        (REPOSITORY / path).write_text(made(), encoding="utf-8")
