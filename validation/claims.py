"""What is claimed of the results: each claim with its measured value, the error of it, and whether it is reached."""

from typing import NamedTuple

import numpy as np

from validation import clip, convergence, coverage, injection, null, stacks


class Claim(NamedTuple):
    """A claim, what was measured and its standard error (NaN if it has none), the limit, and whether it is reached.

    Without a limit it is shown only, and `reached` is None.
    """

    text: str
    value: float
    error: float
    limit: str
    reached: bool | None
    simulations: int
    study: str
    digits: int = 4


def mean_and_error(values):
    """Return the mean over simulations and its standard error, NaN left out; arrays of shape (simulations, ...)."""
    number = np.sum(np.isfinite(values), axis=0)
    mean = np.nansum(values, axis=0) / np.maximum(number, 1)
    variance = np.nansum((values - mean) ** 2, axis=0) / np.maximum(number - 1, 1)
    return np.where(number > 0, mean, np.nan), np.where(number > 0, np.sqrt(variance / np.maximum(number, 1)), np.nan)


def width_and_error(moments):
    """Return the standard deviation about the common mean, from means and mean squares of simulations, and its error.

    Parameters
    ----------
    moments : ndarray, shape (simulations, ..., 2)
    """
    mean, mean_square = moments[..., 0].mean(axis=0), moments[..., 1].mean(axis=0)
    width = np.sqrt(mean_square - mean**2)
    # To first order, from the scatter of (S - mean) squared.
    terms = moments[..., 1] - 2 * mean * moments[..., 0]
    return width, mean_and_error(terms)[1] / (2 * width)


def of(results):
    """Return the claims of all studies that there are results of."""
    return [claim for study, claims in _CLAIMS.items() if results.get(study) for claim in claims(results[study])]


def largest(deviations):
    """Return the case of the largest deviation: its name, value and error."""
    name = max(deviations, key=lambda key: abs(deviations[key][0]))
    return (name, *deviations[name])


def _null(results):
    for acceptance in null.ACCEPTANCES:
        means, widths = {}, {}
        for counts_on in null.COUNTS_ON:
            if f"{acceptance}-{counts_on}" not in results:
                continue
            moments = results[f"{acceptance}-{counts_on}"]["wstat"]
            exact = null.expected(acceptance, counts_on)
            exact_width = np.sqrt(exact[1] - exact[0] ** 2)
            mean, error = mean_and_error(moments[:, 0])
            means[counts_on] = (float(mean - exact[0]), float(error))
            width, error = width_and_error(moments)
            widths[counts_on] = (float(width - exact_width), float(error))
        number = len(moments)
        for what, deviations in (("mean", means), ("width", widths)):
            counts_on, value, error = largest(deviations)
            text = f"off-source {what}, {acceptance} acceptance: largest distance from the exact one"
            text += f" ({counts_on} counts)"
            yield Claim(text, value, error, "± 0.01", abs(value) < 0.01, number, "null")
    for acceptance in null.ACCEPTANCES:
        deviations = {}
        for counts_on in null.COUNTS_ON:
            if f"{acceptance}-{counts_on}" in results:
                tail, error = mean_and_error(results[f"{acceptance}-{counts_on}"]["tails"][:, 0])
                exact = null.expected(acceptance, counts_on)[2]
                deviations[counts_on] = (float(tail / exact - 1), float(error / exact))
        counts_on, value, error = max(((k, *v) for k, v in deviations.items()), key=lambda row: abs(row[1] / row[2]))
        text = f"chance of 3 σ or more, {acceptance} acceptance: most deviant from the exact one, relative"
        yield Claim(f"{text} ({counts_on} counts)", value, error, "4 errors", abs(value) < 4 * error, number, "null")
    cash = results.get("flat-100")
    if cash:
        width, error = width_and_error(cash["cash"])
        alpha = null.SOURCE.sum() / null.RING.sum()
        limit = f"1 to √(1 + α) = {np.sqrt(1 + alpha):.3f}"
        reached = 1 < width < np.sqrt(1 + alpha) + 0.01
        yield Claim(
            "width with the background taken as known (100 counts)",
            float(width),
            float(error),
            limit,
            bool(reached),
            len(cash["cash"]),
            "null",
        )
        for number, threshold in enumerate(null.LOOP_THRESHOLDS):
            bias, error = mean_and_error(cash["bias"][:, number])
            yield Claim(
                f"bias of the background, loop with threshold {threshold} (100 counts)",
                float(bias),
                float(error),
                "± 0.005",
                bool(abs(bias) < 0.005),
                len(cash["bias"]),
                "null",
                5,
            )


