"""Editors are led to the worker that answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from sentient_cli.dev.debugging import DebugRelay


@asynccontextmanager
async def _debuggee(name: bytes) -> AsyncGenerator[int]:
    """A worker's debugger, which answers each line with its name and the line."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(name + b" " + line)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@asynccontextmanager
async def _editor(port: int) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        await writer.wait_closed()


async def test_an_editor_is_let_go_and_finds_the_next_worker(free_port: int) -> None:
    relay = DebugRelay()
    await relay.start(("127.0.0.1", free_port))
    async with _debuggee(b"one") as one, _debuggee(b"two") as two:
        relay.switch(one)
        async with _editor(free_port) as (reader, writer):
            writer.write(b"hello\n")
            assert await reader.readline() == b"one hello\n"
            relay.switch(one)
            writer.write(b"again\n")
            assert await reader.readline() == b"one again\n", "nothing has changed"
            relay.switch(two)
            assert await asyncio.wait_for(reader.read(), 10) == b""
        async with _editor(free_port) as (reader, writer):
            writer.write(b"hello\n")
            assert await reader.readline() == b"two hello\n"
            writer.write_eof()
            assert await asyncio.wait_for(reader.read(), 10) == b""
        await relay.aclose()
    with pytest.raises(OSError, match=r".*"):
        await asyncio.open_connection("127.0.0.1", free_port)


async def test_while_nobody_can_be_debugged_the_connection_ends(free_port: int) -> None:
    relay = DebugRelay()
    await relay.start(("127.0.0.1", free_port))
    for port in (None, 1):
        relay.switch(port)
        async with _editor(free_port) as (reader, _):
            assert await asyncio.wait_for(reader.read(), 10) == b""
    await relay.aclose()
