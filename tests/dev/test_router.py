"""Connections are handed to whoever answers, after one look at what they ask for."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.dev.router import Router, Where, destination

_RUN = "00112233445566778899aabbccddeeff"


@pytest.mark.slow
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


_WHOLE = b"GET / HTTP/1.1\r\n\r\n"


class _Door:
    """Takes connections, answers each with the first line that it saw, and knows them."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.open = True
        self.refused = asyncio.Semaphore(0)
        self.times = 0
        """How often it was asked."""

    def take(self, connection: socket.socket, head: bytes) -> bool:
        self.times += 1
        if not self.open:
            self.refused.release()
            return False
        self.heads.append(head)
        with connection:
            connection.setblocking(True)
            assert connection.recv(len(head)) == head, "nothing of the request was taken away"
            connection.sendall(b"you are welcome\n")
        return True

    def send_away(self, connection: socket.socket) -> None:
        with connection:
            connection.setblocking(True)
            connection.recv(len(_WHOLE))
            connection.sendall(b"come back later\n")


@asynccontextmanager
async def _router(door: _Door, patience: float = 5.0, hold: float = 30.0) -> AsyncGenerator[tuple[int, Router]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        router = Router(listener, door.take, door.send_away, patience=patience, hold=hold)
        router.start()
        try:
            yield listener.getsockname()[1], router
        finally:
            router.stop()


@asynccontextmanager
async def _routed(door: _Door, patience: float = 5.0, hold: float = 30.0) -> AsyncGenerator[int]:
    async with _router(door, patience, hold) as (port, _):
        yield port


@asynccontextmanager
async def _client(port: int) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def _ask(port: int) -> None:
    async with _client(port) as (reader, writer):
        writer.write(_WHOLE)
        assert await reader.readline() == b"you are welcome\n"


async def test_a_request_that_comes_in_pieces_is_handed_over_whole() -> None:
    door = _Door()
    async with _routed(door) as port, _client(port) as (reader, writer):
        for piece in (b"GET /he", b"alth HT"):
            writer.write(piece)
            await writer.drain()
            await _ask(port)  # once somebody else has an answer, the piece was seen
        writer.write(b"TP/1.1\r\n")
        assert await reader.readline() == b"you are welcome\n"
    assert door.heads == [_WHOLE, _WHOLE, b"GET /health HTTP/1.1\r\n"]


async def test_who_comes_while_nobody_can_take_it_waits() -> None:
    door = _Door()
    door.open = False
    async with _routed(door) as port, AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(_client(port)) for _ in range(50)]
        for _, writer in streams:
            writer.write(_WHOLE)
        for _ in streams:
            await door.refused.acquire()
        assert not door.heads
        door.open = True
        for reader, _ in streams:
            assert await reader.readline() == b"you are welcome\n"
    assert len(door.heads) == 50


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing tells of it")
async def test_who_leaves_while_nobody_can_take_it_is_let_go_and_never_answered() -> None:
    door = _Door()
    door.open = False
    before = _open_files()
    async with _routed(door) as port:
        for _ in range(20):
            async with _client(port) as (_, writer):
                writer.write(_WHOLE)
                await door.refused.acquire()
        async with _client(port) as (reader, writer):
            writer.write(_WHOLE)
            seen = door.times
            while door.times < seen + 3:  # each time all are asked for that are still there
                await door.refused.acquire()
            assert _open_files() <= before + 4, "the listener, both ends, and what lists them"
            door.open = True
            assert await reader.readline() == b"you are welcome\n"
    assert len(door.heads) == 1


async def test_asking_again_sooner_does_not_make_it_be_asked_more_often() -> None:
    door = _Door()
    door.open = False
    async with _router(door) as (port, router), _client(port) as (_, writer):
        writer.write(_WHOLE)
        await door.refused.acquire()
        for _ in range(100):
            router.release()
        seen, loop = door.times, asyncio.get_running_loop()
        began = loop.time()
        for _ in range(10):
            await door.refused.acquire()
            await asyncio.sleep(0.02)
        assert door.times - seen <= (loop.time() - began) / 0.02 + 2, "no timer ends too soon: there is one"


async def test_who_waits_for_too_long_is_told_to_come_back() -> None:
    door = _Door()
    door.open = False
    async with _routed(door, hold=0.05) as port, _client(port) as (reader, writer):
        writer.write(_WHOLE)
        assert await asyncio.wait_for(reader.readline(), 5) == b"come back later\n"
    assert not door.heads


async def test_who_says_nothing_is_let_go_in_time() -> None:
    door = _Door()
    async with _routed(door, patience=0.1) as port, _client(port) as (silent, _), _client(port) as (half, writer):
        writer.write(b"GET /")
        assert await asyncio.wait_for(silent.read(), 5) == b""
        with pytest.raises(ConnectionError):  # what it said was never read
            await asyncio.wait_for(half.readexactly(1), 5)
    assert not door.heads


@pytest.mark.slow
async def test_nothing_is_kept_of_who_said_nothing() -> None:
    def connections() -> int:
        gc.collect()
        return sum(isinstance(thing, socket.socket) for thing in gc.get_objects())

    async with _routed(_Door(), patience=0.05) as port:
        before = connections()
        async with AsyncExitStack() as stack:
            for reader, _ in [await stack.enter_async_context(_client(port)) for _ in range(30)]:
                assert await asyncio.wait_for(reader.read(), 5) == b""
        assert connections() < before + 10


async def test_who_leaves_before_a_word_is_forgotten() -> None:
    door = _Door()
    async with _routed(door) as port:
        for _ in range(20):
            async with _client(port):
                pass
        await _ask(port)
    assert len(door.heads) == 1


async def test_the_end_lets_everybody_go() -> None:
    door = _Door()
    door.open = False
    async with AsyncExitStack() as stack:
        async with _routed(door) as port:
            reader, writer = await stack.enter_async_context(_client(port))
            writer.write(_WHOLE)
            await door.refused.acquire()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(1), 5)
