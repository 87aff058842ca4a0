"""The command line in processes that need not import it: one process imports it, and forks for each command.

Run as ``python -m tests.support.prefork SOCKET`` it is that process, until its standard input ends. A start costs a
second of CPU time otherwise, nearly all of it imports. What a start itself does, tests show with real ones.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import io
import json
import locale
import os
import pkgutil
import select
import shutil
import signal
import socket
import sys
import tempfile
import threading
import traceback
import types
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypedDict

import coverage

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CONTEXT", "LENGTH", "MEASURED", "MEASURED_IF_FORKED", "TEMPLATE_PYTHON", "Order"]
__all__ += ["fork_templates", "receive"]

LENGTH = 4
"""Bytes that say how long an order is."""
MEASURED = "COVERAGE_PROCESS_CONFIG"
"""The variable that has every program measured from its start, which nearly doubles the time of a start."""
MEASURED_IF_FORKED = "COVERAGE_FORKED"
"""The variable that has what is forked here measured, and nothing that it starts: the file for what is counted."""
TEMPLATE_PYTHON = "template-python"
"""Beside the socket: a program that is started like Python for a template that is not ours."""
CONTEXT = "COVERAGE_COUNTED_FOR"
"""The variable that names what the lines are counted for."""
_STARTED_BY_FORKED = "COVERAGE_OF_COMMAND"
"""What the first of these variables is called in the environment of a command, where it is not to be heeded."""
_ROOT = Path(__file__).resolve().parents[2]
_COUNTED_INTO = os.environ.get(MEASURED_IF_FORKED)
_DESCRIPTORS = 1024
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
    if _COUNTED_INTO is not None:
        with _measurement().collect():  # which decides for each file here whether its lines are counted
            _import_all()
        _measurement().save()
    else:
        _import_all()
    importlib.import_module("copier")  # for templates that are not ours: it takes a second
    gc.collect()
    gc.freeze()


def _import_all() -> None:
    package = importlib.import_module("sentient_cli")
    for module in pkgutil.walk_packages(package.__path__, "sentient_cli."):
        if module.name not in _UNASKED and "._templates" not in module.name:
            importlib.import_module(module.name)
    for name in ("typer", "rich.console", "uvicorn", "httpx"):
        importlib.import_module(name)


def _streams(environment: Mapping[str, str]) -> None:
    """Standard streams as an interpreter in UTF-8 mode or without a locale makes them."""
    encoding, _, errors = environment.get("PYTHONIOENCODING", "").partition(":")
    errors = errors or ("strict" if encoding else "surrogateescape")
    encoding = encoding or locale.getpreferredencoding(False)
    unbuffered = bool(environment.get("PYTHONUNBUFFERED"))
    stdin, stdout, stderr = (io.FileIO(number, "w" if number else "r", closefd=False) for number in range(3))
    sys.stdin = io.TextIOWrapper(io.BufferedReader(stdin), encoding, errors)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(stdout), encoding, errors, line_buffering=unbuffered or stdout.isatty()
    )
    sys.stderr = io.TextIOWrapper(io.BufferedWriter(stderr), encoding, "backslashreplace", line_buffering=True)


@functools.cache
def _measurement() -> coverage.Coverage:
    """What counts the lines of whatever is forked. To make it for each of them would take longer than most of them."""
    package = importlib.import_module("sentient_cli")
    measurement = coverage.Coverage(
        data_file=_COUNTED_INTO,
        config_file=str(_ROOT / "pyproject.toml"),
        include=[f"{folder}/*" for folder in package.__path__],
        source_pkgs=[],
        auto_data=False,
    )
    measurement.set_option("run:patch", [])
    return measurement


def _measure(environment: Mapping[str, str]) -> None:
    """Begin to measure this process, if that is asked for, and whatever it forks itself."""
    if _COUNTED_INTO is None or {MEASURED, MEASURED_IF_FORKED}.isdisjoint(environment):
        return
    measurement = _measurement()
    measurement.set_option("run:patch", ["_exit"])  # before it ends, by this door too, it writes down what it counted
    measurement.start()
    if CONTEXT in environment:
        measurement.switch_context(environment[CONTEXT])


def _decoded(text: str) -> str:
    """A text as an interpreter in this locale has it from the system, which knows only bytes."""
    return os.fsdecode(text.encode("utf-8", "surrogateescape"))


def fork_templates(path: str) -> types.SimpleNamespace:
    """What `sentient_cli.scaffold.sandbox` has to know as ``sys`` to have its processes forked.

    Args:
        path: The socket of the process that forks.
    """
    return types.SimpleNamespace(executable=str(Path(path).with_name(TEMPLATE_PYTHON)), path=sys.path)


def _set_python_of_templates(python: object) -> None:
    setattr(importlib.import_module("sentient_cli.scaffold.sandbox"), "sys", python)  # noqa: B010 - for this alone


def _write_template_python(path: str) -> None:
    """Write the program; a template that is trusted may do anything with its process, and has an interpreter's."""
    program = Path(path).with_name(TEMPLATE_PYTHON)
    program.write_text(
        f"""#!{sys.executable} -S
import os, sys
if os.environ.get("HOME") != os.getcwd():
    os.execv({sys.executable!r}, [{sys.executable!r}, *sys.argv[1:]])
sys.path.insert(0, {str(Path(__file__).parent)!r})
from attach import attach, end
if {_STARTED_BY_FORKED!r} in os.environ:
    os.environ[{MEASURED_IF_FORKED!r}] = os.environ[{_STARTED_BY_FORKED!r}]
code, *arguments = sys.argv[3:]  # after -I and -c
end(attach({path!r}, [], f"import sys; sys.argv[1:] = {{arguments!r}}; {{code}}; sys.exit()"))
"""
    )
    program.chmod(0o755)


