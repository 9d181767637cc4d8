"""Write docs/performance.md and its figure from what `compare_loops` and `workflow_cost` measured."""

import json
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parent.parent
WORKFLOW = REPOSITORY / "benchmarks" / "workflow_cost.json"
PAGE = REPOSITORY / "docs" / "performance.md"
FIGURE = REPOSITORY / "docs" / "images" / "performance.png"

#: What skymask aims at: ratios of CPU time, growth with the number of pixels, over kernel radii, bytes per pixel.
AIMS = {"original": 30, "gammapy": 40, "exponent": 1.05, "radius": 1.5, "memory": 40}
#: Ratios to the slow loops count from so many pixels.
MILLION = 1_000_000

#: Slow loop -> the statistic that it computes.
STATISTICS = {"original": "cash", "gammapy": "wstat"}

INTRODUCTION = """# Performance

What a run of the workflow costs, and the loop in memory (`skymask.iterate`). Everything here is measured and written
by `make bench-workflow` and `make bench` (`benchmarks/workflow_cost.py` and `compare_loops.py`; the numbers are in the
JSON files beside them).

Measured on {cpu}, {cores} cores, with Python {python}, numpy {numpy}, scipy {scipy}, astropy {astropy} and
gammapy {gammapy}. The machine is a virtual one: other programs run beside it, caches and memory are shared, and memory
that is touched for the first time, or again after some seconds in which it was free, costs ten times as much. Therefore
the loops that are compared take turns, as much memory as they need is touched before each of them, and medians are
given. Ratios hold for this machine; absolute times are given only to say where the time goes. Parts of this page are
measured in runs of their own, those that the loop has no part in (the whole workflow, the report, imports) more rarely.

"""

COMPARISON = """## What is compared

Field: pixels of 0.02 deg, 1 count per pixel, 0.1 sources per square degree, Gaussian with a standard deviation of 2 to
5 pixels (uniform) and 50 to 2000 counts (uniform in the logarithm), seeded. Source disk 5 pixels, ring 25 to 40 pixels,
dilation 15 pixels, threshold 5, no acceptance. CPU time of one process on one thread, everything imported and every
loop run once on a small map before; from the counts in memory to the final mask, background and significance.

- **(a)** the original algorithm, written plainly with scipy: whole-map `fftconvolve`, `binary_erosion`; background
  taken as known. Against `statistic="cash"`.
- **(b)** the loop of a user of gammapy 2.1: `RingBackgroundMaker`, `ExcessMapEstimator`, `binary_dilate` without
  Fourier transforms. Against `statistic="wstat"`.
- **(c)** the floor: read the counts, write background, significance (64 bits each) and mask, once.

(a) and (b) stop when their mask stops changing and do at most as many iterations as skymask, whose loop ends where a
mask repeats; otherwise they would do 50 in a limit cycle. They are in `benchmarks/loops.py`.
"""

#: What a run takes: what, the row and its quantity, in units of whose, and what is to be reached.
WORKFLOW_COSTS = (
    ("ten maps of 500 x 500, two cores", "ten", "cpu", "before", 1 / 4, 1 / 6),
    ("", "ten", "cpu", "script", 2.5, 1.5),
    ("", "ten", "wall", "before", 1 / 4, 1 / 6),
    ("one map of 500 x 500, one core", "one", "cpu", "before", 1 / 2.5, 1 / 3.5),
    ("default configuration, two cores", "default", "wall", "before", 1 / 3, 1 / 4),
    ("many maps of 200 x 200, each", "many", "cpu", "script", 1.5, 1),
    ("the same without figures", "many without figures", "cpu", "script", None, None),
    ("largest process, one map of 3000 x 3000", "large", "memory", "before", 1 / 2.5, 1 / 4),
    (
        "a process that counts with numpy, and `iterate` once, 1000 x 1000",
        "iterate",
        "cpu",
        "before",
        1 / 1.7,
        1 / 2.2,
    ),
)
UNITS = {"cpu": "CPU time", "wall": "wall time", "memory": "memory"}

