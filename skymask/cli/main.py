"""The command `skymask`: what is done beside the workflow. The analysis itself is the workflow's.

skymask init counts.fits          writes a first configuration for a counts map or an event list
skymask check                     says what a configuration will do, and everything that is wrong with it
skymask status                    says how every dataset stands, at any time; with --watch, shows the progress of a run
"""

import argparse
import sys

from skymask.errors import SkymaskError


def main(arguments=None):
    """Run the command and return its exit code: 0 if all is well, 1 if something is wrong."""
    parser = argparse.ArgumentParser(
        prog="skymask", description="Prepare and watch an analysis with the workflow skymask; run it with snakemake."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    init = commands.add_parser("init", help="write a first configuration for a counts map or an event list")
    init.add_argument("data", metavar="MAP_OR_EVENTS", help="FITS file, or file.fits[HDU]")
    init.add_argument("--output", default="mine.yaml", help="where to write it (default: %(default)s)")
    check = commands.add_parser("check", help="say what a configuration will do, and what is wrong with it")
    check.add_argument("--configfile", default="config.yaml", help="which one (default: %(default)s)")
    status = commands.add_parser("status", help="say how every dataset stands, and what to do")
    status.add_argument("--configfile", default="config.yaml", help="whose datasets (default: %(default)s)")
    status.add_argument("--watch", action="store_true", help="show the progress of a run on a terminal until it ends")
    options = parser.parse_args(arguments)
    try:
        if options.command == "init":
            return _init(options.data, options.output)
        if options.command == "status":
            return _watch(options.configfile) if options.watch else _status(options.configfile)
        return _check(options.configfile)
    except SkymaskError as error:
        print(error, file=sys.stderr)
    except Exception as error:
        print(f"unexpected {type(error).__name__}: {error}", file=sys.stderr)
    return 1


def _init(data, output):
    from skymask.cli.init import write_first_configuration

    write_first_configuration(data, output)
    print(f"{output} is written: read it, choose radii, then\n  python -m skymask check --configfile {output}")
    return 0


def _check(configfile):
    from skymask.cli.check import forecast

    lines, mistakes = forecast(configfile)
    for line in lines:
        print(line)
    for mistake in mistakes:
        print(f"wrong: {mistake}")
    print(f"{len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}" if mistakes else "nothing is wrong")
    return 1 if mistakes else 0


def _status(configfile):
    from skymask.cli.status import status

    lines, wrong = status(configfile)
    for line in lines:
        print(line)
    return 1 if wrong else 0


def _watch(configfile):
    from skymask.cli.progress import watch

    try:
        return 1 if watch(configfile) else 0
    except KeyboardInterrupt:
        # The run goes on; whoever ends the watching knows it.
        return 0
