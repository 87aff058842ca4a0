"""How a worker comes to be: forked from a process that has imported everything, or started where that is unsafe."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol, Self

import msgspec

from sentient_cli.dev.forking import ForkServer, cannot_start
from sentient_cli.dev.forkserver import Answer, Preload
from sentient_cli.dev.processes.lifeline import adopt_orphans
from sentient_cli.dev.processes.order import Order, encode_order
from sentient_cli.errors import ProjectError

__all__ = ["Launched", "Launcher", "make_launcher", "start_early", "stop_early"]

_MOST_EXCLUDED: Final = 5
"""With more than so many packages that must not be preloaded, none is."""
_early: list[ForkServer] = []
"""What `start_early` has started, until somebody uses it."""


class Launched(msgspec.Struct):
    """A worker's process, and the hub's ends of what leads to it.

    Args:
        pid: The process.
        control: Carries messages.
        doors: Takes connections.
        output: Has what the worker prints; a descriptor.
    """

    pid: int
    control: socket.socket
    doors: socket.socket
    output: int


class Launcher(Protocol):
    """Starts workers."""

    async def launch(self, order: Order) -> Launched:
        """Start one.

        Raises:
            ProjectError: the system does not start another process.
        """
        ...

    async def renew(self, names: Iterable[str] = ()) -> None:
        """Forget what is imported; import these modules too from now on."""
        ...

    async def aclose(self) -> None:
        """Start no more."""
        ...


def make_launcher(how: str, folder: Path, environment: Mapping[str, str], names: Sequence[str] = ()) -> Launcher:
    """The launcher for this system.

    Args:
        how: ``auto``, ``fork`` or ``spawn``.
        folder: Where the user's code is.
        environment: The variables that processes are started with.
        names: Modules that every worker will import, beside what is found in the code.
    """
    # On macOS, libraries of the system do not survive a fork; elsewhere orphans cannot be adopted.
    can_fork = sys.platform == "linux" and adopt_orphans()
    if how == "fork" or (how == "auto" and can_fork):
        return _ForkLauncher(folder, environment, names)
    stop_early()
    return _SpawnLauncher(environment)


def start_early(environment: Mapping[str, str]) -> None:
    """Start to import what every worker needs while this process is still finding out what is wanted.

    Args:
        environment: The variables of the shell.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(ProjectError):  # it is tried again, and then said
        _early.append(ForkServer.fork(environment) or ForkServer.start(environment))


def stop_early() -> None:
    """End what `start_early` has started, unless it is used."""
    early = _take_early()
    if early is not None:
        early.stop()


def _take_early() -> ForkServer | None:
    return _early.pop() if _early else None


class _Ends:
    """Both ends of what leads to a worker; the worker's are closed when the block ends.

    Raises:
        ProjectError: this process may not have so many files open.
    """

    def __init__(self) -> None:
        kind = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_DGRAM
        try:
            with contextlib.ExitStack() as made:
                self.control, self.their_control = map(made.enter_context, socket.socketpair(socket.AF_UNIX))
                self.doors, self.their_doors = map(made.enter_context, socket.socketpair(socket.AF_UNIX, kind))
                self.output, self.their_output = os.pipe()
                made.pop_all()
        except OSError as error:
            raise cannot_start(error.strerror or str(error)) from error
        self.doors.setblocking(False)
        os.set_blocking(self.output, False)

    @property
    def theirs(self) -> list[int]:
        return [self.their_control.fileno(), self.their_doors.fileno(), self.their_output]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.their_control.close()
        self.their_doors.close()
        os.close(self.their_output)

    def launched(self, pid: int) -> Launched:
        return Launched(pid, self.control, self.doors, self.output)

    def give_up(self) -> None:
        self.control.close()
        self.doors.close()
        os.close(self.output)


