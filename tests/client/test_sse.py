from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.client.sse import Frame, SseDecoder
from sentient_cli.errors import NetworkError


def decode(data: bytes) -> list[Frame]:
    return SseDecoder().feed(data)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"data: x\n\n", [Frame("", "x", "")]),
        (b"data:x\r\rdata: y\r\n\r\n", [Frame("", "x", ""), Frame("", "y", "")]),
        (b"\xef\xbb\xbfdata: x\n\n", [Frame("", "x", "")]),
        (b"data: x\n\n\xef\xbb\xbfdata: y\n\n", [Frame("", "x", "")]),
        (b"data\n\ndata\ndata\n\ndata:", [Frame("", "", ""), Frame("", "\n", "")]),
        (b"data:  two\n\n", [Frame("", " two", "")]),
        (b": comment\n\n:\ndata: x\n:more\n\n", [Frame("", "x", "")]),
        (b"event: a\n\ndata: x\n\n", [Frame("", "x", "")]),
        (b"event: a\nevent: b\ndata: x\n\n", [Frame("b", "x", "")]),
        (b"id: 1\ndata: x\n\ndata: y\n\n", [Frame("", "x", "1"), Frame("", "y", "1")]),
        (b"id: 1\ndata: x\n\nid\ndata: y\n\n", [Frame("", "x", "1"), Frame("", "y", "")]),
        (b"id: 1\ndata: x\n\nid: 2\x003\ndata: y\n\n", [Frame("", "x", "1"), Frame("", "y", "1")]),
        (b"unknown: z\nDATA: q\ndata: x\n\n", [Frame("", "x", "")]),
        (b"data: x\n", []),
        (b"\n\n\n", []),
        ("data: a\u2028b\u0085c\x0bd\x0ce\n\n".encode(), [Frame("", "a\u2028b\u0085c\x0bd\x0ce", "")]),
        (b"data: \xff\xc3\n\n", [Frame("", "\ufffd\ufffd", "")]),
        (b"data: a:b\n\n", [Frame("", "a:b", "")]),
    ],
)
def test_the_rules_of_the_standard(data: bytes, expected: list[Frame]) -> None:
    assert decode(data) == expected
    decoder = SseDecoder()
    assert [found for index in range(len(data)) for found in decoder.feed(data[index : index + 1])] == expected


def test_an_id_without_data_moves_the_cursor() -> None:
    decoder = SseDecoder()
    assert decoder.feed(b"id: 9\n\n") == []
    assert decoder.last_id == "9"


def test_an_unfinished_frame_does_not_move_the_cursor() -> None:
    decoder = SseDecoder()
    decoder.feed(b"id: 1\ndata: x\n\nid: 2\ndata: y\n")
    assert decoder.last_id == "1"


@pytest.mark.parametrize(("value", "expected"), [("250", 250), ("", None), ("-1", None), ("1.5", None), ("٣", None)])
def test_only_digits_are_a_retry_time(value: str, expected: int | None) -> None:
    decoder = SseDecoder()
    decoder.feed(f"retry: {value}\n".encode())
    assert decoder.retry_ms == expected


def test_a_carriage_return_ends_a_line_at_once() -> None:
    decoder = SseDecoder()
    assert decoder.feed(b"data: x\r\r") == [Frame("", "x", "")]
    assert decoder.feed(b"\ndata: y\r") == []
    assert decoder.feed(b"\n\r") == [Frame("", "y", "")]


@pytest.mark.parametrize("data", [b"data: " + b"x" * 200, b"data: x\n" * 40, b"id: x\n" * 40])
def test_a_frame_has_a_limit(data: bytes) -> None:
    with pytest.raises(NetworkError, match="too large"):
        SseDecoder(limit=100).feed(data)


def test_heartbeats_do_not_add_up_to_the_limit() -> None:
    decoder = SseDecoder(limit=100)
    assert decoder.feed(b": beat\n" * 1000 + b"data: x\n\n") == [Frame("", "x", "")]


_LINE_ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])
_FIELDS = st.sampled_from([b"data", b"event", b"id", b"retry", b"", b"other"])
_CHARACTERS = st.characters(codec="utf-8", exclude_characters="\r\n")
_VALUES = st.text(_CHARACTERS, max_size=8).map(str.encode) | st.binary(max_size=6)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    parts: list[bytes] = [b"\xef\xbb\xbf"] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(0, 12))):
        line = draw(_FIELDS) + draw(st.sampled_from([b":", b": ", b""])) + draw(_VALUES)
        parts.append(draw(st.sampled_from([line, b""])) + draw(_LINE_ENDS))
    return b"".join(parts)


def in_pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    points = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in itertools.pairwise(points)]


@pytest.mark.slow
@given(data=streams(), cuts=st.lists(st.integers(0, 10_000), max_size=20))
def test_however_it_is_cut_the_frames_are_the_same(data: bytes, cuts: list[int]) -> None:
    decoder = SseDecoder()
    found = [frame for piece in in_pieces(data, cuts) for frame in decoder.feed(piece)]
    assert found == decode(data)


def by_the_book(data: bytes) -> list[Frame]:
    """The standard's algorithm, word by word, over a whole stream."""
    text = data.decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    frames: list[Frame] = []
    buffer, event, last = "", "", ""
    for line in text.split("\n")[:-1]:
        name, colon, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "":
            if buffer:
                frames.append(Frame(event, buffer.removesuffix("\n"), last))
            buffer, event = "", ""
        elif colon and not name:
            continue
        elif name == "event":
            event = value
        elif name == "data":
            buffer += value + "\n"
        elif name == "id" and "\0" not in value:
            last = value
    return frames


@pytest.mark.slow
@given(data=streams())
def test_it_agrees_with_the_algorithm_of_the_standard(data: bytes) -> None:
    assert decode(data) == by_the_book(data)


@given(data=st.binary(max_size=300))
def test_no_bytes_are_too_strange(data: bytes) -> None:
    assert decode(data) == by_the_book(data)
