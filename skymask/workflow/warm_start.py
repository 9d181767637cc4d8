"""Jobs that start in milliseconds: a program that stands for Python, and has scripts run by forks of one process.

Most of what a small job takes is Python's start and its imports. `start` makes a program that is Python in every
respect. Given a script of Snakemake's it asks a server to run it (`warm_client`, `warm_server`); given anything else,
or where the server does not answer or does not take it, it becomes plain Python with the same arguments.
"""

import atexit
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

#: Environment variable that, as "off", lets every job start in a Python of its own.
SWITCH = "SKYMASK_WARM_STARTS"

#: What Snakemake sets to the number of threads of a job, for libraries that read it when they are imported.
THREADS = (
    "OMP_NUM_THREADS",
    "GOTO_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)

#: Python itself, before a program stood for it.
PYTHON = sys.executable

#: The program that stands for Python.
STAND_IN = '#!/bin/sh\nexec {client} "$@"\n'


def start():
    """Start a server for the jobs of this process, which run in the present folder and environment.

    Returns
    -------
    stand_in : str or None
        Path of the program that stands for Python for as long as this process lives; None where jobs start plainly.
    """
    # On macOS a process that has used its frameworks cannot fork.
    if not sys.platform.startswith("linux") or os.environ.get(SWITCH) == "off":
        return None
    try:
        # Nobody else can enter it.
        folder = tempfile.mkdtemp(prefix="skymask-")
    except OSError:
        return None
    try:
        stand_in = _write_stand_in(Path(folder))
        server = _start_server(folder)
    except OSError:
        # A path that is too long for a socket is one, too.
        shutil.rmtree(folder, ignore_errors=True)
        return None
    atexit.register(_end, server, folder)
    return stand_in


def _write_stand_in(folder):
    client = [PYTHON, "-I", "-S", str(Path(__file__).with_name("warm_client.py"))]
    client += [PYTHON, str(folder / "socket"), str(os.getpid())]
    path = folder / "python"
    path.write_text(STAND_IN.format(client=shlex.join(client)))
    path.chmod(0o700)
    # Snakemake writes it into a command as it is; and there are file systems from which no program may start.
    if shlex.quote(str(path)) != str(path) or not os.access(path, os.X_OK):
        raise OSError(f"{path} cannot be run")
    return str(path)


def _start_server(folder):
    """Return the process of a server that listens already, and ends when its standard input is closed."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.join(folder, "socket"))
        listener.listen(socket.SOMAXCONN)
        server = subprocess.Popen(
            [PYTHON, Path(__file__).with_name("warm_server.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
            env=os.environ | dict.fromkeys(THREADS, "1"),
        )
        told = {"listener": listener.fileno(), "folder": folder, "search_path": list(filter(os.path.isdir, sys.path))}
        server.stdin.write(json.dumps(told).encode() + b"\n")
        server.stdin.flush()
    return server


def _end(server, folder):
    server.stdin.close()
    server.wait()
    shutil.rmtree(folder, ignore_errors=True)