WHY_NOT_LESS = """Why it is not less, pieces timed singly while other programs ran (1000 x 1000, ns per pixel):

- Ring sums: a transform forth and back is four passes of one-dimensional transforms of 2.0 to 2.4 per pixel of a tile
  each, 17 with all that is done to the tile. The first map has two transforms of 600 x 600 for four tiles, two in each:
  13. Transforms of `scipy.fft` take as long; single precision is not provably exact here. A changed region of
  40 x 40 pixels needs a transform of 120 x 120, and 36 of them 11 in all; up to about ten changed pixels are added one
  by one, at 14 microseconds each.
- Maps of the result: the significance takes 11 (cash) or 22 (wstat), of which each logarithm is 4.3 to 4.8 and the root
  1.5; the known background under the source kernel takes 9, 21 additions of 0.4. The logarithm took 9.4 where arguments
  scatter about one, because the C library then takes one of two ways; of twice the ratio it does not.
- Candidates and mean background: reading off counts and off acceptance, dividing them, and looking for the lowest
  values takes 3.5 per pixel of the rows in which anything changed.
- Memory that is touched for the first time: 2.5 microseconds per page of 4 kB, a quarter of that in large pages, which
  numpy asks for above 4 MB. It is about 10 in 100 for a process's first map, and none for the next.
- Dilation as bits, 64 pixels to an integer: 1.2 for a radius of 15, 5 for 80 (shifted rows of booleans: 3.6 and 37).
- Radii: a larger kernel excludes more, so that more changes. A source disk of 80 pixels costs 94 more than one of 5: it
  excludes 15 % of the map. These are candidates in every iteration, which takes 39 instead of 8, and their changes make
  116 instead of 68 of ring sums; the disk's own sums of counts are 19 instead of 3. With the same masks for all radii,
  what is left is the kernel's own cost.
"""


def write(results):
    """Write page and figure."""
    write_page(results)
    draw(results["comparison"])


def write_page(results):
    """Write the page."""
    parts = [INTRODUCTION.format(**results["machine"])]
    parts += [workflow_costs(json.loads(WORKFLOW.read_text(encoding="utf-8")))] if WORKFLOW.exists() else []
    parts += [COMPARISON, ratios(results), aims(results)]
    parts += [section(results[name]) for name, section in SECTIONS.items() if name in results]
    PAGE.write_text("\n".join(parts), encoding="utf-8")


def workflow_costs(results):
    """The table of what runs cost, with what is to be reached."""
    lines = [
        "## What a user pays\n",
        f"Runs of this version, of commit {results.get('before')}, and of a script as users of gammapy write it (read,"
        " loop until the mask is stable, write five maps, draw two figures; SHA-256"
        f" {results.get('script', 'none')[:16]}...), in turns; medians. From counts maps to the report, whole trees of"
        " processes; the maps are those of the next section.\n",
        "| | in units of | must | aim | reached |",
        "|---|---|---|---|---|",
    ]
    for text, row, quantity, other, must, aim in WORKFLOW_COSTS:
        reached = relative_cost(results["rows"].get(row, {}), quantity, other)
        unit = UNITS[quantity] + (f" of {results.get('before')}" if other == "before" else " of the script")
        cells = [text, unit, *map(fraction, (must, aim, reached))]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| run | who | CPU [s] | wall [s] | largest process [MB] | runs |", "|---|---|---|---|---|---|"]
    for row, measured in results["rows"].items():
        for who, took in measured.items():
            name = f"{took['maps']} maps, {row}" if "maps" in took else row
            values = f"{took['cpu']:.1f} | {took['wall']:.1f} | {took['memory']:.0f} | {took['runs']}"
            lines.append(f"| {name} | {who} | {values} |")
    return "\n".join([*lines, ""])


def relative_cost(measured, quantity, other):
    """Return what this version takes in units of another, None if either did not run."""
    if "now" not in measured or other not in measured:
        return None
    now, beside = measured["now"], measured[other]
    if "maps" not in now:
        return now[quantity] / beside[quantity]
    # All of ours, and the script's further ones.
    first = measured[f"{other}, one map"]
    further = (beside[quantity] - first[quantity]) / (beside["maps"] - first["maps"])
    return now[quantity] / now["maps"] / further


def fraction(value):
    """Return a ratio as it is easily read."""
    if value is None:
        return ""
    return f"1/{1 / value:.3g}" if value < 0.5 else f"{value:.2g}"


def sizes_of(results):
    """The sizes measured, smallest map first."""
    return sorted(results["comparison"], key=lambda size: (results["comparison"][size]["pixels"], size))


def ratio(case, name):
    """Return CPU time of a loop in units of skymask's, None if it did not run."""
    if name not in case["seconds"]:
        return None
    if name == "floor":
        return case["seconds"]["skymask_wstat"] / case["seconds"]["floor"]
    return case["seconds"][name] / case["seconds"][f"skymask_{STATISTICS[name]}"]


