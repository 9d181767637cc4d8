"""Stands for Python where Snakemake starts a script: has the server of `warm_start` run it, or becomes plain Python.

Run by `python -I -S`, with Python's path, the server's socket and the number of Snakemake's process, and then what
Python is given. It imports what is built into Python: `socket` and `os` would take longer than everything else.
"""

import _signal
import _socket
import marshal
import posix
import sys

#: Part of the path of the scripts that Snakemake makes of `script:`.
SCRIPTS = "/.snakemake/scripts/"


def run_script(address, script):
    """Have a script run here by the server, and return its exit code, or None if the server does not run it.

    As from `os.waitstatus_to_exitcode`: the negative number of a signal if that ended it.
    """
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    if connection.fileno() < 3:
        # Of the standard streams one is closed, and cannot be handed over.
        return None
    umask = posix.umask(0)
    posix.umask(umask)
    request = marshal.dumps((script, posix.getcwdb(), umask, posix.environ))
    streams = b"".join(number.to_bytes(4, sys.byteorder) for number in range(3))
    try:
        connection.connect(address)
        length = len(request).to_bytes(8, sys.byteorder)
        connection.sendmsg([length], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
        connection.sendall(request)
        if connection.recv(1) != b"!":
            return None
    except OSError:
        return None
    if _signal.getsignal(_signal.SIGINT) is not _signal.SIG_IGN:
        # From a terminal the script gets it as well, and decides.
        _signal.signal(_signal.SIGINT, lambda *_: None)
    code = b""
    try:
        while part := connection.recv(16):
            code += part
    except OSError:
        code = b""
    # Where the server was killed its scripts were, too.
    return int(code or -_signal.SIGKILL)


def end_by(signal):
    """End as the script did, by a signal, but without a core of its own."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if signal not in (_signal.SIGKILL, _signal.SIGSTOP):
        _signal.signal(signal, _signal.SIG_DFL)
    posix.kill(posix.getpid(), signal)


def main():
    """Do what Python does with the arguments."""
    python, address, snakemake, *arguments = sys.argv[1:]
    is_script = len(arguments) == 1 and SCRIPTS in arguments[0]
    code = run_script(address, *arguments) if is_script else None
    if code is not None:
        if code < 0:
            end_by(-code)
        posix._exit(code)
    try:
        posix.kill(int(snakemake), 0)
    except ProcessLookupError:
        # The server ended with Snakemake, before this script began.
        end_by(_signal.SIGKILL)
    posix.execve(python, [python, *arguments], posix.environ)


if __name__ == "__main__":
    main()
