"""Events through ``dev``, which records them, against ``serve``, which keeps them in memory."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from bench.client import ask
from bench.client import run as run_client
from bench.dev_server import Developed, launch
from bench.dev_tools import OURS
from bench.events import LOADS, Load
from bench.ratio import Spread, abba, spread
from bench.reference import ROOT
from bench.servers import Server, start
from bench.table import show

__all__ = ["AGENT", "PACE", "Sample", "flow", "question", "run"]

AGENT: Final = (ROOT / "bench" / "programs" / "paced.py").read_text()
PACE: Final = 10_000
_LEAST: Final = 0.5
_MOST: Final = 1.5
_STREAMS: Final = 50
_SECONDS: Final = 4
_STEPS: Final = (1, 10)
"""Pieces that come together: as they do from a model in small answers, and in large ones."""
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


def question(count: int, rate: float, step: int = 1) -> bytes:
    """The body of a question to the paced agent."""
    prompt = json.dumps({"count": count, "rate": rate, "step": step})
    return json.dumps({"query": {"id": "01JS4F4Z5V0000000000000001", "prompt": prompt}}).encode()


def flow(server: Answering, streams: int, count: int, *, rate: float = 0.0, step: int = 1, repeat: int = 1) -> Sample:
    """Ask so many streams at once. CPU time counts to the last line written to disk, a moment after the last answer.

    Raises:
        RuntimeError: an answer is not complete.
    """
    events, wall, cpu = 0, 0.0, server.cpu
    for _ in range(repeat):
        began = time.perf_counter()
        answers = run_client(ask(server.port, [question(count, rate, step)] * streams))
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


_Taken: TypeAlias = list[tuple[tuple[Sample, Sample], tuple[Sample, Sample]]]


def _wall(sample: Sample) -> float:
    return sample.wall


def _cpu(sample: Sample) -> float:
    return sample.cpu


def _flood(dev: Developed, serve: Server, load: Load, rounds: int) -> list[Sequence[object]]:
    def measure(server: Answering) -> Sample:
        return flow(server, load.streams, load.count, repeat=load.repeat)

    taken = abba(rounds, lambda: measure(dev), lambda: measure(serve))
    speed, ours, theirs = _times_as_many(taken, _wall)
    verdict = "ok" if speed.middle >= _LEAST else "MISSED"
    work, ours_work, theirs_work = _times_as_many(taken, _cpu)
    return [
        (load, "events/s", speed, f">= {_LEAST:g}", verdict, ours, theirs),
        ("", "events a CPU second", work, "", "", ours_work, theirs_work),
    ]


def _times_as_many(taken: _Taken, value: Callable[[Sample], float]) -> tuple[Spread, str, str]:
    """How many times the events of `serve` for the same of a value, and how many both give for one of it."""
    ratio = spread([sum(map(value, theirs)) / sum(map(value, ours)) for ours, theirs in taken])
    ours = spread([one.events / value(one) for pair, _ in taken for one in pair])
    theirs = spread([one.events / value(one) for _, pair in taken for one in pair])
    return ratio, f"{ours.middle:,.0f}", f"{theirs.middle:,.0f}"


def _paced(dev: Developed, serve: Server, step: int, rounds: int, seconds: int) -> Sequence[object]:
    rate = PACE / _STREAMS

    def measure(server: Answering) -> Sample:
        return flow(server, _STREAMS, int(rate * seconds), rate=rate, step=step)

    taken = abba(rounds, lambda: measure(dev), lambda: measure(serve))
    ratio = spread([sum(map(_cpu, ours)) / sum(map(_cpu, theirs)) for ours, theirs in taken])
    slowest = max(one.wall for pair in taken for side in pair for one in side)
    # What is behind is sent many at a time, which costs less: then it is no longer the pace that is compared.
    kept = slowest < seconds * 1.05 + 0.2
    verdict = "ok" if ratio.middle <= _MOST else "MISSED"
    return (
        f"{PACE:,} a second, {step} at a time",
        "CPU",
        ratio,
        f"<= {_MOST:g}",
        verdict if kept else f"{verdict}, pace not kept ({slowest:.1f} s for {seconds})",
        f"{spread([one.cpu / one.wall for ours, _ in taken for one in ours]).middle:.0%}",
        f"{spread([one.cpu / one.wall for _, theirs in taken for one in theirs]).middle:.0%}",
    )


def run(rounds: int, *, quick: bool) -> None:
    """Print the table."""
    rows: list[Sequence[object]] = []
    with launch(OURS, files={"agent.py": AGENT}, wait=False) as dev:
        dev.await_told("ready")
        with start("ours", agent="paced.py") as serve:
            whole = _is_recorded(dev)
            for load in LOADS:
                rows += _flood(dev, serve, Load(load.streams, load.count, 1) if quick else load, rounds)
            rows += [_paced(dev, serve, step, rounds, 2 if quick else _SECONDS) for step in _STEPS]
        whole = whole and not [event for event in dev.events() if event["event"] == "notice"]
    head = ("load", "", "dev / serve", "target", "", "dev", "serve")
    show("Events: `dev`, which records, and `serve`, in memory", head, rows)
    print(f"  every entry is recorded: {'ok' if whole else 'MISSED'}")