def ratios(results):
    """The table of ratios, the figure, and how far the masks agree."""
    lines = [
        "## The loops compared\n",
        "CPU time of (a) and (b) in units of skymask's, and skymask's (wstat) in units of (c); iterations with cash and"
        " wstat; runs of skymask, (a), (b).\n",
        "| map | sources | iterations | (a) / skymask | (b) / skymask | skymask / (c) | runs |",
        "|---|---|---|---|---|---|---|",
    ]
    for size in sizes_of(results):
        case = results["comparison"][size]
        cells = [shown(size), case["sources"], "{cash}, {wstat}".format(**case["iterations"])]
        cells += [number(ratio(case, name)) for name in ("original", "gammapy", "floor")]
        runs = [case["runs"].get(name, 0) for name in ("skymask_cash", "original", "gammapy")]
        lines.append(f"| {' | '.join(map(str, cells))} | {', '.join(map(str, runs))} |")
    lines += [
        "",
        f"The slowest run of a loop exceeds its median by up to {noise(results):.0f} %: such is the noise here.\n",
        "![CPU time of both loops in units of skymask's, by size of the map](images/performance.png)\n",
        "At 8000 x 8000, (b) does not fit into the memory (see below) and is left out, and (a) takes too long for more"
        " than one run. Larger maps need more iterations, because one place where the mask still changes keeps the"
        " whole loop running; skymask computes that place again, (a) and (b) compute the whole map.\n",
        "Pixels in which skymask's final mask differs from that of (a) and of (b); pixels that gammapy, given skymask's"
        " final mask, finds on the other side of the threshold, before the dilation; and how many of these are not"
        " within 0.0001 of the threshold:\n",
        "| map | (a) | (b) | other side of the threshold | not within 0.0001 of it |",
        "|---|---|---|---|---|",
    ]
    for size in sizes_of(results):
        case = results["comparison"][size]
        threshold = case.get("threshold", {})
        cells = [shown(size), case.get("different_from_original"), case.get("different_from_gammapy")]
        cells += [threshold.get("differing"), threshold.get("differing_and_not_close")]
        lines.append(f"| {' | '.join('not run' if cell is None else str(cell) for cell in cells)} |")
    undefined = sum(sum(case["undefined_background"].values()) for case in results["comparison"].values())
    cycles = [
        f"{shown(size)} with {statistic}"
        for size in sizes_of(results)
        for statistic, state in results["comparison"][size]["states"].items()
        if state == "cycle"
    ]
    lines.append(
        f"\nPixels whose ring is empty, where (a) divides rounding errors: {undefined}."
        f" Limit cycles: {', '.join(cycles) or 'none'}.\n"
    )
    return "\n".join(lines)


def noise(results):
    """By how many per cent the slowest run of a loop exceeds its median, at most; the floor is too short to count."""
    return max(
        100 * (case["spread"][name][1] / case["seconds"][name] - 1)
        for case in results["comparison"].values()
        for name in case["seconds"]
        if name != "floor"
    )


def aims(results):
    """What was aimed at, and what was reached."""
    lines = ["## Aims\n", "| aim | measured | |", "|---|---|---|"]
    for name, label in (("original", "(a)"), ("gammapy", "(b)")):
        large = [case for case in results["comparison"].values() if case["pixels"] >= MILLION]
        values = [ratio(case, name) for case in large if ratio(case, name) is not None]
        low, high, aim = min(values), max(values), AIMS[name]
        verdict = "reached" if low >= aim else "missed" if high < aim else "reached in part"
        lines.append(
            f"| 1/{aim} of the CPU time of {label} from 10^6 pixels on | 1/{low:.0f} to 1/{high:.0f} | {verdict} |"
        )
    for case in results.get("growth", {}).values():
        (small, large) = sorted(case)
        for statistic in ("cash", "wstat"):
            exponent = np.log(case[large][statistic] / case[small][statistic]) / np.log(64)
            lines.append(
                f"| three iterations from 10^6 to 6.4 x 10^7 pixels: exponent of at most {AIMS['exponent']} |"
                f" {exponent:.3f} ({statistic}) |"
                f" {'reached' if exponent <= AIMS['exponent'] else 'missed'} |"
            )
    for kernel, by_radius in next(iter(results.get("radius", {}).values()), {}).items():
        for measured, masks in (("seconds", "its own masks"), ("same_masks", "the same masks")):
            took = [case[measured] for case in by_radius.values()]
            spread = max(took) / min(took)
            lines.append(
                f"| CPU time within a factor of {AIMS['radius']} for radii of 5 to 80 pixels | {spread:.2f} ({kernel},"
                f" {masks}) | {'reached' if spread <= AIMS['radius'] else 'missed'} |"
            )
    for size, peak in sorted(results.get("memory", {}).items()):
        for name in ("skymask_cash", "skymask_wstat"):
            lines.append(
                f"| at most {AIMS['memory']} bytes per pixel at the peak | {peak[name]:.0f} ({name.split('_')[1]},"
                f" {shown(size)}) | {'reached' if peak[name] <= AIMS['memory'] else 'missed'} |"
            )
    return "\n".join(lines) + "\n"


