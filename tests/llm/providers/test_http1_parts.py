"""Heads and bodies in HTTP/1.1: read alike from any pieces, at once when they are there, and refused when in doubt."""

from __future__ import annotations

from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.llm.wire.broken import BrokenError, GarbledError
from sentient_cli.llm.wire.http1.bodies import Body, Chunked, Endless, Sized
from sentient_cli.llm.wire.http1.head import read_head, written_head

chunks = st.lists(
    st.tuples(st.binary(min_size=1, max_size=300), st.sampled_from(["", ";a=b", " ", ';c="d"'])), max_size=6
)
sizes = st.lists(st.integers(1, 400), min_size=1, max_size=8)
trailers = st.sampled_from([b"", b"Checksum: 1\r\n", b"A: b\r\nC: d\r\n"])


def written(chunk: bytes, extension: str = "", *, upper: bool = False) -> bytes:
    """A chunk as a server sends it."""
    size = f"{len(chunk):X}" if upper else f"{len(chunk):x}"
    return f"{size}{extension}\r\n".encode() + chunk + b"\r\n"


def read(body: Body, data: bytes, sizes: list[int]) -> bytes:
    """What is in a body that comes in pieces of these sizes, again and again."""
    found, place, turns = b"", 0, cycle(sizes)
    while place < len(data):
        size = next(turns)
        found += body.take(data[place : place + size])
        place += size
    return found


@given(chunks, sizes, trailers, st.booleans())
def test_chunks_are_read_from_any_pieces(
    told: list[tuple[bytes, str]], sizes: list[int], trailer: bytes, upper: bool
) -> None:
    data = b"".join(written(chunk, extension, upper=upper) for chunk, extension in told)
    body = Chunked()
    assert read(body, data + b"0\r\n" + trailer + b"\r\n", sizes) == b"".join(chunk for chunk, _ in told)
    assert (body.is_over, body.keeps) == (True, True)


@given(chunks, st.integers(0, 2000))
def test_what_is_there_is_given_at_once(told: list[tuple[bytes, str]], cut: int) -> None:
    data = b"".join(written(chunk, extension) for chunk, extension in told)
    body, found = Chunked(), b""
    for place, _ in enumerate(data[:cut]):
        found += body.take(data[place : place + 1])
    complete, left = b"", data[:cut]
    for chunk, extension in told:
        head = len(written(chunk, extension)) - len(chunk) - 2
        complete += left[head : head + len(chunk)]
        left = left[head + len(chunk) + 2 :]
    assert found == complete
    assert found + body.take(data[cut:]) == b"".join(chunk for chunk, _ in told)


def test_each_chunk_that_comes_by_itself_is_given_as_it_is() -> None:
    body = Chunked()
    told = [b"x" * (1 + number % 40) for number in range(200)]
    assert [body.take(written(chunk)) for chunk in told] == told
    assert not body.is_over
    with pytest.raises(BrokenError, match="ended in the middle"):
        body.close()


@given(sizes)
def test_what_follows_the_end_costs_the_connection(sizes: list[int]) -> None:
    body = Chunked()
    assert body.take(b"1\r\na\r\n0\r\n\r\nHTTP/1.1 200 OK") == b"a"
    assert (body.is_over, body.keeps) == (True, False)
    sized = Sized(3)
    assert read(sized, b"abc", sizes) == b"abc"
    assert (sized.is_over, sized.keeps) == (True, True)
    assert Sized(3).take(b"abcd") == b"abc"
    over = Sized(3)
    over.take(b"abcd")
    assert not over.keeps


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"-1\r\n",
        b"0x5\r\n",
        b"5_0\r\n",
        b"+5\r\n",
        b" 5\r\n",
        b"g\r\n",
        b"5 5\r\n",
        b"1" * 16 + b"\r\n",
        b"5;\x00\r\n",
        b"3\r\nabcd\r\n",
        b"3\r\nab\r\n\r\n",
        b"3\r\nabc\n\n",
        b"3\r\nabc\rx",
        b"1\r\na\r\nz\r\n",
        b"5" + b";" * 20_000,
    ],
)
@given(sizes=sizes)
def test_chunks_that_are_none(data: bytes, sizes: list[int]) -> None:
    with pytest.raises(GarbledError):
        read(Chunked(), data, sizes)


