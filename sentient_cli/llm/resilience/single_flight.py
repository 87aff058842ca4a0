"""Calls that ask the same at the same time share one answer."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncGenerator

from sentient_cli.llm.call import Answering, Call, CallOptions
from sentient_cli.llm.provider import Request
from sentient_cli.llm.resilience.deadlines import Watch
from sentient_cli.llm.resilience.keys import key_of
from sentient_cli.llm.types import Chunk

__all__ = ["SingleFlight"]


class _Flight:
    """One answer on its way, and those who wait for it. Who comes late gets it from its beginning."""

    def __init__(self, inner: Answering, request: Request, call: Call) -> None:
        self.call = call
        self.chunks: list[Chunk] = []
        self.readers: list[Call] = []
        """Those who read it."""
        self.payer = call
        """Who pays for it: the first of those who read all of it, or the last who has left."""
        self.is_paid = False
        self.error: BaseException | None = None
        self.is_over = False
        self._news = asyncio.Event()
        self.task = asyncio.create_task(self._fly(inner.stream(request, call)))

    async def _fly(self, source: AsyncGenerator[Chunk, None]) -> None:
        try:
            async for chunk in source:
                self.chunks.append(chunk)
                self._tell()
        except Exception as error:  # noqa: BLE001 - each reader raises it
            self.error = error
        finally:
            self.is_over = True
            self._tell()
            await source.aclose()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def more(self, read: int) -> None:
        """Wait until there is more than was read, or it is over."""
        while len(self.chunks) <= read and not self.is_over:
            await self._news.wait()

    def tell(self, reader: Call) -> None:
        """Let the call of a reader that came later know what happened to the one that asks."""
        asking = self.call
        reader.provider, reader.model = asking.provider, asking.model
        reader.attempts, reader.failovers, reader.degraded = asking.attempts, asking.failovers, asking.degraded
        for notice in asking.notices:
            reader.note(notice, passing=notice in asking.passing)
        if reader is self.payer:
            reader.cost, reader.wasted, reader.wasted_cost = None, asking.wasted, asking.wasted_cost
        else:
            reader.cost = 0.0

    def join(self, reader: Call) -> None:
        """A reader comes; what one of them reads piece by piece does not begin anew unseen."""
        self.readers.append(reader)
        self.call.is_whole = self.call.is_whole and reader.is_whole

    def left(self, reader: Call, *, has_all: bool) -> None:
        """A reader goes; one that has not read all of it leaves paying to those who read on, and the last one pays."""
        self.readers.remove(reader)
        if self.readers and self.call not in self.readers:
            self.call.recorder.heir = self.readers[0].recorder
        if has_all:
            self.is_paid = self.is_paid or reader is self.payer
        elif self.is_paid or self.readers:
            reader.cost = 0.0
            if reader is self.payer:
                self.payer = self.readers[0]
        else:
            self.payer = reader
            if reader is not self.call:
                self.tell(reader)

    async def end(self) -> None:
        """Stop it."""
        if not self.task.done():  # a loop that ends has ended it, and closes all who read at once
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)


class SingleFlight:
    """Lets calls share an answer that want to.

    Args:
        inner: Asks.
        shared: Whether calls do that say nothing of it. May be replaced.

    Example:
        >>> import asyncio
        >>> from sentient_cli.llm import LLMManager, OfflineProvider
        >>> from sentient_cli.llm.call import CallOptions
        >>> async def main() -> int:
        ...     provider = OfflineProvider()
        ...     manager, options = LLMManager([provider], default_model="offline"), CallOptions(shared=True)
        ...     await asyncio.gather(*(manager.generate("What is 6 * 7?", options=options) for _ in range(5)))
        ...     return provider.metrics().requests
        >>> asyncio.run(main())
        1
    """

    __slots__ = ("_flights", "_inner", "shared")

    def __init__(self, inner: Answering, *, shared: bool = False) -> None:
        self._inner = inner
        self.shared: bool = shared
        self._flights: dict[tuple[asyncio.AbstractEventLoop, CallOptions, str], _Flight] = {}

    def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        """Ask, or listen to who asked already.

        Raises:
            ProviderError: the shared call failed.
        """
        wanted = call.options.shared
        shared = self.shared if wanted is None else wanted
        return self._shared(request, call) if shared else self._inner.stream(request, call)

    async def _shared(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        # Tasks and events belong to their loop, so only calls of one loop share.
        key = (asyncio.get_running_loop(), call.options, key_of(request, call))
        flight = self._flights.get(key)
        is_first = flight is None or flight.is_over
        if flight is None or flight.is_over:
            flight = self._flights[key] = _Flight(self._inner, request, call)
        # Each reader has its own time; the flight goes on as long as somebody waits for it.
        deadline, flight.call.deadline = call.deadline, None
        watch = Watch(None, None, deadline)
        flight.join(call)
        has_all = False
        try:
            read = 0
            while True:
                if read == len(flight.chunks) and not flight.is_over:
                    await _wait(flight, read, watch)
                if read == len(flight.chunks):
                    break
                chunk = flight.chunks[read]
                read += 1
                if not is_first:
                    flight.tell(call)
                yield chunk
            has_all = True
            if flight.error is not None:
                raise copy.copy(flight.error)  # one object would gather the frames of all who raise it
            if not is_first:
                flight.tell(call)
                call.note("This answer was shared with another call", passing=True)
        finally:
            watch.close()
            flight.left(call, has_all=has_all)
            if (flight.is_over or not flight.readers) and self._flights.get(key) is flight:
                del self._flights[key]
            if not flight.readers:
                await flight.end()


async def _wait(flight: _Flight, read: int, watch: Watch) -> None:
    try:
        if not watch.resume():
            await flight.more(read)
            watch.task = None
            return
    except asyncio.CancelledError:
        if not watch.interrupted():
            raise
    raise watch.error(flight.call.provider)
