"""Numbers as they stand on pages and in figures."""

from decimal import Decimal
from itertools import pairwise


def number_text(value, form="%g"):
    """Return a number in print: with a minus sign that is one, and no sign at a number that is rounded to zero.

    Parameters
    ----------
    value : float or str
    form : str
        As of the operator %; a number that is text is told as it is.
    """
    text = value if isinstance(value, str) else form % value
    try:
        zero = float(text) == 0
    except ValueError:
        zero = False
    return text.lstrip("+-") if zero else text.replace("-", "−")


def tick_texts(values):
    """Return the numbers at an axis in as few digits as give them to a hundredth of their distance."""
    values = [float(value) for value in values]
    steps = [after - before for before, after in pairwise(values)]
    least = min(steps, default=0) or max(map(abs, values), default=0)
    even = len(values) > 1 and max(steps) - min(steps) <= 1e-6 * least
    for digits in range(1, 16):
        texts = [_positional(value, digits) for value in values]
        if all(abs(float(text) - value) <= 0.01 * least for text, value in zip(texts, values, strict=True)):
            break
    if even:
        decimals = max(len(text.partition(".")[2]) for text in texts)
        texts = [f"{value:.{decimals}f}" for value in values]
    elif len(values) > 1:
        # Three digits do for a fraction among round numbers.
        texts = [_positional(value, max(3, len(f"{abs(value):.0f}"))) for value in values]
    if any(len(text) > 9 for text in texts):
        texts = [f"{value:.{digits}g}" for value in values]
    return [number_text(text) for text in texts]


def _positional(value, digits):
    """A number in so many significant digits, without an exponent and without zeros at the end of its decimals."""
    text = f"{Decimal(f'{value:.{digits}g}'):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
