"""Run as ``python -S attach.py SOCKET ARGUMENT...``: a command of `tests.support.prefork` on the terminal of this one.

It passes on its streams, and the signals that it gets; it ends as the command ends.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys

_LENGTH = 4  # as the other side has it; this one imports as little as it can


def attach(path: str, arguments: list[str], prelude: str = "") -> int:
    """Run a command of the process behind a socket on the streams of this one; its exit code."""
    order = {
        "arguments": arguments,
        "directory": os.getcwd(),  # noqa: PTH109 - see above
        "environment": dict(os.environ),
        "prelude": prelude,
    }
    body = json.dumps(order).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        socket.send_fds(connection, [len(body).to_bytes(_LENGTH)], [0, 1, 2])
        connection.sendall(body)
        pid = int.from_bytes(connection.recv(_LENGTH))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda given, _: os.kill(pid, given))
        return int.from_bytes(connection.recv(_LENGTH), signed=True)


def end(code: int) -> None:
    """End as the command ended."""
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


if __name__ == "__main__":
    end(attach(sys.argv[1], sys.argv[2:]))
