"""A server in HTTP/1.1 that does on each connection what a test says, byte by byte."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from tests.llm.providers.pool_kit import listening

__all__ = ["MEGABYTE", "OK", "STREAM", "Connected", "Script", "scripted"]

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
STREAM = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
MEGABYTE = 1024 * 1024


class Connected:
    """A connection at the side of the server."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self.reader = reader
        self.writer = writer

    async def head(self) -> str:
        """The head of the next request; its body is left."""
        return (await self.reader.readuntil(b"\r\n\r\n")).decode()

    async def request(self) -> str:
        """The head of the next request, with its body read."""
        head = await self.head()
        found = re.search(r"content-length: (\d+)", head)
        await self.reader.readexactly(int(found[1]) if found else 0)
        return head


Script = Callable[[Connected], Awaitable[None]]


@asynccontextmanager
async def scripted(script: Script, context: ssl.SSLContext | None = None) -> AsyncGenerator[str, None]:
    """A server that does on each connection what a script says."""
    tasks: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(Connected(len(tasks), reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.create_task(serve(reader, writer)))

    async with listening(met, context) as url:
        yield url.replace("http:", "https:").replace("127.0.0.1", "localhost") if context else url
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
