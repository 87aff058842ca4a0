"""Answers in HTTP/1.1 whose pieces come faster than they can be seen: read together, and nothing of them lost."""

from __future__ import annotations

import asyncio
import gc
import ssl
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.errors import ProviderConnectionError
from sentient_cli.llm.wire.http1.pacing import Pace
from sentient_cli.llm.wire.reading import Incoming
from sentient_cli.llm.wire.transport import Transport
from tests.llm.providers.http1_kit import MEGABYTE, STREAM, Connected, scripted
from tests.llm.providers.pool_kit import config, make_certificate, opened
from tests.support.llm_server import Answer, LLMServer

PIECES = [b"piece %04d;" % number for number in range(400)]


def chunked(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


async def flood(one: Connected, pieces: Sequence[bytes] = PIECES) -> None:
    """Each piece in a packet of its own, as fast as they go."""
    await one.request()
    one.writer.write(STREAM)
    for piece in pieces:
        one.writer.write(chunked(piece))
        await asyncio.sleep(0)


async def reads(incoming: Incoming, found: list[bytes], pause: float = 0.0) -> None:
    """Note what each reading gives, to the end."""
    while data := await incoming.read_some():
        found.append(data)
        await asyncio.sleep(pause)


async def test_pieces_that_come_too_fast_to_be_seen_are_read_together_and_the_connection_is_used_again() -> None:
    async def script(one: Connected) -> None:
        while True:
            await flood(one)
            one.writer.write(b"0\r\n\r\n")

    async with scripted(script) as url, opened(url) as transport:
        for _ in range(3):
            incoming, found = await transport.open("GET", url, {}), list[bytes]()
            await reads(incoming, found)
            assert b"".join(found) == b"".join(PIECES)
            assert len(found) < len(PIECES) / 4
            incoming.close()
        assert transport.facts.open == 1


async def test_pieces_that_can_be_seen_come_one_by_one() -> None:
    seen = asyncio.Event()

    async def script(one: Connected) -> None:
        await one.request()
        one.writer.write(STREAM)
        for piece in PIECES[:50]:
            one.writer.write(chunked(piece))
            await seen.wait()
            seen.clear()
            await asyncio.sleep(0.003)
        one.writer.write(b"0\r\n\r\n")

    async with scripted(script) as url, opened(url) as transport:
        incoming = await transport.open("GET", url, {})
        for piece in PIECES[:50]:
            assert await incoming.read_some() == piece
            seen.set()
        assert await incoming.read_some() == b""
        incoming.close()


async def test_what_breaks_off_while_nothing_is_read_is_known_and_what_came_before_is_not_lost() -> None:
    async def script(one: Connected) -> None:
        await flood(one)
        one.writer.close()
        await one.writer.wait_closed()

    async with scripted(script) as url, opened(url) as transport:
        incoming = await transport.open("GET", url, {})
        found: list[bytes] = []
        with pytest.raises(ProviderConnectionError, match="broke"):
            await reads(incoming, found)
        assert b"".join(found) == b"".join(PIECES)
        incoming.close()


async def test_who_gives_up_while_nothing_is_read_frees_the_connection() -> None:
    gone = asyncio.Event()

    async def script(one: Connected) -> None:
        try:
            await flood(one)
            await one.reader.read()
        finally:
            gone.set()

    async with scripted(script) as url, opened(url) as transport:
        incoming = await transport.open("GET", url, {})
        while len(await incoming.read_some()) == len(PIECES[0]):
            pass
        incoming.close()
        async with asyncio.timeout(20):
            await gone.wait()
        assert transport.facts.open == 0


async def test_a_flood_is_read_whole_where_it_is_encrypted(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    async def script(one: Connected) -> None:
        await flood(one)
        one.writer.write(b"0\r\n\r\n")

    async with scripted(script, context) as url, opened(url, ca_file=str(certificate)) as transport:
        incoming, found = await transport.open("GET", url, {}), list[bytes]()
        await reads(incoming, found)
        assert b"".join(found) == b"".join(PIECES)
        incoming.close()


async def test_a_flood_waits_for_a_reader_who_takes_time() -> None:
    pieces = [b"x" * 4096 + b"%06d" % number for number in range(500)]

    async def script(one: Connected) -> None:
        await flood(one, pieces)
        one.writer.write(b"0\r\n\r\n")

    async with scripted(script) as url, opened(url) as transport:
        incoming, found = await transport.open("GET", url, {}), list[bytes]()
        await asyncio.sleep(0.3)
        await reads(incoming, found, 0.002)
        assert b"".join(found) == b"".join(pieces)
        incoming.close()
        assert transport.facts.open == 1


def _flooded(size: int = 100) -> Pace:
    """Of an answer of which pieces of this size come too fast to be seen."""
    pace = Pace(0.0)
    assert pace.rest(size, 0.008) > 0
    return pace


def test_a_large_event_in_a_flood_waits_for_nothing() -> None:
    pace, now = _flooded(), 0.012
    for _ in range(20):  # who sends it waits until what came is read
        assert not pace.rest(256 * 1024, now)
    assert pace.left == 1
    assert pace.rest(400, now + 0.001) > 0


def test_a_piece_that_comes_late_has_come_by_itself_however_large_it_is() -> None:
    pace = _flooded(20)
    assert not pace.rest(400, 0.03)
    assert pace.left > 1


def test_a_large_body_is_read_without_rests() -> None:
    pace = Pace(0.0)
    assert not any(pace.rest(256 * 1024, number / 1000) for number in range(100))


@given(st.lists(st.tuples(st.integers(1, MEGABYTE), st.floats(0, 0.05)), max_size=50))
def test_nothing_waits_longer_than_a_moment(came: list[tuple[int, float]]) -> None:
    pace, now = Pace(0.0), 0.0
    for size, later in came:
        now += later
        rest = pace.rest(size, now)
        assert pace.left >= 1
        assert rest == 0 or (rest <= 0.004 and size < 256 * 1024 and later < 0.026)


async def _left_in_a_flood(url: str, loops: list[weakref.ref[asyncio.AbstractEventLoop]]) -> None:
    loops.append(weakref.ref(asyncio.get_running_loop()))
    incoming = await Transport("mine", config(url)).open("GET", url, {})
    for _ in range(30):
        await incoming.read_some()
    incoming.close()  # and nothing would be read for a moment more


@pytest.mark.slow
@pytest.mark.parametrize("make", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_loop_that_ends_while_nothing_is_read_leaves_nothing(make: Callable[[], asyncio.AbstractEventLoop]) -> None:
    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []
    with LLMServer(Answer(PIECES * 10, pace=0.0003)) as server:
        for _ in range(10):
            with asyncio.Runner(loop_factory=make) as runner:
                runner.run(_left_in_a_flood(server.url, loops))
    gc.collect()
    assert sum(loop() is not None for loop in loops) <= 1
