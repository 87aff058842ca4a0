"""Connections are handed to whoever answers, after one look at what they ask for."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.dev.router import Router, Where, destination

_RUN = "00112233445566778899aabbccddeeff"


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ("POST /assist HTTP/1.1", Where.AGENT),
        ("GET / HTTP/1.1", Where.HUB),
        ("GET /?x=1 HTTP/1.1", Where.HUB),
        ("GET http://localhost:8000/ HTTP/1.1", Where.HUB),
        ("GET /_sentient/entries?after=1 HTTP/1.1", Where.HUB),
        ("GET /favicon.ico HTTP/1.1", Where.HUB),
        (f"GET /runs/{_RUN}-12 HTTP/1.1", 12),
        (f"GET /runs/{_RUN}-12?x HTTP/1.1", 12),
        (f"POST http://h/runs/{_RUN}-3/cancel HTTP/1.1", 3),
        (f"GET /runs/{_RUN}-3/events?after=4 HTTP/1.1", 3),
        (f"GET /runs/{_RUN} HTTP/1.1", Where.AGENT),
        (f"GET /runs/{_RUN}-1234567890 HTTP/1.1", Where.AGENT),
        (f"GET /x/runs/{_RUN}-3 HTTP/1.1", Where.AGENT),
        ("GET /health HTTP/1.1", Where.AGENT),
        ("\x16\x03\x01", Where.AGENT),
    ],
)
def test_the_first_line_says_who_answers(line: str, where: Where | int) -> None:
    assert destination(line.encode("latin-1") + b"\r\nHost: x\r\n") == where


@given(st.binary(max_size=200))
def test_any_beginning_goes_somewhere(head: bytes) -> None:
    assert isinstance(destination(head), Where | int)


class _Door:
    """Takes connections, answers each with the first line that it saw, and knows them."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.open = True

    def take(self, connection: socket.socket, head: bytes) -> bool:
        if not self.open:
            return False
        self.heads.append(head)
        with connection:
            connection.setblocking(True)
            assert connection.recv(len(head)) == head, "nothing of the request was taken away"
            connection.sendall(b"you are welcome\n")
        return True


@asynccontextmanager
async def _routed(take: Callable[[socket.socket, bytes], bool], patience: float = 5.0) -> AsyncGenerator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        router = Router(listener, take, patience)
        router.start()
        try:
            yield listener.getsockname()[1]
        finally:
            router.stop()


@asynccontextmanager
async def _client(port: int) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_a_request_that_comes_in_pieces_is_handed_over_whole() -> None:
    door = _Door()
    async with _routed(door.take) as port, _client(port) as (reader, writer):
        for piece in (b"GET /he", b"alth HT", b"TP/1.1\r\n"):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.03)
        assert await reader.readline() == b"you are welcome\n"
    assert door.heads == [b"GET /health HTTP/1.1\r\n"]


async def test_who_comes_while_nobody_can_take_it_waits() -> None:
    door = _Door()
    door.open = False
    async with _routed(door.take) as port, AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(_client(port)) for _ in range(50)]
        for _, writer in streams:
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await asyncio.sleep(0.1)
        assert not door.heads
        door.open = True
        for reader, _ in streams:
            assert await reader.readline() == b"you are welcome\n"
    assert len(door.heads) == 50


async def test_who_says_nothing_is_let_go_in_time() -> None:
    door = _Door()
    async with _routed(door.take, patience=0.1) as port, _client(port) as (silent, _), _client(port) as (half, writer):
        writer.write(b"GET /")
        assert await asyncio.wait_for(silent.read(), 5) == b""
        with pytest.raises(ConnectionError):  # what it said was never read
            await asyncio.wait_for(half.readexactly(1), 5)
    assert not door.heads


async def test_who_leaves_before_a_word_is_forgotten() -> None:
    door = _Door()
    async with _routed(door.take) as port:
        for _ in range(20):
            async with _client(port):
                pass
        async with _client(port) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            assert await reader.readline() == b"you are welcome\n"
    assert len(door.heads) == 1


async def test_the_end_lets_everybody_go() -> None:
    door = _Door()
    door.open = False
    async with AsyncExitStack() as stack:
        async with _routed(door.take) as port:
            reader, writer = await stack.enter_async_context(_client(port))
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            await asyncio.sleep(0.05)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(1), 5)
