"""The reading of streamed chat completions: what servers really send."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.errors import ProviderConnectionError, ProviderError, RateLimitError, ServerError
from sentient_cli.llm.assembly import Assembly
from sentient_cli.llm.chatwire.decoder import ChatDecoder
from sentient_cli.llm.chatwire.frames import CallDelta, Function, read_frame
from sentient_cli.llm.chatwire.toolcalls import CallSorter
from sentient_cli.llm.types import Chunk, ToolCall, ToolCallDelta, Usage
from tests.llm.providers.chat_wire import WORDS, call_frame, ending, frame, text_answer, text_frame
from tests.support.llm_server import as_sse


def read(*events: object, done: bool = True, apart: bool = False, notices: list[str] | None = None) -> list[Chunk]:
    decoder = ChatDecoder("mine", notices, reasoning_apart=apart)
    chunks = decoder.feed(b"".join(as_sse(events, done=done)))
    return chunks + decoder.end()


def put(chunks: list[Chunk]) -> Assembly:
    assembly = Assembly()
    for chunk in chunks:
        assembly.add(chunk)
    return assembly


@pytest.mark.slow
@given(st.lists(st.text(min_size=1), max_size=8), st.lists(st.integers(1, 40), min_size=1), st.booleans())
def test_the_pieces_it_comes_in_do_not_matter(texts: list[str], sizes: list[int], returns: bool) -> None:
    body = b"".join(text_answer(texts))
    body = body.replace(b"\n", b"\r\n") if returns else body
    decoder, chunks, place, turn = ChatDecoder("mine"), list[Chunk](), 0, 0
    while place < len(body):
        size = sizes[turn % len(sizes)]
        chunks += decoder.feed(body[place : place + size])
        place, turn = place + size, turn + 1
    chunks += decoder.end()
    assert put(chunks).text == "".join(texts)
    assert chunks[-1] == Chunk(usage=Usage(input=12, output=10), finish_reason="stop")


@given(st.binary(max_size=300))
def test_whatever_comes_ends_in_an_answer_or_an_error_of_ours(body: bytes) -> None:
    decoder = ChatDecoder("mine")
    decoder.feed(body)
    with pytest.raises(ProviderError):
        decoder.end()


Json = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices", "delta", "content", "finish_reason", "tool_calls", "function", "arguments", "index",
                    "id", "usage", "prompt_tokens", "prompt_tokens_details", "error", "model", "message",
                    "name", "x_groq",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)  # fmt: skip


@given(st.lists(st.dictionaries(st.sampled_from(["choices", "usage", "error", "model"]), Json), max_size=3))
def test_whatever_json_comes_ends_in_an_answer_or_an_error_of_ours(events: list[dict[str, object]]) -> None:
    decoder = ChatDecoder("mine")
    decoder.feed(b"".join(as_sse(events)))
    with suppress(ProviderError):
        assert decoder.end()[-1].finish_reason


def test_usage_is_read_from_wherever_it_is() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 3}
    begun = text_frame("Hi")
    cases: list[list[object]] = [
        [begun, frame({}, "stop"), {"choices": [], "usage": usage}],
        [begun, {**frame({}, "stop"), "usage": usage}],
        [{**begun, "usage": usage}, frame({}, "stop")],
        [{**begun, "usage": {"prompt_tokens": 10, "completion_tokens": 1}}, {**frame({}, "stop"), "usage": usage}],
        [begun, {**frame({}, "stop"), "x_groq": {"id": "1", "usage": usage}}],
        [begun, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": usage}]}],
        [{"choices": [], "usage": usage}, begun, frame({}, "stop")],
    ]
    for events in cases:
        assert put(read(*events)).usage == Usage(input=10, output=3)


def test_usage_counts_each_token_once() -> None:
    told = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 8},
    }
    usage = put(read(text_frame("Hi"), *ending(usage=told))).usage
    assert usage == Usage(input=30, cache_read=60, cache_write=10, output=20, reasoning=8)
    assert usage.total == 120
    assert put(read(text_frame("Hi"), *ending(usage=told), apart=True)).usage.output == 28
    deepseek = {
        "prompt_tokens": 10,
        "completion_tokens": 1,
        "prompt_cache_hit_tokens": 4,
        "prompt_cache_miss_tokens": 6,
    }
    assert put(read(text_frame("Hi"), *ending(usage=deepseek))).usage.input == 6
    assert put(read(text_frame("Hi"), *ending(usage={}))).usage == Usage()
    assert put(read(text_frame("Hi"), *ending(usage={"prompt_tokens": 3.0, "completion_tokens": "?"}))).usage.input == 3


def test_no_usage_is_unknown_and_not_zero() -> None:
    assert put(read(text_frame("Hi"), frame({}, "stop"))).usage == Usage()


@pytest.mark.parametrize("reason", ["stop", "eos", "length", "tool_calls", "content_filter", "function_call"])
def test_the_reason_of_the_end_comes_once_and_last(reason: str) -> None:
    chunks = read(text_frame("Hi"), frame({}, reason), frame({}, reason), *ending(reason))
    ends = [place for place, chunk in enumerate(chunks) if chunk.finish_reason]
    assert ends == [len(chunks) - 1]


def test_a_reason_that_nobody_knows_is_told_as_it_is() -> None:
    chunks = read(text_frame("Hi"), frame({}, "weary"))
    assert chunks[-1].finish_reason == "stop"
    assert {"finish_reason": "weary"} in [chunk.extra for chunk in chunks]


@pytest.mark.parametrize("reason", ["error", "insufficient_system_resource"])
def test_a_reason_that_says_it_broke_down_is_an_error(reason: str) -> None:
    with pytest.raises(ServerError) as raised:
        read(text_frame("Hi"), frame({}, reason))
    assert raised.value.partial_text == "Hi"


@pytest.mark.parametrize("events", [[], [text_frame("Hi")], [{"choices": [], "usage": {"prompt_tokens": 1}}]])
def test_the_last_mark_alone_is_no_end(events: list[object]) -> None:
    with pytest.raises(ProviderConnectionError, match="cut off"):
        read(*events)


def test_what_comes_after_the_last_mark_is_nothing() -> None:
    decoder = ChatDecoder("mine")
    decoder.feed(b"".join([*text_answer(), *as_sse([text_frame("more"), b"data: {oops\n\n"])]))
    assert put(decoder.end()).text == ""
    assert decoder.text == "".join(WORDS)


def test_an_answer_that_was_not_streamed() -> None:
    body = {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2},
    }
    answer = put(ChatDecoder("mine").whole(json.dumps(body, indent=1).encode()))
    assert (answer.text, answer.finish_reason, answer.usage.total) == ("Hi", "stop", 3)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"error": {"message": "No", "code": 429}}, RateLimitError),
        ({"error": {"message": "No", "code": "rate_limit_exceeded"}}, RateLimitError),
        ({"error": "No"}, ServerError),
        ({"error": 5}, ServerError),
        ({"object": "error", "message": "No", "code": 503}, ServerError),
        ({"error": {"message": "No", "code": 502}, "choices": [{"index": 0, "finish_reason": "error"}]}, ServerError),
        ({"choices": [], "x_groq": {"error": "over capacity"}}, ServerError),
    ],
)
def test_an_error_in_band_has_its_class_and_what_came_before(error: object, kind: type[ProviderError]) -> None:
    decoder = ChatDecoder("mine")
    chunks = decoder.feed(b"".join(as_sse([text_frame("Hi"), error, text_frame("more")])))
    assert put(chunks).text == "Hi"
    with pytest.raises(kind) as raised:
        decoder.end()
    assert raised.value.partial_text == "Hi"


def test_thoughts_by_either_name_or_as_parts() -> None:
    for delta in (
        {"reasoning_content": "Hm"},
        {"reasoning": "Hm"},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]},
    ):
        chunks = read(text_frame(""), frame(delta), text_frame("Hi"), *ending())
        assert [chunk.thinking.text for chunk in chunks if chunk.thinking] == ["Hm"]
        assert put(chunks).text == "Hi"


def test_refusals_logprobs_and_citations_are_kept() -> None:
    scored = {"content": [{"token": "Hi", "logprob": -0.1}]}
    chunks = read(
        frame({"refusal": "I won't"}),
        {"choices": [{"index": 0, "delta": {"content": "Hi"}, "logprobs": scored}]},
        {**frame({}, "stop"), "citations": ["https://example.com"]},
    )
    assert "".join(chunk.refusal for chunk in chunks) == "I won't"
    extras = [chunk.extra for chunk in chunks if chunk.extra]
    assert extras == [{"logprobs": scored}, {"citations": ["https://example.com"]}]


def test_the_model_and_the_notices_come_first() -> None:
    chunks = read(frame({"role": "assistant"}), text_frame("Hi"), *ending(), notices=["Left out: seed"])
    assert chunks[0] == Chunk(model="small-1", extra={"notices": ["Left out: seed"]})
    assert [chunk.model for chunk in chunks[1:]] == [None] * (len(chunks) - 1)


def calls(*events: object) -> tuple[ToolCall, ...]:
    answer = put(read(*events, *ending("stop")))
    assert answer.finish_reason == "tool_call"
    return answer.tool_calls


ADD, SUB = ToolCall("a", "add", '{"x":1}'), ToolCall("b", "sub", '{"y":2}')


@pytest.mark.parametrize(
    "events",
    [
        pytest.param(
            [
                call_frame(0, "a", name="add", arguments=""), call_frame(0, arguments='{"x"'),
                call_frame(0, arguments=":1}"), call_frame(1, "b", name="sub", arguments='{"y":2}'),
            ],
            id="as it should be",
        ),
        pytest.param(
            [
                call_frame(0, "a", name="add", arguments='{"x":1}'),
                call_frame(0, "b", name="sub", arguments='{"y":2}'),
            ],
            id="one index for all",
        ),
        pytest.param(
            [
                call_frame(3, "a", name="add", arguments=""), call_frame(7, "b", name="sub", arguments=""),
                call_frame(7, arguments='{"y":2}'), call_frame(3, arguments='{"x":1}'),
            ],
            id="odd indexes, mixed",
        ),
        pytest.param(
            [
                call_frame(None, "a", name="add", arguments='{"x"'), call_frame(None, None, arguments=":1}"),
                call_frame(None, "b", name="sub", arguments='{"y":2}'),
            ],
            id="no indexes",
        ),
        pytest.param(
            [
                call_frame(0, "a", name="add", arguments='{"x"'), call_frame(0, "a", name="add", arguments=":1}"),
                call_frame(1, "b", name="sub", arguments='{"y"'), call_frame(1, "b", arguments=":2}"),
            ],
            id="all said again",
        ),
        pytest.param(
            [
                call_frame(0, "a", name="add", arguments='{"x"'), call_frame(0, "", arguments=":1}"),
                call_frame(1, "b", name="sub", arguments={"y": 2}),
            ],
            id="empty id, and an object for arguments",
        ),
        pytest.param(
            [
                call_frame(0, "a", name="add", arguments='{"x"'), call_frame(0, "zzz", arguments=":1}"),
                call_frame(1, "b", name="sub", arguments='{"y":2}'),
            ],
            id="a new id each time",
        ),
        pytest.param(
            [frame({"tool_calls": [
                {"index": 0, "id": "a", "function": {"name": "add", "arguments": '{"x":1}'}},
                {"index": 1, "id": "b", "function": {"name": "sub", "arguments": '{"y":2}'}},
            ]})],
            id="both at once",
        ),
    ],
)  # fmt: skip
def test_pieces_of_tool_calls(events: list[object]) -> None:
    told = calls(*events)
    assert [(call.id, call.name, call.parsed()) for call in told] == [
        (call.id, call.name, call.parsed()) for call in (ADD, SUB)
    ]


def test_tool_calls_without_ids_and_indexes() -> None:
    told = calls(
        call_frame(name="add", arguments='{"x":1}'),
        call_frame(name="sub", arguments='{"y"'),
        call_frame(arguments=":2}"),
    )
    assert [(call.name, call.parsed()) for call in told] == [("add", {"x": 1}), ("sub", {"y": 2})]
    assert len({call.id for call in told}) == 2


TWO_CALLS = {
    "one id on two indexes": ((0, "call", "add"), (1, "call", "sub")),
    "no ids on one index": ((0, None, "add"), (0, None, "sub")),
    "empty ids on one index": ((0, "", "add"), (0, "", "sub")),
    "one id without indexes": ((None, "c", "add"), (None, "c", "sub")),
    "neither": ((None, None, "add"), (None, None, "sub")),
    "one index and name": ((0, None, "add"), (0, None, "add")),
    "one id, index and name": ((0, "c", "add"), (0, "c", "add")),
    "one id and name on two indexes": ((0, "c", "add"), (1, "c", "add")),
    "neither, and one name": ((None, None, "add"), (None, None, "add")),
}


@pytest.mark.parametrize("told", TWO_CALLS.values(), ids=TWO_CALLS)
@pytest.mark.parametrize("pieces", [1, 2])
def test_two_calls_are_never_taken_for_one(
    told: tuple[tuple[int | None, str | None, str], ...], *, pieces: int
) -> None:
    wholes, events = ('{"x":1}', '{"y":2}'), list[object]()
    for (index, identity, name), whole in zip(told, wholes, strict=True):
        cut = 4 if pieces == 2 else len(whole)
        events.append(call_frame(index, identity, name=name, arguments=whole[:cut]))
        if pieces == 2:
            events.append(call_frame(index, identity, arguments=whole[cut:]))
    got = calls(*events)
    assert [(call.name, call.arguments) for call in got] == [
        (name, whole) for (_, _, name), whole in zip(told, wholes, strict=True)
    ]
    assert len({call.id for call in got}) == 2
    # The same, where the pieces come from a provider that sorts nothing.
    raw = [
        Chunk(tool_call=ToolCallDelta(index, identity, name, whole))
        for (index, identity, name), whole in zip(told, wholes, strict=True)
    ]
    assert [call.arguments for call in put(raw).tool_calls] == list(wholes)
    assert len({call.id for call in put(raw).tool_calls}) == 2


@pytest.mark.parametrize("index", [0, None])
@pytest.mark.parametrize("identity", ["x", None])
def test_a_name_that_is_repeated_begins_no_call_while_arguments_are_open(
    index: int | None, identity: str | None
) -> None:
    told = calls(*(call_frame(index, identity, name="add", arguments=piece) for piece in ('{"x"', ":1", "}")))
    assert [(call.name, call.arguments) for call in told] == [("add", '{"x":1}')]


def test_an_empty_piece_after_whole_arguments_begins_no_call() -> None:
    told = calls(call_frame(0, "x", name="add", arguments='{"x":1}'), call_frame(0, "x", name="add", arguments=""))
    assert [(call.id, call.arguments) for call in told] == [("x", '{"x":1}')]


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.none() | st.integers(0, 3), st.none() | st.sampled_from("abc"), st.booleans()), max_size=12)
)
def test_pieces_are_never_lost_and_places_count_from_zero(
    deltas: list[tuple[int | None, str | None, bool]],
) -> None:
    sorter = CallSorter()
    told = [sorter.sort(CallDelta(index, id, Function("f" if named else None, "."))) for index, id, named in deltas]  # noqa: A001
    assert sum(len(delta.arguments) for delta in told) == len(deltas)
    assert {delta.index for delta in told} == set(range(sorter.count))
    answer = put([Chunk(tool_call=delta) for delta in told])
    assert len(answer.tool_calls) == sorter.count


def test_a_frame_with_types_of_its_own_is_understood() -> None:
    told = {
        "choices": [{"index": "0", "delta": {"content": "Hi"}, "finish_reason": 1}],
        "usage": {"prompt_tokens": 1.0},
    }
    frame_told = read_frame(json.dumps(told).encode())
    assert frame_told.choices is not None
    assert frame_told.choices[0].delta is not None
    assert frame_told.choices[0].delta.content == "Hi"
    assert frame_told.usage is not None
    assert frame_told.usage.prompt_tokens == 1
