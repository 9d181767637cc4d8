"""Which rows of a table pass a condition, as in "Vmag < 6 and Class == 'star'"."""

import operator
import re
from typing import NamedTuple

from skymask.errors import MapError, listed

#: What conditions compare by.
OPERATORS = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}

_CONDITION = re.compile(
    r"\s*(?:`(?P<quoted>[^`]+)`|(?P<column>[A-Za-z_][\w.+-]*))\s*(?P<operator><=|>=|==|!=|<|>|=)\s*"
    r"(?:'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\"|(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?))\s*"
)
_AND = re.compile(r"and\b|&&?", re.IGNORECASE)


class Condition(NamedTuple):
    """A column, how it is compared, and with which number or text."""

    column: str
    operator: str
    value: float | str


def parse(text):
    """Return the conditions of a text, all of which must hold.

    Raises
    ------
    ValueError
        If it is none: comparisons of a column with a number or a quoted text, joined by "and".
    """
    conditions, position = [], 0
    while True:
        if (match := _CONDITION.match(text, position)) is None:
            raise ValueError(
                f"{text[position:].strip() or text!r} is no condition such as Vmag < 6 or Class == 'star' (texts "
                "stand in quotes, columns with blanks in `backticks`)"
            )
        word = next((match[name] for name in ("single", "double") if match[name] is not None), None)
        if word is not None and match["operator"] not in ("==", "!=", "="):
            raise ValueError(f"{match[0].strip()}: texts are equal or not (== or !=)")
        column = match["quoted"] or match["column"]
        conditions.append(Condition(column, match["operator"], float(match["number"]) if word is None else word))
        position = match.end()
        if position == len(text):
            return conditions
        if (joint := _AND.match(text, position)) is None:
            raise ValueError(f"{text[position:]!r}: conditions are joined by and")
        position = joint.end()


def rows_that_pass(rows, text):
    """Return which rows of a table pass the conditions of a text, as booleans.

    Rows without a number pass no comparison of numbers.

    Parameters
    ----------
    rows : skymask.io.tables.FitsTable or the like
    text : str

    Raises
    ------
    MapError
        If the text is none, or a column is not there or of the other kind.
    """
    # Deferred: who checks a configuration parses conditions, and needs no numpy.
    import numpy as np

    try:
        conditions = parse(text)
    except ValueError as error:
        raise MapError(f"{rows.name}: where: {error}") from error
    passes = np.ones(len(rows), dtype=bool)
    for condition in conditions:
        column = _column(rows, condition.column)
        compare = OPERATORS[condition.operator]
        if isinstance(condition.value, str):
            passes &= [compare(value, condition.value) for value in rows.texts(column)]
            continue
        values = rows.numbers(column)
        passes &= compare(values, condition.value) & ~np.isnan(values)
    return passes


def _column(rows, name):
    """The column of a name, in any case."""
    from skymask.io.tables import find_column

    if (found := find_column(rows.names, name)) is None:
        raise MapError(f"{rows.name} has no column {name}, which where names, only {listed(rows.names)}")
    return found
