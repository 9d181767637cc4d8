"""Write docs/validation.md and its figures from the results of all jobs."""

import math

import numpy as np

from skymask.io.atomic import written_whole
from validation import (
    SEED,
    STUDIES,
    claims,
    clip,
    convergence,
    coverage,
    figures,
    injection,
    jobs,
    null,
    stacks,
    steps,
    study,
)

INTRODUCTION = f"""# Validation

Simulations whose truth is known, analysed by the library as users' maps are. `make validation` measures all of it and
writes this page; the same numbers come out every time (seed {SEED}, with study, case and job as further entropy of
numpy's `SeedSequence`). `tests/test_validation.py` repeats a part of every study, with its own limits.

## Claims

A value is the mean of all simulations of a case, its error their scatter divided by the root of their number. Of a
study with several cases, the table has the most deviant one, so that it is expected to be off by two or three of its
errors.

| claim | measured | error | limit | reached | simulations | study |
|---|---|---|---|---|---|---|
"""


#: User and system time of a run from nothing, measured by hand.
CPU_MINUTES = 15

#: What sums of floating-point numbers leave of nothing.
ROUNDING = 1e-12


def write(results, page, images):
    """Write the page and, into a folder, its figures."""
    images.mkdir(parents=True, exist_ok=True)
    figures.draw(results, images)
    rows = [_row(claim) for claim in claims.of(results)]
    sections = [f"\n{text(results[name])}" for name, text in SECTIONS.items()] + [CROSS_CHECKS]
    with written_whole(page) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write(INTRODUCTION + "\n".join(rows) + "\n" + "".join(sections) + _size())


def _row(claim):
    value, error = (_number(x, claim.digits) for x in (claim.value, claim.error))
    reached = {True: "yes", False: "**no**", None: ""}[claim.reached]
    return f"| {claim.text} | {value} | {error} | {claim.limit} | {reached} | {claim.simulations} | {claim.study} |"


def _number(value, digits):
    if math.isnan(value):
        return ""
    if abs(value) < ROUNDING:
        return "0"
    return f"{value:.1e}" if value and abs(value) < 10**-digits else f"{value:.{digits}f}"


def table(head, rows):
    """Return a table of Markdown: its head, and rows of values."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows)]) + "\n"


def _percent(values, digits=2):
    mean, error = claims.mean_and_error(np.asarray(values, dtype=float))
    return f"{100 * mean:+.{digits}f} ± {100 * error:.{digits}f}" if np.isfinite(mean) else "none"


def _null(results):
    rows = []
    for case, values in results.items():
        settings = null.CASES[case]
        exact = null.expected(**settings)
        mean, error = claims.mean_and_error(values["wstat"][:, 0])
        width, width_error = claims.width_and_error(values["wstat"])
        tail, tail_error = claims.mean_and_error(values["tails"][:, 0])
        rows.append(
            (
                settings["acceptance"],
                settings["counts_on"],
                f"{mean:+.4f} ± {error:.4f}",
                f"{exact[0]:+.4f}",
                f"{width:.4f} ± {width_error:.4f}",
                f"{np.sqrt(exact[1] - exact[0] ** 2):.4f}",
                f"{1e3 * tail:.3f} ± {1e3 * tail_error:.3f}",
                f"{1e3 * exact[2]:.3f}",
                *(f"{values['regions'][:, which].mean():.2f}" for which in range(len(null.LOOP_THRESHOLDS))),
                *(f"{100 * values['excluded'][:, which].mean():.2f}" for which in range(len(null.LOOP_THRESHOLDS))),
            )
        )
    head = ("acceptance", "counts", "mean", "exact", "width", "exact", "S ≥ 3 [‰]", "exact")
    head += tuple(f"regions, T = {threshold}" for threshold in null.LOOP_THRESHOLDS)
    head += tuple(f"excluded [%], T = {threshold}" for threshold in null.LOOP_THRESHOLDS)
    return f"""## No sources

