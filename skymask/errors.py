"""What can go wrong through no fault of the code: each message says what, where, and what to do."""

import traceback
from contextlib import contextmanager

#: So many files are named where all of a dataset may be the cause.
MAX_NAMED = 3


class SkymaskError(Exception):
    """A mistake or a limit that the user can mend; shown as one line, never as a traceback."""


class ConfigurationError(SkymaskError):
    """The configuration is wrong: stops everything before the first job."""


class MapError(SkymaskError):
    """A file or an array is not the map it should be: ends its dataset alone."""


@contextmanager
def failing_alone(names, *, in_job=True):
    """Make a MapError of whatever is raised while a dataset's files are read, which then ends that dataset alone.

    Errors of ours go on as they are, and so does what another try may not meet again: want of memory, and what the
    system says of its disks.

    Parameters
    ----------
    names : iterable of str
        Files that are read, for the message.
    in_job : bool
        Whether there is a log, which gets the traceback.
    """
    try:
        yield
    except (SkymaskError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        if in_job:
            traceback.print_exc()
        names = list(dict.fromkeys(map(str, names)))
        more = f" and {len(names) - MAX_NAMED} more files" if len(names) > MAX_NAMED else ""
        said = " ".join([f"{type(error).__name__}:", *str(error).split()]) + ("; see the log" if in_job else "")
        raise MapError(
            f"{', '.join(names[:MAX_NAMED])}{more} cannot be used, for a reason that was not expected here "
            f"({said}): please report it, with the file if you can"
        ) from error


class ConvergenceError(SkymaskError):
    """The loop ended in a way that the caller asked to be told of as a failure."""


class ConvergenceWarning(UserWarning):
    """The loop ended in a way that the caller should know of."""


def listed(names):
    """Return names found in a file in one line; one that has many lines comes of a quote that is not closed."""
    return " ".join(", ".join(names).split())
