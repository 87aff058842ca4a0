"""Several processes that serve on one port: started, watched, replaced when they crash, and stopped together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sentient_cli.errors import ConfigError
from sentient_cli.server.hangup import obeying_hangups

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Sequence

__all__ = ["Supervisor", "WorkerLink", "socket_directory"]

_READY = b"R"
_FAILED = "failed"
_STEADY_SECONDS = 10.0
_MAX_PAUSE = 10.0
_MAX_EARLY_FAILURES = 5
_KILL_AFTER = 8.0
_SHORT_DIRECTORY = "/tmp"  # noqa: S108 - a private directory with a random name is made in it
_MAX_SOCKET_PATH = 103
_SOCKET_NAME = len("/9999.sock")
_PREFIX = "sentient-"
_OWN_NAME = len(f"/{_PREFIX}12345678")

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerLink:
    """What a worker is told on its command line.

    Args:
        index: Its number, from 0.
        listener: The descriptor of the shared listening socket.
        channel: The descriptor of its end of a socket pair: it writes a byte when it is ready, and the end of the
            file tells it that the supervisor is gone.
        directory: Where the workers' own sockets are.
    """

    index: int
    listener: int
    channel: int
    directory: Path

    def encode(self) -> str:
        """As one word of a command line."""
        return f"{self.index}:{self.listener}:{self.channel}:{self.directory}"

    @classmethod
    def decode(cls, text: str) -> WorkerLink:
        """Read what `encode` wrote.

        Raises:
            ValueError: it is something else.
        """
        index, listener, channel, directory = text.split(":", 3)
        return cls(int(index), int(listener), int(channel), Path(directory))

    def watch(self, loop: asyncio.AbstractEventLoop, on_orphaned: Callable[[], None]) -> None:
        """Call ``on_orphaned`` when the supervisor is gone."""

        def readable() -> None:
            if not os.read(self.channel, 1):
                loop.remove_reader(self.channel)
                on_orphaned()

        loop.add_reader(self.channel, readable)

    def claim_failure(self) -> bool:
        """Whether no other worker has failed yet: what keeps one from starting keeps all, and is said once."""
        try:
            os.close(os.open(self.directory / _FAILED, os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            return False
        except OSError:
            return True
        return True

    def tidy_up(self) -> None:
        """Remove what a supervisor that was killed has left; the last of its workers removes the directory."""
        for name in (f"{self.index}.sock", _FAILED):
            (self.directory / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.directory.rmdir()

    def ready(self) -> None:
        """Tell the supervisor that requests are answered."""
        with contextlib.suppress(OSError):
            os.write(self.channel, _READY)


class Supervisor:
    """Keeps a number of workers going.

    Args:
        command: The command line of a worker, given its link.
        listener: The listening socket that they share.
        count: How many.
        directory: A private directory for their sockets, as `socket_directory` gives it.
        stop_within: Seconds that a worker may take to stop before it is killed.
        on_ready: Called once, when all of them answer.
        on_hangup: Called at SIGHUP; whether the workers are to read their settings again.
        watching: Goes on while they serve, and is given what has them read their settings again.

    Raises:
        ConfigError: this system cannot run several.
    """

    def __init__(
        self,
        command: Callable[[WorkerLink], Sequence[str]],
        listener: socket.socket,
        count: int,
        directory: Path,
        *,
        stop_within: float,
        on_ready: Callable[[], None],
        on_hangup: Callable[[], bool] = lambda: True,
        watching: Callable[[Callable[[], None]], Coroutine[None, None, None]] | None = None,
    ) -> None:
        if sys.platform == "win32" or not hasattr(socket, "AF_UNIX"):
            raise ConfigError(
                "Several workers need Unix sockets and signals, which this system does not have",
                fix="Leave out --workers, and start several servers on ports of their own behind a proxy",
            )
        self._command = command
        self._listener = listener
        self._count = count
        self._directory = directory
        self._stop_within = stop_within
        self._on_ready = on_ready
        self._on_hangup = on_hangup
        self._watching = watching
        self._outdated: set[int] = set()
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._ready: set[int] = set()
        self._announced = False
        self._stopping = asyncio.Event()
        self._failure = 0
        self.interrupted: bool = False
        """Whether a Ctrl-C came before all of them answered."""

    async def run(self) -> int:
        """Supervise until a signal says to stop; return the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled, number)
        watching = None if self._watching is None else loop.create_task(self._watching(self._renew))
        try:
            with obeying_hangups(self._hung_up, lambda: self._signalled(signal.SIGTERM)):
                async with asyncio.TaskGroup() as group:
                    for index in range(self._count):
                        group.create_task(self._keep(index))
        finally:
            self._kill()
            if watching is not None:
                watching.cancel()
        return self._failure

    def _signalled(self, number: signal.Signals) -> None:
        if number == signal.SIGINT and not self._announced and not self._stopping.is_set():
            self.interrupted = True
        self._stopping.set()
        self._tell(number)

    def _hung_up(self) -> None:
        if not self._stopping.is_set() and self._on_hangup():
            self._renew()

    def _renew(self) -> None:
        """Have the workers read their settings again."""
        if self._stopping.is_set():
            return
        for index in self._processes:
            if index in self._ready:
                self._stop(index, signal.SIGHUP)
            else:  # it would end it, and it may have read the settings already
                self._outdated.add(index)

    def _give_up(self, code: int) -> None:
        self._failure = code
        self._stopping.set()
        self._tell(signal.SIGINT)

    def _tell(self, number: signal.Signals) -> None:
        for index in self._processes:
            # One that is still starting knows no signal yet: it ends at once, and without a word.
            self._stop(index, number if index in self._ready else signal.SIGTERM)

    def _stop(self, index: int, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._processes[index].send_signal(number)

    def _kill(self) -> None:
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    async def _keep(self, index: int) -> None:
        failures = 0
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            began = loop.time()
            code = await self._run_one(index)
            if self._stopping.is_set():
                return
            steady = index in self._ready and loop.time() - began >= _STEADY_SECONDS
            failures = 0 if steady else failures + 1
            if not self._announced and index not in self._ready:
                self._give_up(code if code > 0 else 1)  # it never came up: a fault of the agent or the settings
                return
            # Settings that the others have refused keep a new one from starting: they are waited for.
            refused = code == ConfigError.exit_code and bool(self._ready - {index})
            if failures > _MAX_EARLY_FAILURES and not refused:
                _logger.error("Worker %d does not stay up", index)
                self._give_up(1)
                return
            self._ready.discard(index)
            _logger.error("Worker %d ended (%s) and is started again", index, _ending(code))
            await self._pause(min(0.1 * 2 ** (failures - 1) if failures > 1 else 0.0, _MAX_PAUSE))

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def _run_one(self, index: int) -> int:
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                link = WorkerLink(index, self._listener.fileno(), theirs.fileno(), self._directory)
                process = await asyncio.create_subprocess_exec(
                    *self._command(link),
                    pass_fds=(link.listener, link.channel),
                    start_new_session=True,  # a Ctrl-C reaches the workers through the supervisor alone
                )
            self._processes[index] = process
            if self._stopping.is_set():  # the signal came while it was being started, and was not passed on to it
                self._stop(index, signal.SIGTERM)
            listening = asyncio.create_task(self._await_ready(index, ours))
            try:
                return await self._wait(process)
            finally:
                listening.cancel()
                del self._processes[index]

    async def _wait(self, process: asyncio.subprocess.Process) -> int:
        ended = asyncio.create_task(process.wait())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((ended, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                await asyncio.wait((ended,), timeout=self._stop_within + _KILL_AFTER)
            if not ended.done():
                _logger.error("Worker process %d does not stop and is killed", process.pid)
                process.kill()
            return await ended
        finally:
            stopping.cancel()

    async def _await_ready(self, index: int, channel: socket.socket) -> None:
        channel.setblocking(False)
        if await asyncio.get_running_loop().sock_recv(channel, 1) == _READY:
            self._ready.add(index)
            if index in self._outdated:
                self._outdated.discard(index)
                self._stop(index, signal.SIGHUP)
            if len(self._ready) == self._count and not self._announced:
                self._announced = True
                self._on_ready()


@contextlib.contextmanager
def socket_directory() -> Generator[Path]:
    """A private directory for the sockets of workers, removed at the end.

    Raises:
        ConfigError: none can be made whose path leaves room for a socket's name: systems take about a hundred bytes.
    """
    where = tempfile.gettempdir()
    if len(os.fsencode(where)) + _OWN_NAME + _SOCKET_NAME > _MAX_SOCKET_PATH:
        where = _SHORT_DIRECTORY
    try:
        made = tempfile.TemporaryDirectory(prefix=_PREFIX, dir=where)
    except OSError as error:
        if where != _SHORT_DIRECTORY:
            raise
        raise ConfigError(
            "The directory for temporary files has too long a path for the sockets of the workers",
            why=f"{tempfile.gettempdir()}, and {_SHORT_DIRECTORY} cannot be used: {error.strerror}",
            fix="Set TMPDIR to a directory with a short path, or leave out --workers",
        ) from error
    with made as name:
        yield Path(name)


def _ending(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
