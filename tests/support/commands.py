"""Commands through the process that has the command line imported: `tests.support.prefork`."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import select
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from tests.plugins.isolation import REPOSITORY, data_file
from tests.support.prefork import LENGTH, MEASURED_IF_FORKED, Order, fork_templates, receive

__all__ = ["Forked", "attached", "programs", "run", "run_text", "start", "start_reading", "templates_forked"]

_PATIENCE = 120.0
"""Seconds that a command may take."""
_LOCALE = ("LANG", "LC_ALL", "PYTHONCOERCECLOCALE", "PYTHONUTF8")
"""Variables that an interpreter reads when it starts."""


def _locale(environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What an interpreter has to be started with to know no UTF-8, where that is asked for."""
    if environment.get("PYTHONUTF8") != "0" or "LC_ALL" not in environment:
        return ()
    return tuple((name, environment[name]) for name in _LOCALE if name in environment)


def _forker(locale: tuple[tuple[str, str], ...] = ()) -> str:
    """The path of its socket."""
    return _started_forker(locale)


@functools.cache  # which takes an argument that is given for another than the same one left out
def _started_forker(locale: tuple[tuple[str, str], ...]) -> str:
    """Start it on first use; it ends with this process, which closes its input."""
    path = f"{tempfile.mkdtemp(prefix='prefork-')}/socket"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    if not locale and (file := data_file()) is not None:
        environment[MEASURED_IF_FORKED] = file
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.prefork", path],
        cwd=REPOSITORY,
        env={**environment, "PYTHONUTF8": "1", **dict(locale)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )

    atexit.register(process.communicate)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return path


class Forked:
    """A command that runs, with what a `subprocess.Popen` offers of it.

    Args:
        order: What to run.
        streams: Its standard streams.
        stderr: The other end of its standard error, where that is a pipe.
    """

    def __init__(self, order: Order, streams: Sequence[int], stderr: IO[str] | None = None) -> None:
        self.stderr = stderr
        self.returncode: int | None = None
        self._arguments = order["arguments"]
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.settimeout(_PATIENCE)
        self._connection.connect(_forker(_locale(order["environment"])))
        body = json.dumps(order).encode()
        socket.send_fds(self._connection, [len(body).to_bytes(LENGTH)], streams)
        self._connection.sendall(body)
        self.pid = int.from_bytes(receive(self._connection, LENGTH))

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; the exit code."""
        if self.returncode is None:
            if not select.select([self._connection], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self._arguments, timeout or 0)
            self.returncode = int.from_bytes(receive(self._connection, LENGTH), signed=True)
            self._connection.close()
        return self.returncode

    def poll(self) -> int | None:
        """The exit code if it has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def send_signal(self, sig: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it ends at this moment
                os.kill(self.pid, sig)

    def terminate(self) -> None:
        """End it."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def leave(self) -> None:
        """Let go of it: it is ended, if it runs."""
        self._connection.close()


def _order(arguments: Sequence[str], directory: Path | None, environment: Mapping[str, str], prelude: str) -> Order:
    return {
        "arguments": list(arguments),
        "directory": str((directory or Path()).absolute()),
        "environment": dict(environment),
        "prelude": prelude,
    }


def attached(*arguments: str) -> list[str]:
    """The arguments of a Python that runs ``sentient`` on its own terminal."""
    return ["-S", str(Path(__file__).with_name("attach.py")), _forker(), *arguments]


def templates_forked() -> types.SimpleNamespace:
    """What `sentient_cli.scaffold.sandbox` has to know as ``sys`` to have its processes forked, not started."""
    return fork_templates(_forker())


@functools.cache
def programs() -> Path:
    """A directory with a program ``sentient`` that is forked, for PATH."""
    folder = Path(_forker()).parent
    program = folder / "sentient"
    program.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, *attached()])} "$@"\n')
    program.chmod(0o755)
    return folder


def start(*arguments: str, directory: Path, environment: Mapping[str, str], prelude: str = "") -> Forked:
    """Start ``sentient`` without input, and with its standard error as a pipe, after some Python that runs before."""
    reader, writer = os.pipe()
    nothing = os.open(os.devnull, os.O_RDWR)
    stderr = os.fdopen(reader, encoding="utf-8", errors="strict")
    try:
        return Forked(_order(arguments, directory, environment, prelude), [nothing, nothing, writer], stderr)
    finally:
        os.close(writer)
        os.close(nothing)


def start_reading(
    *arguments: str, directory: Path, environment: Mapping[str, str], prelude: str = ""
) -> tuple[Forked, IO[bytes]]:
    """Start ``sentient`` without input; it, and the other end of its standard output."""
    reader, writer = os.pipe()
    nothing = os.open(os.devnull, os.O_RDWR)
    try:
        order = _order(arguments, directory, environment, prelude)
        return Forked(order, [nothing, writer, 2]), os.fdopen(reader, "rb")
    finally:
        os.close(writer)
        os.close(nothing)


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
        subprocess.TimeoutExpired: it takes too long, and is ended.
    """
    with contextlib.ExitStack() as stack:
        given, out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        given.write(stdin)
        given.seek(0)
        order = _order(arguments, directory, os.environ if environment is None else environment, prelude)
        process = Forked(order, [given.fileno(), out.fileno(), err.fileno()])
        stack.callback(process.leave)
        code = process.wait(_PATIENCE)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(arguments, code, out.read(), err.read())


def run_text(
    *arguments: str, directory: Path | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The same without input, and with its output as text."""
    done = run(*arguments, directory=directory, environment=environment)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())
