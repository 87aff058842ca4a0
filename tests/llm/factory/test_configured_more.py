"""What settings turn on: a second request for a late answer, one answer for many, a word about models that end."""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sentient_cli.errors import ProviderError, RateLimitError
from sentient_cli.llm import LLMManager, LLMProvider, OfflineProvider
from sentient_cli.llm.call import CallOptions
from sentient_cli.llm.providers.lazy import LazyProvider
from sentient_cli.testing import FixedClock
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


class Still(FixedClock):
    """A clock that stands still: whoever waits is not woken."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.waits.set()
        await asyncio.Event().wait()


@pytest.mark.story("1.8")
async def test_who_waits_for_its_turn_does_not_when_the_provider_is_closed() -> None:
    clock = Still()
    with LLMServer(chat_answer("Hi")) as server:
        told = _told(server, limit_wait=100)
        told["providers"] = {"mine": table(server) | {"requests_per_minute": 1}}
        async with configured(told, clock=clock) as manager:
            await manager.generate("Hello")
            late = asyncio.create_task(manager.generate("Hello"))
            await clock.waits.wait()
            await manager.aclose()
            with pytest.raises(ProviderError, match="is closed"):
                await late
        assert len(server.requests) == 1


@pytest.mark.story("3.1", "13.7")
async def test_loops_in_several_threads_share_a_manager_and_leave_nothing_open() -> None:
    together = threading.Barrier(4)

    async def ask(manager: LLMManager) -> set[str]:
        together.wait()  # so that the provider, and its connections, are made by all at once
        return {answer.text for answer in await asyncio.gather(*(manager.generate("Hello") for _ in range(3)))}

    with LLMServer(lambda _: chat_answer("Hi")) as server:
        async with configured(_told(server), keys=["MY_KEY"]) as manager:
            answers = await asyncio.gather(
                *(asyncio.to_thread(lambda: asyncio.run(ask(manager))) for _ in range(together.parties))
            )
        assert answers == [{"Hi"}] * together.parties
        await asyncio.to_thread(server.wait_open, 0)


def test_a_provider_is_made_once_though_several_threads_ask_for_it() -> None:
    making, asked = threading.Event(), threading.Event()

    def make() -> OfflineProvider:
        making.set()
        asked.wait(60)
        return OfflineProvider()

    provider = LazyProvider("offline", make)

    def ask_again() -> LLMProvider:
        making.wait(60)
        asked.set()
        return provider.made

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.submit(lambda: provider.made), threads.submit(ask_again)
    assert first.result() is second.result()
