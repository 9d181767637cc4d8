"""The process of `warm_start`: it has imported what scripts need, and forks itself for each of them.

What a script is and does is the same as in plain Python. So a script is taken only where a new process would be like
a fork of this one: with the same folder, limits and environment (but for variables that no import reads), and as long
as imports started no thread and changed no variable. What is imported comes from where plain Python would find it.

The process imports what scripts name at their beginning before it runs them, and what one imports later for the next
ones. It is a single thread. When the process that started it ends, it ends its scripts with all that these began; and
when it is killed itself, the kernel ends its scripts.
"""

import atexit
import ctypes
import gc
import importlib
import importlib.machinery
import json
import marshal
import os
import re
import resource
import selectors
import signal
import socket
import sys
import sysconfig
import tempfile
import threading
import types
from contextlib import suppress
from itertools import islice

#: Variables that shells and Snakemake set for jobs, and that no import reads.
OF_JOBS = {b"PWD", b"OLDPWD", b"SHLVL", b"_", b"TMPDIR", b"TMP", b"TEMPDIR", b"TEMP"}

#: The line that ends what Snakemake puts before a script, and what stands there.
PREAMBLE_END = b"######## snakemake preamble end #########\n"
PREAMBLE = ("pickle", "snakemake.logging", "snakemake.iocontainers")

#: A line of a script that imports a module, or names from one.
IMPORT = re.compile(r"^(?:import ([\w.]+)|from ([\w.]+) import ([\w, ]+))", re.MULTILINE)

#: Bytes that a script may tell at its end: as many as a pipe holds.
PIPE_SIZE = 1 << 16

#: Seconds that it may take to hand over a script.
PATIENCE = 5

#: Of Linux: which signal a process gets when its parent ends, and its name.
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15

