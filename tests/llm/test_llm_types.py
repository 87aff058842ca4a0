from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.errors import BadRequestError, ProviderConnectionError
from sentient_cli.experiments.plan import Plan, Variant
from sentient_cli.llm import Chunk, Message, Parameters, Request, TextPart, ToolCall, ToolCallDelta, Usage
from sentient_cli.llm.assembly import Assembly

known = st.integers(0, 10**9)
usages = st.builds(
    Usage,
    input=st.none() | known,
    cache_read=st.none() | known,
    cache_write=st.none() | known,
    output=st.none() | known,
    reasoning=st.none() | known,
    estimated=st.booleans(),
)


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": 2.1},
        {"temperature": float("nan")},
        {"top_p": -0.1},
        {"max_tokens": 0},
        {"presence_penalty": 3.0},
        {"frequency_penalty": float("-inf")},
        {"seed": 2**64},
    ],
)
def test_a_parameter_out_of_range_is_named(wrong: dict[str, float]) -> None:
    with pytest.raises(BadRequestError, match=next(iter(wrong))) as caught:
        Parameters(**wrong)  # type: ignore[arg-type]
    assert caught.value.fix


def test_an_empty_stop_is_refused() -> None:
    with pytest.raises(BadRequestError, match="stop"):
        Parameters(stop=("",))


@given(usages, usages)
def test_usage_sums_and_keeps_unknown_unknown(one: Usage, other: Usage) -> None:
    total = one + other
    assert total == other + one
    for name in ("input", "output"):
        left: int | None = getattr(one, name)
        right: int | None = getattr(other, name)
        assert getattr(total, name) == (None if left is None or right is None else left + right)
    for name in ("cache_read", "cache_write", "reasoning"):  # who says nothing of them had none
        told = [count for count in (getattr(one, name), getattr(other, name)) if count is not None]
        assert getattr(total, name) == (sum(told) if told else None)
    assert total.estimated == (one.estimated or other.estimated)


@given(st.lists(st.builds(Usage, input=known, cache_read=st.none() | known, output=known), min_size=1))
def test_the_total_of_known_usages_is_never_unknown(given_usages: list[Usage]) -> None:
    total = given_usages[0]
    for usage in given_usages[1:]:
        total += usage
    assert total.total is not None
    assert total.prompt is not None
    assert total.output is not None
    assert total.total == total.prompt + total.output


def test_messages_have_text_whatever_their_content_is() -> None:
    call = ToolCall("call_1", "add", '{"a":1}')
    assert Message.user((TextPart("a"), TextPart("b"))).text == "ab"
    result = Message.tool(call, "1", is_error=True)
    assert (result.role, result.tool_call_id, result.name, result.text, result.is_error) == (
        "tool",
        "call_1",
        "add",
        "1",
        True,
    )
    assert Message.assistant("x", (call,)).tool_calls == (call,)


@given(st.builds(Message, st.sampled_from(("system", "user", "assistant", "tool")), st.text()))
def test_messages_survive_json(message: Message) -> None:
    assert msgspec.json.decode(msgspec.json.encode(message), type=Message) == message


@pytest.mark.parametrize("written", ["[1]", "{", '"x"', "nonsense", "[" * 100_000])
def test_arguments_that_are_no_object_are_a_typed_error(written: str) -> None:
    with pytest.raises(BadRequestError, match="no JSON object"):
        ToolCall("1", "add", written).parsed()


def test_no_arguments_are_an_empty_object() -> None:
    assert ToolCall("1", "add", "").parsed() == {}


def _assembled(*deltas: ToolCallDelta) -> list[tuple[str, str, str]]:
    assembly = Assembly()
    for delta in deltas:
        assembly.add(Chunk(tool_call=delta))
    return [(call.id, call.name, call.arguments) for call in assembly.tool_calls]


def test_tool_calls_are_told_apart_by_id_first() -> None:
    assert _assembled(
        ToolCallDelta(0, "a", "add", "{"),
        ToolCallDelta(0, None, None, "}"),
        ToolCallDelta(0, "b", "sub", "["),
        ToolCallDelta(0, "a", None, " "),
        ToolCallDelta(0, None, None, "]"),
    ) == [("a", "add", "{} "), ("b", "sub", "[]")]


def test_a_piece_without_id_and_index_belongs_to_the_open_call() -> None:
    assert _assembled(ToolCallDelta(5, "a"), ToolCallDelta(name="add"), ToolCallDelta(arguments="{}")) == [
        ("a", "add", "{}")
    ]


def test_calls_without_ids_get_some() -> None:
    assert _assembled(ToolCallDelta(name="add"), ToolCallDelta(1, name="sub")) == [
        ("call_1", "add", ""),
        ("call_2", "sub", ""),
    ]


def test_stop_with_tool_calls_means_tool_calls() -> None:
    assembly = Assembly()
    assembly.add(Chunk(tool_call=ToolCallDelta(0, "a", "add")))
    assembly.add(Chunk(finish_reason="stop"))
    assert assembly.completion("p", "m").finish_reason == "tool_call"


def test_an_answer_without_its_terminal_marker_was_cut_off() -> None:
    assembly = Assembly()
    assembly.add(Chunk("Hel"))
    with pytest.raises(ProviderConnectionError) as caught:
        assembly.completion("p", "m")
    assert (caught.value.partial_text, caught.value.retryable) == ("Hel", True)


def test_parameters_show_what_is_set_and_no_secret() -> None:
    secret = "sk-proj-abcdefghijklmnop1234"
    told = Parameters(
        temperature=0.5,
        stop=("END",),
        metadata={"api_key": "hunter2", "team": "red"},
        extra={"openai": {"headers": {"Authorization": f"Bearer {secret}"}, "note": f"with {secret}"}},
    )
    request = Request(model="m", messages=(Message.user("Hi"),), parameters=told)
    plan = Plan(name="tone", variants={"control": Variant(), "warm": Variant(parameters=told)})
    for text in (repr(told), str(told), repr(request), repr(plan), str(told.__rich_repr__())):
        assert secret not in text
        assert "hunter2" not in text
        assert "'team': 'red'" in text
    assert repr(Parameters(temperature=0.5, stop=("END",))) == "Parameters(temperature=0.5, stop=['END'])"
    assert msgspec.convert(msgspec.to_builtins(told), Parameters) == told
