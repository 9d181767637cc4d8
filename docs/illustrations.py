"""Draw the pictures of docs/features-illustrated.md from simulated skies; made twice, they are the same to the byte.

python docs/illustrations.py docs/images/features
"""

import io
import sys
import tempfile
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from matplotlib import colormaps  # noqa: E402
from matplotlib.colors import BoundaryNorm, ListedColormap  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.lines import Line2D  # noqa: E402
from PIL import Image  # noqa: E402

import skymask  # noqa: E402
from skymask.core.exclusion import excluded_pixels  # noqa: E402
from skymask.core.inputs import prepare  # noqa: E402
from skymask.core.limits import compute_limits  # noqa: E402
from skymask.core.significance import wstat  # noqa: E402
from skymask.core.stacking import estimate_bins, stack_inputs  # noqa: E402
from skymask.datasets.simulation import simulate_counts  # noqa: E402
from skymask.products import plots  # noqa: E402
from skymask.products.plots import BLUE, GREEN, ORANGE  # noqa: E402
from skymask.sky.exclusion_regions import region_mask  # noqa: E402

#: Side of the pixels in degrees; all radii below are in pixels.
PIXEL = 0.05

#: The loop of every picture, but for what it shows.
LOOP = {
    "source_kernel": skymask.disk(2),
    "background_kernel": skymask.ring(9, 5),
    "dilation_kernel": skymask.disk(4),
}

#: Resolution in pixels per inch.
DPI = 100

#: Steps of colour scales: few colours make small files, and are easier to read off.
STEPS = 30


def main(folder):
    """Draw every picture into a folder."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, draw in PICTURES.items():
        save(draw(), Path(folder) / f"{name}.png")


def save(figure, path):
    """Write a figure as a small PNG: with a palette, by the library with which matplotlib writes PNGs."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    image = Image.open(buffer).convert("RGB").quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    image.save(path, format="png", optimize=True)


def sky(seed, *sources, width=("5 deg", "4 deg"), background=4, **options):
    """Return a simulated sky with Gaussian sources (x, y, counts, sigma in degrees)."""
    sources = [
        {"offset": [f"{x} deg", f"{y} deg"], "counts": counts, "sigma": [f"{sigma} deg"] * 2}
        for x, y, counts, sigma in sources
    ]
    return simulate_counts(
        seed=seed,
        width=width,
        pixel_size=f"{PIXEL} deg",
        center=("20 deg", "0 deg"),
        background=background,
        sources=sources,
        **options,
    )


