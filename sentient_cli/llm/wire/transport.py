"""HTTP to a provider: one pool of connections for each event loop, and one place where foreign errors become ours."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from sentient_cli.llm.wire.addresses import check_address, tls_context
from sentient_cli.llm.wire.closing import closed
from sentient_cli.llm.wire.http2.extra import check_http2
from sentient_cli.llm.wire.pool import Outgoing, Pool, PoolFacts
from sentient_cli.llm.wire.reading import Incoming
from sentient_cli.llm.wire.seam import failure_of

if TYPE_CHECKING:
    import ssl

    from sentient_cli.llm.wire.http1.pool import Http1Pool
    from sentient_cli.llm.wire.http2.pool import Http2Pool
    from sentient_cli.llm.wire.settings import RemoteConfig

__all__ = ["Fetched", "PoolFacts", "Transport"]

MAX_BODY: Final = 64 * 1024 * 1024
"""Bytes that the body of an answer may have that is read as a whole, unpacked."""
_POOLED: Final = ("base_url", "http2", "proxy", "ca_file")
_SIZED: Final = ("max_connections", "max_idle", "keepalive", "lifetime")
"""With these, the settings that a pool is made with; the others can change while it is in use."""
AnyPool: TypeAlias = "Http1Pool | Http2Pool"


class Fetched(msgspec.Struct, frozen=True):
    """An answer that was read as a whole.

    Args:
        status: Its status.
        headers: Its headers, with names in lower case.
        body: What it carries, unpacked.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """Sends the requests of one provider. Redirects, cookies and the environment's proxies are never followed.

    Args:
        provider: Whose; errors name it.
        config: Where it is and how it may be reached.

    Raises:
        ConfigError: the address is none, or is not encrypted and not of this machine; HTTP/2 is wanted, and its library
            not installed.
    """

    __slots__ = ("_closed", "_config", "_context", "_pools", "_provider", "_retired")

    def __init__(self, provider: str, config: RemoteConfig) -> None:
        check_address(provider, config.base_url)
        if config.http2:
            check_http2(provider)
        self._provider = provider
        self._config = config
        self._pools: dict[asyncio.AbstractEventLoop, AnyPool] = {}
        self._context: ssl.SSLContext | bool | None = None
        self._retired = False
        self._closed = False

    @property
    def facts(self) -> PoolFacts:
        """How its pools are used."""
        pools = [pool for pool in list(self._pools.values()) if not pool.loop.is_closed()]
        return PoolFacts(
            open=sum(pool.open for pool in pools),
            in_use=sum(pool.in_use for pool in pools),
            waiting=sum(len(pool.line) for pool in pools),
            limit=self._config.pooling.max_connections,
        )

    def fits(self, config: RemoteConfig) -> bool:
        """Whether it can be used with other settings as it is."""
        mine, other = self._config, config
        return all(getattr(mine, name) == getattr(other, name) for name in _POOLED) and all(
            getattr(mine.pooling, name) == getattr(other.pooling, name) for name in _SIZED
        )

    async def _pool(self, loop: asyncio.AbstractEventLoop) -> AnyPool:
        if self._closed:
            raise closed(self._provider)
        for dead in [one for one in list(self._pools) if one.is_closed()]:  # other threads may do the same
            gone = self._pools.pop(dead, None)
            if gone is not None:
                gone.abandon()
        if self._context is None:
            self._context = tls_context(self._provider, self._config)
        pool = self._pools[loop] = self._made(self._context)
        pool.retired = self._retired
        await pool.attach()
        return pool

    def _made(self, context: ssl.SSLContext | bool) -> AnyPool:
        if self._config.http2:
            from sentient_cli.llm.wire.http2.pool import Http2Pool  # noqa: PLC0415 - what is not used is not loaded

            return Http2Pool(self._provider, self._config, context)
        from sentient_cli.llm.wire.http1.pool import Http1Pool  # noqa: PLC0415 - what is not used is not loaded

        return Http1Pool(self._provider, self._config, context)

    async def open(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        config: RemoteConfig | None = None,
    ) -> Incoming:
        """Send a request and give the answer as soon as its head is there. Close it.

        Args:
            method: Such as ``POST``.
            url: Where to.
            headers: Of the request.
            body: Of the request.
            config: The timeouts, where they are not those that it was made with.

        Raises:
            ProviderConnectionError: there is no connection, or it broke.
            ProviderTimeoutError: no connection or no answer in time.
            PoolExhaustedError: no room in time.
            ConfigError: the address or a header cannot be sent.
            ProviderError: it is closed.
        """
        config = config or self._config
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None or pool.closed or self._closed:
            pool = await self._pool(loop)
        try:
            answered, freed = await pool.send(Outgoing(method, url, headers, body), config)
        except Exception as error:  # noqa: BLE001 - the seam sorts them, and gives back what is no error of the network
            failure = self._failure_of(error, config)
        else:
            return Incoming(self._provider, answered, freed, config)
        # Outside of the handler: a foreign error may hold the request with its key, and shall not be chained.
        raise failure

    async def fetch(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        config: RemoteConfig | None = None,
        limit: int = MAX_BODY,
    ) -> Fetched:
        """Send a request and read the whole answer.

        Args:
            method: As for `open`.
            url: As for `open`.
            headers: As for `open`.
            body: As for `open`.
            config: As for `open`.
            limit: Bytes that the answer may have, unpacked.

        Raises:
            ProviderError: as for `open`, or the answer is too large.
        """
        incoming = await self.open(method, url, headers, body, config=config)
        try:
            return Fetched(incoming.status, incoming.headers, await incoming.read(limit))
        finally:
            incoming.close()

    async def warm_up(self, count: int, url: str, headers: Mapping[str, str]) -> int:
        """Open connections before there is traffic, and keep them; how many stand then.

        Args:
            count: How many; at most as many as there can be.
            url: What is asked for on each, which shall cost the provider nothing.
            headers: Of these requests.

        Raises:
            ProviderError: as for `open`.
        """
        opened: list[Incoming] = []

        async def one() -> None:
            opened.append(await self.open("GET", url, headers))

        # All are held until the last one stands: else one connection would do for them all.
        asked = [asyncio.ensure_future(one()) for _ in range(min(count, self._config.pooling.max_connections))]
        try:
            await asyncio.gather(*asked)
            for incoming in opened:
                await incoming.read(MAX_BODY)  # to its end: only then the connection can be used again
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
            for incoming in opened:
                incoming.close()
        return self.facts.open

    def retire(self) -> None:
        """Take no part in new calls; connections close when the calls that use them end."""
        self._retired = True
        for pool in list(self._pools.values()):
            pool.retired = True
            if not pool.loop.is_closed():
                pool.loop.call_soon_threadsafe(pool.let_go)

    def _failure_of(self, error: Exception, config: RemoteConfig) -> Exception:
        return closed(self._provider) if self._closed else failure_of(self._provider, error, config)

    async def aclose(self) -> None:
        """Close all connections; none is made from then on. May be called twice."""
        self._closed = True
        here = asyncio.get_running_loop()
        while self._pools:
            loop, pool = self._pools.popitem()
            if loop is here:
                await pool.close()
            elif not loop.is_closed():
                loop.call_soon_threadsafe(pool.shut)
        await Pool.until_shut()
