"""Files that are whole or not there."""

import os
from contextlib import contextmanager
from pathlib import Path

from skymask.errors import SkymaskError


@contextmanager
def written_whole(path):
    """Give a temporary name beside `path`; rename it to `path` if all went well, remove it if not.

    Whatever has the name `path` is then complete, however the process that wrote it ended.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    # What a killed process left behind.
    for stale in path.parent.glob(f".{path.name}.*.part"):
        stale.unlink(missing_ok=True)
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise SkymaskError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(folder):
    """Raise a SkymaskError if files cannot be written into a folder, or the folder cannot be made."""
    existing = Path(folder).absolute()
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        raise SkymaskError(f"{folder}: nothing can be written there, because {existing} is not a folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise SkymaskError(f"{folder}: nothing can be written there, because {existing} is not writable")
