"""Anthropic as a provider."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import ClassVar, Final
from urllib.parse import quote

import msgspec
from typing_extensions import override

from sentient_cli.clock import Clock, SystemClock
from sentient_cli.config.secret import Secret
from sentient_cli.llm.anthropic.batching import Batches
from sentient_cli.llm.anthropic.client import Client, preload
from sentient_cli.llm.anthropic.config import AnthropicConfig
from sentient_cli.llm.anthropic.failures import no_key
from sentient_cli.llm.anthropic.listing import listed, read_page, read_tokens
from sentient_cli.llm.anthropic.meaning import check_stream
from sentient_cli.llm.anthropic.reading import MessageReader
from sentient_cli.llm.anthropic.request import COUNTED, Asked, ask
from sentient_cli.llm.batches import BatchResult, BatchStatus
from sentient_cli.llm.provider import Capabilities, ModelInfo, Request, TokenCount
from sentient_cli.llm.wire.addresses import check_address
from sentient_cli.llm.wire.answering import Begun
from sentient_cli.llm.wire.loading import load
from sentient_cli.llm.wire.reading import Incoming
from sentient_cli.llm.wire.remote import RemoteProvider

__all__ = ["AnthropicProvider"]

_CAPABILITIES: Final = Capabilities(
    tools=True, structured_output=True, images=True, documents=True, thinking=True, caching=True, batches=True
)
_MOST_PAGES: Final = 50
_MESSAGES: Final = "/v1/messages"
_MODELS: Final = "/v1/models"


class AnthropicProvider(RemoteProvider[AnthropicConfig]):
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
        clock = clock or SystemClock()
        super().__init__(provider_id, config or AnthropicConfig(), lambda: clock.now_ns() / 1e9)
        self._client: Client | None = None
        self._known: dict[str, int] = {}

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return _CAPABILITIES

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
        config, transport = self._config, self._connected()
        client = self._client
        if client is None or client.config is not config:  # no other call has made it meanwhile
            client = self._client = Client(self._id, config, transport)
        return client

    def key(self) -> Secret | None:
        """The key of the next call."""
        return self._keys.take()

    @property
    def batch_key(self) -> Secret | None:
        """The key of batches: the first, since they belong to its account."""
        return self._keys.first

    def asked(self, request: Request) -> Asked:
        """What is sent for a request.

        Raises:
            BadRequestError: the models cannot read it.
        """
        return ask(request, self._config, max_output=self._known.get(request.model), provider=self._id)

    @override
    async def _ask(self, request: Request, key: Secret | None) -> Begun:
        client, asked = await self.client(), self.asked(request)
        incoming: Incoming | None = None
        try:
            incoming = await client.ask(key, msgspec.json.encode(asked.body), asked.betas)
            await check_stream(incoming, self._id, f"the model {request.model!r:.80}")
        except BaseException:
            if incoming is not None:
                incoming.close()
            raise
        return Begun(incoming, MessageReader(self._id, asked.notices), streamed=True)

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

    @override
    def _changed(self, before: AnthropicConfig) -> None:
        self._client = None  # nothing in it is open: that is all in the transport

    async def warm_up(self, count: int = 1) -> int:
        """Open connections before there is traffic; how many stand then.

        Args:
            count: How many.

        Raises:
            ProviderError: they cannot be opened.
        """
        client = await self.client()
        headers = {**client.credential(self.key()), "anthropic-version": client.config.api_version}
        return await self._connected().warm_up(count, f"{client.config.base_url.rstrip('/')}{_MODELS}?limit=1", headers)
