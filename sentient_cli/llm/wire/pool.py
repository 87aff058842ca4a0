"""The connections of one event loop: room for calls, and an end. Which protocol they speak is another module's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Generic, NamedTuple, Protocol, TypeVar

import msgspec

from sentient_cli.errors import PoolExhaustedError
from sentient_cli.llm.wire.broken import UNSENT
from sentient_cli.llm.wire.closing import closed
from sentient_cli.llm.wire.pooling import Pooling
from sentient_cli.llm.wire.settings import RemoteConfig
from sentient_cli.llm.wire.waiting import Line

__all__ = ["Answered", "Outgoing", "Pool", "PoolFacts"]

Seat = TypeVar("Seat")


class PoolFacts(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How a pool is used at this moment.

    Args:
        open: Connections that stand, used or not.
        in_use: Calls that have one, or are about to get it. With HTTP/2 many calls share one.
        waiting: Calls that wait until there is room.
        limit: How many connections there can be.

    Example:
        >>> PoolFacts(open=3, in_use=2, waiting=0, limit=1000).in_use
        2
    """

    open: int = 0
    in_use: int = 0
    waiting: int = 0
    limit: int = 0


class Outgoing(NamedTuple):
    """A request.

    Args:
        method: Such as ``POST``.
        url: Where to.
        headers: Its headers.
        body: What it carries.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None


class Answered(Protocol):
    """An answer whose head is there, as a connection gives it."""

    @property
    def status(self) -> int:
        """Its status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Its headers, with names in lower case."""
        ...

    @property
    def readany(self) -> Callable[[], Awaitable[bytes]]:
        """Gives what has come since, at least a byte; nothing at the end."""
        ...

    def at_eof(self) -> bool:
        """Whether all of it was read."""
        ...

    def close(self) -> None:
        """Read no more: the connection is free when the answer was read to its end; else the provider is told."""
        ...


class Pool(Generic[Seat]):
    """The connections of one event loop.

    Args:
        provider: Whose.
        config: The settings that it is made with.
    """

    def __init__(self, provider: str, config: RemoteConfig) -> None:
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self.provider = provider
        self.pooling: Pooling = config.pooling
        self.in_use: int = 0
        self.retired: bool = False
        self.closed: bool = False
        self.line: Line = Line()
        self._ending: AsyncGenerator[None, None] | None = None
        self._is_ending = False
        self._answers: set[Answered] = set()

    @property
    def open(self) -> int:
        """Connections that stand."""
        raise NotImplementedError

    async def send(self, outgoing: Outgoing, config: RemoteConfig) -> tuple[Answered, Callable[[], None]]:
        """Send a request once there is room; give the head of the answer, and what is called when that is over.

        Args:
            outgoing: The request.
            config: The timeouts.

        Raises:
            PoolExhaustedError: there is no room in time.
            ProviderError: it was closed meanwhile.
            Exception: what the connection raises.
        """
        seat, answered = await self._exchange(outgoing, config)
        self._answers.add(answered)

        def freed() -> None:
            self._answers.discard(answered)
            self.leave(seat)

        return answered, freed

    async def _exchange(self, outgoing: Outgoing, config: RemoteConfig) -> tuple[Seat, Answered]:
        seat = await self.enter(config.pooling.pool_timeout)
        try:
            return seat, await self._send(seat, outgoing, config)
        except BaseException:
            self.leave(seat)
            raise

    async def enter(self, patience: float) -> Seat:
        """Wait for room.

        Args:
            patience: Seconds to wait.

        Raises:
            PoolExhaustedError: there is none in time.
            ProviderError: it was closed meanwhile.
        """
        seat = None if len(self.line) else self._take()
        if seat is None:
            try:
                seat = await self.line.until(self._take, patience)
            except asyncio.CancelledError as error:
                error.add_note(UNSENT)
                raise
            finally:
                self.let_go()
        if seat is None:
            raise PoolExhaustedError(
                f"No connection to the provider {self.provider!r} became free",
                why=f"All that there may be were in use for {patience:g} s, by {self.in_use} calls",
                fix="Raise `max_connections` or `pool_timeout`, or send less at once",
                provider=self.provider,
            )
        if self.closed:
            self.leave(seat)
            raise closed(self.provider)
        return seat

    def leave(self, seat: Seat) -> None:
        """Make room again.

        Args:
            seat: What was given.
        """
        self.in_use -= 1
        self._give_back(seat)
        self.line.wake()
        self.let_go()

    def let_go(self) -> None:
        """Close what stands if it is for no new calls, and none goes on or waits."""
        if self.retired and not (self.closed or self.in_use or len(self.line)):
            self.shut()

    def count(self) -> None:
        """One call more has a connection, or is about to get it."""
        self.in_use += 1

    def _take(self) -> Seat | None:
        """Take room for a call, and count it in `in_use`; None: there is none."""
        raise NotImplementedError

    def _give_back(self, seat: Seat) -> None:
        """Room is not used any more."""
        raise NotImplementedError

    async def _send(self, seat: Seat, outgoing: Outgoing, config: RemoteConfig) -> Answered:
        """Send a request, and give the head of its answer."""
        raise NotImplementedError

    async def _end(self) -> None:
        """Close all connections."""
        raise NotImplementedError

    def abandon(self) -> None:
        """Its loop is gone, and its connections with it."""

    def shut(self) -> None:
        """Close what stands, from within its own loop and without waiting; no call begins from then on."""
        self.closed = True
        task = self.loop.create_task(self.close(), name="close a pool of connections")
        _closing.add(task)
        task.add_done_callback(_closing.discard)

    async def attach(self) -> None:
        """Have it closed when its loop ends, whether anybody thinks of it or not."""
        self._ending = self._until_the_end()
        await anext(self._ending)

    async def _until_the_end(self) -> AsyncGenerator[None, None]:
        # What ends a loop in an orderly way closes the generators that are open in it, while it still runs.
        try:
            yield
        finally:
            self.closed = True
            await self._end()

    async def close(self) -> None:
        """Close what stands, now."""
        self.closed = True
        for answered in tuple(self._answers):
            answered.close()  # else those would wait for ever who read it
        self.line.wake()
        if not self._is_ending:
            self._is_ending = True
            await (self._ending.aclose() if self._ending is not None else self._end())

    @staticmethod
    async def until_shut() -> None:
        """Wait for those of this loop that are being closed."""
        here = asyncio.get_running_loop()
        await asyncio.gather(*(task for task in _closing if task.get_loop() is here))


_closing: set[asyncio.Task[None]] = set()
