"""A worker that is killed in the middle of its streams: what the hub has shown of them is recorded."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from pathlib import Path

import httpx
import pytest

from tests.dev.developing import Developing, Stream, developing, wait_until
from tests.support.wire import PATIENCE

_AGENT = """
import asyncio

from sentient_cli import Query, Response, Session, agent


@agent
async def counts(session: Session, query: Query, response: Response) -> None:
    async with response.stream("ANSWER") as stream:
        for number in range(1_000_000):
            await stream.write(f"{number} ")
            if number % 10 == 0:
                await asyncio.sleep(0.001)
"""
_STREAMS = 4
_ENOUGH = 300


class _Shown:
    """What the feed over all runs shows: the last seq of each."""

    def __init__(self, url: str, token: str) -> None:
        self.last: dict[str, int] = {}
        self._thread = threading.Thread(target=self._read, args=(url, token), daemon=True)
        self._thread.start()

    def _read(self, url: str, token: str) -> None:
        headers = {"authorization": f"Bearer {token}"}
        with httpx.stream("GET", f"{url}/_sentient/entries", headers=headers, timeout=PATIENCE) as answer:
            for line in answer.iter_lines():
                if line.startswith('data: {"run"'):
                    entry = json.loads(line[6:])
                    assert entry["seq"] == self.last.get(entry["run"], 0) + 1, "nothing is left out"
                    self.last[entry["run"]] = entry["seq"]


def _is_enough(shown: _Shown) -> bool:
    return len(shown.last) == _STREAMS and min(shown.last.values()) > _ENOUGH


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_what_was_shown_of_a_killed_workers_streams_is_recorded(tmp_path: Path) -> None:
    with developing(tmp_path / "project", agent=_AGENT) as dev:
        shown = _Shown(dev.url, dev.token)
        streams = [Stream(dev.url, "") for _ in range(_STREAMS)]
        wait_until(lambda: _is_enough(shown), "much of it is shown")
        (worker,) = dev.workers()
        before = dict(shown.last)
        os.kill(worker, signal.SIGKILL)
        dev.wait("worker-died")
        for stream in streams:
            stream.finish()
        for run, last in before.items():
            _await_interrupted(dev, run)
            assert dev.get(f"/runs/{run}").json()["last_seq"] >= last


def _await_interrupted(dev: Developing, run: str) -> None:
    wait_until(lambda: dev.get(f"/runs/{run}").json().get("status") == "interrupted", "it is recorded")


_ENDS_AND_DIES = """
import asyncio, os, signal

from sentient_cli import Query, Response, Session, agent
from sentient_cli.runtime.run import current_run


@agent
async def ends(session: Session, query: Query, response: Response) -> None:
    await response.text_block("ANSWER", "the last words")
    await asyncio.sleep(0.1)  # what has begun is told
    run = current_run.get()

    async def die() -> None:
        while not run.log.finished:
            await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGKILL)

    ends.dying = asyncio.ensure_future(die())
"""


@pytest.mark.story("20.5")
def test_a_run_whose_worker_dies_right_after_its_end_does_not_go_on_for_ever(tmp_path: Path) -> None:
    with developing(tmp_path / "project", agent=_ENDS_AND_DIES) as dev:
        with contextlib.suppress(httpx.HTTPError):
            dev.ask()
        dev.wait("worker-died")

        def outcomes() -> list[object]:
            return [run["outcome"] for run in dev.get("/_sentient/runs", token=True).json()]

        wait_until(lambda: outcomes() in (["lost"], ["done"]), "its end is known, or that there is none")
