from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.errors import ProviderError, RateLimitError, ServerError
from sentient_cli.llm import Chunk, LLMManager, Request, ThinkingPart
from sentient_cli.llm.assembly import Assembly, collect
from sentient_cli.llm.call import Answering, Call
from sentient_cli.llm.resilience.hedging import HedgePolicy
from sentient_cli.llm.resilience.policies import ResiliencePolicies
from sentient_cli.llm.resilience.targets import Choice, Target
from sentient_cli.llm.subject import CallSubject, current_subject
from tests.llm.resilience.actors import HANG, STOP, USAGE, Actor, Deed, Script, Stage, said

WELL: list[Deed] = [*said("Hello"), STOP, USAGE]


async def test_calls_know_on_whose_behalf_they_are_made() -> None:
    actor, seen = Actor(WELL), list[CallSubject]()

    class Looks:
        def __init__(self, inner: Answering) -> None:
            self._inner = inner

        def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
            seen.append(call.subject)
            return self._inner.stream(request, call)

    manager = LLMManager([actor], default_model="plain", around_calls=[Looks], around_attempts=[Looks])
    subject = CallSubject(run="r", session="s", query="q", agent="a", tenant="t")
    token = current_subject.set(subject)
    await manager.generate("hi")
    current_subject.reset(token)
    assert seen == [subject, subject]
    assert (actor.requests[0].session, actor.requests[0].query) == ("s", "q")


async def test_what_a_provider_has_to_say_is_told_and_not_passed_on() -> None:
    actor = Actor(
        [
            Chunk(extra={"notices": ["No `seed` here"]}),
            Chunk("Hel", extra={"notices": "Nor that", "id": 7}),
            Chunk("lo", extra={"notices": ["No `seed` here"]}),
            STOP,
        ]
    )
    stage = Stage(actor)
    stream = stage.manager.stream("hi")
    chunks = [chunk async for chunk in stream.chunks()]
    answer = await stream.completion()
    assert chunks == [Chunk(), Chunk("Hel", extra={"id": 7}), Chunk("lo"), STOP]
    assert answer.notices == ("No `seed` here", "Nor that")
    assert answer.extra == {"id": 7}
    assert stage.records.last()["notices"] == [*answer.notices]


async def test_an_answer_has_all_that_came_with_it() -> None:
    chunks = [
        Chunk(model="m-2026"),
        Chunk(thinking=ThinkingPart("Let ")),
        Chunk(thinking=ThinkingPart("me see", "sig")),
        Chunk(thinking=ThinkingPart(redacted="xyz")),
        Chunk(thinking=ThinkingPart("More")),
        Chunk(refusal="I can"),
        Chunk(refusal="not"),
        Chunk(extra={"a": 1}),
        Chunk(extra={"b": 2}),
        STOP,
    ]
    answer = await Stage(Actor(chunks)).manager.generate("hi")
    assert answer.model_used == "m-2026"
    assert answer.thinking == (ThinkingPart("Let me see", "sig"), ThinkingPart(redacted="xyz"), ThinkingPart("More"))
    assert (answer.refusal, answer.extra) == ("I cannot", {"a": 1, "b": 2})
    assert (answer.cached, answer.degraded, answer.notices, answer.cost) == (False, "", (), None)


async def test_what_came_before_a_restart_is_void() -> None:
    async def chunks() -> AsyncGenerator[Chunk, None]:
        for chunk in (Chunk("Hel"), Chunk(refusal="x"), Chunk("Good", restarted=True), Chunk(" day"), STOP):
            yield chunk

    answer = await collect("p", "m", chunks())
    assert (answer.text, answer.refusal) == ("Good day", "")
    assembly = Assembly()
    assembly.add(Chunk("Hel"))
    assembly.add(Chunk(restarted=True))
    assert assembly.texts == 0


