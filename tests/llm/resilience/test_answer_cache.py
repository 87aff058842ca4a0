from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator

import pytest

from sentient_cli.errors import ProviderTimeoutError, ServerError
from sentient_cli.llm import Chunk, LLMManager, Message, Parameters, Request, ToolCallDelta, ToolSpec, Usage
from sentient_cli.llm.call import Answering, Call, CallOptions
from sentient_cli.llm.resilience.cache import KeptAnswer, MemoryCache
from sentient_cli.llm.resilience.failover import FailoverPolicy
from sentient_cli.llm.resilience.policies import ResiliencePolicies
from sentient_cli.llm.resilience.retry import RetryPolicy
from sentient_cli.llm.subject import on_behalf_of
from tests.llm.parts import StepClock
from tests.llm.resilience.actors import STOP, USAGE, Actor, Deed, Stage, said

WELL: list[Deed] = [*said("Hello, you"), STOP, USAGE]


def _dollar(provider: str, model: str, usage: Usage, tier: str | None) -> float | None:
    return 1.0


def kept(actor: Actor, cache: MemoryCache | None = None) -> LLMManager:
    policies = ResiliencePolicies(
        cache=cache or MemoryCache(), retry=RetryPolicy(attempts=1), failover=FailoverPolicy(after_content="restart")
    )
    return LLMManager([actor], default_model="plain:m", policies=policies, price=_dollar)


async def test_a_hit_streams_as_the_answer_did_and_costs_nothing() -> None:
    actor = Actor(WELL)
    manager = kept(actor)
    first = await manager.generate("hi")
    stream = manager.stream("hi")
    assert [chunk async for chunk in stream.chunks()] == WELL
    second = await stream.completion()
    assert (first.cached, first.cost, first.attempts) == (False, 1.0, 1)
    assert (second.cached, second.cost, second.attempts, second.text) == (True, 0.0, 0, first.text)
    assert (second.provider, second.model, second.usage) == ("plain", "m", Usage(3, 0, 0, 2, 0))
    assert actor.calls == 1


async def test_only_the_same_question_of_the_same_tenant_hits() -> None:
    actor = Actor(WELL)
    manager = kept(actor)
    await manager.generate("hi")
    await manager.generate("ho")
    await manager.generate([Message.system("Be brief"), Message.user("hi")])
    await manager.generate("hi", parameters=Parameters(temperature=0.5))
    await manager.generate("hi", tools=[ToolSpec("add")])
    await manager.generate("hi", model="plain:other")
    with on_behalf_of("other"):
        await manager.generate("hi")
    assert actor.calls == 7
    await manager.generate("hi", parameters=Parameters(user="me", metadata={"a": "b"}))
    assert actor.calls == 7


@pytest.mark.parametrize(
    "script",
    [
        [*said("Hel"), Chunk(finish_reason="length")],
        [*said("Hel"), Chunk(finish_reason="content_filter")],
        [Chunk(tool_call=ToolCallDelta(0, "1", "add", "{}")), Chunk(finish_reason="tool_call")],
        [Chunk(refusal="No"), STOP],
    ],
)
async def test_what_is_not_a_whole_plain_answer_is_not_kept(script: list[Deed]) -> None:
    actor = Actor(script)
    manager = kept(actor)
    for _ in range(2):
        assert not (await manager.generate("hi")).cached
    assert actor.calls == 2


async def test_failures_and_restarted_answers_are_not_kept() -> None:
    actor = Actor([ServerError("Down")], [*said("Hel"), ServerError("Down")], WELL)
    manager = kept(actor)
    with pytest.raises(ServerError):
        await manager.generate("hi")
    assert (await manager.generate("hi")).text == "Hello, you"
    assert not (await manager.generate("hi")).cached
    assert (await manager.generate("hi")).cached


