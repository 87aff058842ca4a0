"""Answers as values of a type: what fits, what is asked for again, and what is an error."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from sentient_cli.errors import BadRequestError, ContentFilterError, OutputError
from sentient_cli.llm import Chunk, Completion, LLMManager, Message, ToolCallDelta, ToolSpec, TypedCompletion
from sentient_cli.llm.offline import Script
from sentient_cli.llm.offline.script import Rule, ScriptedCall
from tests.llm.parts import PlainProvider, Records, manager, offline


class City(BaseModel):
    name: str
    people: int = Field(ge=0)
    near: list[City] = []


@dataclass
class Point:
    x: float
    y: float = 0.0


class Source(TypedDict):
    title: str


def saying(*answers: str, hooks: Sequence[Records] = ()) -> LLMManager:
    """A manager that says one answer after the other."""
    rules = [Rule(answer=answer.replace("${", "$${"), times=1) for answer in answers]
    return manager(offline(Script(rule=tuple(rules), fallback="error")), hooks=hooks)


ROME = '{"name": "Rome", "people": 3, "near": [{"name": "Ostia", "people": 1}]}'


async def test_the_answer_is_a_value_of_the_type() -> None:
    answer = await saying(ROME).generate("Rome?", output=City)
    assert answer.output == City(name="Rome", people=3, near=[City(name="Ostia", people=1)])
    assert (answer.text, answer.provider, answer.steps) == (ROME, "offline", ())
    assert isinstance(answer, TypedCompletion)
    assert isinstance(answer, Completion)


@pytest.mark.parametrize(
    "text", [ROME, f"```json\n{ROME}\n```", f"\n```\n{ROME}\n```\n", f"```\n{ROME}```", f"  {ROME}\n"]
)
async def test_a_fence_around_it_does_no_harm(text: str) -> None:
    assert (await saying(text).generate("Rome?", output=City)).output.name == "Rome"


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Point, '{"x": 1}', Point(1.0)),
        (Source, '{"title": "Tea"}', {"title": "Tea"}),
        (list[Source], '[{"title": "Tea"}]', [{"title": "Tea"}]),
        (list[Source], '{"value": [{"title": "Tea"}]}', [{"title": "Tea"}]),
        (dict[str, int], '{"value": 1}', {"value": 1}),
        (int, "42", 42),
        (int, '{"value": 42}', 42),
        (bool, "true", True),
    ],
)
async def test_many_types_can_be_an_output(kind: type[object], text: str, value: object) -> None:
    assert (await saying(text).generate("?", output=kind)).output == value


async def test_the_provider_is_told_the_schema_of_an_object() -> None:
    records = Records()
    final = ToolCallDelta(0, "1", "final_answer", '{"value": [1]}')
    plain = PlainProvider([Chunk(tool_call=final), Chunk(finish_reason="stop")])
    answer = await manager(plain, hooks=[records]).generate("?", output=list[int], tools=[ToolSpec("other")])
    assert answer.output == [1]
    tools = records.records[0].data["tools"]
    assert isinstance(tools, list)
    assert [tool["name"] for tool in tools if isinstance(tool, dict)] == ["other", "final_answer"]
    assert isinstance(tools[1], dict)
    assert tools[1]["parameters"] == {
        "type": "object",
        "properties": {"value": {"type": "array", "items": {"type": "integer"}}},
        "required": ["value"],
        "additionalProperties": False,
    }


async def test_what_does_not_fit_is_asked_for_again_and_told_why() -> None:
    wrong = '{"name": "Rome", "people": -3}'
    answer = await saying(wrong, ROME).generate("Rome?", output=City)
    assert answer.output.people == 3
    assert answer.attempts == 2
    assert answer.steps == (
        Message.assistant(wrong),
        Message.user(
            "That does not fit. people: Input should be greater than or equal to 0. "
            "Answer again, with nothing but JSON that fits."
        ),
    )


@pytest.mark.parametrize("retries", [0, 1, 3])
async def test_what_never_fits_is_an_error_with_the_path(retries: int) -> None:
    records = Records()
    wrong = ['{"name": "Rome", "people": 1, "near": [{"name": 7, "people": "x"}]}'] * 5
    with pytest.raises(OutputError, match="The answer is no 'City'") as caught:
        await saying(*wrong, hooks=[records]).generate("Rome?", output=City, output_retries=retries)
    assert caught.value.faults.keys() == {"near[0].name", "near[0].people"}
    assert (caught.value.partial_text, caught.value.provider) == (wrong[0], "offline")
    assert records.kinds.count("llm.request") == retries + 1


async def test_a_tool_that_gives_the_answer_is_answered_when_it_does_not_fit() -> None:
    answers: list[Sequence[Chunk]] = [
        [Chunk(tool_call=ToolCallDelta(0, "1", "final_answer", "{}")), Chunk(finish_reason="stop")],
        [Chunk('{"x": 1}'), Chunk(finish_reason="stop")],
    ]

    class Changing(PlainProvider):
        async def initialize(self) -> None:
            self._chunks = answers.pop(0)

    answer = await manager(Changing()).generate("?", output=Point)
    assert answer.output == Point(1.0)
    asked = answer.steps[1]
    assert (asked.role, asked.tool_call_id, asked.is_error) == ("tool", "1", True)


async def test_an_answer_that_asks_for_a_tool_is_no_output() -> None:
    asking = Script(rule=(Rule(tool_calls=(ScriptedCall(name="look_up"),)),))
    with pytest.raises(OutputError, match="asked for the tool 'look_up'") as caught:
        await manager(offline(asking)).generate("?", output=Point, tools=[ToolSpec("look_up")], output_retries=5)
    assert "run_tools" in caught.value.fix


async def test_an_answer_that_was_cut_is_not_asked_for_again() -> None:
    cut = Script(rule=(Rule(answer='{"x": ', finish="length"),))
    records = Records()
    with pytest.raises(OutputError):
        await manager(offline(cut), hooks=[records]).generate("?", output=Point, output_retries=5)
    assert records.kinds.count("llm.request") == 1


@pytest.mark.parametrize("kind", [object.__init__, LLMManager])
async def test_a_type_without_a_schema_is_refused(kind: type[object]) -> None:
    with pytest.raises(BadRequestError, match="cannot be the output of a model"):
        await saying("{}").generate("?", output=kind)


async def test_a_tool_beside_an_answer_that_does_not_fit_is_not_told_so() -> None:
    calls = (
        ScriptedCall(name="look_up", arguments={}),
        ScriptedCall(name="final_answer", arguments={"people": 3}),
    )
    rules = (Rule(tool_calls=calls, times=1), Rule(on="any", answer=ROME))
    answer = await manager(offline(Script(rule=rules))).generate("Rome?", output=City, tools=[ToolSpec("look_up")])
    assert answer.output.name == "Rome"
    results = [message for message in answer.steps if message.role == "tool"]
    assert [(message.name, "does not fit" in message.text) for message in results] == [("final_answer", True)]


@pytest.mark.parametrize(
    ("chunks", "what"),
    [
        ([Chunk(refusal="I will not."), Chunk(finish_reason="stop")], "The model refused to answer"),
        ([Chunk("{"), Chunk(finish_reason="content_filter")], "The answer was stopped by a filter"),
    ],
)
async def test_a_refusal_is_no_answer_that_does_not_fit(chunks: list[Chunk], what: str) -> None:
    records = Records()
    with pytest.raises(ContentFilterError, match=what) as caught:
        await manager(PlainProvider(chunks), hooks=[records]).generate("Rome?", output=City)
    assert caught.value.partial_text == "".join(chunk.text for chunk in chunks)
    assert ("I will not" in caught.value.why) == bool(chunks[0].refusal)
    assert records.kinds.count("llm.request") == 1


async def test_a_schema_is_no_type() -> None:
    with pytest.raises(BadRequestError, match="cannot be the output of a model"):
        await saying("{}").generate("Rome?", output={"type": "object"})  # type: ignore[call-overload]


async def test_a_type_that_cannot_be_looked_up_is_a_type_like_others() -> None:
    kind = cast("type[int]", Annotated[int, ["not hashable"]])
    assert (await saying("7").generate("?", output=kind)).output == 7


@pytest.mark.slow
@given(st.text(max_size=30) | st.dictionaries(st.text(max_size=3), st.floats(), max_size=3).map(json.dumps))
async def test_whatever_a_model_says_is_a_value_or_a_typed_error(text: str) -> None:
    said: Point | Mapping[str, str]
    try:
        said = (await saying(text).generate("?", output=Point, output_retries=0)).output
    except OutputError as error:
        said = error.faults
    assert said
