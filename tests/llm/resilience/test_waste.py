"""What a call took and cost, however it ended: each attempt counts once, and everybody is told the same."""

from __future__ import annotations

import asyncio
from typing import Final

import pytest

from sentient_cli.errors import AuthenticationError, ProviderConnectionError, ProviderError, ProviderTimeoutError
from sentient_cli.llm import (
    CallOptions,
    Chunk,
    LLMManager,
    Message,
    Parameters,
    Request,
    ThinkingPart,
    ToolCallDelta,
    Usage,
)
from sentient_cli.llm.types import JsonValue
from tests.llm.parts import Records
from tests.llm.resilience.actors import HANG, STOP, Actor, Deed, Script, said

TEXT: Final = "It was the best of times, it was the worst of times, it was the age of wisdom"
REST: Final = ", it was the age of foolishness"
BROKEN: Final = ProviderConnectionError("Reset")
BEGUN: Final = Chunk(usage=Usage(1000, output=1))


def _cents(provider: str, model: str, usage: Usage, tier: str | None) -> float | None:
    del provider, model
    return None if usage.total is None else usage.total * (0.005 if tier == "flex" else 0.01)


def _managed(*actors: Actor) -> tuple[LLMManager, Records]:
    records = Records()
    names = [f"{actor.provider_id}:m" for actor in actors]
    return LLMManager(actors, default_model=names[0], hooks=[records], price=_cents, groups={"all": names}), records


def _ended(records: Records) -> tuple[dict[str, JsonValue], dict[str, JsonValue]]:
    usage, finished = records.records[-2:]
    assert (usage.kind, finished.kind) == ("llm.usage", "llm.finished")
    return usage.data, finished.data


def _continues(request: Request, number: int) -> Script:
    if not number:
        return [BEGUN, *said(TEXT), BROKEN]
    return [*said(request.messages[-1].text.rpartition("\n\n")[2] + REST), STOP]


async def test_the_usage_of_an_answer_is_not_that_of_the_attempt_before_it() -> None:
    manager, records = _managed(Actor(by=_continues))
    answer = await manager.generate("hi")
    assert answer.text == TEXT + REST
    usage, finished = _ended(records)
    assert answer.usage.estimated
    assert (answer.usage.input or 0) < 200, "what the first attempt said it took is its own"
    assert finished["wasted"] == {"input": 1000, "output": 20, "estimated": True}
    assert answer.cost == finished["cost"] == pytest.approx(0.01 * ((answer.usage.total or 0) + 1020))
    assert usage["input"] == answer.usage.input


async def test_calls_of_tools_that_are_kept_are_no_waste() -> None:
    call = Chunk(tool_call=ToolCallDelta(0, "1", "add", '{"a": 1}'))
    manager, records = _managed(Actor([BEGUN, call, BROKEN]))
    answer = await manager.generate("hi")
    assert (answer.finish_reason, answer.usage) == ("tool_call", Usage(1000, output=3, estimated=True))
    assert answer.cost == pytest.approx(10.03)
    assert "wasted" not in _ended(records)[1]


@pytest.mark.parametrize("leaves", [True, False])
async def test_an_answer_that_ends_early_is_paid_for_and_everybody_is_told(leaves: bool) -> None:
    end = HANG if leaves else AuthenticationError("No more")
    manager, records = _managed(Actor([Chunk("Hello"), Chunk(thinking=ThinkingPart("a" * 40)), Chunk(" you"), end]))
    stream = manager.stream("hi")
    if leaves:
        assert [await anext(stream), await anext(stream)] == ["Hello", " you"]
        await stream.aclose()
    else:
        with pytest.raises(AuthenticationError):
            await stream.completion()
    usage, finished = _ended(records)
    assert (usage["input"], usage["output"], usage["estimated"]) == (5, 13, True)
    assert finished["cost"] == pytest.approx(0.18)
    assert "wasted" not in finished


