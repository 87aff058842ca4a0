"""Two servers on one store: what one of them runs can be watched at the other, and who was killed leaves no riddle."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.puppet import Puppet
from tests.support.served import Served, serve, start
from tests.support.wire import Frame, Wire, ask, fetch, fetch_json

pytestmark = pytest.mark.story("14.3", "14.8")

_ENV = {"SENTIENT_SERVER_DRAIN_DELAY": "0"}


class Pair:
    """Two servers, and a run of the first.

    Args:
        stack: Closes all of it.
        home: Where they have their store.
        url: Of the store.
    """

    def __init__(self, stack: ExitStack, home: Path, url: str) -> None:
        self.owner = start(home, "--store", url, env=_ENV)
        stack.callback(self.owner.stop_if_running)
        self.owner.port = int(self.owner.wait_line(r"http://127.0.0.1:(\d+)")[1])
        self.other = stack.enter_context(serve(home, "--store", url, env=_ENV))
        self.puppet = stack.enter_context(Puppet())
        answer = ask(stack.enter_context(Wire(self.owner.address)), self.puppet.prompt)
        self.puppet.take()
        self.path = f"/runs/{answer.run_id}"
        self.frames = answer.frames()
        self._stack = stack
        self._last = 0

    def say(self, text: str) -> Frame:
        """Have the agent say something; return it as its client sees it."""
        self.puppet.do("text", "A", text)
        frame = next(self.frames)
        self._last = frame.id
        return frame

    def watch(self) -> Iterator[Frame]:
        """Watch the run at the other server, from its beginning, once the store has what was said."""
        await_stored(self.other, self.path, self._last)
        return self._stack.enter_context(Wire(self.other.address)).request("GET", f"{self.path}/events").frames()

    def kill(self) -> None:
        """Kill the first server."""
        self.owner.signal(signal.SIGKILL)
        self.owner.wait()


@contextmanager
def two_servers(home: Path, url: str) -> Generator[Pair]:
    with ExitStack() as stack:
        yield Pair(stack, home, url)


def await_stored(server: Served, path: str, seq: int) -> None:
    """Wait until a store has an entry, by asking a server that has nothing but the store."""
    for _ in range(20_000):
        if fetch_json(server.address, path)[1].get("last_seq", 0) == seq:
            return
    raise AssertionError(f"{path} does not get as far as {seq}")


@pytest.mark.slow
@pytest.mark.parametrize("url", ["sqlite:runs.db", "file:runs"])
def test_a_run_of_another_server_is_followed_to_its_end(tmp_path: Path, url: str) -> None:
    with two_servers(tmp_path, url) as pair:
        said = [pair.say("1")]
        watched = pair.watch()
        assert next(watched) == said[0]
        said.append(pair.say("2"))
        assert next(watched) == said[1]
        status, run = fetch_json(pair.other.address, pair.path)
        assert (status, run["status"], run["outcome"]) == (200, "running", None)
        pair.puppet.end()
        assert list(watched) == list(pair.frames)
        assert fetch_json(pair.other.address, pair.path)[1]["status"] == "finished"


def test_a_cursor_that_the_store_does_not_have_yet_is_waited_for_but_not_for_ever(tmp_path: Path) -> None:
    with two_servers(tmp_path, "sqlite:runs.db") as pair, Wire(pair.other.address) as wire:
        first = pair.say("1")
        await_stored(pair.other, pair.path, first.id)
        second = pair.say("2")
        watched = wire.request("GET", f"{pair.path}/events?after={first.id}").frames()
        assert next(watched) == second
        status, body = fetch_json(pair.other.address, f"{pair.path}/events?after=999")
        assert (status, body["code"]) == (400, "cursor")
        pair.puppet.end()
        assert [frame.event for frame in watched] == ["done"]


def test_only_its_own_server_can_cancel_a_run(tmp_path: Path) -> None:
    with two_servers(tmp_path, "sqlite:runs.db") as pair:
        await_stored(pair.other, pair.path, pair.say("1").id)
        status, body = fetch_json(pair.other.address, f"{pair.path}/cancel", "POST")
        assert (status, body["code"]) == (409, "run-elsewhere")
        assert pair.say("2").content == "2"
        assert fetch_json(pair.owner.address, f"{pair.path}/cancel", "POST")[0] == 202
        assert [frame.event for frame in pair.frames] == ["error", "done"]


def test_a_stream_of_a_server_that_is_killed_is_cut_and_does_not_seem_to_end(tmp_path: Path) -> None:
    with two_servers(tmp_path, "sqlite:runs.db") as pair:
        last = pair.say("1")
        watched = pair.watch()
        assert next(watched) == last
        pair.kill()
        with pytest.raises(ConnectionError):
            next(watched)
        assert fetch_json(pair.other.address, pair.path)[1]["status"] == "interrupted"
        assert fetch_json(pair.other.address, f"{pair.path}/cancel", "POST")[1]["status"] == "interrupted"
        pair.other.wait_line("is cut off")
        assert "without completing" not in "\n".join(pair.other.lines)


@pytest.mark.slow
def test_a_stream_of_another_servers_run_does_not_hold_a_drain(tmp_path: Path) -> None:
    with two_servers(tmp_path, "sqlite:runs.db") as pair:
        last = pair.say("1")
        watched = pair.watch()
        assert next(watched) == last
        pair.other.signal(signal.SIGTERM)
        with pytest.raises(ConnectionError):
            next(watched)
        assert pair.other.wait() == 0
        pair.puppet.end()
        assert [frame.event for frame in pair.frames] == ["done"]


def _killed(stack: ExitStack, home: Path, workers: int) -> tuple[Served, str, Frame]:
    """A server whose run was killed, after its start again where nobody else sees to that; the run, and its event."""
    flags = ("--store", "sqlite:runs.db", "--workers", workers)
    server = start(home, *flags, env=_ENV)
    stack.callback(server.stop_if_running)
    server.port = int(server.wait_line(r"http://127.0.0.1:(\d+)")[1])
    puppet = stack.enter_context(Puppet())
    answer = ask(stack.enter_context(Wire(server.address)), puppet.prompt)
    puppet.take()
    puppet.do("text", "A", "1")
    last = next(answer.frames())
    path = f"/runs/{answer.run_id}"
    with serve(home, *flags[:2], env=_ENV) as watcher:
        await_stored(watcher, path, last.id)
    os.kill(puppet.pid, signal.SIGKILL)
    if workers == 1:
        server.wait()
        return stack.enter_context(serve(home, *flags, env=_ENV)), path, last
    server.wait_line("SIGKILL")
    return server, path, last


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_good_cursor_of_a_run_that_was_killed_is_no_error(tmp_path: Path, workers: int) -> None:
    with ExitStack() as stack:
        server, path, last = _killed(stack, tmp_path, workers)
        assert fetch_json(server.address, path)[1]["status"] == "interrupted"
        for cursor in (last.id, last.id + 1, last.id + 7):
            assert fetch(server.address, f"{path}/events?after={cursor}")[0].status == 204
        with Wire(server.address) as wire:
            assert list(wire.request("GET", f"{path}/events").frames()) == [last]
