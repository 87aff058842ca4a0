from __future__ import annotations

import pytest

from sentient_cli.llm import Message, ToolCall, ToolSpec
from tests.llm.parts import offline, request

ADD = ToolSpec(
    "add_numbers",
    parameters={
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
    },
)
LOOK_UP = ToolSpec("look_up", parameters={"type": "object", "properties": {"city": {"type": "string"}}})
ANYTHING = ToolSpec("ping")


@pytest.mark.parametrize(
    ("prompt", "arguments"),
    [
        ("add numbers a=2 b=3", {"a": 2, "b": 3}),
        ('Call add_numbers with {"a": 2, "b": -3, "c": 1}', {"a": 2, "b": -3}),
        ("use add-numbers(a: 2, b: 3)", {"a": 2, "b": 3}),
        ("please ADD NUMBERS 2 and 3", {"a": 2, "b": 3}),
        ("add numbers where a is 2 and b is 3", {"a": 2, "b": 3}),
        ("look up Rome", {"city": "Rome"}),
        ("look_up(city='New York')", {"city": "New York"}),
        ("look_up: for New York?", {"city": "New York"}),
        ("look up", {}),
        ("ping it", {}),
        ("add numbers {a} 2 3", {"a": 2, "b": 3}),
        ("add numbers {] 2 3", {"a": 2, "b": 3}),
    ],
)
async def test_a_tool_is_called_when_it_is_named(prompt: str, arguments: dict[str, object]) -> None:
    answer = await offline().generate(request(prompt, tools=[ADD, LOOK_UP, ANYTHING]))
    assert answer.finish_reason == "tool_call"
    assert answer.tool_calls[0].parsed() == arguments
    assert answer.text == ""


async def test_values_become_what_the_schema_says() -> None:
    kinds = {"n": "number", "f": "boolean", "l": "array", "s": "string", "x": "integer"}
    tool = ToolSpec("set", parameters={"properties": {name: {"type": kind} for name, kind in kinds.items()}})
    answer = await offline().generate(request('set n=1.5 f=TRUE l=[1,2] s=12 x="oops', tools=[tool]))
    assert answer.tool_calls[0].parsed() == {"n": 1.5, "f": True, "l": [1, 2], "s": "12", "x": '"oops'}


async def test_missing_arguments_are_asked_for() -> None:
    answer = await offline().generate(request("add numbers a=2", tools=[ADD]))
    assert answer.tool_calls == ()
    assert "I need `b`" in answer.text


async def test_a_prompt_that_names_no_tool_calls_none() -> None:
    answer = await offline().generate(request("What is 2 + 2?", tools=[ADD, LOOK_UP]))
    assert (answer.text, answer.tool_calls) == ("2 + 2 = 4", ())


async def test_results_of_tools_are_told() -> None:
    call = ToolCall("call_1", "add_numbers", "{}")
    asked = [Message.user("add"), Message.assistant("", (call,)), Message.tool(call, "5")]
    assert (await offline().generate(request(*asked))).text == "The tool `add_numbers` gave: 5"
    failed = Message("tool", "no", is_error=True)
    assert (await offline().generate(request(*asked, failed))).text == (
        "- The tool `add_numbers` gave: 5\n- The tool failed: no"
    )


async def test_a_conversation_may_end_with_the_assistant() -> None:
    answer = await offline().generate(request("look up Rome", Message.assistant("Rome"), tools=[LOOK_UP]))
    assert answer.tool_calls == ()


async def test_several_arguments_without_names_are_not_guessed() -> None:
    tool = ToolSpec("send", parameters={"properties": {"to": {"type": "string"}, "text": {"type": "string"}}})
    answer = await offline().generate(request("send Ada hello", tools=[tool, ToolSpec("odd", parameters={})]))
    assert answer.tool_calls[0].parsed() == {}
    odd = await offline().generate(request("odd thing", tools=[tool, ToolSpec("odd", parameters={})]))
    assert odd.tool_calls[0].parsed() == {}