def _run(order: Order) -> int:
    os.chdir(_decoded(order["directory"]))
    os.environ.clear()
    os.environ.update({_decoded(name): _decoded(value) for name, value in order["environment"].items()})
    if (counted_into := os.environ.pop(MEASURED_IF_FORKED, None)) is not None:
        os.environ[_STARTED_BY_FORKED] = counted_into
    tempfile.tempdir = None  # it may have been asked for before
    if MEASURED in order["environment"]:
        _set_python_of_templates(sys)  # one that is started
    _streams(order["environment"])
    _measure(order["environment"])
    sys.argv = ["sentient", *map(_decoded, order["arguments"])]
    given = order["environment"].get("PYTHONPATH", "")
    sys.path[:1] = [_decoded(order["directory"]), *(part for part in given.split(os.pathsep) if part)]
    main: Callable[[], int] = importlib.import_module("sentient_cli.cli.main").main
    try:
        exec(order["prelude"], {"__name__": "prelude"})  # noqa: S102 - of our own tests
        return main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)


def _child(order: Order, streams: list[int]) -> NoReturn:
    code = 1
    try:
        for number, descriptor in enumerate(streams):
            os.dup2(descriptor, number)
        os.closerange(len(streams), _DESCRIPTORS)
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


class _Commands:
    """Those that run, by the descriptor that tells of their end. A caller that leaves ends its command."""

    def __init__(self) -> None:
        self._running: dict[int, tuple[int, socket.socket]] = {}

    def begin(self, connection: socket.socket) -> None:
        head, streams, _, _ = socket.recv_fds(connection, LENGTH, 3)
        order: Order = json.loads(receive(connection, int.from_bytes(head)))
        child = os.fork()
        if child == 0:
            _child(order, streams)
        for descriptor in streams:
            os.close(descriptor)
        self._running[os.pidfd_open(child)] = (child, connection)
        connection.sendall(child.to_bytes(LENGTH))

    def waited_for(self) -> list[int]:
        return [*self._running, *(connection.fileno() for _, connection in self._running.values())]

    def look(self, ready: set[int]) -> None:
        for ended, (child, connection) in list(self._running.items()):
            if ended in ready:
                del self._running[ended]
                os.close(ended)
                _, status = os.waitpid(child, 0)
                with connection, contextlib.suppress(OSError):
                    connection.sendall(os.waitstatus_to_exitcode(status).to_bytes(LENGTH, signed=True))
            elif connection.fileno() in ready:
                os.kill(child, signal.SIGKILL)


def _listen(path: str) -> None:
    _preload()
    _write_template_python(path)
    _set_python_of_templates(fork_templates(path))
    running = _Commands()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs the suite under nohup
    signal.signal(signal.SIGINT, signal.default_int_handler)  # or in the background of a script
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, os.path.dirname(path), ignore_errors=True)  # noqa: PTH120 - as it was given
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(path)
        listener.listen()
        print("ready", flush=True)  # noqa: T201 - to whoever started it
        while True:
            ready, _, _ = select.select([listener.fileno(), 0, *running.waited_for()], [], [])
            if 0 in ready:
                return
            running.look(set(ready))
            if listener.fileno() in ready:
                running.begin(listener.accept()[0])


if __name__ == "__main__":
    _listen(sys.argv[1])
