"""Clients of ``dev`` that never stop: streams that are opened again as they end, and requests at a steady pace.

Every answer is taken apart: which version gave it, whether each piece is there in its order, and how it ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Final

from bench.dev_flow import question

__all__ = ["Reply", "Traffic", "exchange", "read_reply"]

_PATIENCE: Final = 60.0
_CANCELLED: Final = "A newer version of the agent has replaced this one"
_REQUEST_PIECES: Final = 2
_MOST_SAMPLES: Final = 20


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the paced agent.

    Args:
        verdict: ``whole``, or what is wrong with it.
        version: Of the code that gave it; -1: none is told.
        reload_error: What the header of that name says.
    """

    verdict: str
    version: int = -1
    reload_error: str = ""


async def exchange(port: int, method: str, path: str, body: bytes = b"") -> bytes:
    """Everything that a request is answered with, on a connection of its own.

    Raises:
        OSError: the connection is refused, or reset.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}\r\n".encode() + body)
        async with asyncio.timeout(_PATIENCE):
            return await reader.read(-1)
    finally:
        writer.close()


def read_reply(answer: bytes, count: int) -> Reply:
    """What an answer is worth.

    Args:
        answer: All of it.
        count: How many pieces were asked for.
    """
    head, _, rest = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    broken = headers.get("sentient-reload-error", "")
    if not lines[0].startswith("HTTP/1.1 200"):
        return Reply(f"status {lines[0][9:12]}" if lines[0] else "no answer", reload_error=broken)
    body, ended = _dechunked(rest) if headers.get("transfer-encoding") == "chunked" else (rest, True)
    events = [json.loads(line[6:]) for line in body.split(b"\n") if line.startswith(b"data: ")]
    if not ended or not events or events[-1]["content_type"] != "atomic.done":
        return Reply("cut off", reload_error=broken)
    texts = [event["content"].split() for event in events if event["content_type"] == "chunked.text"]
    pieces = [(int(text[0]), int(text[1])) for text in texts if text]
    versions = {version for version, _ in pieces}
    version = versions.pop() if len(versions) == 1 else -1
    if versions:
        return Reply("of two versions", reload_error=broken)
    if [place for _, place in pieces] != list(range(count)):
        cancelled = any(_CANCELLED in str(event.get("content")) for event in events)
        return Reply("cancelled for a newer version" if cancelled else "not whole", version, broken)
    return Reply("whole", version, broken)


def _dechunked(data: bytes) -> tuple[bytes, bool]:
    """The body, and whether its end was marked."""
    parts: list[bytes] = []
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            return b"".join(parts), data == b"\r\n"
        if len(data) < length + 2:
            break
        parts.append(data[:length])
        data = data[length + 2 :]
    return b"".join(parts), False


@dataclass(slots=True)
class Traffic:
    """The clients.

    Args:
        port: Where the server listens.
        streams: How many are open at any time.
        rate: Pieces of text a second in each.
        pieces: How many each has.
        requests: How many arrive a second.
        live: The newest version that is known to answer.
    """

    port: int
    streams: int
    rate: float
    pieces: int
    requests: float
    live: int = 0
    ended: Counter[str] = field(default_factory=Counter[str])
    answered: Counter[str] = field(default_factory=Counter[str])
    times: list[float] = field(default_factory=list[float])
    bad: list[str] = field(default_factory=list[str])
    _stopping: bool = False

    async def run(self, work: Coroutine[None, None, None]) -> None:
        """Go on for as long as some work takes; then let every answer end."""
        async with asyncio.TaskGroup() as group:
            for place in range(self.streams):
                group.create_task(self._stream(place))
            arriving = group.create_task(self._arrive(group))
            try:
                await work
            finally:
                self._stopping = True
                await arriving

    async def _stream(self, place: int) -> None:
        await asyncio.sleep(place / self.streams)  # as clients come: not all at once
        while not self._stopping:
            reply = await self._ask(self.pieces, self.rate)
            self._count(self.ended, "stream", reply)

    async def _arrive(self, group: asyncio.TaskGroup) -> None:
        began = time.perf_counter()
        for number in itertools.count():
            await asyncio.sleep(max(0.0, began + number / self.requests - time.perf_counter()))
            if self._stopping:
                return
            group.create_task(self._request())

    async def _request(self) -> None:
        expected, began = self.live, time.perf_counter()
        reply = await self._ask(_REQUEST_PIECES, 0)
        self.times.append(time.perf_counter() - began)
        if reply.verdict == "whole" and reply.version < expected:
            reply = Reply(f"of old code: {reply.version} after {expected}", reply.version)
        self._count(self.answered, "request", reply)

    async def _ask(self, pieces: int, rate: float) -> Reply:
        try:
            return read_reply(await exchange(self.port, "POST", "/assist", question(pieces, rate)), pieces)
        except (OSError, TimeoutError) as error:
            return Reply(type(error).__name__)

    def _count(self, counter: Counter[str], what: str, reply: Reply) -> None:
        counter[reply.verdict if not reply.verdict.startswith("of old code") else "of old code"] += 1
        if reply.verdict != "whole" and len(self.bad) < _MOST_SAMPLES:
            self.bad.append(f"{time.time():.3f} {what}: {reply.verdict} (version {reply.version})")

    async def version(self) -> Reply:
        """What one request more is answered."""
        with contextlib.suppress(OSError, TimeoutError):
            return read_reply(await exchange(self.port, "POST", "/assist", question(1, 0)), 1)
        return Reply("refused")
