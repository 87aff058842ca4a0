"""Where an answer goes on that broke off, when the first way does not lead there."""

from __future__ import annotations

from typing import Final

import pytest

from sentient_cli.errors import ServerError
from sentient_cli.llm import Request
from sentient_cli.llm.resilience.policies import ResiliencePolicies
from sentient_cli.llm.resilience.retry import RetryPolicy
from tests.llm.resilience.actors import STOP, Actor, Script, Stage, said

DOWN: Final = ServerError("Down")
ONCE: Final = ResiliencePolicies(retry=RetryPolicy(attempts=1))


async def _read(stage: Stage) -> str:
    return "".join([text async for text in stage.manager.stream("hi")])


def _rest(request: Request, rest: str) -> Script:
    return [*said(request.messages[-1].text.rpartition("\n\n")[2] + rest), STOP]


@pytest.mark.parametrize("before", ["", "An introduction that is like nothing else, and is a long one. " * 5])
async def test_a_place_in_doubt_is_looked_for_in_another_way(before: str) -> None:
    rows = [f"| {name} | it is asked again, and what was there of its text so far stays |\n" for name in "abcdef"]
    text = before + "".join(rows)
    cut = len(before) + len(rows[0]) - 9  # what stands before it comes again in each row

    def plays(request: Request, number: int) -> Script:
        if not number:
            return [*said(text[:cut]), DOWN]
        return _rest(request, text[cut:]) if len(request.messages) > 1 else [*said(text), STOP]

    stage = Stage(Actor(by=plays), policies=ONCE)
    assert await _read(stage) == text
    assert ["error" in record.data for record in stage.of("llm.splice")] == [True, False]


async def test_who_rests_is_not_asked_for_the_rest() -> None:
    text, cut = "It was the best of times, it was the worst of times, it was the age of wisdom and of foolishness.", 60

    def plays(request: Request, number: int) -> Script:
        if not number:
            return [*said(text[:cut]), DOWN]
        return [DOWN] if number == 1 else _rest(request, text[cut:])

    one = Actor(by=plays, name="one")
    stage = Stage(one, Actor(name="two"), policies=ONCE)
    breaker = stage.manager.breakers.of("two", "m")
    for _ in range(breaker.policy.failures):
        breaker.failed(breaker.admit(0.0), stage.clock.now_ns() / 1e9)
    assert await _read(stage) == text
    assert one.calls == 3
