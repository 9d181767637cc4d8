"""Progress of a run on a terminal: a bar per dataset and the time left, told from files alone."""

import os
import shutil
import sys
import time
from pathlib import Path

from skymask.cli.status import WRONG, lines_of, standings_of
from skymask.workflow.jobs import TOOK
from skymask.workflow.locks import locked_since

#: States of datasets that have not ended.
UNENDED = ("not begun", "waiting", "running", "interrupted", "crashed")

#: Seconds between two looks, and characters of a bar.
PAUSE, WIDTH = 2, 24

#: A log's last line has no more bytes.
LAST_LINE = 100


def watch(path, stream=None, pause=PAUSE):
    """Show how the datasets of a configuration stand until no run goes on any more, then their table.

    Where the stream is no terminal, or nothing runs, there is the table only.

    Parameters
    ----------
    path : str or Path
        The configuration, as for `skymask.cli.status.status`.
    stream : file, optional
        The standard output if not given.
    pause : float
        Seconds between two looks.

    Returns
    -------
    wrong : bool
        Whether any dataset went wrong.

    Raises
    ------
    ConfigurationError
        If the configuration cannot be read.
    """
    stream = stream or sys.stdout
    shown = 0
    while stream.isatty() and (started := locked_since()) is not None:
        standings, folders = standings_of(path)
        size = shutil.get_terminal_size()
        lines = picture(standings, folders["logs"], started, time.time(), rows=size.lines - 2)
        # Back to the first line of what was shown before, and over it.
        stream.write(f"\x1b[{shown}F\x1b[J" if shown else "")
        stream.write("".join(f"{line[: size.columns - 1]}\n" for line in lines))
        stream.flush()
        shown = len(lines)
        time.sleep(pause)
    standings, _ = standings_of(path)
    stream.write(f"\x1b[{shown}F\x1b[J" if shown else "")
    stream.write("".join(f"{line}\n" for line in lines_of(standings, path)))
    return any(one.state in WRONG for one in standings)


def picture(standings, logs, started, now, rows=40):
    """Return the lines that show a run: a bar for each dataset that goes on, how many have ended, and the time left.

    Parameters
    ----------
    standings : list of Standing
    logs : str or Path
        Folder of the logs. Those older than the run say how long a dataset takes.
    started, now : float
        When the run began and the present, in seconds.
    rows : int
        At most so many lines.
    """
    done, ever = {}, {}
    for one in standings:
        done[one.dataset], ever[one.dataset] = seconds_of(Path(logs, one.dataset), started)
    ended = [one.dataset for one in standings if one.state not in UNENDED]
    usual = sum(ever[name] for name in ended) / len(ended) if ended else 0.0
    expected = {name: max(ever[name], usual) for name in ever}
    open_ones = [one for one in standings if one.state in UNENDED]
    # Those at work first.
    open_ones.sort(key=lambda one: one.state in ("not begun", "waiting"))
    width = max((len(one.dataset) for one in open_ones), default=0)
    lines = []
    for one in open_ones[: rows - 2]:
        part = done[one.dataset] / expected[one.dataset] if usual or ever[one.dataset] > done[one.dataset] else 0.0
        bar = "█" * round(part * WIDTH)
        number = "" if one.iteration is None else f", iteration {one.iteration}"
        lines.append(f"{one.dataset:<{width}} {bar:░<{WIDTH}} {one.state}{number}  {one.reason}".rstrip())
    if len(open_ones) > len(lines):
        lines.append(f"... and {len(open_ones) - len(lines)} more")
    left = sum(expected[one.dataset] - done[one.dataset] for one in open_ones)
    told = f"{len(ended)} of {len(standings)} datasets have ended"
    if left > 0 and sum(done.values()) > 0:
        # As many seconds of jobs go by in a second as until now.
        told += f", about {duration(left * (now - started) / sum(done.values()))} left"
    return [*lines, told]


def seconds_of(folder, since):
    """Return how long the jobs took whose logs lie below a folder: those that ended since a time, and all."""
    recent = total = 0.0
    for path in Path(folder).rglob("*.log"):
        try:
            with open(path, "rb") as file:
                # The last line says it.
                file.seek(-min(LAST_LINE, os.fstat(file.fileno()).st_size), os.SEEK_END)
                took = TOOK.search(file.read().decode(errors="replace"))
                ended = os.fstat(file.fileno()).st_mtime
        except OSError:
            continue
        if took:
            total += float(took[1])
            recent += float(took[1]) if ended >= since else 0.0
    return recent, total


def duration(seconds):
    """Return a time in the two units in which it is easily read."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
