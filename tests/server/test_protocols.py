"""Both HTTP protocols, the fast one and the one that needs no parser of its own, hold the same limits."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from sentient_cli.config.settings import ServerSettings
from sentient_cli.host import Host
from sentient_cli.runtime.agent import FunctionAgent
from sentient_cli.runtime.request import Query
from sentient_cli.runtime.response import Response
from sentient_cli.runtime.session import Session
from sentient_cli.server.app import create_app
from sentient_cli.server.serving import DrainingServer, serve_until_stopped
from sentient_cli.server.sockets import bind
from tests.support.wire import JSON_BODY, PATIENCE, Address, Wire, ask, head, question

pytestmark = pytest.mark.story("14.8")

_PLAIN = "sentient_cli.server.httptools_protocol"


async def echo(session: Session, query: Query, response: Response) -> None:
    await response.text_block("ANSWER", query.prompt)
    if query.prompt == "never":
        await asyncio.Event().wait()


@contextmanager
def serving(settings: ServerSettings) -> Generator[Address]:
    """A server in a thread of its own."""
    listener = bind("127.0.0.1", 0)
    address: Address = listener.getsockname()
    ready = threading.Event()
    loops: list[asyncio.AbstractEventLoop] = []
    servers: list[DrainingServer] = []

    async def main() -> None:
        loops.append(asyncio.get_running_loop())
        host = Host(FunctionAgent(echo), capture=False)
        app = create_app(host, settings)
        await serve_until_stopped(app, host, settings, [listener], on_ready=ready.set, on_server=servers.append)

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    assert ready.wait(PATIENCE)
    try:
        yield address
    finally:
        for at_once in (True, True):
            loops[0].call_soon_threadsafe(servers[0].stop, at_once)
        thread.join(PATIENCE)
        assert not thread.is_alive()


@pytest.fixture(params=["fast", "plain"])
def protocol(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Either protocol."""
    if request.param == "plain":
        monkeypatch.setitem(sys.modules, _PLAIN, None)
    elif importlib.util.find_spec("httptools") is None:
        pytest.skip("this system has no httptools")


@pytest.fixture
def address(protocol: None) -> Iterator[Address]:
    """A server on either protocol."""
    with serving(ServerSettings(header_timeout=0.3, drain_delay=0, drain_timeout=0)) as where:
        yield where


def test_it_streams_and_keeps_the_connection(address: Address) -> None:
    with Wire(address) as wire:
        for prompt in ("one", "two"):
            frames = list(ask(wire, prompt).frames())
            assert [(frame.event, frame.json.get("content")) for frame in frames] == [
                ("ANSWER", prompt),
                ("done", None),
            ]


def old(method: str, path: str, body: bytes = b"", **more: str) -> bytes:
    """A request of HTTP/1.0, as proxies send it."""
    headers = {**JSON_BODY, **more} if body else more
    return head(method, path, headers, body).replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1) + body


@pytest.mark.parametrize("more", [{}, {"Connection": "keep-alive"}])
def test_http_1_0_knows_no_chunks(address: Address, more: dict[str, str]) -> None:
    with Wire(address) as wire:
        wire.send(old("POST", "/assist", question("one"), **more))
        answer = wire.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert not {"transfer-encoding", "content-length"} & answer.headers.keys()
        assert re.fullmatch(rb"id: \d+\nevent: ANSWER\n.*?\n\nid: \d+\nevent: done\n.*?\n\n", wire.rest(), re.DOTALL)


def test_http_1_0_gets_events_as_they_come(address: Address) -> None:
    with Wire(address) as wire:
        wire.send(old("POST", "/assist", question("never")))
        run_id = wire.answer().run_id
        assert b"event: ANSWER" in wire.until(b"\n\n")
        with Wire(address) as other:
            assert other.request("POST", f"/runs/{run_id}/cancel", JSON_BODY, b"{}").status == 202
        assert b"event: done" in wire.rest()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_http_1_0_gets_a_length_where_there_is_one(address: Address, method: str) -> None:
    with Wire(address) as wire:
        wire.send(old(method, "/health/live"))
        answer = wire.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        length = int(answer.headers["content-length"])
        assert len(wire.rest()) == (length if method == "GET" else 0)


