"""Rows of the ECSV tables that skymask wrote, without the import of a library for tables."""

import csv

from skymask.errors import SkymaskError


def read_rows(path):
    """Return the rows of an ECSV table as dictionaries of text.

    Raises
    ------
    SkymaskError
        If the file is missing or no such table.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            lines = [line for line in file if not line.startswith("#")]
        return list(csv.DictReader(lines, delimiter=" ", strict=True))
    except (OSError, ValueError, csv.Error) as error:
        raise SkymaskError(f"{path} is missing or damaged ({error}): remove it and run again") from error
