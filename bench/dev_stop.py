"""Ctrl-C under ``dev`` with streams open: how long until it has ended, and does each stream have its end?"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.client import Call, connect
from bench.client import run as run_client
from bench.dev_flow import AGENT, question
from bench.dev_server import Developed, launch
from bench.dev_tools import OURS
from bench.process import runs, tree
from bench.ratio import percentile
from bench.table import show

__all__ = ["SCENES", "Scene", "run", "stop_once"]

_STREAMS: Final = 20
_MOST: Final = 1.0
_PATIENCE: Final = 15.0
_KINDS: Final = ("without a last event", "cut off", "not ended", "exit code not 0", "processes left")


@dataclass(frozen=True, slots=True)
class Scene:
    """What the streams are doing when the key is pressed.

    Args:
        name: For people.
        rate: Pieces of text a second in each; 0: as many as go through.
        saved: Whether the code was saved halfway, so that half of them are another generation's.
    """

    name: str
    rate: float
    saved: bool


SCENES: Final = (
    Scene("ten pieces a second", 10.0, saved=False),
    Scene("the same, of two generations", 10.0, saved=True),
    Scene("flood", 0.0, saved=False),
)


@dataclass(frozen=True, slots=True)
class Stopped:
    """What came of one Ctrl-C: seconds to the exit, and how many violations of each kind."""

    seconds: float
    found: Counter[str]


async def _open(server: Developed, scene: Scene, count: int) -> list[Call]:
    calls = await connect(server.port, [question(10_000_000, scene.rate)] * count)
    for call in calls:
        call.send()
    await asyncio.wait([call.began for call in calls])
    if dead := [call for call in calls if call.answer().first is None]:
        raise RuntimeError(f"{len(dead)} streams did not begin: {dead[0].answer()}\n{server.tail()}")
    return calls


async def _stop_under(server: Developed, scene: Scene, wait: float) -> Stopped:
    calls = await _open(server, scene, _STREAMS // 2 if scene.saved else _STREAMS)
    if scene.saved:
        server.source.write_text(AGENT + "# saved\n")
        await asyncio.to_thread(server.await_told, "reloaded")
        calls += await _open(server, scene, _STREAMS // 2)
    await asyncio.sleep(wait)
    below = tree(server.process.pid)
    began = time.perf_counter()
    server.interrupt()
    code = await asyncio.to_thread(_end, server)
    seconds = time.perf_counter() - began
    await asyncio.wait([call.ended for call in calls], timeout=1.0)
    answers = [call.answer() for call in calls]
    values = (
        sum(not answer.done for answer in answers),
        sum(answer.whole is None for answer in answers),
        int(code is None),
        int(code not in {0, None}),
        _left(below),
    )
    return Stopped(seconds, Counter(dict(zip(_KINDS, values, strict=True))))


def _left(pids: Sequence[int]) -> int:
    """How many of these processes are there still."""
    return sum(runs(pid) for pid in pids)


def _end(server: Developed) -> int | None:
    # Not with a timeout: `wait` then looks less and less often, and what is measured is a fraction of a second.
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        code = server.process.poll()
        if code is not None:
            return code
        time.sleep(0.001)
    return None


def stop_once(scene: Scene, wait: float) -> Stopped:
    """One ``dev``, 20 streams, one Ctrl-C.

    Args:
        scene: What the streams do.
        wait: Seconds from the first event of the last stream to the key.
    """
    with launch(OURS, files={"agent.py": AGENT}, wait=False) as server:
        server.await_told("ready")
        stopped = run_client(_stop_under(server, scene, wait))
        if any(stopped.found.values()):
            sys.stderr.write(f"{scene.name}: {dict(stopped.found)}\n{server.tail()}\n")
    return stopped


def run(rounds: int) -> None:
    """Print the table: so many keys in each scene."""
    chance = random.Random(20)
    rows: list[Sequence[object]] = []
    for scene in SCENES:
        stops = [stop_once(scene, chance.uniform(0, 0.15)) for _ in range(rounds)]
        times = [stop.seconds for stop in stops]
        found = sum((stop.found for stop in stops), Counter[str]())
        good = max(times) < _MOST and not any(found.values())
        rows.append(
            (
                scene.name,
                f"{percentile(times, 0.5) * 1e3:.0f}",
                f"{max(times) * 1e3:.0f}",
                f"< {_MOST * 1e3:.0f}, 0",
                "ok" if good else "MISSED",
                *(found[kind] for kind in _KINDS),
            )
        )
    head = ("streams", "ms to exit: p50", "longest", "target", "", *_KINDS)
    show(f"Ctrl-C under {_STREAMS} streams, {rounds} times each", head, rows)
