"""A fork server, as whoever has workers forked has it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from typing import Final

import msgspec

from sentient_cli.dev.forkserver import Answer, Preload, encode_preload, live_as_fork_server
from sentient_cli.dev.processes.lifeline import threads_of_this_process
from sentient_cli.dev.processes.order import Order, encode_order
from sentient_cli.dev.processes.preload import load_common
from sentient_cli.errors import ProjectError

__all__ = ["ForkServer", "cannot_start"]

_LONGEST_START: Final = 30.0
"""Seconds for which a launch waits for the beginning of a fork server."""
_LONGEST_FORK: Final = 5.0
"""Seconds for which a launch waits for a fork; then whoever should do it is replaced."""
_LONGEST_IMPORT: Final = 5.0
"""Seconds for which a launch waits for the import of one package; then the worker may import it itself."""


class ForkServer:
    """A process that forks workers, as long as it is there.

    Args:
        connection: Leads to it.
        pid: It.
    """

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self._connection = connection
        self._answers = b""
        self._busy = self._heard = self._stopped = False
        self._process: int | None = None
        with contextlib.suppress(AttributeError, OSError):  # another system
            self._process = os.pidfd_open(pid)

    @classmethod
    def fork(cls, environment: Mapping[str, str]) -> ForkServer | None:
        """Make one of this process, which shares what both import; None where this one is not fit for it.

        Args:
            environment: The variables that it has, whatever this process has set for itself.

        Raises:
            ProjectError: the system does not start another process.
        """
        load_common()
        if threads_of_this_process() > 1:
            return None
        parent = os.getpid()
        ours, theirs = _pair()
        with theirs:
            try:
                pid = os.fork()
            except OSError as error:
                ours.close()
                raise cannot_start(error.strerror or str(error)) from error
            if not pid:
                ours.close()
                live_as_fork_server(theirs, parent, environment)
        return cls(ours, pid)

    @classmethod
    def start(cls, environment: Mapping[str, str]) -> ForkServer:
        """Start one, with an interpreter of its own.

        Raises:
            ProjectError: the system does not start another process.
        """
        ours, theirs = _pair()
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
                raise cannot_start(error.strerror or str(error)) from error
        process.returncode = 0  # whoever reaps children reaps this one
        return cls(ours, process.pid)

    async def prepare(self, preload: Preload) -> Answer | None:
        """Have it import something.

        Returns:
            What it says at last. With ``importing``, that does not end, or has ended it: this fork server is of no use.
        """
        try:
            async with asyncio.timeout(_LONGEST_START):
                answer = await self._ask(encode_preload(preload), [])
        except TimeoutError:
            return None
        while answer is not None and answer.importing is not None:
            importing = answer
            try:
                async with asyncio.timeout(_LONGEST_IMPORT):
                    answer = await self._hear()
            except TimeoutError:
                return importing
            if answer is None:
                return importing
        return answer

    async def fork_worker(self, order: Order, descriptors: list[int]) -> Answer | None:
        """Have it fork a worker; None when it is gone, or as good as gone."""
        try:
            async with asyncio.timeout(_LONGEST_FORK):
                return await self._ask(encode_order(order), descriptors)
        except TimeoutError:
            return None

    async def _ask(self, data: bytes, descriptors: list[int]) -> Answer | None:
        """Send a message with descriptors, and return the answer; None when the process is gone."""
        self._busy = True
        try:
            socket.send_fds(self._connection, [len(data).to_bytes(4, "big")], descriptors)
            await asyncio.get_running_loop().sock_sendall(self._connection, data)
        except OSError:
            return None
        return await self._hear()

    async def _hear(self) -> Answer | None:
        self._heard = True
        try:
            while b"\n" not in self._answers:
                part = await asyncio.get_running_loop().sock_recv(self._connection, 65536)
                if not part:
                    return None
                self._answers += part
        except OSError:
            return None
        finally:
            self._heard = False
            if self._stopped:
                self._connection.close()
        line, _, self._answers = self._answers.partition(b"\n")
        answer = msgspec.json.decode(line, type=Answer)
        self._busy = answer.importing is not None
        return answer

    @property
    def usable(self) -> bool:
        """Whether it has answered all that it was told."""
        return not self._busy

    def stop(self) -> None:
        """End it; what it has forked goes on. May be called twice."""
        if self._stopped:
            return
        self._stopped = True
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        if not self._heard:  # else it is closed by whoever hears its end: a loop is told nothing of what is closed
            self._connection.close()
        if self._process is None:
            return
        if self._busy:  # in an import it would not notice
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self._process, signal.SIGKILL)
        os.close(self._process)


def _pair() -> tuple[socket.socket, socket.socket]:
    """The end of this process, which does not block, and the other one."""
    try:
        ours, theirs = socket.socketpair()
    except OSError as error:
        raise cannot_start(error.strerror or str(error)) from error
    ours.setblocking(False)
    return ours, theirs


def cannot_start(why: str) -> ProjectError:
    """The system does not start a process.

    Args:
        why: The reason.
    """
    return ProjectError("The agent's process could not be started", why=why, fix="Look at the limits of the system")
