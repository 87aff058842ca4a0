"""Settings that could never do what they say are refused before anything is asked."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from sentient_cli.errors import BudgetExceededError, ConfigError
from sentient_cli.llm.usage.budget import Budget, BudgetLimits
from sentient_cli.llm.usage.ledger import UsageLedger
from sentient_cli.llm.usage.rows import UsageRow
from sentient_cli.testing import FixedClock
from tests.llm.factory.socket_kit import configured


@pytest.mark.parametrize(
    ("told", "place", "near"),
    [
        ({"fallback": ["opnai:gpt-5"]}, "`llm.fallback`", "`openai:gpt-5`"),
        ({"groups": {"fast": ["offline", "nosuch:x"]}}, "the group `fast`", ""),
        ({"groups": {"fast": ["gpt-4o"]}}, "the group `fast`", "`openai:gpt-4o`"),
    ],
)
async def test_a_stand_in_of_no_known_provider(told: dict[str, object], place: str, near: str) -> None:
    async with configured({"usage": False, **told}) as manager:
        with pytest.raises(ConfigError, match="leads nowhere") as raised:
            manager.check_default()
    assert place in raised.value.what
    assert (f"Did you mean {near}" in raised.value.fix) == bool(near)


@pytest.mark.parametrize("scope", ["session", "day", "profile"])
async def test_a_budget_without_a_ledger(scope: str) -> None:
    with pytest.raises(ConfigError, match=f"`llm.budget.{scope}` cannot be kept without the ledger"):
        async with configured({"usage": False, "budget": {scope: 1.0}}):
            pass
    async with configured({"usage": False, "budget": {"call": 1.0}}) as manager:
        assert (await manager.generate("Hello", model="offline:echo")).text == "Hello"


async def test_who_is_refused_has_not_spent_it(caplog: pytest.LogCaptureFixture) -> None:
    budget = Budget(BudgetLimits(day=1.0), clock=FixedClock())
    with caplog.at_level(logging.WARNING):
        budget.settle(await budget.reserve(0.02), 0.02)
        with pytest.raises(BudgetExceededError, match="over what is left of the budget of the day"):
            await budget.reserve(2.0)
        assert not caplog.records
        assert [warning.share for warning in budget.settle(await budget.reserve(0.5), 0.5)] == [0.5]


async def test_a_process_warns_of_what_it_has_spent_itself(tmp_path: Path) -> None:
    clock = FixedClock()
    ledger = UsageLedger(tmp_path / "usage.db", clock=clock)
    ledger.add(UsageRow(call="1", at=clock.now_ns(), provider="shop", model="cheap", cost=6.0))
    await ledger.flush()
    budget = Budget(BudgetLimits(day=10.0), spending=ledger, clock=clock)
    assert budget.settle(await budget.reserve(1.0), 1.0) == []  # half of it was spent, and told, before
    assert [warning.share for warning in budget.settle(await budget.reserve(1.5), 1.5)] == [0.8]
    await ledger.aclose()
