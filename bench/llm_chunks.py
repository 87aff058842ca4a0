"""CPU of the client per streamed chunk: ours, the SDKs' own typed streams, bare aiohttp, and libraries of others.

``python -m bench.llm_chunks [--quick]``. Answers of 500 chunks come from a bare server, each chunk in a packet of its
own (as models send them), or all at once. The figure is the CPU time of the reading process, divided by the chunks. The
loop is uvloop, as in the server. What the system takes to hand over a packet is in all of them alike. LiteLLM,
pydantic-ai and any-llm read in an environment of their own (`bench.peers`), and Vercel's AI SDK in Node;
``--no-peers`` leaves them out.
"""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias, cast

import uvloop

from bench.arguments import parser_of
from bench.llm_peers import PEERS, peer, peer_versions
from bench.ratio import Pairs, abba
from bench.servers import client_core
from bench.table import show
from sentient_cli.config.secret import Secret
from sentient_cli.llm.anthropic import AnthropicConfig, AnthropicProvider
from sentient_cli.llm.compatible import CompatibleConfig, CompatibleProvider
from sentient_cli.llm.openai import OpenAIConfig, OpenAIProvider
from sentient_cli.llm.provider import LLMProvider, Request
from sentient_cli.llm.types import Message

__all__ = ["main"]

CHUNKS: Final = 500
_PROGRAMS = Path(__file__).parent / "programs"
_SMALL = {"model": "small-1", "messages": [{"role": "user", "content": "Count."}], "stream": True}
_REQUEST = Request(model="small-1", messages=(Message.user("Count."),))

Reader: TypeAlias = Callable[[], Awaitable[int]]
"""Reads one answer, and says how many pieces of text it had."""
Wire: TypeAlias = Literal["openai", "anthropic"]


class Row(NamedTuple):
    """What is compared with what, and how much ours may take of theirs."""

    ours: str
    theirs: str
    most: float


_OF_OPENAI: Final = tuple(
    Row(ours, theirs, most)
    for ours in ("compatible", "openai")
    for theirs, most in (("openai's typed stream", 0.2), ("aiohttp and orjson", 2.5), ("aiohttp and msgspec", 2.5))
)
_OF_ANTHROPIC: Final = (
    Row("anthropic", "anthropic's typed stream", 1 / 3),
    Row("anthropic", "anthropic: aiohttp and orjson", 2.5),
)
_HEAD: Final = ("us a chunk", "ours", "theirs", "ratio", "target", "")
_OF_PEERS: Final = tuple(Row(ours, theirs, most) for ours in ("compatible", "openai") for theirs, most in PEERS.items())


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
async def _reader(name: str, url: str) -> AsyncGenerator[Reader, None]:
    import msgspec
    import orjson

    key = Secret("sk-1")
    if name == "compatible":
        config = CompatibleConfig(base_url=f"{url}/v1", default_model="small-1")
        source = _ours(CompatibleProvider("compatible", config))
    elif name == "openai":
        source = _ours(OpenAIProvider(OpenAIConfig(base_url=f"{url}/v1", api_key=key)))
    elif name == "anthropic":
        source = _ours(AnthropicProvider(AnthropicConfig(base_url=url, api_key=key)))
    elif "typed" in name:
        source = _anthropic_sdk(url) if "anthropic" in name else _openai_sdk(url)
    elif "anthropic" in name:
        source = _raw(f"{url}/v1/messages", partial(_message_text, orjson.loads))
    else:
        loads = orjson.loads if "orjson" in name else msgspec.json.decode
        source = _raw(f"{url}/v1/chat/completions", partial(_chat_text, loads))
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
        return (time.process_time() - began) / (answers // at_once * at_once * CHUNKS) * 1e6


@contextmanager
def _server(pause: str, wire: Wire) -> Generator[str, None, None]:
    command = [sys.executable, str(_PROGRAMS / "chunks.py"), pause, wire]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.kill()


class Load(NamedTuple):
    """How the chunks come, and how much is read of them in one measurement."""

    title: str
    pause: str
    answers: int
    at_once: int
    rounds: int


def _compare(load: Load, wire: Wire, rows: Sequence[Row]) -> None:
    with _server(load.pause, wire) as url:

        def take(name: str) -> float:
            return uvloop.run(_measure(name, url, load.answers, load.at_once))

        told = [_row(row, load.rounds, partial(take, row.ours), partial(take, row.theirs)) for row in rows]
    show(f"{load.title} ({wire})", _HEAD, told)


def _compare_peers(load: Load) -> None:
    told: list[Sequence[object]] = []
    with _server(load.pause, "openai") as url:

        def mine(name: str) -> float:
            return uvloop.run(_measure(name, url, load.answers, load.at_once))

        for name in PEERS:
            with peer(name, url) as measure:
                theirs = partial(measure, max(load.at_once, load.answers // 4), load.at_once)
                told += [
                    _row(row, load.rounds, partial(mine, row.ours), theirs) for row in _OF_PEERS if row.theirs == name
                ]
    show(f"{load.title}, against {peer_versions()}", _HEAD, told)


def _row(row: Row, rounds: int, ours: Callable[[], float], theirs: Callable[[], float]) -> Sequence[object]:
    taken = abba(rounds, ours, theirs)
    a = tuple(sum(pair) / 2 for pair, _ in taken)
    b = tuple(sum(pair) / 2 for _, pair in taken)
    ratio = Pairs(a, b).ratio
    said = f"{ratio.middle:.3f} ({ratio.low:.3f} … {ratio.high:.3f})"
    verdict = "ok" if ratio.middle <= row.most else "MISSED"
    return (f"{row.ours}, {row.theirs}", f"{min(a):.1f}", f"{min(b):.1f}", said, f"<= {row.most:.2g}", verdict)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__, "A look, not a result.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--no-peers", action="store_true", help="Without other libraries.")
    chosen = parser.parse_args(arguments)
    client_core()
    rounds, answers = (2, 8) if chosen.quick else (chosen.rounds, 40)
    fast = Load("Chunks, as fast as they can be sent, each by itself", "0", answers, 4, rounds)
    paced = Load("Chunks, one each half a millisecond", "0.0005", answers, 4, -(-rounds // 2))
    together = Load("Chunks, all at once", "-1", answers * 2, 1, -(-rounds // 2))
    for load in (fast, paced, together):
        _compare(load, "openai", _OF_OPENAI)
        _compare(load, "anthropic", _OF_ANTHROPIC)
    if not chosen.no_peers:
        for load in (fast, paced):
            _compare_peers(load)


if __name__ == "__main__":
    main()
