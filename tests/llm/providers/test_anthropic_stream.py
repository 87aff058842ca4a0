"""What is made of Anthropic's streams, whole or broken, and of every exception of its SDK."""

from __future__ import annotations

import json
from collections.abc import Iterator

import anthropic
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.errors import (
    ConfigError,
    CredentialNotFoundError,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    ServerError,
)
from sentient_cli.llm import Chunk, Message, Request
from sentient_cli.llm.anthropic import AnthropicConfig
from sentient_cli.llm.anthropic.failures import foreign, mapped
from sentient_cli.llm.anthropic.reading import MessageReader
from sentient_cli.llm.assembly import Assembly
from tests.llm.providers.anthropic_wire import MODEL, block, ending, message, start, text_answer
from tests.support.llm_server import as_sse

ASKED = Request(model=MODEL, messages=(Message.user("Count."),))


def chunks_of(pieces: list[bytes]) -> list[Chunk]:
    reader = MessageReader("anthropic")
    found = [chunk for piece in pieces for chunk in reader.feed(piece)]
    return found + reader.end()


def test_text_thoughts_and_tools_come_as_they_are_streamed() -> None:
    pieces = message(
        block(
            0,
            {"type": "thinking", "thinking": "", "signature": ""},
            [
                {"type": "thinking_delta", "thinking": "Hm"},
                {"type": "signature_delta", "signature": "si"},
                {"type": "signature_delta", "signature": "g"},
            ],
        ),
        block(1, {"type": "redacted_thinking", "data": "abc"}, []),
        block(2, {"type": "text", "text": "S"}, [{"type": "text_delta", "text": "ure"}]),
        block(
            3,
            {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {}},
            [{"type": "input_json_delta", "partial_json": text} for text in ("", '{"a":', "1}")],
        ),
        block(4, {"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}}, []),
        reason="tool_use",
    )
    chunks = chunks_of(pieces)
    thoughts = [chunk.thinking for chunk in chunks if chunk.thinking is not None]
    assert [(part.text, part.signature, part.redacted) for part in thoughts] == [
        ("Hm", "", ""),
        ("", "sig", ""),
        ("", "", "abc"),
    ]
    assembly = Assembly()
    for chunk in chunks:
        assembly.add(chunk)
    assert assembly.text == "Sure"
    assert [(call.id, call.name, call.parsed()) for call in assembly.tool_calls] == [
        ("toolu_1", "add", {"a": 1}),
        ("toolu_2", "now", {}),
    ]
    assert chunks[0].model == f"{MODEL}-20261001"
    assert chunks[-1].finish_reason == "tool_call"


def test_the_tokens_are_those_of_the_beginning_and_of_the_end_each_counted_once() -> None:
    begin = start(
        cache_read_input_tokens=7,
        cache_creation_input_tokens=5,
        cache_creation={"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 3},
    )
    *rest, stop = ending(output=40)
    rest[0]["usage"] = {
        "output_tokens": 40,
        "cache_creation_input_tokens": 5,
        "output_tokens_details": {"thinking_tokens": 30},
    }
    usage = chunks_of(as_sse([begin, *rest, stop]))[-1].usage
    assert usage is not None
    assert (usage.input, usage.cache_read, usage.cache_write, usage.cache_write_1h) == (12, 7, 2, 3)
    assert (usage.output, usage.reasoning, usage.prompt, usage.total) == (40, 30, 24, 64)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_call"),
        ("pause_turn", "stop"),
        ("refusal", "content_filter"),
        ("something_new", "stop"),
    ],
)
def test_every_reason_of_an_end_has_its_own_of_ours(reason: str, expected: str) -> None:
    last = chunks_of(message(reason=reason))[-1]
    assert last.finish_reason == expected
    kept = {"stop_reason": reason} if reason in {"pause_turn", "something_new"} else None
    assert last.extra == kept


def test_a_refusal_says_why() -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "Too dangerous"}
    last = chunks_of(message(reason="refusal", details=details))[-1]
    assert (last.finish_reason, last.refusal) == ("content_filter", "Too dangerous")
    assert last.extra == {"stop_category": "bio"}
    assert chunks_of(message(reason="refusal"))[-1].refusal == "The model refused to answer"


def test_what_is_not_known_is_kept_and_passed_over() -> None:
    citation = {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": {"a": 1}}}
    search = block(
        1,
        {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}},
        [{"type": "input_json_delta", "partial_json": '{"q":1}'}],
    )
    new = {"type": "message_mood", "delta": "good", "index": "first"}
    block_of_new = {"type": "content_block_start", "index": 2, "content_block": {"type": "map", "text": {"a": 1}}}
    chunks = chunks_of(as_sse([start(), citation, *search, new, block_of_new, *ending()], names=True))
    assert chunks[-1].extra == {"events": [citation, search[0], search[1], new, block_of_new]}
    assert not any(chunk.tool_call for chunk in chunks)


def test_an_error_within_the_stream_is_one_of_ours_with_the_text_so_far() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    reader = MessageReader("anthropic")
    reader.feed(b"".join(text_answer(["Hel", "lo"])[:5]))
    assert reader.feed(as_sse([error], names=True)[0]) == []
    with pytest.raises(ServerError) as caught:
        reader.end()
    assert (caught.value.partial_text, caught.value.retryable) == ("Hello", True)


