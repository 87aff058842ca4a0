"""The offline model as a provider: a script's answers first, then those of the built-in assistant."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from sentient_cli.clock import Clock, SystemClock
from sentient_cli.errors import BadRequestError, ConfigError, ProviderError
from sentient_cli.llm.assembly import collect
from sentient_cli.llm.offline.answering import Answerer
from sentient_cli.llm.offline.matching import Matcher
from sentient_cli.llm.offline.playing import Player
from sentient_cli.llm.offline.script import Pace, Script
from sentient_cli.llm.offline.tokens import request_tokens
from sentient_cli.llm.provider import (
    Capabilities,
    ModelInfo,
    ProviderConfig,
    ProviderMetrics,
    Request,
    TokenCount,
)
from sentient_cli.llm.types import Chunk, Completion, JsonValue

__all__ = ["OfflineConfig", "OfflineProvider"]

_MODELS = {
    "assistant": "A small built-in assistant: honest, deterministic, without knowledge of the world.",
    "echo": "Says what it was told.",
}


class OfflineConfig(ProviderConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of the offline model.

    Args:
        default_model: ``assistant`` or ``echo``, or a name of the script.
        seed: Chooses among the variants of the built-in answers.
        tokens_per_second: How fast answers come; 0: all at once.
        first_token: Seconds before the first token.

    Example:
        >>> config = OfflineConfig(tokens_per_second=40, first_token=0.2)
        >>> OfflineProvider(config=config).config.tokens_per_second
        40
    """

    default_model: Annotated[str, Meta(min_length=1)] = "assistant"
    seed: int = 0
    tokens_per_second: Annotated[float, Meta(ge=0, le=1_000_000)] = 0.0
    first_token: Annotated[float, Meta(ge=0, le=86_400)] = 0.0


class OfflineProvider:
    """The offline model: deterministic, without a key and without a network.

    The same conversation, seed and moment give the same answer, at every pace.

    Args:
        script: What to answer to what; the built-in assistant answers the rest.
        config: Settings; those of the script win where both speak of the seed or the pace.
        clock: Gives the date and paces the stream.
        provider_id: The first part of its model ids; that of its class unless given.

    Example:
        >>> import asyncio
        >>> from sentient_cli.llm import Message, Request
        >>> provider = OfflineProvider()
        >>> request = Request(model="assistant", messages=(Message.user("What is 12 * 12?"),))
        >>> "144" in asyncio.run(provider.generate(request)).text
        True
    """

    ID: ClassVar[str] = "offline"

    def __init__(
        self,
        script: Script | None = None,
        *,
        config: OfflineConfig | None = None,
        clock: Clock | None = None,
        provider_id: str | None = None,
    ) -> None:
        self._id = provider_id or self.ID
        self._script = script
        self._config = config or OfflineConfig()
        self._clock = clock or SystemClock()
        self._matcher = Matcher(script or Script())
        self._requests = self._errors = self._active = self._input = self._output = 0

    @property
    def provider_id(self) -> str:
        """``offline``, unless another was given."""
        return self._id

    @property
    def config(self) -> OfflineConfig:
        """Its settings at this moment."""
        return self._config

    @property
    def bounds_silence(self) -> bool:
        """That it is never silent for longer than its script says."""
        return True

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return Capabilities(models=self._names(), tools=True, structured_output=True)

    def _names(self) -> tuple[str, ...]:
        scripted = self._script.models if self._script else ()
        return tuple(dict.fromkeys((*scripted, *_MODELS)))

    async def initialize(self) -> None:
        """Nothing to do."""

    async def generate(self, request: Request) -> Completion:
        """Answer as a whole.

        Raises:
            ProviderError: the script says so, or the model is unknown.
        """
        return await collect(self._id, request.model, self.stream(request))

    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        """Answer token by token.

        Raises:
            ProviderError: the script says so, or the model is unknown.
        """
        self._requests += 1
        self._active += 1
        try:
            async for chunk in self._play(request):
                if chunk.usage is not None:
                    self._input += chunk.usage.prompt or 0
                    self._output += chunk.usage.output or 0
                yield chunk
        except ProviderError:
            self._errors += 1
            raise
        finally:
            self._active -= 1

    def check_model(self, name: str) -> None:
        """Find out whether there is a model of this name; with a script every name works.

        Args:
            name: Without the provider.

        Raises:
            BadRequestError: there is none.
        """
        if self._script is None and name not in _MODELS:
            raise BadRequestError(
                f"The offline model has no {name!r:.60}",
                why=f"It has {', '.join(_MODELS)}",
                fix="Use one of these, or load a script, with which every name works",
                provider=self._id,
            )

    def _play(self, request: Request) -> AsyncGenerator[Chunk, None]:
        self.check_model(request.model)
        script = self._script or Script()
        pace = script.pace or Pace(
            tokens_per_second=self._config.tokens_per_second, first_token=self._config.first_token
        )
        seed = request.parameters.seed if request.parameters.seed is not None else script.seed or self._config.seed
        answer = Answerer(self._matcher, script.fallback, seed, self._clock.now_ns).answer(request)
        return Player(self._clock, request, answer, answer.pace or pace).play()

    async def validate(self) -> None:
        """Nothing can be wrong."""

    async def models(self) -> tuple[ModelInfo, ...]:
        """The built-in models and those that the script names."""
        return tuple(ModelInfo(id=name, description=_MODELS.get(name, "Scripted.")) for name in self._names())

    async def count_tokens(self, request: Request) -> TokenCount:
        """The tokens of a request, exactly."""
        return TokenCount(request_tokens(request.messages, request.tools), exact=True)

    async def update_config(self, changes: Mapping[str, JsonValue]) -> None:
        """Change settings by name, all or none.

        Raises:
            ConfigError: a name is unknown or a value does not fit.

        Example:
            >>> import asyncio
            >>> provider = OfflineProvider()
            >>> asyncio.run(provider.update_config({"tokens_per_second": 40}))
            >>> provider.config.tokens_per_second
            40.0
        """
        merged: dict[str, JsonValue] = {**msgspec.to_builtins(self._config), **changes}
        try:
            self._config = msgspec.convert(merged, OfflineConfig)
        except msgspec.ValidationError as error:
            raise ConfigError(
                "The settings of the offline model are not valid",
                why=str(error),
                fix=f"The settings are {', '.join(OfflineConfig.__struct_fields__)}",
            ) from error

    def metrics(self) -> ProviderMetrics:
        """What it did so far."""
        return ProviderMetrics(
            requests=self._requests,
            errors=self._errors,
            active=self._active,
            input_tokens=self._input,
            output_tokens=self._output,
        )

    def reset(self) -> None:
        """Begin the script anew: no rule was used."""
        self._matcher.reset()

    async def aclose(self) -> None:
        """Nothing to give back."""
