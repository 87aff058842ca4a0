"""CPU of the server per event: one stream of 2,000, and 50 streams of 500. ``python -m bench.events [--quick]``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from bench.arguments import parser_of
from bench.client import ask_all
from bench.ratio import Spread, abba, spread
from bench.servers import Kind, Server, client_core, start
from bench.table import show

__all__ = ["LOADS", "PEERS", "Load", "Result", "compare", "main", "measure"]

PEERS: Sequence[tuple[Kind, float]] = (("framework", 5.0), ("framework, fast", 5.0), ("raw ASGI", 0.75))
"""Each peer, and how many times as many events a second ours has to give."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked for in one measurement.

    Args:
        streams: How many at once.
        count: Pieces of text in each.
        repeat: How often in one measurement, which makes it long enough for the clock.
    """

    streams: int
    count: int
    repeat: int

    def __str__(self) -> str:
        return f"{self.streams} stream{'s' if self.streams > 1 else ''} of {self.count}"


LOADS = (Load(1, 2000, 10), Load(50, 500, 2))


@dataclass(frozen=True, slots=True)
class Sample:
    """CPU and wall time per event, in microseconds."""

    cpu: float
    wall: float


@dataclass(frozen=True, slots=True)
class Result:
    """Ours against one peer: how many times the events a second, and microseconds of CPU and wall time per event."""

    ratio: Spread
    ours: Spread
    theirs: Spread
    wall_ours: Spread
    wall_theirs: Spread


def measure(server: Server, load: Load) -> Sample:
    """CPU and wall time per event that reached the client, over one load."""
    events = 0
    cpu, wall = server.cpu, time.perf_counter()
    for _ in range(load.repeat):
        events += sum(answer.events for answer in ask_all(server.port, load.streams, load.count))
    wall, cpu = time.perf_counter() - wall, server.cpu - cpu
    return Sample(cpu / events * 1e6, wall / events * 1e6)


def compare(ours: Server, theirs: Server, load: Load, rounds: int) -> Result:
    """ABBA rounds of one load on two servers that run already."""
    taken = abba(rounds, lambda: measure(ours, load), lambda: measure(theirs, load))
    pairs = [(sum(s.cpu for s in mine), sum(s.cpu for s in other)) for mine, other in taken]
    return Result(
        ratio=spread([other / mine for mine, other in pairs]),
        ours=spread([s.cpu for mine, _ in taken for s in mine]),
        theirs=spread([s.cpu for _, other in taken for s in other]),
        wall_ours=spread([s.wall for mine, _ in taken for s in mine]),
        wall_theirs=spread([s.wall for _, other in taken for s in other]),
    )


def run(rounds: int, loads: Sequence[Load], peers: Sequence[tuple[Kind, float]]) -> list[Sequence[object]]:
    """Measure everything; return the rows of the table."""
    rows: list[Sequence[object]] = []
    with ExitStack() as stack:
        ours = stack.enter_context(start("ours"))
        for kind, least in peers:
            with start(kind) as theirs:
                for load in loads:
                    for server in (ours, theirs):
                        measure(server, Load(load.streams, load.count, 1))
                    result = compare(ours, theirs, load, rounds)
                    rows.append(_row(kind, load, result, least))
        ours.terminate()
        ours.wait()
        if ours.hook_entries() == 0:
            raise RuntimeError("The hook saw nothing: the measurement is not of what it claims")
    return rows


def _row(kind: Kind, load: Load, result: Result, least: float) -> Sequence[object]:
    verdict = "ok" if result.ratio.middle >= least else "MISSED"
    return (
        kind,
        load,
        result.ratio,
        f">= {least:g}",
        verdict,
        f"{result.ours.middle:.1f}",
        f"{result.theirs.middle:.1f}",
        f"{result.wall_ours.middle:.1f}",
        f"{result.wall_theirs.middle:.1f}",
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__, "Fewer rounds: a look, not a result.")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--peer", action="append", choices=[kind for kind, _ in PEERS])
    chosen = parser.parse_args(arguments)
    client_core()
    peers: list[tuple[Kind, float]] = [(kind, least) for kind, least in PEERS if not chosen.peer or kind in chosen.peer]
    head = ("against", "load", "times the events/s", "target", "", "CPU µs ours", "theirs", "wall µs ours", "theirs")
    show("Events: server CPU per event", head, run(3 if chosen.quick else chosen.rounds, LOADS, peers))


if __name__ == "__main__":
    main()
