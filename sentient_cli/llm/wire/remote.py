"""What every provider over a network has: settings, keys, connections, counters, and an end."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from functools import partial
from threading import Lock
from typing import Generic, TypeVar

from sentient_cli.config.secret import Secret
from sentient_cli.llm.assembly import collect
from sentient_cli.llm.provider import ProviderMetrics, Request
from sentient_cli.llm.types import Chunk, Completion, JsonValue
from sentient_cli.llm.wire.addresses import check_address
from sentient_cli.llm.wire.answering import Begun, answer
from sentient_cli.llm.wire.closing import Closing, closed
from sentient_cli.llm.wire.keys import KeyRing
from sentient_cli.llm.wire.meter import Meter
from sentient_cli.llm.wire.pool import PoolFacts
from sentient_cli.llm.wire.settings import RemoteConfig, with_changes
from sentient_cli.llm.wire.transport import Transport

__all__ = ["RemoteProvider"]

C = TypeVar("C", bound=RemoteConfig)


class RemoteProvider(Generic[C]):
    """The part of a provider that is the same for every vendor.

    Args:
        provider_id: The first part of its model ids.
        config: Its settings.
        now: Seconds that never go back: tells when keys have rested.
    """

    def __init__(self, provider_id: str, config: C, now: Callable[[], float] = time.monotonic) -> None:
        self._id = provider_id
        self._config = config
        self._now = now
        self._keys = KeyRing(config.keys, now)
        self._transport: Transport | None = None
        self._connecting = Lock()
        self._meter = Meter()
        self._limits: Mapping[str, str] = {}
        self._closing = Closing()

    @property
    def provider_id(self) -> str:
        """The first part of its model ids."""
        return self._id

    @property
    def config(self) -> C:
        """Its settings at this moment."""
        return self._config

    @property
    def bounds_silence(self) -> bool:
        """That it gives up by itself when nothing comes: it sees the bytes."""
        return True

    @property
    def pool(self) -> PoolFacts:
        """How its connections are used."""
        return self._transport.facts if self._transport else PoolFacts(limit=self._config.pooling.max_connections)

    @property
    def keys(self) -> KeyRing:
        """Its keys, which know what each of them may still ask."""
        return self._keys

    @property
    def limits(self) -> Mapping[str, str]:
        """What the last answer said of how much may be asked: the headers, with names in lower case."""
        return self._limits

    async def generate(self, request: Request) -> Completion:
        """Answer as a whole: the stream, put together.

        Raises:
            ProviderError: of the class that fits.
        """
        return await collect(self._id, request.model, self.stream(request))

    def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece.

        Raises:
            ProviderError: of the class that fits, from the iteration.
            CredentialNotFoundError: there is no key.
        """
        return answer(partial(self._begin, request), self._meter)

    async def update_config(self, changes: Mapping[str, JsonValue | Secret]) -> None:
        """Change settings by name, all or none. Calls going on keep the old ones, and their connections.

        Raises:
            ConfigError: a name is unknown or a value does not fit.
        """
        with self._connecting:  # else a call in another thread could connect by settings that are gone a moment later
            before = self._config
            config = self._complete(with_changes(before, changes, self._id))
            if config.base_url != before.base_url:
                check_address(self._id, config.base_url)
            if self._transport is not None and not self._transport.fits(config):
                self._transport.retire()
                self._transport = None
            if config.keys != before.keys:
                self._keys = KeyRing(config.keys, self._now)
            self._config = config
        self._changed(before)

    def metrics(self) -> ProviderMetrics:
        """What it did so far."""
        return self._meter.metrics

    async def until_closed(self) -> None:
        """Wait until it is closed: what would be asked after that need not be waited for."""
        await self._closing.wait()

    async def aclose(self) -> None:
        """Close its connections; it takes no calls from then on. May be called twice."""
        self._closing.close()
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()

    def _connected(self) -> Transport:
        """The connections at the settings of this moment.

        Raises:
            ProviderError: it is closed.
            ConfigError: the address is none, or is not encrypted and not of this machine.
        """
        if self._closing.is_closed:
            raise closed(self._id)
        transport = self._transport
        if transport is None:
            with self._connecting:  # loops in several threads share it
                transport = self._transport = self._transport or Transport(self._id, self._config)
        return transport

    def _begin(self, request: Request) -> Awaitable[Begun]:
        """Send a request with the key whose turn it is, or with another where that is refused."""
        keys = self._keys

        async def send(key: Secret | None) -> Begun:
            begun = await self._ask(request, key)
            begun.refused = lambda error: keys.refused(key, error, request)
            self._limits = keys.told(key, request, begun.incoming.headers)
            return begun

        return keys.having(send, request)

    async def _ask(self, request: Request, key: Secret | None) -> Begun:
        """Send a request with a key, and give what has begun.

        Raises:
            ProviderError: of the class that fits.
        """
        raise NotImplementedError

    def _complete(self, config: C) -> C:
        """Settings with what goes without saying."""
        return config

    def _changed(self, before: C) -> None:
        """Other settings hold from now on."""
