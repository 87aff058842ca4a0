"""The connections of one event loop in HTTP/2: calls share one as long as it takes them; then another is opened."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from typing_extensions import override

from sentient_cli.llm.wire.broken import StalledError
from sentient_cli.llm.wire.closing import closed
from sentient_cli.llm.wire.http2.answer import UnprocessedError
from sentient_cli.llm.wire.http2.connection import CALLS, Connection, Header
from sentient_cli.llm.wire.http2.dialing import dial, negotiating
from sentient_cli.llm.wire.patience import SLOWEST
from sentient_cli.llm.wire.pool import Answered, Outgoing, Pool
from sentient_cli.llm.wire.settings import RemoteConfig

__all__ = ["Http2Pool"]

_OURS: Final = frozenset({"host", "connection", "transfer-encoding", "keep-alive", "upgrade", "accept-encoding"})
"""Headers that HTTP/2 has in another form, or that belong to the connection."""
_PACKED: Final = (b"accept-encoding", b"gzip, deflate")
_PATIENCE: Final = 0.25
"""Seconds that the other side may take to close what is encrypted."""


class _Lane:
    """A connection, or one that is being opened, and how many calls have it."""

    __slots__ = ("born", "calls", "connection", "leaving", "opening", "timer")

    def __init__(self, born: float) -> None:
        self.born = born
        self.calls = 0
        self.leaving = False
        self.connection: Connection | None = None
        self.opening: asyncio.Task[Connection] | None = None
        self.timer: asyncio.TimerHandle | None = None

    @property
    def is_leaving(self) -> bool:
        return self.leaving or (self.connection is not None and self.connection.leaving)

    @property
    def allowed(self) -> int:
        return CALLS if self.connection is None else self.connection.allowed

    @property
    def takes(self) -> bool:
        return not self.is_leaving and self.calls < self.allowed


class Http2Pool(Pool[_Lane]):
    """The connections of one event loop.

    Args:
        provider: Whose.
        config: The settings that it is made with.
        context: What is trusted; ``True``: nothing is encrypted.
    """

    def __init__(self, provider: str, config: RemoteConfig, context: ssl.SSLContext | bool) -> None:
        super().__init__(provider, config)
        self._config = config
        self._context = negotiating(context)
        self._lanes: list[_Lane] = []
        self._going: set[Connection] = set()

    @property
    @override
    def open(self) -> int:
        return sum(lane.connection is not None for lane in self._lanes)

    # -------------------------------------------------------------------------------------------------- room for calls
    @override
    def _take(self) -> _Lane | None:
        if self.closed:
            self.count()
            return _Lane(0.0)  # whoever has it is told that all is closed
        self._replace_old()
        # The first that takes it, not the least busy: so those that a peak has opened become idle, and close.
        lane = next((lane for lane in self._lanes if lane.takes), None) or self._another()
        if lane is not None:
            lane.calls += 1
            self.count()
            if lane.timer is not None:
                lane.timer.cancel()
                lane.timer = None
        return lane

    def _another(self) -> _Lane | None:
        # Those that leave do not count: a long answer on one shall not keep another from being opened in its place.
        standing = [lane for lane in self._lanes if not lane.is_leaving]
        # One that allows nothing at all says that the other side is busy, and so would be the next.
        if len(standing) >= self.pooling.max_connections or any(not lane.allowed for lane in standing):
            return None
        lane = _Lane(self.loop.time())
        self._lanes.append(lane)
        lane.opening = self.loop.create_task(self._opened(lane), name="open a connection")
        return lane

    async def _opened(self, lane: _Lane) -> Connection:
        try:
            lane.connection = await dial(self._config, self._context, lambda: self._look(lane))
        except BaseException:
            lane.leaving = True
            raise
        self.line.wake()  # it may allow more than was thought
        return lane.connection

    def _replace_old(self) -> None:
        for lane in tuple(self._lanes):
            if lane.connection is not None and self.loop.time() - lane.born >= self.pooling.lifetime:
                lane.leaving = True
                self._look(lane)

    def _look(self, lane: _Lane) -> None:
        """See whether a connection is still of use."""
        gone = lane.connection is not None and lane.connection.gone.done()
        if gone or (lane.is_leaving and not lane.calls):
            self._remove(lane)
        self.line.wake()

    def _remove(self, lane: _Lane) -> None:
        if lane in self._lanes:
            self._lanes.remove(lane)
        if lane.timer is not None:
            lane.timer.cancel()
        if lane.opening is not None and not lane.opening.done():
            lane.opening.cancel()
        connection = lane.connection
        if connection is not None and not connection.gone.done():
            self._going.add(connection)
            connection.gone.add_done_callback(lambda _: self._going.discard(connection))
            connection.close()

    @override
    def _give_back(self, seat: _Lane) -> None:
        seat.calls -= 1
        if seat.calls or seat not in self._lanes:
            return
        idle = sum(not lane.calls for lane in self._lanes)
        if seat.connection is None or seat.is_leaving or idle > self.pooling.max_idle:
            self._remove(seat)
        else:
            seat.timer = self.loop.call_later(self.pooling.keepalive, self._remove, seat)

    # ----------------------------------------------------------------------------------------------------------- calls
    @override
    async def _exchange(self, outgoing: Outgoing, config: RemoteConfig) -> tuple[_Lane, Answered]:
        head, again = _head(outgoing), True
        while True:
            lane = await self.enter(config.pooling.pool_timeout)
            answered: Answered | None = None
            try:
                answered = await self._asked(lane, head, outgoing, config)
            except UnprocessedError:
                if not again:
                    raise
                again = False  # nobody has looked at it: another connection may take it, once
            finally:
                if answered is None:
                    self.leave(lane)
            if answered is not None:
                return lane, answered

    async def _asked(
        self, lane: _Lane, head: list[Header], outgoing: Outgoing, config: RemoteConfig
    ) -> Answered | None:
        """Ask on a connection; None: it turned out that there is no room on it."""
        if lane.opening is None:
            return None
        try:
            connection = await asyncio.shield(lane.opening)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if lane.opening.cancelled() and not (task and task.cancelling()):
                raise closed(self.provider) from None
            raise
        if lane.calls > connection.allowed:
            return None
        bound = asyncio.timeout(config.patience + len(outgoing.body or b"") / SLOWEST)
        try:
            async with bound:
                return await connection.request(head, outgoing.body, config.timeout)
        except TimeoutError as error:
            if bound.expired():
                raise StalledError from error
            raise

    @override
    async def _end(self) -> None:
        lanes, self._lanes = self._lanes, []
        opening = [lane.opening for lane in lanes if lane.opening is not None]
        for lane in lanes:
            self._remove(lane)
        await asyncio.gather(*opening, return_exceptions=True)
        if self._going:
            going = tuple(self._going)
            await asyncio.wait([connection.gone for connection in going], timeout=_PATIENCE)
            for connection in going:
                connection.abort()
            await asyncio.wait([connection.gone for connection in going])


def _head(outgoing: Outgoing) -> list[Header]:
    """The headers of a request.

    Raises:
        ValueError: one of them has characters that none may have.
    """
    parts = urlsplit(outgoing.url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    first = {":method": outgoing.method, ":scheme": parts.scheme, ":authority": parts.netloc, ":path": path}
    told = [*first.items(), *_plain(outgoing.headers)]
    if outgoing.body is not None:
        told.append(("content-length", str(len(outgoing.body))))
    if any(char in name + value for name, value in told for char in "\r\n\0"):
        raise ValueError("A header has a line break")
    return [*((name.encode("ascii"), value.encode("latin-1")) for name, value in told), _PACKED]


def _plain(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    lowered = ((name.lower(), value.strip()) for name, value in headers.items())
    return [(name, value) for name, value in lowered if name not in _OURS and name != "content-length"]
