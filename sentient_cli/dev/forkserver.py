"""A process that has imported everything but the user's code, and forks for each generation.

It never starts an event loop, a watcher, a database, a client or a TLS context, and has one thread: what is forked from
it is as good as fresh. A package that leaves a thread when it is imported is named, so that the next one goes without.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import select
import socket
import sys
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec

from sentient_cli.config.environ import replace_environment
from sentient_cli.dev.processes import handlers
from sentient_cli.dev.processes.descriptors import receive
from sentient_cli.dev.processes.lifeline import die_with, threads_of_this_process
from sentient_cli.dev.processes.order import Order, decode_order
from sentient_cli.dev.processes.preload import imported_names, load, load_base, load_rest, with_lazy_parts

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Answer", "Preload", "encode_preload", "live_as_fork_server", "main"]

_MAX_DESCRIPTORS: Final = 3
_SIZE: Final = 4
_REST: Final = 1.0
"""Seconds after a fork in which the worker has the processor to itself."""
_STANDARD: Final = 2
"""The last of the descriptors that every process has."""


class Preload(msgspec.Struct, frozen=True):
    """The first message to a fork server.

    Args:
        folder: Where the user's code is; what it imports is preloaded. None: nothing is.
        names: More to preload.
        without: What must not be preloaded, nor any part of it.
    """

    folder: str | None = None
    names: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


def encode_preload(preload: Preload) -> bytes:
    """The first message as bytes. A folder whose name is no text keeps its bytes: it has lone surrogates."""
    return json.dumps(msgspec.to_builtins(preload)).encode()


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a fork server says: before each import, once when it is ready, then once for each order.

    Args:
        pid: The process that was forked.
        preloaded: Installed packages that are imported.
        importing: What it imports now; should that never end, whoever reads this knows what it was.
        thread_of: What leaves a thread when it is imported; this fork server ends.
        error: Why nothing could be forked.
    """

    pid: int = 0
    preloaded: tuple[str, ...] = ()
    importing: str | None = None
    thread_of: str | None = None
    error: str | None = None


def live_as_fork_server(connection: socket.socket, parent: int, environment: Mapping[str, str]) -> NoReturn:
    """Become a fork server in a process that was forked, with what is imported already; ends with it.

    Args:
        connection: The end of it that this process keeps.
        parent: The process that was forked.
        environment: The variables that it has from now on.
    """
    code = 1
    try:
        _forget_what_it_was()
        load_base()
        replace_environment(environment)
        main(connection.detach(), parent)
        code = 0
    finally:
        os._exit(code)


def _forget_what_it_was() -> None:
    """Be as a new interpreter: what the command line has set up for itself is not the user's code's business."""
    os.setsid()
    handlers.as_new()
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nothing, number)
    os.close(nothing)
    # Whoever ran the command may have left files open in it. Those that Python has opened are not inheritable.
    for entry in list(Path("/proc/self/fd").iterdir()):
        number = int(entry.name)
        with contextlib.suppress(OSError):
            if number > _STANDARD and os.get_inheritable(number):
                os.close(number)
    getattr(atexit, "_clear")()  # noqa: B009 - there is no public one
    if not sys.flags.safe_path:
        del sys.path[0]
    sys.argv = [sys.argv[0]]


def main(descriptor: int, parent: int) -> None:
    """Preload, then fork for each order that comes, until the other end is gone.

    Args:
        descriptor: A connected Unix socket.
        parent: The process that it belongs to.
    """
    die_with(parent)
    with contextlib.ExitStack() as stack:
        stack.callback(handlers.end_group)  # what a package has started
        connection = stack.enter_context(socket.socket(fileno=descriptor))
        gc.disable()
        load_base()  # before a word was said: whoever starts this is still finding out what to say
        first, _ = _receive(connection)
        if first is None:
            return
        preload = msgspec.convert(json.loads(first), Preload)
        with handlers.kept():
            preloaded, culprit = _preload(preload, connection)
        _say(connection, Answer(preloaded=tuple(preloaded), thread_of=culprit))
        if culprit is not None:
            return
        gc.freeze()
        gc.enable()
        rested = False
        while True:
            data, descriptors = _receive(connection)
            if data is None:
                return
            _say(connection, _fork(decode_order(data), descriptors, connection))
            for number in descriptors:
                os.close(number)
            if rested or select.select([connection], [], [], _REST)[0]:
                continue
            rested = True
            load_rest()
            gc.freeze()


def _preload(preload: Preload, connection: socket.socket) -> tuple[list[str], str | None]:
    found = imported_names(Path(preload.folder)) if preload.folder is not None else ()
    names = dict.fromkeys((*found, *preload.names))
    done: list[str] = []
    for name in names:
        if name.partition(".")[0] in preload.without:
            continue
        _say(connection, Answer(importing=name))
        for part in with_lazy_parts((name,)):
            load(part)
        if threads_of_this_process() > 1:
            return done, name.partition(".")[0]
        done.append(name)
    return done, None


def _receive(connection: socket.socket) -> tuple[bytes | None, list[int]]:
    try:
        head, descriptors = receive(connection, _SIZE, _MAX_DESCRIPTORS)
        data = b""
        missing = int.from_bytes(head, "big") if len(head) == _SIZE else 0
        while missing and (part := connection.recv(missing)):
            data += part
            missing -= len(part)
    except OSError:
        return None, []
    return (None if missing or not data else data), descriptors


def _say(connection: socket.socket, answer: Answer) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(msgspec.json.encode(answer) + b"\n")


def _fork(order: Order, descriptors: list[int], connection: socket.socket) -> Answer:
    """Fork twice, so that the worker has no parent but the hub, which adopts orphans: it is told when a worker ends."""
    read_end, write_end = os.pipe()
    try:
        middle = os.fork()
        if middle == 0:
            _fork_worker(order, descriptors, connection, write_end)
        os.close(write_end)
        write_end = -1
        pid = os.read(read_end, 32)
        os.waitpid(middle, 0)
        return Answer(pid=int(pid)) if pid else Answer(error="The system does not start another process")
    except OSError as error:
        return Answer(error=f"The system does not start another process: {error.strerror}")
    finally:
        os.close(read_end)
        if write_end != -1:
            os.close(write_end)


def _fork_worker(order: Order, descriptors: list[int], connection: socket.socket, pipe: int) -> NoReturn:
    middle = os.getpid()
    os.setsid()  # what ends with the group of the fork server is not for the worker
    try:
        pid = os.fork()
    except OSError:
        os._exit(1)
    if pid:
        os.write(pipe, str(pid).encode())
        os._exit(0)
    connection.close()
    os.close(pipe)
    _live_as_worker(order, descriptors, middle)


def _live_as_worker(order: Order, descriptors: list[int], middle: int) -> NoReturn:
    code = 1
    try:
        code = _work(order, descriptors, middle)
        getattr(threading, "_shutdown")()  # noqa: B009 - as the interpreter does it
    except BaseException:  # noqa: BLE001 - as the interpreter does it
        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            getattr(atexit, "_run_exitfuncs")()  # noqa: B009 - as the interpreter does it
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def _work(order: Order, descriptors: list[int], middle: int) -> int:
    # What is imported late, so that this module alone costs nothing.
    from sentient_cli.dev.worker import wait_for_adoption, work  # noqa: PLC0415

    wait_for_adoption(middle)
    importlib.invalidate_caches()
    control, doors, output = descriptors
    return work(order, socket.socket(fileno=control), socket.socket(fileno=doors), output)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
