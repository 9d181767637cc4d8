"""One job of the validation (`python -m validation measure ...`), or the page of all of them (`... page ...`)."""

import json
import sys
from pathlib import Path

from skymask.files import written_whole
from validation import jobs, run


def measure(study, case, job, output):
    """Write the figures of one job as JSON; NaN stands for what is undefined."""
    figures = {name: values.tolist() for name, values in run(study, case, int(job)).items()}
    with written_whole(Path(output)) as temporary:
        Path(temporary).write_text(json.dumps(figures) + "\n", encoding="utf-8")


def page(folder, output, images):
    """Write the page and its figures from the results of all jobs in a folder."""
    from validation.page import write

    write(read(folder), Path(output), Path(images))


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
    {"measure": measure, "page": page}[command](*arguments)
