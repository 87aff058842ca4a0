from __future__ import annotations

import asyncio
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.errors import (
    AuthenticationError,
    BadRequestError,
    ContentFilterError,
    ProviderConnectionError,
    ProviderError,
    QuotaError,
    RateLimitError,
    ServerError,
)
from sentient_cli.llm import Chunk
from sentient_cli.llm.call import CallOptions
from sentient_cli.llm.resilience.breaker import BreakerPolicy
from sentient_cli.llm.resilience.failover import FailoverPolicy
from sentient_cli.llm.resilience.policies import ProviderPolicies, ResiliencePolicies
from sentient_cli.llm.resilience.retry import RetryBudget, RetryContext, RetryPolicy
from tests.llm.resilience.actors import STOP, USAGE, Actor, Deed, Stage, said

WELL: list[Deed] = [*said("Hello"), STOP, USAGE]
NEVER = BreakerPolicy(failures=10**9, minimum=10**9)


async def test_a_failure_before_content_is_not_seen() -> None:
    down: list[Deed] = [Chunk(model="m-2"), ServerError("Down")]
    actor = Actor(down, [ServerError("Down")], WELL)
    stage = Stage(actor)
    stream = stage.manager.stream("hi")
    chunks = [chunk async for chunk in stream.chunks()]
    answer = await stream.completion()
    assert chunks == WELL
    assert (answer.text, answer.attempts, answer.failovers) == ("Hello", 3, 0)
    assert stage.told == ["llm.request", *["llm.attempt", "llm.retry"] * 2, "llm.attempt", "llm.finished"]
    assert [record.attempt for record in stage.of("llm.attempt")] == [1, 2, 3]
    assert stage.of("llm.retry")[0].data["error"] == {"code": "provider-server", "what": "Down"}
    assert len({request.call for request in actor.requests}) == 1
    assert actor.requests[0].call
    assert actor.open == 0


async def test_a_failure_after_content_is_not_retried_when_nothing_may_follow() -> None:
    actor = Actor([*said("Hel"), ServerError("Down")], WELL)
    with pytest.raises(ServerError) as caught:
        await Stage(actor).manager.generate("hi", options=CallOptions(after_content="fail"))
    assert (caught.value.partial_text, caught.value.provider, actor.calls) == ("Hel", "plain", 1)


@pytest.mark.parametrize("error", [BadRequestError, AuthenticationError, ContentFilterError, QuotaError])
async def test_what_does_not_help_is_not_done(error: type[ProviderError]) -> None:
    actor = Actor([error("No")], WELL)
    with pytest.raises(error):
        await Stage(actor).manager.generate("hi")
    assert actor.calls == 1


async def test_the_provider_says_when_to_come_back() -> None:
    stage = Stage(Actor([RateLimitError("Slow", retry_after=7.0)], WELL))
    assert (await stage.manager.generate("hi")).attempts == 2
    assert 7.0 <= stage.clock.slept[0] <= 7.5


async def test_a_wait_that_is_too_long_is_an_error_that_says_how_long() -> None:
    stage = Stage(Actor([RateLimitError("Slow", retry_after=120.0)], WELL))
    with pytest.raises(RateLimitError) as caught:
        await stage.manager.generate("hi")
    assert (caught.value.retry_after, stage.clock.slept) == (120.0, [])


async def test_a_provider_that_asks_for_patience_is_left_for_another() -> None:
    one, two = Actor([RateLimitError("Slow", retry_after=20.0)], name="one"), Actor(WELL, name="two")
    stage = Stage(one, two)
    answer = await stage.manager.generate("hi")
    assert (answer.provider, answer.attempts, answer.failovers, stage.clock.slept) == ("two", 2, 1, [])


async def test_nobody_waits_past_the_end_of_the_call() -> None:
    stage = Stage(Actor([RateLimitError("Slow", retry_after=7.0)], WELL))
    with pytest.raises(RateLimitError):
        await stage.manager.generate("hi", options=CallOptions(timeout=5))
    assert stage.clock.slept == []


async def test_a_provider_has_a_strategy_of_its_own() -> None:
    asked: list[RetryContext] = []

    class Stubborn:
        attempts = 5

        def wait(self, context: RetryContext) -> float | None:
            asked.append(context)
            return 0.0 if context.attempt < 5 else None

    actor = Actor([BadRequestError("No")], name="odd")
    policies = ResiliencePolicies(providers={"odd": ProviderPolicies(retry=Stubborn())})
    with pytest.raises(BadRequestError):
        await Stage(actor, policies=policies).manager.generate("hi")
    assert actor.calls == 5
    assert [context.attempt for context in asked] == [1, 2, 3, 4, 5]
    assert {(context.provider, context.model) for context in asked} == {("odd", "m")}


@pytest.mark.slow
@pytest.mark.parametrize("calls", [100, 1000])
async def test_retries_are_a_tenth_of_the_traffic(calls: int) -> None:
    actor = Actor([ProviderConnectionError("Refused")])
    stage = Stage(actor, policies=ResiliencePolicies(breaker=NEVER, retry=RetryPolicy(base=0.0)))
    for _ in range(calls):
        with pytest.raises(ProviderConnectionError):
            await stage.manager.generate("hi")
    assert calls < actor.calls <= 1.1 * calls


