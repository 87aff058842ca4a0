"""Calls that fail, for the tests of every provider: what came of them, and that nothing of them is left."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import cast

import pytest

from sentient_cli.errors import ProviderError
from sentient_cli.llm import LLMManager
from sentient_cli.llm.assembly import Assembly
from sentient_cli.llm.provider import LLMProvider, Request
from sentient_cli.llm.resilience.policies import ResiliencePolicies
from sentient_cli.llm.resilience.retry import RetryPolicy
from sentient_cli.llm.types import FinishReason, Message, ToolCall, Usage
from tests.llm.providers.wires import KEY, TEXT, WIRES, Wire
from tests.support.http2_server import Told, serving
from tests.support.llm_server import Answer, Handler, LLMServer, Received

__all__ = [
    "IMPATIENCE",
    "PATIENCE",
    "Outcome",
    "answered",
    "ask",
    "greeting_server",
    "nothing_left",
    "opened",
    "over_http2",
    "served",
    "speaks_http2",
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
    calls: tuple[ToolCall, ...] = ()
    usage: Usage = field(default_factory=Usage)
    note: str = ""
    """What a row has to add."""


@dataclass(frozen=True)
class _Another:
    provider: LLMProvider
    model: str


_another: ContextVar[_Another | None] = ContextVar("_another", default=None)
_http2: ContextVar[bool] = ContextVar("_http2", default=False)


def _last_text(messages: Sequence[dict[str, object]]) -> str:
    content = cast("str | list[dict[str, str]]", messages[-1]["content"])
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def _rest(wire: Wire) -> Handler:
    """Who is asked for the rest of an answer repeats the end of what is there, and says the rest."""

    def told(received: Received) -> Answer:
        body = received.json()
        messages = cast("list[dict[str, object]]", body.get("messages") or body["input"])
        anchor = _last_text(messages).rpartition("\n\n")[2] if len(messages) > 1 else TEXT
        return Answer(wire.text_answer([f"{word} " for word in TEXT[TEXT.index(anchor) :].split()]))

    return told


@asynccontextmanager
async def with_another_model(wire: Wire = WIRES[0]) -> AsyncGenerator[LLMProvider, None]:
    """In this block calls go through a manager, which has another model that works on a server of its own.

    Args:
        wire: What the other one speaks.
    """
    with LLMServer(_rest(wire)) as server:
        other = wire.make(server.url, PATIENCE, "another")
        token = _another.set(_Another(other, wire.model))
        try:
            yield other
        finally:
            _another.reset(token)
            await other.aclose()


@asynccontextmanager
async def over_http2() -> AsyncGenerator[None, None]:
    """In this block providers and servers speak HTTP/2."""
    token = _http2.set(True)
    try:
        yield
    finally:
        _http2.reset(token)


def speaks_http2() -> bool:
    """Whether this is such a block."""
    return _http2.get()


@asynccontextmanager
async def opened(
    wire: Wire, url: str, patience: float = PATIENCE, **settings: str | float
) -> AsyncGenerator[LLMProvider, None]:
    """A provider; what it has open is closed, and no task of it may be left."""
    before = asyncio.all_tasks()
    provider = wire.make(url, patience)
    if _http2.get() or patience < 1 or settings:
        soon = {"connect_timeout": patience} if patience < 1 else {}
        await provider.update_config({"http2": _http2.get(), **soon, **settings})
    try:
        yield provider
    finally:
        await provider.aclose()
    for _ in range(50):
        await asyncio.sleep(0)
    assert not [task for task in asyncio.all_tasks() - before if not task.done()]


@asynccontextmanager
async def nothing_left() -> AsyncGenerator[None, None]:
    """In this block as many files and connections are closed as are opened; what another model has may stay."""
    before = _descriptors()
    yield
    if _another.get() is None:
        async with asyncio.timeout(20):
            while _descriptors() > before:  # noqa: ASYNC110 - no event tells it
                await asyncio.sleep(0.002)


def _descriptors() -> int:
    return len(os.listdir("/dev/fd"))  # noqa: PTH208 - names are enough


async def _ask_manager(provider: LLMProvider, wire: Wire, other: _Another) -> Outcome:
    outcome = Outcome()
    manager = LLMManager(
        [provider, other.provider],
        groups={"pair": (f"{provider.provider_id}:{wire.model}", f"another:{other.model}")},
        policies=ResiliencePolicies(retry=RetryPolicy(attempts=1)),
    )
    try:
        async with manager.stream("Count.", model="pair") as stream:
            async for text in stream:
                outcome.text += text
            answer = await stream.completion()
            outcome.finish, outcome.calls, outcome.usage = answer.finish_reason, answer.tool_calls, answer.usage
    except ProviderError as error:
        outcome.error = error
    assert KEY not in f"{outcome.error} {outcome.error!r}"
    assert provider.metrics().active == other.provider.metrics().active == 0
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
    outcome.calls, outcome.usage = assembly.tool_calls, assembly.usage
    if outcome.error is not None:
        assert outcome.error.provider == provider.provider_id
        assert KEY not in f"{outcome.error} {outcome.error!r}"
        assert outcome.error.what
    assert provider.metrics().active == 0
    assert provider.metrics().errors == (outcome.error is not None)
    return outcome


@dataclass(frozen=True)
class Served:
    """A server that answers a test.

    Args:
        url: Where it is.
        freed: Waits until no call goes on there, though connections may stand that can take one.
        left: Waits until no connection stands.
    """

    url: str
    freed: Callable[[], Awaitable[None]]
    left: Callable[[], Awaitable[None]]


@asynccontextmanager
async def served(answer: Answer) -> AsyncGenerator[Served, None]:
    """A server that gives this answer to all, in HTTP/1.1 or in HTTP/2."""
    if _http2.get():
        async with serving(_told(answer)) as there:
            yield Served(there.url, there.until_unused, lambda: there.until(0))
        return
    with LLMServer(answer) as server:

        async def left() -> None:
            await asyncio.to_thread(server.wait_open, 0)

        yield Served(server.url, left, left)


def _told(answer: Answer) -> Told:
    """The same for a server in HTTP/2, which resets the stream of an answer and not its connection."""
    pieces = answer.pieces()
    return Told(
        b"".join(pieces),
        answer.status,
        {"content-type": answer.content_type, **answer.headers},
        piece=8192 if len(pieces) < 2 else max(map(len, pieces)),
        how="silent" if answer.delay else answer.how,
        pace=answer.pace,
    )


async def answered(wire: Wire, answer: Answer, patience: float = PATIENCE) -> Outcome:
    """The outcome of a call; if it failed, its connection is closed before the provider is."""
    async with nothing_left(), served(answer) as server:
        async with opened(wire, server.url, patience) as provider:
            outcome = await ask(provider, wire)
            if answer.how != "end":
                await server.freed()
        await server.left()
    return outcome


@asynccontextmanager
async def greeting_server(
    greeting: bytes | None,
    *,
    context: ssl.SSLContext | None = None,
    pace: float = 0.0,
    then: bytes = b"",
    stays: bool = False,
) -> AsyncGenerator[str, None]:
    """A server that says something to whoever comes, whatever is asked, and leaves; with None it stays silent.

    Args:
        greeting: What it says.
        context: With which all is encrypted.
        pace: Seconds before each byte; 0: all at once.
        then: What follows at once.
        stays: Whether it does not leave.
    """
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.read(65536)
        for piece in [] if greeting is None else _pieces(greeting, pace):
            await asyncio.sleep(pace)
            writer.write(piece)
        writer.write(then)
        if greeting is not None and not stays:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    scheme = "http" if context is None else "https"
    try:
        yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for _ in range(10):  # what was accepted a moment ago comes into being, and can be closed
            await asyncio.sleep(0)
        for writer in writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        async with asyncio.timeout(20):
            while getattr(server, "_active_count", 0):  # noqa: ASYNC110 - who failed to shake hands is gone then
                await asyncio.sleep(0.002)


def _pieces(greeting: bytes, pace: float) -> list[bytes]:
    return [bytes([byte]) for byte in greeting] if pace else [greeting]
