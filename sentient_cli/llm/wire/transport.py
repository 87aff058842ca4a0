"""HTTP to a provider: one pool of connections for each event loop, and one place where foreign errors become ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from sentient_cli.errors import PoolExhaustedError, ProviderConnectionError
from sentient_cli.llm.wire.addresses import check_address, tls_context
from sentient_cli.llm.wire.closing import closed
from sentient_cli.llm.wire.reading import Incoming
from sentient_cli.llm.wire.seam import failure_of

if TYPE_CHECKING:
    import ssl

    from aiohttp import ClientResponse, ClientSession, ClientTimeout, TCPConnector

    from sentient_cli.llm.wire.settings import RemoteConfig

__all__ = ["Fetched", "PoolFacts", "Transport"]

MAX_BODY: Final = 64 * 1024 * 1024
"""Bytes that the body of an answer may have that is read as a whole, unpacked."""
_POOLED: Final = ("base_url", "max_connections", "keepalive", "proxy", "ca_file")
"""The settings that a pool is made with; the others can change while it is in use."""


class PoolFacts(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How a pool is used at this moment.

    Args:
        open: Connections that stand, used or not.
        in_use: Calls that have one, or are about to get it.
        waiting: Calls that wait until there is room.
        limit: How many there can be.

    Example:
        >>> PoolFacts(open=3, in_use=2, waiting=0, limit=1000).in_use
        2
    """

    open: int = 0
    in_use: int = 0
    waiting: int = 0
    limit: int = 0


class Fetched(msgspec.Struct, frozen=True):
    """An answer that was read as a whole.

    Args:
        status: Its status.
        headers: Its headers, with names in lower case.
        body: What it carries, unpacked.
    """

    status: int
    headers: dict[str, str]
    body: bytes


class _Pool:
    """The connections of one event loop."""

    __slots__ = (
        "__weakref__",
        "_ending",
        "_responses",
        "connector",
        "gate",
        "in_use",
        "loop",
        "retired",
        "session",
        "waiting",
    )

    def __init__(self, config: RemoteConfig, context: ssl.SSLContext | bool) -> None:
        import aiohttp  # noqa: PLC0415 - a fifth of a second, for those that call a remote provider

        self.loop = asyncio.get_running_loop()
        self.connector: TCPConnector = aiohttp.TCPConnector(
            limit=config.max_connections, keepalive_timeout=config.keepalive, ssl=context
        )
        self.session: ClientSession = aiohttp.ClientSession(
            connector=self.connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            skip_auto_headers=("User-Agent",),
            requote_redirect_url=False,
        )
        self.gate = asyncio.Semaphore(config.max_connections)
        self.in_use = 0
        self.waiting = 0
        self.retired = False
        self._ending: AsyncGenerator[None, None] | None = None
        self._responses: set[ClientResponse] = set()

    async def enter(self, provider: str, patience: float) -> None:
        """Wait for room.

        Raises:
            PoolExhaustedError: there is none in time.
        """
        if self.gate.locked():
            await self._wait(provider, patience)
        else:
            await self.gate.acquire()
        self.in_use += 1

    async def _wait(self, provider: str, patience: float) -> None:
        self.waiting += 1
        late = False
        try:
            async with asyncio.timeout(patience):
                await self.gate.acquire()
        except TimeoutError:
            late = True
        finally:
            self.waiting -= 1
        if late:
            raise PoolExhaustedError(
                f"No connection to the provider {provider!r} became free",
                why=f"All {self.in_use} were in use for {patience:g} s",
                fix="Raise `max_connections` or `pool_timeout`, or send less at once",
                provider=provider,
            )

    def reading(self, response: ClientResponse) -> Callable[[], None]:
        """An answer is read; what is given back is called when that is over."""
        self._responses.add(response)

        def freed() -> None:
            self._responses.discard(response)
            self.leave()

        return freed

    def leave(self) -> None:
        """Make room again."""
        self.in_use -= 1
        self.gate.release()
        if self.retired and not self.in_use:
            self.shut()

    def idle(self) -> int:
        """Connections that stand and that nobody uses."""
        # No public name tells them; without this one metrics lack a number, and nothing else.
        kept: Mapping[object, list[tuple[object, float]]] = getattr(self.connector, "_conns", {})
        return sum(1 for queue in kept.values() for proto, _ in queue if getattr(proto, "is_connected", bool)())

    def shut(self) -> None:
        """Close what stands, from within its own loop and without waiting."""
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
            await self.session.close()

    async def close(self) -> None:
        """Close what stands, now."""
        for response in tuple(self._responses):
            response.close()  # the session would let those wait for ever who read it
        await (self._ending.aclose() if self._ending is not None else self.session.close())