Fields of 200 x 200 pixels, a disk of 3 pixels, a ring of 9 to 13, dilation 9; α is
{null.SOURCE.sum() / null.RING.sum():.3f} inside a flat field. Graded is an acceptance with a Gaussian of 75 pixels
and linear gradients of 30 and 15 % to the edges, given to the analysis. Mean and width are those of eq. 17 in one
step without a mask; exact is the sum over all pairs of Poisson numbers, with every pixel's own α. N(0, 1) is reached
from about 10 counts on, to 0.05 in the mean.

{table(head, rows)}
Regions and excluded pixels are what the loop excludes in a field of {168**2} pixels that has nothing in it. At a
threshold of 5 that costs nothing; at 3, with few counts, the background left is biased low by per cents (right panel).

![Off-source mean, width and background bias over counts](images/validation/null.png)

Taken as known (`cash`), a ring's background widens the distribution. From 10 counts on the width stays below
√(1 + α), dotted, because the background under the source kernel is the sum of that of its pixels, each with a ring of
its own.
"""


def _stacks(results):
    rows = []
    for case, values in results.items():
        settings = stacks.CASES[case]
        exact = stacks.expected(**settings)
        for number, method in enumerate(stacks.METHODS):
            mean, error = claims.mean_and_error(values["moments"][:, number, 0])
            width, width_error = claims.width_and_error(values["moments"][:, number])
            loop = ["", "", "", ""]
            if method == "variance":
                loop = [f"{100 * values['excluded'][:, which].mean():.2f}" for which in (0, 1)]
                loop += [_percent(values["bias"][:, which], 3) for which in (0, 1)]
            rows.append(
                (
                    settings["stack"],
                    settings["counts_on"],
                    method,
                    f"{mean:+.4f} ± {error:.4f}",
                    f"{exact[number, 0]:+.4f}",
                    f"{width:.4f} ± {width_error:.4f}",
                    f"{np.sqrt(exact[number, 1] - exact[number, 0] ** 2):.4f}",
                    *loop,
                )
            )
    unlike = stacks.expected(stack="runs of unlike rates", counts_on=100)
    single, first = (np.sqrt(unlike[number, 1] - unlike[number, 0] ** 2) for number in (0, -1))
    head = ("stack", "counts", "estimate", "mean", "expected", "width", "expected")
    head += tuple(f"excluded [%], T = {threshold}" for threshold in stacks.LOOP_THRESHOLDS)
    head += tuple(f"bias of the background [%], T = {threshold}" for threshold in stacks.LOOP_THRESHOLDS)
    return f"""## No sources, in runs and energy bins

Fields of 160 x 160 pixels of 0.02 deg, kernels as above, seen by four runs that point 0.7 deg away from the middle,
each with a Gaussian acceptance of 0.8 deg and an edge at 1.6 deg; or by two runs with three energy bins, of which the
highest has {100 * stacks.truth("cube of runs", 10)[1][0][2].sum() / stacks.truth("cube of runs", 10)[1][0].sum():.0f} %
of the counts. Counts are those under the source kernel where all runs have their full acceptance. Estimated run by run,
and bin by bin, with the common mask, and added with the variance right (`variance`, the default) or with the off counts
added (`counts_off`, as gammapy does); or added first, and estimated as one map. The expectation run by run is that of
{stacks.DRAWS} draws of the Poisson numbers of all runs at each of {32**2} places, with eq. 17 of their sums; stacked
first, the exact sum.

{table(head, rows)}
![Measured less expected mean and width of stacks](images/validation/stacks.png)