@pytest.mark.story("14.1", "14.2")
@pytest.mark.usefixtures("protocol")
@pytest.mark.parametrize("kept", [False, True])
def test_a_half_sent_question_is_refused_when_the_server_leaves(kept: bool) -> None:
    with ExitStack() as stack:
        with serving(ServerSettings(drain_delay=0, drain_timeout=0)) as address:
            wire = stack.enter_context(Wire(address))
            if kept:
                assert wire.request("GET", "/health/live").read()
            wire.send(head("POST", "/assist", {**JSON_BODY, "Content-Length": "9"}) + b"{")
            with Wire(address) as other:
                assert other.request("GET", "/health/live").read()
        answer = wire.answer()
        assert (answer.status, answer.json()["code"], answer.headers["connection"]) == (503, "overloaded", "close")
        assert wire.rest() == b""


@pytest.mark.parametrize("sent", [b"", b"G", b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-"])
def test_headers_that_do_not_come(address: Address, sent: bytes) -> None:
    with Wire(address) as wire:
        wire.send(sent)
        assert wire.rest().startswith(b"HTTP/1.1 408 ")


def test_the_headers_of_a_later_request_that_do_not_come(address: Address) -> None:
    with Wire(address) as wire:
        assert wire.request("GET", "/health").read()
        wire.send(b"GET /hea")
        assert wire.rest().startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("pieces", [1, 50])
def test_headers_that_are_too_large(address: Address, pieces: int) -> None:
    sent = head("GET", "/health", {"X-Long": "x" * 100_000})
    size = len(sent) // pieces + 1
    with Wire(address) as wire:
        try:
            for start in range(0, len(sent), size):
                wire.send(sent[start : start + size])
            answer = wire.rest()
        except ConnectionError:  # it hung up before everything was sent
            return
    assert re.match(rb"HTTP/1.1 4(00|31) ", answer) or not answer


def test_headers_of_just_under_the_size(address: Address) -> None:
    with Wire(address) as wire:
        assert wire.request("GET", "/health", {"X-Long": "x" * 60_000}).status == 200


def test_what_is_not_http(address: Address) -> None:
    with Wire(address) as wire:
        wire.send(b"GET / HTTP/9.9\r\n\r\n")
        assert re.match(rb"HTTP/1.1 4\d\d ", wire.rest())


_OFFER = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAoAAAAAIAAAAA"}


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("pieces", [1, 3, 400])
def test_an_offer_of_http_2_is_passed_over(address: Address, chunked: bool, pieces: int) -> None:
    body = question("one")
    headers = {**JSON_BODY, **_OFFER}
    sent = head("POST", "/assist", headers, body) + body
    if chunked:
        sent = head("POST", "/assist", {**headers, "Transfer-Encoding": "chunked"})
        sent += b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    size = len(sent) // pieces + 1
    with Wire(address) as wire:
        for start in range(0, len(sent), size):
            wire.send(sent[start : start + size])
        frames = list(wire.answer().frames())
    assert [frame.json.get("content") for frame in frames] == ["one", None]


def test_an_offer_without_a_body_keeps_the_connection(address: Address) -> None:
    with Wire(address) as wire:
        assert wire.request("GET", "/health/live", _OFFER).read() == b'{"status":"ok"}'
        assert [frame.event for frame in ask(wire, "one").frames()] == ["ANSWER", "done"]


@pytest.mark.parametrize(("length", "body"), [("9", b"not json!"), ("99999999", b"{}")])
def test_a_bad_body_behind_an_offer_is_refused(address: Address, length: str, body: bytes) -> None:
    with Wire(address) as wire:
        wire.send(head("POST", "/assist", {**JSON_BODY, **_OFFER, "Content-Length": length}) + body)
        assert wire.answer().status == (422 if length == "9" else 413)


def test_a_bad_chunk_behind_an_offer_is_no_http(address: Address) -> None:
    with Wire(address) as wire:
        wire.send(head("POST", "/assist", {**JSON_BODY, **_OFFER, "Transfer-Encoding": "chunked"}) + b"zz\r\n{}\r\n")
        assert re.match(rb"HTTP/1.1 4\d\d ", wire.rest())
