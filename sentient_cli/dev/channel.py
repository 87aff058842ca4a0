"""Frames over a socket: how a hub and a worker talk."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from typing import Final, NamedTuple, cast

from typing_extensions import override

from sentient_cli.dev.messages import CONTROL

__all__ = ["MAX_FRAME", "Channel", "Frame", "frame_head", "send_now"]

MAX_FRAME: Final = 512 * 1024 * 1024
"""Bytes of a payload; a worker that announces more is broken."""
_HEAD: Final = 5
_BUFFER: Final = 1024 * 1024
"""Bytes of frames that may wait to be taken."""
_MUCH: Final = 64 * 1024
"""Whoever reads so much at once looks again at once: the other end may be waiting for room."""


class Frame(NamedTuple):
    """One frame.

    Args:
        kind: ``CONTROL``, ``ENTRIES`` or ``BLOB``.
        payload: What it carries.
    """

    kind: int
    payload: bytes


def frame_head(kind: int, size: int) -> bytes:
    r"""What stands before a payload.

    Args:
        kind: What it is.
        size: Its bytes.

    Raises:
        ValueError: it is too large.

    Example:
        >>> frame_head(0, 2)
        b'\x00\x00\x00\x02\x00'
    """
    if size > MAX_FRAME:
        raise ValueError(f"A frame has {MAX_FRAME} bytes at most, this one has {size}")
    return size.to_bytes(4, "big") + bytes((kind,))


def send_now(connection: socket.socket, payload: bytes) -> None:
    """Send a control message before there is an event loop.

    Raises:
        OSError: nobody is there.
    """
    connection.setblocking(True)
    connection.sendall(frame_head(CONTROL, len(payload)) + payload)


class Channel(asyncio.Protocol):
    """One end of a connection that carries frames. For one event loop.

    Args:
        rest: Seconds for which it does not look again after it has read entries. They come in many small pieces, and to
            read some of them at a time costs little more than to read one.
    """

    def __init__(self, *, rest: float = 0.0) -> None:
        self._loop = asyncio.get_running_loop()
        self._rest = rest
        self._resting: asyncio.TimerHandle | None = None
        self._connection: socket.socket | None = None
        self._transport: asyncio.Transport | None = None
        self._unsent: list[bytes] = []
        self._full = self._paused = self._lost = False
        self._begun = bytearray()
        self._wanted = _HEAD
        self._frames: deque[Frame] = deque()
        self._held = 0
        self._changed: list[asyncio.Future[None]] = []

    @classmethod
    async def over(cls, connection: socket.socket, *, rest: float = 0.0) -> Channel:
        """A channel over a connected socket, which belongs to it from now on."""
        connection.setblocking(False)
        channel = cls(rest=rest)
        channel._connection = connection
        await channel._loop.create_connection(lambda: channel, sock=connection)
        return channel

    # -- sending -----------------------------------------------------------------------------------------------------

    def send(self, payload: bytes, *, kind: int = CONTROL, head: bytes = b"") -> None:
        """Send a frame without waiting; use `drain` where there may be many.

        Args:
            payload: What it carries.
            kind: What it is.
            head: What stands first in the payload, such as its first line.
        """
        if not self._unsent:  # what is sent in one turn of the loop goes out together
            self._loop.call_soon(self._write)
        self._unsent += (frame_head(kind, len(head) + len(payload)), head, payload)

    def send_at_once(self, payload: bytes) -> None:
        """Send a control message that is with the system when this returns, unless the other end is far behind."""
        self.send(payload)
        waiting = self._transport is None or self._transport.is_closing() or self._transport.get_write_buffer_size()
        if self._connection is not None and not waiting:
            data = b"".join(self._unsent)
            with contextlib.suppress(OSError):
                self._unsent = [data[self._connection.send(data) :]]

    def _write(self) -> None:
        unsent, self._unsent = self._unsent, []
        if unsent and self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(unsent))

    async def drain(self) -> None:
        """Wait until the other end takes more.

        Raises:
            ConnectionError: it is gone.
        """
        self._write()
        while self._full and not self._lost:
            await self._change()
        if self._lost or self._transport is None or self._transport.is_closing():
            raise ConnectionResetError("The other end is gone")

    async def flush(self) -> None:
        """Wait until everything has been handed to the system.

        Raises:
            ConnectionError: the other end is gone.
        """
        self._write()
        if self._transport is not None:
            self._transport.set_write_buffer_limits(0)
        await self.drain()

    # -- receiving ---------------------------------------------------------------------------------------------------

    async def receive(self) -> Frame | None:
        """The next frame; None when the other end is gone, or sends what is no frame."""
        while not self._frames:
            if self._lost:
                return None
            await self._change()
        frame = self._frames.popleft()
        self._held -= len(frame.payload)
        if self._held <= _BUFFER:
            self._read_on()
        return frame

    def _take(self, data: bytes) -> bool:
        """Make frames of what came; whether there are, or will be, entries among them."""
        begun = self._begun
        begun += data
        at = 0
        entries = False
        while len(begun) - at >= self._wanted:
            size = int.from_bytes(begun[at : at + 4], "big")
            if size > MAX_FRAME:
                self._lose()
                return False
            end = at + _HEAD + size
            if len(begun) < end:
                self._wanted = _HEAD + size
                break
            self._wanted = _HEAD
            kind = begun[at + 4]
            entries = entries or kind != CONTROL
            self._frames.append(Frame(kind, bytes(memoryview(begun)[at + _HEAD : end])))
            self._held += size
            at = end
        del begun[:at]
        return entries or bool(begun)

    def _read_on(self) -> None:
        if self._paused and self._resting is None and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    def _rested(self) -> None:
        self._resting = None
        if self._held <= _BUFFER:
            self._read_on()

    # -- as a protocol -----------------------------------------------------------------------------------------------

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or self._lost:
            return
        entries = self._take(data)
        if entries and self._rest and len(data) < _MUCH:
            self._resting = self._resting or self._loop.call_later(self._rest, self._rested)
        if self._resting is not None or self._held > _BUFFER:
            self._paused = True
            transport.pause_reading()
        self._tell()

    @override
    def eof_received(self) -> bool:
        self._lose()
        return False

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._lose()

    @override
    def pause_writing(self) -> None:
        self._full = True

    @override
    def resume_writing(self) -> None:
        self._full = False
        self._tell()

    def _lose(self) -> None:
        self._lost = True
        if self._resting is not None:
            self._resting.cancel()
        self._tell()

    async def _change(self) -> None:
        """Wait until something is there, or may be sent, or the end has come."""
        change: asyncio.Future[None] = self._loop.create_future()
        self._changed.append(change)
        await change

    def _tell(self) -> None:
        changed, self._changed = self._changed, []
        for change in changed:
            if not change.done():
                change.set_result(None)

    def close(self) -> None:
        """End the connection. May be called twice."""
        self._write()
        if self._transport is not None:
            self._transport.close()