Rates of the runs that the acceptance does not know of (0.4, 0.8, 1.2 and 1.6 times it, as zenith angles and weather
make them) do nothing to a stack of runs estimated by themselves. Stacked first, the acceptance is wrong by a gradient,
of which an expected width of {first:.4f} instead of {single:.4f} at 100 counts is what these pointings show;
`tests/test_stacking.py` has a case where it biases more. The two ways to add off counts differ in the fourth digit
here: ratios of on to off are alike in all runs.
"""


def _clip(results):
    rows = []
    for case, values in results.items():
        threshold = clip.CASES[case]["threshold"]
        for number, dilation in enumerate(clip.DILATIONS):
            moments = values["cut"][:, number]
            mean, error = claims.mean_and_error(moments[:, 0])
            width, width_error = claims.width_and_error(moments)
            rows.append(
                (
                    threshold,
                    dilation,
                    f"{mean:+.4f} ± {error:.4f}",
                    f"{width:.4f} ± {width_error:.4f}",
                    _percent(values["first_bias"][:, number], 3),
                    _percent(values["bias"][:, number], 3),
                    f"{100 * (1 - values['used'][:, number].mean()):.1f}",
                    f"{100 * values['converged'][:, number].mean():.0f}",
                )
            )
    head = (
        "threshold",
        "dilation [px]",
        "mean, cut",
        "width, cut",
        "background bias, first mask [%]",
        "after the loop [%]",
    )
    head += ("excluded [%]", "converged [%]")
    return f"""## The cut at the threshold

No sources, {clip.BACKGROUND} counts per pixel, {clip.BACKGROUND * clip.SOURCE.sum()} under the source kernel. What
lies above the threshold by chance is excluded, and with it the rest is biased low: significance (the one from which
the first mask is made, under that mask) and background. Without dilation mean and width are those of the exact cut
distribution (line); dilation takes out the neighbours too, which are high themselves.

{table(head, rows)}
![Mean and width of used pixels and bias of the background over the threshold](images/validation/clip.png)
"""


def _injection(results):
    number = injection.METHODS.index("converged")
    rows = []
    for extent in injection.EXTENTS:
        values = results[f"extent-{extent}"]
        escaped = 100 * values["escaped"][:, -1, number].mean()
        biases = (_percent(values["outside"][:, -1, n]) for n in range(len(injection.METHODS)))
        rows.append((extent, *biases, f"{escaped:.2f}"))
    excess = []
    for extent in injection.EXTENTS:
        values = results[f"extent-{extent}"]
        excess.append((extent, *(_percent(values["excess"][:, -1, n] - 1) for n in range(len(injection.METHODS)))))
    found = []
    for extent in injection.EXTENTS:
        shares = results[f"extent-{extent}"]["found"][..., number].mean(axis=0)
        found.append((extent, *(f"{share:.2f}" for share in shares)))
    methods = ("extent [deg]", *injection.METHODS)
    return f"""## One source

A Gaussian source in the middle of 160 x 160 pixels of 0.02 deg with one count each; disk 0.1 deg, ring 0.5 to 0.8
deg, dilation 0.3 deg, threshold {injection.THRESHOLD}. Its counts under the source kernel have the stated
significance over the true background. Masks: none; fixed, a circle of 0.4 deg around the source; one step, what
gammapy 0.16's class ended with; converged, the loop.

Bias of the mean background of used pixels, for sources of 50 σ [%], and what of the source the converged mask leaves
outside, relative to the background there [%]:

{table((*methods, "left outside"), rows)}
A Gaussian has no edge. A mask is said to contain it where it leaves outside no more than
{100 * injection.CONTAINED:.1f} % of the background, the limit of the claim: up to an extent of
{_largest_contained(results)} deg. Beyond, the bias is a function of the extent, in the left panel, and it is that of
the counts that are left outside: pixels below the threshold, which no mask of this threshold excludes.

Bias of the excess at the source [%]; "none" where the background at the source is undefined in every simulation:

{table(methods, excess)}
Fraction of sources whose centre the loop excludes, by expected significance:

{table(("extent [deg]", *(f"{s} σ" for s in injection.SIGNIFICANCES)), found)}
![Bias of background and excess over the extent, completeness over the significance](images/validation/injection.png)

