"""Servers that stay alive and say nothing: no sign of life makes a call wait for ever, not even the last one's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager

import pytest

from sentient_cli.errors import ProviderTimeoutError
from sentient_cli.llm.provider import Request
from sentient_cli.llm.types import Message
from tests.cli.llm_command_kit import chat_answer
from tests.llm.factory.socket_kit import configured, pair
from tests.llm.providers.faulty import PATIENCE, ask, opened, wires
from tests.llm.providers.wires import TEXT, Wire
from tests.support.llm_server import Answer, LLMServer

SOON = {"stall_timeout": 0.05, "connect_timeout": 0.2}
COMMENTS = [b": still here\n\n"] * 2000


@asynccontextmanager
async def dripping(head: bytes) -> AsyncGenerator[str, None]:
    """A server that says this to whoever comes, and then a letter now and then, as long as somebody listens."""
    talks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def talk() -> None:
            writer.write(head)
            try:
                while not writer.is_closing():
                    writer.write(b"a")
                    await asyncio.sleep(0.01)
            finally:
                writer.close()

        await reader.readuntil(b"\r\n\r\n")
        talks.add(asyncio.create_task(talk()))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


@wires
@pytest.mark.parametrize("events", [0, 5])
async def test_comments_are_no_answer(wire: Wire, events: int) -> None:
    said = wire.events[:events]
    with LLMServer(Answer([*said, *COMMENTS], pace=0.01)) as server:
        async with opened(wire, server.url, PATIENCE) as provider:
            await provider.update_config(SOON)
            outcome = await ask(provider, wire)
            await asyncio.to_thread(server.wait_open, 0)
    assert type(outcome.error) is ProviderTimeoutError
    assert "does not get on" in outcome.error.what
    assert "`stall_timeout`" in outcome.error.fix
    assert outcome.error.partial_text == outcome.text
    assert bool(outcome.text) == bool(events)


@wires
@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nx-name: ",
        b"HTTP/1.1 500 No\r\ncontent-type: text/plain\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n1;",
    ],
    ids=["head", "refusal", "size of a piece"],
)
async def test_a_byte_now_and_then_is_no_answer(wire: Wire, head: bytes) -> None:
    async with dripping(head) as url:
        provider = wire.make(url, PATIENCE)
        await provider.update_config(SOON)
        outcome = await ask(provider, wire)
        await provider.aclose()
    assert outcome.error is not None
    assert type(outcome.error) is ProviderTimeoutError or " 500 " in head.decode()


@wires
async def test_who_reads_slowly_is_no_stall(wire: Wire) -> None:
    with LLMServer(wire.handle) as server:
        async with opened(wire, server.url, PATIENCE) as provider:
            await provider.update_config(SOON)
            text = ""
            request = Request(model=wire.model, messages=(Message.user("Count."),))
            async with aclosing(provider.stream(request)) as stream:
                async for chunk in stream:
                    if chunk.text and not text:
                        await asyncio.sleep(0.6)  # two looks at least
                    text += chunk.text
    assert text == TEXT


@pytest.mark.story("4.2")
async def test_another_model_takes_over_from_one_that_stalls() -> None:
    with LLMServer(Answer(COMMENTS, pace=0.01)) as one, LLMServer(chat_answer("Two")) as two:
        async with configured(pair(one, two)) as manager:
            for name in ("one", "two"):
                await manager.targets(f"{name}:any")[0].provider.update_config(SOON)
            answer = await manager.generate("Hello")
            assert (answer.text, answer.failovers) == ("Two", 1)
            with pytest.raises(ProviderTimeoutError, match="does not get on"):
                await manager.generate("Hello", model="one:alone")
