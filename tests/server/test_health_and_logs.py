"""Health in the terms of probes, and the server's own log: JSON lines with ids, and no secret."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support.agents.behaviours import KEY
from tests.support.puppet import Puppet
from tests.support.served import Served, assert_said_at_the_start, serve
from tests.support.wire import ACTIVITY_ID, QUERY_ID, Wire, ask, ask_all, fetch, fetch_json

pytestmark = pytest.mark.story("14.8")

_QUIET = {"SENTIENT_SERVER_HEARTBEAT": "0.05", "SENTIENT_SERVER_DRAIN_DELAY": "0"}


@pytest.mark.story("11.2")
@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/health/startup"])
def test_a_server_that_works_answers_its_probes(server: Served, path: str) -> None:
    assert fetch_json(server.address, path) == (200, {"status": "ok"})
    answer, body = fetch(server.address, path, "HEAD")
    assert (answer.status, body) == (200, b"")


@pytest.mark.story("11.1")
def test_the_details(server: Served) -> None:
    with Puppet() as puppet, Wire(server.address) as wire:
        answer = ask(wire, puppet.prompt)
        puppet.take()
        status, body = fetch_json(server.address, "/health")
        puppet.end()
        answer.read()
    assert (status, body["status"], body["agent"]) == (200, "ok", "behaviours")
    runs = body["runs"]
    assert isinstance(runs, dict)
    assert runs["live"] >= 1
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", str(body["version"]))


@pytest.mark.slow
@pytest.mark.story("E11.1")
def test_it_is_alive_with_all_places_taken(tmp_path: Path) -> None:
    env = {**_QUIET, "SENTIENT_SERVER_MAX_RUNS": "2"}
    with serve(tmp_path, env=env) as server, Wire(server.address) as one, Wire(server.address) as two:
        floods = [ask(one, "flood 100").frames(), ask(two, "flood 100").frames()]
        for _ in range(100):
            assert {next(flood).event for flood in floods} == {"FLOOD"}
        assert fetch_json(server.address, "/health/live")[0] == 200


def test_a_silent_stream_has_a_heartbeat_without_a_blank_line(tmp_path: Path) -> None:
    with serve(tmp_path, env=_QUIET) as server, Puppet() as puppet, Wire(server.address) as wire:
        answer = ask(wire, puppet.prompt)
        puppet.take()
        assert wire.until(b"\r\n") == b"d"  # a chunk of 13 bytes
        assert wire.exactly(15) == b": still here\n\r\n"
        assert wire.until(b"\r\n") == b"d"
        assert wire.exactly(15) == b": still here\n\r\n"
        puppet.do("text", "A", "x")
        puppet.end()
        assert [frame.event for frame in answer.frames()] == ["A", "done"]


def test_each_request_is_one_line_of_json_with_its_ids(server: Served) -> None:
    with Wire(server.address) as wire:
        answer = ask(wire, "echo x", headers={"X-Request-Id": "req-4711"})
        body = answer.read()
    record = server.wait_record(request_id="req-4711")
    assert record["run_id"] == answer.run_id
    assert (record["method"], record["path"], record["status"]) == ("POST", "/assist", 200)
    assert record["bytes"] == len(body)
    assert isinstance(record["duration_ms"], float)
    assert str(record["time"]).endswith("+00:00")
    assert record["level"] == "info"


def test_every_line_is_json(server: Served) -> None:
    fetch(server.address, "/x%0a%7b%22level%22:1%7d%1b[31m", headers={"X-Request-Id": "forged"})
    server.wait_record(request_id="forged")
    for line in server.lines:
        assert isinstance(json.loads(line), dict)
        assert line.isprintable()


def test_what_an_agent_logs_names_its_run(server: Served) -> None:
    with Wire(server.address) as wire:
        answer = ask(wire, "tell")
        assert [frame.event for frame in answer.frames()] == ["TOLD", "done"]
    record = server.wait_record(logger="agent", run_id=answer.run_id)
    assert (record["level"], record["session_id"], record["query_id"]) == ("warning", ACTIVITY_ID, QUERY_ID)
    assert "a warning with" in str(record["message"])


def bad_lines(server: Served) -> tuple[str, list[dict[str, object]]]:
    """The id of a run that logs badly, and what the log says of it before its answer."""
    since = len(server.lines)
    with Wire(server.address) as wire:
        answer = ask(wire, "tell_badly")
        assert [frame.event for frame in answer.frames()] == ["TOLD", "done"]
    server.wait_line("placed", since=since)
    return answer.run_id, [json.loads(line) for line in server.lines[since:] if '"agent"' in line]


def test_log_calls_that_cannot_be_formatted_are_one_line_of_json(server: Served) -> None:
    since = len(server.lines)
    run_id, records = bad_lines(server)
    assert all(line.startswith("{") for line in server.lines[since:])
    for record, why in zip(records[:2], ["TypeError", "RuntimeError: no text at all"], strict=True):
        assert record["level"] == "error"
        assert record["run_id"] == run_id
        assert re.search(rf"could not be formatted: {why}.*behaviours\.py:\d+", str(record["message"]))
    with Wire(server.address) as wire:
        shown = wire.request("GET", f"/runs/{run_id}").json()
    last = shown["last_seq"]
    assert isinstance(last, int)
    assert last <= 8  # not a line of the run's log for each line of a traceback


def test_an_agent_cannot_forge_what_the_log_says_of_a_line(server: Served) -> None:
    run_id, records = bad_lines(server)
    record = records[2]
    assert (record["message"], record["level"], record["run_id"]) == ("forged", "warning", run_id)
    assert str(record["time"]).startswith("20")
    assert (record["extra_time"], record["extra_level"], record["extra_run_id"]) == ("1999", "critical", "another")
    assert record["path"] == "/x"


def test_where_a_log_call_stands_is_kept(server: Served) -> None:
    _, records = bad_lines(server)
    assert "tell_badly" in str(records[3]["stack"])


def test_text_for_people_tells_of_log_calls_that_cannot_be_formatted(tmp_path: Path) -> None:
    with serve(tmp_path, "--log-format", "text") as server:
        assert ask_all(server.address, "tell_badly")[-1].event == "done"
        server.wait_line(r"error +A log call could not be formatted: TypeError")
        server.wait_line("placed")
        server.wait_line("Stack ")
    assert not any("Logging error" in line for line in server.lines)


def test_no_secret_is_logged(server: Served) -> None:
    ask_all(server.address, "tell")
    server.wait_line("a warning with")
    assert KEY not in "\n".join(server.lines)


def test_values_of_secret_variables_are_not_logged(tmp_path: Path) -> None:
    secret = "correct horse battery staple"
    agent = tmp_path / "leaky.py"
    agent.write_text(
        "import logging, os\n"
        "async def assist(session, query, response):\n"
        "    logging.getLogger('x').warning('it is %s', os.environ['OPENAI_API_KEY'])\n"
        "    raise ValueError(os.environ['OPENAI_API_KEY'])\n"
    )
    env = {"OPENAI_API_KEY": secret, "SENTIENT_SERVER_DRAIN_DELAY": "0"}
    with serve(tmp_path, agent=agent, env=env) as server:
        frames = ask_all(server.address, "x")
        server.wait_line("failed")
    assert [frame.event for frame in frames] == ["error", "done"]
    assert secret not in "\n".join([*server.lines, *(frame.data for frame in frames)])


def test_text_for_people(tmp_path: Path) -> None:
    env = {"SENTIENT_SERVER_DRAIN_DELAY": "0"}
    with serve(tmp_path, "--log-format", "text", env=env) as server:
        fetch(server.address, "/health")
        server.wait_line(r"^\d\d:\d\d:\d\d info +GET /health 200$")


def test_a_quiet_log(tmp_path: Path) -> None:
    with serve(tmp_path, "--log-level", "error", "--drain-delay", 0) as server:
        ask_all(server.address, "tell")
    assert [record["message"] for record in server.records()] == [
        f"Serving behaviours on http://127.0.0.1:{server.port}"
    ]


def test_where_it_listens_is_in_the_log_too(server: Served) -> None:
    assert fetch_json(server.address, "/health/live")[0] == 200
    record = server.records()[0]
    assert record["url"] == f"http://127.0.0.1:{server.port}"
    assert (record["level"], record["message"]) == ("info", f"Serving behaviours on {record['url']}")


def test_what_is_said_at_the_start_is_json(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("X=1\n")
    env = {"SENTIENT_SERVER_PROT": "1", "SENTIENT_SERVER_DRAIN_DELAY": "0"}
    with serve(tmp_path, env=env) as server:
        pass
    assert_said_at_the_start(server)


def test_a_warning_of_an_agent_is_one_line_with_its_run(tmp_path: Path) -> None:
    agent = tmp_path / "warner.py"
    agent.write_text(
        "import warnings\n"
        "async def assist(session, query, response):\n"
        "    warnings.warn('this is old\\nand more')\n"
        "    await response.respond('A', 'x')\n"
    )
    with (
        serve(tmp_path, "--store", "file:kept", "--drain-delay", 0, agent=agent) as server,
        Wire(server.address) as wire,
    ):
        answer = ask(wire, "x")
        answer.read()
        record = server.wait_record(logger="sentient_cli.warnings", run_id=answer.run_id)
    assert (record["level"], record["message"]) == ("warning", "UserWarning: this is old\nand more")
    assert str(record["where"]).endswith("warner.py:3")
    assert server.lines == [line for line in server.lines if line.startswith("{")]
    (stored,) = (tmp_path / "kept").glob("*.jsonl")
    logged = [line for line in stored.read_text().splitlines() if '"type":"log"' in line]
    assert ["this is old" in line for line in logged] == [True]


def test_a_client_that_asks_for_a_websocket_is_no_concern(tmp_path: Path) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    with serve(tmp_path, "--drain-delay", 0) as server:
        assert fetch(server.address, "/health/live", headers=upgrade)[0].status == 200
    assert {record["level"] for record in server.records()} == {"info"}
    assert "pip install" not in "\n".join(server.lines)


@pytest.mark.slow
def test_a_client_that_takes_nothing_is_dropped_with_one_line_that_says_so(tmp_path: Path) -> None:
    env = {"SENTIENT_SERVER_SEND_TIMEOUT": "0.2", "SENTIENT_SERVER_DRAIN_DELAY": "0"}
    with serve(tmp_path, env=env) as server, Wire(server.address, receive_buffer=4096) as wire:
        answer = ask(wire, "flood 1000")
        server.wait_record(
            logger="sentient_cli.server.stream",
            run_id=answer.run_id,
            message=f"A client took nothing of run {answer.run_id} for 0.2 s and is dropped",
        )
        server.wait_record(logger="sentient_cli.access", run_id=answer.run_id)
    assert "without completing" not in "\n".join(server.lines)
