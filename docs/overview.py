"""Draw the picture at the top of README: counts, background and significance of a simulated field.

python docs/overview.py docs/images/overview.png
"""

import sys
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from matplotlib.figure import Figure  # noqa: E402

import skymask  # noqa: E402
from skymask.datasets.simulation import simulate_counts  # noqa: E402
from skymask.products import plots  # noqa: E402


def main(path):
    """Draw the picture at a path."""
    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))
    sky = simulate_counts(**config["datasets"]["wobble-field"]["simulate"])
    result = skymask.iterate(
        sky.counts,
        acceptance=sky.acceptance,
        source_kernel=skymask.disk(5),
        background_kernel=skymask.ring(25, 15),
        dilation_kernel=skymask.disk(15),
    )
    products = {
        "counts": sky.counts,
        "background": result.products.background,
        "significance": result.products.significance,
    }
    figure = Figure(figsize=(13.6, 3.9), layout="constrained")
    figure.get_layout_engine().set(wspace=0.05)
    for number, (name, image) in enumerate(products.items(), start=1):
        plots.map_panel(figure, (1, 3, number), name, image, sky.header, result.exclusion_mask, title=name.capitalize())
    plots.save(figure, path, {"dpi": 110})


if __name__ == "__main__":
    main(sys.argv[1])
