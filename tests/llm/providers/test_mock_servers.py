"""Each provider against servers that others have written: they do not share our mistakes about the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

import pytest

from sentient_cli import llm
from sentient_cli.config.secret import Secret
from sentient_cli.errors import ProviderError
from sentient_cli.llm import LLMManager, LLMProvider, Message, Parameters, Request, ToolSpec
from sentient_cli.llm.anthropic import AnthropicConfig, AnthropicProvider
from sentient_cli.llm.batches import BatchStatus
from sentient_cli.llm.compatible import CompatibleConfig, CompatibleProvider
from sentient_cli.llm.compatible.vendors import VENDORS
from sentient_cli.llm.openai import OpenAIConfig, OpenAIProvider
from tests.support.mock_servers import aimock, has_aimock, llmock

Make: TypeAlias = Callable[[str], LLMProvider]
KEY = Secret("sk-test-of-mock-servers")
WEATHER = ToolSpec(
    "get_weather",
    "Tells the weather.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
FIXTURES: Sequence[object] = [
    {"match": {"userMessage": "hello"}, "response": {"content": "Hello to you — from a server of others, ✓."}},
    {
        "match": {"userMessage": "weather", "hasToolResult": False},
        "response": {"toolCalls": [{"name": "get_weather", "arguments": {"city": "Bern"}}]},
    },
    {"match": {"userMessage": "weather", "hasToolResult": True}, "response": {"content": "It rains."}},
    *(
        {"match": {"userMessage": said}, "response": {"error": {"message": "No", **error}, "status": status}}
        for said, status, error in (
            ("too much", 429, {"type": "rate_limit_error"}),
            ("who are you", 401, {"type": "authentication_error"}),
            (
                "too long",
                400,
                {"type": "invalid_request_error", "message": "prompt is too long: 9001 tokens > 8192 maximum"},
            ),
            ("broken", 500, {"type": "api_error"}),
        )
    ),
    {"match": {"userMessage": "cut"}, "response": {"content": "Hello to you"}, "truncateAfterChunks": 2},
]
REFUSALS = {
    "too much": "rate-limit",
    "who are you": "authentication",
    "too long": "context-length",
    "broken": "provider-server",
}


def _openai(url: str) -> LLMProvider:
    return OpenAIProvider(OpenAIConfig(api_key=KEY, base_url=f"{url}/v1"))


def _responses(url: str) -> LLMProvider:
    return OpenAIProvider(OpenAIConfig(api_key=KEY, base_url=f"{url}/v1", api="responses"))


def _anthropic(url: str) -> LLMProvider:
    return AnthropicProvider(AnthropicConfig(api_key=KEY, base_url=url))


def _compatible(vendor: str, path: str) -> Make:
    def make(url: str) -> LLMProvider:
        return CompatibleProvider(vendor, CompatibleConfig(api_key=KEY, base_url=f"{url}{path}", default_model="m"))

    return make


LLMOCK: Sequence[tuple[Make, str]] = (
    (_openai, "gpt-5"),
    (_responses, "gpt-5"),
    (lambda url: _anthropic(f"{url}/anthropic"), "claude-sonnet-4-5"),
    (_compatible("groq", "/groq/openai/v1"), "llama"),
    (_compatible("together", "/together/v1"), "qwen"),
    (_compatible("mistral", "/mistral/v1"), "mistral-large"),
    (_compatible("perplexity", "/perplexity/v1"), "sonar"),
    (_compatible("xai", "/xai/v1"), "grok"),
)
UNDER_OTHER_NAMES: Sequence[tuple[Make, str]] = tuple(
    (_compatible(vendor, "/v1"), "m")
    for vendor in (
        "cohere",
        "deepseek",
        "openrouter",
        "ollama",
        "vllm",
        "lmstudio",
        "llamacpp",
        "huggingface",
        "nvidia",
    )
)
"""It has no such servers; each of these is given the one that speaks like OpenAI, in the words that it takes itself."""
TELL_USAGE_WHEN_ASKED = ("openai", "anthropic", "groq", "together", "xai")
"""The real servers of the others tell it without being asked, and some refuse a request that asks."""
LIST_MODELS = LLMOCK[:-1]
AIMOCK: Sequence[tuple[Make, str]] = (
    (_openai, "gpt-5"),
    (_responses, "gpt-5"),
    (_anthropic, "claude-sonnet-4-5"),
    *((_compatible(vendor.id, urlsplit(vendor.base_url).path), "anything") for vendor in VENDORS.values()),
)
"""Each vendor at the path that it really has."""


@asynccontextmanager
async def opened(provider: LLMProvider) -> AsyncGenerator[LLMProvider, None]:
    try:
        await provider.initialize()
        yield provider
    finally:
        await provider.aclose()


@pytest.fixture(scope="module")
def from_pypi() -> Generator[str]:
    with llmock("--response-style", "echo") as url:
        yield url


@pytest.fixture(scope="module")
def from_npm(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    if not has_aimock():
        pytest.skip("it is not there: `make test-all` fetches it")
    folder: Path = tmp_path_factory.mktemp("aimock")
    with aimock(folder, FIXTURES, "--chunk-size", "5") as url:
        yield url


@pytest.mark.slow
@pytest.mark.story("1.3", "2.3", "3.2")
@pytest.mark.parametrize(("make", "model"), [*LLMOCK, *UNDER_OTHER_NAMES])
async def test_an_answer_streams(from_pypi: str, make: Make, model: str) -> None:
    async with opened(make(from_pypi)) as provider:
        manager = LLMManager([provider], default_model=f"{provider.provider_id}:{model}")
        async with manager.stream("Say something nice, please") as stream:
            texts = [text async for text in stream]
            answer = await stream.completion()
    assert len(texts) > 1
    assert "Say something nice, please" in "".join(texts) == answer.text
    assert answer.finish_reason == "stop"
    if answer.provider in TELL_USAGE_WHEN_ASKED:
        assert answer.usage.input
        assert answer.usage.output
        assert not answer.usage.estimated


@pytest.mark.slow
@pytest.mark.story("1.6", "2.4", "3.2")
@pytest.mark.parametrize(("make", "model"), [*LLMOCK[:5], *UNDER_OTHER_NAMES])
async def test_a_tool_is_called_and_its_result_answered(from_pypi: str, make: Make, model: str) -> None:
    called: list[str] = []

    @llm.tool
    def get_weather(city: str) -> str:
        """Tells the weather."""
        called.append(city)
        return "rain"

    async with opened(make(from_pypi)) as provider:
        manager = LLMManager([provider], default_model=f"{provider.provider_id}:{model}")
        answer = await llm.run_tools("What is the weather in Bern?", [get_weather], manager=manager)
    assert called
    assert answer.finish_reason == "stop"
    assert [message.role for message in answer.messages] == ["assistant", "tool", "assistant"]


@pytest.mark.slow
@pytest.mark.story("1.2", "2.2", "3.2")
@pytest.mark.parametrize("make", [make for make, _ in LIST_MODELS])
async def test_models_are_listed_and_settings_validated(from_pypi: str, make: Make) -> None:
    async with opened(make(from_pypi)) as provider:
        await provider.validate()
        assert await provider.models()


@pytest.mark.story("1.3", "2.3", "3.2")
@pytest.mark.slow
@pytest.mark.parametrize(("make", "model"), AIMOCK)
async def test_an_answer_streams_from_the_other_server(from_npm: str, make: Make, model: str) -> None:
    async with opened(make(from_npm)) as provider:
        request = Request(model=model, messages=(Message.user("hello"),), parameters=Parameters(max_tokens=100))
        texts = [chunk.text async for chunk in provider.stream(request) if chunk.text]
    assert len(texts) > 1
    assert "".join(texts) == "Hello to you — from a server of others, ✓."


@pytest.mark.story("1.6", "2.4", "3.2")
@pytest.mark.slow
@pytest.mark.parametrize(("make", "model"), AIMOCK)
async def test_a_tool_call_of_the_other_server(from_npm: str, make: Make, model: str) -> None:
    async with opened(make(from_npm)) as provider:
        question = Message.user("weather")
        parameters = Parameters(max_tokens=100)
        asked = Request(model=model, messages=(question,), tools=(WEATHER,), parameters=parameters)
        answer = await provider.generate(asked)
        (call,) = answer.tool_calls
        assert (call.name, call.parsed()) == ("get_weather", {"city": "Bern"})
        assert answer.finish_reason == "tool_call"
        messages = (question, answer.message, Message.tool(call, "rain"))
        final = await provider.generate(
            Request(model=model, messages=messages, tools=(WEATHER,), parameters=parameters)
        )
    assert final.text == "It rains."


@pytest.mark.story("1.8", "4.3")
@pytest.mark.slow
@pytest.mark.parametrize(("make", "model"), AIMOCK)
async def test_refusals_of_the_other_server(from_npm: str, make: Make, model: str) -> None:
    told: dict[str, str] = {}
    async with opened(make(from_npm)) as provider:
        for said in REFUSALS:
            request = Request(model=model, messages=(Message.user(said),), parameters=Parameters(max_tokens=100))
            with pytest.raises(ProviderError) as caught:
                await provider.generate(request)
            told[said] = caught.value.code
            assert caught.value.provider == provider.provider_id
    assert told == REFUSALS


@pytest.mark.story("4.3", "E4.1")
@pytest.mark.slow
@pytest.mark.parametrize(("make", "model"), AIMOCK)
async def test_an_answer_that_the_other_server_breaks_off(from_npm: str, make: Make, model: str) -> None:
    async with opened(make(from_npm)) as provider:
        request = Request(model=model, messages=(Message.user("cut"),), parameters=Parameters(max_tokens=100))
        with pytest.raises(ProviderError) as caught:
            await provider.generate(request)
    assert (caught.value.code, caught.value.retryable) == ("provider-connection", True)
    assert "Hello to you".startswith(caught.value.partial_text)


@pytest.mark.slow
@pytest.mark.story("1.2", "2.2", "3.2")
@pytest.mark.parametrize("make", [_openai, _anthropic, _compatible("ollama", "/v1"), _compatible("vllm", "/v1")])
async def test_models_of_the_other_server(from_npm: str, make: Make) -> None:
    async with opened(make(from_npm)) as provider:
        assert {model.id for model in await provider.models()} >= {"gpt-4o"}
        await provider.validate()


async def _ended(provider: OpenAIProvider | AnthropicProvider, batch: str) -> BatchStatus:
    """How a batch ended, which the server works on for a moment."""
    while not (status := await provider.batch_status(batch)).is_over:  # noqa: ASYNC110 - it can only be asked
        await asyncio.sleep(0.05)
    return status


@pytest.mark.slow
@pytest.mark.story("3.6")
@pytest.mark.parametrize("kind", ["openai", "anthropic"])
async def test_a_batch(from_pypi: str, kind: str) -> None:
    provider = (
        OpenAIProvider(OpenAIConfig(api_key=KEY, base_url=f"{from_pypi}/v1"))
        if kind == "openai"
        else AnthropicProvider(AnthropicConfig(api_key=KEY, base_url=f"{from_pypi}/anthropic"))
    )
    model = {"openai": "gpt-5", "anthropic": "claude-sonnet-4-5"}[kind]
    async with opened(provider):
        requests = [Request(model=model, messages=(Message.user(text),)) for text in ("First", "Second")]
        batch = await provider.submit_batch(requests)
        status = await _ended(provider, batch)
        assert (status.state, status.succeeded, status.failed) == ("ended", 2, 0)
        results = [result async for result in provider.batch_results(batch)]
        with pytest.raises(ProviderError):
            await provider.batch_status("batch_that_is_none")
    told = {result.index: result.completion for result in results}
    assert sorted(told) == [0, 1]
    assert all(answer is not None and answer.text for answer in told.values())


@pytest.mark.slow
@pytest.mark.story("3.6")
async def test_a_batch_of_the_other_server(from_npm: str) -> None:
    provider = OpenAIProvider(OpenAIConfig(api_key=KEY, base_url=f"{from_npm}/v1"))
    async with opened(provider):
        requests = [Request(model="gpt-5", messages=(Message.user(text),)) for text in ("First", "Second", "Third")]
        batch = await provider.submit_batch(requests)
        status = await _ended(provider, batch)
        assert (status.state, status.succeeded, status.failed) == ("ended", 3, 0)
        answers = {result.index: result.answer().text async for result in provider.batch_results(batch)}
        assert answers == dict.fromkeys(range(3), "Mock batch completion")
        cancelled = await provider.cancel_batch(await provider.submit_batch(requests))
        assert cancelled.state in {"cancelling", "ended"}
        with pytest.raises(ProviderError):
            await provider.batch_status("batch_that_is_none")