async def test_a_dead_provider_is_hardly_asked_at_all() -> None:
    actor = Actor([ProviderConnectionError("Refused")])
    stage = Stage(actor, policies=ResiliencePolicies(retry=RetryPolicy(base=0.0)))
    for _ in range(1000):
        with pytest.raises(ProviderError):
            await stage.manager.generate("hi")
    assert actor.calls == 5


async def test_cancelling_while_it_waits_ends_the_call() -> None:
    waits = asyncio.Event()

    class Forever:
        def now_ns(self) -> int:
            return 0

        async def sleep(self, seconds: float) -> None:
            waits.set()
            await asyncio.Event().wait()

    actor = Actor([ServerError("Down")], WELL)
    stage = Stage(actor)
    stage.manager._pipeline.clock = Forever()
    task = asyncio.create_task(stage.manager.generate("hi"))
    await waits.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stage.records.last()["outcome"] == "cancelled"


@given(
    attempt=st.integers(1, 30),
    draw=st.floats(0, 1, exclude_max=True),
    after=st.none() | st.floats(0, 100),
    remaining=st.none() | st.floats(-5, 100),
    alternatives=st.integers(0, 2),
)
def test_a_wait_keeps_all_its_bounds(
    attempt: int, draw: float, after: float | None, remaining: float | None, alternatives: int
) -> None:
    policy = RetryPolicy(attempts=20, base=0.5, cap=8.0, longest=30.0, patience=2.0)
    error = ServerError("Down", retry_after=after)
    context = RetryContext(
        error=error, attempt=attempt, draw=draw, remaining=remaining, alternatives=alternatives, provider="p", model="m"
    )
    wait = policy.wait(context)
    if wait is None:
        late = remaining is not None and (remaining <= 0 or remaining <= 8.5 + (after or 0))
        assert attempt >= 20 or late or (after or 0) > (2.0 if alternatives else 30.0)
    else:
        assert attempt < 20
        assert (after or 0.0) <= wait <= (8.0 if after is None else after + 0.5)
        assert remaining is None or wait < remaining


@given(st.lists(st.booleans(), min_size=1, max_size=400), st.floats(0.01, 1), st.integers(0, 20))
def test_a_budget_is_never_exceeded(wishes: list[bool], share: float, floor: int) -> None:
    budget, calls, retries = RetryBudget(share, floor), 0, 0
    for is_retry in wishes:
        if is_retry:
            retries += budget.take("p", 0.0)
        else:
            budget.count("p", 0.0)
            calls += 1
        assert retries <= max(floor, share * calls)


def test_a_budget_forgets() -> None:
    budget = RetryBudget(share=0.1, floor=1, window=60)
    assert budget.take("p", 0.0)
    assert not budget.take("p", 59.0)
    assert not budget.take("p", 61.0)
    assert budget.take("p", 121.0)
    assert budget.take("other", 121.0)
    budget.count("p", 1000.0)
    assert budget.take("p", 1000.0)


def test_without_jitter_the_waits_double_to_the_cap() -> None:
    policy = RetryPolicy(attempts=9, base=1.0, cap=10.0, jitter="none")
    waits = [policy.wait(RetryContext(error=ServerError("Down"), attempt=each)) for each in range(1, 7)]
    assert waits == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


async def test_policies_change_while_it_runs() -> None:
    attempts = count()
    actor = Actor(by=lambda request, number: [ServerError(f"Down {next(attempts)}")])
    stage = Stage(actor, policies=ResiliencePolicies(retry=RetryPolicy(attempts=2)))
    with pytest.raises(ServerError, match="Down 1"):
        await stage.manager.generate("hi")
    stage.manager.policies = ResiliencePolicies(retry=RetryPolicy(attempts=1), failover=FailoverPolicy())
    with pytest.raises(ServerError, match="Down 2"):
        await stage.manager.generate("hi")


async def test_other_policies_have_another_budget_at_once() -> None:
    stage = Stage(Actor([ServerError("Down")]), policies=ResiliencePolicies(retry_share=0.0, retry_floor=0))
    with pytest.raises(ServerError):
        await stage.manager.generate("hi")
    assert "llm.retry" not in stage.told
    stage.manager.policies = ResiliencePolicies(retry=RetryPolicy(attempts=2), retry_floor=5)
    with pytest.raises(ServerError):
        await stage.manager.generate("hi")
    assert stage.told.count("llm.retry") == 1


async def test_retries_that_go_well_are_not_rationed() -> None:
    down: list[Deed] = [ServerError("Down")]
    actor = Actor(*[down, WELL] * 100)
    policies = ResiliencePolicies(breaker=NEVER, retry=RetryPolicy(base=0.0), retry_floor=1)
    stage = Stage(actor, policies=policies)
    for _ in range(100):
        assert (await stage.manager.generate("hi")).text == "Hello"
    assert actor.calls == 200