async def test_who_leaves_a_continued_answer_pays_for_each_attempt_once() -> None:
    manager, records = _managed(Actor(by=_continues))
    stream = manager.stream("hi")
    text = ""
    while len(text) <= len(TEXT):
        text += await anext(stream)
    await stream.aclose()
    usage, finished = _ended(records)
    assert isinstance(output := usage["output"], int)
    assert output < 40, "what the first attempt wrote is not written again"
    assert finished["wasted"] == {"input": 1000, "output": 20, "estimated": True}


async def test_what_was_thought_and_asked_of_tools_is_wasted_too() -> None:
    thinks = [Chunk(thinking=ThinkingPart("a" * 400)), Chunk(tool_call=ToolCallDelta(0, "1", "add", '{"a'))]
    actor = Actor([*thinks, BROKEN], [*said("Hello"), STOP, Chunk(usage=Usage(7, output=2))])
    manager, records = _managed(actor)
    answer = await manager.generate("hi")
    assert (answer.text, answer.usage) == ("Hello", Usage(7, output=2))
    wasted = _ended(records)[1]["wasted"]
    assert isinstance(wasted, dict)
    assert (wasted["input"], wasted["output"]) == (5, 102)


@pytest.mark.parametrize(("begun", "asked"), [([BEGUN], 1000), ([], 5)])
async def test_what_came_before_the_first_word_is_paid_for(begun: list[Deed], asked: int) -> None:
    actor = Actor([*begun, HANG])
    manager, records = _managed(actor)
    asking = asyncio.create_task(manager.generate("hi"))
    await actor.has_begun.wait()
    for _ in range(5):
        await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait([asking])
    usage, finished = _ended(records)
    assert (usage["input"], usage.get("estimated", False)) == (asked, not begun)
    assert finished["outcome"] == "cancelled"
    assert finished["cost"] == pytest.approx(10.01 if begun else 0.05)


def _answered_late() -> ProviderTimeoutError:
    late = ProviderTimeoutError("Status 504")
    late.may_cost = False
    return late


async def test_who_was_asked_and_given_up_is_paid_for() -> None:
    late = Actor([ProviderTimeoutError("It fell silent")], [*said("Hello"), STOP, Chunk(usage=Usage(7, output=2))])
    manager, records = _managed(late)
    answer = await manager.generate("hi")
    assert answer.usage == Usage(7, output=2)
    wasted = _ended(records)[1]["wasted"]
    assert isinstance(wasted, dict)
    assert (wasted["input"], wasted["output"], wasted["estimated"]) == (5, 0, True)
    assert answer.cost == pytest.approx(0.14)


@pytest.mark.parametrize("error", [AuthenticationError("No"), ProviderConnectionError("Refused"), _answered_late()])
async def test_what_never_came_costs_nothing(error: ProviderError) -> None:
    manager, records = _managed(Actor([error]))
    with pytest.raises(type(error)):
        await manager.generate("hi")
    assert (_ended(records)[0], _ended(records)[1]["cost"]) == ({}, 0.0)


async def test_the_last_to_leave_a_shared_answer_pays_for_what_came_of_it() -> None:
    manager, records = _managed(Actor([*said("Hello, you"), HANG]))
    options = CallOptions(shared=True)
    first, second = manager.stream("hi", options=options), manager.stream("hi", options=options)
    await anext(first)
    await anext(second)
    await first.aclose()
    await second.aclose()
    told = [record.data for record in records.records if record.kind == "llm.finished"]
    assert [each["cost"] for each in told] == [0.0, pytest.approx(0.06)]


async def test_a_tier_has_its_own_price() -> None:
    manager, _ = _managed(Actor([*said("Hello"), STOP, Chunk(usage=Usage(10, output=10))]))
    answers = [
        await manager.generate([Message.user("hi")], parameters=Parameters(service_tier=tier))
        for tier in (None, "flex")
    ]
    assert [answer.cost for answer in answers] == [pytest.approx(0.2), pytest.approx(0.1)]
