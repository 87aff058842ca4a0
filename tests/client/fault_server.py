"""A raw HTTP server that does to a client whatever a script says: cut, stall, refuse, send any bytes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from dataclasses import dataclass, field

__all__ = [
    "Exchange",
    "FaultServer",
    "Handler",
    "closed",
    "done",
    "error",
    "frame",
    "json_event",
    "served",
    "text",
    "threaded",
]

_SOURCE = "sentient-chat-client"


@dataclass
class Exchange:
    """One request, and the means to answer it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def json(self) -> dict[str, object]:
        value: dict[str, object] = json.loads(self.body)
        return value

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def begin(self, run_id: str | None = "run-1", *, content_type: str = "text/event-stream") -> None:
        """Send the head of an event stream."""
        lines = [f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n"]
        if run_id is not None:
            lines.append(f"Sentient-Run-Id: {run_id}\r\n")
        await self.send("".join([*lines, "\r\n"]).encode())

    async def chunk(self, data: bytes) -> None:
        await self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def end(self) -> None:
        """End the body as HTTP wants it."""
        await self.send(b"0\r\n\r\n")

    async def answer(self, status: int, body: bytes = b"", headers: str = "") -> None:
        """Send a whole answer."""
        await self.send(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body)

    def reset(self) -> None:
        """Cut the connection in the middle."""
        self.writer.transport.abort()

    async def gone(self) -> None:
        """Wait until the client has left."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65536):
                pass


Handler = Callable[[Exchange], Awaitable[None]]


@dataclass
class FaultServer:
    """Where it listens, and what was asked of it."""

    handler: Handler
    port: int = 0
    exchanges: list[Exchange] = field(default_factory=list[Exchange])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def requests(self) -> list[str]:
        return [f"{exchange.method} {exchange.path}" for exchange in self.exchanges]

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            exchange = await _read(reader, writer)
            self.exchanges.append(exchange)
            await self.handler(exchange)
        writer.close()


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Exchange:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *rest = head.strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Exchange(method, path, headers, body, reader, writer)


@contextlib.asynccontextmanager
async def served(handler: Handler) -> AsyncGenerator[FaultServer]:
    """A server in this loop; each connection serves one request."""
    server = FaultServer(handler)
    tasks: set[asyncio.Task[None]] = set()
    writers: list[asyncio.StreamWriter] = []

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(server.connected(reader, writer))
        tasks.add(task)
        writers.append(writer)
        task.add_done_callback(tasks.discard)

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        # An aborted transport is let go of in the next turn of the loop.
        await asyncio.sleep(0)


@contextlib.contextmanager
def threaded(handler: Handler) -> Generator[FaultServer]:
    """A server in a thread of its own, for clients in other processes."""
    ready = threading.Event()
    found: list[FaultServer] = []
    stop: list[Callable[[], object]] = []

    async def serve() -> None:
        ending = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with served(handler) as server:
            found.append(server)
            stop.append(lambda: loop.call_soon_threadsafe(ending.set))
            ready.set()
            await ending.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="fault-server")
    thread.start()
    try:
        assert ready.wait(30)
        yield found[0]
    finally:
        for end in stop:
            end()
        thread.join()


def frame(event: dict[str, object], seq: int | None = None, *, ascii_json: bool = False) -> bytes:
    """One event as it goes on the wire."""
    head = "" if seq is None else f"id: {seq}\n"
    data = json.dumps(event, ensure_ascii=ascii_json, separators=(",", ":"))
    return f"{head}event: {event['event_name']}\ndata: {data}\n\n".encode("utf-8", "surrogatepass")


def _event(content_type: str, name: str, seq: int | None, rest: dict[str, object]) -> bytes:
    number = 0 if seq is None else seq
    base: dict[str, object] = {
        "content_type": content_type,
        "event_name": name,
        "schema_version": "1.0",
        "id": f"01JS4F4Z5V{number:016d}",
        "source": _SOURCE,
        "metadata": None,
    }
    return frame(base | rest, seq)


def text(content: str, seq: int | None = None, *, name: str = "ANSWER", stream: str | None = None) -> bytes:
    """A text block, or a chunk of a text stream."""
    if stream is None:
        return _event("atomic.textblock", name, seq, {"content": content})
    return _event("chunked.text", name, seq, {"stream_id": stream, "is_complete": False, "content": content})


def closed(stream: str, seq: int | None = None, *, name: str = "ANSWER") -> bytes:
    """The end of a text stream."""
    return _event("chunked.text", name, seq, {"stream_id": stream, "is_complete": True, "content": " "})


def json_event(content: dict[str, object], seq: int | None = None, *, name: str = "SOURCES") -> bytes:
    """A JSON event."""
    return _event("atomic.json", name, seq, {"content": content})


def error(message: str, code: int = 500, seq: int | None = None) -> bytes:
    """An error event."""
    content = {"error_message": message, "error_code": code, "details": None}
    return _event("atomic.error", "error", seq, {"content": content})


def done(seq: int | None = None) -> bytes:
    """The last event."""
    return _event("atomic.done", "done", seq, {})