async def test_whom_a_call_is_sent_to_can_be_chosen() -> None:
    one, two = Actor(WELL, name="one"), Actor(WELL, name="two")

    def last(request: Request, call: Call, targets: object) -> Choice:
        assert call.wanted == "one:m"
        return Choice((Target(two, "b"),), "last", {"why": "for a test"})

    stage = Stage(one)
    manager = LLMManager([one, two], default_model="one:m", hooks=[stage.records], choose=last)
    answer = await manager.generate("hi")
    assert (answer.provider, answer.model) == ("two", "b")
    (told,) = stage.of("llm.selection")
    assert told.data == {"targets": ["two:b"], "policy": "last", "reasons": {"why": "for a test"}}


async def test_providers_change_while_calls_go_on() -> None:
    old, new = Actor([*said("Hello"), HANG]), Actor([*said("Good day"), STOP])
    stage = Stage(old)
    async with stage.manager.stream("hi") as running:
        assert await anext(running) == "Hell"
        assert stage.manager.replace(new) is old
        assert (await stage.manager.generate("hi")).text == "Good day"
        assert await anext(running) == "o"
        assert stage.manager.remove("plain") is new
    assert (old.open, new.open) == (0, 0)


def _chaos(chance: random.Random) -> Callable[[Request, int], Script]:
    def play(request: Request, number: int) -> Script:
        return _faulty(chance)

    return play


def _faulty(chance: random.Random) -> Script:
    script: list[Deed] = [Chunk(model="m-2")] if chance.random() < 0.5 else []
    script += said("It was the best of times, it was the worst of times", size=chance.randint(1, 9))
    script += [STOP, USAGE]
    fault = chance.randrange(8)
    place = chance.randint(0, len(script))
    if fault == 0:
        script[place:] = [ServerError("Down")]
    elif fault == 1:
        script[place:] = []
    elif fault == 2:
        script[place:] = [RateLimitError("Slow", retry_after=0.5)]
    return script


@pytest.mark.slow
async def test_many_calls_at_once_under_faults_leave_nothing_behind() -> None:
    chance = random.Random(11)
    actors = [Actor(by=_chaos(chance), name=name) for name in ("one", "two", "three")]
    policies = ResiliencePolicies(hedging=HedgePolicy(after=1.0))
    stage = Stage(*actors, policies=policies)
    outcomes = Counter[str]()

    async def ask() -> None:
        try:
            answer = await stage.manager.generate("hi")
        except ProviderError as error:
            outcomes[error.code] += 1
        else:
            assert answer.text == "It was the best of times, it was the worst of times"
            outcomes["done"] += 1

    for _ in range(5):
        await asyncio.gather(*(ask() for _ in range(100)))
    assert sum(outcomes.values()) == 500
    assert outcomes["done"] >= 450, outcomes
    assert [actor.open for actor in actors] == [0, 0, 0]
    assert len(stage.of("llm.finished")) == 500


@given(st.integers(0, 60), st.integers(0, 2**31))
async def test_cancelling_anywhere_under_faults_leaves_nothing_behind(turns: int, seed: int) -> None:
    chance = random.Random(seed)
    actors = [Actor(by=_chaos(chance), name=name) for name in ("one", "two")]
    stage = Stage(*actors, policies=ResiliencePolicies(hedging=HedgePolicy(after=1.0)))
    task = asyncio.create_task(stage.manager.generate("hi"))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert [actor.open for actor in actors] == [0, 0]
    if stage.records.kinds:
        assert stage.records.kinds.count("llm.finished") == 1
        assert stage.records.kinds[-1] == "llm.finished"


@pytest.mark.parametrize("read", [False, True])
async def test_only_what_nobody_has_read_may_begin_anew_unseen(*, read: bool) -> None:
    other: list[Deed] = [*said("Goodbye"), STOP]
    actor = Actor([*said("Hello"), ServerError("Down")], other)
    stream = Stage(actor).manager.stream("hi")
    if read:
        assert await anext(stream) == "Hell"
        with pytest.raises(ServerError):  # another answer does not join what was read
            await stream.completion()
    else:
        assert (await stream.completion()).text == "Goodbye"
