"""Calls of tools whose pieces come in ways that the vendor's own server does not use, and empty events among them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.llm.assembly import Assembly
from sentient_cli.llm.openai.responses_decoder import ResponsesDecoder
from sentient_cli.llm.wire.callplaces import CallPlaces
from sentient_cli.llm.wire.decoding import StreamDecoder
from sentient_cli.llm.wire.failures import retry_after_of
from tests.llm.providers.responses_wire import events, stream

DELTA = "response.function_call_arguments.delta"


def _item(name: str, arguments: str = "", *, over: bool = False, **more: object) -> dict[str, object]:
    kind = "response.output_item.done" if over else "response.output_item.added"
    item = {"type": "function_call", "id": f"f_{name}", "call_id": f"c_{name}", "name": name, "arguments": arguments}
    return {"type": kind, "item": item, **more}


def _piece(name: str, text: str, **more: object) -> dict[str, object]:
    return {"type": DELTA, "item_id": f"f_{name}", "delta": text, **more}


def _read(decoder: StreamDecoder, body: list[bytes]) -> list[tuple[str, str, str]]:
    assembly = Assembly()
    for data in body:
        for chunk in decoder.feed(data):
            assembly.add(chunk)
    for chunk in decoder.end():
        assembly.add(chunk)
    assert assembly.finish_reason == "tool_call"
    return [(call.id, call.name, call.arguments) for call in assembly.tool_calls]


BOTH = [("c_add", "add", '{"a":1}'), ("c_sub", "sub", '{"b":2}')]


@pytest.mark.parametrize(
    "told",
    [
        [_item("add"), _item("sub"), _piece("sub", '{"b"'), _piece("add", '{"a":1}'), _piece("sub", ":2}")],
        [_item("add", '{"a":1}'), _item("add", '{"a":1}', over=True), _item("sub", '{"b":2}')],
        [_item("add"), _item("add", '{"a":1}', over=True), _item("sub"), _item("sub", '{"b":2}', over=True)],
        [_item("add", '{"a":1}', over=True, output_index=0), _item("sub", '{"b":2}', over=True, output_index=1)],
        [
            _item("add", output_index=0),
            _item("sub", output_index=0),
            _piece("add", '{"a":1}', output_index=0),
            _piece("sub", '{"b":2}', output_index=0),
            _item("add", '{"a":1}', over=True, output_index=0),
        ],
    ],
    ids=["by turns", "at their beginning", "at their end", "at their end alone", "under one index"],
)
def test_arguments_find_their_call_wherever_they_are_told(told: list[dict[str, object]]) -> None:
    assert _read(ResponsesDecoder("mine"), stream(events(*told))) == BOTH


def test_arguments_of_no_call_are_of_no_use() -> None:
    told = [_piece("other", '{"x":1}', output_index=7), _item("add", '{"a":1}', output_index=0)]
    assert _read(ResponsesDecoder("mine"), stream(events(*told))) == BOTH[:1]


@given(st.lists(st.none() | st.integers(0, 4), max_size=8))
def test_every_call_has_a_place_of_its_own(indexes: list[int | None]) -> None:
    places = CallPlaces()
    given_: list[int] = []
    for index in indexes:
        given_.append(places.begin(index))
        assert places.find(index) == given_[-1]
    assert len(set(given_)) == places.count == len(indexes)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_a_date_without_a_zone_is_in_that_of_http(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert retry_after_of({"retry-after": "Sun Nov  6 08:49:40 1994"}, now=784111777.0) == pytest.approx(3.0)
    finally:
        monkeypatch.undo()
        time.tzset()
