"""A connection in HTTP/1.1: one call at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple, cast

from typing_extensions import override

from sentient_cli.llm.wire.http1.answer import UNANSWERED, Answer, UnansweredError
from sentient_cli.llm.wire.http1.pacing import begin_rest

__all__ = ["Connection", "Origin"]

_PIECE: Final = 64 * 1024
"""Bytes of a request that are handed over at once: to encrypt a large one would hold up the event loop."""


class Origin(NamedTuple):
    """Where a connection leads.

    Args:
        scheme: ``http`` or ``https``.
        host: The host.
        port: Its port.
    """

    scheme: str
    host: str
    port: int


class Connection(asyncio.Protocol):
    """A connection.

    Args:
        origin: Where it leads.
        freed: Told when it is free for another call.
        lost: Told when it is closed.
    """

    def __init__(self, origin: Origin, freed: Callable[[Connection], None], lost: Callable[[Connection], None]) -> None:
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self.origin: Origin = origin
        self.born: float = self.loop.time()
        self.unused_since: float = self.born
        self.gone: asyncio.Future[None] = self.loop.create_future()
        """Done when it is closed."""
        self._freed = freed
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._answer: Answer | None = None
        self._writable: asyncio.Future[None] | None = None
        self._is_full = False
        self._is_read = True
        self._is_held_up = False
        self._rests = False

    # ------------------------------------------------------------------------------------------- what the loop calls
    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # no subclass of it under uvloop

    @override
    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer is None:
            self.abort()  # nobody asked
            return
        answer.feed(data)
        if self._writable is not None and answer.is_begun:
            self._go_on_writing()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._end_rest()
        if self._answer is not None:
            self._answer.lost(exc)
        self._go_on_writing()
        if not self.gone.done():
            self.gone.set_result(None)
        self._lost(self)

    @override
    def pause_writing(self) -> None:
        self._is_full = True

    @override
    def resume_writing(self) -> None:
        self._is_full = False
        self._go_on_writing()

    def _go_on_writing(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    # ---------------------------------------------------------------------------------------------------------- calls
    @property
    def is_usable(self) -> bool:
        """Whether it can take a call."""
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, head: bytes, body: bytes | None, patience: float) -> Answer:
        """Send a request, and give its answer when the head of that is there. Close it.

        Args:
            head: Its head.
            body: What it carries.
            patience: Seconds that the other side may be silent.

        Raises:
            TimeoutError: it was.
            BrokenError: there is no answer.
        """
        transport = self._transport
        if transport is None or transport.is_closing():
            raise UnansweredError(UNANSWERED)
        answer = self._answer = Answer(self, patience)
        try:
            if body is None or len(body) <= _PIECE:
                transport.write(head + body if body else head)
                answer.is_sent = True
            else:
                transport.write(head)
                await self._send(transport, answer, body)
            await answer.head()
        except BaseException:
            answer.close()
            raise
        return answer

    async def _send(self, transport: asyncio.Transport, answer: Answer, body: bytes) -> None:
        """Send a large body, until it is sent or the answer has begun: then the other side has seen enough."""
        view = memoryview(body)
        for place in range(0, len(body), _PIECE):
            transport.write(view[place : place + _PIECE])
            if self._is_full:
                self._writable = self.loop.create_future()
                try:
                    await self._writable
                finally:
                    self._writable = None
            else:
                await asyncio.sleep(0)
            if answer.is_begun:
                answer.is_sent = place + _PIECE >= len(body)
                return
        answer.is_sent = True

    def free(self, *, usable: bool) -> None:
        """Its answer is read no more.

        Args:
            usable: Whether it can take another call.
        """
        self._answer = None
        self._end_rest()
        if usable and self.is_usable:
            self.go_on()
            self._freed(self)
        else:
            self.abort()

    def hold_up(self) -> None:
        """Take nothing more from the network for now."""
        self._is_held_up = True
        self._read()

    def go_on(self) -> None:
        """Take from the network what comes."""
        self._is_held_up = False
        self._read()

    def rest(self, seconds: float) -> None:
        """Take nothing from the network for a moment; where it is encrypted that would gain nothing, and is not done.

        Args:
            seconds: How long.
        """
        transport = self._transport
        if not self._rests and transport is not None and transport.get_extra_info("sslcontext") is None:
            self._rests = True
            self._read()
            begin_rest(self.loop, seconds, self._end_rest)

    def _end_rest(self) -> None:
        self._rests = False
        self._read()

    def _read(self) -> None:
        """Read, or not, as things are now."""
        wanted = not (self._is_held_up or self._rests)
        if wanted is self._is_read or self._transport is None or self._transport.is_closing():
            return
        self._is_read = wanted
        if wanted:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def close(self) -> None:
        """Close it. May be called twice."""
        if self._transport is not None:
            self._transport.close()
        elif not self.gone.done():
            self.gone.set_result(None)

    def abort(self) -> None:
        """Close it without waiting for the other side."""
        if self._transport is not None:
            self._transport.abort()
        elif not self.gone.done():
            self.gone.set_result(None)
