"""Saves of every kind under ``dev``, with streams open and requests arriving all the time."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.client import run as run_client
from bench.dev_flow import AGENT, PACE, flow
from bench.dev_server import Developed, launch
from bench.dev_tools import OURS
from bench.dev_traffic import Traffic
from bench.process import memory_bytes, runs, tree
from bench.ratio import percentile, spread
from bench.table import show

__all__ = ["Soak", "State", "run", "soak"]

STREAMS: Final = 20
REQUESTS: Final = 20.0
_RATE: Final = 10.0
_BURST: Final = 5
_BURST_STEP: Final = 0.004
_LIVE_WITHIN: Final = 20.0
_LOOK_EVERY: Final = 0.01
_FILL: Final = 110_000
"""More entries than the hub holds for those who inspect it: so that only what is never given back still grows.

They come at a pace, as those of the soak do: entries that come together take less room."""


@dataclass(frozen=True, slots=True)
class State:
    """What is there at a moment: processes, MB and descriptors, of the hub and of all."""

    processes: int
    zombies: int
    memory: float
    hub_memory: float
    descriptors: int
    hub_descriptors: int

    @classmethod
    def of(cls, pid: int) -> State:
        """Of a process and all that it started."""
        all_ = tree(pid)
        alive = [one for one in all_ if runs(one)]
        return cls(
            len(alive),
            len(all_) - len(alive),
            sum(_memory(one, "Pss") for one in alive),
            _memory(pid, "Rss"),
            sum(map(_descriptors, alive)),
            _descriptors(pid),
        )


def _memory(pid: int, kind: str) -> float:
    with contextlib.suppress(OSError, KeyError):
        return memory_bytes(pid)[kind] / 2**20
    return 0.0


def _descriptors(pid: int) -> int:
    with contextlib.suppress(OSError):
        return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    return 0


@dataclass(slots=True)
class Soak:
    """One long look.

    Args:
        server: It.
        traffic: Its clients.
        interval: Seconds from one save to the next, at least.
    """

    server: Developed
    traffic: Traffic
    interval: float
    states: list[State] = field(default_factory=list[State])
    times: list[float] = field(default_factory=list[float])
    missed: list[str] = field(default_factory=list[str])
    _version: int = 0
    _broken: bool = False

    async def begin(self) -> None:
        """Save for the first time."""
        await self._plain()
        await self._see("first")

    async def save(self, saves: int) -> None:
        """Save so often, each kind in its turn."""
        kinds = itertools.cycle((self._plain, self._rename, self._burst, self._break, self._plain))
        for kind in itertools.islice(kinds, saves):
            began = time.perf_counter()
            await kind()
            await self._see(kind.__name__.strip("_"))
            self.times.append(time.perf_counter() - began)
            await asyncio.sleep(max(0.0, self.interval - (time.perf_counter() - began)))
            self.states.append(State.of(self.server.process.pid))

    def _next(self) -> str:
        # Always of one length, often within a second: bytecode files must not be trusted.
        self._version += 1
        self._broken = False
        return AGENT.replace('VERSION = "000000"', f'VERSION = "{self._version:06d}"')

    async def _plain(self) -> None:
        self.server.source.write_text(self._next())

    async def _rename(self) -> None:
        new = self.server.project.parent / "new"
        new.write_text(self._next())
        new.replace(self.server.source)

    async def _burst(self) -> None:
        for _ in range(_BURST):
            self.server.source.write_text(self._next())
            (self.server.project / "other.py").write_text(f"NUMBER = {self._version}\n")
            await asyncio.sleep(_BURST_STEP)

    async def _break(self) -> None:
        before = self._version
        self.server.source.write_text(self._next() + "\nx = (\n")
        self._version = before
        self._broken = True

    async def _see(self, kind: str) -> None:
        """Wait until the save shows: a new version answers, or the answers say that the newest is broken."""
        deadline = time.perf_counter() + _LIVE_WITHIN
        while time.perf_counter() < deadline:
            reply = await self.traffic.version()
            if reply.version == self._version and bool(reply.reload_error) == self._broken:
                self.traffic.live = self._version
                return
            await asyncio.sleep(_LOOK_EVERY)
        self.missed.append(f"{kind} of version {self._version}")


async def _run(server: Developed, saves: int, interval: float, seconds: float) -> Soak:
    traffic = Traffic(server.port, STREAMS, _RATE, round(seconds * _RATE), REQUESTS)
    soak = Soak(server, traffic, interval)
    await soak.begin()
    await traffic.run(soak.save(saves))
    return soak


def soak(saves: int, interval: float, seconds: float) -> tuple[Soak, int]:
    """Run it; return what came of it, and the exit code.

    Args:
        saves: How many.
        interval: Seconds from one to the next, at least.
        seconds: How long each stream is.
    """
    with launch(OURS, files={"agent.py": AGENT, "other.py": "NUMBER = 0\n"}, wait=False) as server:
        server.await_told("ready")
        flow(server, 50, _FILL // 50, rate=PACE / 50)
        found = run_client(_run(server, saves, interval, seconds))
        notices = [str(event) for event in server.events() if event["event"] in {"notice", "worker-died"}]
        for line in (*found.missed, *found.traffic.bad, *notices[:20]):
            sys.stderr.write(f"{line}\n")
        server.interrupt()
        return found, server.process.wait(30)


def _flat(
    name: str, states: Sequence[State], value: Callable[[State], float], share: float, slack: float
) -> Sequence[object]:
    part = min(50, len(states) // 2)
    first, last = (spread([value(state) for state in some]) for some in (states[:part], states[-part:]))
    most = first.middle * (1 + share) + slack
    verdict = "ok" if last.middle <= most else "MISSED"
    return name, f"{first.middle:.1f}", f"{last.middle:.1f}", f"<= {most:.1f}", verdict


def run(saves: int, interval: float, seconds: float) -> None:
    """Print the tables."""
    found, code = soak(saves, interval, seconds)
    traffic = found.traffic
    good = {"whole": "ok"}
    rows: list[Sequence[object]] = [
        *(("streams", kind, count, good.get(kind, "MISSED")) for kind, count in traffic.ended.items()),
        *(("requests", kind, count, good.get(kind, "MISSED")) for kind, count in traffic.answered.items()),
        ("saves", f"not seen within {_LIVE_WITHIN:g} s", len(found.missed), "MISSED" if found.missed else "ok"),
        ("exit code", "", code, "MISSED" if code else "ok"),
        ("request, ms", "p50", f"{percentile(traffic.times, 0.5) * 1e3:.1f}", ""),
        ("", "p99", f"{percentile(traffic.times, 0.99) * 1e3:.1f}", ""),
        ("", "longest", f"{max(traffic.times) * 1e3:.1f}", ""),
        ("save seen, ms", "p50", f"{percentile(found.times, 0.5) * 1e3:.1f}", ""),
        ("", "p95", f"{percentile(found.times, 0.95) * 1e3:.1f}", ""),
    ]
    title = f"Soak: {saves} saves, {STREAMS} streams of {seconds:g} s open, {REQUESTS:g} requests a second"
    show(title, ("", "", "", ""), rows)
    states = found.states
    flat = [
        _flat("processes", states, lambda state: state.processes, 0, 1),
        _flat("ended, not waited for", states, lambda state: state.zombies, 0, 0),
        _flat("memory of all, MB", states, lambda state: state.memory, 0.1, 2),
        _flat("memory of the hub, MB", states, lambda state: state.hub_memory, 0.05, 2),
        _flat("descriptors of all", states, lambda state: state.descriptors, 0.1, 4),
        _flat("descriptors of the hub", states, lambda state: state.hub_descriptors, 0.1, 4),
    ]
    part = min(50, len(states) // 2)
    show("What it takes, at the median", ("", f"first {part} saves", f"last {part}", "target", ""), flat)
