"""A client that costs next to nothing: bare sockets, no parsing while the time is taken."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar, cast

from typing_extensions import override

__all__ = ["Answer", "Call", "ask", "ask_all", "connect", "request_body", "run"]

_DATA = b"data: {"
_DONE = b'"content_type":"atomic.done"'
_END = b"0\r\n\r\n"
_TAIL = len(_END) - 1

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. Times are seconds from when the request was written.

    Args:
        status: Of the response; 0 when there was none.
        first: To the first event; None when none came.
        whole: To the last byte; None when the answer was cut off.
        events: How many came.
        done: Whether the last of them was ``done``, and nothing followed.
        size: Bytes received.
    """

    status: int
    first: float | None
    whole: float | None
    events: int
    done: bool
    size: int

    @property
    def complete(self) -> bool:
        """Whether it is a good answer from the first byte to the last."""
        return self.status == 200 and self.whole is not None and self.done


class Call(asyncio.Protocol):
    def __init__(self, request: bytes) -> None:
        self._request = request
        self._chunks: list[bytes] = []
        self._tail = b""
        self._sent = 0.0
        self._first: float | None = None
        self._whole: float | None = None
        self._transport: asyncio.Transport | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.began: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self) -> None:
        assert self._transport is not None
        self._sent = time.perf_counter()
        self._transport.write(self._request)

    @override
    def data_received(self, data: bytes) -> None:
        if self._first is None and _DATA in data:
            self._first = time.perf_counter() - self._sent
            self.began.set_result(None)
        self._chunks.append(data)
        end = self._tail + data[-len(_END) :] if len(data) < len(_END) else data
        self._tail = end[-_TAIL:]
        if end.endswith(_END):
            self._whole = time.perf_counter() - self._sent
            self._finish()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._finish()

    def _finish(self) -> None:
        for future in (self.began, self.ended):
            if not future.done():
                future.set_result(None)
        if self._transport is not None:
            self._transport.close()

    def answer(self) -> Answer:
        data = b"".join(self._chunks)
        last = data.rfind(_DATA)
        head = data.split(b" ", 2)
        return Answer(
            status=int(head[1]) if len(head) == 3 and head[1].isdigit() else 0,
            first=self._first,
            whole=self._whole,
            events=data.count(_DATA),
            done=last >= 0 and _DONE in data[last:],
            size=len(data),
        )


def run(main: Coroutine[object, object, T]) -> T:
    """Run something on the fastest loop that there is, and close the loop."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


def request_body(count: int, pause: float) -> bytes:
    """The body of ``POST /assist`` that asks the benchmarks' agent.

    Args:
        count: How many pieces of text are wanted.
        pause: Seconds between them.
    """
    query = {"id": "01JS4F4Z5V0000000000000001", "prompt": json.dumps({"count": count, "pause": pause})}
    session: dict[str, object] = {
        "processor_id": "sentient-chat-client",
        "activity_id": "01JS4F4Z5V0000000000000002",
        "request_id": "01JS4F4Z5V0000000000000003",
        "interactions": [],
    }
    return json.dumps({"query": query, "session": session}).encode()


def _request(port: int, body: bytes) -> bytes:
    head = (
        f"POST /assist HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Accept: text/event-stream\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def connect(port: int, bodies: Sequence[bytes], *, at_once: int = 100) -> list[Call]:
    """Open a connection for each body, without asking yet."""
    loop = asyncio.get_running_loop()
    calls: list[Call] = []
    for start in range(0, len(bodies), at_once):
        opening = [
            loop.create_connection(partial(Call, _request(port, body)), "127.0.0.1", port)
            for body in bodies[start : start + at_once]
        ]
        calls += [call for _, call in await asyncio.gather(*opening)]
    return calls


async def ask(port: int, bodies: Sequence[bytes], *, limit: float = 120.0) -> list[Answer]:
    """Ask everything at the same moment, on connections opened before, and wait for all answers.

    Args:
        port: Where the server listens on 127.0.0.1.
        bodies: What is asked.
        limit: Seconds after which what is missing counts as cut off.
    """
    calls = await connect(port, bodies)
    for call in calls:
        call.send()
    await asyncio.wait([call.ended for call in calls], timeout=limit)
    return [call.answer() for call in calls]


def ask_all(port: int, streams: int, count: int, *, pause: float = 0.0, limit: float = 120.0) -> list[Answer]:
    """The same question on so many streams at once, from a loop of its own.

    Raises:
        RuntimeError: an answer was not complete; a measurement of errors is worth nothing.
    """
    answers = run(ask(port, [request_body(count, pause)] * streams, limit=limit))
    bad = [answer for answer in answers if not answer.complete or answer.events < count]
    if bad:
        raise RuntimeError(f"{len(bad)} of {streams} answers were not complete, such as {bad[0]}")
    return answers
