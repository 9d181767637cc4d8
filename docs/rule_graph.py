"""Write the rule graph into docs/guide.md, from a finished run of the demonstration.

make run && python docs/rule_graph.py
"""

import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent

BEGIN, END = "<!-- rule graph: begin -->\n", "<!-- rule graph: end -->"


def canonical(mermaid):
    """Return a rule graph of Snakemake in mermaid's language, without colours and in an order of its own."""
    names = dict(re.findall(r"^\s*(id\d+)\[(\w+)\]", mermaid, flags=re.MULTILINE))
    edges = re.findall(r"^\s*(id\d+) --> (id\d+)", mermaid, flags=re.MULTILINE)
    lines = sorted(f"    {names[before]} --> {names[after]}" for before, after in edges)
    return "\n".join(["```mermaid", "flowchart TB", *lines, "```", ""])


def in_page(text):
    """Return the rule graph that stands in a page."""
    return text.split(BEGIN)[1].split(END)[0]


def main():
    """Replace the rule graph in docs/guide.md."""
    command = [sys.executable, "-m", "snakemake", "--rulegraph", "mermaid-js"]
    process = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    page = REPOSITORY / "docs/guide.md"
    text = page.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    page.write_text(before + BEGIN + canonical(process.stdout) + END + after, encoding="utf-8")


if __name__ == "__main__":
    main()
