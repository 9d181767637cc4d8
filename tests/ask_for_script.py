"""Stands for Python in a job: has a script run by the process of `started_once`, here, and ends as it does."""

import json
import os
import signal
import socket
import sys

address, script = sys.argv[1:]
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(address)
    request = json.dumps([script, os.getcwd(), dict(os.environ)])
    socket.send_fds(connection, [b" "], [0, 1, 2])
    connection.sendall(request.encode())
    connection.shutdown(socket.SHUT_WR)
    code = int(connection.recv(16))
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
