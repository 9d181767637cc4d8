"""Write the picture and the table of skymask's packages into CONTRIBUTING, from what the modules import and say.

python docs/package_graph.py
"""

import ast

import marked
from marked import REPOSITORY

#: What stands at the bottom of everything is not drawn.
BOTTOM = ("errors", "registry", "units")


def imports():
    """Return which packages of the library each package imports, and those that the scripts of rules do."""
    found = {"scripts": set()}
    for path in [*REPOSITORY.glob("skymask/*/**/*.py"), *REPOSITORY.glob("scripts/*.py")]:
        package = path.relative_to(REPOSITORY).parts[:-1][-1]
        tree = ast.parse(path.read_text(encoding="utf-8"))
        modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        names = {module.split(".")[1] for module in modules if module.startswith("skymask.")}
        found.setdefault(package, set()).update(names - {package, *BOTTOM})
    return found


def arrows(found):
    """Return the pairs of packages of which one imports the other, without those that follow from others."""

    def below(package):
        return found[package].union(*map(below, found[package]))

    return sorted(
        (above, package)
        for above, packages in found.items()
        for package in packages
        if not any(package in below(between) for between in packages)
    )


def purpose(path):
    """Return the docstring of a package in a line, without its last stop."""
    return " ".join(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))).split()).removesuffix(".")


def picture():
    """Return the picture, in mermaid's language, and the table."""
    found = imports()
    lines = [f"    {above} --> {package}" for above, package in arrows(found)]
    rows = []
    for package in sorted(set(found) - {"scripts"}):
        rows.append(f"| `{package}` | {purpose(REPOSITORY / 'skymask' / package / '__init__.py')} |")
    table = ["| package | what it is for |", "|---|---|", *rows]
    return "\n".join(["```mermaid", "flowchart TB", *lines, "```", "", *table, ""])


if __name__ == "__main__":
    marked.replace("CONTRIBUTING.md", "packages", picture())
