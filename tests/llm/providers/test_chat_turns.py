"""A conversation in the order, and with the arguments of calls, that a vendor takes."""

from __future__ import annotations

import json
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.llm import ImagePart, Message, Request, TextPart, ToolCall
from sentient_cli.llm.chatwire.body import body_of
from sentient_cli.llm.chatwire.messages import wire_messages
from sentient_cli.llm.compatible import VENDORS
from sentient_cli.llm.openai.config import DIALECT
from sentient_cli.llm.openai.responses_body import responses_body

PNG = ImagePart(data=b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ('{"a": 1,  "b": 2}', '{"a": 1,  "b": 2}'),
        ('{"a": "cut o', '{"invalid_json":"{\\"a\\": \\"cut o"}'),
        ("[1]", '{"invalid_json":"[1]"}'),
        ('{"invalid_json": "x"}', '{"invalid_json": "x"}'),
        ("", "{}"),
        ("null", "{}"),
        ("{}", "{}"),
        (" { } ", "{}"),
    ],
)
def test_arguments_go_back_as_an_object_whatever_was_written(written: str, sent: str) -> None:
    calls = (ToolCall("c1", "look", written),)
    said = (Message.user("Look"), Message.assistant("", calls), Message.tool(calls[0], "none"))
    chat = cast("list[dict[str, list[dict[str, dict[str, str]]]]]", wire_messages(said, DIALECT, "openai"))
    assert [call["function"]["arguments"] for call in chat[1]["tool_calls"]] == [sent]
    items = json.loads(responses_body(Request(model="m", messages=said), "openai").content)["input"]
    assert [item["arguments"] for item in items if item.get("type") == "function_call"] == [sent]


def test_mistral_gets_turns_in_its_order() -> None:
    """It refuses `user` after `tool`, and an `assistant` at the end."""
    call = ToolCall("abcdefgh1", "look")
    cut = [Message.user("Look"), Message.assistant("", (call,)), Message.tool(call, "A log"), Message.user("Thanks")]

    def roles(*messages: Message) -> list[str]:
        sent = wire_messages(messages, VENDORS["mistral"].dialect, "mistral")
        return [message["role"] for message in cast("list[dict[str, str]]", sent)]

    assert roles(*cut) == ["user", "assistant", "tool", "assistant", "user"]
    assert roles(*cut[:3]) == ["user", "assistant", "tool"]
    assert roles(*cut, Message.assistant("And")) == [
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
        "assistant",
        "user",
    ]
    asked = Request(model="m", messages=(*cut, Message.assistant("And")))
    assert body_of(asked, VENDORS["mistral"].dialect, "mistral").notices == [
        "The conversation ends with the assistant, so that the model was asked to go on"
    ]
    shown = Message("tool", (TextPart("Here"), PNG), tool_call_id=call.id, name="look")
    assert roles(*cut[:2], shown) == ["user", "assistant", "tool", "assistant", "user"]


_SAID = st.sampled_from(["system", "user", "assistant", "picture"])


@given(st.lists(_SAID, min_size=1, max_size=8))
def test_perplexity_gets_user_and_assistant_by_turns_and_nothing_is_lost(speakers: list[str]) -> None:
    messages: list[Message] = []
    for number, speaker in enumerate(speakers):
        if speaker == "picture":
            messages.append(Message.user((TextPart(f"<{number}>"), PNG)))
        else:
            messages.append(getattr(Message, speaker)(f"<{number}>"))
    sent = cast("list[dict[str, str]]", wire_messages(messages, VENDORS["perplexity"].dialect, "perplexity"))
    roles = [message["role"] for message in sent]
    instructions = roles.count("system")
    assert roles[:instructions] == ["system"] * instructions
    turns = roles[instructions:]
    assert turns == ["user" if place % 2 == 0 else "assistant" for place in range(len(turns))]
    assert not turns or turns[-1] == "user"
    for kind in ({"system"}, {"user", "assistant", "picture"}):
        told = "".join(
            str(message["content"]) for message in sent if (message["role"] == "system") == ("system" in kind)
        )
        places = [told.index(f"<{number}>") for number, speaker in enumerate(speakers) if speaker in kind]
        assert places == sorted(places)
