"""Each budget that settings can set, over a real socket."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing

import pytest

from sentient_cli.clock import SystemClock, SystemIds
from sentient_cli.config.llm import LlmSettings
from sentient_cli.errors import BudgetExceededError, ProviderTimeoutError, ServerError
from sentient_cli.host.llm import ConfiguredLLM, build_llm
from sentient_cli.llm import CallSubject, Parameters, current_subject
from tests.cli.llm_command_kit import chat_answer
from tests.support.llm_server import Answer, LLMServer, as_json

PRICEY = chat_answer("Hi", usage=(100_000, 25_000))
"""Half a dollar, at the prices of the model."""


def _run(
    work: Callable[[ConfiguredLLM], Awaitable[None]],
    *answers: Answer,
    profile: str = "default",
    timeout: float = 30.0,
    **more: object,
) -> int:
    """Run with settings; the number of requests that were sent."""
    with LLMServer(*answers) as server:
        table = {"kind": "openai", "base_url": f"{server.url}/v1", "api_key_env": "ONE_KEY", "timeout": timeout}
        settings = LlmSettings.model_validate({"model": "one:gpt-4o", "providers": {"one": table}, **more})

        async def main() -> None:
            clock = SystemClock()
            environment = {"ONE_KEY": "sk-one-1234"}
            manager = build_llm(settings, clock, SystemIds(clock), environment=environment, profile=profile)
            try:
                await work(manager)
            finally:
                await manager.aclose()

        asyncio.run(main())
        return len(server.requests)


async def _ask(manager: ConfiguredLLM, session: str = "a") -> tuple[str, ...]:
    token = current_subject.set(CallSubject(session=session))
    try:
        return (await manager.generate("Hello", parameters=Parameters(max_tokens=1000))).notices
    finally:
        current_subject.reset(token)


@pytest.mark.story("2.7")
def test_a_call_that_was_given_up_has_taken_its_request() -> None:
    async def work(manager: ConfiguredLLM) -> None:
        asked = "word " * 20_000
        with pytest.raises(ProviderTimeoutError):
            await manager.generate(asked)
        with pytest.raises(BudgetExceededError, match="what is left of the budget of the day"):
            await manager.generate(asked)
        assert manager.ledger is not None
        assert await manager.ledger.spent(since=0) == pytest.approx(0.0625, rel=0.01)
        with closing(sqlite3.connect(manager.ledger.path)) as lines:
            told = lines.execute("SELECT outcome, error, wasted > 24000, estimated FROM usage ORDER BY at").fetchall()
        assert told == [("error", "provider-timeout", 1, 1), ("error", "budget-exceeded", None, 0)]

    assert _run(work, Answer(how="stall"), timeout=0.2, budget={"day": 0.1}, retry={"attempts": 1}) == 1


@pytest.mark.story("2.7")
def test_what_a_call_may_cost() -> None:
    async def work(manager: ConfiguredLLM) -> None:
        await manager.generate("Hello")
        with pytest.raises(BudgetExceededError, match="over the budget of a call"):
            await manager.generate("word " * 5000)

    assert _run(work, PRICEY, budget={"call": 0.001}) == 1


@pytest.mark.story("2.7")
@pytest.mark.parametrize("scope", ["session", "day", "profile"])
def test_the_warnings_and_the_end_of_a_budget(scope: str) -> None:
    async def work(manager: ConfiguredLLM) -> None:
        told = [" ".join(await _ask(manager)) for _ in range(2)]
        whose = "session a" if scope == "session" else scope
        assert f"50 % of the budget of the {whose} is spent: $0.5000 of $1.0000" in told[0]
        assert f"100 % of the budget of the {whose}" in told[1]
        assert ("at this pace" in told[0]) == (scope == "day")
        with pytest.raises(BudgetExceededError, match=f"budget of the {scope} is used up"):
            await _ask(manager)
        if scope == "session":
            assert await _ask(manager, "another") != ()

    assert _run(work, PRICEY, budget={scope: 1.0}) == (3 if scope == "session" else 2)


@pytest.mark.story("2.7")
@pytest.mark.parametrize(("profile", "allowed"), [("default", False), ("other", True)])
def test_a_profile_has_its_own_budget_and_remembers_it(profile: str, *, allowed: bool) -> None:
    async def spend(manager: ConfiguredLLM) -> None:
        notices = [await _ask(manager) for _ in range(2)]
        assert "80 % of the budget of the profile" in " ".join(notices[1])

    async def work(manager: ConfiguredLLM) -> None:
        if allowed:
            await _ask(manager)
            return
        with pytest.raises(BudgetExceededError):
            await _ask(manager)

    budget = {"profile": 1.003}
    assert _run(spend, PRICEY, budget={"profile": 1.2}) == 2
    assert _run(work, PRICEY, budget=budget, profile=profile) == int(allowed)


def test_the_budget_of_retries() -> None:
    async def work(manager: ConfiguredLLM) -> None:
        for _ in range(8):
            with pytest.raises(ServerError):
                await manager.generate("Hello")

    down = as_json({"error": {"message": "Down"}}, 500)
    retry = {"attempts": 3, "base": 0, "cap": 0, "budget": 0.0}
    assert _run(work, down, retry=retry, breaker={"failures": 1000}) == 8 + 10