def _clip(results):
    deviations = {}
    for case, figures in results.items():
        threshold = clip.CASES[case]["threshold"]
        mean, width = clip.expected(threshold)
        moments = figures["cut"][:, 0]
        deviations[threshold] = (float(moments[:, 0].mean() - mean), float(mean_and_error(moments[:, 0])[1]))
        measured, error = width_and_error(moments)
        deviations[threshold, "width"] = (float(measured - width), float(error))
    _name, value, error = largest(deviations)
    yield Claim(
        "moments cut without dilation: largest distance from the exact ones",
        value,
        error,
        "± 0.01",
        abs(value) < 0.01,
        len(moments),
        "clip",
    )
    for threshold, limit in ((3, 0.005), (5, 0.001)):
        if f"threshold-{threshold}" in results:
            bias, errors = mean_and_error(results[f"threshold-{threshold}"]["bias"])
            worst = np.argmax(np.abs(bias))
            text = f"bias of the background, threshold {threshold}, worst dilation ({clip.DILATIONS[worst]} px)"
            yield Claim(
                text,
                float(bias[worst]),
                float(errors[worst]),
                f"± {limit}",
                bool(abs(bias[worst]) < limit),
                len(moments),
                "clip",
                5,
            )


def _injection(results):
    method = injection.METHODS.index("converged")
    small = {
        extent: results[f"extent-{extent}"]
        for extent in injection.EXTENTS
        if extent <= 0.1 and f"extent-{extent}" in results
    }
    number = sum(len(figures["found"]) for figures in small.values())
    for case, figures in results.items():
        value, error = mean_and_error(figures["outside"][:, -1, method])
        escaped = figures["escaped"][:, -1, method].mean()
        extent = f"extent {injection.CASES[case]['extent']}°, {100 * escaped:.2f} % left outside"
        if escaped <= injection.CONTAINED:
            text = f"bias of the background outside the mask, source of 50 σ within it ({extent})"
            limit, reached = "± 0.005", bool(abs(value) < 0.005)
        elif np.isfinite(value):
            text = f"the same, source that the mask does not contain ({extent})"
            limit, reached = "none set", None
        else:
            continue
        yield Claim(text, float(value), float(error), limit, reached, len(figures["found"]), "injection", 5)
    bright = np.array(injection.SIGNIFICANCES) >= 8
    found = np.concatenate([figures["found"][:, bright, method].ravel() for figures in small.values()])
    text = "sources of 8 σ and more, extent up to 0.1°, found"
    yield Claim(text, *share_and_error(found), "≥ 0.99", bool(found.mean() >= 0.99), number, "injection", 3)
    pulls = np.concatenate([figures["pull"][:, bright, method].ravel() for figures in small.values()])
    for width, share in ((1, 0.6827), (1.96, 0.95)):
        covered, error = share_and_error(np.abs(pulls) <= width)
        text = f"excess within {width} of its errors after the loop, 8 σ and more, extent up to 0.1°"
        reached = abs(covered - share) < 3 * error
        yield Claim(text, covered, error, f"{share}, 3 errors", reached, number, "injection", 3)


def share_and_error(values):
    """Return the fraction of values that are true, and its binomial error."""
    share = float(np.mean(values))
    return share, float(np.sqrt(share * (1 - share) / len(values)))


def _coverage(results):
    for number, what in enumerate(coverage.COVERAGES):
        deviations = {}
        for case, figures in results.items():
            mean, error = mean_and_error(figures["covered"][:, number])
            exact = coverage.expected(**coverage.CASES[case])[number]
            deviations[case] = (float(mean - exact), float(error))
        case, value, error = largest(deviations)
        yield Claim(
            f"coverage, {what}: largest distance from the exact one",
            value,
            error,
            "± 0.01",
            abs(value) < 0.01,
            len(figures["covered"]),
            "coverage",
        )