_closing: set[asyncio.Task[None]] = set()


class Transport:
    """Sends the requests of one provider. Redirects, cookies and the environment's proxies are never followed.

    Args:
        provider: Whose; errors name it.
        config: Where it is and how it may be reached.

    Raises:
        ConfigError: the address is none, or is not encrypted and not of this machine.
    """

    __slots__ = ("_closed", "_config", "_context", "_pools", "_provider", "_retired")

    def __init__(self, provider: str, config: RemoteConfig) -> None:
        check_address(provider, config.base_url)
        self._provider = provider
        self._config = config
        self._pools: dict[asyncio.AbstractEventLoop, _Pool] = {}
        self._context: ssl.SSLContext | bool | None = None
        self._retired = False
        self._closed = False

    @property
    def facts(self) -> PoolFacts:
        """How its pools are used."""
        pools = [pool for pool in self._pools.values() if not pool.loop.is_closed()]
        in_use = sum(pool.in_use for pool in pools)
        return PoolFacts(
            open=in_use + sum(pool.idle() for pool in pools),
            in_use=in_use,
            waiting=sum(pool.waiting for pool in pools),
            limit=self._config.max_connections,
        )

    def fits(self, config: RemoteConfig) -> bool:
        """Whether it can be used with other settings as it is."""
        return all(getattr(self._config, name) == getattr(config, name) for name in _POOLED)

    async def _pool(self) -> _Pool:
        if self._closed:
            raise closed(self._provider)
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None or pool.session.closed:
            for dead in [one for one in self._pools if one.is_closed()]:
                self._pools.pop(dead).session.detach()  # its connections went with it
            if self._context is None:
                self._context = tls_context(self._provider, self._config)
            pool = self._pools[loop] = _Pool(self._config, self._context)
            pool.retired = self._retired
            await pool.attach()
        return pool

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
        pool = await self._pool()
        await pool.enter(self._provider, config.pool_timeout)
        if self._closed:  # while it was waited for
            pool.leave()
            raise closed(self._provider)
        failure: Exception | None = None
        response: ClientResponse | None = None
        try:
            response = await pool.session.request(
                method,
                url,
                data=body,
                headers=headers,
                allow_redirects=False,
                proxy=config.proxy,
                timeout=_timeout(config),
            )
        except Exception as error:  # noqa: BLE001 - the seam sorts them, and gives back what is no error of the network
            failure = self._failure_of(error, config)
        finally:
            if response is None:
                pool.leave()
        if response is None:
            # Outside of the handler: a foreign error may hold the request with its key, and shall not be chained.
            raise failure or ProviderConnectionError("There is no answer", provider=self._provider)
        return Incoming(self._provider, response, pool.reading(response), config)

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
        asked = [asyncio.ensure_future(one()) for _ in range(min(count, self._config.max_connections))]
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
            if not pool.in_use and not pool.loop.is_closed():
                pool.loop.call_soon_threadsafe(pool.shut)

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
        await asyncio.gather(*(task for task in _closing if task.get_loop() is here))


def _timeout(config: RemoteConfig) -> ClientTimeout:
    from aiohttp import ClientTimeout  # noqa: PLC0415 - is loaded by now

    return ClientTimeout(
        total=None, connect=config.connect_timeout, sock_connect=config.connect_timeout, sock_read=config.timeout
    )
