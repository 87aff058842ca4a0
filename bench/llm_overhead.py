"""CPU that the manager adds to a provider that does nothing. ``python -m bench.llm_overhead [--quick]``.

Two figures: for a plain call, with all that is looked at on the way (choice, cache, breaker, budget, deadlines), and
for each piece of a long answer that nobody else listens to. The floor is the provider alone, read to its end. The loop
is uvloop, as in the server. Besides, a provider's call of one word over HTTP/1.1, with nothing around it, against the
same with aiohttp alone, which checks nothing and takes nothing apart.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

import uvloop

from bench.arguments import parser_of
from bench.ratio import Pairs, Spread, abba, spread
from bench.servers import client_core, spawn
from bench.table import show
from sentient_cli.llm import (
    Capabilities,
    Chunk,
    Completion,
    LLMManager,
    Message,
    ModelInfo,
    ProviderConfig,
    ProviderMetrics,
    Request,
    TokenCount,
    Usage,
)
from sentient_cli.llm.assembly import collect
from sentient_cli.llm.compatible import CompatibleConfig, CompatibleProvider
from sentient_cli.llm.resilience.cache import MemoryCache
from sentient_cli.llm.resilience.deadlines import Deadlines
from sentient_cli.llm.resilience.policies import ResiliencePolicies
from sentient_cli.llm.types import JsonValue

__all__ = ["NullProvider", "main"]

CALL_TARGET, CHUNK_TARGET = 50.0, 3.0
PIECES = 500

_PROGRAM = Path(__file__).parent / "programs" / "chunks.py"
_ASKED = {"model": "small-1", "messages": [{"role": "user", "content": "Hello"}], "stream": True}

Work = Callable[[], Awaitable[None]]
Maker = Callable[[], AbstractAsyncContextManager[Work]]


class NullProvider:
    """Answers with so many pieces, at no cost."""

    def __init__(self, pieces: int) -> None:
        self._chunks = (
            *(Chunk("word ") for _ in range(pieces)),
            Chunk(finish_reason="stop"),
            Chunk(usage=Usage(1, 0, 0, pieces, 0)),
        )

    provider_id = "null"
    bounds_silence = True  # as all of ours do that are reached over a network
    config = ProviderConfig(default_model="m")
    capabilities = Capabilities()

    async def initialize(self) -> None:
        return None

    async def generate(self, request: Request) -> Completion:
        return await collect("null", request.model, self.stream(request))

    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        for chunk in self._chunks:
            yield chunk

    async def validate(self) -> None:
        return None

    async def models(self) -> tuple[ModelInfo, ...]:
        return ()

    async def count_tokens(self, request: Request) -> TokenCount:
        return TokenCount(1, exact=True)

    async def update_config(self, changes: Mapping[str, JsonValue]) -> None:
        return None

    def metrics(self) -> ProviderMetrics:
        return ProviderMetrics()

    async def aclose(self) -> None:
        return None


def alone(provider: NullProvider) -> Work:
    """The floor: the provider, read to its end."""
    request = Request(model="m", messages=(Message.user("Hello"),))

    async def work() -> None:
        async for _ in provider.stream(request):
            pass

    return work


def managed(provider: NullProvider, policies: ResiliencePolicies) -> Work:
    """The same through a manager."""
    manager = LLMManager([provider], default_model="null", policies=policies)

    async def work() -> None:
        async with manager.stream("Hello") as answer:
            async for _ in answer.chunks():
                pass

    return work


def hit(provider: NullProvider) -> Work:
    """An answer that is there already."""
    return managed(provider, ResiliencePolicies(cache=MemoryCache()))


@contextmanager
def _model() -> Generator[str, None, None]:
    """A model that says a word, all in one packet; gives its address."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as said:
        command = [sys.executable, str(_PROGRAM), "-1", "openai", "1"]
        process = spawn(command, {}, said, Path(folder), output=subprocess.PIPE)
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.kill()
            process.wait()


@asynccontextmanager
async def provided(url: str) -> AsyncGenerator[Work, None]:
    """A provider's call over HTTP/1.1."""
    provider = CompatibleProvider("compatible", CompatibleConfig(base_url=url, default_model="small-1"))
    request = Request(model="small-1", messages=(Message.user("Hello"),))

    async def work() -> None:
        async for _ in provider.stream(request):
            pass

    try:
        yield work
    finally:
        await provider.aclose()


@asynccontextmanager
async def bare(url: str) -> AsyncGenerator[Work, None]:
    """The same with the library under it, and nothing else."""
    import aiohttp

    async with aiohttp.ClientSession() as session:

        async def work() -> None:
            async with session.post(f"{url}/chat/completions", json=_ASKED) as response:
                async for _ in response.content.iter_any():
                    pass

        yield work


async def repeated(work: Work, times: int) -> float:
    """CPU of one piece of work, in microseconds."""
    await work()
    gc.collect()
    began = time.process_time()
    for _ in range(times):
        await work()
    return (time.process_time() - began) / times * 1e6


def cpu_of(work: Work, times: int) -> float:
    """The same in a loop of its own."""
    return uvloop.run(repeated(work, times))


def cpu_with(make: Maker, times: int) -> float:
    """The same for work that needs something to be opened."""

    async def inside() -> float:
        async with make() as work:
            return await repeated(work, times)

    return uvloop.run(inside())


def over_http(rounds: int, times: int) -> None:
    """Print what a call over HTTP/1.1 takes."""
    with _model() as url:
        taken = abba(rounds, *(partial(cpu_with, partial(make, url), times) for make in (provided, bare)))
    ours, theirs = (tuple(sum(each[side]) / 2 for each in taken) for side in (0, 1))
    row = ("provider call, plain", f"{min(ours):.0f}", f"{min(theirs):.0f}", Pairs(ours, theirs).ratio)
    show("A call over HTTP/1.1", ("", "CPU us", "aiohttp's own", "ratio"), [row])


def added(work: Work, floor: Work, rounds: int, times: int, parts: int) -> Spread:
    """What one part of the work takes more than that of the floor, in microseconds."""
    taken = abba(rounds, lambda: cpu_of(work, times), lambda: cpu_of(floor, times))
    return spread([(sum(mine) - sum(theirs)) / 2 / parts for mine, theirs in taken])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__, "Fewer rounds: a look, not a result.")
    parser.add_argument("--rounds", type=int, default=9)
    chosen = parser.parse_args(arguments)
    client_core()
    rounds, times = (3, 500) if chosen.quick else (chosen.rounds, 3000)
    short, long = NullProvider(1), NullProvider(PIECES)
    usual, bounded = ResiliencePolicies(), ResiliencePolicies(deadlines=Deadlines(attempt=600))
    asked: list[tuple[str, Work, NullProvider, int, float]] = [
        ("plain call", managed(short, usual), short, 1, CALL_TARGET),
        ("call answered from memory", hit(short), short, 1, 1000.0),
        ("piece of a long answer", managed(long, usual), long, PIECES, CHUNK_TARGET),
        ("the same, the attempt bounded", managed(long, bounded), long, PIECES, CHUNK_TARGET),
    ]
    rows: list[Sequence[object]] = []
    for name, work, provider, parts, most in asked:
        cost = added(work, alone(provider), rounds, times if parts == 1 else times // 30, parts)
        rows.append((name, cost, f"<= {most:g}", "ok" if cost.middle <= most else "MISSED"))
    show("What the manager adds", ("", "CPU us more than the provider alone", "target", ""), rows)
    over_http(rounds, times // 3)


if __name__ == "__main__":
    main()
