"""What a server refuses, and what weakens one, is in the audit log: once for each kind and peer, and never a secret."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from sentient_cli import paths
from sentient_cli.audit import AuditLog, AuditPlaces, verify
from sentient_cli.host.security_log import SecurityLog
from tests.support import commands
from tests.support.served import environment, serve
from tests.support.wire import as_object, fetch

TOKEN = "a-token-of-at-least-16"


def _events() -> list[dict[str, object]]:
    path = AuditPlaces.of_this_user().log
    lines = path.read_text().splitlines() if path.exists() else []
    return [line for line in map(as_object, map(json.loads, lines)) if line["category"] == "security"]


def _told() -> dict[tuple[str, str], int]:
    counts: dict[tuple[str, str], int] = {}
    for event in _events():
        data = as_object(event["data"])
        key = (str(data["reason"]), str(data["peer"]))
        count = data["count"]
        assert isinstance(count, int)
        counts[key] = counts.get(key, 0) + count
    return counts


@pytest.mark.story("10.1")
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_requests_that_may_not_come_in_are_on_record(workers: int) -> None:
    env = {"SENTIENT_SERVER_TOKEN": TOKEN, "SENTIENT_SERVER_WORKERS": str(workers), "SENTIENT_SERVER_DRAIN_DELAY": "0"}
    with serve(Path.home(), env=env) as server:
        for number in range(7):
            answer, _ = fetch(server.address, "/runs/x", headers={"Authorization": f"Bearer wrong-token-{number}"})
            assert answer.status == 401
        assert fetch(server.address, "/health/live", headers={"Host": "evil.example"})[0].status == 403
        assert fetch(server.address, "/health/live", headers={"Origin": "https://evil.example"})[0].status == 403
        assert fetch(server.address, "/health", headers={"Authorization": f"Bearer {TOKEN}"})[0].status == 200
    assert _told() == {
        ("token-required", "127.0.0.1"): 7,
        ("host-not-allowed", "127.0.0.1"): 1,
        ("origin-not-allowed", "127.0.0.1"): 1,
    }
    assert len(_events()) <= 3 + 3 * workers
    log = AuditPlaces.of_this_user().log.read_text()
    assert "wrong-token" not in log
    assert TOKEN not in log
    assert verify(AuditPlaces.of_this_user()).findings == ()


@pytest.mark.story("10.1")
def test_an_address_that_nothing_protects_is_refused_on_record() -> None:
    done = commands.run("serve", "--host", "0.0.0.0", "--port", "0")  # noqa: S104 - it is refused
    assert done.returncode == 4
    (event,) = _events()
    assert (event["action"], event["subject"]) == ("exposure-refused", "0.0.0.0:0")


@pytest.mark.story("10.1")
def test_settings_that_weaken_are_on_record_with_who_said_so() -> None:
    (Path.home() / "sentient.toml").write_text('[server]\nallow_origins = ["*"]\n')
    own = paths.user_config_file()
    own.parent.mkdir(parents=True)
    own.write_text("[credentials]\ncore_dumps = true\n")
    with serve(Path.home()) as server:
        assert fetch(server.address, "/health/live")[0].status == 200
    told = {str(event["subject"]): json.dumps(event["data"]) for event in _events()}
    assert told.keys() == {"server.allow_origins", "credentials.core_dumps"}
    assert "sentient.toml" in told["server.allow_origins"]
    assert str(own) in told["credentials.core_dumps"]


@pytest.mark.story("10.1")
def test_a_server_that_refuses_nobody_begins_no_log() -> None:
    with serve(Path.home()) as server:
        assert fetch(server.address, "/health/live")[0].status == 200
    assert not AuditPlaces.of_this_user().log.exists()


@pytest.mark.story("10.1")
def test_a_log_that_cannot_be_kept_is_said_and_requests_are_refused_all_the_same() -> None:
    (paths.state_dir() / "audit").mkdir(parents=True, mode=0o755)
    (paths.state_dir() / "audit").chmod(0o755)
    with serve(Path.home(), env={"SENTIENT_SERVER_TOKEN": TOKEN}) as server:
        for _ in range(3):
            assert fetch(server.address, "/health")[0].status == 401
        server.wait_line("Security events are not on record")
    assert sum("not on record" in line for line in server.lines) == 1


@pytest.mark.story("6.5", "6.6", "10.1")
def test_the_choice_of_a_profile_is_on_record() -> None:
    given = environment(Path.home())
    for arguments in (
        ("use", "production"),
        ("--project", ".", "use", "staging"),
        ("--project", ".", "use", "--forget"),
    ):
        flags = arguments[:-2] if arguments[0] == "--project" else ()
        done = commands.run(*flags, "keys", *arguments[len(flags) :], environment=given)
        assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in AuditPlaces.of_this_user().log.read_text().splitlines()]
    told = [(line["action"], line["data"].get("profile")) for line in lines if line["category"] == "credential"]
    assert told == [("profile-chosen", "production"), ("profile-bound", "staging"), ("profile-unbound", None)]
    assert commands.run("keys", "use", "Not A Name", environment=given).returncode == 2


@pytest.mark.slow
def test_a_flood_becomes_a_few_lines(tmp_path: Path) -> None:
    places = AuditPlaces(tmp_path / "audit" / "log", tmp_path / "audit" / "checkpoint", tmp_path / "audit" / "key")
    now = [0.0]
    log = SecurityLog(lambda: AuditLog(places), "here:1", now=lambda: now[0])

    def flood(number: int) -> None:
        for each in range(1000):
            log.refused("token-required", f"10.0.{number}.{each % 200}")

    threads = [threading.Thread(target=flood, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    log.refused("token-required", "after the end")
    lines = [json.loads(line) for line in places.log.read_text().splitlines()][1:]
    assert sum(line["data"]["count"] for line in lines) == 4000
    assert len(lines) <= 600
    assert "others" in {line["data"]["peer"] for line in lines}
    assert verify(places).findings == ()
