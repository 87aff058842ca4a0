"""All that is around a provider, in the one place where its order is decided."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TypeAlias

from sentient_cli.clock import Clock
from sentient_cli.llm.call import Answering, Call
from sentient_cli.llm.provider import LLMProvider
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
from sentient_cli.llm.resilience.silence import bounded
from sentient_cli.llm.resilience.single_flight import SingleFlight
from sentient_cli.llm.resilience.targets import Chooser, Target
from sentient_cli.llm.wire.closing import Closing

__all__ = ["Pipeline", "Wrap", "cached", "lane"]

Wrap: TypeAlias = Callable[[Answering], Answering]
"""Puts something more around what answers."""


class Pipeline:
    """What answers the calls of a manager, and what its parts share.

    Args:
        policies: What is done about failures; others may be put in their place with `use`.
        choose: Puts the targets of a call in order.
        targets: Those of a call.
        clock: What the time is.
        around_calls: More around a whole call, the innermost first, such as budgets and filters.
        around_attempts: More around each attempt, the innermost first, such as limits of requests.
        draw: Gives random numbers, from 0 to below 1.
    """

    def __init__(
        self,
        policies: ResiliencePolicies,
        choose: Chooser,
        targets: Callable[[Call], tuple[Target, ...]],
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
        # From the inside out: each part is around the one before it.
        self._failover = Failover(choose, targets, self.lane_of, self.breakers, policies.failover, self._may_repeat)
        self._outage = Outage(self._failover, policies.outage, clock, draw, self.closing)
        self._wrapped: Answering = self._outage
        for wrap in around_calls:
            self._wrapped = wrap(self._wrapped)
        self._shared = SingleFlight(self._wrapped, shared=policies.shared)
        self.answering: Answering = self._shared
        """What answers the calls that begin now."""
        self.usual: Answering = self._shared
        """The same for those without options of their own: what does nothing for them is left out."""
        self._compose()

    def use(self, policies: ResiliencePolicies) -> None:
        """Have other policies for the calls that follow."""
        self.policies = policies
        self._lanes.clear()  # they are made for the policies that there were
        self._failover.policy = policies.failover
        self._outage.policy = policies.outage
        self._shared.shared = policies.shared
        self._compose()
        self.budget.share, self.budget.floor = policies.retry_share, policies.retry_floor

    def _compose(self) -> None:
        policies = self.policies
        is_bare = self._wrapped is self._outage and policies.outage is None
        inner = self._failover if is_bare else self._wrapped
        self.answering = cached(self._shared, policies)
        self.usual = cached(self._shared if policies.shared else inner, policies)

    def _breaker_of(self, provider: str) -> BreakerPolicy:
        return self.policies.breaker_of(provider)

    def _may_repeat(self, provider: str) -> bool:
        return self.budget.take(provider, self.clock.now_ns() / 1e9)

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


def cached(answering: Answering, policies: ResiliencePolicies) -> Answering:
    """The outermost part, if answers are kept."""
    return answering if policies.cache is None else Caching(answering, policies.cache)


def lane(parts: Pipeline, provider: LLMProvider) -> Opening:
    """Compose what is around one provider, from the inside out; failover goes from one lane to another."""
    name, policies = provider.provider_id, parts.policies
    deadlines = policies.deadlines_of(name)
    attempt = Attempt(bounded(provider, deadlines), Guard(name, parts.breakers), deadlines)
    wrapped: Answering = attempt
    for wrap in parts.around_attempts:
        wrapped = wrap(wrapped)
    first = attempt if wrapped is attempt else First(wrapped)
    retrying = Retrying(first, provider, policies.retry_of(name), parts.budget, parts.clock, parts.draw)
    hedging = policies.hedging_of(name)
    return retrying if hedging is None else Hedging(retrying, hedging, parts.clock)
