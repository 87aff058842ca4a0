"""What a call gets when every model is limited or down."""

from __future__ import annotations

import asyncio

import pytest

from sentient_cli.errors import AuthenticationError, CircuitOpenError, RateLimitError, ServerError
from sentient_cli.llm import (
    CallOptions,
    Chunk,
    LLMManager,
    MemoryCache,
    OutagePolicy,
    ResiliencePolicies,
    RetryPolicy,
    Usage,
)
from sentient_cli.llm.resilience.breaker import BreakerPolicy
from tests.llm.parts import StepClock
from tests.llm.resilience.actors import STOP, USAGE, Actor, Deed, Stage, said

WELL: list[Deed] = [*said("Hello, you"), STOP, USAGE]
DOWN: list[Deed] = [ServerError("Down")]
LIMITED: list[Deed] = [RateLimitError("Enough", retry_after=40.0)]


def _stage(*actors: Actor, breaker: BreakerPolicy | None = None, **outage: float | str) -> Stage:
    cached = outage.pop("cached", None)
    policy = OutagePolicy(
        wait=float(outage.get("wait", 0.0)),
        answer=str(outage.get("answer", "")),
        cached=MemoryCache(float(cached)) if cached is not None else None,
    )
    policies = ResiliencePolicies(
        retry=RetryPolicy(attempts=1), outage=policy, breaker=breaker or BreakerPolicy(failures=100)
    )
    return Stage(*actors, policies=policies)


async def test_a_call_waits_for_a_model_to_come_back() -> None:
    one, two = Actor(LIMITED, WELL, name="one"), Actor(DOWN, WELL, name="two")
    stage = _stage(one, two, wait=60)
    answer = await stage.manager.generate("hi")
    assert (answer.text, answer.provider) == ("Hello, you", "one")
    assert "waited for" in answer.degraded
    assert 1.0 <= sum(stage.clock.slept) <= 1.25
    assert [record.data["to"] for record in stage.of("llm.failover")] == ["two:m"]
    (waited,) = [record.data for record in stage.of("llm.wait")]
    assert (waited["for"], waited["seconds"]) == ("outage", sum(stage.clock.slept))
    assert waited["error"] == {"code": "provider-server", "what": "Down"}


async def test_a_provider_says_for_how_long_to_wait() -> None:
    stage = _stage(Actor(LIMITED, WELL), wait=60)
    assert (await stage.manager.generate("hi")).text == "Hello, you"
    assert 40 <= sum(stage.clock.slept) <= 50


async def test_who_would_wait_for_too_long_does_not_wait() -> None:
    actor = Actor(LIMITED)
    stage = _stage(actor, wait=39)
    with pytest.raises(RateLimitError):
        await stage.manager.generate("hi")
    assert (actor.calls, stage.clock.slept) == (1, [])


async def test_waiting_has_an_end() -> None:
    actor = Actor(DOWN)
    stage = _stage(actor, wait=20)
    with pytest.raises(ServerError):
        await stage.manager.generate("hi")
    assert actor.calls <= 5
    assert sum(stage.clock.slept) <= 20


async def test_nobody_waits_for_a_manager_that_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    actor, waits = Actor(DOWN), asyncio.Event()
    stage = _stage(actor, wait=3600)

    async def sleep(seconds: float) -> None:
        waits.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(stage.clock, "sleep", sleep)
    call = asyncio.create_task(stage.manager.generate("hi"))
    await waits.wait()
    await stage.manager.aclose()
    with pytest.raises(ServerError):
        await call
    assert (actor.calls, len(asyncio.all_tasks())) == (1, 1)


async def test_a_model_that_rests_is_waited_for() -> None:
    actor = Actor(DOWN, WELL)
    stage = _stage(actor, wait=60, breaker=BreakerPolicy(failures=1, open_for=30))
    assert (await stage.manager.generate("hi")).text == "Hello, you"
    assert actor.calls == 2


async def test_an_earlier_answer_and_then_a_text() -> None:
    actor = Actor(WELL, DOWN)
    stage = _stage(actor, cached=100, answer="Later, please.")
    first = await stage.manager.generate("hi")
    again = await stage.manager.generate("hi")
    assert (first.cached, first.degraded) == (False, "")
    assert (again.text, again.provider, again.cached) == ("Hello, you", "plain", True)
    assert "an earlier answer" in again.degraded
    other = await stage.manager.generate("ho")
    assert (other.text, other.provider, other.model, other.finish_reason) == (
        "Later, please.",
        "canned",
        "answer",
        "stop",
    )
    assert (other.usage, other.cached) == (Usage(input=0, output=0), False)
    assert "in the place of an answer" in other.degraded
    assert [record.data["to"] for record in stage.of("llm.failover")] == ["cached", "canned"]
    assert actor.calls == 3, "who is back is asked again"


async def test_a_text_is_no_form_of_answer() -> None:
    stage = _stage(Actor(DOWN), answer="Later, please.")
    with pytest.raises(ServerError):
        await stage.manager.generate("hi", output=dict[str, int])


async def test_what_is_wrong_is_seen() -> None:
    stage = _stage(Actor([AuthenticationError("No such key")]), wait=60, answer="Later, please.")
    with pytest.raises(AuthenticationError):
        await stage.manager.generate("hi")


async def test_an_answer_that_was_begun_is_not_replaced() -> None:
    stage = _stage(Actor([*said("Hel"), ServerError("Down")]), answer="Later, please.")
    with pytest.raises(ServerError) as caught:
        await stage.manager.generate("hi", options=CallOptions(after_content="fail"))
    assert caught.value.partial_text == "Hel"


async def test_policies_may_be_replaced_and_a_degraded_answer_is_not_kept() -> None:
    actor = Actor(DOWN, WELL)
    manager = LLMManager([actor], default_model="plain:m", clock=StepClock())
    bare = ResiliencePolicies(retry=RetryPolicy(attempts=1), cache=MemoryCache())
    manager.policies = ResiliencePolicies(
        retry=bare.retry, cache=bare.cache, outage=OutagePolicy(answer="Later, please.")
    )
    assert (await manager.generate("hi")).text == "Later, please."
    manager.policies = bare
    answer = await manager.generate("hi")
    assert (answer.text, answer.cached) == ("Hello, you", False)


async def test_a_stream_is_told_from_its_first_piece() -> None:
    breaker = BreakerPolicy(failures=1, open_for=30)
    stage = _stage(Actor(DOWN), answer="Later, please.", breaker=breaker)
    for _ in range(2):
        async with stage.manager.stream("hi") as stream:
            assert [chunk async for chunk in stream.chunks()] == [
                Chunk("Later, please."),
                Chunk(usage=Usage(input=0, output=0), finish_reason="stop"),
            ]
            assert stream.metadata["provider"] == "canned"
    told = [record.data["error"] for record in stage.of("llm.failover")]
    assert [error["code"] for error in told if isinstance(error, dict)] == [ServerError.code, CircuitOpenError.code]
