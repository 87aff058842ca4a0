"""Conversations that fit, as settings have it, over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from sentient_cli.clock import SystemClock, SystemIds
from sentient_cli.config.llm import LlmSettings
from sentient_cli.errors import ContextLengthExceededError
from sentient_cli.host.llm import ConfiguredLLM, build_llm
from sentient_cli.llm import Message
from tests.cli.llm_command_kit import chat_answer
from tests.support.llm_server import LLMServer

TALK = [Message.user(f"Thing number {number}: " + "word " * 20) for number in range(30)]


def _asked(server: LLMServer, place: int = -1) -> list[str]:
    messages = server.requests[place].json()["messages"]
    return [str(message["content"]) for message in json.loads(json.dumps(messages))]


def _settings(server: LLMServer, **context: object) -> LlmSettings:
    table = {"kind": "compatible", "base_url": f"{server.url}/v1"}
    return LlmSettings.model_validate(
        {
            "model": "mine:small",
            "retry": {"attempts": 1},
            "usage": False,
            "providers": {"mine": table, "other": table},
            "context": context,
        }
    )


def _run(settings: LlmSettings, work: Callable[[ConfiguredLLM], Awaitable[None]]) -> None:
    async def main() -> None:
        clock = SystemClock()
        manager = build_llm(settings, clock, SystemIds(clock), environment={})
        try:
            await work(manager)
        finally:
            await manager.aclose()

    asyncio.run(main())


@pytest.mark.story("E2.3")
@pytest.mark.parametrize("count", ["estimate", "provider"])
def test_what_is_oldest_is_left_out(count: str) -> None:
    with LLMServer(chat_answer("Hello")) as server:

        async def work(manager: ConfiguredLLM) -> None:
            answer = await manager.generate(TALK)
            assert "left out" in answer.notices[0]

        _run(_settings(server, fit="trim", tokens=300, reserve=50, count=count), work)
        said = _asked(server)
        assert 1 < len(said) < 10
        assert said[-1] == TALK[-1].text


def test_a_model_that_nobody_knows_is_asked_for_all() -> None:
    with LLMServer(chat_answer("Hello")) as server:

        async def work(manager: ConfiguredLLM) -> None:
            assert (await manager.generate(TALK)).notices == ()

        _run(_settings(server, fit="trim"), work)
        assert len(_asked(server)) == len(TALK)


@pytest.mark.story("E2.3")
def test_a_summary_is_a_call_of_its_own_and_made_once() -> None:
    with LLMServer(chat_answer("In short: words."), chat_answer("Hello")) as server:

        async def work(manager: ConfiguredLLM) -> None:
            answer = await manager.generate(TALK)
            assert (answer.text, "summarised" in answer.notices[0]) == ("Hello", True)
            await manager.generate([*TALK, answer.message, Message.user("And now?")])

        settings = _settings(
            server, fit="summarise", tokens=500, reserve=50, summary_model="other:tiny", summary_tokens=100
        )
        _run(settings, work)
        assert [request.json()["model"] for request in server.requests] == ["tiny", "small", "small"]
        assert "In short: words." in "".join(_asked(server, 1))
        assert _asked(server)[-1] == "And now?"


def test_without_a_summary_there_is_less_to_read() -> None:
    with LLMServer(chat_answer("Hello")) as server:

        async def work(manager: ConfiguredLLM) -> None:
            assert "left out" in (await manager.generate(TALK)).notices[0]

        _run(_settings(server, fit="summarise", tokens=500, reserve=50, summary_model="nobody:tiny"), work)
        assert len(server.requests) == 1


@pytest.mark.story("E2.3")
def test_each_model_gets_what_it_can_read() -> None:
    words = [Message.user("word " * 4000), *TALK[:2]]
    with LLMServer(chat_answer("Hello")) as server:
        table = {"kind": "openai", "base_url": f"{server.url}/v1", "api_key_env": "K"}
        settings = LlmSettings.model_validate(
            {"model": "old:gpt-4", "usage": False, "providers": {"old": table}, "context": {"fit": "trim"}}
        )

        async def work(manager: ConfiguredLLM) -> None:
            assert (await manager.generate(words, model="old:gpt-4o")).notices == ()
            assert (await manager.generate([*words, *words])).notices != ()
            with pytest.raises(ContextLengthExceededError, match="too long"):
                await manager.generate("word " * 40_000)

        async def main() -> None:
            clock = SystemClock()
            manager = build_llm(settings, clock, SystemIds(clock), environment={"K": "sk-key-1234"})
            try:
                await work(manager)
            finally:
                await manager.aclose()

        asyncio.run(main())
        assert len(server.requests) == 2
