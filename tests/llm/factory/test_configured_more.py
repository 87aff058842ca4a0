"""What settings turn on: a second request for a late answer, one answer for many, a word about models that end."""

from __future__ import annotations

import asyncio
import logging

import pytest

from sentient_cli.errors import RateLimitError
from sentient_cli.llm.call import CallOptions
from tests.cli.llm_command_kit import chat_answer
from tests.llm.factory.socket_kit import Waits, configured, table
from tests.support.llm_server import Answer, LLMServer


def _told(server: LLMServer, model: str = "mine:small", kind: str = "compatible", **more: object) -> dict[str, object]:
    return {"model": model, "providers": {"mine": table(server, kind, "MY_KEY")}, "usage": False, **more}


@pytest.mark.story("4.2")
async def test_a_late_answer_is_asked_for_again() -> None:
    hedging = {"enabled": True, "after": 0.01, "share": 1.0}
    with LLMServer(Answer(delay=3600.0), chat_answer("At once")) as server:
        async with configured(_told(server, hedging=hedging), keys=["MY_KEY"]) as manager:
            answer = await manager.generate("Hello")
    assert (answer.text, answer.attempts, len(server.requests)) == ("At once", 2, 2)


@pytest.mark.story("4.2")
async def test_calls_that_ask_the_same_share_an_answer_unless_they_say_otherwise() -> None:
    with LLMServer(chat_answer("For all")) as server:
        async with configured(_told(server, sharing={"enabled": True}), keys=["MY_KEY"]) as manager:
            answers = await asyncio.gather(*(manager.generate("Hello") for _ in range(5)))
            assert {answer.text for answer in answers} == {"For all"}
            assert len(server.requests) == 1
            alone = CallOptions(shared=False)
            await asyncio.gather(*(manager.generate("Hello", options=alone) for _ in range(2)))
            assert len(server.requests) == 3


@pytest.mark.story("3.2")
async def test_a_model_that_ends_is_said_to_once(caplog: pytest.LogCaptureFixture) -> None:
    with LLMServer(chat_answer("Hi")) as server, caplog.at_level(logging.WARNING, "sentient_cli.host.llm_endings"):
        told = _told(server, "mine:gpt-4o-transcribe", "openai")
        async with configured(told, keys=["MY_KEY"]) as manager:
            for _ in range(2):
                await manager.generate("Hello")
    said = [record.getMessage() for record in caplog.records]
    assert said == ["The model mine:gpt-4o-transcribe answers no more from 2027-02-26 on: choose another one"]


@pytest.mark.story("1.8", "4.2")
@pytest.mark.parametrize(("limit_wait", "slept"), [(9.0, None), (11.0, 10.0)])
async def test_how_long_a_call_waits_for_its_turn_is_a_setting(limit_wait: float, slept: float | None) -> None:
    with LLMServer(chat_answer("Hi")) as server:
        told = {
            "model": "mine:small",
            "limit_wait": limit_wait,
            "providers": {"mine": table(server) | {"requests_per_minute": 6}},
            "usage": False,
        }
        clock = Waits()
        async with configured(told, clock=clock) as manager:
            for _ in range(6):
                await manager.generate("Hello")
            if slept is None:
                with pytest.raises(RateLimitError) as caught:
                    await manager.generate("Hello")
                assert (caught.value.nothing_sent, clock.slept) == (True, [])
            else:
                assert (await manager.generate("Hello")).attempts == 1
                assert clock.slept == [pytest.approx(slept)]
        assert len(server.requests) == (6 if slept is None else 7)
