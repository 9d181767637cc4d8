"""The documentation's site: `make docs` writes docs/_build/html."""

import re
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "docs")]

from docutils.nodes import SkipNode  # noqa: E402
from latex2mathml.converter import convert  # noqa: E402

import skymask  # noqa: E402

project = "skymask"
author = "The skymask developers"
version = release = skymask.__version__

extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.autosummary"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 4
nitpicky = True
# No other project's index is fetched: the site is built without a network.
nitpick_ignore = [("py:class", "numpy.ndarray")]
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
autodoc_member_order = "bysource"
autosummary_generate = False
# Pictures in the language mermaid are drawn where the repository is read, and shown as text here.
suppress_warnings = ["myst.header", "misc.highlighting_failure"]

html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = "skymask"
html_show_copyright = False
html_show_sourcelink = False
html_theme_options = {
    "secondary_sidebar_items": ["page-toc"],
    "navbar_end": ["theme-switcher"],
    "show_prev_next": False,
}
exclude_patterns = ["_build"]

#: Pages of the repository that stand on the site under another name.
PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changes.md"}


def relative_to_site(text, folder):
    """Return a page with links that start in `docs`, whatever folder the page is in."""

    def moved(match):
        target, anchor = re.fullmatch(r"([^#]*)(#.*)?", match[2]).groups()
        if not target or "://" in target:
            return match[0]
        path = (folder / target).resolve().relative_to(REPOSITORY)
        if str(path) in PAGES:
            place = PAGES[str(path)]
        elif path.parts[0] == "docs":
            place = path.relative_to("docs")
        else:
            place = f"../{path}"
        return f"{match[1]}({place}{anchor or ''})"

    return re.sub(r"(!?\[[^\]]*\])\(([^)\s]+)\)", moved, text)


def write_formula(translator, node):
    """Write a formula as MathML, which every browser shows by itself and without a network."""
    block = node.tagname == "math_block"
    formula = convert(node.astext(), display="block" if block else "inline")
    translator.body.append(f"<div>{formula}</div>" if block else formula)
    raise SkipNode


def setup(app):
    """Show formulas, and adapt links of pages that GitHub shows too."""
    app.add_html_math_renderer("mathml", (write_formula, None), (write_formula, None))

    def included(_, path, __, content):
        content[0] = relative_to_site(content[0], (REPOSITORY / "docs" / path).resolve().parent)

    def read(_, name, content):
        content[0] = relative_to_site(content[0], (REPOSITORY / "docs" / name).parent)

    app.connect("include-read", included)
    app.connect("source-read", read)
