"""The ids of tool calls on each wire, whoever gave them, and what is said of what Anthropic is not sent."""

from __future__ import annotations

import json
import re
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.config.secret import Secret
from sentient_cli.llm import LLMManager, Message, Parameters, Request, ToolCall, run_tools, tool
from sentient_cli.llm.anthropic import AnthropicConfig
from sentient_cli.llm.anthropic.messages import Conversation
from sentient_cli.llm.anthropic.request import ask
from sentient_cli.llm.chatwire.messages import wire_messages
from sentient_cli.llm.compatible import CompatibleConfig, CompatibleProvider, vendor_of
from sentient_cli.llm.openai.responses_body import responses_body
from sentient_cli.llm.resilience.policies import ResiliencePolicies
from sentient_cli.llm.resilience.retry import RetryPolicy
from sentient_cli.llm.types import JsonValue
from tests.llm.providers.chat_wire import call_frame, ending, text_answer
from tests.support.llm_server import Answer, LLMServer, Received, as_json, as_sse


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


_IDS = st.text(max_size=70) | st.sampled_from(["", "call_1", "call_2", "abcdefgh1", "toolu_01A.b/c", "x" * 64])


def _of_chat(messages: list[Message], vendor: str) -> tuple[list[str], list[str]]:
    told = wire_messages(messages, vendor_of(vendor).dialect, vendor)
    calls: list[str] = []
    results: list[str] = []
    for message in cast("list[dict[str, JsonValue]]", told):
        calls += [str(call["id"]) for call in cast("list[dict[str, JsonValue]]", message.get("tool_calls") or [])]
        if message["role"] == "tool":
            results.append(str(message["tool_call_id"]))
    return calls, results


def _of_responses(messages: list[Message]) -> tuple[list[str], list[str]]:
    items = json.loads(responses_body(Request(model="m", messages=tuple(messages)), "openai").content)["input"]
    calls, results = (
        [str(item["call_id"]) for item in items if item.get("type") == kind]
        for kind in ("function_call", "function_call_output")
    )
    return calls, results


@given(st.lists(st.lists(_IDS, max_size=4), min_size=1, max_size=4))
def test_every_wire_gets_ids_that_it_takes_and_results_that_belong_to_them(turns: list[list[str]]) -> None:
    messages = [Message.user("Hi")]
    for turn in turns:
        asked = tuple(ToolCall(each, "add") for each in turn)
        messages += [
            Message.assistant("So", asked),
            *(Message.tool(call, "1") for call in asked),
            Message.user("Go on"),
        ]
    for taken, (calls, results) in (
        (r"[A-Za-z0-9]{9}", _of_chat(messages, "mistral")),
        (r".{1,40}", _of_chat(messages, "groq")),
        (r".{1,64}", _of_responses(messages)),
        (r"[A-Za-z0-9_-]+", _ids(messages)),
    ):
        assert calls == results
        assert len(set(calls)) == len(calls) == sum(map(len, turns))
        assert all(re.fullmatch(taken, call, re.DOTALL) for call in calls)


def test_ids_that_are_taken_stay_and_others_are_always_the_same() -> None:
    asked = (ToolCall("abcdefgh1", "add"), ToolCall("call_abc", "add"))
    talk = [Message.user("Hi"), Message.assistant("", asked), *(Message.tool(call, "1") for call in asked)]
    calls, _ = _of_chat(talk, "mistral")
    assert calls[0] == "abcdefgh1"
    assert _of_chat([*talk, Message.user("And?")], "mistral")[0] == calls
    assert _of_chat(talk, "groq")[0] == ["abcdefgh1", "call_abc"]


@pytest.mark.story("E3.2", "3.4")
async def test_a_conversation_with_tools_goes_on_at_mistral() -> None:
    """It refuses any id but those of nine letters and digits."""
    asked = [call_frame(0, "call_0fypS1hVX-from-another", name="add", arguments='{"a": 1}'), *ending("tool_calls")]
    down = as_json({"error": {"message": "Down"}}, 503)

    def mistral(received: Received) -> Answer:
        ids = re.findall(r'"(?:id|tool_call_id)":"([^"]*)"', received.body.decode())
        fine = len(ids) == 2 and all(re.fullmatch(r"[A-Za-z0-9]{9}", each) for each in ids)
        return Answer(text_answer(["Two."])) if fine else as_json({"message": f"Tool call id was {ids}"}, 400)

    with LLMServer(Answer(as_sse(asked, done=True)), down) as first, LLMServer(mistral) as second:
        providers = [
            CompatibleProvider(vendor, CompatibleConfig(base_url=f"{server.url}/v1", api_keys=(Secret("sk-1"),)))
            for vendor, server in (("groq", first), ("mistral", second))
        ]
        policies = ResiliencePolicies(retry=RetryPolicy(attempts=1))
        manager = LLMManager(providers, groups={"main": ["groq:m", "mistral:m"]}, policies=policies)
        answer = await run_tools("Add", [add], model="main", manager=manager)
        await manager.aclose()
    assert (answer.text, answer.provider, answer.failovers) == ("Two.", "mistral", 1)


@tool
def add(a: int) -> int:
    """Add one."""
    return a + 1
