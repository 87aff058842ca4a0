"""The Responses API: what goes out, what comes back, and answers that are taken up where their connection broke."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.config.secret import Secret
from sentient_cli.errors import (
    BadRequestError,
    ProviderConnectionError,
    ProviderError,
    RateLimitError,
    ServerError,
)
from sentient_cli.llm.openai import OpenAIConfig, OpenAIProvider
from sentient_cli.llm.openai.responses_decoder import ResponsesDecoder
from sentient_cli.llm.parameters import Parameters
from sentient_cli.llm.parts import AudioPart, DocumentPart, ImagePart, TextPart, ThinkingPart
from sentient_cli.llm.provider import Request
from sentient_cli.llm.types import Chunk, Message, OutputSpec, ToolCall, ToolSpec, Usage
from sentient_cli.testing import provider_checks
from tests.llm.providers.chat_wire import MODEL, WORDS, ending
from tests.llm.providers.responses_wire import events, handle, stream, words
from tests.support.llm_server import Answer, How, LLMServer, Received, as_json, as_sse

TEXT = "".join(WORDS)
ASK = Request(model=MODEL, messages=(Message.user("Count."),), call="call-1")


@pytest.fixture(name="server")
def _server() -> Iterator[LLMServer]:
    with LLMServer(handle) as server:
        yield server


@asynccontextmanager
async def opened(
    server: LLMServer, *, background: bool = False, patience: float = 20
) -> AsyncGenerator[OpenAIProvider, None]:
    config = OpenAIConfig(
        base_url=f"{server.url}/v1", default_model=MODEL, api_key=Secret("sk-1"), api="responses",
        background=background, timeout=patience,
    )  # fmt: skip
    provider = OpenAIProvider(config)
    try:
        yield provider
    finally:
        await provider.aclose()


async def read(provider: OpenAIProvider, request: Request = ASK) -> list[Chunk]:
    async with aclosing(provider.stream(request)) as chunks:
        return [chunk async for chunk in chunks]


async def read_into(texts: list[str], provider: OpenAIProvider) -> None:
    async for chunk in provider.stream(ASK):
        texts += [chunk.text]


CHECKS = [check.name for check in provider_checks(OpenAIProvider, failing=OpenAIProvider, secret="x")]


@pytest.mark.parametrize("name", CHECKS)
async def test_it_keeps_every_promise_of_a_provider(name: str) -> None:
    key = "sk-test-never-to-be-seen-0004"
    with LLMServer(handle) as server, LLMServer(as_json({"error": f"No: {key}"}, 401)) as broken:

        def make(url: str = server.url) -> OpenAIProvider:
            config = OpenAIConfig(base_url=f"{url}/v1", api_key=Secret(key), default_model=MODEL, api="responses")
            return OpenAIProvider(config)

        checks = provider_checks(make, failing=lambda: make(broken.url), repeatable=True, secret=key)
        await next(check for check in checks if check.name == name).run()


@pytest.mark.story("1.1", "1.3", "1.7")
async def test_an_answer_piece_by_piece(server: LLMServer) -> None:
    async with opened(server) as provider:
        chunks = await read(provider)
    assert [chunk.text for chunk in chunks if chunk.text] == list(WORDS)
    assert chunks[0].model == MODEL
    assert chunks[-1] == Chunk(usage=Usage(input=12, cache_read=8, output=10, reasoning=4), finish_reason="stop")
    assert server.requests[-1].path == "/v1/responses"
    assert server.requests[-1].json() == {
        "model": MODEL,
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "Count."}]}],
        "stream": True,
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }


@pytest.mark.story("1.5", "1.6")
async def test_a_conversation_with_tools_thoughts_pictures_and_a_schema(server: LLMServer) -> None:
    call = ToolCall("c1", "add", '{"a":1}')
    messages = (
        Message.system("Be brief."),
        Message.user((TextPart("See"), ImagePart(url="https://e.com/i"), DocumentPart(url="https://e.com/d.pdf"))),
        Message.assistant((ThinkingPart("Hm", "rs_1|sealed"), ThinkingPart("of another"), TextPart("So")), (call,)),
        Message.tool(call, "2"),
    )
    parameters = Parameters(
        max_tokens=9, effort="low", tool_choice="add", seed=1, user="u1", extra={"openai": {"truncation": "auto"}}
    )
    output = OutputSpec("A", {"type": "object", "properties": {"a": {"type": "integer"}}})
    asked = Request(model=MODEL, messages=messages, parameters=parameters, tools=(ToolSpec("add"),), output=output)
    async with opened(server) as provider:
        chunks = await read(provider, asked)
    assert chunks[0].extra == {"notices": ["The parameter 'seed' was left out: 'openai' does not take it"]}
    sent = server.requests[-1].json()
    assert sent["input"] == [
        {"role": "developer", "content": [{"type": "input_text", "text": "Be brief."}]},
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "See"},
                {"type": "input_image", "image_url": "https://e.com/i", "detail": "auto"},
                {"type": "input_file", "file_url": "https://e.com/d.pdf"},
            ],
        },
        {
            "type": "reasoning",
            "id": "rs_1",
            "encrypted_content": "sealed",
            "summary": [{"type": "summary_text", "text": "Hm"}],
        },
        {"role": "assistant", "content": [{"type": "output_text", "text": "So"}]},
        {"type": "function_call", "call_id": "c1", "name": "add", "arguments": '{"a":1}'},
        {"type": "function_call_output", "call_id": "c1", "output": "2"},
    ]
    assert [sent[name] for name in ("max_output_tokens", "reasoning", "tool_choice", "safety_identifier")] == [
        9,
        {"effort": "low"},
        {"type": "function", "name": "add"},
        "u1",
    ]
    assert sent["truncation"] == "auto"
    assert "json_schema" in str(sent["text"])


async def test_sound_is_not_taken_and_that_is_said(server: LLMServer) -> None:
    async with opened(server) as provider:
        with pytest.raises(BadRequestError, match="does not take sound"):
            await read(provider, Request(model=MODEL, messages=(Message.user((AudioPart(data=b"ID3"),)),)))


async def test_calls_of_tools_thoughts_and_refusals(server: LLMServer) -> None:
    told = events(
        {"type": "response.reasoning_summary_text.delta", "delta": "Hm", "output_index": 0},
        {
            "type": "response.output_item.done",
            "output_index": 0,
            "item": {"type": "reasoning", "id": "rs_1", "encrypted_content": "sealed"},
        },
        {
            "type": "response.output_item.added",
            "output_index": 1,
            "item": {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "add", "arguments": ""},
        },
        {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": '{"a":'},
        {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": "1}"},
        {"type": "response.function_call_arguments.done", "output_index": 1, "arguments": '{"a":1}'},
        {"type": "response.refusal.delta", "delta": "No"},
        {"type": "response.something.new", "odd": [1, {"delta": 2}]},
    )
    server.answer(Answer(stream(told)))
    async with opened(server) as provider:
        chunks = await read(provider)
        answer = await provider.generate(ASK)
    assert [chunk.thinking for chunk in chunks if chunk.thinking] == [
        ThinkingPart("Hm"),
        ThinkingPart(signature="rs_1|sealed"),
    ]
    assert "".join(chunk.refusal for chunk in chunks) == "No"
    assert answer.finish_reason == "tool_call"
    assert answer.tool_calls == (ToolCall("c1", "add", '{"a":1}'),)


@pytest.mark.parametrize(
    ("last", "more", "finish"),
    [
        ("incomplete", {"incomplete_details": {"reason": "max_output_tokens"}}, "length"),
        ("incomplete", {"incomplete_details": {"reason": "content_filter"}}, "content_filter"),
        ("incomplete", {}, "length"),
    ],
)
async def test_answers_that_end_early(server: LLMServer, last: str, more: dict[str, object], finish: str) -> None:
    server.answer(Answer(stream(events(*words(), last=last, **more))))
    async with opened(server) as provider:
        assert (await provider.generate(ASK)).finish_reason == finish


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"type": "error", "code": "rate_limit_exceeded", "message": "No"}, RateLimitError),
        ({"type": "error", "error": {"code": "server_error", "message": "No"}}, ServerError),
        ({"type": "response.failed", "response": {"error": {"code": "server_error", "message": "No"}}}, ServerError),
        ({"type": "response.cancelled", "response": {"id": "resp_1"}}, ServerError),
        ({"no": "type"}, ProviderConnectionError),
    ],
)
async def test_failures_in_the_stream(server: LLMServer, event: dict[str, object], kind: type[ProviderError]) -> None:
    server.answer(Answer([*stream(events(*words())[:5]), *as_sse([event])]))
    async with opened(server) as provider:
        texts = list[str]()
        with pytest.raises(kind) as raised:
            await read_into(texts, provider)
    assert raised.value.partial_text == "".join(texts) == "".join(WORDS[:3])


def resumable(received: Received) -> Answer:
    """A server that keeps what it is asked in the background."""
    whole = events(*words())
    if received.path.endswith("/cancel"):
        return as_json({"status": "cancelled"})
    if received.method == "POST":
        assert received.json()["background"] is True
        assert received.json()["store"] is True
        return Answer(stream(whole))
    path, _, query = received.path.partition("?")
    assert path == "/v1/responses/resp_1%2F.."
    after = int(query.partition("starting_after=")[2])
    return Answer(stream(whole[after + 1 :]))


@pytest.mark.parametrize("how", ["end", "close", "reset", "stall"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.95])
async def test_a_broken_answer_is_taken_up_exactly_where_it_broke(server: LLMServer, how: How, share: float) -> None:
    size = sum(map(len, stream(events(*words()))))

    def breaking(received: Received) -> Answer:
        answer = resumable(received)
        return answer if received.method == "GET" else Answer(answer.body, cut=int(size * share), how=how)

    server.answer(breaking)
    async with opened(server, background=True, patience=0.2 if how == "stall" else 20) as provider:
        chunks = await read(provider)
        assert provider.metrics().errors == 0
    assert "".join(chunk.text for chunk in chunks) == TEXT
    assert chunks[-1].finish_reason == "stop"
    assert [received.method for received in server.requests] == ["POST", "GET"]
    await asyncio.to_thread(server.wait_open, 0)


async def test_an_answer_that_always_breaks_is_given_up(server: LLMServer) -> None:
    server.answer(lambda received: Answer(resumable(received).body, cut=-200, how="close"))
    async with opened(server, background=True) as provider:
        with pytest.raises(ProviderConnectionError):
            await read(provider)
    *asked, last = server.requests
    assert 2 <= len(asked) <= 4
    assert last.path.endswith("/cancel")


@pytest.mark.parametrize("refused", [as_json({"error": {"message": "Busy"}}, 503), Answer(b"", cut=0, how="reset")])
async def test_what_keeps_it_from_being_taken_up_may_last_a_moment(server: LLMServer, refused: Answer) -> None:
    def breaking(received: Received) -> Answer:
        if received.method == "GET" and len(server.requests) == 2:
            return refused
        answer = resumable(received)
        return answer if received.method == "GET" else Answer(answer.body, cut=1500, how="close")

    server.answer(breaking)
    async with opened(server, background=True) as provider:
        assert (await provider.generate(ASK)).text == TEXT
        assert provider.metrics().requests == 1
    assert [received.method for received in server.requests] == ["POST", "GET", "GET"]


async def test_one_that_cannot_be_taken_up_says_how_it_broke(server: LLMServer) -> None:
    def breaking(received: Received) -> Answer:
        if received.method == "GET":
            return as_json({"error": {"message": "Gone"}}, 404)
        return Answer(resumable(received).body, cut=1500, how="close")

    server.answer(breaking)
    async with opened(server, background=True) as provider:
        texts = list[str]()
        with pytest.raises(ProviderConnectionError) as raised:
            await read_into(texts, provider)
    assert raised.value.partial_text == "".join(texts) != ""


@given(st.lists(st.integers(1, 60), min_size=1))
def test_the_pieces_it_comes_in_do_not_matter(sizes: list[int]) -> None:
    body, decoder, place, turn = b"".join(stream(events(*words()))), ResponsesDecoder("mine"), 0, 0
    told: list[Chunk] = []
    while place < len(body):
        size = sizes[turn % len(sizes)]
        told += decoder.feed(body[place : place + size])
        place, turn = place + size, turn + 1
    told += decoder.end()
    assert "".join(chunk.text for chunk in told) == TEXT
    assert told[-1].finish_reason == "stop"


@given(st.binary(max_size=200))
def test_whatever_comes_ends_in_an_error_of_ours(body: bytes) -> None:
    decoder = ResponsesDecoder("mine")
    decoder.feed(body)
    with pytest.raises(ProviderError):
        decoder.end()


def scored(texts: Iterable[str] = WORDS) -> list[dict[str, object]]:
    return [{**event, "logprobs": [score(str(event["delta"]))]} for event in words(texts)]


def score(token: str) -> dict[str, object]:
    return {"token": token, "logprob": -0.5, "top_logprobs": [{"token": token, "logprob": -0.5}]}


@pytest.mark.story("1.5")
@pytest.mark.parametrize("parameters", [Parameters(logprobs=True, top_logprobs=1), Parameters(top_logprobs=1)])
async def test_log_probabilities_come_as_by_chat_completions(server: LLMServer, parameters: Parameters) -> None:
    server.answer(Answer(stream(events(*scored()))))
    asked = Request(model=MODEL, messages=ASK.messages, parameters=parameters)
    async with opened(server) as provider:
        chunks = await read(provider, asked)
        answer = await provider.generate(asked)
    body = server.requests[-1].json()
    assert body["include"] == ["reasoning.encrypted_content", "message.output_text.logprobs"]
    assert (body["top_logprobs"], "logprobs" in body) == (1, False)
    assert [chunk.extra for chunk in chunks if chunk.extra] == [
        {"logprobs": {"content": [score(word)]}} for word in WORDS
    ]

    chat = [
        {"choices": [{"delta": {"content": word}, "logprobs": {"content": [score(word)], "refusal": None}}]}
        for word in WORDS
    ]
    server.answer(Answer(as_sse([*chat, *ending()], done=True)))
    config = OpenAIConfig(base_url=f"{server.url}/v1", default_model=MODEL, api_key=Secret("sk-1"))
    other = OpenAIProvider(config)
    by_chat = await other.generate(asked)
    await other.aclose()
    told = [cast("dict[str, object]", (each.extra or {}).get("logprobs")) for each in (answer, by_chat)]
    assert [each["content"] for each in told] == [[score(word) for word in WORDS]] * 2


@pytest.mark.parametrize(
    "parameters", [Parameters(), Parameters(logprobs=False), Parameters(logprobs=False, top_logprobs=2)]
)
async def test_none_are_asked_for_where_none_are_wanted(server: LLMServer, parameters: Parameters) -> None:
    async with opened(server) as provider:
        await provider.generate(Request(model=MODEL, messages=ASK.messages, parameters=parameters))
    assert server.requests[-1].json()["include"] == ["reasoning.encrypted_content"]


async def test_an_answer_that_is_taken_up_has_them_too(server: LLMServer) -> None:
    whole = events(*scored())

    def breaking(received: Received) -> Answer:
        if received.method == "POST":
            assert received.json()["include"] == ["message.output_text.logprobs"]
            return Answer(stream(whole[:4]), how="close")
        assert received.path.endswith("?stream=true&include%5B%5D=message.output_text.logprobs&starting_after=3")
        return Answer(stream(whole[4:]))

    server.answer(breaking)
    async with opened(server, background=True) as provider:
        answer = await provider.generate(
            Request(model=MODEL, messages=ASK.messages, parameters=Parameters(logprobs=True))
        )
    assert answer.extra == {"logprobs": {"content": [score(word) for word in WORDS]}}


@pytest.mark.parametrize("logprobs", [None, [], "odd", [None, 1]])
def test_odd_log_probabilities_are_no_reason_to_fail(logprobs: object) -> None:
    told = events(*({**event, "logprobs": logprobs} for event in words()))
    decoder = ResponsesDecoder("mine")
    chunks = [*decoder.feed(b"".join(stream(told))), *decoder.end()]
    assert "".join(chunk.text for chunk in chunks) == TEXT


def test_by_this_api_it_does_not_hear() -> None:
    assert OpenAIProvider(OpenAIConfig()).capabilities.audio
    assert not OpenAIProvider(OpenAIConfig(api="responses")).capabilities.audio  # so that another is asked instead


async def test_what_is_given_by_its_own_names_leaves_the_rest(server: LLMServer) -> None:
    parameters = Parameters(effort="low", extra={"openai": {"reasoning": {"summary": "auto"}, "store": True}})
    async with opened(server) as provider:
        await provider.generate(Request(model="gpt-5.4", messages=(Message.user("Count."),), parameters=parameters))
    body = server.requests[-1].json()
    assert (body["reasoning"], body["store"]) == ({"effort": "low", "summary": "auto"}, True)
