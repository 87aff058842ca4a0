"""Commands through the process that has the command line imported: `tests.support.prefork`."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.plugins.isolation import REPOSITORY
from tests.support.prefork import LENGTH, Order, receive

__all__ = ["run"]

_PATIENCE = 50.0
"""Seconds that a command may take."""


@functools.cache
def _forker() -> str:
    """Start it on first use; the path of its socket. It ends with this process, which closes its input."""
    path = f"{tempfile.mkdtemp(prefix='prefork-')}/socket"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.prefork", path],
        cwd=REPOSITORY,
        env={**environment, "PYTHONUTF8": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )

    atexit.register(process.communicate)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return path


def run(
    *arguments: str,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    prelude: str = "",
) -> subprocess.CompletedProcess[bytes]:
    """Run ``sentient`` in a process of its own that is forked from one that has imported it.

    Args:
        arguments: Its arguments.
        directory: Where it runs; the current one unless given.
        environment: All of its environment; that of this process unless given.
        stdin: Its input.
        prelude: Python that runs in it before.

    Raises:
        TimeoutError: it takes too long, and is ended.
    """
    order: Order = {
        "arguments": list(arguments),
        "directory": str(directory or Path.cwd()),
        "environment": dict(os.environ if environment is None else environment),
        "prelude": prelude,
    }
    body = json.dumps(order).encode()
    with contextlib.ExitStack() as stack:
        given, out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        given.write(stdin)
        given.seek(0)
        connection = stack.enter_context(socket.socket(socket.AF_UNIX))
        connection.settimeout(_PATIENCE)
        connection.connect(_forker())
        socket.send_fds(connection, [len(body).to_bytes(LENGTH)], [given.fileno(), out.fileno(), err.fileno()])
        connection.sendall(body)
        code = int.from_bytes(receive(connection, LENGTH), signed=True)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(arguments, code, out.read(), err.read())
