"""Run the cells of docs/going-on.ipynb and keep what they print and draw: python docs/notebook.py FOLDER_OF_RESULTS."""

import base64
import io
import json
import os
import sys
from contextlib import chdir, redirect_stdout
from pathlib import Path

#: Colours of a figure.
COLOURS = 160

NOTEBOOK = Path(__file__).parent / "going-on.ipynb"


def run(cells, folder):
    """Return cells with their outputs, run one after the other in a folder.

    Parameters
    ----------
    cells : list of dict
        Of a notebook in format 4.
    folder : str or Path

    Returns
    -------
    cells : list of dict
        The same cells, those of code with what they print, and the figure that they leave open as PNG.
    """
    os.environ.setdefault("MPLBACKEND", "agg")
    import matplotlib.pyplot as plt

    done, namespace, number = [], {}, 0
    with chdir(folder):
        for cell in cells:
            if cell["cell_type"] != "code":
                done.append(cell)
                continue
            number += 1
            printed = io.StringIO()
            with redirect_stdout(printed):
                exec("".join(cell["source"]), namespace)
            outputs = []
            if printed.getvalue():
                text = printed.getvalue().splitlines(keepends=True)
                outputs.append({"output_type": "stream", "name": "stdout", "text": text})
            if plt.get_fignums():
                outputs.append({"output_type": "display_data", "metadata": {}, "data": {"image/png": _png(plt.gcf())}})
                plt.close("all")
            done.append(cell | {"outputs": outputs, "execution_count": number})
    return done


def _png(figure):
    """A figure in few bytes: small, and of few colours."""
    from PIL import Image

    drawn, content = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=60)
    Image.open(drawn).convert("RGB").quantize(COLOURS).save(content, format="png", optimize=True)
    return base64.b64encode(content.getvalue()).decode()


def main():
    """Write the notebook anew, from results that `make run` left in a folder."""
    results = Path(sys.argv[1] if len(sys.argv) > 1 else NOTEBOOK.parent.parent / "results").resolve()
    beside = results.parent / "docs"
    beside.mkdir(exist_ok=True)
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    notebook["cells"] = run(notebook["cells"], beside)
    NOTEBOOK.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
