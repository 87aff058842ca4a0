"""Who reads streamed answers, and how: ours, by way of which layers, the SDKs, bare aiohttp, and nothing at all.

Part of `bench.llm_chunks`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Final, TypeAlias, cast

from typing_extensions import override

from sentient_cli.clock import SystemClock, SystemIds
from sentient_cli.config.secret import Secret
from sentient_cli.llm import LLMManager
from sentient_cli.llm.anthropic import AnthropicConfig, AnthropicProvider
from sentient_cli.llm.compatible import CompatibleConfig, CompatibleProvider
from sentient_cli.llm.openai import OpenAIConfig, OpenAIProvider
from sentient_cli.llm.provider import LLMProvider, Request
from sentient_cli.llm.types import Message
from sentient_cli.runtime.log import RunLog
from sentient_cli.runtime.outlet import Outlet
from sentient_cli.runtime.response import Response

__all__ = ["WIRE", "Reader", "reader"]

WIRE: Final = "the wire alone"
_SMALL: Final = {"model": "small-1", "messages": [{"role": "user", "content": "Count."}], "stream": True}
_REQUEST: Final = Request(model="small-1", messages=(Message.user("Count."),))

Reader: TypeAlias = Callable[[], Awaitable[int]]
"""Reads one answer, and says how many pieces of text it had."""


@asynccontextmanager
async def _ours(provider: LLMProvider) -> AsyncGenerator[Reader, None]:
    async def read() -> int:
        texts = 0
        async with aclosing(provider.stream(_REQUEST)) as stream:
            async for chunk in stream:
                texts += bool(chunk.text)
        return texts

    try:
        yield read
    finally:
        await provider.aclose()


@asynccontextmanager
async def _managed(provider: LLMProvider) -> AsyncGenerator[Reader, None]:
    """Through the manager, as agents read it: its text."""
    manager = LLMManager([provider], default_model=f"{provider.provider_id}:small-1")

    async def read() -> int:
        texts = 0
        async with manager.stream("Count.") as answer:
            async for _ in answer:
                texts += 1
        return texts

    try:
        yield read
    finally:
        await manager.aclose()


@asynccontextmanager
async def _responded(provider: LLMProvider) -> AsyncGenerator[Reader, None]:
    """Through the manager and into the response of a run, whose log keeps what is sent to the client."""
    clock = SystemClock()
    ids = SystemIds(clock)
    manager = LLMManager([provider], default_model=f"{provider.provider_id}:small-1")

    async def read() -> int:
        log = RunLog("run", clock)
        outlet = Outlet(log, clock, ids, unsent_entries=1024, unsent_size=2**20, on_complete=_nothing, on_late=_nothing)
        await Response(outlet, "chat", ids).stream_llm("ANSWER", manager.stream("Count."))
        return log.events - 1  # the last one closes the stream

    try:
        yield read
    finally:
        await manager.aclose()


def _nothing() -> None:
    pass


_LAYERS: Final = {"compatible": _ours, "managed": _managed, "responded": _responded}
"""What is read by way of which layers."""


@asynccontextmanager
async def _openai_sdk(url: str) -> AsyncGenerator[Reader, None]:
    import openai

    async with openai.AsyncOpenAI(
        api_key="sk-1", base_url=f"{url}/v1", max_retries=0, http_client=openai.DefaultAioHttpClient()
    ) as client:

        async def read() -> int:
            texts = 0
            stream = await client.chat.completions.create(
                model="small-1", messages=[{"role": "user", "content": "Count."}], stream=True
            )
            async with stream:
                async for chunk in stream:
                    texts += bool(chunk.choices and chunk.choices[0].delta.content)
            return texts

        yield read


@asynccontextmanager
async def _anthropic_sdk(url: str) -> AsyncGenerator[Reader, None]:
    import anthropic

    async with anthropic.AsyncAnthropic(
        api_key="sk-1", base_url=url, max_retries=0, http_client=anthropic.DefaultAioHttpClient()
    ) as client:

        async def read() -> int:
            texts = 0
            stream = await client.messages.create(
                model="small-1", max_tokens=1000, messages=[{"role": "user", "content": "Count."}], stream=True
            )
            async with stream:
                async for event in stream:
                    texts += event.type == "content_block_delta" and event.delta.type == "text_delta"
            return texts

        yield read


class _Counting(asyncio.Protocol):
    """Counts what comes over a connection and looks at nothing else: less than this nobody can do on this loop."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.ended: asyncio.Future[int] | None = None
        self._rest = b""
        self._texts = 0

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        self._texts += data.count(b" token")
        self._rest = data[-5:]
        if self._rest == b"0\r\n\r\n" and self.ended is not None:
            self.ended.set_result(self._texts)
            self._rest, self._texts = b"", 0


@asynccontextmanager
async def _wire(url: str) -> AsyncGenerator[Reader, None]:
    loop, (host, port) = asyncio.get_running_loop(), url.removeprefix("http://").split(":")
    unused: list[_Counting] = []
    opened: list[_Counting] = []
    body = json.dumps(_SMALL).encode()
    asked = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)

    async def read() -> int:
        if not unused:
            _, made = await loop.create_connection(_Counting, host, int(port))
            unused.append(made)
            opened.append(made)
        connection = unused.pop()
        connection.ended = loop.create_future()
        assert connection.transport is not None
        connection.transport.write(asked)
        texts = await connection.ended
        unused.append(connection)
        return texts

    yield read
    for connection in opened:
        if connection.transport is not None:
            connection.transport.close()


@asynccontextmanager
async def _raw(url: str, read_frame: Callable[[bytes], bool]) -> AsyncGenerator[Reader, None]:
    import aiohttp

    async with aiohttp.ClientSession() as session:

        async def read() -> int:
            texts, rest = 0, b""
            async with session.post(url, json=_SMALL) as response:
                async for data in response.content.iter_any():
                    *frames, rest = (rest + data).split(b"\n\n")
                    texts += sum(map(read_frame, frames))
            return texts

        yield read


def _chat_text(loads: Callable[[bytes], object], frame: bytes) -> bool:
    if frame == b"data: [DONE]":
        return False
    choices = cast("dict[str, list[dict[str, dict[str, str]]]]", loads(frame[6:]))["choices"]
    return bool(choices and choices[0]["delta"].get("content"))


def _message_text(loads: Callable[[bytes], object], frame: bytes) -> bool:
    told = cast("dict[str, dict[str, str]]", loads(frame[frame.index(b"data: ") + 6 :]))
    return bool("delta" in told and told["delta"].get("text"))


@asynccontextmanager
async def reader(name: str, url: str) -> AsyncGenerator[Reader, None]:
    import msgspec
    import orjson

    key = Secret("sk-1")
    if name in _LAYERS:
        config = CompatibleConfig(base_url=f"{url}/v1", default_model="small-1")
        source = _LAYERS[name](CompatibleProvider("compatible", config))
    elif name == "openai":
        source = _ours(OpenAIProvider(OpenAIConfig(base_url=f"{url}/v1", api_key=key)))
    elif name == "anthropic":
        source = _ours(AnthropicProvider(AnthropicConfig(base_url=url, api_key=key)))
    elif name == WIRE:
        source = _wire(url)
    elif "typed" in name:
        source = _anthropic_sdk(url) if "anthropic" in name else _openai_sdk(url)
    elif "anthropic" in name:
        source = _raw(f"{url}/v1/messages", partial(_message_text, orjson.loads))
    else:
        loads = orjson.loads if "orjson" in name else msgspec.json.decode
        source = _raw(f"{url}/v1/chat/completions", partial(_chat_text, loads))
    async with source as read:
        yield read
