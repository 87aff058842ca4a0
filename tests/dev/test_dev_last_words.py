"""A process that ends in the middle of its answers: each that can be brought to an end is, and none is spoilt."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import h11
import pytest

from tests.dev.answer_kit import decoded, linux, rest
from tests.dev.developing import GO, Developing, Stream, body, developing, ending, wait_until
from tests.support.wire import PATIENCE

_BLOCKING = """
import time

from sentient_cli import agent


@agent
async def blocking(session, query, response):
    await response.text_block("FIRST", "here")
    if query.prompt:
        time.sleep(600)
"""
_FLOODING = """
import asyncio

from sentient_cli import agent


@agent
async def flooding(session, query, response):
    async with response.stream("ANSWER") as stream:
        for number in range(10_000_000):
            await stream.write(f"{number} ")
            if number % 7 == 0:
                await asyncio.sleep(0)
"""


@linux
@pytest.mark.story("20.5")
def test_every_stream_of_a_process_that_is_killed_at_any_moment_ends_in_good_order(tmp_path: Path) -> None:
    quick = _FLOODING.replace("sleep(0)", "sleep(0.001)")  # and no quicker than these clients can take it
    with developing(tmp_path / "project", agent=quick) as dev:
        streams = [Stream(dev.url, "") for _ in range(7)]
        (worker,) = dev.workers()
        os.kill(worker, signal.SIGKILL)
        for stream in streams:
            code, message = ending(stream)
            assert (code, message.partition(". ")[0]) == (500, "The agent's process ended: killed by SIGKILL")


@linux
@pytest.mark.story("20.5")
def test_who_watches_and_who_speaks_http_1_0_is_told_too(tmp_path: Path) -> None:
    with developing(tmp_path / "project") as dev:
        stream = Stream(dev.url, GO)
        run = str(dev.wait("run-started")["run"])
        asked = json.dumps(body(GO)).encode()
        old = f"POST /assist HTTP/1.0\r\nhost: {_host(dev)}\r\ncontent-type: application/json\r\n".encode()
        old += b"content-length: %d\r\n\r\n" % len(asked)
        watch = f"GET /runs/{run}/events?after=2 HTTP/1.1\r\nhost: {_host(dev)}\r\n\r\n".encode()
        with _connected(dev, old + asked) as plain, _connected(dev, watch) as watching:
            for client in (plain, watching):
                assert b"data:" in _until(client, b"data:")
            os.kill(dev.workers()[0], signal.SIGKILL)
            assert ending(stream)[0] == 500
            told = rest(plain)
            assert told.rstrip(b"\n").rpartition(b"\n\n")[2].split(b"\n")[1] == b"event: done"
            assert b"\r\n" not in told
            told = rest(watching)
            assert told.endswith(b"\n\n\r\n0\r\n\r\n")
            assert told.count(b"event: done") == told.count(b"event: error") == 1
        assert dev.ask() == "one"


@linux
@pytest.mark.story("20.5")
def test_a_client_that_takes_nothing_is_cut_and_gets_no_half_of_an_event_for_an_end(tmp_path: Path) -> None:
    with developing(tmp_path / "project", agent=_FLOODING) as dev:
        asked = json.dumps(body("")).encode()
        head = f"POST /assist HTTP/1.1\r\nhost: {_host(dev)}\r\ncontent-type: application/json\r\n"
        with _connected(dev, head.encode() + b"content-length: %d\r\n\r\n" % len(asked) + asked) as client:
            kept = _until(client, b"data:")
            run = str(dev.wait("run-started")["run"])
            last = 0

            def stands_still() -> bool:
                nonlocal last
                before, last = last, int(str(dev.get(f"/runs/{run}").json()["last_seq"]))
                return before == last

            wait_until(stands_still, "the agent waits for its client")
            os.kill(dev.workers()[0], signal.SIGKILL)
            dev.wait("worker-died")
            told = kept + rest(client)
        with pytest.raises(h11.RemoteProtocolError):
            decoded(told)
        assert b"event: done" not in told


@linux
@pytest.mark.slow
@pytest.mark.story("20.5")
def test_requests_on_their_way_to_a_process_that_ends_are_answered_by_the_next(tmp_path: Path) -> None:
    with developing(tmp_path / "project") as dev, ExitStack() as stack:
        assert dev.ask() == "one"
        (worker,) = dev.workers()
        os.kill(worker, signal.SIGSTOP)
        asked = json.dumps(body("")).encode()
        head = f"POST /assist HTTP/1.1\r\nhost: {_host(dev)}\r\ncontent-type: application/json\r\n"
        request = head.encode() + b"content-length: %d\r\n\r\n" % len(asked) + asked
        clients = [stack.enter_context(_connected(dev, request)) for _ in range(5)]
        assert dev.state()["status"] == "ready", "the hub has had a turn since"
        os.kill(worker, signal.SIGKILL)
        for client in clients:
            assert b"event: done" in rest(client)


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_an_agent_that_blocks_its_process_has_its_streams_ended_too(tmp_path: Path) -> None:
    with developing(tmp_path / "project", agent=_BLOCKING) as dev:
        stream = Stream(dev.url, "block")
        dev.stop()
        assert ending(stream) == (499, "The server is shutting down")


@linux
@pytest.mark.slow
@pytest.mark.story("20.5")
def test_a_process_that_was_not_forked_has_its_streams_ended_too(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "sentient.toml").write_text('[dev]\nstart = "spawn"\n')
    with developing(project) as dev:
        stream = Stream(dev.url, GO)
        os.kill(dev.workers()[0], signal.SIGKILL)
        assert ending(stream)[0] == 500
        assert dev.ask() == "one"


@linux
@pytest.mark.story("20.5")
def test_connections_are_let_go_when_they_have_ended(tmp_path: Path) -> None:
    with developing(tmp_path / "project") as dev:
        dev.ask()

        def descriptors() -> int:
            return len(list(Path(f"/proc/{dev.process.pid}/fd").iterdir()))

        before = descriptors()
        for _ in range(30):
            dev.ask()
        wait_until(lambda: descriptors() < before + 10, "those of the answers are closed")


def _host(dev: Developing) -> str:
    return dev.url.removeprefix("http://")


@contextmanager
def _connected(dev: Developing, request: bytes) -> Generator[socket.socket]:
    host, _, port = _host(dev).rpartition(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as client:
        client.sendall(request)
        yield client


def _until(client: socket.socket, words: bytes) -> bytes:
    told = b""
    while words not in told:
        piece = client.recv(64)
        assert piece, told
        told += piece
    return told
