"""Frames over a socket: how a hub and a worker talk."""

from __future__ import annotations

import asyncio
import socket
from typing import Final, NamedTuple

from sentient_cli.dev.messages import CONTROL

__all__ = ["MAX_FRAME", "Channel", "Frame", "frame_head", "send_now"]

MAX_FRAME: Final = 512 * 1024 * 1024
"""Bytes of a payload; a worker that announces more is broken."""
_HEAD: Final = 5
_BUFFER: Final = 1024 * 1024


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


class Channel:
    """One end of a connection that carries frames. For one event loop.

    Args:
        reader: Has what the other end sends.
        writer: Takes what goes there.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._unsent: list[bytes] = []

    @classmethod
    async def over(cls, connection: socket.socket) -> Channel:
        """A channel over a connected socket, which belongs to it from now on."""
        connection.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=connection, limit=_BUFFER)
        return cls(reader, writer)

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

    def _write(self) -> None:
        unsent, self._unsent = self._unsent, []
        if unsent and not self._writer.is_closing():
            self._writer.write(b"".join(unsent))

    async def drain(self) -> None:
        """Wait until the other end takes more.

        Raises:
            ConnectionError: it is gone.
        """
        self._write()
        await self._writer.drain()

    async def receive(self) -> Frame | None:
        """The next frame; None when the other end is gone, or sends what is no frame."""
        try:
            head = await self._reader.readexactly(_HEAD)
            size = int.from_bytes(head[:4], "big")
            if size > MAX_FRAME:
                return None
            return Frame(head[4], await self._reader.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def flush(self) -> None:
        """Wait until everything has been handed to the system.

        Raises:
            ConnectionError: the other end is gone.
        """
        self._write()
        self._writer.transport.set_write_buffer_limits(0)
        await self._writer.drain()

    def close(self) -> None:
        """End the connection. May be called twice."""
        self._write()
        self._writer.close()
