"""The hub's side of one worker: what it says, what it prints, and its end."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import signal
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from sentient_cli.dev.channel import Channel
from sentient_cli.dev.messages import CONTROL, Begun, Finished, FromWorker, ToWorker, decode_from_worker, encode

if TYPE_CHECKING:
    from sentient_cli.dev.launch import Launched

__all__ = ["Member", "Owner"]

_CHUNK: Final = 65536
_LONGEST_LINE: Final = 8192


class Owner(Protocol):
    """Who is told about a worker; on its event loop."""

    def heard(self, member: Member, message: FromWorker) -> None:
        """The worker said something."""
        ...

    async def carried(self, member: Member, kind: int, payload: bytes) -> None:
        """The worker sent entries; it waits when this takes long."""
        ...

    def printed(self, member: Member, line: str) -> None:
        """Its code wrote a line."""
        ...


class Member:
    """A worker, as the hub has it.

    Args:
        generation: Its number.
        launched: Its process.
        owner: Is told.
    """

    def __init__(self, generation: int, launched: Launched, owner: Owner) -> None:
        self.generation: int = generation
        self.pid: int = launched.pid
        self.runs: dict[str, Begun] = {}
        """What goes on there."""
        self.ready: bool = False
        """Whether its code is loaded."""
        self._launched = launched
        self._owner = owner
        self._channel: Channel | None = None
        self._lines = _Lines(launched.output, lambda line: owner.printed(self, line))

    async def attend(self) -> None:
        """Hear what the worker says, until it is gone or sends what is nothing."""
        channel = self._channel = await Channel.over(self._launched.control)
        self._lines.start()
        while frame := await channel.receive():
            if frame.kind != CONTROL:
                await self._owner.carried(self, frame.kind, frame.payload)
                continue
            message = decode_from_worker(frame.payload)
            if isinstance(message, Begun):
                self.runs[message.run] = message
            self._owner.heard(self, message)
            if isinstance(message, Finished):
                self.runs.pop(message.run, None)

    def say(self, message: ToWorker) -> None:
        """Tell the worker something."""
        if self._channel is not None:
            self._channel.send(encode(message))

    def hand_over(self, connection: socket.socket) -> bool:
        """Give the worker a connection, which is closed here; False when it cannot take one just now."""
        try:
            socket.send_fds(self._launched.doors, [b"c"], [connection.fileno()])
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return False  # it is gone, and its successor will take it
        connection.close()
        return True

    def kill(self) -> None:
        """End the process, and what it has started itself."""
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Let go of everything."""
        self._lines.stop()
        if self._channel is not None:
            self._channel.close()
        else:
            self._launched.control.close()
        self._launched.doors.close()


class _Lines:
    """Reads lines from a pipe.

    Args:
        descriptor: Its end, which does not block; closed at the end.
        on_line: Takes each line.
    """

    def __init__(self, descriptor: int, on_line: Callable[[str], None]) -> None:
        self._descriptor = descriptor
        self._on_line = on_line
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._begun = ""
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._descriptor, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        *lines, self._begun = (self._begun + self._decoder.decode(data, final=not data)).split("\n")
        if len(self._begun) > _LONGEST_LINE:
            lines.append(self._begun)
            self._begun = ""
        for line in lines:
            self._on_line(line)
        if not data:
            self.stop()

    def stop(self) -> None:
        """Read what is left, and no more."""
        if self._descriptor == -1:
            return
        if self._loop is not None:
            self._loop.remove_reader(self._descriptor)
        descriptor, self._descriptor = self._descriptor, -1
        with contextlib.suppress(OSError):
            self._begun += self._decoder.decode(os.read(descriptor, _CHUNK), final=True)
        os.close(descriptor)
        for line in self._begun.split("\n"):
            if line:
                self._on_line(line)
        self._begun = ""
