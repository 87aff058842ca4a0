"""CPU of the client per streamed chunk: ours, the SDKs' own typed streams, bare aiohttp, and libraries of others.

``python -m bench.llm_chunks [--quick]``. Answers of 500 chunks come from a bare server, each chunk in a packet of its
own (as models send them), or all at once. The figure is the CPU time of the reading process, divided by the chunks. The
loop is uvloop, as in the server. What the system takes to hand over a packet is in all of them alike; the rows of the
wire alone say how much that is. LiteLLM, pydantic-ai and any-llm read in an environment of their own (`bench.peers`),
and Vercel's AI SDK in Node; ``--no-peers`` leaves them out. ``managed`` is ours by way of the manager, and
``responded`` by that into a response.
"""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

import uvloop

from bench.arguments import parser_of
from bench.llm_peers import PEERS, peer, peer_versions
from bench.llm_readers import WIRE, reader
from bench.ratio import Pairs, abba
from bench.servers import client_core, spawn
from bench.table import show

__all__ = ["main"]

CHUNKS: Final = 500
_PROGRAMS = Path(__file__).parent / "programs"

Wire: TypeAlias = Literal["openai", "anthropic"]


class Row(NamedTuple):
    """What is compared with what, and how much ours may take of theirs."""

    ours: str
    theirs: str
    most: float


_SDK, _RAW = "openai's typed stream", ("aiohttp and orjson", "aiohttp and msgspec")
_OF_OPENAI: Final = (
    *(Row(ours, _SDK, 0.2) for ours in ("compatible", "openai", "managed", "responded")),
    *(Row(ours, raw, 2.5) for ours in ("compatible", "openai") for raw in _RAW),
)
_OF_ANTHROPIC: Final = (
    Row("anthropic", "anthropic's typed stream", 1 / 3),
    Row("anthropic", "anthropic: aiohttp and orjson", 2.5),
)
_ROWS: Final[Mapping[Wire, tuple[Row, ...]]] = {"openai": _OF_OPENAI, "anthropic": _OF_ANTHROPIC}
_FLOORS: Final[Mapping[Wire, Row]] = {
    "openai": Row(WIRE, _SDK, 0.2),
    "anthropic": Row(WIRE, "anthropic's typed stream", 1 / 3),
}
"""What nobody can be below: to be woken up for each piece, and to take it from the system."""
_HEAD: Final = ("us a chunk", "ours", "theirs", "ratio", "target", "")
_OF_PEERS: Final = tuple(
    Row(ours, theirs, most) for ours in ("compatible", "openai", "managed") for theirs, most in PEERS.items()
)


async def _measure(name: str, url: str, answers: int, at_once: int) -> float:
    async with reader(name, url) as read:
        await asyncio.gather(*(read() for _ in range(at_once)))  # opens the connections
        gc.collect()
        began = time.process_time()
        for _ in range(answers // at_once):
            counts = await asyncio.gather(*(read() for _ in range(at_once)))
            assert set(counts) == {CHUNKS}, counts
        return (time.process_time() - began) / (answers // at_once * at_once * CHUNKS) * 1e6


@contextmanager
def _server(pause: str, wire: Wire) -> Generator[str, None, None]:
    """A server of chunks on a core of its own; gives its address."""
    command = [sys.executable, str(_PROGRAMS / "chunks.py"), pause, wire]
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as said:
        server = spawn(command, {}, said, Path(folder), output=subprocess.PIPE)
        try:
            assert server.stdout is not None
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.kill()
            server.communicate()


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
        for wire, rows in _ROWS.items():
            _compare(load, wire, rows if load is together else (*rows, _FLOORS[wire]))
    if not chosen.no_peers:
        for load in (fast, paced):
            _compare_peers(load)


if __name__ == "__main__":
    main()
