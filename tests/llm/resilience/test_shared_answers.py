from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from sentient_cli.errors import AnswerRestartedError, ProviderTimeoutError, ServerError
from sentient_cli.llm import Chunk, LLMManager, LLMStream, Parameters, Request, Usage
from sentient_cli.llm.call import CallOptions
from sentient_cli.llm.resilience.policies import ResiliencePolicies
from sentient_cli.llm.resilience.retry import RetryPolicy
from sentient_cli.llm.subject import CallSubject, current_subject
from tests.llm.parts import Records
from tests.llm.resilience.actors import HANG, STOP, USAGE, Actor, Deed, Stage, said

WELL: list[Deed] = [*said("Hello, you"), STOP]
SHARED = CallOptions(shared=True)


def _dollar(provider: str, model: str, usage: Usage, tier: str | None) -> float | None:
    return 1.0


async def test_those_who_ask_the_same_get_one_answer() -> None:
    actor = Actor(WELL)
    stage = Stage(actor)
    answers = await asyncio.gather(*(stage.manager.generate("hi", options=SHARED) for _ in range(20)))
    assert {answer.text for answer in answers} == {"Hello, you"}
    assert (actor.calls, actor.open) == (1, 0)
    assert sum("shared" in " ".join(answer.notices) for answer in answers) == 19
    assert {(answer.provider, answer.attempts) for answer in answers} == {("plain", 1)}
    assert [answer.cost for answer in answers].count(0.0) == 19
    await stage.manager.generate("hi", options=SHARED)
    assert actor.calls == 2, "it is no cache"


async def test_only_the_same_is_shared_and_only_where_that_is_wished() -> None:
    actor = Actor(WELL)
    manager = Stage(actor).manager
    await asyncio.gather(
        manager.generate("hi", options=SHARED),
        manager.generate("ho", options=SHARED),
        manager.generate("hi", options=SHARED, parameters=Parameters(seed=1)),
        manager.generate("hi", options=SHARED, model="plain:other"),
        manager.generate("hi"),
    )
    assert actor.calls == 5


async def test_tenants_share_nothing() -> None:
    actor = Actor(WELL)
    manager = Stage(actor).manager

    async def ask(tenant: str) -> str:
        current_subject.set(CallSubject(tenant=tenant))
        return (await manager.generate("hi", options=SHARED)).text

    await asyncio.gather(*(asyncio.create_task(ask(tenant)) for tenant in ("a", "b", "a")))
    assert actor.calls == 2


async def test_who_comes_late_gets_all_of_it() -> None:
    actor = Actor([*said("Hello, you"), HANG])
    manager = Stage(actor).manager
    async with (
        manager.stream("hi", options=SHARED) as early,
        manager.stream("hi", options=SHARED) as late,
    ):
        assert "".join([await anext(early) for _ in range(3)]) == "Hello, you"
        assert "".join([await anext(late) for _ in range(3)]) == "Hello, you"
    assert (actor.calls, actor.open) == (1, 0)


@pytest.mark.parametrize("leaver", [0, 1, 2])
async def test_one_who_leaves_ends_nothing_for_the_others(leaver: int) -> None:
    gone = asyncio.Event()

    class Waits(Actor):
        async def initialize(self) -> None:
            await gone.wait()

    actor = Waits(WELL)
    manager = Stage(actor).manager
    tasks = [asyncio.create_task(manager.generate("hi", options=SHARED)) for _ in range(3)]
    for _ in range(5):
        await asyncio.sleep(0)
    tasks.pop(leaver).cancel()
    await asyncio.sleep(0)
    gone.set()
    assert [answer.text for answer in await asyncio.gather(*tasks)] == ["Hello, you"] * 2
    assert actor.calls == 1


async def test_when_all_leave_the_call_ends() -> None:
    actor = Actor([HANG])
    manager = Stage(actor).manager
    tasks = [asyncio.create_task(manager.generate("hi", options=SHARED)) for _ in range(3)]
    await actor.has_begun.wait()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert (actor.calls, actor.open) == (1, 0)


async def test_a_failure_is_everybodys() -> None:
    actor = Actor([*said("Hel"), ServerError("Down")])
    stage = Stage(actor, policies=ResiliencePolicies(retry=RetryPolicy(attempts=1)))
    options = CallOptions(shared=True, after_content="fail")
    results = await asyncio.gather(
        *(stage.manager.generate("hi", options=options) for _ in range(3)), return_exceptions=True
    )
    errors = [result for result in results if isinstance(result, ServerError)]
    assert [error.partial_text for error in errors] == ["Hel"] * 3
    assert len({id(error) for error in errors}) == 3
    assert actor.calls == 1


