"""The taking apart of server-sent events: any pieces, any line ends, and events of any size."""

from __future__ import annotations

from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.llm.wire.sse import EventDecoder, OversizedEventError, ServerSentEvent

MEGABYTE = 1024 * 1024

names = st.sampled_from([b"", b"ping", b"content_block_delta"])
lines = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=30).map(str.encode)


def repeated(line: bytes, times: int) -> bytes:
    return (line or b"x") * times


def event_of(name: bytes, data: list[bytes]) -> ServerSentEvent:
    return ServerSentEvent(name, b"\n".join(data))


large = st.builds(repeated, lines, st.integers(1, 3000))
events = st.builds(event_of, names, st.lists(lines | large, min_size=1, max_size=3))
sizes = st.lists(st.integers(1, 5000), min_size=1, max_size=10)


def written(event: ServerSentEvent, end: bytes = b"\n") -> bytes:
    """An event as a server sends it."""
    named = b"event: " + event.name + end if event.name else b""
    return named + b"".join(b"data: " + line + end for line in event.data.split(b"\n")) + end


def read(body: bytes, sizes: list[int], most: int = 32 * MEGABYTE) -> list[ServerSentEvent]:
    """What is in a body that comes in pieces of these sizes, again and again."""
    decoder, found, place, turns = EventDecoder(most), list[ServerSentEvent](), 0, cycle(sizes)
    while place < len(body):
        size = next(turns)
        found += decoder.feed(body[place : place + size])
        place += size
    last = decoder.end()
    return found if last is None else [*found, last]


@pytest.mark.slow
@given(st.lists(events, max_size=5), sizes, st.sampled_from([b"\n", b"\r\n", b"\r"]), st.booleans(), st.booleans())
def test_events_large_and_small_are_read_from_any_pieces(
    told: list[ServerSentEvent], sizes: list[int], end: bytes, mark: bool, whole: bool
) -> None:
    body = b"".join(written(event, end) for event in told)
    body = body if whole else body.removesuffix(end)  # the blank line after the last one is missing
    assert read((b"\xef\xbb\xbf" if mark else b"") + body, sizes) == told


@given(st.lists(st.sampled_from([b"data: x", b"\n", b"\r", b"\r\n", b":", b"event: a", b"\xef\xbb\xbf"])), sizes)
def test_what_is_no_stream_is_read_alike_from_any_pieces(parts: list[bytes], sizes: list[int]) -> None:
    body = b"".join(parts)
    assert read(body, sizes) == read(body, [1]) == read(body, [len(body) or 1])


@pytest.mark.slow
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("size", [1000, 65536])
def test_an_event_as_large_as_may_be(end: bytes, size: int) -> None:
    # Each piece is copied and searched once. If all that is there were looked at anew with each, this would not end.
    told = [ServerSentEvent(b"", b"x" * (31 * MEGABYTE)), ServerSentEvent(b"ping", b"{}")]
    assert read(b"".join(written(event, end) for event in told), [size]) == told


@pytest.mark.parametrize("place", [4095, 4096, 4097, 4098, 4099])
def test_the_end_of_a_large_event_may_come_in_halves(place: int) -> None:
    told = [ServerSentEvent(b"", b"x" * (place - 6)), ServerSentEvent(b"", b"y")]
    body = b"".join(map(written, told))
    for first in range(place - 1, place + 5):
        assert read(body, [first, 1]) == told


@pytest.mark.parametrize(("most", "size"), [(10, 1), (10, 30), (5000, 1), (5000, 4500), (5000, 9000)])
def test_an_event_that_is_too_large_is_given_up(most: int, size: int) -> None:
    body = b"data: " + b"x" * (most - 6)
    assert read(body + b"\n\n", [size], most + 1) == [ServerSentEvent(b"", body[6:])]
    with pytest.raises(OversizedEventError):
        read(body + b"xx", [size], most)


_ODD = [
    b"data: x",
    b"data:y",
    b"data: ",
    b"event: a",
    b"event:",
    b"id: 1",
    b":",
    b"\n",
    b"\n\n",
    b"\r",
    b"\r\n",
    b"\xef\xbb\xbf",
    b"data: x\n\n",
    b"data: x\ndata: y\n\n",
    b"event: a\ndata: x\n\n",
    b"event: a\ndata: \n\n",
    b"event: a\nid: 1\ndata: x\n\n",
    b"event: a\ndata:y\ndata: x\n\n",
    b"event: b\n: why\ndata: x\n\n",
    b"event: a\n\n",
    b"event: abc\n\n",
]


@given(st.lists(st.sampled_from(_ODD), max_size=12), sizes)
def test_what_events_carry_is_what_is_in_them(parts: list[bytes], sizes: list[int]) -> None:
    body, turns, place = b"".join(parts), cycle(sizes), 0
    named, nameless = EventDecoder(), EventDecoder()
    while place < len(body):
        piece = body[place : place + next(turns)]
        place += len(piece)
        assert nameless.carried(piece) == [event.data for event in named.feed(piece) if event.data]
    assert nameless.end() == named.end()


def test_the_name_of_an_event_without_data_is_no_beginning_of_another() -> None:
    decoder = EventDecoder()
    told = [b"event: content\n\n", b"event: content_block_stop\n\n", b"event: content\ndata: x\n\n"]
    assert [decoder.carried(event) for event in told] == [[], [], [b"x"]]
    assert EventDecoder().carried(b"".join(told)) == [b"x"]


@given(st.lists(events, min_size=1, max_size=5))
def test_an_event_that_comes_by_itself_is_carried_at_once(told: list[ServerSentEvent]) -> None:
    decoder = EventDecoder()
    for event in told:
        assert decoder.carried(written(event)) == ([event.data] if event.data else [])
