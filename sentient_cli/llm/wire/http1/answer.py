"""The answer on a connection in HTTP/1.1, for one reader."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from sentient_cli.llm.wire.broken import BrokenError, GarbledError
from sentient_cli.llm.wire.http1.bodies import Body, Chunked, Endless, Sized
from sentient_cli.llm.wire.http1.head import MAX_HEAD, Head, read_head
from sentient_cli.llm.wire.http1.pacing import Pace
from sentient_cli.llm.wire.patience import Patience
from sentient_cli.llm.wire.unpacking import Unpacker

__all__ = ["UNANSWERED", "Answer", "UnansweredError", "Upstream"]

UNANSWERED: Final = "{} closed the connection before it had answered"
_HELD: Final = 256 * 1024
"""Bytes that may have come and were not read; then no more are taken from the network."""
_FIRST: Final = b"HTTP/1."
_UPGRADED: Final = 101
_FINAL: Final = 200


class UnansweredError(BrokenError):
    """Nothing of an answer came."""


class Upstream(Protocol):
    """What an answer comes over."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that it belongs to."""
        ...

    def hold_up(self) -> None:
        """Take nothing more from the network for now."""
        ...

    def go_on(self) -> None:
        """Take from the network what comes."""
        ...

    def rest(self, seconds: float) -> None:
        """Take nothing from the network for a moment."""
        ...

    def free(self, *, usable: bool) -> None:
        """The answer is read no more; another call may follow, or not."""
        ...


