"""Python with its imports done: runs of Snakemake are forks of this process, and their scripts forks of another one.

A run spares a second of CPU time that way, a script half a second or more. Reads a request per line from standard
input, and writes a line with the exit code when the run has ended. The library itself is imported by every script anew.
"""

import gc
import importlib.util
import json
import os
import runpy
import shlex
import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path

# Threads would not live in a fork.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import jsonschema  # noqa: F401
from snakemake.cli import get_argument_parser, main
from snakemake.script import PythonScript

# Snakemake's plugins are imported by the parser.
get_argument_parser()
MAIN = importlib.util.find_spec("snakemake.__main__").origin

#: What scripts import from elsewhere.
LIBRARIES = (
    "astropy.coordinates",
    "astropy.io.fits",
    "astropy.table",
    "astropy.wcs",
    "jinja2",
    "matplotlib.pyplot",
    "numpy.fft",
    "regions",
    "scipy.ndimage",
)

#: What a job starts in the place of Python.
STAND_IN = Path(__file__).with_name("ask_for_script.py")


def become_snakemake(*, arguments, folder, environment, output, seconds):
    """Become what `python -m snakemake` is in a folder."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [MAIN, *arguments]
    sys.path[0] = folder
    for path, flags, descriptors in ((os.devnull, os.O_RDONLY, (0,)), (output, os.O_WRONLY | os.O_APPEND, (1, 2))):
        opened = os.open(path, flags)
        for descriptor in descriptors:
            os.dup2(opened, descriptor)
        os.close(opened)
    signal.alarm(seconds)
    end_with(main)


def end_with(program):
    """Run a program and end as it does, but without clearing away what was imported, which would be copied for that."""
    code = 0
    try:
        program()
    except SystemExit as end:
        code = end.code or 0
        if isinstance(code, str):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def serve_scripts(listener):
    """Run the scripts that are asked for, each in a fork of this process."""
    for name in LIBRARIES:
        importlib.import_module(name)
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            run_script(connection)
        connection.close()


def run_script(connection):
    """Become what `python script` is where it was asked for, and tell its exit code there."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    request, descriptors, _, _ = socket.recv_fds(connection, 1 << 16, 3)
    while part := connection.recv(1 << 16):
        request += part
    child = os.fork()
    if child:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        connection.send(str(code).encode())
        os._exit(0)
    connection.close()
    for descriptor, opened in enumerate(descriptors):
        os.dup2(opened, descriptor)
        os.close(opened)
    script, folder, environment = json.loads(request)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [script]
    sys.path[0] = os.path.dirname(script)
    end_with(lambda: runpy.run_path(script, run_name="__main__"))


folder = tempfile.mkdtemp()
address = os.path.join(folder, "scripts")
listener = socket.socket(socket.AF_UNIX)
listener.bind(address)
listener.listen(64)
server = os.fork()
if server == 0:
    serve_scripts(listener)
listener.close()
python = shlex.join([sys.executable, "-I", "-S", str(STAND_IN), address])
PythonScript.execute_script = lambda script, fname, edit=False: script._execute_cmd(
    "{python} {fname:q}", python=python, fname=fname, is_python_script=True
)
gc.freeze()
while line := sys.stdin.readline():
    child = os.fork()
    if child == 0:
        become_snakemake(**json.loads(line))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
os.kill(server, signal.SIGKILL)
os.waitpid(server, 0)
shutil.rmtree(folder)
