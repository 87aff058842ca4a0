"""Messages that cannot be sent as they are: each is refused with words on what is right, before anybody is asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from sentient_cli import llm
from sentient_cli.errors import BadRequestError, SentientError, ToolDefinitionError
from sentient_cli.llm import (
    AudioPart,
    DocumentPart,
    ImagePart,
    LLMManager,
    Message,
    Request,
    TextPart,
    ToolCall,
    ToolSpec,
)
from tests.llm.providers.faulty import PATIENCE, wires
from tests.llm.providers.wires import Wire
from tests.support.llm_server import LLMServer, as_json

CALL = ToolCall("call_1", "add", '{"a": 1}')


def _asked(*messages: object) -> Callable[[], object]:
    return lambda: llm.stream([*messages])  # type: ignore[list-item]


def _told(role: object, content: object = "Hi", **more: object) -> Message:
    return Message(role, content, **more)  # type: ignore[arg-type]


SLIPS: dict[str, tuple[Callable[[], object], str, str]] = {
    "a result of no call": (lambda: Message.tool("x", "4"), "not str", "`tool_calls`"),  # type: ignore[arg-type]
    "a result without its call": (_asked(_told("tool")), "of which call", "Message.tool(call, result)"),
    "the id of a call elsewhere": (_asked(_told("user", tool_call_id="1")), "'user' has the id", "Message.tool"),
    "calls of the user": (_asked(_told("user", tool_calls=(CALL,))), "'user' has calls", "Message.assistant"),
    "one call for several": (_asked(_told("assistant", tool_calls=CALL)), "are ToolCall", "`(call,)`"),
    "a call of another kind": (_asked(_told("assistant", tool_calls=({"id": "1"},))), "not dict", "ToolCall(id"),
    "arguments that are no text": (
        _asked(Message.assistant("", (ToolCall("1", "add", {"a": 1}),))),  # type: ignore[arg-type]
        "`arguments` of a call of a tool is a text, not dict",
        "json.dumps",
    ),
    "an id that is no text": (
        _asked(Message.assistant("", (ToolCall(1, "add"),))),  # type: ignore[arg-type]
        "`id` of a call of a tool is a text, not int",
        "a text",
    ),
    "half a character in arguments": (
        _asked(Message.assistant("", (ToolCall("1", "add", '{"a": "\ud83d"}'),))),
        "half a character",
        "errors='replace'",
    ),
    "half a character in the id of a call": (
        _asked(_told("tool", tool_call_id="call\ud83d")),
        "`tool_call_id` of a message has half a character",
        "errors='replace'",
    ),
    "half a character in a name": (_asked(_told("user", name="\ud83d")), "`name` of a message has half", "replace"),
    "half a character in an address": (
        _asked(Message.user((ImagePart(url="https://a.example/\ud83d"),))),
        "`url` of ImagePart has half",
        "replace",
    ),
    "half a character in the name of a document": (
        _asked(Message.user((DocumentPart(data=b"x", name="\ud83d.txt"),))),
        "`name` of DocumentPart has half",
        "replace",
    ),
    "a picture for the system": (
        _asked(Message.system((TextPart("See"), ImagePart(url="https://a.example/b.png"))), Message.user("Hi")),
        "'system' has a part of the kind ImagePart",
        "message of the user",
    ),
    "a document of the assistant": (
        _asked(Message.assistant((DocumentPart(data=b"x", name="a.txt"),)), Message.user("Hi")),
        "'assistant' has a part of the kind DocumentPart",
        "message of the user",
    ),
    "a result that is no text": (_asked(Message.tool(CALL, 4)), "'tool' is int", "a text"),  # type: ignore[arg-type]
    "a part without text": (_asked(Message.user((TextPart(None),))), "part is NoneType", "text"),  # type: ignore[arg-type]
    "a role of others": (_asked(_told("function")), "no role 'function'", "`tool`"),
    "a detail that is none": (
        lambda: ImagePart(url="https://a.example/b.png", detail="ultra"),  # type: ignore[arg-type]
        "'ultra'",
        "`low`",
    ),
    "a path for a name": (
        lambda: DocumentPart(data=b"x", name=Path("a.txt")),  # type: ignore[arg-type]
        "`name` of a document is a text, not",
        "a text",
    ),
    "a format that is no text": (
        lambda: AudioPart(data=b"RIFF....WAVE", format=5),  # type: ignore[arg-type]
        "`format` of a sound is a text, not int",
        "a text",
    ),
    "a name that is no text": (_asked(_told("user", name=5)), "`name` of a message is a text, not int", "a text"),
    "parameters as a dict": (
        lambda: llm.stream("Hi", parameters={"temperature": 1}),  # type: ignore[arg-type]
        "takes `Parameters`, not dict",
        "`Parameters(…)`",
    ),
    "options as a dict": (
        lambda: llm.stream("Hi", options={"timeout": 5}),  # type: ignore[arg-type]
        "takes `CallOptions`, not dict",
        "`CallOptions(…)`",
    ),
    "arguments that are an object already": (
        lambda: ToolCall("1", "add", {"a": 1}).parsed(),  # type: ignore[arg-type]
        "no JSON object",
        "the tool's result",
    ),
}
TOOLS: dict[str, tuple[Callable[[], object], str, str]] = {
    "no name": (lambda: ToolSpec(""), "cannot be called ''", "letters"),
    "a name that is no text": (lambda: ToolSpec(5), "cannot be called 5", "letters"),  # type: ignore[arg-type]
    "no description": (lambda: ToolSpec("a", None), "is NoneType", "empty"),  # type: ignore[arg-type]
    "parameters as text": (lambda: ToolSpec("a", "", "{}"), "are str", "JSON Schema"),  # type: ignore[arg-type]
    "half a character in the name": (lambda: ToolSpec("a\ud83d"), "has half a character", "replace"),
    "half a character": (lambda: ToolSpec("a", "b\ud83d"), "description of the tool 'a' has half", "replace"),
    "what JSON cannot hold": (
        lambda: ToolSpec("a", "", {"type": object()}),  # type: ignore[dict-item]
        "cannot be sent",
        "JSON can hold",
    ),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_in_a_message_says_what_is_right(slip: str) -> None:
    attempt, said, right = SLIPS[slip]
    with pytest.raises(BadRequestError) as caught:
        attempt()
    assert said in caught.value.what
    assert right in caught.value.fix


@pytest.mark.parametrize("slip", TOOLS)
def test_a_slip_in_the_description_of_a_tool_says_what_is_right(slip: str) -> None:
    attempt, said, right = TOOLS[slip]
    with pytest.raises(ToolDefinitionError) as caught:
        attempt()
    assert said in caught.value.what
    assert right in caught.value.fix


NOTHING: dict[str, tuple[Message, ...]] = {
    "nothing": (Message.user(""),),
    "white space": (Message.user(" \n"),),
    "no parts": (Message.user(()),),
    "a part of nothing": (Message.user((TextPart(""), TextPart("\t"))),),
    "the system alone": (Message.system("Be brief."), Message.user("")),
    "an answer of nothing": (Message.user(""), Message.assistant("")),
}


@wires
@pytest.mark.parametrize("what", NOTHING)
async def test_where_there_is_nothing_to_answer_nobody_is_asked(wire: Wire, what: str) -> None:
    with LLMServer(wire.handle) as server:
        provider = wire.make(server.url, PATIENCE)
        manager = LLMManager([provider], default_model=f"{provider.provider_id}:{wire.model}")
        with pytest.raises(BadRequestError, match="nothing to answer") as caught:
            await manager.generate(NOTHING[what])
        with pytest.raises(BadRequestError, match="nothing to answer"):
            await provider.generate(Request(model=wire.model, messages=NOTHING[what]))
        assert "Add a message of the user" in caught.value.fix
        assert server.requests == []
        await provider.aclose()


@pytest.mark.parametrize("prompt", ["", " ", "\n\t"])
async def test_so_it_is_with_the_offline_model_and_with_a_prompt(prompt: str) -> None:
    with pytest.raises(SentientError, match="nothing to answer"):
        await llm.generate(prompt)


@wires
async def test_messages_of_nothing_among_others_are_left_out(wire: Wire) -> None:
    said = (Message.user("Count."), Message.assistant(" "), Message.system(""), Message.user("To ten."))
    with LLMServer(wire.handle) as server:
        provider = wire.make(server.url, PATIENCE)
        await provider.generate(Request(model=wire.model, messages=said))
        await provider.aclose()
    body = server.requests[0].json()
    told = cast("list[dict[str, object]]", body.get("messages") or body["input"])
    assert {message["role"] for message in told} == {"user"}
    assert "Count." in str(told[0])
    assert "To ten." in str(told[-1])
    assert "system" not in body


@wires
async def test_an_enormous_message_is_sent_whole(wire: Wire) -> None:
    enormous = "An enormous question, \u2713. " * 400_000  # 10 MiB, more than a socket takes at once
    with LLMServer(wire.handle) as server:
        provider = wire.make(server.url, PATIENCE)
        answer = await provider.generate(Request(model=wire.model, messages=(Message.user(enormous),)))
        await provider.aclose()
    assert answer.finish_reason == "stop"
    body = server.requests[0].json()
    assert enormous.strip() in _texts(body.get("messages") or body["input"])


def _texts(told: object) -> str:
    if isinstance(told, str):
        return told
    if isinstance(told, dict):
        return "".join(map(_texts, cast("dict[str, object]", told).values()))
    return "".join(map(_texts, cast("list[object]", told))) if isinstance(told, list) else ""


@wires
async def test_a_message_too_large_for_the_server_is_a_typed_refusal(wire: Wire) -> None:
    refusal = as_json({"error": {"message": "The request is too large", "type": "request_too_large"}}, status=413)
    with LLMServer(refusal) as server:
        provider = wire.make(server.url, PATIENCE)
        with pytest.raises(BadRequestError) as caught:
            await provider.generate(Request(model=wire.model, messages=(Message.user("word " * 2_000_000),)))
        await provider.aclose()
    assert "413" in str(caught.value)
    assert len(server.requests) == 1  # nobody asks the same again
    assert "word word" not in str(caught.value)
