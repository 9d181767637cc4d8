"""Removing files: those that we made, by their names, and never through a link.

People keep files of their own among results, and put folders of results elsewhere behind links.
"""

import os
import re
from pathlib import Path

from skymask.io.fits_header import BLOCK

#: The card by which FITS files name who wrote them, as far as ours have it.
CREATOR = re.compile(rb"CREATOR = 'skymask ")

#: Headers of our files are no longer than so many blocks before that card.
MAX_BLOCKS = 20


def remove_own_products(folder, names):
    """Remove those files of a folder that are there, are ours, and are named.

    A file stays if it is no file but a link, if it lies behind one below the folder, or if it is a FITS file that does
    not say that skymask wrote it.

    Parameters
    ----------
    folder : str or Path
        May be a link itself.
    names : iterable of str
        Paths of products within the folder. A part of one may be "*", as in "further/*/significance.fits": for every
        folder there, whatever it is called.

    Returns
    -------
    removed : list of str
        Paths within the folder, in order.
    """
    folder, removed = Path(folder), []
    for name in names:
        for path in _paths(folder, Path(name).parts):
            if is_own_file(path):
                path.unlink(missing_ok=True)
                removed.append(path.relative_to(folder).as_posix())
    return sorted(removed)


def remove_named(folder, pattern):
    """Remove the files of a folder whose whole names match a regular expression, but no links and no folders."""
    for path in list(Path(folder).iterdir()):
        if re.fullmatch(pattern, path.name) and path.is_file() and not path.is_symlink():
            path.unlink(missing_ok=True)


def is_own_file(path):
    """Whether a path is a file, no link, and, if it is FITS, says that skymask wrote it; a file cut short is ours."""
    if not path.is_file() or path.is_symlink():
        return False
    if path.suffix != ".fits":
        return True
    with open(path, "rb") as file:
        content = file.read(MAX_BLOCKS * BLOCK)
    return len(content) < BLOCK or CREATOR.search(content) is not None


def _paths(folder, parts):
    """The paths that the parts of a name mean, none of whose folders is a link."""
    if len(parts) == 1:
        return [folder / parts[0]]
    if parts[0] in ("..", os.sep):
        return []
    try:
        inner = [entry.name for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return [path for name in sorted(inner) if parts[0] in ("*", name) for path in _paths(folder / name, parts[1:])]
