"""Proof that the answer is right: simulations whose truth is known, and what is claimed of them.

Every study is a module with its CASES, how many SIMULATIONS a case has, how many of them a job does (PER_JOB), the
function `measure`, which returns figures of every simulation of one job, and the function `report`, which makes of all
of them a section of docs/validation.md with its figure and its claims. `make validation` runs all of it. What public
data show is in modules of their own, `public_data` and `public_loops`, and in docs/public-data.md.
"""

from importlib import import_module
from zlib import crc32

#: Every random number of the validation follows from it.
SEED = 8

#: The studies, in the order of the page.
STUDIES = ("null", "stacks", "clip", "injection", "coverage", "convergence", "steps")

#: Public fields, of `public_data` and `public_loops`.
PUBLIC_FIELDS = ("gauss", "fermi", "msh1552", "crab")


def study(name):
    """Return the module of a study."""
    return import_module(f"validation.{name}")


def jobs(name):
    """Return the names of all jobs of a study, as pairs of case and number."""
    module = study(name)
    return [(case, job) for case in module.CASES for job in range(-(-module.SIMULATIONS // module.PER_JOB))]


def run(name, case, job, simulations=None):
    """Return the figures of all simulations of one job, by name, each of shape (simulations, ...).

    Parameters
    ----------
    name, case : str
        Study and case.
    job : int
        Which of the case's jobs; it alone chooses the random numbers.
    simulations : int, optional
        How many instead of all of the job.
    """
    import numpy as np

    module = study(name)
    random = generator(name, case, job)
    rows = [module.measure(random, **module.CASES[case]) for _ in range(simulations or module.PER_JOB)]
    return {key: np.array([row[key] for row in rows], dtype=float) for key in rows[0]}


def generator(name, case, job):
    """Return the random numbers of a job, which depend on its names alone."""
    import numpy as np

    return np.random.default_rng([SEED, crc32(f"{name}/{case}".encode()), job])
