"""Every event comes back from its JSON as it was, in one line for every reader, in the order of the protocol."""

from __future__ import annotations

import json
import math
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.errors import InvalidEventError
from sentient_cli.runtime.events import (
    DoneEvent,
    ErrorContent,
    ErrorEvent,
    Event,
    EventMetadata,
    JsonEvent,
    JsonValue,
    TextBlockEvent,
    TextChunkEvent,
    check_event_name,
    check_metadata,
    decode_event,
    encode_event,
    encode_json,
    is_done,
    is_error,
    is_json,
    is_text_block,
    is_text_chunk,
)

TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
_NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | _NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=4)
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1, max_size=128).filter(
    lambda name: name[0] != " "
)
METADATA: st.SearchStrategy[EventMetadata | None] = st.none() | st.dictionaries(
    TEXT, TEXT | st.booleans() | _NUMBERS | st.lists(TEXT, max_size=3), max_size=16
)
_ERRORS = st.builds(ErrorContent, error_message=TEXT, error_code=st.integers(0, 999), details=st.none() | OBJECTS)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(TextBlockEvent, event_name=NAMES, id=TEXT, source=TEXT, metadata=METADATA, content=TEXT),
    st.builds(JsonEvent, event_name=NAMES, id=TEXT, source=TEXT, metadata=METADATA, content=OBJECTS),
    st.builds(
        TextChunkEvent,
        event_name=NAMES,
        id=TEXT,
        source=TEXT,
        metadata=METADATA,
        stream_id=TEXT,
        is_complete=st.booleans(),
        content=TEXT,
    ),
    st.builds(ErrorEvent, id=TEXT, source=TEXT, metadata=METADATA, content=_ERRORS),
    st.builds(DoneEvent, id=TEXT, source=TEXT, metadata=METADATA),
)


@pytest.mark.slow
@given(EVENTS)
def test_an_event_comes_back(event: Event) -> None:
    data = encode_event(event)
    assert decode_event(data) == event
    assert decode_event(data.decode()) == event
    assert list(json.loads(data))[:6] == ["content_type", "event_name", "schema_version", "id", "source", "metadata"]


@pytest.mark.slow
@given(JSON)
def test_any_json_is_one_line_for_every_reader_and_means_the_same(value: JsonValue) -> None:
    data = encode_json(value)
    assert len(data.decode().splitlines()) == 1
    assert json.loads(data) == value


@given(st.recursive(st.text(max_size=10), lambda inner: st.lists(inner, max_size=3), max_leaves=5))
def test_lone_surrogates_never_stop_an_event(value: object) -> None:
    assert "\ud800" not in encode_json(value).decode()


@pytest.mark.slow
@given(EVENTS, st.dictionaries(TEXT.map("new_".__add__), JSON, max_size=3))
def test_fields_of_newer_versions_are_passed_over(event: Event, more: dict[str, JsonValue]) -> None:
    assert decode_event(json.dumps({**json.loads(encode_event(event)), **more})) == event


@given(st.binary(max_size=200) | st.text(max_size=200) | JSON.map(json.dumps))
def test_what_is_no_event_is_said_to_be_none(data: bytes | str) -> None:
    with pytest.raises(InvalidEventError):
        decode_event(data)


@given(st.text(max_size=140))
def test_a_name_that_is_taken_stands_in_one_line(name: str) -> None:
    try:
        assert check_event_name(name) == name
    except InvalidEventError:
        return
    assert 1 <= len(name) <= 128
    assert name.splitlines() == [name]
    assert name.isprintable() or not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in name)
    assert f"event: {name}".encode().decode().removeprefix("event: ") == name


@pytest.mark.slow
@given(METADATA)
def test_metadata_that_a_client_accepts_is_taken(metadata: EventMetadata | None) -> None:
    assert check_metadata(metadata) == metadata


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_does_not_have_are_no_metadata(value: float) -> None:
    with pytest.raises(InvalidEventError):
        check_metadata({"a": value})


def _json_event(content: dict[str, object]) -> JsonEvent:
    return JsonEvent(event_name="A", id="01J", source="a", content=cast("dict[str, JsonValue]", content))


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_does_not_have_are_refused_with_their_place(number: float) -> None:
    rows: list[object] = [{"name": "null"}, {"the mean": (0.5, None, number)}]
    with pytest.raises(InvalidEventError) as raised:
        encode_event(_json_event({"rows": rows}))
    assert raised.value.why == f"It is at rows[1]['the mean'][2] = {number}"
    details = ErrorContent(error_message="e", details={"a": number})
    with pytest.raises(InvalidEventError):
        encode_event(ErrorEvent(id="01J", source="a", content=details))


@pytest.mark.slow
@given(st.dictionaries(st.text(), st.recursive(st.none() | st.floats(), lambda inner: st.lists(inner, max_size=3))))
def test_a_json_event_is_refused_or_comes_back_as_it_was(content: dict[str, object]) -> None:
    try:
        data = encode_event(_json_event(content))
    except InvalidEventError:
        assert any(word in repr(content) for word in ("nan", "inf"))
    else:
        decoded = decode_event(data)
        assert isinstance(decoded, JsonEvent)
        assert list(decoded.content.values()) == list(content.values())


def test_a_number_at_a_great_depth_is_refused_too() -> None:
    value: object = math.nan
    for _ in range(900):
        value = [value]
    with pytest.raises(InvalidEventError, match="JSON"):
        encode_event(_json_event({"a": value}))


@pytest.mark.parametrize("value", [object(), {1, object()}, {("a", "b"): 1}, b"\xff" and object])
def test_what_is_not_json(value: object) -> None:
    with pytest.raises(InvalidEventError):
        encode_json({"a": value})


def test_what_is_nested_too_deeply_is_an_error_of_its_own() -> None:
    value: list[object] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(InvalidEventError, match="not JSON"):
        encode_json(value)


@pytest.mark.slow
@given(EVENTS)
def test_exactly_one_guard_holds(event: Event) -> None:
    guards = (is_text_block(event), is_json(event), is_text_chunk(event), is_error(event), is_done(event))
    assert sum(guards) == 1


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({1: 2}, "The metadata name 1 is not allowed. A name is a string."),
        ([("a", 1)], "The metadata of an event is a mapping, not list."),
        ("ab", "The metadata of an event is a mapping, not str."),
        ({"a": {}}, "The metadata value 'a' is not allowed. It is of type dict."),
    ],
)
def test_what_is_wrong_with_metadata_is_said(metadata: object, said: str) -> None:
    with pytest.raises(InvalidEventError) as caught:
        check_metadata(cast("EventMetadata", metadata))
    assert str(caught.value).startswith(said)
