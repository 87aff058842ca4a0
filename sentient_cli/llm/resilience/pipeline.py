"""All that is around a provider, in the one place where its order is decided."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TypeAlias

from sentient_cli.clock import Clock
from sentient_cli.llm.call import Answering, Call
from sentient_cli.llm.provider import LLMProvider, Request
from sentient_cli.llm.resilience.attempt import Attempt
from sentient_cli.llm.resilience.breaker import BreakerPolicy
from sentient_cli.llm.resilience.breaking import Breakers, Guard
from sentient_cli.llm.resilience.cache import Caching
from sentient_cli.llm.resilience.failover import Failover
from sentient_cli.llm.resilience.hedging import Hedging
from sentient_cli.llm.resilience.opening import First, Opening
from sentient_cli.llm.resilience.outage import Outage
from sentient_cli.llm.resilience.policies import ResiliencePolicies
from sentient_cli.llm.resilience.retry import RetryBudget, Retrying
from sentient_cli.llm.resilience.single_flight import SingleFlight
from sentient_cli.llm.resilience.targets import Choice
from sentient_cli.llm.wire.closing import Closing

__all__ = ["Pipeline", "Wrap", "cached", "lane", "pipeline"]

Wrap: TypeAlias = Callable[[Answering], Answering]
"""Puts something more around what answers."""


class Pipeline:
    """What answers the calls of a manager, and what its parts share.

    Args:
        policies: What is done about failures; others may be put in their place with `use`.
        choose: Gives the targets of a call.
        clock: What the time is.
        around_calls: More around a whole call, the innermost first, such as budgets and filters.
        around_attempts: More around each attempt, the innermost first, such as limits of requests.
        draw: Gives random numbers, from 0 to below 1.
    """

    def __init__(
        self,
        policies: ResiliencePolicies,
        choose: Callable[[Request, Call], Choice],
        clock: Clock,
        *,
        around_calls: Sequence[Wrap] = (),
        around_attempts: Sequence[Wrap] = (),
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.policies: ResiliencePolicies = policies
        """What is done about failures; `use` puts others in their place."""
        self.clock = clock
        self.draw = draw
        self.breakers: Breakers = Breakers(self._breaker_of, clock)
        self.budget: RetryBudget = RetryBudget(policies.retry_share, policies.retry_floor)
        self.closing: Closing = Closing()
        """Whether providers are closed, so that there is nothing to wait for."""
        self.around_attempts: tuple[Wrap, ...] = tuple(around_attempts)
        self._lanes: dict[str, tuple[LLMProvider, Opening]] = {}
        self._shared: Answering = pipeline(self, choose, around_calls)
        self.answering: Answering = cached(self._shared, policies)
        """What answers the calls that begin now."""

    def use(self, policies: ResiliencePolicies) -> None:
        """Have other policies for the calls that follow."""
        self.policies = policies
        self._lanes.clear()  # they are made for the policies that there were
        self.answering = cached(self._shared, policies)
        self.budget.share, self.budget.floor = policies.retry_share, policies.retry_floor

    def _breaker_of(self, provider: str) -> BreakerPolicy:
        return self.policies.breaker_of(provider)

    def lane_of(self, provider: LLMProvider) -> Opening:
        """What is around one provider; made once for it and the policies that there are."""
        known = self._lanes.get(provider.provider_id)
        if known is None or known[0] is not provider:
            known = self._lanes[provider.provider_id] = (provider, lane(self, provider))
        return known[1]

    def forget(self, provider_id: str) -> None:
        """Begin anew with a provider; calls that go on are not disturbed."""
        self._lanes.pop(provider_id, None)
        self.breakers.forget(provider_id)


def pipeline(parts: Pipeline, choose: Callable[[Request, Call], Choice], around: Sequence[Wrap]) -> Answering:
    """Compose what answers a call, from the inside out. Each part is around the one before it."""
    answering: Answering = Failover(
        choose,
        parts.lane_of,
        parts.breakers,
        lambda: parts.policies.failover,
        lambda provider: parts.budget.take(provider, parts.clock.now_ns() / 1e9),
    )
    answering = Outage(answering, lambda: parts.policies.outage, parts.clock, parts.draw, parts.closing)
    for wrap in around:
        answering = wrap(answering)
    return SingleFlight(answering, lambda: parts.policies.shared)


def cached(answering: Answering, policies: ResiliencePolicies) -> Answering:
    """The outermost part, if answers are kept."""
    return answering if policies.cache is None else Caching(answering, policies.cache)


def lane(parts: Pipeline, provider: LLMProvider) -> Opening:
    """Compose what is around one provider, from the inside out; failover goes from one lane to another."""
    name, policies = provider.provider_id, parts.policies
    attempt = Attempt(provider, Guard(name, parts.breakers), policies.deadlines_of(name))
    wrapped: Answering = attempt
    for wrap in parts.around_attempts:
        wrapped = wrap(wrapped)
    first = attempt if wrapped is attempt else First(wrapped)
    retrying = Retrying(first, provider, policies.retry_of(name), parts.budget, parts.clock, parts.draw)
    hedging = policies.hedging_of(name)
    return retrying if hedging is None else Hedging(retrying, hedging, parts.clock)
