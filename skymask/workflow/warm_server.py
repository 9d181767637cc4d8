"""The server of `warm_start`: a process that has imported what scripts need, and forks itself for each of them.

What a script is and does is the same as in plain Python. So a script is taken only where a new process would be like
a fork of this one: with the same folder, limits and environment (but for variables that no import reads), and as long
as imports started no thread and changed no variable. What is imported comes from where plain Python would find it.

The server imports nothing before the first script, and then what scripts name at their beginning; what one imports
later is imported for the next ones. It is a single thread. When the process that started it ends, or a client, it ends
their scripts with all processes that these began; and when it is killed itself, the kernel ends its scripts.
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
import shutil
import signal
import socket
import struct
import sys
import sysconfig
import tempfile
import threading
import types
from contextlib import contextmanager, suppress

#: Variables that shells and Snakemake set for jobs, and that no import reads.
OF_JOBS = {b"PWD", b"OLDPWD", b"SHLVL", b"_", b"TMPDIR", b"TMP", b"TEMPDIR", b"TEMP"}

#: The line that ends what Snakemake puts before a script, and what stands there.
PREAMBLE_END = b"######## snakemake preamble end #########\n"
PREAMBLE = ("pickle", "snakemake.logging", "snakemake.iocontainers")

#: A line of a script that imports a module, or names from one.
IMPORT = re.compile(r"^(?:import ([\w.]+)|from ([\w.]+) import ([\w, ]+))", re.MULTILINE)

#: Bytes that a script may tell at its end: as many as a pipe holds.
PIPE_SIZE = 1 << 16

#: Seconds that a client may take to hand over a script.
PATIENCE = 5

#: Of Linux: which signal a process gets when its parent ends.
PR_SET_PDEATHSIG = 1

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
    listener : int
        Descriptor of the socket at which clients ask.
    folder : str
        Is removed in the end.
    search_path : list of str
        Where scripts find what plain Python alone does not.
    """

    def __init__(self, listener, folder, search_path):
        self.listener = socket.socket(fileno=listener)
        self.folder = folder
        #: Of every script that runs, by process: the connection to its client, and the pipe for what it imported.
        self.jobs = {}
        self.path = sys.path if sys.flags.safe_path else sys.path[1:]
        sys.path = [*self.path, *search_path]
        self.tried = set()
        self.environment = dict(os.environb)
        self.surroundings = surroundings_of(os.getpid())
        self.kernel = ctypes.CDLL(None)
        # What a terminal sends all processes is for the scripts to decide about.
        self.interrupt = signal.signal(signal.SIGINT, lambda *_: None)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.ended, self.wakeup = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self.wakeup, warn_on_full_buffer=False)
        # Unlike epoll it is not shared with forks.
        self.selector = selectors.PollSelector()
        self.selector.register(self.listener, selectors.EVENT_READ, self.accept)
        self.selector.register(self.ended, selectors.EVENT_READ, self.reap)
        self.selector.register(sys.stdin.fileno(), selectors.EVENT_READ)
        gc.disable()

    def serve(self):
        """Run scripts until the process that started this one is gone."""
        while True:
            for key, _ in self.selector.select():
                if key.data is None:
                    return
                # What was ready a moment ago may be closed.
                if key.fd in self.selector.get_map():
                    key.data()

    def end(self):
        """End all scripts and leave nothing."""
        for process in self.jobs:
            kill_tree(process)
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit._run_exitfuncs()
        os._exit(0)

    def accept(self):
        """Run the script that a client asks for, or close its connection: then the client becomes plain Python."""
        connection, _ = self.listener.accept()
        taken = False
        # It is gone, or the script is, or there can be no more processes.
        with suppress(OSError, EOFError, ValueError):
            connection.settimeout(PATIENCE)
            with request_of(connection) as (request, streams, client):
                script, folder, umask, environment = marshal.loads(request)
                with open(script, "rb") as file:
                    source = file.read()
                if (
                    folder == os.getcwdb()
                    and of_imports(environment) == of_imports(self.environment)
                    and surroundings_of(client) == self.surroundings
                    and self.import_for(source)
                ):
                    self.fork(connection, streams, script, source, umask, environment)
                    taken = True
        if not taken:
            connection.close()

    def import_for(self, source):
        """Import what a script names at its beginning; return whether a fork would be like a new process."""
        self.import_modules((*PREAMBLE, *named_modules(source.partition(PREAMBLE_END)[2].decode(errors="replace"))))
        if len(os.listdir("/proc/self/task")) == 1 and os.environb == self.environment:
            return True
        self.selector.unregister(self.listener)
        self.listener.close()
        return False

    def import_modules(self, names):
        """Import modules, if they can be imported; each of them is tried once."""
        for name in names:
            if name not in self.tried:
                self.tried.add(name)
                with suppress(Exception, SystemExit):
                    importlib.import_module(name)
        # Collecting garbage in a fork would write to all memory that it shares with this process.
        gc.freeze()

    def fork(self, connection, streams, script, source, umask, environment):
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
                        self.become_job(connection, streams, script, umask, environment)
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
        self.selector.register(connection, selectors.EVENT_READ, lambda: self.abandon(process))

    def become_job(self, connection, streams, script, umask, environment):
        """Become, in a fork, what a new Python is before it runs a script, and tell its client that it is run."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, self.interrupt)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        self.listener.close()
        for other, names in self.jobs.values():
            other.close()
            os.close(names)
        os.close(self.ended)
        os.close(self.wakeup)
        connection.send(b"!")
        connection.close()
        os.umask(umask)
        os.environ.clear()
        os.environb.update(environment)
        sys.stdout.reconfigure(line_buffering=os.isatty(1))
        sys.path = self.path if sys.flags.safe_path else [os.path.dirname(script), *self.path]
        sys.argv = [script]
        sys.orig_argv = [sys.executable, script]
        # Every process has random numbers of its own, and may have its own folder for temporary files.
        tempfile.tempdir = None
        if "numpy.random" in sys.modules:
            sys.modules["numpy.random"].seed()
        gc.enable()

    def abandon(self, process):
        """End a script whose client is gone."""
        self.selector.unregister(self.jobs[process][0])
        kill_tree(process)

    def reap(self):
        """Tell clients of scripts that have ended, and import what these imported."""
        os.read(self.ended, PIPE_SIZE)
        while True:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if process == 0:
                return
            if process not in self.jobs:
                continue
            connection, names = self.jobs.pop(process)
            with suppress(KeyError):
                self.selector.unregister(connection)
            with suppress(OSError), connection:
                connection.send(str(os.waitstatus_to_exitcode(status)).encode())
            with suppress(BlockingIOError):
                self.import_modules(os.read(names, PIPE_SIZE).decode().split())
            os.close(names)


@contextmanager
def request_of(connection):
    """Receive what a client says, its standard streams, to be closed in the end, and the number of its process."""
    length, streams, _, _ = socket.recv_fds(connection, 8, 3)
    try:
        client, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if user != os.getuid() or len(streams) != 3:
            raise ValueError("no client of this server")
        request = b""
        while missing := int.from_bytes(length, sys.byteorder) - len(request):
            part = connection.recv(missing)
            if not part:
                raise EOFError("the client is gone")
            request += part
        yield request, streams, client
    finally:
        for stream in streams:
            os.close(stream)


def of_imports(environment):
    """Return the variables of an environment that imports may read."""
    return {name: value for name, value in environment.items() if name not in OF_JOBS}


def surroundings_of(process):
    """Return what a process inherits, but for folder, environment and umask."""
    limits = [resource.prlimit(process, limit) for limit in LIMITS]
    return limits, os.getpriority(os.PRIO_PROCESS, process), os.sched_getaffinity(process)


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
    before = set(sys.modules)
    main = types.ModuleType("__main__")
    main.__loader__ = importlib.machinery.SourceFileLoader("__main__", script)
    main.__dict__.update(__file__=script, __cached__=None, __annotations__={}, __builtins__=sys.modules["builtins"])
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
    """Return the names of the modules of libraries that were imported since there were only those."""
    new = [module for name, module in sys.modules.items() if name not in before]
    specifications = [getattr(module, "__spec__", None) for module in new]
    return [one.name for one in specifications if one and str(one.origin).startswith(LIBRARIES)]


if __name__ == "__main__":
    server = Server(**json.loads(sys.stdin.readline()))
    server.serve()
    server.end()
