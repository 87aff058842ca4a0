"""The selector as a state machine: whatever happens to models, what it gives keeps its promises."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sentient_cli.errors import ProviderError
from sentient_cli.llm import Usage
from sentient_cli.llm.models.rates import cost_of
from sentient_cli.llm.resilience.targets import Target
from sentient_cli.llm.selection.observed import Observed
from sentient_cli.llm.selection.policies import (
    Cheapest,
    Complexity,
    InOrder,
    LeastBusy,
    LeastLatency,
    Policy,
    RoundRobin,
    Sticky,
    Weighted,
)
from sentient_cli.llm.selection.selector import Selector
from tests.llm.selection.selection_kit import a_book, a_call, a_request, a_target

NAMES = ("a", "b", "c", "d")
PRICES = {"a": 8.0, "b": 4.0, "c": 2.0}


class Choosing(RuleBasedStateMachine):
    """Models come, go, fall ill, recover, get busy and slow, while calls are sent."""

    @initialize(policy=st.sampled_from(range(8)))
    def begin(self, policy: int) -> None:
        self.observed = Observed()
        self.book = a_book(**PRICES)
        cheapest = Cheapest(self.book, self.observed)
        policies: tuple[Policy, ...] = (
            *(InOrder(), RoundRobin(), Weighted({"a": 3}), LeastLatency(self.observed), LeastBusy(self.observed)),
            *(cheapest, Complexity(cheapest), Sticky()),
        )
        self.targets: list[Target] = [a_target(name, tools=name != "b") for name in NAMES[:2]]
        self.unwell: set[str] = set()
        self.selector = Selector(policies[policy], healthy=lambda target: target.id not in self.unwell)

    @rule(name=st.sampled_from(NAMES), tools=st.booleans(), degraded=st.booleans())
    def comes(self, name: str, tools: bool, degraded: bool) -> None:
        self.targets = [target for target in self.targets if target.provider.provider_id != name]
        self.targets.append(a_target(name, tools=tools, degraded="lesser" if degraded else ""))

    @rule(name=st.sampled_from(NAMES))
    def goes(self, name: str) -> None:
        if len(self.targets) > 1:
            self.targets = [target for target in self.targets if target.provider.provider_id != name] or self.targets

    @rule(name=st.sampled_from(NAMES), well=st.booleans())
    def changes(self, name: str, well: bool) -> None:
        (self.unwell.discard if well else self.unwell.add)(f"{name}:m")

    @rule(name=st.sampled_from(NAMES), seconds=st.floats(0, 100), active=st.integers(0, 9), output=st.integers(0, 5000))
    def is_seen(self, name: str, seconds: float, active: int, output: int) -> None:
        seen = self.observed.of(f"{name}:m")
        seen.begun(seconds)
        seen.ended(output)
        seen.active = active

    @rule(tools=st.booleans(), words=st.integers(1, 900), session=st.none() | st.text(max_size=3))
    def a_call_is_sent(self, tools: bool, words: int, session: str | None) -> None:
        request = a_request("word " * words, tools=tools)
        able = [target for target in self.targets if target.provider.capabilities.tools or not tools]
        try:
            choice = self.selector(request, a_call(session), self.targets)
        except ProviderError:
            assert not able
            return
        chosen = choice.targets
        assert sorted(target.id for target in chosen) == sorted(target.id for target in able)
        well = [target.id not in self.unwell for target in chosen]
        assert well == sorted(well, reverse=True)  # nobody ill before somebody well
        for group in (True, False):
            lesser = [bool(target.degraded) for target in chosen if (target.id not in self.unwell) is group]
            assert lesser == sorted(lesser)  # nor what one falls back on before what was asked for
        if choice.policy == "cheapest":
            self._is_cheapest(chosen)

    def _is_cheapest(self, chosen: tuple[Target, ...]) -> None:
        equals = [target for target in chosen if not target.degraded and target.id not in self.unwell]
        known = [target.provider.provider_id in PRICES for target in equals]
        assert known == sorted(known, reverse=True)

    @invariant()
    def a_price_is_never_made_up(self) -> None:
        if hasattr(self, "book"):
            assert cost_of(Usage(input=1, output=1), self.book.rates("d", "m")) is None


TestChoosing = Choosing.TestCase
