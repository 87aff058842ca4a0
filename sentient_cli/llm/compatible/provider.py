"""A provider of any vendor in the table, over nothing but HTTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from functools import partial

from sentient_cli.config.secret import Secret
from sentient_cli.errors import ProviderError
from sentient_cli.llm.assembly import collect
from sentient_cli.llm.chatwire.answering import Asked, answer
from sentient_cli.llm.chatwire.body import body_of
from sentient_cli.llm.chatwire.decoder import ChatDecoder
from sentient_cli.llm.compatible.asking import Asking
from sentient_cli.llm.compatible.config import CompatibleConfig, address, check_config, complete
from sentient_cli.llm.compatible.counting import counted_tokens
from sentient_cli.llm.compatible.listing import first_model, list_models
from sentient_cli.llm.compatible.live import live_capabilities
from sentient_cli.llm.compatible.vendors import AUTO, Vendor, vendor_of
from sentient_cli.llm.provider import Capabilities, ModelInfo, ProviderMetrics, Request, TokenCount
from sentient_cli.llm.tokens import estimated_tokens
from sentient_cli.llm.types import Chunk, Completion, JsonValue
from sentient_cli.llm.wire.keys import KeyRing
from sentient_cli.llm.wire.meter import Meter
from sentient_cli.llm.wire.refusals import check_answer
from sentient_cli.llm.wire.settings import with_changes
from sentient_cli.llm.wire.transport import PoolFacts, Transport

__all__ = ["CompatibleConfig", "CompatibleProvider"]


class CompatibleProvider:
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
        self._id = provider_id or self._vendor.id
        self._config = complete(self._vendor, config)
        self._keys = KeyRing(self._config.keys)
        self._transport: Transport | None = None
        self._meter = Meter()
        self._capabilities = _known(self._vendor, self._config)
        self._loaded: str | None = None
        self._limits: Mapping[str, str] = {}

    @property
    def provider_id(self) -> str:
        """The first part of its model ids."""
        return self._id

    @property
    def vendor(self) -> Vendor:
        """Its row."""
        return self._vendor

    @property
    def config(self) -> CompatibleConfig:
        """Its settings at this moment."""
        return self._config

    @property
    def capabilities(self) -> Capabilities:
        """What it can do: by its row, and by what the server told when it was asked by `detect`."""
        return self._capabilities

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
        check_config(self._vendor, self._config, self._id)

    def _asking(self) -> Asking:
        """All that one call needs, at the settings of this moment."""
        check_config(self._vendor, self._config, self._id)
        if self._transport is None:
            self._transport = Transport(self._id, self._config)
        return Asking(self._id, self._vendor, self._config, self._transport, self._keys)

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
        asking = self._asking()
        model = request.model
        if model == AUTO and self._vendor.default_model == AUTO:
            model = self._loaded = self._loaded or await first_model(asking)
        body = body_of(request, self._vendor.dialect, self._id, model=model)
        key = asking.keys.take()
        url = address(asking.vendor, asking.config, asking.vendor.chat, model)
        incoming = await asking.transport.open("POST", url, asking.headers(key), body.content, config=asking.config)
        try:
            streamed = await check_answer(self._id, incoming, f"the model {model!r:.80}")
        except BaseException as error:
            incoming.close()
            if isinstance(error, ProviderError):
                asking.keys.refused(key, error)
            raise
        self._limits = {name: value for name, value in incoming.headers.items() if "ratelimit" in name}
        decoder = ChatDecoder(self._id, body.notices, reasoning_apart=self._vendor.dialect.reasoning_apart)
        return Asked(incoming, decoder, streamed, partial(asking.keys.refused, key))

    async def validate(self) -> None:
        """Ask for what costs nothing and needs the key.

        Raises:
            ProviderError: the key, the address or the server does not work.
        """
        asking = self._asking()
        path = self._vendor.check or self._vendor.models
        if path:
            await asking.get(address(self._vendor, self._config, path))
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
        model = model or self._config.default_model
        if model == AUTO:
            model = await first_model(asking)
        self._capabilities = await live_capabilities(asking, model, _known(self._vendor, self._config))
        return self._capabilities

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

    async def update_config(self, changes: Mapping[str, JsonValue | Secret]) -> None:
        """Change settings by name, all or none. Calls going on keep the old ones.

        Raises:
            ConfigError: a name is unknown or a value does not fit.
        """
        config = complete(self._vendor, with_changes(self._config, changes, self._id))
        if self._transport is not None and not self._transport.fits(config):
            self._transport.retire()
            self._transport = None
        if config.keys != self._config.keys:
            self._keys = KeyRing(config.keys)
        if config.base_url != self._config.base_url:
            self._loaded = None
        self._config = config

    def metrics(self) -> ProviderMetrics:
        """What it did so far."""
        return self._meter.metrics

    async def aclose(self) -> None:
        """Close its connections. May be called twice."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()


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
