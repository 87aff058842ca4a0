"""SIGTERM: readiness says no, then no new runs, those that go on get their time and a last event, then exit 0."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.puppet import Puppet
from tests.support.served import Served, serve, start
from tests.support.wire import JSON_BODY, Frame, Wire, ask, dig, fetch, fetch_json, question

pytestmark = pytest.mark.story("14.1", "14.2", "E14.1", "14.8")

_LONG = 60


def shut_down(frames: Iterator[Frame]) -> None:
    """The stream ends with a last event that says why."""
    *_, error, done = frames
    assert (error.event, done.event) == ("error", "done")
    assert dig(error.json, "content", "error_code") == 499
    assert "shutting down" in str(dig(error.json, "content", "error_message"))


@pytest.mark.story("11.2")
def test_readiness_says_no_while_requests_are_still_answered(tmp_path: Path) -> None:
    with serve(tmp_path, "--drain-delay", _LONG, "--drain-timeout", _LONG) as server, Puppet() as puppet:
        assert fetch_json(server.address, "/health/ready")[0] == 200
        with Wire(server.address) as wire, Wire(server.address) as late:
            frames = ask(wire, puppet.prompt).frames()
            puppet.take()
            server.signal(signal.SIGTERM)
            server.wait_record(logger="sentient_cli.server.serving", message="Draining: 1 runs are going on")
            assert fetch_json(server.address, "/health/ready") == (503, {"status": "draining"})
            assert fetch_json(server.address, "/health/live")[0] == 200
            assert fetch_json(server.address, "/health")[1]["status"] == "draining"
            assert [frame.event for frame in ask(late, "echo still").frames()] == ["ANSWER", "done"]
            puppet.end()
            assert [frame.event for frame in frames] == ["done"]
        server.signal(signal.SIGTERM)  # the delay need not pass
        assert server.wait() == 0


def test_runs_that_go_on_get_their_time(tmp_path: Path) -> None:
    with serve(tmp_path, "--drain-delay", 0, "--drain-timeout", _LONG) as server, Puppet() as puppet:
        with Wire(server.address) as wire:
            frames = ask(wire, puppet.prompt).frames()
            puppet.take()
            server.signal(signal.SIGTERM)
            assert refusal(server) == "overloaded"
            puppet.do("text", "A", "in time")
            assert next(frames).content == "in time"
            puppet.end()
            assert [frame.event for frame in frames] == ["done"]
        assert server.wait() == 0


def refusal(server: Served) -> object:
    """Ask until no more runs are taken: the signal arrives when it does."""
    for _ in range(1000):
        answer, body = fetch(server.address, "/assist", "POST", JSON_BODY, question("echo x"))
        if answer.status != 200:
            assert answer.status == 503
            return json.loads(body)["code"]
    raise AssertionError("runs are taken for ever")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_left_is_cancelled_with_a_last_event(tmp_path: Path, number: signal.Signals) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(serve(tmp_path, "--drain-delay", 0, "--drain-timeout", "0.1"))
        streams: list[Iterator[Frame]] = []
        for _ in range(30):
            wire = stack.enter_context(Wire(server.address))
            frames = ask(wire, "never").frames()
            assert next(frames).event == "OPEN"
            streams.append(frames)
        server.signal(number)
        for frames in streams:
            shut_down(frames)
        assert server.wait() == 0


def test_a_watcher_gets_the_last_event_too(tmp_path: Path) -> None:
    with serve(tmp_path, "--drain-delay", 0, "--drain-timeout", 0) as server:
        with Wire(server.address) as asking, Wire(server.address) as watching:
            answer = ask(asking, "never")
            watched = watching.request("GET", f"/runs/{answer.run_id}/events").frames()
            assert next(watched).event == "OPEN"
            server.signal(signal.SIGTERM)
            shut_down(watched)
            shut_down(answer.frames())
        assert server.wait() == 0


def test_a_second_signal_ends_what_runs_at_once(tmp_path: Path) -> None:
    with serve(tmp_path, "--drain-delay", _LONG, "--drain-timeout", _LONG) as server, Puppet() as puppet:
        with Wire(server.address) as wire:
            frames = ask(wire, puppet.prompt).frames()
            puppet.take()
            server.signal(signal.SIGTERM)
            server.wait_line("Draining")
            server.signal(signal.SIGTERM)
            assert puppet.hear() == "cancelled"
            shut_down(frames)
        assert server.wait() == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("timeout", "signals"),
    [(0, [signal.SIGTERM]), (_LONG, [signal.SIGTERM, signal.SIGINT])],
    ids=["in its time", "at the second signal"],
)
def test_an_agent_that_blocks_the_loop_does_not_hold_the_server(
    tmp_path: Path, timeout: int, signals: list[signal.Signals]
) -> None:
    agent = tmp_path / "blocking.py"
    # In one long sleep, of two signals at the same moment the second may not be heard: another thread may be given it.
    agent.write_text(
        "import time\n"
        "async def assist(session, query, response):\n"
        "    await response.text_block('READY', '')\n"
        "    while True:\n"
        "        time.sleep(0.01)\n"
    )
    flags = ["--drain-delay", 0, "--drain-timeout", timeout]
    with serve(tmp_path, *flags, agent=agent, code=1) as server, Wire(server.address) as wire:
        ask(wire, "hi")
        server.wait_line("has been blocked")
        for number in signals:
            server.signal(number)
        assert b"event: done" not in wire.rest()
        server.wait_line("stands still and the server is to stop")


def test_a_client_that_does_not_read_does_not_hold_the_drain(tmp_path: Path) -> None:
    flags = ["--drain-delay", 0, "--drain-timeout", "0.1"]
    with serve(tmp_path, *flags) as server, Wire(server.address, receive_buffer=4096) as wire:
        next(ask(wire, "flood 100000").frames())
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert kinds(server) == {"info"}  # nothing had to be broken off when the time was up


@pytest.mark.slow
def test_a_client_that_reads_slowly_gets_everything(tmp_path: Path) -> None:
    flags = ["--drain-delay", 0, "--drain-timeout", 0]
    with serve(tmp_path, *flags) as server, Wire(server.address, receive_buffer=4096) as wire:
        frames = ask(wire, "flood 100000").frames()
        next(frames)
        server.signal(signal.SIGTERM)
        server.wait_line("Draining")
        shut_down(frames)
        assert server.wait() == 0


def test_an_idle_connection_does_not_hold_the_drain(tmp_path: Path) -> None:
    with serve(tmp_path, "--drain-delay", 0) as server, Wire(server.address) as kept, Wire(server.address):
        kept.request("GET", "/health").read()
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        assert kept.rest() == b""


HALF = b"POST /assist HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"


def test_a_half_sent_question_is_refused_as_soon_as_no_runs_are_taken(tmp_path: Path) -> None:
    flags = ["--drain-delay", 0, "--drain-timeout", _LONG]
    with serve(tmp_path, *flags) as server, Puppet() as puppet, Wire(server.address) as going_on:
        frames = ask(going_on, puppet.prompt).frames()
        puppet.take()
        with Wire(server.address) as half, Wire(server.address) as late:
            half.send(HALF)
            assert fetch_json(server.address, "/health/live")[0] == 200
            server.signal(signal.SIGTERM)
            shut_out(half)  # while the run goes on
            assert refusal(server) == "overloaded"
            late.send(HALF)
            assert fetch_json(server.address, "/health/live")[0] == 200
            puppet.end()
            assert [frame.event for frame in frames] == ["done"]
            shut_out(late)
            assert server.wait() == 0
    assert kinds(server) == {"info"}


def shut_out(wire: Wire) -> None:
    """The question is refused, and the connection closed."""
    answer = wire.answer()
    assert (answer.status, answer.headers["retry-after"], answer.headers["connection"]) == (503, "1", "close")
    assert answer.json() == {"detail": "The server is shutting down", "code": "overloaded"}
    assert wire.rest() == b""


def test_half_sent_headers_do_not_hold_the_drain(tmp_path: Path) -> None:
    with serve(tmp_path, "--drain-delay", 0) as server, Wire(server.address) as wire, Wire(server.address) as again:
        wire.send(b"POST /assist HT")
        assert again.request("GET", "/health/live").json() == {"status": "ok"}
        again.send(b"GET /hea")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert kinds(server) == {"info"}


def test_an_idle_server_leaves_at_once(tmp_path: Path) -> None:
    with serve(tmp_path, "--drain-delay", 0, "--drain-timeout", _LONG) as server:
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        with pytest.raises(ConnectionRefusedError):
            Wire(server.address)


@pytest.mark.slow
def test_the_stored_logs_are_complete_after_a_drain(tmp_path: Path) -> None:
    flags = ["--store", "sqlite:runs.db", "--drain-delay", 0, "--drain-timeout", 0]
    with serve(tmp_path, *flags) as server, Wire(server.address) as wire:
        answer = ask(wire, "never")
        server.signal(signal.SIGTERM)
        frames = list(answer.frames())
        assert server.wait() == 0
    with serve(tmp_path, *flags) as server, Wire(server.address) as wire:
        assert list(wire.request("GET", f"/runs/{answer.run_id}/events").frames()) == frames


def test_an_agent_that_was_set_up_is_closed(tmp_path: Path) -> None:
    agent = tmp_path / "closing.py"
    agent.write_text(
        "from pathlib import Path\n"
        "from sentient_cli import Agent\n"
        "class Closing(Agent):\n"
        "    async def setup(self): Path('set-up').touch()\n"
        "    async def assist(self, session, query, response): pass\n"
        "    async def aclose(self): Path('closed').touch()\n"
    )
    with serve(tmp_path, "--drain-delay", 0, agent=agent) as server:
        assert (tmp_path / "set-up").exists()
        assert not (tmp_path / "closed").exists()
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert (tmp_path / "closed").exists()


@pytest.mark.parametrize("stops", ["await asyncio.sleep(600)", "time.sleep(600)"])
def test_an_interrupt_while_the_agent_is_set_up_is_told_in_a_word(tmp_path: Path, stops: str) -> None:
    agent = tmp_path / "slow.py"
    agent.write_text(
        "import asyncio, sys, time\n"
        "from sentient_cli import Agent\n"
        "class Slow(Agent):\n"
        "    async def setup(self):\n"
        "        print('setting up', file=sys.stderr, flush=True)\n"
        f"        {stops}\n"
        "    async def assist(self, session, query, response): pass\n"
    )
    server = start(tmp_path, agent=agent)
    server.wait_line("setting up")
    server.signal(signal.SIGINT)
    assert server.wait() == 130
    assert server.lines == ["setting up", "Interrupted."]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    "waits",
    [
        "time.sleep(600)",
        "while True: print('importing', file=sys.stderr, flush=True)",
        (
            "class Slow(Agent):\n"
            "    async def setup(self): await asyncio.sleep(600)\n"
            "    async def assist(self, session, query, response): pass\n"
        ),
    ],
)
def test_a_server_that_is_still_starting_ends_at_sigterm_like_one_that_serves(
    tmp_path: Path, waits: str, workers: int
) -> None:
    agent = tmp_path / "slow.py"
    agent.write_text(
        "import asyncio, sys, time\n"
        "from sentient_cli import Agent\n"
        "print('importing', file=sys.stderr, flush=True)\n"
        f"{waits}\n"
    )
    server = start(tmp_path, "--workers", workers, agent=agent)
    server.wait_line("importing")
    server.signal(signal.SIGTERM)
    assert (server.wait(), set(server.lines)) == (0, {"importing"})


def kinds(server: Served) -> set[object]:
    return {record["level"] for record in server.records()}


def test_a_clean_end_logs_no_error(tmp_path: Path) -> None:
    with serve(tmp_path, "--drain-delay", 0, "--drain-timeout", 0) as server, Wire(server.address) as wire:
        answer = ask(wire, "never")
        server.signal(signal.SIGTERM)
        shut_down(answer.frames())
        assert server.wait() == 0
    assert kinds(server) == {"info"}
