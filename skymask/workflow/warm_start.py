"""Jobs that start in milliseconds: scripts are run by forks of a process that has imported what they need.

Most of what a small job takes is Python's start and its imports. A `Server` starts that process (`warm_server`) and has
scripts run by it, which are and do what they would in plain Python. What it does not take is for plain Python to run.
"""

import atexit
import json
import marshal
import os
import signal
import socket
import subprocess
import sys
import threading
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

#: What it sets to a job's folder for temporary files.
TEMPORARY = ("TMPDIR", "TMP", "TEMPDIR", "TEMP")

#: Seconds that the process is given to end.
PATIENCE = 5


def is_possible():
    """Whether jobs can start that way: on macOS a process that has used its frameworks cannot be forked."""
    return sys.platform.startswith("linux") and os.environ.get(SWITCH) != "off"


def job_environment(threads=1, folder=None):
    """Return the environment that Snakemake gives a job of this process.

    Parameters
    ----------
    threads : int
        Of the job.
    folder : str, optional
        For its temporary files.
    """
    temporary = dict.fromkeys(TEMPORARY, folder) if folder else {}
    return os.environ | dict.fromkeys(THREADS, str(threads)) | temporary


class Server:
    """The process whose forks run scripts; it ends when this process does, and its scripts with it.

    Its scripts have the folder, limits and environment in which it was started, but for what `run` is given.
    """

    def __init__(self):
        # Nobody else can reach it: the socket has no name.
        self._requests, requests = socket.socketpair()
        self._sending = threading.Lock()
        search_path = list(filter(os.path.isdir, sys.path))
        with requests:
            self._process = subprocess.Popen(
                [sys.executable, Path(__file__).with_name("warm_server.py"), json.dumps(search_path)],
                stdin=requests,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=job_environment(),
            )
        atexit.register(self.end)

    @property
    def pid(self):
        """The number of the process."""
        return self._process.pid

    def run(self, script, environment, streams=(0, 1, 2)):
        """Run a script as Python does, and wait for its end.

        Parameters
        ----------
        script : str
            A path.
        environment : dict of str to str
            Of the script.
        streams : sequence of int
            Descriptors of its standard input, output and error.

        Returns
        -------
        code : int or None
            The exit code, or the negative number of the signal that ended the script; None if it was not run, because
            its process would not be like a new one, or the server is gone.
        """
        environment = {os.fsencode(name): os.fsencode(value) for name, value in environment.items()}
        started = False
        connection, other_end = socket.socketpair()
        with connection:
            try:
                with other_end, self._sending:
                    socket.send_fds(self._requests, [b"!"], [*streams, other_end.fileno()])
                connection.sendall(marshal.dumps((script, os.getcwdb(), environment)))
                connection.shutdown(socket.SHUT_WR)
                started = connection.recv(1) == b"!"
                code = b"".join(iter(lambda: connection.recv(16), b"")) if started else b""
            except OSError:
                code = b""
        # Where the server was killed, its scripts were, too.
        return int(code or -signal.SIGKILL) if started else None

    def end(self):
        """End the process and the scripts that it runs."""
        atexit.unregister(self.end)
        self._requests.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
