"""The application within another one: where it is mounted is the client's word, and nobody starts it but requests."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import Message, Receive, Scope, Send

from sentient_cli.host import Host
from sentient_cli.runtime.agent import AgentLike, FunctionAgent
from sentient_cli.runtime.request import Query
from sentient_cli.runtime.response import Response
from sentient_cli.runtime.session import Session
from sentient_cli.server.app import create_app
from tests.support.wire import JSON_BODY, question


async def greet(session: Session, query: Query, response: Response) -> None:
    await response.text_block("ANSWER", query.prompt)


class SlowToSetUp:
    """An agent whose setup waits, and may fail the first time."""

    def __init__(self, *, fail: bool = False) -> None:
        self.go = asyncio.Event()
        self.setups = 0
        self._fail = fail

    async def setup(self) -> None:
        self.setups += 1
        await self.go.wait()
        if self._fail and self.setups == 1:
            raise RuntimeError("not yet")

    async def assist(self, session: Session, query: Query, response: Response) -> None:
        await greet(session, query, response)


class Outer:
    """Wraps an application and looks at the scope after each request, and while it is answered."""

    def __init__(self, app: Starlette) -> None:
        self._app = app
        self.seen: list[object] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def watched(message: Message) -> None:
            self.seen.append(scope.get("app"))
            await send(message)

        await self._app(scope, receive, watched)
        self.seen.append(scope.get("app"))


@asynccontextmanager
async def mounted(agent: AgentLike, path: str = "/agent") -> AsyncGenerator[tuple[httpx.AsyncClient, Host, Outer]]:
    """A client of an application in which ours is mounted."""
    host = Host(agent, capture=False)
    outer = Outer(Starlette(routes=[Mount(path, create_app(host))]))
    transport = httpx.ASGITransport(outer)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client, host, outer
    await host.aclose()


async def test_the_events_are_where_the_answer_says() -> None:
    async with mounted(FunctionAgent(greet), "/{tenant}/x") as (client, _, _):
        asked = await client.post("/caf%C3%A9%20a/x/assist", headers=JSON_BODY, content=question("hi"))
        location = asked.headers["content-location"]
        assert location == f"/caf%C3%A9%20a/x/runs/{asked.headers['sentient-run-id']}/events"
        watched = await client.get(location)
        assert watched.content == asked.content


async def test_where_it_is_mounted_gets_no_line_into_the_headers() -> None:
    async with mounted(FunctionAgent(greet), "/{tenant}") as (client, _, _):
        answer = await client.post("/a%0d%0aSet-Cookie:%20x=1/assist", headers=JSON_BODY, content=question("hi"))
    assert answer.status_code == 200
    assert all("\r" not in value and "\n" not in value for value in answer.headers.values())
    assert answer.headers["content-location"].startswith("/a%0D%0ASet-Cookie%3A%20x%3D1/runs/")


async def test_the_other_applications_scope_stays_its_own() -> None:
    async with mounted(FunctionAgent(greet)) as (client, _, outer):
        assert (await client.get("/agent/health/live")).status_code == 200
        assert (await client.get("/agent/nowhere")).json()["code"] == "not-found"
        assert (await client.put("/agent/assist")).status_code == 405
    assert {type(app) for app in outer.seen} == {Starlette}


async def test_alone_it_leaves_nothing_in_the_scope() -> None:
    host = Host(FunctionAgent(greet), capture=False)
    app = create_app(host)
    kept: list[Scope] = []

    async def keep(scope: Scope, receive: Receive, send: Send) -> None:
        kept.append(scope)
        await app(scope, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(keep), base_url="http://127.0.0.1") as client:
        assert (await client.get("/health/live")).status_code == 200
    await host.aclose()
    assert ["app" in scope for scope in kept] == [False]


@pytest.mark.parametrize("path", ["/agent/health/ready", "/agent/health/startup"])
async def test_asking_whether_it_is_ready_makes_it_ready(path: str) -> None:
    agent = SlowToSetUp()
    async with mounted(agent) as (client, host, _):
        for _ in range(3):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()) == (503, {"status": "starting"})
        agent.go.set()
        await host.start()
        answer = await client.get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        assert agent.setups == 1


async def test_a_setup_that_fails_is_told_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    agent = SlowToSetUp(fail=True)
    agent.go.set()
    async with mounted(agent) as (client, host, _):
        statuses = [(await client.get("/agent/health/ready")).status_code]
        while statuses[-1] != 200:
            await asyncio.sleep(0)  # the next turn of the loop
            statuses.append((await client.get("/agent/health/ready")).status_code)
            assert len(statuses) < 1000
        assert host.started
    assert agent.setups == 2
    told = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.getMessage() for record in told] == ["The agent 'SlowToSetUp' could not be set up"]


async def test_one_that_was_closed_does_not_start_again() -> None:
    agent = SlowToSetUp()
    async with mounted(agent) as (client, host, _):
        assert (await client.get("/agent/health/ready")).status_code == 503
        await host.aclose()
        assert (await client.get("/agent/health/ready")).json() == {"status": "draining"}
        assert (await client.get("/agent/health/startup")).json() == {"status": "starting"}
        answer = await client.post("/agent/assist", headers=JSON_BODY, content=question("x" * 100_000))
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
    assert agent.setups <= 1
