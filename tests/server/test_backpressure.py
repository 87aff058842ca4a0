"""Who reads slowly holds back the agent only when it asked; watchers never do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.puppet import Puppet
from tests.support.served import Served, serve
from tests.support.wire import Address, Wire, ask, dig, fetch_json, head, wait_finished

pytestmark = pytest.mark.story("14.8")

_BUFFER = 4096
_KERNEL = 8 * 1024 * 1024
"""More bytes than the kernel and the server's transport take in for a connection on which nobody reads."""
_AHEAD = 4 * 1024 * 1024
_UNSENT = 256
_SMALL = pytest.param(0, _UNSENT * 200, marks=pytest.mark.slow)  # 40,000 events until the kernel takes no more
_LONG = {"SENTIENT_SERVER_SEND_TIMEOUT": "600", "SENTIENT_SERVER_DISCONNECT_GRACE": "0"}


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that waits long for slow readers, and lets runs go on without any."""
    flags = ["--on-disconnect", "continue", "--drain-delay", 0, "--log-level", "warning"]
    with serve(tmp_path_factory.mktemp("home"), *flags, env=_LONG) as served:
        yield served


def settled(address: Address, run_id: str) -> int:
    """The last seq of a run once it does not move while the server's loop turns many times."""
    last, still = -1, 0
    with Wire(address) as wire:
        while still < 25:
            seq = wire.request("GET", f"/runs/{run_id}").json()["last_seq"]
            assert isinstance(seq, int)
            still = still + 1 if seq == last else 0
            last = seq
    return last


def slow(server: Served) -> Wire:
    return Wire(server.address, receive_buffer=_BUFFER)


@pytest.mark.slow
@pytest.mark.parametrize(("size", "room"), [(10_000, 1024 * 1024), _SMALL])
def test_an_agent_waits_for_the_client_that_asked(patient: Served, size: int, room: int) -> None:
    """At most 256 entries or 1 MiB are unsent; what the kernel has taken in counts as sent."""
    with slow(patient) as wire:
        answer = ask(wire, f"flood {size}")
        frames = answer.frames()
        next(frames)
        held = settled(patient.address, answer.run_id)
        assert held * (size + 200) <= _KERNEL + room
        with Wire(patient.address) as other:
            assert [frame.event for frame in ask(other, "echo quick").frames()] == ["ANSWER", "done"]
        for _ in range(held):  # reading lets the agent go on
            next(frames)
        seq = fetch_json(patient.address, f"/runs/{answer.run_id}")[1]["last_seq"]
        assert isinstance(seq, int)
        assert seq > held
    fetch_json(patient.address, f"/runs/{answer.run_id}/cancel", "POST")


@pytest.mark.slow
def test_nothing_is_lost_for_a_client_that_pauses(patient: Served) -> None:
    with slow(patient) as wire:
        answer = ask(wire, "count 20000")
        frames = answer.frames()
        next(frames)
        settled(patient.address, answer.run_id)
        assert [frame.content for frame in frames if frame.event == "N"] == [str(n) for n in range(1, 20_000)]


@pytest.mark.slow
def test_a_watcher_that_does_not_read_slows_nobody(patient: Served) -> None:
    with Puppet() as puppet, Wire(patient.address) as asking, slow(patient) as watching:
        answer = ask(asking, puppet.prompt)
        frames = answer.frames()
        puppet.take()
        watching.send(head("GET", f"/runs/{answer.run_id}/events", {}))
        assert watching.answer().status == 200
        puppet.say("many", 12_000, 1000)
        for _ in range(12_000):  # more than any buffer on the watcher's way can hold
            next(frames)
        assert puppet.hear() == "ok"
        puppet.end()
        assert [frame.event for frame in frames] == ["done"]


@pytest.mark.slow
def test_a_cursor_that_is_no_longer_kept_is_gone(patient: Served) -> None:
    with Puppet() as puppet, Wire(patient.address) as asking:
        answer = ask(asking, puppet.prompt)
        frames = answer.frames()
        puppet.take()
        count = 70
        puppet.say("many", count, 1024 * 1024)
        for _ in range(count):
            next(frames)
        assert puppet.hear() == "ok"
        status, body = fetch_json(patient.address, f"/runs/{answer.run_id}/events?after=0")
        assert (status, body["code"]) == (410, "cursor-expired")
        first = body["first_seq"]
        assert isinstance(first, int)
        assert 1 < first <= count
        with Wire(patient.address) as wire:
            watched = wire.request("GET", f"/runs/{answer.run_id}/events?after={first - 1}").frames()
            assert next(watched).id == first
        puppet.end()
        assert [frame.event for frame in frames] == ["done"]


def test_a_run_that_nobody_reads_fails_when_its_log_is_full(patient: Served) -> None:
    with Wire(patient.address) as wire:
        answer = ask(wire, "flood 1000000")
        next(answer.frames())
    run = wait_finished(patient.address, answer.run_id)
    assert run["outcome"] == "error"
    seq = run["last_seq"]
    assert isinstance(seq, int)
    with Wire(patient.address) as wire:
        *_, error, done = wire.request("GET", f"/runs/{answer.run_id}/events?after={seq - 3}").frames()
    assert (error.event, done.event) == ("error", "done")
    assert dig(error.json, "content", "error_code") == 500


def test_an_agent_waits_for_a_client_that_may_come_back(tmp_path: Path) -> None:
    flags = ["--disconnect-grace", 600, "--drain-delay", 0, "--drain-timeout", 0]
    with serve(tmp_path, *flags, env={"SENTIENT_SERVER_SEND_TIMEOUT": "600"}) as server:
        with Wire(server.address) as wire:
            answer = ask(wire, "flood 100000")
            next(answer.frames())
        held = settled(server.address, answer.run_id)
        assert held * 100_000 <= _AHEAD + 2 * _KERNEL
        with Wire(server.address) as wire:
            frames = wire.request("GET", f"/runs/{answer.run_id}/events").frames()
            for _ in range(2 * held):  # who comes back lets it go on, and holds it no more
                next(frames)


@pytest.mark.slow
def test_a_resumed_reader_keeps_a_long_run_alive(patient: Served) -> None:
    with Puppet() as puppet, Wire(patient.address) as watching:
        with Wire(patient.address) as asking:
            answer = ask(asking, puppet.prompt)
            puppet.take()
            puppet.do("text", "A", "")
            next(answer.frames())
            watched = watching.request("GET", f"/runs/{answer.run_id}/events?after=0").frames()
            assert next(watched).event == "A"
        for _ in range(70):
            puppet.say("many", 1, 1024 * 1024)
            next(watched)
            assert puppet.hear() == "ok"
        puppet.end()
        assert [frame.event for frame in watched] == ["done"]


def test_a_client_that_takes_nothing_for_too_long_is_cut_off(tmp_path_factory: pytest.TempPathFactory) -> None:
    env = {**_LONG, "SENTIENT_SERVER_SEND_TIMEOUT": "0.3"}
    with serve(tmp_path_factory.mktemp("home"), "--drain-delay", 0, env=env) as server, slow(server) as wire:
        answer = ask(wire, "flood 10000")
        assert wait_finished(server.address, answer.run_id)["outcome"] == "cancelled"
        with pytest.raises(ConnectionError):
            for _ in answer.frames():
                pass
