"""What can go wrong through no fault of the code: each message says what, where, and what to do."""


class SkymaskError(Exception):
    """A mistake or a limit that the user can mend; shown as one line, never as a traceback."""


class ConfigurationError(SkymaskError):
    """The configuration is wrong: stops everything before the first job."""


class MapError(SkymaskError):
    """A file or an array is not the map it should be: ends its dataset alone."""


class ConvergenceError(SkymaskError):
    """The loop ended in a way that the caller asked to be told of as a failure."""


class ConvergenceWarning(UserWarning):
    """The loop ended in a way that the caller should know of."""


def listed(names):
    """Return names found in a file in one line; one that has many lines comes of a quote that is not closed."""
    return " ".join(", ".join(names).split())
