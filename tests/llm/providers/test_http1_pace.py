"""Answers in HTTP/1.1 whose pieces come faster than they can be seen: read together, and nothing of them lost."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest

from sentient_cli.errors import ProviderConnectionError
from sentient_cli.llm.wire.reading import Incoming
from tests.llm.providers.http1_kit import STREAM, Connected, scripted
from tests.llm.providers.pool_kit import make_certificate, opened

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
