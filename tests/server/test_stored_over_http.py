"""A run that only the store still has can be looked at, and cancelling it says how it ended."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from sentient_cli.clock import SystemClock
from sentient_cli.host import Host
from sentient_cli.runtime.agent import FunctionAgent
from sentient_cli.runtime.request import Query
from sentient_cli.runtime.response import Response
from sentient_cli.runtime.session import Session
from sentient_cli.server.app import create_app
from sentient_cli.store.entry import Entry
from sentient_cli.store.open import open_stores
from tests.support.served import serve
from tests.support.wire import Wire, ask, fetch_json

_DAY = 24 * 3600 * 10**9
_ENV = {"SENTIENT_SERVER_DRAIN_DELAY": "0"}


@pytest.mark.story("14.8")
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_after_a_restart(tmp_path: Path, workers: int) -> None:
    flags = ("--store", f"sqlite:{tmp_path / 'runs.db'}", "--workers", workers)
    with serve(tmp_path, *flags, env=_ENV) as server, Wire(server.address) as wire:
        answer = ask(wire, "echo hi")
        frames = list(answer.frames())
        _, before = fetch_json(server.address, f"/runs/{answer.run_id}")
    with serve(tmp_path, *flags[:2], env=_ENV) as server, Wire(server.address) as wire:
        assert fetch_json(server.address, f"/runs/{answer.run_id}") == (200, before)
        ended = {"run": answer.run_id, "status": "finished", "outcome": "done"}
        assert fetch_json(server.address, f"/runs/{answer.run_id}/cancel", "POST") == (200, ended)
        assert list(wire.request("GET", f"/runs/{answer.run_id}/events").frames()) == frames


async def test_a_run_that_was_cut_off(tmp_path: Path) -> None:
    async def silent(session: Session, query: Query, response: Response) -> None:
        pass

    stores = open_stores(f"sqlite:{tmp_path / 'runs.db'}")
    await stores.events.append("abc", [Entry(1, SystemClock().now_ns() - _DAY, "run.started", b'{"agent":"echo"}')])
    host = Host(FunctionAgent(silent), stores=stores, capture=False)
    transport = httpx.ASGITransport(create_app(host))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        found = await client.get("/runs/abc")
        cancelled = await client.post("/runs/abc/cancel")
    await host.aclose()
    assert found.json() == {
        "run": "abc",
        "agent": "echo",
        "session": None,
        "query": None,
        "status": "interrupted",
        "outcome": None,
        "first_seq": 1,
        "last_seq": 1,
    }
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "interrupted")
