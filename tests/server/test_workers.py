"""Several processes on one port: seen from outside they are one server, also when one of them dies."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.puppet import Puppet
from tests.support.served import Served, assert_said_at_the_start, serve, start
from tests.support.wire import PATIENCE, Frame, Wire, ask, ask_all, dig, fetch_json

pytestmark = pytest.mark.story("14.3", "14.8")

_COUNT = 2


@pytest.fixture(scope="module")
def crew(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with two workers."""
    with serve(tmp_path_factory.mktemp("home"), "--workers", _COUNT, "--drain-delay", 0) as served:
        yield served


def pid_of(server: Served) -> int:
    pid = dig(ask_all(server.address, "whoami")[0].json, "content", "pid")
    assert isinstance(pid, int)
    return pid


def connection_to(server: Served, pid: int, stack: ExitStack) -> Wire:
    """A connection that the worker with this pid has taken."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        wire = Wire(server.address)
        frames = list(ask(wire, "whoami").frames())
        if dig(frames[0].json, "content", "pid") == pid:
            return stack.enter_context(wire)
        wire.socket.close()
    raise AssertionError(f"worker {pid} takes no connection")


def pids_of(server: Served) -> set[int]:
    found: set[int] = set()
    deadline = time.monotonic() + PATIENCE  # a new one has to start first
    while time.monotonic() < deadline:
        found.add(pid_of(server))
        if len(found) == _COUNT:
            return found
    raise AssertionError(f"only {found} take connections")


def wait_dead(pid: int) -> None:
    """Wait until a process that is not a child of ours is gone."""
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            import select  # noqa: PLC0415 - only here

            assert select.select([handle], [], [], PATIENCE)[0], f"process {pid} does not end"
        finally:
            os.close(handle)


def test_a_module_of_the_project_does_not_pass_for_a_library(tmp_path: Path) -> None:
    (tmp_path / "msgspec.py").write_text("raise RuntimeError('not this one')\n")
    with serve(tmp_path, "--workers", _COUNT, "--drain-delay", 0) as served:
        assert len(pids_of(served)) == _COUNT


def test_all_workers_serve(crew: Served) -> None:
    pids = pids_of(crew)
    assert crew.process.pid not in pids


@contextlib.contextmanager
def owned(crew: Served) -> Generator[tuple[Puppet, str, Iterator[Frame], Wire]]:
    """A run in one worker, and a connection to another worker."""
    with ExitStack() as stack:
        puppet = stack.enter_context(Puppet())
        answer = ask(stack.enter_context(Wire(crew.address)), puppet.prompt)
        puppet.take()
        (other,) = pids_of(crew) - {puppet.pid}
        yield puppet, answer.run_id, answer.frames(), connection_to(crew, other, stack)


def test_a_run_is_watched_through_another_worker(crew: Served) -> None:
    with owned(crew) as (puppet, run_id, frames, wire):
        puppet.do("text", "A", "1")
        watched = wire.request("GET", f"/runs/{run_id}/events?after=0")
        assert watched.headers["content-type"].startswith("text/event-stream")
        assert watched.run_id == run_id
        live = watched.frames()
        assert next(live) == next(frames)
        puppet.do("text", "B", "2")
        assert next(live) == next(frames)
        puppet.end()
        assert list(live) == list(frames)
        assert wire.request("GET", "/health/live").read()  # the connection goes on


def test_a_run_is_resumed_and_asked_after_through_another_worker(crew: Served) -> None:
    with owned(crew) as (puppet, run_id, frames, wire):
        puppet.do("many", 50, 10)
        puppet.end()
        all_frames = list(frames)
        run = wire.request("GET", f"/runs/{run_id}").json()
        assert (run["run"], run["status"]) == (run_id, "finished")
        cursor = {"Last-Event-ID": str(all_frames[20].id)}
        assert list(wire.request("GET", f"/runs/{run_id}/events", cursor).frames()) == all_frames[21:]
        assert wire.request("GET", f"/runs/{run_id}/events?after={all_frames[-1].id}").status == 204
        bad = wire.request("GET", f"/runs/{run_id}/events?after=x")
        assert (bad.status, bad.json()["code"]) == (400, "cursor")
        assert wire.request("HEAD", f"/runs/{run_id}/events").status == 200
        assert wire.request("PUT", f"/runs/{run_id}/events").status == 405


def test_a_run_is_cancelled_through_another_worker(crew: Served) -> None:
    with owned(crew) as (puppet, run_id, frames, wire):
        answer = wire.request("POST", f"/runs/{run_id}/cancel", {"Content-Type": "application/json"}, b"{}")
        assert (answer.status, answer.json()["status"]) == (202, "cancelling")
        assert puppet.hear() == "cancelled"
        assert [frame.event for frame in frames] == ["error", "done"]


def test_the_gate_stands_before_another_workers_runs_too(crew: Served) -> None:
    with owned(crew) as (puppet, run_id, _, wire):
        refused = wire.request("GET", f"/runs/{run_id}", {"Origin": "https://evil.example"})
        assert refused.status == 403
        puppet.end()


def test_a_run_of_no_worker(crew: Served) -> None:
    for number in ("7", "9999", "00"):
        status, body = fetch_json(crew.address, f"/runs/{'0' * 32}-{number}")
        assert (status, body["code"]) == (404, "run-not-found")


@pytest.mark.slow
def test_a_worker_that_is_killed_under_load_is_replaced_and_harms_no_other(tmp_path: Path) -> None:
    with serve(tmp_path, "--workers", _COUNT, "--drain-delay", 0) as server, ExitStack() as stack:
        victim, other = pids_of(server)
        lost = [ask(connection_to(server, victim, stack), "flood 10000").frames() for _ in range(5)]
        kept = [ask(connection_to(server, other, stack), "flood 10000").frames() for _ in range(5)]
        for frames in (*lost, *kept):
            next(frames)
        os.kill(victim, signal.SIGKILL)
        wait_dead(victim)
        for frames in lost:
            with pytest.raises(ConnectionError):
                for _ in frames:
                    pass
        for frames in kept:
            for _ in range(200):
                assert next(frames).event == "FLOOD"
        server.wait_line("SIGKILL")
        replaced = pids_of(server)
        assert other in replaced
        assert victim not in replaced


def _children(pid: int) -> set[int]:
    return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def _new_child(pid: int, known: set[int]) -> int:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if new := _children(pid) - known:
            return new.pop()
    raise AssertionError("no process is started")


@pytest.mark.slow
def test_a_worker_that_does_not_stay_up_ends_the_server_in_order(tmp_path: Path) -> None:
    fewer = "from sentient_cli.server import workers; workers._MAX_EARLY_FAILURES = 1"  # the pauses between get long
    server = start(tmp_path, "--workers", _COUNT, "--drain-delay", 0, "--drain-timeout", "0.1", prelude=fewer)
    try:
        server.port = int(server.wait_line(r"Serving .* on http://\S+:(\d+)")[1])
        victim, other = pids_of(server)
        with ExitStack() as stack:
            frames = ask(connection_to(server, other, stack), "never").frames()
            assert next(frames).event == "OPEN"
            known = _children(server.process.pid)
            os.kill(victim, signal.SIGKILL)
            os.kill(_new_child(server.process.pid, known), signal.SIGKILL)
            server.wait_line(r"Worker \d does not stay up")
            assert [frame.event for frame in frames] == ["OPEN", "error", "done"]
        assert server.wait() == 1
    finally:
        server.stop_if_running()
    assert sum("is started again" in line for line in server.lines) == 1


def test_a_run_of_a_worker_that_died_is_not_found(tmp_path: Path) -> None:
    with serve(tmp_path, "--workers", _COUNT, "--drain-delay", 0) as server, ExitStack() as stack:
        with owned(server) as (puppet, run_id, frames, wire):
            watched = wire.request("GET", f"/runs/{run_id}/events").frames()
            puppet.do("text", "A", "")
            assert next(watched) == next(frames)
            os.kill(puppet.pid, signal.SIGKILL)
            with pytest.raises(ConnectionError):  # a cut stream, never one that seems to have ended
                for _ in watched:
                    pass
        assert fetch_json(server.address, f"/runs/{run_id}")[0] == 404
        stack.close()


def place_of(pid: int) -> Path:
    """The directory of the sockets, as the command line of a worker names it."""
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    return Path(words[words.index("--worker") + 1].split(":", 3)[3])


@pytest.mark.slow
@pytest.mark.measured
@pytest.mark.parametrize("name", ["t", "t" * 90])
def test_the_workers_leave_when_the_parent_is_killed_and_the_last_one_tidies_up(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name  # no socket could have a name in the longer one
    folder.mkdir()
    flags = ["--workers", _COUNT, "--drain-delay", 0, "--drain-timeout", 0]
    env = {"TMPDIR": str(folder)}
    with serve(tmp_path, *flags, code=-signal.SIGKILL, env=env) as server, Wire(server.address) as wire:
        pids = pids_of(server)
        (place,) = {place_of(pid) for pid in pids}
        assert sorted(path.name for path in place.iterdir()) == ["0.sock", "1.sock"]
        frames = ask(wire, "never").frames()
        assert next(frames).event == "OPEN"
        server.process.kill()
        assert [frame.event for frame in frames] == ["OPEN", "error", "done"]
        for pid in pids:
            wait_dead(pid)
        with pytest.raises(ConnectionRefusedError):
            Wire(server.address)
        assert (place.exists(), list(folder.iterdir())) == (False, [])


@pytest.mark.slow
def test_workers_that_a_thread_keeps_from_a_clean_end_tidy_up_as_well(tmp_path: Path) -> None:
    agent = tmp_path / "sleepy.py"
    agent.write_text(
        "import asyncio, os, time\n"
        "async def assist(session, query, response):\n"
        "    asyncio.get_running_loop().run_in_executor(None, time.sleep, 3600)\n"
        "    await response.respond('WHO', {'pid': os.getpid()})\n"
    )
    flags = ["--workers", _COUNT, "--drain-delay", 0, "--drain-timeout", 0]
    with serve(tmp_path, *flags, agent=agent, code=-signal.SIGKILL) as server:
        pids = pids_of(server)
        (place,) = {place_of(pid) for pid in pids}
        server.process.kill()
        for pid in pids:
            wait_dead(pid)
        assert not place.exists()


@pytest.mark.slow
def test_workers_that_are_still_starting_are_stopped_without_words_of_their_own(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        agent = tmp_path / "slow.py"
        agent.write_text(
            "import socket\n"
            f"with socket.create_connection({listener.getsockname()}) as connection:\n"
            "    connection.recv(1)\n"
            "async def assist(session, query, response):\n"
            "    await response.respond('A', 'x')\n"
        )
        server = start(tmp_path, "--workers", _COUNT, agent=agent)
        quick, slow = (listener.accept()[0] for _ in range(_COUNT))
        with quick, slow:
            quick.sendall(b"x")
            server.signal(signal.SIGINT)
            assert server.wait() == 130
    assert [line for line in server.lines if "Interrupted" in line] == ["Interrupted."]


@pytest.mark.slow
@pytest.mark.story("14.1", "E14.1")
def test_a_signal_drains_all_workers(tmp_path: Path) -> None:
    flags = ["--workers", _COUNT, "--drain-delay", 0, "--drain-timeout", "0.1"]
    with serve(tmp_path, *flags) as server, ExitStack() as stack:
        streams: list[Iterator[Frame]] = []
        for pid in sorted(pids_of(server)) * 3:
            frames = ask(connection_to(server, pid, stack), "never").frames()
            assert next(frames).event == "OPEN"
            streams.append(frames)
        server.signal(signal.SIGTERM)
        for frames in streams:
            assert [frame.event for frame in frames] == ["OPEN", "error", "done"]
        assert server.wait() == 0


@pytest.mark.slow
def test_an_agent_that_does_not_load_ends_the_server(tmp_path: Path) -> None:
    agent = tmp_path / "broken.py"
    agent.write_text("import no_such_module_anywhere\n")
    with pytest.raises(AssertionError, match="ended without"), serve(tmp_path, "--workers", 2, "--json", agent=agent):
        pass


@pytest.mark.slow
def test_what_is_said_at_the_start_is_json_said_once_and_no_secret_travels_on_a_command_line(tmp_path: Path) -> None:
    token = "a-token-that-nobody-should-see"
    (tmp_path / ".env").write_text("X=1\n")
    env = {"SENTIENT_SERVER_PROT": "1", "SENTIENT_SERVER_TOKEN": token, "OPENAI_API_KEY": "sk-" + "x1" * 20}
    with serve(tmp_path, "--workers", _COUNT, "--drain-delay", 0, env=env) as server:
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
        assert len(children) >= _COUNT
        for pid in children:
            assert token not in Path(f"/proc/{pid}/cmdline").read_text()
    assert json.dumps(token) not in "\n".join(server.lines)
    assert_said_at_the_start(server)


@pytest.mark.slow
def test_a_signal_while_a_worker_is_started_again_ends_it_too(tmp_path: Path) -> None:
    with serve(tmp_path, "--workers", _COUNT, "--drain-delay", 0) as server:
        os.kill(pid_of(server), signal.SIGKILL)
        server.wait_line("is started again")
        server.signal(signal.SIGINT)
        assert server.wait() == 0
