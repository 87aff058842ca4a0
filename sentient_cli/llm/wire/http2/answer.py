"""The answer on one stream of a connection."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from sentient_cli.llm.wire.broken import BrokenError
from sentient_cli.llm.wire.unpacking import Unpacker

__all__ = ["Stream", "UnprocessedError", "Upstream"]

WINDOW: Final = 1024 * 1024
"""Bytes of one answer that may have come and were not read."""


class UnprocessedError(BrokenError):
    """The other side has not looked at the request: it can be sent again without harm."""


class Upstream(Protocol):
    """What a stream belongs to."""

    def taken(self, stream: int, size: int) -> None:
        """So many bytes of a stream were read: as many more may come."""
        ...

    def drop(self, stream: int) -> None:
        """A stream is given up: the other side is told, when it still answers."""
        ...

    def doubt(self, since: float) -> None:
        """Nothing came on a stream; if nothing came on the whole connection since then, it takes no new calls."""
        ...


class Stream:
    """One stream: what came of its answer, for one reader.

    Args:
        upstream: Its connection.
        number: Its own.
        patience: Seconds that nothing may come.
    """

    __slots__ = (
        "_ended",
        "_failure",
        "_number",
        "_patience",
        "_pieces",
        "_since",
        "_size",
        "_timer",
        "_unpacker",
        "_untold",
        "_upstream",
        "_waiter",
        "headers",
        "is_sent",
        "status",
    )

    def __init__(self, upstream: Upstream, number: int, patience: float) -> None:
        self._upstream = upstream
        self._number = number
        self._patience = patience
        self._pieces: list[bytes] = []
        self._size = 0
        self._untold = 0
        self._ended = False
        self._failure: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._since = 0.0
        self._unpacker: Unpacker | None = None
        self.is_sent: bool = False
        """Whether the request is sent as a whole."""
        self.status: int = 0
        self.headers: dict[str, str] = {}

    # ------------------------------------------------------------------------------------------------- what comes in
    @property
    def is_over(self) -> bool:
        """Whether nothing more comes."""
        return self._ended or self._failure is not None

    @property
    def is_complete(self) -> bool:
        """Whether both sides have said all."""
        return self._ended and self.is_sent

    def begin(self, status: int, headers: dict[str, str]) -> None:
        """The head is there."""
        self.status, self.headers = status, headers
        self._wake()

    def feed(self, data: bytes, size: int) -> None:
        """A piece is there; `size` is what it counts for the window."""
        if data:
            self._pieces.append(data)
            self._wake()  # nothing at all is no sign of life
        self._size += size

    def end(self) -> None:
        """It is over."""
        self._ended = True
        self._wake()

    def fail(self, failure: Exception) -> None:
        """It broke; what came before can still be read."""
        if not self.is_over:
            self._failure = failure
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # ------------------------------------------------------------------------------------------------------- reading
    async def head(self) -> None:
        """Wait for the head.

        Raises:
            TimeoutError: it did not come in time.
            BrokenError: it does not come.
        """
        while not self.status:
            if self.is_over:
                raise self._failure or BrokenError("The answer ended before it had begun")
            await self._more()
        encoding = self.headers.get("content-encoding", "").strip().lower()
        if encoding not in {"", "identity"}:
            self._unpacker = Unpacker(encoding)

    async def readany(self) -> bytes:
        """What has come since, at least a byte; nothing at the end.

        Raises:
            TimeoutError: nothing came in time.
            BrokenError: it broke off.
        """
        while not (data := self._next()):
            if self._failure is not None:
                raise self._failure
            if self._ended:
                if self._unpacker is not None:
                    self._unpacker.end()
                return b""
            await self._more()
        return data

    def _next(self) -> bytes:
        if self._pieces:
            data, size = b"".join(self._pieces), self._size
            self._pieces.clear()
            self._size = 0
            self._untold += size
            if self._untold >= WINDOW // 2 and not self.is_over:
                self._upstream.taken(self._number, self._untold)
                self._untold = 0
            if self._unpacker is None:
                return data
            self._unpacker.put(data)
        return self._unpacker.take() if self._unpacker is not None else b""

    def at_eof(self) -> bool:
        """Whether all of it was read."""
        return self._ended and not self._pieces

    def close(self) -> None:
        """Read no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._upstream.drop(self._number)
        self.fail(BrokenError("The answer was given up"))

    async def _more(self) -> None:
        # One timer for the whole answer: to begin and end one with each piece would cost more than the piece.
        loop = asyncio.get_running_loop()
        self._since = loop.time()
        self._waiter = loop.create_future()
        if self._timer is None:
            self._timer = loop.call_later(self._patience, self._look)
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _look(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        loop = self._waiter.get_loop()
        left = self._since + self._patience - loop.time()
        if left > 0:
            self._timer = loop.call_later(left, self._look)
        else:
            self._upstream.doubt(self._since)
            self._waiter.set_exception(TimeoutError())
