"""Thoughts that come as a list of parts go back as they came, and to nobody else."""

from __future__ import annotations

import json
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.config.secret import Secret
from sentient_cli.llm import LLMManager, Message, Request, ToolCall, run_tools, tool
from sentient_cli.llm.anthropic import AnthropicConfig, AnthropicProvider
from sentient_cli.llm.chatwire.decoder import ChatDecoder
from sentient_cli.llm.chatwire.details import Details, details_in
from sentient_cli.llm.chatwire.dialect import CONTENT, DETAILS
from sentient_cli.llm.chatwire.messages import wire_messages
from sentient_cli.llm.compatible import CompatibleConfig, CompatibleProvider
from sentient_cli.llm.compatible.vendors import vendor_of
from sentient_cli.llm.openai.responses_body import responses_body
from sentient_cli.llm.parts import TextPart, ThinkingPart
from sentient_cli.llm.types import JsonValue
from tests.llm.providers.chat_wire import MODEL, call_frame, ending, frame, text_answer
from tests.support.llm_server import Answer, LLMServer, as_json, as_sse


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


SIGNED = "anthropic-claude-v1"
PIECES: list[list[dict[str, JsonValue]]] = [
    [{"type": "reasoning.text", "text": "Add ", "format": SIGNED, "index": 0}],
    [{"type": "reasoning.text", "text": "them.", "format": SIGNED, "index": 0}],
    [{"type": "reasoning.text", "signature": "Et8B", "format": SIGNED, "index": 0}],
    [{"type": "reasoning.encrypted", "data": "abc", "id": "rs_1", "format": "openai-responses-v1", "index": 1}],
    [{"type": "reasoning.encrypted", "data": "def", "id": "rs_2", "format": "openai-responses-v1", "index": 2}],
]
WHOLE: list[JsonValue] = [
    {"type": "reasoning.text", "text": "Add them.", "format": SIGNED, "index": 0, "signature": "Et8B"},
    PIECES[3][0],
    PIECES[4][0],
]
CALL = call_frame(0, "call_1", name="add", arguments='{"a": 1, "b": 2}')


def _openrouter(url: str) -> LLMManager:
    config = CompatibleConfig(base_url=f"{url}/v1", default_model=MODEL, api_keys=(Secret("sk-1"),))
    return LLMManager([CompatibleProvider("openrouter", config)], default_model="openrouter")


async def _sent_back(asked: Answer) -> dict[str, object]:
    """What an answer that asks for a tool becomes in the next request."""
    with LLMServer(asked, Answer(text_answer(["It is 3."]))) as server:
        manager = _openrouter(server.url)
        assert (await run_tools("What is 1 + 2?", [add], manager=manager)).text == "It is 3."
        await manager.aclose()
    _, assistant, result = cast("list[dict[str, object]]", server.requests[1].json()["messages"])
    assert result["role"] == "tool"
    return assistant


@pytest.mark.story("1.6")
async def test_they_go_back_with_the_results_of_tools() -> None:
    pieces = [
        frame({"reasoning": str(piece[0].get("text", "")), "reasoning_details": piece, "content": ""})
        for piece in PIECES
    ]
    assistant = await _sent_back(Answer(as_sse([*pieces, CALL, *ending("tool_calls")], done=True)))
    assert assistant["reasoning_details"] == WHOLE
    assert "reasoning" not in assistant


