from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.errors import ServerError
from sentient_cli.llm import Chunk, LLMManager, Request
from sentient_cli.llm.resilience.hedging import HedgePolicy, Latencies
from sentient_cli.llm.resilience.policies import ProviderPolicies, ResiliencePolicies
from sentient_cli.llm.resilience.retry import RetryPolicy
from tests.llm.parts import StepClock
from tests.llm.resilience.actors import HANG, STOP, Actor, Deed, Stage, said

WELL: list[Deed] = [*said("Hello"), STOP]
POLICIES = ResiliencePolicies(hedging=HedgePolicy(after=5.0), retry=RetryPolicy(attempts=1))


async def test_a_late_answer_is_asked_for_twice_and_the_first_wins() -> None:
    actor = Actor([HANG], WELL)
    stage = Stage(actor, policies=POLICIES)
    answer = await stage.manager.generate("hi")
    assert (answer.text, answer.attempts, actor.open) == ("Hello", 2, 0)
    assert stage.clock.slept == [5.0]
    first, second = (request.call for request in actor.requests)
    assert second == f"{first}-h"
    wasted = stage.records.last()["wasted"]
    assert isinstance(wasted, dict)
    assert (wasted["input"], wasted["estimated"]) == (5, True)


async def test_of_two_that_begin_at_the_same_moment_both_are_paid_for() -> None:
    gate = asyncio.Event()

    class Together(Actor):
        async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
            self.requests.append(request)
            if self.calls == 2:
                gate.set()
            await gate.wait()
            yield Chunk("Hello")
            yield STOP

    stage = Stage(Together(), policies=POLICIES)
    assert (await stage.manager.generate("hi")).attempts == 2
    wasted = stage.records.last()["wasted"]
    assert isinstance(wasted, dict)
    assert (wasted["input"], wasted["estimated"]) == (5, True)


@pytest.mark.parametrize("winner", [1, 2])
async def test_what_comes_is_told_of_the_attempt_that_it_comes_from(winner: int) -> None:
    late: list[Deed] = [*[Chunk(model="x")] * 9, *WELL]
    stage = Stage(Actor(late, [HANG]) if winner == 1 else Actor([HANG], WELL), policies=POLICIES)
    assert (await stage.manager.generate("hi")).attempts == 2
    assert [record.attempt for record in stage.of("llm.attempt")] == [1, 2]
    assert {record.attempt for record in stage.of("llm.chunks")} == {winner}


async def test_an_answer_in_time_is_asked_for_once() -> None:
    actor = Actor(WELL)
    manager = LLMManager([actor], default_model="plain", policies=POLICIES)  # on the real clock, five seconds are long
    assert (await manager.generate("hi")).text == "Hello"
    assert actor.calls == 1


async def test_when_the_first_fails_meanwhile_the_second_is_awaited() -> None:
    actor = Actor([*[Chunk(model="x")] * 9, ServerError("Down")], [*[Chunk(model="y")] * 20, *WELL])
    answer = await Stage(actor, policies=POLICIES).manager.generate("hi")
    assert (answer.text, answer.attempts, actor.open) == ("Hello", 2, 0)


async def test_when_both_fail_the_first_error_is_raised() -> None:
    actor = Actor([*[Chunk(model="x")] * 9, ServerError("First")], [ServerError("Second")])
    with pytest.raises(ServerError, match="First"):
        await Stage(actor, policies=POLICIES).manager.generate("hi")
    assert (actor.calls, actor.open) == (2, 0)


async def test_few_calls_are_hedged() -> None:
    actor = Actor(by=lambda request, number: [*[Chunk(model="x")] * 9, *WELL])
    stage = Stage(actor, policies=POLICIES)
    for _ in range(50):
        await stage.manager.generate("hi")
    assert 51 <= actor.calls <= 55


class _Quick(StepClock):
    """A clock on which nothing is late, until it is set to be slow."""

    is_slow = False

    async def sleep(self, seconds: float) -> None:
        if not self.is_slow:
            await asyncio.Event().wait()
        await super().sleep(seconds)


async def test_many_quick_answers_are_no_leave_to_ask_twice_for_all_slow_ones() -> None:
    clock = _Quick()
    actor = Actor(by=lambda request, number: [*[Chunk(model="x")] * 9, *WELL] if clock.is_slow else WELL)
    manager = LLMManager([actor], default_model="plain", policies=POLICIES, clock=clock)
    for _ in range(2500):
        await manager.generate("hi")
    assert actor.calls == 2500
    clock.is_slow = True
    for _ in range(300):
        await manager.generate("hi")
    assert actor.calls < 2500 + 300 + 150


async def test_the_delay_is_learned() -> None:
    policies = ResiliencePolicies(providers={"plain": ProviderPolicies(hedging=HedgePolicy(learn=5, share=1.0))})
    actor = Actor(by=lambda request, number: [HANG] if number == 5 else WELL)
    stage = Stage(actor, policies=policies)
    for _ in range(5):
        await stage.manager.generate("hi")
    assert stage.clock.slept == []
    assert (await stage.manager.generate("hi")).text == "Hello"
    assert actor.calls == 7
    assert len(stage.clock.slept) == 1


def test_latencies_are_those_of_the_last_answers() -> None:
    latencies = Latencies()
    for _ in range(300):
        latencies.add(9.0)
    for milliseconds in range(200):
        latencies.add(milliseconds / 1000)
    assert (len(latencies), latencies.late()) == (200, 0.189)


@given(st.integers(0, 40))
async def test_cancelling_at_any_moment_ends_both(turns: int) -> None:
    actor = Actor([*[Chunk(model="x")] * 12, HANG], [*[Chunk(model="x")] * 9, *said("Hello"), HANG])
    task = asyncio.create_task(Stage(actor, policies=POLICIES).manager.generate("hi"))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert actor.open == 0


async def test_who_leaves_before_the_first_word_has_taken_both_requests() -> None:
    actor = Actor([HANG], [HANG])
    stage = Stage(actor, policies=POLICIES)
    call = asyncio.create_task(stage.manager.generate("hi"))
    while actor.open < 2:  # noqa: ASYNC110 - no event tells of the second
        await asyncio.sleep(0)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    usage, ended = stage.of("llm.usage")[-1].data, stage.records.last()
    assert (usage["input"], usage["output"], usage["estimated"], ended["outcome"]) == (5, 0, True, "cancelled")
    wasted = ended["wasted"]
    assert isinstance(wasted, dict)
    assert (wasted["input"], wasted["estimated"]) == (5, True)
