"""Anthropic as a provider, against a server on loopback."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import Literal, cast

import pytest

from sentient_cli.config.secret import Secret
from sentient_cli.errors import (
    AuthenticationError,
    ConfigError,
    ContextLengthExceededError,
    CredentialNotFoundError,
    ProviderConnectionError,
    ProviderError,
    QuotaError,
    RateLimitError,
    ServerError,
)
from sentient_cli.llm import Chunk, Message, Parameters, Request
from sentient_cli.llm.anthropic import AnthropicConfig, AnthropicProvider
from sentient_cli.testing import FixedClock, ProviderCheck, provider_checks
from tests.llm.providers.anthropic_wire import MODEL, handle, text_answer
from tests.support.llm_server import Answer, LLMServer, as_json

ASKED = Request(model=MODEL, messages=(Message.user("Count."),))


@pytest.fixture(name="server")
def _server() -> Iterator[LLMServer]:
    with LLMServer(handle) as server:
        yield server


def configured(server: LLMServer, *keys: str) -> AnthropicConfig:
    secrets = tuple(Secret(key) for key in keys or ("sk-ant-test-0001",))
    return AnthropicConfig(base_url=server.url, api_keys=secrets, timeout=5)


@asynccontextmanager
async def opened(server: LLMServer, config: AnthropicConfig | None = None) -> AsyncGenerator[AnthropicProvider, None]:
    provider = AnthropicProvider(config or configured(server), clock=FixedClock())
    try:
        yield provider
    finally:
        await provider.aclose()


async def read(provider: AnthropicProvider, request: Request = ASKED) -> list[Chunk]:
    async with aclosing(provider.stream(request)) as stream:
        return [chunk async for chunk in stream]


CHECKS = [check.name for check in provider_checks(AnthropicProvider, failing=AnthropicProvider, secret="x")]


@pytest.mark.parametrize("name", CHECKS)
def test_it_keeps_every_promise_of_the_protocol(server: LLMServer, name: str) -> None:
    def failing() -> AnthropicProvider:
        return AnthropicProvider(AnthropicConfig(base_url="http://127.0.0.1:9", api_key=Secret("sk-ant-test-0001")))

    checks = provider_checks(
        lambda: AnthropicProvider(configured(server)), failing=failing, repeatable=True, secret="sk-ant-test-0001"
    )
    check: ProviderCheck = next(check for check in checks if check.name == name)
    check()


@pytest.mark.story("2.1")
async def test_what_is_sent_names_the_version_and_the_key_and_asks_for_a_stream(server: LLMServer) -> None:
    async with opened(server) as provider:
        answer = await provider.generate(ASKED)
    sent = server.requests[0]
    assert answer.text == "One two three four five six seven eight nine ten "
    assert (sent.method, sent.path) == ("POST", "/v1/messages")
    assert sent.headers["authorization"] == "Bearer sk-ant-test-0001"
    assert sent.headers["anthropic-version"] == "2026-10-21"
    assert sent.json() == {
        "model": MODEL,
        "stream": True,
        "max_tokens": 16384,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Count."}]}],
    }


async def test_a_server_that_reads_another_header_gets_the_key_there_only(server: LLMServer) -> None:
    config = AnthropicConfig(
        base_url=server.url, api_key=Secret("sk-other"), key_header="x-api-key", api_version="2023-06-01"
    )
    async with opened(server, config) as provider:
        await read(provider)
    headers = server.requests[0].headers
    assert headers["x-api-key"] == "sk-other"
    assert "authorization" not in headers
    assert headers["anthropic-version"] == "2023-06-01"


@pytest.mark.story("2.5", "E3.2")
async def test_parameters_that_this_version_refuses_are_left_out_and_said_with_the_first_chunk(
    server: LLMServer,
) -> None:
    request = Request(model=MODEL, messages=ASKED.messages, parameters=Parameters(temperature=0.2, seed=1))
    async with opened(server) as provider:
        chunks = await read(provider, request)
    assert chunks[0].extra == {
        "notices": [
            "`temperature` is not sent: the version 2026-10-21 of the interface refuses it",
            "`seed` is not sent: the provider has no such parameter",
        ]
    }
    assert not any("notices" in (chunk.extra or {}) for chunk in chunks[1:])
    assert not server.requests[0].json().keys() & {"temperature", "seed"}


@pytest.mark.story("2.7")
async def test_the_tokens_of_its_calls_are_counted(server: LLMServer) -> None:
    async with opened(server) as provider:
        chunks = await read(provider)
        await read(provider)
        metrics = provider.metrics()
    usage = chunks[-1].usage
    assert usage is not None
    assert (usage.input, usage.output, usage.total) == (12, 10, 22)
    assert (metrics.requests, metrics.active, metrics.errors) == (2, 0, 0)
    assert (metrics.input_tokens, metrics.output_tokens) == (24, 20)


async def test_one_connection_serves_calls_that_follow_each_other(server: LLMServer) -> None:
    async with opened(server) as provider:
        for _ in range(3):
            await read(provider)
        assert server.accepted == 1
    server.wait_open(0)


async def test_leaving_a_stream_frees_its_connection_at_once(server: LLMServer) -> None:
    server.answer(Answer(text_answer(), cut=400, how="stall"))
    async with opened(server) as provider:
        async with aclosing(provider.stream(ASKED)) as stream:
            await anext(stream)
            await asyncio.to_thread(server.wait_open, 1)
        await asyncio.to_thread(server.wait_open, 0)
        assert provider.metrics().active == 0


async def test_a_call_that_is_cancelled_while_it_waits_for_the_head_frees_its_connection(server: LLMServer) -> None:
    server.answer(Answer(text_answer(), delay=30))
    async with opened(server) as provider:
        await provider.initialize()
        call = asyncio.create_task(read(provider))
        await asyncio.to_thread(server.wait_open, 1)
        call.cancel()
        await asyncio.wait({call})
        assert call.cancelled()
        await asyncio.to_thread(server.wait_open, 0)
        assert provider.metrics().errors == 0


async def test_without_a_key_the_error_names_the_variable_and_the_model_that_needs_none() -> None:
    provider = AnthropicProvider()
    with pytest.raises(CredentialNotFoundError) as caught:
        await provider.initialize()
    assert "ANTHROPIC_API_KEY" in caught.value.fix
    assert "sentient doctor" in caught.value.fix
    assert "`offline` needs no key" in caught.value.fix


async def test_an_address_without_encryption_is_refused() -> None:
    provider = AnthropicProvider(AnthropicConfig(base_url="http://models.example.com", api_key=Secret("sk-ant-1")))
    with pytest.raises(ConfigError, match="without encryption"):
        await provider.initialize()


async def test_calls_are_spread_over_the_keys_and_one_that_is_used_up_rests(server: LLMServer) -> None:
    slow = as_json(
        {"type": "error", "error": {"type": "rate_limit_error", "message": "Slow down"}}, 429, retry_after="7"
    )
    config = configured(server, "sk-ant-test-0001", "sk-ant-test-0002", "sk-ant-test-0003")
    async with opened(server, config) as provider:
        for _ in range(3):
            await read(provider)
        server.answer(slow, handle)
        for _ in range(4):
            await read(provider)
    used = [sent.headers["authorization"][-1] for sent in server.requests]
    assert "".join(used) == "123" + "1" + "2323"


async def test_settings_change_for_the_next_call_and_calls_going_on_are_left_alone(server: LLMServer) -> None:
    server.answer(Answer(text_answer(), pace=0.01), handle)
    async with opened(server) as provider:
        async with aclosing(provider.stream(ASKED)) as stream:
            await anext(stream)
            await provider.update_config({"api_keys": ["sk-ant-test-0009"], "max_tokens": 5})
            rest = [chunk async for chunk in stream]
        assert rest[-1].finish_reason == "stop"
        await read(provider)
        assert provider.metrics().errors == 0
        assert server.accepted == 1
    assert server.requests[1].headers["authorization"] == "Bearer sk-ant-test-0009"
    assert server.requests[1].json()["max_tokens"] == 5


async def test_models_are_listed_over_all_pages_and_what_they_can_write_is_kept(server: LLMServer) -> None:
    first = {"id": "claude-a", "display_name": "A", "max_input_tokens": 1000, "max_tokens": 77}
    server.answer(
        as_json({"data": [first], "has_more": True, "last_id": "claude-a"}),
        as_json({"data": [{"id": "claude-b", "display_name": "B", "lifecycle": "deprecated"}], "has_more": False}),
        handle,
    )
    async with opened(server) as provider:
        models = await provider.models()
        await read(provider, Request(model="claude-a", messages=ASKED.messages))
    assert [(model.id, model.description, model.context_tokens) for model in models] == [
        ("claude-a", "A", 1000),
        ("claude-b", "B (deprecated)", None),
    ]
    assert "after_id=claude-a" in server.requests[1].path
    assert server.requests[2].json()["max_tokens"] == 77


@pytest.mark.story("2.4")
async def test_tokens_are_counted_by_the_provider_and_only_of_what_counts(server: LLMServer) -> None:
    async with opened(server) as provider:
        count = await provider.count_tokens(Request(model=MODEL, messages=(Message.system("Brief"), *ASKED.messages)))
    assert count.exact
    assert count.tokens > 0
    assert server.requests[0].json().keys() == {"model", "messages", "system"}


def test_an_answer_of_the_list_that_is_no_list_is_an_error_of_ours(server: LLMServer) -> None:
    server.answer(as_json(["nothing"]))

    async def ask() -> None:
        async with opened(server) as provider:
            await provider.models()

    with pytest.raises(ProviderConnectionError, match="cannot be read"):
        asyncio.run(ask())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "kind", "told", "expected"),
    [
        (401, "authentication_error", "No", AuthenticationError),
        (402, "billing_error", "No credit", QuotaError),
        (429, "rate_limit_error", "Slow", RateLimitError),
        (529, "overloaded_error", "Busy", ServerError),
        (500, "api_error", "Oops", ServerError),
        (
            400,
            "invalid_request_error",
            "prompt is too long: 210000 tokens > 200000 maximum",
            ContextLengthExceededError,
        ),
    ],
)
@pytest.mark.story("4.3")
async def test_a_refusal_is_the_error_that_its_type_says(
    server: LLMServer, status: int, kind: str, told: str, expected: type[ProviderError]
) -> None:
    server.answer(as_json({"type": "error", "error": {"type": kind, "message": told}}, status))
    async with opened(server) as provider:
        with pytest.raises(expected) as caught:
            await read(provider)
        assert type(caught.value) is expected
        assert caught.value.provider == "anthropic"
        assert provider.metrics().errors == 1


async def test_a_limit_of_spending_is_a_matter_of_quota(server: LLMServer) -> None:
    error = {"type": "rate_limit_error", "message": "Spent", "details": {"error_code": "enforced_spend_limit_reached"}}
    server.answer(as_json({"type": "error", "error": error}, 429))
    async with opened(server) as provider:
        with pytest.raises(ProviderError) as caught:
            await read(provider)
    assert isinstance(caught.value, QuotaError)
    assert not caught.value.retryable


async def test_no_key_is_in_an_error_or_in_what_shows_the_provider(server: LLMServer) -> None:
    key = "sk-ant-secret-0123456789abcdef"
    error = {"type": "authentication_error", "message": f"invalid key {key}"}
    server.answer(as_json({"type": "error", "error": error}, 401))
    async with opened(server, configured(server, key)) as provider:
        with pytest.raises(AuthenticationError) as caught:
            await read(provider)
        assert key not in f"{caught.value}{caught.value!r}{provider!r}{provider.config!r}"


async def test_a_redirect_is_an_error_and_is_not_followed(server: LLMServer) -> None:
    with LLMServer(handle) as other:
        server.answer(Answer(status=307, headers={"location": f"{other.url}/v1/messages"}))
        async with opened(server) as provider:
            with pytest.raises(ProviderConnectionError):
                await read(provider)
        assert other.requests == []


async def test_what_is_no_stream_is_no_answer(server: LLMServer) -> None:
    server.answer(Answer(b"<html>Welcome</html>", content_type="text/html"))
    async with opened(server) as provider:
        with pytest.raises(ProviderConnectionError, match="page for people"):
            await read(provider)
        server.answer(as_json({"answer": "Hello"}))
        with pytest.raises(ProviderConnectionError, match="did not answer with a stream"):
            await read(provider)
        server.answer(as_json({"type": "error", "error": {"type": "overloaded_error", "message": "Busy"}}))
        with pytest.raises(ServerError):
            await read(provider)


async def test_connections_can_be_opened_before_there_is_traffic(server: LLMServer) -> None:
    async with opened(server) as provider:
        assert provider.pool.open == 0
        assert await provider.warm_up(3) == 3
        await read(provider)
        assert server.accepted == 3
        assert provider.pool.open == 3


async def test_what_the_provider_says_of_its_limits_is_known(server: LLMServer) -> None:
    server.answer(Answer(text_answer(), headers={"anthropic-ratelimit-requests-limit": "50", "request-id": "r1"}))
    async with opened(server) as provider:
        await read(provider)
        assert provider.limits == {"anthropic-ratelimit-requests-limit": "50"}


async def test_another_address_gets_connections_of_its_own(server: LLMServer) -> None:
    with LLMServer(handle) as other:
        async with opened(server) as provider:
            await read(provider)
            await provider.update_config({"base_url": other.url})
            await read(provider)
            await asyncio.to_thread(server.wait_open, 0)
            assert (server.accepted, other.accepted) == (1, 1)


def test_one_provider_serves_several_loops(server: LLMServer) -> None:
    provider = AnthropicProvider(configured(server))

    async def once() -> str:
        return (await provider.generate(ASKED)).text

    assert asyncio.run(once()) == asyncio.run(once())
    asyncio.run(provider.aclose())


async def test_headers_of_the_environment_are_not_sent(server: LLMServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "x-spy: 1")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    async with opened(server) as provider:
        await read(provider)
    assert "x-spy" not in server.requests[0].headers


@pytest.mark.parametrize("key_header", ["authorization", "x-api-key"])
async def test_the_sdk_logs_neither_the_key_nor_the_prompt(
    server: LLMServer, caplog: pytest.LogCaptureFixture, key_header: Literal["authorization", "x-api-key"]
) -> None:
    config = AnthropicConfig(base_url=server.url, api_key=Secret("sk-ant-not-logged"), key_header=key_header, timeout=5)
    asked = Request(model=MODEL, messages=(Message.user("A prompt that is not logged."),))
    caplog.set_level(logging.DEBUG)
    async with opened(server, config) as provider:
        await read(provider, asked)
    assert "sk-ant-not-logged" in server.requests[-1].headers[key_header]
    assert "not logged" not in caplog.text
    assert "not-logged" not in caplog.text


async def test_the_sdk_does_not_know_the_key(server: LLMServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(server) as provider:
        sdk = (await provider.client())._sdk  # what the SDK sees is the point
        seen: list[object] = []
        post = cast("Callable[..., object]", sdk.post)

        def spying(path: str, **told: object) -> object:
            seen.append(told["options"])
            return post(path, **told)

        monkeypatch.setattr(sdk, "post", spying)
        await read(provider)
    assert seen
    assert "sk-ant-test-0001" not in f"{seen}{sdk.api_key}{sdk.auth_headers}"
