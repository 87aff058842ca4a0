"""The connections of one event loop in HTTP/1.1, each for one call at a time."""

from __future__ import annotations

import asyncio
import ssl
from functools import lru_cache, partial
from typing import Final, NamedTuple
from urllib.parse import quote, urlsplit

from typing_extensions import override

from sentient_cli.llm.wire.addresses import port_of
from sentient_cli.llm.wire.broken import UNSENT, NotReachedError, ProxyFailedError
from sentient_cli.llm.wire.closing import closed
from sentient_cli.llm.wire.dialing import connected
from sentient_cli.llm.wire.http1.answer import Answer, UnansweredError
from sentient_cli.llm.wire.http1.connection import Connection, Origin
from sentient_cli.llm.wire.http1.head import written_head
from sentient_cli.llm.wire.http1.proxy import Proxy, proxy_of, tunnelled
from sentient_cli.llm.wire.patience import SLOWEST, within
from sentient_cli.llm.wire.pool import Answered, Outgoing, Pool
from sentient_cli.llm.wire.settings import RemoteConfig

__all__ = ["Http1Pool"]

_PATIENCE: Final = 0.25
"""Seconds that the other side may take to close what is encrypted."""
_OURS: Final = frozenset({"host", "connection", "transfer-encoding", "keep-alive", "upgrade", "content-length"})
"""Headers that belong to the connection."""
_USUAL: Final = {"user-agent": "sentient", "accept": "*/*", "accept-encoding": "gzip, deflate"}
_REPEATABLE: Final = frozenset({"GET", "HEAD"})
_PORTS: Final = {"http": 80, "https": 443}
_SAFE: Final = "%/:=&?~#+!$,;'@()*[]"


class _Place(NamedTuple):
    """What is asked for.

    Args:
        origin: Where it is.
        host: The same as the header has it.
        target: What it is there.
    """

    origin: Origin
    host: str
    target: str


@lru_cache(maxsize=256)  # each call asks
def _place(url: str) -> _Place:
    """What an address leads to.

    Raises:
        ValueError: it is none.
    """
    parts = urlsplit(url)
    host, port = parts.hostname, port_of(parts)
    if not host or parts.scheme not in _PORTS:
        raise ValueError("The address leads nowhere")
    name = host if host.isascii() else host.encode("idna").decode("ascii")
    shown = f"[{name}]" if ":" in name else name
    shown = shown if port == _PORTS[parts.scheme] else f"{shown}:{port}"
    target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_SAFE)
    return _Place(Origin(parts.scheme, name, port), shown, target)


