"""Responses that go on in the background are cancelled at OpenAI when nobody waits for them any more."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path

import pytest

from sentient_cli.config.secret import Secret
from sentient_cli.errors import ProviderConnectionError, ServerError
from sentient_cli.llm import LLMManager
from sentient_cli.llm.openai import OpenAIConfig, OpenAIProvider, leaving
from sentient_cli.llm.provider import Request
from sentient_cli.llm.types import Message
from tests.llm.providers.chat_wire import MODEL, WORDS
from tests.llm.providers.responses_wire import events, stream, words
from tests.support.commands import start_reading
from tests.support.llm_server import Answer, LLMServer, Received, as_json
from tests.support.served import serve
from tests.support.wire import Wire, ask, fetch_json, wait_finished


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with a lot to do takes its time."""
    monkeypatch.setattr(leaving, "_PATIENCE", _PATIENCE)
    monkeypatch.setattr(leaving, "_AT_THE_END", _PATIENCE)


ASK = Request(model=MODEL, messages=(Message.user("Count."),), call="call-1")
CANCEL = "/v1/responses/resp_1%2F../cancel"
CANCELLED = as_json({"id": "resp_1/..", "status": "cancelled"})
_PATIENCE = 60.0


class OpenAI:
    """Begins to answer and then says nothing more.

    Args:
        cancelled: What is said to who cancels.
        answer: The response.
        later: What is said to who takes it up again.
    """

    def __init__(
        self, cancelled: Answer = CANCELLED, answer: Answer | None = None, later: Answer | None = None
    ) -> None:
        self._cancelled = cancelled
        self._answer = answer or Answer(stream(events(*words()))[:5], how="stall")
        self._later = later or as_json({"error": {"message": "Gone"}}, 404)
        self.asked = threading.Event()
        """Somebody has cancelled."""

    def __call__(self, received: Received) -> Answer:
        if received.path == CANCEL:
            self.asked.set()
            return self._cancelled
        return self._later if received.method == "GET" else self._answer


@asynccontextmanager
async def opened(server: LLMServer, *, background: bool = True) -> AsyncGenerator[OpenAIProvider, None]:
    config = OpenAIConfig(
        base_url=f"{server.url}/v1", default_model=MODEL, api_key=Secret("sk-1"), api="responses",
        background=background,
    )  # fmt: skip
    provider = OpenAIProvider(config)
    try:
        yield provider
    finally:
        await provider.aclose()


async def begin(provider: OpenAIProvider) -> None:
    """Read the beginning of an answer, and leave it."""
    async with aclosing(provider.stream(ASK)) as chunks:
        async for chunk in chunks:
            if chunk.text:
                return


async def left(provider: OpenAIProvider) -> None:
    await begin(provider)


async def cancelled(provider: OpenAIProvider) -> None:
    begun = asyncio.Event()

    async def read() -> None:
        async with aclosing(provider.stream(ASK)) as chunks:
            async for chunk in chunks:
                if chunk.text:
                    begun.set()

    task = asyncio.create_task(read())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def too_late(provider: OpenAIProvider) -> None:
    manager = LLMManager([provider], default_model="openai")

    async def read() -> None:
        async with asyncio.timeout(None) as limit, manager.stream("Count.") as chunks:
            async for _ in chunks:
                limit.reschedule(asyncio.get_running_loop().time())  # once the answer has begun

    with pytest.raises(TimeoutError):
        await read()


def cancels(server: LLMServer) -> list[Received]:
    return [received for received in server.requests if received.path.endswith("/cancel")]


@pytest.mark.story("4.3", "14.8")
@pytest.mark.parametrize("leave", [left, cancelled, too_late])
async def test_who_leaves_a_response_has_it_cancelled_once(leave: Callable[[OpenAIProvider], Awaitable[None]]) -> None:
    with LLMServer(OpenAI()) as server:
        async with opened(server) as provider:
            await leave(provider)
        (received,) = cancels(server)
    assert (received.method, received.path) == ("POST", CANCEL)
    assert received.headers["authorization"] == "Bearer sk-1"


@pytest.mark.story("14.8")
async def test_nobody_waits_for_that() -> None:
    told = threading.Event()
    slow = Answer([b"{", b"}"], content_type="application/json", gate=told)
    with LLMServer(OpenAI(slow)) as server:
        async with opened(server) as provider:
            await begin(provider)
            assert provider.metrics().active == 0
            await asyncio.to_thread(server.wait_open, 1)  # that of the call is closed, that of the cancel stands
            assert not told.is_set()  # it is not answered yet, and we are here
            told.set()
        assert len(cancels(server)) == 1


FAILING = {
    "it has ended": as_json({"error": {"message": "Cannot cancel a completed response."}}, 400),
    "it is not known": as_json({"error": {"message": "No response found."}}, 404),
    "broken": as_json({"error": "Oops"}, 500),
    "no JSON": Answer(b"<html>"),
    "reset": Answer(b"", how="reset"),
    "silent": Answer(b"{", how="stall"),
}