Where the source is no larger than the dilation, the loop's background is as good as that of a mask made by somebody
who knew where it is. Beyond, the fixed mask and one step leave the source's wings in the rings; the loop follows them
until the field has no ring left without source. A ring background cannot measure what is as wide as its ring.
"""


def _largest_contained(results):
    """The largest extent of which the mask of the loop contains the source, in degrees."""
    method = injection.METHODS.index("converged")
    contained = [
        injection.CASES[case]["extent"]
        for case, values in results.items()
        if values["escaped"][:, -1, method].mean() <= injection.CONTAINED
    ]
    return max(contained, default="no")


def _coverage(results):
    rows = []
    for case, values in results.items():
        exact = coverage.expected(**coverage.CASES[case])
        mean, error = claims.mean_and_error(values["covered"])
        cells = (f"{100 * m:.1f} ± {100 * e:.1f} ({100 * x:.1f})" for m, e, x in zip(mean, error, exact, strict=True))
        rows.append((*coverage.CASES[case].values(), *cells))
    head = ("background", "excess")
    head += tuple(f"{what} [%], of {100 * nominal:.0f}" for what, nominal in coverage.COVERAGES.items())
    return f"""## Errors and limits

Point sources 28 pixels apart, each under its mask, none in another's ring: independent on/off measurements,
background 0.1 to 100 counts under the source kernel with 0, 3 and 30 counts of excess. Whether the errors of the
profile likelihood (`excess_errn`, `excess_errp`), the upper limit (`excess_upper_limit`, 95 %) and `background_error`
cover the truth, compared with the exact chance that they do: the sum over all pairs of Poisson numbers.

Measured coverage, and the exact one in brackets:

{table(head, rows)}
At few counts the exact coverage itself is not 68.3 or 95 %, because counts are whole numbers: with one count of
background and no source, 1 σ errors hold the truth half the time. The error of the background is zero without off
counts, and at a tenth of a count under the source kernel (α is {coverage.ALPHA:.3f}) there is one on average.

![Measured minus exact coverage over exact coverage](images/validation/coverage.png)
"""


def _convergence(results):
    updates = list(convergence.UPDATES)
    ends = [updates.index(update) for update in ("replace", "hysteresis", "grow")]
    rows = []
    for case, values in results.items():
        converged = values["state"] == convergence.STATES.index("converged")
        other = (values["state"] > 1).sum()
        rows.append(
            (
                *convergence.CASES[case].values(),
                *(f"{100 * converged[:, number].mean():.0f}" for number in ends),
                other,
                f"{np.median(values['iterations'][:, 0]):.0f}, {values['iterations'][:, 0].max():.0f}",
                f"{values['period'].max():.0f}",
                *(_percent(values["bias"][:, number]) for number in range(len(updates))),
                " / ".join(f"{np.mean(values['complete'][:, number]):.3f}" for number in range(len(updates)))
                if np.isfinite(values["complete"]).all()
                else "",
            )
        )
    head = ("field", "threshold", "dilation", *(f"converge, {updates[number]} [%]" for number in ends))
    head += ("neither converged nor cycle", "iterations: median, most", "longest period")
    head += (*(f"bias, {update} [%]" for update in updates), "complete")
    return f"""## How the loop ends

Fields of 200 x 200 pixels, one count per pixel, disk 5 pixels, ring 25 to 40, dilations of 0 and 15 pixels; empty, or
crowded with ten Gaussian sources of 2 to 5 pixels and 50 to 2000 counts. Updates: `replace` with the union of a
cycle's masks (the default) or its last mask, `replace` with hysteresis down to one σ below the threshold, and `grow`.
Bias is that of the mean background of used pixels, complete the fraction of sources expected above the threshold
whose centres are excluded, for the updates in the order of the biases.

{table(head, rows)}
![Converging loops, bias, and pixels near the threshold](images/validation/convergence.png)

