"""The vendors of the table as providers, against servers on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, asynccontextmanager

import pytest

from sentient_cli.config.secret import Secret
from sentient_cli.errors import (
    AuthenticationError,
    BadRequestError,
    ConfigError,
    CredentialNotFoundError,
    ProviderError,
    RateLimitError,
)
from sentient_cli.llm.compatible import VENDORS, CompatibleConfig, CompatibleProvider, vendor_of
from sentient_cli.llm.compatible.local import LocalServer, find_local
from sentient_cli.llm.parameters import Parameters
from sentient_cli.llm.provider import Capabilities, Request, TokenCount
from sentient_cli.llm.types import Chunk, JsonValue, Message, ToolSpec
from sentient_cli.testing import provider_checks
from tests.llm.providers.chat_wire import MODEL, WORDS, call_frame, ending, handle, text_answer
from tests.support.llm_server import Answer, LLMServer, Received, as_json, as_sse

ASK = Request(model=MODEL, messages=(Message.user("Count."),))


@pytest.fixture(name="server")
def _server() -> Iterator[LLMServer]:
    with LLMServer(handle) as server:
        yield server


@asynccontextmanager
async def opened(
    server: LLMServer, vendor: str = "compatible", *, keys: tuple[str, ...] = ("sk-1",), **settings: JsonValue
) -> AsyncGenerator[CompatibleProvider, None]:
    provider = CompatibleProvider(vendor, CompatibleConfig(base_url=f"{server.url}/v1", default_model=MODEL))
    await provider.update_config({"api_keys": [*keys], **settings})
    try:
        yield provider
    finally:
        await provider.aclose()


async def read(provider: CompatibleProvider, request: Request = ASK) -> list[Chunk]:
    async with aclosing(provider.stream(request)) as stream:
        return [chunk async for chunk in stream]


CHECKS = [
    check.name
    for check in provider_checks(lambda: CompatibleProvider("ollama"), failing=lambda: CompatibleProvider("ollama"))
]


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKS)
async def test_it_keeps_every_promise_of_a_provider(name: str) -> None:
    with LLMServer(handle) as server, LLMServer(as_json({"error": "No"}, 500)) as broken:

        def make(url: str = server.url) -> CompatibleProvider:
            return CompatibleProvider("vllm", CompatibleConfig(base_url=f"{url}/v1", default_model=MODEL))

        checks = provider_checks(make, failing=lambda: make(broken.url), repeatable=True)
        await next(check for check in checks if check.name == name).run()


@pytest.mark.slow
@pytest.mark.story("3.2", "F8")
@pytest.mark.parametrize("vendor", VENDORS)
async def test_every_vendor_answers_with_its_own_path_and_key(server: LLMServer, vendor: str) -> None:
    row = VENDORS[vendor]
    async with opened(server, vendor, keys=("sk-1",)) as provider:
        assert provider.provider_id == vendor
        await provider.initialize()
        answer = await provider.generate(ASK)
    assert (answer.text, answer.provider, answer.model) == ("".join(WORDS), vendor, MODEL)
    asked = server.requests[-1]
    path = row.chat.replace("{model}", MODEL)
    assert asked.path.partition("?")[0] == f"/v1{path}"
    assert asked.headers[row.key_header].removeprefix("Bearer ") == "sk-1"
    assert ("stream_options" in asked.json()) == row.dialect.usage_option


def test_the_table_is_whole() -> None:
    for vendor in VENDORS.values():
        assert vendor.local or vendor.base_url.startswith("https://") or vendor.id in {"azure", "compatible"}
        assert vendor.local or vendor.key_variable or vendor.id == "compatible"
        assert set(vendor.dialect.parameters) <= set(Parameters.__struct_fields__)
        assert CompatibleProvider(vendor).config.default_model
    with pytest.raises(ConfigError, match="There is no vendor"):
        vendor_of("nobody")


async def test_azure_has_its_version_in_the_address(server: LLMServer) -> None:
    async with opened(server, "azure", api_version="2026-01-01") as provider:
        await provider.generate(ASK)
        await provider.models()
    assert server.requests[0].path == f"/v1/openai/deployments/{MODEL}/chat/completions?api-version=2026-01-01"
    assert server.requests[1].path == "/v1/openai/models?api-version=2026-01-01"


@pytest.mark.parametrize("vendor", ["groq", "mistral", "azure"])
async def test_no_key_names_the_variable_the_command_and_the_model_without_one(vendor: str) -> None:
    provider = CompatibleProvider(vendor, CompatibleConfig(base_url="https://example.com/v1"))
    with pytest.raises(CredentialNotFoundError) as raised:
        await provider.initialize()
    assert VENDORS[vendor].key_variable in str(raised.value)
    assert "sentient doctor" in str(raised.value)
    assert "offline" in str(raised.value)
    with pytest.raises(CredentialNotFoundError):
        await read(provider)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://models.example.com/v1", "without encryption"),
        ("http://127.0.0.1.example.com/v1", "without encryption"),
        ("ftp://example.com", "no address"),
        ("models.example.com", "no address"),
        ("https://user:secret@example.com/v1", "holds a name or a password"),
        ("https://example.com:port/v1", "no address"),
        ("https://[::1", "no address"),
    ],
)
async def test_addresses_that_are_refused(url: str, said: str) -> None:
    provider = CompatibleProvider("compatible", CompatibleConfig(base_url=url))
    with pytest.raises(ConfigError, match=said) as raised:
        await provider.initialize()
    assert "secret" not in str(raised.value)


async def test_a_compatible_server_needs_an_address() -> None:
    with pytest.raises(ConfigError, match="has no address"):
        await CompatibleProvider("compatible").initialize()


@pytest.mark.story("1.6")
async def test_tools_are_asked_for_and_their_calls_put_together(server: LLMServer) -> None:
    pieces = as_sse(
        [
            call_frame(0, "a", name="add", arguments='{"x"'),
            call_frame(0, arguments=":1}"),
            call_frame(0, "b", name="add", arguments='{"x":2}'),
            *ending("tool_calls"),
        ],
        done=True,
    )
    server.answer(Answer(pieces))
    async with opened(server) as provider:
        tools = (ToolSpec("add"),)
        answer = await provider.generate(Request(model=MODEL, messages=ASK.messages, tools=tools))
    assert [(call.id, call.parsed()) for call in answer.tool_calls] == [("a", {"x": 1}), ("b", {"x": 2})]
    assert answer.finish_reason == "tool_call"


@pytest.mark.story("E3.2")
async def test_what_was_left_out_is_said_with_the_first_chunk(server: LLMServer) -> None:
    asked = Request(model=MODEL, messages=ASK.messages, parameters=Parameters(service_tier="flex"))
    async with opened(server) as provider:
        chunks = await read(provider, asked)
    assert chunks[0].extra is not None
    assert "service_tier" in str(chunks[0].extra["notices"])


@pytest.mark.story("3.2")
async def test_its_models_with_what_the_server_tells_of_them(server: LLMServer) -> None:
    listed = {"data": [{"id": "a", "context_length": 4096}, {"id": "a"}, {"id": "b", "description": "Good.\nMore."}, 5]}
    server.answer(as_json(listed))
    async with opened(server) as provider:
        models = await provider.models()
    assert [(model.id, model.description, model.context_tokens) for model in models] == [
        ("a", "", 4096),
        ("b", "Good.", None),
    ]


@pytest.mark.parametrize("body", [b"<html>", b"\xff", b"[" * 2000])
async def test_a_list_of_models_that_is_none(server: LLMServer, body: bytes) -> None:
    server.answer(Answer(body, content_type="text/html"))
    async with opened(server) as provider:
        with pytest.raises(ProviderError, match="does not answer as it should"):
            await provider.models()


async def test_a_server_with_one_model_needs_no_name(server: LLMServer) -> None:
    async with opened(server, "llamacpp", default_model="auto") as provider:
        for _ in range(2):
            await provider.generate(Request(model="auto", messages=ASK.messages))
    assert [received.method for received in server.requests] == ["GET", "POST", "POST"]
    assert server.requests[-1].json()["model"] == MODEL
    server.answer(as_json({"data": []}))
    async with opened(server, "llamacpp", default_model="auto") as provider:
        with pytest.raises(BadRequestError, match="has no model"):
            await provider.generate(Request(model="auto", messages=ASK.messages))


def local(received: Received) -> Answer:
    """What the local servers tell of themselves."""
    told: dict[str, object] = {
        "/api/show": {"capabilities": ["completion", "tools", "vision"], "model_info": {"llama.context_length": 8192}},
        "/props": {
            "default_generation_settings": {"n_ctx": 2048},
            "modalities": {"vision": False, "audio": True},
            "chat_template_caps": {"supports_tools": False},
        },
        "/v1/models": {"data": [{"id": MODEL, "max_model_len": 1024, "owned_by": "vllm"}]},
        "/tokenize": {"count": 77, "tokens": [1, 2, 3]},
        "/apply-template": {"prompt": "<s>Count."},
    }
    return as_json(told[received.path]) if received.path in told else as_json({"error": "No"}, 404)


@pytest.mark.story("3.2")
async def test_what_it_can_do_is_detected_where_the_server_tells(server: LLMServer) -> None:
    server.answer(local)
    found = dict[str, Capabilities]()
    for vendor in ("ollama", "llamacpp", "vllm"):
        async with opened(server, vendor) as provider:
            found[vendor] = await provider.detect()
            assert provider.capabilities == found[vendor]
    assert (found["ollama"].max_input_tokens, found["ollama"].tools, found["ollama"].images) == (8192, True, True)
    assert not found["ollama"].thinking
    assert (found["llamacpp"].max_input_tokens, found["llamacpp"].tools, found["llamacpp"].audio) == (2048, False, True)
    assert (found["vllm"].max_input_tokens, found["vllm"].models) == (1024, (MODEL,))


async def test_tokens_are_counted_by_servers_that_can(server: LLMServer) -> None:
    server.answer(local)
    counts = dict[str, TokenCount]()
    for vendor in ("vllm", "llamacpp", "groq"):
        async with opened(server, vendor) as provider:
            counts[vendor] = await provider.count_tokens(ASK)
    assert (counts["vllm"].tokens, counts["vllm"].exact) == (77, True)
    assert (counts["llamacpp"].tokens, counts["llamacpp"].exact) == (3, True)
    assert not counts["groq"].exact
    server.answer(as_json({"error": "No"}, 404))
    async with opened(server, "vllm") as provider:
        assert not (await provider.count_tokens(ASK)).exact


@pytest.mark.parametrize(
    ("vendor", "path"), [("groq", "/v1/models"), ("openrouter", "/v1/key"), ("perplexity", "/v1/chat/completions")]
)
async def test_a_key_is_tried_as_cheaply_as_can_be(server: LLMServer, vendor: str, path: str) -> None:
    server.answer(as_json({"data": []}))
    async with opened(server, vendor) as provider:
        await provider.validate()
        assert server.requests[-1].path == path
        server.answer(as_json({"error": {"message": "Bad key", "code": "invalid_api_key"}}, 401))
        with pytest.raises(AuthenticationError):
            await provider.validate()


async def test_vendors_without_a_list_name_their_default_model(server: LLMServer) -> None:
    async with opened(server, "perplexity") as provider:
        assert [model.id for model in await provider.models()] == [MODEL]


def by_key(received: Received) -> Answer:
    key = received.headers["authorization"].removeprefix("Bearer ")
    if key == "poor":
        return as_json({"error": {"message": "No credit", "code": "insufficient_quota"}}, 429)
    if key == "busy":
        return as_json({"error": {"message": "Slow down"}}, 429, retry_after="60")
    return Answer(text_answer())


@pytest.mark.story("1.8", "3.5")
async def test_calls_are_spread_over_keys_and_a_refused_key_rests(server: LLMServer) -> None:
    server.answer(by_key)
    async with opened(server, keys=("busy", "poor", "good", "fine")) as provider:
        for _ in range(4):
            await provider.generate(ASK)
    used = [received.headers["authorization"].removeprefix("Bearer ") for received in server.requests]
    assert used == ["busy", "poor", "good", "fine", "good", "fine"]


async def test_the_only_key_that_is_refused_says_when_to_come_back(server: LLMServer) -> None:
    server.answer(by_key)
    async with opened(server, keys=("busy",)) as provider:
        with pytest.raises(RateLimitError) as raised:
            await provider.generate(ASK)
    assert raised.value.retry_after == 60


@pytest.mark.story("3.3")
async def test_settings_change_while_a_call_goes_on(server: LLMServer) -> None:
    server.answer(lambda _: Answer(text_answer(), pace=0.01))
    with LLMServer(handle) as other:
        async with opened(server) as provider:
            stream = provider.stream(ASK)
            first = [await anext(stream), await anext(stream)]
            await provider.update_config({"base_url": f"{other.url}/v1", "api_keys": ["sk-2"]})
            assert (await provider.generate(ASK)).text == "".join(WORDS)
            assert other.requests[-1].headers["authorization"] == "Bearer sk-2"
            rest = [chunk async for chunk in stream]
            assert "".join(chunk.text for chunk in [*first, *rest]) == "".join(WORDS)
            await asyncio.to_thread(server.wait_open, 0)  # what the old settings had open is closed


async def test_headers_and_the_account_go_along(server: LLMServer) -> None:
    async with opened(server, headers={"X-Own": "1"}, organization="org-1", project="proj-1") as provider:
        await provider.generate(ASK)
    headers = server.requests[-1].headers
    assert [headers[name] for name in ("x-own", "openai-organization", "openai-project")] == ["1", "org-1", "proj-1"]


@pytest.mark.parametrize("bad", ["sk\r\nx-evil: 1", "sk\x00"])
async def test_a_key_with_characters_that_no_header_takes(server: LLMServer, bad: str) -> None:
    async with opened(server, keys=(bad,)) as provider:
        with pytest.raises(ConfigError, match="cannot be sent") as raised:
            await read(provider)
        assert bad not in str(raised.value)
        assert provider.pool.in_use == 0


async def test_what_is_said_of_the_limits_is_kept(server: LLMServer) -> None:
    server.answer(Answer(text_answer(), headers={"x-ratelimit-remaining-requests": "7"}))
    async with opened(server) as provider:
        await read(provider)
        assert provider.limits == {"x-ratelimit-remaining-requests": "7"}


@pytest.mark.story("13.5")
async def test_its_pool_is_told(server: LLMServer) -> None:
    server.answer(lambda _: Answer(text_answer(), how="stall"))
    async with opened(server, max_connections=2) as provider:
        assert provider.pool.limit == 2
        stream = provider.stream(ASK)
        await anext(stream)
        assert (provider.pool.in_use, provider.pool.open, provider.pool.waiting) == (1, 1, 0)
        await stream.aclose()
        assert provider.pool.in_use == 0


@pytest.mark.story("13.3")
async def test_connections_that_the_server_closed_are_replaced(server: LLMServer) -> None:
    async with opened(server) as provider:
        await provider.generate(ASK)
        server.close_all()
        async with asyncio.timeout(20):
            while provider.pool.open:  # noqa: ASYNC110 - until the end of the connection has arrived
                await asyncio.sleep(0.001)
        await provider.generate(ASK)
    assert server.accepted == 2


@pytest.mark.story("13.6")
async def test_connections_are_opened_before_there_is_traffic(server: LLMServer) -> None:
    async with opened(server) as provider:
        assert await provider.warm_up(3) == 3
        assert server.accepted == 3
        await asyncio.gather(*(provider.generate(ASK) for _ in range(3)))
        assert server.accepted == 3


@pytest.mark.story("3.2")
async def test_local_servers_are_found_by_what_they_say(server: LLMServer) -> None:
    server.answer(local)
    with LLMServer(handle) as other, LLMServer(Answer(b"<html>", content_type="text/html")) as page:
        ports = (("ollama", server.port), ("ollama", other.port), ("lmstudio", page.port))
        found = await find_local(seconds=20, ports=ports)
    assert LocalServer("vllm", f"{server.url}/v1", (MODEL,)) in found
    assert LocalServer("ollama", f"{other.url}/v1", (MODEL,)) in found
    assert page.port not in [int(one.base_url.rpartition(":")[2].removesuffix("/v1")) for one in found]


async def test_looking_for_local_servers_takes_no_longer_than_it_may() -> None:
    with LLMServer(Answer(delay=3600.0)) as silent:
        assert silent.url not in str(await find_local(seconds=0.05, ports=(("vllm", silent.port),)))
        await asyncio.to_thread(silent.wait_open, 0)  # while it still has not answered


async def test_one_provider_serves_several_event_loops(server: LLMServer) -> None:
    async with opened(server) as provider:

        def elsewhere() -> str:
            async def main() -> str:
                return (await provider.generate(ASK)).text

            return asyncio.run(main())

        texts = await asyncio.gather(*(asyncio.to_thread(elsewhere) for _ in range(2)))
        assert [*texts, (await provider.generate(ASK)).text] == ["".join(WORDS)] * 3


def test_a_secret_is_not_in_the_settings_as_text() -> None:
    provider = CompatibleProvider("groq", CompatibleConfig(api_key=Secret("sk-never-1")))
    assert "sk-never" not in repr(provider.config)
