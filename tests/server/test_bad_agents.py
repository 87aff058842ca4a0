"""Agents that do what they must not: the client gets an end, the operator the reason, and nobody else is harmed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.agents.behaviours import SECRET_TEXT
from tests.support.puppet import Puppet
from tests.support.served import Served, serve
from tests.support.wire import Frame, Wire, ask, ask_all, dig, fetch_json, wait_finished

pytestmark = pytest.mark.story("14.8")

_REFERENCE = re.compile(r"[0-9a-f]{8,}")


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server whose runs have a short deadline."""
    env = {"SENTIENT_SERVER_DISCONNECT_GRACE": "0"}
    with serve(tmp_path_factory.mktemp("home"), "--run-timeout", "0.2", "--drain-delay", 0, env=env) as served:
        yield served


def error_of(frames: list[Frame]) -> Frame:
    """The one error, right before the end."""
    assert [frame.event for frame in frames[-2:]] == ["error", "done"]
    assert sum(frame.event == "error" for frame in frames) == 1
    return frames[-2]


def check_failed(server: Served, frames: list[Frame], text: str) -> None:
    error = error_of(frames)
    assert dig(error.json, "content", "error_code") == 500
    reference = dig(error.json, "content", "details", "reference")
    assert isinstance(reference, str)
    assert _REFERENCE.fullmatch(reference)
    assert reference in str(dig(error.json, "content", "error_message"))
    everything = "".join(frame.data for frame in frames)
    for leak in (text, "Error", "Exit", "Interrupt", "Traceback", "behaviours.py", "/"):
        assert leak not in everything.replace("atomic.error", ""), leak
    record = server.wait_record(reference=reference)
    assert record["level"] == "error"
    assert record["run_id"]
    assert text in str(record["message"])
    assert "behaviours.py" in str(record["message"])


@pytest.mark.parametrize("behaviour", ["fail", "leave", "interrupt", "cancel_self"])
def test_whatever_an_agent_raises_ends_its_run_only(server: Served, behaviour: str) -> None:
    frames = ask_all(server.address, behaviour)
    check_failed(server, frames, SECRET_TEXT)
    assert ask_all(server.address, "echo alive")[0].content == "alive"


OUTLAWS = ["aside leave", "aside interrupt", "callback_leaves", "cancel_all", "stop_loop"]


def check_outlaw(server: Served, deed: str) -> None:
    """Whatever a run does, it ends, and so does the stream of somebody else."""
    since = len(server.lines)
    with Puppet() as puppet, Wire(server.address) as wire:
        answer = ask(wire, puppet.prompt)
        puppet.take()
        assert puppet.do("text", "BEFORE", "") == "ok"
        assert [frame.event for frame in ask_all(server.address, deed)] == ["ANSWER", "done"]
        assert puppet.do("text", "AFTER", "") == "ok"
        puppet.end()
        assert [frame.event for frame in answer.frames()] == ["BEFORE", "AFTER", "done"]
    server.wait_line("Code of the agent .*; the server goes on", since=since)


@pytest.mark.parametrize("deed", OUTLAWS)
def test_what_an_agent_does_beside_its_run_harms_nobody(server: Served, deed: str) -> None:
    check_outlaw(server, deed)
    assert server.process.poll() is None


def test_the_operator_is_told_whose_task_would_have_ended_the_server(server: Served) -> None:
    with Wire(server.address) as wire:
        answer = ask(wire, "aside leave")
        assert [frame.event for frame in answer.frames()] == ["ANSWER", "done"]
    record = server.wait_record(run_id=answer.run_id, task="aside-of-the-agent")
    assert record["level"] == "error"
    assert str(record["message"]).startswith("Code of the agent raised SystemExit")
    assert "behaviours.py" in str(record["exception"])
    assert SECRET_TEXT in str(record["exception"])


@pytest.mark.slow
def test_outlaws_do_not_end_a_worker_nor_keep_the_server_from_its_end(tmp_path: Path) -> None:
    with serve(tmp_path, "--workers", 2, "--drain-delay", 0) as server:
        workers = {str(dig(ask_all(server.address, "whoami")[0].json, "content", "pid")) for _ in range(20)}
        for deed in OUTLAWS * 2:
            assert [frame.event for frame in ask_all(server.address, deed)] == ["ANSWER", "done"]
        after = {str(dig(ask_all(server.address, "whoami")[0].json, "content", "pid")) for _ in range(20)}
        assert len(workers | after) <= 2
        assert not [line for line in server.lines if "is started again" in line]


def test_open_streams_are_closed_before_the_error(server: Served) -> None:
    frames = ask_all(server.address, "fail")
    assert [frame.event for frame in frames] == ["PLAN", "OPEN", "OPEN", "error", "done"]
    assert frames[2].json["is_complete"] is True


