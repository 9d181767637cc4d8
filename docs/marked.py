"""Parts of pages that programs write, between marks that a reader does not see."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def part(page, name):
    """Return what stands between the marks of a part of a page."""
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    return re.search(f"<!-- {name}: begin -->\n(.*)<!-- {name}: end -->", text, flags=re.DOTALL)[1]


def replace(page, name, content):
    """Write a part of a page anew."""
    path = REPOSITORY / page
    path.write_text(path.read_text(encoding="utf-8").replace(part(page, name), content), encoding="utf-8")
