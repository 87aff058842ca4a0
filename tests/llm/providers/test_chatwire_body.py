"""A request as the body of a chat completion, in every dialect."""

from __future__ import annotations

import json
from typing import cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.errors import BadRequestError
from sentient_cli.llm.chatwire.body import body_of
from sentient_cli.llm.chatwire.dialect import Dialect
from sentient_cli.llm.chatwire.schema import schema_name, strict_schema
from sentient_cli.llm.compatible import VENDORS
from sentient_cli.llm.models.taken import taken_by
from sentient_cli.llm.openai.config import DIALECT as OPENAI
from sentient_cli.llm.openai.responses_body import responses_body
from sentient_cli.llm.parameters import Parameters
from sentient_cli.llm.parts import AudioPart, DocumentPart, ImagePart, TextPart, ThinkingPart
from sentient_cli.llm.provider import Request
from sentient_cli.llm.tokens import estimated_tokens
from sentient_cli.llm.types import JsonValue, Message, OutputSpec, ToolCall, ToolSpec

PNG = ImagePart(data=b"\x89PNG\r\n\x1a\n")
WAV = AudioPart(data=b"RIFF....WAVE")
PDF = DocumentPart(data=b"%PDF-1.7", name="a.pdf")
ASK = (Message.user("Hi"),)
ADD = ToolSpec("add", "Adds.", {"type": "object", "properties": {"a": {"type": "integer"}}})


def told(request: Request, dialect: Dialect = OPENAI, provider: str = "mine") -> tuple[dict[str, object], list[str]]:
    body = body_of(request, dialect, provider)
    value: dict[str, object] = json.loads(body.content)
    return value, body.notices


def ask(
    parameters: Parameters | None = None,
    *messages: Message,
    tools: tuple[ToolSpec, ...] = (),
    output: OutputSpec | None = None,
) -> Request:
    return Request(
        model="m", messages=messages or ASK, parameters=parameters or Parameters(), tools=tools, output=output
    )


def test_a_conversation_with_tools() -> None:
    call = ToolCall("c1", "add", '{"a":1}')
    value, _ = told(
        ask(
            None,
            Message.system("Be brief."),
            Message.user("1+1?"),
            Message.assistant((ThinkingPart("Hm"), TextPart("")), (call,)),
            Message.tool(call, "2"),
            Message.assistant("2"),
            tools=(ADD,),
        )
    )
    assert value["messages"] == [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "1+1?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "2"},
        {"role": "assistant", "content": "2"},
    ]
    assert value["tools"] == [
        {"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": ADD.parameters}}
    ]
    assert value["stream"] is True
    assert value["stream_options"] == {"include_usage": True}


