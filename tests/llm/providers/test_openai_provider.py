"""OpenAI as a provider, against servers on loopback."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, asynccontextmanager

import httpx2
import openai
import pytest

from sentient_cli.config.secret import Secret
from sentient_cli.errors import (
    BadRequestError,
    ConfigError,
    ContentFilterError,
    CredentialNotFoundError,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    SentientError,
    ServerError,
)
from sentient_cli.llm.openai import OpenAIConfig, OpenAIProvider
from sentient_cli.llm.openai.seam import failure_of_sdk
from sentient_cli.llm.parameters import Parameters
from sentient_cli.llm.provider import Request
from sentient_cli.llm.types import Chunk, JsonValue, Message, ToolSpec, Usage
from sentient_cli.testing import provider_checks
from tests.llm.providers.chat_wire import MODEL, WORDS, call_frame, ending, frame, handle, text_answer, text_frame
from tests.support.llm_server import Answer, LLMServer, Received, as_json, as_sse

ASK = Request(model=MODEL, messages=(Message.user("Count."),), call="01JS4F4Z5V0000000000000001")
KEY = Secret("sk-1")


@pytest.fixture(name="server")
def _server() -> Iterator[LLMServer]:
    with LLMServer(handle) as server:
        yield server


@asynccontextmanager
async def opened(
    server: LLMServer, *, keys: tuple[str, ...] = ("sk-1",), **settings: JsonValue
) -> AsyncGenerator[OpenAIProvider, None]:
    provider = OpenAIProvider(OpenAIConfig(base_url=f"{server.url}/v1", default_model=MODEL))
    await provider.update_config({"api_keys": [*keys], **settings})
    try:
        yield provider
    finally:
        await provider.aclose()


async def read(provider: OpenAIProvider, request: Request = ASK) -> list[Chunk]:
    async with aclosing(provider.stream(request)) as stream:
        return [chunk async for chunk in stream]


CHECKS = [check.name for check in provider_checks(OpenAIProvider, failing=OpenAIProvider, secret="x")]


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKS)
async def test_it_keeps_every_promise_of_a_provider(name: str) -> None:
    key = "sk-test-never-to-be-seen-0003"
    with LLMServer(handle) as server, LLMServer(as_json({"error": f"No: {key}"}, 401)) as broken:

        def make(url: str = server.url) -> OpenAIProvider:
            return OpenAIProvider(OpenAIConfig(base_url=f"{url}/v1", default_model=MODEL, api_key=Secret(key)))

        checks = provider_checks(make, failing=lambda: make(broken.url), repeatable=True, secret=key)
        await next(check for check in checks if check.name == name).run()


@pytest.mark.story("1.1", "1.3", "1.7")
async def test_an_answer_piece_by_piece(server: LLMServer) -> None:
    async with opened(server) as provider:
        chunks = await read(provider)
        assert provider.metrics().output_tokens == 10
    assert [chunk.text for chunk in chunks if chunk.text] == list(WORDS)
    assert chunks[0].model == MODEL
    assert chunks[-1] == Chunk(usage=Usage(input=12, output=10), finish_reason="stop")
    asked = server.requests[-1]
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["authorization"] == "Bearer sk-1"
    assert asked.headers["idempotency-key"].startswith(f"{ASK.call}-")
    assert asked.json() == {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Count."}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_a_request_has_a_name_of_its_own_and_keeps_it_when_it_is_sent_again(server: LLMServer) -> None:
    other = Request(model="another", messages=ASK.messages, call=ASK.call)
    async with opened(server) as provider:
        for request in (ASK, ASK, other):
            await read(provider, request)
    first, again, second = [asked.headers["idempotency-key"] for asked in server.requests]
    assert first == again != second
    assert all(name.startswith(f"{ASK.call}-") for name in (first, second))


@pytest.mark.story("1.2")
async def test_a_model_that_nobody_knows_yet(server: LLMServer) -> None:
    async with opened(server) as provider:
        answer = await provider.generate(Request(model="gpt-99-far-ahead", messages=ASK.messages))
    assert answer.model == "gpt-99-far-ahead"
    assert server.requests[-1].json()["model"] == "gpt-99-far-ahead"


@pytest.mark.story("1.5")
async def test_parameters_go_by_their_names_and_what_is_unknown_is_said(server: LLMServer) -> None:
    parameters = Parameters(
        max_tokens=5, effort="xhigh", user="u1", top_k=3, extra={"openai": {"verbosity": "low"}, "groq": {"no": 1}}
    )
    async with opened(server) as provider:
        chunks = await read(provider, Request(model=MODEL, messages=ASK.messages, parameters=parameters))
    sent = server.requests[-1].json()
    told = {
        name: sent[name] for name in ("max_completion_tokens", "reasoning_effort", "safety_identifier", "verbosity")
    }
    assert list(told.values()) == [5, "xhigh", "u1", "low"]
    assert "no" not in sent
    assert chunks[0].extra == {"notices": ["The parameter 'top_k' was left out: 'openai' does not take it"]}


@pytest.mark.story("1.6")
async def test_calls_of_tools_are_put_together(server: LLMServer) -> None:
    frames = [
        call_frame(0, "a", name="add", arguments=""),
        call_frame(0, arguments='{"x":'),
        call_frame(1, "b", name="add", arguments='{"x":2}'),
        call_frame(0, arguments="1}"),
        *ending("tool_calls"),
    ]
    server.answer(Answer(as_sse(frames, done=True)))
    async with opened(server) as provider:
        answer = await provider.generate(Request(model=MODEL, messages=ASK.messages, tools=(ToolSpec("add"),)))
    assert [(call.id, call.parsed()) for call in answer.tool_calls] == [("a", {"x": 1}), ("b", {"x": 2})]
    assert server.requests[-1].json()["tools"] == [
        {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
    ]


async def test_refusals_and_filtered_answers_are_typed(server: LLMServer) -> None:
    server.answer(Answer(as_sse([frame({"refusal": "I won't"}), *ending()], done=True)))
    async with opened(server) as provider:
        chunks = await read(provider)
        assert "".join(chunk.refusal for chunk in chunks) == "I won't"
        assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["content_filter"]
        server.answer(Answer(as_sse([text_frame("Hm"), *ending("content_filter")], done=True)))
        assert (await provider.generate(ASK)).finish_reason == "content_filter"
        server.answer(as_json({"error": {"message": "No", "code": "content_filter"}}, 400))
        with pytest.raises(ContentFilterError):
            await provider.generate(ASK)


async def test_nothing_of_the_environment_is_used(server: LLMServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "OPENAI_API_KEY": "sk-env",
        "OPENAI_ADMIN_KEY": "sk-env",
        "OPENAI_ORG_ID": "org-env",
        "OPENAI_PROJECT_ID": "proj-env",
        "OPENAI_BASE_URL": "http://127.0.0.1:9",
        "OPENAI_CUSTOM_HEADERS": "x-env: 1",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "ALL_PROXY": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)
    async with opened(server, headers={"x-own": "2"}, organization="org-1") as provider:
        await provider.generate(ASK)
    headers = server.requests[-1].headers
    assert "env" not in " ".join(f"{name} {value}" for name, value in headers.items())
    assert (headers["authorization"], headers["x-own"], headers["openai-organization"]) == ("Bearer sk-1", "2", "org-1")
    provider = OpenAIProvider(OpenAIConfig(base_url=f"{server.url}/v1"))
    with pytest.raises(CredentialNotFoundError) as raised:
        await provider.initialize()
    assert "OPENAI_API_KEY" in raised.value.fix
    assert "offline" in raised.value.fix


@pytest.mark.parametrize("url", ["http://api.example.com/v1", "nonsense", ""])
async def test_addresses_that_are_refused(url: str) -> None:
    provider = OpenAIProvider(OpenAIConfig(base_url=url, api_key=KEY))
    with pytest.raises(ConfigError):
        await provider.initialize()
    with pytest.raises(ConfigError):
        await read(provider)


async def test_one_place_retries_and_it_is_not_the_sdk(server: LLMServer) -> None:
    server.answer(as_json({"error": {"message": "No"}}, 500))
    async with opened(server) as provider:
        with pytest.raises(ServerError):
            await provider.generate(ASK)
        with pytest.raises(ServerError):
            await provider.models()
    assert len(server.requests) == 2


async def test_its_models_and_whether_its_key_is_good(server: LLMServer) -> None:
    async with opened(server) as provider:
        assert [model.id for model in await provider.models()] == [MODEL]
        await provider.validate()
        server.answer(Answer(b"<html>", content_type="text/html"))
        with pytest.raises(ProviderError):
            await provider.validate()


def by_key(received: Received) -> Answer:
    if received.headers["authorization"] == "Bearer busy":
        return as_json({"error": {"message": "Slow down"}}, 429, retry_after="60")
    return Answer(text_answer())


@pytest.mark.story("1.8")
async def test_a_refused_key_rests_while_the_others_work(server: LLMServer) -> None:
    server.answer(by_key)
    async with opened(server, keys=("busy", "good")) as provider:
        for _ in range(3):
            await provider.generate(ASK)
    used = [received.headers["authorization"] for received in server.requests]
    assert used == ["Bearer busy", "Bearer good", "Bearer good", "Bearer good"]


@pytest.mark.story("3.3")
async def test_settings_change_while_a_call_goes_on(server: LLMServer) -> None:
    server.answer(lambda _: Answer(text_answer(), pace=0.01))
    with LLMServer(handle) as other:
        async with opened(server) as provider:
            stream = provider.stream(ASK)
            chunks = [await anext(stream), await anext(stream)]
            await provider.update_config({"base_url": f"{other.url}/v1"})
            await provider.generate(ASK)
            assert len(other.requests) == 1
            chunks += [chunk async for chunk in stream]
            assert "".join(chunk.text for chunk in chunks) == "".join(WORDS)
            await asyncio.to_thread(server.wait_open, 0)


@pytest.mark.story("13.6")
async def test_connections_are_opened_before_there_is_traffic(server: LLMServer) -> None:
    async with opened(server) as provider:
        assert await provider.warm_up(2) == 2
        assert server.requests[-1].headers["authorization"] == "Bearer sk-1"
        await provider.generate(ASK)
        assert server.accepted == 2


# ------------------------------------------------------------------------------------------------------------ the seam
REQUEST = httpx2.Request("POST", "https://e.com/v1", headers={"authorization": "Bearer sk-hidden"})


def _response(status: int) -> httpx2.Response:
    return httpx2.Response(status, json={"error": {"message": "No"}}, request=REQUEST)


def _all(kind: type[Exception]) -> list[type[Exception]]:
    return [kind, *(below for one in kind.__subclasses__() for below in _all(one))]


def _make(kind: type[Exception]) -> Exception:
    """One of a class, with what any of them looks at, whatever its constructor takes."""
    error = kind.__new__(kind)
    told: dict[str, object] = {
        "message": "No",
        "request": REQUEST,
        "body": {"message": "No", "code": "x"},
        "response": _response(getattr(kind, "status_code", 500)),
        "status_code": getattr(kind, "status_code", 500),
    }
    for name, value in told.items():
        setattr(error, name, value)
    return error


SDK = [kind for kind in _all(openai.OpenAIError) if kind.__module__.startswith("openai")]
BELOW = [kind for base in (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) for kind in _all(base)]


@pytest.mark.parametrize("kind", SDK, ids=lambda kind: kind.__name__)
def test_every_error_of_the_sdk_becomes_ours(kind: type[Exception]) -> None:
    failure = failure_of_sdk("openai", _make(kind))
    assert isinstance(failure, ProviderError)
    assert failure.provider == "openai"
    assert "sk-hidden" not in f"{failure} {failure!r}"
    assert isinstance(failure, ProviderTimeoutError) == issubclass(kind, openai.APITimeoutError)


@pytest.mark.parametrize("kind", [httpx2.ReadTimeout, httpx2.ReadError, httpx2.RemoteProtocolError, httpx2.InvalidURL])
def test_what_the_sdk_lets_through_becomes_ours(kind: type[Exception]) -> None:
    failure = failure_of_sdk("openai", kind("No"))
    wanted = ProviderTimeoutError if kind is httpx2.ReadTimeout else ProviderConnectionError
    assert type(failure) is wanted
    assert isinstance(failure_of_sdk("openai", ValueError("no JSON")), ProviderConnectionError)


def test_ours_within_the_sdks_is_found_again() -> None:
    ours = BadRequestError("No")
    theirs = openai.APIConnectionError(request=REQUEST)
    theirs.__cause__ = ours
    assert failure_of_sdk("openai", theirs) is ours
    assert failure_of_sdk("openai", ours) is ours
    mistake = KeyError("a mistake of ours")
    assert failure_of_sdk("openai", mistake) is mistake
    assert not isinstance(mistake, SentientError)


@pytest.mark.slow
def test_the_sdk_is_loaded_when_it_is_needed_and_not_before() -> None:
    script = (
        "import sys, threading\n"
        "from sentient_cli.llm.openai import OpenAIConfig, OpenAIProvider, preload\n"
        "from sentient_cli.llm.compatible import CompatibleProvider\n"
        "OpenAIProvider(OpenAIConfig()); CompatibleProvider('ollama')\n"
        "heavy = {'openai', 'aiohttp', 'httpx2', 'pydantic', 'anthropic'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "preload()\n"
        "assert 'openai' in sys.modules and 'anthropic' not in sys.modules\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
