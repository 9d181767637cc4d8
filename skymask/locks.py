"""Which runs are at work in a folder: Snakemake's locks, and those by which shards and runs over all refuse each other.

Snakemake's locks outlive a run that is killed, and shards run without them. Ours are held by a process and end with it;
between nodes they hold where the file system has locks (`flock`), and where it has none nobody is shut out.
"""

import fcntl
import os
import time
from pathlib import Path

from skymask.errors import SkymaskError

#: Seconds and pause between tries to get a lock, which whoever looks at it holds for a moment.
PATIENCE, PAUSE = 1, 0.05

#: Locks of this process, by path; they end with it.
_held = {}


def is_locked(state=".snakemake"):
    """Whether a run goes on in the folder in which Snakemake keeps its state, or was killed there."""
    return any(Path(state, "locks").glob("*.lock"))


def locked_since(state=".snakemake"):
    """Return since when a run or a shard goes on in that folder, in seconds, None if none does."""
    paths = [*Path(state, "locks").glob("*.lock"), *working_shards(state).values()]
    try:
        return min((path.stat().st_mtime for path in paths), default=None)
    except FileNotFoundError:
        # It ended at this moment.
        return None


def working_shards(state=".snakemake"):
    """Return the lock files of the shards that are at work, by shard, such as "3/40"."""
    return {
        path.stem.replace("-of-", "/"): path
        for path in sorted(Path(state, "shards").glob("*-of-*.lock"))
        if not _free(path)
    }


def shut_out(shard, state=".snakemake"):
    """Shut others out for as long as this process lives: a shard a run over all and itself, a run over all every shard.

    Parameters
    ----------
    shard : str or None
        "k/n", None for everything.
    state : str or Path
        Folder in which Snakemake keeps its state.

    Raises
    ------
    SkymaskError
        If one of those is at work.
    """
    if shard is None and is_locked(state):
        # Snakemake refuses by itself.
        return
    folder = Path(state, "shards")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        # Snakemake cannot write there either, and says so.
        return
    if not _hold(folder / "all.lock", fcntl.LOCK_EX if shard is None else fcntl.LOCK_SH):
        shards = ", ".join(working_shards(state))
        who = f"shards are at work in this folder ({shards})" if shards else "a run over all is at work in this folder"
        raise SkymaskError(f"{who}: wait for them; `skymask status` tells how far they are")
    if shard is not None and not _hold(folder / f"{shard.replace('/', '-of-')}.lock", fcntl.LOCK_EX):
        _held.pop(folder / "all.lock").close()
        raise SkymaskError(f"the shard {shard} is at work in this folder already: wait for it")


def _hold(path, kind):
    """Take a lock and keep it, unless another process has it; return whether nobody else does."""
    file = open(path, "a")  # noqa: SIM115
    end = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < end:
                time.sleep(PAUSE)
                continue
            file.close()
            return False
        except OSError:
            # A file system without locks.
            pass
        _held[path] = file
        os.utime(path)
        return True


def _free(path):
    """Whether no process holds a lock for itself alone."""
    with open(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            pass
    return True