@pytest.mark.parametrize("answer", FAILING.values(), ids=FAILING)
async def test_one_that_cannot_be_cancelled_hurts_nothing(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving, "_AT_THE_END", 0.2)
    fails = OpenAI(answer)
    with LLMServer(fails) as server:
        async with opened(server) as provider:
            await begin(provider)
            assert await asyncio.to_thread(fails.asked.wait, _PATIENCE)
            server.answer(Answer(stream(events(*words()))))
            assert (await provider.generate(ASK)).text == "".join(WORDS)
            assert provider.metrics().errors == 0
        assert len(cancels(server)) == 1
        await asyncio.to_thread(server.wait_open, 0)


async def test_nor_does_a_server_that_is_gone() -> None:
    async with asyncio.timeout(_PATIENCE):
        with LLMServer(OpenAI()) as server:
            provider = OpenAIProvider(
                OpenAIConfig(base_url=f"{server.url}/v1", api_key=Secret("sk-1"), api="responses", background=True)
            )
            chunks = provider.stream(ASK)
            assert (await anext(chunks)).model == MODEL
        await chunks.aclose()
        await provider.aclose()


async def test_one_that_cannot_be_taken_up_again_is_cancelled_too() -> None:
    breaks = Answer(stream(events(*words()))[:5], how="close")
    with LLMServer(OpenAI(answer=breaks)) as server:
        async with opened(server) as provider:
            with pytest.raises(ProviderConnectionError):
                await provider.generate(ASK)
        assert [(received.method, received.path.partition("?")[0]) for received in server.requests] == [
            ("POST", "/v1/responses"),
            ("GET", "/v1/responses/resp_1%2F.."),
            ("POST", CANCEL),
        ]


ENDED = {
    "complete": stream(events(*words())),
    "too long": stream(events(*words(), last="incomplete", incomplete_details={"reason": "max_output_tokens"})),
    "failed": stream(events(*words(), last="failed", error={"code": "server_error", "message": "No"})),
    "cancelled by another": stream(events(*words(), last="cancelled")),
    "an error": [*stream(events(*words())[:5]), *stream([{"type": "error", "code": "server_error", "message": "No"}])],
}


@pytest.mark.parametrize("body", ENDED.values(), ids=ENDED)
async def test_one_that_has_ended_is_not_cancelled(body: list[bytes]) -> None:
    with LLMServer(OpenAI(answer=Answer(body))) as server:
        async with opened(server) as provider:
            with suppress(ServerError):
                await provider.generate(ASK)
            assert provider.metrics().requests == 1
        assert not cancels(server)


async def test_nor_is_one_that_ends_with_its_connection() -> None:
    with LLMServer(OpenAI()) as server:
        async with opened(server, background=False) as provider:
            await begin(provider)
        assert not cancels(server)


_AGENT = """
from sentient_cli import agent, llm

@agent
async def asker(session, query, response):
    await response.stream_llm("ANSWER", llm.stream(query.prompt))
"""
_SETTINGS = """
[llm]
model = "openai:gpt-5.4"
[llm.providers.openai]
base_url = "{url}/v1"
api_key_env = "MODEL_KEY"
options = {{ api = "responses", background = true }}
"""


@pytest.mark.story("14.8")
def test_a_run_that_is_stopped_stops_its_model(tmp_path: Path) -> None:
    (tmp_path / "asker.py").write_text(_AGENT)
    model = OpenAI()
    with LLMServer(model) as server:
        (tmp_path / "sentient.toml").write_text(_SETTINGS.format(url=server.url))
        env = {"SENTIENT_SERVER_DRAIN_DELAY": "0", "MODEL_KEY": "sk-1"}
        with serve(tmp_path, agent=tmp_path / "asker.py", env=env) as served, Wire(served.address) as wire:
            answer = ask(wire, "Count.")
            assert next(answer.frames()).content == WORDS[0]
            assert fetch_json(served.address, f"/runs/{answer.run_id}/cancel", "POST")[0] == 202
            assert wait_finished(served.address, answer.run_id)["outcome"] == "cancelled"
            assert model.asked.wait(_PATIENCE)
        assert len(cancels(server)) == 1


@pytest.mark.story("14.8")
def test_an_interrupt_of_a_command_does_so_before_it_ends(tmp_path: Path) -> None:
    with LLMServer(OpenAI()) as server:
        (tmp_path / "sentient.toml").write_text(_SETTINGS.format(url=server.url))
        environment = {**os.environ, "MODEL_KEY": "sk-1"}
        patient = f"from sentient_cli.llm.openai import leaving; leaving._PATIENCE = leaving._AT_THE_END = {_PATIENCE}"
        command, out = start_reading("ask", "Count.", directory=tmp_path, environment=environment, prelude=patient)
        with out:
            assert out.read(len(WORDS[0])).decode() == WORDS[0]
            command.send_signal(signal.SIGINT)
            assert command.wait(_PATIENCE) == 130
        assert len(cancels(server)) == 1
