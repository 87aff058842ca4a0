"""What is sent to Anthropic for a request."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.errors import BadRequestError
from sentient_cli.llm import (
    AudioPart,
    DocumentPart,
    ImagePart,
    Message,
    OutputSpec,
    Parameters,
    Part,
    Request,
    TextPart,
    ThinkingPart,
    ToolCall,
    ToolSpec,
)
from sentient_cli.llm.anthropic import AnthropicConfig
from sentient_cli.llm.anthropic.messages import Conversation
from sentient_cli.llm.anthropic.request import Asked, ask
from sentient_cli.llm.anthropic.schemas import closed
from sentient_cli.llm.types import JsonValue
from sentient_cli.llm.wire.unanswered import with_results

NEW, OLD, OLDEST = "claude-opus-5", "claude-sonnet-4-5-20250929", "claude-3-5-haiku-latest"
GIF = b"GIF89a\x01"
CALL = ToolCall("call/1", "add", '{"a": 1}')


def asked(
    *messages: Message,
    model: str = NEW,
    tools: tuple[ToolSpec, ...] = (),
    output: OutputSpec | None = None,
    config: AnthropicConfig | None = None,
    parameters: Parameters | None = None,
) -> Asked:
    return ask(
        Request(
            model=model,
            messages=messages or (Message.user("Hi"),),
            parameters=parameters or Parameters(),
            tools=tools,
            output=output,
        ),
        config or AnthropicConfig(),
    )


def with_parameters(model: str, values: dict[str, object], version: str = "2026-10-21") -> Asked:
    config = AnthropicConfig(api_version=version)
    return asked(model=model, config=config, parameters=msgspec.convert(values, Parameters))


def test_what_the_system_says_stands_beside_the_turns() -> None:
    sent = asked(Message.system("Be brief"), Message.user("Hi"), Message.system("Be kind"))
    assert sent.body["system"] == [{"type": "text", "text": "Be brief"}, {"type": "text", "text": "Be kind"}]
    assert sent.body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]
    assert sent.notices == ["A system message within the conversation stands at its beginning instead"]


def test_the_results_of_tools_are_one_turn_of_the_user_and_come_first_in_it() -> None:
    other = ToolCall("call_2", "now", "not json")
    sent = asked(
        Message.user("Add"),
        Message.assistant("Sure", (CALL, other)),
        Message.user("Quick!"),
        Message.tool(CALL, "1"),
        Message.tool(other, "It failed", is_error=True),
    )
    assert sent.body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Add"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Sure"},
                {"type": "tool_use", "id": "call_1", "name": "add", "input": {"a": 1}},
                {"type": "tool_use", "id": "call_2", "name": "now", "input": {"invalid_json": "not json"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": "1"},
                {"type": "tool_result", "tool_use_id": "call_2", "content": "It failed", "is_error": True},
                {"type": "text", "text": "Quick!"},
            ],
        },
    ]


def test_images_and_documents_are_sent_as_bytes_or_as_addresses() -> None:
    parts: tuple[Part, ...] = (
        ImagePart(data=GIF),
        ImagePart(url="https://example.com/a.png"),
        DocumentPart(data=b"%PDF-1.7", name="a.pdf"),
        DocumentPart(data="Grüße".encode(), name="a.txt"),
        DocumentPart(url="https://example.com/a.pdf"),
    )
    [turn] = Conversation([Message.user(parts)]).turns
    assert turn == {
        "role": "user",
        "content": [
            {"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": "R0lGODlhAQ=="}},
            {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjc="},
                "title": "a.pdf",
            },
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "Grüße"},
                "title": "a.txt",
            },
            {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
        ],
    }


@pytest.mark.parametrize(
    "part",
    [
        AudioPart(data=b"RIFF1234WAVE"),
        DocumentPart(data=b"\xff\xfe", name="a.txt"),
        DocumentPart(data=b"x", name="a.zip"),
    ],
)
def test_what_the_models_cannot_read_is_refused_before_anything_is_sent(part: Part) -> None:
    with pytest.raises(BadRequestError, match="cannot read"):
        asked(Message.user((part,)))


def test_thoughts_go_back_as_they_came_and_those_of_others_do_not() -> None:
    thoughts = (ThinkingPart("Hm", "sig"), ThinkingPart(redacted="abc"), ThinkingPart("Mine"))
    sent = asked(Message.user("Hi"), Message.assistant((*thoughts, TextPart("Yes"))), Message.user("And?"))
    turns = sent.body["messages"]
    assert isinstance(turns, list)
    assert turns[1] == {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "Hm", "signature": "sig"},
            {"type": "redacted_thinking", "data": "abc"},
            {"type": "text", "text": "Yes"},
        ],
    }


@pytest.mark.parametrize("lifetime", ["5m", "1h"])
def test_what_is_marked_is_kept_in_the_cache_at_four_places_at_most(lifetime: str) -> None:
    config = msgspec.convert({"cache_lifetime": lifetime}, AnthropicConfig)
    parts = tuple(TextPart(str(number), cache=True) for number in range(5))
    sent = asked(Message.system((TextPart("S", cache=True),)), Message.user(parts), config=config)
    mark = {"type": "ephemeral"} if lifetime == "5m" else {"type": "ephemeral", "ttl": "1h"}
    assert sent.body["system"] == [{"type": "text", "text": "S"}]
    turns = sent.body["messages"]
    assert isinstance(turns, list)
    assert isinstance(turns[0], dict)
    blocks = turns[0]["content"]
    assert isinstance(blocks, list)
    assert [isinstance(block, dict) and block.get("cache_control") for block in blocks] == [
        None,
        mark,
        mark,
        mark,
        mark,
    ]
    assert sent.notices == ["Only the last 4 of 6 places are kept in the cache"]


@pytest.mark.parametrize("messages", [[Message.user("")], [Message.system("Be brief")], [Message.assistant("")]])
def test_nothing_to_answer_is_an_error(messages: list[Message]) -> None:
    with pytest.raises(BadRequestError, match="nothing to answer"):
        Conversation(messages)


def test_a_conversation_that_ends_with_the_assistant_is_gone_on_with_where_the_model_can() -> None:
    messages = (Message.user("Hi"), Message.assistant("Well "))
    new, old = asked(*messages), asked(*messages, model=OLD)
    assert new.body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "Well "}]},
        {"role": "user", "content": [{"type": "text", "text": "Go on."}]},
    ]
    assert new.notices
    assert old.body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "Well"}]},
    ]
    assert not old.notices


_MESSAGES = st.lists(
    st.one_of(
        st.builds(Message, st.sampled_from(["system", "user", "assistant"]), st.text(max_size=3)),
        st.just(Message.assistant("", (CALL,))),
        st.just(Message.tool(CALL, "1")),
    ),
    max_size=8,
)


@given(_MESSAGES, st.booleans())
def test_in_whatever_order_the_turns_go_to_and_fro_and_nothing_is_lost(messages: list[Message], prefill: bool) -> None:
    try:
        said = Conversation(messages, prefill=prefill)
    except BadRequestError:
        assert not any(
            message.role != "system" and (message.text.strip() or message.tool_calls) for message in messages
        )
        return
    turns = [turn for turn in said.turns if isinstance(turn, dict)]
    roles = [turn["role"] for turn in turns]
    assert roles[0] == "user"
    assert all(one != other for one, other in pairwise(roles))
    assert prefill or roles[-1] == "user"
    told = sum(len(turn["content"]) for turn in turns if isinstance(turn["content"], list)) + len(said.system)
    whole = with_results(messages)
    given_ = sum(bool(message.text.strip()) or message.role == "tool" for message in whole)  # white space is nothing
    given_ += sum(len(message.tool_calls) for message in whole)
    assert given_ <= told <= given_ + 2


@pytest.mark.parametrize(
    ("model", "values", "expected"),
    [
        (NEW, {"effort": "high"}, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
        (NEW, {"effort": "minimal"}, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
        (NEW, {"effort": "none"}, {"thinking": {"type": "disabled"}}),
        (NEW, {"thinking_tokens": 0}, {"thinking": {"type": "disabled"}}),
        (NEW, {"thinking_tokens": 4000}, {"thinking": {"type": "adaptive"}}),
        (OLD, {"thinking_tokens": 4000}, {"thinking": {"type": "enabled", "budget_tokens": 4000}}),
        (OLD, {"thinking_tokens": 5}, {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        (OLD, {"effort": "medium"}, {"thinking": {"type": "enabled", "budget_tokens": 8192}}),
        (OLD, {"effort": "max", "max_tokens": 2000}, {"thinking": {"type": "enabled", "budget_tokens": 1500}}),
        (OLD, {"thinking_tokens": 9000, "max_tokens": 2000}, {"thinking": {"type": "enabled", "budget_tokens": 1999}}),
        (OLD, {"effort": "max", "max_tokens": 1000}, {}),
        (OLDEST, {"effort": "high"}, {}),
    ],
)
def test_thinking_is_asked_for_as_the_model_knows_it(
    model: str, values: dict[str, object], expected: dict[str, object]
) -> None:
    sent = with_parameters(model, values)
    assert {name: sent.body[name] for name in ("thinking", "output_config") if name in sent.body} == expected


def test_sampling_is_sent_where_the_version_takes_it() -> None:
    new = with_parameters(NEW, {"temperature": 0.5, "top_p": 0.9, "top_k": 4})
    assert not new.body.keys() & {"temperature", "top_p", "top_k"}
    assert len(new.notices) == 3
    old = with_parameters(OLDEST, {"temperature": 1.5, "top_p": 0.9, "top_k": 4}, "2023-06-01")
    assert [old.body[name] for name in ("temperature", "top_p", "top_k")] == [1.0, 0.9, 4]
    assert old.notices == ["`temperature` is 1, the highest there is"]
    thinking = with_parameters(OLD, {"temperature": 0.5, "top_k": 4, "thinking_tokens": 2000}, "2023-06-01")
    assert not thinking.body.keys() & {"temperature", "top_k"}
    assert len(thinking.notices) == 2


def test_sampling_is_sent_where_the_model_takes_it() -> None:
    values: dict[str, object] = {"temperature": 0.5, "top_p": 0.9}
    either = with_parameters(OLD, values, "2023-06-01")
    assert "top_p" not in either.body
    assert either.notices == ["`top_p` is not sent: the model takes one of it and `temperature`"]
    newer = with_parameters("claude-opus-4-7", values, "2023-06-01")
    assert not newer.body.keys() & values.keys()
    assert newer.notices == [f"`{name}` is not sent: the model refuses it" for name in values]
    assert not with_parameters("glm-9", values, "2023-06-01").notices  # speaks like Claude, and is none


@pytest.mark.parametrize(("tier", "sent"), [("auto", True), ("standard_only", True), ("flex", False)])
def test_a_tier_that_is_another_providers_is_not_sent(tier: str, sent: bool) -> None:
    asked_for = with_parameters(NEW, {"service_tier": tier})
    assert ("service_tier" in asked_for.body) == sent == (not asked_for.notices)


def test_of_effort_and_tokens_one_goes_and_that_is_said() -> None:
    assert with_parameters(OLD, {"effort": "low", "thinking_tokens": 2000}).notices == [
        "`effort` is not sent: the model takes `thinking_tokens`, which say more"
    ]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, None),
        ({"tool_choice": "auto"}, {"type": "auto"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        ({"tool_choice": "none", "parallel_tools": False}, {"type": "none"}),
        ({"tool_choice": "add"}, {"type": "tool", "name": "add"}),
        ({"parallel_tools": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        ({"parallel_tools": True}, None),
    ],
)
def test_tools_are_offered_and_chosen(values: dict[str, object], expected: object) -> None:
    tool = ToolSpec("add", "Adds.", {"type": "object", "properties": {"a": {"type": "number"}}})
    sent = asked(tools=(tool,), parameters=msgspec.convert(values, Parameters))
    assert sent.body["tools"] == [{"name": "add", "input_schema": tool.parameters, "description": "Adds."}]
    assert sent.body.get("tool_choice") == expected


CITY: dict[str, JsonValue] = {"type": "object", "properties": {"name": {"type": "string", "minLength": 1}}}


def test_an_answer_of_a_form_is_asked_for_by_a_schema_and_else_by_a_tool() -> None:
    native = asked(output=OutputSpec("City", CITY))
    assert native.body["output_config"] == {
        "format": {
            "type": "json_schema",
            "schema": {"type": "object", "properties": {"name": {"type": "string"}}, "additionalProperties": False},
        }
    }
    assert "tools" not in native.body
    for sent in (
        asked(output=OutputSpec("City", CITY), model=OLDEST),
        asked(output=OutputSpec("Any", {"type": "object", "additionalProperties": {"type": "integer"}})),
    ):
        assert sent.body["tool_choice"] == {"type": "tool", "name": "final_answer"}
        assert "output_config" not in sent.body


def test_schemas_are_closed_at_every_depth() -> None:
    inner: dict[str, JsonValue] = {"type": "object", "properties": {"minimum": {"type": "integer", "minimum": 1}}}
    schema: dict[str, JsonValue] = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/Inner"}, "b": {"oneOf": [{"type": "null"}, inner]}},
        "$defs": {"Inner": inner},
    }
    told: dict[str, JsonValue] = {
        "type": "object",
        "properties": {"minimum": {"type": "integer"}},
        "additionalProperties": False,
    }
    assert closed(schema) == {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/Inner"}, "b": {"anyOf": [{"type": "null"}, told]}},
        "$defs": {"Inner": told},
        "additionalProperties": False,
    }
    assert closed({"type": "object", "properties": {"a": {"type": "array", "items": {"type": "object"}}}}) is None


def test_names_and_what_is_only_for_this_provider_are_sent_and_the_rest_is_said() -> None:
    sent = asked(
        parameters=Parameters(
            user="u1",
            metadata={"team": "a"},
            service_tier="auto",
            stop=("END", "\n\n"),
            seed=4,
            extra={"anthropic": {"speed": "fast", "betas": ["fast-mode-2026-02-01"]}, "openai": {"x": 1}},
        )
    )
    assert sent.body["metadata"] == {"user_id": "u1"}
    assert sent.body["service_tier"] == "auto"
    assert sent.body["stop_sequences"] == ["END"]
    assert sent.body["speed"] == "fast"
    assert "x" not in sent.body
    assert sent.betas == ("fast-mode-2026-02-01",)
    assert sent.notices == [
        "White space alone in `stop` is not sent: the provider refuses it",
        "`seed` is not sent: the provider has no such parameter",
        "`metadata` is not sent: the provider keeps none but `user_id`",
    ]


@pytest.mark.parametrize(
    ("model", "values", "expected"),
    [(NEW, {}, 16384), (OLDEST, {}, 8192), (OLDEST, {"max_tokens": 9}, 9), ("claude-3-opus-20240229", {}, 4096)],
)
def test_the_length_of_the_answer_is_always_said(model: str, values: dict[str, object], expected: int) -> None:
    assert with_parameters(model, values).body["max_tokens"] == expected


def test_thoughts_take_nothing_from_the_answer_unless_its_length_was_said() -> None:
    assert with_parameters(OLD, {"effort": "high"}).body["max_tokens"] == 16384 + 16384
    assert with_parameters("claude-3-7-sonnet-latest", {"thinking_tokens": 60_000}).body["max_tokens"] == 64_000
    assert with_parameters(OLD, {"effort": "high", "max_tokens": 5000}).body["max_tokens"] == 5000


@pytest.mark.parametrize("model", [NEW, OLD])
def test_a_model_that_has_to_call_a_tool_does_not_think(model: str) -> None:
    tool = ToolSpec("add", "Adds.")
    forced = asked(model=model, tools=(tool,), parameters=Parameters(tool_choice="add", effort="high"))
    assert "thinking" not in forced.body
    assert forced.notices == ["The model does not think: it may not while it has to call a tool"]
    free = asked(model=model, tools=(tool,), parameters=Parameters(tool_choice="auto", effort="high"))
    assert "thinking" in free.body
    assert not free.notices
