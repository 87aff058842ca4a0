"""The command line in processes that need not import it: one process imports it, and forks for each command.

Run as ``python -m tests.support.prefork SOCKET`` it is that process, until its standard input ends. A start costs a
second of CPU time otherwise, nearly all of it imports. What a start itself does, tests show with real ones.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import io
import json
import os
import pkgutil
import select
import shutil
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn, TypedDict

import coverage

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LENGTH", "Order", "receive"]

LENGTH = 4
"""Bytes that say how long an order is."""
_UNASKED = ("sentient_cli.__main__", "sentient_cli.testing.plugin")


class Order(TypedDict):
    """A command to be run."""

    arguments: list[str]
    directory: str
    environment: dict[str, str]
    prelude: str
    """Python that runs before it."""


def receive(connection: socket.socket, size: int) -> bytes:
    """So many bytes, or fewer at the end."""
    received = b""
    while len(received) < size and (part := connection.recv(size - len(received))):
        received += part
    return received


def _preload() -> None:
    package = importlib.import_module("sentient_cli")
    for module in pkgutil.walk_packages(package.__path__, "sentient_cli."):
        if module.name not in _UNASKED and "._templates" not in module.name:
            importlib.import_module(module.name)
    for name in ("typer", "rich.console", "uvicorn", "httpx"):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


def _streams(environment: Mapping[str, str]) -> None:
    """Standard streams as an interpreter in UTF-8 mode makes them."""
    encoding, _, errors = environment.get("PYTHONIOENCODING", "").partition(":")
    encoding = encoding or "utf-8"
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(
        io.BufferedReader(io.FileIO(0, "r", closefd=False)), encoding, errors or "surrogateescape"
    )
    sys.stdout = sys.__stdout__ = io.TextIOWrapper(
        io.BufferedWriter(io.FileIO(1, "w", closefd=False)), encoding, errors or "surrogateescape"
    )
    sys.stderr = sys.__stderr__ = io.TextIOWrapper(
        io.BufferedWriter(io.FileIO(2, "w", closefd=False)), encoding, "backslashreplace", line_buffering=True
    )


def _run(order: Order) -> int:
    os.chdir(order["directory"])
    os.environ.clear()
    os.environ.update(order["environment"])
    _streams(order["environment"])
    coverage.process_startup()
    sys.argv = ["sentient", *order["arguments"]]
    exec(order["prelude"], {"__name__": "prelude"})  # noqa: S102 - of our own tests
    main: Callable[[], int] = importlib.import_module("sentient_cli.cli.main").main
    try:
        return main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1


def _child(order: Order, streams: list[int]) -> NoReturn:
    code = 1
    try:
        for number, descriptor in enumerate(streams):
            os.dup2(descriptor, number)
            os.close(descriptor)
        code = _run(order)
        getattr(threading, "_shutdown")()  # noqa: B009 - as the interpreter does it
    except BaseException:  # noqa: BLE001 - as the interpreter does it
        traceback.print_exc()
    finally:
        getattr(atexit, "_run_exitfuncs")()  # noqa: B009 - as the interpreter does it
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def _serve(connection: socket.socket, listener: socket.socket) -> None:
    """Run one command; a caller that leaves ends it."""
    head, streams, _, _ = socket.recv_fds(connection, LENGTH, 3)
    order: Order = json.loads(receive(connection, int.from_bytes(head)))
    child = os.fork()
    if child == 0:
        connection.close()
        listener.close()
        _child(order, streams)
    for descriptor in streams:
        os.close(descriptor)
    ended = os.pidfd_open(child)
    ready, _, _ = select.select([ended, connection], [], [])
    if ended not in ready:
        os.kill(child, signal.SIGKILL)
    os.close(ended)
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(OSError):
        connection.sendall(os.waitstatus_to_exitcode(status).to_bytes(LENGTH, signed=True))


def _listen(path: str) -> None:
    _preload()
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, os.path.dirname(path), ignore_errors=True)  # noqa: PTH120 - as it was given
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(path)
        listener.listen()
        print("ready", flush=True)  # noqa: T201 - to whoever started it
        while True:
            ready, _, _ = select.select([listener, 0], [], [])
            if 0 in ready:
                return
            connection, _ = listener.accept()
            with connection:
                _serve(connection, listener)


if __name__ == "__main__":
    _listen(sys.argv[1])
