"""A server in HTTP/2 on loopback, in the loop of the test: it answers as it is told, and knows what became of it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

__all__ = ["Http2Server", "Told", "serving"]


@dataclass
class Told:
    """What is answered.

    Args:
        body: All of it.
        status: Its status.
        headers: More headers.
        piece: Bytes of a piece.
        how: ``end`` ends it, ``stall`` says nothing more, ``reset`` and ``refuse`` break the stream off, ``close`` the
            connection, ``leave`` says farewell in the middle and ends it all the same; ``silent`` does not even begin.
        pace: Seconds before each piece but the first.
        head: Where its headers stop: at the ``first`` byte, in the ``middle``, or before the ``last``; or they are
            ``slow``, and come a byte at a time.
    """

    body: bytes = b"Hello"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    piece: int = 8192
    how: str = "end"
    pace: float = 0.0
    head: str = ""


class Http2Server:
    """What a test asks.

    Args:
        limit: Calls that are allowed at a time on a connection.
    """

    def __init__(self, limit: int = 100) -> None:
        self.limit = limit
        self.url = ""
        self.answers: list[Told] = [Told()]
        """In turn; the last one again and again."""
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.connections: list[_Served] = []
        self.accepted = 0
        self.resets: list[int] = []
        """The codes with which streams were given up."""
        self.most = 0
        """Calls that there were at a time on one connection."""

    async def until(self, count: int) -> None:
        """Return once so many connections stand."""
        async with asyncio.timeout(20):
            while len(self.connections) != count:  # noqa: ASYNC110 - no event tells it
                await asyncio.sleep(0.002)

    async def until_unused(self) -> None:
        """Return once no call goes on."""
        async with asyncio.timeout(20):
            while any(served.open for served in self.connections):  # noqa: ASYNC110 - the same
                await asyncio.sleep(0.002)

    async def until_reset(self) -> None:
        """Return once a stream was given up."""
        async with asyncio.timeout(20):
            while not self.resets:  # noqa: ASYNC110 - the same
                await asyncio.sleep(0.002)


class _Served(asyncio.Protocol):
    def __init__(self, server: Http2Server) -> None:
        self.server = server
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.heads: dict[int, dict[str, str]] = {}
        self.bodies: dict[int, bytes] = {}
        self.unsent: dict[int, Told] = {}
        self.sent: dict[int, int] = {}
        self.open: set[int] = set()
        self.is_held = False
        """Whether headers are on their way, before which nothing else may come."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.server.accepted += 1
        self.server.connections.append(self)
        allowed = {SettingCodes.MAX_CONCURRENT_STREAMS: self.server.limit}
        self.h2.local_settings = Settings(client=False, initial_values=allowed)
        self.h2.initiate_connection()
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.server.connections.remove(self)

    def data_received(self, data: bytes) -> None:
        try:
            events = self.h2.receive_data(data)
        except ProtocolError:
            self.transport.close()
            return
        for event in events:
            number = getattr(event, "stream_id", 0)
            if isinstance(event, RequestReceived):
                self.heads[number] = {str(name): str(value) for name, value in event.headers or []}
                self.bodies[number] = b""
                self.open.add(number)
                self.server.most = max(self.server.most, len(self.open))
            elif isinstance(event, DataReceived):
                self.bodies[number] += event.data or b""
                self.h2.acknowledge_received_data(event.flow_controlled_length or 0, number)
            elif isinstance(event, StreamReset):
                self.server.resets.append(int(event.error_code or 0))
                self.open.discard(number)
                self.unsent.pop(number, None)
            elif isinstance(event, StreamEnded):
                self.answer(number)
        self.go_on()
        self.flush()

    def answer(self, number: int) -> None:
        server = self.server
        server.requests.append((self.heads[number], self.bodies[number]))
        told = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
        if told.how == "refuse":
            self.h2.reset_stream(number, 7)
            self.open.discard(number)
            return
        if told.how == "silent":
            return
        self.flush()
        self.h2.send_headers(number, [(":status", str(told.status)), *told.headers.items()])
        if told.head:
            self.begin(number, told)
            return
        if told.how == "leave":
            self.leave(number)
        self.unsent[number], self.sent[number] = told, 0

    def begin(self, number: int, told: Told) -> None:
        """Send not all of the headers, or not all at once."""
        data = self.h2.data_to_send()
        if told.head == "slow":
            loop = asyncio.get_running_loop()
            for place in range(len(data)):
                loop.call_later(place / 1000, self.transport.write, data[place : place + 1])
            self.unsent[number], self.sent[number] = told, 0
            self.is_held = True
            loop.call_later(len(data) / 1000 + 0.01, self.release)
            return
        self.transport.write(data[: {"first": 1, "middle": len(data) // 2, "last": len(data) - 1}[told.head]])
        if told.how == "close":
            self.transport.close()

    def release(self) -> None:
        self.is_held = False
        self.later()

    def leave(self, last: int, code: int = 0) -> None:
        """Say farewell, without the library's ending it all."""
        self.flush()
        frame = last.to_bytes(4, "big") + code.to_bytes(4, "big")
        self.transport.write(len(frame).to_bytes(3, "big") + b"\x07\0" + bytes(4) + frame)

    def go_on(self) -> None:
        if self.is_held:
            return
        for number, told in list(self.unsent.items()):
            while (place := self.sent[number]) < len(told.body):
                size = min(told.piece, self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size)
                if size <= 0:
                    break
                self.h2.send_data(number, told.body[place : place + size])
                self.sent[number] += size
                if told.pace:
                    asyncio.get_running_loop().call_later(told.pace, self.later)
                    break
            if self.sent[number] >= len(told.body):
                del self.unsent[number]
                self.end(number, told.how)

    def later(self) -> None:
        if not self.transport.is_closing():
            self.go_on()
            self.flush()

    def end(self, number: int, how: str) -> None:
        if how == "stall":
            return
        self.open.discard(number)
        if how == "reset":
            self.h2.reset_stream(number, 2)
        elif how == "close":
            self.flush()
            self.transport.close()
        else:
            self.h2.end_stream(number)

    def flush(self) -> None:
        if not self.transport.is_closing() and not self.is_held:
            self.transport.write(self.h2.data_to_send())


@asynccontextmanager
async def serving(
    *answers: Told, limit: int = 100, context: ssl.SSLContext | None = None
) -> AsyncGenerator[Http2Server, None]:
    """A server, closed at the end.

    Args:
        answers: What is answered, in turn.
        limit: As for `Http2Server`.
        context: With which all is encrypted; it says which protocols are offered.
    """
    server = Http2Server(limit)
    server.answers = list(answers) or server.answers
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: _Served(server), "127.0.0.1", 0, ssl=context)
    port = listening.sockets[0].getsockname()[1]
    server.url = f"https://localhost:{port}" if context else f"http://127.0.0.1:{port}"
    try:
        yield server
    finally:
        listening.close()
        for served in list(server.connections):
            served.transport.abort()
        await server.until(0)
        # One whose handshake failed was never ours; a loop that ends before its end has come warns of it.
        async with asyncio.timeout(20):
            while getattr(listening, "_active_count", 0):  # noqa: ASYNC110 - `wait_closed` waits from Python 3.12 on
                await asyncio.sleep(0.002)
