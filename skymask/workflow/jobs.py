"""What every job of the workflow shares: its log and its errors."""

import os
import re
import resource
import sys
import time
import traceback
from contextlib import contextmanager
from pathlib import Path

from skymask.errors import SkymaskError
from skymask.io.atomic import check_identities
from skymask.workflow.digests import library_digest
from skymask.workflow.locks import begin_job

#: The last line of the log of a job that did its work: see `what_it_took`.
TOOK = re.compile(r"^took ([\d.]+) s, ([\d.]+) s of CPU, ([\d.]+) MB$", re.MULTILINE)


@contextmanager
def job(snakemake):
    """Run the body of a script: output goes to the rule's log, a user's mistake becomes one line and exit code 1.

    Parameters
    ----------
    snakemake : object
        What Snakemake hands to a script; its rule has a log and `params.code`, digests of the code that the workflow
        was read with, and may have `params.identity`, the user's files as they were when the run began.

    Yields
    ------
    tell : callable
        Writes a line to the terminal, past the log.
    """
    began = time.monotonic()
    try:
        begin_job()
    except SkymaskError as error:
        # The log is another run's by now.
        sys.exit(f"{snakemake.rule}: {error}")
    terminal = os.dup(2)

    def tell(line):
        os.write(terminal, f"{line}\n".encode())

    with open(snakemake.log[0], "w", encoding="utf-8") as log:
        for descriptor in (1, 2):
            os.dup2(log.fileno(), descriptor)
    wildcards = " ".join(str(value) for value in snakemake.wildcards)
    try:
        script = Path(sys.modules["__main__"].__file__).read_text(encoding="utf-8")
        if snakemake.params.code["library"] != library_digest(script):
            raise SkymaskError(
                f"the library in {Path(__file__).parent} is not the one the workflow was read with: "
                "another skymask is installed, or its source was edited meanwhile; run again"
            )
        identities = list(getattr(snakemake.params, "identity", {}).values())
        check_identities(identities)
        yield tell
        check_identities(identities)
        print(what_it_took(began), file=sys.stderr)
    except SkymaskError as error:
        print(error, file=sys.stderr)
        tell(f"{snakemake.rule} {wildcards}: {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        # Whoever interrupts a run knows it.
        sys.exit(1)
    except Exception as error:
        traceback.print_exc()
        tell(f"{snakemake.rule} {wildcards}: unexpected {type(error).__name__}: {error} (see {snakemake.log[0]})")
        sys.exit(1)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def what_it_took(began):
    """Return a line with time, CPU time and the largest memory of this process and those that it waited for.

    Parameters
    ----------
    began : float
        When its work began, in seconds, as from `time.monotonic`. CPU time and memory are those since the process
        began: with its imports, or with the memory that it shares with the process of which it is a fork.
    """
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    # In kilobytes, but in bytes on macOS.
    megabytes = max(usage.ru_maxrss for usage in usages) / (1e6 if sys.platform == "darwin" else 1e3)
    return f"took {time.monotonic() - began:.2f} s, {seconds:.2f} s of CPU, {megabytes:.0f} MB"
