"""The page as a hub serves it: the real application and host with an agent, and inspection routes that a test moves."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sentient_cli.clock import SystemClock, SystemIds
from sentient_cli.config.settings import LlmSettings, ServerSettings
from sentient_cli.dev.messages import EntriesHead
from sentient_cli.dev.recording.feed import Feed
from sentient_cli.host import Host, RunInfo
from sentient_cli.host.llm import build_llm
from sentient_cli.server.answers import send_json
from sentient_cli.server.app import create_app
from sentient_cli.server.inspection import inspection_routes
from sentient_cli.server.page.routes import page_routes
from sentient_cli.store.entry import Entry, LogEntry
from sentient_cli.store.jsonl import encode_entries
from sentient_cli.store.memory import MemoryEventLog, MemoryStateStore
from sentient_cli.store.open import Stores
from tests.page.page_agent import PageAgent
from tests.support.wire import PATIENCE

TOKEN = "an-inspection-token-of-the-tests"
_T = TypeVar("_T")


class Hub:
    """What the inspection routes tell, with the feed of a real hub. Only for the server's loop."""

    def __init__(self) -> None:
        self.feed = Feed()
        self.now: dict[str, object] = {
            "agent": PageAgent.name,
            "generation": 7,
            "status": "ready",
            "error": None,
            "environment": "default",
            "project": "weather-guide",
            "url": "http://127.0.0.1:8000",
        }
        self.cut_after: int | None = None
        self.broken_header: int | None = None
        self.refuse: int | None = None
        self.leaving = False

    def state(self) -> Mapping[str, object]:
        """How things stand."""
        return self.now

    async def runs(self, limit: int) -> Sequence[Mapping[str, object]]:
        """The runs that went before."""
        return []

    def on_entries(self, run: RunInfo, entries: Sequence[LogEntry]) -> None:
        """Take the entries of a run, as a hub takes them from its workers."""
        last = entries[-1]
        head = EntriesHead(run.run_id, entries[0].seq, last.seq, last.type == "run.finished")
        self.feed.push(head, encode_entries(entries, _no_blob))

    def say(self, **changes: object) -> None:
        """Another generation."""
        self.now = {**self.now, **changes}
        self.feed.push_reload(json.dumps(self.now).encode())

    def cut_followers(self) -> None:
        """End the inspection streams."""
        self.leaving = True
        self.feed.wake()
        asyncio.get_running_loop().call_later(0.2, setattr, self, "leaving", False)

    def flood(self, run: str, count: int) -> None:
        """A run of many entries."""
        for first in range(1, count + 1, 500):
            entries = [Entry(seq, 10**18 + seq * 10**6, "event", _step(seq)) for seq in range(first, first + 500)]
            self.feed.push(EntriesHead(run, first, first + 499, False), encode_entries(entries, _no_blob))


def _no_blob(digest: str, data: bytes) -> None:
    """Large data is not kept here."""


def _step(seq: int) -> bytes:
    event = {"content_type": "atomic.textblock", "event_name": "STEP", "content": f"step {seq}"}
    return json.dumps(event).encode()


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
        stores=Stores(MemoryEventLog(), MemoryStateStore()),
        hooks=[hub],
        session_memory=True,
    )
    app = _around(
        create_app(
            host,
            ServerSettings(),
            more_routes=[*page_routes(), *inspection_routes(hub, TOKEN, is_leaving=lambda: hub.leaving)],
        ),
        hub,
    )
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    await host.start()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        started(hub, listener.getsockname()[1])
        await stopping.wait()
        for run in host.runs:
            run.cancel("The test has ended")
        hub.leaving = True
        hub.feed.wake()
        server.should_exit = True
        await serving
    await host.aclose()


@contextmanager
def running_stub() -> Generator[Stub]:
    """A stub for as long as the block lasts."""
    ready = threading.Event()
    made: list[Stub] = []
    stop: list[Callable[[], object]] = []

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
