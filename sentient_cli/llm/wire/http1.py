"""Connections in HTTP/1.1, one call at a time on each. Imported on first use: the library takes a fifth of a second."""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import Awaitable
from functools import partial
from typing import TYPE_CHECKING, Final

import aiohttp
from typing_extensions import override

from sentient_cli.llm.wire.patience import SLOWEST, within
from sentient_cli.llm.wire.pool import Answered, Outgoing, Pool
from sentient_cli.llm.wire.pooling import Pooling
from sentient_cli.llm.wire.settings import RemoteConfig

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler

__all__ = ["Http1Pool"]

_LARGE: Final = 512 * 1024
"""Bytes of a body that takes a while to send."""


class _Connector(aiohttp.TCPConnector):
    """The library's connections, of which none gets too old and not too many stand unused."""

    def keep(self, pooling: Pooling) -> None:
        """Hold to these sizes and times; to be called before anything else."""
        self._pooling = pooling
        self._time = asyncio.get_running_loop().time
        self._unused: dict[ResponseHandler, float] = {}  # with when it was opened

    @override
    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[aiohttp.tracing.Trace], timeout: aiohttp.ClientTimeout
    ) -> aiohttp.connector.Connection:
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            if protocol is None:
                return connection
            now = self._time()
            born = self._unused.pop(protocol, now)
            if now - born >= self._pooling.lifetime:
                connection.close()
                continue
            connection.add_callback(partial(self._released, protocol, born))
            return connection

    def _released(self, protocol: ResponseHandler, born: float) -> None:
        """The connection goes back, or is closed."""
        full = len(self._unused) >= self._pooling.max_idle and self.unused() >= self._pooling.max_idle
        if full or self._time() - born >= self._pooling.lifetime:
            protocol.force_close()
        else:
            self._unused[protocol] = born

    def unused(self) -> int:
        """Connections that stand and that nobody uses."""
        self._unused = {protocol: born for protocol, born in self._unused.items() if protocol.is_connected()}
        return len(self._unused)


class _Answer:
    """An answer, of which only what is needed is shown."""

    __slots__ = ("_content", "_response", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._content = response.content
        self.status: int = response.status
        self.headers: dict[str, str] = {name.lower(): value for name, value in response.headers.items()}

    def readany(self) -> Awaitable[bytes]:
        return self._content.readany()

    def at_eof(self) -> bool:
        return self._content.at_eof()

    def close(self) -> None:
        self._response.close()


class Http1Pool(Pool[bool]):
    """The connections of one event loop, each for one call at a time.

    Args:
        provider: Whose.
        config: The settings that it is made with.
        context: What is trusted; ``True``: the system's certificates.
    """

    def __init__(self, provider: str, config: RemoteConfig, context: ssl.SSLContext | bool) -> None:
        super().__init__(provider, config)
        self._connector = _Connector(
            limit=self.pooling.max_connections, keepalive_timeout=self.pooling.keepalive, ssl=context
        )
        self._connector.keep(self.pooling)
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            headers={"User-Agent": "sentient"},  # where a request has none: the library's own is never sent
            requote_redirect_url=False,
        )
        self._timeouts = (config, _timeouts(config))

    @property
    @override
    def open(self) -> int:
        return self.in_use + self._connector.unused()

    @override
    def _take(self) -> bool | None:
        if self.in_use >= self.pooling.max_connections:
            return None
        self.count()
        return True

    @override
    def _give_back(self, seat: bool) -> None:
        pass

    @override
    async def _send(self, seat: bool, outgoing: Outgoing, config: RemoteConfig) -> Answered:
        if self._timeouts[0] is not config:
            self._timeouts = (config, _timeouts(config))
        response = self._session.request(
            outgoing.method,
            outgoing.url,
            data=_in_pieces(outgoing.body),
            headers=outgoing.headers,
            allow_redirects=False,
            proxy=config.proxy,
            timeout=self._timeouts[1],
        )
        # A byte now and then is no head.
        seconds = config.connect_timeout + config.patience + len(outgoing.body or b"") / SLOWEST
        return _Answer(await within(seconds, response))

    @override
    async def _end(self) -> None:
        await self._session.close()

    @override
    def abandon(self) -> None:
        self._session.detach()


def _in_pieces(body: bytes | None) -> bytes | io.BytesIO | None:
    """A body as the library sends it without holding up the event loop: a large one piece by piece."""
    return io.BytesIO(body) if body is not None and len(body) > _LARGE else body


def _timeouts(config: RemoteConfig) -> aiohttp.ClientTimeout:
    """What the library bounds: how long a connection may take, and how long it may be silent."""
    return aiohttp.ClientTimeout(
        total=None, connect=config.connect_timeout, sock_connect=config.connect_timeout, sock_read=config.timeout
    )
