"""Snakemake with its imports done: runs are forks of this process, which spares each a second of CPU time.

Reads a request per line from standard input, and writes a line with the exit code when the run has ended.
"""

import gc
import importlib.util
import json
import os
import signal
import sys

# Threads would not live in a fork.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import jsonschema  # noqa: F401
from snakemake.cli import get_argument_parser, main

# Snakemake's plugins are imported by the parser.
get_argument_parser()
MAIN = importlib.util.find_spec("snakemake.__main__").origin


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


gc.freeze()
while line := sys.stdin.readline():
    child = os.fork()
    if child == 0:
        become_snakemake(**json.loads(line))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
