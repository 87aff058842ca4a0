"""A provider that is made when it is first used: what nobody asks costs nothing, and its faults stop nobody else."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Protocol, cast

from sentient_cli.errors import AuthenticationError, BadRequestError, SentientError
from sentient_cli.llm.provider import (
    Capabilities,
    LLMProvider,
    ModelInfo,
    ProviderConfig,
    ProviderMetrics,
    Request,
    TokenCount,
    capabilities_for,
)
from sentient_cli.llm.providers.third_party import foreign_failure
from sentient_cli.llm.types import Chunk, Completion, JsonValue
from sentient_cli.llm.wire.closing import Closing

if TYPE_CHECKING:
    from sentient_cli.llm.batches import BatchProvider, BatchResult, BatchStatus
    from sentient_cli.llm.wire.pool import PoolFacts

__all__ = ["BatchWatch", "LazyProvider"]


class BatchWatch(Protocol):
    """Looks at the batches of providers: a `BatchBook`."""

    async def submit(self, provider: str, requests: Sequence[Request], hand_in: Callable[[], Awaitable[str]]) -> str:
        """Hand requests in to a provider, if they may be, and give the id of the batch.

        Raises:
            ProviderError: they may not, or are not taken.
        """
        ...

    async def told(self, provider: str, status: BatchStatus) -> None:
        """See what a provider tells of a batch."""
        ...

    def results(
        self, provider: str, batch: str, source: AsyncGenerator[BatchResult, None]
    ) -> AsyncGenerator[BatchResult, None]:
        """See the results of a batch of a provider, and give them on."""
        ...


_MOST = 100_000
"""Requests that any provider takes at once."""


class _Remote(Protocol):
    """What providers over a network have besides."""

    async def warm_up(self, count: int = 1) -> int: ...

    async def detect(self, model: str | None = None) -> Capabilities: ...


def _say_nothing(error: AuthenticationError) -> None:
    del error


class LazyProvider:
    """Stands for a provider until somebody asks it something.

    Args:
        provider_id: What it is called.
        make: Makes it. What this raises is raised to whoever asked, and tried again next time.
        say_where: Adds to the error of a refused key where that key came from.
        batches: Looks at its batches.
        bounds_silence: Whether it gives up by itself when nothing comes.
        is_foreign: Whether it is somebody else's: what it raises that is none of our errors becomes one.

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
        batches: BatchWatch | None = None,
        bounds_silence: bool = False,
        is_foreign: bool = False,
    ) -> None:
        self.bounds_silence: bool = bounds_silence
        self._is_foreign = is_foreign
        self._id = provider_id
        self._make = make
        self._say_where = say_where
        self._batches = batches
        self._made: LLMProvider | None = None
        self._making = Lock()
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
            with self._making:  # loops in several threads may ask at once, and a second one would be closed by nobody
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

    def capabilities_for(self, model: str) -> Capabilities:
        """What it can do with a model.

        Args:
            model: As it names it.
        """
        return capabilities_for(self.made, model)

    @property
    def pool(self) -> PoolFacts | None:
        """How its connections are used; None: it has none, or was not asked anything yet."""
        return cast("PoolFacts | None", getattr(self._made, "pool", None))

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
        try:
            await self.made.initialize()
        except Exception as error:
            if self._is_foreign and not isinstance(error, SentientError):
                raise foreign_failure(self._id, error) from error
            raise

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
        except Exception as error:
            if self._is_foreign and not isinstance(error, SentientError):
                raise foreign_failure(self._id, error) from error
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
        except Exception as error:
            if self._is_foreign and not isinstance(error, SentientError):
                raise foreign_failure(self._id, error) from error
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

    async def detect(self, model: str | None = None) -> Capabilities:
        """What it can do, asked of its server where that tells.

        Args:
            model: Of which model; the default model otherwise.

        Raises:
            ProviderError: the server cannot be asked.
        """
        if hasattr(self.made, "detect"):
            return await cast("_Remote", self.made).detect(model)
        return self.made.capabilities

    async def warm_up(self, count: int = 1) -> int:
        """Open connections before there is traffic; how many stand then.

        Args:
            count: How many.

        Raises:
            ProviderError: they cannot be opened.
        """
        return await cast("_Remote", self.made).warm_up(count) if hasattr(self.made, "warm_up") else 0

    async def submit_batch(self, requests: Sequence[Request]) -> str:
        """Hand requests in, and get the id of the batch.

        Raises:
            BadRequestError: it takes no batches.
            BudgetExceededError: they would cost more than is left of a budget; nothing was sent.
            ProviderError: they are not taken.
        """
        provider = self._batching()
        if self._batches is None:
            return await provider.submit_batch(requests)
        from sentient_cli.llm.batches import check_batch  # noqa: PLC0415 - only where there are batches

        check_batch(requests, _MOST, self._id)  # who sets aside what they cost looks at each
        return await self._batches.submit(self._id, requests, lambda: provider.submit_batch(requests))

    async def batch_status(self, batch: str) -> BatchStatus:
        """How far a batch is.

        Raises:
            ProviderError: as for `submit_batch`.
        """
        return await self._told(await self._batching().batch_status(batch))

    def batch_results(self, batch: str) -> AsyncGenerator[BatchResult, None]:
        """The results of a batch that ended, in any order.

        Raises:
            ProviderError: as for `submit_batch`.
        """
        results = self._batching().batch_results(batch)
        return results if self._batches is None else self._batches.results(self._id, batch, results)

    async def cancel_batch(self, batch: str) -> BatchStatus:
        """Answer no more of a batch.

        Raises:
            ProviderError: as for `submit_batch`.
        """
        return await self._told(await self._batching().cancel_batch(batch))

    async def _told(self, status: BatchStatus) -> BatchStatus:
        if self._batches is not None:
            await self._batches.told(self._id, status)
        return status

    def _batching(self) -> BatchProvider:
        if not self.made.capabilities.batches:
            raise BadRequestError(
                f"The provider {self._id!r} takes no batches",
                fix="Ask it one request at a time, or use `openai` or `anthropic`, which do",
                provider=self._id,
            )
        return cast("BatchProvider", self.made)

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
