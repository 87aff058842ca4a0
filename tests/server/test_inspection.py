"""Inspection over a socket: the token, the stream with its cursors and heartbeats, and slow followers."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn

from sentient_cli.dev.messages import EntriesHead
from sentient_cli.dev.recording.feed import Feed
from sentient_cli.host import Host
from sentient_cli.runtime.agent import FunctionAgent
from sentient_cli.runtime.request import Query
from sentient_cli.runtime.response import Response
from sentient_cli.runtime.session import Session
from sentient_cli.server.app import create_app
from sentient_cli.server.inspection import inspection_routes, make_token_file
from sentient_cli.store.entry import Entry
from sentient_cli.store.jsonl import encode_entries

TOKEN = "the-inspection-token"
AUTHORIZATION = {"Authorization": f"Bearer {TOKEN}"}
PATHS = ("/_sentient/entries", "/_sentient/state", "/_sentient/runs")


class Shown:
    """What is inspected here."""

    def __init__(self) -> None:
        self.feed = Feed(max_bytes=1 << 20)
        self.leaving = False

    def state(self) -> Mapping[str, object]:
        return {"status": "ready", "generation": 1}

    async def runs(self, limit: int) -> Sequence[Mapping[str, object]]:
        return [{"run": "a-1"}][:limit]

    def say(self, run: str, first: int, last: int, size: int = 2) -> None:
        batch = [Entry(seq, seq, "event", b'"' + b"x" * size + b'"') for seq in range(first, last + 1)]
        self.feed.push(EntriesHead(run, first, last, finished=False), encode_entries(batch, lambda digest, data: None))


async def silent(session: Session, query: Query, response: Response) -> None:
    pass


@asynccontextmanager
async def served(shown: Shown, *, heartbeat: float = 15.0) -> AsyncGenerator[str]:
    host = Host(FunctionAgent(silent), capture=False)
    routes = inspection_routes(shown, TOKEN, heartbeat=heartbeat, is_leaving=lambda: shown.leaving)
    config = uvicorn.Config(create_app(host, more_routes=routes), log_config=None, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    port: int = listener.getsockname()[1]
    serving = asyncio.create_task(server._serve([listener]))
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        shown.leaving = True
        shown.feed.wake()
        server.should_exit = True
        await serving
        await host.aclose()
        listener.close()


class Frames:
    """The frames of a stream; comments apart."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines
        self.comments = 0

    async def next(self) -> dict[str, str]:
        frame: dict[str, str] = {}
        async for line in self._lines:
            if line.startswith(":"):
                self.comments += 1
            elif line:
                name, _, value = line.partition(": ")
                frame[name] = value
            else:
                assert frame, "a blank line that ends nothing"
                return frame
        return frame

    async def until_cut(self) -> list[dict[str, str]]:
        """What comes until the stream ends without its end."""
        found: list[dict[str, str]] = []
        try:
            while frame := await self.next():
                found.append(frame)
        except httpx.RemoteProtocolError:
            return found
        raise AssertionError("it ended")

    async def comment(self) -> None:
        async for line in self._lines:
            assert line.startswith(":")
            self.comments += 1
            return


@pytest.mark.story("20.5")
async def test_the_stream_with_its_cursors() -> None:
    shown = Shown()
    shown.say("a-1", 1, 3)
    async with served(shown) as url, httpx.AsyncClient(base_url=url, headers=AUTHORIZATION) as client:
        async with client.stream("GET", "/_sentient/entries") as answer:
            assert (answer.status_code, answer.headers["connection"]) == (200, "close")
            assert answer.headers["content-type"].startswith("text/event-stream")
            frames = Frames(answer.aiter_lines())
            first = [await frames.next() for _ in range(3)]
            shown.feed.push_reload(b'{"status":"broken"}')
            reload = await frames.next()
            shown.say("b-1", 1, 1)
            last = await frames.next()
        assert [json.loads(frame["data"])["seq"] for frame in first] == [1, 2, 3]
        assert reload == {"id": reload["id"], "event": "reload", "data": '{"status":"broken"}'}
        assert json.loads(last["data"]) == {"run": "b-1", "seq": 1, "at": 1, "type": "event", "data": "xx"}
        cursor = first[1]["id"]
        for params, headers in (({"after": cursor}, {}), ({}, {"Last-Event-ID": cursor})):
            async with client.stream("GET", "/_sentient/entries", params=params, headers=headers) as answer:
                again = Frames(answer.aiter_lines())
                assert [await again.next() for _ in range(3)] == [first[2], reload, last]
        async with client.stream("GET", "/_sentient/entries", params={"after": "latest"}) as answer:
            later = Frames(answer.aiter_lines())
            await later.comment()
            shown.say("c-1", 1, 1)
            assert json.loads((await later.next())["data"])["run"] == "c-1"


