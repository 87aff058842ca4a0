from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import chain, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.errors import ProviderTimeoutError
from sentient_cli.llm import Chunk
from sentient_cli.llm.call import CallOptions
from sentient_cli.llm.resilience import attempt
from sentient_cli.llm.resilience.deadlines import Deadlines, Watch, round_of
from sentient_cli.llm.resilience.policies import ProviderPolicies, ResiliencePolicies
from sentient_cli.llm.resilience.retry import RetryPolicy
from tests.llm.resilience.actors import HANG, STOP, USAGE, Actor, Deed, Stage, said

WELL: list[Deed] = [*said("Hello"), STOP]
SOON = 0.02


async def test_what_does_not_begin_in_time_is_asked_again() -> None:
    actor = Actor([Chunk(model="m-2"), HANG], WELL)
    stage = Stage(actor, policies=ResiliencePolicies(deadlines=Deadlines(first_token=SOON)))
    answer = await stage.manager.generate("hi")
    assert (answer.text, answer.attempts) == ("Hello", 2)
    assert stage.of("llm.retry")[0].data["error"] == {"code": "provider-timeout", "what": "No answer began in time"}
    assert actor.open == 0


async def test_the_last_attempt_is_never_cut_for_being_slow_to_start() -> None:
    asked = asyncio.Event()

    def play(request: object, number: int) -> list[Deed]:
        if number == 2:
            asked.set()
        return [HANG]

    actor = Actor(by=play)
    policies = ResiliencePolicies(deadlines=Deadlines(first_token=SOON), retry=RetryPolicy(attempts=3))
    task = asyncio.create_task(Stage(actor, policies=policies).manager.generate("hi"))
    await asked.wait()
    assert not (await asyncio.wait([task], timeout=5 * SOON))[0]
    task.cancel()
    await asyncio.wait([task])
    assert (actor.calls, actor.open) == (3, 0)


async def test_a_slow_provider_is_left_for_another() -> None:
    one, two = Actor([HANG], name="one"), Actor(WELL, name="two")
    policies = ResiliencePolicies(deadlines=Deadlines(first_token=SOON), retry=RetryPolicy(attempts=1))
    answer = await Stage(one, two, policies=policies).manager.generate("hi")
    assert (answer.provider, answer.failovers, one.open) == ("two", 1, 0)


async def test_a_provider_may_have_more_time() -> None:
    own = ProviderPolicies(deadlines=Deadlines(first_token=None))
    policies = ResiliencePolicies(deadlines=Deadlines(first_token=SOON), providers={"plain": own})
    actor = Actor([HANG])
    task = asyncio.create_task(Stage(actor, policies=policies).manager.generate("hi"))
    assert not (await asyncio.wait([task], timeout=3 * SOON))[0]
    task.cancel()
    await asyncio.wait([task])
    assert actor.calls == 1


@pytest.mark.parametrize("deeds", [[HANG], [*said("Hel"), HANG]])
async def test_a_call_has_an_end(deeds: list[Deed]) -> None:
    actor = Actor(deeds)
    with pytest.raises(ProviderTimeoutError, match="call took too long") as caught:
        await Stage(actor).manager.generate("hi", options=CallOptions(timeout=SOON))
    assert (actor.calls, actor.open) == (1, 0)
    assert caught.value.partial_text == "".join(deed.text for deed in deeds if isinstance(deed, Chunk))
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


async def test_an_attempt_has_an_end() -> None:
    actor = Actor([*said("Hel"), HANG], WELL)
    policies = ResiliencePolicies(deadlines=Deadlines(attempt=SOON))
    answer = await Stage(actor, policies=policies).manager.generate("hi")
    assert (answer.text, answer.attempts) == ("Hello", 2)


async def test_a_slow_reader_is_not_interrupted_but_told() -> None:
    actor = Actor([*said("Hello you"), HANG])
    stage = Stage(actor)
    for _ in range(6):  # and the breaker blames nobody
        stream = stage.manager.stream("hi", options=CallOptions(timeout=SOON, after_content="fail"))
        assert await anext(stream) == "Hell"
        await asyncio.sleep(2 * SOON)
        assert [await anext(stream), await anext(stream)] == ["o yo", "u"]
        with pytest.raises(ProviderTimeoutError):
            await anext(stream)
        assert actor.open == 0


