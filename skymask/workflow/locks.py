"""Which runs are at work in a folder: Snakemake's locks, and those by which shards and runs over all refuse each other.

Snakemake's locks outlive a run that is killed, and shards run without them. Ours are held by a process and end with it;
between nodes they hold where the file system has locks (`flock`), and where it has none nobody is shut out.

A Snakemake that is killed alone may leave jobs behind, and they write on. So jobs hold a lock, too, and the next run
stops as long as one does. It also leaves a word of its own in the locked file, by which a job that
has not begun until then knows that its run is over.
"""

import fcntl
import os
import time
from pathlib import Path

from skymask.errors import SkymaskError

#: Seconds and pause between tries to get a lock, which whoever looks at it holds for a moment.
LOCK_TIMEOUT, PAUSE = 1, 0.05

#: Environment variable by which jobs know the run that started them: its word, and the file that they lock.
RUN = "SKYMASK_RUN"

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


def acquire_run_lock(shard, state=".snakemake"):
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
    folder = Path(state, "shards")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        # Snakemake cannot write there either, and says so.
        return
    if not _hold(folder / f"{_name(None)}.lock", fcntl.LOCK_EX if shard is None else fcntl.LOCK_SH):
        shards = ", ".join(working_shards(state))
        who = f"shards are at work in this folder ({shards})" if shards else "a run over all is at work in this folder"
        raise SkymaskError(f"{who}: wait for them; `skymask status` tells how far they are")
    if shard is not None and not _hold(folder / f"{_name(shard)}.lock", fcntl.LOCK_EX):
        _held.pop(folder / f"{_name(None)}.lock").close()
        raise SkymaskError(f"the shard {shard} is at work in this folder already: wait for it")


def begin_run(shard, state=".snakemake"):
    """Be the run whose jobs may begin, after `acquire_run_lock`.

    Parameters
    ----------
    shard, state
        See `acquire_run_lock`.

    Raises
    ------
    SkymaskError
        If jobs that a killed run left behind are still at work.
    """
    os.environ.pop(RUN, None)
    folder = Path(state, "shards").absolute()
    if not folder.is_dir():
        return
    own = folder / f"{_name(shard)}.jobs"
    # Other shards may be at work, and with a run over all nobody else is.
    earlier = folder.glob("*.jobs") if shard is None else [folder / f"{_name(None)}.jobs"]
    word = os.urandom(16).hex()
    for path in sorted({own, *earlier}):
        with open(path, "a") as file:
            if not _lock(file, fcntl.LOCK_EX, LOCK_TIMEOUT):
                raise SkymaskError(
                    "jobs of an earlier run that was killed are still at work in this folder: wait until they have "
                    "ended, or end them, and run again"
                )
            file.truncate(0)
            file.write(word)
    os.environ[RUN] = f"{word} {own}"


def begin_job():
    """Hold the lock of jobs for as long as this process lives, if a run of this machine started it.

    Raises
    ------
    SkymaskError
        If that run is over, and another one has begun.
    """
    word, _, path = os.environ.get(RUN, "").partition(" ")
    if not path:
        return
    try:
        file = open(path)  # noqa: SIM115
    except FileNotFoundError:
        # Somebody has removed Snakemake's folder meanwhile.
        return
    _lock(file, fcntl.LOCK_SH)
    if file.read() != word:
        file.close()
        raise SkymaskError("the run that started this job was killed, and another one has begun")
    _held[path] = file


def _name(shard):
    return "all" if shard is None else shard.replace("/", "-of-")


def _hold(path, kind):
    """Take a lock and keep it, unless another process has it; return whether nobody else does."""
    file = open(path, "a")  # noqa: SIM115
    if not _lock(file, kind, LOCK_TIMEOUT):
        file.close()
        return False
    _held[path] = file
    os.utime(path)
    return True


def _lock(file, kind, patience=float("inf")):
    """Lock an open file, if that can be had within so many seconds; return whether nobody else has the lock."""
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                return False
            time.sleep(PAUSE)
            continue
        except OSError:
            # A file system without locks.
            pass
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
