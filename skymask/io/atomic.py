"""Files that are whole or not there."""

import os
import re
import socket
from contextlib import contextmanager, suppress
from pathlib import Path

from skymask.errors import SkymaskError
from skymask.io.file_names import split_name
from skymask.io.own_files import remove_named


@contextmanager
def written_whole(path):
    """Give a temporary name beside `path`; rename it to `path` if all went well, remove it if not.

    Whatever has the name `path` is then complete, however the process that wrote it ended.
    """
    path = Path(path)
    # Nodes of a cluster may have processes of the same number.
    temporary = path.with_name(f".{path.name}.{socket.gethostname()}-{os.getpid()}.part")
    # What a killed process left behind.
    if path.parent.is_dir():
        remove_named(path.parent, rf"\.{re.escape(path.name)}\.[^/]*-\d+\.part")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0]
        raise SkymaskError(f"{path} cannot be written: {reason}") from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def identity(path):
    """Return size and time of a file, which a change of it changes as well."""
    stat = os.stat(path)
    return [stat.st_size, stat.st_mtime_ns]


def check_identities(identities):
    """Raise a SkymaskError if a file is not the one that it was when the run began.

    Parameters
    ----------
    identities : iterable of list
        Name of a file, followed by its `identity`; of remote files the name alone.
    """
    for name, *was in identities:
        path = split_name(name)[0]
        try:
            same = not was or identity(path) == list(was)
        except OSError as error:
            raise SkymaskError(
                f"{path} was there when the run began, and is not any more: put it back, run again"
            ) from error
        if not same:
            raise SkymaskError(f"{path} was replaced while the run was going on: run again")


def check_writable(folder):
    """Raise a SkymaskError if files cannot be written into a folder, or the folder cannot be made."""
    existing = Path(folder).absolute()
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        raise SkymaskError(f"{folder}: nothing can be written there, because {existing} is not a folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise SkymaskError(f"{folder}: nothing can be written there, because {existing} is not writable")
