"""HTTP/2 against HTTP/1.1, from 1 to 500 calls at once. ``python -m bench.llm_http2 [--quick]``.

The server (hypercorn, TLS on loopback) speaks both; an answer is a stream of twenty pieces. The client is ours, as all
our providers use it: on h2, or in HTTP/1.1 with nothing under it. All connections stand before anything is measured:
what is compared is the work of a call, CPU time of the client, and the median of how long a call takes. The last line
says which of the two is the better default by that. ``--others`` adds httpx2 with either, and aiohttp by itself.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from socket import create_connection
from typing import IO, Final, NamedTuple

from bench.arguments import parser_of
from bench.llm_pools import make_certificate
from bench.peers import peer_python, versions
from bench.ratio import Pairs, Spread, abba
from bench.reference import ROOT
from bench.servers import client_core, free_port, spawn
from bench.streams import allow_files
from bench.table import show

__all__ = ["Compared", "Taken", "compare", "main", "verdict"]

OURS: Final = ("ours, HTTP/2", "ours, HTTP/1.1")
OTHERS: Final = ("aiohttp, HTTP/1.1", "httpx2, HTTP/2", "httpx2, HTTP/1.1")
AT_ONCE: Final = (1, 10, 100, 500)
_ENOUGH: Final = 100
"""Calls at once up to which HTTP/1.1 of httpx2 is measured: its pool takes quadratic time."""
_PROGRAMS = Path(__file__).parent / "programs"
_PATIENCE = 30.0


class Taken(NamedTuple):
    """What a call takes, in milliseconds."""

    cpu: float
    middle: float


Take = Callable[[int, int], Taken]
"""Makes so many calls, so many at once."""


@contextmanager
def _server(folder: Path, certificate: Path, said: IO[bytes]) -> Generator[str, None, None]:
    port = free_port()
    command = [str(peer_python("llm")), str(_PROGRAMS / "both_http.py"), str(port), str(certificate)]
    process = spawn(command, {}, said, folder)
    try:
        _await(port)
        yield f"https://localhost:{port}/v1/chat/completions"
    finally:
        process.kill()
        process.wait()


def _await(port: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


@contextmanager
def _client(name: str, url: str, certificate: Path) -> Generator[Take, None, None]:
    ours = [sys.executable, "-m", "bench.programs.own_pools"]
    program = ours if name in OURS else [str(peer_python("llm")), str(_PROGRAMS / "pools.py")]
    command = [*program, name, url, str(certificate)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        orders, figures = process.stdin, process.stdout

        def take(calls: int, at_once: int) -> Taken:
            print(calls, at_once, file=orders, flush=True)
            return Taken(*map(float, figures.readline().split()))

        try:
            yield take
        finally:
            process.kill()


class Compared(NamedTuple):
    """What a number of calls at once came to: ours over HTTP/2 by another, in each round."""

    at_once: int
    other: str
    two: Taken
    one: Taken
    cpu: Spread
    time: Spread


def compare(takers: Mapping[str, Take], calls: int, rounds: int) -> list[Compared]:
    """Compare our HTTP/2 with the other clients, for each number of calls at once.

    Args:
        takers: By their names, the first of them ours over HTTP/2.
        calls: How many to make in one measurement, at least.
        rounds: How often.
    """
    found: list[Compared] = []
    two_name, *others = takers
    for at_once in AT_ONCE:
        make = max(calls, at_once)
        for name in others:
            if at_once > _ENOUGH and name == OTHERS[-1]:
                continue
            two, one = (partial(takers[client], make, at_once) for client in (two_name, name))
            taken = abba(rounds, two, one)
            least = [min(each for pair in taken for each in pair[side]) for side in (0, 1)]
            found.append(Compared(at_once, name, least[0], least[1], _ratio(taken, 0), _ratio(taken, 1)))
    return found


def _ratio(taken: Sequence[tuple[tuple[Taken, Taken], tuple[Taken, Taken]]], place: int) -> Spread:
    a = tuple(mine[0][place] + mine[1][place] for mine, _ in taken)
    return Pairs(a, tuple(other[0][place] + other[1][place] for _, other in taken)).ratio


def verdict(found: Sequence[Compared]) -> str:
    """Which of our two is the better default, in a line: HTTP/2 only if it takes less of both, for any number of calls.

    Args:
        found: What `compare` gave.
    """
    pairs = [each for each in found if each.other == OURS[1]]
    cpu, time = [each.cpu.middle for each in pairs], [each.time.middle for each in pairs]
    told = f"{min(cpu):.2f} to {max(cpu):.2f} of the CPU and {min(time):.2f} to {max(time):.2f} of the time"
    if max(*cpu, *time) < 1:
        return f"HTTP/2 is the better default by these figures: it takes {told}, however many calls there are at once."
    return f"HTTP/1.1 is the better default by these figures: HTTP/2 takes {told}, so it is not always quicker."


def main(arguments: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__, "A look, not a result.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--others", action="store_true", help="httpx2 and aiohttp as well.")
    chosen = parser.parse_args(arguments)
    calls, rounds = (500, 1) if chosen.quick else (1000, chosen.rounds)
    allow_files()
    client_core()
    with tempfile.TemporaryDirectory() as place, tempfile.TemporaryFile() as said, ExitStack() as stack:
        certificate = make_certificate(Path(place))
        url = stack.enter_context(_server(Path(place), certificate, said))
        names = (*OURS, *OTHERS) if chosen.others else OURS
        found = compare({name: stack.enter_context(_client(name, url, certificate)) for name in names}, calls, rounds)
    told = versions("llm", ("httpx2", "hypercorn"))
    mine = ", ".join(f"{name} {version(name)}" for name in ("h2", "aiohttp"))
    head = ("HTTP/2 (ours) against", "CPU ms, ours", "CPU ms, the other", "ratio of CPU", "ratio of time")
    rows = [
        (f"{each.at_once} at once, {each.other}", f"{each.two.cpu:.2f}", f"{each.one.cpu:.2f}", each.cpu, each.time)
        for each in found
    ]
    show(f"HTTP/2 and HTTP/1.1 ({mine}; {told})", head, rows)
    print(f"\n{verdict(found)}")


if __name__ == "__main__":
    main()
