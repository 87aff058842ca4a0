"""What one worker passes on of another's answers: its headers, under the same id, and no client holds it for ever."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sentient_cli.errors import ConfigError
from sentient_cli.server.answers import RequestError, send_json
from sentient_cli.server.peers import Peers
from sentient_cli.server.workers import Supervisor, socket_directory
from tests.support.served import serve
from tests.support.wire import Wire, ask_all, fetch, head

_RUN = "0" * 32
_HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


class Client:
    """The other end of a request: takes what is sent, leaves when told, and may take nothing more."""

    def __init__(self, path: str = f"/runs/{_RUN}-1/events") -> None:
        self.scope: Scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [],
            "sentient.abort": self.abort,
        }
        self.body = b""
        self.status = 0
        self.ended = False
        self.aborted = False
        self.took = asyncio.Event()
        self.left = asyncio.Event()
        self.takes = True

    async def ask(self, app: ASGIApp) -> None:
        await app(self.scope, self.receive, self.send)

    def abort(self) -> None:
        self.aborted = True

    async def receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        if not self.takes:
            await asyncio.Event().wait()
        self.body += message.get("body", b"")
        self.ended = not message.get("more_body", False)
        self.took.set()


async def elsewhere(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("it is not answered here")


@asynccontextmanager
async def beside(
    directory: Path, answer: bytes, *, send_timeout: float = 10.0
) -> AsyncGenerator[tuple[Client, asyncio.Task[None], asyncio.Event]]:
    """A request to worker 0 about a run of worker 1, which answers with these bytes and then waits."""
    gone = asyncio.Event()

    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await reader.read()
        writer.close()
        gone.set()

    other = await asyncio.start_unix_server(answering, str(directory / "1.sock"))
    client = Client()
    task = asyncio.create_task(client.ask(Peers(0, directory).wrap(elsewhere, send_timeout)))
    async with other:
        yield client, task, gone
        task.cancel()
        await asyncio.wait((task,))
        await gone.wait()


async def test_a_client_that_takes_nothing_is_let_go(tmp_path: Path) -> None:
    async with beside(tmp_path, _HEAD + b"1\r\nx\r\n", send_timeout=0.01) as (client, task, gone):
        client.takes = False
        await task
        await gone.wait()
        assert client.aborted


async def test_a_client_that_leaves_ends_the_other_side(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with beside(tmp_path, _HEAD + b"1\r\nx\r\n") as (client, task, gone):
        await client.took.wait()
        client.left.set()
        await task
        await gone.wait()
        assert (client.body, client.ended) == (b"x", False)
    assert caplog.records == []


async def test_one_that_is_cancelled_ends_the_other_side(tmp_path: Path) -> None:
    async with beside(tmp_path, _HEAD + b"1\r\nx\r\n") as (client, task, gone):
        await client.took.wait()
        task.cancel()
        await gone.wait()


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\n"])
async def test_an_answer_that_does_not_begin(tmp_path: Path, answer: bytes) -> None:
    async def dying(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    client = Client()
    async with await asyncio.start_unix_server(dying, str(tmp_path / "1.sock")):
        with pytest.raises(RequestError) as caught:
            await client.ask(Peers(0, tmp_path).wrap(elsewhere, 1.0))
    assert caught.value.status == 404


async def test_a_run_of_a_worker_that_is_gone_is_looked_for_here(tmp_path: Path) -> None:
    async def here(scope: Scope, receive: Receive, send: Send) -> None:
        await send_json(send, 200, {"here": True})

    client = Client()
    await client.ask(Peers(0, tmp_path).wrap(here, 1.0))
    assert (client.status, client.body) == (200, b'{"here":true}')


@pytest.mark.slow
@pytest.mark.story("14.3", "14.8")
def test_several_workers_below_a_long_directory(tmp_path: Path) -> None:
    long = tmp_path / ("d" * 90)
    long.mkdir()
    env = {"TMPDIR": str(long), "SENTIENT_LOG_LEVEL": "info"}
    with serve(tmp_path, "--workers", 2, "--drain-delay", 0, env=env) as server:
        assert ask_all(server.address, "echo x")[0].content == "x"
        for worker in (0, 1):
            answer, _ = fetch(server.address, f"/runs/{_RUN}-{worker}/events", "PUT")
            assert (answer.status, sorted(answer.headers["allow"].split(", "))) == (405, ["GET", "HEAD"])
        _ask_until_passed_on(server.address)
        seen: list[object] = []
        while seen.count("the-same") < 2:
            server.wait_line(r'"request_id":"the-same"', since=0)
            seen = [record.get("request_id") for record in server.records()]
    assert list(long.iterdir()) == []


def _ask_until_passed_on(address: tuple[str, int]) -> None:
    # Which of the workers takes a connection is not ours to say: among so many there are some of either.
    wires = [Wire(address) for _ in range(32)]
    for wire in wires:
        wire.send(head("GET", f"/runs/{_RUN}-0", {"X-Request-Id": "the-same"}))
    for wire in wires:
        with wire:
            assert wire.answer().status == 404


async def test_a_system_without_unix_sockets_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "AF_UNIX")
    with socket.socket() as listener, pytest.raises(ConfigError, match="--workers"):
        Supervisor(lambda _: [], listener, 2, tmp_path, stop_within=1, on_ready=lambda: None)


def test_a_directory_that_cannot_be_shortened_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sentient_cli.server.workers._SHORT_DIRECTORY", str(tmp_path / "nowhere"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("d" * 90)))
    with pytest.raises(ConfigError, match="TMPDIR"), socket_directory():
        pass