{CONVERGENCE}
"""


CONVERGENCE = """Why loops at low thresholds cycle: a pixel that is excluded or released takes all pixels under the
dilation kernel with it, which changes the background in the rings around them by a small fraction, and with it the
significances there. That flips another pixel only if one is close enough to the threshold, and a normal distribution
has e^8, 3000 times, more pixels per σ at 3 than at 5. Without dilation a flip is that of one pixel, and loops converge
at 3 mostly; with 15 pixels it is that of 709. Hysteresis flips whole regions at once: at 3 it makes more cycles.

What to use: the default, `replace` with `on_cycle: union`, and a threshold of 4 or more. Where a loop must end in a
fixed point, `mask_update: grow` does, always, because its mask cannot shrink, and without a bias of its own: on the
same counts, as the claims say, the background is that of the default to less than 0.1 %, and the same sources are
found. The union of a cycle and its last mask differ as little. What biases the background at a threshold of 3 is the
cut itself, as above, and no update mends that; without dilation it is the wings of sources, at every threshold. Real
maps, and why 62 % of loops on them converge at 3, are on the page of [public data](public-data.md)."""


def _steps(results):
    values = results["random"]
    rows = [
        (what, f"{np.median(values[what]):.1e}", f"{values[what].max():.1e}") for what in ("background", "significance")
    ]
    return f"""## One step beside gammapy

{steps.SIMULATIONS} random fields of 40 to 99 pixels a side with up to three sources, masked in part, random radii,
pixel sizes, and acceptances with a Gaussian and a gradient: `RingBackgroundMaker` and `ExcessMapEstimator` of gammapy
2.1 and one step of skymask, {values["pixels"].sum():.0f} pixels in all. gammapy convolves in single precision.
{values["left_out"].sum():.0f} pixels are left out: those without off counts, and those with an empty ring under the
source kernel. gammapy masks a pixel where its off acceptance is not above 0 (`RingBackgroundMaker.run`, in
`gammapy/makers/background/ring.py`), which for an empty ring the rounding of a Fourier transform decides, and takes
what is masked from the counts and from the acceptance under the source kernel (`_get_convolved_maps`, in
`gammapy/estimators/map/excess.py`); skymask counts all that is covered.

{table(("", "median of the largest differences", "largest of all"), rows)}
Background is relative to the largest of the field, significance in σ.

"""


CROSS_CHECKS = """## Every function beside plain loops

In the tests, on random small maps (hypothesis), with no limit but rounding:

| function | beside | test |
|---|---|---|
| sums under a kernel | double loops, summed exactly | `test_convolution.py` |
| background of rings, weights and the field of view; its error | plain sums | `test_brute_force.py` |
| adaptive ring | walking through every ring's pixels | `test_adaptive_ring.py` |
| tilt | its gradient and Fisher's matrix by plain sums; a general minimiser | `test_brute_force.py`, `test_tilt.py` |
| significance, on/off and over a known background | the printed formulae of plain sums | `test_brute_force.py` |
| errors and limits | the fit statistic, which rises by 1 | `test_brute_force.py`, `test_limits.py` |
| threshold, hysteresis, smallest size, holes, growth | walking from pixel to pixel | `test_exclusion.py` |
| dilation, at once and after changes | double loops | `test_brute_force.py` |
| off sums of one mask after another | plain sums of the last mask | `test_brute_force.py` |
| stacks of runs and energy bins | plain sums over runs and bins | `test_brute_force.py` |
| off-source fit | the likelihood around it | `test_brute_force.py` |
| errors of regions | the response to every single count | `test_region_catalogue.py` |

"""


def _size():
    rows = [(name, len(study(name).CASES), study(name).SIMULATIONS, len(jobs(name))) for name in STUDIES]
    return f"""## What runs

{table(("study", "cases", "simulations per case", "jobs"), rows)}
All of it took {CPU_MINUTES} minutes of CPU time, with Python's start in every job and the public data, which have
[a page of their own](public-data.md).
"""


SECTIONS = {
    "null": _null,
    "stacks": _stacks,
    "clip": _clip,
    "injection": _injection,
    "coverage": _coverage,
    "convergence": _convergence,
    "steps": _steps,
}
