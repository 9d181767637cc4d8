"""Names that cannot be given to jobs which are submitted."""

import re

from skymask.errors import SkymaskError

#: What a shell may take for something else: names stand in the commands of jobs, and executors do not quote them well.
SPECIAL = re.compile(r"""['"`$\\]""")


def check_names(settings):
    """Raise a SkymaskError if a name would be something else to the shell that runs a submitted job.

    Snakemake writes the names of a job's files into its command as Python would, and its executor for Slurm puts that
    between double quotes: `$(...)` in a name would be run.

    Parameters
    ----------
    settings : dict
        Names, or dicts and lists with names in them, by what they are.
    """
    wrong = [
        f"{where}: {text!r} cannot be given to jobs that are submitted: rename the file, or make a link with "
        "another name (a name may have none of ' \" ` $ \\, nor line ends)"
        for where, text in _texts("", settings)
        if SPECIAL.search(text) or not text.isprintable()
    ]
    if wrong:
        raise SkymaskError("\n".join(wrong))


def _texts(where, value):
    """All texts within dicts and lists, and where they stand."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(f"{where}.{key}" if where else str(key), item)
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _texts(f"{where}.{number}", item)