@pytest.mark.story("1.6")
async def test_so_do_those_of_an_answer_that_was_not_streamed() -> None:
    function = {"name": "add", "arguments": '{"a": 1, "b": 2}'}
    calls = [{"id": "call_1", "type": "function", "function": function}]
    message = {"role": "assistant", "content": None, "reasoning_details": WHOLE, "tool_calls": calls}
    told = as_json({"model": MODEL, "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]})
    assert (await _sent_back(told))["reasoning_details"] == WHOLE


@pytest.mark.story("1.6")
async def test_an_answer_without_thoughts_has_none() -> None:
    empty = frame({"content": "", "reasoning_details": []})
    assert "reasoning_details" not in await _sent_back(Answer(as_sse([empty, CALL, *ending("tool_calls")], done=True)))


def _thinking(*texts: str, **more: JsonValue) -> dict[str, JsonValue]:
    return {"type": "thinking", "thinking": [{"type": "text", "text": text} for text in texts], **more}


REFERENCE: JsonValue = {"type": "reference", "reference_ids": [1]}
IN_CONTENT: list[JsonValue] = [
    [_thinking("Add ")],
    [_thinking("them")],
    [{"type": "thinking", "thinking": [{"type": "text", "text": "."}, REFERENCE], "signature": "Et8B", "closed": True}],
    [{"type": "text", "text": "On"}],
    "e.",
]
PUT_TOGETHER = {
    "type": "thinking",
    "thinking": [{"type": "text", "text": "Add them."}, REFERENCE],
    "signature": "Et8B",
    "closed": True,
}


@pytest.mark.story("1.6")
@pytest.mark.parametrize("is_streamed", [True, False], ids=["streamed", "whole"])
async def test_those_in_the_content_go_back_in_it_with_every_answer(is_streamed: bool) -> None:
    told = [frame({"content": piece}) for piece in IN_CONTENT]
    asked: Answer = Answer(as_sse([*told, CALL, *ending("tool_calls")], done=True))
    if not is_streamed:
        function = {"name": "add", "arguments": '{"a": 1, "b": 2}'}
        calls = [{"id": "call_1", "type": "function", "function": function}]
        message = {
            "role": "assistant",
            "content": [PUT_TOGETHER, {"type": "text", "text": "One."}],
            "tool_calls": calls,
        }
        asked = as_json({"model": MODEL, "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]})
    final = Answer(as_sse([*told, *ending()], done=True))
    with LLMServer(asked, final, Answer(text_answer(["Bye."]))) as server:
        config = CompatibleConfig(base_url=f"{server.url}/v1", default_model=MODEL, api_keys=(Secret("sk-1"),))
        manager = LLMManager([CompatibleProvider("mistral", config)], default_model="mistral")
        answer = await run_tools("What is 1 + 2?", [add], manager=manager)
        (thought,) = answer.thinking
        assert (answer.text, thought.text) == ("One.", "Add them.")
        said = [Message.user("What is 1 + 2?"), *answer.messages, Message.user("Thanks")]
        assert (await manager.generate(said)).thinking == ()
        await manager.aclose()
    again = cast("list[dict[str, object]]", server.requests[2].json()["messages"])
    assert [message["role"] for message in again] == ["user", "assistant", "tool", "assistant", "user"]
    for place in (1, 3):
        assert again[place]["content"] == [PUT_TOGETHER, {"type": "text", "text": "One."}]
    assert "tool_calls" in again[1]
    assert "reasoning_details" not in again[1]


async def test_a_reader_sees_their_text() -> None:
    told = [frame({"reasoning_details": piece}) for piece in PIECES]
    with LLMServer(Answer(as_sse([*told, frame({"content": "Three."}), *ending()], done=True))) as server:
        manager = _openrouter(server.url)
        answer = await manager.generate("What is 1 + 2?")
        await manager.aclose()
    (thought,) = answer.thinking
    assert (answer.text, thought.text, details_in(thought.signature)) == ("Three.", "Add them.", WHOLE)


OTHERS = ThinkingPart("Add them.", json.dumps(WHOLE))
HISTORY = (
    Message.user("What is 1 + 2?"),
    Message.assistant((OTHERS, ThinkingPart("Hm", "rs_1|sealed"), ThinkingPart("Hm", "EqQB"), TextPart("Three."))),
    Message.user("And 2 + 2?"),
)


def test_nobody_else_gets_them() -> None:
    asked = Request(model="gpt-5.4", messages=HISTORY)
    sent = json.loads(responses_body(asked, "openai").content)["input"]
    assert [item["id"] for item in sent if item.get("type") == "reasoning"] == ["rs_1"]
    claude = AnthropicProvider(AnthropicConfig(api_key=Secret("sk-1")))
    body = claude.asked(Request(model="claude-opus-5-5", messages=HISTORY)).body
    assert [part["signature"] for part in _blocks(body["messages"]) if part["type"] == "thinking"] == ["EqQB"]


def test_those_of_openrouter_and_of_mistral_are_not_mixed_up() -> None:
    ours = ThinkingPart("Hm", json.dumps([_thinking("Hm")]))
    history = (HISTORY[0], Message.assistant((ours, OTHERS, TextPart("Three."))), HISTORY[2])
    assert _said_to("mistral", history) == {
        "role": "assistant",
        "content": [_thinking("Hm", closed=True), {"type": "text", "text": "Three."}],
    }
    assert _said_to("mistral", HISTORY) == {"role": "assistant", "content": "Three."}
    asked = (history[0], Message.assistant(history[1].parts, (ToolCall("call_1", "add", "{}"),)), history[2])
    assert _said_to("openrouter", asked)["reasoning_details"] == WHOLE


def _said_to(vendor: str, messages: tuple[Message, ...]) -> dict[str, JsonValue]:
    told = wire_messages(messages, vendor_of(vendor).dialect, vendor)[1]
    assert isinstance(told, dict)
    return told


def _blocks(messages: JsonValue) -> list[dict[str, JsonValue]]:
    told = cast("list[dict[str, list[dict[str, JsonValue]]]]", messages)
    return [part for message in told for part in message["content"]]


def test_a_signature_that_cannot_be_read_is_left_out() -> None:
    assert details_in("[broken") == details_in("") == details_in("[" * 100_000) == []


_TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


@given(st.lists(st.tuples(st.integers(0, 3), _TEXT)), st.data())
def test_the_pieces_they_come_in_do_not_matter(texts: list[tuple[int, str]], data: st.DataObject) -> None:
    whole, pieces = Details(), Details()
    for index, text in texts:
        cut = data.draw(st.integers(0, len(text)))
        whole.add([{"type": "reasoning.text", "text": text, "index": index}])
        for part in (text[:cut], text[cut:]):
            pieces.add([{"type": "reasoning.text", "text": part, "index": index}])
    assert pieces.signature == whole.signature


_JSON = st.recursive(st.none() | st.booleans() | st.integers() | _TEXT, st.lists, max_leaves=5)
_PIECE = st.dictionaries(st.sampled_from(["type", "text", "summary", "data", "index", "signature"]), _JSON) | _JSON


@given(st.lists(st.lists(_PIECE)))
def test_odd_parts_are_no_reason_to_fail(told: list[list[JsonValue]]) -> None:
    decoder = ChatDecoder("mine", thoughts=DETAILS)
    frames = as_sse([*(frame({"content": "x", "reasoning_details": piece}) for piece in told), *ending()], done=True)
    chunks = [*decoder.feed(b"".join(frames)), *decoder.end()]
    assert "".join(chunk.text for chunk in chunks) == "x" * len(told)


_OF_CONTENT = (
    st.fixed_dictionaries({"type": st.just("thinking")}, optional={"thinking": _JSON, "closed": _JSON}) | _PIECE
)


@given(st.lists(st.lists(_OF_CONTENT)))
def test_neither_are_odd_parts_of_a_content(told: list[list[JsonValue]]) -> None:
    decoder = ChatDecoder("mine", thoughts=CONTENT)
    frames = as_sse([*(frame({"content": piece}) for piece in told), frame({"content": "x"}), *ending()], done=True)
    chunks = [*decoder.feed(b"".join(frames)), *decoder.end()]
    assert "".join(chunk.text for chunk in chunks).endswith("x")