class Http1Pool(Pool[bool]):
    """The connections of one event loop.

    Args:
        provider: Whose.
        config: The settings that it is made with.
        context: What is trusted; ``True``: the system's certificates.
    """

    def __init__(self, provider: str, config: RemoteConfig, context: ssl.SSLContext | bool) -> None:
        super().__init__(provider, config)
        self._given = context
        self._proxy: Proxy | None = None
        self._proxy_address = config.proxy
        self._unused: list[Connection] = []
        """Those that stand and that nobody uses: the one that was used last is taken first."""
        self._standing: set[Connection] = set()
        self._timer: asyncio.TimerHandle | None = None

    @property
    @override
    def open(self) -> int:
        return self.in_use + len(self._unused)

    # -------------------------------------------------------------------------------------------------- room for calls
    @override
    def _take(self) -> bool | None:
        if self.in_use >= self.pooling.max_connections:
            return None
        self.count()
        return True

    @override
    def _give_back(self, seat: bool) -> None:
        pass

    def _freed(self, connection: Connection) -> None:
        """A connection can be used again."""
        pooling, now = self.pooling, self.loop.time()
        if self.closed or len(self._unused) >= pooling.max_idle or now - connection.born >= pooling.lifetime:
            connection.close()
            return
        connection.unused_since = now
        self._unused.append(connection)
        if self._timer is None:
            self._timer = self.loop.call_later(pooling.keepalive, self._sweep)

    def _sweep(self) -> None:
        """Close those that nobody has used for long."""
        self._timer = None
        until = self.loop.time() - self.pooling.keepalive
        while self._unused and self._unused[0].unused_since <= until:
            self._unused.pop(0).close()
        if self._unused:
            left = self._unused[0].unused_since - until
            self._timer = self.loop.call_later(max(left, 0.01), self._sweep)

    def _lost(self, connection: Connection) -> None:
        self._standing.discard(connection)
        if connection in self._unused:
            self._unused.remove(connection)

    def _standing_for(self, origin: Origin) -> Connection | None:
        """A connection that stands, and leads there."""
        now = self.loop.time()
        for connection in reversed(self._unused):
            if connection.origin == origin:
                self._unused.remove(connection)
                if connection.is_usable and now - connection.born < self.pooling.lifetime:
                    return connection
                connection.close()
                return self._standing_for(origin)
        return None

    # ----------------------------------------------------------------------------------------------------------- calls
    @override
    async def _send(self, seat: bool, outgoing: Outgoing, config: RemoteConfig) -> Answered:
        # A byte now and then is no head.
        seconds = config.connect_timeout + config.patience + len(outgoing.body or b"") / SLOWEST
        return await within(seconds, self._asked(outgoing, config))

    async def _asked(self, outgoing: Outgoing, config: RemoteConfig) -> Answer:
        place = _place(outgoing.url)
        head = self._head(outgoing, place)
        connection = self._standing_for(place.origin)
        if connection is not None:
            try:
                return await connection.ask(head, outgoing.body, config.timeout)
            except UnansweredError:
                # It was closed at the moment when it was used; what changes nothing may be asked again.
                if outgoing.method not in _REPEATABLE:
                    raise
        connection = await self._dialed(place.origin, config)
        return await connection.ask(head, outgoing.body, config.timeout)

    def _head(self, outgoing: Outgoing, place: _Place) -> bytes:
        told = {name.lower(): value for name, value in outgoing.headers.items()}
        headers = {"host": place.host, **_USUAL, **{name: told[name] for name in told if name not in _OURS}}
        if outgoing.body is not None or outgoing.method == "POST":
            headers["content-length"] = str(len(outgoing.body or b""))
        target = place.target
        if self._proxy_address is not None and place.origin.scheme == "http":
            self._proxy = self._proxy or proxy_of(self._proxy_address)
            headers.update(self._proxy.credential)
            target = f"http://{place.host}{target}"
        return written_head(outgoing.method, target, headers)

    async def _dialed(self, origin: Origin, config: RemoteConfig) -> Connection:
        """Open a connection.

        Raises:
            NotReachedError: it took too long.
            ProviderError: it was closed meanwhile.
            OSError: there is no connection, or it is not trusted.
        """
        try:
            async with asyncio.timeout(config.connect_timeout):
                connection = await self._opened(origin)
        except TimeoutError:
            raise NotReachedError from None
        except asyncio.CancelledError as error:
            error.add_note(UNSENT)
            raise
        if self.closed:
            connection.abort()
            raise closed(self.provider)
        if not connection.gone.done():
            self._standing.add(connection)
        return connection

    async def _opened(self, origin: Origin) -> Connection:
        context = self._context_for(origin)
        make = partial(Connection, origin, self._freed, self._lost)
        if self._proxy_address is None:
            _, connection = await connected(make, origin.host, origin.port, context)
            return connection
        proxy = self._proxy = self._proxy or proxy_of(self._proxy_address)
        if context is None:
            try:
                _, connection = await connected(make, proxy.host, proxy.port, proxy.context)
            except OSError as error:
                raise ProxyFailedError from error
            return connection
        connection = make()
        await tunnelled(proxy, connection, context)
        return connection

    def _context_for(self, origin: Origin) -> ssl.SSLContext | None:
        if origin.scheme == "http":
            return None
        if isinstance(self._given, bool):
            self._given = ssl.create_default_context()
        self._given.set_alpn_protocols(["http/1.1"])
        return self._given

    @override
    async def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for connection in tuple(self._unused):
            connection.close()
        self._unused.clear()
        standing = tuple(self._standing)
        if standing:
            await asyncio.wait([connection.gone for connection in standing], timeout=_PATIENCE)
            for connection in standing:
                connection.abort()
            await asyncio.wait([connection.gone for connection in standing])

    @override
    def abandon(self) -> None:
        self._unused.clear()
        self._standing.clear()