class _SpawnLauncher:
    """Starts an interpreter for each worker."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)

    async def launch(self, order: Order) -> Launched:
        ends = _Ends()
        with ends:
            data = encode_order(order)
            try:
                process = subprocess.Popen(  # noqa: ASYNC220, S603 - our own interpreter; forking takes a moment
                    [sys.executable, "-P", "-m", "sentient_cli.dev.spawned", *map(str, ends.theirs)],
                    env=self._environment,
                    pass_fds=ends.theirs,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            except OSError as error:
                ends.give_up()
                raise cannot_start(error.strerror or str(error)) from error
        ends.control.setblocking(False)
        with contextlib.suppress(OSError):  # when it has ended already, its end tells more
            await asyncio.get_running_loop().sock_sendall(ends.control, len(data).to_bytes(4, "big") + data)
        process.returncode = 0  # whoever reaps children reaps this one
        return ends.launched(process.pid)

    async def renew(self, names: Iterable[str] = ()) -> None:
        """Nothing is imported here."""

    async def aclose(self) -> None:
        """Nothing is open here."""


class _ForkLauncher:
    """Keeps a fork server."""

    def __init__(self, folder: Path, environment: Mapping[str, str], names: Sequence[str]) -> None:
        self._folder = folder
        self._environment = dict(environment)
        self._names: dict[str, None] = dict.fromkeys(names)
        self._restless: dict[str, None] = {}
        """Packages that start threads."""
        self._slow: dict[str, None] = {}
        """Packages whose import takes too long, or ends the process."""
        self._server: ForkServer | None = None
        self._starting: list[ForkServer] = []
        self._lock = asyncio.Lock()
        self._renewing = asyncio.Lock()
        self._closed = False

    async def launch(self, order: Order) -> Launched:
        async with self._lock:
            for _ in range(2):  # one that was killed is replaced
                if self._server is None:
                    self._server = await self._start()
                launched = await self._try(self._server, order)
                if launched is not None:
                    return launched
        raise cannot_start("The process that forks them ends again and again")

    async def _try(self, server: ForkServer, order: Order) -> Launched | None:
        ends = _Ends()
        answer = None
        try:
            with ends:
                answer = await server.fork_worker(order, ends.theirs)
        finally:
            if answer is None or not answer.pid:
                ends.give_up()
            if not server.usable:
                server.stop()
                self._server = None
        if answer is not None and not answer.pid:
            raise cannot_start(answer.error or "")
        return None if answer is None else ends.launched(answer.pid)

    async def _start(self) -> ForkServer:
        while not self._closed:
            server = _take_early() or ForkServer.start(self._environment)
            self._starting.append(server)
            try:
                answer = await server.prepare(self._preload())
            except BaseException:
                server.stop()
                raise
            finally:
                self._starting.remove(server)
            if answer is None or not self._leave_out(answer):
                return server
            server.stop()  # the next one goes without
        raise cannot_start("It was told to end")

    def _preload(self) -> Preload:
        without = (*self._restless, *self._slow)
        if len(without) > _MOST_EXCLUDED:
            return Preload()
        return Preload(str(self._folder), tuple(self._names), without)

    def _leave_out(self, answer: Answer) -> bool:
        """Note what a fork server must not import, if it told of something."""
        if answer.thread_of is not None:  # a process with a second thread must not fork
            self._restless[answer.thread_of] = None
        elif answer.importing is not None:
            self._slow[answer.importing.partition(".")[0]] = None
        return answer.thread_of is not None or answer.importing is not None

    async def renew(self, names: Iterable[str] = ()) -> None:
        async with self._renewing:
            new = dict.fromkeys(names)
            self._names |= new
            imported = {name.partition(".")[0] for name in new}  # by a worker: so it does end
            for name in list(self._slow):
                if not new or name in imported:
                    del self._slow[name]
            fresh = await self._start()  # the one that is there forks meanwhile
            async with self._lock:
                old, self._server = self._server, fresh
                if old is not None:
                    old.stop()
            if self._closed:
                fresh.stop()

    async def aclose(self) -> None:
        self._closed = True
        for server in self._starting:
            server.stop()
        if self._server is not None:
            self._server.stop()
