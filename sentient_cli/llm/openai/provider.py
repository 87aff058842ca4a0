"""OpenAI as a provider: its SDK as the control plane, and our own reading of what it streams."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar

from sentient_cli.config.secret import Secret
from sentient_cli.errors import ProviderError
from sentient_cli.llm.assembly import collect
from sentient_cli.llm.batches import BatchResult, BatchStatus
from sentient_cli.llm.chatwire.answering import Asked, answer
from sentient_cli.llm.chatwire.body import body_of
from sentient_cli.llm.chatwire.decoder import ChatDecoder
from sentient_cli.llm.openai.batching import Batches
from sentient_cli.llm.openai.client import sdk_client
from sentient_cli.llm.openai.config import DIALECT, OpenAIConfig, check_config
from sentient_cli.llm.openai.responses_body import responses_body
from sentient_cli.llm.openai.responses_decoder import ResponsesDecoder
from sentient_cli.llm.openai.resuming import Resuming
from sentient_cli.llm.openai.sending import models_of, open_answer
from sentient_cli.llm.provider import Capabilities, ModelInfo, ProviderMetrics, Request, TokenCount
from sentient_cli.llm.tokens import estimated_tokens
from sentient_cli.llm.types import Chunk, Completion, JsonValue
from sentient_cli.llm.wire.keys import KeyRing
from sentient_cli.llm.wire.loading import load
from sentient_cli.llm.wire.meter import Meter
from sentient_cli.llm.wire.refusals import check_answer
from sentient_cli.llm.wire.settings import with_changes
from sentient_cli.llm.wire.transport import PoolFacts, Transport

if TYPE_CHECKING:
    from openai import AsyncOpenAI

__all__ = ["OpenAIProvider", "preload"]


def preload() -> None:
    """Import what takes long, once, before it is needed; nothing is connected and no thread is left.

    Example:
        >>> import sys
        >>> preload()
        >>> "openai" in sys.modules
        True
    """
    for name in ("openai", "aiohttp", "sentient_cli.llm.wire.bridge", "openai.resources.chat"):
        import_module(name)


class OpenAIProvider:
    """OpenAI, or what speaks as it does and is used through its SDK.

    Args:
        config: The settings; the key is in them.
        provider_id: The first part of its model ids.

    Example:
        >>> provider = OpenAIProvider(OpenAIConfig(api_key=Secret("sk-1")))
        >>> provider.provider_id, provider.capabilities.tools
        ('openai', True)
    """

    ID: ClassVar[str] = "openai"

    def __init__(self, config: OpenAIConfig | None = None, *, provider_id: str | None = None) -> None:
        self._id = provider_id or self.ID
        self._config = config or OpenAIConfig()
        self._keys = KeyRing(self._config.keys)
        self._transport: Transport | None = None
        self._client: AsyncOpenAI | None = None
        self._meter = Meter()
        self._limits: Mapping[str, str] = {}

    @property
    def provider_id(self) -> str:
        """``openai``, unless it was given another."""
        return self._id

    @property
    def config(self) -> OpenAIConfig:
        """Its settings at this moment."""
        return self._config

    @property
    def capabilities(self) -> Capabilities:
        """What it can do; of a certain model it may be less."""
        return Capabilities(
            models=(self._config.default_model,),
            tools=True,
            structured_output=True,
            images=True,
            audio=True,
            documents=True,
            thinking=True,
            caching=True,
            batches=True,
        )

    @property
    def pool(self) -> PoolFacts:
        """How its connections are used."""
        return self._transport.facts if self._transport else PoolFacts(limit=self._config.max_connections)

    @property
    def limits(self) -> Mapping[str, str]:
        """What the last answer said of how much may be asked: the headers, with names in lower case."""
        return self._limits

    async def initialize(self) -> None:
        """See whether key and address are there.

        Raises:
            CredentialNotFoundError: there is no key.
            ConfigError: there is no address, or it is not encrypted and not of this machine.
        """
        check_config(self._id, self._config)
        if "openai" not in sys.modules:
            await load(preload)  # it takes a second, in which other calls go on

    def _sdk(self) -> AsyncOpenAI:
        """The SDK's client at the settings of this moment."""
        check_config(self._id, self._config)
        if self._client is None:
            config = self._config
            transport = self._transport or Transport(self._id, config)
            self._transport = transport
            self._client = sdk_client(config, lambda: (transport, config))
        return self._client

    async def generate(self, request: Request) -> Completion:
        """Answer as a whole.

        Raises:
            ProviderError: of the class that fits.
        """
        return await collect(self._id, request.model, self.stream(request))

    def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece.

        Raises:
            ProviderError: of the class that fits, from the iteration.
        """
        return answer(partial(self._ask, request), self._meter)

    async def _ask(self, request: Request) -> Asked:
        client, keys, config = self._sdk(), self._keys, self._config
        answers = config.api == "responses"
        if answers:
            body = responses_body(request, self._id, background=config.background)
        else:
            body = body_of(request, DIALECT, self._id)
        key = keys.take()
        try:
            path = "/responses" if answers else "/chat/completions"
            incoming = await open_answer(self._id, client, request, body.content, key, path)
        except ProviderError as error:
            keys.refused(key, error)
            raise
        try:
            streamed = await check_answer(self._id, incoming)
        except BaseException:
            incoming.close()
            raise
        self._limits = {name: value for name, value in incoming.headers.items() if "ratelimit" in name}
        refused = partial(keys.refused, key)
        if not answers:
            return Asked(incoming, ChatDecoder(self._id, body.notices), streamed, refused)
        decoder = ResponsesDecoder(self._id, body.notices)
        resume = Resuming(self._id, client, decoder, key) if config.background else None
        return Asked(incoming, decoder, streamed, refused, resume)

    async def validate(self) -> None:
        """Ask for the list of models, which costs nothing and needs the key.

        Raises:
            ProviderError: the key, the address or the server does not work.
        """
        await self.models()

    async def models(self) -> tuple[ModelInfo, ...]:
        """The models that the key may use.

        Raises:
            ProviderError: it cannot be asked.
        """
        client, keys = self._sdk(), self._keys
        key = keys.take()
        try:
            return await models_of(self._id, client, key)
        except ProviderError as error:
            keys.refused(key, error)
            raise

    async def count_tokens(self, request: Request) -> TokenCount:
        """About how many tokens a request has."""
        return estimated_tokens(request)

    def _batches(self) -> Batches:
        return Batches(self._id, self._sdk(), self._keys.take())

    async def submit_batch(self, requests: Sequence[Request]) -> str:
        """Hand requests in to be answered within a day, and get the id of the batch.

        Raises:
            ProviderError: they are not taken.
        """
        return await self._batches().submit(requests)

    async def batch_status(self, batch: str) -> BatchStatus:
        """How far a batch is.

        Raises:
            ProviderError: it does not tell, or has no such batch.
        """
        return await self._batches().status(batch)

    def batch_results(self, batch: str) -> AsyncGenerator[BatchResult, None]:
        """The results of a batch that ended, in any order.

        Raises:
            ProviderError: there are none, or none yet.
        """
        return self._batches().results(batch)

    async def cancel_batch(self, batch: str) -> BatchStatus:
        """Answer no more of a batch; what is answered already stays.

        Raises:
            ProviderError: it cannot be cancelled.
        """
        return await self._batches().cancel(batch)

    async def warm_up(self, count: int = 1) -> int:
        """Open connections before there is traffic; how many stand then.

        Args:
            count: How many.

        Raises:
            ProviderError: they cannot be opened.
        """
        client, key = self._sdk(), self._keys.take()
        headers = {**client.default_headers, "authorization": f"Bearer {key.reveal() if key else ''}"}
        told = {name.lower(): value for name, value in headers.items() if isinstance(value, str)}
        transport = self._transport or Transport(self._id, self._config)
        return await transport.warm_up(count, f"{self._config.base_url.rstrip('/')}/models", told)

    async def update_config(self, changes: Mapping[str, JsonValue | Secret]) -> None:
        """Change settings by name, all or none. Calls going on keep the old ones.

        Raises:
            ConfigError: a name is unknown or a value does not fit.
        """
        config = with_changes(self._config, changes, self._id)
        if self._transport is not None and not self._transport.fits(config):
            self._transport.retire()
            self._transport = None
        if config.keys != self._config.keys:
            self._keys = KeyRing(config.keys)
        self._client = None  # nothing in it is open: that is all in the transport
        self._config = config

    def metrics(self) -> ProviderMetrics:
        """What it did so far."""
        return self._meter.metrics

    async def aclose(self) -> None:
        """Close its connections. May be called twice."""
        self._client = None
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()