class Answer:
    """The answer on its way over a connection.

    Args:
        connection: The connection.
        patience: Seconds that nothing may come while it is waited for.
    """

    __slots__ = (
        "_begun",
        "_body",
        "_connection",
        "_failure",
        "_has_ended",
        "_headed",
        "_is_over",
        "_keeps",
        "_loop",
        "_pace",
        "_pieces",
        "_silence",
        "_size",
        "_unpacker",
        "_waiter",
        "headers",
        "is_sent",
        "status",
    )

    def __init__(self, connection: Upstream, patience: float) -> None:
        self._connection: Upstream | None = connection
        self._loop = connection.loop
        self._headed: asyncio.Future[None] = self._loop.create_future()
        self._waiter: asyncio.Future[bytes] | None = None
        self._silence = Patience(patience, self._silent)
        self._begun = b""
        self._body: Body | None = None
        self._unpacker: Unpacker | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self._pace = Pace(self._loop.time())
        self._failure: Exception | None = None
        self._has_ended = False
        self._is_over = False  # ended or failed
        self._keeps = False
        self.is_sent: bool = False
        """Whether the request is sent as a whole."""
        self.status: int = 0
        self.headers: dict[str, str] = {}

    # ------------------------------------------------------------------------------------------------- what comes in
    @property
    def is_begun(self) -> bool:
        """Whether its head is there, or never comes."""
        return self._headed.done()

    def feed(self, data: bytes) -> None:
        """Something came."""
        if self._is_over:
            self._keeps = False  # more than was asked for, or what cannot be understood any more
            return
        body = self._body
        if body is None:
            self._silence.moved = True
            self._head(data)
            return
        try:
            piece = body.take(data)
        except GarbledError as error:
            self.fail(error)
            return
        if piece:
            waiter = self._waiter
            if waiter is not None and not waiter.done():  # nearly always
                self._waiter = None
                waiter.set_result(piece)
            else:
                self._hold(piece)
        else:
            self._silence.moved = True
        if body.is_over:
            self._end()
            return
        pace = self._pace
        pace.left -= 1
        if not pace.left:
            seconds = pace.rest(len(data), self._loop.time())
            if seconds and self._connection is not None:
                self._connection.rest(seconds)

    def _head(self, data: bytes) -> None:
        data = self._begun + data
        try:
            while (end := data.find(b"\r\n\r\n")) >= 0:
                head, data = read_head(data[:end]), data[end + 4 :]
                if head.status >= _FINAL:
                    self._begin(head, data)
                    return
                if head.status == _UPGRADED:
                    raise GarbledError("It answers in another protocol, which nobody asked for")  # noqa: TRY301
            if data[: len(_FIRST)] != _FIRST[: len(data)]:
                raise GarbledError("What it answers is no HTTP")  # noqa: TRY301 - as what cannot be read
            if len(data) > MAX_HEAD:
                raise GarbledError("The head of the answer is too long")  # noqa: TRY301 - the same
        except GarbledError as error:
            self.fail(error)
        self._begun = data

    def _begin(self, head: Head, data: bytes) -> None:
        encoding = head.headers.get("content-encoding", "").strip().lower()
        if encoding not in {"", "identity"} and head.size != 0:
            self._unpacker = Unpacker(encoding)
        self.status, self.headers, self._keeps, self._begun = head.status, head.headers, head.keeps, b""
        self._body = Chunked() if head.chunked else Endless() if head.size is None else Sized(head.size)
        if not self._headed.done():
            self._headed.set_result(None)
        if data:
            self.feed(data)
        elif self._body.is_over:
            self._end()

    def _hold(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > _HELD and self._connection is not None:
            self._connection.hold_up()

    def _end(self) -> None:
        if not self._has_ended:
            self._has_ended = self._is_over = True
            self._silence.end()
            self._wake(b"")

    def lost(self, failure: Exception | None) -> None:
        """The connection has ended."""
        if self._has_ended:
            return
        if self._body is None:
            self.fail(failure or (BrokenError(UNANSWERED) if self._begun else UnansweredError(UNANSWERED)))
            return
        try:
            self._body.close()
        except BrokenError as error:
            self.fail(failure or error)
        else:
            self.fail(failure) if failure is not None else self._end()

    def fail(self, failure: Exception) -> None:
        """It broke; what came before can still be read."""
        if self._is_over:
            return
        self._failure, self._is_over = failure, True
        self._silence.end()
        if not self._headed.done():
            self._headed.set_exception(failure)
            self._headed.exception()  # perhaps nobody waits for it
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(failure)

    def _wake(self, data: bytes) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(data)

    def _silent(self) -> None:
        if self._body is None or (self._waiter is not None and not self._waiter.done()):
            self.fail(TimeoutError())
        else:
            self._silence.renew()  # it is the reader who takes time

    # ------------------------------------------------------------------------------------------------------- reading
    async def head(self) -> None:
        """Wait for the head.

        Raises:
            TimeoutError: nothing came in time.
            BrokenError: it does not come.
        """
        if not self._headed.done():
            self._silence.begin()
        await self._headed

    @property
    def readany(self) -> Callable[[], Awaitable[bytes]]:
        """What gives what has come since, at least a byte; nothing at the end. To be asked for once the head is there.

        It raises `TimeoutError` when nothing came in time, and `BrokenError` when the answer broke off.
        """
        return self._more if self._unpacker is None else self._unpacked

    def _more(self) -> asyncio.Future[bytes]:
        # Without a coroutine of its own: each costs each chunk.
        waiter: asyncio.Future[bytes] = self._loop.create_future()
        if not self._pieces and not self._is_over:
            self._silence.moved = True
            self._waiter = waiter
        elif self._pieces:
            waiter.set_result(self._taken())
        elif self._failure is not None:
            waiter.set_exception(self._failure)
        else:
            waiter.set_result(b"")
        return waiter

    def _taken(self) -> bytes:
        pieces = self._pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._size = 0
        if self._connection is not None:
            self._connection.go_on()
        return data

    async def _unpacked(self) -> bytes:
        unpacker = self._unpacker
        assert unpacker is not None  # noqa: S101 - it is only asked for where there is one
        while not (data := unpacker.take()):
            packed = await self._more()
            if not packed:
                unpacker.end()
                return b""
            unpacker.put(packed)
        return data

    def at_eof(self) -> bool:
        """Whether all of it was read."""
        return self._has_ended and not self._pieces

    def close(self) -> None:
        """Read no more: the connection is free when all was there; else it is closed."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        whole = self._has_ended and self.is_sent and self._keeps and self._body is not None and self._body.keeps
        self.fail(BrokenError("The answer was given up"))
        self._silence.end()
        connection.free(usable=whole)
