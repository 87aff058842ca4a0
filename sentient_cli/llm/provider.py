"""The protocol of a provider: one LLM vendor, server, or the offline model.

Retries, breakers, caches and replay are providers too, around another one; so what calls a provider need not know them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Annotated, Protocol, cast

import msgspec
from msgspec import Meta

from sentient_cli.llm.checked import check_fields
from sentient_cli.llm.parameters import Parameters
from sentient_cli.llm.types import Chunk, Completion, JsonValue, Message, OutputSpec, ToolSpec

__all__ = [
    "Capabilities",
    "LLMProvider",
    "ModelInfo",
    "ProviderConfig",
    "ProviderMetrics",
    "RateLimits",
    "Request",
    "TokenCount",
    "capabilities_for",
]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider is asked.

    Args:
        model: The model, as the provider names it.
        messages: The conversation, at least one message.
        parameters: How to answer.
        tools: What the model may ask for.
        output: What the answer has to be like; only for providers that can hold a model to it.
        call: The id of the call, the same over all its attempts; providers that know such a thing get it as the key by
            which they tell a request that they have had already.
        session: The chat that it belongs to, if any.
        query: The question of the user's that it belongs to, if any.

    Example:
        >>> request = Request(model="assistant", messages=(Message.user("Hello"),), parameters=Parameters(max_tokens=5))
        >>> request.messages[-1].text, request.parameters.max_tokens
        ('Hello', 5)
    """

    model: str
    messages: tuple[Message, ...]
    parameters: Parameters = Parameters()
    tools: tuple[ToolSpec, ...] = ()
    output: OutputSpec | None = None
    call: str = ""
    session: str | None = None
    query: str | None = None


class RateLimits(msgspec.Struct, frozen=True, gc=False):
    """How much a provider takes, when known.

    Args:
        requests_per_minute: Requests a minute.
        tokens_per_minute: Tokens a minute.

    Example:
        >>> RateLimits(requests_per_minute=60).tokens_per_minute is None
        True
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider can do.

    Args:
        models: The names it is known to have; a name that is not here may still work.
        max_input_tokens: Tokens that a request may have, when known.
        max_output_tokens: Tokens that an answer may have, when known.
        streaming: Whether answers come piece by piece; where they do not, a notice says so.
        tools: Whether models can ask for tools.
        structured_output: Whether models can be held to a JSON Schema.
        images: Whether models can read images.
        system_prompts: Whether system messages are obeyed; where they are not, conversations with one go elsewhere.
        rate_limits: How much it takes; calls wait for their turn where settings say nothing else.
        audio: Whether models can hear.
        documents: Whether models can read documents such as PDF files.
        thinking: Whether models think before they answer.
        caching: Whether the beginning of a request can be kept for the next one.
        batches: Whether requests can be handed in together, to be answered within a day.

    Example:
        >>> capabilities = Capabilities(models=("small", "large"), max_input_tokens=8192, tools=True)
        >>> capabilities.tools, capabilities.images, capabilities.max_output_tokens is None
        (True, False, True)
    """

    models: tuple[str, ...] = ()
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    streaming: bool = True
    tools: bool = False
    structured_output: bool = False
    images: bool = False
    system_prompts: bool = True
    rate_limits: RateLimits = RateLimits()
    audio: bool = False
    documents: bool = False
    thinking: bool = False
    caching: bool = False
    batches: bool = False


class ProviderConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings that every provider has; each adds its own in a subclass.

    Args:
        default_model: What a bare provider id stands for.
        timeout: Seconds of silence that are borne, before and within an answer; four times as many where only answers
            can be seen and no signs of life.

    Example:
        >>> class MyConfig(ProviderConfig, frozen=True, kw_only=True):
        ...     base_url: str = "http://127.0.0.1:11434"
        >>> config = MyConfig(default_model="small")
        >>> config.default_model, config.timeout
        ('small', 30.0)
    """

    default_model: str
    timeout: Annotated[float, Meta(gt=0, le=86_400)] = 30.0

    def __post_init__(self) -> None:
        check_fields(self)


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a model.

    Args:
        id: As the provider names it.
        description: One sentence.
        context_tokens: Tokens that request and answer may have together, when known.
        shutdown: The day (YYYY-MM-DD) from which it answers no more, when the provider tells.

    Example:
        >>> model = ModelInfo(id="small", description="Fast, for short answers.", context_tokens=8192)
        >>> f"{model.id}: {model.description}"
        'small: Fast, for short answers.'
    """

    id: str
    description: str = ""
    context_tokens: int | None = None
    shutdown: str | None = None


