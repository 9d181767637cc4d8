"""Write the table of products into docs/products.md, from the registry.

python docs/product_table.py
"""

import marked

from skymask import registry

#: What the table says of datasets that have more files than others.
ONLY = {
    registry.EVERY: "",
    registry.ADAPTIVE: "adaptive rings",
    registry.STACK: "stacks",
    registry.SIMULATION: "simulations",
    registry.SCAN: "scans",
}


def table():
    """Return the table, as Markdown."""
    rows = [
        (f"{name}.fits", entry.content or entry.meaning, entry.unit, entry.of)
        for name, entry in registry.MAPS.items()
        if entry.of
    ]
    rows += [(name, entry.content, "", entry.of) for name, entry in registry.FILES.items()]
    lines = [f"| `{file}` | {content} | {unit} | {ONLY[of]} |" for file, content, unit, of in rows]
    for folder, scope, of_what, only in (
        ("further/{name}/*.fits", registry.FURTHER, "under each of `further_source_kernels`", ""),
        ("energy/*.fits", registry.ENERGY, "of every energy bin", "cubes"),
    ):
        lines.append(f"| `{folder}` | {', '.join(registry.maps_in(scope))} {of_what} | | {only} |")
    return "\n".join(["| file | content | unit | only of |", "|---|---|---|---|", *lines, ""])


if __name__ == "__main__":
    marked.replace("docs/products.md", "products", table())
