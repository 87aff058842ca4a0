"""The policies: each puts the models that can answer a call in order, and says why."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, TypeAlias

import msgspec

from sentient_cli.llm.call import Call
from sentient_cli.llm.models.prices import PriceBook
from sentient_cli.llm.models.rates import cost_of
from sentient_cli.llm.provider import Request
from sentient_cli.llm.resilience.targets import Target
from sentient_cli.llm.selection.needs import Needs
from sentient_cli.llm.selection.observed import Observed, Seen
from sentient_cli.llm.tokens import USUAL_OUTPUT
from sentient_cli.llm.types import Usage

__all__ = [
    "Asked",
    "Cheapest",
    "Complexity",
    "InOrder",
    "LeastBusy",
    "LeastLatency",
    "Own",
    "Policy",
    "Ranked",
    "RoundRobin",
    "Sticky",
    "Weighted",
    "is_simple",
]

_SIMPLE_TOKENS: Final = 500
_LASTS: Final = 60.0
"""Seconds for which a model comes after others by what was seen of it; then one call finds out anew."""


class Asked(msgspec.Struct, frozen=True):
    """What a policy knows about a call.

    Args:
        request: What is asked.
        call: The call.
        needs: What it needs.
    """

    request: Request
    call: Call
    needs: Needs


Ranked: TypeAlias = "tuple[list[Target], dict[str, str]]"
"""Models in order, and by model id what spoke for its place."""


class Policy(Protocol):
    """Puts models in order.

    Example:
        >>> policy: Policy = InOrder()
        >>> policy.name
        'order'
    """

    @property
    def name(self) -> str:
        """For the log."""
        ...

    def rank(self, asked: Asked, targets: Sequence[Target]) -> Ranked:
        """All of the models, the one to be asked first at the beginning."""
        ...


class InOrder:
    """As they are given: the model that was named first."""

    name = "order"

    def rank(self, asked: Asked, targets: Sequence[Target]) -> Ranked:
        """As they are."""
        del asked
        return list(targets), {targets[0].id: "named first"}


class RoundRobin:
    """Each in turn."""

    name = "round-robin"

    def __init__(self) -> None:
        self._turn = 0

    def rank(self, asked: Asked, targets: Sequence[Target]) -> Ranked:
        """The next one first."""
        del asked
        start = self._turn % len(targets)
        self._turn += 1
        return [*targets[start:], *targets[:start]], {targets[start].id: "its turn"}


class Weighted:
    """Each as often as its weight says, smoothly: never many times in a row.

    Args:
        weights: By model id or provider id; 1 for all others.
    """

    name = "weighted"

    def __init__(self, weights: Mapping[str, float]) -> None:
        self._weights = dict(weights)
        self._current: dict[str, float] = {}

    def rank(self, asked: Asked, targets: Sequence[Target]) -> Ranked:
        """The one that is most behind its share first."""
        del asked
        weights = {target.id: self._weight(target) for target in targets}
        for name, weight in weights.items():
            self._current[name] = self._current.get(name, 0.0) + weight
        order = sorted(targets, key=lambda target: -self._current[target.id])
        self._current[order[0].id] -= sum(weights.values())
        return order, {name: f"weight {weight:g}" for name, weight in weights.items()}

    def _weight(self, target: Target) -> float:
        return self._weights.get(target.id, self._weights.get(target.provider.provider_id, 1.0))


class LeastLatency:
    """The one that began to answer soonest of late. One that was never asked is asked first, to find out.

    One that failed the last time comes after those that did not. One that nobody asked for a minute is asked once.

    Args:
        observed: What was seen.
    """

    name = "latency"

    def __init__(self, observed: Observed) -> None:
        self._observed = observed

    def rank(self, asked: Asked, targets: Sequence[Target]) -> Ranked:
        """The quickest first."""
        del asked
        now = self._observed.now()
        seen = {target.id: self._observed.of(target.id) for target in targets}
        told = {name: _latency_told(each) for name, each in seen.items()}
        order = sorted(targets, key=lambda target: (seen[target.id].failures, seen[target.id].first_token or 0.0))
        for target in order[1:]:
            each = seen[target.id]
            if each.at is not None and now - each.at >= _LASTS:
                each.at = now  # by one call: others go by what is known until there is news
                told[target.id] = f"{told[target.id]}, more than a minute ago"
                return [target, *(other for other in order if other is not target)], told
        return order, told


def _latency_told(seen: Seen) -> str:
    if seen.failures:
        return "failed the last time" if seen.failures == 1 else f"failed the last {seen.failures} times"
    return "not seen yet" if seen.first_token is None else f"{seen.first_token * 1000:.0f} ms to the first token"


class LeastBusy:
    """The one with the fewest calls that go on.

    Args:
        observed: What was seen.
    """

    name = "least-busy"

    def __init__(self, observed: Observed) -> None:
        self._observed = observed

    def rank(self, asked: Asked, targets: Sequence[Target]) -> Ranked:
        """The least busy first."""
        del asked
        active = {target.id: self._observed.of(target.id).active for target in targets}
        order = sorted(targets, key=lambda target: active[target.id])
        return order, {name: f"{count} calls go on" for name, count in active.items()}


class Cheapest:
    """The one that this call costs least with, by the prices of the day and the answers that it usually gives.

    Args:
        prices: The prices; a model without one comes last.
        observed: What was seen, for the length of answers.
    """

    name = "cheapest"

    def __init__(self, prices: PriceBook, observed: Observed) -> None:
        self._prices = prices
        self._observed = observed

    def rank(self, asked: Asked, targets: Sequence[Target]) -> Ranked:
        """The cheapest first."""
        costs = {target.id: self.expected(asked, target) for target in targets}
        order = sorted(targets, key=lambda target: math.inf if (cost := costs[target.id]) is None else cost)
        return order, {
            name: "its price is not known" if cost is None else f"about ${cost:.6f}" for name, cost in costs.items()
        }

    def expected(self, asked: Asked, target: Target) -> float | None:
        """What a call will cost about, in US dollars; None: the price is not known."""
        provider, tier = target.provider.provider_id, asked.request.parameters.service_tier
        self._prices.fetch(provider, target.model, tier)  # for the next calls, if it was not read yet
        usual = self._observed.of(target.id).output
        output = round(usual) if usual is not None else USUAL_OUTPUT
        if asked.needs.output is not None:
            output = min(output, asked.needs.output)
        usage = Usage(input=asked.needs.tokens, output=output)
        return cost_of(usage, self._prices.rates(provider, target.model, tier))


def is_simple(asked: Asked) -> bool:
    """Whether a request is short and asks for nothing special: the rule of `Complexity` unless it is given another.

    It is, with fewer than 500 tokens, at most four messages, no tools, no form of answer, no pictures, and no wish to
    think long.
    """
    request, parameters = asked.request, asked.request.parameters
    return (
        asked.needs.tokens < _SIMPLE_TOKENS
        and len(request.messages) <= 4  # noqa: PLR2004 - told above
        and not asked.needs.abilities
        and request.output is None
        and parameters.effort in {None, "none", "minimal", "low"}
        and not parameters.thinking_tokens
    )


class Complexity:
    """Easy requests go to the cheapest model, hard ones to the model that was named.

    Args:
        cheapest: Finds the cheapest.
        rule: Says whether a request is easy; a classifier may stand here too.
    """

    name = "complexity"

    def __init__(self, cheapest: Cheapest, rule: Callable[[Asked], bool] = is_simple) -> None:
        self._cheapest = cheapest
        self._rule = rule

    def rank(self, asked: Asked, targets: Sequence[Target]) -> Ranked:
        """The cheapest first if it is easy."""
        if not self._rule(asked):
            return list(targets), {targets[0].id: "the request is hard"}
        order, reasons = self._cheapest.rank(asked, targets)
        return order, {**reasons, order[0].id: f"the request is easy, and this is {reasons[order[0].id]}"}


class Sticky:
    """The calls of a session go to one model, as long as it can; sessions are spread evenly.

    What the provider keeps of a conversation then stays of use.
    """

    name = "sticky"

    def rank(self, asked: Asked, targets: Sequence[Target]) -> Ranked:
        """The one of this session first."""
        session = asked.call.subject.session or asked.request.session
        if session is None:
            return list(targets), {targets[0].id: "no session"}
        order = sorted(targets, key=lambda target: _draw(session, target.id), reverse=True)
        return order, {order[0].id: f"that of session {session}"}


def _draw(session: str, model: str) -> bytes:
    # The highest of numbers drawn for each pair: a model that goes or comes moves only its own sessions.
    return hashlib.blake2b(f"{session}\0{model}".encode(errors="surrogatepass"), digest_size=8).digest()


class Own:
    """A function of the user's.

    Args:
        order: Gives the models in order; those that it leaves out are not asked.
        name: For the log.
    """

    def __init__(self, order: Callable[[Asked, Sequence[Target]], Sequence[Target]], *, name: str = "own") -> None:
        self._order = order
        self._name = name

    @property
    def name(self) -> str:
        """For the log."""
        return self._name

    def rank(self, asked: Asked, targets: Sequence[Target]) -> Ranked:
        """As the function says."""
        return list(self._order(asked, targets)), {}