class TokenCount(msgspec.Struct, frozen=True, gc=False):
    """The tokens of a request.

    Args:
        tokens: How many.
        exact: Whether the provider counted them, and not we.

    Example:
        >>> import asyncio
        >>> from sentient_cli.llm import OfflineProvider
        >>> request = Request(model="assistant", messages=(Message.user("How are you?"),))
        >>> count = asyncio.run(OfflineProvider().count_tokens(request))
        >>> count.tokens > 0, count.exact
        (True, True)
    """

    tokens: int
    exact: bool


class ProviderMetrics(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a provider did since it was made.

    Args:
        requests: Calls begun.
        errors: Calls that failed; a cancelled call did not.
        active: Calls going on now.
        input_tokens: Tokens read.
        output_tokens: Tokens written.

    Example:
        >>> import asyncio
        >>> from sentient_cli.llm import OfflineProvider
        >>> provider = OfflineProvider()
        >>> _ = asyncio.run(provider.generate(Request(model="echo", messages=(Message.user("Hello"),))))
        >>> metrics = provider.metrics()
        >>> metrics.requests, metrics.active, metrics.errors
        (1, 0, 0)
    """

    requests: int = 0
    errors: int = 0
    active: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


class LLMProvider(Protocol):
    """What a provider must do. Every failure is a `ProviderError` or a `ConfigError`; foreign exceptions stay inside.

    Example:
        >>> from sentient_cli.llm.offline import OfflineProvider
        >>> provider: LLMProvider = OfflineProvider()
        >>> provider.provider_id, provider.config.default_model
        ('offline', 'assistant')
    """

    @property
    def provider_id(self) -> str:
        """The first part of its model ids: letters, digits, ``-`` and ``_``."""
        ...

    @property
    def config(self) -> ProviderConfig:
        """Its settings at this moment."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can do, as far as known without asking."""
        ...

    async def initialize(self) -> None:
        """Get ready. Called before every call, so all but the first return at once.

        Raises:
            CredentialNotFoundError: it needs a key and has none.
        """
        ...

    async def generate(self, request: Request) -> Completion:
        """Answer as a whole: the same path as `stream`, put together.

        Raises:
            ProviderError: of the class that fits.
        """
        ...

    def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece. One chunk has a ``finish_reason``; chunks may follow it. Closing it frees the call.

        Raises:
            ProviderError: of the class that fits, from the iteration.
        """
        ...

    async def validate(self) -> None:
        """Find out whether the settings work, as cheaply as the vendor allows.

        Raises:
            ProviderError: they do not.
        """
        ...

    async def models(self) -> tuple[ModelInfo, ...]:
        """The models there are."""
        ...

    async def count_tokens(self, request: Request) -> TokenCount:
        """The tokens of a request."""
        ...

    async def update_config(self, changes: Mapping[str, JsonValue]) -> None:
        """Change settings by name, all or none. Calls going on keep the old ones.

        Raises:
            ConfigError: a name is unknown or a value does not fit.
        """
        ...

    def metrics(self) -> ProviderMetrics:
        """What it did so far."""
        ...

    async def aclose(self) -> None:
        """Give everything back. May be called twice."""
        ...


def capabilities_for(provider: LLMProvider, model: str) -> Capabilities:
    """What a provider can do with one of its models: some know more of a model, since they have asked their server.

    Args:
        provider: The provider.
        model: As it names it.

    Example:
        >>> from sentient_cli.llm.offline import OfflineProvider
        >>> capabilities_for(OfflineProvider(), "echo").tools
        True
    """
    known: object = getattr(provider, "capabilities_for", None)
    return cast("Callable[[str], Capabilities]", known)(model) if callable(known) else provider.capabilities
