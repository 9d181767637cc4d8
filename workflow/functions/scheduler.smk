"""What has to be mended in Snakemake's scheduler before it starts.

Needs: nothing. Makes: mend_scheduler.
"""

import signal
import threading


def mend_scheduler():
    """Take the limit of jobs per second from local runs, and let SIGTERM end every run.

    The limit costs a timer thread in every scheduling round, and local jobs need none. Snakemake's own handler of
    SIGTERM waits for a lock that the thread it interrupts may hold, and then the run hangs for good; in a thread of
    its own it gets the lock when it is free. It also waits for all jobs that have been submitted, which may be in a
    queue for days: where jobs are submitted, SIGTERM cancels them as Ctrl-C does.
    """
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None
    if threading.current_thread() is not threading.main_thread():
        return
    if workflow.local_exec:
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=workflow.scheduler.exit_gracefully).start())
    else:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
