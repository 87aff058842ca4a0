"""Asks with a pool of connections, in HTTP/1.1 or HTTP/2. Part of `bench.llm_http2`.

Run by the Python of the environment for comparisons. Arguments: the client, the address, a file with the certificate.
Each line that it is sent has how many calls to make, and how many at once; each line that it gives back has the CPU
time of a call and the median of how long one took, in milliseconds.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from statistics import median
from typing import Protocol, TypeAlias, cast

BODY = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"' + b"word " * 200 + b'"}]}'
END = b"data: [DONE]"
Ask: TypeAlias = Callable[[], Awaitable[None]]


class _Content(Protocol):
    def iter_any(self) -> AsyncIterator[bytes]: ...


class _Answer(Protocol):
    content: _Content
    http_version: str

    def aiter_raw(self) -> AsyncIterator[bytes]: ...


class _Client(Protocol):
    def post(self, url: str, *, data: bytes) -> AbstractAsyncContextManager[_Answer]: ...
    def stream(self, method: str, url: str, *, content: bytes) -> AbstractAsyncContextManager[_Answer]: ...


def _named(module: str, name: str) -> Callable[..., object]:
    return cast("Callable[..., object]", vars(importlib.import_module(module))[name])


async def _whole(pieces: AsyncIterator[bytes]) -> None:
    last = b""
    async for piece in pieces:
        last = (last + piece)[-64:]
    assert END in last, last


def _aiohttp(url: str, context: ssl.SSLContext) -> Ask:
    connector = _named("aiohttp", "TCPConnector")(limit=1000, ssl=context, keepalive_timeout=3600.0)
    client = cast("_Client", _named("aiohttp", "ClientSession")(connector=connector))

    async def ask() -> None:
        async with client.post(url, data=BODY) as answer:
            await _whole(answer.content.iter_any())

    return ask


def _httpx2(url: str, context: ssl.SSLContext, *, http2: bool) -> Ask:
    limits = _named("httpx2", "Limits")(max_connections=1000, max_keepalive_connections=1000, keepalive_expiry=3600.0)
    make = _named("httpx2", "AsyncClient")
    client = cast("_Client", make(verify=context, http2=http2, limits=limits, timeout=60.0, trust_env=False))

    async def ask() -> None:
        async with client.stream("POST", url, content=BODY) as answer:
            assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
            await _whole(answer.aiter_raw())

    return ask


def _client(name: str, url: str, certificate: str) -> Ask:
    context = ssl.create_default_context(cafile=certificate)
    if name.startswith("aiohttp"):
        return _aiohttp(url, context)
    return _httpx2(url, context, http2=name.endswith("HTTP/2"))


async def _measure(ask: Ask, calls: int, at_once: int) -> tuple[float, float]:
    took: list[float] = []

    async def reader(count: int) -> None:
        for _ in range(count):
            began = time.perf_counter()
            await ask()
            took.append((time.perf_counter() - began) * 1e3)

    await asyncio.gather(*(reader(1) for _ in range(at_once)))  # the connections stand
    took.clear()
    gc.collect()
    cpu = time.process_time()
    await asyncio.gather(*(reader(calls // at_once) for _ in range(at_once)))
    return (time.process_time() - cpu) / (calls // at_once * at_once) * 1e3, median(took)


async def answer_orders(ask: Ask) -> None:
    """Measure what each line that comes in asks for."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        calls, at_once = map(int, line.split())
        print(*await _measure(ask, calls, at_once), flush=True)


async def main(name: str, url: str, certificate: str) -> None:
    await answer_orders(_client(name, url, certificate))


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(*sys.argv[1:]))
