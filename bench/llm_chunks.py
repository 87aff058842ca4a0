"""CPU of the client per streamed chunk: ours, the SDK's own typed stream, and bare aiohttp.

``python -m bench.llm_chunks [--quick]``. Answers of 500 chunks come from a bare server, each chunk in a packet of its
own (as models send them), or all at once. The figure is the CPU time of this process, divided by the chunks. The loop
is uvloop, as in the server. What the system takes to hand over a packet is in all of them alike.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeAlias, cast

import uvloop

from bench.ratio import Pairs, abba
from bench.servers import client_core
from bench.table import show
from sentient_cli.config.secret import Secret
from sentient_cli.llm.compatible import CompatibleConfig, CompatibleProvider
from sentient_cli.llm.openai import OpenAIConfig, OpenAIProvider
from sentient_cli.llm.provider import LLMProvider, Request
from sentient_cli.llm.types import Message

__all__ = ["main"]

CHUNKS = 500
_PROGRAM = Path(__file__).parent / "programs" / "chunks.py"
_SMALL = {"model": "small-1", "messages": [{"role": "user", "content": "Count."}], "stream": True}
_REQUEST = Request(model="small-1", messages=(Message.user("Count."),))

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
async def _sdk(url: str) -> AsyncGenerator[Reader, None]:
    import openai

    async with openai.AsyncOpenAI(
        api_key="sk-1", base_url=url, max_retries=0, http_client=openai.DefaultAioHttpClient()
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
async def _raw(url: str, loads: Callable[[bytes], object]) -> AsyncGenerator[Reader, None]:
    import aiohttp

    async with aiohttp.ClientSession() as session:

        async def read() -> int:
            texts, rest = 0, b""
            async with session.post(f"{url}/chat/completions", json=_SMALL) as response:
                async for data in response.content.iter_any():
                    *frames, rest = (rest + data).split(b"\n\n")
                    texts += sum(_has_text(loads(frame[6:])) for frame in frames if frame != b"data: [DONE]")
            return texts

        yield read


def _has_text(told: object) -> bool:
    choices = cast("dict[str, list[dict[str, dict[str, str]]]]", told)["choices"]
    return bool(choices and choices[0]["delta"].get("content"))


@asynccontextmanager
async def _reader(name: str, url: str) -> AsyncGenerator[Reader, None]:
    import msgspec
    import orjson

    if name == "compatible":
        config = CompatibleConfig(base_url=url, default_model="small-1")
        source = _ours(CompatibleProvider("compatible", config))
    elif name == "openai":
        source = _ours(OpenAIProvider(OpenAIConfig(base_url=url, api_key=Secret("sk-1"))))
    elif name == "openai's typed stream":
        source = _sdk(url)
    else:
        source = _raw(url, orjson.loads if "orjson" in name else msgspec.json.decode)
    async with source as read:
        yield read


async def _measure(name: str, url: str, answers: int, at_once: int) -> float:
    async with _reader(name, url) as read:
        await read()
        gc.collect()
        began = time.process_time()
        for _ in range(answers // at_once):
            counts = await asyncio.gather(*(read() for _ in range(at_once)))
            assert set(counts) == {CHUNKS}, counts
        return (time.process_time() - began) / (answers * CHUNKS) * 1e6


def _compare(title: str, pause: str, answers: int, rounds: int, at_once: int) -> None:
    server = subprocess.Popen([sys.executable, str(_PROGRAM), pause], stdout=subprocess.PIPE, text=True)
    rows: list[tuple[object, ...]] = []
    try:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"

        def take(name: str) -> float:
            return uvloop.run(_measure(name, url, answers, at_once))

        for ours in ("compatible", "openai"):
            for theirs, most in (
                ("openai's typed stream", 0.2),
                ("aiohttp and orjson", 2.5),
                ("aiohttp and msgspec", 2.5),
            ):
                taken = abba(rounds, partial(take, ours), partial(take, theirs))
                a = tuple(sum(pair) / 2 for pair, _ in taken)
                b = tuple(sum(pair) / 2 for _, pair in taken)
                ratio = Pairs(a, b).ratio
                verdict = "ok" if ratio.middle <= most else "MISSED"
                rows.append((f"{ours}, {theirs}", f"{min(a):.1f}", f"{min(b):.1f}", ratio, f"<= {most}", verdict))
    finally:
        server.kill()
        server.wait()
    show(title, ("us a chunk", "ours", "theirs", "ratio", "target", ""), rows)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="A look, not a result.")
    chosen = parser.parse_args(arguments)
    client_core()
    rounds = 2 if chosen.quick else 7
    answers = 8 if chosen.quick else 40
    _compare("Chunks, as fast as they can be sent, each by itself", "0", answers, rounds, 4)
    _compare("Chunks, one each half a millisecond", "0.0005", answers, rounds, 4)
    _compare("Chunks, all at once", "-1", answers * 2, rounds, 1)


if __name__ == "__main__":
    main()
