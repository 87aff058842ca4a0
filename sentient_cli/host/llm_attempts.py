"""What is around each attempt of a call: watching, limits, budgets, prices."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final, cast

from sentient_cli.clock import Clock
from sentient_cli.config.llm import LlmSettings, ProviderSettings
from sentient_cli.errors import SentientError
from sentient_cli.llm.call import Answering, Call
from sentient_cli.llm.limits.limiter import Limited, Limiter, Pause
from sentient_cli.llm.manager import LLMManager
from sentient_cli.llm.models.prices import PriceBook
from sentient_cli.llm.offline import OfflineProvider
from sentient_cli.llm.provider import LLMProvider, RateLimits, Request
from sentient_cli.llm.providers.lazy import LazyProvider
from sentient_cli.llm.resilience.pipeline import Wrap
from sentient_cli.llm.selection.observed import Observed, Observing
from sentient_cli.llm.types import Chunk
from sentient_cli.llm.usage.budget import Budget
from sentient_cli.llm.usage.budgeted import Budgeted
from sentient_cli.llm.wire.closing import slept
from sentient_cli.llm.wire.keys import KeyRing

__all__ = ["around_attempts"]

_NEEDS_WATCHING: Final = frozenset({"latency", "least-busy", "cheapest", "complexity"})


def around_attempts(
    settings: LlmSettings,
    prices: PriceBook,
    budget: Budget | None,
    observed: Observed,
    clock: Clock,
    manager: Callable[[], LLMManager],
) -> list[Wrap]:
    """What settings put around each attempt, the innermost first.

    Args:
        settings: Those of models.
        prices: What tokens cost.
        budget: What may be spent.
        observed: Where it is kept what is seen of models.
        clock: What the time is.
        manager: Gives the manager, once it is there.
    """
    around: list[Wrap] = []
    if settings.strategy in _NEEDS_WATCHING:
        around.append(lambda inner: Observing(inner, observed))
    limits = _Limits(settings, clock, manager)
    around.append(
        lambda inner: Limited(
            inner,
            limits.of,
            max_wait=settings.limit_wait,
            keys_of=limits.keys,
            told=limits.told,
            clock=clock,
            pause_of=limits.pause,
        )
    )
    if budget is not None:
        around.append(lambda inner: Budgeted(inner, budget, prices))
    else:
        around.append(lambda inner: _Priced(inner, prices))
    return around


class _Priced:
    """Has the price of a model read by the time that its answer is there."""

    __slots__ = ("_inner", "_prices")

    def __init__(self, inner: Answering, prices: PriceBook) -> None:
        self._inner = inner
        self._prices = prices

    def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        if self._prices.knows(call.provider, request.model, request.parameters.service_tier):
            return self._inner.stream(request, call)
        return self._first(request, call)

    async def _first(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        provider, tier = call.provider, request.parameters.service_tier
        self._prices.fetch(provider, request.model, tier)
        source = self._inner.stream(request, call)
        try:
            async for chunk in source:
                yield chunk
            # The first answer has a cost too. All of it was given on: nobody waits for words.
            await self._prices.ready(provider, request.model, tier)
        finally:
            await source.aclose()


class _Limits:
    """The limits of all providers that are reached over a network: as set, for each of their keys."""

    def __init__(self, settings: LlmSettings, clock: Clock, manager: Callable[[], LLMManager]) -> None:
        self._settings = settings
        self._clock = clock
        self._manager = manager
        self._limiters: dict[tuple[str, RateLimits], Limiter] = {}

    def of(self, provider: str) -> Limiter | None:
        keys, table = self.keys(provider), self._settings.providers.get(provider) or ProviderSettings()
        count = keys.count if keys is not None else 1
        found = self._find(provider)
        known = found.capabilities.rate_limits if found is not None else RateLimits()
        limits = RateLimits(
            _times(table.requests_per_minute, count) or known.requests_per_minute,
            _times(table.tokens_per_minute, count) or known.tokens_per_minute,
        )
        if limits == RateLimits() and (provider == OfflineProvider.ID or keys is not None):
            return None  # what a provider tells, its keys know
        limiter = self._limiters.get((provider, limits))
        if limiter is None:
            limiter = self._limiters[provider, limits] = Limiter(limits, clock=self._clock)
        return limiter

    def keys(self, provider: str) -> KeyRing | None:
        keys: object = getattr(self._find(provider), "keys", None)
        if not isinstance(keys, KeyRing):
            return None
        table = self._settings.providers.get(provider)
        if table is not None and keys.count > 1:  # one has all that there is
            keys.bound(RateLimits(table.requests_per_minute, table.tokens_per_minute))
        return keys

    def told(self, provider: str) -> Mapping[str, str]:
        told: object = getattr(self._find(provider), "limits", None)
        return cast("Mapping[str, str]", told) if isinstance(told, Mapping) else {}

    def pause(self, provider: str) -> Pause | None:
        closed: object = getattr(self._find(provider), "until_closed", None)
        if not callable(closed):
            return None
        return lambda seconds: slept(self._clock, seconds, cast("Callable[[], Awaitable[None]]", closed)())

    def _find(self, provider: str) -> LLMProvider | None:
        found = next((each for each in self._manager().providers if each.provider_id == provider), None)
        if isinstance(found, LazyProvider):
            with suppress(SentientError):  # whoever asks it next is told
                return found.made
        return found


def _times(limit: int | None, count: int) -> int | None:
    return None if limit is None else limit * count