def offsets(shape):
    """Return longitude (to the left) and latitude of every pixel from the centre, in degrees."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    return ((shape[1] - 1) / 2 - x) * PIXEL, (y - (shape[0] - 1) / 2) * PIXEL


def with_shell(seed, radius, thickness, counts):
    """Return a sky with a shell of so many counts per pixel, and these counts in its place."""
    plain = sky(seed)
    x, y = offsets(plain.counts.shape)
    shell = counts * (abs(np.hypot(x, y) - radius) < thickness)
    return plain._replace(counts=plain.counts + np.random.default_rng(seed + 1).poisson(shell))


def side_by_side(number=2):
    """Return a figure for panels beside each other."""
    return Figure(figsize=(4.8 * number, 3.6), layout="constrained")


def significance(figure, place, image, header, mask, title, limits=(-5, 10)):
    """Draw a map of the significance."""
    edges = np.linspace(*limits, STEPS + 1)
    part = np.linspace(0.5 + 0.5 * limits[0] / limits[1], 1, STEPS)
    colours = ListedColormap(colormaps["RdBu_r"](part))
    return panel(figure, place, image, header, mask, title, "Significance [σ]", colours, edges)


def panel(figure, place, image, header, mask, title, label, colours, edges):
    """Draw an image in steps of colour."""
    norm = BoundaryNorm(edges, colormaps[colours].N if isinstance(colours, str) else colours.N)
    options = {"title": title, "label": label, "colours": colours, "norm": norm}
    axes = plots.image_panel(figure, place, image, header, mask, **options)
    bar = figure.axes[-1]
    bar.minorticks_off()
    return axes


def deviation(figure, place, background, truth, header, mask, title):
    """Draw by how much a background deviates from the truth."""
    percent = 100 * (background / truth - 1)
    title = f"{title} (rms {np.sqrt(np.nanmean(percent**2)):.1f} %)"
    label = "Background over truth, minus 1 [%]"
    panel(figure, place, percent, header, mask, title, label, "PuOr", np.linspace(-12, 12, 25))


def outlines(axes, regions):
    """Outline regions, True inside, in colours by their names."""
    colours = dict(zip(regions, (ORANGE, GREEN, BLUE), strict=False))
    for name, region in regions.items():
        axes.contour(region.astype(float), levels=[0.5], colors=colours[name], linewidths=1.4)
    handles = [Line2D([], [], color=colour, label=name) for name, colour in colours.items()]
    handles = [*axes.get_legend().legend_handles, *handles]
    axes.legend(handles=handles, fontsize=7.5, loc="lower left", framealpha=0.9)


def adaptive_ring():
    """A shell wider than the ring: where a fixed ring finds nothing, an adaptive one grows."""
    field = with_shell(1, 0.5, 0.25, 12)
    fixed = skymask.iterate(field.counts, **LOOP)
    rings = skymask.adaptive_ring(9, 5, step=2, max_outer_radius=34, alpha_max=0.06, excluded_fraction_max=0.5)
    grown = skymask.iterate(field.counts, **LOOP | {"background_kernel": rings})
    figure = side_by_side()
    background, mask = fixed.products.background, fixed.exclusion_mask
    label = "Background counts per pixel"
    panel(figure, (1, 2, 1), background, field.header, mask, "fixed ring", label, "cividis", np.linspace(3, 5, 21))
    radius, mask = grown.products.ring_radius * PIXEL, grown.exclusion_mask
    radii = np.unique(radius[np.isfinite(radius)])
    edges = np.append(radii, 2 * radii[-1] - radii[-2]) - 0.05
    label = "Outer radius of the ring [deg]"
    panel(figure, (1, 2, 2), radius, field.header, mask, "adaptive ring", label, "viridis", edges)
    return figure


def gaussian_kernel():
    """The background under a ring and under a Gaussian of the same reach."""
    field = sky(3, (0, 0, 900, 0.12), (1.4, 0.8, 300, 0.1))
    figure = side_by_side()
    kernels = {"ring": LOOP["background_kernel"], "Gaussian": skymask.gaussian(9)}
    for number, (name, kernel) in enumerate(kernels.items(), start=1):
        result = skymask.iterate(field.counts, **LOOP | {"background_kernel": kernel})
        deviation(
            figure,
            (1, 2, number),
            result.products.background,
            field.expected_background,
            field.header,
            result.exclusion_mask,
            name,
        )
    return figure


def field_of_view():
    """A gradient that the acceptance does not have: one norm, and a norm with a tilt."""
    field = sky(4, (0.8, -0.5, 350, 0.08), acceptance_sigma="2 deg", background=8)
    x, y = offsets(field.counts.shape)
    expected = field.expected_background * (1 + 0.12 * x - 0.08 * y) + field.expected_sources
    counts = np.random.default_rng(4).poisson(expected)
    figure = side_by_side()
    for number, (name, tilt) in enumerate({"one norm": False, "norm with a tilt": True}.items(), start=1):
        kernel = skymask.field_of_view(tilt=tilt)
        result = skymask.iterate(counts, acceptance=field.acceptance, **LOOP | {"background_kernel": kernel})
        significance(figure, (1, 2, number), result.products.significance, field.header, result.exclusion_mask, name)
    return figure


def additive_background():
    """Particles do not follow the acceptance: without them the background is too low at the edges."""
    field = sky(5, (0.6, 0.4, 250, 0.08), acceptance_sigma="1.1 deg", background=8)
    particles = np.full(field.counts.shape, 2.0)
    counts = field.counts + np.random.default_rng(6).poisson(particles)
    figure = side_by_side()
    for number, (name, additive) in enumerate(
        {"acceptance alone": None, "and additive_background": particles}.items(), start=1
    ):
        result = skymask.iterate(counts, acceptance=field.acceptance, additive_background=additive, **LOOP)
        significance(figure, (1, 2, number), result.products.significance, field.header, result.exclusion_mask, name)
    return figure


def coverage():
    """No coverage is not exclusion: a gap, and the pixels below the least acceptance."""
    field = sky(7, (0.6, 0.4, 250, 0.08), acceptance_sigma="1.1 deg", background=8)
    x, _ = offsets(field.counts.shape)
    data = abs(x + 1.3) > 0.15
    inputs = prepare(field.counts, acceptance=field.acceptance, coverage=data, min_acceptance_fraction=0.1)
    result = skymask.iterate(inputs.counts, acceptance=inputs.acceptance, **LOOP)
    figure = side_by_side()
    acceptance, mask = np.where(data, field.acceptance, np.nan), result.exclusion_mask
    label, edges = "Acceptance over its peak", np.linspace(0, 1, 21)
    axes = panel(figure, (1, 2, 1), acceptance, field.header, mask, "acceptance, a gap", label, "cividis", edges)
    outlines(axes, {"a tenth of the peak": field.acceptance >= 0.1})
    significance(
        figure, (1, 2, 2), result.products.significance, field.header, result.exclusion_mask, "nothing beyond either"
    )
    return figure


def hysteresis():
    """The tails of a source are excluded with it, single pixels of noise are not."""
    field = sky(8, (0.4, 0.1, 700, 0.28), (-1.5, -0.9, 90, 0.08), background=3)
    shaping = {"threshold": 3, "threshold_low": 2, "min_pixels": 30}
    result = skymask.iterate(field.counts, **LOOP, **shaping)
    image = result.products.significance
    regions = {
        "threshold: 3": excluded_pixels(image, threshold=3),
        "and threshold_low: 2, min_pixels: 30": excluded_pixels(image, **shaping),
    }
    figure = side_by_side(1)
    axes = significance(figure, 111, image, field.header, result.exclusion_mask, "before and after the dilation")
    outlines(axes, regions)
    return figure


def holes():
    """The inside of a shell is no place for the background."""
    field = with_shell(10, 0.75, 0.12, 8)
    figure = side_by_side()
    options = LOOP | {"dilation_kernel": skymask.disk(1), "background_kernel": skymask.ring(21, 4)}
    for number, (name, size) in enumerate({"max_hole_pixels: 0": 0, "max_hole_pixels: 800": 800}.items(), start=1):
        result = skymask.iterate(field.counts, **options, max_hole_pixels=size)
        significance(figure, (1, 2, number), result.products.significance, field.header, result.exclusion_mask, name)
    return figure


def growth():
    """A bright source has wider tails above the background than a faint one."""
    plain = sky(11)
    x, y = offsets(plain.counts.shape)
    expected = np.full(plain.counts.shape, 4.0)
    for x0, y0, peak in ((1.0, 0.2, 900), (-0.4, -0.9, 60), (-1.4, 0.8, 12)):
        # A King profile with gamma = 2 and sigma = 0.1 deg.
        expected += peak * (1 + ((x - x0) ** 2 + (y - y0) ** 2) / (4 * 0.1**2)) ** -2.0
    counts = np.random.default_rng(11).poisson(expected)
    law = {"law": "king", "sigma": 2.8, "gamma": 2.0, "level": 1.0, "max_radius": 20}
    figure = side_by_side()
    for number, (name, region_growth) in enumerate(
        {"dilation alone": None, "growth by the peak": law}.items(), start=1
    ):
        # A ring that is wider than the largest region, so that there is a background in its middle, too.
        options = LOOP | {"background_kernel": skymask.ring(24, 4), "region_growth": region_growth}
        result = skymask.iterate(counts, **options)
        significance(figure, (1, 2, number), result.products.significance, plain.header, result.exclusion_mask, name)
    return figure


def several_radii():
    """A point source, and one that is wide and faint."""
    field = sky(12, (1.2, 0.5, 75, 0.05), (-0.9, -0.3, 420, 0.35), background=4)
    figure = side_by_side()
    wide = skymask.disk(7)
    kernels = {"radius of 0.1 deg": [], "0.1 deg or 0.35 deg": [wide]}
    for number, (name, mask_kernels) in enumerate(kernels.items(), start=1):
        result = skymask.iterate(field.counts, **LOOP, mask_source_kernels=mask_kernels)
        significance(figure, (1, 2, number), result.products.significance, field.header, result.exclusion_mask, name)
    return figure


def user_exclusions():
    """Circles and ellipses of the configuration, DS9 regions and a catalogue of stars."""
    field = sky(13, (0.1, 0.1, 500, 0.1), background=4)
    with tempfile.TemporaryDirectory() as folder:
        ds9, stars = Path(folder) / "sources.reg", Path(folder) / "stars.csv"
        ds9.write_text("galactic\npolygon(18.6,0.5,19.5,0.9,19.2,1.6,18.3,1.3)\n", encoding="utf-8")
        rng = np.random.default_rng(13)
        rows = [f"{20 + 2.3 * a:.3f},{1.8 * b:.3f}" for a, b in rng.uniform(-1, 1, (14, 2))]
        stars.write_text("\n".join(["GLON,GLAT", *rows]) + "\n", encoding="utf-8")
        regions = {
            "ellipse": {
                "shape": "ellipse",
                "center": ["21.4 deg", "-0.8 deg"],
                "semi_axes": ["0.7 deg", "0.3 deg"],
                "position_angle": "60 deg",
                "frame": "galactic",
            },
            "DS9 file": {"file": str(ds9)},
            "catalogue": {"table": str(stars), "radius": "0.12 deg", "frame": "galactic"},
        }
        masks = {name: region_mask(field.header, field.counts.shape, [one])[0] for name, one in regions.items()}
    user_mask = np.logical_and.reduce(list(masks.values()))
    result = skymask.iterate(field.counts, exclusion_mask=user_mask, **LOOP)
    figure = side_by_side(1)
    axes = significance(
        figure, 111, result.products.significance, field.header, result.exclusion_mask, "found and given"
    )
    outlines(axes, {name: ~mask for name, mask in masks.items()})
    return figure


def limits():
    """The significance, and the upper limit of the excess where nothing is found."""
    field = sky(14, (0.8, 0.4, 220, 0.08), acceptance_sigma="1.3 deg", background=6)
    result = skymask.iterate(field.counts, acceptance=field.acceptance, **LOOP)
    upper = compute_limits(field.counts, field.acceptance, result.products.maps(), LOOP["source_kernel"])
    figure = side_by_side()
    significance(figure, (1, 2, 1), result.products.significance, field.header, result.exclusion_mask, "significance")
    label, edges = "Counts within 0.1 deg, 95 % confidence", np.linspace(0, 45, 31)
    image, mask = upper.excess_upper_limit, result.exclusion_mask
    panel(figure, (1, 2, 2), image, field.header, mask, "upper limit", label, "cividis", edges)
    return figure


def systematics():
    """A deep field whose acceptance has waves of 3 per cent that nobody knows of."""
    plain = sky(15, (-0.7, 0.4, 1500, 0.08), background=150)
    x, y = offsets(plain.counts.shape)
    waves = 1 + 0.03 * np.sin(2.4 * x + 1) * np.cos(3.1 * y)
    counts = np.random.default_rng(15).poisson(plain.expected_background * waves + plain.expected_sources)
    options = {
        "neither": {},
        "background_systematic: 0.02": {"background_systematic": 0.02},
        "threshold_in_widths: true": {"threshold_in_widths": True},
    }
    figure = side_by_side(3)
    loop = LOOP | {"background_kernel": skymask.field_of_view(), "threshold": 4.0}
    for number, (name, option) in enumerate(options.items(), start=1):
        result = skymask.iterate(counts, **loop, **option)
        significance(figure, (1, 3, number), result.products.significance, plain.header, result.exclusion_mask, name)
    return figure


def stacked_runs():
    """Runs that are brighter or fainter than their acceptances say: stacked first, and run by run."""
    field = sky(16)
    shape = field.counts.shape
    random = np.random.default_rng(16)
    y, x = np.indices((60, 60)) - 29.5
    acceptance = 4 * np.exp(-(y**2 + x**2) / 2 / 20**2)
    source = 8 * np.exp(-((np.indices(shape) - [[[40]], [[50]]]) ** 2).sum(axis=0) / 2 / 1.5**2)
    runs = []
    for number in range(12):
        top, left = 10 * (number // 4), 13 * (number % 4)
        block = (slice(top, top + 60), slice(left, left + 60))
        counts = random.poisson((0.6 if number % 4 < 2 else 1.4) * acceptance + source[block] / 4)
        runs.append(skymask.Run(counts[None], acceptance[None], block))
    inputs = stack_inputs(runs, shape)
    results = {
        "stacked first": skymask.iterate(inputs.counts, acceptance=inputs.acceptance, **LOOP),
        "run by run": skymask.iterate_runs(runs, shape, **LOOP),
    }
    figure = side_by_side()
    for number, (name, result) in enumerate(results.items(), start=1):
        image, mask = result.products.significance, result.exclusion_mask
        used = image[mask & np.isfinite(image)]
        title = f"{name}: width {used.std():.2f}"
        significance(figure, (1, 2, number), image, field.header, mask, title, limits=(-5, 10))
    return figure


def energy_bins():
    """Two sources of different spectra in a cube: the sum finds both, and each bin has the common mask."""
    cubes = [
        sky(17, (-1, 0.5, 260, 0.1), background=8),
        sky(18, (-1, 0.5, 60, 0.08), (1, -0.6, 70, 0.08), background=1.5),
    ]
    counts = np.stack([cube.counts for cube in cubes])
    shape = counts.shape[1:]
    run = skymask.Run(counts, np.ones(counts.shape), tuple(slice(0, n) for n in shape))
    result = skymask.iterate_runs([run], shape, **LOOP)
    kernels = ([LOOP["source_kernel"]] * 2, [LOOP["background_kernel"]] * 2)
    bins = estimate_bins([run], result.exclusion_mask, *kernels)
    images = {"sum": result.products.significance}
    for name, estimate in zip(("low energies", "high energies"), bins, strict=True):
        images[name] = wstat(estimate.counts_on, estimate.counts_off, estimate.alpha)
    own = skymask.iterate(counts[1], **LOOP).exclusion_mask
    figure = side_by_side(3)
    for number, (name, image) in enumerate(images.items(), start=1):
        axes = significance(figure, (1, 3, number), image, cubes[0].header, result.exclusion_mask, name)
    outlines(axes, {"mask of this bin alone": ~own})
    return figure


PICTURES = {
    "adaptive-ring": adaptive_ring,
    "gaussian-kernel": gaussian_kernel,
    "field-of-view": field_of_view,
    "additive-background": additive_background,
    "coverage": coverage,
    "hysteresis": hysteresis,
    "holes": holes,
    "growth": growth,
    "several-radii": several_radii,
    "user-exclusions": user_exclusions,
    "limits": limits,
    "systematics": systematics,
    "stacked-runs": stacked_runs,
    "energy-bins": energy_bins,
}


if __name__ == "__main__":
    main(sys.argv[1])
