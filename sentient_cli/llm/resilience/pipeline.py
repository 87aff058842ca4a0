"""All that is around a provider, in the one place where its order is decided."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TypeAlias

from sentient_cli.clock import Clock
from sentient_cli.llm.call import Answering, Call
from sentient_cli.llm.provider import LLMProvider, Request
from sentient_cli.llm.resilience.attempt import Attempt
from sentient_cli.llm.resilience.breaking import Breakers, Guard
from sentient_cli.llm.resilience.cache import Caching
from sentient_cli.llm.resilience.failover import Failover
from sentient_cli.llm.resilience.hedging import Hedging
from sentient_cli.llm.resilience.opening import Opening
from sentient_cli.llm.resilience.outage import Outage
from sentient_cli.llm.resilience.policies import ResiliencePolicies
from sentient_cli.llm.resilience.retry import RetryBudget, Retrying
from sentient_cli.llm.resilience.single_flight import SingleFlight
from sentient_cli.llm.resilience.targets import Choice

__all__ = ["Pipeline", "Wrap", "lane", "pipeline"]

Wrap: TypeAlias = Callable[[Answering], Answering]
"""Puts something more around what answers."""


class Pipeline:
    """What answers the calls of a manager, and what its parts share.

    Args:
        policies: What is done about failures; may be replaced at any time, for the calls that follow.
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
        self._policies = policies
        self.clock = clock
        self.draw = draw
        self.breakers: Breakers = Breakers(policies.breaker_of, clock)
        self.budget: RetryBudget = RetryBudget(policies.retry_share, policies.retry_floor)
        self.around_attempts: tuple[Wrap, ...] = tuple(around_attempts)
        self._lanes: dict[str, tuple[LLMProvider, Opening]] = {}
        self.answering: Answering = pipeline(self, choose, around_calls)

    @property
    def policies(self) -> ResiliencePolicies:
        """What is done about failures."""
        return self._policies

    @policies.setter
    def policies(self, policies: ResiliencePolicies) -> None:
        self._policies = policies
        self.budget.share, self.budget.floor = policies.retry_share, policies.retry_floor

    def lane_of(self, provider: LLMProvider) -> Opening:
        """What is around one provider; made once."""
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
    answering = Outage(answering, lambda: parts.policies.outage, parts.clock, parts.draw)
    for wrap in around:
        answering = wrap(answering)
    answering = SingleFlight(answering)
    return Caching(answering, lambda: parts.policies.cache)


def lane(parts: Pipeline, provider: LLMProvider) -> Opening:
    """Compose what is around one provider, from the inside out; failover goes from one lane to another."""
    name = provider.provider_id
    guard = Guard(name, parts.breakers)
    attempt: Answering = Attempt(provider, guard, lambda: parts.policies.deadlines_of(name))
    for wrap in parts.around_attempts:
        attempt = wrap(attempt)
    retrying = Retrying(attempt, provider, lambda: parts.policies.retry_of(name), parts.budget, parts.clock, parts.draw)
    return Hedging(retrying, lambda: parts.policies.hedging_of(name), parts.clock)
