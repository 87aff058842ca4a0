"""Calls that fail, for the tests of every provider: what came of them, and that nothing of them is left."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass

import pytest

from sentient_cli.errors import ProviderError
from sentient_cli.llm import LLMManager
from sentient_cli.llm.assembly import Assembly
from sentient_cli.llm.compatible import CompatibleConfig, CompatibleProvider
from sentient_cli.llm.provider import LLMProvider, Request
from sentient_cli.llm.resilience.policies import ResiliencePolicies
from sentient_cli.llm.resilience.retry import RetryPolicy
from sentient_cli.llm.types import FinishReason, Message
from tests.llm.providers.chat_wire import text_answer
from tests.llm.providers.wires import KEY, TEXT, WIRES, Wire
from tests.support.llm_server import Answer, LLMServer, Received

__all__ = [
    "IMPATIENCE",
    "PATIENCE",
    "Outcome",
    "answered",
    "ask",
    "greeting_server",
    "opened",
    "wires",
    "with_another_model",
]

PATIENCE = 120.0
IMPATIENCE = 0.15

wires = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)


@dataclass
class Outcome:
    """What came of a call."""

    text: str = ""
    finish: FinishReason | None = None
    error: ProviderError | None = None
    calls: tuple[str, ...] = ()
    """The arguments of the calls of tools."""


_another: ContextVar[LLMProvider | None] = ContextVar("_another", default=None)


def _rest(received: Received) -> Answer:
    """Who is asked for the rest of an answer repeats the end of what is there, and says the rest."""
    messages: list[dict[str, object]] = json.loads(received.body)["messages"]
    anchor = str(messages[-1]["content"]).rpartition("\n\n")[2] if len(messages) > 1 else TEXT
    return Answer(text_answer([f"{word} " for word in TEXT[TEXT.index(anchor) :].split()]))


@asynccontextmanager
async def with_another_model() -> AsyncGenerator[None, None]:
    """In this block calls go through a manager, which has another model that works on a server of its own."""
    with LLMServer(_rest) as server:
        config = CompatibleConfig(base_url=f"{server.url}/v1", default_model="m")
        other = CompatibleProvider("compatible", config, provider_id="another")
        token = _another.set(other)
        try:
            yield
        finally:
            _another.reset(token)
            await other.aclose()


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


async def _ask_manager(provider: LLMProvider, wire: Wire, other: LLMProvider) -> Outcome:
    outcome = Outcome()
    first = f"{provider.provider_id}:{wire.model}"
    manager = LLMManager(
        [provider, other],
        groups={"pair": (first, "another:m")},
        policies=ResiliencePolicies(retry=RetryPolicy(attempts=1)),
    )
    try:
        async with manager.stream("Count.", model="pair") as stream:
            async for text in stream:
                outcome.text += text
            answer = await stream.completion()
            outcome.finish, outcome.calls = answer.finish_reason, tuple(call.arguments for call in answer.tool_calls)
    except ProviderError as error:
        outcome.error = error
    assert KEY not in f"{outcome.error} {outcome.error!r}"
    assert provider.metrics().active == other.metrics().active == 0
    return outcome


async def ask(provider: LLMProvider, wire: Wire) -> Outcome:
    if (other := _another.get()) is not None:
        return await _ask_manager(provider, wire, other)
    outcome, assembly = Outcome(), Assembly()
    request = Request(model=wire.model, messages=(Message.user("Count."),), call="call-1")
    try:
        async with aclosing(provider.stream(request)) as stream:
            async for chunk in stream:
                outcome.text += chunk.text
                outcome.finish = chunk.finish_reason or outcome.finish
                assembly.add(chunk)
    except ProviderError as error:
        outcome.error = error
    outcome.calls = tuple(call.arguments for call in assembly.tool_calls)
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