def test_loops_share_nothing() -> None:
    actor = Actor([Chunk("x"), STOP])
    manager = LLMManager([actor], default_model="plain")
    for _ in range(2):
        assert asyncio.run(manager.generate("hi", options=SHARED)).text == "x"
    assert actor.calls == 2


async def test_each_reader_has_its_own_time() -> None:
    manager = Stage(Actor([HANG])).manager
    options, loop = CallOptions(shared=True, timeout=0.2), asyncio.get_running_loop()

    async def ask() -> float:
        with pytest.raises(ProviderTimeoutError):
            await manager.generate("hi", options=options)
        return loop.time()

    began = loop.time()
    one = asyncio.create_task(ask())
    await asyncio.sleep(0.1)
    two = asyncio.create_task(ask())
    assert await one - began < 0.29 <= await two - began


async def test_who_reads_it_all_pays_when_the_first_has_left() -> None:
    actor = Actor([*said("Hello, you"), STOP, USAGE])
    manager = LLMManager([actor], default_model="plain:m", price=_dollar)
    async with manager.stream("hi", options=SHARED) as first:
        assert await anext(first) == "Hell"
        others = [manager.stream("hi", options=SHARED) for _ in range(2)]
        assert [await anext(other) for other in others] == ["Hell", "Hell"]
    answers = [await other.completion() for other in others]
    assert [answer.cost for answer in answers] == [1.0, 0.0]
    assert actor.calls == 1


async def test_who_has_left_pays_nothing_and_the_next_one_all() -> None:
    records = Records()
    actor = Actor([ServerError("Down")], [*said("Hello, you"), STOP, USAGE])
    policies = ResiliencePolicies(retry=RetryPolicy(attempts=2, base=0))
    manager = LLMManager([actor], default_model="plain:m", price=_dollar, hooks=[records], policies=policies)
    first = asyncio.create_task(manager.generate("hi", options=SHARED))
    await actor.has_begun.wait()
    second = manager.stream("hi", options=SHARED)
    assert await anext(second) == "Hell"
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    answer = await second.completion()
    assert (answer.cost, answer.attempts, actor.calls) == (1.0, 2, 2)
    ends = [record.data for record in records.records if record.kind == "llm.finished"]
    assert [(end["outcome"], end["cost"]) for end in ends] == [("cancelled", 0.0), ("done", 1.0)]


async def test_what_happens_after_the_first_has_left_is_told_of_who_reads_on() -> None:
    records = Records()
    failing = asyncio.Event()

    class Breaks(Actor):
        async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
            self.has_begun.set()
            await failing.wait()
            if not request.model:
                yield Chunk()
            raise ServerError("Down")

    one = Breaks(name="one")
    manager = LLMManager(
        [one, Actor(WELL)],
        default_model="all",
        hooks=[records],
        groups={"all": ["one:m", "plain:m"]},
        policies=ResiliencePolicies(retry=RetryPolicy(attempts=1)),
    )
    first = asyncio.create_task(manager.generate("hi", options=SHARED))
    await one.has_begun.wait()
    second = asyncio.create_task(manager.generate("hi", options=SHARED))
    for _ in range(3):
        await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    failing.set()
    assert (await second).text == "Hello, you"
    left, reads = dict.fromkeys(record.call for record in records.records)
    told = {call: [record.kind for record in records.records if record.call == call] for call in (left, reads)}
    assert told[left] == ["llm.request", "llm.selection", "llm.attempt", "llm.usage", "llm.finished"]
    assert told[reads] == ["llm.request", "llm.failover", "llm.attempt", "llm.chunks", "llm.usage", "llm.finished"]


@pytest.mark.parametrize("reader", [0, 1])
async def test_what_somebody_reads_does_not_begin_anew_unseen(reader: int) -> None:
    actor = Actor([Chunk("No place to go on. " * 20), ServerError("Down")], WELL)
    manager = LLMManager([actor], default_model="plain:m", policies=ResiliencePolicies(retry=RetryPolicy(base=0)))

    async def read() -> str:
        text = ""
        try:
            async for piece in manager.stream("hi", options=SHARED):
                text += piece
        except AnswerRestartedError:
            return "begun anew"
        except ServerError:
            return "the error"
        return text

    async def whole() -> str:
        return (await manager.generate("hi", options=SHARED)).text

    asked = [read(), whole()] if reader == 0 else [whole(), read()]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert answers[reader] == "the error"


def test_a_loop_that_ends_leaves_a_shared_answer_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    actor = Actor([*said("Hello, you"), HANG])
    left: list[LLMStream] = []

    async def main() -> None:
        left.append(Stage(actor).manager.stream("hi", options=SHARED))
        assert await anext(left[0]) == "Hell"

    asyncio.run(main())
    assert (actor.open, caplog.records) == (0, [])
