"""The ids of tool calls on Anthropic's wire, whoever gave them, and what is said of what is not sent."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.llm import Message, Parameters, Request, ToolCall
from sentient_cli.llm.anthropic import AnthropicConfig
from sentient_cli.llm.anthropic.messages import Conversation
from sentient_cli.llm.anthropic.request import ask
from sentient_cli.llm.types import JsonValue


def _ids(messages: list[Message]) -> tuple[list[str], list[str]]:
    """The ids of the calls of a conversation, and those of its results."""
    calls: list[str] = []
    results: list[str] = []
    for turn in Conversation(messages).turns:
        content: JsonValue = turn["content"] if isinstance(turn, dict) else None
        for block in content if isinstance(content, list) else ():
            assert isinstance(block, dict)
            if block["type"] == "tool_use":
                calls.append(str(block["id"]))
            elif block["type"] == "tool_result":
                results.append(str(block["tool_use_id"]))
    return calls, results


def test_ids_that_would_become_the_same_stay_apart() -> None:
    asked = tuple(ToolCall(given, "add") for given in ("a.b", "a_b", "", "", "fine-1"))
    turn = [Message.assistant("", asked), *(Message.tool(call, "1") for call in asked)]
    calls, results = _ids([Message.user("Hi"), *turn, Message.user("And?")])
    assert calls == results == ["a_b", "a_b_2", "call", "call_2", "fine-1"]


def test_an_id_that_is_used_again_in_a_later_turn_is_another_call() -> None:
    call = ToolCall("call_1", "add")
    turns = [Message.assistant("", (call,)), Message.tool(call, "1")] * 3
    calls, results = _ids([Message.user("Hi"), *turns])
    assert calls == results == ["call_1", "call_1_2", "call_1_3"]


@given(st.lists(st.lists(st.text("a._", max_size=3), min_size=1, max_size=4), min_size=1, max_size=4))
def test_every_call_has_an_id_of_its_own_and_every_result_has_its_calls(turns: list[list[str]]) -> None:
    messages = [Message.user("Hi")]
    for turn in turns:
        asked = tuple(ToolCall(given, "add") for given in turn)
        messages += [Message.assistant("", asked), *(Message.tool(call, "1") for call in asked)]
    calls, results = _ids(messages)
    assert len(set(calls)) == len(calls)
    assert results == calls
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", identity) for identity in calls)


def test_what_is_left_out_is_said() -> None:
    request = Request(
        model="claude-opus-5",
        messages=(Message.user("Hi"),),
        parameters=Parameters(cache_key="k", tool_choice="required"),
    )
    sent = ask(request, AnthropicConfig())
    assert "tool_choice" not in sent.body
    assert sorted(sent.notices) == [
        "`cache_key` is not sent: the provider has no such parameter",
        "`tool_choice` is not sent: no tool is offered",
    ]