def test_pictures_sound_and_documents() -> None:
    text = DocumentPart(data=b"Hello", name="a.txt")
    value, _ = told(ask(None, Message.user((TextPart("See"), PNG, ImagePart(url="https://e.com/i"), WAV, PDF, text))))
    parts = cast("list[dict[str, list[dict[str, object]]]]", value["messages"])[0]["content"]
    assert [part["type"] for part in parts] == ["text", "image_url", "image_url", "input_audio", "file", "text"]
    assert parts[1]["image_url"] == {"url": "data:image/png;base64,iVBORw0KGgo="}
    assert parts[4]["file"] == {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjc="}
    assert parts[5]["text"] == "a.txt:\nHello"


def test_what_a_tool_shows_follows_its_turn() -> None:
    calls = (ToolCall("c1", "look"), ToolCall("c2", "look"))
    shown = Message("tool", (TextPart("Here"), PNG), tool_call_id="c1", name="look")
    value, _ = told(ask(None, Message.assistant("", calls), shown, Message.tool(calls[1], "none")))
    messages = cast("list[dict[str, object]]", value["messages"])
    assert [message["role"] for message in messages] == ["assistant", "tool", "tool", "user"]
    assert "image_url" in str(messages[-1]["content"])


@pytest.mark.parametrize("part", [PNG, WAV, PDF, DocumentPart(url="https://e.com/a.pdf")])
def test_no_part_is_left_out_in_silence(part: ImagePart | AudioPart | DocumentPart) -> None:
    with pytest.raises(BadRequestError, match="does not take"):
        told(ask(None, Message.user((part,))), Dialect(images=False))


EVERY = Parameters(
    temperature=0.5, top_p=0.9, max_tokens=10, stop=("x",), seed=1, presence_penalty=0.1, frequency_penalty=0.2,
    top_k=3, effort="low", thinking_tokens=5, tool_choice="add", parallel_tools=False, logprobs=True, top_logprobs=2,
    service_tier="flex", user="u1", cache_key="k1", metadata={"a": "b"},
    extra={"mine": {"own": 1}, "other": {"not": 1}},
)  # fmt: skip


def test_every_parameter_of_openai() -> None:
    value, notices = told(ask(EVERY, tools=(ADD,)))
    for name in ("model", "messages", "stream", "stream_options", "tools"):
        del value[name]
    assert value == {
        "temperature": 0.5, "top_p": 0.9, "max_completion_tokens": 10, "stop": ["x"], "seed": 1,
        "presence_penalty": 0.1, "frequency_penalty": 0.2, "reasoning_effort": "low", "parallel_tool_calls": False,
        "logprobs": True, "top_logprobs": 2, "service_tier": "flex", "safety_identifier": "u1",
        "prompt_cache_key": "k1", "metadata": {"a": "b"}, "own": 1,
        "tool_choice": {"type": "function", "function": {"name": "add"}},
    }  # fmt: skip
    assert ["top_k" in notices[0], "thinking_tokens" in notices[1], len(notices)] == [True, True, 2]


@pytest.mark.slow
@pytest.mark.parametrize("vendor", VENDORS)
def test_every_vendor_gets_or_is_said_not_to_get_each_parameter(vendor: str) -> None:
    dialect = VENDORS[vendor].dialect
    value, notices = told(ask(EVERY, tools=(ADD,)), dialect, vendor)
    apart = {"extra", "tool_choice", "effort"}
    for name in msgspec.structs.fields(Parameters):
        if name.name in apart:
            continue
        theirs = dialect.parameters.get(name.name)
        said = any(repr(name.name) in notice for notice in notices)
        assert said == (theirs is None)
        assert theirs is None or theirs.partition(".")[0] in value
    assert "own" not in value
    assert "not" not in value


REASONING: dict[str, object] = {
    "temperature": 0.2,
    "top_p": 0.9,
    "presence_penalty": 1.0,
    "logprobs": True,
    "stop": ("x",),
}


THINKERS: list[tuple[str, str | None, set[str]]] = [
    ("gpt-5-mini", None, set(REASONING)),
    ("o1", "high", {*REASONING} - {"stop"}),
    ("o3-mini", None, {*REASONING} - {"stop"}),
    ("o4-mini", "low", set(REASONING)),
    ("gpt-5.4-mini", None, set(REASONING)),
    ("gpt-5.4-mini", "none", {"presence_penalty", "stop"}),
    ("gpt-5-chat-latest", None, set()),
    ("ft:gpt-5-mini:mine", None, set(REASONING)),
    ("gpt-4o", None, set()),
    ("gpt-99", None, set()),
]


@pytest.mark.parametrize(("model", "effort", "left_out"), THINKERS)
def test_a_model_that_thinks_is_not_told_how_to_sample(model: str, effort: str | None, left_out: set[str]) -> None:
    parameters = msgspec.convert({**REASONING, "effort": effort}, Parameters)
    request = Request(model=model, messages=ASK, parameters=parameters)
    value, notices = told(request)
    assert {name for name in REASONING if name not in value} == left_out
    assert len(notices) == len(left_out)
    for name in left_out:
        assert any(f"{name!r} was left out: the model {model!r}" in notice for notice in notices)
    answers = responses_body(request, "openai")
    assert not left_out & json.loads(answers.content).keys()
    assert "temperature" not in left_out or any("'temperature'" in notice for notice in answers.notices)


@pytest.mark.parametrize(
    ("vendor", "model", "values", "said"),
    [
        ("openai", "o1-mini", {"effort": "low"}, "'effort' was left out: the model 'o1-mini' does not take it"),
        ("openai", "o3", {"effort": "xhigh"}, "'xhigh' became 'high'"),
        ("openai", "gpt-4o", {"effort": "low"}, "'effort' was left out: the model 'gpt-4o'"),
        ("openai", "gpt-4o", {"stop": tuple("abcdef")}, "Only the first 4 of `stop`"),
        ("openai", "gpt-4o", {"top_logprobs": 2, "logprobs": False}, "'top_logprobs' was left out: `logprobs` is off"),
        ("cohere", "command-a", {"stop": tuple("abcdef")}, "Only the first 5 of `stop`"),
        ("cohere", "command-a", {"presence_penalty": -1}, "'presence_penalty' became 0: 'cohere' takes it from 0 to 1"),
        ("mistral", "mistral-large", {"temperature": 1.8}, "'temperature' became 1.5: 'mistral' takes it from 0 to"),
        ("mistral", "mistral-large", {"seed": -5}, "'seed' became 0: 'mistral' takes it from 0"),
        ("groq", "llama", {"service_tier": "scale"}, "'service_tier' was left out: 'groq' has auto, on_demand"),
        ("openrouter", "x/y", {"effort": "low", "thinking_tokens": 9}, "'effort' was left out: 'openrouter' takes one"),
        ("xai", "grok-4", {"presence_penalty": 1}, "'presence_penalty' was left out: the model 'grok-4'"),
        ("deepseek", "deepseek-reasoner", {"logprobs": True}, "'logprobs' was left out: the model"),
        ("azure", "gpt-5-mini", {"temperature": 0.2}, "'temperature' was left out: the model 'gpt-5-mini'"),
    ],
)
def test_what_a_model_or_vendor_does_not_take_so_is_said(
    vendor: str, model: str, values: dict[str, object], said: str
) -> None:
    dialect = OPENAI if vendor == "openai" else VENDORS[vendor].dialect
    parameters = msgspec.convert(values, Parameters)
    _, notices = told(Request(model=model, messages=ASK, parameters=parameters), dialect, vendor)
    assert len(notices) == 1
    assert said in notices[0]


@pytest.mark.parametrize(
    ("model", "effort", "sent", "said"),
    [
        ("gpt-5.1", "low", "low", ""),
        ("gpt-5.4-mini", "low", None, "The effort 'low' was left out: the model 'gpt-5.4-mini'"),
        ("gpt-5.4-mini", None, None, ""),
        ("gpt-5.4-mini", "none", "none", ""),
        ("gpt-5.6-sol", None, "none", "It does not think: the model 'gpt-5.6-sol'"),
        ("gpt-5.6-sol", "high", "none", 'but with `api = "responses"`'),
        ("a-model-of-tomorrow", "high", "high", ""),
    ],
)
def test_what_a_model_takes_beside_tools(model: str, effort: str | None, sent: str | None, said: str) -> None:
    parameters = msgspec.convert({"effort": effort}, Parameters)
    tools = (ToolSpec("now"),)
    request = Request(model=model, messages=ASK, parameters=parameters, tools=tools)
    value, notices = told(request, OPENAI, "openai")
    assert value.get("reasoning_effort") == sent
    assert said in "".join(notices)
    assert bool(notices) is bool(said)
    assert told(msgspec.structs.replace(request, tools=()), OPENAI, "openai")[0].get("reasoning_effort") == effort


@pytest.mark.parametrize(
    ("kind", "model", "efforts"),
    [
        ("openai", "gpt-5-codex", ("low", "medium", "high")),
        ("openai", "gpt-5.1-codex-max", ("low", "medium", "high", "xhigh")),
        ("openai", "gpt-5.2-pro-2025-12-11", ("medium", "high", "xhigh")),
        ("openai", "gpt-6-astra", ("low", "medium", "high", "xhigh")),
        ("openai", "o3-mini-2025-01-31", ("low", "medium", "high")),
        ("xai", "grok-3-mini", ("low", "high")),
        ("xai", "grok-4.3", ("none", "low", "medium", "high")),
        ("xai", "grok-4-fast-reasoning", ()),
    ],
)
def test_how_long_a_model_can_be_told_to_think(kind: str, model: str, efforts: tuple[str, ...]) -> None:
    assert taken_by(kind, model).efforts == efforts


def test_likely_tokens_come_with_log_probabilities() -> None:
    value, notices = told(ask(Parameters(top_logprobs=2)))
    assert (value["logprobs"], value["top_logprobs"], notices) == (True, 2, [])


@given(st.sampled_from(["none", "minimal", "low", "medium", "high", "xhigh", "max"]), st.sampled_from(list(VENDORS)))
def test_an_effort_becomes_one_that_is_known_and_that_is_said(effort: str, vendor: str) -> None:
    dialect = VENDORS[vendor].dialect
    value, notices = told(ask(msgspec.convert({"effort": effort}, Parameters)), dialect, vendor)
    place = dialect.parameters.get("effort")
    if place is None:
        assert "effort" in notices[0]
        return
    if effort == "none" and dialect.unthinking:
        assert value.items() >= dialect.unthinking.items()
        return
    outer, _, inner = place.partition(".")
    sent = cast("dict[str, object]", value[outer])[inner] if inner else value[outer]
    assert sent in dialect.efforts
    assert bool(notices) == (sent != effort)


@pytest.mark.parametrize(
    ("choice", "dialect", "sent"),
    [
        ("auto", Dialect(), "auto"),
        ("none", Dialect(), "none"),
        ("required", Dialect(), "required"),
        ("required", Dialect(required="any"), "any"),
        ("add", Dialect(), {"type": "function", "function": {"name": "add"}}),
        ("required", Dialect(tool_choice=False), None),
        ("auto", Dialect(tool_choice=False), None),
    ],
)
def test_the_choice_of_a_tool(choice: str, dialect: Dialect, sent: object) -> None:
    value, notices = told(ask(Parameters(tool_choice=choice), tools=(ADD,)), dialect)
    assert value.get("tool_choice") == sent
    assert bool(notices) == (sent is None and choice != "auto")


def test_no_tools_where_none_may_be_asked_for_and_that_cannot_be_said() -> None:
    value, notices = told(ask(Parameters(tool_choice="none"), tools=(ADD,)), Dialect(tool_choice=False))
    assert "tools" not in value
    assert not notices


def test_an_answer_held_to_a_schema() -> None:
    schema: dict[str, JsonValue] = {
        "type": "object",
        "properties": {"a": {"type": "integer", "default": 1}, "b": {"$ref": "#/$defs/B"}},
        "$defs": {"B": {"type": "object", "properties": {"title": {"type": "string"}}, "title": "B"}},
        "required": ["b"],
    }
    value, _ = told(ask(output=OutputSpec("My[City]", schema)))
    assert value["response_format"] == {
        "type": "json_schema",
        "json_schema": {
            "name": "My_City_",
            "strict": True,
            "schema": {
                "type": "object",
                "properties": {"a": {"type": "integer"}, "b": {"$ref": "#/$defs/B"}},
                "$defs": {
                    "B": {
                        "type": "object",
                        "properties": {"title": {"type": "string"}},
                        "required": ["title"],
                        "additionalProperties": False,
                    }
                },
                "required": ["a", "b"],
                "additionalProperties": False,
            },
        },
    }
    plain, _ = told(ask(output=OutputSpec("City", schema)), Dialect())
    assert plain["response_format"] == {"type": "json_schema", "json_schema": {"name": "City", "schema": schema}}
    none, notices = told(ask(output=OutputSpec("City", schema)), Dialect(schema="none"))
    assert "response_format" not in none
    assert "City" in notices[0]


def test_names_and_schemas_that_cannot_be_strict() -> None:
    assert schema_name("") == "answer"
    assert strict_schema({"type": "object"}) is None
    assert strict_schema({"type": "object", "properties": {"a": {"type": "object"}}}) is None
    assert strict_schema({"properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}) == {
        "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
        "required": ["a"],
        "additionalProperties": False,
    }


def test_marks_for_a_cache_go_where_they_are_taken() -> None:
    marked = Message.system((TextPart("Long", cache=True),))
    request = ask(None, marked, Message.user("Hi"))
    value, _ = told(request, VENDORS["openrouter"].dialect)
    assert value["messages"] == [
        {
            "role": "system",
            "content": [{"type": "text", "text": "Long", "cache_control": {"type": "ephemeral"}}],
        },
        {"role": "user", "content": "Hi"},
    ]
    assert told(request)[0]["messages"] == [
        {"role": "developer", "content": "Long"},
        {"role": "user", "content": "Hi"},
    ]


def test_an_estimate_grows_with_all_that_is_sent() -> None:
    sizes = [
        estimated_tokens(request).tokens
        for request in (
            ask(),
            ask(None, Message.user("Hi there, how are you?")),
            ask(None, Message.user("Hi there, how are you?"), tools=(ADD,)),
            ask(None, Message.user((TextPart("Hi there, how are you?"), PNG)), tools=(ADD,)),
        )
    ]
    assert sizes == sorted(set(sizes))
