"""Files that are whole or not there."""

import os
import socket
from base64 import urlsafe_b64decode
from contextlib import contextmanager, suppress
from pathlib import Path

from skymask.errors import SkymaskError
from skymask.io.file_names import split_name
from skymask.workflow.locks import is_locked


@contextmanager
def written_whole(path):
    """Give a temporary name beside `path`; rename it to `path` if all went well, remove it if not.

    Whatever has the name `path` is then complete, however the process that wrote it ended.
    """
    path = Path(path)
    # Nodes of a cluster may have processes of the same number.
    temporary = path.with_name(f".{path.name}.{socket.gethostname()}-{os.getpid()}.part")
    # What a killed process left behind.
    for stale in path.parent.glob(f".{path.name}.*.part"):
        stale.unlink(missing_ok=True)
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


def remove_incomplete(results, state=".snakemake"):
    """Remove the files that a killed run was making, and which it may have left with an earlier run's good name.

    Snakemake marks the outputs of every job that has started and not ended, but looks at the marks of those jobs only
    that it knows at its start, and not of those in later iterations. Nothing is removed while a run is locked.

    Parameters
    ----------
    results : str or Path
        Folder outside which nothing is removed.
    state : str or Path
        Folder in which Snakemake keeps locks and marks.
    """
    if is_locked(state):
        return
    for file in marked_incomplete(state):
        if file.resolve().is_relative_to(Path(results).resolve()):
            file.unlink(missing_ok=True)


def marked_incomplete(state=".snakemake"):
    """Return the paths of the files that Snakemake has marked because their jobs have not ended."""
    files = []
    marks = Path(state, "incomplete")
    for mark in [path for path in marks.rglob("*") if path.is_file()]:
        # A mark's path is the file's name in base 64, cut into parts that all but the last begin with "@".
        encoded = "".join(part.removeprefix("@") for part in mark.relative_to(marks).parts)
        try:
            files.append(Path(urlsafe_b64decode(encoded).decode()))
        except ValueError:
            continue
    return files
