"""What servers tell of their models decides where calls go; what only some providers have is reached all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest
from typing_extensions import override

from sentient_cli import llm
from sentient_cli.errors import BadRequestError
from sentient_cli.llm import Capabilities, Message, OfflineProvider, RateLimits, tool
from sentient_cli.llm.current import current_manager
from sentient_cli.llm.provider import Request
from tests.cli.llm_command_kit import chat_answer
from tests.llm.factory.socket_kit import Waits, configured, table
from tests.support.llm_server import Answer, LLMServer, Received, as_json

TALK = tuple(Message.user(f"This is thing number {number} of those that are told") for number in range(40))


@tool
def now() -> str:
    """The time."""
    return "noon"


def _ollama(tools: bool, *, length: int = 8192, parameters: str = "") -> Callable[[Received], Answer]:
    def answer(received: Received) -> Answer:
        if received.path == "/api/show":
            can = ["completion", *(["tools"] if tools else [])]
            told = {"capabilities": can, "model_info": {"llama.context_length": length}, "parameters": parameters}
            return as_json(told)
        if not tools and b'"tools"' in received.body:
            return as_json({"error": {"message": "small does not support tools"}}, 400)
        return chat_answer("Ollama")

    return answer


def _paths(server: LLMServer) -> list[str]:
    return [request.path for request in server.requests]


@pytest.mark.story("3.2", "3.4")
async def test_a_model_whose_server_says_that_it_has_no_tools_is_left_out() -> None:
    with LLMServer(_ollama(tools=False)) as local, LLMServer(chat_answer("Another")) as other:
        told = {
            "model": "pair",
            "groups": {"pair": ["local:small", "other:large"]},
            "providers": {"local": table(local, "ollama"), "other": table(other)},
            "usage": False,
        }
        async with configured(told) as manager:
            for _ in range(2):
                answer = await llm.run_tools("What time is it?", [now], manager=manager)
                assert (answer.text, answer.attempts) == ("Another", 1)
            assert (await manager.generate("Hello")).text == "Ollama"
    assert _paths(local).count("/api/show") == 1


async def test_a_server_that_does_not_tell_holds_no_call_up() -> None:
    def dumb(received: Received) -> Answer:
        return chat_answer("Well") if received.path == "/v1/chat/completions" else as_json({"error": "No"}, 404)

    with LLMServer(dumb) as local:
        told = {"model": "local:small", "providers": {"local": table(local, "ollama")}, "usage": False}
        async with configured(told) as manager:
            for _ in range(2):
                assert (await llm.run_tools("What time is it?", [now], manager=manager)).text == "Well"
    assert _paths(local).count("/api/show") == 1


@pytest.mark.story("E2.3")
@pytest.mark.parametrize(("length", "parameters"), [(300, ""), (100_000, "stop  end\nnum_ctx      300")])
async def test_a_conversation_is_made_to_fit_what_the_server_says(length: int, parameters: str) -> None:
    with LLMServer(_ollama(tools=True, length=length, parameters=parameters)) as local:
        told = {
            "model": "local:small",
            "providers": {"local": table(local, "ollama")},
            "context": {"fit": "trim", "reserve": 50},
            "usage": False,
        }
        async with configured(told) as manager:
            assert "left out" in (await manager.generate(TALK)).notices[0]
            assert "left out" in (await manager.generate(TALK)).notices[0]
        assert _paths(local).count("/api/show") == 1


async def test_batches_of_a_configured_provider() -> None:
    def batches(received: Received) -> Answer:
        if received.path.startswith("/v1/files"):
            return as_json({"id": "file-in", "object": "file", "bytes": 1, "filename": "f", "purpose": "batch"})
        return as_json({"id": "batch_1", "object": "batch", "status": "in_progress", "endpoint": "", "created_at": 1})

    with LLMServer(batches) as server, LLMServer(chat_answer("No")) as other:
        providers = {"work": table(server, "openai", "WORK_KEY"), "other": table(other)}
        told = {"model": "work:gpt-5-mini", "providers": providers, "usage": False}
        async with configured(told, keys=["WORK_KEY"]) as manager:
            current_manager.set(manager)  # as in a run; this task ends with the test
            provider, model = llm.batch_provider()
            batch = await provider.submit_batch([Request(model=model, messages=(Message.user("Hi"),))])
            assert (batch, model, (await provider.batch_status(batch)).is_over) == ("batch_1", "gpt-5-mini", False)
            with pytest.raises(BadRequestError, match="takes no batches"):
                llm.batch_provider("other:any")
            await asyncio.to_thread(other.wait_open, 0)


class _Few(OfflineProvider):
    """Takes six requests a minute, and says so."""

    @property
    @override
    def provider_id(self) -> str:
        return "few"

    @property
    @override
    def capabilities(self) -> Capabilities:
        return msgspec.structs.replace(super().capabilities, rate_limits=RateLimits(requests_per_minute=6))


async def test_a_provider_that_takes_so_much_gets_no_more() -> None:
    clock = Waits()
    async with configured({"usage": False}, clock=clock) as manager:
        manager.register(_Few())
        for _ in range(7):
            await manager.generate("Hello", model="few:echo")
    assert sum(clock.slept) == pytest.approx(10, abs=0.5)
