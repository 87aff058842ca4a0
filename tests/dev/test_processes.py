"""Children, their lines, and a hub's own end: without a command around them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from sentient_cli.dev.assignment import Assignment
from sentient_cli.dev.hub import Hub
from sentient_cli.dev.launch import Launched
from sentient_cli.dev.lines import Lines
from sentient_cli.dev.processes.order import Order
from sentient_cli.dev.processes.reaper import Reaper
from sentient_cli.dev.report import Broken, DevEvent


def _started(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-S", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _wait_for_a_zombie(pid: int) -> None:
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


async def test_whoever_runs_a_program_learns_what_it_ended_with() -> None:
    reaper = Reaper()
    with _started("raise SystemExit(3)") as theirs, _started("raise SystemExit(4)") as ours:
        _wait_for_a_zombie(theirs.pid)
        assert await reaper.watch(ours.pid).ended == 4
        await asyncio.to_thread(theirs.wait)
        assert theirs.returncode == 3
        ours.returncode = 4
    reaper.close()


async def test_nothing_is_sent_to_a_number_that_may_be_anothers(monkeypatch: pytest.MonkeyPatch) -> None:
    reaper = Reaper()
    with _started("input()") as process:
        child = reaper.watch(process.pid)
        child.kill()
        assert await child.ended == -signal.SIGKILL
        process.returncode = -9
        await reaper.settle(10)
        sent: list[int] = []

        def note(pid: int, number: int) -> None:
            sent.append(pid * number)

        monkeypatch.setattr(os, "kill", note)
        monkeypatch.setattr(os, "killpg", note)
        child.kill()
        assert (child.gone, sent) == (True, [])
    reaper.close()


async def test_a_flood_of_lines_lets_others_have_their_turn() -> None:
    source, sink = os.pipe()
    os.set_blocking(source, False)
    os.set_blocking(sink, False)
    turns: list[int] = [0]
    told: asyncio.Queue[str] = asyncio.Queue()
    seen: list[str] = []

    def turn() -> None:
        turns.append(0)
        asyncio.get_running_loop().call_soon(turn)

    def take(line: str) -> None:
        turns[-1] += 1
        told.put_nowait(line)

    async def see_until(text: str) -> None:
        while not seen or text not in seen[-1]:
            seen.append(await told.get())

    lines = Lines(source, take)
    lines.start()
    turn()
    written = os.write(sink, b"\n" * 65_536)
    await see_until("left out")
    os.write(sink, b"one more\nand the last")
    os.close(sink)
    await see_until("and the last")
    assert max(turns) <= 201
    assert seen[-2] == "one more"
    counted = sum(int(line.split()[0]) for line in seen if "left out" in line)
    assert len([line for line in seen if not line]) + counted == written


class _Silent:
    """A launcher that never comes to an end; records; and a server."""

    def __init__(self, error: Exception | None = None) -> None:
        self.done: list[str] = []
        self.error = error
        self.launching = asyncio.Event()

    async def launch(self, order: Order) -> Launched:
        assert order.generation == 1
        if self.error is not None:
            raise self.error
        try:
            self.launching.set()
            await asyncio.Event().wait()
            raise AssertionError
        finally:
            self.done.append("launch")

    async def renew(self, names: Iterable[str] = ()) -> None:
        raise AssertionError(names)

    async def aclose(self) -> None:
        self.done.append("aclose")

    def adopt(self, connection: socket.socket) -> None:
        connection.close()

    async def take(self, kind: int, payload: bytes) -> None:
        raise AssertionError(kind, payload)

    def abandon(self, runs: Iterable[object], ended: Iterable[object] = ()) -> None:
        assert not list(runs)

    def changed(self) -> None:
        """Nobody looks."""


class _Told:
    def __init__(self) -> None:
        self.broken = asyncio.Event()

    def report(self, event: DevEvent) -> None:
        if isinstance(event, Broken):
            self.broken.set()


def _hub(listener: socket.socket, folder: Path, parts: _Silent, told: _Told) -> Hub:
    assignment = Assignment("http://x", "http://x/#token=x", None, folder, folder)
    return Hub(assignment, listener, parts, reporter=told, server=parts, records=parts)


async def test_what_launches_is_cancelled_before_its_launcher_is_closed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        parts = _Silent()
        hub = _hub(listener, tmp_path, parts, _Told())
        await hub.start()
        await parts.launching.wait()
        await hub.stop()
    assert parts.done == ["launch", "aclose"]


async def test_an_unforeseen_failure_to_launch_is_told_like_any_other(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        told = _Told()
        hub = _hub(listener, tmp_path, _Silent(OSError(24, "Too many open files")), told)
        await hub.start()
        await told.broken.wait()
        await hub.stop()
    assert hub.problem is not None
    assert "Too many open files" in hub.problem.why
    assert (hub.generations.loading, hub.generations.broken) == (None, 1)
