"""Events through ``dev``, which records them, against ``serve``, which keeps them in memory."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from bench.client import ask
from bench.client import run as run_client
from bench.dev_server import Developed, launch
from bench.dev_tools import OURS
from bench.events import LOADS
from bench.ratio import abba, spread
from bench.reference import ROOT
from bench.servers import Server, start
from bench.table import show

__all__ = ["PACE", "Sample", "flow", "question", "run"]

AGENT: Final = (ROOT / "bench" / "programs" / "paced.py").read_text()
PACE: Final = 10_000
_LEAST: Final = 0.5
_MOST: Final = 1.5
_STREAMS: Final = 50
_SECONDS: Final = 4
_SETTLED: Final = 0.4


class Answering(Protocol):
    """What is measured: it has a port, and uses CPU time."""

    @property
    def port(self) -> int: ...
    @property
    def cpu(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Sample:
    """Events that reached the client, and seconds of wall and CPU time that they took."""

    events: int
    wall: float
    cpu: float


def question(count: int, rate: float) -> bytes:
    """The body of a question to the paced agent."""
    prompt = json.dumps({"count": count, "rate": rate})
    return json.dumps({"query": {"id": "01JS4F4Z5V0000000000000001", "prompt": prompt}}).encode()


def flow(server: Answering, streams: int, count: int, *, rate: float = 0.0, repeat: int = 1) -> Sample:
    """Ask so many streams at once. CPU time counts to the last line written to disk, a moment after the last answer.

    Raises:
        RuntimeError: an answer is not complete.
    """
    events, wall, cpu = 0, 0.0, server.cpu
    for _ in range(repeat):
        began = time.perf_counter()
        answers = run_client(ask(server.port, [question(count, rate)] * streams))
        wall += time.perf_counter() - began
        bad = [answer for answer in answers if not answer.complete or answer.events != count + 2]
        if bad:
            raise RuntimeError(f"{len(bad)} of {streams} answers were not complete, such as {bad[0]}")
        events += sum(answer.events for answer in answers)
    return Sample(events, wall, _settled(server) - cpu)


def _settled(server: Answering) -> float:
    used = server.cpu
    while True:
        time.sleep(_SETTLED)
        before, used = used, server.cpu
        if used - before < 0.01:
            return before


def _is_recorded(dev: Developed) -> bool:
    """Whether each entry of some more runs is in the recordings."""
    before = _entries(dev)
    flow(dev, _STREAMS, 500)
    # Beside the pieces: the beginning of a run, what closes the stream, and the end.
    return _entries(dev) - before == _STREAMS * (500 + 3)


def _entries(dev: Developed) -> int:
    return sum(path.read_bytes().count(b'\n{"seq":') for path in dev.project.parent.rglob("*-*.jsonl"))


def _flood(dev: Developed, serve: Server, streams: int, count: int, repeat: int, rounds: int) -> list[Sequence[object]]:
    taken = abba(
        rounds,
        lambda: flow(dev, streams, count, repeat=repeat),
        lambda: flow(serve, streams, count, repeat=repeat),
    )
    load = f"{streams} stream{'s' if streams > 1 else ''} of {count}"
    rows: list[Sequence[object]] = []
    for what, value in (("events/s", lambda one: one.wall), ("events per CPU second", lambda one: one.cpu)):
        ratio = spread([sum(map(value, theirs)) / sum(map(value, ours)) for ours, theirs in taken])
        counted = what == "events/s"
        rows.append(
            (
                load,
                what,
                ratio,
                f">= {_LEAST:g}" if counted else "",
                ("ok" if ratio.middle >= _LEAST else "MISSED") if counted else "",
                f"{spread([one.events / value(one) for ours, _ in taken for one in ours]).middle:,.0f}",
                f"{spread([one.events / value(one) for _, theirs in taken for one in theirs]).middle:,.0f}",
            )
        )
    return rows


def _paced(dev: Developed, serve: Server, rounds: int, seconds: int) -> Sequence[object]:
    rate = PACE / _STREAMS

    def measure(server: Answering) -> Sample:
        return flow(server, _STREAMS, int(rate * seconds), rate=rate)

    taken = abba(rounds, lambda: measure(dev), lambda: measure(serve))
    ratio = spread([sum(one.cpu for one in ours) / sum(one.cpu for one in theirs) for ours, theirs in taken])
    slowest = max(one.wall for pair in taken for side in pair for one in side)
    # The last piece is due a step before the end. A server that cannot keep up is not at the pace that is compared.
    kept = slowest < seconds * 1.05 + 0.2
    return (
        f"{PACE:,} events/s",
        "CPU",
        ratio,
        f"<= {_MOST:g}",
        "ok" if ratio.middle <= _MOST and kept else "MISSED" if kept else f"pace not kept: {slowest:.1f} s",
        f"{spread([one.cpu / one.wall for ours, _ in taken for one in ours]).middle:.0%}",
        f"{spread([one.cpu / one.wall for _, theirs in taken for one in theirs]).middle:.0%}",
    )


def run(rounds: int, *, quick: bool) -> None:
    """Print the table."""
    rows: list[Sequence[object]] = []
    with launch(OURS, files={"agent.py": AGENT}, wait=False) as dev:
        dev.await_answer()
        with start("ours", agent="paced.py") as serve:
            whole = _is_recorded(dev)
            for load in LOADS:
                repeat = 1 if quick else load.repeat
                rows += _flood(dev, serve, load.streams, load.count, repeat, rounds)
            rows.append(_paced(dev, serve, rounds, 2 if quick else _SECONDS))
        whole = whole and not [event for event in dev.events() if event["event"] == "notice"]
    head = ("load", "", "dev / serve", "target", "", "dev", "serve")
    show("Events: `dev`, which records, and `serve`, in memory", head, rows)
    print(f"  every entry is recorded: {'ok' if whole else 'MISSED'}")
