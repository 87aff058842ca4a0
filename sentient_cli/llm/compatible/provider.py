"""A provider of any vendor in the table, over nothing but HTTP."""

from __future__ import annotations

from typing_extensions import override

from sentient_cli.config.secret import Secret
from sentient_cli.errors import ModelNotFoundError, ProviderError
from sentient_cli.llm.chatwire.body import body_of
from sentient_cli.llm.chatwire.decoder import ChatDecoder
from sentient_cli.llm.compatible.asking import Asking
from sentient_cli.llm.compatible.config import CompatibleConfig, address, check_config, complete
from sentient_cli.llm.compatible.counting import counted_tokens
from sentient_cli.llm.compatible.listing import first_model, list_models
from sentient_cli.llm.compatible.live import LiveFacts, live_capabilities, live_facts
from sentient_cli.llm.compatible.vendors import AUTO, Vendor, vendor_of
from sentient_cli.llm.provider import Capabilities, ModelInfo, Request, TokenCount
from sentient_cli.llm.tokens import estimated_tokens
from sentient_cli.llm.wire.account import hear_fields
from sentient_cli.llm.wire.answering import Begun
from sentient_cli.llm.wire.refusals import check_answer
from sentient_cli.llm.wire.remote import RemoteProvider

__all__ = ["CompatibleConfig", "CompatibleProvider"]


class CompatibleProvider(RemoteProvider[CompatibleConfig]):
    """A vendor or a server that speaks the wire of chat completions.

    Args:
        vendor: A row of the table, or its id.
        config: Its settings; what is missing comes from the row.
        provider_id: The first part of its model ids, when it is not the row's.

    Raises:
        ConfigError: there is no such row.

    Example:
        >>> provider = CompatibleProvider("ollama")
        >>> provider.provider_id, provider.config.base_url
        ('ollama', 'http://127.0.0.1:11434/v1')
    """

    def __init__(
        self, vendor: str | Vendor, config: CompatibleConfig | None = None, *, provider_id: str | None = None
    ) -> None:
        self._vendor = vendor_of(vendor) if isinstance(vendor, str) else vendor
        super().__init__(provider_id or self._vendor.id, complete(self._vendor, config))
        self._capabilities = _known(self._vendor, self._config)
        self._detected: dict[str, Capabilities] = {}
        self._loaded: str | None = None

    @property
    def vendor(self) -> Vendor:
        """Its row."""
        return self._vendor

    @property
    def capabilities(self) -> Capabilities:
        """What it can do: by its row, and by what the server told `detect` of its default model."""
        return self._capabilities

    def capabilities_for(self, model: str) -> Capabilities:
        """What it can do with a model: by what the server told of that, else as any.

        Args:
            model: As it names it.
        """
        return self._detected.get(model, self._capabilities)

    async def initialize(self) -> None:
        """See whether key and address are there.

        Raises:
            CredentialNotFoundError: there is no key.
            ConfigError: there is no address, or it is not encrypted and not of this machine.
        """
        check_config(self._vendor, self._config, self._id)

    def _asking(self) -> Asking:
        """All that one call needs, at the settings of this moment."""
        check_config(self._vendor, self._config, self._id)
        return Asking(self._id, self._vendor, self._config, self._connected(), self._keys)

    @override
    async def _ask(self, request: Request, key: Secret | None) -> Begun:
        asking = self._asking()
        model, remembered = request.model, self._loaded
        is_auto = model == AUTO and self._vendor.default_model == AUTO
        if is_auto:
            model = self._loaded = remembered or await first_model(asking)
        body = body_of(request, self._vendor.dialect, self._id, model=model)
        url = address(asking.vendor, asking.config, asking.vendor.chat, model)
        incoming = await asking.transport.open("POST", url, asking.headers(key), body.content, config=asking.config)
        try:
            streamed = await check_answer(self._id, incoming, f"the model {model!r:.80}")
        except ModelNotFoundError:
            incoming.close()
            if not (is_auto and remembered):
                raise
            self._loaded = None  # the server has another one now
            return await self._ask(request, key)
        except BaseException:
            incoming.close()
            raise
        dialect = self._vendor.dialect
        decoder = ChatDecoder(
            self._id, body.notices, reasoning_apart=dialect.reasoning_apart, thoughts=dialect.thoughts
        )
        return Begun(incoming, decoder, streamed)

    async def validate(self) -> None:
        """Ask for what costs nothing and needs the key.

        Raises:
            ProviderError: the key, the address or the server does not work.
        """
        asking = self._asking()
        path = self._vendor.check or self._vendor.models
        if path:
            answer = await asking.get(address(self._vendor, self._config, path))
            if self._vendor.check:
                hear_fields(answer)
        else:
            await asking.smallest(self._config.default_model)

    async def models(self) -> tuple[ModelInfo, ...]:
        """The models that the server names.

        Raises:
            ProviderError: it cannot be asked.
        """
        if not self._vendor.models:
            return (ModelInfo(id=self._config.default_model),)
        return await list_models(self._asking())

    async def detect(self, model: str | None = None) -> Capabilities:
        """Ask the server what it can do, where it tells, and remember it.

        Args:
            model: Of which model; the default model otherwise.

        Raises:
            ProviderError: it cannot be asked.
        """
        asking = self._asking()
        wanted = model or self._config.default_model
        model = await first_model(asking) if wanted == AUTO else wanted
        told = await live_capabilities(asking, model, _known(self._vendor, self._config))
        self._detected[wanted] = self._detected[model] = told
        if wanted == self._config.default_model:
            self._capabilities = told
        return told

    async def facts(self, model: str) -> LiveFacts:
        """What the server tells of a model, and nothing else.

        Args:
            model: As it names it.

        Raises:
            ProviderError: it cannot be asked.
        """
        return await live_facts(self._asking(), model)

    async def count_tokens(self, request: Request) -> TokenCount:
        """The tokens of a request: counted by the server where it can, else about four characters each."""
        if self._vendor.live in {"vllm", "llamacpp"}:
            try:
                return await counted_tokens(self._asking(), request)
            except ProviderError:
                pass  # an estimate is better than none
        return estimated_tokens(request)

    async def warm_up(self, count: int = 1) -> int:
        """Open connections before there is traffic; how many stand then.

        Args:
            count: How many.

        Raises:
            ProviderError: they cannot be opened.
        """
        asking = self._asking()
        url = address(asking.vendor, asking.config, asking.vendor.models)
        return await asking.transport.warm_up(count, url, asking.headers(asking.keys.take()))

    @override
    def _complete(self, config: CompatibleConfig) -> CompatibleConfig:
        return complete(self._vendor, config)

    @override
    def _changed(self, before: CompatibleConfig) -> None:
        if self._config.base_url != before.base_url:
            self._loaded = None
            self._detected.clear()
            self._capabilities = _known(self._vendor, self._config)


def _known(vendor: Vendor, config: CompatibleConfig) -> Capabilities:
    """What a row says."""
    dialect = vendor.dialect
    return Capabilities(
        models=(config.default_model,),
        tools=vendor.tools,
        structured_output=dialect.schema != "none",
        images=dialect.images,
        audio=dialect.audio,
        documents=dialect.documents,
        thinking=vendor.thinking,
        caching=dialect.cache_marks,
    )
