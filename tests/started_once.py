"""Snakemake with its imports done: every run is a fork of this process, which spares a second of CPU time each.

Reads a request per line from standard input, and writes a line with the exit code when the run has ended.
"""

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


def become(*, arguments, folder, environment, output, seconds):
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


while line := sys.stdin.readline():
    child = os.fork()
    if child == 0:
        become(**json.loads(line))
        main()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
