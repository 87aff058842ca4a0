"""Bounds the silence of providers that do not see to it themselves: nobody waits for ever for somebody else's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final, Protocol

from sentient_cli.errors import ProviderTimeoutError, SentientError
from sentient_cli.llm.provider import LLMProvider, Request
from sentient_cli.llm.resilience.deadlines import Deadlines
from sentient_cli.llm.types import Chunk
from sentient_cli.llm.wire.patience import Patience

__all__ = ["Bounded", "Streaming", "bounded"]

_TIMES: Final = 4
"""So many times its ``timeout`` a provider may bring nothing of an answer; as those do that bound it themselves."""
_USUAL: Final = 30.0


class Streaming(Protocol):
    """What an attempt needs of a provider."""

    @property
    def provider_id(self) -> str:
        """What it is called."""
        ...

    async def initialize(self) -> None:
        """Get ready.

        Raises:
            ConfigError: it lacks what it needs.
        """
        ...

    def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece.

        Raises:
            ProviderError: of the class that fits.
        """
        ...


def bounded(provider: LLMProvider, deadlines: Deadlines) -> Streaming:
    """A provider that is not silent for ever: itself, if it says ``bounds_silence``.

    Args:
        provider: The provider.
        deadlines: How long it may take.

    Example:
        >>> from sentient_cli.llm.offline import OfflineProvider
        >>> provider = OfflineProvider()
        >>> bounded(provider, Deadlines()) is provider
        True
    """
    return provider if getattr(provider, "bounds_silence", False) is True else Bounded(provider, deadlines)


class Bounded:
    """Asks a provider, and gives it up when nothing comes for too long, before its answer or within it.

    Args:
        provider: The provider.
        deadlines: How long it may take.
    """

    __slots__ = ("_deadlines", "_provider", "provider_id")

    def __init__(self, provider: LLMProvider, deadlines: Deadlines) -> None:
        self._provider = provider
        self._deadlines = deadlines
        self.provider_id: str = provider.provider_id

    @property
    def _stall(self) -> float:
        if self._deadlines.stall is not None:
            return self._deadlines.stall
        try:
            return _TIMES * self._provider.config.timeout
        except SentientError:  # what it lacks, it says itself when it is asked
            return _TIMES * _USUAL

    async def initialize(self) -> None:
        """Get ready.

        Raises:
            ConfigError: it lacks what it needs.
            ProviderTimeoutError: that takes too long.
        """
        seconds = self._stall
        bound = asyncio.timeout(seconds)
        try:
            async with bound:
                await self._provider.initialize()
        except TimeoutError:
            if not bound.expired():
                raise
            raise self._error(seconds) from None

    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece.

        Raises:
            ProviderTimeoutError: nothing came for too long.
            ProviderError: of the class that fits.
        """
        stall = self._stall
        # What is slow to begin is left for another one before that, where there is another.
        seconds = max(stall, self._deadlines.first_token or 0.0)
        silence = _Silence(seconds)
        source = self._provider.stream(request)
        try:
            async for chunk in source:
                silence.broken()
                yield chunk
                if seconds != stall:
                    seconds = stall
                    silence.end()
                    silence = _Silence(stall)
                silence.again()
        except asyncio.CancelledError:
            if not silence.interrupted():
                raise
            raise self._error(seconds) from None
        finally:
            silence.end()
            await source.aclose()

    def _error(self, seconds: float) -> ProviderTimeoutError:
        return ProviderTimeoutError(
            f"The provider {self.provider_id!r} says nothing",
            why=f"It brought nothing of an answer for {seconds:g} s",
            fix="Try again, or raise the provider's `timeout` or `stall_timeout`",
            provider=self.provider_id,
        )


class _Silence:
    """Interrupts who waits for a provider when it has said nothing for too long."""

    __slots__ = ("_cancelling", "_patience", "_task", "_victim")

    def __init__(self, seconds: float) -> None:
        self._task = asyncio.current_task()
        self._victim: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._patience = Patience(seconds, self._interrupt)
        self._patience.begin()

    def broken(self) -> None:
        """Something came, and somebody reads it."""
        self._patience.moved = self._patience.is_read = True

    def again(self) -> None:
        """The provider is waited for again, maybe in another task."""
        self._patience.is_read = False
        self._task = asyncio.current_task()

    def _interrupt(self) -> None:
        task = self._victim = self._task
        if task is not None:
            self._cancelling = task.cancelling()
            task.cancel()

    def interrupted(self) -> bool:
        """Whether it was this alone that interrupted the task; whoever else wants it to end goes first."""
        victim, self._victim = self._victim, None
        return victim is not None and victim.uncancel() <= self._cancelling

    def end(self) -> None:
        """Interrupt nobody any more, and take back what a provider kept to itself."""
        self._patience.end()
        self.interrupted()
