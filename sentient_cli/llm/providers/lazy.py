"""A provider that is made when it is first used: what nobody asks costs nothing, and its faults stop nobody else."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import cast

from sentient_cli.errors import AuthenticationError
from sentient_cli.llm.provider import (
    Capabilities,
    LLMProvider,
    ModelInfo,
    ProviderConfig,
    ProviderMetrics,
    Request,
    TokenCount,
)
from sentient_cli.llm.types import Chunk, Completion, JsonValue
from sentient_cli.llm.wire.closing import Closing

__all__ = ["LazyProvider"]


def _say_nothing(error: AuthenticationError) -> None:
    del error


class LazyProvider:
    """Stands for a provider until somebody asks it something.

    Args:
        provider_id: What it is called.
        make: Makes it. What this raises is raised to whoever asked, and tried again next time.
        say_where: Adds to the error of a refused key where that key came from.

    Example:
        >>> from sentient_cli.llm.offline import OfflineProvider
        >>> provider = LazyProvider("offline", OfflineProvider)
        >>> provider.is_made, provider.config.default_model, provider.is_made
        (False, 'assistant', True)
    """

    def __init__(
        self,
        provider_id: str,
        make: Callable[[], LLMProvider],
        *,
        say_where: Callable[[AuthenticationError], None] = _say_nothing,
    ) -> None:
        self._id = provider_id
        self._make = make
        self._say_where = say_where
        self._made: LLMProvider | None = None
        self._closing = Closing()

    @property
    def is_made(self) -> bool:
        """Whether somebody asked it something already."""
        return self._made is not None

    @property
    def made(self) -> LLMProvider:
        """The provider itself.

        Raises:
            ConfigError: its settings lead nowhere, or it has no key.
        """
        if self._made is None:
            self._made = self._make()
        return self._made

    @property
    def provider_id(self) -> str:
        """What it is called."""
        return self._id

    @property
    def config(self) -> ProviderConfig:
        """Its settings at this moment."""
        return self.made.config

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return self.made.capabilities

    @property
    def limits(self) -> Mapping[str, str]:
        """What its last answer said of how much may be asked: headers, with names in lower case."""
        told: object = getattr(self._made, "limits", None)
        return cast("Mapping[str, str]", told) if isinstance(told, Mapping) else {}

    async def initialize(self) -> None:
        """Get ready.

        Raises:
            ConfigError: its settings lead nowhere, or it has no key.
        """
        await self.made.initialize()

    async def generate(self, request: Request) -> Completion:
        """Answer as a whole.

        Raises:
            ProviderError: of the class that fits.
        """
        try:
            return await self.made.generate(request)
        except AuthenticationError as error:
            self._say_where(error)
            raise

    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece.

        Raises:
            ProviderError: of the class that fits.
        """
        source = self.made.stream(request)
        try:
            async for chunk in source:
                yield chunk
        except AuthenticationError as error:
            self._say_where(error)
            raise
        finally:
            await source.aclose()

    async def validate(self) -> None:
        """Find out whether the settings work.

        Raises:
            ProviderError: they do not.
        """
        try:
            await self.made.validate()
        except AuthenticationError as error:
            self._say_where(error)
            raise

    async def models(self) -> tuple[ModelInfo, ...]:
        """The models there are.

        Raises:
            ProviderError: of the class that fits.
        """
        try:
            return await self.made.models()
        except AuthenticationError as error:
            self._say_where(error)
            raise

    async def count_tokens(self, request: Request) -> TokenCount:
        """The tokens of a request."""
        return await self.made.count_tokens(request)

    async def update_config(self, changes: Mapping[str, JsonValue]) -> None:
        """Change settings by name, all or none.

        Raises:
            ConfigError: a name is unknown or a value does not fit.
        """
        await self.made.update_config(changes)

    def metrics(self) -> ProviderMetrics:
        """What it did so far; nothing before it was made."""
        return self._made.metrics() if self._made is not None else ProviderMetrics()

    async def until_closed(self) -> None:
        """Wait until it is closed."""
        await self._closing.wait()

    async def aclose(self) -> None:
        """Give everything back. May be called twice."""
        self._closing.close()
        if self._made is not None:
            await self._made.aclose()
