"""Anthropic as a provider."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import ClassVar, Final
from urllib.parse import quote

import msgspec

from sentient_cli.clock import Clock, SystemClock
from sentient_cli.config.secret import Secret
from sentient_cli.errors import ProviderError
from sentient_cli.llm.anthropic.batching import Batches
from sentient_cli.llm.anthropic.client import Client, preload
from sentient_cli.llm.anthropic.config import AnthropicConfig
from sentient_cli.llm.anthropic.exchange import Opened, check_stream, exchange
from sentient_cli.llm.anthropic.failures import no_key
from sentient_cli.llm.anthropic.listing import listed, read_page, read_tokens
from sentient_cli.llm.anthropic.reading import MessageReader
from sentient_cli.llm.anthropic.request import COUNTED, Asked, ask
from sentient_cli.llm.assembly import collect
from sentient_cli.llm.batches import BatchResult, BatchStatus
from sentient_cli.llm.provider import Capabilities, ModelInfo, ProviderMetrics, Request, TokenCount
from sentient_cli.llm.types import Chunk, Completion, JsonValue
from sentient_cli.llm.wire.addresses import check_address
from sentient_cli.llm.wire.keys import KeyRing
from sentient_cli.llm.wire.loading import load
from sentient_cli.llm.wire.meter import Meter
from sentient_cli.llm.wire.reading import Incoming
from sentient_cli.llm.wire.settings import with_changes
from sentient_cli.llm.wire.transport import PoolFacts, Transport

__all__ = ["AnthropicProvider"]

_CAPABILITIES: Final = Capabilities(
    tools=True, structured_output=True, images=True, documents=True, thinking=True, caching=True, batches=True
)
_MOST_PAGES: Final = 50
_MESSAGES: Final = "/v1/messages"
_MODELS: Final = "/v1/models"


class AnthropicProvider:
    """Claude, over Anthropic's SDK.

    Args:
        config: Settings, with a key.
        provider_id: What it is called; another one for a server that speaks like Anthropic.
        clock: Tells when keys have rested.

    Example:
        >>> from sentient_cli.config.secret import Secret
        >>> provider = AnthropicProvider(AnthropicConfig(api_key=Secret("sk-ant-1")))
        >>> provider.provider_id, provider.capabilities.documents
        ('anthropic', True)
    """

    ID: ClassVar[str] = "anthropic"

    def __init__(
        self, config: AnthropicConfig | None = None, *, provider_id: str = ID, clock: Clock | None = None
    ) -> None:
        self._id = provider_id
        self._config = config or AnthropicConfig()
        self._clock = clock or SystemClock()
        self._keys = self._ring()
        self._meter = Meter()
        self._client: Client | None = None
        self._transport: Transport | None = None
        self._known: dict[str, int] = {}
        self._limits: Mapping[str, str] = {}

    def _ring(self) -> KeyRing:
        return KeyRing(self._config.keys, lambda: self._clock.now_ns() / 1e9)

    @property
    def provider_id(self) -> str:
        """``anthropic``, or what it was called."""
        return self._id

    @property
    def config(self) -> AnthropicConfig:
        """Its settings at this moment."""
        return self._config

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return _CAPABILITIES

    @property
    def pool(self) -> PoolFacts:
        """How its connections are used."""
        return self._transport.facts if self._transport else PoolFacts(limit=self._config.max_connections)

    @property
    def limits(self) -> Mapping[str, str]:
        """What the last answer said of how much may be asked: the headers, with names in lower case."""
        return self._limits

    async def initialize(self) -> None:
        """Get ready: load the SDK, in a thread, since that takes seconds.

        Raises:
            CredentialNotFoundError: there is no key.
            ConfigError: the address is none.
        """
        await self.client()

    async def client(self) -> Client:
        """What sends requests, under the settings of this moment.

        Raises:
            CredentialNotFoundError: there is no key.
            ConfigError: the address is none.
        """
        if self._client is None:
            if not self._config.keys:
                raise no_key(self._id)
            check_address(self._id, self._config.base_url)
            await load(preload)
        if self._client is None:  # no other call has made it meanwhile
            self._transport = self._transport or Transport(self._id, self._config)
            self._client = Client(self._id, self._config, self._transport)
        return self._client

    def key(self) -> Secret | None:
        """The key of the next call."""
        return self._keys.take()

    def asked(self, request: Request) -> Asked:
        """What is sent for a request.

        Raises:
            BadRequestError: the models cannot read it.
        """
        return ask(request, self._config, max_output=self._known.get(request.model), provider=self._id)

    async def generate(self, request: Request) -> Completion:
        """Answer as a whole: the stream, put together, since long answers are refused otherwise.

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
        return exchange(partial(self._send, request), self._meter)

    async def _send(self, request: Request) -> Opened:
        client = await self.client()
        asked, keys = self.asked(request), self._keys
        key = keys.take()
        incoming: Incoming | None = None
        try:
            incoming = await client.open("POST", _MESSAGES, key, msgspec.json.encode(asked.body), asked.betas)
            await check_stream(incoming, self._id, f"the model {request.model!r:.80}")
        except BaseException as error:
            if incoming is not None:
                incoming.close()
            if isinstance(error, ProviderError):
                keys.refused(key, error)
            raise
        self._limits = {name: value for name, value in incoming.headers.items() if "ratelimit" in name}
        return Opened(incoming, MessageReader(self._id, asked.notices), partial(keys.refused, key))

    async def validate(self) -> None:
        """Ask for the name of one model, with each of the keys.

        Raises:
            ProviderError: a key is not taken, or the provider cannot be reached.
        """
        client = await self.client()
        for key in self._config.keys:
            await client.fetch("GET", f"{_MODELS}?limit=1", key)

    async def models(self) -> tuple[ModelInfo, ...]:
        """The models there are.

        Raises:
            ProviderError: the provider does not tell.
        """
        client = await self.client()
        found: dict[str, ModelInfo] = {}
        query = "?limit=1000"
        for _ in range(_MOST_PAGES):
            page = read_page(await client.fetch("GET", _MODELS + query, self.key()), self._id)
            for model in page.data:
                found[model.id] = listed(model)
                if model.max_tokens:
                    self._known[model.id] = model.max_tokens
            if not page.has_more or not page.last_id:
                break
            query = f"?limit=1000&after_id={quote(page.last_id, safe='')}"
        return tuple(found.values())

    async def count_tokens(self, request: Request) -> TokenCount:
        """The tokens of a request, counted by Anthropic.

        Raises:
            ProviderError: it does not tell.
        """
        client = await self.client()
        asked = self.asked(request)
        body = msgspec.json.encode({name: value for name, value in asked.body.items() if name in COUNTED})
        told = await client.fetch("POST", f"{_MESSAGES}/count_tokens", self.key(), body, asked.betas)
        return TokenCount(read_tokens(told, self._id), exact=True)

    async def submit_batch(self, requests: Sequence[Request]) -> str:
        """Hand requests in, to be answered within a day at half the price, and get the id of the batch.

        Raises:
            ProviderError: they are not taken.
        """
        return await Batches(self).submit(requests)

    async def batch_status(self, batch: str) -> BatchStatus:
        """How far a batch is.

        Raises:
            ProviderError: it does not tell, or has no such batch.
        """
        return await Batches(self).status(batch)

    async def batch_results(self, batch: str) -> AsyncGenerator[BatchResult, None]:
        """The results of a batch that ended, in any order.

        Raises:
            ProviderError: there are none, or none yet.
        """
        async with aclosing(Batches(self).results(batch)) as results:
            async for result in results:
                yield result

    async def cancel_batch(self, batch: str) -> BatchStatus:
        """Answer no more of a batch; what is answered already stays.

        Raises:
            ProviderError: it cannot be cancelled.
        """
        return await Batches(self).cancel(batch)

    async def update_config(self, changes: Mapping[str, JsonValue | Secret]) -> None:
        """Change settings by name, all or none. Calls going on keep the old ones, and their connections.

        Raises:
            ConfigError: a name is unknown or a value does not fit.
        """
        config = with_changes(self._config, changes, self._id)
        check_address(self._id, config.base_url)
        is_rekeyed = config.keys != self._config.keys
        self._config = config
        if is_rekeyed:
            self._keys = self._ring()
        self._client = None
        if self._transport is not None and not self._transport.fits(config):
            self._transport.retire()
            self._transport = None

    async def warm_up(self, count: int = 1) -> int:
        """Open connections before there is traffic; how many stand then.

        Args:
            count: How many.

        Raises:
            ProviderError: they cannot be opened.
        """
        client = await self.client()
        assert self._transport is not None  # noqa: S101 - it is made with the client
        headers = {**client.credential(self.key()), "anthropic-version": self._config.api_version}
        return await self._transport.warm_up(count, f"{self._config.base_url.rstrip('/')}{_MODELS}?limit=1", headers)

    def metrics(self) -> ProviderMetrics:
        """What it did so far."""
        return self._meter.metrics

    async def aclose(self) -> None:
        """Close its connections. May be called twice."""
        self._client = None
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()