async def test_an_answer_of_a_stand_in_is_not_kept() -> None:
    one, two = Actor([ServerError("Down")], name="one"), Actor(WELL, name="two")
    stage = Stage(one, two, policies=ResiliencePolicies(cache=MemoryCache(), retry=RetryPolicy(attempts=1)))
    for _ in range(2):
        assert (await stage.manager.generate("hi")).provider == "two"
    assert two.calls == 2


async def test_an_answer_that_nobody_read_to_its_end_is_not_kept() -> None:
    actor = Actor(WELL)
    manager = kept(actor)
    async with manager.stream("hi") as stream:
        await anext(stream)
    assert not (await manager.generate("hi")).cached


async def test_a_call_may_want_a_new_answer() -> None:
    actor = Actor(WELL)
    manager = kept(actor)
    for _ in range(2):
        await manager.generate("hi", options=CallOptions(cache=False))
    assert actor.calls == 2


def _answer(size: int) -> KeptAnswer:
    return KeptAnswer("p", "m", (Chunk("x" * size),))


async def test_answers_grow_old() -> None:
    clock = StepClock()
    cache = MemoryCache(seconds=10, clock=clock)
    await cache.put("a", _answer(1))
    clock.time += 10 * 10**9 - 1
    assert await cache.get("a") is not None
    clock.time += 1
    assert await cache.get("a") is None
    assert (len(cache), cache.size) == (0, 0)


async def test_what_was_not_asked_for_longest_goes_first() -> None:
    cache = MemoryCache(most=1000)
    for name in "abc":
        await cache.put(name, _answer(100))
    assert (len(cache), cache.size) == (2, 700)
    assert await cache.get("b") is not None
    await cache.put("d", _answer(100))
    assert await cache.get("c") is None
    assert await cache.get("b") is not None
    await cache.put("e", _answer(1000))
    assert await cache.get("e") is None
    await cache.put("b", _answer(50))
    assert cache.size == 600
    cache.clear()
    assert (len(cache), cache.size) == (0, 0)


async def test_a_cache_that_fails_fails_no_call(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        async def get(self, key: str) -> KeptAnswer | None:
            raise OSError(key)

        async def put(self, key: str, answer: KeptAnswer) -> None:
            raise OSError(key)

    manager = LLMManager([Actor(WELL)], default_model="plain", policies=ResiliencePolicies(cache=Broken()))
    with caplog.at_level(logging.WARNING):
        assert (await manager.generate("hi")).text == "Hello, you"
    assert "cannot be read" in caplog.text
    assert "cannot be written" in caplog.text


async def test_what_was_not_asked_as_it_was_wanted_is_said_again_and_what_concerned_one_call_is_not() -> None:
    told: list[Deed] = [Chunk("Hi", extra={"notices": ["`seed` was left out"]}), STOP]
    actor = Actor(told)

    class Warned:
        def __init__(self, inner: Answering) -> None:
            self._inner = inner

        def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
            call.note("Half of the budget is used", passing=True)
            return self._inner.stream(request, call)

    policies = ResiliencePolicies(cache=MemoryCache())
    manager = LLMManager([actor], default_model="plain:m", policies=policies, around_calls=[Warned])
    answers = [await manager.generate("hi") for _ in range(2)]
    assert [answer.cached for answer in answers] == [False, True]
    assert answers[0].notices == ("Half of the budget is used", "`seed` was left out")
    assert answers[1].notices == ("`seed` was left out",)


async def test_a_cache_that_hangs_holds_a_call_no_longer_than_it_may_take(caplog: pytest.LogCaptureFixture) -> None:
    class Stuck:
        async def get(self, key: str) -> KeptAnswer | None:
            await asyncio.Event().wait()
            return None

        async def put(self, key: str, answer: KeptAnswer) -> None:
            await asyncio.Event().wait()

    actor = Actor(WELL)
    manager = Stage(actor, policies=ResiliencePolicies(cache=Stuck())).manager
    with pytest.raises(ProviderTimeoutError, match="The call took too long"):
        await manager.generate("hi", options=CallOptions(timeout=0.02))
    assert ["cannot be read" in record.getMessage() for record in caplog.records] == [True]
