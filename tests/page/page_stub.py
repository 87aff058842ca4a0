"""The page as a hub serves it: the real application and host with an agent, and inspection routes that a test moves."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

import uvicorn
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sentient_cli.config.settings import LlmSettings, ServerSettings
from sentient_cli.host import Host
from sentient_cli.host.compose import build_llm
from sentient_cli.clock import SystemClock, SystemIds
from sentient_cli.server.answers import RequestError, send_json
from sentient_cli.server.app import create_app
from sentient_cli.server.page.routes import page_routes
from sentient_cli.store.entry import Entry
from sentient_cli.store.memory import MemoryEventLog, MemoryStateStore
from sentient_cli.store.open import Stores
from tests.page.page_agent import PageAgent
from tests.support.wire import PATIENCE

TOKEN = "an-inspection-token-of-the-tests"
_T = TypeVar("_T")


class _Tap(MemoryEventLog):
    """Tells of every entry, as a worker tells its hub."""

    def __init__(self, heard: Callable[[str, Sequence[Entry]], None]) -> None:
        super().__init__()
        self._heard = heard

    async def append(self, run_id: str, entries: Sequence[Entry]) -> None:
        await super().append(run_id, entries)
        self._heard(run_id, entries)


class Hub:
    """What the inspection routes tell. Only for the server's loop."""

    def __init__(self) -> None:
        self.frames: list[tuple[str, str]] = []
        self.state: dict[str, object] = {
            "agent": PageAgent.name,
            "generation": 7,
            "status": "ready",
            "error": None,
            "environment": "default",
            "project": "/home/ada/weather-guide",
            "version": "0.1.0",
            "url": "http://127.0.0.1:8000",
        }
        self.cut_after: int | None = None
        self.broken_header: int | None = None
        self.refuse: int | None = None
        self.first = 0
        self.connections = 0
        self._changed = asyncio.Event()

    def hear(self, run: str, entries: Sequence[Entry]) -> None:
        for entry in entries:
            head = json.dumps({"run": run, "seq": entry.seq, "at": entry.at, "type": entry.type})
            self.frames.append(("entry", f'{head[:-1]},"data":{entry.data.decode()}}}'))
        self._wake()

    def say(self, **changes: object) -> None:
        self.state = {**self.state, **changes}
        self.frames.append(("reload", json.dumps(self.state)))
        self._wake()

    def flood(self, run: str, count: int) -> None:
        for seq in range(1, count + 1):
            event = {"content_type": "atomic.textblock", "event_name": "STEP", "content": f"step {seq}"}
            data = {"run": run, "seq": seq, "at": 10**18 + seq * 10**6, "type": "event", "data": event}
            self.frames.append(("entry", json.dumps(data)))
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def routes(self) -> list[Route]:
        return [
            Route("/_sentient/state", _Endpoint(self._state)),
            Route("/_sentient/runs", _Endpoint(self._runs)),
            Route("/_sentient/entries", _Endpoint(self._entries)),
        ]

    def _check(self, scope: Scope) -> None:
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        if headers.get(b"authorization") != b"Bearer " + TOKEN.encode():
            raise RequestError(401, "token-required", "A valid token is needed")

    async def _state(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._check(scope)
        await send_json(send, 200, self.state)

    async def _runs(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._check(scope)
        await send_json(send, 200, [])

    async def _entries(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._check(scope)
        query: str = scope["query_string"].decode()
        at = int(query.removeprefix("after=c")) if query.startswith("after=c") else self.first
        if at < self.first:
            raise RequestError(410, "cursor-expired", "Too old", more={"first_cursor": f"c{self.first}"})
        self.connections += 1
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b": hello\n", "more_body": True})
        gone = asyncio.create_task(_gone(receive))
        try:
            while not gone.done():
                changed = self._changed
                if at < len(self.frames):
                    batch = self.frames[at : at + 500]
                    body = "".join(
                        f"id: c{at + n + 1}\nevent: {event}\ndata: {data}\n\n" for n, (event, data) in enumerate(batch)
                    )
                    at += len(batch)
                    await send({"type": "http.response.body", "body": body.encode(), "more_body": True})
                    continue
                waiter = asyncio.create_task(changed.wait())
                await asyncio.wait({waiter, gone}, return_when=asyncio.FIRST_COMPLETED)
                waiter.cancel()
        finally:
            gone.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class _Endpoint:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


class _BrokenError(Exception):
    """Ends a connection in the middle of an answer."""


def _around(app: ASGIApp, hub: Hub) -> ASGIApp:
    """What the hub does to answers, and what a network may do."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope.get("path", "")
        left = hub.cut_after if path == "/assist" else None
        if left is not None:
            hub.cut_after = None

        async def sending(message: Message) -> None:
            nonlocal left
            if message["type"] == "http.response.start" and hub.broken_header is not None:
                header = (b"sentient-reload-error", b"generation=%d" % hub.broken_header)
                message = {**message, "headers": [*message["headers"], header]}
            if left is not None and message["type"] == "http.response.body":
                if left <= 0:
                    raise _BrokenError
                left -= 1
            await send(message)

        if path == "/assist" and hub.refuse is not None:
            await send_json(send, hub.refuse, {"detail": "There is no good generation", "code": "not-ready"})
            return
        try:
            await app(scope, receive, sending)
        except _BrokenError:
            # the body is left unfinished: the server closes the connection
            return

    return wrapped


class Stub:
    """A server on a thread of its own.

    Args:
        hub: What it tells; to be changed by `do` alone.
        loop: Of the server.
        port: Where it listens.
    """

    def __init__(self, hub: Hub, loop: asyncio.AbstractEventLoop, port: int) -> None:
        self.hub = hub
        self._loop = loop
        self.url = f"http://127.0.0.1:{port}/"

    def do(self, action: Callable[[Hub], _T]) -> _T:
        """Do something with the hub on its own loop."""

        async def act() -> _T:
            return action(self.hub)

        return asyncio.run_coroutine_threadsafe(act(), self._loop).result(PATIENCE)


async def _serve(started: Callable[[Hub, int], None], stopping: asyncio.Event) -> None:
    hub = Hub()
    clock = SystemClock()
    host = Host(
        PageAgent(),
        llm=build_llm(LlmSettings(), clock, SystemIds(clock)),
        stores=Stores(_Tap(hub.hear), MemoryStateStore()),
        session_memory=True,
    )
    app = _around(create_app(host, ServerSettings(), more_routes=[*page_routes(), *hub.routes()]), hub)
    config = uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    started(hub, server.servers[0].sockets[0].getsockname()[1])
    await stopping.wait()
    for run in host.runs:
        run.cancel("The test has ended")
    server.should_exit = True
    await serving
    await host.aclose()


@contextmanager
def running_stub() -> Generator[Stub]:
    """A stub for as long as the block lasts."""
    ready = threading.Event()
    made: list[Stub] = []
    stop: list[Callable[[], None]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        stopping = asyncio.Event()
        stop.append(lambda: loop.call_soon_threadsafe(stopping.set))

        def started(hub: Hub, port: int) -> None:
            made.append(Stub(hub, loop, port))
            ready.set()

        await _serve(started, stopping)

    thread = threading.Thread(target=_run, args=(main(),), name="page-stub")
    thread.start()
    try:
        assert ready.wait(PATIENCE), "the stub does not start"
        yield made[0]
    finally:
        if stop:
            stop[0]()
        thread.join(PATIENCE)
        assert not thread.is_alive(), "the stub does not end"


def _run(main: Coroutine[object, object, None]) -> None:
    asyncio.run(main)
