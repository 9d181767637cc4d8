"""A job of the validation (`python -m validation measure ...`, `... measure_public ...`), or a page of all of them."""

import json
import sys
from pathlib import Path

from skymask.io.atomic import written_whole
from validation import jobs, run


def measure(study, case, job, output):
    """Write the figures of one job as JSON; NaN stands for what is undefined."""
    _write(output, {name: values.tolist() for name, values in run(study, case, int(job)).items()})


def measure_public(field, folder, output):
    """Write what is measured of a public field, and of loops on it, as JSON."""
    from validation import generator, public_data, public_loops

    figures = {
        "numbers": public_data.measure(field, folder),
        "loops": public_loops.measure(field, folder, generator("public", field, 0)),
    }
    _write(output, figures)


def _write(output, figures):
    with written_whole(Path(output)) as temporary:
        Path(temporary).write_text(json.dumps(figures) + "\n", encoding="utf-8")


def page(folder, output, images):
    """Write the page and its figures from the results of all jobs in a folder."""
    from validation.page import write

    write(read(folder), Path(output), Path(images))


def public_page(folder, output):
    """Write the page of the public data from the results of all fields in a folder."""
    from validation import PUBLIC_FIELDS
    from validation.public_page import write

    results = {
        field: json.loads((Path(folder) / f"{field}.json").read_text(encoding="utf-8")) for field in PUBLIC_FIELDS
    }
    write(*({field: parts[name] for field, parts in results.items()} for name in ("numbers", "loops")), Path(output))


def read(folder):
    """Return the figures of all simulations, by study, case and name."""
    import numpy as np

    from validation import STUDIES

    results = {}
    for study in STUDIES:
        of_cases = results.setdefault(study, {})
        for case, job in jobs(study):
            text = (Path(folder) / study / case / f"{job}.json").read_text(encoding="utf-8")
            of_cases.setdefault(case, []).append(json.loads(text))
        results[study] = {
            case: {name: np.concatenate([np.array(part[name], dtype=float) for part in parts]) for name in parts[0]}
            for case, parts in of_cases.items()
        }
    return results


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    {"measure": measure, "page": page, "measure_public": measure_public, "public_page": public_page}[command](
        *arguments
    )