#: The limits of a process.
LIMITS = sorted({getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")})

#: Where modules lie that are the same for every script: Python's own, those installed, and this package.
LIBRARIES = (
    *(sysconfig.get_path(kind) + os.sep for kind in ("stdlib", "platstdlib", "purelib", "platlib")),
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep,
)


class Server:
    """A server, in its process.

    Parameters
    ----------
    requests : socket
        Through which scripts are handed over; it closes when the process at its other end is gone.
    search_path : list of str
        Where scripts find what plain Python alone does not.
    """

    def __init__(self, requests, search_path):
        self.requests = requests
        #: Of every script that runs, by process: the connection of who waits for it, and the pipe for what it imported.
        self.jobs = {}
        self.path = sys.path if sys.flags.safe_path else sys.path[1:]
        sys.path = [*self.path, *search_path]
        self.tried = set()
        self.prepared = set()
        self.is_fit = True
        self.environment = dict(os.environb)
        self.surroundings = surroundings_of(os.getpid())
        self.kernel = ctypes.CDLL(None)
        # What a terminal sends all processes is for the scripts to decide about.
        self.interrupt = signal.signal(signal.SIGINT, lambda *_: None)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.ended, self.wakeup = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self.wakeup, warn_on_full_buffer=False)
        gc.disable()
        self.import_modules(PREAMBLE)

    def serve(self):
        """Run scripts until the process that hands them over is gone, and leave none."""
        # Unlike epoll, poll shares nothing with forks.
        selector = selectors.PollSelector()
        selector.register(self.requests, selectors.EVENT_READ, self.accept)
        selector.register(self.ended, selectors.EVENT_READ, self.reap)
        while all(key.data() for key, _ in selector.select()):
            pass
        for process in self.jobs:
            kill_tree(process)

    def accept(self):
        """Run the script that is handed over, or close its connection; return whether there may be more."""
        said, descriptors, _, _ = socket.recv_fds(self.requests, 1, 4)
        if not said:
            return False
        *streams, connection = descriptors
        connection = socket.socket(fileno=connection)
        taken = False
        # The script may be gone, or there can be no more processes.
        with suppress(OSError):
            connection.settimeout(PATIENCE)
            script, folder, environment = marshal.loads(b"".join(iter(lambda: connection.recv(PIPE_SIZE), b"")))
            with open(script, "rb") as file:
                source = file.read()
            if (
                folder == os.getcwdb()
                and of_imports(environment) == of_imports(self.environment)
                and surroundings_of(os.getppid()) == self.surroundings
                and self.prepare(source.partition(PREAMBLE_END)[2].decode(errors="replace"))
            ):
                self.fork(connection, streams, script, source, environment)
                taken = True
        for stream in streams:
            os.close(stream)
        if not taken:
            connection.close()
        return True

    def prepare(self, script):
        """Do what the source of a script needs and forks can share; return whether they would be like new processes."""
        if script not in self.prepared:
            self.prepared.add(script)
            self.import_modules(named_modules(script))
            fill_caches(script)
            self.is_fit = self.is_fit and len(os.listdir("/proc/self/task")) == 1 and os.environb == self.environment
        return self.is_fit

    def import_modules(self, names):
        """Import modules, if they can be imported; each of them is tried once."""
        for name in names:
            if name not in self.tried:
                self.tried.add(name)
                with suppress(Exception, SystemExit):
                    importlib.import_module(name)
        # To collect garbage in a fork would write to all memory that it shares with this process.
        gc.freeze()

    def fork(self, connection, streams, script, source, environment):
        """Fork a process that runs a script."""
        names, told = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        server = os.getpid()
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            process = os.fork()
            if process == 0:
                try:
                    self.kernel.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                    if os.getppid() == server:
                        os.close(names)
                        self.become_job(connection, streams, script, environment)
                        run_script(script, source, told)
                finally:
                    os._exit(1)
        except OSError:
            os.close(names)
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
            os.close(told)
        self.jobs[process] = connection, names

    def become_job(self, connection, streams, script, environment):
        """Become, in a fork, what a new Python is before it runs a script, and tell who waits that it is run."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, self.interrupt)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        # The first is where requests came in.
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        for other, names in self.jobs.values():
            other.close()
            os.close(names)
        os.close(self.ended)
        os.close(self.wakeup)
        for name in os.environb.keys() - environment.keys():
            del os.environb[name]
        for name, value in environment.items():
            if os.environb.get(name) != value:
                os.environb[name] = value
        sys.stdout.reconfigure(line_buffering=os.isatty(1))
        sys.path = self.path if sys.flags.safe_path else [os.path.dirname(script), *self.path]
        self.kernel.prctl(PR_SET_NAME, os.fsencode(os.path.basename(script).partition(".")[2]))
        sys.argv = [script]
        sys.orig_argv = [sys.executable, script]
        # Every process has random numbers of its own, and may have its own folder for temporary files.
        tempfile.tempdir = None
        if "numpy.random" in sys.modules:
            sys.modules["numpy.random"].seed()
        gc.enable()
        connection.send(b"!")
        connection.close()

    def reap(self):
        """Tell who waits of scripts that have ended, and import what these imported; return True."""
        os.read(self.ended, PIPE_SIZE)
        ended = []
        with suppress(ChildProcessError):
            while (process := os.waitpid(-1, os.WNOHANG))[0]:
                ended.append(process)
        for process, status in ended:
            # What imports began is no script.
            if process in self.jobs:
                connection, names = self.jobs.pop(process)
                with suppress(OSError), connection:
                    connection.send(str(os.waitstatus_to_exitcode(status)).encode())
                with suppress(BlockingIOError):
                    self.import_modules(os.read(names, PIPE_SIZE).decode().split())
                os.close(names)
        return True


def of_imports(environment):
    """Return the variables of an environment that imports may read."""
    return {name: value for name, value in environment.items() if name not in OF_JOBS}


def surroundings_of(process):
    """Return what a process hands on to those that it begins, but for folder and environment."""
    limits = [resource.prlimit(process, limit) for limit in LIMITS]
    with open(f"/proc/{process}/status") as file:
        umask = [line for line in file if line.startswith("Umask")]
    return limits, umask, os.getpriority(os.PRIO_PROCESS, process), os.sched_getaffinity(process)


def named_modules(script):
    r"""Return the modules that the source of a script may import at its beginning.

    >>> named_modules("import numpy as np\nfrom skymask.io import maps")
    ['numpy', 'skymask.io', 'skymask.io.maps']
    """
    modules = []
    for module, package, names in IMPORT.findall(script):
        modules.append(module or package)
        modules += [f"{package}.{words.split()[0]}" for words in names.split(",") if words.strip()]
    return modules


def kill_tree(process):
    """Kill a process and all that it began; they are stopped first, so that none begins another."""
    tree, found = [], [process]
    while found:
        for one in found:
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGSTOP)
        tree += found
        found = [child for child, parent in parents().items() if parent in tree and child not in tree]
    for one in tree:
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


def parents():
    """Return the parent of every process."""
    found = {}
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
            # After the program's name, which may hold anything: state, parent.
            found[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
    return found


def run_script(script, source, told):
    """Do what Python does with a script, tell which modules that imported, and end as Python does."""
    before = len(sys.modules)
    main = types.ModuleType("__main__")
    main.__loader__ = importlib.machinery.SourceFileLoader("__main__", script)
    main.__dict__.update(__file__=script, __builtins__=sys.modules["builtins"])
    # What else a main module has depends on Python's version.
    others = {"__annotations__": {}, "__cached__": None}
    main.__dict__.update((name, others[name]) for name in others if hasattr(sys.modules["__main__"], name))
    sys.modules["__main__"] = main
    code = 0
    try:
        exec(compile(source, script, "exec", dont_inherit=True), main.__dict__)
    except SystemExit as end:
        if isinstance(end.code, int):
            code = end.code & 0xFF
        elif end.code is not None:
            print(end.code, file=sys.stderr)
            code = 1
    except BaseException as error:
        # This function does not belong to it.
        sys.excepthook(type(error), error.with_traceback(error.__traceback__.tb_next), None)
        code = -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    with suppress(OSError):
        os.write(told, " ".join(imported_since(before)).encode()[:PIPE_SIZE])
    threading._shutdown()
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError as error:
        # In Python's words.
        with suppress(OSError):
            print(f"Exception ignored in: {sys.stdout!r}\n{type(error).__name__}: {error}", file=sys.stderr)
        code = 120
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    # To clear away what was imported would copy the memory that is shared.
    os._exit(code)


def imported_since(before):
    """Return the names of the modules of libraries that were imported since there were so many modules."""
    # The last ones first, so that the others are not touched.
    new = [sys.modules[name] for name in islice(reversed(sys.modules), max(0, len(sys.modules) - before))]
    specifications = [getattr(module, "__spec__", None) for module in reversed(new)]
    return [one.name for one in specifications if one and str(one.origin).startswith(LIBRARIES)]


def fill_caches(script):
    """Have what a script computes at first computed here, for its forks to know."""
    if "skymask.workflow.digests" in sys.modules:
        with suppress(Exception):
            sys.modules["skymask.workflow.digests"].library_digest(script)


def main():
    """Serve the process at the other end of the standard input."""
    server = Server(socket.socket(fileno=0), json.loads(sys.argv[1]))
    server.serve()
    atexit._run_exitfuncs()
    # To clear away what was imported takes longer.
    os._exit(0)


if __name__ == "__main__":
    main()
