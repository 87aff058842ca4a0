"""A provider on a port: answers over real sockets what a test says, and breaks where it says."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self, TypeAlias

__all__ = ["Answer", "How", "LLMServer", "Received", "as_json", "as_sse"]

How: TypeAlias = Literal["end", "close", "reset", "stall"]
"""What comes after the last byte: a clean end, a closed connection in the middle, a reset, or nothing ever."""

_PATIENCE = 120.0


@dataclass(frozen=True)
class Received:
    """A request.

    Args:
        method: Such as ``POST``.
        path: With its query.
        headers: Names in lower case.
        body: As it came.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, object]:
        """The body as an object."""
        told: dict[str, object] = json.loads(self.body)
        assert isinstance(told, dict)
        return told


@dataclass(frozen=True)
class Answer:
    """An answer, and how it breaks.

    Args:
        body: Its bytes; several pieces are sent apart.
        status: Its status.
        headers: More than ``Content-Type``.
        content_type: Of the body.
        pace: Seconds before each piece.
        cut: Send only so many bytes of the body; negative: all but so many.
        how: What comes then, or after the whole body.
        delay: Seconds before the first byte of the head.
        gate: What has to be set before anything but the first piece is sent.
    """

    body: bytes | Sequence[bytes] = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    content_type: str = "text/event-stream"
    pace: float = 0.0
    cut: int | None = None
    how: How = "end"
    delay: float = 0.0
    gate: threading.Event | None = None

    def pieces(self) -> list[bytes]:
        """What is sent of the body; none is empty, since an empty one says that the body is over."""
        pieces = [self.body] if isinstance(self.body, bytes) else list(self.body)
        if self.cut is None:
            return [piece for piece in pieces if piece]
        left = self.cut if self.cut >= 0 else max(0, sum(map(len, pieces)) + self.cut)
        sent: list[bytes] = []
        for piece in pieces:
            sent.append(piece[:left])
            left -= len(sent[-1])
        return [piece for piece in sent if piece]


Handler: TypeAlias = Callable[[Received], Answer]


def as_sse(events: Iterable[object], *, names: bool = False, done: bool = False) -> list[bytes]:
    """Server-sent events of JSON values, one piece each.

    Args:
        events: The values; bytes stand as they are.
        names: Whether each is named by its ``type``.
        done: Whether ``[DONE]`` follows.
    """
    pieces: list[bytes] = []
    for event in events:
        if isinstance(event, bytes):
            pieces.append(event)
            continue
        name = f"event: {event['type']}\n" if names and isinstance(event, dict) else ""
        pieces.append(f"{name}data: {json.dumps(event)}\n\n".encode())
    return [*pieces, b"data: [DONE]\n\n"] if done else pieces


def as_json(value: object, status: int = 200, **headers: str) -> Answer:
    """An answer of JSON; an underscore in the name of a header stands for a hyphen."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(json.dumps(value).encode(), status=status, headers=named, content_type="application/json")


class LLMServer:
    """A server on loopback, in a thread of its own.

    Args:
        answers: What is answered, in turn; the last one again and again. Or what answers a request.

    Example:
        with LLMServer(as_json({"data": []})) as server:
            provider = CompatibleProvider(…, base_url=f"{server.url}/v1")
    """

    def __init__(self, *answers: Answer | Handler) -> None:
        self._answers: deque[Answer | Handler] = deque(answers)
        self.requests: list[Received] = []
        """What came, in order."""
        self.accepted: int = 0
        """Connections so far."""
        self._open: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="llm-server", daemon=True)
        self.port: int = 0

    @property
    def url(self) -> str:
        """Where it is, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def open(self) -> int:
        """Connections that stand now."""
        return len(self._open)

    def answer(self, *answers: Answer | Handler) -> None:
        """Answer so from now on."""
        self._answers = deque(answers)

    def wait_open(self, count: int) -> None:
        """Return once so many connections stand.

        Raises:
            AssertionError: that never comes.
        """
        deadline = time.monotonic() + _PATIENCE
        while self.open != count:
            assert time.monotonic() < deadline, f"{self.open} connections stand, not {count}"
            time.sleep(0.005)

    def close_all(self) -> None:
        """Close every connection, as a server does that restarts."""
        self._loop.call_soon_threadsafe(self._close_all)

    def _close_all(self) -> None:
        for writer in list(self._open):
            writer.close()

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._begin(), self._loop).result(_PATIENCE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(_PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)
        self._loop.close()

    async def _begin(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=2**24)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        # First nothing new is accepted, then what was accepted a moment ago comes into being and can be closed. If the
        # server closed in between, the socket would stay open until it is collected, with a warning in another test.
        for listening in self._server.sockets:
            self._loop.remove_reader(listening.fileno())
        await _turns()
        self._server.close()
        for writer in self._open:
            writer.transport.abort()  # `close` would wait for a client that does not read, and the loop ends before
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await _turns()  # the sockets close

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # No coroutine function: of the tasks that asyncio makes itself it cannot bear that one is cancelled.
        self.accepted += 1
        self._open.add(writer)
        task = self._loop.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                while await self._exchange(reader, writer):
                    pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; whether another may follow."""
        received = await _read(reader)
        if received is None:
            return False
        self.requests.append(received)
        chosen = self._answers.popleft() if len(self._answers) > 1 else self._answers[0]
        answer = chosen if isinstance(chosen, Answer) else chosen(received)
        # A client that leaves is noticed while something is still to be sent, or never is.
        gone = asyncio.ensure_future(_left(reader))
        sending = asyncio.ensure_future(_send(writer, answer))
        try:
            await asyncio.wait([gone, sending], return_when=asyncio.FIRST_COMPLETED)
            return sending.done() and sending.result()
        finally:
            for task in (gone, sending):
                task.cancel()
            await asyncio.gather(gone, sending, return_exceptions=True)


async def _turns() -> None:
    """Let the loop do what it has been told to do, and what follows from that."""
    for _ in range(5):
        await asyncio.sleep(0)


async def _left(reader: asyncio.StreamReader) -> None:
    """Return once the client is gone; nothing is read, since the next request may be there."""
    while not reader.at_eof() and reader.exception() is None:  # noqa: ASYNC110 - no event tells it
        await asyncio.sleep(0.005)


async def _read(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = b"".join([piece async for piece in _chunks(reader)])
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method, path, headers, body)


async def _chunks(reader: asyncio.StreamReader) -> AsyncGenerator[bytes, None]:
    while size := int(await reader.readline(), 16):
        yield (await reader.readexactly(size + 2))[:-2]
    await reader.readline()


async def _send(writer: asyncio.StreamWriter, answer: Answer) -> bool:
    """Send an answer; whether the connection can go on."""
    await asyncio.sleep(answer.delay)
    headers = {"content-type": answer.content_type, "transfer-encoding": "chunked", **answer.headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"HTTP/1.1 {answer.status} Told\r\n{head}\r\n".encode("latin-1"))
    for number, piece in enumerate(answer.pieces()):
        if answer.gate is not None and number == 1:
            await asyncio.to_thread(answer.gate.wait, _PATIENCE)
        if answer.pace:
            await writer.drain()
            await asyncio.sleep(answer.pace)
        if writer.is_closing():  # asyncio complains of what is written then
            return False
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
    if answer.how == "end":
        writer.write(b"0\r\n\r\n")
    await writer.drain()
    if answer.how == "stall":
        await asyncio.Event().wait()
    if answer.how == "reset":
        peer: socket.socket = writer.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    return answer.how == "end"
