"""Calls of tools that nobody answered do not spoil a conversation for ever."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.config.secret import Secret
from sentient_cli.llm import ImagePart, LLMManager, Message, TextPart, ToolCall, tool
from sentient_cli.llm.compatible import CompatibleConfig, CompatibleProvider
from sentient_cli.llm.wire.unanswered import UNANSWERED, with_results
from tests.llm.providers.chat_wire import call_frame, ending, text_answer
from tests.support.llm_server import Answer, LLMServer, Received, as_json, as_sse

_CALLS = st.lists(st.builds(ToolCall, st.sampled_from(["a", "b", ""]), st.just("now")), max_size=3).map(tuple)
_MESSAGE = st.one_of(
    st.just(Message.user("Go on")),
    st.just(Message.system("Be brief")),
    _CALLS.map(lambda calls: Message.assistant("So", calls)),
    st.builds(ToolCall, st.sampled_from(["a", "b", ""]), st.just("now")).map(lambda call: Message.tool(call, "noon")),
)


@given(st.lists(_MESSAGE, max_size=12))
def test_each_call_has_its_result_right_behind_it_and_each_result_its_call(messages: list[Message]) -> None:
    whole = with_results(messages)
    assert with_results(whole) == whole
    for role in ("assistant", "system"):
        assert [each for each in whole if each.role == role] == [each for each in messages if each.role == role]
    results = [each for each in whole if each.role == "tool" and each.text != UNANSWERED]
    said = [each for each in whole if each.role == "user" and each.text != "Go on"]
    assert len(results) + len(said) == sum(each.role == "tool" for each in messages)
    assert all(each.text == "The tool 'now' gave: noon" for each in said)
    wanted: list[str] = []
    for message in [*whole, Message.assistant("")]:
        if message.role == "tool":
            wanted.remove(message.tool_call_id or "")
        else:
            assert wanted == []
            wanted = [call.id for call in message.tool_calls]


def test_what_is_missing_is_told_where_the_results_are() -> None:
    one, two = ToolCall("1", "now"), ToolCall("2", "now")
    asked = Message.assistant("", (one, two))
    told = with_results([Message.user("Hi"), asked, Message.tool(two, "noon"), Message.user("Never mind")])
    assert [(message.role, message.tool_call_id, message.text) for message in told[2:]] == [
        ("tool", "2", "noon"),
        ("tool", "1", UNANSWERED),
        ("user", None, "Never mind"),
    ]
    assert [message.is_error for message in told[2:]] == [False, True, False]


def test_what_belongs_to_no_call_is_said_as_the_user() -> None:
    call = ToolCall("1", "see")
    shown = Message("tool", (TextPart("a cat"), ImagePart(data=b"GIF89a\x01")), tool_call_id="0", name="see")
    asked = Message.assistant("", (call,))
    told = with_results([shown, Message.user("Hi"), asked, Message.user("Wait"), Message.tool(call, "x"), shown])
    assert [message.role for message in told] == ["user", "user", "assistant", "tool", "user", "user"]
    assert [part.text for part in told[0].parts if isinstance(part, TextPart)] == ["The tool 'see' gave: ", "a cat"]
    assert isinstance(told[0].parts[-1], ImagePart)
    assert (told[4].text, told[5]) == ("Wait", told[0])


@tool
def now() -> str:
    """Tell the time."""
    return "noon"


def _strict(received: Received) -> Answer:
    """A server that refuses a call without a result, as they all do."""
    messages = cast("list[dict[str, object]]", received.json()["messages"])
    if len(messages) == 1:
        return Answer(as_sse([call_frame(0, "call_1", name="now", arguments="{}"), *ending("tool_calls")], done=True))
    calls = [cast("list[dict[str, str]]", message.get("tool_calls") or []) for message in messages]
    asked = {call["id"] for turn in calls for call in turn}
    answered = {message["tool_call_id"] for message in messages if message["role"] == "tool"}
    return Answer(text_answer(["Fine."])) if asked == answered else as_json({"error": {"message": "No"}}, 400)


@pytest.mark.story("1.6")
async def test_a_conversation_goes_on_whose_call_was_never_made() -> None:
    with LLMServer(_strict) as server:
        config = CompatibleConfig(base_url=f"{server.url}/v1", api_keys=(Secret("sk-1"),))
        manager = LLMManager([CompatibleProvider("groq", config)], default_model="groq:m")
        answer = await manager.generate("What time is it?", tools=[now])
        assert [call.name for call in answer.tool_calls] == ["now"]
        said = [Message.user("What time is it?"), answer.message, Message.user("Never mind. How are you?")]
        assert (await manager.generate(said)).text == "Fine."
        await manager.aclose()


@pytest.mark.story("1.6")
async def test_a_conversation_that_was_cut_between_a_call_and_its_result_goes_on() -> None:
    with LLMServer(_strict) as server:
        config = CompatibleConfig(base_url=f"{server.url}/v1", api_keys=(Secret("sk-1"),))
        manager = LLMManager([CompatibleProvider("groq", config)], default_model="groq:m")
        said = [Message.tool(ToolCall("call_1", "now"), "noon"), Message.assistant("Noon."), Message.user("Thanks")]
        assert (await manager.generate(said)).text == "Fine."
        await manager.aclose()