def _convergence(results):
    for threshold in convergence.THRESHOLDS:
        states = np.concatenate(
            [figures["state"] for case, figures in results.items() if convergence.CASES[case]["threshold"] == threshold]
            or [np.zeros((0, len(convergence.UPDATES)))]
        )
        if not len(states):
            continue
        for number, update in enumerate(convergence.UPDATES):
            if update in ("replace", "grow"):
                share, error = share_and_error(states[:, number] == convergence.STATES.index("converged"))
                limit = "all" if update == "grow" else "none set"
                reached = bool(share == 1) if update == "grow" else None
                yield Claim(
                    f"loops that converge, threshold {threshold}, update {update}",
                    float(share),
                    float(error),
                    limit,
                    reached,
                    len(states),
                    "convergence",
                    3,
                )

    for update in ("grow", "replace, last"):
        for thresholds, limit in (((4, 5, 6), 0.001), ((3,), 0.005)):
            chosen = {case: r for case, r in results.items() if convergence.CASES[case]["threshold"] in thresholds}
            if not chosen:
                continue
            differences = {case: beside_default(figures, "bias", update) for case, figures in chosen.items()}
            case, value, error = largest(differences)
            text = f"bias of the background, {update} less the default, same counts, threshold "
            text += f"{'4 and more' if 4 in thresholds else '3'}: largest ({case})"
            number = len(chosen[case]["bias"])
            reached = bool(abs(value) < limit)
            yield Claim(text, value, error, f"± {limit}", reached, number, "convergence", 5)
    shares = np.concatenate(
        [
            figures["complete"][:, convergence_update("grow")] - figures["complete"][:, convergence_update("replace")]
            for figures in results.values()
            if np.isfinite(figures["complete"]).any()
        ]
        or [np.zeros(1)]
    )
    value, error = mean_and_error(shares)
    text = "completeness, grow less the default, same counts, crowded fields"
    yield Claim(text, float(value), float(error), "≥ 0", bool(value >= 0), len(shares), "convergence")


def beside_default(figures, name, update):
    """Return mean and error of a figure with one update of the mask less that with the default, on the same counts."""
    values = figures[name][:, convergence_update(update)] - figures[name][:, convergence_update("replace")]
    return tuple(float(value) for value in mean_and_error(values))


def convergence_update(update):
    """Return the place of an update among those of the convergence study."""
    return list(convergence.UPDATES).index(update)


def _stacks(results):
    for name in stacks.STACKS:
        chosen = {case: figures for case, figures in results.items() if stacks.CASES[case]["stack"] == name}
        if not chosen:
            continue
        for method in ("variance", "stacked first"):
            means, widths = {}, {}
            for case, figures in chosen.items():
                place, counts_on = stacks.METHODS.index(method), stacks.CASES[case]["counts_on"]
                exact = stacks.expected(**stacks.CASES[case])[place]
                values = figures["moments"][:, place]
                mean, error = mean_and_error(values[:, 0])
                means[counts_on] = (float(mean - exact[0]), float(error))
                width, error = width_and_error(values)
                widths[counts_on] = (float(width - np.sqrt(exact[1] - exact[0] ** 2)), float(error))
            for what, deviations in (("mean", means), ("width", widths)):
                counts_on, value, error = largest(deviations)
                way = "run by run" if method == "variance" else method
                text = f"off-source {what}, {name}, {way}: largest distance from the expected one ({counts_on} counts)"
                yield Claim(text, value, error, "± 0.01", abs(value) < 0.01, len(values), "stacks")
    for number, threshold in enumerate(stacks.LOOP_THRESHOLDS):
        biases = {case: mean_and_error(figures["bias"][:, number]) for case, figures in results.items()}
        case, value, error = largest(biases)
        if threshold == 5:
            text = f"bias of the background of stacks, loop with threshold 5: largest ({case})"
            yield Claim(
                text, float(value), float(error), "± 0.005", bool(abs(value) < 0.005), stacks.SIMULATIONS, "stacks", 5
            )


def _steps(results):
    figures = results["random"]
    for what, limit, unit in (("background", 1e-6, "of the largest"), ("significance", 1e-3, "σ")):
        value = float(figures[what].max())
        yield Claim(
            f"largest difference of the {what} from gammapy's, {unit}",
            value,
            np.nan,
            f"< {limit:g}",
            value < limit,
            len(figures[what]),
            "steps",
            8,
        )


_CLAIMS = {
    "null": _null,
    "stacks": _stacks,
    "clip": _clip,
    "injection": _injection,
    "coverage": _coverage,
    "convergence": _convergence,
    "steps": _steps,
}
