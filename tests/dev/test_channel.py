"""Frames between a hub and a worker: whole, in their order, bounded, and read many at a time where many come."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.dev.channel import MAX_FRAME, Channel, Frame, frame_head
from sentient_cli.dev.messages import CONTROL, ENTRIES

HOUR = 3600.0


@asynccontextmanager
async def connected(*, rest: float = 0.0) -> AsyncGenerator[tuple[Channel, socket.socket]]:
    """A channel, and the other end as a bare socket."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    channel = await Channel.over(ours, rest=rest)
    try:
        yield channel, theirs
    finally:
        theirs.close()
        channel.close()


def bytes_of(frames: list[tuple[int, bytes]]) -> bytes:
    return b"".join(frame_head(kind, len(payload)) + payload for kind, payload in frames)


async def rest_of(channel: Channel) -> list[Frame]:
    found: list[Frame] = []
    while frame := await channel.receive():
        found.append(frame)
    return found


@given(
    frames=st.lists(st.tuples(st.integers(0, 2), st.binary(max_size=300)), max_size=20),
    cuts=st.lists(st.integers(1, 400), max_size=40),
    resting=st.booleans(),
)
async def test_however_they_are_cut_frames_are_whole_and_in_order(
    frames: list[tuple[int, bytes]], cuts: list[int], resting: bool
) -> None:
    async with connected(rest=0.0001 if resting else 0.0) as (channel, theirs):
        data = bytes_of(frames)
        loop = asyncio.get_running_loop()
        for size in cuts:
            await loop.sock_sendall(theirs, data[:size])
            data = data[size:]
            await asyncio.sleep(0)
        await loop.sock_sendall(theirs, data)
        theirs.shutdown(socket.SHUT_WR)
        assert await rest_of(channel) == [Frame(*frame) for frame in frames]


async def test_the_first_is_there_at_once_and_the_next_ones_come_together() -> None:
    async with connected(rest=HOUR) as (channel, theirs):
        theirs.send(bytes_of([(ENTRIES, b"1")]))
        assert await channel.receive() == Frame(ENTRIES, b"1")
        theirs.send(bytes_of([(ENTRIES, b"2")]))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await channel.receive()


async def test_messages_do_not_wait() -> None:
    async with connected(rest=HOUR) as (channel, theirs):
        for number in (b"1", b"2", b"3"):
            theirs.send(bytes_of([(CONTROL, number)]))
            assert await channel.receive() == Frame(CONTROL, number)


async def test_what_was_written_before_the_end_is_there() -> None:
    async with connected(rest=0.001) as (channel, theirs):
        theirs.send(bytes_of([(ENTRIES, b"1")]))
        assert await channel.receive() == Frame(ENTRIES, b"1")
        theirs.send(bytes_of([(ENTRIES, b"2"), (CONTROL, b"3")]) + b"\0\0")
        theirs.close()
        assert await rest_of(channel) == [Frame(ENTRIES, b"2"), Frame(CONTROL, b"3")]
        assert await channel.receive() is None


async def test_no_more_is_held_than_somebody_takes() -> None:
    async with connected() as (channel, theirs):
        loop = asyncio.get_running_loop()
        frame = bytes_of([(ENTRIES, b"x" * 100_000)])
        sending = asyncio.create_task(_send_all(loop, theirs, frame * 200))
        first = await channel.receive()
        for _ in range(100):
            await asyncio.sleep(0)
        assert not sending.done(), "the sender waits"
        assert [first, *await rest_of(channel)] == [Frame(ENTRIES, b"x" * 100_000)] * 200
        await sending


async def _send_all(loop: asyncio.AbstractEventLoop, theirs: socket.socket, data: bytes) -> None:
    await loop.sock_sendall(theirs, data)
    theirs.shutdown(socket.SHUT_WR)


async def test_what_is_no_frame_ends_it() -> None:
    async with connected() as (channel, theirs):
        theirs.send((MAX_FRAME + 1).to_bytes(4, "big") + b"\0")
        assert await channel.receive() is None


async def test_who_sends_waits_for_the_other_end_and_learns_that_it_is_gone() -> None:
    async with connected() as (channel, theirs):
        channel.send(b"x" * 10_000_000)
        draining = asyncio.create_task(channel.drain())
        for _ in range(10):
            await asyncio.sleep(0)
        assert not draining.done()
        theirs.close()
        with pytest.raises(ConnectionError):
            await draining
        with pytest.raises(ConnectionError):
            await channel.drain()
