"""Digests of the code of every rule: of its text, its script, and what that imports of this package.

So an edited module runs those jobs again that use it, and no others.
"""

import hashlib
import os
import re
from functools import cache
from pathlib import Path

from skymask import _HOMES
from skymask.errors import SkymaskError

#: Folder of this package, and the files that a module reads besides, by its name.
PACKAGE = Path(__file__).parent.parent
DATA = {"skymask.products.report": "products/pages/*"}

_IMPORT = re.compile(
    r"^\s*(?:from\s+(skymask[\w.]*)\s+import\s+(\([^)]*\)|[^\n#]*)|import\s+(skymask[\w.]*))", re.MULTILINE
)
_RULE = re.compile(
    r"^(?P<indent> *)(?:rule|checkpoint)(?: (?P<name>\w+))?:\n(?P<body>(?:(?P=indent) +.*\n|\s*\n)*)", re.MULTILINE
)

#: Where what the package itself offers is; it is imported when it is asked for.
_OFFERED = {name: home for home, names in _HOMES.items() for name in names}


def library_digest(script, stamps=None):
    """Return the SHA-256 of the modules of this package that a script imports, directly or through others.

    Parameters
    ----------
    script : str
        Its source.
    stamps : dict, optional
        What this function learns of files, for calls of the same moment.

    Raises
    ------
    SkymaskError
        If it imports a module that is not there.
    """
    stamps = {} if stamps is None else stamps
    modules = set()
    todo = list(imported(script))
    while todo:
        name = todo.pop()
        if name not in modules:
            modules.add(name)
            if name not in stamps:
                stamps[name] = _stamps(name)
            todo += _imports_of(name, stamps[name])
    digest = hashlib.sha256()
    for name in sorted(modules):
        digest.update(f"{name} {_digest_of(name, stamps[name])}\n".encode())
    return digest.hexdigest()


def imported(source):
    """Return the names of the modules of this package that a source imports."""
    names = set()
    for package, items, module in _IMPORT.findall(source):
        if module:
            names.add(module)
            continue
        for item in items.strip("() ").replace("\n", " ").split(","):
            name = item.split(" as ")[0].strip()
            if package == "skymask" and name in _OFFERED:
                names.add(_OFFERED[name])
            elif name and _path(f"{package}.{name}"):
                names.add(f"{package}.{name}")
            else:
                names.add(package)
    return frozenset(names)


def rule_texts(source):
    """Return the text of every rule in a file of rules by its name; of a rule without one, that of its script."""
    found = {}
    for match in _RULE.finditer(source):
        script = re.search(r"scripts/(\w+)\.py", match["body"])
        name = match["name"] or (script and script[1])
        if name:
            found[name] = match.group()
    return found


def _path(name):
    """The file of a module or package, None if there is none."""
    path = PACKAGE.joinpath(*name.split(".")[1:])
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file
    return None


def _source(name):
    if path := _path(name):
        return path.read_bytes()
    raise SkymaskError(f"the module {name} is not in {PACKAGE}: another skymask is installed, or its source was edited")


def _stamps(name):
    """What changes when a file of a module does: what is known of a module is known as long as these are the same."""
    files = [_path(name) or PACKAGE, *(PACKAGE.glob(DATA[name]) if name in DATA else ())]
    return tuple((file.name, *_stamp(file)) for file in sorted(files))


def _stamp(file):
    try:
        of_file = os.stat(file)
    except OSError:
        return ()
    return of_file.st_mtime_ns, of_file.st_size, of_file.st_ino


@cache
def _imports_of(name, _stamps):
    parents = {name.rsplit(".", level)[0] for level in range(1, name.count(".") + 1)}
    return imported(_source(name).decode()) | parents


@cache
def _digest_of(name, _stamps):
    digest = hashlib.sha256(_source(name))
    for path in sorted(PACKAGE.glob(DATA[name])) if name in DATA else ():
        digest.update(f"{path.name} ".encode() + path.read_bytes())
    return digest.hexdigest()


def rule_digests(rules, scripts):
    """Return digests of the code of every rule that has a script: of the library that it uses, of its text and script.

    Parameters
    ----------
    rules : iterable of str
        Texts of files of rules.
    scripts : callable
        Takes the name of a script and returns its text.
    """
    found, stamps = {}, {}
    for source in rules:
        for name, text in rule_texts(source).items():
            if script := re.search(r"scripts/(\w+)\.py", text):
                code = scripts(script[1])
                own = hashlib.sha256((text + code).encode()).hexdigest()
                found[name] = {"library": library_digest(code, stamps), "rule": own}
    return found