async def test_what_is_there_already_is_read_by_a_slow_reader_too() -> None:
    stream = Stage(Actor(WELL)).manager.stream("hi", options=CallOptions(timeout=SOON, after_content="fail"))
    assert await anext(stream) == "Hell"
    await asyncio.sleep(2 * SOON)
    assert [text async for text in stream] == ["o"]


async def test_after_the_end_nothing_is_waited_for_long() -> None:
    actor = Actor([*WELL, HANG])
    answer = await asyncio.wait_for(Stage(actor).manager.generate("hi"), 5)
    assert (answer.text, actor.open) == ("Hello", 0)


class Careful(Actor):
    """Says that it waits for nothing too long by itself."""

    bounds_silence = True


@pytest.mark.parametrize("kind", [Actor, Careful])
async def test_who_talks_on_after_the_end_is_not_heard_for_long(
    kind: type[Actor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "AFTER_END", 0.0)
    talk = chain(WELL, repeat(USAGE))

    def play(request: object, number: int) -> Iterable[Deed]:
        return talk

    actor = kind(by=play)
    answer = await asyncio.wait_for(Stage(actor).manager.generate("hi"), 5)
    assert (answer.text, answer.usage, actor.open) == ("Hello", USAGE.usage, 0)
    assert next(talk) is USAGE
    assert not round_of(asyncio.get_running_loop()).watches


@pytest.mark.parametrize("kind", [Actor, Careful])
async def test_a_call_that_went_well_leaves_nothing_to_look_after(kind: type[Actor]) -> None:
    stage = Stage(kind([*WELL, USAGE]))
    assert (await stage.manager.generate("hi")).usage == USAGE.usage
    assert not round_of(asyncio.get_running_loop()).watches
    assert stage.manager.breakers.of("plain", "m").pending == 0


async def test_what_is_complete_cannot_be_late() -> None:
    actor = Actor([*WELL, HANG])
    answer = await Stage(actor).manager.generate("hi", options=CallOptions(timeout=SOON))
    assert (answer.text, actor.open) == ("Hello", 0)


async def test_who_else_ends_the_task_goes_first() -> None:
    watch = Watch(None, 60.0, None)
    task = asyncio.current_task()
    assert task is not None
    watch.task = task
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.sleep(0)
    assert not watch.interrupted()
    task.uncancel()
    watch.close()


async def test_a_provider_that_hides_the_interruption_does_not_leave_it_behind() -> None:
    class Hides(Actor):
        async def initialize(self) -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise ProviderTimeoutError("Mine") from None

    with pytest.raises(ProviderTimeoutError):
        await Stage(Hides(WELL)).manager.generate("hi", options=CallOptions(timeout=SOON))
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


async def test_long_bounds_share_a_timer_and_go_off_too() -> None:
    round_ = round_of(asyncio.get_running_loop())
    before = len(round_.watches)
    watch, other = Watch(10.0, None, None), Watch(10.0, None, None)
    assert len(round_.watches) == before + 2
    round_.look()
    assert [watch.expired, other.expired] == [False, False]
    watch._at = 0.0
    round_.look()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.sleep(0)
    assert watch.interrupted()
    assert [watch.expired, other.expired] == [True, False]
    assert len(round_.watches) == before + 1
    other.close()
    assert len(round_.watches) == before


@given(st.integers(0, 30), st.booleans())
async def test_cancelling_at_any_moment_ends_everything(turns: int, late: bool) -> None:
    actor = Actor([Chunk(model="m-2"), *said("Hello, you"), HANG])
    stage = Stage(actor)
    options = CallOptions(timeout=0.001 if late else 60)
    task = asyncio.create_task(stage.manager.generate("hi", options=options))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises((asyncio.CancelledError, ProviderTimeoutError)):
        await task
    assert actor.open == 0
