"""OpenAI as a provider: its SDK as the control plane, and our own reading of what it streams."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Sequence
from importlib import import_module
from typing import ClassVar

from typing_extensions import override

from sentient_cli.config.secret import Secret
from sentient_cli.llm.batches import BatchResult, BatchStatus
from sentient_cli.llm.chatwire.body import body_of
from sentient_cli.llm.chatwire.decoder import ChatDecoder
from sentient_cli.llm.openai.batching import Batches
from sentient_cli.llm.openai.client import sdk_client
from sentient_cli.llm.openai.config import DIALECT, OpenAIConfig, check_config
from sentient_cli.llm.openai.leaving import Leaving
from sentient_cli.llm.openai.responses_body import responses_body
from sentient_cli.llm.openai.responses_decoder import ResponsesDecoder
from sentient_cli.llm.openai.resuming import Resuming
from sentient_cli.llm.openai.sending import Sender, models_of, place_of
from sentient_cli.llm.provider import Capabilities, ModelInfo, Request, TokenCount
from sentient_cli.llm.tokens import estimated_tokens
from sentient_cli.llm.wire.answering import Begun
from sentient_cli.llm.wire.loading import load
from sentient_cli.llm.wire.refusals import check_answer
from sentient_cli.llm.wire.remote import RemoteProvider

__all__ = ["OpenAIProvider", "preload"]


def preload() -> None:
    """Import what takes long, once, before it is needed; nothing is connected and no thread is left.

    Example:
        >>> import sys
        >>> preload()
        >>> "openai" in sys.modules
        True
    """
    for name in ("openai", "sentient_cli.llm.wire.bridge", "sentient_cli.llm.wire.http1.pool", "openai.resources.chat"):
        import_module(name)


class OpenAIProvider(RemoteProvider[OpenAIConfig]):
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
        super().__init__(provider_id or self.ID, config or OpenAIConfig())
        self._sender: Sender | None = None
        self._leaving = Leaving(self._id)

    @property
    def capabilities(self) -> Capabilities:
        """What it can do; of a certain model it may be less."""
        return Capabilities(
            models=(self._config.default_model,),
            tools=True,
            structured_output=True,
            images=True,
            audio=self._config.api == "chat",
            documents=True,
            thinking=True,
            caching=True,
            batches=True,
        )

    async def initialize(self) -> None:
        """See whether key and address are there.

        Raises:
            CredentialNotFoundError: there is no key.
            ConfigError: there is no address, or it is not encrypted and not of this machine.
        """
        check_config(self._id, self._config)
        if "openai" not in sys.modules:
            await load(preload)  # it takes a second, in which other calls go on

    def _sending(self) -> Sender:
        """What sends requests at the settings of this moment."""
        config = self._config
        check_config(self._id, config)
        transport = self._connected()
        sender = self._sender
        if sender is None or sender.config is not config:
            client = sdk_client(config, lambda: (transport, config))
            sender = self._sender = Sender(self._id, client, transport, config)
        return sender

    @override
    async def _ask(self, request: Request, key: Secret | None) -> Begun:
        sender = self._sending()
        client, config = sender.client, sender.config
        key = config.own(key)
        answers = config.api == "responses"
        if answers:
            body = responses_body(request, self._id, background=config.background)
        else:
            body = body_of(request, DIALECT, self._id)
        path = "/responses" if answers else "/chat/completions"
        incoming = await sender.open(request, body.content, key, path)
        try:
            streamed = await check_answer(self._id, incoming, place_of(request))
        except BaseException:
            incoming.close()
            raise
        if not answers:
            return Begun(incoming, ChatDecoder(self._id, body.notices), streamed)
        decoder = ResponsesDecoder(self._id, body.notices)
        if not config.background:
            return Begun(incoming, decoder, streamed)
        resume = Resuming(self._id, client, decoder, key, body.include)
        return Begun(incoming, decoder, streamed, resume, lambda: self._leaving.leave(client, decoder, key))

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
        sender = self._sending()
        return await self._keys.having(lambda key: models_of(self._id, sender.client, sender.config.own(key)))

    async def count_tokens(self, request: Request) -> TokenCount:
        """About how many tokens a request has."""
        return estimated_tokens(request)

    def _batches(self) -> Batches:
        sender = self._sending()
        return Batches(self._id, sender.client, sender.config.own(self._keys.first))

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
        sender = self._sending()
        client, config, key = sender.client, sender.config, sender.config.own(self._keys.take())
        headers = {**client.default_headers, "authorization": f"Bearer {key.reveal() if key else ''}"}
        told = {name.lower(): value for name, value in headers.items() if isinstance(value, str)}
        return await self._connected().warm_up(count, f"{config.base_url.rstrip('/')}/models", told)

    @override
    async def aclose(self) -> None:
        """Close its connections, once what goes on for nobody is cancelled; it takes no calls from then on."""
        self._closing.close()
        await self._leaving.aclose()
        await super().aclose()

    @override
    def _changed(self, before: OpenAIConfig) -> None:
        self._sender = None  # nothing in it is open: that is all in the transport
