"""Calls that fail, for the tests of every provider: what came of them, and that nothing of them is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass

import pytest

from sentient_cli.errors import ProviderError
from sentient_cli.llm.provider import LLMProvider, Request
from sentient_cli.llm.types import FinishReason, Message
from tests.llm.providers.wires import KEY, WIRES, Wire
from tests.support.llm_server import Answer, LLMServer

__all__ = ["IMPATIENCE", "PATIENCE", "Outcome", "answered", "ask", "greeting_server", "opened", "wires"]

PATIENCE = 120.0
IMPATIENCE = 0.15

wires = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)


@dataclass
class Outcome:
    """What came of a call."""

    text: str = ""
    finish: FinishReason | None = None
    error: ProviderError | None = None


@asynccontextmanager
async def opened(wire: Wire, url: str, patience: float = PATIENCE) -> AsyncGenerator[LLMProvider, None]:
    """A provider; what it has open is closed, and no task of it may be left."""
    before = asyncio.all_tasks()
    provider = wire.make(url, patience)
    try:
        yield provider
    finally:
        await provider.aclose()
    for _ in range(50):
        await asyncio.sleep(0)
    assert not [task for task in asyncio.all_tasks() - before if not task.done()]


async def ask(provider: LLMProvider, wire: Wire) -> Outcome:
    outcome = Outcome()
    request = Request(model=wire.model, messages=(Message.user("Count."),), call="call-1")
    try:
        async with aclosing(provider.stream(request)) as stream:
            async for chunk in stream:
                outcome.text += chunk.text
                outcome.finish = chunk.finish_reason or outcome.finish
    except ProviderError as error:
        outcome.error = error
    if outcome.error is not None:
        assert outcome.error.provider == provider.provider_id
        assert KEY not in f"{outcome.error} {outcome.error!r}"
        assert outcome.error.what
    assert provider.metrics().active == 0
    assert provider.metrics().errors == (outcome.error is not None)
    return outcome


async def answered(wire: Wire, answer: Answer, patience: float = PATIENCE) -> Outcome:
    """The outcome of a call; if it failed, its connection is closed before the provider is."""
    with LLMServer(answer) as server:
        async with opened(wire, server.url, patience) as provider:
            outcome = await ask(provider, wire)
            if answer.how != "end":
                await asyncio.to_thread(server.wait_open, 0)
        await asyncio.to_thread(server.wait_open, 0)
    return outcome


@asynccontextmanager
async def greeting_server(greeting: bytes | None) -> AsyncGenerator[str, None]:
    """A server that says something to whoever comes, whatever is asked, and leaves; with None it stays silent."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.read(65536)
        if greeting is not None:
            writer.write(greeting)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