def test_what_cannot_go_on_the_wire_is_refused_where_it_is_emitted(server: Served) -> None:
    with Wire(server.address) as wire:
        body = ask(wire, "bad").read()
    assert b"forged" not in body
    frames = ask_all(server.address, "bad")
    assert [frame.event for frame in frames] == ["REFUSED", "done"]
    refused = frames[0].content
    assert isinstance(refused, dict)
    names = ["newline", "return", "u2028", "space", "long", "empty", "stream", "object", "loop", "list", "number"]
    more = ["nan", "pairs", "nested", "null", "infinite", "details", "code"]
    assert refused == dict.fromkeys([*names, *more], "InvalidEventError")


def test_what_is_not_json_ends_a_run_that_does_not_catch_it(server: Served) -> None:
    check_failed(server, ask_all(server.address, "bad_end"), "not JSON")


def test_nothing_follows_the_end(server: Served) -> None:
    frames = ask_all(server.address, "after_end")
    assert [frame.event for frame in frames] == ["S", "S", "done"]
    told = ask_all(server.address, "seen")[0].content
    closed = dict.fromkeys(["text", "json", "error", "write"], "ResponseClosedError")
    assert told == {**closed, "complete": "fine"}


@pytest.mark.parametrize("command", ["after_end", "after_end_raise", "after_end_aside"])
def test_what_is_emitted_after_the_end_is_said_once_in_the_log(server: Served, command: str) -> None:
    since = len(server.lines)
    with Wire(server.address) as wire:
        answer = ask(wire, command)
        assert [frame.event for frame in answer.frames()][-1] == "done"
    server.wait_line(r"emitted at \S+behaviours\.py:\d+ after the end", since=since)
    ask_all(server.address, "seen")  # whatever else the agent would say, it has said
    said = [line for line in server.records() if "after the end" in str(line["message"])]
    (told,) = [line for line in said if line.get("run_id") == answer.run_id]
    assert told["level"] == "warning"


def test_a_run_that_blocks_the_loop_is_named_with_its_stack(server: Served) -> None:
    since = len(server.lines)
    assert [frame.event for frame in ask_all(server.address, "block 1.6")] == ["READY", "AWAKE", "done"]
    line = server.wait_line("has been blocked", since=since).string
    assert "behaviours.py" in line
    assert "time.sleep(float(rest))" in line
    assert "server/loop.py" not in line, "it begins with the agent's own code"
    server.wait_line("turns again", since=since)


@pytest.mark.slow
def test_a_flood_lets_others_have_their_turn(server: Served) -> None:
    with Wire(server.address) as flooded, Wire(server.address) as other:
        flood = ask(flooded, "flood 100").frames()
        for _ in range(1000):
            assert next(flood).event == "FLOOD"
        for number in range(5):
            assert ask(other, f"echo {number}").first().content == str(number)
            assert next(flood).event == "FLOOD"


def test_a_flood_is_ended_when_its_client_leaves(server: Served) -> None:
    with Wire(server.address) as wire:
        answer = ask(wire, "flood 1000")
        next(answer.frames())
    run = wait_finished(server.address, answer.run_id)
    assert run["outcome"] == "cancelled"


def test_a_run_that_never_ends_meets_its_deadline(hurried: Served) -> None:
    frames = ask_all(hurried.address, "never")
    assert [frame.event for frame in frames] == ["OPEN", "OPEN", "error", "done"]
    assert frames[1].json["is_complete"] is True
    assert dig(error_of(frames).json, "content", "error_code") == 504


def test_the_outcome_says_that_the_deadline_passed(hurried: Served) -> None:
    with Puppet() as puppet, Wire(hurried.address) as wire:
        answer = ask(wire, puppet.prompt)
        puppet.take()
        assert puppet.hear() == "cancelled"
        assert dig(error_of(list(answer.frames())).json, "content", "error_code") == 504
    assert fetch_json(hurried.address, f"/runs/{answer.run_id}")[1]["outcome"] == "deadline"


@pytest.mark.story("14.2")
def test_an_agent_that_ignores_its_cancellation_does_not_hold_its_run(hurried: Served) -> None:
    frames = ask_all(hurried.address, "stubborn")
    assert [frame.event for frame in frames] == ["READY", "error", "done"]
    assert dig(frames[1].json, "content", "error_code") == 504


@pytest.mark.slow
@pytest.mark.story("14.2")
def test_a_stubborn_agent_does_not_hold_the_server(tmp_path: Path) -> None:
    with serve(tmp_path, "--drain-delay", 0, "--drain-timeout", 0) as server, Wire(server.address) as wire:
        frames = ask(wire, "stubborn").frames()
        assert next(frames).event == "READY"
        server.process.terminate()
        assert [frame.event for frame in frames] == ["error", "done"]
        assert server.wait() == 0