def test_a_body_without_a_size_ends_with_its_connection() -> None:
    body = Endless()
    assert body.take(b"abc") == b"abc"
    body.close()
    assert (body.is_over, body.keeps) == (True, False)
    with pytest.raises(BrokenError, match="ended in the middle"):
        Sized(1).close()


# --------------------------------------------------------------------------------------------------------------- heads
@pytest.mark.parametrize(
    ("lines", "size", "chunked", "keeps"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5", 5, False, True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5", 5, False, True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked", None, True, True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: Close", None, True, False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5", None, True, False),
        (b"HTTP/1.1 200 OK", None, False, False),
        (b"HTTP/1.1 200", None, False, False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5", 5, False, False),
        (b"HTTP/1.1 204 No Content", 0, False, True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5", 0, False, True),
        (b"HTTP/1.1 404 Not \xc3\x9cberall\r\nX-Empty:\r\nContent-Length:0\t", 0, False, True),
    ],
)
def test_what_a_head_says(lines: bytes, size: int | None, chunked: bool, keeps: bool) -> None:
    head = read_head(lines)
    assert (head.size, head.chunked, head.keeps) == (size, chunked, keeps)


@pytest.mark.parametrize(
    "lines",
    [
        b"",
        b"HTTP/2 200 OK",
        b"HTTP/1.1 99 No",
        b"HTTP/1.1 600 No",
        b"HTTP/1.1 2000 No",
        b"HTTP/1.1  200 OK",
        b"http/1.1 200 OK",
        b"HTTP/1.1 200 OK\nA: b",
        b"HTTP/1.1 200 OK\r\nA : b",
        b"HTTP/1.1 200 OK\r\n: b",
        b"HTTP/1.1 200 OK\r\nA b",
        b"HTTP/1.1 200 OK\r\nA: b\r\n folded",
        b"HTTP/1.1 200 OK\r\nA: b\x00c",
        b"HTTP/1.1 200 OK\r\nA: b\nC: d",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6",
        b"HTTP/1.1 200 OK\r\nContent-Length: x",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6",
        b"HTTP/1.1 200 OK\r\nContent-Length:",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity",
    ],
)
def test_heads_that_are_none(lines: bytes) -> None:
    with pytest.raises(GarbledError):
        read_head(lines)


def test_a_header_may_have_any_letters() -> None:
    head = read_head("HTTP/1.1 200 OK\r\nOrganization: Müller\r\n".encode() + b"Other: M\xfcller")
    assert (head.headers["organization"], head.headers["other"]) == ("Müller", "Müller")


@given(st.binary(max_size=200))
def test_anything_is_a_head_or_garbled(data: bytes) -> None:
    for lines in (data, b"HTTP/1.1 200 OK\r\n" + data):
        try:
            head = read_head(lines)
        except GarbledError:
            continue
        assert all(name == name.lower() for name in head.headers)
        assert not any(char in value for value in head.headers.values() for char in "\r\n\0")


@given(st.dictionaries(st.text(max_size=10), st.text(max_size=10), max_size=3), st.text(max_size=20))
def test_a_request_has_the_lines_that_it_should_have(headers: dict[str, str], target: str) -> None:
    try:
        head = written_head("GET", target, headers)
    except ValueError:
        return
    first, *lines = head.split(b"\r\n")
    assert first == f"GET {target} HTTP/1.1".encode()
    assert lines == [*(f"{name}: {value}".encode() for name, value in headers.items()), b"", b""]
