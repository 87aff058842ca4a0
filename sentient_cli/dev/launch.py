"""How a worker comes to be: forked from a process that has imported everything, or started where that is unsafe."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, Self

import msgspec

from sentient_cli.dev.forkserver import Answer, Preload
from sentient_cli.dev.processes.lifeline import adopt_orphans
from sentient_cli.dev.processes.order import Order, encode_order
from sentient_cli.errors import ProjectError

__all__ = ["Launched", "Launcher", "make_launcher", "start_early", "stop_early"]

_MOST_EXCLUDED: Final = 8
_early: list[_ForkServer] = []
"""What `start_early` has started, until somebody uses it."""


@dataclass(slots=True)
class Launched:
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


def make_launcher(how: str, folder: Path, environment: Mapping[str, str]) -> Launcher:
    """The launcher for this system.

    Args:
        how: ``auto``, ``fork`` or ``spawn``.
        folder: Where the user's code is.
        environment: The variables that processes are started with.
    """
    # On macOS, libraries of the system do not survive a fork; elsewhere orphans cannot be adopted.
    can_fork = sys.platform == "linux" and adopt_orphans()
    if how == "fork" or (how == "auto" and can_fork):
        return _ForkLauncher(folder, environment)
    stop_early()
    return _SpawnLauncher(environment)


def start_early(environment: Mapping[str, str]) -> None:
    """Start to import what every worker needs while this process is still finding out what is wanted.

    Args:
        environment: The variables of the shell.
    """
    if sys.platform == "linux":
        with contextlib.suppress(ProjectError):  # it is tried again, and then said
            _early.append(_ForkServer.start(environment))


def stop_early() -> None:
    """End what `start_early` has started, unless it is used."""
    early = _take_early()
    if early is not None:
        early.stop()


def _take_early() -> _ForkServer | None:
    return _early.pop() if _early else None


class _Ends:
    """Both ends of what leads to a worker; the worker's are closed when the block ends."""

    def __init__(self) -> None:
        self.control, self.their_control = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        kind = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_DGRAM
        self.doors, self.their_doors = socket.socketpair(socket.AF_UNIX, kind)
        self.output, self.their_output = os.pipe()
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
                raise _cannot_start(error.strerror or str(error)) from error
        ends.control.setblocking(False)
        with contextlib.suppress(OSError):  # when it has ended already, its end tells more
            await asyncio.get_running_loop().sock_sendall(ends.control, len(data).to_bytes(4, "big") + data)
        process.returncode = 0  # whoever reaps children reaps this one
        return ends.launched(process.pid)

    async def renew(self, names: Iterable[str] = ()) -> None:
        """Nothing is imported here."""

    async def aclose(self) -> None:
        """Nothing is open here."""


class _ForkServer:
    """A process that forks workers, as long as it is there.

    Args:
        connection: Leads to it.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._answers = b""

    @classmethod
    def start(cls, environment: Mapping[str, str]) -> _ForkServer:
        """Start one.

        Raises:
            ProjectError: the system does not start another process.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = subprocess.Popen(  # noqa: S603 - our own interpreter
                    [
                        sys.executable,
                        "-P",
                        "-m",
                        "sentient_cli.dev.forkserver",
                        str(theirs.fileno()),
                        str(os.getpid()),
                    ],
                    env=dict(environment),
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            except OSError as error:
                ours.close()
                raise _cannot_start(error.strerror or str(error)) from error
        process.returncode = 0  # whoever reaps children reaps this one
        ours.setblocking(False)
        return cls(ours)

    async def ask(self, data: bytes, descriptors: list[int]) -> Answer | None:
        """Send a message with descriptors, and return the answer; None when the process is gone."""
        loop = asyncio.get_running_loop()
        try:
            socket.send_fds(self._connection, [len(data).to_bytes(4, "big")], descriptors)
            await loop.sock_sendall(self._connection, data)
            while b"\n" not in self._answers:
                part = await loop.sock_recv(self._connection, 65536)
                if not part:
                    return None
                self._answers += part
        except OSError:
            return None
        line, _, self._answers = self._answers.partition(b"\n")
        return msgspec.json.decode(line, type=Answer)

    def stop(self) -> None:
        """End it; what it has forked goes on. May be called twice."""
        self._connection.close()  # which it notices; and should it hang in an import, it ends with this process


class _ForkLauncher:
    """Keeps a fork server."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = dict(environment)
        self._names: dict[str, None] = {}
        self._without: list[str] = []
        self._server: _ForkServer | None = None
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
                self._server.stop()
                self._server = None
        raise _cannot_start("The process that forks them ends again and again")

    async def _try(self, server: _ForkServer, order: Order) -> Launched | None:
        ends = _Ends()
        with ends:
            answer = await server.ask(encode_order(order), ends.theirs)
        if answer is None or not answer.pid:
            ends.give_up()
            if answer is not None:
                raise _cannot_start(answer.error or "")
            return None
        return ends.launched(answer.pid)

    async def _start(self) -> _ForkServer:
        while True:
            server = _take_early() or _ForkServer.start(self._environment)
            try:
                preload = Preload(str(self._folder), tuple(self._names), tuple(self._without))
                answer = await server.ask(msgspec.json.encode(preload), [])
            except BaseException:
                server.stop()
                raise
            if answer is None or answer.thread_of is None:
                return server
            # A process with a second thread must not fork: the next one goes without what made it.
            server.stop()
            self._without.append(answer.thread_of)
            if len(self._without) > _MOST_EXCLUDED:
                raise _cannot_start("Too many packages start threads when they are imported")

    async def renew(self, names: Iterable[str] = ()) -> None:
        async with self._renewing:
            self._names |= dict.fromkeys(names)
            fresh = await self._start()  # the one that is there forks meanwhile
            async with self._lock:
                old, self._server = self._server, fresh
                if old is not None:
                    old.stop()
            if self._closed:
                fresh.stop()

    async def aclose(self) -> None:
        self._closed = True
        if self._server is not None:
            self._server.stop()


def _cannot_start(why: str) -> ProjectError:
    return ProjectError("The agent's process could not be started", why=why, fix="Look at the limits of the system")