async def test_state_and_runs() -> None:
    shown = Shown()
    async with served(shown) as url, httpx.AsyncClient(base_url=url, headers=AUTHORIZATION) as client:
        state = await client.get("/_sentient/state")
        assert state.json() == {"status": "ready", "generation": 1}
        assert (state.headers["cache-control"], state.headers["connection"]) == ("no-store", "close")
        assert (await client.get("/_sentient/runs")).json() == [{"run": "a-1"}]
        for path in PATHS:
            head = await client.head(path)
            assert (head.status_code, head.content, head.headers["connection"]) == (200, b"", "close")


async def test_only_with_the_token() -> None:
    shown = Shown()
    async with served(shown) as url, httpx.AsyncClient(base_url=url) as client:
        for path in PATHS:
            for given in ("", TOKEN, "Bearer", "Bearer x", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ü"):
                answer = await client.get(path, headers=[(b"authorization", given.encode("latin-1"))] if given else [])
                assert (answer.status_code, answer.json()["code"]) == (401, "token-required")
                assert answer.headers["www-authenticate"].startswith("Bearer")
                assert TOKEN not in answer.text
            assert (await client.get(path + "?token=" + TOKEN)).status_code == 401
            assert (await client.get("/_sentient/state", headers={"Authorization": f"bearer {TOKEN}"})).is_success
            foreign = {**AUTHORIZATION, "Origin": "https://example.com"}
            assert (await client.get(path, headers=foreign)).json()["code"] == "origin-not-allowed"
            assert (await client.post(path, headers=AUTHORIZATION)).status_code == 405


async def test_cursors_that_lead_nowhere() -> None:
    shown, earlier = Shown(), Shown()
    earlier.say("a-1", 1, 1)
    old = earlier.feed.read(0)[0][0].cursor
    shown.say("a-1", 1, 2)
    async with served(shown) as url, httpx.AsyncClient(base_url=url, headers=AUTHORIZATION) as client:
        for cursor in ("", "7", "x" * 5000, "0.0", "../..", "\x00"):
            answer = await client.get("/_sentient/entries", params={"after": cursor})
            assert (answer.status_code, answer.json()["code"]) == (400, "cursor")
        expired = await client.get("/_sentient/entries", params={"after": old})
        assert (expired.status_code, expired.json()["code"]) == (410, "cursor-expired")
        params = {"after": expired.json()["first_cursor"]}
        async with client.stream("GET", "/_sentient/entries", params=params) as answer:
            assert json.loads((await Frames(answer.aiter_lines()).next())["data"])["seq"] == 1


async def test_silence_has_heartbeats_without_blank_lines() -> None:
    shown = Shown()
    async with (
        served(shown, heartbeat=0.02) as url,
        httpx.AsyncClient(base_url=url, headers=AUTHORIZATION) as client,
        client.stream("GET", "/_sentient/entries") as answer,
    ):
        frames = Frames(answer.aiter_lines())
        for _ in range(4):
            await frames.comment()
        shown.say("a-1", 1, 1)
        assert json.loads((await frames.next())["data"])["seq"] == 1


async def test_a_slow_follower_is_cut_off_and_slows_nobody() -> None:
    shown = Shown()
    async with served(shown) as url, httpx.AsyncClient(base_url=url, headers=AUTHORIZATION) as client:
        async with (
            client.stream("GET", "/_sentient/entries") as slow,
            client.stream("GET", "/_sentient/entries") as quick,
        ):
            frames = Frames(quick.aiter_lines())
            behind = Frames(slow.aiter_lines())
            await behind.comment()
            received: list[dict[str, str]] = []
            for number in range(400):
                shown.say("a-1", number + 1, number + 1, 100_000)
                received = [await frames.next()]
            assert json.loads(received[0]["data"])["seq"] == 400
            late = await behind.until_cut()
        assert 0 < len(late) < 400
        answer = await client.get("/_sentient/entries", params={"after": late[-1]["id"]})
        assert answer.status_code == 410


async def test_streams_end_with_the_server() -> None:
    shown = Shown()
    async with (
        served(shown) as url,
        httpx.AsyncClient(base_url=url, headers=AUTHORIZATION) as client,
        client.stream("GET", "/_sentient/entries") as answer,
    ):
        frames = Frames(answer.aiter_lines())
        await frames.comment()
        shown.leaving = True
        shown.feed.wake()
        assert await frames.next() == {}


def test_the_token_is_its_owners_only(tmp_path: Path) -> None:
    path = tmp_path / "private" / "token"
    tokens = {make_token_file(path) for _ in range(3)}
    assert len(tokens) == 3
    assert path.read_text() in tokens
    assert all(len(token) >= 43 for token in tokens)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_a_token_file_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "token").mkdir()
    (tmp_path / "token" / "x").write_text("")
    with pytest.raises(OSError):  # noqa: PT011 - which one depends on the system
        make_token_file(tmp_path / "token")
    assert not list(tmp_path.glob(".token*"))
