"""A process that has imported everything but the user's code, and forks for each generation.

It never starts an event loop, a watcher, a database, a client or a TLS context, and has one thread: what is forked from
it is as good as fresh. A package that leaves a thread when it is imported is named, so that the next one goes without.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import os
import socket
import sys
import threading
import traceback
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from sentient_cli.dev.processes.lifeline import die_with, threads_of_this_process
from sentient_cli.dev.processes.order import Order, decode_order
from sentient_cli.dev.processes.preload import imported_names, load, load_base, with_lazy_parts

__all__ = ["Answer", "Preload", "main"]

_MAX_DESCRIPTORS: Final = 3
_SIZE: Final = 4


class Preload(msgspec.Struct, frozen=True):
    """The first message to a fork server.

    Args:
        folder: Where the user's code is; what it imports is preloaded.
        names: More to preload.
        without: What must not be preloaded.
    """

    folder: str
    names: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a fork server says: once when it is ready, then once for each order.

    Args:
        pid: The process that was forked.
        preloaded: Installed packages that are imported.
        thread_of: What leaves a thread when it is imported; this fork server ends.
        error: Why nothing could be forked.
    """

    pid: int = 0
    preloaded: tuple[str, ...] = ()
    thread_of: str | None = None
    error: str | None = None


def main(descriptor: int, parent: int) -> None:
    """Preload, then fork for each order that comes, until the other end is gone.

    Args:
        descriptor: A connected Unix socket.
        parent: The process that it belongs to.
    """
    die_with(parent)
    with socket.socket(fileno=descriptor) as connection:
        load_base()  # before a word was said: whoever starts this is still finding out what to say
        first, _ = _receive(connection)
        if first is None:
            return
        preload = msgspec.json.decode(first, type=Preload)
        preloaded, culprit = _preload(preload)
        _say(connection, Answer(preloaded=tuple(preloaded), thread_of=culprit))
        if culprit is not None:
            return
        gc.collect()
        gc.freeze()
        while True:
            data, descriptors = _receive(connection)
            if data is None:
                return
            _say(connection, _fork(decode_order(data), descriptors, connection))
            for number in descriptors:
                os.close(number)


def _preload(preload: Preload) -> tuple[list[str], str | None]:
    names = dict.fromkeys((*imported_names(Path(preload.folder)), *preload.names))
    done: list[str] = []
    for name in names:
        if name in preload.without:
            continue
        for part in with_lazy_parts((name,)):
            load(part)
        if threads_of_this_process() > 1:
            return done, name
        done.append(name)
    return done, None


def _receive(connection: socket.socket) -> tuple[bytes | None, list[int]]:
    try:
        head, descriptors, _, _ = socket.recv_fds(connection, _SIZE, _MAX_DESCRIPTORS)
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