def stage_table(part):
    """Where the loop's time goes."""
    ((size, profiles),) = part.items()
    lines = [
        "## Where the time goes\n",
        f"Nanoseconds per pixel of {shown(size)}, CPU time, medians by stage, each without the stages that it calls"
        " (`benchmarks/stages.py`):\n",
        "| stage | cash | wstat |",
        "|---|---|---|",
    ]
    stages = sorted(profiles["wstat"], key=lambda stage: -profiles["cash"][stage])
    lines += [f"| {stage} | {profiles['cash'][stage]:.1f} | {profiles['wstat'][stage]:.1f} |" for stage in stages]
    lines.append(f"| all | {sum(profiles['cash'].values()):.0f} | {sum(profiles['wstat'].values()):.0f} |")
    lines.append("\n" + WHY_NOT_LESS)
    return "\n".join(lines) + "\n"


def no_change_table(part):
    """What an iteration costs that changes nothing."""
    ((size, cases),) = part.items()
    cells = [f"{100 * case['last'] / case['first']:.1f} % ({statistic})" for statistic, case in cases.items()]
    return (
        f"An iteration that changes nothing, relative to the first with all that comes before it ({shown(size)}, a mask"
        f" that only grows): {', '.join(cells)}.\n"
    )


def radius_table(part):
    """How the time depends on the radii."""
    ((size, cases),) = part.items()
    radii = sorted(next(iter(cases.values())), key=int)
    head = [f"| radius [px] | {' | '.join(radii)} |", "|---|" + "---|" * len(radii)]
    lines = [
        "## Radii of the kernels\n",
        f"CPU time relative to the fastest of the row, in brackets the excluded part of the map, {shown(size)}, three"
        " iterations at most; one kernel is changed at a time. The ring has an inner radius of 5/8 of the outer one"
        " (cash); with the source disk goes a ring of 85 to 95 pixels (wstat). Different kernels give different masks,"
        " and so different changes to compute:\n",
        *head,
    ]
    for kernel, by_radius in cases.items():
        fastest = min(case["seconds"] for case in by_radius.values())
        cells = [
            f"{case['seconds'] / fastest:.2f} ({100 * case['excluded_fraction']:.0f} %)"
            for case in map(by_radius.get, radii)
        ]
        lines.append(f"| {kernel} | {' | '.join(cells)} |")
    lines += [
        "\nThe same, but each iteration is given the mask that the kernels of the comparison above lead to, so that"
        " nothing but the kernel differs:\n",
        *head,
    ]
    for kernel, by_radius in cases.items():
        fastest = min(case["same_masks"] for case in by_radius.values())
        cells = [f"{by_radius[radius]['same_masks'] / fastest:.2f}" for radius in radii]
        lines.append(f"| {kernel} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def memory_table(part):
    """Peak memory."""
    names = {"skymask_cash": "skymask, cash", "skymask_wstat": "skymask, wstat", "original": "(a)", "gammapy": "(b)"}
    lines = [
        "## Memory\n",
        "Bytes per pixel: peak resident memory of a process of its own less what it has after imports and a run on a"
        " small map; the counts (int32, 4 bytes) and the results are part of it. (a) and (b) did two iterations.\n",
        f"| map | {' | '.join(names.values())} |",
        "|---|" + "---|" * len(names),
    ]
    for size, peak in sorted(part.items()):
        lines.append(f"| {shown(size)} | {' | '.join(number(peak.get(name)) for name in names)} |")
    return "\n".join(lines) + "\n"


def workflow_table(part):
    """What the workflow costs on one small map."""
    ((size, case),) = part.items()
    runs = "one run" if case["runs"] == 1 else f"medians of {case['runs']} runs"
    lines = [
        "## The whole workflow\n",
        f"One simulated map of {shown(size)} pixels from the configuration to the report, `snakemake --cores 1`,"
        f" {case['jobs']} jobs, {runs}; per cent of the CPU time:\n",
        "| part | % |",
        "|---|---|",
    ]
    for name, seconds in sorted(case["parts"].items(), key=lambda item: -item[1]):
        lines.append(f"| {name} | {100 * seconds / case['cpu']:.0f} |")
    lines.append(
        "\nThe engine is all CPU time that is not a job's. Imports include Snakemake's own in every job; what plots"
        " import counts as imports.\n"
    )
    lines += ["| jobs of the rule | % |", "|---|---|"]
    for name, seconds in sorted(case["rules"].items(), key=lambda item: -item[1]):
        lines.append(f"| `{name}` | {100 * seconds / case['cpu']:.1f} |")
    return "\n".join(lines) + "\n"


def report_table(part):
    """What figures and pages cost beside the run that they report on."""
    lines = [
        "## The report\n",
        "CPU time of the jobs that draw figures and render pages, in per cent of that of all other jobs, one run each;"
        " the engine, which serves both, is in neither.\n",
        "| run | report / rest [%] |",
        "|---|---|",
    ]
    for name, case in part.items():
        lines.append(f"| {name} | {100 * case['report'] / case['rest']:.0f} |")
    return "\n".join(lines) + "\n"


def import_table(part):
    """What the scripts import before they do anything."""
    scripts = dict(part["scripts"])
    alone = scripts.pop("(interpreter alone)")
    unit = scripts.pop("(numpy alone)")
    lines = [
        "## Imports of the scripts\n",
        "CPU time of importing each script, in units of importing numpy alone, the interpreter's own start"
        f" ({alone / unit:.1f}) not included. What a script imports only when it runs is not in it.\n",
        "| script | imports |",
        "|---|---|",
    ]
    for name, seconds in sorted(scripts.items(), key=lambda item: -item[1]):
        lines.append(f"| `{name}` | {seconds / unit:.1f} |")
    return "\n".join(lines) + "\n"


def stack_table(part):
    """What stacks and cubes cost."""
    ((size, cases),) = part.items()
    lines = [
        "## Stacks and cubes\n",
        f"CPU time of three iterations with wstat on the same counts of {shown(size)} pixels, by themselves"
        " (`iterate`) and as a stack (`iterate_runs`), each count in one of the runs or bins; medians, relative to the"
        " map by itself. A stack computes the whole of every plane in every iteration, because the common mask comes"
        " from the sum.\n",
        "| case | planes | iterations | CPU | CPU per plane |",
        "|---|---|---|---|---|",
    ]
    unit = cases["the map by itself"]["seconds"]
    for name, case in sorted(cases.items(), key=lambda item: item[1]["seconds"]):
        cells = [name, case["planes"], case["iterations"], f"{case['seconds'] / unit:.1f}"]
        cells.append(f"{case['seconds'] / unit / case['planes']:.1f}")
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


SECTIONS = {
    "stages": stage_table,
    "no_change": no_change_table,
    "stacks": stack_table,
    "radius": radius_table,
    "memory": memory_table,
    "workflow": workflow_table,
    "report": report_table,
    "imports": import_table,
}


def shown(size):
    return size.replace("x", " x ")


def number(value):
    return "not run" if value is None else f"{value:.0f}"


def draw(comparison):
    """Draw the ratios by size, in colours and symbols that all readers can tell apart."""
    from matplotlib.figure import Figure

    sizes = sorted(comparison, key=lambda size: (comparison[size]["pixels"], size))
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    # Okabe and Ito's blue and vermilion.
    for name, label, colour, marker in (
        ("original", "(a) original algorithm, scipy", "#0072B2", "o"),
        ("gammapy", "(b) gammapy 2.1", "#D55E00", "s"),
    ):
        points = [(place, ratio(comparison[size], name)) for place, size in enumerate(sizes)]
        points = [point for point in points if point[1] is not None]
        axes.plot(*zip(*points, strict=True), marker=marker, color=colour, linewidth=1, label=label)
        axes.axhline(AIMS[name], color=colour, linestyle="--", linewidth=1, label=f"aim: {AIMS[name]}")
    axes.axhline(1, color="black", linewidth=1, label="skymask")
    axes.set(
        yscale="log",
        xlabel="size of the map in pixels",
        ylabel="CPU time in units of skymask's",
        xlim=(-0.4, len(sizes) - 0.6),
        ylim=(0.8, 300),
        yticks=(1, 2, 5, 10, 20, 50, 100, 200),
        yticklabels=(1, 2, 5, 10, 20, 50, 100, 200),
        xticks=range(len(sizes)),
        xticklabels=[shown(size) for size in sizes],
    )
    axes.minorticks_off()
    axes.grid(axis="y", linewidth=0.3)
    axes.legend(fontsize="small", ncols=2, loc="lower right", bbox_to_anchor=(1, 0.06))
    FIGURE.parent.mkdir(exist_ok=True)
    figure.savefig(FIGURE, dpi=110, metadata={"Software": None})