@pytest.mark.parametrize(
    "frame",
    [
        b"data: {\n\n",
        b"data: []\n\n",
        b"data: {}\n\n",
        b'data: {"type":7}\n\n',
        b'data: {"type":"content_block_delta","delta":{"type":"text_delta","text":7}}\n\n',
        b"data: \xff\n\n",
    ],
)
def test_what_is_no_event_ends_the_answer_with_the_text_so_far(frame: bytes) -> None:
    reader = MessageReader("anthropic")
    reader.feed(b"".join(text_answer(["Hello"])[:4]))
    reader.feed(frame)
    with pytest.raises(ProviderConnectionError, match="cannot be read") as caught:
        reader.end()
    assert caught.value.partial_text == "Hello"


def test_the_last_event_counts_when_only_the_blank_line_after_it_is_missing() -> None:
    pieces = text_answer(["Hello"])
    assert chunks_of([*pieces[:-1], pieces[-1][:-1]])[-1].finish_reason == "stop"


@pytest.mark.slow
@given(st.lists(st.text(min_size=1, max_size=5), max_size=5), st.lists(st.integers(1, 40), min_size=1), st.booleans())
def test_the_text_is_the_same_however_the_bytes_are_cut(texts: list[str], sizes: list[int], carriage: bool) -> None:
    whole = b"".join(text_answer(texts))
    if carriage:
        whole = whole.replace(b"\n", b"\r\n")
    pieces: list[bytes] = []
    while whole:
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(whole[:size])
        whole = whole[size:]
    chunks = chunks_of(pieces)
    assert "".join(chunk.text for chunk in chunks) == "".join(texts)
    assert chunks[-1].finish_reason == "stop"


def _named(kind: type[anthropic.AnthropicError]) -> str:
    return kind.__qualname__


def _all_errors(kind: type[anthropic.AnthropicError]) -> Iterator[type[anthropic.AnthropicError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _all_errors(below)


def _made(kind: type[anthropic.AnthropicError], key: str) -> Exception:
    request = httpx2.Request("POST", "https://api.anthropic.com/v1/messages")
    told = {"type": "error", "error": {"type": "api_error", "message": f"Bad key {key}"}}
    if issubclass(kind, anthropic.APIStatusError):
        status = getattr(kind, "status_code", 500)
        response = httpx2.Response(status if isinstance(status, int) else 500, json=told, request=request)
        return kind(f"Bad key {key}", response=response, body=told)
    if issubclass(kind, anthropic.APIResponseValidationError):
        return kind(httpx2.Response(200, json=told, request=request), told)
    if issubclass(kind, anthropic.APITimeoutError):
        return kind(request)
    if issubclass(kind, anthropic.APIConnectionError):
        return kind(request=request)
    if issubclass(kind, anthropic.APIError):
        return kind(f"Bad key {key}", request, body=None)
    error = kind.__new__(kind, f"Bad key {key}")
    error.args = (f"Bad key {key}",)
    error.__dict__.update(request_id=None, status_code=None, body=None)  # what some of them tell besides
    return error


EXCEPTIONS: list[type[anthropic.AnthropicError]] = sorted(set(_all_errors(anthropic.AnthropicError)), key=_named)


@pytest.mark.parametrize("kind", EXCEPTIONS, ids=_named)
def test_every_exception_of_the_sdk_becomes_one_of_ours(kind: type[anthropic.AnthropicError]) -> None:
    key = "sk-ant-0123456789abcdefghij"
    error = _made(kind, key)
    assert isinstance(error, foreign())
    ours = mapped(error, "anthropic", AnthropicConfig())
    assert isinstance(ours, ProviderError | ConfigError)
    assert key not in f"{ours}{ours.why}{ours.detail}"
    if issubclass(kind, anthropic.CredentialsError):
        assert isinstance(ours, CredentialNotFoundError)


def _raised() -> list[Exception]:
    request = httpx2.Request("POST", "https://api.anthropic.com/v1/messages")
    found: list[Exception] = [
        httpx2.RemoteProtocolError("Server disconnected", request=request),
        httpx2.ReadError("reset", request=request),
        httpx2.DecodingError("bad gzip", request=request),
        httpx2.TooManyRedirects("again", request=request),
        httpx2.StreamClosed(),
        httpx2.CookieConflict("two"),
        json.JSONDecodeError("bad", "{", 0),
        ConnectionResetError("reset"),
        EOFError("end"),
    ]
    return found


@pytest.mark.parametrize("error", _raised(), ids=lambda error: type(error).__name__)
def test_what_the_sdk_lets_through_becomes_ours_too(error: Exception) -> None:
    assert isinstance(error, foreign())
    assert isinstance(mapped(error, "anthropic", AnthropicConfig()), ProviderConnectionError)


@pytest.mark.parametrize("error", [httpx2.ReadTimeout("late"), httpx2.PoolTimeout("late"), TimeoutError()])
def test_what_is_late_is_late(error: Exception) -> None:
    assert isinstance(mapped(error, "anthropic", AnthropicConfig()), ProviderTimeoutError)


@pytest.mark.parametrize("error", [httpx2.InvalidURL("bad"), ValueError("a header with sk-ant-0123456789abcdefghij")])
def test_what_cannot_be_sent_is_a_matter_of_settings_and_shows_no_key(error: Exception) -> None:
    ours = mapped(error, "anthropic", AnthropicConfig())
    assert isinstance(ours, ConfigError)
    assert "sk-ant" not in str(ours)


def test_what_comes_after_the_end_is_none_of_the_answer() -> None:
    late = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Late"}}
    reader = MessageReader("anthropic")
    chunks = reader.feed(b"".join([*text_answer(["Hello"]), *as_sse([late], names=True)]))
    assert [chunk.text for chunk in chunks if chunk.text] == ["Hello"]
    assert (reader.text, reader.end()) == ("Hello", [])
