"""Many streams at once, each with an event a second: errors, and memory. ``python -m bench.streams [--quick]``."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.arguments import parser_of
from bench.client import Answer, Call, ask_all, connect, request_body, run
from bench.process import memory_bytes
from bench.servers import Server, client_core, start
from bench.table import show

__all__ = ["Held", "hold", "main"]

_MOST = 40 * 1024


@dataclass(frozen=True, slots=True)
class Held:
    """What came of holding many streams open.

    Args:
        answers: Of the streams.
        memory: Resident bytes of the server: before, with the connections open, at the first events, at the end.
        cpu: Seconds of CPU of the server.
        seconds: How long it took.
    """

    answers: Sequence[Answer]
    memory: tuple[int, int, int, int]
    cpu: float
    seconds: float

    @property
    def errors(self) -> int:
        """Streams that did not end well."""
        return sum(not answer.complete for answer in self.answers)

    def a_stream(self, step: int) -> float:
        """Bytes a stream, at a step, more than before."""
        return (self.memory[step] - self.memory[0]) / len(self.answers)


def _memory(server: Server) -> int:
    return memory_bytes(server.process.pid)["Rss"]


async def _ask(server: Server, calls: Sequence[Call]) -> int:
    """Ask on all connections, spread over a second as real users are; return the memory once all have begun."""
    for place, call in enumerate(calls):
        call.send()
        if place % 20 == 19:
            await asyncio.sleep(20 / len(calls))
    await asyncio.wait([call.began for call in calls])
    return _memory(server)


async def _hold(server: Server, streams: int, seconds: int) -> Held:
    before = _memory(server)
    began, cpu = time.perf_counter(), server.cpu
    calls = await connect(server.port, [request_body(seconds, 1.0)] * streams)
    await asyncio.sleep(1.0)  # the kernel has accepted them; now let the server
    connected = _memory(server)
    first = await _ask(server, calls)
    left = len(calls) // 2
    peak = first
    while sum(not call.ended.done() for call in calls) > left and time.perf_counter() < began + seconds + 60:
        peak = max(peak, _memory(server))
        await asyncio.sleep(0.5)
    await asyncio.wait([call.ended for call in calls], timeout=30)
    took = time.perf_counter() - began
    return Held([call.answer() for call in calls], (before, connected, first, peak), server.cpu - cpu, took)


def hold(server: Server, streams: int, seconds: int) -> Held:
    """Hold so many streams open, each with an event a second for so long."""
    ask_all(server.port, 5, 20)
    return run(_hold(server, streams, seconds))


def allow_files() -> None:
    """Let this process, and so the server, have as many open files as the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__, "10 seconds: a look, not a result.")
    parser.add_argument("--streams", type=int, default=2000)
    parser.add_argument("--seconds", type=int, default=60)
    chosen = parser.parse_args(arguments)
    allow_files()
    client_core()
    with start("ours") as server:
        held = hold(server, chosen.streams, 10 if chosen.quick else chosen.seconds)
    bytes_each = held.a_stream(3)
    rows = [
        ("errors", held.errors, "0", "ok" if not held.errors else "MISSED"),
        ("KB a stream, at most", f"{bytes_each / 1024:.1f}", "<= 40", "ok" if bytes_each <= _MOST else "MISSED"),
        ("  of it: connection alone", f"{held.a_stream(1) / 1024:.1f}", "", ""),
        ("  of it: run begun", f"{(held.a_stream(2) - held.a_stream(1)) / 1024:.1f}", "", ""),
        ("  of it: what is kept of its log", f"{(held.a_stream(3) - held.a_stream(2)) / 1024:.1f}", "", ""),
        ("server before, MB", f"{held.memory[0] / 2**20:.1f}", "", ""),
        ("events", sum(answer.events for answer in held.answers), "", ""),
        ("CPU of one core", f"{held.cpu / held.seconds:.0%}", "", ""),
        ("slowest stream, s", f"{max(answer.whole or 0 for answer in held.answers):.1f}", "", ""),
    ]
    show(f"Streams: {len(held.answers)} at once, one event a second each", ("", "ours", "target", ""), rows)


if __name__ == "__main__":
    main()
